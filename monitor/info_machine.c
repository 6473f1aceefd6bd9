/* info topics about the machine as a whole. */
#include <inttypes.h>

#include "command.h"
#include "qmp_api.h"

static bool info_status(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpStatusInfo) info = qmp_query_status(mon->vm, error);

    if (info == NULL) {
        return false;
    }
    monitor_printf(mon, "VM status: %s%s", info->running ? "running" : "paused",
                   info->singlestep ? " (single step mode)" : "");
    if (!info->running && info->status != RUN_STATE_PAUSED) {
        monitor_printf(mon, " (%s)", run_state_name(info->status));
    }
    monitor_printf(mon, "\n");
    return true;
}

static bool info_version(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpVersionInfo) info = qmp_query_version(mon->vm, error);

    if (info == NULL) {
        return false;
    }
    monitor_printf(mon, "%" PRId64 ".%" PRId64 ".%" PRId64 " (%s)\n", info->qemu->major,
                   info->qemu->minor, info->qemu->micro, info->package);
    return true;
}

static bool info_name(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpNameInfo) info = qmp_query_name(mon->vm, error);

    if (info != NULL && info->name != NULL) {
        monitor_printf(mon, "%s\n", info->name);
    }
    return info != NULL;
}

static bool info_uuid(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpUuidInfo) info = qmp_query_uuid(mon->vm, error);

    if (info != NULL) {
        monitor_printf(mon, "%s\n", info->UUID);
    }
    return info != NULL;
}

static bool info_accel(Monitor *mon, const CmdValues *args, GError **error)
{
    accel_print_info(mon->vm, vm_accel_choice(), mon->out);
    return true;
}

static bool info_kvm(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpKvmInfo) info = qmp_query_kvm(mon->vm, error);

    if (info == NULL) {
        return false;
    }
    monitor_printf(mon, "kvm support: %s\n", !info->present  ? "not compiled"
                                             : info->enabled ? "enabled" : "disabled");
    return true;
}

static bool info_jit(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpHumanReadableText) text = qmp_x_query_jit(mon->vm, error);

    if (text != NULL) {
        monitor_printf(mon, "%s", text->human_readable_text);
    }
    return text != NULL;
}

static bool info_chardev(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_chardev(mon->vm, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpChardevInfo *info = g_ptr_array_index(list, i);

        monitor_printf(mon, "%s: filename=%s\n", info->label, info->filename);
    }
    return list != NULL;
}

static bool info_history(Monitor *mon, const CmdValues *args, GError **error)
{
    for (guint i = 0; mon->history != NULL && i < mon->history->len; i++) {
        monitor_printf(mon, "%u: '%s'\n", i, (const char *)g_ptr_array_index(mon->history, i));
    }
    return true;
}

static bool info_memory_size_summary(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpMemoryInfo) info = qmp_query_memory_size_summary(mon->vm, error);

    if (info == NULL) {
        return false;
    }
    monitor_printf(mon, "base memory: %" PRIu64 "\n", info->base_memory);
    if (info->has_plugged_memory) {
        monitor_printf(mon, "plugged memory: %" PRIu64 "\n", info->plugged_memory);
    }
    return true;
}

static bool info_numa(Monitor *mon, const CmdValues *args, GError **error)
{
    vm_print_numa(mon->vm, mon->out);
    return true;
}

static bool info_ramblock(Monitor *mon, const CmdValues *args, GError **error)
{
    vm_print_ramblock(mon->out);
    return true;
}

const Command info_machine_topics[] = {
    { .name = "numa", .run = info_numa, .help = "NUMA nodes, their CPUs and memory",
      .example = "info numa", .qmp = "x-query-numa" },
    { .name = "ramblock", .run = info_ramblock, .help = "blocks of host memory behind the guest's",
      .example = "info ramblock", .qmp = "x-query-ramblock" },
    { .name = "status", .run = info_status, .help = "whether the machine runs",
      .example = "info status", .qmp = "query-status" },
    { .name = "version", .run = info_version, .help = "version of the interface and of Rhea",
      .example = "info version", .qmp = "query-version" },
    { .name = "name", .run = info_name, .help = "the machine's name", .example = "info name",
      .qmp = "query-name" },
    { .name = "uuid", .run = info_uuid, .help = "the machine's UUID", .example = "info uuid",
      .qmp = "query-uuid" },
    { .name = "accel", .run = info_accel, .help = "which engine runs the guest, and why",
      .example = "info accel" },
    { .name = "kvm", .run = info_kvm, .help = "whether KVM runs the guest", .example = "info kvm",
      .qmp = "query-kvm" },
    { .name = "jit", .run = info_jit, .help = "counters of the software CPU", .example = "info jit",
      .qmp = "x-query-jit" },
    { .name = "memory_size_summary", .run = info_memory_size_summary,
      .help = "memory at the start, and plugged since", .example = "info memory_size_summary",
      .qmp = "query-memory-size-summary" },
    { .name = "chardev", .run = info_chardev, .help = "the character devices",
      .example = "info chardev", .qmp = "query-chardev" },
    { .name = "history", .run = info_history, .help = "lines typed on this monitor",
      .example = "info history" },
    {}
};
