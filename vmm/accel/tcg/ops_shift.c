/* Shifts and rotates, single and double. */
#include "tcg_ops.h"

/*
 * The host instruction gets the guest's count and carry.  A count of 0 (after masking) leaves all
 * flags alone; rotates change CF and OF only.
 *
 * Names: op_FORM_BITS; forms ri and mi take the count from `imm`, rc and mc from CL.
 */
#define INLINE static inline __attribute__((always_inline))
#define ROTATE_FLAGS (RFLAGS_CF | RFLAGS_OF)

#define KERNEL(op, insn, bits, m)                                                               \
INLINE TYPE_##bits op##_##bits(TcgCpu *cpu, TYPE_##bits d, uint8_t count, uint32_t *ax)         \
{                                                                                               \
    asm("btl $0, %k[f]\n\t" insn " %%cl, %" m "[d]" ASM_FLAGS                                   \
        : [d] "+r"(d), "=&a"(*ax) : "c"(count), [f] "r"((uint32_t)cpu->x86.rflags) : "cc");     \
    return d;                                                                                   \
}

#define IMM_COUNT ((uint8_t)u->imm)
#define CL_COUNT (*tcg_reg8(cpu, R_RCX * 8))

#define FORM_R(op, form, which, mask, bits, get_count)                                          \
static const UOp *op##_##form##_##bits(TcgCpu *cpu, const UOp *u)                               \
{                                                                                               \
    uint8_t count = get_count;                                                                  \
    TYPE_##bits d = get_##bits(cpu, u->r1);                                                     \
    uint32_t ax;                                                                                \
                                                                                                \
    if (G_LIKELY(count & mask)) {                                                               \
        d = op##_##bits(cpu, d, count, &ax);                                                    \
        flags_merge_ax(cpu, ax, which);                                                         \
    }                                                                                           \
    set_##bits(cpu, u->r1, d);                                                                  \
    NEXT(u);                                                                                    \
}

#define FORM_M(op, form, which, mask, bits, get_count)                                          \
static const UOp *op##_##form##_##bits(TcgCpu *cpu, const UOp *u)                               \
{                                                                                               \
    uint64_t addr = tcg_ea_modify(cpu, u, bits / 8);                                            \
    TYPE_##bits d = tcg_load##bits(cpu, u, addr);                                               \
    uint8_t count = get_count;                                                                  \
    uint32_t ax;                                                                                \
                                                                                                \
    if (count & mask) {                                                                         \
        tcg_store##bits(cpu, u, addr, op##_##bits(cpu, d, count, &ax));                         \
        flags_merge_ax(cpu, ax, which);                                                         \
    }                                                                                           \
    NEXT(u);                                                                                    \
}

#define SHIFT_SIZE(op, insn, which, mask, bits, m)                                              \
    KERNEL(op, insn, bits, m)                                                                   \
    FORM_R(op, ri, which, mask, bits, IMM_COUNT)                                                \
    FORM_R(op, rc, which, mask, bits, CL_COUNT)                                                 \
    FORM_M(op, mi, which, mask, bits, IMM_COUNT)                                                \
    FORM_M(op, mc, which, mask, bits, CL_COUNT)

#define BY_SIZE(prefix) { prefix##_8, prefix##_16, prefix##_32, prefix##_64 }

typedef struct ShiftOp {
    UOpBySize ri, rc, mi, mc;
    UOpBySize plain;                    /* ri without flags, or none */
    unsigned sets;
    bool reads_carry;
} ShiftOp;

#define SHIFT(op, insn, which)                                                                  \
    SHIFT_SIZE(op, insn, which, 31, 8, "b")                                                     \
    SHIFT_SIZE(op, insn, which, 31, 16, "w")                                                    \
    SHIFT_SIZE(op, insn, which, 31, 32, "k")                                                    \
    SHIFT_SIZE(op, insn, which, 63, 64, "q")

SHIFT(shl, "shl", RFLAGS_ARITH)
SHIFT(shr, "shr", RFLAGS_ARITH)
SHIFT(sar, "sar", RFLAGS_ARITH)
SHIFT(rol, "rol", ROTATE_FLAGS)
SHIFT(ror, "ror", ROTATE_FLAGS)
SHIFT(rcl, "rcl", ROTATE_FLAGS)
SHIFT(rcr, "rcr", ROTATE_FLAGS)

/*
 * Twins without flags of the common forms; the count is below the width (wider ones keep the full
 * form).
 */
#define PLAIN(op, bits, expr)                                                                   \
static const UOp *op##_plain_##bits(TcgCpu *cpu, const UOp *u)                                  \
{                                                                                               \
    TYPE_##bits d = get_##bits(cpu, u->r1);                                                     \
    unsigned count = (uint8_t)u->imm;                                                           \
                                                                                                \
    set_##bits(cpu, u->r1, (TYPE_##bits)(expr));                                                \
    NEXT(u);                                                                                    \
}
PLAIN(shl, 32, d << count)
PLAIN(shl, 64, d << count)
PLAIN(shr, 32, d >> count)
PLAIN(shr, 64, d >> count)
PLAIN(sar, 32, (int32_t)d >> count)
PLAIN(sar, 64, (int64_t)d >> count)

#define SHIFT_OP(op, which, carry, ...)                                                         \
    static const ShiftOp op##_op = { BY_SIZE(op##_ri), BY_SIZE(op##_rc), BY_SIZE(op##_mi),      \
                                     BY_SIZE(op##_mc), __VA_ARGS__, which, carry };
#define PLAIN_PAIR(op) { [2] = op##_plain_32, [3] = op##_plain_64 }
SHIFT_OP(shl, RFLAGS_ARITH, false, PLAIN_PAIR(shl))
SHIFT_OP(shr, RFLAGS_ARITH, false, PLAIN_PAIR(shr))
SHIFT_OP(sar, RFLAGS_ARITH, false, PLAIN_PAIR(sar))
SHIFT_OP(rol, ROTATE_FLAGS, false, { NULL })
SHIFT_OP(ror, ROTATE_FLAGS, false, { NULL })
SHIFT_OP(rcl, ROTATE_FLAGS, true, { NULL })
SHIFT_OP(rcr, ROTATE_FLAGS, true, { NULL })

/* ---- SHLD SHRD ---- */

#define DOUBLE_KERNEL(op, insn, bits, m)                                                        \
INLINE TYPE_##bits op##_##bits(TYPE_##bits d, TYPE_##bits s, uint8_t count, uint32_t *ax)       \
{                                                                                               \
    asm(insn " %%cl, %" m "[s], %" m "[d]" ASM_FLAGS                                            \
        : [d] "+r"(d), "=&a"(*ax) : [s] "r"(s), "c"(count) : "cc");                             \
    return d;                                                                                   \
}

#define DOUBLE_FORMS(op, form, mask, bits, get_count)                                           \
static const UOp *op##_r##form##_##bits(TcgCpu *cpu, const UOp *u)                              \
{                                                                                               \
    uint8_t count = get_count;                                                                  \
    TYPE_##bits d = get_##bits(cpu, u->r1);                                                     \
    uint32_t ax;                                                                                \
                                                                                                \
    if (count & mask) {                                                                         \
        d = op##_##bits(d, get_##bits(cpu, u->r2), count, &ax);                                 \
        flags_from_ax(cpu, ax);                                                                 \
    }                                                                                           \
    set_##bits(cpu, u->r1, d);                                                                  \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op##_m##form##_##bits(TcgCpu *cpu, const UOp *u)                              \
{                                                                                               \
    uint64_t addr = tcg_ea_modify(cpu, u, bits / 8);                                            \
    TYPE_##bits d = tcg_load##bits(cpu, u, addr);                                               \
    uint8_t count = get_count;                                                                  \
    uint32_t ax;                                                                                \
                                                                                                \
    if (count & mask) {                                                                         \
        tcg_store##bits(cpu, u, addr, op##_##bits(d, get_##bits(cpu, u->r2), count, &ax));      \
        flags_from_ax(cpu, ax);                                                                 \
    }                                                                                           \
    NEXT(u);                                                                                    \
}

#define DOUBLE_SIZE(op, insn, mask, bits, m)                                                    \
    DOUBLE_KERNEL(op, insn, bits, m)                                                            \
    DOUBLE_FORMS(op, i, mask, bits, IMM_COUNT)                                                  \
    DOUBLE_FORMS(op, c, mask, bits, CL_COUNT)

typedef struct DoubleOp { UOpBySize ri, rc, mi, mc; } DoubleOp;
#define WIDE_BY_SIZE(prefix) { NULL, prefix##_16, prefix##_32, prefix##_64 }
#define DOUBLE(op, insn)                                                                        \
    DOUBLE_SIZE(op, insn, 31, 16, "w")                                                          \
    DOUBLE_SIZE(op, insn, 31, 32, "k")                                                          \
    DOUBLE_SIZE(op, insn, 63, 64, "q")                                                          \
    static const DoubleOp op##_op = { WIDE_BY_SIZE(op##_ri), WIDE_BY_SIZE(op##_rc),             \
                                      WIDE_BY_SIZE(op##_mi), WIDE_BY_SIZE(op##_mc) };
DOUBLE(shld, "shld")
DOUBLE(shrd, "shrd")

/* ---- decoding ---- */

static bool emit_shift(DecodeContext *d, const ShiftOp *op)
{
    const ZydisDecodedOperand *dst = &d->ops[0], *by = &d->ops[1];
    unsigned bits = dst->size, size = size_index(bits);
    bool mem = op_is_mem(dst), imm = op_is_imm(by);
    unsigned count = imm ? by->imm.value.u & (bits == 64 ? 63 : 31) : 0;
    bool certain = imm && count != 0;                   /* else flags may stay as they were */
    UOpFn fn = mem ? (imm ? op->mi[size] : op->mc[size]) : imm ? op->ri[size] : op->rc[size];
    UOpFn plain = !mem && certain && count < bits ? op->plain[size] : NULL;
    UOp *u = decode_emit_flags(d, fn, plain, certain ? op->sets : 0,
                               mem || !certain || op->reads_carry);

    if (mem) {
        decode_mem(d, u, dst);
    } else {
        u->r1 = decode_gpr(dst, bits);
    }
    u->imm = count;
    return true;
}

static bool emit_shl(DecodeContext *d) { return emit_shift(d, &shl_op); }
static bool emit_shr(DecodeContext *d) { return emit_shift(d, &shr_op); }
static bool emit_sar(DecodeContext *d) { return emit_shift(d, &sar_op); }
static bool emit_rol(DecodeContext *d) { return emit_shift(d, &rol_op); }
static bool emit_ror(DecodeContext *d) { return emit_shift(d, &ror_op); }
static bool emit_rcl(DecodeContext *d) { return emit_shift(d, &rcl_op); }
static bool emit_rcr(DecodeContext *d) { return emit_shift(d, &rcr_op); }

static bool emit_double(DecodeContext *d, const DoubleOp *op)
{
    const ZydisDecodedOperand *dst = &d->ops[0], *by = &d->ops[2];
    unsigned bits = dst->size, size = size_index(bits);
    bool mem = op_is_mem(dst), imm = op_is_imm(by);
    UOp *u = decode_emit(d, mem ? (imm ? op->mi[size] : op->mc[size])
                                : imm ? op->ri[size] : op->rc[size]);

    if (mem) {
        decode_mem(d, u, dst);
    } else {
        u->r1 = (uint8_t)decode_reg(dst);
    }
    u->r2 = (uint8_t)decode_reg(&d->ops[1]);
    u->imm = imm ? by->imm.value.u : 0;
    return true;
}

static bool emit_shld(DecodeContext *d) { return emit_double(d, &shld_op); }
static bool emit_shrd(DecodeContext *d) { return emit_double(d, &shrd_op); }

const DecodeRow decode_shift_rows[] = {
    { ZYDIS_MNEMONIC_RCL, emit_rcl, false },
    { ZYDIS_MNEMONIC_RCR, emit_rcr, false },
    { ZYDIS_MNEMONIC_ROL, emit_rol, false },
    { ZYDIS_MNEMONIC_ROR, emit_ror, false },
    { ZYDIS_MNEMONIC_SAR, emit_sar, false },
    { ZYDIS_MNEMONIC_SHL, emit_shl, false },
    { ZYDIS_MNEMONIC_SHLD, emit_shld, false },
    { ZYDIS_MNEMONIC_SHR, emit_shr, false },
    { ZYDIS_MNEMONIC_SHRD, emit_shrd, false },
    {}
};
