/* Drives of the command line, and the devices the board gives them.  Main thread, machine lock. */
#pragma once

#include "block.h"
#include "options.h"
#include "vm_core.h"

const char *vm_default_drive_interface(const Vm *vm);           /* -drive without if= */
/* False: the board has no such connector. */
bool vm_check_drive_place(Vm *vm, const BlockBackend *blk, GError **error);
/* IDE disks and CDs, and the empty CD drive a board has by default; when the board stands. */
bool vm_make_ide_drives(Vm *vm, const Options *options, GError **error);
/* Virtio disks, behind the devices of -device. */
bool vm_make_virtio_drives(Vm *vm, GError **error);
