/* Commands about drives and their media. */
#include "block_driver.h"
#include "candidates.h"
#include "qmp_api.h"

/* ---- candidates ---- */

static void complete_formats(Monitor *mon, GPtrArray *candidates)
{
    for (const BlockDriver *const *driver = block_drivers; *driver != NULL; driver++) {
        g_ptr_array_add(candidates, g_strdup((*driver)->name));
    }
}

/* ---- media ---- */

#define ARG_FORCE \
    { .name = "force", .kind = ARG_FLAG, .flag = 'f', .help = "even if the guest has locked it", \
      .qmp = "force" }
#define ARG_DEVICE \
    { .name = "device", .kind = ARG_DRIVE, .help = "the drive", .complete = candidates_drives, \
      .qmp = "device" }

static const CmdArg eject_args[] = { ARG_FORCE, ARG_DEVICE, {} };

static bool cmd_eject(Monitor *mon, const CmdValues *args, GError **error)
{
    bool force = cmd_given(args, "force");

    return qmp_eject(mon->vm, cmd_text(args, "device"), NULL, &force, error);
}

static const CmdArg change_args[] = {
    ARG_FORCE,
    ARG_DEVICE,
    { .name = "filename", .kind = ARG_FILE, .help = "the new image", .qmp = "filename" },
    { .name = "format", .kind = ARG_WORD, .optional = true, .help = "its format; else guessed",
      .complete = complete_formats, .qmp = "format" },
    { .name = "mode", .kind = ARG_WORD, .optional = true, .help = "whether it can be written",
      .choices = qmp_blockdev_change_read_only_mode_names, .qmp = "read-only-mode" },
    {}
};

static bool cmd_change(Monitor *mon, const CmdValues *args, GError **error)
{
    QmpBlockdevChangeMediumArgs change = {
        .device = (char *)cmd_text(args, "device"), .filename = (char *)cmd_text(args, "filename"),
        .format = (char *)cmd_text(args, "format"), .has_force = true,
        .force = cmd_given(args, "force"),
    };
    const char *mode = cmd_text(args, "mode");
    int index = mode != NULL ? qmp_enum_index(qmp_blockdev_change_read_only_mode_names, mode) : 0;

    if (index < 0) {
        set_error(error, "invalid parameter value: %s", mode);
        return false;
    }
    change.has_read_only_mode = mode != NULL;
    change.read_only_mode = index;
    return qmp_blockdev_change_medium(mon->vm, &change, error);
}

static const CmdArg block_resize_args[] = {
    ARG_DEVICE,
    { .name = "size", .kind = ARG_SIZE, .unit = MIB, .help = "its new size; a number is MiB",
      .qmp = "size" },
    {}
};

static bool cmd_block_resize(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_block_resize(mon->vm, cmd_text(args, "device"), NULL, cmd_number(args, "size", 0),
                            error);
}

/* ---- drives; their errors have always been printed as they are ---- */

static bool print_failure(Monitor *mon, const GError *why)
{
    monitor_fail(mon, "%s\n", why->message);
    return true;
}

static const CmdArg drive_add_args[] = {
    { .name = "place", .kind = ARG_WORD,
      .help = "a PCI address of old; anything will do" },
    { .name = "opts", .kind = ARG_WORD, .separators = OPTION_SEPARATORS,
      .help = "file=FILE,if=none,id=ID and the other options of -drive",
      .complete_at = candidates_drive_text },
    {}
};

static bool cmd_drive_add(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GError) why = NULL;
    g_autoptr(KeyVal) kv = keyval_parse(cmd_text(args, "opts"), NULL, &why);
    BlockBackend *blk = kv != NULL ? block_drive_new(kv, "ide", false, &why) : NULL;
    BlockDriveInfo info;

    if (blk == NULL) {
        return print_failure(mon, why);
    }
    block_drive_info(blk, &info);
    if (!g_str_equal(info.interface, "none")) {
        monitor_printf(mon, "Can't hot-add drive to type %s\n", info.interface);
        return block_backend_delete(blk, error);
    }
    monitor_printf(mon, "OK\n");
    return true;
}

static const CmdArg drive_del_args[] = {
    { .name = "id", .kind = ARG_DRIVE, .help = "the drive, or a node of -blockdev",
      .complete = candidates_drives },
    {}
};

static bool cmd_drive_del(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GError) why = NULL;

    return block_drive_delete(cmd_text(args, "id"), &why) || print_failure(mon, why);
}

const Command monitor_block_commands[] = {
    { .name = "eject", .args = eject_args, .run = cmd_eject,
      .help = "take the medium out of a drive", .example = "eject ide1-cd0", .qmp = "eject" },
    { .name = "change", .args = change_args,
      .params = "[-f] device filename [format [read-only-mode]]", .run = cmd_change,
      .help = "put another medium into a drive",
      .example = "change ide1-cd0 /srv/iso/debian.iso raw", .qmp = "blockdev-change-medium" },
    { .name = "block_resize", .args = block_resize_args, .run = cmd_block_resize,
      .help = "change the size of a disk", .example = "block_resize disk0 20G",
      .qmp = "block_resize" },
    { .name = "drive_add", .args = drive_add_args,
      .params = "[[<domain>:]<bus>:]<slot> [file=file][,if=type][,bus=n]…",
      .run = cmd_drive_add, .help = "add a drive for a device to come",
      .example = "drive_add 0 if=none,id=d1,file=/srv/disk.qcow2,format=qcow2" },
    { .name = "drive_del", .args = drive_del_args, .params = "device", .run = cmd_drive_del,
      .help = "take a drive away; a guest that uses it gets errors", .example = "drive_del d1" },
    {}
};
