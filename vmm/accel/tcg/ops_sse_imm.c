/*
 * Shuffles, blends and other instructions with an immediate that leave MXCSR alone, and the string
 * comparisons of SSE4.2.  The immediate picks a host routine of sse_host.S at decode time.
 */
#include "tcg_sse.h"

enum { CODE_BYTES = 16, STRING_CODE_BYTES = 8 };

static const UOp *op_code(TcgCpu *cpu, const UOp *u)
{
    ((FpRawFn)u->ptr)(fp_dst(cpu, u), fp_src(cpu, u));
    NEXT(u);
}

/* ---- MMX forms: pure permutations ---- */

static const UOp *op_pshufw(TcgCpu *cpu, const UOp *u)
{
    uint64_t source, value = 0;

    x87_wait(cpu, u);
    memcpy(&source, fp_src(cpu, u), sizeof(source));
    for (unsigned i = 0; i < 4; i++) {
        unsigned from = u->imm >> (2 * i) & 3;

        value |= (source >> (16 * from) & 0xffff) << (16 * i);
    }
    *mm_dst(cpu, u) = value;
    mm_written(cpu, u->r1);
    NEXT(u);
}

static const UOp *op_mm_palignr(TcgCpu *cpu, const UOp *u)
{
    uint64_t low;

    x87_wait(cpu, u);
    memcpy(&low, fp_src(cpu, u), sizeof(low));
    unsigned __int128 both = (unsigned __int128)*mm_dst(cpu, u) << 64 | low;

    *mm_dst(cpu, u) = u->imm < 16 ? both >> (8 * u->imm) : 0;
    mm_written(cpu, u->r1);
    NEXT(u);
}

/* ---- string comparisons ---- */

/* Of an explicit length only the magnitude counts, up to the number of elements: 16 at most. */
static uint64_t string_length(uint64_t reg, bool wide)
{
    int64_t length = wide ? (int64_t)reg : (int32_t)reg;

    return (uint64_t)CLAMP(length, -16, 16);
}

static void string_compare(TcgCpu *cpu, const UOp *u, SseString *io)
{
    io->rax = string_length(cpu->x86.gpr[R_RAX], u->aux);
    io->rdx = string_length(cpu->x86.gpr[R_RDX], u->aux);
    sse_string_run(fp_dst(cpu, u), fp_src(cpu, u), u->ptr, io);
    cpu->x86.rflags = (cpu->x86.rflags & ~(uint64_t)RFLAGS_ARITH) | (io->rflags & RFLAGS_ARITH);
}

static void string_index(TcgCpu *cpu, const UOp *u)
{
    SseString io;

    string_compare(cpu, u, &io);
    cpu->x86.gpr[R_RCX] = (uint32_t)io.rcx;
}

static const UOp *op_string_index(TcgCpu *cpu, const UOp *u)
{
    string_index(cpu, u);
    NEXT(u);
}

static void string_mask(TcgCpu *cpu, const UOp *u)
{
    SseString io;

    string_compare(cpu, u, &io);
    memcpy(&cpu->x86.fpu.v[0], &io.xmm0, 16);
}

static const UOp *op_string_mask(TcgCpu *cpu, const UOp *u)
{
    string_mask(cpu, u);
    NEXT(u);
}

/* ---- decode ---- */

static unsigned immediate(const DecodeContext *d, unsigned operand)
{
    return (uint8_t)d->ops[operand].imm.value.u;
}

bool sse_emit_code(DecodeContext *d, const FpRow *row)
{
    unsigned imm = immediate(d, 2);
    int32_t source = fp_emit_source(d, row, &d->ops[1]);
    UOp *u = row->faults ? decode_emit(d, row->fn) : decode_emit_quiet(d, row->fn);

    if (row->mnemonic == ZYDIS_MNEMONIC_INSERTPS && op_is_mem(&d->ops[1])) {
        imm &= 0x3f;                    /* memory is one element: no choice of source */
    }
    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    u->ptr = row->code + (imm & row->imm_mask) * CODE_BYTES;
    return true;
}

static bool emit_palignr(DecodeContext *d, const FpRow *row)
{
    bool mm = op_is_mm(&d->ops[0]);
    unsigned imm = immediate(d, 2);
    int32_t source = fp_emit_source(d, row, &d->ops[1]);
    UOp *u = decode_emit(d, mm ? row->mm_fn : row->fn);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    if (mm) {
        u->imm = imm;
    } else {
        u->ptr = row->code + MIN(imm, 32) * CODE_BYTES;
    }
    return true;
}

/* PSLLDQ, PSRLDQ: no source. */
static bool emit_byte_shift(DecodeContext *d, const FpRow *row)
{
    UOp *u = decode_emit_quiet(d, row->fn);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = VEC_OFFSET(u->r1);
    u->ptr = row->code + MIN(immediate(d, 1), 16) * CODE_BYTES;
    return true;
}

static bool emit_pshufw(DecodeContext *d, const FpRow *row)
{
    int32_t source = fp_emit_source(d, row, &d->ops[1]);
    UOp *u = decode_emit(d, row->fn);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    u->imm = immediate(d, 2);
    return true;
}

static bool emit_string(DecodeContext *d, const FpRow *row)
{
    int32_t source = fp_emit_source(d, row, &d->ops[1]);
    UOp *u = decode_emit(d, row->fn);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    u->aux = d->operand_bits == 64;
    u->ptr = row->code + (immediate(d, 2) & 0x7f) * STRING_CODE_BYTES;
    return true;
}

#define ROW(NAME, name, mask) \
    { ZYDIS_MNEMONIC_##NAME, sse_emit_code, op_code, .code = sse_code_##name, .imm_mask = mask }
#define ROW_SHIFT(NAME, name) \
    { ZYDIS_MNEMONIC_##NAME, emit_byte_shift, op_code, .code = sse_code_##name }
/* The string comparisons' sources need no alignment (SDM volume 2B, PCMPESTRI). */
#define ROW_STRING(NAME, name, fn) \
    { ZYDIS_MNEMONIC_##NAME, emit_string, fn, .code = sse_code_##name, .unaligned = true }

const FpRow sse_imm_rows[] = {
    ROW(AESKEYGENASSIST, aeskeygenassist, 0xff), ROW(BLENDPD, blendpd, 3),
    ROW(BLENDPS, blendps, 15), ROW(INSERTPS, insertps, 0xff), ROW(MPSADBW, mpsadbw, 7),
    ROW(PBLENDW, pblendw, 0xff), ROW(PCLMULQDQ, pclmulqdq, 0x11), ROW(PSHUFD, pshufd, 0xff),
    ROW(PSHUFHW, pshufhw, 0xff), ROW(PSHUFLW, pshuflw, 0xff), ROW(SHUFPD, shufpd, 3),
    ROW(SHUFPS, shufps, 0xff), ROW_SHIFT(PSLLDQ, pslldq), ROW_SHIFT(PSRLDQ, psrldq),
    ROW_STRING(PCMPESTRI, pcmpestri, op_string_index),
    ROW_STRING(PCMPESTRM, pcmpestrm, op_string_mask),
    ROW_STRING(PCMPISTRI, pcmpistri, op_string_index),
    ROW_STRING(PCMPISTRM, pcmpistrm, op_string_mask),
    { ZYDIS_MNEMONIC_PALIGNR, emit_palignr, op_code, op_mm_palignr, .code = sse_code_palignr },
    { ZYDIS_MNEMONIC_PSHUFW, emit_pshufw, op_pshufw },
    {}
};
