/*
 * System instructions: interrupts by instruction, flags of the interrupt system, MSRs, caches,
 * time, identity.
 */
#include <sched.h>
#include <sys/random.h>

#include "tcg_ops.h"

/* ---- interrupts by instruction ---- */

static const UOp *op_int(TcgCpu *cpu, const UOp *u)
{
    tcg_raise_trap(cpu, u, u->aux, true);
}

static const UOp *op_int1(TcgCpu *cpu, const UOp *u)
{
    tcg_raise_trap(cpu, u, EXC_DB, false);
}

static const UOp *op_into(TcgCpu *cpu, const UOp *u)
{
    if (cpu->x86.rflags & RFLAGS_OF) {
        tcg_raise_trap(cpu, u, EXC_OF, true);
    }
    NEXT(u);
}

static bool emit_int(DecodeContext *d)
{
    /* v8086 mode asks for IOPL 3 (SDM 3A 20.3.3); INT3 and INTO do not. */
    if (d->mode & CPU_MODE_VM86 && !(d->mode & CPU_MODE_IOPL3)) {
        return decode_raise(d, EXC_GP);
    }
    decode_emit_last(d, op_int)->aux = (uint8_t)d->ops[0].imm.value.u;
    return true;
}

static bool emit_int3(DecodeContext *d)
{
    decode_emit_last(d, op_int)->aux = EXC_BP;
    return true;
}

static bool emit_int1(DecodeContext *d) { return decode_emit_last(d, op_int1); }
static bool emit_into(DecodeContext *d) { return decode_emit(d, op_into); }

static const UOp *op_bound_16(TcgCpu *cpu, const UOp *u)
{
    uint32_t pair = tcg_load32(cpu, u, tcg_ea(cpu, u, 4, ACCESS_READ));
    int16_t index = (int16_t)*tcg_reg16(cpu, u->r1);

    if (index < (int16_t)pair || index > (int16_t)(pair >> 16)) {
        tcg_raise(cpu, u, EXC_BR);
    }
    NEXT(u);
}

static const UOp *op_bound_32(TcgCpu *cpu, const UOp *u)
{
    uint64_t pair = tcg_load64(cpu, u, tcg_ea(cpu, u, 8, ACCESS_READ));
    int32_t index = (int32_t)tcg_get32(cpu, u->r1);

    if (index < (int32_t)pair || index > (int32_t)(pair >> 32)) {
        tcg_raise(cpu, u, EXC_BR);
    }
    NEXT(u);
}

static bool emit_bound(DecodeContext *d)
{
    UOp *u = decode_emit(d, d->operand_bits == 16 ? op_bound_16 : op_bound_32);

    decode_mem(d, u, &d->ops[1]);
    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    return true;
}

/* ---- CLI STI HLT ---- */

static const UOp *op_cli(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.rflags &= ~(uint64_t)RFLAGS_IF;
    NEXT(u);
}

/* Interrupts wait for one more instruction, unless they were on already: SDM 2, STI. */
static const UOp *op_sti(TcgCpu *cpu, const UOp *u)
{
    if (!(cpu->x86.rflags & RFLAGS_IF)) {
        cpu->x86.intr_shadow = 1;
        cpu->x86.rflags |= RFLAGS_IF;
    }
    NEXT(u);
}

static bool emit_interrupt_flag(DecodeContext *d, UOpFn fn)
{
    if (!(d->mode & CPU_MODE_IOPL3)) {
        return decode_raise(d, EXC_GP);
    }
    return decode_emit(d, fn);
}

static bool emit_cli(DecodeContext *d) { return emit_interrupt_flag(d, op_cli); }

static bool emit_sti(DecodeContext *d)
{
    decode_end(d);
    return emit_interrupt_flag(d, op_sti);
}

static const UOp *op_hlt(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.halted = true;
    return op_leave(cpu, u);
}

/* Emits `fn`, or #GP outside ring 0. */
static bool emit_ring0(DecodeContext *d, UOpFn fn)
{
    return d->cpl != 0 ? decode_raise(d, EXC_GP) : decode_emit(d, fn) != NULL;
}

/* ... and the block ends. */
static bool emit_ring0_end(DecodeContext *d, UOpFn fn)
{
    decode_end(d);
    return emit_ring0(d, fn);
}

static bool emit_hlt(DecodeContext *d)
{
    return d->cpl != 0 ? decode_raise(d, EXC_GP) : decode_emit_last(d, op_hlt) != NULL;
}

/* ---- fast system calls ---- */

static const UOp *op_syscall(TcgCpu *cpu, const UOp *u)
{
    tcg_syscall(cpu, u);
    LEAVE();
}

static const UOp *op_sysret(TcgCpu *cpu, const UOp *u)
{
    tcg_sysret(cpu, u, u->aux);
    LEAVE();
}

static const UOp *op_sysenter(TcgCpu *cpu, const UOp *u)
{
    tcg_sysenter(cpu, u);
    LEAVE();
}

static const UOp *op_sysexit(TcgCpu *cpu, const UOp *u)
{
    tcg_sysexit(cpu, u, u->aux);
    LEAVE();
}

static bool emit_last_sized(DecodeContext *d, UOpFn fn)
{
    decode_emit_last(d, fn)->aux = d->insn->raw.rex.W ? 64 : 32;
    return true;
}

static bool emit_syscall(DecodeContext *d) { return emit_last_sized(d, op_syscall); }
static bool emit_sysret(DecodeContext *d) { return emit_last_sized(d, op_sysret); }
static bool emit_sysenter(DecodeContext *d) { return emit_last_sized(d, op_sysenter); }
static bool emit_sysexit(DecodeContext *d) { return emit_last_sized(d, op_sysexit); }

static const UOp *op_rsm(TcgCpu *cpu, const UOp *u)
{
    tcg_rsm(cpu, u);
    LEAVE();
}

static bool emit_rsm(DecodeContext *d)
{
    return d->mode & CPU_MODE_SMM && decode_emit_last(d, op_rsm);
}

/* ---- SWAPGS, FS and GS bases ---- */

static const UOp *op_swapgs(TcgCpu *cpu, const UOp *u)
{
    uint64_t base = cpu->x86.seg[SEG_GS].base;

    cpu->x86.seg[SEG_GS].base = cpu->x86.kernel_gs_base;
    cpu->x86.kernel_gs_base = base;
    NEXT(u);
}

static bool emit_swapgs(DecodeContext *d)
{
    return d->code64 && emit_ring0(d, op_swapgs);
}

static void check_fsgsbase(TcgCpu *cpu, const UOp *u)
{
    if (!(cpu->x86.cr4 & CR4_FSGSBASE)) {
        tcg_raise(cpu, u, EXC_UD);
    }
}

static const UOp *op_read_base(TcgCpu *cpu, const UOp *u)
{
    uint64_t base = cpu->x86.seg[u->r2].base;

    check_fsgsbase(cpu, u);
    cpu->x86.gpr[u->r1] = u->aux == 64 ? base : (uint32_t)base;
    NEXT(u);
}

static const UOp *op_write_base(TcgCpu *cpu, const UOp *u)
{
    uint64_t base = cpu->x86.gpr[u->r1];

    check_fsgsbase(cpu, u);
    base = u->aux == 64 ? base : (uint32_t)base;
    if ((uint64_t)((int64_t)(base << 16) >> 16) != base) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    cpu->x86.seg[u->r2].base = base;
    NEXT(u);
}

static bool emit_base(DecodeContext *d)
{
    ZydisMnemonic m = d->insn->mnemonic;
    bool read = m == ZYDIS_MNEMONIC_RDFSBASE || m == ZYDIS_MNEMONIC_RDGSBASE;
    UOp *u = decode_emit(d, read ? op_read_base : op_write_base);

    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    u->r2 = m == ZYDIS_MNEMONIC_RDFSBASE || m == ZYDIS_MNEMONIC_WRFSBASE ? SEG_FS : SEG_GS;
    u->aux = (uint8_t)d->ops[0].size;
    return true;
}

/* ---- MSRs, counters, identity ---- */

static const UOp *op_rdmsr(TcgCpu *cpu, const UOp *u)
{
    tcg_rdmsr(cpu, u);
    NEXT(u);
}

static const UOp *op_wrmsr(TcgCpu *cpu, const UOp *u)
{
    tcg_wrmsr(cpu, u);
    NEXT(u);
}

static const UOp *op_xsetbv(TcgCpu *cpu, const UOp *u)
{
    tcg_xsetbv(cpu, u);
    NEXT(u);
}

static bool emit_rdmsr(DecodeContext *d) { return emit_ring0(d, op_rdmsr); }
static bool emit_wrmsr(DecodeContext *d) { return emit_ring0_end(d, op_wrmsr); }

static bool emit_xsetbv(DecodeContext *d)
{
    return d->mode & CPU_MODE_OSXSAVE && emit_ring0_end(d, op_xsetbv);
}

static void set_edx_eax(TcgCpu *cpu, uint64_t value)
{
    tcg_set32(cpu, R_RAX, (uint32_t)value);
    tcg_set32(cpu, R_RDX, (uint32_t)(value >> 32));
}

static void check_tsd(TcgCpu *cpu, const UOp *u)
{
    if (cpu->x86.cr4 & CR4_TSD && x86_cpl(&cpu->x86) != 0) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
}

static const UOp *op_rdtsc(TcgCpu *cpu, const UOp *u)
{
    check_tsd(cpu, u);
    set_edx_eax(cpu, tcg_tsc(cpu));
    NEXT(u);
}

static const UOp *op_rdtscp(TcgCpu *cpu, const UOp *u)
{
    check_tsd(cpu, u);
    set_edx_eax(cpu, tcg_tsc(cpu));
    tcg_set32(cpu, R_RCX, (uint32_t)cpu->x86.tsc_aux);
    NEXT(u);
}

static bool emit_rdtsc(DecodeContext *d) { return decode_emit(d, op_rdtsc); }
static bool emit_rdtscp(DecodeContext *d) { return decode_emit(d, op_rdtscp); }

/* No counter exists: whatever ECX names and whoever asks, #GP. */
static bool emit_rdpmc(DecodeContext *d) { return decode_raise(d, EXC_GP); }

static G_GNUC_NO_INLINE void cpuid(TcgCpu *cpu)
{
    static const uint8_t regs[4] = { R_RAX, R_RBX, R_RCX, R_RDX };
    uint32_t out[4];

    x86_cpuid(&cpu->x86, tcg_get32(cpu, R_RAX), tcg_get32(cpu, R_RCX), out);
    for (int i = 0; i < 4; i++) {
        tcg_set32(cpu, regs[i], out[i]);
    }
}

static const UOp *op_cpuid(TcgCpu *cpu, const UOp *u)
{
    cpuid(cpu);
    NEXT(u);
}

static bool emit_cpuid(DecodeContext *d) { return decode_emit(d, op_cpuid); }

/* CF: a random number was there. */
static G_GNUC_NO_INLINE void random_number(TcgCpu *cpu, const UOp *u)
{
    uint64_t value = 0;
    bool ok = getrandom(&value, sizeof(value), GRND_NONBLOCK) == sizeof(value);

    if (u->aux == 16) {
        *tcg_reg16(cpu, u->r1) = (uint16_t)value;
    } else {
        cpu->x86.gpr[u->r1] = u->aux == 32 ? (uint32_t)value : value;
    }
    flags_set(cpu, RFLAGS_ARITH, ok ? RFLAGS_CF : 0);
}

static const UOp *op_random(TcgCpu *cpu, const UOp *u)
{
    random_number(cpu, u);
    NEXT(u);
}

static bool emit_random(DecodeContext *d)
{
    UOp *u = decode_emit(d, op_random);

    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    u->aux = (uint8_t)d->ops[0].size;
    return true;
}

/* ---- control bits ---- */

static const UOp *op_clts(TcgCpu *cpu, const UOp *u)
{
    tcg_write_cr(cpu, u, 0, cpu->x86.cr0 & ~(uint64_t)CR0_TS);
    NEXT(u);
}

static bool emit_clts(DecodeContext *d) { return emit_ring0_end(d, op_clts); }

static const UOp *op_set_ac(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.rflags = (cpu->x86.rflags & ~(uint64_t)RFLAGS_AC) | (u->aux ? RFLAGS_AC : 0);
    mmu_update_class(cpu);
    NEXT(u);
}

/* CLAC STAC: #UD outside ring 0. */
static bool emit_ac(DecodeContext *d)
{
    if (d->cpl != 0 || d->mode & CPU_MODE_VM86) {
        return false;
    }
    decode_emit(d, op_set_ac)->aux = d->insn->mnemonic == ZYDIS_MNEMONIC_STAC;
    return true;
}

/* ---- caches and translations ---- */

static const UOp *op_invlpg(TcgCpu *cpu, const UOp *u)
{
    uint64_t addr = tcg_offset(cpu, u);

    if (u->seg != UOP_SEG_NONE) {
        addr += cpu->x86.seg[u->seg].base;
    }
    mmu_flush_page(cpu, cpu->x86.mode & CPU_MODE_CS64 ? addr : (uint32_t)addr);
    NEXT(u);
}

static bool emit_invlpg(DecodeContext *d)
{
    if (d->cpl != 0) {
        return decode_raise(d, EXC_GP);
    }
    decode_mem(d, decode_emit(d, op_invlpg), &d->ops[0]);
    decode_end(d);
    return true;
}

static const UOp *op_invpcid(TcgCpu *cpu, const UOp *u)
{
    uint64_t type = cpu->x86.gpr[u->r1];

    tcg_invpcid(cpu, u, u->aux == 64 ? type : (uint32_t)type, tcg_ea(cpu, u, 16, ACCESS_READ));
    NEXT(u);
}

static bool emit_invpcid(DecodeContext *d)
{
    UOp *u;

    if (d->cpl != 0) {
        return decode_raise(d, EXC_GP);
    }
    u = decode_emit(d, op_invpcid);
    decode_mem(d, u, &d->ops[1]);
    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    u->aux = d->code64 ? 64 : 32;
    decode_end(d);
    return true;
}

/* Guest caches are the host's: nothing to write back. */
static bool emit_wbinvd(DecodeContext *d) { return emit_ring0(d, op_nop); }

/* CLFLUSH and its kind check their operand like a load of a byte. */
static const UOp *op_touch(TcgCpu *cpu, const UOp *u)
{
    mmu_probe(cpu, u, tcg_ea(cpu, u, 1, ACCESS_READ), 1, ACCESS_READ);
    NEXT(u);
}

static bool emit_touch(DecodeContext *d)
{
    decode_mem(d, decode_emit(d, op_touch), &d->ops[0]);
    return true;
}

/* ---- MONITOR MWAIT ---- */

static const UOp *op_monitor(TcgCpu *cpu, const UOp *u)
{
    if (tcg_get32(cpu, R_RCX) != 0) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    mmu_probe(cpu, u, tcg_ea(cpu, u, 1, ACCESS_READ), 1, ACCESS_READ);
    NEXT(u);
}

/* Waking without cause is allowed: gives the host's CPU away once. */
static const UOp *op_mwait(TcgCpu *cpu, const UOp *u)
{
    sched_yield();
    NEXT(u);
}

static bool emit_monitor(DecodeContext *d)
{
    UOp *u;

    if (d->cpl != 0) {
        return false;
    }
    u = decode_emit(d, op_monitor);
    u->base = R_RAX;
    u->addr_bits = d->address_bits;
    u->seg = (uint8_t)decode_override(d);
    return true;
}

static bool emit_mwait(DecodeContext *d)
{
    decode_end(d);
    return d->cpl == 0 && decode_emit(d, op_mwait);
}

static bool emit_ud(DecodeContext *d) { return decode_raise(d, EXC_UD); }

const DecodeRow decode_system_rows[] = {
    { ZYDIS_MNEMONIC_BOUND, emit_bound, false },
    { ZYDIS_MNEMONIC_CLAC, emit_ac, false },
    { ZYDIS_MNEMONIC_CLFLUSH, emit_touch, false },
    { ZYDIS_MNEMONIC_CLFLUSHOPT, emit_touch, false },
    { ZYDIS_MNEMONIC_CLI, emit_cli, false },
    { ZYDIS_MNEMONIC_CLTS, emit_clts, false },
    { ZYDIS_MNEMONIC_CLWB, emit_touch, false },
    { ZYDIS_MNEMONIC_CPUID, emit_cpuid, false },
    { ZYDIS_MNEMONIC_HLT, emit_hlt, false },
    { ZYDIS_MNEMONIC_INT, emit_int, false },
    { ZYDIS_MNEMONIC_INT1, emit_int1, false },
    { ZYDIS_MNEMONIC_INT3, emit_int3, false },
    { ZYDIS_MNEMONIC_INTO, emit_into, false },
    { ZYDIS_MNEMONIC_INVD, emit_wbinvd, false },
    { ZYDIS_MNEMONIC_INVLPG, emit_invlpg, false },
    { ZYDIS_MNEMONIC_INVPCID, emit_invpcid, false },
    { ZYDIS_MNEMONIC_MONITOR, emit_monitor, false },
    { ZYDIS_MNEMONIC_MWAIT, emit_mwait, false },
    { ZYDIS_MNEMONIC_RDFSBASE, emit_base, false },
    { ZYDIS_MNEMONIC_RDGSBASE, emit_base, false },
    { ZYDIS_MNEMONIC_RDMSR, emit_rdmsr, false },
    { ZYDIS_MNEMONIC_RDPMC, emit_rdpmc, false },
    { ZYDIS_MNEMONIC_RDRAND, emit_random, false },
    { ZYDIS_MNEMONIC_RDSEED, emit_random, false },
    { ZYDIS_MNEMONIC_RDTSC, emit_rdtsc, false },
    { ZYDIS_MNEMONIC_RDTSCP, emit_rdtscp, false },
    { ZYDIS_MNEMONIC_RSM, emit_rsm, false },
    { ZYDIS_MNEMONIC_STAC, emit_ac, false },
    { ZYDIS_MNEMONIC_STI, emit_sti, false },
    { ZYDIS_MNEMONIC_SWAPGS, emit_swapgs, false },
    { ZYDIS_MNEMONIC_SYSCALL, emit_syscall, false },
    { ZYDIS_MNEMONIC_SYSENTER, emit_sysenter, false },
    { ZYDIS_MNEMONIC_SYSEXIT, emit_sysexit, false },
    { ZYDIS_MNEMONIC_SYSRET, emit_sysret, false },
    { ZYDIS_MNEMONIC_UD0, emit_ud, false },
    { ZYDIS_MNEMONIC_UD1, emit_ud, false },
    { ZYDIS_MNEMONIC_UD2, emit_ud, false },
    { ZYDIS_MNEMONIC_WBINVD, emit_wbinvd, false },
    { ZYDIS_MNEMONIC_WRFSBASE, emit_base, false },
    { ZYDIS_MNEMONIC_WRGSBASE, emit_base, false },
    { ZYDIS_MNEMONIC_WRMSR, emit_wrmsr, false },
    { ZYDIS_MNEMONIC_XSETBV, emit_xsetbv, false },
    {}
};
