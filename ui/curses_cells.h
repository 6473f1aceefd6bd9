/*
 * What a screen looks like in a terminal's cells: guest text through a code page, pictures as half
 * blocks.  Pure functions: any thread, no terminal.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "console.h"

/* A colour: 0x00RRGGBB, or one of the terminal's own 16 (black, red, green, … as ANSI has them). */
#define CURSES_INDEXED      0x01000000u
#define CURSES_COLOR(n)     (CURSES_INDEXED | (n))

typedef struct CursesCell {
    uint32_t code;                      /* Unicode; never of no or of double width */
    uint32_t fg, bg;
    bool blink;
} CursesCell;

typedef struct CursesSheet {
    unsigned columns, rows;
    CursesCell *cells;                  /* row after row */
    int cursor_column, cursor_row;      /* -1: hidden */
} CursesSheet;

#define CURSES_SHEET_MAX 1000           /* columns and rows; a terminal may claim to have more */
/* Empty, of that size at most. */
void curses_sheet_resize(CursesSheet *sheet, unsigned columns, unsigned rows);
void curses_sheet_clear(CursesSheet *sheet);
void curses_sheet_finish(CursesSheet *sheet);
/* Of UTF-8, from the column on, up to the right edge; the column behind it. */
unsigned curses_sheet_write(CursesSheet *sheet, unsigned column, unsigned row, const char *text,
                            uint32_t fg, uint32_t bg);

/* ---- guest text ---- */
typedef struct CodePage { uint32_t code[256]; } CodePage;

/*
 * Bytes to what a VGA shows for them: `charset` is a name of iconv's, control codes are the symbols
 * the adapter's font has.  False: there is no such character set.
 */
bool code_page_load(CodePage *page, const char *charset, GError **error);

/* Where on the sheet the screen begins, and which of its cells comes first. */
typedef struct CursesPan { unsigned column, row; } CursesPan;
/* Moves as little as it must for the cursor to be seen, and never past an edge. */
void curses_pan_follow(CursesPan *pan, const ConsoleText *text, unsigned columns, unsigned rows);

/* The sheet's cells a screen was put on. */
typedef struct CursesPlace { unsigned left, top, across, down; } CursesPlace;
/* Onto the first `rows` rows of the sheet, centred where the sheet is larger. */
CursesPlace curses_put_text(CursesSheet *sheet, unsigned rows, const ConsoleText *text,
                            const CodePage *page, const CursesPan *pan);

/* ---- pictures ---- */
/* A picture made to fit, two of its dots in each cell, one above the other. */
typedef struct CursesPicture {
    unsigned width, height;             /* of the surface it was made for */
    unsigned across, down;              /* dots: columns, and twice the rows */
    uint32_t *dots;
} CursesPicture;

/* A cell's shape, from what the terminal says of its pixels; { 1, 2 } if it says nothing. */
typedef struct CellShape { unsigned width, height; } CellShape;

/* The largest of the surface's shape in columns × rows cells; true: it is not as it was. */
bool curses_picture_fit(CursesPicture *picture, unsigned width, unsigned height, unsigned columns,
                        unsigned rows, CellShape shape);
/* Brings the dots up to date where the surface changed.  `pixels` as in a Surface. */
void curses_picture_scale(CursesPicture *picture, const uint32_t *pixels, const ConsoleRect *rect);
/* `blocks`: the terminal can show half blocks; else each cell is one even dot. */
CursesPlace curses_put_picture(CursesSheet *sheet, unsigned rows, const CursesPicture *picture,
                               bool blocks);
void curses_picture_finish(CursesPicture *picture);

/* ---- fewer colours ---- */
/* The nearest of the 256 xterm has beside the 16 that differ with every terminal: 16 to 255. */
unsigned curses_color_256(uint32_t rgb);
unsigned curses_color_16(uint32_t rgb);             /* of VGA's, by ANSI's numbers */
