/* info topics about CPUs. */
#include <inttypes.h>
#include <string.h>

#include "candidates.h"
#include "qmp_api.h"
#include "symbols.h"

static bool info_cpus(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_cpus_fast(mon->vm, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpCpuInfoFast *info = g_ptr_array_index(list, i);

        monitor_printf(mon, "%c CPU #%" PRId64 ": thread_id=%" PRId64 "\n",
                       info->cpu_index == mon->cpu_index ? '*' : ' ', info->cpu_index,
                       info->thread_id);
    }
    return list != NULL;
}

static const CmdArg registers_args[] = {
    { .name = "all", .kind = ARG_FLAG, .flag = 'a', .help = "of all CPUs" },
    { .name = "vcpu", .kind = ARG_INT32, .optional = true, .help = "of this CPU",
      .complete = candidates_cpus },
    {}
};

/* The name of where it stands goes to the end of the line with RIP= (or EIP=). */
static void print_registers(Monitor *mon, X86Cpu *cpu)
{
    size_t start = mon->out->len;
    g_autoptr(GString) name = g_string_new(" <");
    const char *line, *end;

    x86_print_registers(cpu, mon->out);
    line = strstr(mon->out->str + start, "IP=");
    end = line != NULL ? strchr(line, '\n') : NULL;
    if (end != NULL && vm_symbol_print(mon->vm, x86_linear_rip(cpu), name)) {
        g_string_append_c(name, '>');
        g_string_insert(mon->out, end - mon->out->str, name->str);
    }
}

static bool info_registers(Monitor *mon, const CmdValues *args, GError **error)
{
    uint64_t index = cmd_number(args, "vcpu", mon->cpu_index);

    if (cmd_given(args, "all")) {
        for (guint i = 0; i < mon->vm->cpus->len; i++) {
            print_registers(mon, vm_cpu(mon->vm, i));
        }
    } else if (index < mon->vm->cpus->len) {
        print_registers(mon, vm_cpu(mon->vm, index));
    } else if (cmd_given(args, "vcpu")) {
        monitor_printf(mon, "CPU#%u not available\n", (unsigned)index);
    } else {
        monitor_printf(mon, "No CPU available\n");
    }
    return true;
}

static void complete_apic_ids(Monitor *mon, GPtrArray *candidates)
{
    for (guint i = 0; i < mon->vm->cpus->len; i++) {
        const X86Cpu *cpu = g_ptr_array_index(mon->vm->cpus, i);

        g_ptr_array_add(candidates, g_strdup_printf("%u", cpu->apic_id));
    }
}

static const CmdArg lapic_args[] = {
    { .name = "apic-id", .kind = ARG_INT32, .optional = true,
      .help = "of the CPU with this APIC id", .complete = complete_apic_ids },
    {}
};

static int index_of_apic(Monitor *mon, uint64_t apic_id)
{
    for (guint i = 0; i < mon->vm->cpus->len; i++) {
        const X86Cpu *cpu = g_ptr_array_index(mon->vm->cpus, i);

        if (cpu->apic_id == apic_id) {
            return i;
        }
    }
    return -1;
}

static bool info_lapic(Monitor *mon, const CmdValues *args, GError **error)
{
    int index = mon->cpu_index;

    if (cmd_given(args, "apic-id")) {
        index = index_of_apic(mon, cmd_number(args, "apic-id", 0));
    }
    if (index < 0 || (guint)index >= mon->vm->cpus->len) {
        monitor_printf(mon, "No CPU available\n");
    } else {
        vm_print_view(mon->vm, VIEW_LAPIC, index, mon->out);
    }
    return true;
}

static bool print_paging(Monitor *mon, void (*print)(const X86Cpu *cpu, GString *out))
{
    X86Cpu *cpu = monitor_cpu(mon);

    if (cpu == NULL) {
        monitor_printf(mon, "No CPU available\n");
    } else if (!(cpu->cr0 & CR0_PG)) {
        monitor_printf(mon, "PG disabled\n");
    } else {
        print(cpu, mon->out);
    }
    return true;
}

static bool info_mem(Monitor *mon, const CmdValues *args, GError **error)
{
    return print_paging(mon, x86_print_mem);
}

static bool info_tlb(Monitor *mon, const CmdValues *args, GError **error)
{
    return print_paging(mon, x86_print_tlb);
}

const Command info_cpu_topics[] = {
    { .name = "cpus", .run = info_cpus, .help = "the CPUs and their host threads",
      .example = "info cpus", .qmp = "query-cpus-fast" },
    { .name = "registers", .args = registers_args, .params = "[-a|vcpu]", .run = info_registers,
      .help = "a CPU's registers", .example = "info registers -a" },
    { .name = "lapic", .args = lapic_args, .run = info_lapic, .help = "a CPU's local APIC",
      .example = "info lapic 0" },
    { .name = "mem", .run = info_mem, .help = "ranges of mapped linear memory",
      .example = "info mem" },
    { .name = "tlb", .run = info_tlb, .help = "linear to physical mappings",
      .example = "info tlb" },
    {}
};
