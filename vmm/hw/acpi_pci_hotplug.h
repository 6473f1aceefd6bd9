/*
 * PCI hot-plug through ACPI, for a chipset without a hot-plug controller of its own: a few ports
 * between the board's AML and the machine.  Port map and meaning: "QEMU<->ACPI BIOS PCI hotplug
 * interface", the part about the root bus.
 *
 * Part of a chipset device, which has the general purpose event and places the ports.  Machine lock.
 */
#pragma once

#include "acpi_pm.h"
#include "pci.h"

#define ACPI_PCI_HOTPLUG_BASE 0xae00
#define ACPI_PCI_HOTPLUG_SIZE 0x18
#define ACPI_PCI_HOTPLUG_GPE  1             /* \_GPE._E01 */

typedef struct AcpiPciHotplug {
    /* wiring */
    PciBus *bus;                            /* NULL: not there */
    AcpiPm *acpi;
    MemRegion io;
    /* guest-visible state: a bit per slot */
    uint32_t up, down;                      /* came; are asked to go */
    uint32_t selected_bus, selected_index;  /* index: acpi-index of the slot asked for last */
} AcpiPciHotplug;

extern const StateDesc acpi_pci_hotplug_state;

/* Devices of `bus` come and go from now on; `owner` is the chipset. */
void acpi_pci_hotplug_init(AcpiPciHotplug *hotplug, Device *owner, PciBus *bus, AcpiPm *acpi);
void acpi_pci_hotplug_finish(AcpiPciHotplug *hotplug);
void acpi_pci_hotplug_reset(AcpiPciHotplug *hotplug);       /* unplugs what was asked to go */
AcpiPciHotplug *piix4_pm_hotplug(Device *dev);              /* the one in a PIIX4; by its owner */
/* Slots whose devices, if any, can go. */
uint32_t acpi_pci_hotplug_removable(const PciBus *bus);
