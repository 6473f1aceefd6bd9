/*
 * The ISA bus below the PIIX3: devices sit at the ports and lines their properties name.  Machine
 * lock.
 */
#pragma once

#include "device.h"

extern const BusType isa_bus_type;
