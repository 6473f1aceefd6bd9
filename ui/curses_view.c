/* A console and its status line on a sheet. */
#include "curses_view.h"

#include <string.h>

#include "keysyms.h"

#define STATUS_FG CURSES_COLOR(0)
#define STATUS_BG CURSES_COLOR(7)
enum { CHARACTER_WIDTH = 8, CHARACTER_HEIGHT = 16 };        /* pixels, as a pointer counts them */
enum { ROWS_WITHOUT_STATUS = 3 };

void curses_frame_finish(CursesFrame *frame)
{
    g_free(frame->cells);
    g_free(frame->status);
    if (frame->picture != NULL) {
        surface_unref(frame->picture);
    }
    *frame = (CursesFrame){ 0 };
}

void curses_view_finish(CursesView *view)
{
    curses_sheet_finish(&view->sheet);
    curses_picture_finish(&view->picture);
    g_clear_pointer(&view->notice, g_free);
}

/* ---- drawing ---- */

/* The user may have moved away from the cursor; it calls back when it moves itself. */
static void follow_cursor(CursesView *view, const ConsoleText *text, unsigned rows)
{
    ConsoleText quiet = *text;

    if (text->cursor_column == view->cursor_column && text->cursor_row == view->cursor_row) {
        quiet.cursor_column = quiet.cursor_row = -1;
    }
    curses_pan_follow(&view->pan, &quiet, view->sheet.columns, rows);
    view->cursor_column = text->cursor_column;
    view->cursor_row = text->cursor_row;
}

static void draw_text(CursesView *view, const ConsoleText *text, unsigned rows)
{
    view->pans = text->columns > view->sheet.columns || text->rows > rows;
    view->width = text->columns * CHARACTER_WIDTH;
    view->height = text->rows * CHARACTER_HEIGHT;
    follow_cursor(view, text, rows);
    view->place = curses_put_text(&view->sheet, rows, text, view->page, &view->pan);
}

static void draw_picture(CursesView *view, const CursesFrame *frame, unsigned rows, CellShape shape)
{
    const Surface *surface = frame->picture;
    ConsoleRect all = { 0, 0, surface->width, surface->height };
    bool fresh = curses_picture_fit(&view->picture, surface->width, surface->height,
                                    view->sheet.columns, rows, shape);

    view->pans = false;
    view->width = surface->width;
    view->height = surface->height;
    if (fresh || frame->changed.width > 0) {
        curses_picture_scale(&view->picture, surface->pixels, fresh ? &all : &frame->changed);
    }
    view->place = curses_put_picture(&view->sheet, rows, &view->picture, view->blocks);
}

/* What stands at the right end, from long to short; the last of a list may cover the status. */
static const char *const move_hints[] = {
    "Alt-PgUp, PgDn, Home, End: move  Alt-0: hide this line", "Alt-PgUp/PgDn/Home/End: move", NULL
};
static const char *const hints[] = {
    "Alt-1…9: screens  Alt-0: hide this line", "Alt-1…9, Alt-0", "", NULL
};

static const char *choose_hint(const CursesView *view, unsigned room)
{
    const char *const *hint = view->pans ? move_hints : hints;

    while (hint[1] != NULL && g_utf8_strlen(*hint, -1) > room) {
        hint++;
    }
    return *hint;
}

static void draw_status(CursesView *view, const char *status)
{
    CursesSheet *sheet = &view->sheet;
    unsigned row = sheet->rows - 1, end, length;
    const char *hint;

    for (unsigned i = 0; i < sheet->columns; i++) {
        sheet->cells[(size_t)row * sheet->columns + i] =
            (CursesCell){ ' ', STATUS_FG, STATUS_BG, false };
    }
    end = curses_sheet_write(sheet, 1, row, status, STATUS_FG, STATUS_BG) + 2;
    hint = view->notice != NULL ? view->notice
                                : choose_hint(view, sheet->columns - MIN(end, sheet->columns));
    length = g_utf8_strlen(hint, -1) + 1;
    curses_sheet_write(sheet, sheet->columns - MIN(length, sheet->columns), row, hint,
                       view->notice != NULL ? CURSES_COLOR(1) : STATUS_FG, STATUS_BG);
}

void curses_view_draw(CursesView *view, const CursesFrame *frame, unsigned columns, unsigned rows,
                      CellShape shape)
{
    bool status = !view->status_hidden && rows >= ROWS_WITHOUT_STATUS;

    if (view->sheet.columns != columns || view->sheet.rows != rows) {
        curses_sheet_resize(&view->sheet, columns, rows);
    } else {
        curses_sheet_clear(&view->sheet);
    }
    rows = view->sheet.rows - status;
    if (frame->other) {
        view->pan = (CursesPan){ 0 };
        view->cursor_column = view->cursor_row = -1;
    }
    if (frame->is_text && frame->text.columns > 0 && frame->text.rows > 0) {
        draw_text(view, &frame->text, rows);
        curses_picture_finish(&view->picture);      /* it misses what changes meanwhile */
    } else if (frame->picture != NULL) {
        draw_picture(view, frame, rows, shape);
    }
    if (status) {
        draw_status(view, frame->status != NULL ? frame->status : "");
    }
}

/* ---- keys and clicks ---- */

bool curses_view_key(CursesView *view, const CursesInput *input)
{
    unsigned down = view->place.down / 2, across = view->place.across / 2;

    if (input->kind == CURSES_INPUT_DIGIT && input->digit == 0) {
        view->status_hidden = !view->status_hidden;
        return true;
    }
    if (!view->pans || input->kind != CURSES_INPUT_KEY || !input->alt || input->ctrl) {
        return false;
    }
    switch (input->keysym) {            /* past the end is brought back when it is drawn */
    case KEYSYM_PAGE_UP:
        view->pan.row -= MIN(view->pan.row, down);
        return true;
    case KEYSYM_PAGE_DOWN:
        view->pan.row += down;
        return true;
    case KEYSYM_HOME:
        view->pan.column -= MIN(view->pan.column, across);
        return true;
    case KEYSYM_END:
        view->pan.column += across;
        return true;
    default:
        return false;
    }
}

bool curses_view_locate(const CursesView *view, unsigned column, unsigned row, unsigned *x,
                        unsigned *y)
{
    const CursesPlace *place = &view->place;

    if (column < place->left || row < place->top || column - place->left >= place->across ||
        row - place->top >= place->down) {
        return false;
    }
    column -= place->left;
    row -= place->top;
    if (view->picture.dots != NULL) {
        *x = (2 * column + 1) * (uint64_t)view->width / (2 * place->across);
        *y = (2 * row + 1) * (uint64_t)view->height / (2 * place->down);
    } else {
        *x = (view->pan.column + column) * CHARACTER_WIDTH + CHARACTER_WIDTH / 2;
        *y = (view->pan.row + row) * CHARACTER_HEIGHT + CHARACTER_HEIGHT / 2;
    }
    return true;
}
