/*
 * FXSAVE, FXRSTOR, XSAVE, XSAVEOPT, XRSTOR, XGETBV; LDMXCSR, STMXCSR; EMMS.
 *
 * Components: x87 and SSE.  XSAVE and XSAVEOPT write every requested component that XCR0 enables;
 * the init and modified optimisations only ever allow to write less (SDM volume 1, 13.7 and 13.9).
 */
#include "tcg_sse.h"
#include "tcg_x87.h"

enum { FXSAVE_BYTES = 512, FXSAVE_X87_END = 160, MXCSR_AT = 24, XMM_AT = 160, XMM_LOW_END = 288,
       XMM_END = 416, XSAVE_HEADER = 512, XSAVE_HEADER_BYTES = 64, XSAVE_BYTES = 576 };

/* Outside 64-bit mode xmm8–15 are neither stored nor loaded. */
static unsigned xmm_end(const TcgCpu *cpu)
{
    return cpu->x86.mode & CPU_MODE_CS64 ? XMM_END : XMM_LOW_END;
}

static bool has_osfxsr(const TcgCpu *cpu)
{
    return cpu->x86.cr4 & CR4_OSFXSR;
}

/* The image to load with what stays as it is filled in. */
static void keep_high_xmm(const TcgCpu *cpu, uint8_t *image)
{
    for (unsigned at = xmm_end(cpu); at < XMM_END; at += 16) {
        memcpy(image + at, &cpu->x86.fpu.v[(at - XMM_AT) / 16], 16);
    }
}

/* ---- FXSAVE, FXRSTOR: UOp.aux: 64-bit pointers ---- */

static void fxsave(TcgCpu *cpu, const UOp *u)
{
    uint8_t image[FXSAVE_BYTES];
    uint64_t addr = tcg_ea(cpu, u, FXSAVE_BYTES, ACCESS_WRITE);

    tcg_check_aligned(cpu, u, addr, 16);
    mmu_probe(cpu, u, addr, FXSAVE_BYTES, ACCESS_WRITE);
    tcg_get_mxcsr(cpu);
    fpu_to_fxsave(&cpu->x86.fpu, image, u->aux, true);
    tcg_store_bytes(cpu, u, addr, image, has_osfxsr(cpu) ? xmm_end(cpu) : FXSAVE_X87_END);
}

static const UOp *op_fxsave(TcgCpu *cpu, const UOp *u)
{
    fxsave(cpu, u);
    NEXT(u);
}

static void fxrstor(TcgCpu *cpu, const UOp *u)
{
    uint8_t image[FXSAVE_BYTES];
    uint64_t addr = tcg_ea(cpu, u, FXSAVE_BYTES, ACCESS_READ);
    uint32_t mxcsr;

    tcg_check_aligned(cpu, u, addr, 16);
    tcg_load_bytes(cpu, u, addr, image, FXSAVE_BYTES);
    memcpy(&mxcsr, image + MXCSR_AT, sizeof(mxcsr));
    if (has_osfxsr(cpu) && mxcsr & ~MXCSR_MASK) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    keep_high_xmm(cpu, image);
    tcg_fp_release(cpu);
    fpu_from_fxsave(&cpu->x86.fpu, image, u->aux, has_osfxsr(cpu));
    x87_signal_ferr(cpu);
}

static const UOp *op_fxrstor(TcgCpu *cpu, const UOp *u)
{
    fxrstor(cpu, u);
    NEXT(u);
}

/* ---- XSAVE, XRSTOR ---- */

static uint64_t requested(const TcgCpu *cpu)
{
    uint64_t mask = cpu->x86.gpr[R_RDX] << 32 | (uint32_t)cpu->x86.gpr[R_RAX];

    return mask & cpu->x86.xcr0 & (XSTATE_X87 | XSTATE_SSE | XSTATE_AVX);
}

/* The x87 part's pointers in the form the operand size wants: fpu_state.h writes 64-bit ones. */
static void x87_pointers(const TcgCpu *cpu, uint8_t *image, bool wide)
{
    uint8_t legacy[FXSAVE_BYTES];

    if (!wide) {
        fpu_to_fxsave(&cpu->x86.fpu, legacy, false, false);
        memcpy(image, legacy, MXCSR_AT);
    }
}

static void xsave(TcgCpu *cpu, const UOp *u)
{
    uint8_t image[XSAVE_BYTES] = { 0 };
    uint64_t addr = tcg_ea(cpu, u, XSAVE_BYTES, ACCESS_WRITE), mask = requested(cpu);

    tcg_check_aligned(cpu, u, addr, 64);
    mmu_probe(cpu, u, addr, XSAVE_BYTES, ACCESS_WRITE);
    tcg_load_bytes(cpu, u, addr + XSAVE_HEADER, image + XSAVE_HEADER, 8);
    tcg_get_mxcsr(cpu);
    fpu_to_xsave(&cpu->x86.fpu, image, sizeof(image), mask);
    if (mask & XSTATE_X87) {
        x87_pointers(cpu, image, u->aux);
        tcg_store_bytes(cpu, u, addr, image, MXCSR_AT);
        tcg_store_bytes(cpu, u, addr + 32, image + 32, FXSAVE_X87_END - 32);
    }
    if (mask & (XSTATE_SSE | XSTATE_AVX)) {
        tcg_store_bytes(cpu, u, addr + MXCSR_AT, image + MXCSR_AT, 8);
    }
    if (mask & XSTATE_SSE) {
        tcg_store_bytes(cpu, u, addr + XMM_AT, image + XMM_AT, xmm_end(cpu) - XMM_AT);
    }
    tcg_store_bytes(cpu, u, addr + XSAVE_HEADER, image + XSAVE_HEADER, 8);
}

static const UOp *op_xsave(TcgCpu *cpu, const UOp *u)
{
    xsave(cpu, u);
    NEXT(u);
}

/* Components the image may claim: those XCR0 enables. */
static bool xrstor_header_valid(const TcgCpu *cpu, const uint8_t *image)
{
    uint64_t present;

    memcpy(&present, image + XSAVE_HEADER, sizeof(present));
    return !(present & ~cpu->x86.xcr0);
}

static void xrstor(TcgCpu *cpu, const UOp *u)
{
    uint8_t image[XSAVE_BYTES];
    uint64_t addr = tcg_ea(cpu, u, XSAVE_BYTES, ACCESS_READ), mask = requested(cpu), present;
    X86Fpu fpu;

    tcg_check_aligned(cpu, u, addr, 64);
    tcg_load_bytes(cpu, u, addr, image, sizeof(image));
    memcpy(&present, image + XSAVE_HEADER, sizeof(present));
    tcg_fp_release(cpu);
    fpu = cpu->x86.fpu;
    if (!xrstor_header_valid(cpu, image) || !fpu_from_xsave(&fpu, image, sizeof(image), mask)) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    if (mask & present & XSTATE_X87 && !u->aux) {
        X86Fpu narrow = cpu->x86.fpu;

        fpu_from_fxsave(&narrow, image, false, false);
        fpu.fip = narrow.fip, fpu.fcs = narrow.fcs;
        fpu.fdp = narrow.fdp, fpu.fds = narrow.fds;
    }
    for (unsigned n = xmm_end(cpu) == XMM_END ? 16 : 8; n < 16; n++) {
        fpu.v[n] = cpu->x86.fpu.v[n];
    }
    cpu->x86.fpu = fpu;
    x87_signal_ferr(cpu);
}

static const UOp *op_xrstor(TcgCpu *cpu, const UOp *u)
{
    xrstor(cpu, u);
    NEXT(u);
}

/* XCR0; index 1, XCR0 & XINUSE, only where CPUID offers it. UOp.aux: it does. */
static const UOp *op_xgetbv(TcgCpu *cpu, const UOp *u)
{
    uint32_t index = cpu->x86.gpr[R_RCX];

    if (index != 0 && !(index == 1 && u->aux)) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    cpu->x86.gpr[R_RAX] = (uint32_t)cpu->x86.xcr0;
    cpu->x86.gpr[R_RDX] = cpu->x86.xcr0 >> 32;
    NEXT(u);
}

/* ---- MXCSR, EMMS ---- */

static const UOp *op_ldmxcsr(TcgCpu *cpu, const UOp *u)
{
    uint32_t value = tcg_load32(cpu, u, tcg_ea(cpu, u, 4, ACCESS_READ));

    if (value & ~MXCSR_MASK) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    tcg_set_mxcsr(cpu, value);
    NEXT(u);
}

static const UOp *op_stmxcsr(TcgCpu *cpu, const UOp *u)
{
    tcg_store32(cpu, u, tcg_ea(cpu, u, 4, ACCESS_WRITE), tcg_get_mxcsr(cpu));
    NEXT(u);
}

static const UOp *op_emms(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    cpu->x86.fpu.fsw &= ~FSW_TOP_MASK;
    cpu->x86.fpu.ftw = 0;
    NEXT(u);
}

/* ---- memory order, hints ---- */

static const UOp *op_lfence(TcgCpu *cpu, const UOp *u)
{
    __builtin_ia32_lfence();
    NEXT(u);
}

static const UOp *op_mfence(TcgCpu *cpu, const UOp *u)
{
    __builtin_ia32_mfence();
    NEXT(u);
}

static const UOp *op_sfence(TcgCpu *cpu, const UOp *u)
{
    __builtin_ia32_sfence();
    NEXT(u);
}

/* ---- decode ---- */

static bool emit_fxsave(DecodeContext *d, const FpRow *row)
{
    UOp *u = decode_emit(d, row->fn);

    decode_mem(d, u, &d->ops[0]);
    u->aux = d->insn->operand_width == 64;
    return true;
}

static bool emit_mem(DecodeContext *d, const FpRow *row)
{
    decode_mem(d, decode_emit(d, row->fn), &d->ops[0]);
    return true;
}

static bool emit_plain(DecodeContext *d, const FpRow *row)
{
    decode_emit(d, row->fn);
    return true;
}

static bool emit_xgetbv(DecodeContext *d, const FpRow *row)
{
    decode_emit(d, row->fn)->aux = decode_has(d, FEAT_XSAVE, 2);
    return true;
}

/* A prefetch never faults: nothing to do. */
static bool emit_prefetch(DecodeContext *d, const FpRow *row)
{
    return true;
}

#define ROW(NAME, emit, ...)    { ZYDIS_MNEMONIC_##NAME, emit, __VA_ARGS__ }

const FpRow xstate_rows[] = {
    ROW(FXRSTOR, emit_fxsave, op_fxrstor), ROW(FXRSTOR64, emit_fxsave, op_fxrstor),
    ROW(FXSAVE, emit_fxsave, op_fxsave), ROW(FXSAVE64, emit_fxsave, op_fxsave),
    ROW(XRSTOR, emit_fxsave, op_xrstor), ROW(XRSTOR64, emit_fxsave, op_xrstor),
    ROW(XSAVE, emit_fxsave, op_xsave), ROW(XSAVE64, emit_fxsave, op_xsave),
    ROW(XSAVEOPT, emit_fxsave, op_xsave), ROW(XSAVEOPT64, emit_fxsave, op_xsave),
    ROW(XGETBV, emit_xgetbv, op_xgetbv), ROW(LDMXCSR, emit_mem, op_ldmxcsr),
    ROW(STMXCSR, emit_mem, op_stmxcsr), ROW(EMMS, emit_plain, op_emms),
    ROW(LFENCE, emit_plain, op_lfence), ROW(MFENCE, emit_plain, op_mfence),
    ROW(SFENCE, emit_plain, op_sfence),
    { ZYDIS_MNEMONIC_PREFETCH, emit_prefetch }, { ZYDIS_MNEMONIC_PREFETCHNTA, emit_prefetch },
    { ZYDIS_MNEMONIC_PREFETCHT0, emit_prefetch }, { ZYDIS_MNEMONIC_PREFETCHT1, emit_prefetch },
    { ZYDIS_MNEMONIC_PREFETCHT2, emit_prefetch }, { ZYDIS_MNEMONIC_PREFETCHW, emit_prefetch },
    { ZYDIS_MNEMONIC_PREFETCHWT1, emit_prefetch },
    {}
};
