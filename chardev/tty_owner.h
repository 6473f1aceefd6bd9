/*
 * The terminal on standard input and output has one user at a time: the stdio back end, or a
 * display that draws on it.  Main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* `owner` is kept: what an error calls it.  False: somebody else has it. */
bool tty_claim(const char *owner, GError **error);
void tty_release(void);
