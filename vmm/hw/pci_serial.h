/* PCI cards with one, two or four 16550 UARTs. */
#pragma once

#include "device.h"

extern const DeviceType pci_serial_type, pci_serial_2x_type, pci_serial_4x_type;
