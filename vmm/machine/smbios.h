/* SMBIOS 2.8 tables (DMTF DSP0134): what the machine says it is. */
#pragma once

#include "vm_core.h"

#define SMBIOS_ANCHOR_SIZE 31
#define SMBIOS_TYPES       128                  /* DSP0134 6.2: the rest are vendors' own */

/* What -smbios said; strings are owned, NULL: the board's own. */
typedef struct SmbiosConfig {
    struct { char *vendor, *version, *date, *release; bool uefi; } bios;
    struct { char *manufacturer, *product, *version, *serial, *sku, *family; } system;
    struct { char *manufacturer, *product, *version, *serial, *asset, *location; } board;
    struct { char *manufacturer, *version, *serial, *asset, *sku; } chassis;
    struct {
        char *sock_pfx, *manufacturer, *version, *serial, *asset, *part;
        unsigned max_speed, current_speed;      /* MHz */
        uint64_t processor_id;                  /* 0: the CPU's own */
    } cpu;
    struct { char *loc_pfx, *bank, *manufacturer, *serial, *asset, *part; unsigned speed; } dimm;
    GPtrArray *oem;                             /* char *, type 11 */
    GByteArray *files;                          /* whole structures with their strings */
    bool fields_given[SMBIOS_TYPES], file_given[SMBIOS_TYPES];
} SmbiosConfig;

SmbiosConfig *smbios_config_new(void);
/* One structure as a file holds it: header, formatted part, strings, two nulls. Copied. */
bool smbios_config_add_file(SmbiosConfig *config, const uint8_t *data, size_t size,
                            GError **error);

typedef struct SmbiosTables {
    GByteArray *structures;
    uint8_t anchor[SMBIOS_ANCHOR_SIZE];
    unsigned count;
    uint16_t largest;
} SmbiosTables;

/* `bios`: with type 0, which firmware adds by itself. NULL: the tables have more than 64 KiB. */
SmbiosTables *smbios_new(Vm *vm, bool bios, GError **error);
void smbios_free(SmbiosTables *tables);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SmbiosTables, smbios_free)

/* Says in the anchor that the structures lie at `addr`. */
void smbios_place(SmbiosTables *tables, uint32_t addr);
