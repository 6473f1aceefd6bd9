/*
 * Far jumps, calls and returns, through call gates too: SDM volume 3A 5.8, volume 2 (CALL, JMP,
 * RET).
 */
#include "tcg_sys.h"

static uint64_t truncate_offset(uint64_t value, unsigned bits)
{
    return bits == 64 ? value : bits == 32 ? (uint32_t)value : (uint16_t)value;
}

static bool is_real(const TcgCpu *cpu)
{
    return !(cpu->x86.mode & CPU_MODE_PE) || cpu->x86.mode & CPU_MODE_VM86;
}

/* ---- code segments ---- */

void code_check_present(TcgCpu *cpu, const UOp *u, uint16_t selector, const Desc *desc)
{
    const uint16_t both = SEG_ATTR_L | SEG_ATTR_DB;

    if (!(desc->attr & SEG_ATTR_P)) {
        tcg_fault_selector(cpu, u, EXC_NP, selector);
    }
    if (cpu->x86.efer & EFER_LMA && (desc->attr & both) == both) {
        tcg_fault_selector(cpu, u, EXC_GP, selector);
    }
}

void code_check_offset(TcgCpu *cpu, const UOp *u, const X86Seg *cs, uint64_t rip)
{
    bool is64 = cpu->x86.efer & EFER_LMA && cs->attr & SEG_ATTR_L;

    if (is64 ? !tcg_canonical(rip) : rip > cs->limit) {
        tcg_raise_error(cpu, u, EXC_GP, cpu->ext);
    }
}

X86Seg code_seg(TcgCpu *cpu, const UOp *u, Desc *desc, uint16_t selector, unsigned cpl)
{
    desc_set_accessed(cpu, u, desc);
    return desc_to_seg(desc, (uint16_t)((selector & ~SEL_RPL) | cpl));
}

/* A code segment a JMP or CALL may enter directly. */
static void check_direct(TcgCpu *cpu, const UOp *u, uint16_t selector, const Desc *desc)
{
    unsigned cpl = x86_cpl(&cpu->x86), rpl = selector & SEL_RPL;
    bool ok = desc_is_code(desc) &&
              (desc->attr & TYPE_CONFORMING ? desc_dpl(desc) <= cpl
                                            : rpl <= cpl && desc_dpl(desc) == cpl);

    if (!ok) {
        tcg_fault_selector(cpu, u, EXC_GP, selector);
    }
    code_check_present(cpu, u, selector, desc);
}

static void load_target(TcgCpu *cpu, const UOp *u, uint16_t selector, Desc *desc)
{
    if (selector_is_null(selector)) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    if (!desc_load(cpu, u, selector, desc)) {
        tcg_fault_selector(cpu, u, EXC_GP, selector);
    }
}

static void enter_code(TcgCpu *cpu, const X86Seg *cs, uint64_t rip)
{
    seg_set(cpu, SEG_CS, cs);
    cpu->x86.rip = rip;
}

/* Real and virtual-8086 mode: the selector is a paragraph. */
static void enter_real(TcgCpu *cpu, const UOp *u, uint16_t selector, uint64_t offset)
{
    if (offset > cpu->x86.seg[SEG_CS].limit) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    tcg_load_seg(cpu, u, SEG_CS, selector);
    if (!(cpu->x86.mode & CPU_MODE_PE)) {
        cpu->x86.seg[SEG_CS].attr |= TYPE_CODE;
    }
    cpu->x86.rip = offset;
}

/* ---- gates ---- */

/* Checks that hold for call gates, task gates and TSSs alike. */
static void check_gate_access(TcgCpu *cpu, const UOp *u, uint16_t selector, const Desc *desc)
{
    if (desc_dpl(desc) < MAX(x86_cpl(&cpu->x86), (unsigned)(selector & SEL_RPL))) {
        tcg_fault_selector(cpu, u, EXC_GP, selector);
    }
    if (!(desc->attr & SEG_ATTR_P)) {
        tcg_fault_selector(cpu, u, EXC_NP, selector);
    }
}

static Gate load_call_gate(TcgCpu *cpu, const UOp *u, uint16_t selector, const Desc *desc)
{
    uint32_t upper = 0;
    Gate gate = {
        .selector = (uint16_t)(desc->low >> 16), .offset = desc->low & 0xffff,
        .type = desc_type(desc), .params = desc->high & 31,
    };

    if (gate.type == SYS_CALL32) {
        gate.offset |= desc->high & 0xffff0000u;
    }
    if (cpu->x86.efer & EFER_LMA) {
        uint32_t high_word;

        if (!desc_load_upper(cpu, u, selector, desc, &upper)) {
            tcg_fault_selector(cpu, u, EXC_GP, selector);
        }
        high_word = (uint32_t)mmu_load_sys(cpu, u, desc->addr + 12, 4);
        if (high_word & 0x1f00) {                   /* its type must be 0: 5.8.3.1 */
            tcg_fault_selector(cpu, u, EXC_GP, selector);
        }
        gate.offset |= (uint64_t)upper << 32;
        gate.params = 0;
    }
    return gate;
}

/* The code segment behind a call gate; `call` may raise privilege, a jump not. */
static void load_gate_target(TcgCpu *cpu, const UOp *u, const Gate *gate, bool call, Desc *desc)
{
    unsigned cpl = x86_cpl(&cpu->x86);
    bool conforming, ok;

    load_target(cpu, u, gate->selector, desc);
    conforming = desc->attr & TYPE_CONFORMING;
    ok = desc_is_code(desc) &&
         (conforming || call ? desc_dpl(desc) <= cpl : desc_dpl(desc) == cpl);
    if (ok && cpu->x86.efer & EFER_LMA) {
        ok = desc->attr & SEG_ATTR_L && !(desc->attr & SEG_ATTR_DB);
    }
    if (!ok) {
        tcg_fault_selector(cpu, u, EXC_GP, gate->selector);
    }
    code_check_present(cpu, u, gate->selector, desc);
}

/* Only the kinds this mode knows. Returns false for what is not a call gate but starts a task
 * switch. */
static bool is_call_gate(TcgCpu *cpu, const UOp *u, uint16_t selector, const Desc *desc)
{
    bool long_mode = cpu->x86.efer & EFER_LMA;
    unsigned type = desc_type(desc);

    if (type == SYS_CALL32 || (type == SYS_CALL16 && !long_mode)) {
        return true;
    }
    if (long_mode || (type != SYS_TASK_GATE && type != SYS_TSS16 && type != SYS_TSS32)) {
        tcg_fault_selector(cpu, u, EXC_GP, selector);
    }
    return false;
}

static void switch_task(TcgCpu *cpu, const UOp *u, uint16_t selector, const Desc *desc, int source)
{
    uint16_t tss = desc_type(desc) == SYS_TASK_GATE ? (uint16_t)(desc->low >> 16) : selector;

    tcg_task_switch(cpu, u, tss, source, false, 0, tcg_next_rip(cpu, u));
}

/* ---- JMP ---- */

void tcg_far_jump(TcgCpu *cpu, const UOp *u, uint16_t selector, uint64_t offset,
                  unsigned operand_bits)
{
    X86Seg cs;
    Desc desc;

    offset = truncate_offset(offset, operand_bits);
    if (is_real(cpu)) {
        enter_real(cpu, u, selector, offset);
        return;
    }
    load_target(cpu, u, selector, &desc);
    if (!desc_is_system(&desc)) {
        check_direct(cpu, u, selector, &desc);
    } else {
        bool gate_kind = is_call_gate(cpu, u, selector, &desc);
        Gate gate;

        check_gate_access(cpu, u, selector, &desc);
        if (!gate_kind) {
            switch_task(cpu, u, selector, &desc, TASK_JUMP);
            return;
        }
        gate = load_call_gate(cpu, u, selector, &desc);
        load_gate_target(cpu, u, &gate, false, &desc);
        selector = gate.selector;
        offset = gate.offset;
    }
    cs = desc_to_seg(&desc, selector);
    code_check_offset(cpu, u, &cs, offset);
    cs = code_seg(cpu, u, &desc, selector, x86_cpl(&cpu->x86));
    enter_code(cpu, &cs, offset);
}

/* ---- CALL ---- */

static void push_return(TcgCpu *cpu, const UOp *u, Stack *stack, unsigned size)
{
    stack_push(cpu, u, stack, cpu->x86.seg[SEG_CS].selector, size);
    stack_push(cpu, u, stack, tcg_next_rip(cpu, u), size);
}

static void call_same_level(TcgCpu *cpu, const UOp *u, uint16_t selector, Desc *desc,
                            uint64_t offset, unsigned size)
{
    Stack stack = stack_current(cpu);
    X86Seg cs = desc_to_seg(desc, selector);

    code_check_offset(cpu, u, &cs, offset);
    push_return(cpu, u, &stack, size);
    cs = code_seg(cpu, u, desc, selector, x86_cpl(&cpu->x86));
    stack_commit(cpu, &stack);
    enter_code(cpu, &cs, offset);
}

/* 5.8.5: parameters go over from the old stack to the new one. */
static void call_inner(TcgCpu *cpu, const UOp *u, const Gate *gate, Desc *desc, unsigned size)
{
    unsigned dpl = desc_dpl(desc);
    Stack outer = stack_current(cpu), inner;
    X86Seg ss, cs = desc_to_seg(desc, gate->selector);

    if (cpu->x86.efer & EFER_LMA) {
        ss = seg_null((uint16_t)dpl);
        ss.attr = (uint16_t)(dpl << 5);
        inner = stack_new(&ss, tss_stack64(cpu, u, dpl), true, dpl);
        inner.selector = 0;
    } else {
        uint16_t selector;
        uint32_t sp;

        tss_stack(cpu, u, dpl, &selector, &sp);
        if (selector_is_null(selector)) {
            tcg_fault_selector(cpu, u, EXC_TS, selector);
        }
        ss = seg_stack_checked(cpu, u, selector, dpl, EXC_TS);
        inner = stack_new(&ss, sp, false, dpl);
    }
    code_check_offset(cpu, u, &cs, gate->offset);
    stack_push(cpu, u, &inner, outer.seg.selector, size);
    stack_push(cpu, u, &inner, cpu->x86.gpr[R_RSP], size);
    for (unsigned i = gate->params; i-- > 0;) {
        stack_push(cpu, u, &inner, stack_peek(cpu, u, &outer, (uint64_t)i * size, size), size);
    }
    push_return(cpu, u, &inner, size);
    cs = code_seg(cpu, u, desc, gate->selector, dpl);
    cpu->x86.seg[SEG_SS] = ss;
    stack_commit(cpu, &inner);
    enter_code(cpu, &cs, gate->offset);
}

static void call_gate(TcgCpu *cpu, const UOp *u, uint16_t selector, Desc *desc)
{
    Gate gate = load_call_gate(cpu, u, selector, desc);
    unsigned size = cpu->x86.efer & EFER_LMA ? 8 : gate.type == SYS_CALL32 ? 4 : 2;

    load_gate_target(cpu, u, &gate, true, desc);
    if (!(desc->attr & TYPE_CONFORMING) && desc_dpl(desc) < x86_cpl(&cpu->x86)) {
        call_inner(cpu, u, &gate, desc, size);
    } else {
        call_same_level(cpu, u, gate.selector, desc, gate.offset, size);
    }
}

void tcg_far_call(TcgCpu *cpu, const UOp *u, uint16_t selector, uint64_t offset,
                  unsigned operand_bits)
{
    Desc desc;

    offset = truncate_offset(offset, operand_bits);
    if (is_real(cpu)) {
        Stack stack = stack_current(cpu);

        if (offset > cpu->x86.seg[SEG_CS].limit) {
            tcg_raise_error(cpu, u, EXC_GP, 0);
        }
        push_return(cpu, u, &stack, operand_bits / 8);
        stack_commit(cpu, &stack);
        enter_real(cpu, u, selector, offset);
        return;
    }
    load_target(cpu, u, selector, &desc);
    if (!desc_is_system(&desc)) {
        check_direct(cpu, u, selector, &desc);
        call_same_level(cpu, u, selector, &desc, offset, operand_bits / 8);
        return;
    }
    if (is_call_gate(cpu, u, selector, &desc)) {
        check_gate_access(cpu, u, selector, &desc);
        call_gate(cpu, u, selector, &desc);
    } else {
        check_gate_access(cpu, u, selector, &desc);
        switch_task(cpu, u, selector, &desc, TASK_CALL);
    }
}

/* ---- RET ---- */

void segs_drop_inner(TcgCpu *cpu, unsigned cpl)
{
    static const int data_segs[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };

    for (size_t i = 0; i < G_N_ELEMENTS(data_segs); i++) {
        X86Seg *seg = &cpu->x86.seg[data_segs[i]];
        const uint16_t conforming = SEG_ATTR_S | TYPE_CODE | TYPE_CONFORMING;

        if (seg->attr & SEG_ATTR_P && seg_dpl(seg) < cpl &&
            (seg->attr & conforming) != conforming) {
            uint64_t base = seg->base;

            *seg = seg_null(0);
            /* FS and GS bases of 64-bit code are set by MSR or instruction and survive. */
            seg->base = cpu->x86.efer & EFER_LMA ? base : 0;
        }
    }
}

/* The checks on a code segment one returns to; common to RET and IRET. */
void code_load_return(TcgCpu *cpu, const UOp *u, uint16_t selector, Desc *desc)
{
    unsigned rpl = selector & SEL_RPL;
    bool ok;

    load_target(cpu, u, selector, desc);
    ok = desc_is_code(desc) && rpl >= x86_cpl(&cpu->x86) &&
         (desc->attr & TYPE_CONFORMING ? desc_dpl(desc) <= rpl : desc_dpl(desc) == rpl);
    if (!ok) {
        tcg_fault_selector(cpu, u, EXC_GP, selector);
    }
    code_check_present(cpu, u, selector, desc);
}

X86Seg stack_load_return(TcgCpu *cpu, const UOp *u, uint16_t selector, unsigned cpl, bool to64)
{
    X86Seg seg = seg_null(selector);

    if (!selector_is_null(selector)) {
        return seg_stack_checked(cpu, u, selector, cpl, EXC_GP);
    }
    if (!to64 || cpl == 3 || (selector & SEL_RPL) != cpl) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    seg.attr = (uint16_t)(cpl << 5);
    return seg;
}

static void return_real(TcgCpu *cpu, const UOp *u, uint64_t rip, uint16_t selector, Stack *stack)
{
    if (rip > cpu->x86.seg[SEG_CS].limit) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    stack_commit(cpu, stack);
    enter_real(cpu, u, selector, rip);
}

static void return_outer(TcgCpu *cpu, const UOp *u, uint64_t rip, uint16_t selector, Desc *desc,
                         Stack *stack, unsigned size, unsigned pop_bytes)
{
    unsigned cpl = selector & SEL_RPL;
    bool to64 = cpu->x86.efer & EFER_LMA && desc->attr & SEG_ATTR_L;
    uint64_t sp = stack_pop(cpu, u, stack, size);
    uint16_t ss_selector = (uint16_t)stack_pop(cpu, u, stack, size);
    X86Seg ss = stack_load_return(cpu, u, ss_selector, cpl, to64);
    X86Seg cs = desc_to_seg(desc, selector);
    Stack outer;

    code_check_offset(cpu, u, &cs, rip);
    cs = code_seg(cpu, u, desc, selector, cpl);
    outer = stack_new(&ss, sp + pop_bytes, to64, cpl);
    cpu->x86.seg[SEG_SS] = ss;
    stack_commit(cpu, &outer);
    segs_drop_inner(cpu, cpl);
    enter_code(cpu, &cs, rip);
}

void tcg_far_return(TcgCpu *cpu, const UOp *u, unsigned operand_bits, unsigned pop_bytes)
{
    unsigned size = operand_bits / 8;
    Stack stack = stack_current(cpu);
    uint64_t rip = stack_pop(cpu, u, &stack, size);
    uint16_t selector = (uint16_t)stack_pop(cpu, u, &stack, size);
    X86Seg cs;
    Desc desc;

    stack.sp = (stack.sp + pop_bytes) & stack.mask;
    if (is_real(cpu)) {
        return_real(cpu, u, rip, selector, &stack);
        return;
    }
    code_load_return(cpu, u, selector, &desc);
    if ((selector & SEL_RPL) != x86_cpl(&cpu->x86)) {
        return_outer(cpu, u, rip, selector, &desc, &stack, size, pop_bytes);
        return;
    }
    cs = desc_to_seg(&desc, selector);
    code_check_offset(cpu, u, &cs, rip);
    cs = code_seg(cpu, u, &desc, selector, x86_cpl(&cpu->x86));
    stack_commit(cpu, &stack);
    enter_code(cpu, &cs, rip);
}
