#include "check_main.h"
#include "vga_board.h"

/* Color n of colors(), as 8 bits each. */
static uint32_t rgb(unsigned n)
{
    unsigned red = n & 15, green = n >> 4, blue = n & 63;

    return (red << 2 | red >> 4) << 16 | (green << 2 | green >> 4) << 8 | (blue << 2 | blue >> 4);
}

static void check_size(unsigned width, unsigned height)
{
    console_refresh(screen());
    ck_assert_uint_eq(console_surface(screen())->width, width);
    ck_assert_uint_eq(console_surface(screen())->height, height);
}

/* ---- text ---- */

/* Character 1: its first row of dots 10000001, the others empty. */
static void load_font(void)
{
    indexed(0x3c4, 2, 4);
    indexed(0x3c4, 4, 6);
    indexed(0x3ce, 5, 0);
    indexed(0x3ce, 6, 4);
    poke(0xa0000 + 1 * 32, 0x81);
    poke(0xa0000 + 0xc4 * 32, 0xff);
    indexed(0x3c4, 2, 3);
    indexed(0x3c4, 4, 2);
    indexed(0x3ce, 5, 0x10);
    indexed(0x3ce, 6, 0x0e);
}

START_TEST(text_has_dots_and_colors)
{
    vga_board();
    set_mode(&mode_3);
    load_font();
    indexed(0x3d4, 0x0a, 0x20);
    poke(0xb8000 + 2, 1);
    poke(0xb8000 + 3, 0x1e);
    check_size(720, 400);
    ck_assert_uint_eq(pixel(9, 0), rgb(14));
    ck_assert_uint_eq(pixel(10, 0), rgb(1));
    ck_assert_uint_eq(pixel(16, 0), rgb(14));
    ck_assert_uint_eq(pixel(17, 0), rgb(1));            /* the ninth dot */
    ck_assert_uint_eq(pixel(9, 1), rgb(1));
    poke(0xb8000 + 2, 0xc4);                            /* a line character fills it */
    ck_assert_uint_eq(pixel(17, 0), rgb(14));
}
END_TEST

START_TEST(text_cells_for_terminals)
{
    ConsoleText text;

    vga_board();
    set_mode(&mode_3);
    poke(0xb8000 + 160, 'x');
    poke(0xb8000 + 161, 7);
    indexed(0x3d4, 0x0f, 81);
    ck_assert(console_text(screen(), &text));
    ck_assert_uint_eq(text.columns, 80);
    ck_assert_uint_eq(text.rows, 25);
    ck_assert_uint_eq(text.cells[text.stride] & 0xffff, 'x' | 7 << 8);
    ck_assert_int_eq(text.cursor_column, 1);
    ck_assert_int_eq(text.cursor_row, 1);
    set_mode(&mode_13);
    ck_assert(!console_text(screen(), &text));
}
END_TEST

START_TEST(cursor_blinks_with_the_clock)
{
    vga_board();
    set_mode(&mode_3);
    poke(0xb8001, 0x07);
    indexed(0x3d4, 0x0a, 0);
    vm_start(&vm);
    vm_clock_set_manual(&vm, 0);
    ck_assert_uint_eq(pixel(0, 0), rgb(7));
    vm_clock_set_manual(&vm, 300 * NS_PER_MS);
    ck_assert_uint_eq(pixel(0, 0), rgb(0));
}
END_TEST

/* ---- graphics ---- */

START_TEST(planes_are_written_in_four_ways)
{
    vga_board();
    set_mode(&mode_12);
    check_size(640, 480);
    indexed(0x3ce, 0, 5);                               /* set/reset in all planes: color 5 */
    indexed(0x3ce, 1, 0x0f);
    indexed(0x3ce, 8, 0x80);
    peek(0xa0000);
    poke(0xa0000, 0);
    ck_assert_uint_eq(pixel(0, 0), rgb(5));
    ck_assert_uint_eq(pixel(1, 0), rgb(0));
    indexed(0x3ce, 5, 2);                               /* mode 2: the byte is a color */
    indexed(0x3ce, 8, 0x01);
    peek(0xa0000);
    poke(0xa0000, 9);
    ck_assert_uint_eq(pixel(0, 0), rgb(5));
    ck_assert_uint_eq(pixel(7, 0), rgb(9));
    indexed(0x3ce, 5, 1);                               /* mode 1: the latches */
    peek(0xa0000);
    poke(0xa0000 + 80, 0xff);
    ck_assert_uint_eq(pixel(7, 1), rgb(9));
    indexed(0x3ce, 5, 3);                               /* mode 3: the byte is a mask */
    indexed(0x3ce, 8, 0xff);
    poke(0xa0000 + 80, 0x10);
    ck_assert_uint_eq(pixel(3, 1), rgb(5));
    indexed(0x3ce, 5, 8);                               /* read mode 1 */
    indexed(0x3ce, 2, 5);
    ck_assert_uint_eq(peek(0xa0000), 0x80);
}
END_TEST

START_TEST(mode_13_is_bytes_in_order)
{
    vga_board();
    set_mode(&mode_13);
    check_size(640, 400);
    poke(0xa0000 + 321, 200);
    ck_assert_uint_eq(pixel(2, 2), rgb(200));
    ck_assert_uint_eq(pixel(3, 3), rgb(200));
    ck_assert_uint_eq(pixel(4, 2), rgb(0));
    ck_assert_uint_eq(peek(0xa0000 + 321), 200);
}
END_TEST

static const struct { unsigned bits; uint8_t bytes[4]; uint32_t color; } depths[] = {
    { 15, { 0x1f, 0x7c }, 0xff00ff }, { 16, { 0xe0, 0x07 }, 0x00ff00 },
    { 24, { 1, 2, 3 }, 0x030201 }, { 32, { 1, 2, 3, 0xff }, 0x030201 },
};

START_TEST(linear_modes)
{
    unsigned bytes = depths[_i].bits / 8 + (depths[_i].bits == 15);

    vga_board();
    vbe_mode(1366, 768, depths[_i].bits);
    check_size(1366, 768);
    mem_write(&vm.memory, VRAM + (1366 * 5 + 7) * bytes, depths[_i].bytes, bytes);
    ck_assert_uint_eq(pixel(7, 5), depths[_i].color);
    dispi(9, 5);                                        /* y offset */
    ck_assert_uint_eq(pixel(7, 0), depths[_i].color);
}
END_TEST

START_TEST(modes_fit_into_memory)
{
    vga_board();
    vbe_mode(16000, 12000, 32);
    out(0x1ce, 2, 2);
    ck_assert_uint_eq(in(0x1cf, 2), 16 * 1024 * 1024 / (16000 * 4));
    dispi(9, 65535);
    pixel(0, 0);
    out(0x1ce, 10, 2);
    ck_assert_uint_eq(in(0x1cf, 2), 256);
}
END_TEST

/* ---- who looks ---- */

static ConsoleRect seen;
static unsigned changes;

static void on_resized(void *opaque, Surface *surface)
{
}

static void on_changed(void *opaque, const ConsoleRect *rect)
{
    seen = *rect;
    changes++;
}

START_TEST(small_change_small_update)
{
    ConsoleWatcher watcher = { on_resized, on_changed };

    vga_board();
    vbe_mode(1024, 768, 32);
    console_watch(screen(), &watcher);
    console_refresh(screen());
    changes = 0;
    console_refresh(screen());
    ck_assert_uint_eq(changes, 0);
    for (unsigned y = 10; y < 14; y++) {
        mem_store(&vm.memory, VRAM + (1024 * y + 20) * 4, 0xff, 4);
    }
    console_refresh(screen());
    ck_assert_uint_eq(changes, 1);
    ck_assert_uint_eq(seen.x, 20);
    ck_assert_uint_eq(seen.y, 10);
    ck_assert_uint_eq(seen.width, 1);
    ck_assert_uint_eq(seen.height, 4);
    console_unwatch(screen(), &watcher);
}
END_TEST

START_TEST(blank_keeps_its_size)
{
    vga_board();
    check_size(640, 480);
    vbe_mode(800, 600, 32);
    mem_store(&vm.memory, VRAM, 0xff, 4);
    ck_assert_uint_eq(pixel(0, 0), 0xff);
    in(0x3da, 1);
    out(0x3c0, 0, 1);
    ck_assert_uint_eq(pixel(0, 0), 0);
    check_size(800, 600);
}
END_TEST

/* ---- registers in memory ---- */

START_TEST(registers_in_memory)
{
    uint8_t edid[128], sum = 0;

    vga_board();
    for (unsigned i = 0; i < sizeof(edid); i++) {
        edid[i] = peek(REGS + i);
        sum += edid[i];
    }
    ck_assert_uint_eq(sum, 0);
    ck_assert_uint_eq(edid[54 + 2] | (edid[54 + 4] & 0xf0) << 4, 1280);
    ck_assert_uint_eq(edid[54 + 5] | (edid[54 + 7] & 0xf0) << 4, 800);
    mem_store(&vm.memory, REGS + 0x502, 1024, 2);
    out(0x1ce, 1, 2);
    ck_assert_uint_eq(in(0x1cf, 2), 1024);
    mem_store(&vm.memory, PORTS + 2, 0x67, 1);
    ck_assert_uint_eq(in(0x3cc, 1), 0x67);
    ck_assert_uint_eq(mem_load(&vm.memory, REGS + 0x604, 4, NULL), 0x1e1e1e1e);
}
END_TEST

START_TEST(other_half_of_the_ports)
{
    vga_board();
    out(0x3c2, 1, 1);
    indexed(0x3b4, 0x0c, 0x55);
    ck_assert_uint_eq(in(0x3b5, 1), 0xff);
    indexed(0x3d4, 0x0c, 0x55);
    out(0x3c2, 0, 1);
    out(0x3b4, 0x0c, 1);
    ck_assert_uint_eq(in(0x3b5, 1), 0x55);
    ck_assert_uint_eq(in(0x3d5, 1), 0xff);
}
END_TEST

CHECK_MAIN("hw/vga", CASE(text_has_dots_and_colors), CASE(text_cells_for_terminals),
           CASE(cursor_blinks_with_the_clock), CASE(planes_are_written_in_four_ways),
           CASE(mode_13_is_bytes_in_order), CASES(linear_modes, depths), CASE(modes_fit_into_memory),
           CASE(small_change_small_update), CASE(blank_keeps_its_size), CASE(registers_in_memory),
           CASE(other_half_of_the_ports))
