/*
 * What a viewer is sent: RFC 6143, section 7.6: rectangles of pixels, and news about the screen in
 * rectangles that are none.
 *
 * The picture may change while it is read: the tiles that did are sent again.
 */
#include <string.h>

#include "bytes.h"
#include "vnc_viewer.h"

/*
 * Rectangles of one update, and pixels of one rectangle: what the library collects of an encoded
 * one before it sends it stays in bounds, and other viewers' threads get a turn.  Tiles that find
 * no place are sent with the next update.
 */
#define RECTS_MAX       1000
#define RECT_PIXELS     (512 * 1024)
/* The library's buffer must hold a line of raw pixels. */
#define RAW_WIDTH       ((UPDATE_BUF_SIZE - sz_rfbFramebufferUpdateRectHeader) / 4 / VNC_TILE * \
                         VNC_TILE)

enum { LAST_RECT = 0xffff };            /* as a number of rectangles: up to the marker */

/* ---- encodings ---- */

const int32_t vnc_encoding_numbers[VNC_ENCODINGS] = {
    [VNC_RAW] = 0, [VNC_HEXTILE] = 5, [VNC_ZLIB] = 6, [VNC_TIGHT] = 7, [VNC_ZRLE] = 16,
};

static unsigned count_one(rfbClientPtr client, const ConsoleRect *rect)
{
    return 1;
}

/* The library cuts into pieces of so many pixels. */
static unsigned count_zlib(rfbClientPtr client, const ConsoleRect *rect)
{
    unsigned lines = ZLIB_MAX_SIZE(rect->width) / rect->width;

    return (rect->height + lines - 1) / lines;
}

static unsigned count_tight(rfbClientPtr client, const ConsoleRect *rect)
{
    return rfbNumCodedRectsTight(client, rect->x, rect->y, rect->width, rect->height);
}

static const struct {
    rfbBool (*send)(rfbClientPtr client, int x, int y, int width, int height);
    unsigned (*count)(rfbClientPtr client, const ConsoleRect *rect);
} encoders[VNC_ENCODINGS] = {
    [VNC_RAW]     = { rfbSendRectEncodingRaw, count_one },
    [VNC_HEXTILE] = { rfbSendRectEncodingHextile, count_one },
    [VNC_ZLIB]    = { rfbSendRectEncodingZlib, count_zlib },
    [VNC_TIGHT]   = { rfbSendRectEncodingTight, count_tight },
    [VNC_ZRLE]    = { rfbSendRectEncodingZRLE, count_one },
};

/* ---- messages ---- */

static bool append(VncViewer *viewer, const void *bytes, size_t len)
{
    rfbClientPtr client = viewer->client;

    if (client->ublen + len > UPDATE_BUF_SIZE && !rfbSendUpdateBuf(client)) {
        return false;
    }
    memcpy(client->updateBuf + client->ublen, bytes, len);
    client->ublen += len;
    return true;
}

static bool begin_message(VncViewer *viewer, unsigned rects)
{
    uint8_t head[4] = { 0 };                    /* FramebufferUpdate */

    put_be16(head + 2, rects);
    return append(viewer, head, sizeof(head));
}

static bool put_rect(VncViewer *viewer, const ConsoleRect *rect, int32_t encoding)
{
    uint8_t head[12];

    put_be16(head, rect->x);
    put_be16(head + 2, rect->y);
    put_be16(head + 4, rect->width);
    put_be16(head + 6, rect->height);
    put_be32(head + 8, encoding);
    return append(viewer, head, sizeof(head));
}

/* A message of one such rectangle, with what follows its head. */
static bool send_alone(VncViewer *viewer, const ConsoleRect *rect, int32_t encoding,
                       const void *body, size_t len)
{
    return begin_message(viewer, 1) && put_rect(viewer, rect, encoding) &&
           append(viewer, body, len) && rfbSendUpdateBuf(viewer->client);
}

/* ---- news ---- */

static ConsoleRect whole(const VncViewer *viewer)
{
    return (ConsoleRect){ 0, 0, viewer->width, viewer->height };
}

/* ExtendedDesktopSize: x is who asked for it, y how that went; one screen with everything on it. */
static bool send_size_ext(VncViewer *viewer)
{
    ConsoleRect rect = { viewer->size_reason, viewer->size_status, viewer->width, viewer->height };
    uint8_t body[20] = { 1 };

    viewer->size_reason = viewer->size_status = 0;
    put_be16(body + 12, viewer->width);
    put_be16(body + 14, viewer->height);
    return send_alone(viewer, &rect, -308, body, sizeof(body));
}

static bool send_size(VncViewer *viewer)
{
    const Surface *shown = viewer->shown;
    bool differs = viewer->width != shown->width || viewer->height != shown->height;

    if (!viewer->takes_size && !viewer->takes_size_ext) {
        return true;                            /* it goes on with the part it knows */
    }
    viewer->width = shown->width;
    viewer->height = shown->height;
    if (viewer->takes_size_ext) {
        return send_size_ext(viewer);
    }
    return !differs || send_alone(viewer, &(ConsoleRect){ 0, 0, viewer->width, viewer->height },
                                  -223, "", 0);
}

static bool send_pointer(VncViewer *viewer, bool absolute)
{
    ConsoleRect rect = whole(viewer);

    if (!viewer->takes_pointer) {
        return true;
    }
    viewer->relative = !absolute;
    rect.x = absolute;
    return send_alone(viewer, &rect, -257, "", 0);
}

static bool send_keys(VncViewer *viewer)
{
    ConsoleRect rect = whole(viewer);

    return !viewer->takes_keys || send_alone(viewer, &rect, -258, "", 0);
}

static bool send_leds(VncViewer *viewer, unsigned leds)
{
    ConsoleRect rect = whole(viewer);
    uint8_t body = leds;                        /* KEYBOARD_LED_… are its bits */

    return !viewer->takes_leds || send_alone(viewer, &rect, -261, &body, 1);
}

/* From now on it reads this picture. */
static void take_picture(VncViewer *viewer, Surface *picture)
{
    if (viewer->shown != NULL) {
        surface_unref(viewer->shown);
    }
    g_free(viewer->sending);
    viewer->shown = picture;
    viewer->sending = vnc_tiles_new(picture->width, picture->height);
    viewer->rfb->frameBuffer = (char *)picture->pixels;
    viewer->rfb->width = picture->width;
    viewer->rfb->height = picture->height;
    viewer->rfb->paddedWidthInBytes = picture->width * 4;
}

/*
 * A picture of another size is fetched here and not in the update, so that its size is always told
 * before its pixels are sent.
 */
bool vnc_viewer_send_news(VncViewer *viewer)
{
    Surface *picture = NULL;
    unsigned news, leds;
    bool absolute;

    g_mutex_lock(&viewer->lock);
    news = viewer->news;
    leds = viewer->leds;
    absolute = viewer->absolute;
    viewer->news = 0;
    if (viewer->shown != viewer->picture) {
        picture = surface_ref(viewer->picture);
        viewer->area = (ConsoleRect){ 0, 0, picture->width, picture->height };
    }
    g_mutex_unlock(&viewer->lock);
    if (picture != NULL) {
        take_picture(viewer, picture);
    }
    return ((news & VNC_NEWS_SIZE) == 0 || send_size(viewer)) &&
           ((news & VNC_NEWS_POINTER) == 0 || send_pointer(viewer, absolute)) &&
           ((news & VNC_NEWS_KEYS) == 0 || send_keys(viewer)) &&
           ((news & VNC_NEWS_LEDS) == 0 || send_leds(viewer, leds));
}

/* ---- pixels ---- */

static bool take_tiles(VncViewer *viewer)
{
    bool any = false;

    g_mutex_lock(&viewer->lock);
    if (viewer->asked && viewer->shown == viewer->picture) {
        any = vnc_tiles_move(viewer->sending, viewer->dirty, &viewer->area);
        viewer->asked = !any;
    }
    g_mutex_unlock(&viewer->lock);
    return any;
}

static void give_back_tiles(VncViewer *viewer)
{
    g_mutex_lock(&viewer->lock);
    if (viewer->shown == viewer->picture) {
        vnc_tiles_merge(viewer->dirty, viewer->sending);
    }
    g_mutex_unlock(&viewer->lock);
    vnc_tiles_clear(viewer->sending);
}

/* Cut to what the viewer knows of the picture, and into pieces the encoder takes. */
static void add_rect(VncViewer *viewer, const ConsoleRect *rect)
{
    unsigned right = MIN(rect->x + rect->width, viewer->width);
    unsigned bottom = MIN(rect->y + rect->height, viewer->height);
    unsigned step = viewer->encoding == VNC_RAW ? RAW_WIDTH : right;

    for (unsigned x = rect->x; x < right; x += step) {
        unsigned width = MIN(step, right - x), lines = RECT_PIXELS / width;

        for (unsigned y = rect->y; y < bottom; y += lines) {
            ConsoleRect piece = { x, y, width, MIN(lines, bottom - y) };

            g_array_append_val(viewer->rects, piece);
        }
    }
}

static void collect_rects(VncViewer *viewer)
{
    ConsoleRect rect;

    g_array_set_size(viewer->rects, 0);
    while (viewer->rects->len < RECTS_MAX && vnc_tiles_take(viewer->sending, &rect)) {
        add_rect(viewer, &rect);
    }
    give_back_tiles(viewer);
}

static unsigned count_rects(VncViewer *viewer)
{
    unsigned count = 0;

    for (guint i = 0; i < viewer->rects->len; i++) {
        const ConsoleRect *rect = &g_array_index(viewer->rects, ConsoleRect, i);
        unsigned more = encoders[viewer->encoding].count(viewer->client, rect);

        if (more == 0) {
            return LAST_RECT;
        }
        count += more;
    }
    return count;
}

static bool send_rects(VncViewer *viewer)
{
    unsigned count = count_rects(viewer);

    if (!begin_message(viewer, count)) {
        return false;
    }
    for (guint i = 0; i < viewer->rects->len; i++) {
        const ConsoleRect *rect = &g_array_index(viewer->rects, ConsoleRect, i);

        if (!encoders[viewer->encoding].send(viewer->client, rect->x, rect->y, rect->width,
                                             rect->height)) {
            return false;
        }
    }
    return (count != LAST_RECT || rfbSendLastRectMarker(viewer->client)) &&
           rfbSendUpdateBuf(viewer->client);
}

bool vnc_viewer_send_update(VncViewer *viewer)
{
    if (!take_tiles(viewer)) {
        return true;
    }
    collect_rects(viewer);
    if (viewer->rects->len == 0) {              /* all outside of what it knows */
        g_mutex_lock(&viewer->lock);
        viewer->asked = true;
        g_mutex_unlock(&viewer->lock);
        return true;
    }
    return send_rects(viewer);
}
