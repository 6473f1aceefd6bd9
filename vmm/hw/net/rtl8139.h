/*
 * Realtek RTL8139C+ fast Ethernet controller, a PCI card.  Data sheets of the RTL8139C and the
 * RTL8139C+, cited below by section.
 */
#pragma once

#include "device.h"

extern const DeviceType rtl8139_type;
