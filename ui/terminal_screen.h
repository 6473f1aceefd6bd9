/*
 * A terminal's screen: rows of cells, and what control sequences do to them.  For terminal*.c.
 *
 * Rows and columns count from 0.  Numbers may be as large as they like: they are cut to the screen.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Sets of characters: ASCII, and DEC's lines and symbols in the place of the small letters. */
typedef enum TerminalCharset { CHARSET_ASCII, CHARSET_LINES } TerminalCharset;

typedef struct TerminalPen {            /* colors are VGA's */
    uint8_t foreground, background;
    bool bold, underlined, reverse, hidden;
} TerminalPen;

enum { TERMINAL_PARAMS_MAX = 16 };
/* What n > 0 parameters of a CSI m do to it; bits of `colons`: one stands behind a colon. */
void pen_select(TerminalPen *pen, const unsigned *params, unsigned n, uint16_t colons);

/* What DECSC keeps. */
typedef struct TerminalCursor {
    unsigned column, row;
    bool wraps;                         /* the last column is full: the next row comes */
    bool origin;                        /* DECOM: rows count from the top margin */
    TerminalPen pen;
    TerminalCharset charsets[2];        /* G0, G1 */
    unsigned charset;                   /* which of them is in use */
} TerminalCursor;

/* A ring of rows: those of the screen begin at `top`, those kept are before it. */
typedef struct TerminalRows {
    uint32_t *cells;
    unsigned total, top, kept;
} TerminalRows;

typedef struct TerminalScreen {
    unsigned columns, rows;
    TerminalRows both[2], *now;         /* the ordinary screen, and the alternate one */
    TerminalCursor cursor, saved[2];
    unsigned first, last;               /* margins: rows that scroll */
    unsigned back;                      /* rows looked back */
    bool *tabs;
    bool autowrap, insert, newline, cursor_shown, cursor_keys;      /* modes */
} TerminalScreen;

void screen_init(TerminalScreen *s, unsigned columns, unsigned rows);
void screen_finish(TerminalScreen *s);
void screen_reset(TerminalScreen *s);   /* RIS: as at first, kept rows stay */
void screen_soft_reset(TerminalScreen *s);      /* DECSTR: modes, margins and pen */

/* A row as it is looked at. */
const uint32_t *screen_row(const TerminalScreen *s, unsigned row);
void screen_forget_kept(TerminalScreen *s);

void screen_put(TerminalScreen *s, uint32_t code_point);
void screen_move(TerminalScreen *s, unsigned column, unsigned row);     /* past margins */
void screen_move_origin(TerminalScreen *s, unsigned column, unsigned row);      /* by DECOM */
void screen_move_rows(TerminalScreen *s, int rows);             /* stops at a margin */
void screen_line_feed(TerminalScreen *s);
void screen_reverse_feed(TerminalScreen *s);
void screen_tab(TerminalScreen *s, int tabs);                   /* < 0: back */

void screen_erase(TerminalScreen *s, unsigned row, unsigned column, unsigned n);    /* in a row */
void screen_erase_rows(TerminalScreen *s, unsigned first, unsigned end);
void screen_insert_cells(TerminalScreen *s, unsigned n);
void screen_delete_cells(TerminalScreen *s, unsigned n);
/* Rows from..last margin move; empty ones come in. n < 0: down. */
void screen_scroll(TerminalScreen *s, unsigned from, int n);

void screen_save_cursor(TerminalScreen *s);
void screen_restore_cursor(TerminalScreen *s);
void screen_use_alternate(TerminalScreen *s, bool on);
