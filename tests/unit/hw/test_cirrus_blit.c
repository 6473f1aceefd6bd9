/* Every kind of blit beside one that is worked out here, bit by bit and byte by byte. */
#include <stdio.h>

#include "check_main.h"
#include "cirrus_board.h"

static uint8_t model[CIRRUS_MEMORY];
static uint8_t data[1 << 20];                   /* what the CPU writes */
static GRand *dice;

/* What an operation makes of a source and a memory bit: bit s * 2 + d of `truth`. */
static const struct { uint8_t code, truth; } rops[] = {
    { 0x00, 0x0 }, { 0x05, 0x8 }, { 0x06, 0xa }, { 0x09, 0x4 }, { 0x0b, 0x5 }, { 0x0d, 0xc },
    { 0x0e, 0xf }, { 0x50, 0x2 }, { 0x59, 0x6 }, { 0x6d, 0xe }, { 0x90, 0x1 }, { 0x95, 0x9 },
    { 0xad, 0xd }, { 0xd0, 0x3 }, { 0xd6, 0xb }, { 0xda, 0x7 }, { 0x77, 0xa },
};

typedef struct Kind { const char *name; uint8_t mode, mode_ext; } Kind;
static const Kind kinds[] = {
    { "copy", 0, 0 }, { "copy backwards", BLIT_BACKWARDS, 0 },
    { "keyed copy", BLIT_TRANSPARENT, 0 },
    { "keyed copy backwards", BLIT_TRANSPARENT | BLIT_BACKWARDS, 0 },
    { "pattern", BLIT_PATTERN, 0 }, { "keyed pattern", BLIT_PATTERN | BLIT_TRANSPARENT, 0 },
    { "bits", BLIT_EXPAND, 0 }, { "transparent bits", BLIT_EXPAND | BLIT_TRANSPARENT, 0 },
    { "inverted bits", BLIT_EXPAND | BLIT_TRANSPARENT, BLIT_INVERT },
    { "bit pattern", BLIT_EXPAND | BLIT_PATTERN, 0 },
    { "transparent bit pattern", BLIT_EXPAND | BLIT_PATTERN | BLIT_TRANSPARENT, 0 },
    { "solid", BLIT_EXPAND | BLIT_PATTERN, BLIT_SOLID },
    { "from the CPU", BLIT_FROM_CPU, 0 },
    { "keyed from the CPU", BLIT_FROM_CPU | BLIT_TRANSPARENT, 0 },
    { "bits from the CPU", BLIT_FROM_CPU | BLIT_EXPAND, 0 },
    { "bits in dwords", BLIT_FROM_CPU | BLIT_EXPAND, BLIT_DWORDS },
    { "transparent bits from the CPU", BLIT_FROM_CPU | BLIT_EXPAND | BLIT_TRANSPARENT, BLIT_DWORDS },
    { "pattern from the CPU", BLIT_FROM_CPU | BLIT_PATTERN, 0 },
    { "bit pattern from the CPU", BLIT_FROM_CPU | BLIT_PATTERN | BLIT_EXPAND, 0 },
};

/* ---- the model ---- */

static uint8_t rop_byte(uint8_t code, uint8_t s, uint8_t d)
{
    uint8_t truth = 0xa, result = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(rops); i++) {
        truth = rops[i].code == code ? rops[i].truth : truth;
    }
    for (unsigned bit = 0; bit < 8; bit++) {
        result |= (truth >> ((s >> bit & 1) * 2 + (d >> bit & 1)) & 1) << bit;
    }
    return result;
}

static unsigned row_bytes_from_cpu(const BlitSetup *b)
{
    unsigned bits = (b->width / b->pixel_bytes + 7) / 8;

    if (b->mode & BLIT_PATTERN) {
        return b->mode & BLIT_EXPAND ? 8 : 64 * (b->pixel_bytes == 3 ? 4 : b->pixel_bytes);
    }
    if (b->mode & BLIT_EXPAND) {
        return b->mode_ext & BLIT_DWORDS ? (bits + 3) / 4 * 4 : bits;
    }
    return (b->width + 3) / 4 * 4;
}

/* A byte of the source's stream, which begins at `at` in memory or is what the CPU writes. */
static uint8_t source_byte(const BlitSetup *b, uint32_t at, uint32_t offset)
{
    return b->mode & BLIT_FROM_CPU ? data[offset] : model[(at + offset) % CIRRUS_MEMORY];
}

static bool source_bit(const BlitSetup *b, unsigned row, unsigned x)
{
    unsigned line = (b->from + row) % 8, pitch = (b->width / b->pixel_bytes + 7) / 8;

    if (b->mode_ext & BLIT_SOLID) {
        return true;
    }
    if (b->mode & BLIT_PATTERN) {
        return source_byte(b, b->from & ~7u, line) >> (7 - x % 8) & 1;
    }
    pitch = b->mode & BLIT_FROM_CPU ? row_bytes_from_cpu(b) : pitch;
    return source_byte(b, b->from, row * pitch + x / 8) >> (7 - x % 8) & 1;
}

/* One byte of a pixel's; false: the pixel is not drawn. */
static bool source_color(const BlitSetup *b, unsigned row, unsigned x, unsigned byte, uint8_t *value)
{
    unsigned pitch = b->pixel_bytes == 3 ? 32 : 8 * b->pixel_bytes;

    if (x < b->skip && b->mode & (BLIT_EXPAND | BLIT_PATTERN) && !(b->mode_ext & BLIT_SOLID)) {
        return false;
    }
    if (b->mode & BLIT_EXPAND) {
        bool bit = source_bit(b, row, x), wanted = !(b->mode_ext & BLIT_INVERT);

        *value = (bit ? b->fg : b->bg) >> 8 * byte;
        return !(b->mode & BLIT_TRANSPARENT) || bit == wanted;
    }
    *value = source_byte(b, b->from & ~(8 * pitch - 1),
                         (b->from + row) % 8 * pitch + x % 8 * b->pixel_bytes + byte);
    return true;
}

static void put_byte(const BlitSetup *b, uint32_t at, uint8_t value)
{
    at %= CIRRUS_MEMORY;
    model[at] = rop_byte(b->rop, value, model[at]);
}

static bool is_keyed(const BlitSetup *b)
{
    return b->mode & BLIT_TRANSPARENT && !(b->mode & BLIT_EXPAND);
}

/* `bytes` of a result at `at`, unless they are the key. */
static void put_keyed(const BlitSetup *b, uint32_t at, const uint8_t *value, unsigned bytes)
{
    unsigned same = 0;

    for (unsigned i = 0; i < bytes; i++) {
        same += rop_byte(b->rop, value[i], model[(at + i) % CIRRUS_MEMORY]) ==
                (b->key >> 8 * i & 0xff);
    }
    for (unsigned i = 0; i < bytes && same < bytes; i++) {
        put_byte(b, at + i, value[i]);
    }
}

static void model_copy_row(const BlitSetup *b, uint32_t to, uint32_t from, unsigned row)
{
    int sign = b->mode & BLIT_BACKWARDS ? -1 : 1;
    unsigned step = is_keyed(b) && b->pixel_bytes > 1 ? 2 : 1;

    for (unsigned i = 0; i < b->width; i += step) {
        unsigned n = b->mode & BLIT_BACKWARDS ? i + step - 1 : i;
        uint8_t value[2];

        for (unsigned k = 0; k < step; k++) {
            value[k] = b->mode & BLIT_FROM_CPU ? data[row * row_bytes_from_cpu(b) + i + k]
                                               : model[(from + sign * (int)n + k) % CIRRUS_MEMORY];
        }
        if (is_keyed(b)) {
            put_keyed(b, to + sign * (int)n, value, step);
        } else {
            put_byte(b, to + sign * (int)n, value[0]);
        }
    }
}

static void model_pixel_row(const BlitSetup *b, uint32_t to, unsigned row)
{
    for (unsigned x = 0; x < b->width / b->pixel_bytes; x++) {
        uint32_t at = to + x * b->pixel_bytes;
        uint8_t value[4];
        bool drawn = true;

        for (unsigned byte = 0; byte < b->pixel_bytes; byte++) {
            drawn = source_color(b, row, x, byte, &value[byte]);
        }
        if (drawn && is_keyed(b)) {
            put_keyed(b, at, value, b->pixel_bytes);
        } else if (drawn) {
            for (unsigned byte = 0; byte < b->pixel_bytes; byte++) {
                put_byte(b, at + byte, value[byte]);
            }
        }
    }
}

static void model_blit(const BlitSetup *b)
{
    int sign = b->mode & BLIT_BACKWARDS ? -1 : 1;

    for (unsigned row = 0; row < b->height; row++) {
        uint32_t to = b->to + sign * (int)(row * b->to_pitch);

        if (b->mode & (BLIT_PATTERN | BLIT_EXPAND)) {
            model_pixel_row(b, to, row);
        } else {
            model_copy_row(b, to, b->from + sign * (int)(row * b->from_pitch), row);
        }
    }
}

/* ---- the chip ---- */

static void feed(const BlitSetup *b)
{
    unsigned rows = b->mode & BLIT_PATTERN ? 1 : b->height;
    unsigned bytes = (rows * row_bytes_from_cpu(b) + 3) / 4 * 4;

    for (unsigned i = 0; i < bytes; i += 4) {
        ck_assert(blit_busy());
        mem_write(&vm.memory, i % 8 ? CIRRUS_DATA + i : VRAM + i, data + i, 4);
    }
}

static void compare(const BlitSetup *b, const char *name)
{
    uint8_t *memory = cirrus_memory();

    blit_start(b);
    if (b->mode & BLIT_FROM_CPU) {
        feed(b);
    }
    ck_assert(!blit_busy());
    model_blit(b);
    for (unsigned i = 0; i < CIRRUS_MEMORY; i++) {
        if (memory[i] != model[i]) {
            ck_abort_msg("%s, rop %02x, %u bytes a pixel, %u by %u from %x (%u) to %x (%u), skip %u, "
                         "key %x: byte %x is %02x, not %02x", name, b->rop, b->pixel_bytes, b->width,
                         b->height, b->from, b->from_pitch, b->to, b->to_pitch, b->skip, b->key, i,
                         memory[i], model[i]);
        }
    }
}

static void blit_board_with(const char *blitter)
{
    uint8_t *memory;

    cirrus_board_with(blitter);
    memory = cirrus_memory();
    dice = g_rand_new_with_seed(5446);
    for (unsigned i = 0; i < CIRRUS_MEMORY; i++) {
        memory[i] = model[i] = g_rand_int_range(dice, 0, 4) * 0x55;
    }
    for (unsigned i = 0; i < sizeof(data); i++) {
        data[i] = g_rand_int_range(dice, 0, 256);
    }
}

static void blit_board(void)
{
    blit_board_with("on");
}

static BlitSetup some_blit(const Kind *kind, uint8_t rop, unsigned pixel_bytes)
{
    BlitSetup b = {
        .width = g_rand_int_range(dice, 1, 60) * pixel_bytes, .height = g_rand_int_range(dice, 1, 12),
        .to_pitch = g_rand_int_range(dice, 300, 1200), .from_pitch = g_rand_int_range(dice, 300, 1200),
        .to = g_rand_int_range(dice, 0x8000, 0x20000), .from = g_rand_int_range(dice, 0x8000, 0x20000),
        .fg = g_rand_int(dice), .bg = g_rand_int(dice), .pixel_bytes = pixel_bytes,
        .mode = kind->mode, .mode_ext = kind->mode_ext, .rop = rop, .key = 0x5555,
    };

    b.skip = pixel_bytes < 3 ? g_rand_int_range(dice, 0, 8) : 0;
    b.skip = MIN(b.skip, b.width / pixel_bytes);
    if (kind->mode & (BLIT_PATTERN | BLIT_EXPAND)) {
        b.from += 0x80000;                      /* out of the picture's way */
    }
    return b;
}

START_TEST(every_kind_and_operation)
{
    const Kind *kind = &kinds[_i];

    blit_board();
    for (unsigned i = 0; i < G_N_ELEMENTS(rops); i++) {
        for (unsigned pixel_bytes = 1; pixel_bytes <= 4; pixel_bytes++) {
            /* the key is 8 or 16 bits, whole pixels of them */
            unsigned keyed = kind->mode & BLIT_TRANSPARENT && !(kind->mode & BLIT_EXPAND);
            BlitSetup b = some_blit(kind, rops[i].code, keyed ? 1 + pixel_bytes % 2 : pixel_bytes);

            compare(&b, kind->name);
        }
    }
}
END_TEST

/* Source and destination in one another's way, in both directions, near and far. */
static const struct { int apart; unsigned width; uint8_t mode; } overlaps[] = {
    { 1, 200, 0 }, { -1, 200, 0 }, { 7, 200, 0 }, { 40, 200, 0 }, { -40, 200, 0 }, { 1024, 800, 0 },
    { -1024, 800, 0 }, { 0, 64, 0 },
    { 1, 200, 1 }, { -1, 200, 1 }, { 7, 200, 1 }, { 40, 200, 1 }, { -40, 200, 1 }, { 1024, 800, 1 },
    { -1024, 800, 1 },
};

START_TEST(overlapping_copies)
{
    static const uint8_t some_rops[] = { 0x0d, 0x59, 0xda };

    blit_board();
    for (unsigned i = 0; i < G_N_ELEMENTS(some_rops); i++) {
        BlitSetup b = { .width = overlaps[_i].width, .height = 9, .to_pitch = 1024, .from_pitch = 1024,
                        .from = 0x10000, .to = 0x10000 + overlaps[_i].apart, .pixel_bytes = 1,
                        .mode = overlaps[_i].mode, .rop = some_rops[i] };

        compare(&b, "overlap");
    }
}
END_TEST

/* Over the end of memory and on from its start. */
START_TEST(blits_wrap_round)
{
    static const struct { uint32_t to, from; unsigned to_pitch; uint8_t mode; } rows[] = {
        { 0x3fffc0, 0x1000, 300, 0 }, { 0x1000, 0x3fffc0, 300, 0 }, { 0x3ffc00, 0x800, 0x1fff, 0 },
        { 0x3fffc0, 0x1000, 300, BLIT_PATTERN }, { 0x3fffc0, 0x3fff80, 300, BLIT_EXPAND },
        { 0x8000, 0x3ffff0, 300, BLIT_EXPAND },
        { 0x20, 0x2000, 300, BLIT_BACKWARDS }, { 0x2000, 0x20, 300, BLIT_BACKWARDS },
    };

    blit_board();
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        BlitSetup b = { .width = 256, .height = 5, .to_pitch = rows[i].to_pitch, .from_pitch = 300,
                        .from = rows[i].from, .to = rows[i].to, .pixel_bytes = 1, .fg = 0x12,
                        .bg = 0x34, .mode = rows[i].mode, .rop = 0x59 };

        compare(&b, "wrap");
    }
}
END_TEST

START_TEST(largest_blit)
{
    BlitSetup b = { .width = 8192, .height = 2048, .to_pitch = 8191, .from_pitch = 8191, .from = 0x3fffff,
                    .to = 0x3ffffe, .pixel_bytes = 4, .rop = 0x59 };

    blit_board();
    blit_start(&b);
    ck_assert(!blit_busy());
}
END_TEST

/* ---- starting and ending ---- */

START_TEST(last_address_byte_starts)
{
    BlitSetup b = { .width = 16, .height = 2, .to_pitch = 64, .from_pitch = 64, .from = 0x100,
                    .to = 0x4000, .pixel_bytes = 1, .rop = 0x0d };

    blit_board();
    blit_reg(0x40, 0x80, 1);
    blit_setup(&b);
    model_blit(&b);
    ck_assert_mem_eq(cirrus_memory(), model, CIRRUS_MEMORY);
}
END_TEST

START_TEST(reset_ends_a_transfer)
{
    BlitSetup b = { .width = 16, .height = 2, .to_pitch = 64, .to = 0x4000, .pixel_bytes = 1,
                    .rop = 0x0d, .mode = BLIT_FROM_CPU };

    blit_board();
    blit_start(&b);
    mem_store(&vm.memory, CIRRUS_DATA, 0, 4);
    ck_assert(blit_busy());
    blit_reg(0x40, 4, 1);
    ck_assert(!blit_busy());
    ck_assert_mem_eq(cirrus_memory(), model, CIRRUS_MEMORY);
    mem_store(&vm.memory, VRAM + 5, 0x77, 1);           /* memory is memory again */
    ck_assert_uint_eq(cirrus_memory()[5], 0x77);
}
END_TEST

START_TEST(without_a_blitter)
{
    BlitSetup b = { .width = 16, .height = 2, .to_pitch = 64, .to = 0x4000, .pixel_bytes = 1,
                    .rop = 0x0e };

    blit_board_with("off");
    blit_start(&b);
    ck_assert(!blit_busy());
    ck_assert_mem_eq(cirrus_memory(), model, CIRRUS_MEMORY);
}
END_TEST

START_TEST(screen_to_cpu)
{
    BlitSetup b = { .width = 10, .height = 3, .from_pitch = 100, .from = 0x3ffff8, .pixel_bytes = 1,
                    .rop = 0x0d, .mode = BLIT_TO_CPU };

    blit_board();
    blit_start(&b);
    for (unsigned row = 0; row < 3; row++) {
        uint8_t got[12];

        ck_assert(blit_busy());
        mem_read(&vm.memory, CIRRUS_DATA, got, sizeof(got));
        for (unsigned i = 0; i < 10; i++) {
            ck_assert_uint_eq(got[i], model[(b.from + row * 100 + i) % CIRRUS_MEMORY]);
        }
    }
    ck_assert(!blit_busy());
}
END_TEST

/* Half of it before the state is saved, half of it after it is loaded. */
START_TEST(transfers_are_saved)
{
    BlitSetup b = { .width = 16, .height = 3, .to_pitch = 64, .to = 0x4000, .pixel_bytes = 1,
                    .rop = 0x0d, .mode = BLIT_FROM_CPU };
    g_autoptr(GByteArray) saved = g_byte_array_new();
    size_t at = 0;

    blit_board();
    blit_start(&b);
    mem_write(&vm.memory, CIRRUS_DATA, data, 20);
    state_save(vga_card->type->state, vga_card, saved);
    devices_reset(&vm);
    ck_assert(state_load(vga_card->type->state, vga_card, 2, saved->data, saved->len, &at, NULL));
    cirrus_bars();
    memcpy(cirrus_memory(), model, CIRRUS_MEMORY);
    memcpy(cirrus_memory() + b.to, data, 16);           /* what memory's own way would bring */
    ck_assert(blit_busy());
    mem_write(&vm.memory, CIRRUS_DATA, data + 20, 28);
    ck_assert(!blit_busy());
    model_blit(&b);
    ck_assert_mem_eq(cirrus_memory(), model, CIRRUS_MEMORY);
}
END_TEST

CHECK_MAIN("hw/cirrus_blit", CASES(every_kind_and_operation, kinds), CASES(overlapping_copies, overlaps),
           CASE(blits_wrap_round), CASE(largest_blit), CASE(last_address_byte_starts),
           CASE(reset_ends_a_transfer), CASE(without_a_blitter), CASE(screen_to_cpu),
           CASE(transfers_are_saved))
