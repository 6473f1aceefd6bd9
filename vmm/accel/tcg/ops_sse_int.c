/*
 * Packed integers: MMX, and SSE2–SSE4.2 on xmm registers; with them the floating-point instructions
 * that only move bits (logic, shuffles, RCP and RSQRT, which leave MXCSR alone).
 *
 * One line per instruction makes its micro-ops around the host's: op_x for xmm, op_mm_x for MMX
 * registers, and for shifts by an immediate op_x_imm and op_mm_x_imm.
 */
#include "tcg_sse.h"

/* ---- forms ---- */

#define XMM(name)                                                                               \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    __m128i *d = (__m128i *)fp_dst(cpu, u), value = *d;                                         \
                                                                                                \
    __asm__(#name " %1, %0" : "+x"(value) : "m"(*(const __m128i *)fp_src(cpu, u)));             \
    *d = value;                                                                                 \
    NEXT(u);                                                                                    \
}

/* EMMS keeps the host's x87 stack empty. */
#define MMX(name)                                                                               \
static const UOp *op_mm_##name(TcgCpu *cpu, const UOp *u)                                       \
{                                                                                               \
    x87_wait(cpu, u);                                                                           \
    __asm__ volatile("movq %0, %%mm0; " #name " %1, %%mm0; movq %%mm0, %0; emms"                \
                     : "+m"(*mm_dst(cpu, u)) : "m"(*(const uint64_t *)fp_src(cpu, u)) : "mm0"); \
    mm_written(cpu, u->r1);                                                                     \
    NEXT(u);                                                                                    \
}

#define BOTH(name) XMM(name) MMX(name)

#define SHIFT(name)                                                                             \
static const UOp *op_##name##_imm(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    __m128i *d = (__m128i *)fp_dst(cpu, u), value = *d;                                         \
                                                                                                \
    __asm__(#name " %1, %0" : "+x"(value) : "x"(_mm_cvtsi64_si128(u->simm)));                   \
    *d = value;                                                                                 \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_mm_##name##_imm(TcgCpu *cpu, const UOp *u)                                 \
{                                                                                               \
    x87_wait(cpu, u);                                                                           \
    __asm__ volatile("movq %0, %%mm0; " #name " %1, %%mm0; movq %%mm0, %0; emms"                \
                     : "+m"(*mm_dst(cpu, u)) : "m"(u->imm) : "mm0");                            \
    mm_written(cpu, u->r1);                                                                     \
    NEXT(u);                                                                                    \
}

/* The mask is xmm0. */
#define BLEND(name)                                                                             \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    __m128i *d = (__m128i *)fp_dst(cpu, u), value = *d;                                         \
    __m128i mask = *(const __m128i *)&cpu->x86.fpu.v[0];                                        \
                                                                                                \
    __asm__(#name " %%xmm0, %1, %0"                                                             \
            : "+x"(value) : "m"(*(const __m128i *)fp_src(cpu, u)), "Yz"(mask));                 \
    *d = value;                                                                                 \
    NEXT(u);                                                                                    \
}

/* ---- instructions ---- */

BOTH(pabsb) BOTH(pabsd) BOTH(pabsw) BOTH(packssdw) BOTH(packsswb) BOTH(packuswb) BOTH(paddb)
BOTH(paddd) BOTH(paddq) BOTH(paddsb) BOTH(paddsw) BOTH(paddusb) BOTH(paddusw) BOTH(paddw)
BOTH(pand) BOTH(pandn) BOTH(pavgb) BOTH(pavgw) BOTH(pcmpeqb) BOTH(pcmpeqd) BOTH(pcmpeqw)
BOTH(pcmpgtb) BOTH(pcmpgtd) BOTH(pcmpgtw) BOTH(phaddd) BOTH(phaddsw) BOTH(phaddw) BOTH(phsubd)
BOTH(phsubsw) BOTH(phsubw) BOTH(pmaddubsw) BOTH(pmaddwd) BOTH(pmaxsw) BOTH(pmaxub) BOTH(pminsw)
BOTH(pminub) BOTH(pmulhrsw) BOTH(pmulhuw) BOTH(pmulhw) BOTH(pmullw) BOTH(pmuludq) BOTH(por)
BOTH(psadbw) BOTH(pshufb) BOTH(psignb) BOTH(psignd) BOTH(psignw) BOTH(psubb) BOTH(psubd)
BOTH(psubq) BOTH(psubsb) BOTH(psubsw) BOTH(psubusb) BOTH(psubusw) BOTH(psubw) BOTH(punpckhbw)
BOTH(punpckhdq) BOTH(punpckhwd) BOTH(punpcklbw) BOTH(punpckldq) BOTH(punpcklwd) BOTH(pxor)

BOTH(pslld) SHIFT(pslld) BOTH(psllq) SHIFT(psllq) BOTH(psllw) SHIFT(psllw)
BOTH(psrad) SHIFT(psrad) BOTH(psraw) SHIFT(psraw) BOTH(psrld) SHIFT(psrld)
BOTH(psrlq) SHIFT(psrlq) BOTH(psrlw) SHIFT(psrlw)

XMM(aesdec) XMM(aesdeclast) XMM(aesenc) XMM(aesenclast) XMM(aesimc) XMM(andnpd) XMM(andnps)
XMM(andpd) XMM(andps) XMM(movddup) XMM(movshdup) XMM(movsldup) XMM(orpd) XMM(orps) XMM(packusdw)
XMM(pcmpeqq) XMM(pcmpgtq) XMM(phminposuw) XMM(pmaxsb) XMM(pmaxsd) XMM(pmaxud) XMM(pmaxuw)
XMM(pminsb) XMM(pminsd) XMM(pminud) XMM(pminuw) XMM(pmovsxbd) XMM(pmovsxbq) XMM(pmovsxbw)
XMM(pmovsxdq) XMM(pmovsxwd) XMM(pmovsxwq) XMM(pmovzxbd) XMM(pmovzxbq) XMM(pmovzxbw) XMM(pmovzxdq)
XMM(pmovzxwd) XMM(pmovzxwq) XMM(pmuldq) XMM(pmulld) XMM(punpckhqdq) XMM(punpcklqdq) XMM(rcpps)
XMM(rcpss) XMM(rsqrtps) XMM(rsqrtss) XMM(unpckhpd) XMM(unpckhps) XMM(unpcklpd) XMM(unpcklps)
XMM(xorpd) XMM(xorps)
BLEND(blendvpd) BLEND(blendvps) BLEND(pblendvb)

static const UOp *op_ptest(TcgCpu *cpu, const UOp *u)
{
    uint8_t zf, cf;

    __asm__("ptest %3, %2" : "=@ccz"(zf), "=@ccc"(cf)
            : "x"(*(const __m128i *)fp_dst(cpu, u)), "m"(*(const __m128i *)fp_src(cpu, u)));
    cpu->x86.rflags = (cpu->x86.rflags & ~(uint64_t)RFLAGS_ARITH) | (zf ? RFLAGS_ZF : 0) |
                      (cf ? RFLAGS_CF : 0);
    NEXT(u);
}

/* ---- decode ---- */

static bool emit_packed(DecodeContext *d, const FpRow *row)
{
    bool mm = op_is_mm(&d->ops[0]);
    int32_t source = fp_emit_source(d, row, &d->ops[1]);
    UOp *u = mm || row->faults ? decode_emit(d, mm ? row->mm_fn : row->fn) :
             decode_emit_quiet(d, row->fn);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    return true;
}

/* Shifts by an immediate; others as above. */
static bool emit_shift(DecodeContext *d, const FpRow *row)
{
    static const struct { UOpFn fn, imm, mm_imm; } imm_forms[] = {
#define IMM_FORM(name) { op_##name, op_##name##_imm, op_mm_##name##_imm }
        IMM_FORM(pslld), IMM_FORM(psllq), IMM_FORM(psllw), IMM_FORM(psrad), IMM_FORM(psraw),
        IMM_FORM(psrld), IMM_FORM(psrlq), IMM_FORM(psrlw),
    };

    if (!op_is_imm(&d->ops[1])) {
        return emit_packed(d, row);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(imm_forms); i++) {
        if (imm_forms[i].fn == row->fn) {
            UOp *u = op_is_mm(&d->ops[0]) ? decode_emit(d, imm_forms[i].mm_imm) :
                     decode_emit_quiet(d, imm_forms[i].imm);

            u->r1 = decode_reg(&d->ops[0]);
            u->imm = (uint8_t)d->ops[1].imm.value.u;
        }
    }
    return true;
}

#define ROW_BOTH(NAME, name)    { ZYDIS_MNEMONIC_##NAME, emit_packed, op_##name, op_mm_##name }
#define ROW_SHIFT(NAME, name)   { ZYDIS_MNEMONIC_##NAME, emit_shift, op_##name, op_mm_##name }
#define ROW_XMM(NAME, name)     { ZYDIS_MNEMONIC_##NAME, emit_packed, op_##name }

const FpRow sse_int_rows[] = {
    ROW_BOTH(PABSB, pabsb), ROW_BOTH(PABSD, pabsd), ROW_BOTH(PABSW, pabsw),
    ROW_BOTH(PACKSSDW, packssdw), ROW_BOTH(PACKSSWB, packsswb), ROW_BOTH(PACKUSWB, packuswb),
    ROW_BOTH(PADDB, paddb), ROW_BOTH(PADDD, paddd), ROW_BOTH(PADDQ, paddq),
    ROW_BOTH(PADDSB, paddsb), ROW_BOTH(PADDSW, paddsw), ROW_BOTH(PADDUSB, paddusb),
    ROW_BOTH(PADDUSW, paddusw), ROW_BOTH(PADDW, paddw), ROW_BOTH(PAND, pand),
    ROW_BOTH(PANDN, pandn), ROW_BOTH(PAVGB, pavgb), ROW_BOTH(PAVGW, pavgw),
    ROW_BOTH(PCMPEQB, pcmpeqb), ROW_BOTH(PCMPEQD, pcmpeqd), ROW_BOTH(PCMPEQW, pcmpeqw),
    ROW_BOTH(PCMPGTB, pcmpgtb), ROW_BOTH(PCMPGTD, pcmpgtd), ROW_BOTH(PCMPGTW, pcmpgtw),
    ROW_BOTH(PHADDD, phaddd), ROW_BOTH(PHADDSW, phaddsw), ROW_BOTH(PHADDW, phaddw),
    ROW_BOTH(PHSUBD, phsubd), ROW_BOTH(PHSUBSW, phsubsw), ROW_BOTH(PHSUBW, phsubw),
    ROW_BOTH(PMADDUBSW, pmaddubsw), ROW_BOTH(PMADDWD, pmaddwd), ROW_BOTH(PMAXSW, pmaxsw),
    ROW_BOTH(PMAXUB, pmaxub), ROW_BOTH(PMINSW, pminsw), ROW_BOTH(PMINUB, pminub),
    ROW_BOTH(PMULHRSW, pmulhrsw), ROW_BOTH(PMULHUW, pmulhuw), ROW_BOTH(PMULHW, pmulhw),
    ROW_BOTH(PMULLW, pmullw), ROW_BOTH(PMULUDQ, pmuludq), ROW_BOTH(POR, por),
    ROW_BOTH(PSADBW, psadbw), ROW_BOTH(PSHUFB, pshufb), ROW_BOTH(PSIGNB, psignb),
    ROW_BOTH(PSIGND, psignd), ROW_BOTH(PSIGNW, psignw), ROW_BOTH(PSUBB, psubb),
    ROW_BOTH(PSUBD, psubd), ROW_BOTH(PSUBQ, psubq), ROW_BOTH(PSUBSB, psubsb),
    ROW_BOTH(PSUBSW, psubsw), ROW_BOTH(PSUBUSB, psubusb), ROW_BOTH(PSUBUSW, psubusw),
    ROW_BOTH(PSUBW, psubw), ROW_BOTH(PUNPCKHBW, punpckhbw), ROW_BOTH(PUNPCKHDQ, punpckhdq),
    ROW_BOTH(PUNPCKHWD, punpckhwd), ROW_BOTH(PUNPCKLBW, punpcklbw),
    ROW_BOTH(PUNPCKLDQ, punpckldq), ROW_BOTH(PUNPCKLWD, punpcklwd), ROW_BOTH(PXOR, pxor),
    ROW_SHIFT(PSLLD, pslld), ROW_SHIFT(PSLLQ, psllq), ROW_SHIFT(PSLLW, psllw),
    ROW_SHIFT(PSRAD, psrad), ROW_SHIFT(PSRAW, psraw), ROW_SHIFT(PSRLD, psrld),
    ROW_SHIFT(PSRLQ, psrlq), ROW_SHIFT(PSRLW, psrlw),
    ROW_XMM(AESDEC, aesdec), ROW_XMM(AESDECLAST, aesdeclast), ROW_XMM(AESENC, aesenc),
    ROW_XMM(AESENCLAST, aesenclast), ROW_XMM(AESIMC, aesimc), ROW_XMM(ANDNPD, andnpd),
    ROW_XMM(ANDNPS, andnps), ROW_XMM(ANDPD, andpd), ROW_XMM(ANDPS, andps),
    ROW_XMM(MOVDDUP, movddup), ROW_XMM(MOVSHDUP, movshdup), ROW_XMM(MOVSLDUP, movsldup),
    ROW_XMM(ORPD, orpd), ROW_XMM(ORPS, orps), ROW_XMM(PACKUSDW, packusdw),
    ROW_XMM(PCMPEQQ, pcmpeqq), ROW_XMM(PCMPGTQ, pcmpgtq), ROW_XMM(PHMINPOSUW, phminposuw),
    ROW_XMM(PMAXSB, pmaxsb), ROW_XMM(PMAXSD, pmaxsd), ROW_XMM(PMAXUD, pmaxud),
    ROW_XMM(PMAXUW, pmaxuw), ROW_XMM(PMINSB, pminsb), ROW_XMM(PMINSD, pminsd),
    ROW_XMM(PMINUD, pminud), ROW_XMM(PMINUW, pminuw), ROW_XMM(PMOVSXBD, pmovsxbd),
    ROW_XMM(PMOVSXBQ, pmovsxbq), ROW_XMM(PMOVSXBW, pmovsxbw), ROW_XMM(PMOVSXDQ, pmovsxdq),
    ROW_XMM(PMOVSXWD, pmovsxwd), ROW_XMM(PMOVSXWQ, pmovsxwq), ROW_XMM(PMOVZXBD, pmovzxbd),
    ROW_XMM(PMOVZXBQ, pmovzxbq), ROW_XMM(PMOVZXBW, pmovzxbw), ROW_XMM(PMOVZXDQ, pmovzxdq),
    ROW_XMM(PMOVZXWD, pmovzxwd), ROW_XMM(PMOVZXWQ, pmovzxwq), ROW_XMM(PMULDQ, pmuldq),
    ROW_XMM(PMULLD, pmulld), ROW_XMM(PUNPCKHQDQ, punpckhqdq), ROW_XMM(PUNPCKLQDQ, punpcklqdq),
    ROW_XMM(RCPPS, rcpps), ROW_XMM(RCPSS, rcpss), ROW_XMM(RSQRTPS, rsqrtps),
    ROW_XMM(RSQRTSS, rsqrtss), ROW_XMM(UNPCKHPD, unpckhpd), ROW_XMM(UNPCKHPS, unpckhps),
    ROW_XMM(UNPCKLPD, unpcklpd), ROW_XMM(UNPCKLPS, unpcklps), ROW_XMM(XORPD, xorpd),
    ROW_XMM(XORPS, xorps),
    ROW_XMM(BLENDVPD, blendvpd), ROW_XMM(BLENDVPS, blendvps), ROW_XMM(PBLENDVB, pblendvb),
    { ZYDIS_MNEMONIC_PTEST, emit_packed, op_ptest, .faults = true },
    {}
};
