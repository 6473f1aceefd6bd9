/*
 * Stacks of far transfers and event delivery.  A Stack is worked on by value, so that nothing of
 * the CPU changes until the whole transfer is known to succeed.  SDM volume 3A 5.8.5, 6.12, 6.14.
 */
#include "tcg_sys.h"

#define TSS16_STACKS    2               /* SP0, SS0, SP1, … of 2 bytes each: 7.6 */
#define TSS32_STACKS    4               /* ESP0, SS0, … of 4 bytes each: 7.2.1 */
#define TSS64_RSP0      4               /* 7.7 */
#define TSS64_IST1      36

static uint64_t mask_of(const X86Seg *seg, bool is64)
{
    return is64 ? UINT64_MAX : seg->attr & SEG_ATTR_DB ? UINT32_MAX : 0xffff;
}

Stack stack_current(const TcgCpu *cpu)
{
    bool is64 = cpu->x86.mode & CPU_MODE_CS64;
    Stack stack = {
        .seg = cpu->x86.seg[SEG_SS], .is64 = is64, .user = x86_cpl(&cpu->x86) == 3,
    };

    stack.mask = mask_of(&stack.seg, is64);
    stack.sp = cpu->x86.gpr[R_RSP] & stack.mask;
    return stack;
}

Stack stack_new(const X86Seg *seg, uint64_t sp, bool is64, unsigned cpl)
{
    uint64_t mask = mask_of(seg, is64);

    return (Stack){
        .seg = *seg, .sp = sp & mask, .mask = mask, .is64 = is64, .user = cpl == 3,
        .selector = seg->selector,
    };
}

/* The linear address of `size` bytes at `sp`, or #SS. */
static uint64_t stack_address(TcgCpu *cpu, const UOp *u, const Stack *stack, uint64_t sp,
                              unsigned size)
{
    if (stack->is64) {
        if (!tcg_canonical(sp) || !tcg_canonical(sp + size - 1)) {
            tcg_fault_selector(cpu, u, EXC_SS, 0);
        }
        return sp;
    }
    if (!seg_limit_ok(&stack->seg, sp, size)) {
        tcg_fault_selector(cpu, u, EXC_SS, stack->selector);
    }
    return (uint32_t)(stack->seg.base + sp);
}

void stack_push(TcgCpu *cpu, const UOp *u, Stack *stack, uint64_t value, unsigned size)
{
    uint64_t sp = (stack->sp - size) & stack->mask;
    uint64_t addr = stack_address(cpu, u, stack, sp, size);

    if (stack->user) {
        mmu_store_slow(cpu, u, addr, value, size);
    } else {
        mmu_store_sys(cpu, u, addr, value, size);
    }
    stack->sp = sp;
}

uint64_t stack_peek(TcgCpu *cpu, const UOp *u, const Stack *stack, uint64_t offset, unsigned size)
{
    uint64_t sp = (stack->sp + offset) & stack->mask;
    uint64_t addr = stack_address(cpu, u, stack, sp, size);

    return stack->user ? mmu_load_slow(cpu, u, addr, size) : mmu_load_sys(cpu, u, addr, size);
}

uint64_t stack_pop(TcgCpu *cpu, const UOp *u, Stack *stack, unsigned size)
{
    uint64_t value = stack_peek(cpu, u, stack, 0, size);

    stack->sp = (stack->sp + size) & stack->mask;
    return value;
}

void stack_commit(TcgCpu *cpu, const Stack *stack)
{
    uint64_t *rsp = &cpu->x86.gpr[R_RSP];

    *rsp = stack->mask == 0xffff ? (*rsp & ~UINT64_C(0xffff)) | stack->sp : stack->sp;
}

/* ---- stacks in the TSS ---- */

void tss_stack(TcgCpu *cpu, const UOp *u, unsigned level, uint16_t *ss, uint32_t *sp)
{
    const X86Seg *tr = &cpu->x86.tr;
    bool is32 = tr->attr & 8;
    unsigned size = is32 ? 4 : 2;
    uint32_t offset = is32 ? TSS32_STACKS + 8 * level : TSS16_STACKS + 4 * level;

    if (!(tr->attr & SEG_ATTR_P) || offset + size + 1 > tr->limit) {
        tcg_fault_selector(cpu, u, EXC_TS, tr->selector);
    }
    *sp = (uint32_t)mmu_load_sys(cpu, u, tr->base + offset, size);
    *ss = (uint16_t)mmu_load_sys(cpu, u, tr->base + offset + size, 2);
}

uint64_t tss_stack64(TcgCpu *cpu, const UOp *u, unsigned slot)
{
    const X86Seg *tr = &cpu->x86.tr;
    uint32_t offset = slot < 3 ? TSS64_RSP0 + 8 * slot : TSS64_IST1 + 8 * (slot - 4);
    uint64_t rsp;

    if (!(tr->attr & SEG_ATTR_P) || offset + 7 > tr->limit) {
        tcg_fault_selector(cpu, u, EXC_TS, tr->selector);
    }
    rsp = mmu_load_sys(cpu, u, tr->base + offset, 8);
    if (!tcg_canonical(rsp)) {
        tcg_fault_selector(cpu, u, EXC_SS, 0);
    }
    return rsp;
}
