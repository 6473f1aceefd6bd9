/* Controls (ECMA-48), escape and control sequences: a function for each, and the tables of them. */
#include "terminal_sequences.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

static void answer(Terminal *t, const char *text)
{
    t->answer(t->opaque, text, strlen(text));
}

/* ---- parameters ---- */

/* As given; 0 if it was not. */
static unsigned param(const Terminal *t, unsigned n)
{
    return n < t->n_params ? t->params[n] : 0;
}

/* How many: 0 and nothing mean 1. */
static unsigned count(const Terminal *t)
{
    return MAX(param(t, 0), 1);
}

/* A place that counts from 1, as one that counts from 0. */
static unsigned place(const Terminal *t, unsigned n)
{
    return MAX(param(t, n), 1) - 1;
}

/* ---- controls (ECMA-48, C0) ---- */

static void backspace(Terminal *t)
{
    TerminalCursor *cursor = &t->screen.cursor;

    screen_move(&t->screen, cursor->column - (cursor->column > 0), cursor->row);
}

static void tab(Terminal *t)
{
    screen_tab(&t->screen, 1);
}

static void carriage_return(Terminal *t)
{
    screen_move(&t->screen, 0, t->screen.cursor.row);
}

static void line_feed(Terminal *t)
{
    screen_line_feed(&t->screen);
    if (t->screen.newline) {
        carriage_return(t);
    }
}

static void shift_out(Terminal *t)
{
    t->screen.cursor.charset = 1;
}

static void shift_in(Terminal *t)
{
    t->screen.cursor.charset = 0;
}

static void cancel(Terminal *t)
{
    t->state = STATE_TEXT;
}

static void escape(Terminal *t)
{
    t->state = STATE_ESCAPE;
    t->prefix = t->intermediate = 0;
    t->n_params = t->colons = 0;
    memset(t->params, 0, sizeof(t->params));
}

const TerminalFn terminal_controls[32] = {
    [0x08] = backspace, [0x09] = tab, [0x0a] = line_feed, [0x0b] = line_feed, [0x0c] = line_feed,
    [0x0d] = carriage_return, [0x0e] = shift_out, [0x0f] = shift_in, [0x18] = cancel,
    [0x1a] = cancel, [0x1b] = escape,
};

/* ---- ESC and one more ---- */

static void save_cursor(Terminal *t)
{
    screen_save_cursor(&t->screen);
}

static void restore_cursor(Terminal *t)
{
    screen_restore_cursor(&t->screen);
}

static void index_down(Terminal *t)
{
    screen_line_feed(&t->screen);
}

static void reverse_index(Terminal *t)
{
    screen_reverse_feed(&t->screen);
}

static void next_line(Terminal *t)
{
    screen_line_feed(&t->screen);
    carriage_return(t);
}

static void set_tab(Terminal *t)
{
    t->screen.tabs[t->screen.cursor.column] = true;
}

static void full_reset(Terminal *t)
{
    screen_reset(&t->screen);
}

/* DECALN: a screen of Es, for who adjusts the picture tube. */
static void alignment(Terminal *t)
{
    TerminalScreen *s = &t->screen;

    screen_soft_reset(s);
    for (unsigned row = 0; row < s->rows; row++) {
        screen_move(s, 0, row);
        for (unsigned column = 0; column < s->columns; column++) {
            screen_put(s, 'E');
        }
    }
    screen_move(s, 0, 0);
}

static void begin_csi(Terminal *t)
{
    t->state = STATE_CSI;
}

static void begin_string(Terminal *t)
{
    t->state = STATE_STRING;
}

/* VT102: what DECID and primary device attributes answer. */
static void identify(Terminal *t)
{
    if (param(t, 0) == 0) {
        answer(t, "\033[?6c");
    }
}

#define CHARSET_FN(name_, set_, charset_) \
    static void name_(Terminal *t) \
    { \
        t->screen.cursor.charsets[set_] = charset_; \
    }
CHARSET_FN(g0_ascii, 0, CHARSET_ASCII)
CHARSET_FN(g0_lines, 0, CHARSET_LINES)
CHARSET_FN(g1_ascii, 1, CHARSET_ASCII)
CHARSET_FN(g1_lines, 1, CHARSET_LINES)

const TerminalSequence terminal_escapes[] = {
    { 0, 0, '7', save_cursor }, { 0, 0, '8', restore_cursor },
    { 0, 0, 'D', index_down }, { 0, 0, 'E', next_line }, { 0, 0, 'H', set_tab },
    { 0, 0, 'M', reverse_index }, { 0, 0, 'Z', identify }, { 0, 0, 'c', full_reset },
    { 0, 0, '[', begin_csi },
    { 0, 0, 'P', begin_string }, { 0, 0, 'X', begin_string }, { 0, 0, ']', begin_string },
    { 0, 0, '^', begin_string }, { 0, 0, '_', begin_string },
    { 0, '#', '8', alignment },
    { 0, '(', '0', g0_lines }, { 0, '(', 'A', g0_ascii }, { 0, '(', 'B', g0_ascii },
    { 0, ')', '0', g1_lines }, { 0, ')', 'A', g1_ascii }, { 0, ')', 'B', g1_ascii },
    {}
};

/* ---- CSI: the cursor ---- */

static void cursor_up(Terminal *t)
{
    screen_move_rows(&t->screen, -(int)count(t));
}

static void cursor_down(Terminal *t)
{
    screen_move_rows(&t->screen, count(t));
}

static void cursor_right(Terminal *t)
{
    screen_move(&t->screen, t->screen.cursor.column + count(t), t->screen.cursor.row);
}

static void cursor_left(Terminal *t)
{
    unsigned column = t->screen.cursor.column;

    screen_move(&t->screen, column - MIN(count(t), column), t->screen.cursor.row);
}

static void cursor_next_line(Terminal *t)
{
    cursor_down(t);
    carriage_return(t);
}

static void cursor_previous_line(Terminal *t)
{
    cursor_up(t);
    carriage_return(t);
}

static void cursor_column(Terminal *t)
{
    screen_move(&t->screen, place(t, 0), t->screen.cursor.row);
}

static void cursor_row(Terminal *t)
{
    screen_move_origin(&t->screen, t->screen.cursor.column, place(t, 0));
}

static void cursor_position(Terminal *t)
{
    screen_move_origin(&t->screen, place(t, 1), place(t, 0));
}

static void tabs_forward(Terminal *t)
{
    screen_tab(&t->screen, count(t));
}

static void tabs_back(Terminal *t)
{
    screen_tab(&t->screen, -(int)count(t));
}

static void clear_tabs(Terminal *t)
{
    if (param(t, 0) == 0) {
        t->screen.tabs[t->screen.cursor.column] = false;
    } else if (param(t, 0) == 3) {
        memset(t->screen.tabs, 0, t->screen.columns * sizeof(*t->screen.tabs));
    }
}

static void margins(Terminal *t)
{
    TerminalScreen *s = &t->screen;
    unsigned first = place(t, 0), last = param(t, 1) == 0 ? s->rows : param(t, 1);

    last = MIN(last, s->rows) - 1;
    if (first < last) {
        s->first = first;
        s->last = last;
        screen_move_origin(s, 0, 0);
    }
}

/* ---- CSI: cells and rows ---- */

/* 0: from the cursor on, 1: up to the cursor, 2: all of it. */
static void erase_in_line(Terminal *t)
{
    TerminalScreen *s = &t->screen;
    unsigned column = s->cursor.column, row = s->cursor.row;

    s->cursor.wraps = false;
    switch (param(t, 0)) {
    case 0:
        screen_erase(s, row, column, s->columns);
        break;
    case 1:
        screen_erase(s, row, 0, column + 1);
        break;
    case 2:
        screen_erase(s, row, 0, s->columns);
        break;
    }
}

static void erase_in_display(Terminal *t)
{
    TerminalScreen *s = &t->screen;
    unsigned row = s->cursor.row;

    switch (param(t, 0)) {
    case 0:
        screen_erase_rows(s, row + 1, s->rows);
        erase_in_line(t);
        break;
    case 1:
        screen_erase_rows(s, 0, row);
        erase_in_line(t);
        break;
    case 2:
        screen_erase_rows(s, 0, s->rows);
        break;
    case 3:
        screen_forget_kept(s);
        break;
    }
}

static void erase_cells(Terminal *t)
{
    screen_erase(&t->screen, t->screen.cursor.row, t->screen.cursor.column, count(t));
}

static void insert_cells(Terminal *t)
{
    screen_insert_cells(&t->screen, count(t));
}

static void delete_cells(Terminal *t)
{
    screen_delete_cells(&t->screen, count(t));
}

/* Rows from the cursor's on, which must be one that scrolls. */
static void shift_rows(Terminal *t, int n)
{
    TerminalScreen *s = &t->screen;

    if (s->cursor.row >= s->first && s->cursor.row <= s->last) {
        screen_scroll(s, s->cursor.row, n);
        carriage_return(t);
    }
}

static void insert_rows(Terminal *t)
{
    shift_rows(t, -(int)count(t));
}

static void delete_rows(Terminal *t)
{
    shift_rows(t, count(t));
}

static void scroll_up(Terminal *t)
{
    screen_scroll(&t->screen, t->screen.first, count(t));
}

static void scroll_down(Terminal *t)
{
    screen_scroll(&t->screen, t->screen.first, -(int)count(t));
}

/* No more than fill the screen: the rest could only be the same again. */
static void repeat(Terminal *t)
{
    unsigned n = MIN(count(t), t->screen.columns * t->screen.rows);

    while (t->last_put != 0 && n-- > 0) {
        screen_put(&t->screen, t->last_put);
    }
}

/* ---- CSI m: the pen ---- */

static void select_graphic_rendition(Terminal *t)
{
    pen_select(&t->screen.cursor.pen, t->params, MAX(t->n_params, 1), t->colons);
}

/* ---- CSI h and l: modes ---- */

static void origin_mode(Terminal *t, bool on)
{
    t->screen.cursor.origin = on;
    screen_move_origin(&t->screen, 0, 0);
}

static void alternate_screen(Terminal *t, bool on)
{
    screen_use_alternate(&t->screen, on);
}

static void alternate_screen_clear(Terminal *t, bool on)
{
    bool was_on = t->screen.now == &t->screen.both[1];

    if (was_on && !on) {
        screen_erase_rows(&t->screen, 0, t->screen.rows);
    }
    screen_use_alternate(&t->screen, on);
}

static void cursor_kept(Terminal *t, bool on)
{
    if (on) {
        save_cursor(t);
    } else {
        restore_cursor(t);
    }
}

static void alternate_screen_all(Terminal *t, bool on)
{
    bool was_on = t->screen.now == &t->screen.both[1];

    if (on && !was_on) {
        save_cursor(t);
        screen_use_alternate(&t->screen, true);
        screen_erase_rows(&t->screen, 0, t->screen.rows);
    } else if (!on && was_on) {
        screen_use_alternate(&t->screen, false);
        restore_cursor(t);
    }
}

#define NO_FIELD    0                       /* the screen's first field is no mode */

static const struct {
    char prefix;
    unsigned number;
    size_t field;                           /* a bool of the screen */
    void (*set)(Terminal *t, bool on);
} modes[] = {
    { 0, 4, offsetof(TerminalScreen, insert) }, { 0, 20, offsetof(TerminalScreen, newline) },
    { '?', 1, offsetof(TerminalScreen, cursor_keys) }, { '?', 6, NO_FIELD, origin_mode },
    { '?', 7, offsetof(TerminalScreen, autowrap) },
    { '?', 25, offsetof(TerminalScreen, cursor_shown) },
    { '?', 47, NO_FIELD, alternate_screen }, { '?', 1047, NO_FIELD, alternate_screen_clear },
    { '?', 1048, NO_FIELD, cursor_kept }, { '?', 1049, NO_FIELD, alternate_screen_all },
};

static void set_mode(Terminal *t, unsigned number, bool on)
{
    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (modes[i].prefix != t->prefix || modes[i].number != number) {
            continue;
        }
        if (modes[i].set != NULL) {
            modes[i].set(t, on);
        } else {
            *(bool *)((uint8_t *)&t->screen + modes[i].field) = on;
        }
    }
}

static void set_modes(Terminal *t)
{
    for (unsigned n = 0; n < t->n_params; n++) {
        set_mode(t, param(t, n), true);
    }
}

static void reset_modes(Terminal *t)
{
    for (unsigned n = 0; n < t->n_params; n++) {
        set_mode(t, param(t, n), false);
    }
}

static void soft_reset(Terminal *t)
{
    screen_soft_reset(&t->screen);
}

/* ---- CSI n, c: answers ---- */

static void report_status(Terminal *t)
{
    const TerminalCursor *cursor = &t->screen.cursor;
    unsigned above = cursor->origin ? MIN(t->screen.first, cursor->row) : 0;
    char text[32];

    if (param(t, 0) == 5) {
        answer(t, "\033[0n");
    } else if (param(t, 0) == 6) {
        snprintf(text, sizeof(text), "\033[%u;%uR", cursor->row - above + 1, cursor->column + 1);
        answer(t, text);
    }
}

/* Secondary device attributes: a VT100, no firmware version, no options. */
static void identify_more(Terminal *t)
{
    if (param(t, 0) == 0) {
        answer(t, "\033[>0;0;0c");
    }
}

const TerminalSequence terminal_sequences[] = {
    { 0, 0, '@', insert_cells }, { 0, 0, 'A', cursor_up }, { 0, 0, 'B', cursor_down },
    { 0, 0, 'C', cursor_right }, { 0, 0, 'D', cursor_left }, { 0, 0, 'E', cursor_next_line },
    { 0, 0, 'F', cursor_previous_line }, { 0, 0, 'G', cursor_column },
    { 0, 0, 'H', cursor_position }, { 0, 0, 'I', tabs_forward }, { 0, 0, 'J', erase_in_display },
    { 0, 0, 'K', erase_in_line }, { 0, 0, 'L', insert_rows }, { 0, 0, 'M', delete_rows },
    { 0, 0, 'P', delete_cells }, { 0, 0, 'S', scroll_up }, { 0, 0, 'T', scroll_down },
    { 0, 0, 'X', erase_cells }, { 0, 0, 'Z', tabs_back }, { 0, 0, '`', cursor_column },
    { 0, 0, 'a', cursor_right }, { 0, 0, 'b', repeat }, { 0, 0, 'c', identify },
    { 0, 0, 'd', cursor_row }, { 0, 0, 'e', cursor_down }, { 0, 0, 'f', cursor_position },
    { 0, 0, 'g', clear_tabs }, { 0, 0, 'h', set_modes }, { 0, 0, 'l', reset_modes },
    { 0, 0, 'm', select_graphic_rendition }, { 0, 0, 'n', report_status }, { 0, 0, 'r', margins },
    { 0, 0, 's', save_cursor }, { 0, 0, 'u', restore_cursor },
    { '>', 0, 'c', identify_more }, { '?', 0, 'h', set_modes }, { '?', 0, 'l', reset_modes },
    { '?', 0, 'J', erase_in_display }, { '?', 0, 'K', erase_in_line },
    { 0, '!', 'p', soft_reset },
    {}
};
