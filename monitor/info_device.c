/* info topics about devices, buses and memory regions. */
#include <inttypes.h>

#include "command.h"
#include "qmp_api.h"

static bool info_qtree(Monitor *mon, const CmdValues *args, GError **error)
{
    devices_print_tree(mon->vm, mon->out);
    return true;
}

static const CmdArg qom_tree_args[] = {
    { .name = "path", .kind = ARG_WORD, .optional = true, .help = "where to begin (/machine)" },
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

static bool info_roms(Monitor *mon, const CmdValues *args, GError **error)
{
    vm_print_roms(mon->vm, mon->out);
    return true;
}

static bool info_pic(Monitor *mon, const CmdValues *args, GError **error)
{
    vm_print_view(mon->vm, VIEW_PIC, mon->cpu_index, mon->out);
    return true;
}

static bool info_irq(Monitor *mon, const CmdValues *args, GError **error)
{
    vm_print_view(mon->vm, VIEW_IRQ, mon->cpu_index, mon->out);
    return true;
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

const Command info_device_topics[] = {
    { .name = "qtree", .run = info_qtree, .help = "buses and devices with their properties" },
    { .name = "qdm", .run = info_qdm, .help = "types of devices there are" },
    { .name = "iothreads", .run = info_iothreads, .help = "iothreads" },
    { .name = "memdev", .run = info_memdev, .help = "memory backends" },
    { .name = "qom-tree", .args = qom_tree_args, .run = info_qom_tree,
      .help = "the tree of objects" },
    { .name = "pci", .run = info_pci, .help = "PCI devices, their BARs and interrupts" },
    { .name = "mtree", .args = mtree_args, .run = info_mtree, .help = "memory and port regions" },
    { .name = "roms", .run = info_roms, .help = "firmware and loaded files" },
    { .name = "pic", .run = info_pic, .help = "interrupt controllers" },
    { .name = "irq", .run = info_irq, .help = "how often each interrupt came" },
    {}
};
