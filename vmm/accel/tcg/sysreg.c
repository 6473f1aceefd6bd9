/*
 * Control registers, XCR0, EFLAGS writes, INVPCID, the time-stamp counter and port permissions:
 * SDM volume 3A chapters 2 and 4.10.4, volume 2 (MOV CRn, XSETBV, INVPCID), volume 1 19.5.
 */
#include <string.h>

#include "tcg_sys.h"

#include "cpuid.h"
#include "fpu_state.h"

#define CR0_WRITABLE    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_NE | CR0_WP | CR0_AM | CR0_NW | \
                         CR0_CD | CR0_PG)
#define CR3_NO_FLUSH    (UINT64_C(1) << 63)
#define CR3_PCID        UINT64_C(0xfff)

#define TSS_IO_BASE     0x66            /* 19.5.2 */
#define TSS32_LIMIT_MIN 0x67

static G_NORETURN void general_protection(TcgCpu *cpu, const UOp *u)
{
    tcg_raise_error(cpu, u, EXC_GP, 0);
}

static void require_ring0(TcgCpu *cpu, const UOp *u)
{
    if (x86_cpl(&cpu->x86) != 0) {
        general_protection(cpu, u);
    }
}

static bool cpu_has(const TcgCpu *cpu, FeatureWord word, unsigned bit)
{
    const X86CpuModel *model = cpu->x86.model;

    return model == NULL || model->features[word] >> bit & 1;
}

/* ---- CR0 ---- */

/* PG being set or cleared: 4.1.2, 9.8.5. */
static void check_paging_switch(TcgCpu *cpu, const UOp *u, uint64_t cr0)
{
    const X86Cpu *x86 = &cpu->x86;

    if (!((x86->cr0 ^ cr0) & CR0_PG)) {
        return;
    }
    if (!(cr0 & CR0_PG)) {
        if (x86->mode & CPU_MODE_CS64 || x86->cr4 & CR4_PCIDE) {
            general_protection(cpu, u);
        }
        return;
    }
    if (x86->efer & EFER_LME) {
        if (!(x86->cr4 & CR4_PAE) || x86->seg[SEG_CS].attr & SEG_ATTR_L) {
            general_protection(cpu, u);
        }
    } else if (x86->cr4 & CR4_PAE && !mmu_check_pdptes(cpu, x86->cr3)) {
        general_protection(cpu, u);
    }
}

static void write_cr0(TcgCpu *cpu, const UOp *u, uint64_t value)
{
    X86Cpu *x86 = &cpu->x86;
    uint64_t old = x86->cr0;

    if (value >> 32 || (value & (CR0_PG | CR0_PE)) == CR0_PG ||
        (value & (CR0_NW | CR0_CD)) == CR0_NW) {
        general_protection(cpu, u);
    }
    value = (value & CR0_WRITABLE) | CR0_ET;
    check_paging_switch(cpu, u, value);
    x86->cr0 = value;
    if (value & CR0_PG && x86->efer & EFER_LME) {
        x86->efer |= EFER_LMA;
    } else if (!(value & CR0_PG)) {
        x86->efer &= ~(uint64_t)EFER_LMA;
    }
    tcg_mode_changed(cpu);
    if ((old ^ value) & (CR0_PG | CR0_PE | CR0_WP)) {
        mmu_flush_all(cpu);
    }
}

/* ---- CR3 ---- */

static void write_cr3(TcgCpu *cpu, const UOp *u, uint64_t value)
{
    X86Cpu *x86 = &cpu->x86;

    if (x86->efer & EFER_LMA) {
        if (x86->cr4 & CR4_PCIDE) {
            value &= ~CR3_NO_FLUSH;     /* permission to keep entries, which need not be used */
        }
        if (value & ~(mmu_phys_bits_mask(cpu) | 0xfff)) {
            general_protection(cpu, u);
        }
    } else if (x86->cr0 & CR0_PG && x86->cr4 & CR4_PAE && !mmu_check_pdptes(cpu, value)) {
        general_protection(cpu, u);
    }
    x86->cr3 = value;
    mmu_flush_non_global(cpu);
}

/* ---- CR4 ---- */

static void write_cr4(TcgCpu *cpu, const UOp *u, uint64_t value)
{
    const uint32_t flushes = CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP;
    const uint32_t reloads = CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP;
    X86Cpu *x86 = &cpu->x86;
    uint64_t changed = x86->cr4 ^ value;
    bool long_mode = x86->efer & EFER_LMA;

    if (value & ~x86_cr4_bits(x86->model) || (long_mode && !(value & CR4_PAE))) {
        general_protection(cpu, u);
    }
    if (changed & value & CR4_PCIDE && (!long_mode || x86->cr3 & CR3_PCID)) {
        general_protection(cpu, u);
    }
    if (x86->cr0 & CR0_PG && value & CR4_PAE && !long_mode && changed & reloads &&
        !mmu_check_pdptes(cpu, x86->cr3)) {
        general_protection(cpu, u);
    }
    x86->cr4 = value;
    tcg_mode_changed(cpu);
    if (changed & flushes) {
        mmu_flush_all(cpu);
    }
}

/* ---- MOV to and from CRn ---- */

static void write_cr8(TcgCpu *cpu, const UOp *u, uint64_t value)
{
    const CpuIntc *intc = &cpu->x86.intc;

    if (value > 15) {
        general_protection(cpu, u);
    }
    if (intc->set_tpr != NULL) {
        intc->set_tpr(intc->opaque, (uint8_t)value);
    }
}

void tcg_write_cr(TcgCpu *cpu, const UOp *u, unsigned n, uint64_t value)
{
    require_ring0(cpu, u);
    switch (n) {
    case 0: write_cr0(cpu, u, value); break;
    case 2: cpu->x86.cr2 = value; break;
    case 3: write_cr3(cpu, u, value); break;
    case 4: write_cr4(cpu, u, value); break;
    case 8: write_cr8(cpu, u, value); break;
    default: tcg_raise(cpu, u, EXC_UD);
    }
}

uint64_t tcg_read_cr(TcgCpu *cpu, const UOp *u, unsigned n)
{
    const X86Cpu *x86 = &cpu->x86;

    require_ring0(cpu, u);
    switch (n) {
    case 0: return x86->cr0;
    case 2: return x86->cr2;
    case 3: return x86->cr3;
    case 4: return x86->cr4;
    case 8: return x86->intc.get_tpr != NULL ? x86->intc.get_tpr(x86->intc.opaque) : 0;
    default: tcg_raise(cpu, u, EXC_UD);
    }
}

/* ---- EFLAGS ---- */

void tcg_set_rflags(TcgCpu *cpu, uint64_t value, uint64_t mask)
{
    const uint64_t in_mode = RFLAGS_TF | RFLAGS_VM | RFLAGS_AC | RFLAGS_IOPL;
    uint64_t old = cpu->x86.rflags;

    cpu->x86.rflags = (old & ~mask) | (value & mask) | RFLAGS_FIXED;
    if ((old ^ cpu->x86.rflags) & in_mode) {
        tcg_mode_changed(cpu);
    }
}

/* ---- XCR0 ---- */

/* 13.3: x87 is always on, AVX needs SSE. */
void tcg_xsetbv(TcgCpu *cpu, const UOp *u)
{
    X86Cpu *x86 = &cpu->x86;
    uint64_t value = (uint32_t)x86->gpr[R_RAX] | x86->gpr[R_RDX] << 32;
    uint64_t allowed = XSTATE_X87 | XSTATE_SSE | (cpu_has(cpu, FEAT_1_ECX, 28) ? XSTATE_AVX : 0);

    if (!(x86->cr4 & CR4_OSXSAVE)) {
        tcg_raise(cpu, u, EXC_UD);
    }
    require_ring0(cpu, u);
    if ((uint32_t)x86->gpr[R_RCX] != 0 || value & ~allowed || !(value & XSTATE_X87) ||
        (value & (XSTATE_AVX | XSTATE_SSE)) == XSTATE_AVX) {
        general_protection(cpu, u);
    }
    x86->xcr0 = value;
    tcg_mode_changed(cpu);
}

/* ---- INVPCID ---- */

enum { INVPCID_ADDRESS, INVPCID_CONTEXT, INVPCID_ALL_GLOBAL, INVPCID_ALL };

void tcg_invpcid(TcgCpu *cpu, const UOp *u, uint64_t type, uint64_t addr_of_descriptor)
{
    struct { uint64_t pcid, addr; } desc;
    bool names_pcid = type == INVPCID_ADDRESS || type == INVPCID_CONTEXT;

    require_ring0(cpu, u);
    mmu_load_bytes(cpu, u, addr_of_descriptor, &desc, sizeof(desc));
    if (type > INVPCID_ALL || desc.pcid & ~CR3_PCID ||
        (names_pcid && desc.pcid != 0 && !(cpu->x86.cr4 & CR4_PCIDE)) ||
        (type == INVPCID_ADDRESS && !tcg_canonical(desc.addr))) {
        general_protection(cpu, u);
    }
    if (type == INVPCID_ADDRESS) {
        mmu_flush_page(cpu, desc.addr);
    } else if (type == INVPCID_ALL_GLOBAL) {
        mmu_flush_all(cpu);
    } else {
        mmu_flush_non_global(cpu);
    }
}

/* ---- the time-stamp counter: the host's, at an offset ---- */

uint64_t tcg_tsc(TcgCpu *cpu)
{
    return vm_clock_tsc(cpu->x86.vm) + cpu->x86.tsc_offset;
}

/* ---- ports ---- */

static bool port_allowed(TcgCpu *cpu, const UOp *u, uint16_t port, unsigned size)
{
    const X86Seg *tr = &cpu->x86.tr;
    uint64_t base, bits;

    if (!(tr->attr & SEG_ATTR_P) || !(tr->attr & 8) || tr->limit < TSS32_LIMIT_MIN) {
        return false;
    }
    base = mmu_load_sys(cpu, u, tr->base + TSS_IO_BASE, 2) + port / 8;
    if (base + 1 > tr->limit) {
        return false;
    }
    bits = mmu_load_sys(cpu, u, tr->base + base, 2) >> (port % 8);
    return (bits & ((1u << size) - 1)) == 0;
}

void tcg_check_io(TcgCpu *cpu, const UOp *u, uint16_t port, unsigned size)
{
    uint32_t mode = cpu->x86.mode;

    if (mode & CPU_MODE_PE && (mode & CPU_MODE_VM86 || !(mode & CPU_MODE_IOPL3)) &&
        !port_allowed(cpu, u, port, size)) {
        general_protection(cpu, u);
    }
    tcg_debug_io(cpu, port, size);
}
