#include "fake_vm.h"

#include <string.h>

X86Cpu fake_cpu;
GString *fake_calls;

static Vm machine;

Vm *fake_vm(void)
{
    static MemRegion ram;
    GError *error = NULL;

    if (fake_calls != NULL) {
        return &machine;
    }
    fake_calls = g_string_new(NULL);
    machine.run_state = RUN_STATE_PRELAUNCH;
    machine.cpus = g_ptr_array_new();
    mem_region_init(&machine.system_memory, NULL, "system", MEM_SIZE_ALL);
    mem_region_init(&machine.system_io, NULL, "io", 65536);
    address_space_init(&machine.memory, "memory", &machine.system_memory);
    address_space_init(&machine.io, "I/O", &machine.system_io);
    if (!mem_region_init_ram(&ram, NULL, "pc.ram", 65536, &error)) {
        g_error("%s", error->message);
    }
    mem_region_add(&machine.system_memory, 0, &ram);
    for (unsigned i = 0; i < 65536; i++) {
        ram.ram->host[i] = i;
    }
    fake_cpu = (X86Cpu){ .vm = &machine, .mode = CPU_MODE_CS64, .rip = 0x10, .gpr = { 1, 2, 3 } };
    g_ptr_array_add(machine.cpus, &fake_cpu);
    return &machine;
}

static bool called(const char *name)
{
    g_string_append_printf(fake_calls, "%s ", name);
    return true;
}

Vm *vm_instance(void)
{
    return fake_vm();
}

X86Cpu *vm_cpu(Vm *vm, unsigned index)
{
    return index < vm->cpus->len ? g_ptr_array_index(vm->cpus, index) : NULL;
}

const AccelChoice *vm_accel_choice(void)
{
    static AccelChoice choice;

    return &choice;
}

void accel_print_info(Vm *vm, const AccelChoice *choice, GString *out)
{
    called("accel_print_info");
}

void vm_quit(Vm *vm, ShutdownCause cause)
{
    called("quit");
}

bool vm_cmd_cont(Vm *vm, GError **error)
{
    set_error(error, "Resetting the Virtual Machine is required");
    return false;
}

bool vm_cmd_stop(Vm *vm, GError **error)
{
    return called("stop");
}

bool vm_cmd_inject_nmi(Vm *vm, GError **error)
{
    return called("nmi");
}

bool vm_cmd_memsave(Vm *vm, unsigned cpu, uint64_t addr, uint64_t size, const char *file, GError **error)
{
    g_autofree char *what = g_strdup_printf("memsave(%u,%#lx,%lu,%s)", cpu, addr, size, file);

    return called(what);
}

bool vm_cmd_pmemsave(Vm *vm, uint64_t addr, uint64_t size, const char *file, GError **error)
{
    g_autofree char *what = g_strdup_printf("pmemsave(%#lx,%lu,%s)", addr, size, file);

    return called(what);
}

bool vm_cmd_boot_set(Vm *vm, const char *order, GError **error)
{
    return called(order);
}

bool vm_send_keys(Vm *vm, const char *keys, unsigned hold_ms, GError **error)
{
    g_autofree char *what = g_strdup_printf("keys(%s,%u)", keys, hold_ms);

    return called(what);
}

void vm_print_pci(Vm *vm, GString *out)
{
    called("pci");
}

void vm_print_mtree(Vm *vm, bool flat, GString *out)
{
    called(flat ? "mtree-flat" : "mtree");
}

void vm_print_roms(Vm *vm, GString *out)
{
    called("roms");
}

void vm_print_qom_tree(Vm *vm, const char *path, GString *out)
{
    called(path != NULL ? path : "qom-tree");
}

void vm_print_view(Vm *vm, DeviceView view, int cpu_index, GString *out)
{
    called("view");
}
