/*
 * MSI-X: PCI Local Bus Specification 3.0, 6.8.2.
 *
 * A device embeds an Msix; msix_init() adds the capability and a BAR with the table at 0 and the
 * pending bits at half the BAR.  Machine lock, but for msix_notify() and msix_enabled(): any
 * thread.
 */
#pragma once

#include "pci.h"

#define MSIX_MAX_VECTORS 2048
#define MSIX_ENTRY_SIZE  16

typedef struct Msix {
    /* wiring */
    PciDevice *dev;
    unsigned count;                     /* vectors; 0: msix_init() was not called, or failed */
    uint8_t cap;                        /* offset of the capability */
    MemRegion bar, table_region, pending_region;
    GMutex lock;                        /* a leaf: table, pending and the two flags */
    bool enabled, masked;               /* as the capability's control word says */
    /* guest-visible state */
    uint8_t *table, *pending;           /* an entry a vector; a bit a vector, padded to 8 bytes */
} Msix;

bool msix_init(Msix *msix, PciDevice *dev, unsigned count, unsigned bar, GError **error);
void msix_finish(Msix *msix);                       /* also a zeroed one */
void msix_reset(Msix *msix);
/* The type's config_write calls it after pci_default_config_write(). */
void msix_config_write(Msix *msix, uint32_t offset, unsigned size);

/* Table, pending bits and configuration space were loaded. */
void msix_loaded(Msix *msix);

bool msix_enabled(Msix *msix);
/*
 * Sends the vector's message, or keeps it pending while masked.  Without the machine lock it
 * returns false, having done nothing, where messages need it (Vm.msi_any_thread).
 */
bool msix_notify(Msix *msix, unsigned vector);
