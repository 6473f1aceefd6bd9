/* pc-testdev: what kernel test suites poke to see interrupts and accesses arrive. */
#pragma once

#include "device.h"

extern const DeviceType testdev_type;                   /* "pc-testdev" */
