/* National PC16550D UART; isa-serial puts one on the ISA bus.  Machine lock. */
#pragma once

#include "device.h"

#define ISA_SERIAL_MAX 4

extern const DeviceType isa_serial_type;                /* "isa-serial" */
