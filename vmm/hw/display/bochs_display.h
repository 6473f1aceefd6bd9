#pragma once

#include "device.h"

extern const DeviceType bochs_display_type;
