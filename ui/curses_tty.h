/*
 * The terminal: its modes, and that it is as it was after every kind of end.
 *
 * Close, exit(), a fatal signal and a stop give it back; going on after a stop takes it again.  What
 * the process writes to standard error while the terminal shows a picture is kept, if it would go to
 * that terminal, and written when the terminal has been given back.
 *
 * One per process.  Main thread, where nothing else is said.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

#include "curses_cells.h"

/* Standard input and output are a terminal, and this process may use it. */
bool curses_tty_check(GError **error);
/* `enter` and `leave` are written to take it and to give it back; they stay while it is open. */
bool curses_tty_open(const char *enter, const char *leave, GError **error);
void curses_tty_close(void);                /* may be called twice */

/* ---- the thread that draws ---- */
int curses_tty_input(void);                 /* never blocks */
int curses_tty_output(void);
int curses_tty_errors(void);                /* readable: something was written there; or -1 */
int curses_tty_wake(void);                  /* an eventfd; going on after a stop rings it */
void curses_tty_ring(void);                 /* any thread */
bool curses_tty_was_stopped(void);          /* since it was asked last */
/* Keeps what stands there; the last whole line of it, or NULL.  New string. */
char *curses_tty_keep_errors(void);
void curses_tty_size(unsigned *columns, unsigned *rows, CellShape *shape);
