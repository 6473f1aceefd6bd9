/* From a line's text to the values of a command's arguments.  Main thread, machine lock. */
#pragma once

#include "command.h"

/*
 * Reads the arguments at `text`; false: *error is the phrase to print above the hint to see help.
 */
bool cmd_parse(Monitor *mon, const Command *cmd, const char *text, CmdValues *values,
               GError **error);
void cmd_values_clear(CmdValues *values);

/*
 * The next word, quotes and backslashes undone; moves *text behind it.  NULL and no error: none
 * left. NULL and an error: the quotes do not end, or an escape is unknown.
 */
char *parse_word(const char **text, GError **error);
