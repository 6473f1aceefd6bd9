/* Completion of a monitor line from the commands' rows.  Main thread, machine lock. */
#pragma once

#include "command.h"

typedef struct Completion {
    GPtrArray *words;                       /* char *, sorted, each starts with what was typed */
    size_t start;                           /* where in the line the replaced word begins */
    bool files;                             /* a file's name is expected: complete it yourself */
    bool no_space;                          /* more of the same word may follow the one chosen */
} Completion;

/* `line` ends at the cursor. */
void complete_line(Monitor *mon, const char *line, Completion *result);
/* All an argument's word can be, unsorted; `at` as if it were completed.  New strings. */
void complete_values(Monitor *mon, const CmdArg *arg, const CompleteAt *at, GPtrArray *candidates);
void completion_finish(Completion *result);
/* The longest beginning all words share; new string. */
char *completion_common(const Completion *result);
