#pragma once

#include "device.h"

extern const DeviceType cirrus_pci_type;
