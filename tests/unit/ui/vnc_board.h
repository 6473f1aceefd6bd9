/*
 * A VNC server's screen on a machine with nothing but what input_probe.h has, and screens that
 * tests draw on.
 */
#pragma once

#include <sys/socket.h>

#include "rfb_client.h"

#include "input_probe.h"
#include "vnc_screen.h"

static VncScreen *vnc;
static unsigned vnc_gone, vnc_initialized;

/* ---- a screen ---- */

typedef struct FakeScreen {
    Device dev;
    Console *console;
    GArray *drawn;                      /* ConsoleRect: changed since the last update */
    unsigned width, height;             /* of the mode */
    unsigned wish_width, wish_height;
    unsigned invalidated, updates;
} FakeScreen;

static const DeviceType fake_type = { .name = "fake-screen" };

static void fake_update(void *opaque)
{
    FakeScreen *screen = opaque;

    screen->updates++;
    console_resize(screen->console, screen->width, screen->height);
    for (guint i = 0; i < screen->drawn->len; i++) {
        const ConsoleRect *rect = &g_array_index(screen->drawn, ConsoleRect, i);

        console_changed(screen->console, rect->x, rect->y, rect->width, rect->height);
    }
    g_array_set_size(screen->drawn, 0);
}

static void fake_invalidate(void *opaque)
{
    FakeScreen *screen = opaque;

    screen->invalidated++;
}

static void fake_wish(void *opaque, unsigned width, unsigned height)
{
    FakeScreen *screen = opaque;

    screen->wish_width = width;
    screen->wish_height = height;
}

static const ConsoleOps fake_ops = {
    .update = fake_update, .invalidate = fake_invalidate, .wish = fake_wish,
};
static const ConsoleOps fake_deaf_ops = { .update = fake_update, .invalidate = fake_invalidate };

static inline FakeScreen *fake_screen(const ConsoleOps *ops, unsigned width, unsigned height)
{
    FakeScreen *screen = g_new0(FakeScreen, 1);

    screen->dev = (Device){ .type = &fake_type, .vm = &vm };
    screen->drawn = g_array_new(FALSE, FALSE, sizeof(ConsoleRect));
    screen->width = width;
    screen->height = height;
    screen->console = console_new(&screen->dev, 0, ops, screen);
    console_resize(screen->console, width, height);
    return screen;
}

static inline void fake_rect(FakeScreen *screen, unsigned x, unsigned y, unsigned width,
                             unsigned height)
{
    ConsoleRect rect = { x, y, width, height };

    g_array_append_val(screen->drawn, rect);
}

/* What the pictures of the tests are made of; each has another taste in encodings. */
typedef enum Pattern { FLAT, TWO_COLORS, FEW_COLORS, GRADIENT, NOISE, PATTERNS } Pattern;

static inline uint32_t pattern_pixel(Pattern pattern, unsigned x, unsigned y, unsigned seed)
{
    switch (pattern) {
    case FLAT:       return 0x123456 + seed;
    case TWO_COLORS: return (x * 7 + y * 3 + seed) % 5 < 2 ? 0xaaaaaa : 0x0000aa;
    case FEW_COLORS: return ((x / 3 + y / 5 + seed) % 13) * 0x13110d;
    case GRADIENT:   return (x + seed) % 256 << 16 | y % 256 << 8 | (x + y) % 256;
    default:         return ((x * 2654435761u) ^ (y * 40503u + seed) * 2246822519u) >> 8;
    }
}

static inline void fake_draw(FakeScreen *screen, Pattern pattern, unsigned seed)
{
    Surface *surface = console_surface(screen->console);

    for (unsigned i = 0; i < surface->width * surface->height; i++) {
        surface->pixels[i] = pattern_pixel(pattern, i % surface->width, i / surface->width, seed);
    }
    fake_rect(screen, 0, 0, surface->width, surface->height);
}

/* ---- the server ---- */

static bool board_check_password(void *opaque, VncViewer *viewer, const uint8_t challenge[16],
                                 const uint8_t response[16])
{
    for (unsigned i = 0; i < 16; i++) {         /* the tests' cipher */
        if (response[i] != (uint8_t)(challenge[i] + 1)) {
            return false;
        }
    }
    return true;
}

static void board_initialized(void *opaque, VncViewer *viewer)
{
    vnc_initialized++;
}

static void board_gone(void *opaque, VncViewer *viewer)
{
    vnc_gone++;
}

static const VncScreenOps board_ops = {
    .check_password = board_check_password, .initialized = board_initialized, .gone = board_gone,
};

static inline void board_serve(const VncScreenConfig *config)
{
    VncScreenConfig used = config != NULL ? *config : (VncScreenConfig){ 0 };

    used.keymap = keymap_find("en-us", NULL);
    used.lock_key_sync = true;
    used.viewers_max = used.viewers_max != 0 ? used.viewers_max : 16;
    vnc = vnc_screen_new(&vm, &used, &board_ops, NULL, NULL);
    ck_assert_ptr_nonnull(vnc);
}

/* Our end of a new viewer's socket. */
static inline int board_socket(bool websocket, bool trusted)
{
    int pair[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_ptr_nonnull(vnc_screen_add(vnc, pair[0], websocket, trusted, NULL));
    return pair[1];
}

static inline RfbClient *board_viewer(void)
{
    return rfb_connect(board_socket(false, false), true);
}

static inline void board_done(void)
{
    vnc_screen_free(vnc);
    machine_unlock();
}

#define AWAIT(condition_) \
    while (!(condition_)) { \
        g_main_context_iteration(NULL, TRUE); \
    }

/* ---- most tests: one screen ---- */

static FakeScreen *screen;

static inline void setup(unsigned width, unsigned height, const VncScreenConfig *config)
{
    probe_machine(INPUT_ABS);
    screen = fake_screen(&fake_ops, width, height);
    board_serve(config);
}

/* The viewer sees what the screen shows. */
static inline void check_picture(const RfbClient *client)
{
    const Surface *surface = console_surface(screen->console);

    ck_assert_uint_eq(client->width, surface->width);
    ck_assert_uint_eq(client->height, surface->height);
    for (unsigned i = 0; i < surface->width * surface->height; i++) {
        if ((client->pixels[i] & 0xffffff) != surface->pixels[i]) {
            ck_abort_msg("pixel %u,%u is %06x, not %06x", i % surface->width, i / surface->width,
                         client->pixels[i], surface->pixels[i]);
        }
    }
}

static inline bool same_picture(const RfbClient *client)
{
    const Surface *surface = console_surface(screen->console);

    if (client->width != surface->width || client->height != surface->height) {
        return false;
    }
    for (unsigned i = 0; i < surface->width * surface->height; i++) {
        if ((client->pixels[i] & 0xffffff) != surface->pixels[i]) {
            return false;
        }
    }
    return true;
}

/* Asks until it does; without the pause a console makes when nothing has changed for a while. */
static inline void await_picture(RfbClient *client)
{
    console_refresh(screen->console);
    while (!same_picture(client)) {
        rfb_ask(client, true);
        rfb_await_pixels(client);
    }
}
