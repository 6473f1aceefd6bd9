/* A port by which a guest tells that it panicked. */
#pragma once

#include "device.h"

extern const DeviceType pvpanic_type;                   /* "pvpanic" */

uint16_t pvpanic_port(const Device *pvpanic);           /* for ACPI */
