/*
 * One console in a terminal: what of it is seen, the status line below it, and where clicks go.
 *
 * Pure: any thread, one at a time.
 */
#pragma once

#include "curses_cells.h"
#include "curses_keys.h"

/* What a console shows, copied. */
typedef struct CursesFrame {
    bool is_text;
    ConsoleText text;                   /* cells: the buffer below */
    uint32_t *cells;
    size_t n_cells;                     /* as many as fit */
    Surface *picture;                   /* NULL: none yet */
    ConsoleRect changed;                /* of the picture since the last frame; may be empty */
    bool other;                         /* another console's than the last frame */
    char *status;                       /* UTF-8 */
} CursesFrame;
void curses_frame_finish(CursesFrame *frame);

typedef struct CursesView {
    /* the owner's */
    const CodePage *page;
    bool blocks;                        /* the terminal can show half blocks */
    char *notice;                       /* in the status line instead of its hint; NULL: none */
    /* its own */
    CursesSheet sheet;
    CursesPan pan;
    CursesPicture picture;
    CursesPlace place;
    unsigned width, height;             /* pixels of the screen, for the pointer */
    bool pans;                          /* it is larger than the terminal */
    bool status_hidden;
    int cursor_column, cursor_row;      /* when the pan last followed it */
} CursesView;

/* Fills view->sheet, of that size. */
void curses_view_draw(CursesView *view, const CursesFrame *frame, unsigned columns, unsigned rows,
                      CellShape shape);
/* Keys that are the view's: Alt-0, and Alt with Page Up and its like while the screen pans. */
bool curses_view_key(CursesView *view, const CursesInput *input);
/* The pixel below a cell of the terminal; false: it is beside the screen. */
bool curses_view_locate(const CursesView *view, unsigned column, unsigned row, unsigned *x,
                        unsigned *y);
void curses_view_finish(CursesView *view);
