/*
 * Intel 440FX host bridge: PCI configuration ports, PAM and SMRAM (82441FX data sheet, 290549).
 *
 * "i440FX-pcihost" sits on the system bus and owns the PCI address space and bus pci.0; "i440FX" is
 * the bridge's own function 00.0 and holds the registers.
 */
#pragma once

#include "pci.h"

extern const DeviceType i440fx_host_type, i440fx_type;

/* Bus pci.0 of a realized host. */
PciBus *i440fx_pci_bus(Device *host);
/* What BARs and firmware ROMs are placed in. */
MemRegion *i440fx_pci_memory(Device *host);
