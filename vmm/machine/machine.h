/*
 * Boards: a row each, with the function that puts the parts together.  Main thread, machine lock.
 */
#pragma once

#include "vm_core.h"

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
/*
 * The board that stands in for a machine type of long ago ("pc-1.0", "pc-i440fx-trusty"): scripts
 * and saved domains still name them.  NULL: no such type was ever known.
 */
const Board *board_find_historic(const char *name);

/* Every device type there is, written out in device_list.c. */
extern const DeviceType *const device_types[];
