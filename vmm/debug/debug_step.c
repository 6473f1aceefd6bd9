/* Going on: with everybody, by one instruction, past a call, out of a function. */
#include "debug_core.h"

#include "disas.h"
#include "pagewalk.h"
#include "rhea_error.h"
#include "unwind.h"

/* A return that drops arguments (RET n) leaves the stack a little above where the call found it. */
#define STACK_SLACK 4096
/* What of CR3 tells processes apart: neither PCID nor the bit page-table isolation switches. */
#define CR3_PROCESS UINT64_C(0x000fffffffffe000)

/* ---- whether ---- */

static bool can_go_on(Vm *vm, GError **error)
{
    switch (vm->run_state) {
    case RUN_STATE_INTERNAL_ERROR:
    case RUN_STATE_SHUTDOWN:
        set_error(error, "Resetting the Virtual Machine is required");
        return false;
    case RUN_STATE_RUNNING:
        set_error(error, "the machine runs; stop it first");
        return false;
    case RUN_STATE_SUSPENDED:
        set_error(error, "the machine is suspended; system_wakeup wakes it");
        return false;
    default:
        return true;
    }
}

static bool can_step(Vm *vm, X86Cpu *cpu, GError **error)
{
    if (!can_go_on(vm, error)) {
        return false;
    }
    vcpu_sync(cpu);
    if (cpu->mp_state == MP_WAIT_FOR_SIPI) {
        set_error(error, "CPU %u waits to be started by another one", cpu->index);
        return false;
    }
    return true;
}

/* ---- going on ---- */

/* A vCPU that steps does so whatever point it stands on. */
static void prepare(X86Cpu *cpu, DebugAction action)
{
    cpu->debug_hold = action == DEBUG_HOLD;
    cpu->single_step = action == DEBUG_SINGLE || action == DEBUG_SINGLE_OPEN;
    cpu->step_interrupts = action == DEBUG_SINGLE_OPEN;
    if (cpu->single_step) {
        vcpu_sync(cpu);
        cpu->debug_pass = true;
        cpu->debug_pass_addr = x86_linear_rip(cpu);
    }
}

bool debug_resume(Vm *vm, DebugOwner owner, const DebugAction *actions, size_t n, GError **error)
{
    StepState *step = &debug_core.step;

    debug_attach(vm);
    if (!can_go_on(vm, error)) {
        return false;
    }
    g_assert(n == vm->cpus->len);
    for (size_t i = n; i-- > 0;) {
        prepare(vm->cpus->pdata[i], actions[i]);
        if (actions[i] == DEBUG_SINGLE || actions[i] == DEBUG_SINGLE_OPEN) {
            *step = (StepState){ .active = true, .owner = owner, .cpu_index = i };
        }
    }
    vm_start(vm);
    return true;
}

bool debug_wait(Vm *vm, unsigned timeout_ms)
{
    gint64 end_us = g_get_monotonic_time() + timeout_ms * G_GINT64_CONSTANT(1000);

    while (vm_is_running(vm) && g_get_monotonic_time() < end_us) {
        vcpus_wait_debug(vm, end_us);
        vm_run_requests(vm);
    }
    return !vm_is_running(vm);
}

/* ---- to a point of the step's own ---- */

static uint64_t linear_stack(const X86Cpu *cpu)
{
    uint64_t sp = cpu->gpr[R_RSP];

    if (cpu->mode & CPU_MODE_CS64) {
        return sp;
    }
    return (uint32_t)(cpu->seg[SEG_SS].base + (sp & (cpu->mode & CPU_MODE_SS32 ? 0xffffffff
                                                                               : 0xffff)));
}

bool debug_step_is_done(const X86Cpu *cpu)
{
    const StepState *step = &debug_core.step;

    return step->active && step->has_point && step->point.addr == x86_linear_rip(cpu) &&
           linear_stack(cpu) - step->stack < STACK_SLACK && x86_cpl(cpu) == step->cpl &&
           (step->cpl != 3 || (cpu->cr3 & CR3_PROCESS) == step->cr3);
}

/* Hardware points first: kvm's cost the other vCPUs nothing when somebody only passes by. */
static bool give_point(Vm *vm, uint64_t addr, GError **error)
{
    StepState *step = &debug_core.step;

    step->has_point = true;
    step->point = (BreakPoint){ BREAK_HARD, addr, 1 };
    if (debug_give_points(vm, NULL)) {
        return true;
    }
    step->point.kind = BREAK_SOFT;
    if (debug_give_points(vm, error)) {
        return true;
    }
    *step = (StepState){ 0 };
    return false;
}

static bool run_to(Vm *vm, DebugOwner owner, X86Cpu *cpu, uint64_t addr, uint64_t stack,
                   GError **error)
{
    debug_core.step = (StepState){
        .active = true, .owner = owner, .cpu_index = cpu->index, .stack = stack,
        .cpl = x86_cpl(cpu), .cr3 = cpu->cr3 & CR3_PROCESS,
    };
    if (!give_point(vm, addr, error)) {
        return false;
    }
    cpu->debug_pass = true;
    cpu->debug_pass_addr = x86_linear_rip(cpu);
    vm_start(vm);
    return true;
}

static bool step_insn(Vm *vm, DebugOwner owner, X86Cpu *cpu, GError **error)
{
    g_autofree DebugAction *actions = g_new(DebugAction, vm->cpus->len);

    for (guint i = 0; i < vm->cpus->len; i++) {
        actions[i] = i == cpu->index ? DEBUG_SINGLE : DEBUG_RUN;
    }
    return debug_resume(vm, owner, actions, vm->cpus->len, error);
}

/* The code at the CPU's rip, as much of it as is mapped. */
static size_t read_code(const X86Cpu *cpu, uint8_t code[15])
{
    uint64_t rip = x86_linear_rip(cpu);
    size_t to_page_end = PAGE_SIZE_4K - (rip & (PAGE_SIZE_4K - 1));

    if (x86_read_linear(cpu, rip, code, 15)) {
        return 15;
    }
    return to_page_end < 15 && x86_read_linear(cpu, rip, code, to_page_end) ? to_page_end : 0;
}

static bool step_over(Vm *vm, DebugOwner owner, X86Cpu *cpu, GError **error)
{
    uint8_t code[15];
    size_t len = x86_call_length(x86_code_bits(cpu), code, read_code(cpu, code));

    return len == 0 ? step_insn(vm, owner, cpu, error)
                    : run_to(vm, owner, cpu, x86_linear_rip(cpu) + len, linear_stack(cpu),
                             error);
}

static bool step_out(Vm *vm, DebugOwner owner, X86Cpu *cpu, GError **error)
{
    UnwindFrame frames[2];

    if (unwind(vm, cpu, frames, 2) < 2 || frames[1].how == UNWIND_GUESS) {
        set_error(error, "nobody can tell where the function of CPU %u returns to", cpu->index);
        return false;
    }
    return run_to(vm, owner, cpu, frames[1].rip,
                  frames[0].cfa != 0 ? frames[0].cfa : linear_stack(cpu) + 1, error);
}

bool debug_step(Vm *vm, DebugOwner owner, X86Cpu *cpu, DebugStep step, GError **error)
{
    static bool (*const steps[])(Vm *, DebugOwner, X86Cpu *, GError **) = {
        [DEBUG_STEP_INSN] = step_insn, [DEBUG_STEP_OVER] = step_over, [DEBUG_STEP_OUT] = step_out,
    };

    debug_attach(vm);
    return can_step(vm, cpu, error) && steps[step](vm, owner, cpu, error);
}
