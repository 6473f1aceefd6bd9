/* Text as the cells of a terminal. */
#include "screen_text.h"

#include <stdbool.h>
#include <string.h>

#define TAB_WIDTH 8

/* ECMA-48: a control sequence is ESC [, parameters, and a final byte from @ to ~. */
static size_t escape_length(const char *text, size_t len)
{
    size_t n = 2;

    if (len < 2 || text[1] != '[') {
        return 1;
    }
    while (n < len && (text[n] < '@' || text[n] > '~')) {
        n++;
    }
    return MIN(n + 1, len);
}

/* Bytes of what stands at `text`, and how many cells it takes from column `at` on. */
static size_t glyph_length(const char *text, size_t len, unsigned at, unsigned *width)
{
    unsigned char first = *text;
    size_t n = 1;

    *width = first >= 0x20 && first != 0x7f;
    if (first == '\t') {
        *width = TAB_WIDTH - at % TAB_WIDTH;
    } else if (first == 0x1b) {
        return escape_length(text, len);
    } else if (first >= 0xc0) {
        while (n < MIN(len, 4) && ((unsigned char)text[n] & 0xc0) == 0x80) {
            n++;
        }
    }
    return n;
}

size_t screen_text_fit(const char *text, size_t len, unsigned columns, unsigned rows)
{
    unsigned column = 0, row = 0;
    size_t at = 0;

    while (at < len) {
        unsigned width;
        size_t n = glyph_length(text + at, len - at, column, &width);

        if (text[at] != '\n' && width > 0 && column > 0 && column + width > columns) {
            column = 0;
            if (++row >= rows) {
                return at;
            }
        }
        column += width;
        at += n;
        if (text[at - 1] == '\n') {
            column = 0;
            if (++row >= rows) {
                return at;
            }
        }
    }
    return len;
}

/* ---- pictures ---- */

void screen_view_init(ScreenView *view)
{
    *view = (ScreenView){ .cells = g_array_new(FALSE, TRUE, sizeof(uint32_t)) };
}

void screen_view_finish(ScreenView *view)
{
    g_array_unref(view->cells);
    view->cells = NULL;
}

static void put_cell(uint32_t *row, unsigned column, const char *bytes, size_t n)
{
    row[column] = 0;
    memcpy(&row[column], bytes, n);
}

/* One line from *text into a row of blanks; *text is behind its end then. */
static void draw_line(const char **text, uint32_t *row, unsigned columns)
{
    unsigned column = 0;

    while (**text != '\0' && **text != '\n') {
        unsigned width;
        size_t n = glyph_length(*text, strlen(*text), column, &width);

        if (width == 1 && column < columns) {
            put_cell(row, column, *text, n);
        }
        column += MIN(width, columns);
        *text += n;
    }
    *text += **text == '\n';
}

static unsigned count_lines(const char *text)
{
    unsigned n = 0;

    for (; *text != '\0'; text++) {
        n += *text == '\n' || text[1] == '\0';
    }
    return n;
}

/* The title, an empty row, the text; the last row tells how much has found no room. */
static void draw(uint32_t *cells, unsigned rows, unsigned columns, const char *title,
                 const char *text)
{
    for (size_t i = 0; i < (size_t)rows * columns; i++) {
        put_cell(cells, i, " ", 1);
    }
    draw_line(&title, cells, columns);
    for (unsigned row = 2; row < rows && *text != '\0'; row++) {
        unsigned left = count_lines(text);
        g_autofree char *more = g_strdup_printf("... %u more lines", left);
        const char *end = more;
        bool full = row == rows - 1 && left > 1;

        draw_line(full ? &end : &text, cells + (size_t)row * columns, columns);
    }
}

static void append_row(GString *out, const uint32_t *row, const uint32_t *before, unsigned columns)
{
    unsigned last = columns;
    bool reverse = false;
    uint32_t blank = 0;

    put_cell(&blank, 0, " ", 1);
    while (last > 0 && row[last - 1] == blank && (before == NULL || before[last - 1] == blank)) {
        last--;
    }
    for (unsigned i = 0; i < last; i++) {
        bool changed = before != NULL && row[i] != before[i];

        if (changed != reverse) {
            g_string_append(out, changed ? "\033[7m" : "\033[27m");
            reverse = changed;
        }
        g_string_append_len(out, (const char *)&row[i], strnlen((const char *)&row[i], 4));
    }
    g_string_append_printf(out, "%s\033[K", reverse ? "\033[27m" : "");
}

char *screen_view_paint(ScreenView *view, const char *title, const char *text, unsigned rows,
                        unsigned columns)
{
    bool same = view->rows == rows && view->columns == columns;
    GArray *cells = g_array_sized_new(FALSE, FALSE, sizeof(uint32_t), rows * columns);
    GString *out = g_string_new("\033[H");

    g_array_set_size(cells, rows * columns);
    draw((uint32_t *)cells->data, rows, columns, title, text);
    for (unsigned row = 0; row < rows; row++) {
        const uint32_t *before = (const uint32_t *)view->cells->data + (size_t)row * columns;

        append_row(out, (const uint32_t *)cells->data + (size_t)row * columns,
                   same && row > 0 ? before : NULL, columns);
        g_string_append(out, row + 1 < rows ? "\r\n" : "\033[J");
    }
    g_array_unref(view->cells);
    *view = (ScreenView){ rows, columns, cells };
    return g_string_free(out, FALSE);
}
