/* Text as the cells of a terminal: how far it reaches, what changes between two pictures. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How many bytes of `text` fill at most so many rows: up to the end of a row, in the middle of a
 * line where it is wider than the terminal.  At least one row is taken.
 */
size_t screen_text_fit(const char *text, size_t len, unsigned columns, unsigned rows);

/* A picture that is painted again and again. */
typedef struct ScreenView {
    unsigned rows, columns;
    GArray *cells;                          /* uint32_t each: the UTF-8 bytes of a character shown */
} ScreenView;

void screen_view_init(ScreenView *view);
void screen_view_finish(ScreenView *view);
/*
 * The bytes that show `title` and `text` below it, cut at the margins; what differs from the call
 * before stands in reverse.  New string.
 */
char *screen_view_paint(ScreenView *view, const char *title, const char *text, unsigned rows,
                        unsigned columns);
