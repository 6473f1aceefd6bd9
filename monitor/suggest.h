/* What somebody may have meant whose command failed.  Main thread, machine lock. */
#pragma once

#include "command.h"

/* "Did you mean 'x'?" for the first argument that is none of those completion knows, or nothing. */
void suggest_value(Monitor *mon, const CmdValues *values);
