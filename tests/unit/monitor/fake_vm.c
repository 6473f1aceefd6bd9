#include "fake_vm.h"

#include <string.h>

#include "keys.h"
#include "qmp_api.h"
#include "typing.h"

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
    machine.reset_hooks = g_ptr_array_new();
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

/* ---- QMP's operations ---- */

bool qmp_quit(Vm *vm, GError **error)
{
    return called("quit");
}

bool qmp_cont(Vm *vm, GError **error)
{
    set_error(error, "Resetting the Virtual Machine is required");
    return false;
}

bool qmp_stop(Vm *vm, GError **error)
{
    return called("stop");
}

bool qmp_system_reset(Vm *vm, GError **error)
{
    return called("system_reset");
}

bool qmp_system_powerdown(Vm *vm, GError **error)
{
    return called("system_powerdown");
}

bool qmp_system_wakeup(Vm *vm, GError **error)
{
    return called("system_wakeup");
}

bool qmp_inject_nmi(Vm *vm, GError **error)
{
    return called("nmi");
}

bool qmp_memsave(Vm *vm, int64_t val, int64_t size, const char *filename, const int64_t *cpu_index,
                 GError **error)
{
    g_autofree char *what = NULL;

    what = g_strdup_printf("memsave(%ld,%#lx,%ld,%s)", *cpu_index, val, size, filename);
    return called(what);
}

bool qmp_pmemsave(Vm *vm, int64_t val, int64_t size, const char *filename, GError **error)
{
    g_autofree char *what = g_strdup_printf("pmemsave(%#lx,%ld,%s)", val, size, filename);

    return called(what);
}

char *qmp_ringbuf_read(Vm *vm, const char *device, int64_t size, const QmpDataFormat *format,
                       GError **error)
{
    return g_strdup("a\\\001b\n");
}

bool qmp_ringbuf_write(Vm *vm, const char *device, const char *data, const QmpDataFormat *format,
                       GError **error)
{
    g_autofree char *what = g_strdup_printf("ringbuf(%s,%s)", device, data);

    return called(what);
}

/* ---- QMP's queries ---- */

QmpStatusInfo *qmp_query_status(Vm *vm, GError **error)
{
    QmpStatusInfo *info = g_new0(QmpStatusInfo, 1);

    info->running = vm->run_state == RUN_STATE_RUNNING;
    info->status = vm->run_state;
    return info;
}

QmpVersionInfo *qmp_query_version(Vm *vm, GError **error)
{
    QmpVersionInfo *info = g_new0(QmpVersionInfo, 1);

    info->qemu = g_new0(QmpVersionTriple, 1);
    *info->qemu = (QmpVersionTriple){ 7, 2, 22 };
    info->package = g_strdup("rhea test");
    return info;
}

QmpNameInfo *qmp_query_name(Vm *vm, GError **error)
{
    return g_new0(QmpNameInfo, 1);
}

QmpUuidInfo *qmp_query_uuid(Vm *vm, GError **error)
{
    QmpUuidInfo *info = g_new0(QmpUuidInfo, 1);

    info->UUID = g_strdup("1f8e6f7e-5a70-4780-89c1-464dc0e7f308");
    return info;
}

QmpKvmInfo *qmp_query_kvm(Vm *vm, GError **error)
{
    QmpKvmInfo *info = g_new0(QmpKvmInfo, 1);

    info->present = true;
    return info;
}

GPtrArray *qmp_query_chardev(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_chardev_info_list_new();
    QmpChardevInfo *info = g_new0(QmpChardevInfo, 1);

    info->label = g_strdup("serial0");
    info->filename = g_strdup("pty:/dev/pts/0");
    info->frontend_open = true;
    g_ptr_array_add(list, info);
    return list;
}

GPtrArray *qmp_query_cpus_fast(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_cpu_info_fast_list_new();

    for (int i = 0; i < 2; i++) {
        QmpCpuInfoFast *info = g_new0(QmpCpuInfoFast, 1);

        info->cpu_index = i;
        info->thread_id = 100 + i;
        info->qom_path = g_strdup("/cpu");
        g_ptr_array_add(list, info);
    }
    return list;
}

/* ---- the rest of the door ---- */

bool vm_cmd_boot_set(Vm *vm, const char *order, GError **error)
{
    return called(order);
}

bool typing_keys(Vm *vm, const char *keys, unsigned hold_ms, GError **error)
{
    g_autofree char *what = g_strdup_printf("keys(%s,%u)", keys, hold_ms);

    return called(what);
}

bool typing_text(Vm *vm, const char *text, const char *layout, TypedFn done, void *opaque,
                 GError **error)
{
    g_autofree char *what = g_strdup_printf("type(%s,%s)", text, layout);

    return called(what);
}

const char *const *key_names(void)
{
    static const char *const names[] = { "a", "alt", "ctrl", NULL };

    return names;
}

void vm_print_pci(Vm *vm, GString *out)
{
    called("pci");
}

bool vm_print_usb(Vm *vm, GString *out)
{
    return called("usb");
}

bool vm_balloon(Vm *vm, uint64_t bytes, GError **error)
{
    return called("balloon");
}

bool vm_balloon_actual(Vm *vm, uint64_t *bytes, GError **error)
{
    *bytes = 0;
    return called("balloon-actual");
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
