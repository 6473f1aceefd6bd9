/*
 * Two-operand arithmetic and logic, and INC, DEC, NEG, NOT: one host instruction each, flags
 * included.
 */
#include "tcg_ops.h"

/*
 * Names: op_FORM_BITS_V.  Forms: rr, ri (immediate), rm (memory source), mr, mi (memory
 * destination).  V is f with flags, n without.
 */
#define INLINE static inline __attribute__((always_inline))

/* ---- kernels ---- */

#define KERNEL(op, insn, before, expr, bits, m)                                                 \
INLINE TYPE_##bits op##_##bits##_f(TcgCpu *cpu, TYPE_##bits d, TYPE_##bits s, uint32_t *ax)     \
{                                                                                               \
    asm(before insn " %" m "[s], %" m "[d]" ASM_FLAGS                                           \
        : [d] "+r"(d), "=&a"(*ax) : [s] "r"(s), [f] "r"((uint32_t)cpu->x86.rflags) : "cc");     \
    return d;                                                                                   \
}                                                                                               \
INLINE TYPE_##bits op##_##bits##_n(TcgCpu *cpu, TYPE_##bits d, TYPE_##bits s, uint32_t *ax)     \
{                                                                                               \
    *ax = 0;                                                                                    \
    return (TYPE_##bits)(expr);                                                                 \
}

#define COMMIT_f(ax) flags_from_ax(cpu, ax)
#define COMMIT_n(ax) ((void)(ax))
#define CARRY ((uint32_t)cpu->x86.rflags & RFLAGS_CF)
#define GET_CF "btl $0, %k[f]\n\t"

/* ---- register destination ---- */

#define FORM_RR(op, bits, v)                                                                    \
static const UOp *op##_rr_##bits##_##v(TcgCpu *cpu, const UOp *u)                               \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    set_##bits(cpu, u->r1, op##_##bits##_##v(cpu, get_##bits(cpu, u->r1), get_##bits(cpu, u->r2), \
                                             &ax));                                             \
    COMMIT_##v(ax);                                                                             \
    NEXT(u);                                                                                    \
}

#define FORM_RI(op, bits, v)                                                                    \
static const UOp *op##_ri_##bits##_##v(TcgCpu *cpu, const UOp *u)                               \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    set_##bits(cpu, u->r1, op##_##bits##_##v(cpu, get_##bits(cpu, u->r1), (TYPE_##bits)u->imm,  \
                                             &ax));                                             \
    COMMIT_##v(ax);                                                                             \
    NEXT(u);                                                                                    \
}

#define FORM_RM(op, bits, v)                                                                    \
static G_NO_INLINE const UOp *op##_rm_##bits##_##v##_slow(TcgCpu *cpu, const UOp *u)            \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, bits / 8, ACCESS_READ);                                      \
    TYPE_##bits s = tcg_load##bits(cpu, u, addr);                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    set_##bits(cpu, u->r1, op##_##bits##_##v(cpu, get_##bits(cpu, u->r1), s, &ax));             \
    COMMIT_##v(ax);                                                                             \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op##_rm_##bits##_##v(TcgCpu *cpu, const UOp *u)                               \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    FAST_MEM(op##_rm_##bits##_##v##_slow, bits, ACCESS_READ);                                   \
    set_##bits(cpu, u->r1, op##_##bits##_##v(cpu, get_##bits(cpu, u->r1), HOST_GET(), &ax));    \
    COMMIT_##v(ax);                                                                             \
    NEXT(u);                                                                                    \
}

/* ---- memory destination ---- */

#define FORM_M(op, form, source, bits, v)                                                       \
static G_NO_INLINE const UOp *op##_##form##_##bits##_##v##_slow(TcgCpu *cpu, const UOp *u)      \
{                                                                                               \
    uint64_t addr = tcg_ea_modify(cpu, u, bits / 8);                                            \
    TYPE_##bits d = tcg_load##bits(cpu, u, addr);                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    tcg_store##bits(cpu, u, addr, op##_##bits##_##v(cpu, d, source, &ax));                      \
    COMMIT_##v(ax);                                                                             \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op##_##form##_##bits##_##v(TcgCpu *cpu, const UOp *u)                         \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    FAST_MEM(op##_##form##_##bits##_##v##_slow, bits, ACCESS_WRITE);                            \
    HOST_SET(op##_##bits##_##v(cpu, HOST_GET(), source, &ax));                                  \
    COMMIT_##v(ax);                                                                             \
    NEXT(u);                                                                                    \
}
#define FORM_MR(op, bits, v) FORM_M(op, mr, get_##bits(cpu, u->r2), bits, v)
#define FORM_MI(op, bits, v) FORM_M(op, mi, (TYPE_##bits)u->imm, bits, v)

/* LOCKed: the host's LOCKed instruction where there is memory to work on. */
#define FORM_LOCKED(op, insn, before, form, source, bits, m)                                    \
static const UOp *op##_lock_##form##_##bits(TcgCpu *cpu, const UOp *u)                          \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, bits / 8, ACCESS_WRITE);                                     \
    GUEST_##bits *host = tcg_rmw_ptr(cpu, u, addr, bits / 8);                                   \
    TYPE_##bits s = source;                                                                     \
    uint32_t ax;                                                                                \
                                                                                                \
    if (G_LIKELY(host != NULL)) {                                                               \
        asm volatile(before "lock " insn " %" m "[s], %[d]" ASM_FLAGS                           \
                     : [d] "+m"(*host), "=&a"(ax)                                               \
                     : [s] "r"(s), [f] "r"((uint32_t)cpu->x86.rflags) : "cc", "memory");        \
    } else {                                                                                    \
        tcg_bus_lock(cpu);                                                                      \
        tcg_store##bits(cpu, u, addr, op##_##bits##_f(cpu, tcg_load##bits(cpu, u, addr), s, &ax)); \
        tcg_bus_unlock(cpu);                                                                    \
    }                                                                                           \
    flags_from_ax(cpu, ax);                                                                     \
    NEXT(u);                                                                                    \
}

/* ---- ADD OR ADC SBB AND SUB XOR ---- */

#define FORMS(op, bits, v)                                                                      \
    FORM_RR(op, bits, v) FORM_RI(op, bits, v) FORM_RM(op, bits, v)                              \
    FORM_MR(op, bits, v) FORM_MI(op, bits, v)

#define ALU_SIZE(op, insn, before, expr, bits, m)                                               \
    KERNEL(op, insn, before, expr, bits, m)                                                     \
    FORMS(op, bits, f)                                                                          \
    FORMS(op, bits, n)                                                                          \
    FORM_LOCKED(op, insn, before, mr, get_##bits(cpu, u->r2), bits, m)                          \
    FORM_LOCKED(op, insn, before, mi, (TYPE_##bits)u->imm, bits, m)

#define BY_SIZE(prefix, suffix) { prefix##_8##suffix, prefix##_16##suffix, prefix##_32##suffix, \
                                  prefix##_64##suffix }

typedef struct AluForms { UOpBySize rr, ri, rm, mr, mi; } AluForms;
typedef struct AluOp { AluForms flags, plain; UOpBySize lock_mr, lock_mi; } AluOp;

#define FORMS_TABLE(op, v)                                                                      \
    { BY_SIZE(op##_rr, _##v), BY_SIZE(op##_ri, _##v), BY_SIZE(op##_rm, _##v),                   \
      BY_SIZE(op##_mr, _##v), BY_SIZE(op##_mi, _##v) }
#define ALU(op, insn, before, expr)                                                             \
    ALU_SIZE(op, insn, before, expr, 8, "b")                                                    \
    ALU_SIZE(op, insn, before, expr, 16, "w")                                                   \
    ALU_SIZE(op, insn, before, expr, 32, "k")                                                   \
    ALU_SIZE(op, insn, before, expr, 64, "q")                                                   \
    static const AluOp op##_op = { FORMS_TABLE(op, f), FORMS_TABLE(op, n),                      \
                                   BY_SIZE(op##_lock_mr, ), BY_SIZE(op##_lock_mi, ) };

ALU(add, "add", "", d + s)
ALU(or, "or", "", d | s)
ALU(adc, "adc", GET_CF, d + s + CARRY)
ALU(sbb, "sbb", GET_CF, d - s - CARRY)
ALU(and, "and", "", d & s)
ALU(sub, "sub", "", d - s)
ALU(xor, "xor", "", d ^ s)

/* ---- CMP TEST: flags only ---- */

#define COMPARE_KERNEL(op, insn, bits, m)                                                       \
INLINE void op##_##bits(TcgCpu *cpu, TYPE_##bits d, TYPE_##bits s)                              \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    asm(insn " %" m "[s], %" m "[d]" ASM_FLAGS : "=&a"(ax) : [d] "r"(d), [s] "r"(s) : "cc");    \
    flags_from_ax(cpu, ax);                                                                     \
}

#define COMPARE_REG(op, form, source, bits)                                                     \
static const UOp *op##_##form##_##bits(TcgCpu *cpu, const UOp *u)                               \
{                                                                                               \
    op##_##bits(cpu, get_##bits(cpu, u->r1), source);                                           \
    NEXT(u);                                                                                    \
}

#define COMPARE_MEM(op, form, dest, source, bits)                                               \
static G_NO_INLINE const UOp *op##_##form##_##bits##_slow(TcgCpu *cpu, const UOp *u)            \
{                                                                                               \
    TYPE_##bits value = tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ));          \
                                                                                                \
    op##_##bits(cpu, dest, source);                                                             \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op##_##form##_##bits(TcgCpu *cpu, const UOp *u)                               \
{                                                                                               \
    FAST_MEM(op##_##form##_##bits##_slow, bits, ACCESS_READ);                                   \
    TYPE_##bits value = HOST_GET();                                                             \
                                                                                                \
    op##_##bits(cpu, dest, source);                                                             \
    NEXT(u);                                                                                    \
}

#define COMPARE_SIZE(op, insn, bits, m)                                                         \
    COMPARE_KERNEL(op, insn, bits, m)                                                           \
    COMPARE_REG(op, rr, get_##bits(cpu, u->r2), bits)                                           \
    COMPARE_REG(op, ri, (TYPE_##bits)u->imm, bits)                                              \
    COMPARE_MEM(op, rm, get_##bits(cpu, u->r1), value, bits)                                    \
    COMPARE_MEM(op, mr, value, get_##bits(cpu, u->r2), bits)                                    \
    COMPARE_MEM(op, mi, value, (TYPE_##bits)u->imm, bits)

#define COMPARE(op, insn)                                                                       \
    COMPARE_SIZE(op, insn, 8, "b")                                                              \
    COMPARE_SIZE(op, insn, 16, "w")                                                             \
    COMPARE_SIZE(op, insn, 32, "k")                                                             \
    COMPARE_SIZE(op, insn, 64, "q")                                                             \
    static const AluForms op##_forms = {                                                        \
        BY_SIZE(op##_rr, ), BY_SIZE(op##_ri, ), BY_SIZE(op##_rm, ),                             \
        BY_SIZE(op##_mr, ), BY_SIZE(op##_mi, ) };

COMPARE(cmp, "cmp")
COMPARE(test, "test")

/* ---- INC DEC NEG NOT ---- */

#define UNARY_KERNEL(op, insn, expr, which, bits, m)                                            \
INLINE TYPE_##bits op##_##bits##_f(TYPE_##bits d, uint32_t *ax)                                 \
{                                                                                               \
    asm(insn " %" m "[d]" ASM_FLAGS : [d] "+r"(d), "=&a"(*ax) : : "cc");                        \
    return d;                                                                                   \
}                                                                                               \
INLINE TYPE_##bits op##_##bits##_n(TYPE_##bits d, uint32_t *ax)                                 \
{                                                                                               \
    *ax = 0;                                                                                    \
    return (TYPE_##bits)(expr);                                                                 \
}

#define UNARY_COMMIT_f(which) do { if (which) { flags_merge_ax(cpu, ax, which); } } while (0)
#define UNARY_COMMIT_n(which) ((void)ax)

#define UNARY_FORMS(op, which, bits, v)                                                         \
static const UOp *op##_r_##bits##_##v(TcgCpu *cpu, const UOp *u)                                \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    set_##bits(cpu, u->r1, op##_##bits##_##v(get_##bits(cpu, u->r1), &ax));                     \
    UNARY_COMMIT_##v(which);                                                                    \
    NEXT(u);                                                                                    \
}                                                                                               \
static G_NO_INLINE const UOp *op##_m_##bits##_##v##_slow(TcgCpu *cpu, const UOp *u)             \
{                                                                                               \
    uint64_t addr = tcg_ea_modify(cpu, u, bits / 8);                                            \
    uint32_t ax;                                                                                \
                                                                                                \
    tcg_store##bits(cpu, u, addr, op##_##bits##_##v(tcg_load##bits(cpu, u, addr), &ax));        \
    UNARY_COMMIT_##v(which);                                                                    \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op##_m_##bits##_##v(TcgCpu *cpu, const UOp *u)                                \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    FAST_MEM(op##_m_##bits##_##v##_slow, bits, ACCESS_WRITE);                                   \
    HOST_SET(op##_##bits##_##v(HOST_GET(), &ax));                                               \
    UNARY_COMMIT_##v(which);                                                                    \
    NEXT(u);                                                                                    \
}

#define UNARY_LOCKED(op, insn, which, bits, suffix)                                             \
static const UOp *op##_lock_m_##bits(TcgCpu *cpu, const UOp *u)                                 \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, bits / 8, ACCESS_WRITE);                                     \
    GUEST_##bits *host = tcg_rmw_ptr(cpu, u, addr, bits / 8);                                   \
    uint32_t ax;                                                                                \
                                                                                                \
    if (G_LIKELY(host != NULL)) {                                                               \
        asm volatile("lock " insn suffix " %[d]" ASM_FLAGS                                      \
                     : [d] "+m"(*host), "=&a"(ax) : : "cc", "memory");                          \
    } else {                                                                                    \
        tcg_bus_lock(cpu);                                                                      \
        tcg_store##bits(cpu, u, addr, op##_##bits##_f(tcg_load##bits(cpu, u, addr), &ax));      \
        tcg_bus_unlock(cpu);                                                                    \
    }                                                                                           \
    UNARY_COMMIT_f(which);                                                                      \
    NEXT(u);                                                                                    \
}

#define UNARY_SIZE(op, insn, expr, which, bits, m, suffix)                                      \
    UNARY_KERNEL(op, insn, expr, which, bits, m)                                                \
    UNARY_FORMS(op, which, bits, f)                                                             \
    UNARY_FORMS(op, which, bits, n)                                                             \
    UNARY_LOCKED(op, insn, which, bits, suffix)

typedef struct UnaryOp {
    unsigned sets;
    struct { UOpBySize r, m; } flags, plain;
    UOpBySize lock_m;
} UnaryOp;

#define UNARY(op, insn, expr, which)                                                            \
    UNARY_SIZE(op, insn, expr, which, 8, "b", "b")                                              \
    UNARY_SIZE(op, insn, expr, which, 16, "w", "w")                                             \
    UNARY_SIZE(op, insn, expr, which, 32, "k", "l")                                             \
    UNARY_SIZE(op, insn, expr, which, 64, "q", "q")                                             \
    static const UnaryOp op##_op = {                                                            \
        which, { BY_SIZE(op##_r, _f), BY_SIZE(op##_m, _f) }, { BY_SIZE(op##_r, _n),             \
        BY_SIZE(op##_m, _n) }, BY_SIZE(op##_lock_m, ) };

UNARY(inc, "inc", d + 1, RFLAGS_ARITH & ~RFLAGS_CF)
UNARY(dec, "dec", d - 1, RFLAGS_ARITH & ~RFLAGS_CF)
UNARY(neg, "neg", -d, RFLAGS_ARITH)
UNARY(not, "not", ~d, 0)

/* ---- decoding ---- */

/* Registers, immediate and address of a two-operand instruction. */
static void fill_operands(DecodeContext *d, UOp *u, unsigned bits)
{
    const ZydisDecodedOperand *dst = &d->ops[0], *src = &d->ops[1];

    if (op_is_mem(dst)) {
        decode_mem(d, u, dst);
    } else {
        u->r1 = decode_gpr(dst, bits);
    }
    if (op_is_mem(src)) {
        decode_mem(d, u, src);
    } else if (op_is_imm(src)) {
        u->imm = src->imm.value.u;
    } else {
        u->r2 = decode_gpr(src, bits);
    }
}

static UOpFn pick_form(const AluForms *forms, const DecodeContext *d, unsigned size)
{
    bool imm = op_is_imm(&d->ops[1]);

    if (op_is_mem(&d->ops[0])) {
        return imm ? forms->mi[size] : forms->mr[size];
    }
    return imm ? forms->ri[size] : op_is_mem(&d->ops[1]) ? forms->rm[size] : forms->rr[size];
}

static bool emit_alu(DecodeContext *d, const AluOp *op, bool reads_carry)
{
    unsigned bits = d->ops[0].size, size = size_index(bits);
    bool mem = op_is_mem(&d->ops[0]) || op_is_mem(&d->ops[1]);
    UOp *u;

    if (d->lock) {
        u = decode_emit_flags(d, op_is_imm(&d->ops[1]) ? op->lock_mi[size] : op->lock_mr[size],
                              NULL, RFLAGS_ARITH, true);
    } else {
        u = decode_emit_flags(d, pick_form(&op->flags, d, size), pick_form(&op->plain, d, size),
                              RFLAGS_ARITH, mem || reads_carry);
    }
    fill_operands(d, u, bits);
    return true;
}

static bool emit_add(DecodeContext *d) { return emit_alu(d, &add_op, false); }
static bool emit_or(DecodeContext *d) { return emit_alu(d, &or_op, false); }
static bool emit_adc(DecodeContext *d) { return emit_alu(d, &adc_op, true); }
static bool emit_sbb(DecodeContext *d) { return emit_alu(d, &sbb_op, true); }
static bool emit_and(DecodeContext *d) { return emit_alu(d, &and_op, false); }
static bool emit_sub(DecodeContext *d) { return emit_alu(d, &sub_op, false); }
static bool emit_xor(DecodeContext *d) { return emit_alu(d, &xor_op, false); }

static bool emit_compare(DecodeContext *d, const AluForms *forms, FuseOp op)
{
    unsigned bits = d->ops[0].size;
    bool mem = op_is_mem(&d->ops[0]) || op_is_mem(&d->ops[1]);
    /* With its flags dead and nothing to fault, a comparison is nothing. */
    UOp *u = decode_emit_flags(d, pick_form(forms, d, size_index(bits)), mem ? NULL : op_nop,
                               RFLAGS_ARITH, mem);

    fill_operands(d, u, bits);
    if (!mem) {
        decode_mark_compare(d, op, bits);
    }
    return true;
}

static bool emit_cmp(DecodeContext *d) { return emit_compare(d, &cmp_forms, FUSE_CMP); }
static bool emit_test(DecodeContext *d) { return emit_compare(d, &test_forms, FUSE_TEST); }

static bool emit_unary(DecodeContext *d, const UnaryOp *op)
{
    unsigned bits = d->ops[0].size, size = size_index(bits);
    UOp *u;

    if (op_is_mem(&d->ops[0])) {
        u = d->lock ? decode_emit_flags(d, op->lock_m[size], NULL, op->sets, true)
                    : decode_emit_flags(d, op->flags.m[size], op->plain.m[size], op->sets, true);
        decode_mem(d, u, &d->ops[0]);
    } else {
        u = decode_emit_flags(d, op->flags.r[size], op->plain.r[size], op->sets, false);
        u->r1 = decode_gpr(&d->ops[0], bits);
    }
    return true;
}

static bool emit_inc(DecodeContext *d) { return emit_unary(d, &inc_op); }
static bool emit_dec(DecodeContext *d) { return emit_unary(d, &dec_op); }
static bool emit_neg(DecodeContext *d) { return emit_unary(d, &neg_op); }
static bool emit_not(DecodeContext *d) { return emit_unary(d, &not_op); }

const DecodeRow decode_alu_rows[] = {
    { ZYDIS_MNEMONIC_ADC, emit_adc, true },
    { ZYDIS_MNEMONIC_ADD, emit_add, true },
    { ZYDIS_MNEMONIC_AND, emit_and, true },
    { ZYDIS_MNEMONIC_CMP, emit_cmp, false },
    { ZYDIS_MNEMONIC_DEC, emit_dec, true },
    { ZYDIS_MNEMONIC_INC, emit_inc, true },
    { ZYDIS_MNEMONIC_NEG, emit_neg, true },
    { ZYDIS_MNEMONIC_NOT, emit_not, true },
    { ZYDIS_MNEMONIC_OR, emit_or, true },
    { ZYDIS_MNEMONIC_SBB, emit_sbb, true },
    { ZYDIS_MNEMONIC_SUB, emit_sub, true },
    { ZYDIS_MNEMONIC_TEST, emit_test, false },
    { ZYDIS_MNEMONIC_XOR, emit_xor, true },
    {}
};
