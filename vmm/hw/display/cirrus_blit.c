/*
 * The blitter: CL-GD5446 Technical Reference Manual, "BitBLT Engine".
 *
 * A blit is rows of source bytes, combined with memory by one of 16 operations.  A source is
 * memory, what the CPU writes, a pattern of 8 by 8 pixels, or one color; bits become pixels in two
 * colors.
 * Every address is cut to the memory there is.
 *
 * A blit is done at once when its registers start it; only one whose other end is the CPU waits for
 * the CPU's accesses, a row after the other, with the registers as they were at its start.
 */
#include "cirrus.h"

#include <string.h>

#define PATTERN_SIDE    8

/* ---- raster operations ---- */

/* 16 bytes at a time, at any address. */
typedef uint8_t Bytes16 __attribute__((vector_size(16), aligned(1), may_alias));

typedef void (*RopFn)(uint8_t *to, const uint8_t *from, size_t n);

#define ROP(name, expression) \
    static void rop_##name(uint8_t *to, const uint8_t *from, size_t n) \
    { \
        size_t i = 0; \
\
        for (; i + sizeof(Bytes16) <= n; i += sizeof(Bytes16)) { \
            Bytes16 d = *(const Bytes16 *)(to + i), s = *(const Bytes16 *)(from + i); \
\
            (void)d, (void)s; \
            *(Bytes16 *)(to + i) = expression; \
        } \
        for (; i < n; i++) { \
            uint8_t d = to[i], s = from[i]; \
\
            (void)d, (void)s; \
            to[i] = expression; \
        } \
    }
ROP(zero, d ^ d)
ROP(and, s & d)
ROP(keep, d)
ROP(and_not, s & ~d)
ROP(not_to, ~d)
ROP(copy, s)
ROP(one, d | ~d)
ROP(not_and, ~s & d)
ROP(xor, s ^ d)
ROP(or, s | d)
ROP(nor, ~(s | d))
ROP(xnor, ~(s ^ d))
ROP(or_not, s | ~d)
ROP(not, ~s)
ROP(not_or, ~s | d)
ROP(nand, ~(s & d))

static const struct { uint8_t code; RopFn fn; } rops[] = {
    { 0x00, rop_zero }, { 0x05, rop_and }, { 0x06, rop_keep }, { 0x09, rop_and_not },
    { 0x0b, rop_not_to }, { 0x0d, rop_copy }, { 0x0e, rop_one }, { 0x50, rop_not_and },
    { 0x59, rop_xor },
    { 0x6d, rop_or }, { 0x90, rop_nor }, { 0x95, rop_xnor }, { 0xad, rop_or_not },
    { 0xd0, rop_not }, { 0xd6, rop_not_or }, { 0xda, rop_nand },
};

/* Codes that mean nothing leave memory as it is. */
static RopFn rop_find(uint8_t code)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rops); i++) {
        if (rops[i].code == code) {
            return rops[i].fn;
        }
    }
    return rop_keep;
}

/* ---- what the registers say ---- */

typedef struct Blit {
    RamBlock *ram;
    uint32_t last;                      /* the highest address */
    uint8_t mode, mode_ext;
    RopFn rop;
    unsigned width, height;             /* bytes, lines */
    unsigned pixel_bytes, pixels;       /* in a line */
    unsigned skip;                      /* pixels on the left that are not drawn */
    uint32_t to, from;
    uint32_t to_pitch, from_pitch;
    uint8_t bg[4], fg[4], key[2];
} Blit;

static unsigned word(const uint8_t *gr)
{
    return gr[0] | gr[1] << 8;
}

static uint32_t address(const uint8_t *gr)
{
    return gr[0] | gr[1] << 8 | gr[2] << 16;
}

static Blit blit_of(const Cirrus *cirrus, const uint8_t *gr)
{
    Blit blit = {
        .ram = cirrus->vga.vram.ram, .last = cirrus->vga.vram_size - 1,
        .mode = gr[GR_BLIT_MODE], .mode_ext = gr[GR_BLIT_MODE_EXT], .rop = rop_find(gr[GR_ROP]),
        .width = word(gr + GR_WIDTH) + 1, .height = word(gr + GR_HEIGHT) + 1,
        .pixel_bytes = ((gr[GR_BLIT_MODE] & GR_MODE_PIXEL) >> 4) + 1,
        .to = address(gr + GR_TO), .from = address(gr + GR_FROM),
        .to_pitch = word(gr + GR_TO_PITCH), .from_pitch = word(gr + GR_FROM_PITCH),
        .bg = { gr[GR_BG_0], gr[GR_BG_1], gr[0x12], gr[0x14] },
        .fg = { gr[GR_FG_0], gr[GR_FG_1], gr[0x13], gr[0x15] },
        .key = { gr[GR_KEY], gr[GR_KEY + 1] },
    };

    blit.pixels = blit.width / blit.pixel_bytes;
    blit.skip = blit.pixel_bytes == 3 ? (gr[GR_SKIP] & 0x1f) / 3 : gr[GR_SKIP] & 0x07;
    return blit;
}

/* ---- bytes of memory, which go on at its start ---- */

static bool is_whole(const Blit *blit, uint32_t at, unsigned n)
{
    return at <= blit->last && n <= blit->last - at + 1;
}

static void copy_out(const Blit *blit, uint8_t *bytes, uint32_t at, unsigned n)
{
    for (unsigned done = 0; done < n;) {
        uint32_t from = (at + done) & blit->last;
        unsigned piece = MIN(n - done, blit->last - from + 1);

        memcpy(bytes + done, blit->ram->host + from, piece);
        done += piece;
    }
}

static void copy_in(const Blit *blit, const uint8_t *bytes, uint32_t at, unsigned n)
{
    for (unsigned done = 0; done < n;) {
        uint32_t to = (at + done) & blit->last;
        unsigned piece = MIN(n - done, blit->last - to + 1);

        memcpy(blit->ram->host + to, bytes + done, piece);
        ram_mark_dirty(blit->ram, to, piece);
        done += piece;
    }
}

/* `n` bytes at `at`: where they are, or copied into `bytes` if they wrap round. */
static const uint8_t *look_at(const Blit *blit, uint8_t *bytes, uint32_t at, unsigned n)
{
    at &= blit->last;
    if (is_whole(blit, at, n)) {
        return blit->ram->host + at;
    }
    copy_out(blit, bytes, at, n);
    return bytes;
}

/* ---- a row onto memory ---- */

/*
 * The source may be a part of the row's own memory: byte after byte then, in the blit's direction,
 * as far as anyone can tell.  Pieces as long as the two are apart do not overlap.
 */
static void combine(const Blit *blit, uint8_t *to, const uint8_t *from, size_t n)
{
    bool backwards = blit->mode & GR_MODE_BACKWARDS;
    size_t apart = to > from ? to - from : from - to;

    if (apart == 0 || apart >= n || (!backwards && to < from)) {
        blit->rop(to, from, n);
    } else if (blit->rop == rop_copy && backwards && to > from) {
        memmove(to, from, n);
    } else if (!backwards) {
        for (size_t at = 0; at < n; at += apart) {
            blit->rop(to + at, from + at, MIN(apart, n - at));
        }
    } else {
        for (size_t end = n; end > 0; end -= MIN(apart, end)) {
            size_t piece = MIN(apart, end);

            blit->rop(to + end - piece, from + end - piece, piece);
        }
    }
}

static void put_row(const Blit *blit, uint32_t at, const uint8_t *from)
{
    uint8_t bytes[CIRRUS_LINE_MAX];

    at &= blit->last;
    if (is_whole(blit, at, blit->width)) {
        combine(blit, blit->ram->host + at, from, blit->width);
        ram_mark_dirty(blit->ram, at, blit->width);
        return;
    }
    copy_out(blit, bytes, at, blit->width);
    blit->rop(bytes, from, blit->width);
    copy_in(blit, bytes, at, blit->width);
}

/* Only where `mask` has ones. */
static void put_row_masked(const Blit *blit, uint32_t at, const uint8_t *from, const uint8_t *mask)
{
    uint8_t was[CIRRUS_LINE_MAX], bytes[CIRRUS_LINE_MAX];

    copy_out(blit, was, at, blit->width);
    memcpy(bytes, was, blit->width);
    blit->rop(bytes, from, blit->width);
    for (unsigned i = 0; i < blit->width; i++) {
        bytes[i] = (bytes[i] & mask[i]) | (was[i] & ~mask[i]);
    }
    copy_in(blit, bytes, at, blit->width);
}

/* GR34, GR35: a result of this color is not drawn.  8 or 16 bits are compared. */
static void put_row_keyed(const Blit *blit, uint32_t at, const uint8_t *from)
{
    unsigned step = blit->pixel_bytes == 1 ? 1 : 2;
    uint8_t was[CIRRUS_LINE_MAX], bytes[CIRRUS_LINE_MAX];

    copy_out(blit, was, at, blit->width);
    memcpy(bytes, was, blit->width);
    blit->rop(bytes, from, blit->width);
    for (unsigned i = 0; i + step <= blit->width; i += step) {
        if (memcmp(bytes + i, blit->key, step) == 0) {
            memcpy(bytes + i, was + i, step);
        }
    }
    copy_in(blit, bytes, at, blit->width);
}

/* ---- bits to pixels ---- */

/* A row of bits as pixels in two colors; the first bit is the top one. */
static inline void expand_to(unsigned pixel_bytes, unsigned pixels, const uint8_t *bits,
                             const uint8_t *const colors[2], uint8_t *out)
{
    for (unsigned i = 0; i < pixels; i++) {
        memcpy(out, colors[bits[i / 8] >> (7 - i % 8) & 1], pixel_bytes);
        out += pixel_bytes;
    }
}

static void expand(const Blit *blit, const uint8_t *bits, const uint8_t *off, const uint8_t *on,
                   uint8_t *out)
{
    const uint8_t *const colors[2] = { off, on };

    switch (blit->pixel_bytes) {                /* each a loop of its own, as the size is known */
    case 1:
        expand_to(1, blit->pixels, bits, colors, out);
        break;
    case 2:
        expand_to(2, blit->pixels, bits, colors, out);
        break;
    case 3:
        expand_to(3, blit->pixels, bits, colors, out);
        break;
    default:
        expand_to(4, blit->pixels, bits, colors, out);
        break;
    }
}

/* A row of bits onto memory, but for skipped pixels and those of bits that are not drawn. */
static void put_bits(const Blit *blit, uint32_t at, const uint8_t *bits)
{
    static const uint8_t zeroes[4], ones[4] = { 0xff, 0xff, 0xff, 0xff };
    bool transparent = blit->mode & GR_MODE_TRANSPARENT;
    bool invert = transparent && blit->mode_ext & GR_MODE_EXT_INVERT;
    uint8_t pixels[CIRRUS_LINE_MAX], mask[CIRRUS_LINE_MAX];
    unsigned bytes = blit->pixels * blit->pixel_bytes;

    expand(blit, bits, blit->bg, blit->fg, pixels);
    if (!transparent && blit->skip == 0 && bytes == blit->width) {
        put_row(blit, at, pixels);
        return;
    }
    memset(pixels + bytes, 0, blit->width - bytes);
    memset(mask + bytes, 0, blit->width - bytes);
    expand(blit, bits, transparent && !invert ? zeroes : ones, invert ? zeroes : ones, mask);
    memset(mask, 0, MIN(blit->skip * blit->pixel_bytes, blit->width));
    put_row_masked(blit, at, pixels, mask);
}

static unsigned bits_bytes(const Blit *blit)
{
    return (blit->pixels + 7) / 8;
}

/* ---- kinds of sources: `row` of the blit ---- */

static void row_of_color(const Blit *blit, uint32_t at, unsigned row, const uint8_t *solid)
{
    put_row(blit, at, solid);
}

static void row_of_bits(const Blit *blit, uint32_t at, unsigned row, const uint8_t *bits)
{
    put_bits(blit, at, bits);
}

static void row_of_pixels(const Blit *blit, uint32_t at, unsigned row, const uint8_t *pixels)
{
    if (blit->mode & GR_MODE_TRANSPARENT) {
        put_row_keyed(blit, at, pixels);
    } else {
        put_row(blit, at, pixels);
    }
}

/* The pattern begins with the line that the source address's last bits name. */
static unsigned pattern_line(const Blit *blit, unsigned row)
{
    return (blit->from + row) % PATTERN_SIDE;
}

static void row_of_bit_pattern(const Blit *blit, uint32_t at, unsigned row, const uint8_t *pattern)
{
    uint8_t bits[CIRRUS_LINE_MAX / 8];

    memset(bits, pattern[pattern_line(blit, row)], bits_bytes(blit));
    put_bits(blit, at, bits);
}

/* A line of the pattern takes 8 pixels; of three bytes, as much as of four. */
static unsigned pattern_pitch(const Blit *blit)
{
    return PATTERN_SIDE * (blit->pixel_bytes == 3 ? 4 : blit->pixel_bytes);
}

static void row_of_pixel_pattern(const Blit *blit, uint32_t at, unsigned row,
                                 const uint8_t *pattern)
{
    const uint8_t *line = pattern + pattern_line(blit, row) * pattern_pitch(blit);
    unsigned line_bytes = PATTERN_SIDE * blit->pixel_bytes;
    unsigned skip = MIN(blit->skip * blit->pixel_bytes, blit->width);
    uint8_t pixels[CIRRUS_LINE_MAX];
    Blit rest = *blit;

    for (unsigned i = 0; i < blit->width; i += line_bytes) {
        memcpy(pixels + i, line, MIN(line_bytes, blit->width - i));
    }
    rest.width -= skip;
    row_of_pixels(&rest, at + skip, row, pixels + skip);
}

typedef void (*RowFn)(const Blit *blit, uint32_t at, unsigned row, const uint8_t *source);

static bool is_solid(const Blit *blit)
{
    const uint8_t both = GR_MODE_PATTERN | GR_MODE_EXPAND;

    return blit->mode_ext & GR_MODE_EXT_SOLID && (blit->mode & both) == both;
}

static RowFn row_fn(const Blit *blit)
{
    if (is_solid(blit)) {
        return row_of_color;
    }
    switch (blit->mode & (GR_MODE_PATTERN | GR_MODE_EXPAND)) {
    case GR_MODE_PATTERN | GR_MODE_EXPAND:
        return row_of_bit_pattern;
    case GR_MODE_PATTERN:
        return row_of_pixel_pattern;
    case GR_MODE_EXPAND:
        return row_of_bits;
    }
    return row_of_pixels;
}

/* ---- a blit with one source for all rows ---- */

static unsigned pattern_bytes(const Blit *blit)
{
    return blit->mode & GR_MODE_EXPAND ? PATTERN_SIDE : PATTERN_SIDE * pattern_pitch(blit);
}

static void draw_rows(const Blit *blit, const uint8_t *source)
{
    RowFn fn = row_fn(blit);

    for (unsigned row = 0; row < blit->height; row++) {
        fn(blit, blit->to + row * blit->to_pitch, row, source);
    }
}

static void fill_solid(const Blit *blit)
{
    static const uint8_t ones[CIRRUS_LINE_MAX / 8] = { [0 ... CIRRUS_LINE_MAX / 8 - 1] = 0xff };
    uint8_t pixels[CIRRUS_LINE_MAX] = { 0 };
    Blit whole = *blit;

    whole.width = whole.pixels * whole.pixel_bytes;
    if (whole.width > 0) {
        expand(blit, ones, blit->fg, blit->fg, pixels);
        draw_rows(&whole, pixels);
    }
}

/* A pattern lies where its size divides the address. */
static void fill_pattern(const Blit *blit)
{
    uint8_t bytes[PATTERN_SIDE * PATTERN_SIDE * 4];
    unsigned n = pattern_bytes(blit);

    copy_out(blit, bytes, blit->from & ~(n - 1), n);
    draw_rows(blit, bytes);
}

/* ---- a blit with a source for each row ---- */

/* Bits of memory follow one another whatever the pitch, each row from a byte's start. */
static void copy_bits(const Blit *blit)
{
    uint8_t bytes[CIRRUS_LINE_MAX / 8];

    for (unsigned row = 0; row < blit->height; row++) {
        put_bits(blit, blit->to + row * blit->to_pitch,
                 look_at(blit, bytes, blit->from + row * bits_bytes(blit), bits_bytes(blit)));
    }
}

/* Backwards, the addresses are those of the last byte of all. */
static void copy_pixels(const Blit *blit)
{
    bool backwards = blit->mode & GR_MODE_BACKWARDS;
    uint32_t to = blit->to, from = blit->from, sign = backwards ? -1 : 1;
    uint8_t bytes[CIRRUS_LINE_MAX];

    if (backwards) {
        to -= blit->width - 1;
        from -= blit->width - 1;
    }
    for (unsigned row = 0; row < blit->height; row++) {
        row_of_pixels(blit, to + sign * row * blit->to_pitch, row,
                      look_at(blit, bytes, from + sign * row * blit->from_pitch, blit->width));
    }
}

/* ---- transfers with the CPU ---- */

static void finish(Cirrus *cirrus)
{
    cirrus->vga.gfx[GR_BLIT] &= ~(GR_BLIT_BUSY | GR_BLIT_PROGRESS | GR_BLIT_START);
}

void cirrus_transfer_end(Cirrus *cirrus)
{
    bool was_on = cirrus->transfer.kind != TRANSFER_NONE;

    cirrus->transfer.kind = TRANSFER_NONE;
    finish(cirrus);
    if (was_on) {
        cirrus_update_windows(cirrus);
    }
}

/* How much the CPU writes for what is drawn at once: a row, or a pattern. */
static uint32_t transfer_bytes(const Blit *blit)
{
    if (blit->mode & GR_MODE_PATTERN) {
        return pattern_bytes(blit);
    }
    if (!(blit->mode & GR_MODE_EXPAND)) {
        return (blit->width + 3) & ~3u;
    }
    return blit->mode_ext & GR_MODE_EXT_DWORDS ? (bits_bytes(blit) + 3) & ~3u : bits_bytes(blit);
}

static bool is_of_transfers(const Cirrus *cirrus, const Blit *blit)
{
    return cirrus->transfer.kind == TRANSFER_TO_CPU
               ? !(blit->mode & (GR_MODE_PATTERN | GR_MODE_EXPAND | GR_MODE_FROM_CPU))
               : !(blit->mode & GR_MODE_TO_CPU) && transfer_bytes(blit) > 0;
}

static void fetch_row(CirrusTransfer *transfer, const Blit *blit)
{
    copy_out(blit, transfer->line, blit->from + transfer->row * blit->from_pitch, blit->width);
}

static void transfer_begin(Cirrus *cirrus, TransferKind kind)
{
    CirrusTransfer *transfer = &cirrus->transfer;
    Blit blit;

    memset(transfer, 0, sizeof(*transfer));
    transfer->kind = kind;
    memcpy(transfer->gr, cirrus->vga.gfx, sizeof(transfer->gr));
    blit = blit_of(cirrus, transfer->gr);
    if (!is_of_transfers(cirrus, &blit)) {
        cirrus_transfer_end(cirrus);
        return;
    }
    transfer->line_bytes = transfer_bytes(&blit);
    if (kind == TRANSFER_TO_CPU) {
        fetch_row(transfer, &blit);
    }
    cirrus->vga.gfx[GR_BLIT] |= GR_BLIT_BUSY | GR_BLIT_PROGRESS;
    cirrus_update_windows(cirrus);
}

/* A row, or a pattern, is complete. */
static void transfer_next(Cirrus *cirrus)
{
    CirrusTransfer *transfer = &cirrus->transfer;
    Blit blit = blit_of(cirrus, transfer->gr);

    transfer->at = 0;
    if (transfer->kind == TRANSFER_FROM_CPU && blit.mode & GR_MODE_PATTERN) {
        draw_rows(&blit, transfer->line);
        transfer->row = blit.height - 1;
    } else if (transfer->kind == TRANSFER_FROM_CPU) {
        row_fn(&blit)(&blit, blit.to + transfer->row * blit.to_pitch, transfer->row,
                      transfer->line);
    }
    if (++transfer->row >= blit.height) {
        cirrus_transfer_end(cirrus);
    } else if (transfer->kind == TRANSFER_TO_CPU) {
        fetch_row(transfer, &blit);
    }
}

/* What is left of an access after the last row's end belongs to nothing. */
void cirrus_transfer_write(Cirrus *cirrus, uint64_t value, unsigned size)
{
    CirrusTransfer *transfer = &cirrus->transfer;

    for (unsigned i = 0; i < size && transfer->kind == TRANSFER_FROM_CPU; i++) {
        transfer->line[transfer->at++] = value >> 8 * i;
        if (transfer->at == transfer->line_bytes) {
            transfer_next(cirrus);
        }
    }
}

uint64_t cirrus_transfer_read(Cirrus *cirrus, unsigned size)
{
    CirrusTransfer *transfer = &cirrus->transfer;
    uint64_t value = 0;

    for (unsigned i = 0; i < size && transfer->kind == TRANSFER_TO_CPU; i++) {
        value |= (uint64_t)transfer->line[transfer->at++] << 8 * i;
        if (transfer->at == transfer->line_bytes) {
            transfer_next(cirrus);
        }
    }
    return value;
}

bool cirrus_transfer_loaded(Cirrus *cirrus)
{
    CirrusTransfer *transfer = &cirrus->transfer;
    Blit blit = blit_of(cirrus, transfer->gr);

    if (transfer->kind == TRANSFER_NONE) {
        return true;
    }
    transfer->line_bytes = transfer_bytes(&blit);
    return is_of_transfers(cirrus, &blit) && transfer->row < blit.height &&
           transfer->at < transfer->line_bytes;
}

/* ---- starting ---- */

void cirrus_blit(Cirrus *cirrus)
{
    Blit blit = blit_of(cirrus, cirrus->vga.gfx);

    cirrus_transfer_end(cirrus);
    if (!cirrus->has_blitter) {
        return;
    }
    if (blit.mode & GR_MODE_TO_CPU) {
        transfer_begin(cirrus, TRANSFER_TO_CPU);
    } else if (is_solid(&blit)) {
        fill_solid(&blit);
    } else if (blit.mode & GR_MODE_FROM_CPU) {
        transfer_begin(cirrus, TRANSFER_FROM_CPU);
    } else if (blit.mode & GR_MODE_PATTERN) {
        fill_pattern(&blit);
    } else if (blit.mode & GR_MODE_EXPAND) {
        copy_bits(&blit);
    } else {
        copy_pixels(&blit);
    }
}
