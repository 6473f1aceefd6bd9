/*
 * Firmware and option ROM files: where they are found, and the list of what was loaded.
 *
 * Files never come with the program: they are looked for in the -L folder, our own data folder and
 * the folders where distributions put SeaBIOS and option ROMs.  Machine lock.
 */
#pragma once

#include "vm_core.h"

/* A path as typed if such a file exists, else the first hit in the folders; NULL with an error. */
char *rom_find(Vm *vm, const char *name, GError **error);

/* The whole file; at most `max` bytes. */
GBytes *rom_load(Vm *vm, const char *name, uint64_t max, GError **error);

/* One line of `info roms`. */
typedef enum RomPlace { ROM_AT_ADDRESS, ROM_IN_FW_CFG, ROM_IN_REGION } RomPlace;
typedef struct RomNote {
    RomPlace place;
    const char *name;                   /* file name */
    const char *where;                  /* fw_cfg file or region name */
    const char *mem;                    /* "rom", "ram": ROM_AT_ADDRESS */
    uint64_t addr, size_bytes;
} RomNote;
void rom_note(const RomNote *note);     /* copied */
void rom_print(GString *out);
