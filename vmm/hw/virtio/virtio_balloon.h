/* What doors ask of the machine's balloon.  Main thread, machine lock. */
#pragma once

#include "vm_core.h"

/* Asks the guest to get along with `bytes` of memory; the whole at most. */
bool balloon_set_target(Vm *vm, uint64_t bytes, GError **error);
bool balloon_actual(Vm *vm, uint64_t *bytes, GError **error);
