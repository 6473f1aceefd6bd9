/* Boards: lists of what is soldered on, and the code that wires what options decide. */
#pragma once

#include "vm_core.h"

typedef struct BoardPart {
    const char *type;               /* device type; NULL ends the list */
    const char *name;               /* name in the object tree, or NULL: unattached/device[n] */
    const char *const *props;       /* "name", "value", …, NULL; may be NULL */
    bool (*wanted)(const Vm *vm);   /* NULL: always */
} BoardPart;

struct Board {
    const char *name, *alias, *help;
    const char *default_cpu;
    uint64_t default_ram_bytes;
    unsigned max_cpus;
    bool is_default;
    /* Builds everything, vCPU objects included; reads vm->config. */
    bool (*build)(Vm *vm, GError **error);
    /* After all -device: firmware tables, direct boot, then the first reset. */
    bool (*finish)(Vm *vm, GError **error);
    /* "cdn": boot_set while the machine runs; NULL: the board has no boot order. */
    bool (*set_boot_order)(Vm *vm, const char *order, GError **error);
};

/* "pc" (alias of pc-i440fx-7.2), "none". NULL-terminated. */
extern const Board *const boards[];
const Board *board_find(const char *name);          /* by name or alias; NULL: none */

/* Every device type there is, written out in device_list.c. */
extern const DeviceType *const device_types[];

/* ---- direct boot (boot.c): no firmware runs ---- */
bool boot_load_kernel(Vm *vm, GError **error);      /* reads config.kernel, initrd, append; keeps what
                                                     * reset needs, and registers the reset hook */
/* ---- fw_cfg (fw_cfg.h), ACPI and SMBIOS tables ---- */
