#include <string.h>

#include "check_main.h"
#include "curses_cells.h"

static const struct { const char *charset; uint8_t byte; uint32_t code; } pages[] = {
    { "CP437", 'A', 'A' }, { "CP437", 0x00, ' ' }, { "CP437", 0x01, 0x263a },
    { "CP437", 0x1e, 0x25b2 }, { "CP437", 0x7f, 0x2302 }, { "CP437", 0x80, 0xc7 },
    { "CP437", 0xb0, 0x2591 }, { "CP437", 0xb3, 0x2502 }, { "CP437", 0xc4, 0x2500 },
    { "CP437", 0xc9, 0x2554 }, { "CP437", 0xdb, 0x2588 }, { "CP437", 0xdf, 0x2580 },
    { "CP437", 0xe1, 0xdf }, { "CP437", 0xff, 0xa0 },
    { "CP850", 0xb8, 0xa9 }, { "ISO-8859-15", 0xa4, 0x20ac }, { "KOI8-R", 0xc1, 0x430 },
    { "CP850", 0x10, 0x25ba },                  /* the adapter's font, whatever the letters are */
    { "UTF-8", 0xc3, 0xfffd },                  /* no character by itself */
    { "ISO-8859-1", 0x85, 0xfffd },             /* a control code */
};

START_TEST(code_page_row)
{
    CodePage page;

    ck_assert(code_page_load(&page, pages[_i].charset, NULL));
    ck_assert_uint_eq(page.code[pages[_i].byte], pages[_i].code);
}
END_TEST

START_TEST(code_pages_that_are_none)
{
    g_autoptr(GError) error = NULL;
    CodePage page;

    ck_assert(!code_page_load(&page, "CP4370", &error));
    ck_assert(strstr(error->message, "'CP4370'") != NULL);
}
END_TEST

/* Attributes are blue 1, green 2, red 4; a terminal's colours are red 1, green 2, blue 4. */
static const struct { bool unicode; uint8_t attr; unsigned fg, bg; bool blink; } attributes[] = {
    { false, 0x07, 7, 0, false }, { false, 0x1f, 15, 4, false }, { false, 0x4e, 11, 1, false },
    { false, 0x61, 4, 3, false }, { false, 0x9c, 9, 4, true }, { false, 0x70, 0, 7, false },
    { true, 0x9c, 9, 12, false }, { true, 0xf8, 8, 15, false },
};

START_TEST(attribute_row)
{
    bool unicode = attributes[_i].unicode;
    uint32_t cell = unicode ? 0x2500 | (uint32_t)attributes[_i].attr << 24
                            : 0xc4 | attributes[_i].attr << 8 | 0xdead0000;
    ConsoleText text = { .columns = 1, .rows = 1, .stride = 1, .unicode = unicode, .cells = &cell,
                         .cursor_column = -1, .cursor_row = -1 };
    CursesSheet sheet = { 0 };
    CursesPan pan = { 0 };
    CodePage page;

    ck_assert(code_page_load(&page, "CP437", NULL));
    curses_sheet_resize(&sheet, 1, 1);
    curses_put_text(&sheet, 1, &text, &page, &pan);
    ck_assert_uint_eq(sheet.cells[0].code, 0x2500);
    ck_assert_uint_eq(sheet.cells[0].fg, CURSES_COLOR(attributes[_i].fg));
    ck_assert_uint_eq(sheet.cells[0].bg, CURSES_COLOR(attributes[_i].bg));
    ck_assert_int_eq(sheet.cells[0].blink, attributes[_i].blink);
    ck_assert_int_eq(sheet.cursor_column, -1);
    curses_sheet_finish(&sheet);
}
END_TEST

/* What would take two columns, or none, is not written to a terminal. */
static const struct { uint32_t code, shown; } characters[] = {
    { 'x', 'x' }, { 0, ' ' }, { 0x1b, 0xfffd }, { 0x7f, 0xfffd }, { 0x9b, 0xfffd },
    { 0xe9, 0xe9 }, { 0x301, 0xfffd }, { 0x4e00, 0xfffd }, { 0xd800, 0xfffd },
    { 0xffffff, 0xfffd }, { 0x2588, 0x2588 },
};

START_TEST(character_row)
{
    uint32_t cell = characters[_i].code | 0x07000000;
    ConsoleText text = { .columns = 1, .rows = 1, .stride = 1, .unicode = true, .cells = &cell };
    CursesSheet sheet = { 0 };
    CursesPan pan = { 0 };

    curses_sheet_resize(&sheet, 1, 1);
    curses_put_text(&sheet, 1, &text, NULL, &pan);
    ck_assert_uint_eq(sheet.cells[0].code, characters[_i].shown);
    curses_sheet_finish(&sheet);
}
END_TEST

static const struct {
    unsigned columns, rows;                     /* the terminal's */
    CursesPan from;
    int cursor_column, cursor_row;
    CursesPan to;
} pans[] = {                                    /* of a screen of 80 × 25 */
    { 100, 30, { 0, 0 }, 79, 24, { 0, 0 } },
    { 80, 24, { 0, 0 }, 0, 23, { 0, 0 } },
    { 80, 24, { 0, 0 }, 0, 24, { 0, 1 } },
    { 80, 24, { 0, 1 }, 5, 1, { 0, 1 } },       /* no more than it must */
    { 80, 24, { 0, 1 }, 5, 0, { 0, 0 } },
    { 40, 10, { 0, 0 }, 79, 24, { 40, 15 } },
    { 40, 10, { 99, 99 }, -1, -1, { 40, 15 } },
    { 40, 10, { 3, 4 }, -1, -1, { 3, 4 } },
    { 40, 10, { 3, 4 }, 1000, 1000, { 3, 4 } },
};

START_TEST(pan_row)
{
    ConsoleText text = { .columns = 80, .rows = 25, .cursor_column = pans[_i].cursor_column,
                         .cursor_row = pans[_i].cursor_row };
    CursesPan pan = pans[_i].from;

    curses_pan_follow(&pan, &text, pans[_i].columns, pans[_i].rows);
    ck_assert_uint_eq(pan.column, pans[_i].to.column);
    ck_assert_uint_eq(pan.row, pans[_i].to.row);
}
END_TEST

static const struct {
    unsigned width, height, columns, rows;
    CellShape shape;
    unsigned across, down;
} fits[] = {
    { 640, 480, 80, 24, { 1, 2 }, 64, 48 },     /* as high as there is room */
    { 640, 480, 64, 100, { 1, 2 }, 64, 48 },
    { 1024, 768, 100, 30, { 1, 2 }, 80, 60 },
    { 1024, 768, 100, 30, { 8, 16 }, 80, 60 },
    { 1024, 768, 100, 30, { 8, 20 }, 100, 60 }, /* tall cells: wider pictures */
    { 320, 200, 80, 24, { 1, 2 }, 77, 48 },
    { 1, 1, 80, 24, { 1, 2 }, 48, 48 },
    { 16384, 1, 80, 24, { 1, 2 }, 80, 1 },
    { 1, 16384, 80, 24, { 1, 2 }, 1, 48 },
    { 16384, 16384, 1, 1, { 1, 2 }, 1, 1 },
};

START_TEST(fit_row)
{
    CursesPicture picture = { 0 };

    ck_assert(curses_picture_fit(&picture, fits[_i].width, fits[_i].height, fits[_i].columns,
                                 fits[_i].rows, fits[_i].shape));
    ck_assert_uint_eq(picture.across, fits[_i].across);
    ck_assert_uint_eq(picture.down, fits[_i].down);
    ck_assert(!curses_picture_fit(&picture, fits[_i].width, fits[_i].height, fits[_i].columns,
                                  fits[_i].rows, fits[_i].shape));
    curses_picture_finish(&picture);
}
END_TEST

/* 4 × 4 pixels: a red, a green, a blue and a chequered quarter. */
static const uint32_t quarters[16] = {
    0xff0000, 0xff0000, 0x00ff00, 0x00ff00,
    0xff0000, 0xff0000, 0x00ff00, 0x00ff00,
    0x0000ff, 0x0000ff, 0xffffff, 0x000000,
    0x0000ff, 0x0000ff, 0x000000, 0xffffff,
};

START_TEST(dots_are_the_mean_of_their_pixels)
{
    const ConsoleRect all = { 0, 0, 4, 4 };
    CursesPicture picture = { 0 };
    CursesSheet sheet = { 0 };
    CursesPlace place;

    curses_sheet_resize(&sheet, 4, 3);
    curses_picture_fit(&picture, 4, 4, 4, 1, (CellShape){ 1, 2 });
    curses_picture_scale(&picture, quarters, &all);
    place = curses_put_picture(&sheet, 2, &picture, true);
    ck_assert_uint_eq(place.left, 1);
    ck_assert_uint_eq(place.across, 2);
    ck_assert_uint_eq(place.down, 1);
    ck_assert_uint_eq(sheet.cells[1].code, 0x2580);
    ck_assert_uint_eq(sheet.cells[1].fg, 0xff0000);
    ck_assert_uint_eq(sheet.cells[1].bg, 0x0000ff);
    ck_assert_uint_eq(sheet.cells[2].fg, 0x00ff00);
    ck_assert_uint_eq(sheet.cells[2].bg, 0x7f7f7f);
    curses_put_picture(&sheet, 2, &picture, false);
    ck_assert_uint_eq(sheet.cells[1].code, ' ');
    ck_assert_uint_eq(sheet.cells[1].bg, 0x7f007f);
    curses_picture_finish(&picture);
    curses_sheet_finish(&sheet);
}
END_TEST

/* A change brings up to date what it touches, wherever its edges lie; the whole picture agrees. */
START_TEST(a_change_is_scaled_like_the_whole)
{
    static const unsigned sizes[][2] = { { 640, 480 }, { 33, 17 }, { 7, 90 }, { 1366, 768 } };
    unsigned width = sizes[_i][0], height = sizes[_i][1];
    g_autofree uint32_t *pixels = g_new0(uint32_t, width * height);
    const ConsoleRect all = { 0, 0, width, height };
    CursesPicture part = { 0 }, whole = { 0 };
    uint32_t state = 1;

    curses_picture_fit(&part, width, height, 61, 23, (CellShape){ 1, 2 });
    curses_picture_fit(&whole, width, height, 61, 23, (CellShape){ 1, 2 });
    for (unsigned n = 0; n < 50; n++) {
        ConsoleRect rect;

        state = state * 1664525 + 1013904223;
        rect.x = (state >> 16) % width;
        rect.y = (state >> 8) % height;
        rect.width = 1 + (state >> 20) % (width - rect.x);
        rect.height = 1 + (state >> 4) % (height - rect.y);
        for (unsigned y = rect.y; y < rect.y + rect.height; y++) {
            for (unsigned x = rect.x; x < rect.x + rect.width; x++) {
                pixels[y * width + x] = state & 0xffffff;
            }
        }
        curses_picture_scale(&part, pixels, &rect);
    }
    curses_picture_scale(&whole, pixels, &all);
    ck_assert_mem_eq(part.dots, whole.dots, whole.across * whole.down * 4);
    curses_picture_finish(&part);
    curses_picture_finish(&whole);
}
END_TEST

static const struct { uint32_t rgb; unsigned of_256, of_16; } colors[] = {
    { 0x000000, 16, 0 }, { 0xffffff, 231, 15 }, { 0xff0000, 196, 1 }, { 0x0000ff, 21, 4 },
    { 0x5f87af, 67, 7 }, { 0x808080, 244, 7 }, { 0x080808, 232, 0 }, { 0xeeeeee, 255, 15 },
    { 0xaa5500, 130, 3 }, { 0x55ff55, 83, 10 },
};

START_TEST(color_row)
{
    ck_assert_uint_eq(curses_color_256(colors[_i].rgb), colors[_i].of_256);
    ck_assert_uint_eq(curses_color_16(colors[_i].rgb), colors[_i].of_16);
}
END_TEST

CHECK_MAIN("curses_cells", CASES(code_page_row, pages), CASE(code_pages_that_are_none),
           CASES(attribute_row, attributes), CASES(character_row, characters),
           CASES(pan_row, pans), CASES(fit_row, fits), CASE(dots_are_the_mean_of_their_pixels),
           TIMES(a_change_is_scaled_like_the_whole, 4), CASES(color_row, colors))
