#include "vm_block.h"

#include <string.h>

#include "rhea_error.h"

#define IDE_UNITS       4               /* two channels of two */
#define CD_BUS          1               /* where the board's own CD drive is */
#define CD_UNIT         0

const char *vm_default_drive_interface(const Vm *vm)
{
    return "ide";
}

bool vm_check_drive_place(Vm *vm, const BlockBackend *blk, GError **error)
{
    BlockDriveInfo info;

    block_drive_info(blk, &info);
    if (g_str_equal(info.interface, "none") || g_str_equal(info.interface, "virtio") ||
        (g_str_equal(info.interface, "ide") && info.bus * 2 + info.unit < IDE_UNITS)) {
        return true;
    }
    set_error(error, "machine type does not support if=%s,bus=%d,unit=%d", info.interface, info.bus,
              info.unit);
    return false;
}

/* A device of the board's own choice on a drive. `bus` NULL: the first with room. */
static bool make_disk(Vm *vm, const char *type_name, BlockBackend *blk, Bus *bus, int unit,
                      bool by_user, GError **error)
{
    const DeviceType *type = device_type_find(type_name);
    g_autofree char *unit_text = g_strdup_printf("%d", unit);
    Device *dev;

    if (type == NULL) {
        set_error(error, "drive '%s' needs a '%s', which this machine does not have",
                  block_backend_name(blk), type_name);
        return false;
    }
    dev = device_new(vm, type, NULL);
    dev->by_user = by_user;
    if (!device_set(dev, "drive", block_backend_name(blk), error) ||
        (unit >= 0 && !device_set(dev, "unit", unit_text, error))) {
        device_free(dev);
        return false;
    }
    if (!device_realize(dev, bus, error)) {
        g_prefix_error(error, "drive '%s': ", block_backend_name(blk));
        return false;
    }
    return true;
}

/* ---- IDE ---- */

static Bus *ide_bus(Vm *vm, int n)
{
    g_autofree char *name = g_strdup_printf("ide.%d", n);

    return bus_find(vm, name, NULL);
}

static bool make_ide(Vm *vm, BlockBackend *blk, const BlockDriveInfo *info, GError **error)
{
    Bus *bus = ide_bus(vm, info->bus);
    BlockNode *node = block_backend_node(blk);

    if (bus == NULL) {
        report_warning("Orphaned drive without device: id=%s,file=%s,if=%s,bus=%d,unit=%d",
                       block_backend_name(blk), node != NULL ? block_node_filename(node) : "",
                       info->interface, info->bus, info->unit);
        return true;
    }
    return make_disk(vm, info->cdrom ? "ide-cd" : "ide-hd", blk, bus, info->unit, false, error);
}

/* Drives the user put there by hand take the place of the board's. */
static bool has_own_drives(const Options *options)
{
    static const char *const drives[] = { "ide-cd", "ide-hd", "scsi-cd", "scsi-hd", NULL };

    return options_name_device(options, drives);
}

static BlockBackend *drive_at(const char *interface, int bus, int unit)
{
    for (guint i = 0; i < block_backends()->len; i++) {
        BlockBackend *blk = g_ptr_array_index(block_backends(), i);
        BlockDriveInfo info;

        block_drive_info(blk, &info);
        if (g_str_equal(info.interface, interface) && info.bus == bus && info.unit == unit) {
            return blk;
        }
    }
    return NULL;
}

static bool add_default_cd(Vm *vm, const Options *options, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_new();

    if (vm->config.nodefaults || ide_bus(vm, CD_BUS) == NULL || has_own_drives(options) ||
        drive_at("ide", CD_BUS, CD_UNIT) != NULL || device_type_find("ide-cd") == NULL) {
        return true;
    }
    keyval_add(kv, "if", "ide");
    keyval_add(kv, "index", "2");
    keyval_add(kv, "media", "cdrom");
    return block_drive_new(kv, "ide", false, error) != NULL;
}

bool vm_make_ide_drives(Vm *vm, const Options *options, GError **error)
{
    if (!add_default_cd(vm, options, error)) {
        return false;
    }
    for (int place = 0; place < IDE_UNITS; place++) {
        BlockBackend *blk = drive_at("ide", place / 2, place % 2);
        BlockDriveInfo info;

        if (blk == NULL) {
            continue;
        }
        block_drive_info(blk, &info);
        if (!make_ide(vm, blk, &info, error)) {
            return false;
        }
    }
    return true;
}

bool vm_make_virtio_drives(Vm *vm, GError **error)
{
    for (guint i = 0; i < block_backends()->len; i++) {
        BlockBackend *blk = g_ptr_array_index(block_backends(), i);
        BlockDriveInfo info;

        block_drive_info(blk, &info);
        if (g_str_equal(info.interface, "virtio") && block_backend_device(blk) == NULL &&
            !make_disk(vm, "virtio-blk-pci", blk, NULL, -1, true, error)) {
            return false;
        }
    }
    return true;
}
