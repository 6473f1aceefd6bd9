/*
 * What a viewer says once it is in: RFC 6143, section 7.5, and the messages of the community's
 * list of extensions: SetDesktopSize (251) and QEMU's extended key event (255, 0).
 *
 * Clipboard text is read and dropped: what a person copies is not for the guest unless asked.
 */
#include <string.h>

#include "bytes.h"
#include "lock.h"
#include "vm_core.h"
#include "keys.h"
#include "vnc_viewer.h"

enum { MESSAGE_MAX = 19 };              /* bytes after the type */
enum { SCREEN_SIZE = 16, SCREENS_MAX = 255 };

/* ---- pixel format: 7.5.1 ---- */

/* The colors lie inside the pixel, each of 2^n values. */
static bool format_ok(const rfbPixelFormat *format)
{
    const struct { unsigned max, shift; } colors[] = {
        { format->redMax, format->redShift }, { format->greenMax, format->greenShift },
        { format->blueMax, format->blueShift },
    };
    unsigned bits = format->bitsPerPixel;

    if (bits != 8 && bits != 16 && bits != 32) {
        return false;
    }
    if (!format->trueColour) {
        return bits == 8;                       /* the library gives it a map of 256 colors */
    }
    for (size_t i = 0; i < G_N_ELEMENTS(colors); i++) {
        unsigned max = colors[i].max, shift = colors[i].shift;

        if (max == 0 || (max & (max + 1)) != 0 || shift >= bits ||
            ((uint64_t)max << shift) >> bits != 0) {
            return false;
        }
    }
    return true;
}

static bool take_pixel_format(VncViewer *viewer, const uint8_t *msg)
{
    rfbPixelFormat format = {
        .bitsPerPixel = msg[3], .depth = msg[4], .bigEndian = msg[5] != 0,
        .trueColour = msg[6] != 0, .redMax = get_be16(msg + 7), .greenMax = get_be16(msg + 9),
        .blueMax = get_be16(msg + 11), .redShift = msg[13], .greenShift = msg[14],
        .blueShift = msg[15],
    };

    if (!format_ok(&format)) {
        return false;
    }
    viewer->client->format = format;
    return viewer->rfb->setTranslateFunction(viewer->client);
}

/* ---- encodings: 7.5.2 ---- */

enum {
    PSEUDO_DESKTOP_SIZE = -223, PSEUDO_LAST_RECT = -224, PSEUDO_POINTER = -257, PSEUDO_KEYS = -258,
    PSEUDO_LEDS = -261, PSEUDO_DESKTOP_SIZE_EXT = -308,
    PSEUDO_QUALITY_0 = -32, PSEUDO_QUALITY_9 = -23,
    PSEUDO_COMPRESS_0 = -256, PSEUDO_COMPRESS_9 = -247,
};

static void forget_encodings(VncViewer *viewer)
{
    rfbClientPtr client = viewer->client;

    viewer->encoding = VNC_ENCODINGS;
    viewer->takes_size = viewer->takes_size_ext = viewer->takes_pointer = false;
    viewer->takes_keys = viewer->takes_leds = viewer->relative = false;
    client->enableLastRectEncoding = FALSE;
    client->zlibCompressLevel = 5;
    client->tightCompressLevel = 1;             /* 0 is an extension of TurboVNC's */
    client->tightQualityLevel = client->turboQualityLevel = -1;
    client->turboSubsampLevel = 0;
}

/* JPEG's quality in per cent; its colors at full resolution from 6 on. */
static void set_quality(VncViewer *viewer, unsigned level)
{
    if (vnc_screen_config(viewer->screen)->lossy) {
        viewer->client->tightQualityLevel = level;
        viewer->client->turboQualityLevel = 10 + 10 * level;
        viewer->client->turboSubsampLevel = level >= 6 ? 0 : 1;
    }
}

static void set_compression(VncViewer *viewer, unsigned level)
{
    viewer->client->zlibCompressLevel = level;
    viewer->client->tightCompressLevel = MAX(level, 1);
}

/* The first it names that we have is the one it likes best. */
static void take_picture_encoding(VncViewer *viewer, int32_t number)
{
    for (unsigned i = 0; i < VNC_ENCODINGS && viewer->encoding == VNC_ENCODINGS; i++) {
        if (vnc_encoding_numbers[i] == number) {
            viewer->encoding = i;
            viewer->client->preferredEncoding = number;
        }
    }
}

static void take_encoding(VncViewer *viewer, int32_t number)
{
    switch (number) {
    case PSEUDO_DESKTOP_SIZE:     viewer->takes_size = true; break;
    case PSEUDO_DESKTOP_SIZE_EXT: viewer->takes_size_ext = true; break;
    case PSEUDO_POINTER:          viewer->takes_pointer = true; break;
    case PSEUDO_KEYS:             viewer->takes_keys = true; break;
    case PSEUDO_LEDS:
        viewer->takes_leds = vnc_screen_config(viewer->screen)->lock_key_sync;
        break;
    case PSEUDO_LAST_RECT:        viewer->client->enableLastRectEncoding = TRUE; break;
    case PSEUDO_QUALITY_0 ... PSEUDO_QUALITY_9:
        set_quality(viewer, number - PSEUDO_QUALITY_0);
        break;
    case PSEUDO_COMPRESS_0 ... PSEUDO_COMPRESS_9:
        set_compression(viewer, number - PSEUDO_COMPRESS_0);
        break;
    default:
        take_picture_encoding(viewer, number);
        break;
    }
}

static bool take_encodings(VncViewer *viewer, const uint8_t *msg)
{
    unsigned n = get_be16(msg + 1);
    uint8_t number[4];

    forget_encodings(viewer);
    while (n-- > 0) {
        if (!vnc_viewer_read(viewer, number, sizeof(number))) {
            return false;
        }
        take_encoding(viewer, get_be32(number));
    }
    if (viewer->encoding == VNC_ENCODINGS) {
        take_picture_encoding(viewer, vnc_encoding_numbers[VNC_RAW]);
    }
    g_mutex_lock(&viewer->lock);
    viewer->news |= VNC_NEWS_SIZE | VNC_NEWS_POINTER | VNC_NEWS_LEDS | VNC_NEWS_KEYS;
    g_mutex_unlock(&viewer->lock);
    return true;
}

/* ---- updates: 7.5.3 ---- */

static ConsoleRect both(const ConsoleRect *a, const ConsoleRect *b)
{
    unsigned x = MIN(a->x, b->x), y = MIN(a->y, b->y);

    return (ConsoleRect){ x, y, MAX(a->x + a->width, b->x + b->width) - x,
                          MAX(a->y + a->height, b->y + b->height) - y };
}

static bool take_update_request(VncViewer *viewer, const uint8_t *msg)
{
    ConsoleRect area = { get_be16(msg + 1), get_be16(msg + 3), get_be16(msg + 5),
                         get_be16(msg + 7) };
    bool incremental = msg[0] != 0;

    g_mutex_lock(&viewer->lock);
    viewer->area = viewer->asked ? both(&viewer->area, &area) : area;
    viewer->asked = true;
    if (!incremental) {
        vnc_tiles_add(viewer->dirty, &area);
        viewer->news |= viewer->takes_size_ext ? VNC_NEWS_SIZE : 0;
    }
    g_mutex_unlock(&viewer->lock);
    return true;
}

/* ---- keys: 7.5.4 ---- */

enum { HOLDS_CTRL = 1, HOLDS_ALT = 2 };

static const struct { uint32_t keysym; uint8_t code; unsigned modifier; } hot_keys[] = {
    { 0xffe3, 0x1d, HOLDS_CTRL }, { 0xffe4, 0x9d, HOLDS_CTRL },
    { 0xffe9, 0x38, HOLDS_ALT }, { 0xffea, 0xb8, HOLDS_ALT },
};

/* The digit of Ctrl-Alt-1 to -9; 0: another key.  `code` is 0 where only the symbol is known. */
static unsigned hot_digit(VncViewer *viewer, uint32_t keysym, unsigned code, bool down)
{
    unsigned digit = code != 0 ? code - 1 : keysym - '0';

    for (size_t i = 0; i < G_N_ELEMENTS(hot_keys); i++) {
        if (code != 0 ? hot_keys[i].code == code : hot_keys[i].keysym == keysym) {
            viewer->modifiers = down ? viewer->modifiers | hot_keys[i].modifier
                                     : viewer->modifiers & ~hot_keys[i].modifier;
        }
    }
    return down && viewer->modifiers == (HOLDS_CTRL | HOLDS_ALT) && digit >= 1 && digit <= 9 ? digit
                                                                                            : 0;
}

/* `code`: as the extended key event has it, set 1 with bit 7 for e0; 0: it is not known. */
static void press(VncViewer *viewer, uint32_t keysym, unsigned code, bool down)
{
    unsigned digit = hot_digit(viewer, keysym, code, down);
    unsigned key = code != 0 ? key_from_set1(code) : KEY_INVALID;

    machine_lock();
    if (digit != 0) {
        keyboard_release_all(viewer->keyboard);
        vnc_screen_select(viewer->screen, digit - 1);
    } else if (key != KEY_INVALID) {
        keyboard_key(viewer->keyboard, key, keysym, down);
    } else {
        keyboard_symbol(viewer->keyboard, keysym, down);
    }
    vnc_screen_typed(viewer->screen);
    machine_unlock();
}

static bool take_key(VncViewer *viewer, const uint8_t *msg)
{
    press(viewer, get_be32(msg + 3), 0, msg[0] != 0);
    return true;
}

static bool take_qemu_message(VncViewer *viewer, const uint8_t *msg)
{
    uint8_t key[10];

    if (msg[0] != 0 || !vnc_viewer_read(viewer, key, sizeof(key))) {
        return false;                           /* 1 is sound, which nobody was offered */
    }
    press(viewer, get_be32(key + 2), get_be32(key + 6), get_be16(key) != 0);
    return true;
}

/* ---- pointer: 7.5.5 ---- */

/* RFB's bits: three buttons, then a press for each click of the wheel. */
static const struct { unsigned button; int horizontal, vertical; } buttons[8] = {
    { .button = 1u << INPUT_BUTTON_LEFT }, { .button = 1u << INPUT_BUTTON_MIDDLE },
    { .button = 1u << INPUT_BUTTON_RIGHT }, { .vertical = 1 }, { .vertical = -1 },
    { .horizontal = -1 }, { .horizontal = 1 }, { 0 },
};

static void point(VncViewer *viewer, unsigned x, unsigned y, unsigned mask)
{
    unsigned pressed = mask & ~viewer->buttons, held = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(buttons); i++) {
        held |= (mask >> i & 1) != 0 ? buttons[i].button : 0;
    }
    if (viewer->relative) {                     /* motion, from the middle of the range */
        pointer_moved(&viewer->pointer, (int)x - 0x7fff, (int)y - 0x7fff, held);
    } else {
        pointer_at(&viewer->pointer, x, y, viewer->width, viewer->height, held);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(buttons); i++) {
        if ((pressed >> i & 1) != 0 && buttons[i].button == 0) {
            pointer_wheel(&viewer->pointer, buttons[i].horizontal, buttons[i].vertical);
        }
    }
}

static bool take_pointer(VncViewer *viewer, const uint8_t *msg)
{
    machine_lock();
    if (!vnc_screen_is_text(viewer->screen)) {
        point(viewer, get_be16(msg + 1), get_be16(msg + 3), msg[0]);
        vnc_screen_typed(viewer->screen);
    }
    machine_unlock();
    viewer->buttons = msg[0];
    return true;
}

/* ---- the rest ---- */

static bool skip(VncViewer *viewer, uint32_t len)
{
    uint8_t bytes[4096];

    while (len > 0) {
        uint32_t n = MIN(len, sizeof(bytes));

        if (!vnc_viewer_read(viewer, bytes, n)) {
            return false;
        }
        len -= n;
    }
    return true;
}

static bool take_cut_text(VncViewer *viewer, const uint8_t *msg)
{
    return skip(viewer, get_be32(msg + 3));
}

/*
 * The guest is told what size the viewer would like; whether it changes its mode shows later, so
 * the answer is "forwarded" (4), or "no such layout" (3) where it cannot be told.
 */
static bool take_desktop_size(VncViewer *viewer, const uint8_t *msg)
{
    unsigned width = get_be16(msg + 1), height = get_be16(msg + 3);
    bool told;

    if (!skip(viewer, msg[5] * SCREEN_SIZE)) {
        return false;
    }
    machine_lock();
    told = width > 0 && height > 0 && msg[5] > 0 &&
           vnc_screen_wish(viewer->screen, width, height);
    machine_unlock();
    viewer->size_reason = 1;
    viewer->size_status = told ? 4 : 3;
    g_mutex_lock(&viewer->lock);
    viewer->news |= VNC_NEWS_SIZE;
    g_mutex_unlock(&viewer->lock);
    return true;
}

static const struct {
    uint8_t type, size;                 /* of what follows the type */
    bool (*take)(VncViewer *viewer, const uint8_t *msg);
} messages[] = {
    { 0, 19, take_pixel_format }, { 2, 3, take_encodings }, { 3, 9, take_update_request },
    { 4, 7, take_key }, { 5, 5, take_pointer }, { 6, 7, take_cut_text },
    { 251, 7, take_desktop_size }, { 255, 1, take_qemu_message },
};

bool vnc_viewer_message(VncViewer *viewer)
{
    uint8_t type, msg[MESSAGE_MAX];

    if (!vnc_viewer_read(viewer, &type, 1)) {
        return false;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(messages); i++) {
        if (messages[i].type == type) {
            return vnc_viewer_read(viewer, msg, messages[i].size) && messages[i].take(viewer, msg);
        }
    }
    return false;
}
