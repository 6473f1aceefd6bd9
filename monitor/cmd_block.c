/* Commands about drives and their media. */
#include "block_driver.h"
#include "command.h"
#include "qmp_api.h"

/* ---- candidates ---- */

static void complete_drives(Monitor *mon, GPtrArray *candidates)
{
    for (guint i = 0; i < block_backends()->len; i++) {
        const char *name = block_backend_name(g_ptr_array_index(block_backends(), i));

        if (*name != '\0') {
            g_ptr_array_add(candidates, g_strdup(name));
        }
    }
}

static void complete_formats(Monitor *mon, GPtrArray *candidates)
{
    for (const BlockDriver *const *driver = block_drivers; *driver != NULL; driver++) {
        g_ptr_array_add(candidates, g_strdup((*driver)->name));
    }
}

/* ---- media ---- */

static const CmdArg eject_args[] = {
    { .name = "force", .kind = ARG_FLAG, .flag = 'f', .help = "even if the guest has locked it" },
    { .name = "device", .kind = ARG_DRIVE, .help = "the drive", .complete = complete_drives },
    {}
};

static bool cmd_eject(Monitor *mon, const CmdValues *args, GError **error)
{
    bool force = cmd_given(args, "force");

    return qmp_eject(mon->vm, cmd_text(args, "device"), NULL, &force, error);
}

static const CmdArg change_args[] = {
    { .name = "force", .kind = ARG_FLAG, .flag = 'f', .help = "even if the guest has locked it" },
    { .name = "device", .kind = ARG_DRIVE, .help = "the drive", .complete = complete_drives },
    { .name = "filename", .kind = ARG_FILE, .help = "the new image" },
    { .name = "format", .kind = ARG_WORD, .optional = true, .help = "its format; else guessed",
      .complete = complete_formats },
    { .name = "mode", .kind = ARG_WORD, .optional = true, .help = "whether it can be written",
      .choices = qmp_blockdev_change_read_only_mode_names },
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
    { .name = "device", .kind = ARG_DRIVE, .help = "the drive", .complete = complete_drives },
    { .name = "size", .kind = ARG_SIZE, .unit = MIB, .help = "its new size; a number is MiB" },
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
    monitor_printf(mon, "%s\n", why->message);
    return true;
}

static const CmdArg drive_add_args[] = {
    { .name = "place", .kind = ARG_WORD,
      .help = "a PCI address of old; anything will do" },
    { .name = "opts", .kind = ARG_WORD, .separators = ",",
      .help = "file=FILE,if=none,id=ID and the other options of -drive" },
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
      .complete = complete_drives },
    {}
};

static bool cmd_drive_del(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GError) why = NULL;

    return block_drive_delete(cmd_text(args, "id"), &why) || print_failure(mon, why);
}

const Command monitor_block_commands[] = {
    { .name = "eject", .args = eject_args, .run = cmd_eject,
      .help = "take the medium out of a drive" },
    { .name = "change", .args = change_args,
      .params = "[-f] device filename [format [read-only-mode]]", .run = cmd_change,
      .help = "put another medium into a drive" },
    { .name = "block_resize", .args = block_resize_args, .run = cmd_block_resize,
      .help = "change the size of a disk" },
    { .name = "drive_add", .args = drive_add_args,
      .params = "[[<domain>:]<bus>:]<slot> [file=file][,if=type][,bus=n]…",
      .run = cmd_drive_add, .help = "add a drive for a device to come" },
    { .name = "drive_del", .args = drive_del_args, .params = "device", .run = cmd_drive_del,
      .help = "take a drive away; a guest that uses it gets errors" },
    {}
};
