/*
 * Hardware task switches: SDM volume 3A chapter 7.  Not in long mode, where callers refuse them.
 *
 * Up to the moment TR changes, faults belong to the old task and nothing but its TSS was written;
 * after it they belong to the new task, with its registers.
 */
#include "tcg_sys.h"

#include "vm_log.h"

#define TSS32_LIMIT_MIN 0x67
#define TSS16_LIMIT_MIN 0x2b
#define TSS32_CR3       0x1c
#define TSS32_TRAP      0x64            /* bit 0: debug trap when the task is entered */
#define DR6_BT          (1u << 15)
#define DR7_LOCAL       0x155u          /* L0–L3 and LE: cleared by each switch, 17.2.4 */

/* Where a TSS keeps things: figures 7-2 and 7-10. */
typedef struct TssLayout {
    uint8_t ip, flags, gpr, segs, n_segs, ldt, width;
} TssLayout;

static const TssLayout tss32 = { 0x20, 0x24, 0x28, 0x48, 6, 0x60, 4 };
static const TssLayout tss16 = { 0x0e, 0x10, 0x12, 0x22, 4, 0x2a, 2 };

/* A task's registers in its TSS. */
typedef struct TaskState {
    uint32_t ip, flags, cr3, gpr[8];
    uint16_t seg[SEG_COUNT], ldt;
    bool trap;
} TaskState;

static const TssLayout *layout_of(const X86Seg *tr)
{
    return tr->attr & 8 ? &tss32 : &tss16;
}

/* ---- the new task's descriptor ---- */

static X86Seg load_tss(TcgCpu *cpu, const UOp *u, uint16_t selector, int source, Desc *desc)
{
    bool returning = source == TASK_IRET;
    unsigned vector = returning ? EXC_TS : EXC_GP, busy = returning ? SYS_BUSY_BIT : 0;
    X86Seg tr;

    if (selector & SEL_TI || !desc_load(cpu, u, selector, desc) || !desc_is_system(desc) ||
        (desc_type(desc) & ~8u) != (SYS_TSS16 | busy)) {
        tcg_fault_selector(cpu, u, vector, selector);
    }
    if (!(desc->attr & SEG_ATTR_P)) {
        tcg_fault_selector(cpu, u, EXC_NP, selector);
    }
    tr = desc_to_seg(desc, selector);
    if (tr.limit < (tr.attr & 8 ? TSS32_LIMIT_MIN : TSS16_LIMIT_MIN)) {
        tcg_fault_selector(cpu, u, EXC_TS, selector);
    }
    return tr;
}

static void set_busy(TcgCpu *cpu, const UOp *u, uint64_t desc_addr, bool busy)
{
    uint64_t type = mmu_load_sys(cpu, u, desc_addr + 5, 1) & ~(uint64_t)SYS_BUSY_BIT;

    mmu_store_sys(cpu, u, desc_addr + 5, type | (busy ? SYS_BUSY_BIT : 0), 1);
}

/* ---- TSS contents ---- */

static void task_save(TcgCpu *cpu, const UOp *u, uint32_t ip, uint32_t flags)
{
    const X86Cpu *x86 = &cpu->x86;
    const TssLayout *layout = layout_of(&x86->tr);
    uint64_t base = x86->tr.base;
    unsigned width = layout->width;

    mmu_store_sys(cpu, u, base + layout->ip, ip, width);
    mmu_store_sys(cpu, u, base + layout->flags, flags, width);
    for (unsigned i = 0; i < 8; i++) {
        mmu_store_sys(cpu, u, base + layout->gpr + i * width, x86->gpr[i], width);
    }
    for (unsigned i = 0; i < layout->n_segs; i++) {
        mmu_store_sys(cpu, u, base + layout->segs + i * width, x86->seg[i].selector, 2);
    }
}

static TaskState task_load(TcgCpu *cpu, const UOp *u, const X86Seg *tr)
{
    const TssLayout *layout = layout_of(tr);
    unsigned width = layout->width;
    uint64_t base = tr->base;
    TaskState task = { 0 };

    task.ip = (uint32_t)mmu_load_sys(cpu, u, base + layout->ip, width);
    task.flags = (uint32_t)mmu_load_sys(cpu, u, base + layout->flags, width);
    for (unsigned i = 0; i < 8; i++) {
        task.gpr[i] = (uint32_t)mmu_load_sys(cpu, u, base + layout->gpr + i * width, width);
        if (width == 2) {
            task.gpr[i] |= 0xffff0000u;             /* as an 80386 leaves the upper halves */
        }
    }
    for (unsigned i = 0; i < layout->n_segs; i++) {
        task.seg[i] = (uint16_t)mmu_load_sys(cpu, u, base + layout->segs + i * width, 2);
    }
    task.ldt = (uint16_t)mmu_load_sys(cpu, u, base + layout->ldt, 2);
    if (layout == &tss32) {
        task.cr3 = (uint32_t)mmu_load_sys(cpu, u, base + TSS32_CR3, 4);
        task.trap = mmu_load_sys(cpu, u, base + TSS32_TRAP, 2) & 1;
    }
    return task;
}

/* ---- the new task's segments: faults are its own ---- */

static void load_ldt(TcgCpu *cpu, uint16_t selector)
{
    Desc desc;

    cpu->x86.ldt = seg_null(selector);
    if (selector_is_null(selector)) {
        return;
    }
    if (selector & SEL_TI || !desc_load(cpu, NULL, selector, &desc) || !desc_is_system(&desc) ||
        desc_type(&desc) != SYS_LDT || !(desc.attr & SEG_ATTR_P)) {
        tcg_fault_selector(cpu, NULL, EXC_TS, selector);
    }
    cpu->x86.ldt = desc_to_seg(&desc, selector);
}

static X86Seg load_code(TcgCpu *cpu, uint16_t selector)
{
    unsigned rpl = selector & SEL_RPL;
    bool ok;
    Desc desc;

    ok = desc_load(cpu, NULL, selector, &desc) && desc_is_code(&desc) &&
         (desc.attr & TYPE_CONFORMING ? desc_dpl(&desc) <= rpl : desc_dpl(&desc) == rpl);
    if (!ok) {
        tcg_fault_selector(cpu, NULL, EXC_TS, selector);
    }
    code_check_present(cpu, NULL, selector, &desc);
    return code_seg(cpu, NULL, &desc, selector, rpl);
}

static void load_segments(TcgCpu *cpu, const TaskState *task)
{
    static const int data_segs[] = { SEG_ES, SEG_DS, SEG_FS, SEG_GS };
    unsigned cpl = task->seg[SEG_CS] & SEL_RPL;
    X86Seg seg;

    load_ldt(cpu, task->ldt);
    if (cpu->x86.rflags & RFLAGS_VM) {
        for (int i = 0; i < SEG_COUNT; i++) {
            cpu->x86.seg[i] = seg_vm86(i, task->seg[i]);
        }
        tcg_mode_changed(cpu);
        return;
    }
    seg = load_code(cpu, task->seg[SEG_CS]);
    seg_set(cpu, SEG_CS, &seg);
    seg = seg_stack_checked(cpu, NULL, task->seg[SEG_SS], cpl, EXC_TS);
    seg_set(cpu, SEG_SS, &seg);
    for (size_t i = 0; i < G_N_ELEMENTS(data_segs); i++) {
        if (!selector_is_null(task->seg[data_segs[i]])) {
            seg = seg_data_checked(cpu, NULL, task->seg[data_segs[i]], cpl, EXC_TS);
            seg_set(cpu, data_segs[i], &seg);
        }
    }
}

/* Selectors are there before any descriptor is checked; nothing is usable yet.  7.3, step 11. */
static void clear_segments(TcgCpu *cpu, const TaskState *task)
{
    unsigned cpl = task->seg[SEG_CS] & SEL_RPL;

    for (int i = 0; i < SEG_COUNT; i++) {
        cpu->x86.seg[i] = seg_null(task->seg[i]);
    }
    cpu->x86.seg[SEG_SS].attr = (uint16_t)(cpl << 5);
    cpu->x86.seg[SEG_CS].attr = (uint16_t)(cpl << 5);
    tcg_mode_changed(cpu);
}

/* ---- the switch ---- */

/* From here on the CPU runs the new task. */
static void commit(TcgCpu *cpu, const X86Seg *tr, const TaskState *task, bool nested)
{
    const uint64_t writable = RFLAGS_ARITH | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL |
                              RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC | RFLAGS_VIF |
                              RFLAGS_VIP | RFLAGS_ID;
    X86Cpu *x86 = &cpu->x86;

    x86->tr = *tr;
    x86->tr.attr |= SYS_BUSY_BIT;
    x86->cr0 |= CR0_TS;
    if (x86->dr[7] & DR7_LOCAL) {
        x86->dr[7] &= ~(uint64_t)DR7_LOCAL;
        mmu_flush_all(cpu);
    }
    if (tr->attr & 8 && x86->cr0 & CR0_PG) {
        x86->cr3 = task->cr3;
        mmu_flush_non_global(cpu);
    }
    x86->rip = task->ip;
    x86->rflags = (task->flags & writable) | RFLAGS_FIXED | (nested ? RFLAGS_NT : 0);
    for (unsigned i = 0; i < 8; i++) {
        x86->gpr[i] = task->gpr[i];
    }
    clear_segments(cpu, task);
}

static void push_error(TcgCpu *cpu, uint32_t error, unsigned size)
{
    Stack stack = stack_current(cpu);

    stack_push(cpu, NULL, &stack, error, size);
    stack_commit(cpu, &stack);
}

/* Both TSSs are reachable before anything is written. */
static void probe(TcgCpu *cpu, const UOp *u, const X86Seg *tr, int source)
{
    const X86Seg *old = &cpu->x86.tr;
    bool linked = source == TASK_CALL || source == TASK_INTERRUPT;

    mmu_probe_sys(cpu, u, old->base, (old->attr & 8 ? TSS32_LIMIT_MIN : TSS16_LIMIT_MIN) + 1,
                  ACCESS_WRITE);
    mmu_probe_sys(cpu, u, tr->base, (tr->attr & 8 ? TSS32_LIMIT_MIN : TSS16_LIMIT_MIN) + 1,
                  linked ? ACCESS_WRITE : ACCESS_READ);
}

void tcg_task_switch(TcgCpu *cpu, const UOp *u, uint16_t selector, int source, bool has_error,
                     uint32_t error, uint64_t return_rip)
{
    X86Cpu *x86 = &cpu->x86;
    bool nested = source == TASK_CALL || source == TASK_INTERRUPT;
    uint32_t flags = (uint32_t)x86->rflags;
    uint16_t old_selector = x86->tr.selector;
    uint64_t old_desc = x86->gdt.base + (old_selector & ~7u);
    X86Seg tr;
    TaskState task;
    Desc desc;

    tr = load_tss(cpu, u, selector, source, &desc);
    log_write(LOG_PCALL, "task switch from %04x to %04x\n", old_selector, selector);
    probe(cpu, u, &tr, source);
    task = task_load(cpu, u, &tr);
    if (!nested) {
        set_busy(cpu, u, old_desc, false);
    }
    task_save(cpu, u, (uint32_t)return_rip,
               source == TASK_IRET ? flags & ~RFLAGS_NT : flags);
    if (nested) {
        mmu_store_sys(cpu, u, tr.base, old_selector, 2);
    }
    if (source != TASK_IRET) {
        set_busy(cpu, u, desc.addr, true);
    }
    commit(cpu, &tr, &task, nested);
    load_segments(cpu, &task);
    if (has_error) {
        push_error(cpu, error, layout_of(&tr)->width);
    }
    if (!(x86->rflags & RFLAGS_VM)) {
        code_check_offset(cpu, NULL, &x86->seg[SEG_CS], x86->rip);
    }
    if (task.trap) {
        cpu->delivering = FAULT_BENIGN;
        cpu->ext = 0;
        x86->dr[6] |= DR6_BT;
        tcg_raise(cpu, NULL, EXC_DB);
    }
}
