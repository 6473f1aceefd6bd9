/*
 * SSE conversions between floating point and integers, in xmm, MMX and general registers.
 */
#include "tcg_sse.h"

/* ---- xmm ← xmm or memory ---- */

#define CVT_XMM(name)                                                                           \
static void raw_##name(void *d, const void *s)                                                  \
{                                                                                               \
    __m128 value = *(__m128 *)d;                                                                \
                                                                                                \
    __asm__ volatile(#name " %1, %0" : "+x"(value) : "m"(*(const __m128 *)s));                  \
    *(__m128 *)d = value;                                                                       \
}                                                                                               \
SSE_FP_OP(op_##name, raw_##name)
CVT_XMM(cvtdq2pd)
CVT_XMM(cvtdq2ps)
CVT_XMM(cvtpd2dq)
CVT_XMM(cvtpd2ps)
CVT_XMM(cvtps2dq)
CVT_XMM(cvtps2pd)
CVT_XMM(cvtsd2ss)
CVT_XMM(cvtss2sd)
CVT_XMM(cvttpd2dq)
CVT_XMM(cvttps2dq)
/* From a general register or memory. */
CVT_XMM(cvtsi2sdl)
CVT_XMM(cvtsi2sdq)
CVT_XMM(cvtsi2ssl)
CVT_XMM(cvtsi2ssq)

/* ---- general register ← xmm or memory ---- */

/* A 32-bit result clears the register's upper half. */
#define CVT_GPR(name, Result, bits)                                                             \
static void raw_##name##bits(void *d, const void *s)                                            \
{                                                                                               \
    Result value;                                                                               \
                                                                                                \
    __asm__ volatile(#name " %1, %0" : "=r"(value) : "m"(*(const __m128 *)s));                  \
    *(uint64_t *)d = value;                                                                     \
}                                                                                               \
static G_GNUC_NO_INLINE const UOp *op_##name##bits##_careful(TcgCpu *cpu, const UOp *u)         \
{                                                                                               \
    sse_fp_careful(cpu, u, raw_##name##bits, &cpu->fp_out, fp_src(cpu, u));                     \
    cpu->x86.gpr[u->r1] = cpu->fp_out.u64[0];                                                   \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_##name##bits(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    if (G_UNLIKELY(!cpu->sse_live)) {                                                           \
        return op_##name##bits##_careful(cpu, u);                                               \
    }                                                                                           \
    raw_##name##bits(&cpu->x86.gpr[u->r1], fp_src(cpu, u));                                     \
    NEXT(u);                                                                                    \
}
#define CVT_GPR_BOTH(name) CVT_GPR(name, uint32_t, 32) CVT_GPR(name, uint64_t, 64)
CVT_GPR_BOTH(cvtsd2si)
CVT_GPR_BOTH(cvtss2si)
CVT_GPR_BOTH(cvttsd2si)
CVT_GPR_BOTH(cvttss2si)

/* ---- with MMX registers: rare, so they have no fast function ---- */

#define CVT_FROM_MMX(name)                                                                      \
static void raw_##name(void *d, const void *s)                                                  \
{                                                                                               \
    __m128 value = *(__m128 *)d;                                                                \
                                                                                                \
    __asm__ volatile("movq %1, %%mm0; " #name " %%mm0, %0; emms"                                \
                     : "+x"(value) : "m"(*(const uint64_t *)s) : "mm0");                        \
    *(__m128 *)d = value;                                                                       \
}                                                                                               \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    if (u->aux) {                                                                               \
        x87_wait(cpu, u);                                                                       \
        mmx_enter(cpu);                                                                         \
    }                                                                                           \
    sse_fp_careful(cpu, u, raw_##name, fp_dst(cpu, u), fp_src(cpu, u));                         \
    NEXT(u);                                                                                    \
}
CVT_FROM_MMX(cvtpi2pd)
CVT_FROM_MMX(cvtpi2ps)

#define CVT_TO_MMX(name)                                                                        \
static void raw_##name(void *d, const void *s)                                                  \
{                                                                                               \
    __asm__ volatile(#name " %1, %%mm0; movq %%mm0, %0; emms"                                   \
                     : "=m"(*(uint64_t *)d) : "m"(*(const __m128 *)s) : "mm0");                 \
}                                                                                               \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    x87_wait(cpu, u);                                                                           \
    mmx_enter(cpu);                                                                             \
    sse_fp_careful(cpu, u, raw_##name, &cpu->fp_out, fp_src(cpu, u));                           \
    *mm_dst(cpu, u) = cpu->fp_out.u64[0];                                                       \
    mm_written(cpu, u->r1);                                                                     \
    NEXT(u);                                                                                    \
}
CVT_TO_MMX(cvtpd2pi)
CVT_TO_MMX(cvtps2pi)
CVT_TO_MMX(cvttpd2pi)
CVT_TO_MMX(cvttps2pi)

/* ---- decode ---- */

/* `mm_fn` is the form with a 64-bit general register. */
static bool emit_convert(DecodeContext *d, const FpRow *row)
{
    const ZydisDecodedOperand *gpr = op_is_xmm(&d->ops[0]) || op_is_mm(&d->ops[0]) ? &d->ops[1] :
                                     &d->ops[0];
    int32_t source = fp_emit_source(d, row, &d->ops[1]);
    UOp *u = decode_emit(d, row->mm_fn != NULL && gpr->size == 64 ? row->mm_fn : row->fn);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    return true;
}

/*
 * The FPU takes on MMX state if an MMX register takes part, even if the conversion then raises #XM.
 */
static bool emit_from_mmx(DecodeContext *d, const FpRow *row)
{
    int32_t source = fp_emit_source(d, row, &d->ops[1]);
    UOp *u = decode_emit(d, row->fn);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    u->aux = op_is_mm(&d->ops[1]);
    return true;
}

#define ROW(NAME, name)         { ZYDIS_MNEMONIC_##NAME, emit_convert, op_##name }
#define ROW_64(NAME, name, name64) { ZYDIS_MNEMONIC_##NAME, emit_convert, op_##name, op_##name64 }

const FpRow sse_cvt_rows[] = {
    ROW(CVTDQ2PD, cvtdq2pd), ROW(CVTDQ2PS, cvtdq2ps), ROW(CVTPD2DQ, cvtpd2dq),
    ROW(CVTPD2PI, cvtpd2pi), ROW(CVTPD2PS, cvtpd2ps), ROW(CVTPS2DQ, cvtps2dq),
    ROW(CVTPS2PD, cvtps2pd), ROW(CVTPS2PI, cvtps2pi), ROW(CVTSD2SS, cvtsd2ss),
    ROW(CVTSS2SD, cvtss2sd), ROW(CVTTPD2DQ, cvttpd2dq), ROW(CVTTPD2PI, cvttpd2pi),
    ROW(CVTTPS2DQ, cvttps2dq), ROW(CVTTPS2PI, cvttps2pi),
    ROW_64(CVTSD2SI, cvtsd2si32, cvtsd2si64), ROW_64(CVTSS2SI, cvtss2si32, cvtss2si64),
    ROW_64(CVTTSD2SI, cvttsd2si32, cvttsd2si64), ROW_64(CVTTSS2SI, cvttss2si32, cvttss2si64),
    ROW_64(CVTSI2SD, cvtsi2sdl, cvtsi2sdq), ROW_64(CVTSI2SS, cvtsi2ssl, cvtsi2ssq),
    { ZYDIS_MNEMONIC_CVTPI2PD, emit_from_mmx, op_cvtpi2pd },
    { ZYDIS_MNEMONIC_CVTPI2PS, emit_from_mmx, op_cvtpi2ps },
    {}
};
