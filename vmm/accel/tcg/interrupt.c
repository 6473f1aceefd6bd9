/*
 * Delivery of interrupts and exceptions through the IDT, and IRET: SDM volume 3A chapter 6, 20.1.4
 * (real mode), 20.3 (virtual-8086 mode).
 *
 * A fault met while an event is delivered long-jumps to exec.c like any other; exec.c delivers it
 * by calling tcg_deliver() again, which finds in cpu->delivering what was under way and makes a
 * double fault of it or a shutdown.  So nothing of the CPU changes until delivery cannot fail any
 * more.
 *
 * Not modelled: the virtual-8086 mode extensions (CR4.VME) and protected-mode virtual interrupts;
 * the CPU models do not offer them.
 */
#include <inttypes.h>

#include "tcg_sys.h"

#include "vm_log.h"

#define IDT_ERROR       2u              /* error code refers to the IDT: 6.13 */
#define DR7_GD          (1u << 13)
#define GATE_TRAP_BIT   1u              /* trap gates leave IF alone */

typedef struct Event {
    unsigned vector;
    bool soft, has_error;
    uint32_t error;
    uint64_t return_rip;
} Event;

/* ---- double faults: 6.15, tables 6-4 and 6-5 ---- */

/* An interrupt may use the vectors of exceptions; those that matter here come with an error code.
 */
static FaultClass fault_class(unsigned vector, bool has_error)
{
    switch (vector) {
    case EXC_DE:
        return FAULT_CONTRIBUTORY;
    case EXC_TS: case EXC_NP: case EXC_SS: case EXC_GP:
        return has_error ? FAULT_CONTRIBUTORY : FAULT_BENIGN;
    case EXC_PF:
        return has_error ? FAULT_PAGE : FAULT_BENIGN;
    case EXC_DF:
        return has_error ? FAULT_DOUBLE : FAULT_BENIGN;
    default:
        return FAULT_BENIGN;
    }
}

/* What really is to be delivered, given what failed to be; leaves on a triple fault. */
static void combine_faults(TcgCpu *cpu, Event *event)
{
    FaultClass first = cpu->delivering;
    FaultClass second = event->soft ? FAULT_BENIGN : fault_class(event->vector, event->has_error);

    if (first == FAULT_DOUBLE && second != FAULT_BENIGN) {
        cpu->delivering = FAULT_BENIGN;
        cpu->ext = 0;
        log_write(LOG_INT, "triple fault at %04x:%016" PRIx64 "\n",
                  cpu->x86.seg[SEG_CS].selector, cpu->x86.rip);
        tcg_leave(cpu, RUN_EXIT_SHUTDOWN);
    }
    if ((first == FAULT_CONTRIBUTORY && second == FAULT_CONTRIBUTORY) ||
        (first == FAULT_PAGE && (second == FAULT_CONTRIBUTORY || second == FAULT_PAGE))) {
        event->vector = EXC_DF;
        event->has_error = true;
        event->error = 0;
        second = FAULT_DOUBLE;
    }
    cpu->delivering = (uint8_t)second;
    cpu->ext = !event->soft;
}

/* 17.3.1.1: the image of RF lets a fault's instruction run again past its breakpoint. */
static bool is_fault(const Event *event)
{
    const uint32_t faults = 1u << EXC_DE | 1u << EXC_BR | 1u << EXC_UD | 1u << EXC_NM |
                            1u << EXC_MF | 1u << EXC_XM;
    const uint32_t with_error = 1u << EXC_TS | 1u << EXC_NP | 1u << EXC_SS | 1u << EXC_GP |
                                1u << EXC_PF | 1u << EXC_AC;

    if (event->soft || event->vector > 31) {
        return false;
    }
    return faults >> event->vector & 1 || (event->has_error && with_error >> event->vector & 1);
}

static uint64_t flags_image(const TcgCpu *cpu, const Event *event)
{
    return cpu->x86.rflags | RFLAGS_FIXED | (is_fault(event) ? RFLAGS_RF : 0);
}

/* ---- real mode ---- */

static void deliver_real(TcgCpu *cpu, const Event *event)
{
    X86Cpu *x86 = &cpu->x86;
    Stack stack = stack_current(cpu);
    uint32_t offset = event->vector * 4, entry;

    if (offset + 3 > x86->idt.limit) {
        tcg_raise_error(cpu, NULL, EXC_GP, event->vector * 8 + IDT_ERROR);
    }
    entry = (uint32_t)mmu_load_sys(cpu, NULL, (uint32_t)(x86->idt.base + offset), 4);
    stack_push(cpu, NULL, &stack, x86->rflags, 2);
    stack_push(cpu, NULL, &stack, x86->seg[SEG_CS].selector, 2);
    stack_push(cpu, NULL, &stack, event->return_rip, 2);
    stack_commit(cpu, &stack);
    x86->rflags &= ~(uint64_t)(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC | RFLAGS_RF);
    x86->seg[SEG_CS].selector = (uint16_t)(entry >> 16);
    x86->seg[SEG_CS].base = entry >> 16 << 4;
    x86->rip = entry & 0xffff;
}

/* ---- gates ---- */

static G_NORETURN void gate_fault(TcgCpu *cpu, unsigned vector, const Event *event)
{
    tcg_raise_error(cpu, NULL, vector, event->vector * 8 + IDT_ERROR + cpu->ext);
}

static Gate load_gate(TcgCpu *cpu, const Event *event)
{
    const X86Cpu *x86 = &cpu->x86;
    bool is64 = x86->efer & EFER_LMA;
    unsigned size = is64 ? 16 : 8;
    uint64_t addr = x86->idt.base + event->vector * size, words;
    uint32_t high;
    Gate gate;

    if (event->vector * size + size - 1 > x86->idt.limit) {
        gate_fault(cpu, EXC_GP, event);
    }
    words = mmu_load_sys(cpu, NULL, is64 ? addr : (uint32_t)addr, 8);
    high = (uint32_t)(words >> 32);
    gate = (Gate){
        .selector = (uint16_t)(words >> 16), .offset = (words & 0xffff) | (high & 0xffff0000u),
        .type = high >> 8 & 0x1f, .dpl = high >> 13 & 3, .present = high >> 15 & 1,
        .ist = is64 ? high & 7 : 0,
    };
    if (is64) {
        gate.offset |= mmu_load_sys(cpu, NULL, addr + 8, 4) << 32;
    } else if (!(gate.type & 8)) {
        gate.offset &= 0xffff;
    }
    return gate;
}

static void check_gate(TcgCpu *cpu, const Event *event, const Gate *gate)
{
    const uint32_t types32 = 1u << SYS_TASK_GATE | 1u << SYS_INT16 | 1u << SYS_TRAP16 |
                             1u << SYS_INT32 | 1u << SYS_TRAP32;
    const uint32_t types64 = 1u << SYS_INT32 | 1u << SYS_TRAP32;

    if (!((cpu->x86.efer & EFER_LMA ? types64 : types32) >> gate->type & 1)) {
        gate_fault(cpu, EXC_GP, event);
    }
    if (event->soft && gate->dpl < x86_cpl(&cpu->x86)) {
        gate_fault(cpu, EXC_GP, event);
    }
    if (!gate->present) {
        gate_fault(cpu, EXC_NP, event);
    }
}

/* The handler's code segment; returns the CPL it runs at. */
static unsigned load_handler(TcgCpu *cpu, const Gate *gate, Desc *desc)
{
    unsigned cpl = x86_cpl(&cpu->x86), new_cpl;

    if (selector_is_null(gate->selector)) {
        tcg_fault_selector(cpu, NULL, EXC_GP, 0);
    }
    if (!desc_load(cpu, NULL, gate->selector, desc) || !desc_is_code(desc) ||
        desc_dpl(desc) > cpl) {
        tcg_fault_selector(cpu, NULL, EXC_GP, gate->selector);
    }
    new_cpl = desc->attr & TYPE_CONFORMING ? cpl : desc_dpl(desc);
    if (cpu->x86.mode & CPU_MODE_VM86 && new_cpl != 0) {
        tcg_fault_selector(cpu, NULL, EXC_GP, gate->selector);
    }
    if (!(desc->attr & SEG_ATTR_P)) {
        tcg_fault_selector(cpu, NULL, EXC_NP, gate->selector);
    }
    if (cpu->x86.efer & EFER_LMA && (!(desc->attr & SEG_ATTR_L) || desc->attr & SEG_ATTR_DB)) {
        tcg_fault_selector(cpu, NULL, EXC_GP, gate->selector);
    }
    return new_cpl;
}

/* ---- protected mode ---- */

/* 6.14.2 and 6.14.5. */
static Stack handler_stack64(TcgCpu *cpu, const Gate *gate, unsigned new_cpl)
{
    X86Seg ss = cpu->x86.seg[SEG_SS];
    uint64_t rsp = cpu->x86.gpr[R_RSP];
    Stack stack;

    if (gate->ist != 0) {
        rsp = tss_stack64(cpu, NULL, 3 + gate->ist);
    } else if (new_cpl != x86_cpl(&cpu->x86)) {
        rsp = tss_stack64(cpu, NULL, new_cpl);
    }
    if (new_cpl != x86_cpl(&cpu->x86)) {
        ss = seg_null((uint16_t)new_cpl);
        ss.attr = (uint16_t)(new_cpl << 5);
    }
    stack = stack_new(&ss, rsp & ~UINT64_C(15), true, new_cpl);
    stack.selector = 0;
    return stack;
}

static Stack handler_stack(TcgCpu *cpu, unsigned new_cpl)
{
    uint16_t selector;
    uint32_t sp;
    X86Seg ss;

    if (new_cpl == x86_cpl(&cpu->x86)) {
        return stack_current(cpu);
    }
    tss_stack(cpu, NULL, new_cpl, &selector, &sp);
    if (selector_is_null(selector)) {
        tcg_fault_selector(cpu, NULL, EXC_TS, 0);
    }
    ss = seg_stack_checked(cpu, NULL, selector, new_cpl, EXC_TS);
    return stack_new(&ss, sp, false, new_cpl);
}

static void push_frame(TcgCpu *cpu, const Event *event, Stack *stack, unsigned size,
                       bool with_stack)
{
    const X86Cpu *x86 = &cpu->x86;

    if (x86->mode & CPU_MODE_VM86) {
        static const int order[] = { SEG_GS, SEG_FS, SEG_DS, SEG_ES };

        for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
            stack_push(cpu, NULL, stack, x86->seg[order[i]].selector, size);
        }
    }
    if (with_stack) {
        stack_push(cpu, NULL, stack, x86->seg[SEG_SS].selector, size);
        stack_push(cpu, NULL, stack, x86->gpr[R_RSP], size);
    }
    stack_push(cpu, NULL, stack, flags_image(cpu, event), size);
    stack_push(cpu, NULL, stack, x86->seg[SEG_CS].selector, size);
    stack_push(cpu, NULL, stack, event->return_rip, size);
    if (event->has_error) {
        stack_push(cpu, NULL, stack, event->error, size);
    }
}

static void enter_handler(TcgCpu *cpu, const Gate *gate, const Stack *stack, const X86Seg *cs)
{
    static const int data_segs[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
    X86Cpu *x86 = &cpu->x86;
    uint64_t clear = RFLAGS_TF | RFLAGS_VM | RFLAGS_RF | RFLAGS_NT;

    if (x86->mode & CPU_MODE_VM86) {
        for (size_t i = 0; i < G_N_ELEMENTS(data_segs); i++) {
            x86->seg[data_segs[i]] = seg_null(0);
        }
    }
    if (!(gate->type & GATE_TRAP_BIT)) {
        clear |= RFLAGS_IF;
    }
    x86->rflags &= ~clear;
    x86->seg[SEG_SS] = stack->seg;
    x86->seg[SEG_CS] = *cs;
    stack_commit(cpu, stack);
    x86->rip = gate->offset;
}

static void deliver_protected(TcgCpu *cpu, const Event *event)
{
    bool is64 = cpu->x86.efer & EFER_LMA, with_stack;
    Gate gate = load_gate(cpu, event);
    unsigned new_cpl, size;
    Stack stack;
    X86Seg cs;
    Desc desc;

    check_gate(cpu, event, &gate);
    if (gate.type == SYS_TASK_GATE) {
        tcg_task_switch(cpu, NULL, gate.selector, TASK_INTERRUPT, event->has_error, event->error,
                        event->return_rip);
        return;
    }
    new_cpl = load_handler(cpu, &gate, &desc);
    with_stack = is64 || new_cpl != x86_cpl(&cpu->x86);
    size = is64 ? 8 : gate.type & 8 ? 4 : 2;
    stack = is64 ? handler_stack64(cpu, &gate, new_cpl) : handler_stack(cpu, new_cpl);
    cs = desc_to_seg(&desc, gate.selector);
    code_check_offset(cpu, NULL, &cs, gate.offset);
    push_frame(cpu, event, &stack, size, with_stack);
    cs = code_seg(cpu, NULL, &desc, gate.selector, new_cpl);
    enter_handler(cpu, &gate, &stack, &cs);
}

static void log_event(const TcgCpu *cpu, const Event *event)
{
    const X86Cpu *x86 = &cpu->x86;

    if (log_on(LOG_INT)) {
        log_write(LOG_INT, "int %02x%s error %04x cpl %u at %04x:%016" PRIx64
                  " ss:rsp %04x:%016" PRIx64 " cr2 %016" PRIx64 "\n", event->vector,
                  event->soft ? " soft" : "", event->error, x86_cpl(x86),
                  x86->seg[SEG_CS].selector, x86->rip, x86->seg[SEG_SS].selector,
                  x86->gpr[R_RSP], x86->cr2);
    }
}

void tcg_deliver(TcgCpu *cpu, unsigned vector, bool soft, bool has_error, uint32_t error,
                 uint64_t return_rip)
{
    Event event = { vector, soft, has_error, error, return_rip };

    combine_faults(cpu, &event);
    if (is_fault(&event)) {
        cpu->pending_db = 0;            /* its instruction did not complete, nor did the trap */
    }
    log_event(cpu, &event);
    if (cpu->x86.cr0 & CR0_PE) {
        deliver_protected(cpu, &event);
    } else {
        deliver_real(cpu, &event);
    }
    if (event.vector == EXC_DB && !soft) {
        cpu->x86.dr[7] &= ~(uint64_t)DR7_GD;
    }
    cpu->delivering = FAULT_BENIGN;
    cpu->ext = 0;
    tcg_mode_changed(cpu);
}

/* ---- IRET ---- */

/* Bits of EFLAGS a return at this privilege may change, for a 16-bit or wider image. */
static uint64_t iret_mask(const TcgCpu *cpu, unsigned size)
{
    unsigned cpl = x86_cpl(&cpu->x86), iopl = cpu->x86.rflags >> 12 & 3;
    uint64_t mask = RFLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT;

    if (size > 2) {
        mask |= RFLAGS_RF | RFLAGS_AC | RFLAGS_ID;
    }
    if (cpl <= iopl) {
        mask |= RFLAGS_IF;
    }
    if (cpl == 0) {
        mask |= RFLAGS_IOPL | (size > 2 ? RFLAGS_VIF | RFLAGS_VIP : 0);
    }
    return mask;
}

static void set_flags(TcgCpu *cpu, uint64_t image, uint64_t mask)
{
    X86Cpu *x86 = &cpu->x86;

    x86->rflags = (x86->rflags & ~mask) | (image & mask) | RFLAGS_FIXED;
    /* Without breakpoints nothing would clear RF after the next instruction. */
    if (!(x86->mode & CPU_MODE_BREAKS)) {
        x86->rflags &= ~(uint64_t)RFLAGS_RF;
    }
}

/* Real and, with IOPL 3, virtual-8086 mode. */
static void iret_real(TcgCpu *cpu, const UOp *u, unsigned size)
{
    bool vm86 = cpu->x86.mode & CPU_MODE_VM86;
    Stack stack = stack_current(cpu);
    uint64_t mask = iret_mask(cpu, size) | (vm86 ? 0 : RFLAGS_IOPL);
    uint64_t rip, flags;
    uint16_t selector;

    if (vm86 && !(cpu->x86.mode & CPU_MODE_IOPL3)) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    rip = stack_pop(cpu, u, &stack, size);
    selector = (uint16_t)stack_pop(cpu, u, &stack, size);
    flags = stack_pop(cpu, u, &stack, size);
    if (rip > cpu->x86.seg[SEG_CS].limit) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    stack_commit(cpu, &stack);
    cpu->x86.seg[SEG_CS].selector = selector;
    cpu->x86.seg[SEG_CS].base = (uint32_t)selector << 4;
    cpu->x86.rip = rip;
    set_flags(cpu, flags, vm86 ? mask & ~(uint64_t)(RFLAGS_VIF | RFLAGS_VIP) : mask);
}

/* 20.2.5: the frame an interrupt from virtual-8086 mode left. */
static void iret_to_vm86(TcgCpu *cpu, const UOp *u, Stack *stack, uint64_t rip, uint16_t cs,
                         uint64_t flags)
{
    static const int order[] = { SEG_SS, SEG_ES, SEG_DS, SEG_FS, SEG_GS };
    X86Cpu *x86 = &cpu->x86;
    uint16_t selectors[G_N_ELEMENTS(order)];
    uint64_t esp = stack_pop(cpu, u, stack, 4);

    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        selectors[i] = (uint16_t)stack_pop(cpu, u, stack, 4);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        x86->seg[order[i]] = seg_vm86(order[i], selectors[i]);
    }
    x86->seg[SEG_CS] = seg_vm86(SEG_CS, cs);
    x86->gpr[R_RSP] = esp;
    x86->rip = (uint16_t)rip;
    set_flags(cpu, flags, iret_mask(cpu, 4) | RFLAGS_VM | RFLAGS_IOPL | RFLAGS_IF);
}

static void iret_protected(TcgCpu *cpu, const UOp *u, unsigned size)
{
    X86Cpu *x86 = &cpu->x86;
    unsigned cpl = x86_cpl(x86), new_cpl;
    bool from64 = x86->mode & CPU_MODE_CS64, to64, with_stack;
    uint64_t mask = iret_mask(cpu, size), rip, flags;
    Stack stack = stack_current(cpu);
    uint16_t selector;
    X86Seg cs;
    Desc desc;

    rip = stack_pop(cpu, u, &stack, size);
    selector = (uint16_t)stack_pop(cpu, u, &stack, size);
    flags = stack_pop(cpu, u, &stack, size);
    if (flags & RFLAGS_VM && size == 4 && cpl == 0 && !(x86->efer & EFER_LMA)) {
        iret_to_vm86(cpu, u, &stack, rip, selector, flags);
        return;
    }
    code_load_return(cpu, u, selector, &desc);
    new_cpl = selector & SEL_RPL;
    to64 = x86->efer & EFER_LMA && desc.attr & SEG_ATTR_L;
    with_stack = from64 || new_cpl != cpl;
    cs = desc_to_seg(&desc, selector);
    if (with_stack) {
        uint64_t sp = stack_pop(cpu, u, &stack, size);
        uint16_t ss_selector = (uint16_t)stack_pop(cpu, u, &stack, size);
        X86Seg ss = stack_load_return(cpu, u, ss_selector, new_cpl, to64);

        stack = stack_new(&ss, sp, to64, new_cpl);
    }
    code_check_offset(cpu, u, &cs, rip);
    cs = code_seg(cpu, u, &desc, selector, new_cpl);
    if (with_stack) {
        x86->seg[SEG_SS] = stack.seg;
    }
    stack_commit(cpu, &stack);
    x86->seg[SEG_CS] = cs;
    x86->rip = rip;
    set_flags(cpu, flags, mask);
    if (new_cpl != cpl) {
        segs_drop_inner(cpu, new_cpl);
    }
}

/* 7.4: the task this one was called from. */
static void iret_task(TcgCpu *cpu, const UOp *u)
{
    uint16_t link;

    if (cpu->x86.efer & EFER_LMA) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    link = (uint16_t)mmu_load_sys(cpu, u, cpu->x86.tr.base, 2);
    tcg_task_switch(cpu, u, link, TASK_IRET, false, 0, tcg_next_rip(cpu, u));
}

void tcg_iret(TcgCpu *cpu, const UOp *u, unsigned operand_bits)
{
    if (!(cpu->x86.mode & CPU_MODE_PE) || cpu->x86.mode & CPU_MODE_VM86) {
        iret_real(cpu, u, operand_bits / 8);
    } else if (cpu->x86.rflags & RFLAGS_NT) {
        iret_task(cpu, u);
    } else {
        iret_protected(cpu, u, operand_bits / 8);
    }
    cpu->x86.nmi_blocked = false;
    tcg_mode_changed(cpu);
}
