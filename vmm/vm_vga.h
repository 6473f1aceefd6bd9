/* The display adapter of -vga, or the one a board has by itself.  For vm.c and the options. */
#pragma once

#include "options.h"

/* Sets Options.vga from the word after -vga; "help" lists them. */
bool opt_vga(Options *options, const char *arg, GError **error);
/* Makes it when the board stands, before NICs: firmware and people expect it in the first slot. */
bool vm_make_vga(Vm *vm, const Options *options, GError **error);
