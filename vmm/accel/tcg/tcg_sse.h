/* Shared by ops_sse*.c, ops_mmx.c and decode_fp.c. */
#pragma once

#include <emmintrin.h>

#include "tcg_fp.h"

/* What FAST_MEM() points to. */
#define GUEST_128       __m128i_u

/* sse_host.S: 16 bytes of code per immediate value, an FpRawFn each. */
extern const uint8_t sse_code_aeskeygenassist[], sse_code_blendpd[], sse_code_blendps[],
    sse_code_cmppd[], sse_code_cmpps[], sse_code_cmpsd[], sse_code_cmpss[], sse_code_dppd[],
    sse_code_dpps[], sse_code_insertps[], sse_code_mpsadbw[], sse_code_palignr[],
    sse_code_pblendw[], sse_code_pclmulqdq[], sse_code_pshufd[], sse_code_pshufhw[],
    sse_code_pshuflw[], sse_code_pslldq[], sse_code_psrldq[], sse_code_roundpd[],
    sse_code_roundps[], sse_code_roundsd[], sse_code_roundss[], sse_code_shufpd[],
    sse_code_shufps[];
/* 8 bytes per immediate value; run by sse_string_run(). */
extern const uint8_t sse_code_pcmpestri[], sse_code_pcmpestrm[], sse_code_pcmpistri[],
    sse_code_pcmpistrm[];

/* What a string comparison takes in registers and leaves there. */
typedef struct SseString {
    uint64_t rax, rdx;          /* lengths */
    uint64_t rcx, rflags;       /* results */
    X86Vec xmm0;
} __attribute__((aligned(32))) SseString;
_Static_assert(offsetof(SseString, xmm0) == 32, "known to sse_host.S");
void sse_string_run(const void *d, const void *s, const void *code, SseString *io);

/* Destination xmm, source xmm or memory, and an immediate: UOp.ptr becomes its code. */
bool sse_emit_code(DecodeContext *d, const FpRow *row);

static inline bool op_is_class(const ZydisDecodedOperand *op, ZydisRegisterClass register_class)
{
    return op_is_reg(op) && ZydisRegisterGetClass(op->reg.value) == register_class;
}
static inline bool op_is_xmm(const ZydisDecodedOperand *op)
{
    return op_is_class(op, ZYDIS_REGCLASS_XMM);
}
static inline bool op_is_mm(const ZydisDecodedOperand *op)
{
    return op_is_class(op, ZYDIS_REGCLASS_MMX);
}

/*
 * The MMn register of a micro-op's r1; writing it sets the exponent to all ones (SDM volume 1,
 * 9.2.1).
 */
static inline uint64_t *mm_dst(TcgCpu *cpu, const UOp *u)
{
    return &cpu->x86.fpu.r[u->r1].mantissa;
}
static inline void mm_written(TcgCpu *cpu, unsigned n)
{
    mmx_enter(cpu);
    cpu->x86.fpu.r[n].sign_exp = 0xffff;
}
