/* What happens when a watchdog has run out: -action watchdog=, watchdog-set-action. */
#pragma once

#include "vm_core.h"

extern const char *const watchdog_actions[];        /* NULL-terminated; the first is the default */

/* The watchdog ran out: tells subscribers, then does what was asked for.  Main thread. */
void watchdog_expired(Vm *vm);
