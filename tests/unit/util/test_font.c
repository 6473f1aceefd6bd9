/* Glyphs: those there are, the box for those there are not, and code page 437. */
#include "font.h"

#include <stdbool.h>
#include <string.h>

#include "check_main.h"

static bool is_box(uint32_t code_point)
{
    return font_glyph(code_point) == font_glyph(0x10ffff);
}

static const struct { uint32_t code_point; bool known; } glyphs[] = {
    { 0, false }, { 0x1f, false }, { ' ', true }, { 'A', true }, { 0x7f, false },
    { 0xa0, true }, { 0xe9, true }, { 0x17e, true },    /* é, ž */
    { 0x3b1, true }, { 0x416, true }, { 0x20ac, true }, /* α, Ж, € */
    { 0x2026, true }, { 0x2190, true }, { 0x2502, true }, { 0x2588, true },
    { 0x4e00, false }, { 0xfffd, false }, { 0x1f600, false }, { UINT32_MAX, false },
};

START_TEST(glyph_row)
{
    ck_assert_int_eq(!is_box(glyphs[_i].code_point), glyphs[_i].known);
}
END_TEST

/* U+2588 fills its cell, U+2580 its upper half; a line runs from edge to edge. */
START_TEST(blocks_and_lines_meet)
{
    for (unsigned row = 0; row < FONT_HEIGHT; row++) {
        ck_assert_uint_eq(font_glyph(0x2588)[row], 0xff);
        ck_assert_uint_eq(font_glyph(0x2580)[row], row < FONT_HEIGHT / 2 ? 0xff : 0);
        ck_assert_uint_eq(font_glyph(0x2502)[row], font_glyph(0x2502)[0]);
        ck_assert_uint_eq(font_glyph(' ')[row], 0);
    }
}
END_TEST

START_TEST(code_page_437_has_glyphs)
{
    ck_assert_uint_eq(font_cp437['A'], 'A');
    ck_assert_uint_eq(font_cp437[0xc4], 0x2500);
    for (unsigned code = 0; code < 256; code++) {
        ck_assert_msg(!is_box(font_cp437[code]), "%02x", code);
    }
}
END_TEST

CHECK_MAIN("font", CASES(glyph_row, glyphs), CASE(blocks_and_lines_meet),
           CASE(code_page_437_has_glyphs))
