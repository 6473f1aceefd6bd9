/*
 * A port whose writes go to a character device, for firmware and kernels in trouble.  Machine
 * lock.
 */
#pragma once

#include "device.h"

extern const DeviceType isa_debugcon_type;              /* "isa-debugcon" */
