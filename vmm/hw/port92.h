/*
 * System control port A (92): address line 20, fast reset (IBM PS/2 hardware interface technical
 * reference, system control ports).  Machine lock.
 */
#pragma once

#include "device.h"

extern const DeviceType port92_type;                    /* "port92" */

/* Drives address line 20, as port 92 and the keyboard controller do: vm->a20, vm->a20_changed(). */
void a20_set(Vm *vm, bool enabled);
