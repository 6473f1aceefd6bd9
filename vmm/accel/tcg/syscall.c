/*
 * SYSCALL, SYSRET, SYSENTER, SYSEXIT: SDM volume 2, AMD APM volume 3.
 *
 * The makers differ: Intel has SYSCALL in 64-bit code only and SYSENTER everywhere; AMD has
 * SYSCALL everywhere and SYSENTER outside long mode only.  The model's vendor decides.
 */
#include <string.h>

#include "tcg_sys.h"

#include "cpuid.h"

/* Flat segments these instructions load without looking at a descriptor. */
#define FLAT_ATTR   (SEG_ATTR_P | SEG_ATTR_S | SEG_ATTR_G | TYPE_ACCESSED)
#define CODE_ATTR   (FLAT_ATTR | TYPE_CODE | TYPE_READABLE)
#define DATA_ATTR   (FLAT_ATTR | SEG_ATTR_DB | TYPE_WRITABLE)

static bool is_intel(const TcgCpu *cpu)
{
    return cpu->x86.model != NULL && strcmp(cpu->x86.model->vendor, "GenuineIntel") == 0;
}

static void set_flat(TcgCpu *cpu, uint16_t code, uint16_t stack, unsigned cpl, bool is64)
{
    uint16_t level = (uint16_t)(cpl << 5);

    cpu->x86.seg[SEG_CS] = (X86Seg){
        .selector = (uint16_t)((code & ~SEL_RPL) | cpl), .limit = UINT32_MAX,
        .attr = CODE_ATTR | level | (is64 ? SEG_ATTR_L : SEG_ATTR_DB),
    };
    cpu->x86.seg[SEG_SS] = (X86Seg){
        .selector = (uint16_t)((stack & ~SEL_RPL) | cpl), .limit = UINT32_MAX,
        .attr = DATA_ATTR | level,
    };
}

/* ---- SYSCALL and SYSRET ---- */

static void check_syscall_enabled(TcgCpu *cpu, const UOp *u)
{
    const X86Cpu *x86 = &cpu->x86;

    if (!(x86->efer & EFER_SCE) || (is_intel(cpu) && !(x86->mode & CPU_MODE_CS64))) {
        tcg_raise(cpu, u, EXC_UD);
    }
}

void tcg_syscall(TcgCpu *cpu, const UOp *u)
{
    X86Cpu *x86 = &cpu->x86;
    uint16_t selector = (uint16_t)(x86->star >> 32);
    uint64_t next = tcg_next_rip(cpu, u);

    check_syscall_enabled(cpu, u);
    if (!(x86->mode & CPU_MODE_PE)) {
        tcg_raise(cpu, u, EXC_UD);
    }
    if (x86->efer & EFER_LMA) {
        bool from64 = x86->mode & CPU_MODE_CS64;

        x86->gpr[R_RCX] = from64 ? next : (uint32_t)next;
        x86->gpr[R_R11] = x86->rflags & ~(uint64_t)RFLAGS_RF;
        x86->rflags = (x86->rflags & ~(x86->fmask | RFLAGS_RF)) | RFLAGS_FIXED;
        x86->rip = from64 ? x86->lstar : x86->cstar;
        set_flat(cpu, selector, (uint16_t)(selector + 8), 0, true);
    } else {
        x86->gpr[R_RCX] = (uint32_t)next;
        x86->rflags &= ~(uint64_t)(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
        x86->rip = (uint32_t)x86->star;
        set_flat(cpu, selector, (uint16_t)(selector + 8), 0, false);
    }
    tcg_mode_changed(cpu);
}

void tcg_sysret(TcgCpu *cpu, const UOp *u, unsigned operand_bits)
{
    const uint64_t restored = 0x3c7fd7;             /* all but RF and VM: SDM 2B SYSRET */
    X86Cpu *x86 = &cpu->x86;
    uint16_t selector = (uint16_t)(x86->star >> 48);
    bool to64 = operand_bits == 64;
    uint64_t rip = x86->gpr[R_RCX];

    check_syscall_enabled(cpu, u);
    if (!(x86->mode & CPU_MODE_PE) || x86_cpl(x86) != 0 ||
        (to64 && is_intel(cpu) && !tcg_canonical(rip))) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    set_flat(cpu, (uint16_t)(selector + (to64 ? 16 : 0)), (uint16_t)(selector + 8), 3, to64);
    x86->rip = to64 ? rip : (uint32_t)rip;
    if (x86->efer & EFER_LMA) {
        x86->rflags = (x86->gpr[R_R11] & restored) | RFLAGS_FIXED;
    } else {
        x86->rflags |= RFLAGS_IF;
    }
    tcg_mode_changed(cpu);
}

/* ---- SYSENTER and SYSEXIT ---- */

static void check_sysenter(TcgCpu *cpu, const UOp *u)
{
    X86Cpu *x86 = &cpu->x86;

    if (x86->efer & EFER_LMA && !is_intel(cpu)) {
        tcg_raise(cpu, u, EXC_UD);
    }
    if (!(x86->mode & CPU_MODE_PE) || (x86->sysenter_cs & 0xfffc) == 0) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
}

void tcg_sysenter(TcgCpu *cpu, const UOp *u)
{
    X86Cpu *x86 = &cpu->x86;
    uint16_t selector = (uint16_t)x86->sysenter_cs;
    bool is64 = x86->efer & EFER_LMA;

    check_sysenter(cpu, u);
    x86->rflags &= ~(uint64_t)(RFLAGS_VM | RFLAGS_IF);
    set_flat(cpu, selector, (uint16_t)((selector & ~SEL_RPL) + 8), 0, is64);
    x86->gpr[R_RSP] = is64 ? x86->sysenter_esp : (uint32_t)x86->sysenter_esp;
    x86->rip = is64 ? x86->sysenter_eip : (uint32_t)x86->sysenter_eip;
    tcg_mode_changed(cpu);
}

void tcg_sysexit(TcgCpu *cpu, const UOp *u, unsigned operand_bits)
{
    X86Cpu *x86 = &cpu->x86;
    uint16_t selector = (uint16_t)(x86->sysenter_cs & ~SEL_RPL);
    bool to64 = operand_bits == 64;
    uint64_t rip = x86->gpr[R_RDX], rsp = x86->gpr[R_RCX];
    unsigned code = to64 ? 32 : 16;

    check_sysenter(cpu, u);
    if (x86_cpl(x86) != 0 || (to64 && (!tcg_canonical(rip) || !tcg_canonical(rsp)))) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    set_flat(cpu, (uint16_t)(selector + code), (uint16_t)(selector + code + 8), 3, to64);
    x86->gpr[R_RSP] = to64 ? rsp : (uint32_t)rsp;
    x86->rip = to64 ? rip : (uint32_t)rip;
    tcg_mode_changed(cpu);
}
