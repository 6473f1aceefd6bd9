#include "check_main.h"
#include "vnc_board.h"

/* ---- encodings ---- */

static const struct { int32_t encodings[4]; int32_t used; } encodings[] = {
    { { RFB_RAW }, RFB_RAW },
    { { RFB_HEXTILE, RFB_RAW }, RFB_HEXTILE },
    { { RFB_ZLIB, -256 }, RFB_ZLIB },
    { { RFB_TIGHT }, RFB_TIGHT },
    { { RFB_TIGHT, RFB_LAST_RECT }, RFB_TIGHT },
    { { RFB_TIGHT, RFB_LAST_RECT, -23, -247 }, RFB_TIGHT },     /* quality asked for, not allowed */
    { { RFB_TIGHT, -256 }, RFB_TIGHT },
    { { RFB_ZRLE }, RFB_ZRLE },
    { { 17, 2, 1, RFB_ZRLE }, RFB_ZRLE },
};

START_TEST(encoding_row)
{
    RfbClient *client;

    setup(331, 277, NULL);
    fake_draw(screen, NOISE, 5);
    client = board_viewer();
    rfb_set_encodings(client, encodings[_i].encodings, 4);
    rfb_ask(client, false);
    rfb_await_pixels(client);
    check_picture(client);
    for (Pattern pattern = FLAT; pattern < PATTERNS; pattern++) {
        fake_draw(screen, pattern, pattern);
        await_picture(client);
        console_surface(screen->console)->pixels[331 * 100 + 17] ^= 0xffffff;
        fake_rect(screen, 17, 100, 1, 1);
        await_picture(client);
    }
    ck_assert_uint_eq(client->jpegs, 0);
    rfb_client_free(client);
    board_done();
}
END_TEST

START_TEST(jpeg_only_where_allowed)
{
    RfbClient *client;

    setup(320, 200, &(VncScreenConfig){ .lossy = true });
    client = board_viewer();
    RFB_SET_ENCODINGS(client, RFB_TIGHT, RFB_LAST_RECT, -28);
    fake_draw(screen, NOISE, 1);
    rfb_ask(client, false);
    while (client->jpegs == 0) {
        rfb_update(client);
        rfb_ask(client, true);
    }
    rfb_client_free(client);
    board_done();
}
END_TEST

/* ---- pixel formats ---- */

static const struct { RfbFormat format; bool ok; int32_t encoding; } formats[] = {
    { { 32, 24, 0, 1, 255, 255, 255, 16, 8, 0 }, true, RFB_RAW },
    { { 32, 24, 0, 1, 255, 255, 255, 0, 8, 16 }, true, RFB_ZRLE },
    { { 32, 24, 1, 1, 255, 255, 255, 16, 8, 0 }, true, RFB_HEXTILE },
    { { 32, 24, 0, 1, 255, 255, 255, 24, 16, 8 }, true, RFB_ZLIB },
    { { 16, 16, 0, 1, 31, 63, 31, 11, 5, 0 }, true, RFB_RAW },
    { { 16, 16, 1, 1, 31, 63, 31, 11, 5, 0 }, true, RFB_HEXTILE },
    { { 16, 15, 0, 1, 31, 31, 31, 10, 5, 0 }, true, RFB_ZRLE },
    { { 16, 16, 0, 1, 31, 63, 31, 11, 5, 0 }, true, RFB_TIGHT },
    { { 8, 8, 0, 1, 7, 7, 3, 0, 3, 6 }, true, RFB_TIGHT },
    { { 8, 8, 0, 1, 7, 7, 3, 5, 2, 0 }, true, RFB_RAW },
    { { 8, 8, 0, 0, 0, 0, 0, 0, 0, 0 }, true, RFB_RAW },            /* a map: BGR233 */
    { { 24, 24, 0, 1, 255, 255, 255, 16, 8, 0 }, false, RFB_RAW },
    { { 0, 0, 0, 1, 255, 255, 255, 16, 8, 0 }, false, RFB_RAW },
    { { 64, 24, 0, 1, 255, 255, 255, 16, 8, 0 }, false, RFB_RAW },
    { { 32, 24, 0, 1, 0, 255, 255, 16, 8, 0 }, false, RFB_RAW },
    { { 32, 24, 0, 1, 254, 255, 255, 16, 8, 0 }, false, RFB_RAW },
    { { 32, 24, 0, 1, 255, 255, 255, 25, 8, 0 }, false, RFB_RAW },
    { { 32, 24, 0, 1, 255, 255, 255, 255, 8, 0 }, false, RFB_RAW },
    { { 16, 16, 0, 1, 255, 255, 255, 16, 8, 0 }, false, RFB_RAW },
    { { 16, 16, 0, 0, 31, 63, 31, 11, 5, 0 }, false, RFB_RAW },
};

static uint32_t component(uint32_t rgb, unsigned shift, unsigned max)
{
    return ((rgb >> shift & 255) * max + 127) / 255;
}

static uint32_t in_format(const RfbFormat *format, uint32_t rgb)
{
    if (!format->true_color) {
        return component(rgb, 16, 7) | component(rgb, 8, 7) << 3 | component(rgb, 0, 3) << 6;
    }
    return component(rgb, 16, format->red_max) << format->red_shift |
           component(rgb, 8, format->green_max) << format->green_shift |
           component(rgb, 0, format->blue_max) << format->blue_shift;
}

START_TEST(format_row)
{
    const RfbFormat *format = &formats[_i].format;
    RfbClient *client;
    uint8_t more;

    setup(160, 100, NULL);
    fake_draw(screen, GRADIENT, 9);
    client = board_viewer();
    rfb_set_format(client, format);
    if (formats[_i].ok) {
        const Surface *surface = console_surface(screen->console);

        RFB_SET_ENCODINGS(client, formats[_i].encoding);
        rfb_ask(client, false);
        rfb_await_pixels(client);
        for (unsigned i = 0; i < 160 * 100; i++) {
            g_assert_cmphex(client->pixels[i], ==, in_format(format, surface->pixels[i]));
        }
    } else {
        ck_assert(!rfb_try_read(client, &more, 1));
    }
    rfb_client_free(client);
    board_done();
}
END_TEST

/* ---- what is sent ---- */

START_TEST(small_change_small_update)
{
    RfbClient *client;
    uint64_t before;

    setup(640, 480, NULL);
    fake_draw(screen, TWO_COLORS, 0);
    client = board_viewer();
    rfb_ask(client, false);
    rfb_await_pixels(client);
    check_picture(client);
    before = client->pixels_sent;
    console_surface(screen->console)->pixels[640 * 17 + 40] = 1;
    fake_draw(screen, TWO_COLORS, 0);                   /* all is drawn again, nothing differs */
    console_surface(screen->console)->pixels[640 * 17 + 40] = 1;
    await_picture(client);
    ck_assert_uint_eq(client->pixels_sent - before, 16 * 16);
    rfb_client_free(client);
    board_done();
}
END_TEST

START_TEST(area_asked_for_is_what_comes)
{
    RfbClient *client;

    setup(640, 480, NULL);
    fake_draw(screen, NOISE, 0);
    client = board_viewer();
    rfb_ask_area(client, false, 32, 32, 20, 4);
    rfb_update(client);
    ck_assert_uint_eq(client->pixels_sent, 32 * 16);
    rfb_ask_area(client, false, 600, 470, 1000, 1000);
    rfb_update(client);
    ck_assert_uint_eq(client->pixels_sent, 32 * 16 + 48 * 16);
    rfb_ask(client, true);
    rfb_update(client);
    check_picture(client);
    rfb_client_free(client);
    board_done();
}
END_TEST

/* A pattern of tiles that gives more rectangles than an update has. */
START_TEST(very_many_rectangles)
{
    RfbClient *client;
    unsigned updates;

    setup(1600, 1200, NULL);
    client = board_viewer();
    RFB_SET_ENCODINGS(client, RFB_TIGHT);
    rfb_ask(client, false);
    rfb_await_pixels(client);
    updates = client->updates;
    for (unsigned i = 0; i < 100 * 75; i += 2) {
        unsigned x = (i + i / 100) % 100 * 16, y = i / 100 * 16;

        console_surface(screen->console)->pixels[y * 1600 + x] = i;
    }
    fake_rect(screen, 0, 0, 1600, 1200);
    await_picture(client);
    ck_assert_uint_gt(client->updates, updates + 1);
    rfb_client_free(client);
    board_done();
}
END_TEST

static const struct { unsigned width, height; } sizes[] = {
    { 1, 1 }, { 16384, 3 }, { 9000, 40 }, { 3, 16384 }, { 1366, 768 },
};

START_TEST(size_row)
{
    static const int32_t all[] = { RFB_RAW, RFB_HEXTILE, RFB_ZLIB, RFB_TIGHT, RFB_ZRLE };
    RfbClient *client;

    setup(sizes[_i].width, sizes[_i].height, NULL);
    fake_draw(screen, FEW_COLORS, 2);
    client = board_viewer();
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++) {
        rfb_set_encodings(client, all + i, 1);
        memset(client->pixels, 1, (size_t)client->width * client->height * 4);
        rfb_ask(client, false);
        while (!same_picture(client)) {
            rfb_update(client);
            rfb_ask(client, true);
        }
    }
    rfb_client_free(client);
    board_done();
}
END_TEST

/* ---- modes ---- */

static const struct { int32_t encoding; bool follows; } followers[] = {
    { RFB_SIZE, true }, { RFB_SIZE_EXT, true }, { RFB_RAW, false },
};

START_TEST(mode_row)
{
    RfbClient *client;

    setup(320, 200, NULL);
    client = board_viewer();
    RFB_SET_ENCODINGS(client, RFB_HEXTILE, followers[_i].encoding);
    rfb_ask(client, false);
    rfb_await_pixels(client);
    screen->width = 500;
    screen->height = 300;
    rfb_ask(client, true);
    if (followers[_i].follows) {
        while (client->width != 500) {
            rfb_update(client);
        }
        ck_assert_uint_eq(client->size_reason, 0);
        fake_draw(screen, GRADIENT, 0);
        await_picture(client);
    } else {
        while (console_surface(screen->console)->width != 500) {
            g_main_context_iteration(NULL, TRUE);
        }
        fake_draw(screen, GRADIENT, 0);
        while (client->pixels[320 * 200 - 1] != pattern_pixel(GRADIENT, 319, 199, 0)) {
            rfb_update(client);
            rfb_ask(client, true);
        }
    }
    screen->width = 100;
    screen->height = 64;
    AWAIT(console_surface(screen->console)->width == 100);
    fake_draw(screen, NOISE, 0);
    rfb_ask(client, true);
    rfb_await_pixels(client);
    rfb_client_free(client);
    board_done();
}
END_TEST

/* Every look at the screen finds another mode, while the viewer reads as fast as it can. */
START_TEST(modes_while_encoding)
{
    RfbClient *client;

    setup(640, 480, NULL);
    client = board_viewer();
    rfb_set_encodings(client, (const int32_t[]){ encodings[_i].used, RFB_SIZE_EXT, RFB_LAST_RECT },
                      3);
    for (unsigned i = 0; i < 30; i++) {
        screen->width = 300 + i * 37 % 400;
        screen->height = 200 + i * 53 % 300;
        console_refresh(screen->console);
        fake_draw(screen, FEW_COLORS, i);
        console_refresh(screen->console);
        rfb_ask(client, i % 3 != 0);
        rfb_await_pixels(client);
    }
    await_picture(client);
    check_picture(client);
    rfb_client_free(client);
    board_done();
}
END_TEST

static const struct { bool hears; unsigned width, height, screens, status; } wishes[] = {
    { true, 1000, 700, 1, 4 }, { true, 0, 700, 1, 3 }, { true, 1000, 700, 0, 3 },
    { false, 1000, 700, 1, 3 }, { true, 1000, 700, 255, 4 },
};

START_TEST(wish_row)
{
    uint8_t msg[8 + 16 * 255] = { 251 };
    RfbClient *client;

    probe_machine(INPUT_ABS);
    screen = fake_screen(wishes[_i].hears ? &fake_ops : &fake_deaf_ops, 320, 200);
    board_serve(NULL);
    client = board_viewer();
    RFB_SET_ENCODINGS(client, RFB_RAW, RFB_SIZE_EXT);
    rfb_update(client);
    ck_assert_uint_eq(client->size_reason, 0);
    put_be16(msg + 2, wishes[_i].width);
    put_be16(msg + 4, wishes[_i].height);
    msg[6] = wishes[_i].screens;
    rfb_write(client, msg, 8 + 16 * wishes[_i].screens);
    rfb_update(client);
    ck_assert_uint_eq(client->size_reason, 1);
    ck_assert_uint_eq(client->size_status, wishes[_i].status);
    ck_assert_uint_eq(screen->wish_width, wishes[_i].status == 4 ? 1000 : 0);
    rfb_client_free(client);
    board_done();
}
END_TEST

/* ---- keys and pointer ---- */

/* Until `what` is what the guest got. */
static void await_input(const char *what)
{
    AWAIT(g_str_equal(seen->str, what));
    expect_seen(what);
}

START_TEST(keys)
{
    RfbClient *client;

    setup(320, 200, NULL);
    client = board_viewer();
    RFB_SET_ENCODINGS(client, RFB_RAW, RFB_KEYS);
    while (!client->keys_acknowledged) {
        rfb_update(client);
    }
    rfb_key(client, 'a', true);
    rfb_key(client, 'a', false);
    rfb_key_ext(client, 0xffe1, 0x2a, true);
    rfb_key_ext(client, 0xffe1, 0x2a, false);
    rfb_key_ext(client, 0xff8d, 0x9c, true);
    rfb_key_ext(client, 0xff8d, 0x9c, false);
    await_input("a+ a- shift+ shift- kp_enter+ kp_enter-");
    rfb_client_free(client);
    board_done();
}
END_TEST

START_TEST(hot_keys_switch_screens)
{
    static const struct { uint32_t ctrl, alt, two; unsigned codes[3]; } strokes[] = {
        { 0xffe3, 0xffe9, '2', { 0 } }, { 0xffe4, 0xffea, '2', { 0x9d, 0xb8, 0x03 } },
    };
    FakeScreen *second;
    RfbClient *client;

    probe_machine(INPUT_ABS);
    screen = fake_screen(&fake_ops, 320, 200);
    second = fake_screen(&fake_ops, 320, 200);
    fake_draw(screen, FEW_COLORS, 0);
    fake_draw(second, NOISE, 0);
    board_serve(NULL);
    client = board_viewer();
    rfb_ask(client, false);
    rfb_await_pixels(client);
    check_picture(client);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t sym = i == 0 ? strokes[_i].ctrl : i == 1 ? strokes[_i].alt : strokes[_i].two;

        if (strokes[_i].codes[i] != 0) {
            rfb_key_ext(client, sym, strokes[_i].codes[i], true);
        } else {
            rfb_key(client, sym, true);
        }
    }
    screen = second;
    await_picture(client);
    ck_assert_ptr_null(strchr(seen->str, '2'));             /* the digit was not for the guest */
    rfb_client_free(client);
    board_done();
}
END_TEST

START_TEST(pointer_absolute_and_not)
{
    RfbClient *client;

    setup(320, 200, NULL);
    client = board_viewer();
    RFB_SET_ENCODINGS(client, RFB_RAW, RFB_POINTER);
    while (client->pointer_absolute < 0) {
        rfb_update(client);
    }
    ck_assert_int_eq(client->pointer_absolute, 1);
    rfb_pointer(client, 0, 0, 199);
    rfb_pointer(client, 1 | 8, 319, 0);
    await_input("x=0 y=32767 | x=32767 y=0 b0+ | b3+ | b3- |");
    vnc_screen_pointer_mode(vnc, false);
    while (client->pointer_absolute != 0) {
        rfb_update(client);
    }
    rfb_pointer(client, 0, 0x7fff + 5, 0x7fff - 7);
    await_input("b0- |");
    rfb_client_free(client);
    board_done();
}
END_TEST

/* Clipboard text of any length comes to nothing, and what follows it is understood. */
START_TEST(clipboard_is_dropped)
{
    uint8_t msg[8] = { 6 }, text[10000] = "secret";
    RfbClient *client;

    setup(320, 200, NULL);
    client = board_viewer();
    put_be32(msg + 4, sizeof(text));
    rfb_write(client, msg, sizeof(msg));
    rfb_write(client, text, sizeof(text));
    rfb_pointer(client, 0, 0, 0);
    await_input("x=0 y=0 |");
    rfb_client_free(client);
    board_done();
}
END_TEST

/* ---- consoles ---- */

START_TEST(no_console_then_one)
{
    RfbClient *client;

    probe_machine(INPUT_ABS);
    board_serve(NULL);
    client = board_viewer();
    ck_assert_uint_eq(client->width, 640);
    ck_assert_uint_eq(client->height, 480);
    RFB_SET_ENCODINGS(client, RFB_RAW, RFB_SIZE);
    rfb_ask(client, false);
    rfb_await_pixels(client);
    screen = fake_screen(&fake_ops, 200, 100);
    fake_draw(screen, GRADIENT, 0);
    vnc_screen_set_console(vnc, screen->console);
    await_picture(client);
    rfb_client_free(client);
    board_done();
}
END_TEST

START_TEST(console_goes)
{
    FakeScreen *first;
    RfbClient *client;

    probe_machine(INPUT_ABS);
    first = fake_screen(&fake_ops, 200, 100);
    screen = fake_screen(&fake_ops, 300, 150);
    board_serve(NULL);
    client = board_viewer();
    ck_assert_uint_eq(client->width, 200);
    RFB_SET_ENCODINGS(client, RFB_ZRLE, RFB_SIZE);
    fake_draw(screen, NOISE, 1);
    console_free(first->console);
    await_picture(client);
    console_free(screen->console);
    while (client->width != 640) {
        rfb_update(client);
    }
    rfb_client_free(client);
    AWAIT(vnc_screen_viewers(vnc) == 0);
    board_done();
}
END_TEST

/* It is looked at only while somebody is there, and the first picture is of that moment. */
START_TEST(nobody_looks)
{
    RfbClient *client;
    unsigned updates;

    setup(200, 100, NULL);
    ck_assert_uint_eq(screen->updates, 0);
    screen->width = 240;
    console_refresh(screen->console);
    fake_draw(screen, NOISE, 3);
    client = board_viewer();
    ck_assert_uint_eq(client->width, 240);
    rfb_ask(client, false);
    rfb_await_pixels(client);
    check_picture(client);
    rfb_client_free(client);
    AWAIT(vnc_screen_viewers(vnc) == 0);
    g_main_context_iteration(NULL, FALSE);
    updates = screen->updates;
    for (unsigned i = 0; i < 3; i++) {
        while (g_main_context_iteration(NULL, FALSE)) {
        }
    }
    ck_assert_uint_eq(screen->updates, updates);
    board_done();
}
END_TEST

CHECK_MAIN("vnc_screen", CASES(encoding_row, encodings), CASE(jpeg_only_where_allowed),
           CASES(format_row, formats), CASE(small_change_small_update),
           CASE(area_asked_for_is_what_comes), CASE(very_many_rectangles), CASES(size_row, sizes),
           CASES(mode_row, followers), CASES(modes_while_encoding, encodings),
           CASES(wish_row, wishes), CASE(keys), TIMES(hot_keys_switch_screens, 2),
           CASE(pointer_absolute_and_not), CASE(clipboard_is_dropped), CASE(no_console_then_one),
           CASE(console_goes), CASE(nobody_looks))
