/* The CL-GD5446's registers, windows and pictures; its blits are in test_cirrus_blit.c. */
#include "check_main.h"
#include "cirrus_board.h"

static uint32_t rgb6(unsigned n)
{
    return (n << 2 | n >> 4) & 0xff;
}

static void put(uint32_t at, const void *bytes, unsigned n)
{
    mem_write(&vm.memory, VRAM + at, bytes, n);
}

/* ---- registers ---- */

/* Index, what is written, what is read. */
static const struct { uint16_t port; uint8_t index, written, read; } registers[] = {
    { 0x3c4, 0x06, 0x00, 0x0f }, { 0x3c4, 0x06, 0x12, 0x12 }, { 0x3c4, 0x06, 0xfa, 0x12 },
    { 0x3c4, 0x02, 0xff, 0xff }, { 0x3c4, 0x17, 0xff, 0xe7 }, { 0x3c4, 0x0a, 0x5a, 0x5a },
    { 0x3ce, 0x00, 0xa5, 0xa5 }, { 0x3ce, 0x05, 0xff, 0x7f }, { 0x3ce, 0x21, 0xff, 0x1f },
    { 0x3ce, 0x23, 0xff, 0x07 }, { 0x3ce, 0x2a, 0xff, 0x3f }, { 0x3ce, 0x2e, 0xff, 0x3f },
    { 0x3ce, 0x3a, 0x12, 0xff }, { 0x3d4, 0x1b, 0x5a, 0x5a }, { 0x3d4, 0x27, 0x00, 0xb8 },
    { 0x3d4, 0x28, 0x00, 0xff },
};

START_TEST(register_bits)
{
    cirrus_board();
    out(0x3c2, 0x67, 1);
    indexed(registers[_i].port, registers[_i].index, registers[_i].written);
    ck_assert_uint_eq(port_in(registers[_i].port, registers[_i].index), registers[_i].read);
}
END_TEST

START_TEST(after_reset)
{
    cirrus_board();
    devices_reset(&vm);
    cirrus_bars();
    ck_assert_uint_eq(port_in(0x3c4, 0x06), 0x0f);
    ck_assert_uint_eq(port_in(0x3c4, 0x0f), 0x98);      /* 4 MiB, as BIOS finds out */
    ck_assert_uint_eq(port_in(0x3c4, 0x15), 0x04);
    ck_assert_uint_eq(port_in(0x3c4, 0x17), 0x20);
    ck_assert_uint_eq(port_in(0x3c4, 0x1f), 0x2d);
}
END_TEST

START_TEST(read_backs)
{
    cirrus_board();
    set_mode(&mode_12);
    poke(0xa0000, 0xff);
    indexed(0x3ce, 4, 2);
    peek(0xa0000);
    ck_assert_uint_eq(port_in(0x3d4, 0x22), 0xff);
    in(0x3da, 1);
    ck_assert_uint_eq(port_in(0x3d4, 0x24), 0);
    out(0x3c0, 0x31, 1);
    ck_assert_uint_eq(port_in(0x3d4, 0x24), 0x80);
    ck_assert_uint_eq(port_in(0x3d4, 0x26), 0x31);
}
END_TEST

START_TEST(hidden_dac_after_four_reads)
{
    cirrus_board();
    out(0x3c6, 0x55, 1);
    hidden_dac(0xc5);
    ck_assert_uint_eq(in(0x3c6, 1), 0x55);
    for (unsigned i = 0; i < 3; i++) {
        in(0x3c6, 1);
    }
    ck_assert_uint_eq(in(0x3c6, 1), 0xc5);
    ck_assert_uint_eq(in(0x3c6, 1), 0x55);
    in(0x3c6, 1);
    in(0x3c7, 1);                                       /* begins anew */
    out(0x3c6, 0x66, 1);
    ck_assert_uint_eq(in(0x3c6, 1), 0x66);
}
END_TEST

START_TEST(registers_in_memory)
{
    cirrus_board();
    mem_store(&vm.memory, CIRRUS_REGS + 0x04, 0x02 | 0x0a << 8, 2);     /* 3c4, 3c5 */
    ck_assert_uint_eq(port_in(0x3c4, 2), 0x0a);
    mem_store(&vm.memory, CIRRUS_BLIT + 0x10, 0x123456, 4);
    ck_assert_uint_eq(port_in(0x3ce, 0x28), 0x56);
    ck_assert_uint_eq(port_in(0x3ce, 0x2a), 0x12);
    ck_assert_uint_eq(mem_load(&vm.memory, CIRRUS_BLIT + 0x11, 1, NULL), 0x34);
    ck_assert_uint_eq(mem_load(&vm.memory, CIRRUS_BLIT + 0x13, 1, NULL), 0xff);
}
END_TEST

/* At b8000, or at the end of the linear memory. */
START_TEST(registers_in_windows)
{
    cirrus_board();
    packed_mode(0, 0, 640);
    indexed(0x3c4, 0x17, 0x04);
    mem_store(&vm.memory, 0xb8008, 0x123, 2);
    ck_assert_uint_eq(port_in(0x3ce, 0x20), 0x23);
    ck_assert_uint_eq(peek(0xb8009), 0x01);
    indexed(0x3c4, 0x17, 0x44);
    mem_store(&vm.memory, VRAM + CIRRUS_MEMORY - 0x100 + 0x0a, 0x45, 1);
    ck_assert_uint_eq(port_in(0x3ce, 0x22), 0x45);
    poke(VRAM + 0x1000, 0x77);
    ck_assert_uint_eq(cirrus_memory()[0x1000], 0x77);
    indexed(0x3c4, 0x17, 0);
    poke(VRAM + CIRRUS_MEMORY - 0x100 + 0x0a, 0x11);
    ck_assert_uint_eq(port_in(0x3ce, 0x22), 0x45);
}
END_TEST

/* ---- windows ---- */

static const struct { uint8_t extensions, bank0, bank1; uint32_t offset, at; } banks[] = {
    { 0x00, 0x00, 0x00, 0x1234, 0x1234 }, { 0x00, 0x10, 0x77, 0xf000, 0x1f000 },
    { 0x20, 0x10, 0x00, 0x0010, 0x40010 }, { 0x01, 0x01, 0x20, 0x8001, 0x20001 },
    { 0x21, 0x01, 0x20, 0x8001, 0x80001 }, { 0x21, 0xff, 0x20, 0x0001, 0x3fc001 },
    { 0x20, 0xff, 0x00, 0x4000, 0x000000 },             /* over the end */
};

START_TEST(banks_of_memory)
{
    uint32_t addr = 0xa0000 + banks[_i].offset;

    cirrus_board();
    packed_mode(0, 0, 640);
    indexed(0x3ce, 9, banks[_i].bank0);
    indexed(0x3ce, 10, banks[_i].bank1);
    indexed(0x3ce, 11, banks[_i].extensions);
    poke(addr, 0x5a);
    ck_assert_uint_eq(cirrus_memory()[banks[_i].at], 0x5a);
    ck_assert_uint_eq(peek(addr), 0x5a);
    ck_assert_uint_eq(peek(VRAM + banks[_i].at), 0x5a);
}
END_TEST

START_TEST(bits_written_as_pixels)
{
    uint8_t *memory;

    cirrus_board();
    memory = cirrus_memory();
    packed_mode(0, 0, 640);
    memset(memory, 0x11, 64);
    indexed(0x3c4, 2, 0xff);
    indexed(0x3ce, 0, 0xbb);
    indexed(0x3ce, 1, 0xff);
    indexed(0x3ce, 0x10, 0xb2);
    indexed(0x3ce, 0x11, 0xf2);
    indexed(0x3ce, 0x0b, 0x06);                         /* a byte is 8 pixels */
    indexed(0x3ce, 5, 0x44);
    poke(0xa0001, 0x81);
    ck_assert_mem_eq(memory + 8, ((uint8_t[]){ 0xff, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0xff }), 8);
    indexed(0x3ce, 5, 0x45);
    indexed(0x3c4, 2, 0xc0);
    poke(VRAM + 1, 0x40);
    ck_assert_mem_eq(memory + 8, ((uint8_t[]){ 0xbb, 0xff, 0x11, 0x11, 0x11, 0x11, 0x11, 0xff }), 8);
    indexed(0x3ce, 0x0b, 0x14);                         /* pixels of 16 bits */
    indexed(0x3c4, 2, 0xff);
    poke(0xa0002, 0x80);
    ck_assert_mem_eq(memory + 32, ((uint8_t[]){ 0xff, 0xf2, 0xbb, 0xb2 }), 4);
    ck_assert_uint_eq(memory[31], 0x11);
}
END_TEST

START_TEST(vga_modes_still_work)
{
    cirrus_board();
    set_mode(&mode_12);
    poke(0xa0000, 0x80);
    ck_assert_uint_eq(console_surface(screen())->width, 640);
    ck_assert_uint_ne(pixel(0, 0), pixel(1, 0));
    set_mode(&mode_13);
    poke(0xa0000 + 321, 200);
    ck_assert_uint_eq(cirrus_memory()[321], 200);
}
END_TEST

/* ---- pictures ---- */

static const struct { uint8_t format, dac, bytes[4]; unsigned n; uint32_t color; } forms[] = {
    { 0x00, 0x00, { 200 }, 1, 0 }, { 0x02, 0xc1, { 0xe0, 0x07 }, 2, 0x00ff00 },
    { 0x06, 0xc1, { 0x1f, 0xf8 }, 2, 0xff00ff }, { 0x06, 0xc0, { 0x1f, 0x7c }, 2, 0xff00ff },
    { 0x04, 0xc5, { 1, 2, 3 }, 3, 0x030201 }, { 0x08, 0xc5, { 1, 2, 3, 4 }, 4, 0x030201 },
};

START_TEST(packed_pixels)
{
    unsigned line_bytes = 3000;                         /* more than CR13 alone can say */

    cirrus_board();
    packed_mode(forms[_i].format, forms[_i].dac, line_bytes);
    put(5 * line_bytes + 7 * forms[_i].n, forms[_i].bytes, forms[_i].n);
    ck_assert_uint_eq(pixel(7, 5), forms[_i].n > 1
                                       ? forms[_i].color
                                       : rgb6(200 & 15) << 16 | rgb6(200 >> 4) << 8 | rgb6(200 & 63));
    ck_assert_uint_eq(console_surface(screen())->width, 640);
    ck_assert_uint_eq(console_surface(screen())->height, 480);
    indexed(0x3c4, 1, 0x21);                            /* off, which such modes do not heed */
    ck_assert_uint_ne(pixel(7, 5), 0);
}
END_TEST

START_TEST(start_has_twenty_bits)
{
    uint32_t start = 0xd5678, at = start * 4;

    cirrus_board();
    packed_mode(0x08, 0xc5, 640);
    put(at, "\1\2\3", 4);
    indexed(0x3d4, 0x0c, start >> 8);
    indexed(0x3d4, 0x0d, start);
    indexed(0x3d4, 0x1b, 0x22 | (start >> 16 & 1) | (start >> 15 & 0x0c));
    ck_assert_uint_eq(pixel(0, 0), 0);
    indexed(0x3d4, 0x1d, start >> 12 & 0x80);
    ck_assert_uint_eq(pixel(0, 0), 0x030201);
}
END_TEST

/* ---- the pointer ---- */

static void pointer_at(unsigned x, unsigned y)
{
    indexed(0x3c4, 0x10 | (x & 7) << 5, x >> 3);
    indexed(0x3c4, 0x11 | (y & 7) << 5, y >> 3);
}

static void pointer_colors(void)
{
    indexed(0x3c4, 0x12, 0x02);
    out(0x3c8, 0, 1);
    for (unsigned i = 0; i < 16 * 3; i++) {
        out(0x3c9, i, 1);
    }
}

static const struct { uint8_t size, pattern; uint32_t at; unsigned second; } pointers[] = {
    { 0, 3, CIRRUS_MEMORY - 0x4000 + 3 * 256, 128 },
    { 4, 7, CIRRUS_MEMORY - 0x4000 + 4 * 256, 8 },
};

START_TEST(pointer_over_the_picture)
{
    const uint32_t bg = rgb6(0) << 16 | rgb6(1) << 8 | rgb6(2);
    const uint32_t fg = rgb6(45) << 16 | rgb6(46) << 8 | rgb6(47);

    cirrus_board();
    packed_mode(0x08, 0xc5, 2560);
    memset(cirrus_memory(), 0x40, 640 * 480 * 4);
    pointer_colors();
    put(pointers[_i].at, "\x50", 1);                    /* second: 0011, first: 0101 */
    put(pointers[_i].at + pointers[_i].second, "\x30", 1);
    indexed(0x3c4, 0x13, pointers[_i].pattern);
    pointer_at(101, 50);
    ck_assert_uint_eq(pixel(102, 50), 0x404040);
    indexed(0x3c4, 0x12, 0x01 | pointers[_i].size);
    ck_assert_uint_eq(pixel(101, 50), 0x404040);
    ck_assert_uint_eq(pixel(102, 50), 0xbfbfbf);
    ck_assert_uint_eq(pixel(103, 50), bg);
    ck_assert_uint_eq(pixel(104, 50), fg);
    ck_assert_uint_eq(pixel(103, 51), 0x404040);
    put(pointers[_i].at, "\x70", 1);                    /* another pattern */
    ck_assert_uint_eq(pixel(103, 50), fg);
    pointer_at(639, 479);                               /* over the edge */
    ck_assert_uint_eq(pixel(103, 50), 0x404040);
    indexed(0x3c4, 0x12, 0);
    ck_assert_uint_eq(pixel(639, 479), 0x404040);
}
END_TEST

/* ---- who looks ---- */

static unsigned changed_pixels;

static void on_resized(void *opaque, Surface *surface)
{
}

static void on_changed(void *opaque, const ConsoleRect *rect)
{
    changed_pixels += rect->width * rect->height;
}

START_TEST(blits_are_seen)
{
    BlitSetup b = { .width = 40, .height = 8, .to_pitch = 2560, .to = 2560 * 100 + 400, .fg = 0x102030,
                    .pixel_bytes = 4, .mode = BLIT_PATTERN | BLIT_EXPAND, .mode_ext = BLIT_SOLID,
                    .rop = 0x0d };
    ConsoleWatcher watcher = { on_resized, on_changed };

    cirrus_board();
    packed_mode(0x08, 0xc5, 2560);
    console_watch(screen(), &watcher);
    console_refresh(screen());
    changed_pixels = 0;
    blit_start(&b);
    console_refresh(screen());
    ck_assert_uint_eq(changed_pixels, 80);
    ck_assert_uint_eq(pixel(100, 100), 0x102030);
    pointer_at(10, 10);
    console_refresh(screen());
    ck_assert_uint_eq(changed_pixels, 80);
    console_unwatch(screen(), &watcher);
}
END_TEST

/* ---- state ---- */

START_TEST(state_is_a_card_s)
{
    g_autoptr(GByteArray) saved = g_byte_array_new();
    size_t at = 0;

    cirrus_board();
    packed_mode(0x06, 0xc1, 1280);
    pointer_colors();
    indexed(0x3ce, 9, 5);
    state_save(vga_card->type->state, vga_card, saved);
    devices_reset(&vm);
    ck_assert(state_load(vga_card->type->state, vga_card, 2, saved->data, saved->len, &at, NULL));
    cirrus_bars();
    ck_assert_uint_eq(at, saved->len);
    poke(0xa0000, 0x77);
    ck_assert_uint_eq(cirrus_memory()[0x5000], 0x77);
    put(0, "\x1f\xf8", 2);
    ck_assert_uint_eq(pixel(0, 0), 0xff00ff);
}
END_TEST

CHECK_MAIN("hw/cirrus", CASES(register_bits, registers), CASE(after_reset), CASE(read_backs),
           CASE(hidden_dac_after_four_reads), CASE(registers_in_memory), CASE(registers_in_windows),
           CASES(banks_of_memory, banks), CASE(bits_written_as_pixels), CASE(vga_modes_still_work),
           CASES(packed_pixels, forms), CASE(start_has_twenty_bits),
           CASES(pointer_over_the_picture, pointers), CASE(blits_are_seen), CASE(state_is_a_card_s))
