/* Completion of a monitor line from the commands' rows.  Main thread, machine lock. */
#pragma once

#include "command.h"

typedef struct Completion {
    GPtrArray *words;                       /* char *, sorted, each starts with what was typed */
    size_t start;                           /* where in the line the replaced word begins */
    bool files;                             /* a file's name is expected: complete it yourself */
} Completion;

/* `line` ends at the cursor. */
void complete_line(Monitor *mon, const char *line, Completion *result);
void completion_finish(Completion *result);
/* The longest beginning all words share; new string. */
char *completion_common(const Completion *result);
