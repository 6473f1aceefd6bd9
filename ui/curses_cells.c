/* Guest text and pictures as cells of a terminal. */
#include "curses_cells.h"

#include <iconv.h>
#include <string.h>

#include "rhea_error.h"

#define UPPER_HALF          0x2580
#define UNKNOWN_CHARACTER   0xfffd

/* ---- sheets ---- */

static CursesCell blank_cell(void)
{
    return (CursesCell){ ' ', CURSES_COLOR(7), CURSES_COLOR(0), false };
}

void curses_sheet_clear(CursesSheet *sheet)
{
    for (size_t i = 0; i < (size_t)sheet->columns * sheet->rows; i++) {
        sheet->cells[i] = blank_cell();
    }
    sheet->cursor_column = sheet->cursor_row = -1;
}

void curses_sheet_resize(CursesSheet *sheet, unsigned columns, unsigned rows)
{
    sheet->columns = CLAMP(columns, 1, CURSES_SHEET_MAX);
    sheet->rows = CLAMP(rows, 1, CURSES_SHEET_MAX);
    sheet->cells = g_renew(CursesCell, sheet->cells, (size_t)sheet->columns * sheet->rows);
    curses_sheet_clear(sheet);
}

void curses_sheet_finish(CursesSheet *sheet)
{
    g_clear_pointer(&sheet->cells, g_free);
}

/* A terminal must move on by one column. */
static uint32_t one_column(uint32_t code)
{
    bool good = code < 0x110000 && g_unichar_validate(code) && !g_unichar_iscntrl(code) &&
                !g_unichar_iszerowidth(code) && !g_unichar_iswide(code);

    return code < 0x7f && code >= 0x20 ? code : code == 0 ? ' ' : good ? code : UNKNOWN_CHARACTER;
}

unsigned curses_sheet_write(CursesSheet *sheet, unsigned column, unsigned row, const char *text,
                            uint32_t fg, uint32_t bg)
{
    for (; *text != '\0' && column < sheet->columns; text = g_utf8_next_char(text)) {
        sheet->cells[(size_t)row * sheet->columns + column++] =
            (CursesCell){ one_column(g_utf8_get_char(text)), fg, bg, false };
    }
    return column;
}

/* ---- code pages ---- */

/* IBM's symbols for 00 to 1f, and 7f. */
static const uint16_t vga_symbols[32] = {
    0x0020, 0x263a, 0x263b, 0x2665, 0x2666, 0x2663, 0x2660, 0x2022,
    0x25d8, 0x25cb, 0x25d9, 0x2642, 0x2640, 0x266a, 0x266b, 0x263c,
    0x25ba, 0x25c4, 0x2195, 0x203c, 0x00b6, 0x00a7, 0x25ac, 0x21a8,
    0x2191, 0x2193, 0x2192, 0x2190, 0x221f, 0x2194, 0x25b2, 0x25bc,
};
#define VGA_SYMBOL_7F 0x2302

static uint32_t convert_byte(iconv_t converter, uint8_t byte)
{
    char *from = (char *)&byte;
    uint32_t code[4];                           /* a byte may be a letter and its accent */
    char *to = (char *)code;
    size_t in = 1, out = sizeof(code);

    iconv(converter, NULL, NULL, NULL, NULL);
    if (iconv(converter, &from, &in, &to, &out) == (size_t)-1 || out != sizeof(code) - 4) {
        return UNKNOWN_CHARACTER;
    }
    return one_column(code[0]);
}

bool code_page_load(CodePage *page, const char *charset, GError **error)
{
    iconv_t converter = iconv_open("UTF-32LE", charset);

    if (converter == (iconv_t)-1) {
        set_error(error, "there is no character set '%s'", charset);
        error_add_hint(error, "Names are iconv's: CP437, CP850, ISO-8859-1 …; 'iconv -l' lists "
                       "them.");
        return false;
    }
    for (unsigned i = 0; i < 256; i++) {
        page->code[i] = i < 32 ? vga_symbols[i]
                               : i == 0x7f ? VGA_SYMBOL_7F : convert_byte(converter, i);
    }
    iconv_close(converter);
    return true;
}

/* ---- guest text ---- */

static unsigned pan_axis(unsigned first, int cursor, unsigned size, unsigned shown)
{
    if (size <= shown) {
        return 0;
    }
    if (cursor >= 0 && (unsigned)cursor < size) {
        if ((unsigned)cursor < first) {
            first = cursor;
        } else if ((unsigned)cursor >= first + shown) {
            first = cursor - shown + 1;
        }
    }
    return MIN(first, size - shown);
}

void curses_pan_follow(CursesPan *pan, const ConsoleText *text, unsigned columns, unsigned rows)
{
    bool shown = text->cursor_column >= 0 && text->cursor_row >= 0;

    pan->column = pan_axis(pan->column, shown ? text->cursor_column : -1, text->columns, columns);
    pan->row = pan_axis(pan->row, shown ? text->cursor_row : -1, text->rows, rows);
}

/* VGA counts blue 1 and red 4, ANSI the other way round. */
static uint32_t ansi_color(unsigned vga)
{
    return CURSES_COLOR((vga & 0x0a) | (vga & 1) << 2 | (vga >> 2 & 1));
}

static CursesCell cell_of(const ConsoleText *text, uint32_t cell, const CodePage *page)
{
    unsigned attr = text->unicode ? cell >> 24 : cell >> 8 & 0xff;
    uint32_t code = text->unicode ? one_column(cell & 0xffffff) : page->code[cell & 0xff];

    return (CursesCell){
        code, ansi_color(attr & 15), ansi_color(attr >> 4 & (text->unicode ? 15 : 7)),
        !text->unicode && attr & 0x80,
    };
}

CursesPlace curses_put_text(CursesSheet *sheet, unsigned rows, const ConsoleText *text,
                            const CodePage *page, const CursesPan *pan)
{
    unsigned across = MIN(text->columns - pan->column, sheet->columns);
    unsigned down = MIN(text->rows - pan->row, rows);
    unsigned left = (sheet->columns - across) / 2, top = (rows - down) / 2;

    for (unsigned y = 0; y < down; y++) {
        const uint32_t *from = text->cells + (size_t)(pan->row + y) * text->stride + pan->column;
        CursesCell *to = sheet->cells + (size_t)(top + y) * sheet->columns + left;

        for (unsigned x = 0; x < across; x++) {
            to[x] = cell_of(text, from[x], page);
        }
    }
    sheet->cursor_column = sheet->cursor_row = -1;
    if (text->cursor_column >= (int)pan->column && text->cursor_row >= (int)pan->row &&
        text->cursor_column - pan->column < across && text->cursor_row - pan->row < down) {
        sheet->cursor_column = text->cursor_column - pan->column + left;
        sheet->cursor_row = text->cursor_row - pan->row + top;
    }
    return (CursesPlace){ left, top, across, down };
}

/* ---- pictures ---- */

bool curses_picture_fit(CursesPicture *picture, unsigned width, unsigned height, unsigned columns,
                        unsigned rows, CellShape shape)
{
    /* in units of half a cell's height, so that a dot is 2 * shape.width by shape.height */
    uint64_t room_x = 2ull * columns * shape.width, room_y = 2ull * rows * shape.height;
    uint64_t across = columns, down = 2ull * rows;

    if (room_x * height <= room_y * width) {
        down = (room_x * height / width + shape.height / 2) / shape.height;
    } else {
        across = (room_y * width / height + shape.width) / (2 * shape.width);
    }
    across = CLAMP(across, 1, columns);
    down = CLAMP(down, 1, 2ull * rows);
    if (picture->width == width && picture->height == height && picture->across == across &&
        picture->down == down) {
        return false;
    }
    g_free(picture->dots);
    *picture = (CursesPicture){ width, height, across, down, g_new0(uint32_t, across * down) };
    return true;
}

/* The mean of the pixels from x0, y0 up to but not x1, y1; at least one. */
static uint32_t mean(const CursesPicture *picture, const uint32_t *pixels, unsigned x0, unsigned x1,
                     unsigned y0, unsigned y1)
{
    uint64_t red_blue = 0, green = 0;           /* red in the upper half */
    uint64_t n = (uint64_t)(x1 - x0) * (y1 - y0);

    for (unsigned y = y0; y < y1; y++) {
        const uint32_t *line = pixels + (size_t)y * picture->width;

        for (unsigned x = x0; x < x1; x++) {
            red_blue += (uint64_t)(line[x] & 0xff0000) << 16 | (line[x] & 0xff);
            green += line[x] >> 8 & 0xff;
        }
    }
    return (uint32_t)((red_blue >> 32) / n) << 16 | (uint32_t)(green / n) << 8 |
           (uint32_t)((red_blue & UINT32_MAX) / n);
}

static unsigned scale_start(unsigned dot, unsigned pixels, unsigned dots)
{
    return (uint64_t)dot * pixels / dots;
}

/* Where the dot's pixels end; at least one belongs to it. */
static unsigned scale_end(unsigned dot, unsigned pixels, unsigned dots)
{
    return MAX(scale_start(dot + 1, pixels, dots), scale_start(dot, pixels, dots) + 1);
}

void curses_picture_scale(CursesPicture *picture, const uint32_t *pixels, const ConsoleRect *rect)
{
    unsigned x1 = MIN(rect->x + rect->width, picture->width);
    unsigned y1 = MIN(rect->y + rect->height, picture->height);
    uint64_t across = picture->across, down = picture->down;
    unsigned left = rect->x * across / picture->width, top = rect->y * down / picture->height;
    unsigned right = MIN((x1 * across + picture->width - 1) / picture->width + 1, across);
    unsigned bottom = MIN((y1 * down + picture->height - 1) / picture->height + 1, down);

    for (unsigned y = top; y < bottom; y++) {
        unsigned from_y = scale_start(y, picture->height, down);
        unsigned to_y = scale_end(y, picture->height, down);

        for (unsigned x = left; x < right; x++) {
            picture->dots[y * across + x] =
                mean(picture, pixels, scale_start(x, picture->width, across),
                     scale_end(x, picture->width, across), from_y, to_y);
        }
    }
}

static uint32_t middle(uint32_t a, uint32_t b)
{
    return (a & b) + (((a ^ b) >> 1) & 0x7f7f7f);
}

static CursesCell dots_cell(uint32_t upper, uint32_t lower, bool blocks)
{
    if (!blocks) {
        return (CursesCell){ ' ', CURSES_COLOR(7), middle(upper, lower), false };
    }
    if (upper == lower) {
        return (CursesCell){ ' ', CURSES_COLOR(7), upper, false };
    }
    return (CursesCell){ UPPER_HALF, upper, lower, false };
}

CursesPlace curses_put_picture(CursesSheet *sheet, unsigned rows, const CursesPicture *picture,
                               bool blocks)
{
    unsigned down = (picture->down + 1) / 2;
    unsigned left = (sheet->columns - picture->across) / 2, top = (rows - down) / 2;

    for (unsigned y = 0; y < down; y++) {
        const uint32_t *upper = picture->dots + (size_t)2 * y * picture->across;
        const uint32_t *lower = 2 * y + 1 < picture->down ? upper + picture->across : NULL;
        CursesCell *to = sheet->cells + (size_t)(top + y) * sheet->columns + left;

        for (unsigned x = 0; x < picture->across; x++) {
            to[x] = dots_cell(upper[x], lower != NULL ? lower[x] : 0, blocks);
        }
    }
    sheet->cursor_column = sheet->cursor_row = -1;
    return (CursesPlace){ left, top, picture->across, down };
}

void curses_picture_finish(CursesPicture *picture)
{
    g_free(picture->dots);
    *picture = (CursesPicture){ 0 };
}

/* ---- fewer colours ---- */

static unsigned distance(uint32_t a, uint32_t b)
{
    int red = (int)(a >> 16 & 0xff) - (int)(b >> 16 & 0xff);
    int green = (int)(a >> 8 & 0xff) - (int)(b >> 8 & 0xff);
    int blue = (int)(a & 0xff) - (int)(b & 0xff);

    return 2 * red * red + 4 * green * green + 3 * blue * blue;     /* about as eyes weigh them */
}

/* xterm, 256colres.h: a cube of 6 × 6 × 6 from 16 on, 24 greys from 232 on. */
unsigned curses_color_256(uint32_t rgb)
{
    static const uint8_t levels[6] = { 0, 95, 135, 175, 215, 255 };
    unsigned cube = 0, grey, level;
    uint32_t cube_rgb = 0, grey_rgb;

    for (int shift = 16; shift >= 0; shift -= 8) {
        unsigned value = rgb >> shift & 0xff;
        unsigned step = value < 48 ? 0 : value < 115 ? 1 : (value - 35) / 40;

        cube = cube * 6 + step;
        cube_rgb = cube_rgb << 8 | levels[step];
    }
    level = ((rgb >> 16 & 0xff) + (rgb >> 8 & 0xff) + (rgb & 0xff)) / 3;
    grey = level < 8 ? 0 : MIN((level - 3) / 10, 23);
    grey_rgb = (8 + grey * 10) * 0x010101u;
    return distance(rgb, grey_rgb) < distance(rgb, cube_rgb) ? 232 + grey : 16 + cube;
}

unsigned curses_color_16(uint32_t rgb)
{
    static const uint32_t colors[16] = {
        0x000000, 0xaa0000, 0x00aa00, 0xaa5500, 0x0000aa, 0xaa00aa, 0x00aaaa, 0xaaaaaa,
        0x555555, 0xff5555, 0x55ff55, 0xffff55, 0x5555ff, 0xff55ff, 0x55ffff, 0xffffff,
    };
    unsigned best = 0;

    for (unsigned i = 1; i < 16; i++) {
        if (distance(rgb, colors[i]) < distance(rgb, colors[best])) {
            best = i;
        }
    }
    return best;
}
