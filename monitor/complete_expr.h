/* Arguments that are expressions, and their completion.  Main thread, machine lock. */
#pragma once

#include "command.h"

/* A row of a command's arguments; kind_ is ARG_INT32 or ARG_INT64. */
#define ARG_EXPR(name_, kind_, help_) \
    .name = name_, .kind = kind_, .help = help_, .separators = "+-*/%&|^~!()<>=", \
    .complete_at = complete_expr

/* Registers, and symbols that begin with what was typed. */
void complete_expr(Monitor *mon, const CompleteAt *at, GPtrArray *candidates);
