/* Commands about the machine and its CPUs. */
#include <string.h>

#include "qmp_api.h"
#include "vm.h"

QmpNameInfo *qmp_query_name(Vm *vm, GError **error)
{
    QmpNameInfo *info = g_new0(QmpNameInfo, 1);

    info->name = g_strdup(vm->config.name);
    return info;
}

QmpUuidInfo *qmp_query_uuid(Vm *vm, GError **error)
{
    QmpUuidInfo *info = g_new0(QmpUuidInfo, 1);
    GString *text = g_string_new(NULL);

    for (int i = 0; i < 16; i++) {
        g_string_append_printf(text, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "",
                               vm->config.uuid[i]);
    }
    info->UUID = g_string_free(text, FALSE);
    return info;
}

QmpKvmInfo *qmp_query_kvm(Vm *vm, GError **error)
{
    QmpKvmInfo *info = g_new0(QmpKvmInfo, 1);

    info->enabled = vm->accel == &accel_kvm;
    info->present = true;
    return info;
}

QmpTargetInfo *qmp_query_target(Vm *vm, GError **error)
{
    return g_new0(QmpTargetInfo, 1);                    /* there is only one */
}

GPtrArray *qmp_query_machines(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_machine_info_list_new();
    VmMachineType type;

    for (unsigned i = 0; vm_machine_type(i, &type); i++) {
        QmpMachineInfo *info = g_new0(QmpMachineInfo, 1);

        info->name = g_strdup(type.name);
        info->alias = g_strdup(type.alias);
        info->has_is_default = info->is_default = type.is_default;
        info->cpu_max = type.max_cpus;
        if (type.default_cpu != NULL) {
            info->default_cpu_type = g_strdup_printf("%s-x86_64-cpu", type.default_cpu);
            info->default_ram_id = g_strdup("pc.ram");
        }
        g_ptr_array_add(list, info);
    }
    return list;
}

/* ---- CPUs ---- */

static QmpCpuInstanceProperties *cpu_place(const Vm *vm, unsigned index)
{
    QmpCpuInstanceProperties *props = g_new0(QmpCpuInstanceProperties, 1);
    const CpuTopology *topo = &vm->config.topo;

    unsigned node;

    props->has_node_id = vm_numa_node(vm, index, &node);
    props->node_id = node;
    props->has_thread_id = props->has_core_id = props->has_socket_id = true;
    props->thread_id = index % topo->threads;
    index /= topo->threads;
    props->core_id = index % topo->cores;
    index /= topo->cores;
    if (topo->dies > 1) {
        props->has_die_id = true;
        props->die_id = index % topo->dies;
        index /= topo->dies;
    }
    props->socket_id = index;
    return props;
}

GPtrArray *qmp_query_cpus_fast(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_cpu_info_fast_list_new();

    for (guint i = 0; i < vm->cpus->len; i++) {
        const X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);
        QmpCpuInfoFast *info = g_new0(QmpCpuInfoFast, 1);

        info->cpu_index = cpu->index;
        info->qom_path = object_path(&cpu->obj);
        info->thread_id = cpu->thread_id;
        info->props = cpu_place(vm, cpu->index);
        g_ptr_array_add(list, info);
    }
    return list;
}

GPtrArray *qmp_query_hotpluggable_cpus(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_hotpluggable_cpu_list_new();

    for (guint i = vm->cpus->len; i-- > 0; ) {
        const X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);
        QmpHotpluggableCPU *place = g_new0(QmpHotpluggableCPU, 1);

        place->type = g_strdup(cpu->obj.type_name);
        place->vcpus_count = 1;
        place->props = cpu_place(vm, cpu->index);
        place->qom_path = object_path(&cpu->obj);
        g_ptr_array_add(list, place);
    }
    return list;
}

QmpCurrentMachineParams *qmp_query_current_machine(Vm *vm, GError **error)
{
    QmpCurrentMachineParams *params = g_new0(QmpCurrentMachineParams, 1);

    params->wakeup_suspend_support = vm->pm != NULL;
    return params;
}

bool qmp_rtc_reset_reinjection(Vm *vm, GError **error)
{
    vm_cmd_forget_ticks(vm);
    return true;
}

/* ---- memory ---- */

QmpMemoryInfo *qmp_query_memory_size_summary(Vm *vm, GError **error)
{
    QmpMemoryInfo *info = g_new0(QmpMemoryInfo, 1);

    info->base_memory = vm->config.ram_bytes;
    info->has_plugged_memory = true;
    return info;
}

static bool check_size(int64_t size, GError **error)
{
    if (size < 0) {
        set_error(error, "Parameter 'size' expects a number that is not negative");
    }
    return size >= 0;
}

bool qmp_memsave(Vm *vm, int64_t val, int64_t size, const char *filename, const int64_t *cpu_index,
                 GError **error)
{
    unsigned cpu = 0;

    if (cpu_index != NULL) {
        cpu = *cpu_index >= 0 && *cpu_index < UINT_MAX ? *cpu_index : UINT_MAX;
    }
    return check_size(size, error) && vm_cmd_memsave(vm, cpu, val, size, filename, error);
}

bool qmp_pmemsave(Vm *vm, int64_t val, int64_t size, const char *filename, GError **error)
{
    return check_size(size, error) && vm_cmd_pmemsave(vm, val, size, filename, error);
}

/* ---- texts for people ---- */

static QmpHumanReadableText *as_text(GString *text)
{
    QmpHumanReadableText *result = g_new0(QmpHumanReadableText, 1);

    result->human_readable_text = g_string_free(text, FALSE);
    return result;
}

QmpHumanReadableText *qmp_x_query_roms(Vm *vm, GError **error)
{
    GString *text = g_string_new(NULL);

    vm_print_roms(vm, text);
    return as_text(text);
}

QmpHumanReadableText *qmp_x_query_numa(Vm *vm, GError **error)
{
    GString *text = g_string_new(NULL);

    vm_print_numa(vm, text);
    return as_text(text);
}

QmpHumanReadableText *qmp_x_query_ramblock(Vm *vm, GError **error)
{
    GString *text = g_string_new(NULL);

    vm_print_ramblock(text);
    return as_text(text);
}

QmpHumanReadableText *qmp_x_query_usb(Vm *vm, GError **error)
{
    GString *text = g_string_new(NULL);

    if (!vm_print_usb(vm, text)) {
        set_error(error, "USB support not enabled");
        g_string_free(text, TRUE);
        return NULL;
    }
    return as_text(text);
}

QmpHumanReadableText *qmp_x_query_irq(Vm *vm, GError **error)
{
    GString *text = g_string_new(NULL);

    vm_print_view(vm, VIEW_IRQ, 0, text);
    return as_text(text);
}

QmpHumanReadableText *qmp_x_query_jit(Vm *vm, GError **error)
{
    GString *text;

    if (vm->accel->print_jit == NULL) {
        set_error(error, "JIT information is only available with accel=tcg");
        return NULL;
    }
    text = g_string_new(NULL);
    vm->accel->print_jit(vm, text);
    return as_text(text);
}
