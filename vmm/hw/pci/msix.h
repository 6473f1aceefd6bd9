/*
 * MSI-X: PCI Local Bus Specification 3.0, 6.8.2.
 *
 * A device embeds an Msix; msix_init() adds the capability and a BAR with the table at 0 and the
 * pending bits behind it (at half the BAR).  Machine lock, but for msix_notify(): any thread.
 *
 * A vector can have an eventfd: while the vector is in use and not masked, writing it sends the
 * message, by the kernel where it takes part in interrupts (irqfd), else by the main loop.
 */
#pragma once

#include "pci.h"

#define MSIX_MAX_VECTORS 2048

typedef struct MsixVector MsixVector;

typedef struct Msix {
    /* wiring */
    PciDevice *dev;
    unsigned count;                                 /* vectors; 0: msix_init() was not called */
    uint8_t cap;                                    /* offset of the capability */
    MemRegion bar, table_region, pba_region;
    /* guest-visible state */
    uint8_t *table, *pending;                       /* 16 bytes a vector; a bit a vector */
    uint32_t table_bytes, pending_bytes;
    uint8_t *used;                                  /* how often msix_use() was called */
} Msix;

bool msix_init(Msix *msix, PciDevice *dev, unsigned count, unsigned bar, GError **error);
void msix_finish(Msix *msix);                       /* also a zeroed one */
void msix_reset(Msix *msix);
/* The type's config_write calls it after pci_default_config_write(). */
void msix_config_write(Msix *msix, uint32_t offset, unsigned size);

bool msix_enabled(const Msix *msix);                /* any thread */
/* A driver points something at the vector, or away from it again. */
void msix_use(Msix *msix, unsigned vector);
void msix_unuse(Msix *msix, unsigned vector);
/* Sends the vector's message, or keeps it pending while masked. Machine lock. */
void msix_notify(Msix *msix, unsigned vector);
