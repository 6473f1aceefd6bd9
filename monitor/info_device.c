/* info topics about devices, buses and memory regions. */
#include <inttypes.h>

#include "candidates.h"
#include "qmp_api.h"

static bool info_qtree(Monitor *mon, const CmdValues *args, GError **error)
{
    devices_print_tree(mon->vm, mon->out);
    return true;
}

static const CmdArg qom_tree_args[] = {
    { .name = "path", .kind = ARG_WORD, .optional = true, .help = "where to begin (/machine)",
      .separators = "/", .complete_at = candidates_path },
    {}
};

static bool info_qom_tree(Monitor *mon, const CmdValues *args, GError **error)
{
    vm_print_qom_tree(mon->vm, cmd_text(args, "path"), mon->out);
    return true;
}

static bool info_pci(Monitor *mon, const CmdValues *args, GError **error)
{
    vm_print_pci(mon->vm, mon->out);
    return true;
}

static const CmdArg mtree_args[] = {
    { .name = "flatview", .kind = ARG_FLAG, .flag = 'f', .help = "what CPUs see, flattened" },
    {}
};

static bool info_mtree(Monitor *mon, const CmdValues *args, GError **error)
{
    vm_print_mtree(mon->vm, cmd_given(args, "flatview"), mon->out);
    return true;
}

static bool print_text(Monitor *mon, QmpHumanReadableText *text)
{
    if (text == NULL) {
        return false;
    }
    monitor_printf(mon, "%s", text->human_readable_text);
    qmp_human_readable_text_free(text);
    return true;
}

static bool info_roms(Monitor *mon, const CmdValues *args, GError **error)
{
    return print_text(mon, qmp_x_query_roms(mon->vm, error));
}

static bool info_pic(Monitor *mon, const CmdValues *args, GError **error)
{
    vm_print_view(mon->vm, VIEW_PIC, mon->cpu_index, mon->out);
    return true;
}

static bool info_irq(Monitor *mon, const CmdValues *args, GError **error)
{
    return print_text(mon, qmp_x_query_irq(mon->vm, error));
}

static bool info_qdm(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autofree char *text = vm_device_types_text(true);

    monitor_printf(mon, "%s", text);
    return true;
}

static bool info_iothreads(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_iothreads(mon->vm, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpIOThreadInfo *info = g_ptr_array_index(list, i);

        monitor_printf(mon, "%s:\n  thread_id=%" PRId64 "\n  poll-max-ns=%" PRId64 "\n"
                       "  poll-grow=%" PRId64 "\n  poll-shrink=%" PRId64 "\n"
                       "  aio-max-batch=%" PRId64 "\n", info->id, info->thread_id,
                       info->poll_max_ns, info->poll_grow, info->poll_shrink,
                       info->aio_max_batch);
    }
    return list != NULL;
}

static const char *yes_no(bool value)
{
    return value ? "true" : "false";
}

static bool info_memdev(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_memdev(mon->vm, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpMemdev *info = g_ptr_array_index(list, i);

        monitor_printf(mon, "memory backend: %s\n  size:  %" PRIu64 "\n  merge: %s\n"
                       "  dump: %s\n  prealloc: %s\n  share: %s\n  reserve: %s\n"
                       "  policy: %s\n  host nodes: \n", info->id, info->size,
                       yes_no(info->merge), yes_no(info->dump), yes_no(info->prealloc),
                       yes_no(info->share), yes_no(info->reserve),
                       qmp_host_mem_policy_names[info->policy]);
    }
    monitor_printf(mon, "\n");
    return list != NULL;
}

static bool info_hotpluggable_cpus(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_hotpluggable_cpus(mon->vm, error);

    monitor_printf(mon, list != NULL ? "Hotpluggable CPUs:\n" : "");
    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpHotpluggableCPU *place = g_ptr_array_index(list, i);
        const QmpCpuInstanceProperties *props = place->props;
        const struct { const char *name; bool given; int64_t value; } rows[] = {
            { "node-id", props->has_node_id, props->node_id },
            { "socket-id", props->has_socket_id, props->socket_id },
            { "die-id", props->has_die_id, props->die_id },
            { "core-id", props->has_core_id, props->core_id },
            { "thread-id", props->has_thread_id, props->thread_id },
        };

        monitor_printf(mon, "  type: \"%s\"\n  vcpus_count: \"%" PRId64 "\"\n", place->type,
                       place->vcpus_count);
        if (place->qom_path != NULL) {
            monitor_printf(mon, "  qom_path: \"%s\"\n", place->qom_path);
        }
        monitor_printf(mon, "  CPUInstance Properties:\n");
        for (size_t r = 0; r < G_N_ELEMENTS(rows); r++) {
            if (rows[r].given) {
                monitor_printf(mon, "    %s: \"%" PRId64 "\"\n", rows[r].name, rows[r].value);
            }
        }
    }
    return list != NULL;
}

const Command info_device_topics[] = {
    { .name = "qtree", .run = info_qtree, .help = "buses and devices with their properties",
      .example = "info qtree" },
    { .name = "qdm", .run = info_qdm, .help = "types of devices there are", .example = "info qdm" },
    { .name = "hotpluggable-cpus", .run = info_hotpluggable_cpus,
      .help = "places for CPUs, and what is in them", .example = "info hotpluggable-cpus",
      .qmp = "query-hotpluggable-cpus" },
    { .name = "iothreads", .run = info_iothreads, .help = "iothreads", .example = "info iothreads",
      .qmp = "query-iothreads" },
    { .name = "memdev", .run = info_memdev, .help = "memory backends", .example = "info memdev",
      .qmp = "query-memdev" },
    { .name = "qom-tree", .args = qom_tree_args, .run = info_qom_tree,
      .help = "the tree of objects", .example = "info qom-tree /objects" },
    { .name = "pci", .run = info_pci, .help = "PCI devices, their BARs and interrupts",
      .example = "info pci", .qmp = "query-pci" },
    { .name = "mtree", .args = mtree_args, .run = info_mtree, .help = "memory and port regions",
      .example = "info mtree -f" },
    { .name = "roms", .run = info_roms, .help = "firmware and loaded files", .example = "info roms",
      .qmp = "x-query-roms" },
    { .name = "pic", .run = info_pic, .help = "interrupt controllers", .example = "info pic" },
    { .name = "irq", .run = info_irq, .help = "how often each interrupt came",
      .example = "info irq", .qmp = "x-query-irq" },
    {}
};
