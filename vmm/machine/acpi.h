/*
 * The pc board's ACPI tables.
 *
 * They are built once, with every pointer relative to the blob it points into, and a list of what
 * has to be patched when the blobs find their place.  Firmware does that from a loader script in
 * fw_cfg; a kernel booted without firmware gets tables we patched ourselves.  Both come from the
 * same list.
 */
#pragma once

#include "vm_core.h"

/* What the tables say that depends on options. */
typedef struct AcpiConfig {
    uint32_t pci_hole_start, pci_hole_last;
    uint64_t pci_hole64_start, pci_hole64_size;     /* size 0: none */
    uint8_t com_ports;                              /* bit n: COM n+1 */
    bool hpet, keyboard;
    uint16_t pvpanic_port;                          /* 0: none */
    uint32_t hotplug_slots;                         /* PCI slots whose devices come and go */
    bool s3, s4;
    uint8_t s4_type;
    const uint32_t *apic_ids;                       /* of each CPU */
    unsigned n_cpus;
    const Vm *numa;                                 /* with nodes to describe; NULL: none */
} AcpiConfig;

typedef enum AcpiBlob { ACPI_TABLES, ACPI_RSDP, ACPI_BLOBS } AcpiBlob;

/* One patch: a pointer into `target` (size bytes at offset), or a checksum byte over a range. */
typedef struct AcpiFixup {
    enum { ACPI_POINTER, ACPI_CHECKSUM } kind;
    AcpiBlob blob, target;
    uint32_t offset;
    uint8_t size;
    uint32_t start, length;
} AcpiFixup;

typedef struct AcpiTables {
    GByteArray *blobs[ACPI_BLOBS];
    GArray *fixups;                     /* AcpiFixup, in the order they must be applied */
    uint32_t facs_offset;               /* in ACPI_TABLES */
} AcpiTables;

AcpiTables *acpi_tables_new(const AcpiConfig *config);
void acpi_tables_free(AcpiTables *tables);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(AcpiTables, acpi_tables_free)

/* Applies the fixups for blobs that lie at these addresses. */
void acpi_tables_place(AcpiTables *tables, const uint64_t addr[ACPI_BLOBS]);

/* Gives the blobs and the loader script to firmware, and lists them in `info roms`. */
bool acpi_tables_to_fw_cfg(const AcpiTables *tables, Device *fw_cfg, GError **error);
