/* A PC's parallel port on the ISA bus, with a printer behind it. */
#pragma once

#include "device.h"

extern const DeviceType isa_parallel_type;
