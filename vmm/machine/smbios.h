/* SMBIOS 2.8 tables (DMTF DSP0134): what the machine says it is. */
#pragma once

#include "vm_core.h"

#define SMBIOS_ANCHOR_SIZE 31

typedef struct SmbiosTables {
    GByteArray *structures;
    uint8_t anchor[SMBIOS_ANCHOR_SIZE];
    unsigned count;
    uint16_t largest;
} SmbiosTables;

/* `bios`: with type 0, which firmware adds by itself. */
SmbiosTables *smbios_new(Vm *vm, bool bios);
void smbios_free(SmbiosTables *tables);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SmbiosTables, smbios_free)

/* Says in the anchor that the structures lie at `addr`. */
void smbios_place(SmbiosTables *tables, uint32_t addr);
