/* VGA cards on PCI. */
#pragma once

#include "device.h"

extern const DeviceType vga_pci_type;
