/*
 * Intel 82540EM gigabit Ethernet controller, a PCI card.  PCI/PCI-X Family of Gigabit Ethernet
 * Controllers Software Developer's Manual (8254x), the chapters cited below by number.
 */
#pragma once

#include "device.h"

extern const DeviceType e1000_type;
