/*
 * The watchdog of the Intel 6300ESB I/O controller hub, a PCI function.  6300ESB data sheet
 * (300641), chapter 16.
 */
#pragma once

#include "device.h"

extern const DeviceType i6300esb_type;
