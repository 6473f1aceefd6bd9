#include "vnc_tiles.h"

#include <string.h>

#include "tsan.h"

VncTiles *vnc_tiles_new(unsigned width, unsigned height)
{
    unsigned columns = (width + VNC_TILE - 1) / VNC_TILE, rows = (height + VNC_TILE - 1) / VNC_TILE;
    unsigned stride = (columns + 63) / 64;
    VncTiles *tiles = g_malloc0(sizeof(*tiles) + (size_t)rows * stride * sizeof(uint64_t));

    *tiles = (VncTiles){ .width = width, .height = height, .columns = columns, .rows = rows,
                         .stride = stride };
    return tiles;
}

static size_t words(const VncTiles *tiles)
{
    return (size_t)tiles->rows * tiles->stride;
}

void vnc_tiles_clear(VncTiles *tiles)
{
    memset(tiles->bits, 0, words(tiles) * sizeof(uint64_t));
}

void vnc_tiles_merge(VncTiles *tiles, const VncTiles *more)
{
    for (size_t i = 0; i < words(tiles); i++) {
        tiles->bits[i] |= more->bits[i];
    }
}

/* ---- spans ---- */

/* The rows, words and bits an area of pixels covers. */
typedef struct Span { unsigned top, bottom, first, last; } Span;        /* the ends not included */

static Span span_of(const VncTiles *tiles, const ConsoleRect *rect)
{
    unsigned right = MIN((uint64_t)rect->x + rect->width, tiles->width);
    unsigned bottom = MIN((uint64_t)rect->y + rect->height, tiles->height);

    if (rect->x >= right || rect->y >= bottom) {
        return (Span){ 0 };
    }
    return (Span){ .top = rect->y / VNC_TILE, .bottom = (bottom - 1) / VNC_TILE + 1,
                   .first = rect->x / VNC_TILE, .last = (right - 1) / VNC_TILE + 1 };
}

/* The bits of word `word` that lie in columns first to last. */
static uint64_t mask_of(unsigned word, unsigned first, unsigned last)
{
    unsigned low = word * 64, high = low + 64;

    if (first >= high || last <= low) {
        return 0;
    }
    first = MAX(first, low) - low;
    last = MIN(last, high) - low;
    return (last == 64 ? 0 : UINT64_C(1) << last) - (UINT64_C(1) << first);
}

void vnc_tiles_add(VncTiles *tiles, const ConsoleRect *rect)
{
    Span span = span_of(tiles, rect);

    for (unsigned row = span.top; row < span.bottom; row++) {
        uint64_t *bits = tiles->bits + (size_t)row * tiles->stride;

        for (unsigned i = span.first / 64; i * 64 < span.last; i++) {
            bits[i] |= mask_of(i, span.first, span.last);
        }
    }
}

void vnc_tiles_fill(VncTiles *tiles)
{
    vnc_tiles_add(tiles, &(ConsoleRect){ 0, 0, tiles->width, tiles->height });
}

bool vnc_tiles_any(const VncTiles *tiles, const ConsoleRect *area)
{
    Span span = span_of(tiles, area);

    for (unsigned row = span.top; row < span.bottom; row++) {
        const uint64_t *bits = tiles->bits + (size_t)row * tiles->stride;

        for (unsigned i = span.first / 64; i * 64 < span.last; i++) {
            if ((bits[i] & mask_of(i, span.first, span.last)) != 0) {
                return true;
            }
        }
    }
    return false;
}

bool vnc_tiles_move(VncTiles *to, VncTiles *from, const ConsoleRect *area)
{
    Span span = span_of(from, area);
    bool any = false;

    for (unsigned row = span.top; row < span.bottom; row++) {
        size_t at = (size_t)row * from->stride;

        for (unsigned i = span.first / 64; i * 64 < span.last; i++) {
            uint64_t moved = from->bits[at + i] & mask_of(i, span.first, span.last);

            to->bits[at + i] |= moved;
            from->bits[at + i] &= ~moved;
            any |= moved != 0;
        }
    }
    return any;
}

/* ---- rectangles ---- */

/* The columns of the first run in a row; false: it is empty. */
static bool first_run(const VncTiles *tiles, unsigned row, unsigned *first, unsigned *last)
{
    const uint64_t *bits = tiles->bits + (size_t)row * tiles->stride;
    unsigned i = 0;

    while (i < tiles->stride && bits[i] == 0) {
        i++;
    }
    if (i == tiles->stride) {
        return false;
    }
    *first = *last = i * 64 + __builtin_ctzll(bits[i]);
    while (*last < tiles->columns && (bits[*last / 64] >> *last % 64 & 1) != 0) {
        ++*last;
    }
    return true;
}

static bool has_run(const VncTiles *tiles, unsigned row, unsigned first, unsigned last)
{
    const uint64_t *bits = tiles->bits + (size_t)row * tiles->stride;

    for (unsigned i = first / 64; i * 64 < last; i++) {
        if ((~bits[i] & mask_of(i, first, last)) != 0) {
            return false;
        }
    }
    return true;
}

static void drop_run(VncTiles *tiles, unsigned row, unsigned first, unsigned last)
{
    uint64_t *bits = tiles->bits + (size_t)row * tiles->stride;

    for (unsigned i = first / 64; i * 64 < last; i++) {
        bits[i] &= ~mask_of(i, first, last);
    }
}

bool vnc_tiles_take(VncTiles *tiles, ConsoleRect *rect)
{
    unsigned top = 0, bottom, first, last;

    while (top < tiles->rows && !first_run(tiles, top, &first, &last)) {
        top++;
    }
    if (top == tiles->rows) {
        return false;
    }
    for (bottom = top; bottom < tiles->rows && has_run(tiles, bottom, first, last); bottom++) {
        drop_run(tiles, bottom, first, last);
    }
    *rect = (ConsoleRect){
        .x = first * VNC_TILE, .y = top * VNC_TILE,
        .width = MIN(last * VNC_TILE, tiles->width) - first * VNC_TILE,
        .height = MIN(bottom * VNC_TILE, tiles->height) - top * VNC_TILE,
    };
    return true;
}

/* ---- pixels ---- */

/* One row of pixels of a row of tiles. */
static void copy_line(uint64_t *bits, uint32_t *to, const uint32_t *from, unsigned x, unsigned end)
{
    while (x < end) {
        unsigned column = x / VNC_TILE, next = MIN((column + 1) * VNC_TILE, end);
        size_t size = (next - x) * sizeof(*to);

        if (memcmp(to + x, from + x, size) != 0) {
            memcpy(to + x, from + x, size);
            bits[column / 64] |= UINT64_C(1) << column % 64;
        }
        x = next;
    }
}

void vnc_tiles_copy(VncTiles *changed, Surface *to, const Surface *from, const ConsoleRect *rect)
{
    unsigned end = MIN((uint64_t)rect->x + rect->width, changed->width);
    unsigned bottom = MIN((uint64_t)rect->y + rect->height, changed->height);

    TSAN_IGNORE_BEGIN;                          /* encoders read it meanwhile: vnc_update.c */
    for (unsigned y = rect->y; y < bottom; y++) {
        size_t line = (size_t)y * changed->width;

        copy_line(changed->bits + (size_t)(y / VNC_TILE) * changed->stride, to->pixels + line,
                  from->pixels + line, rect->x, end);
    }
    TSAN_IGNORE_END;
}
