/*
 * A VNC viewer for tests: RFC 6143 from the other side, with a decoder for each encoding.
 *
 * It waits on the main loop, so that the machine goes on meanwhile.  Pixels are kept as they come,
 * in the viewer's format.
 */
#pragma once

#include <check.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#include "bytes.h"

typedef struct RfbClient {
    int fd;
    unsigned width, height, pixel_size;
    uint32_t *pixels;                   /* each in the low bytes, as sent in little endian */
    bool big_endian;
    z_stream zlib, zrle, tight[4];
    bool inflating[6];
    /* what came in rectangles that are none */
    unsigned rects, updates, jpegs, sizes;
    unsigned size_reason, size_status;
    int pointer_absolute;               /* -1: it was not told */
    bool keys_acknowledged;
    int leds;                           /* -1 */
    uint64_t pixels_sent, bytes;
} RfbClient;

enum { RFB_RAW = 0, RFB_HEXTILE = 5, RFB_ZLIB = 6, RFB_TIGHT = 7, RFB_ZRLE = 16 };
enum { RFB_SIZE = -223, RFB_LAST_RECT = -224, RFB_POINTER = -257, RFB_KEYS = -258, RFB_LEDS = -261,
       RFB_SIZE_EXT = -308 };

/* ---- bytes ---- */

static inline gboolean rfb_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    *(bool *)opaque = true;
    return G_SOURCE_CONTINUE;
}

/* False: the server has hung up. */
static inline bool rfb_try_read(RfbClient *client, void *buf, size_t len)
{
    for (size_t at = 0; at < len;) {
        ssize_t n = recv(client->fd, (uint8_t *)buf + at, len - at, MSG_DONTWAIT);

        if (n > 0) {
            at += n;
            client->bytes += n;
        } else if (n < 0 && errno == EAGAIN) {
            bool ready = false;
            guint watch = g_unix_fd_add(client->fd, G_IO_IN | G_IO_HUP, rfb_ready, &ready);

            while (!ready) {
                g_main_context_iteration(NULL, TRUE);
            }
            g_source_remove(watch);
        } else {
            return false;
        }
    }
    return true;
}

static inline void rfb_read(RfbClient *client, void *buf, size_t len)
{
    ck_assert(rfb_try_read(client, buf, len));
}

static inline uint8_t rfb_read8(RfbClient *client)
{
    uint8_t byte;

    rfb_read(client, &byte, 1);
    return byte;
}

static inline unsigned rfb_read16(RfbClient *client)
{
    uint8_t bytes[2];

    rfb_read(client, bytes, 2);
    return get_be16(bytes);
}

static inline uint32_t rfb_read32(RfbClient *client)
{
    uint8_t bytes[4];

    rfb_read(client, bytes, 4);
    return get_be32(bytes);
}

static inline void rfb_write(RfbClient *client, const void *buf, size_t len)
{
    ck_assert_int_eq(send(client->fd, buf, len, MSG_NOSIGNAL), len);
}

/* ---- messages to the server ---- */

static inline void rfb_set_encodings(RfbClient *client, const int32_t *numbers, unsigned n)
{
    uint8_t msg[4 + 4 * 64] = { 2 };

    ck_assert_uint_le(n, 64);
    put_be16(msg + 2, n);
    for (unsigned i = 0; i < n; i++) {
        put_be32(msg + 4 + 4 * i, numbers[i]);
    }
    rfb_write(client, msg, 4 + 4 * n);
}

#define RFB_SET_ENCODINGS(client_, ...) \
    rfb_set_encodings(client_, (const int32_t[]){ __VA_ARGS__ }, \
                      sizeof((const int32_t[]){ __VA_ARGS__ }) / sizeof(int32_t))

typedef struct RfbFormat {
    uint8_t bits, depth, big_endian, true_color;
    uint16_t red_max, green_max, blue_max;
    uint8_t red_shift, green_shift, blue_shift;
} RfbFormat;

static inline void rfb_set_format(RfbClient *client, const RfbFormat *format)
{
    uint8_t msg[20] = { 0, 0, 0, 0, format->bits, format->depth, format->big_endian,
                        format->true_color };

    put_be16(msg + 8, format->red_max);
    put_be16(msg + 10, format->green_max);
    put_be16(msg + 12, format->blue_max);
    msg[14] = format->red_shift;
    msg[15] = format->green_shift;
    msg[16] = format->blue_shift;
    rfb_write(client, msg, sizeof(msg));
    client->pixel_size = format->bits / 8;
    client->big_endian = format->big_endian;
}

static inline void rfb_ask_area(RfbClient *client, bool incremental, unsigned x, unsigned y,
                                unsigned width, unsigned height)
{
    uint8_t msg[10] = { 3, incremental };

    put_be16(msg + 2, x);
    put_be16(msg + 4, y);
    put_be16(msg + 6, width);
    put_be16(msg + 8, height);
    rfb_write(client, msg, sizeof(msg));
}

static inline void rfb_ask(RfbClient *client, bool incremental)
{
    rfb_ask_area(client, incremental, 0, 0, client->width, client->height);
}

static inline void rfb_key(RfbClient *client, uint32_t keysym, bool down)
{
    uint8_t msg[8] = { 4, down };

    put_be32(msg + 4, keysym);
    rfb_write(client, msg, sizeof(msg));
}

static inline void rfb_key_ext(RfbClient *client, uint32_t keysym, unsigned code, bool down)
{
    uint8_t msg[12] = { 255, 0, 0, down };

    put_be32(msg + 4, keysym);
    put_be32(msg + 8, code);
    rfb_write(client, msg, sizeof(msg));
}

static inline void rfb_pointer(RfbClient *client, uint8_t buttons, unsigned x, unsigned y)
{
    uint8_t msg[6] = { 5, buttons };

    put_be16(msg + 2, x);
    put_be16(msg + 4, y);
    rfb_write(client, msg, sizeof(msg));
}

/* ---- pixels ---- */

static inline uint32_t rfb_pixel(const RfbClient *client, const uint8_t *bytes, unsigned size)
{
    uint32_t pixel = 0;

    for (unsigned i = 0; i < size; i++) {
        pixel |= (uint32_t)bytes[client->big_endian ? size - 1 - i : i] << 8 * i;
    }
    return pixel;
}

static inline uint32_t rfb_read_pixel(RfbClient *client)
{
    uint8_t bytes[4];

    rfb_read(client, bytes, client->pixel_size);
    return rfb_pixel(client, bytes, client->pixel_size);
}

static inline void rfb_put(RfbClient *client, unsigned x, unsigned y, uint32_t pixel)
{
    g_assert(x < client->width && y < client->height);    /* ck_assert() writes to a file */
    client->pixels[(size_t)y * client->width + x] = pixel;
}

static inline void rfb_fill(RfbClient *client, unsigned x, unsigned y, unsigned width,
                            unsigned height, uint32_t pixel)
{
    for (unsigned i = 0; i < width * height; i++) {
        rfb_put(client, x + i % width, y + i / width, pixel);
    }
}

/* A rectangle of pixels of `size` bytes each, in memory. */
static inline void rfb_put_rect(RfbClient *client, unsigned x, unsigned y, unsigned width,
                                unsigned height, const uint8_t *bytes, unsigned size)
{
    for (size_t i = 0; i < (size_t)width * height; i++) {
        rfb_put(client, x + i % width, y + i / width, rfb_pixel(client, bytes + i * size, size));
    }
}

static inline void rfb_raw(RfbClient *client, unsigned x, unsigned y, unsigned width,
                           unsigned height)
{
    size_t size = (size_t)width * height * client->pixel_size;
    g_autofree uint8_t *bytes = g_malloc(size);

    rfb_read(client, bytes, size);
    rfb_put_rect(client, x, y, width, height, bytes, client->pixel_size);
}

/* ---- hextile: 7.7.4 ---- */

static inline void rfb_hextile_tile(RfbClient *client, unsigned x, unsigned y, unsigned width,
                                    unsigned height, uint32_t *back, uint32_t *fore)
{
    unsigned mask = rfb_read8(client), n;

    if (mask & 1) {
        rfb_raw(client, x, y, width, height);
        return;
    }
    *back = mask & 2 ? rfb_read_pixel(client) : *back;
    *fore = mask & 4 ? rfb_read_pixel(client) : *fore;
    rfb_fill(client, x, y, width, height, *back);
    n = mask & 8 ? rfb_read8(client) : 0;
    while (n-- > 0) {
        uint32_t pixel = mask & 16 ? rfb_read_pixel(client) : *fore;
        uint8_t at = rfb_read8(client), size = rfb_read8(client);

        rfb_fill(client, x + (at >> 4), y + (at & 15), (size >> 4) + 1, (size & 15) + 1, pixel);
    }
}

static inline void rfb_hextile(RfbClient *client, unsigned x, unsigned y, unsigned width,
                               unsigned height)
{
    uint32_t back = 0, fore = 0;

    for (unsigned dy = 0; dy < height; dy += 16) {
        for (unsigned dx = 0; dx < width; dx += 16) {
            rfb_hextile_tile(client, x + dx, y + dy, MIN(16, width - dx), MIN(16, height - dy),
                             &back, &fore);
        }
    }
}

/* ---- streams of zlib ---- */

/* `size` bytes out of `len` compressed ones of the connection. */
static inline uint8_t *rfb_inflate(RfbClient *client, unsigned stream, size_t len, size_t size)
{
    z_stream *z = stream == 0 ? &client->zlib : stream == 1 ? &client->zrle
                                                            : &client->tight[stream - 2];
    g_autofree uint8_t *in = g_malloc(len + 1);
    uint8_t *out = g_malloc(size + 1);

    rfb_read(client, in, len);
    if (!client->inflating[stream]) {
        client->inflating[stream] = true;
        ck_assert_int_eq(inflateInit(z), Z_OK);
    }
    z->next_in = in;
    z->avail_in = len;
    z->next_out = out;
    z->avail_out = size + 1;
    ck_assert_int_eq(inflate(z, Z_SYNC_FLUSH), Z_OK);
    ck_assert_uint_eq(z->avail_in, 0);
    memset(z->next_out, 0, z->avail_out);
    return out;
}

static inline void rfb_zlib(RfbClient *client, unsigned x, unsigned y, unsigned width,
                            unsigned height)
{
    uint32_t len = rfb_read32(client);
    g_autofree uint8_t *bytes =
        rfb_inflate(client, 0, len, (size_t)width * height * client->pixel_size);

    rfb_put_rect(client, x, y, width, height, bytes, client->pixel_size);
}

/* ---- ZRLE: 7.7.6 ---- */

static inline unsigned rfb_run(const uint8_t **at)
{
    unsigned run = 1;

    while (**at == 255) {
        run += *(*at)++;
    }
    return run + *(*at)++;
}

static inline unsigned rfb_zrle_pixel_size(const RfbClient *client)
{
    return client->pixel_size == 4 ? 3 : client->pixel_size;
}

static inline uint32_t rfb_zrle_pixel(RfbClient *client, const uint8_t **at)
{
    unsigned size = rfb_zrle_pixel_size(client);
    uint32_t pixel = rfb_pixel(client, *at, size);

    *at += size;
    return pixel;
}

static inline const uint8_t *rfb_zrle_packed(RfbClient *client, const uint8_t *at, unsigned x,
                                             unsigned y, unsigned width, unsigned height,
                                             const uint32_t *palette, unsigned colors)
{
    unsigned bits = colors == 2 ? 1 : colors <= 4 ? 2 : 4;

    for (unsigned row = 0; row < height; row++) {
        for (unsigned i = 0; i < width; i++) {
            unsigned shift = 8 - bits - i * bits % 8;

            rfb_put(client, x + i, y + row,
                    palette[at[i * bits / 8] >> shift & ((1u << bits) - 1)]);
        }
        at += (width * bits + 7) / 8;
    }
    return at;
}

static inline const uint8_t *rfb_zrle_tile(RfbClient *client, const uint8_t *at, unsigned x,
                                           unsigned y, unsigned width, unsigned height)
{
    unsigned kind = *at++, colors = kind & 127, done = 0;
    uint32_t palette[128] = { 0 };

    for (unsigned i = 0; i < colors; i++) {
        palette[i] = rfb_zrle_pixel(client, &at);
    }
    if (kind == 1) {
        rfb_fill(client, x, y, width, height, palette[0]);
        return at;
    }
    if (kind >= 2 && kind <= 16) {
        return rfb_zrle_packed(client, at, x, y, width, height, palette, colors);
    }
    ck_assert(kind == 0 || kind == 128 || kind >= 130);
    while (done < width * height) {
        unsigned run = 1;
        uint32_t pixel;

        if (kind < 130) {
            pixel = rfb_zrle_pixel(client, &at);
            run = kind == 128 ? rfb_run(&at) : 1;
        } else {
            unsigned index = *at++;

            pixel = palette[index & 127];
            run = index & 128 ? rfb_run(&at) : 1;
        }
        ck_assert_uint_le(run, width * height - done);
        for (; run > 0; run--, done++) {
            rfb_put(client, x + done % width, y + done / width, pixel);
        }
    }
    return at;
}

static inline void rfb_zrle(RfbClient *client, unsigned x, unsigned y, unsigned width,
                            unsigned height)
{
    uint32_t len = rfb_read32(client);
    /* at worst a byte and 4096 runs of one pixel to a tile */
    size_t size = ((size_t)width / 64 + 1) * (height / 64 + 1) * (4096 * 5 + 1024);
    g_autofree uint8_t *bytes = rfb_inflate(client, 1, len, size);
    const uint8_t *at = bytes;

    for (unsigned dy = 0; dy < height; dy += 64) {
        for (unsigned dx = 0; dx < width; dx += 64) {
            at = rfb_zrle_tile(client, at, x + dx, y + dy, MIN(64, width - dx),
                               MIN(64, height - dy));
        }
    }
}

/* ---- tight: as the community's document has it ---- */

static inline size_t rfb_compact(RfbClient *client)
{
    size_t len = 0;
    uint8_t byte = 0x80;

    for (unsigned shift = 0; shift < 21 && (byte & 0x80) != 0; shift += 7) {
        byte = rfb_read8(client);
        len |= (size_t)(shift == 14 ? byte : byte & 0x7f) << shift;
    }
    return len;
}

/* TPIXEL: red, green, blue, where the format is such that three bytes hold them. */
static inline unsigned rfb_tight_pixel_size(const RfbClient *client)
{
    return client->pixel_size == 4 ? 3 : client->pixel_size;
}

static inline uint32_t rfb_tight_pixel(const RfbClient *client, const uint8_t *bytes)
{
    return client->pixel_size == 4 ? get_be24(bytes)
                                   : rfb_pixel(client, bytes, client->pixel_size);
}

static inline uint8_t *rfb_tight_data(RfbClient *client, unsigned control, size_t size)
{
    if (size < 12) {
        uint8_t *bytes = g_malloc(size + 1);

        rfb_read(client, bytes, size);
        return bytes;
    }
    return rfb_inflate(client, 2 + (control >> 4 & 3), rfb_compact(client), size);
}

static inline void rfb_tight_palette(RfbClient *client, unsigned control, unsigned x, unsigned y,
                                     unsigned width, unsigned height)
{
    unsigned colors = rfb_read8(client) + 1, size = rfb_tight_pixel_size(client);
    unsigned stride = colors == 2 ? (width + 7) / 8 : width;
    g_autofree uint8_t *bytes = NULL;
    uint8_t palette[256 * 4];

    rfb_read(client, palette, colors * size);
    bytes = rfb_tight_data(client, control, (size_t)stride * height);
    for (unsigned i = 0; i < width * height; i++) {
        unsigned column = i % width, row = i / width;
        unsigned index = colors == 2 ? bytes[row * stride + column / 8] >> (7 - column % 8) & 1
                                     : bytes[i];

        rfb_put(client, x + column, y + row, rfb_tight_pixel(client, palette + index * size));
    }
}

static inline void rfb_tight(RfbClient *client, unsigned x, unsigned y, unsigned width,
                             unsigned height)
{
    unsigned control = rfb_read8(client), size = rfb_tight_pixel_size(client), filter = 0;
    g_autofree uint8_t *bytes = NULL;

    if (control >> 4 == 8) {
        uint8_t pixel[4];

        rfb_read(client, pixel, size);
        rfb_fill(client, x, y, width, height, rfb_tight_pixel(client, pixel));
        return;
    }
    if (control >> 4 == 9) {                    /* JPEG is only counted */
        size_t len = rfb_compact(client);

        bytes = g_malloc(len);
        rfb_read(client, bytes, len);
        client->jpegs++;
        return;
    }
    ck_assert_uint_lt(control >> 4, 8);
    if (control & 0x40) {
        filter = rfb_read8(client);
    }
    if (filter == 1) {
        rfb_tight_palette(client, control, x, y, width, height);
        return;
    }
    ck_assert_uint_eq(filter, 0);
    bytes = rfb_tight_data(client, control, (size_t)width * height * size);
    for (unsigned i = 0; i < width * height; i++) {
        rfb_put(client, x + i % width, y + i / width, rfb_tight_pixel(client, bytes + i * size));
    }
}

/* ---- messages of the server ---- */

static inline void rfb_resize(RfbClient *client, unsigned width, unsigned height)
{
    client->width = width;
    client->height = height;
    client->sizes++;
    g_free(client->pixels);
    client->pixels = g_new0(uint32_t, (size_t)width * height + 1);
}

static inline void rfb_size_ext(RfbClient *client, unsigned reason, unsigned status,
                                unsigned width, unsigned height)
{
    uint8_t skip[16];
    unsigned screens = rfb_read8(client);

    rfb_read(client, skip, 3);
    ck_assert_uint_eq(screens, 1);
    rfb_read(client, skip, 16);
    ck_assert_uint_eq(get_be16(skip + 8), width);
    ck_assert_uint_eq(get_be16(skip + 10), height);
    client->size_reason = reason;
    client->size_status = status;
    if (width != client->width || height != client->height) {
        rfb_resize(client, width, height);
    }
}

/* False: it was the marker of the last one. */
static inline bool rfb_rect(RfbClient *client)
{
    unsigned x = rfb_read16(client), y = rfb_read16(client), width = rfb_read16(client);
    unsigned height = rfb_read16(client);
    int32_t encoding = rfb_read32(client);

    client->rects++;
    client->pixels_sent += encoding >= 0 ? width * height : 0;
    switch (encoding) {
    case RFB_RAW:       rfb_raw(client, x, y, width, height); break;
    case RFB_HEXTILE:   rfb_hextile(client, x, y, width, height); break;
    case RFB_ZLIB:      rfb_zlib(client, x, y, width, height); break;
    case RFB_TIGHT:     rfb_tight(client, x, y, width, height); break;
    case RFB_ZRLE:      rfb_zrle(client, x, y, width, height); break;
    case RFB_SIZE:      rfb_resize(client, width, height); break;
    case RFB_SIZE_EXT:  rfb_size_ext(client, x, y, width, height); break;
    case RFB_POINTER:   client->pointer_absolute = x; break;
    case RFB_KEYS:      client->keys_acknowledged = true; break;
    case RFB_LEDS:      client->leds = rfb_read8(client); break;
    case RFB_LAST_RECT: return false;
    default:            ck_abort_msg("encoding %d", encoding);
    }
    return true;
}

/* The next message, which is an update; or 256 colors and then one. */
static inline void rfb_update(RfbClient *client)
{
    uint8_t type = rfb_read8(client), colors[256 * 6];
    unsigned n;

    if (type == 1) {
        rfb_read(client, colors, 5);
        ck_assert_uint_eq(get_be16(colors + 3), 256);
        rfb_read(client, colors, sizeof(colors));
        type = rfb_read8(client);
    }
    ck_assert_uint_eq(type, 0);
    rfb_read8(client);
    n = rfb_read16(client);
    for (unsigned i = 0; i < n && rfb_rect(client); i++) {
    }
    client->updates++;
}

/* Updates until `pixels` more pixels have come. */
static inline void rfb_await_pixels(RfbClient *client)
{
    uint64_t before = client->pixels_sent;

    while (client->pixels_sent == before) {
        rfb_update(client);
    }
}

/* ---- login ---- */

static inline void rfb_version(RfbClient *client, const char *ours)
{
    char theirs[13] = "";

    rfb_read(client, theirs, 12);
    ck_assert_str_eq(theirs, "RFB 003.008\n");
    rfb_write(client, ours, 12);
}

/* The server's offer, which must be that one. */
static inline void rfb_security(RfbClient *client, uint8_t type)
{
    uint8_t offer[2];

    rfb_read(client, offer, 2);
    ck_assert_uint_eq(offer[0], 1);
    ck_assert_uint_eq(offer[1], type);
    rfb_write(client, &type, 1);
}

static inline void rfb_init(RfbClient *client, bool shared)
{
    uint8_t flag = shared, init[24];
    char name[256];

    rfb_write(client, &flag, 1);
    rfb_read(client, init, sizeof(init));
    ck_assert_uint_lt(get_be32(init + 20), sizeof(name));
    rfb_read(client, name, get_be32(init + 20));
    client->pixel_size = init[4] / 8;
    rfb_resize(client, get_be16(init), get_be16(init + 2));
}

static inline RfbClient *rfb_client_new(int fd)
{
    RfbClient *client = g_new(RfbClient, 1);

    *client = (RfbClient){ .fd = fd, .pointer_absolute = -1, .leds = -1 };
    return client;
}

/* Without a password. */
static inline RfbClient *rfb_connect(int fd, bool shared)
{
    RfbClient *client = rfb_client_new(fd);

    rfb_version(client, "RFB 003.008\n");
    rfb_security(client, 1);
    ck_assert_uint_eq(rfb_read32(client), 0);
    rfb_init(client, shared);
    return client;
}

static inline void rfb_client_free(RfbClient *client)
{
    for (unsigned i = 0; i < 6; i++) {
        if (client->inflating[i]) {
            inflateEnd(i == 0 ? &client->zlib : i == 1 ? &client->zrle : &client->tight[i - 2]);
        }
    }
    close(client->fd);
    g_free(client->pixels);
    g_free(client);
}
