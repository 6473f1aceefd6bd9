/* Rows of cells: writing, erasing, scrolling. */
#include "terminal_screen.h"

#include <glib.h>
#include <string.h>

#include "terminal.h"

#define TAB_WIDTH       8
#define GREY            7
#define CYAN            3
#define BRIGHT          8

static const TerminalPen plain_pen = { .foreground = GREY };

/* ---- cells ---- */

static uint32_t pen_attribute(const TerminalPen *pen)
{
    unsigned front = pen->foreground, ground = pen->background;

    if (pen->underlined && front == GREY) {
        front = CYAN;
    }
    front |= pen->bold ? BRIGHT : 0;
    if (pen->reverse) {
        unsigned was = front;

        front = ground;
        ground = was;
    }
    if (pen->hidden) {
        front = ground;
    }
    return (front | ground << 4) << 24;
}

/* What is erased gets the background of the pen. */
static uint32_t empty_cell(const TerminalScreen *s)
{
    return ' ' | (uint32_t)(GREY | s->cursor.pen.background << 4) << 24;
}

static uint32_t *row_at(const TerminalScreen *s, unsigned row)
{
    return s->now->cells + (size_t)((s->now->top + row) % s->now->total) * s->columns;
}

const uint32_t *screen_row(const TerminalScreen *s, unsigned row)
{
    unsigned at = (s->now->top + s->now->total - s->back + row) % s->now->total;

    return s->now->cells + (size_t)at * s->columns;
}

void screen_erase(TerminalScreen *s, unsigned row, unsigned column, unsigned n)
{
    uint32_t *cells = row_at(s, row), empty = empty_cell(s);
    unsigned end = column + MIN(n, s->columns - column);

    while (column < end) {
        cells[column++] = empty;
    }
}

void screen_erase_rows(TerminalScreen *s, unsigned first, unsigned end)
{
    for (; first < end; first++) {
        screen_erase(s, first, 0, s->columns);
    }
}

void screen_insert_cells(TerminalScreen *s, unsigned n)
{
    uint32_t *cells = row_at(s, s->cursor.row) + s->cursor.column;
    unsigned room = s->columns - s->cursor.column;

    n = MIN(n, room);
    memmove(cells + n, cells, (room - n) * sizeof(*cells));
    screen_erase(s, s->cursor.row, s->cursor.column, n);
    s->cursor.wraps = false;
}

void screen_delete_cells(TerminalScreen *s, unsigned n)
{
    uint32_t *cells = row_at(s, s->cursor.row) + s->cursor.column;
    unsigned room = s->columns - s->cursor.column;

    n = MIN(n, room);
    memmove(cells, cells + n, (room - n) * sizeof(*cells));
    screen_erase(s, s->cursor.row, s->columns - n, n);
    s->cursor.wraps = false;
}

/* ---- rows ---- */

/* The whole screen moves on in its ring; a view of what is kept stays where it is. */
static void keep_rows(TerminalScreen *s, unsigned n)
{
    TerminalRows *now = s->now;

    now->top = (now->top + n) % now->total;
    now->kept = MIN(now->kept + n, now->total - s->rows);
    if (s->back > 0) {
        s->back = MIN(s->back + n, now->kept);
    }
}

static void copy_row(TerminalScreen *s, unsigned to, unsigned from)
{
    memcpy(row_at(s, to), row_at(s, from), s->columns * sizeof(uint32_t));
}

static void scroll_up(TerminalScreen *s, unsigned from, unsigned n)
{
    if (from == 0 && s->last == s->rows - 1) {
        keep_rows(s, n);
    } else {
        for (unsigned row = from; row + n <= s->last; row++) {
            copy_row(s, row, row + n);
        }
    }
    screen_erase_rows(s, s->last + 1 - n, s->last + 1);
}

static void scroll_down(TerminalScreen *s, unsigned from, unsigned n)
{
    for (unsigned row = s->last; row >= from + n; row--) {
        copy_row(s, row, row - n);
    }
    screen_erase_rows(s, from, from + n);
}

void screen_scroll(TerminalScreen *s, unsigned from, int n)
{
    unsigned room = s->last + 1 - from;

    if (n > 0) {
        scroll_up(s, from, MIN((unsigned)n, room));
    } else if (n < 0) {
        scroll_down(s, from, MIN(-(unsigned)n, room));
    }
}

void screen_forget_kept(TerminalScreen *s)
{
    s->now->kept = 0;
    s->back = 0;
}

/* ---- the cursor ---- */

void screen_move(TerminalScreen *s, unsigned column, unsigned row)
{
    s->cursor.column = MIN(column, s->columns - 1);
    s->cursor.row = MIN(row, s->rows - 1);
    s->cursor.wraps = false;
}

void screen_move_origin(TerminalScreen *s, unsigned column, unsigned row)
{
    if (s->cursor.origin) {
        row = MIN(row, s->last - s->first) + s->first;
    }
    screen_move(s, column, row);
}

void screen_move_rows(TerminalScreen *s, int rows)
{
    int row = s->cursor.row, first = 0, last = s->rows - 1;

    if (row >= (int)s->first) {
        first = s->first;
    }
    if (row <= (int)s->last) {
        last = s->last;
    }
    screen_move(s, s->cursor.column, CLAMP(row + rows, first, last));
}

void screen_line_feed(TerminalScreen *s)
{
    if (s->cursor.row == s->last) {
        screen_scroll(s, s->first, 1);
        s->cursor.wraps = false;
    } else {
        screen_move(s, s->cursor.column, s->cursor.row + 1);
    }
}

void screen_reverse_feed(TerminalScreen *s)
{
    if (s->cursor.row == s->first) {
        screen_scroll(s, s->first, -1);
        s->cursor.wraps = false;
    } else if (s->cursor.row > 0) {
        screen_move(s, s->cursor.column, s->cursor.row - 1);
    }
}

void screen_tab(TerminalScreen *s, int tabs)
{
    unsigned column = s->cursor.column;

    for (; tabs > 0 && column < s->columns - 1; tabs--) {
        do {
            column++;
        } while (column < s->columns - 1 && !s->tabs[column]);
    }
    for (; tabs < 0 && column > 0; tabs++) {
        do {
            column--;
        } while (column > 0 && !s->tabs[column]);
    }
    screen_move(s, column, s->cursor.row);
}

void screen_put(TerminalScreen *s, uint32_t code_point)
{
    TerminalCursor *cursor = &s->cursor;

    if (cursor->wraps && s->autowrap) {
        cursor->column = 0;
        screen_line_feed(s);
    }
    if (s->insert) {
        screen_insert_cells(s, 1);
    }
    row_at(s, cursor->row)[cursor->column] = code_point | pen_attribute(&cursor->pen);
    cursor->wraps = cursor->column == s->columns - 1;
    cursor->column += !cursor->wraps;
}

static unsigned which(const TerminalScreen *s)
{
    return s->now == &s->both[1];
}

void screen_save_cursor(TerminalScreen *s)
{
    s->saved[which(s)] = s->cursor;
}

void screen_restore_cursor(TerminalScreen *s)
{
    s->cursor = s->saved[which(s)];
}

void screen_use_alternate(TerminalScreen *s, bool on)
{
    s->now = &s->both[on];
    s->back = 0;
}

/* ---- life ---- */

void screen_soft_reset(TerminalScreen *s)
{
    s->cursor = (TerminalCursor){ .column = s->cursor.column, .row = s->cursor.row,
                                  .pen = plain_pen };
    s->saved[which(s)] = (TerminalCursor){ .pen = plain_pen };
    s->first = 0;
    s->last = s->rows - 1;
    s->autowrap = s->cursor_shown = true;
    s->insert = s->newline = s->cursor_keys = false;
}

void screen_reset(TerminalScreen *s)
{
    for (unsigned i = G_N_ELEMENTS(s->both); i-- > 0;) {
        screen_use_alternate(s, i == 1);
        screen_soft_reset(s);
        screen_erase_rows(s, 0, s->rows);
    }
    screen_move(s, 0, 0);
    for (unsigned column = 0; column < s->columns; column++) {
        s->tabs[column] = column % TAB_WIDTH == 0;
    }
}

void screen_init(TerminalScreen *s, unsigned columns, unsigned rows)
{
    *s = (TerminalScreen){ .columns = columns, .rows = rows };
    for (unsigned i = 0; i < G_N_ELEMENTS(s->both); i++) {
        s->both[i].total = rows + (i == 0 ? TERMINAL_KEPT_ROWS : 0);
        s->both[i].cells = g_new0(uint32_t, (size_t)s->both[i].total * columns);
    }
    s->tabs = g_new0(bool, columns);
    screen_reset(s);
}

void screen_finish(TerminalScreen *s)
{
    g_free(s->both[0].cells);
    g_free(s->both[1].cells);
    g_free(s->tabs);
}
