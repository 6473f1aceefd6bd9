/*
 * A terminal: what a stream of bytes leaves on a screen of characters.
 *
 * UTF-8 with the control sequences of a VT100 and the common ones of a VT220 and of xterm: ECMA-48;
 * DEC "VT100 User Guide" and "VT220 Programmer Reference Manual"; "XTerm Control Sequences".
 * Colors are a VGA's sixteen, others become the nearest of them; an underlined character is cyan,
 * as on a VGA.  A character as wide as two shows as U+FFFD and a space.  Skipped: strings (titles,
 * sixels), double-width lines, reports of a mouse, the controls 80 to 9f.
 *
 * The stream is hostile: all it can do is change cells of the screen and ask for short answers.
 *
 * No lock of its own; a terminal is used by one thread at a time.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TERMINAL_COLUMNS_MAX = 1024, TERMINAL_ROWS_MAX = 512 };
enum { TERMINAL_KEPT_ROWS = 1000 };     /* that have scrolled away and can be looked at */
enum { TERMINAL_KEY_MAX = 8 };          /* bytes a key sends at most */

typedef struct Terminal Terminal;

/* What the terminal says when it is asked where its cursor is and what it can do. */
typedef void (*TerminalAnswerFn)(void *opaque, const char *text, size_t len);

Terminal *terminal_new(unsigned columns, unsigned rows, TerminalAnswerFn answer, void *opaque);
void terminal_free(Terminal *terminal);
void terminal_write(Terminal *terminal, const uint8_t *bytes, size_t len);
/* The bytes a character or CONSOLE_KEY_… sends; 0: it sends none. */
size_t terminal_key(const Terminal *terminal, uint32_t code, char bytes[TERMINAL_KEY_MAX]);

/* Looks so many rows further back (> 0) or forth; a large number: as far as it goes. */
void terminal_look_back(Terminal *terminal, int rows);
/* Copies the rows looked at: columns × rows cells, as ConsoleText has them. */
void terminal_view(const Terminal *terminal, uint32_t *cells);
/* False: it is off, or not among the rows looked at. */
bool terminal_cursor(const Terminal *terminal, unsigned *column, unsigned *row);
