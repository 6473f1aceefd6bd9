/* Options that make disks: -drive, -blockdev, and the short forms. */
#include <stdio.h>
#include <string.h>

#include "block.h"
#include "block_driver.h"
#include "option_row.h"
#include "rhea_error.h"
#include "vm_block.h"

static bool make_drive_from(Vm *vm, KeyVal *kv, GError **error)
{
    const char *serial = keyval_get(kv, "serial");
    BlockBackend *blk = block_drive_new(kv, vm_default_drive_interface(vm),
                                        vm->config.snapshot, error);

    if (blk != NULL && serial != NULL) {
        report_warning("serial= is an old option of -drive: write -device …,serial=%s", serial);
    }
    return blk != NULL && vm_check_drive_place(vm, blk, error);
}

static bool make_drive(Vm *vm, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(text, NULL, error);

    return kv != NULL && make_drive_from(vm, kv, error);
}

static bool make_numbered(Vm *vm, const char *file, const char *index, const char *media,
                          GError **error)
{
    g_autoptr(KeyVal) kv = keyval_new();

    keyval_add(kv, "index", index);
    keyval_add(kv, "media", media);
    keyval_add(kv, "file", file);
    return make_drive_from(vm, kv, error);
}

static bool make_hda(Vm *vm, const char *file, GError **error)
{
    return make_numbered(vm, file, "0", "disk", error);
}

static bool make_hdb(Vm *vm, const char *file, GError **error)
{
    return make_numbered(vm, file, "1", "disk", error);
}

static bool make_hdc(Vm *vm, const char *file, GError **error)
{
    return make_numbered(vm, file, "2", "disk", error);
}

static bool make_hdd(Vm *vm, const char *file, GError **error)
{
    return make_numbered(vm, file, "3", "disk", error);
}

static bool make_cdrom(Vm *vm, const char *file, GError **error)
{
    return make_numbered(vm, file, "2", "cdrom", error);
}

static bool make_blockdev(Vm *vm, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_either(text, "driver", error);

    return kv != NULL && block_node_add(kv, error) != NULL;
}

STAGED_OPTION(opt_hda, OPTION_STAGE_BLOCK, "hda", make_hda)
STAGED_OPTION(opt_hdb, OPTION_STAGE_BLOCK, "hdb", make_hdb)
STAGED_OPTION(opt_hdc, OPTION_STAGE_BLOCK, "hdc", make_hdc)
STAGED_OPTION(opt_hdd, OPTION_STAGE_BLOCK, "hdd", make_hdd)
STAGED_OPTION(opt_cdrom, OPTION_STAGE_BLOCK, "cdrom", make_cdrom)
STAGED_OPTION(opt_drive_late, OPTION_STAGE_BLOCK, "drive", make_drive)
STAGED_OPTION(opt_blockdev, OPTION_STAGE_BLOCK, "blockdev", make_blockdev)
SWITCH_OPTION(opt_snapshot, config.snapshot, true)

/* "help" for the format is a question. */
static bool opt_drive(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);
    const char *format = kv != NULL ? keyval_get(kv, "format") : NULL;

    if (kv == NULL) {
        return false;
    }
    if (format == NULL || !option_wants_help(format)) {
        return opt_drive_late(options, arg, error);
    }
    printf("Supported formats:");
    for (const BlockDriver *const *driver = block_drivers; *driver != NULL; driver++) {
        printf(" %s", (*driver)->name);
    }
    printf("\n");
    options->done = true;
    return true;
}

bool option_disk_image(Options *options, const char *file)
{
    GPtrArray *stage = options->stages[OPTION_STAGE_BLOCK];
    LateOption *late;

    options_later(options, OPTION_STAGE_BLOCK, "hda", file, make_hda);
    late = g_ptr_array_index(stage, stage->len - 1);
    option_replace(&late->place, file);                 /* as it was typed */
    return true;
}

const Option block_options[] = {
    { "drive", "[file=FILE][,if=TYPE][,format=FORMAT][,OPT=VALUE]…",
      "a disk: its image, and the connector it goes to ('format=help' lists formats)", opt_drive,
      "drive" },
    { "blockdev", "DRIVER,node-name=NAME[,OPT=VALUE]…", "a node of the block graph, for -device",
      opt_blockdev, "blockdev" },
    { "hda", "FILE", "the first IDE disk; a bare file name means the same", opt_hda },
    { "hdb", "FILE", "the second IDE disk", opt_hdb },
    { "hdc", "FILE", "the third IDE disk", opt_hdc },
    { "hdd", "FILE", "the fourth IDE disk", opt_hdd },
    { "cdrom", "FILE", "a CD image, as the third IDE drive", opt_cdrom },
    { "snapshot", NULL, "write to temporary files instead of the images", opt_snapshot },
    {}
};
