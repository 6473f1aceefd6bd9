/* Values and memory as x, xp and print show them.  Main thread, machine lock. */
#pragma once

#include "command.h"

void dump_value(Monitor *mon, char letter, uint64_t value);     /* print's, without a newline */
void dump_name_of(Monitor *mon, uint64_t value);                /* " <symbol+0x4>", or nothing */
/* Guest memory at a linear (`linear`) or physical address. */
void dump_memory(Monitor *mon, const CmdFormat *format, uint64_t addr, bool linear);
