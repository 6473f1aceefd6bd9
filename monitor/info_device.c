/* info topics about devices, buses and memory regions. */
#include "command.h"

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

const Command info_device_topics[] = {
    { .name = "qtree", .run = info_qtree, .help = "buses and devices with their properties" },
    { .name = "qom-tree", .args = qom_tree_args, .run = info_qom_tree,
      .help = "the tree of objects" },
    { .name = "pci", .run = info_pci, .help = "PCI devices, their BARs and interrupts" },
    { .name = "mtree", .args = mtree_args, .run = info_mtree, .help = "memory and port regions" },
    { .name = "roms", .run = info_roms, .help = "firmware and loaded files" },
    { .name = "pic", .run = info_pic, .help = "interrupt controllers" },
    { .name = "irq", .run = info_irq, .help = "how often each interrupt came" },
    {}
};
