/* Intel 8237A DMA controller as on a PC, with page registers.  Machine lock. */
#pragma once

#include "device.h"

extern const DeviceType i8257_type;                     /* "i8257" */

/* Both controllers with a PC's addresses.  False: error. */
bool i8257_pair_new(Vm *vm, Bus *isa, GError **error);
