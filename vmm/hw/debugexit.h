/* A port whose writes end the process with exit code value * 2 + 1, for tests. */
#pragma once

#include "device.h"

extern const DeviceType isa_debug_exit_type;            /* "isa-debug-exit" */
