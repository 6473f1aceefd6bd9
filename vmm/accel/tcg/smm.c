/*
 * System-management mode: AMD APM volume 2 chapter 10, with the AMD64 layout of the save area,
 * which 64-bit firmware expects (its revision identifier tells the layouts apart).
 *
 * What the handler leaves in the save area is the guest's and is checked before it is believed:
 * state no processor can be in is a shutdown, as 10.3.2 has it.
 */
#include "tcg_sys.h"

#include "cpuid.h"

#define SMM_ENTRY       0x8000          /* offset of the handler from SMBASE */
#define SMM_REVISION    0x20064u        /* AMD64 layout, SMBASE relocation */
#define SMM_CODE_ATTR   (SEG_ATTR_G | 0x93u)

/* Offsets from SMBASE: table 10-1. */
enum {
    SAVE_SEGS = 0xfe00,                 /* ES CS SS DS FS GS, 16 bytes each */
    SAVE_GDTR = 0xfe60, SAVE_LDTR = 0xfe70, SAVE_IDTR = 0xfe80, SAVE_TR = 0xfe90,
    SAVE_AUTO_HALT = 0xfec9, SAVE_NMI_MASK = 0xfeca, SAVE_EFER = 0xfed0, SAVE_REVISION = 0xfefc,
    SAVE_SMBASE = 0xff00, SAVE_CR4 = 0xff48, SAVE_CR3 = 0xff50, SAVE_CR0 = 0xff58,
    SAVE_DR7 = 0xff60, SAVE_DR6 = 0xff68, SAVE_RFLAGS = 0xff70, SAVE_RIP = 0xff78,
    SAVE_GPR_LAST = 0xfff8,             /* RAX; the others below it, R15 lowest */
};

#define RFLAGS_RESTORED (RFLAGS_ARITH | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | \
                         RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC | RFLAGS_VIF | RFLAGS_VIP | \
                         RFLAGS_ID)

static void put(TcgCpu *cpu, unsigned offset, uint64_t value, unsigned size)
{
    mem_store(mmu_space(cpu), cpu->x86.smbase + offset, value, size);
}

static uint64_t get(TcgCpu *cpu, unsigned offset, unsigned size)
{
    return mem_load(mmu_space(cpu), cpu->x86.smbase + offset, size, NULL);
}

/* RAX is the highest, R15 the lowest. */
static unsigned gpr_offset(unsigned n)
{
    return SAVE_GPR_LAST - 8 * n;
}

/* ---- segments: selector, 12 attribute bits, limit, base ---- */

static void put_seg(TcgCpu *cpu, unsigned offset, const X86Seg *seg)
{
    put(cpu, offset, seg->selector, 2);
    put(cpu, offset + 2, (seg->attr & 0xff) | (seg->attr >> 12) << 8, 2);
    put(cpu, offset + 4, seg->limit, 4);
    put(cpu, offset + 8, seg->base, 8);
}

static X86Seg get_seg(TcgCpu *cpu, unsigned offset)
{
    uint16_t attr = (uint16_t)get(cpu, offset + 2, 2);

    return (X86Seg){
        .selector = (uint16_t)get(cpu, offset, 2),
        .attr = (uint16_t)((attr & 0xff) | (attr & 0xf00) << 4),
        .limit = (uint32_t)get(cpu, offset + 4, 4), .base = get(cpu, offset + 8, 8),
    };
}

static void put_table(TcgCpu *cpu, unsigned offset, const X86Table *table)
{
    put(cpu, offset + 4, table->limit, 4);
    put(cpu, offset + 8, table->base, 8);
}

static X86Table get_table(TcgCpu *cpu, unsigned offset)
{
    return (X86Table){
        .limit = (uint16_t)get(cpu, offset + 4, 2), .base = get(cpu, offset + 8, 8),
    };
}

/* ---- entry ---- */

static void save_state(TcgCpu *cpu)
{
    const X86Cpu *x86 = &cpu->x86;

    for (unsigned i = 0; i < SEG_COUNT; i++) {
        put_seg(cpu, SAVE_SEGS + 16 * i, &x86->seg[i]);
    }
    put_table(cpu, SAVE_GDTR, &x86->gdt);
    put_table(cpu, SAVE_IDTR, &x86->idt);
    put_seg(cpu, SAVE_LDTR, &x86->ldt);
    put_seg(cpu, SAVE_TR, &x86->tr);
    put(cpu, SAVE_AUTO_HALT, x86->halted, 1);
    put(cpu, SAVE_NMI_MASK, x86->nmi_blocked, 1);
    put(cpu, SAVE_EFER, x86->efer, 8);
    put(cpu, SAVE_REVISION, SMM_REVISION, 4);
    put(cpu, SAVE_SMBASE, x86->smbase, 4);
    put(cpu, SAVE_CR4, x86->cr4, 8);
    put(cpu, SAVE_CR3, x86->cr3, 8);
    put(cpu, SAVE_CR0, x86->cr0, 8);
    put(cpu, SAVE_DR7, x86->dr[7], 8);
    put(cpu, SAVE_DR6, x86->dr[6], 8);
    put(cpu, SAVE_RFLAGS, x86->rflags, 8);
    put(cpu, SAVE_RIP, x86->rip, 8);
    for (unsigned n = 0; n < 16; n++) {
        put(cpu, gpr_offset(n), x86->gpr[n], 8);
    }
}

/* 10.3.1: table 10-2. */
static void enter_state(X86Cpu *x86)
{
    for (int i = 0; i < SEG_COUNT; i++) {
        x86->seg[i] = (X86Seg){ .limit = UINT32_MAX, .attr = SMM_CODE_ATTR };
    }
    x86->seg[SEG_CS].selector = (uint16_t)(x86->smbase >> 4);
    x86->seg[SEG_CS].base = x86->smbase;
    x86->rip = SMM_ENTRY;
    x86->rflags = RFLAGS_FIXED;
    x86->efer = 0;
    x86->cr0 &= ~(uint64_t)(CR0_PE | CR0_EM | CR0_TS | CR0_PG);
    x86->cr4 = 0;
    x86->dr[7] = 0x400;
    x86->halted = false;
    x86->nmi_blocked = true;
    x86->intr_shadow = 0;
}

void tcg_enter_smm(TcgCpu *cpu)
{
    cpu->x86.in_smm = true;
    mmu_flush_all(cpu);
    save_state(cpu);
    enter_state(&cpu->x86);
    tcg_mode_changed(cpu);
    mmu_flush_all(cpu);
}

/* ---- RSM ---- */

static G_NORETURN void rsm_shutdown(TcgCpu *cpu)
{
    tcg_leave(cpu, RUN_EXIT_SHUTDOWN);
}

static void restore_control(TcgCpu *cpu)
{
    const uint64_t efer_bits = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_FFXSR;
    X86Cpu *x86 = &cpu->x86;
    uint64_t cr0 = get(cpu, SAVE_CR0, 8), cr4 = get(cpu, SAVE_CR4, 8);
    uint64_t efer = get(cpu, SAVE_EFER, 8);
    bool paging = cr0 & CR0_PG;

    if (cr0 >> 32 || (paging && !(cr0 & CR0_PE)) || (cr0 & (CR0_NW | CR0_CD)) == CR0_NW ||
        efer & ~efer_bits || cr4 & ~x86_cr4_bits(x86->model) ||
        (paging && efer & EFER_LME && !(cr4 & CR4_PAE))) {
        rsm_shutdown(cpu);
    }
    x86->cr0 = cr0 | CR0_ET;
    x86->cr3 = get(cpu, SAVE_CR3, 8) & (mmu_phys_bits_mask(cpu) | 0xfff);
    x86->cr4 = cr4;
    x86->efer = efer & ~(uint64_t)EFER_LMA;
    if (paging && efer & EFER_LME) {
        x86->efer |= EFER_LMA;
    }
    x86->dr[7] = (get(cpu, SAVE_DR7, 8) & 0xffff27ffu) | 0x400;
    x86->dr[6] = (get(cpu, SAVE_DR6, 8) & 0xe00fu) | 0xffff0ff0u;
    x86->rflags = (get(cpu, SAVE_RFLAGS, 8) & RFLAGS_RESTORED) | RFLAGS_FIXED;
    if (!(x86->cr0 & CR0_PE)) {
        x86->rflags &= ~(uint64_t)RFLAGS_VM;
    }
}

static void restore_state(TcgCpu *cpu)
{
    X86Cpu *x86 = &cpu->x86;

    restore_control(cpu);
    for (unsigned i = 0; i < SEG_COUNT; i++) {
        x86->seg[i] = get_seg(cpu, SAVE_SEGS + 16 * i);
    }
    x86->gdt = get_table(cpu, SAVE_GDTR);
    x86->idt = get_table(cpu, SAVE_IDTR);
    x86->ldt = get_seg(cpu, SAVE_LDTR);
    x86->tr = get_seg(cpu, SAVE_TR);
    for (unsigned n = 0; n < 16; n++) {
        x86->gpr[n] = get(cpu, gpr_offset(n), 8);
    }
    x86->rip = get(cpu, SAVE_RIP, 8);
    x86->halted = get(cpu, SAVE_AUTO_HALT, 1) & 1;
    x86->nmi_blocked = get(cpu, SAVE_NMI_MASK, 1) & 1;
    x86->smbase = (uint32_t)get(cpu, SAVE_SMBASE, 4);
}

void tcg_rsm(TcgCpu *cpu, const UOp *u)
{
    if (!cpu->x86.in_smm) {
        tcg_raise(cpu, u, EXC_UD);
    }
    restore_state(cpu);
    cpu->x86.in_smm = false;
    cpu->x86.intr_shadow = 0;
    tcg_mode_changed(cpu);
    mmu_flush_all(cpu);
}
