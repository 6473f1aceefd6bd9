/*
 * Comparison and conditional jump in one micro-op, for 64-bit code: the pair most blocks end with.
 *
 * Operands: `r1` the first register, `base` the second or `disp` the immediate, `simm` the
 * target's offset from the block's start.
 */
#include "tcg_ops.h"

/* GCC's names of the conditions, by number. */
#define CC_0 "o"
#define CC_1 "no"
#define CC_2 "c"
#define CC_3 "nc"
#define CC_4 "z"
#define CC_5 "nz"
#define CC_6 "be"
#define CC_7 "a"
#define CC_8 "s"
#define CC_9 "ns"
#define CC_10 "p"
#define CC_11 "np"
#define CC_12 "l"
#define CC_13 "ge"
#define CC_14 "le"
#define CC_15 "g"

static inline uint64_t target(const TcgCpu *cpu, const UOp *u)
{
    return cpu->x86.gpr[GPR_BLOCK_RIP] + (uint64_t)u->simm;
}

static G_NO_INLINE const UOp *jump_out(TcgCpu *cpu, const UOp *u)
{
    uint64_t rip = target(cpu, u);

    check_target(cpu, u, rip, true);
    return block_jump(cpu, rip, true);
}

#define TAKE_chain block_chain(cpu, u, 0, target(cpu, u), true)
#define TAKE_out jump_out(cpu, u)

/* LAHF and SETO leave the flags alone, so the condition is still there behind them. */
#define FUSED(op, insn, form, source, bits, m, cc, way)                                         \
static const UOp *op##_##form##_##bits##_##way##_##cc(TcgCpu *cpu, const UOp *u)                \
{                                                                                               \
    TYPE_##bits d = get_##bits(cpu, u->r1), s = source;                                         \
    uint32_t ax;                                                                                \
    int taken;                                                                                  \
                                                                                                \
    asm(insn " %" m "[s], %" m "[d]" ASM_FLAGS                                                  \
        : "=&a"(ax), "=@cc" CC_##cc(taken) : [d] "r"(d), [s] "r"(s));                           \
    flags_from_ax(cpu, ax);                                                                     \
    if (taken) {                                                                                \
        return TAKE_##way;                                                                      \
    }                                                                                           \
    return block_chain(cpu, u, 1, tcg_next_rip(cpu, u), true);                                  \
}

#define FOR_CC(X, ...)                                                                          \
    X(__VA_ARGS__, 0) X(__VA_ARGS__, 1) X(__VA_ARGS__, 2) X(__VA_ARGS__, 3) X(__VA_ARGS__, 4)   \
    X(__VA_ARGS__, 5) X(__VA_ARGS__, 6) X(__VA_ARGS__, 7) X(__VA_ARGS__, 8) X(__VA_ARGS__, 9)   \
    X(__VA_ARGS__, 10) X(__VA_ARGS__, 11) X(__VA_ARGS__, 12) X(__VA_ARGS__, 13)                 \
    X(__VA_ARGS__, 14) X(__VA_ARGS__, 15)

#define BOTH_WAYS(op, insn, form, source, bits, m, cc)                                          \
    FUSED(op, insn, form, source, bits, m, cc, chain)                                           \
    FUSED(op, insn, form, source, bits, m, cc, out)

#define FUSED_SIZE(op, insn, bits, m)                                                           \
    FOR_CC(BOTH_WAYS, op, insn, rr, get_##bits(cpu, u->base), bits, m)                          \
    FOR_CC(BOTH_WAYS, op, insn, ri, (TYPE_##bits)u->disp, bits, m)

#define FUSED_OP(op, insn)                                                                      \
    FUSED_SIZE(op, insn, 8, "b")                                                                \
    FUSED_SIZE(op, insn, 32, "k")                                                               \
    FUSED_SIZE(op, insn, 64, "q")

FUSED_OP(cmp, "cmp")
FUSED_OP(test, "test")

/* ---- decoding ---- */

#define ROW(op, form, bits, way, cc) op##_##form##_##bits##_##way##_##cc,
#define WAYS(op, form, bits)                                                                    \
    { { FOR_CC(ROW, op, form, bits, chain) }, { FOR_CC(ROW, op, form, bits, out) } }
#define SIZES(op, form) { WAYS(op, form, 8), WAYS(op, form, 32), WAYS(op, form, 64) }
#define FORMS(op) { SIZES(op, rr), SIZES(op, ri) }

enum { FORM_RR, FORM_RI };
enum { WAY_CHAIN, WAY_OUT };
static const UOpFn fused[2][2][3][2][16] = { FORMS(cmp), FORMS(test) };

/* UOpInfo.fuse: 1 + operation, form and size. */
static uint8_t fuse_code(FuseOp op, unsigned form, unsigned size)
{
    return (uint8_t)(1 + (op * 2 + form) * 3 + size);
}

void decode_mark_compare(DecodeContext *d, FuseOp op, unsigned bits)
{
    UOp *u = &d->uops[d->n_uops - 1];
    bool imm = op_is_imm(&d->ops[1]);
    unsigned size = bits == 8 ? 0 : bits == 32 ? 1 : 2;

    if (bits == 16) {
        return;
    }
    d->info[d->n_uops - 1].fuse = fuse_code(op, imm ? FORM_RI : FORM_RR, size);
    if (imm) {
        u->disp = (int32_t)u->imm;      /* all of it: 64-bit ones are sign extended from 32 */
    } else {
        u->base = u->r2;
    }
}

bool decode_fused_jump(DecodeContext *d, unsigned cc, int64_t target, bool chained)
{
    const UOpFn (*ways)[16];
    UOp compare, *u;
    unsigned code;

    if (d->n_uops == 0 || d->info[d->n_uops - 1].fuse == 0) {
        return false;
    }
    code = d->info[d->n_uops - 1].fuse - 1u;
    compare = d->uops[--d->n_uops];
    ways = fused[code / 6][code / 3 % 2][code % 3];
    u = decode_emit_last(d, ways[chained ? WAY_CHAIN : WAY_OUT][cc]);
    u->r1 = compare.r1;
    u->base = compare.base;
    u->disp = compare.disp;
    u->simm = target;
    return true;
}
