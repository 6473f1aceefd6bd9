/*
 * The loop: events, then a block, over and over; and the software CPU as an engine.
 *
 * run() arms cpu->fault_jmp once.  Whatever stops a micro-op half-way (a fault, a restart,
 * leaving) lands there; faults are delivered and the loop goes on.
 */
#include <inttypes.h>

#include "tcg_ops.h"

#include "tcg_sys.h"
#include "vm_log.h"

enum { JUMP_NONE, JUMP_FAULT, JUMP_RESTART, JUMP_LEAVE };      /* JUMP_LEAVE + RunExit */

/* ---- stopping a micro-op ---- */

static void set_rip(TcgCpu *cpu, uint64_t rip)
{
    cpu->x86.rip = cpu->x86.mode & CPU_MODE_CS64 ? rip : (uint32_t)rip;
}

static G_NORETURN void raise_fault(TcgCpu *cpu, const UOp *u, unsigned vector, bool has_error,
                                   uint32_t error)
{
    if (u != NULL) {
        set_rip(cpu, tcg_insn_rip(cpu, u));
    }
    cpu->fault.vector = (uint8_t)vector;
    cpu->fault.has_error = has_error;
    cpu->fault.soft = false;
    cpu->fault.error = error;
    cpu->fault.next_rip = cpu->x86.rip;
    siglongjmp(cpu->fault_jmp, JUMP_FAULT);
}

void tcg_raise(TcgCpu *cpu, const UOp *u, unsigned vector)
{
    raise_fault(cpu, u, vector, false, 0);
}

void tcg_raise_error(TcgCpu *cpu, const UOp *u, unsigned vector, uint32_t error)
{
    raise_fault(cpu, u, vector, true, error);
}

void tcg_raise_trap(TcgCpu *cpu, const UOp *u, unsigned vector, bool soft)
{
    uint64_t next = tcg_next_rip(cpu, u);

    set_rip(cpu, tcg_insn_rip(cpu, u));
    cpu->fault.vector = (uint8_t)vector;
    cpu->fault.has_error = false;
    cpu->fault.soft = soft;
    cpu->fault.error = 0;
    cpu->fault.next_rip = cpu->x86.mode & CPU_MODE_CS64 ? next : (uint32_t)next;
    siglongjmp(cpu->fault_jmp, JUMP_FAULT);
}

void tcg_leave(TcgCpu *cpu, RunExit why)
{
    siglongjmp(cpu->fault_jmp, JUMP_LEAVE + (int)why);
}

void tcg_restart(TcgCpu *cpu)
{
    siglongjmp(cpu->fault_jmp, JUMP_RESTART);
}

/* ---- debugger's breakpoints ---- */

/* Changed only while vCPUs stand. */
static struct {
    uint64_t *addrs;
    size_t n;
    uint64_t offsets[PAGE_SIZE_4K / 64];    /* a bit for each byte of a page that has one */
} breaks;

static bool tcg_set_breakpoints(Vm *vm, const BreakPoint *list, size_t n, GError **error)
{
    g_free(breaks.addrs);
    breaks.addrs = g_new(uint64_t, n);
    breaks.n = 0;
    memset(breaks.offsets, 0, sizeof(breaks.offsets));
    for (size_t i = 0; i < n; i++) {
        uint64_t offset = list[i].addr & (PAGE_SIZE_4K - 1);

        if (list[i].kind == BREAK_SOFT || list[i].kind == BREAK_HARD) {
            breaks.addrs[breaks.n++] = list[i].addr;
            breaks.offsets[offset / 64] |= UINT64_C(1) << offset % 64;
        }
    }
    tcg_debug_set_watch(vm, list, n);
    block_drop_all();
    return true;
}

/* Blocks do not depend on the address they run at, but that has the page offset they know. */
bool tcg_break_maybe(unsigned page_offset)
{
    return breaks.n > 0 && page_offset < PAGE_SIZE_4K &&
           breaks.offsets[page_offset / 64] >> page_offset % 64 & 1;
}

const UOp *op_break(TcgCpu *cpu, const UOp *u)
{
    X86Cpu *x86 = &cpu->x86;
    uint64_t linear;

    set_rip(cpu, tcg_insn_rip(cpu, u));
    linear = x86_linear_rip(x86);
    for (size_t i = 0; i < breaks.n; i++) {
        if (breaks.addrs[i] == linear) {
            x86->debug_hit = DEBUG_BREAK;
            x86->debug_addr = linear;
            tcg_leave(cpu, RUN_EXIT_DEBUG);
        }
    }
    NEXT(u);
}

/* ---- events ---- */

static void event_clear(TcgCpu *cpu, uint32_t bits)
{
    __atomic_fetch_and(&cpu->x86.events, ~bits, __ATOMIC_SEQ_CST);
}

static void deliver_event(TcgCpu *cpu, unsigned vector)
{
    cpu->x86.halted = false;
    tcg_deliver(cpu, vector, false, false, 0, cpu->x86.rip);
}

/* From the interrupt controller; false: it has none any more. */
static bool take_interrupt(TcgCpu *cpu)
{
    X86Cpu *x86 = &cpu->x86;
    int vector = x86->intc.acknowledge != NULL ? x86->intc.acknowledge(x86->intc.opaque) : -1;

    if (vector < 0) {
        return false;
    }
    deliver_event(cpu, (unsigned)vector);
    return true;
}

/* SDM 3A table 6-2: SMI before NMI before maskable interrupts. */
static bool take_event(TcgCpu *cpu, uint32_t events)
{
    X86Cpu *x86 = &cpu->x86;

    if (events & CPU_EVENT_SMI && !x86->in_smm) {
        event_clear(cpu, CPU_EVENT_SMI);
        x86->halted = false;
        tcg_enter_smm(cpu);
        return true;
    }
    if (events & CPU_EVENT_NMI && !x86->nmi_blocked) {
        event_clear(cpu, CPU_EVENT_NMI);
        x86->nmi_blocked = true;
        deliver_event(cpu, EXC_NMI);
        return true;
    }
    if (events & CPU_EVENT_MCE) {
        event_clear(cpu, CPU_EVENT_MCE);
        deliver_event(cpu, EXC_MC);
        return true;
    }
    /* A debugger's step should not land in a handler, unless the CPU has nothing else to do. */
    if (events & CPU_EVENT_INTR && x86->rflags & RFLAGS_IF &&
        (x86->halted || x86->step_interrupts || !(x86->single_step || x86_passes_point(x86)))) {
        return take_interrupt(cpu);
    }
    return false;
}

/* Work on the CPU itself.  True: leave run(). */
static bool take_requests(TcgCpu *cpu, uint32_t events)
{
    if (events & (CPU_EVENT_TLB_FLUSH | CPU_EVENT_A20)) {
        event_clear(cpu, CPU_EVENT_TLB_FLUSH | CPU_EVENT_A20);
        mmu_flush_all(cpu);
    }
    /* INIT and SIPI are taken outside run(), where the machine lock is held. */
    return events & (CPU_EVENT_KICK | CPU_EVENT_INIT | CPU_EVENT_SIPI) ||
           cpu->x86.mp_state == MP_WAIT_FOR_SIPI;
}

/* Injected from outside (a state that was loaded, KVM's). */
static bool take_injected(TcgCpu *cpu)
{
    X86Cpu *x86 = &cpu->x86;
    unsigned vector = x86->exception;

    if (vector != EXC_NONE) {
        x86->exception = EXC_NONE;
        tcg_deliver(cpu, vector, false, x86->exception_has_error, x86->exception_error, x86->rip);
        return true;
    }
    if (x86->interrupt_injected >= 0) {
        vector = (unsigned)x86->interrupt_injected;
        x86->interrupt_injected = -1;
        deliver_event(cpu, vector);
        return true;
    }
    return false;
}

/* The debugger's step led into a handler: that is where it ends. */
static RunExit end_step(TcgCpu *cpu)
{
    cpu->x86.debug_hit = DEBUG_STEP;
    return RUN_EXIT_DEBUG;
}

/* Everything that may come between two blocks.  False: leave run(), *why says why. */
static bool handle_events(TcgCpu *cpu, RunExit *why)
{
    X86Cpu *x86 = &cpu->x86;
    uint32_t events = __atomic_load_n(&x86->events, __ATOMIC_SEQ_CST);
    bool waited = x86->halted;

    cpu->link = NULL;                   /* what comes now may not be the successor */
    if (take_requests(cpu, events)) {
        *why = RUN_EXIT_KICK;
        return false;
    }
    if (take_injected(cpu)) {
        return true;
    }
    if (x86->intr_shadow == 0 || x86->halted) {
        while (take_event(cpu, events)) {
            events = __atomic_load_n(&x86->events, __ATOMIC_SEQ_CST);
        }
    } else {
        cpu->one_insn = true;           /* what waits comes right behind it: STI NOP CLI */
    }
    if (x86->halted) {
        *why = RUN_EXIT_HALT;
        return false;
    }
    if (waited && x86->single_step) {
        *why = end_step(cpu);
        return false;
    }
    return true;
}

/* ---- running ---- */

static void log_block(TcgCpu *cpu, const Block *block)
{
    if (log_on(LOG_EXEC)) {
        log_write(LOG_EXEC, "Trace %u: %p [%016" PRIx64 "/%08x/%u]\n", cpu->x86.index,
                  (const void *)block, cpu->x86.rip, block->mode, block->n_insns);
    }
    if (log_on(LOG_CPU)) {
        g_autoptr(GString) text = g_string_new(NULL);

        x86_print_registers(&cpu->x86, text);
        log_write(LOG_CPU, "%s", text->str);
    }
}

static void link_block(TcgCpu *cpu, Block **link, Block *block)
{
    const uint32_t loose = BLOCK_ALONE | BLOCK_TRACED | CPU_MODE_TF | CPU_MODE_BREAKS;

    if (link != NULL && !(block->mode & loose) && block->pages[1] == NULL) {
        __atomic_store_n(link, block, __ATOMIC_RELEASE);
    }
}

static void run_block(TcgCpu *cpu)
{
    Block **link = cpu->link;
    const UOp *u;
    Block *block;

    cpu->link = NULL;
    block = block_find(cpu);
    link_block(cpu, link, block);
    if (G_UNLIKELY(block->mode & BLOCK_TRACED)) {
        log_block(cpu, block);
    }
    cpu->x86.intr_shadow = 0;
    u = block_enter(cpu, block, cpu->x86.rip);
    while (u != NULL) {
        u = u->fn(cpu, u);
    }
}

/*
 * One instruction with what TF, debug registers and the debugger want around it.  False: a debug
 * stop.
 */
static bool run_watched(TcgCpu *cpu)
{
    X86Cpu *x86 = &cpu->x86;
    bool tf = x86->rflags & RFLAGS_TF;

    if (x86->mode & CPU_MODE_BREAKS) {
        tcg_debug_check_code(cpu);
    }
    run_block(cpu);
    tcg_debug_after_insn(cpu, tf);
    if (x86->single_step) {
        x86->debug_hit = DEBUG_STEP;
        return false;
    }
    return true;
}

/* What must be looked at before the next block, besides events. */
static bool is_pending(const X86Cpu *x86)
{
    return x86->halted || x86->exception != EXC_NONE || x86->interrupt_injected >= 0 ||
           x86->mp_state != MP_RUNNABLE;
}

/* The instruction a debugger's stop was told for comes next, if nothing has happened to rip. */
static void pass_point(TcgCpu *cpu)
{
    X86Cpu *x86 = &cpu->x86;

    if (x86_passes_point(x86)) {
        cpu->one_insn = cpu->no_break = true;
    }
    x86->debug_pass = false;
}

static RunExit run_loop(TcgCpu *cpu)
{
    X86Cpu *x86 = &cpu->x86;
    RunExit why;

    for (;;) {
        block_loop_top(cpu);
        if (G_UNLIKELY(x86->debug_hit != DEBUG_NONE)) {
            return RUN_EXIT_DEBUG;
        }
        if ((!cpu_quiet(cpu) || is_pending(x86)) && !handle_events(cpu, &why)) {
            return why;
        }
        if (G_UNLIKELY(x86->debug_pass)) {
            pass_point(cpu);
        }
        if (G_LIKELY(!(x86->mode & (CPU_MODE_TF | CPU_MODE_BREAKS)))) {
            run_block(cpu);
        } else if (!run_watched(cpu)) {
            return RUN_EXIT_DEBUG;
        }
    }
}

static void deliver_fault(TcgCpu *cpu)
{
    tcg_deliver(cpu, cpu->fault.vector, cpu->fault.soft, cpu->fault.has_error, cpu->fault.error,
                cpu->fault.next_rip);
}

static RunExit run_until_exit(TcgCpu *cpu)
{
    X86Cpu *x86 = &cpu->x86;
    int jump;

    x86->debug_hit = DEBUG_NONE;
    jump = sigsetjmp(cpu->fault_jmp, 0);
    if (cpu->bus_locked) {
        tcg_bus_unlock(cpu);
    }
    if (jump >= JUMP_LEAVE) {
        return (RunExit)(jump - JUMP_LEAVE);
    }
    if (jump == JUMP_FAULT) {
        cpu->no_break = false;
        deliver_fault(cpu);
        if (x86->single_step && x86->debug_hit == DEBUG_NONE) {
            return end_step(cpu);
        }
    }
    return run_loop(cpu);
}

static RunExit tcg_run(X86Cpu *x86)
{
    TcgCpu *cpu = TCG(x86);
    RunExit why;

    x86_update_mode(x86);
    mmu_update_class(cpu);
    block_cpu_enter(cpu);
    why = run_until_exit(cpu);
    tcg_fp_release(cpu);
    block_cpu_leave(cpu);
    /* An instruction may both meet a watchpoint and leave. */
    return x86->debug_hit != DEBUG_NONE && why == RUN_EXIT_KICK ? RUN_EXIT_DEBUG : why;
}

/* ---- one instruction for another engine ---- */

/* The registers of `from` and what is in progress; identity, threads and requests stay. */
static void copy_registers(X86Cpu *to, const X86Cpu *from)
{
    size_t before = offsetof(X86Cpu, events), after = offsetof(X86Cpu, mode);

    memcpy(to, from, before);
    memcpy((char *)to + after, (const char *)from + after, offsetof(X86Cpu, obj) - after);
}

static void identify(X86Cpu *scratch, const X86Cpu *cpu)
{
    scratch->vm = cpu->vm;
    scratch->index = cpu->index;
    scratch->apic_id = cpu->apic_id;
    scratch->is_bsp = cpu->is_bsp;
    scratch->model = cpu->model;
    scratch->intc = cpu->intc;
    scratch->apic = cpu->apic;
}

/* One per thread: its TLB is too large to make each time. */
static TcgCpu *scratch_cpu(const X86Cpu *cpu)
{
    static GPrivate key = G_PRIVATE_INIT(NULL);
    TcgCpu *scratch = g_private_get(&key);

    if (scratch == NULL) {
        scratch = g_aligned_alloc0(1, sizeof(TcgCpu), 64);
        identify(&scratch->x86, cpu);
        mmu_init(scratch);
        block_cpu_init(scratch);
        g_private_set(&key, scratch);
    }
    return scratch;
}

static bool interpret(TcgCpu *cpu)
{
    int jump = sigsetjmp(cpu->fault_jmp, 0);

    if (cpu->bus_locked) {
        tcg_bus_unlock(cpu);
    }
    if (jump >= JUMP_LEAVE) {
        return jump - JUMP_LEAVE != RUN_EXIT_SHUTDOWN;
    }
    if (jump == JUMP_NONE) {
        cpu->one_insn = true;
        run_block(cpu);
    } else if (jump == JUMP_FAULT) {
        deliver_fault(cpu);
    }
    return true;
}

bool tcg_interpret_one(X86Cpu *x86)
{
    TcgCpu *cpu;
    bool alive;

    tcg_decoder_setup(x86->model);
    cpu = scratch_cpu(x86);
    copy_registers(&cpu->x86, x86);
    cpu->pending_db = 0;
    cpu->delivering = FAULT_BENIGN;
    cpu->ext = 0;
    x86_update_mode(&cpu->x86);
    mmu_update_class(cpu);
    mmu_flush_all(cpu);
    alive = interpret(cpu);
    tcg_fp_release(cpu);
    copy_registers(x86, &cpu->x86);
    x86_update_mode(x86);
    return alive;
}

/* ---- the engine ---- */

void tcg_decoder_setup(const X86CpuModel *model)
{
    static gsize done;

    if (g_once_init_enter(&done)) {
        decode_init(model);
        g_once_init_leave(&done, 1);
    }
}

static bool tcg_init(Vm *vm, GError **error)
{
    vm->clock.tsc_stands = true;
    block_engine_init(vm);
    return mmu_engine_init(vm, error);
}

static void tcg_finish(Vm *vm)
{
    mmu_engine_finish(vm);
    block_engine_finish();
    g_clear_pointer(&breaks.addrs, g_free);
    breaks.n = 0;
}

static IrqchipKind tcg_irqchip(Vm *vm)
{
    return IRQCHIP_USER;
}

static bool tcg_cpu_init(X86Cpu *x86, GError **error)
{
    TcgCpu *cpu = TCG(x86);

    tcg_decoder_setup(x86->model);
    mmu_init(cpu);
    block_cpu_init(cpu);
    return true;
}

static void tcg_cpu_finish(X86Cpu *x86)
{
    block_cpu_finish(TCG(x86));
    mmu_finish(TCG(x86));
}

/* Every event is a bit the loop and the ends of blocks look at; whoever kicks has set one. */
static void tcg_kick(X86Cpu *x86)
{
}

static void tcg_get_state(X86Cpu *x86)
{
}

static void tcg_put_state(X86Cpu *x86)
{
    TcgCpu *cpu = TCG(x86);

    cpu->pending_db = 0;
    cpu->delivering = FAULT_BENIGN;
    cpu->ext = 0;
    cpu->one_insn = false;
    cpu->link = NULL;
    x86_update_mode(x86);
    __atomic_fetch_or(&x86->events, CPU_EVENT_TLB_FLUSH, __ATOMIC_SEQ_CST);
}

static void tcg_print_jit(Vm *vm, GString *out)
{
    block_print_jit(out);
}

const AccelOps accel_tcg = {
    .name = "tcg",
    .cpu_size = sizeof(TcgCpu),
    .init = tcg_init,
    .finish = tcg_finish,
    .irqchip = tcg_irqchip,
    .cpu_init = tcg_cpu_init,
    .cpu_finish = tcg_cpu_finish,
    .run = tcg_run,
    .kick = tcg_kick,
    .get_state = tcg_get_state,
    .put_state = tcg_put_state,
    .set_breakpoints = tcg_set_breakpoints,
    .print_jit = tcg_print_jit,
};
