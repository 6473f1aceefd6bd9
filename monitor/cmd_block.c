/* Commands about drives and their media. */
#include "block_driver.h"
#include "candidates.h"
#include "cmd_vnc.h"
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

    if (g_str_equal(change.device, "vnc")) {
        return monitor_change_vnc(mon, change.filename, change.format, error);
    }
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

#define ARG_RATE(name_, help_) \
    { .name = name_, .kind = ARG_INT64, .help = help_ "; 0: no limit", .qmp = name_ }

static const CmdArg throttle_args[] = {
    ARG_DEVICE,
    ARG_RATE("bps", "bytes per second"),
    ARG_RATE("bps_rd", "of them read"),
    ARG_RATE("bps_wr", "of them written"),
    ARG_RATE("iops", "requests per second"),
    ARG_RATE("iops_rd", "of them reads"),
    ARG_RATE("iops_wr", "of them writes"),
    {}
};

/* The drive's id, or else that of the guest's device. */
static bool cmd_block_set_io_throttle(Monitor *mon, const CmdValues *args, GError **error)
{
    char *device = (char *)cmd_text(args, "device");
    bool is_drive = block_backend_find(device) != NULL;
    QmpBlockSetIoThrottleArgs throttle = {
        .device = is_drive ? device : NULL, .id = is_drive ? NULL : device,
        .bps = cmd_number(args, "bps", 0), .bps_rd = cmd_number(args, "bps_rd", 0),
        .bps_wr = cmd_number(args, "bps_wr", 0), .iops = cmd_number(args, "iops", 0),
        .iops_rd = cmd_number(args, "iops_rd", 0), .iops_wr = cmd_number(args, "iops_wr", 0),
    };

    return qmp_block_set_io_throttle(mon->vm, &throttle, error);
}

static const CmdArg snapshot_args[] = {
    { .name = "reuse", .kind = ARG_FLAG, .flag = 'n', .help = "the file is there already" },
    ARG_DEVICE,
    { .name = "new-image-file", .kind = ARG_FILE, .optional = true,
      .help = "the file the guest writes to from now on", .qmp = "snapshot-file" },
    { .name = "format", .kind = ARG_WORD, .optional = true, .help = "its format; qcow2",
      .complete = complete_formats, .qmp = "format" },
    {}
};

static bool cmd_snapshot_blkdev(Monitor *mon, const CmdValues *args, GError **error)
{
    QmpBlockdevSnapshotSync snapshot = {
        .device = (char *)cmd_text(args, "device"),
        .snapshot_file = (char *)cmd_text(args, "new-image-file"),
        .format = (char *)cmd_text(args, "format"), .has_mode = true,
        .mode = cmd_given(args, "reuse") ? QMP_NEW_IMAGE_MODE_EXISTING
                                         : QMP_NEW_IMAGE_MODE_ABSOLUTE_PATHS,
    };

    if (snapshot.snapshot_file == NULL) {
        set_error(error, "Parameter 'snapshot-file' is missing");
        return false;
    }
    return qmp_blockdev_snapshot_sync(mon->vm, &snapshot, error);
}

/* ---- drives; their errors have always been printed as they are ---- */

static bool print_failure(Monitor *mon, const GError *why)
{
    monitor_fail(mon, "%s\n", why->message);
    return true;
}

static void complete_commit(Monitor *mon, GPtrArray *candidates)
{
    candidates_drives(mon, candidates);
    g_ptr_array_add(candidates, g_strdup("all"));
}

static const CmdArg commit_args[] = {
    { .name = "device|all", .kind = ARG_DRIVE, .help = "the drive, or every one",
      .complete = complete_commit },
    {}
};

static bool commit_one(Monitor *mon, BlockBackend *blk, const char *name)
{
    g_autoptr(GError) why = NULL;

    if (!block_backend_commit(blk, &why)) {
        monitor_fail(mon, "'commit' error for '%s': %s\n", name, why->message);
    }
    return true;
}

static bool commit_all(Monitor *mon)
{
    for (guint i = 0; i < block_backends()->len; i++) {
        BlockBackend *blk = g_ptr_array_index(block_backends(), i);
        BlockNode *node = block_backend_node(blk);

        if (node != NULL && node->backing != NULL) {
            commit_one(mon, blk, "all");
        }
    }
    return true;
}

static bool cmd_commit(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *name = cmd_text(args, "device|all");
    BlockBackend *blk = block_backend_find(name);

    if (g_str_equal(name, "all")) {
        return commit_all(mon);
    }
    if (blk == NULL || block_backend_node(blk) == NULL) {
        monitor_fail(mon, blk == NULL ? "Device '%s' not found\n" : "Device '%s' has no medium\n",
                     name);
        return true;
    }
    return commit_one(mon, blk, name);
}

static const CmdArg drive_add_args[] = {
    { .name = "node", .kind = ARG_FLAG, .flag = 'n',
      .help = "a node of the block graph, with the options of -blockdev" },
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
    bool node = cmd_given(args, "node");
    BlockBackend *blk = node ? NULL : kv != NULL ? block_drive_new(kv, "ide", false, &why) : NULL;
    BlockDriveInfo info;

    if (node && kv != NULL && block_node_add(kv, &why) != NULL) {
        return true;
    }
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
    { .name = "block_set_io_throttle", .args = throttle_args, .run = cmd_block_set_io_throttle,
      .help = "limit the traffic of a disk",
      .example = "block_set_io_throttle disk0 10485760 0 0 0 0 0", .qmp = "block_set_io_throttle" },
    { .name = "snapshot_blkdev", .args = snapshot_args, .run = cmd_snapshot_blkdev,
      .help = "keep a disk as it is; the guest writes to a new image from now on",
      .example = "snapshot_blkdev disk0 /srv/disk0-today.qcow2", .qmp = "blockdev-snapshot-sync" },
    { .name = "commit", .args = commit_args, .run = cmd_commit,
      .help = "write what a disk's image holds into its backing file", .example = "commit disk0" },
    { .name = "drive_add", .args = drive_add_args,
      .params = "[-n] [[<domain>:]<bus>:]<slot> [file=file][,if=type][,bus=n]…",
      .run = cmd_drive_add, .help = "add a drive for a device to come",
      .example = "drive_add 0 if=none,id=d1,file=/srv/disk.qcow2,format=qcow2" },
    { .name = "drive_del", .args = drive_del_args, .params = "device", .run = cmd_drive_del,
      .help = "take a drive away; a guest that uses it gets errors", .example = "drive_del d1" },
    {}
};
