#include "toy_engine.h"

#include <string.h>

#define RUN_LIMIT_MS 5000

BreakPoint toy_points[16];
size_t toy_n_points;
bool toy_refuses;
int toy_rendezvous;

static int arrived;
static const DeviceType *const no_types[] = { NULL };

/* ---- instructions ---- */

static uint8_t *memory(X86Cpu *cpu, uint64_t addr)
{
    ToyMachine *toy = (ToyMachine *)cpu->vm;

    return toy->ram.ram->host + addr;
}

static void call(X86Cpu *cpu, uint64_t target)
{
    cpu->gpr[R_RSP] -= 8;
    memcpy(memory(cpu, cpu->gpr[R_RSP]), &cpu->rip, 8);
    cpu->rip = target;
}

static bool meets(X86Cpu *cpu, bool watch, uint64_t addr)
{
    for (size_t i = 0; i < toy_n_points; i++) {
        bool is_watch = toy_points[i].kind != BREAK_SOFT && toy_points[i].kind != BREAK_HARD;

        if (is_watch == watch && toy_points[i].addr == addr) {
            cpu->debug_hit = watch ? DEBUG_WATCH : DEBUG_BREAK;
            cpu->debug_addr = addr;
            __atomic_fetch_add(&arrived, 1, __ATOMIC_SEQ_CST);
            while (__atomic_load_n(&arrived, __ATOMIC_SEQ_CST) < toy_rendezvous) {
                g_thread_yield();
            }
            return true;
        }
    }
    return false;
}

/* One instruction; false: a watch point was met. */
static bool execute(X86Cpu *cpu)
{
    uint64_t start = cpu->rip++;
    int32_t distance;

    switch (*memory(cpu, start)) {
    case 0xe8:
        memcpy(&distance, memory(cpu, cpu->rip), 4);
        cpu->rip += 4;
        call(cpu, cpu->rip + distance);
        break;
    case 0x99:
        if (--cpu->gpr[R_RCX] > 0) {
            call(cpu, start);
        }
        break;
    case 0xc3:
        memcpy(&cpu->rip, memory(cpu, cpu->gpr[R_RSP]), 8);
        cpu->gpr[R_RSP] += 8;
        break;
    case 0xaa:
        return !meets(cpu, true, cpu->gpr[R_RDI]);
    case 0xf4:
        cpu->rip = start;
        break;
    }
    return true;
}

static RunExit toy_run(X86Cpu *cpu)
{
    while (!(__atomic_load_n(&cpu->events, __ATOMIC_SEQ_CST) & CPU_EVENT_KICK)) {
        bool passes = x86_passes_point(cpu);

        cpu->debug_pass = false;
        if (!passes && meets(cpu, false, cpu->rip)) {
            return RUN_EXIT_DEBUG;
        }
        if (!execute(cpu)) {
            return RUN_EXIT_DEBUG;
        }
        if (cpu->single_step) {
            cpu->debug_hit = DEBUG_STEP;
            return RUN_EXIT_DEBUG;
        }
    }
    return RUN_EXIT_KICK;
}

/* ---- the engine ---- */

static bool toy_init(Vm *vm, GError **error) { return true; }
static IrqchipKind toy_irqchip(Vm *vm) { return IRQCHIP_USER; }
static bool toy_cpu_init(X86Cpu *cpu, GError **error) { return true; }
static void toy_nothing(X86Cpu *cpu) { }

static bool toy_set_breakpoints(Vm *vm, const BreakPoint *list, size_t n, GError **error)
{
    if (toy_refuses) {
        g_set_error(error, g_quark_from_static_string("toy"), 0, "no room");
        return false;
    }
    g_assert(n <= G_N_ELEMENTS(toy_points));
    if (n > 0) {
        memcpy(toy_points, list, n * sizeof(*list));
    }
    toy_n_points = n;
    return true;
}

static const AccelOps toy_ops = {
    .name = "toy", .cpu_size = sizeof(X86Cpu), .init = toy_init, .irqchip = toy_irqchip,
    .cpu_init = toy_cpu_init, .cpu_finish = toy_nothing, .run = toy_run, .kick = toy_nothing,
    .get_state = toy_nothing, .put_state = toy_nothing, .set_breakpoints = toy_set_breakpoints,
};

/* ---- the machine ---- */

static void note_event(Vm *vm, const VmEvent *event, void *opaque)
{
    GString *events = opaque;

    if (event->kind == VM_EVENT_RESUME) {
        __atomic_store_n(&arrived, 0, __ATOMIC_SEQ_CST);
    }
    g_string_append(events, event->kind == VM_EVENT_RESUME  ? "RESUME "
                            : event->kind == VM_EVENT_STOP  ? "STOP "
                            : event->kind == VM_EVENT_DEBUG ? "DEBUG "
                                                            : "");
}

static void start_cpu(X86Cpu *cpu)
{
    cpu->mp_state = MP_RUNNABLE;
    cpu->cr0 |= CR0_PE;
    cpu->efer |= EFER_LMA;
    cpu->seg[SEG_CS] = (X86Seg){ .attr = SEG_ATTR_L | SEG_ATTR_P | SEG_ATTR_S | 0xb };
    cpu->rip = TOY_CODE;
    cpu->gpr[R_RSP] = TOY_STACK - 0x1000 * cpu->index;
    vcpu_mark_dirty(cpu);
}

static void start_cpus(void *opaque)
{
    ToyMachine *toy = opaque;

    for (unsigned i = 0; i < TOY_CPUS; i++) {
        start_cpu(toy->cpu[i]);
    }
}

ToyMachine *toy_new(void)
{
    ToyMachine *toy = g_new0(ToyMachine, 1);
    Vm *vm = &toy->vm;

    machine_lock();
    vm_core_init(vm, g_main_context_default(), no_types);
    vm->config.topo = (CpuTopology){ TOY_CPUS, 1, 1, TOY_CPUS, 1, TOY_CPUS };
    toy->events = g_string_new(NULL);
    toy->model = NULL;
    vm_subscribe(vm, note_event, toy->events);
    g_assert(accel_start(vm, &toy_ops, NULL));
    g_assert(mem_region_init_ram(&toy->ram, NULL, "ram", 1 << 20, NULL));
    mem_region_add(&vm->system_memory, 0, &toy->ram);
    toy->model = x86_cpu_model_parse(vm, "qemu64,check=off", NULL);
    for (unsigned i = 0; i < TOY_CPUS; i++) {
        toy->cpu[i] = x86_cpu_new(vm, i, i, toy->model);
    }
    g_assert(vcpus_create(vm, NULL));
    vm_add_reset(vm, start_cpus, toy);
    vm_reset(vm, SHUTDOWN_CAUSE_NONE);
    toy_rendezvous = 0;
    toy_refuses = false;
    return toy;
}

void toy_free(ToyMachine *toy)
{
    Vm *vm = &toy->vm;

    if (vm_is_running(vm)) {
        vcpus_pause(vm);
    }
    debug_finish(vm);
    vcpus_destroy(vm);
    for (unsigned i = 0; i < TOY_CPUS; i++) {
        x86_cpu_free(toy->cpu[i]);
    }
    x86_cpu_model_free(toy->model);
    mem_region_finish(&toy->ram);
    vm_core_finish(vm);
    machine_unlock();
    g_string_free(toy->events, TRUE);
    g_free(toy);
}

void toy_load(ToyMachine *toy, const uint8_t *code, size_t len)
{
    memset(toy->ram.ram->host + TOY_CODE, 0xf4, 0x100);
    memcpy(toy->ram.ram->host + TOY_CODE, code, len);
}

static gboolean time_is_up(gpointer opaque)
{
    g_error("the toy machine does not stop");
    return G_SOURCE_REMOVE;
}

void toy_wait(ToyMachine *toy)
{
    guint limit = g_timeout_add(RUN_LIMIT_MS, time_is_up, NULL);

    while (vm_is_running(&toy->vm)) {
        g_main_context_iteration(toy->vm.context, TRUE);
    }
    g_source_remove(limit);
}
