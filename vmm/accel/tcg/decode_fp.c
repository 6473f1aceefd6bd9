/*
 * x87, MMX and SSE: finds a mnemonic's row, makes the checks every instruction of its class begins
 * with, and loads memory sources.
 */
#include "tcg_ops.h"
#include "tcg_sse.h"

/* ---- checks by class (SDM 3A, 2.5 and tables 12-1, 13-1) ---- */

static FpClass class_by_set(const ZydisDecodedInstruction *insn)
{
    static const struct { uint16_t isa_set; uint8_t fp_class; } sets[] = {
        { ZYDIS_ISA_SET_X87, FP_CLASS_X87 }, { ZYDIS_ISA_SET_FCMOV, FP_CLASS_X87 },
        { ZYDIS_ISA_SET_SSE3X87, FP_CLASS_X87 }, { ZYDIS_ISA_SET_PENTIUMMMX, FP_CLASS_MMX },
        { ZYDIS_ISA_SET_FXSAVE, FP_CLASS_FXSAVE }, { ZYDIS_ISA_SET_FXSAVE64, FP_CLASS_FXSAVE },
        { ZYDIS_ISA_SET_SSEMXCSR, FP_CLASS_SSE }, { ZYDIS_ISA_SET_XSAVE, FP_CLASS_XSAVE },
        { ZYDIS_ISA_SET_XSAVEOPT, FP_CLASS_XSAVE },
    };

    if (insn->meta.category == ZYDIS_CATEGORY_X87_ALU) {
        return FP_CLASS_X87;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++) {
        if (sets[i].isa_set == insn->meta.isa_set) {
            return sets[i].fp_class;
        }
    }
    return FP_CLASS_NONE;
}

/*
 * An xmm register makes it SSE, else an MMX one MMX; the rest are known by their instruction set.
 */
static FpClass class_of(const DecodeContext *d)
{
    bool mm = false;

    for (unsigned i = 0; i < d->insn->operand_count_visible; i++) {
        if (op_is_xmm(&d->ops[i])) {
            return FP_CLASS_SSE;
        }
        mm |= op_is_mm(&d->ops[i]);
    }
    return mm ? FP_CLASS_MMX : class_by_set(d->insn);
}

/* The fault that certainly comes first in this mode, or EXC_NONE. */
static unsigned class_fault(FpClass fp_class, const DecodeContext *d)
{
    uint32_t mode = d->mode;
    unsigned device = mode & CPU_MODE_TS ? EXC_NM : EXC_NONE;

    switch (fp_class) {
    case FP_CLASS_X87:
        if (d->insn->mnemonic == ZYDIS_MNEMONIC_FWAIT) {
            return mode & CPU_MODE_MP ? device : EXC_NONE;
        }
        return mode & CPU_MODE_EM ? EXC_NM : device;
    case FP_CLASS_MMX:
        return mode & CPU_MODE_EM ? EXC_UD : device;
    case FP_CLASS_SSE:
        return mode & CPU_MODE_EM || !(mode & CPU_MODE_OSFXSR) ? EXC_UD : device;
    case FP_CLASS_FXSAVE:
        return mode & CPU_MODE_EM ? EXC_NM : device;
    case FP_CLASS_XSAVE:
        if (!(mode & CPU_MODE_OSXSAVE)) {
            return EXC_UD;
        }
        return d->insn->mnemonic == ZYDIS_MNEMONIC_XGETBV ? EXC_NONE : device;
    case FP_CLASS_NONE:
        break;
    }
    return EXC_NONE;
}

/* ---- memory sources ---- */

#define LOAD(bits)                                                                              \
static G_GNUC_NO_INLINE const UOp *op_load_tmp##bits##_slow(TcgCpu *cpu, const UOp *u)           \
{                                                                                               \
    cpu->fp_tmp.u##bits[0] = tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ));     \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_load_tmp##bits(TcgCpu *cpu, const UOp *u)                                  \
{                                                                                               \
    FAST_MEM(op_load_tmp##bits##_slow, bits, ACCESS_READ);                                      \
    cpu->fp_tmp.u##bits[0] = HOST_GET();                                                        \
    NEXT(u);                                                                                    \
}
LOAD(8)
LOAD(16)
LOAD(32)
LOAD(64)

static G_GNUC_NO_INLINE const UOp *op_load_tmp128_slow(TcgCpu *cpu, const UOp *u)
{
    uint64_t addr = tcg_ea(cpu, u, 16, ACCESS_READ);

    tcg_check_aligned(cpu, u, addr, u->aux);
    tcg_load_bytes(cpu, u, addr, &cpu->fp_tmp, 16);
    NEXT(u);
}

/* UOp.aux: the alignment it must have. */
static const UOp *op_load_tmp128(TcgCpu *cpu, const UOp *u)
{
    if (G_UNLIKELY(tcg_sum(cpu, u) & (u->aux - 1))) {
        return op_load_tmp128_slow(cpu, u);
    }
    FAST_MEM(op_load_tmp128_slow, 128, ACCESS_READ);
    _mm_store_si128((__m128i *)&cpu->fp_tmp, _mm_loadu_si128(host));
    NEXT(u);
}

/* A pending x87 exception comes before the access. */
static const UOp *op_wait_mm(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    NEXT(u);
}

static bool touches_mmx(const DecodeContext *d)
{
    return op_is_mm(&d->ops[0]);
}

int32_t fp_emit_source(DecodeContext *d, const FpRow *row, const ZydisDecodedOperand *op)
{
    if (op_is_xmm(op)) {
        return VEC_OFFSET(decode_reg(op));
    }
    if (op_is_mm(op)) {
        return MM_OFFSET(decode_reg(op));
    }
    if (op_is_reg(op)) {
        return offsetof(TcgCpu, x86.gpr) + decode_reg(op) * sizeof(uint64_t);
    }
    UOpFn fn = op->size == 8 ? op_load_tmp8 : op->size == 16 ? op_load_tmp16 :
               op->size == 32 ? op_load_tmp32 : op->size == 64 ? op_load_tmp64 : op_load_tmp128;

    if (touches_mmx(d)) {
        decode_emit(d, op_wait_mm);
    }
    UOp *u = decode_emit(d, fn);

    decode_mem(d, u, op);
    u->aux = row->unaligned ? 1 : 16;
    return TMP_OFFSET;
}

/* ---- rows ---- */

static const FpRow *const groups[] = {
    x87_rows, sse_fp_rows, sse_cvt_rows, sse_int_rows, sse_imm_rows, sse_move_rows, xstate_rows,
};

/* By mnemonic; filled once. */
static const FpRow *rows[ZYDIS_MNEMONIC_MAX_VALUE + 1];

static void rows_fill(void)
{
    static gsize done;

    if (!g_once_init_enter(&done)) {
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++) {
        for (const FpRow *row = groups[i]; row->emit != NULL; row++) {
            rows[row->mnemonic] = row;
        }
    }
    g_once_init_leave(&done, 1);
}

bool decode_fp(DecodeContext *d)
{
    rows_fill();
    const FpRow *row = rows[d->insn->mnemonic];

    /* Vectors of the VEX and EVEX encodings share a few mnemonics. */
    if (row == NULL || d->insn->encoding != ZYDIS_INSTRUCTION_ENCODING_LEGACY) {
        return false;
    }
    unsigned fault = class_fault(class_of(d), d);

    if (fault != EXC_NONE) {
        return fault == EXC_UD ? false : decode_raise(d, fault);
    }
    return row->emit(d, row);
}
