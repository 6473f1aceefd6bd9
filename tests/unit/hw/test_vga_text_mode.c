/* Text mode without a BIOS: what a kernel finds, and what the monitor shows. */
#include "vga_text_mode.h"

#include "check_main.h"
#include "font.h"
#include "vga_board.h"

START_TEST(nothing_answers_without_a_card)
{
    bare_setup();
    ck_assert(!vga_is_present(&vm));
}
END_TEST

static void setup(void)
{
    vga_board();
    ck_assert(vga_is_present(&vm));
    vga_set_text_mode(&vm);
}

START_TEST(screen_is_empty)
{
    ConsoleText text;

    setup();
    ck_assert(console_text(screen(), &text));
    ck_assert_uint_eq(text.columns, 80);
    ck_assert_uint_eq(text.rows, 25);
    for (unsigned i = 0; i < 80 * 25; i++) {
        ck_assert_uint_eq(text.cells[i] & 0xffff, ' ' | 7 << 8);
    }
    ck_assert_int_eq(text.cursor_column, 0);
    ck_assert_int_eq(text.cursor_row, 0);
    console_refresh(screen());
    ck_assert_uint_eq(console_surface(screen())->width, 720);
    ck_assert_uint_eq(console_surface(screen())->height, 400);
}
END_TEST

/* A character by its code in code page 437, in yellow on blue, second in the first row. */
static const uint8_t codes[] = { 'A', 0x01, 0x9b, 0xb0, 0xdb, 0xc4, 0xe4 };

START_TEST(character_row)
{
    const uint8_t *glyph = font_glyph(font_cp437[codes[_i]]);

    setup();
    indexed(0x3d4, 0x0a, 0x20);
    poke(0xb8002, codes[_i]);
    poke(0xb8003, 0x1e);
    for (unsigned y = 0; y < FONT_HEIGHT; y++) {
        for (unsigned x = 0; x < FONT_WIDTH; x++) {
            ck_assert_uint_eq(pixel(9 + x, y), glyph[y] & 0x80 >> x ? 0xffff55 : 0x0000aa);
        }
    }
}
END_TEST

/* The colors of EGA's 64 that stand for the sixteen. */
static const uint32_t sixteen[16] = {
    0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
    0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
};

START_TEST(color_row)
{
    setup();
    indexed(0x3d4, 0x0a, 0x20);
    poke(0xb8000, 0xdb);
    poke(0xb8001, _i);
    ck_assert_uint_eq(pixel(0, 0), sixteen[_i]);
}
END_TEST

/* Out of whatever mode the guest had left. */
START_TEST(it_comes_back_from_graphics)
{
    ConsoleText text;

    setup();
    set_mode(&mode_12);
    ck_assert(!console_text(screen(), &text));
    vga_set_text_mode(&vm);
    ck_assert(console_text(screen(), &text));
    ck_assert_uint_eq(text.columns, 80);
}
END_TEST

CHECK_MAIN("vga_text_mode", CASE(nothing_answers_without_a_card), CASE(screen_is_empty),
           CASES(character_row, codes), CASES(color_row, sixteen),
           CASE(it_comes_back_from_graphics))
