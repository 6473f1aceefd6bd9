/* info topics about the machine as a whole. */
#include <inttypes.h>

#include "command.h"

static bool info_status(Monitor *mon, const CmdValues *args, GError **error)
{
    RunState state = mon->vm->run_state;
    bool plain = state == RUN_STATE_RUNNING || state == RUN_STATE_PAUSED;

    monitor_printf(mon, "VM status: %s", vm_is_running(mon->vm) ? "running" : "paused");
    if (!plain) {
        monitor_printf(mon, " (%s)", run_state_name(state));
    }
    monitor_printf(mon, "\n");
    return true;
}

static bool info_version(Monitor *mon, const CmdValues *args, GError **error)
{
    monitor_printf(mon, "%d.%d.%d (%s)\n", QEMU_VERSION_MAJOR, QEMU_VERSION_MINOR,
                   QEMU_VERSION_MICRO, RHEA_VERSION_TEXT);
    return true;
}

static bool info_name(Monitor *mon, const CmdValues *args, GError **error)
{
    if (mon->vm->config.name != NULL) {
        monitor_printf(mon, "%s\n", mon->vm->config.name);
    }
    return true;
}

static bool info_uuid(Monitor *mon, const CmdValues *args, GError **error)
{
    const uint8_t *uuid = mon->vm->config.uuid;

    for (unsigned i = 0; i < 16; i++) {
        bool dash = i == 4 || i == 6 || i == 8 || i == 10;

        monitor_printf(mon, "%s%02x", dash ? "-" : "", uuid[i]);
    }
    monitor_printf(mon, "\n");
    return true;
}

static bool info_accel(Monitor *mon, const CmdValues *args, GError **error)
{
    accel_print_info(mon->vm, vm_accel_choice(), mon->out);
    return true;
}

static bool info_kvm(Monitor *mon, const CmdValues *args, GError **error)
{
    bool on = mon->vm->accel != NULL && g_str_equal(mon->vm->accel->name, "kvm");

    monitor_printf(mon, "kvm support: %s\n", on ? "enabled" : "disabled");
    return true;
}

static bool info_jit(Monitor *mon, const CmdValues *args, GError **error)
{
    const AccelOps *accel = mon->vm->accel;

    if (accel == NULL || accel->print_jit == NULL) {
        set_error(error, "JIT information is only available with accel=tcg");
        return false;
    }
    accel->print_jit(mon->vm, mon->out);
    return true;
}

static bool info_chardev(Monitor *mon, const CmdValues *args, GError **error)
{
    const GPtrArray *list = chardev_list();

    for (guint i = 0; i < list->len; i++) {
        ChardevInfo info;

        chardev_info(g_ptr_array_index(list, i), &info);
        monitor_printf(mon, "%s: filename=%s\n", info.label, info.filename);
        g_free(info.filename);
    }
    return true;
}

static bool info_history(Monitor *mon, const CmdValues *args, GError **error)
{
    for (guint i = 0; mon->history != NULL && i < mon->history->len; i++) {
        monitor_printf(mon, "%u: '%s'\n", i, (const char *)g_ptr_array_index(mon->history, i));
    }
    return true;
}

const Command info_machine_topics[] = {
    { .name = "status", .run = info_status, .help = "whether the machine runs" },
    { .name = "version", .run = info_version, .help = "version of the interface and of Rhea" },
    { .name = "name", .run = info_name, .help = "the machine's name" },
    { .name = "uuid", .run = info_uuid, .help = "the machine's UUID" },
    { .name = "accel", .run = info_accel, .help = "which engine runs the guest, and why" },
    { .name = "kvm", .run = info_kvm, .help = "whether KVM runs the guest" },
    { .name = "jit", .run = info_jit, .help = "counters of the software CPU" },
    { .name = "chardev", .run = info_chardev, .help = "the character devices" },
    { .name = "history", .run = info_history, .help = "lines typed on this monitor" },
    {}
};
