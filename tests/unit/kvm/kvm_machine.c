#include "kvm_machine.h"

#include <string.h>
#include <unistd.h>

#define CODE_ADDR 0x1000
#define RUN_LIMIT_US (5 * G_USEC_PER_SEC)

extern const DeviceType kvm_apic_type;
static const DeviceType *const types[] = { &kvm_apic_type, NULL };

static char letter(unsigned size)
{
    return "0bw0l000q"[size];
}

static uint64_t io_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x11 * (offset + 1);
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    g_string_append_printf(((KvmMachine *)opaque)->written, "out.%c %x=%x ", letter(size),
                           (unsigned)offset, (unsigned)value);
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    g_string_append_printf(((KvmMachine *)opaque)->written, "mem.%c %x=%x ", letter(size),
                           (unsigned)offset, (unsigned)value);
}

static void stop_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    KvmMachine *machine = opaque;

    machine->stopped = true;
    vm_request_stop(&machine->vm, RUN_STATE_PAUSED);
}

static void debug_settle(Vm *vm)
{
    X86Cpu *cpu = g_ptr_array_index(vm->cpus, 0);

    vcpu_sync(cpu);
    cpu->debug_told = true;
    cpu->debug_pass = cpu->debug_hit != DEBUG_WATCH;
    cpu->debug_pass_addr = x86_linear_rip(cpu);
    vm_stop(vm, RUN_STATE_DEBUG);
}

static const MemOps port_ops = { .read = io_read, .write = port_write, .max_size = 4 };
static const MemOps mmio_ops = { .read = io_read, .write = mmio_write, .max_size = 8 };
static const MemOps stop_ops = { .read = io_read, .write = stop_write };

KvmMachine *kvm_machine_new(const char *irqchip)
{
    KvmMachine *machine = g_new0(KvmMachine, 1);
    Vm *vm = &machine->vm;
    g_autoptr(GError) error = NULL;

    machine_lock();
    vm_core_init(vm, g_main_context_default(), types);
    vm->config.topo = (CpuTopology){ 1, 1, 1, 1, 1, 1 };
    vm->config.kernel_irqchip = g_strdup(irqchip);
    vm->config.pit = true;
    vm->debug_settle = debug_settle;
    if (access("/dev/kvm", R_OK | W_OK) < 0 || !accel_start(vm, &accel_kvm, &error)) {
        vm_core_finish(vm);
        machine_unlock();
        g_free(machine);
        return NULL;
    }
    machine->written = g_string_new(NULL);
    mem_region_init_ram(&machine->ram, NULL, "ram", MACHINE_RAM, NULL);
    mem_region_add(&vm->system_memory, 0, &machine->ram);
    mem_region_init_io(&machine->port, NULL, "port", 16, &port_ops, machine);
    mem_region_add_priority(&vm->system_io, MACHINE_PORT, &machine->port, 1);
    mem_region_init_io(&machine->stop, NULL, "stop", 1, &stop_ops, machine);
    mem_region_add_priority(&vm->system_io, MACHINE_STOP, &machine->stop, 1);
    mem_region_init_io(&machine->mmio, NULL, "mmio", 4096, &mmio_ops, machine);
    mem_region_add(&vm->system_memory, MACHINE_MMIO, &machine->mmio);
    machine->model = x86_cpu_model_parse(vm, "qemu64,check=off", NULL);
    machine->cpu = x86_cpu_new(vm, 0, 0, machine->model);
    if (!vcpus_create(vm, &error)) {
        g_error("%s", error->message);
    }
    vm_reset(vm, SHUTDOWN_CAUSE_NONE);
    return machine;
}

void kvm_machine_free(KvmMachine *machine)
{
    Vm *vm = &machine->vm;

    if (vm_is_running(vm)) {
        vcpus_pause(vm);
    }
    vcpus_destroy(vm);
    accel_kvm.finish(vm);
    x86_cpu_free(machine->cpu);
    x86_cpu_model_free(machine->model);
    mem_region_finish(&machine->mmio);
    mem_region_finish(&machine->stop);
    mem_region_finish(&machine->port);
    mem_region_finish(&machine->ram);
    vm_core_finish(vm);
    machine_unlock();
    g_string_free(machine->written, TRUE);
    g_free(machine);
}

void kvm_machine_load(KvmMachine *machine, const uint8_t *code, size_t len)
{
    X86Cpu *cpu = machine->cpu;

    memcpy(machine->ram.ram->host + CODE_ADDR, code, len);
    vcpu_sync(cpu);
    x86_load_real_seg(cpu, SEG_CS, 0);
    cpu->rip = CODE_ADDR;
    cpu->gpr[R_RSP] = CODE_ADDR;
    vcpu_mark_dirty(cpu);
}

static gboolean time_is_up(gpointer opaque)
{
    *(bool *)opaque = true;
    return G_SOURCE_REMOVE;
}

void kvm_machine_run(KvmMachine *machine)
{
    bool late = false;
    guint limit = g_timeout_add(RUN_LIMIT_US / 1000, time_is_up, &late);

    machine->stopped = false;
    vm_start(&machine->vm);
    while (vm_is_running(&machine->vm) && !late) {
        g_main_context_iteration(machine->vm.context, TRUE);
    }
    if (late) {
        vm_stop(&machine->vm, RUN_STATE_PAUSED);
    } else {
        g_source_remove(limit);
    }
    vcpu_sync(machine->cpu);
}
