/*
 * SSE–SSE4.1 floating-point arithmetic and comparisons: everything that reads MXCSR or sets its
 * flags, except conversions (ops_sse_cvt.c).
 *
 * Each instruction is one raw function around the host's, see SSE_FP_OP().
 */
#include "tcg_ops.h"
#include "tcg_sse.h"

/* *d = *d op *s; sources of any width are memory operands of the host instruction. */
#define SSE_FP(name, Source)                                                                    \
static void raw_##name(void *d, const void *s)                                                  \
{                                                                                               \
    __m128 value = *(__m128 *)d;                                                                \
                                                                                                \
    __asm__ volatile(#name " %1, %0" : "+x"(value) : "m"(*(const Source *)s));                  \
    *(__m128 *)d = value;                                                                       \
}                                                                                               \
SSE_FP_OP(op_##name, raw_##name)

#define SSE_FP_FOUR(name)                                                                       \
    SSE_FP(name##ps, __m128)                                                                    \
    SSE_FP(name##pd, __m128)                                                                    \
    SSE_FP(name##ss, uint32_t)                                                                  \
    SSE_FP(name##sd, uint64_t)

#define SSE_FP_PACKED(name)                                                                     \
    SSE_FP(name##ps, __m128)                                                                    \
    SSE_FP(name##pd, __m128)

SSE_FP_FOUR(add)
SSE_FP_FOUR(sub)
SSE_FP_FOUR(mul)
SSE_FP_FOUR(div)
SSE_FP_FOUR(sqrt)
SSE_FP_FOUR(min)
SSE_FP_FOUR(max)
SSE_FP_PACKED(addsub)
SSE_FP_PACKED(hadd)
SSE_FP_PACKED(hsub)

/* ---- scalar arithmetic straight from memory ---- */

#define SSE_FP_MEM(name, bits)                                                                  \
static G_GNUC_NO_INLINE const UOp *op_##name##_mem_slow(TcgCpu *cpu, const UOp *u)              \
{                                                                                               \
    cpu->fp_tmp.u##bits[0] = tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ));     \
    sse_fp_careful(cpu, u, raw_##name, fp_dst(cpu, u), &cpu->fp_tmp);                           \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_##name##_mem(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    if (G_UNLIKELY(!cpu->sse_live)) {                                                           \
        return op_##name##_mem_slow(cpu, u);                                                    \
    }                                                                                           \
    FAST_MEM(op_##name##_mem_slow, bits, ACCESS_READ);                                          \
    raw_##name(fp_dst(cpu, u), host);                                                           \
    NEXT(u);                                                                                    \
}
SSE_FP_MEM(addsd, 64)
SSE_FP_MEM(subsd, 64)
SSE_FP_MEM(mulsd, 64)
SSE_FP_MEM(divsd, 64)
SSE_FP_MEM(addss, 32)
SSE_FP_MEM(subss, 32)
SSE_FP_MEM(mulss, 32)
SSE_FP_MEM(divss, 32)

/* ---- comparisons into RFLAGS ---- */

/* LAHF: ZF, PF and CF where RFLAGS has them, SF and AF cleared; OF always is. */
#define SSE_COMI(name, Type)                                                                    \
static void raw_##name(void *d, const void *s)                                                  \
{                                                                                               \
    uint16_t ax;                                                                                \
                                                                                                \
    __asm__ volatile(#name " %2, %1; lahf"                                                      \
                     : "=a"(ax) : "x"(*(const __m128 *)d), "m"(*(const Type *)s) : "cc");       \
    *(uint64_t *)d = ax >> 8 & RFLAGS_ARITH;                                                    \
}                                                                                               \
static G_GNUC_NO_INLINE const UOp *op_##name##_careful(TcgCpu *cpu, const UOp *u)               \
{                                                                                               \
    cpu->fp_out = *fp_dst(cpu, u);                                                              \
    sse_fp_careful(cpu, u, raw_##name, &cpu->fp_out, fp_src(cpu, u));                           \
    flags_set(cpu, RFLAGS_ARITH, cpu->fp_out.u32[0]);                                           \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    uint16_t ax;                                                                                \
                                                                                                \
    if (G_UNLIKELY(!cpu->sse_live)) {                                                           \
        return op_##name##_careful(cpu, u);                                                     \
    }                                                                                           \
    __asm__ volatile(#name " %2, %1; lahf"                                                      \
                     : "=a"(ax) : "x"(*(const __m128 *)fp_dst(cpu, u)),                         \
                       "m"(*(const Type *)fp_src(cpu, u)) : "cc");                              \
    flags_set(cpu, RFLAGS_ARITH, ax >> 8 & RFLAGS_ARITH);                                       \
    NEXT(u);                                                                                    \
}
SSE_COMI(comiss, uint32_t)
SSE_COMI(comisd, uint64_t)
SSE_COMI(ucomiss, uint32_t)
SSE_COMI(ucomisd, uint64_t)

/* ---- with an immediate ---- */

static const UOp *op_code_fp(TcgCpu *cpu, const UOp *u)
{
    sse_fp_careful(cpu, u, (FpRawFn)u->ptr, fp_dst(cpu, u), fp_src(cpu, u));
    NEXT(u);
}

/* ---- decode ---- */

static bool emit_arith(DecodeContext *d, const FpRow *row)
{
    /* mm_fn: the form that loads its source itself. */
    if (op_is_mem(&d->ops[1]) && row->mm_fn != NULL) {
        UOp *u = decode_emit(d, row->mm_fn);

        decode_mem(d, u, &d->ops[1]);
        u->r1 = decode_reg(&d->ops[0]);
        return true;
    }
    int32_t source = fp_emit_source(d, row, &d->ops[1]);
    UOp *u = decode_emit(d, row->fn);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    return true;
}

#define ROW(NAME, name)         { ZYDIS_MNEMONIC_##NAME, emit_arith, op_##name }
#define ROW_MEM(NAME, name)     { ZYDIS_MNEMONIC_##NAME, emit_arith, op_##name, op_##name##_mem }
#define ROW_CODE(NAME, name, mask)                                                              \
    { ZYDIS_MNEMONIC_##NAME, sse_emit_code, op_code_fp, .code = sse_code_##name, .imm_mask = mask, \
      .faults = true }

const FpRow sse_fp_rows[] = {
    ROW(ADDPD, addpd), ROW(ADDPS, addps), ROW_MEM(ADDSD, addsd), ROW_MEM(ADDSS, addss),
    ROW(ADDSUBPD, addsubpd), ROW(ADDSUBPS, addsubps),
    ROW_CODE(CMPPD, cmppd, 7), ROW_CODE(CMPPS, cmpps, 7),
    ROW_CODE(CMPSD, cmpsd, 7), ROW_CODE(CMPSS, cmpss, 7),
    ROW(COMISD, comisd), ROW(COMISS, comiss),
    ROW(DIVPD, divpd), ROW(DIVPS, divps), ROW_MEM(DIVSD, divsd), ROW_MEM(DIVSS, divss),
    ROW_CODE(DPPD, dppd, 255), ROW_CODE(DPPS, dpps, 255),
    ROW(HADDPD, haddpd), ROW(HADDPS, haddps), ROW(HSUBPD, hsubpd), ROW(HSUBPS, hsubps),
    ROW(MAXPD, maxpd), ROW(MAXPS, maxps), ROW(MAXSD, maxsd), ROW(MAXSS, maxss),
    ROW(MINPD, minpd), ROW(MINPS, minps), ROW(MINSD, minsd), ROW(MINSS, minss),
    ROW(MULPD, mulpd), ROW(MULPS, mulps), ROW_MEM(MULSD, mulsd), ROW_MEM(MULSS, mulss),
    ROW_CODE(ROUNDPD, roundpd, 15), ROW_CODE(ROUNDPS, roundps, 15),
    ROW_CODE(ROUNDSD, roundsd, 15), ROW_CODE(ROUNDSS, roundss, 15),
    ROW(SQRTPD, sqrtpd), ROW(SQRTPS, sqrtps), ROW(SQRTSD, sqrtsd), ROW(SQRTSS, sqrtss),
    ROW(SUBPD, subpd), ROW(SUBPS, subps), ROW_MEM(SUBSD, subsd), ROW_MEM(SUBSS, subss),
    ROW(UCOMISD, ucomisd), ROW(UCOMISS, ucomiss),
    {}
};
