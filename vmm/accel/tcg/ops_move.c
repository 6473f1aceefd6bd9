/* Moves: MOV and its widening, conditional and exchanging relatives, LEA, flag transfers. */
#include "tcg_ops.h"

#define BY_SIZE(prefix, suffix) { prefix##_8##suffix, prefix##_16##suffix, prefix##_32##suffix, \
                                  prefix##_64##suffix }
#define FOR_SIZES(X) X(8) X(16) X(32) X(64)

/* ---- MOV ---- */

#define OP_MOV(bits)                                                                            \
static const UOp *mov_rr_##bits(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    set_##bits(cpu, u->r1, get_##bits(cpu, u->r2));                                             \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *mov_ri_##bits(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    set_##bits(cpu, u->r1, (TYPE_##bits)u->imm);                                                \
    NEXT(u);                                                                                    \
}                                                                                               \
static G_NO_INLINE const UOp *mov_rm_##bits##_slow(TcgCpu *cpu, const UOp *u)                   \
{                                                                                               \
    set_##bits(cpu, u->r1, tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ)));      \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *mov_rm_##bits(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    FAST_MEM(mov_rm_##bits##_slow, bits, ACCESS_READ);                                          \
    set_##bits(cpu, u->r1, HOST_GET());                                                         \
    NEXT(u);                                                                                    \
}                                                                                               \
static G_NO_INLINE const UOp *mov_mr_##bits##_slow(TcgCpu *cpu, const UOp *u)                   \
{                                                                                               \
    tcg_store##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_WRITE), get_##bits(cpu, u->r2));    \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *mov_mr_##bits(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    FAST_MEM(mov_mr_##bits##_slow, bits, ACCESS_WRITE);                                         \
    HOST_SET(get_##bits(cpu, u->r2));                                                           \
    NEXT(u);                                                                                    \
}                                                                                               \
static G_NO_INLINE const UOp *mov_mi_##bits##_slow(TcgCpu *cpu, const UOp *u)                   \
{                                                                                               \
    tcg_store##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_WRITE), (TYPE_##bits)u->imm);       \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *mov_mi_##bits(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    FAST_MEM(mov_mi_##bits##_slow, bits, ACCESS_WRITE);                                         \
    HOST_SET((TYPE_##bits)u->imm);                                                              \
    NEXT(u);                                                                                    \
}
FOR_SIZES(OP_MOV)

/* An operand of MOV that is no general register: decoded with segments and system registers. */
static bool is_special(const ZydisDecodedOperand *op)
{
    ZydisRegisterClass class = op_is_reg(op) ? ZydisRegisterGetClass(op->reg.value)
                                             : ZYDIS_REGCLASS_GPR64;

    return class == ZYDIS_REGCLASS_SEGMENT || class == ZYDIS_REGCLASS_CONTROL ||
           class == ZYDIS_REGCLASS_DEBUG || class == ZYDIS_REGCLASS_TEST;
}

static bool emit_mov(DecodeContext *d)
{
    static const UOpBySize rr = BY_SIZE(mov_rr, ), ri = BY_SIZE(mov_ri, ), rm = BY_SIZE(mov_rm, ),
                           mr = BY_SIZE(mov_mr, ), mi = BY_SIZE(mov_mi, );
    const ZydisDecodedOperand *dst = &d->ops[0], *src = &d->ops[1];
    unsigned bits = dst->size, size = size_index(bits);
    UOp *u;

    if (is_special(dst) || is_special(src)) {
        return decode_mov_special(d);
    }
    if (op_is_mem(dst)) {
        u = decode_emit(d, op_is_imm(src) ? mi[size] : mr[size]);
        decode_mem(d, u, dst);
    } else {
        u = op_is_mem(src) ? decode_emit(d, rm[size])
                           : decode_emit_quiet(d, op_is_imm(src) ? ri[size] : rr[size]);
        u->r1 = decode_gpr(dst, bits);
    }
    if (op_is_mem(src)) {
        decode_mem(d, u, src);
    } else if (op_is_imm(src)) {
        u->imm = src->imm.value.u;
    } else {
        u->r2 = decode_gpr(src, bits);
    }
    return true;
}

/* MOVNTI: the hint means nothing here. */
static bool emit_movnti(DecodeContext *d)
{
    return decode_has(d, FEAT_1_EDX, 26) && emit_mov(d);
}

/* ---- MOVZX MOVSX MOVSXD ---- */

#define OP_WIDEN(name, from, to, Signed)                                                        \
static const UOp *name##_rr_##from##_##to(TcgCpu *cpu, const UOp *u)                            \
{                                                                                               \
    set_##to(cpu, u->r1, (TYPE_##to)(Signed)get_##from(cpu, u->r2));                            \
    NEXT(u);                                                                                    \
}                                                                                               \
static G_NO_INLINE const UOp *name##_rm_##from##_##to##_slow(TcgCpu *cpu, const UOp *u)         \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, from / 8, ACCESS_READ);                                      \
                                                                                                \
    set_##to(cpu, u->r1, (TYPE_##to)(Signed)tcg_load##from(cpu, u, addr));                      \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *name##_rm_##from##_##to(TcgCpu *cpu, const UOp *u)                            \
{                                                                                               \
    FAST_MEM(name##_rm_##from##_##to##_slow, from, ACCESS_READ);                                \
    set_##to(cpu, u->r1, (TYPE_##to)(Signed)HOST_GET());                                        \
    NEXT(u);                                                                                    \
}
OP_WIDEN(movzx, 8, 16, uint8_t)
OP_WIDEN(movzx, 8, 32, uint8_t)
OP_WIDEN(movzx, 16, 16, uint16_t)
OP_WIDEN(movzx, 16, 32, uint16_t)
OP_WIDEN(movsx, 8, 16, int8_t)
OP_WIDEN(movsx, 8, 32, int8_t)
OP_WIDEN(movsx, 8, 64, int8_t)
OP_WIDEN(movsx, 16, 16, int16_t)
OP_WIDEN(movsx, 16, 32, int16_t)
OP_WIDEN(movsx, 16, 64, int16_t)
OP_WIDEN(movsx, 32, 16, int32_t)
OP_WIDEN(movsx, 32, 32, int32_t)
OP_WIDEN(movsx, 32, 64, int32_t)

typedef struct WidenForms { UOpFn rr, rm; } WidenForms;
#define WIDEN_ROW(name, from, to) { name##_rr_##from##_##to, name##_rm_##from##_##to }

static bool emit_widen(DecodeContext *d, const WidenForms forms[4][4])
{
    unsigned from = d->ops[1].size, to = d->ops[0].size;
    const WidenForms *form = &forms[size_index(from)][size_index(to)];
    UOp *u;

    if (op_is_mem(&d->ops[1])) {
        u = decode_emit(d, form->rm);
        decode_mem(d, u, &d->ops[1]);
    } else {
        u = decode_emit_quiet(d, form->rr);
        u->r2 = decode_gpr(&d->ops[1], from);
    }
    u->r1 = decode_gpr(&d->ops[0], to);
    return true;
}

static bool emit_movzx(DecodeContext *d)
{
    /* Clearing 32 bits clears the upper half as well. */
    static const WidenForms forms[4][4] = {
        [0] = { [1] = WIDEN_ROW(movzx, 8, 16), [2] = WIDEN_ROW(movzx, 8, 32),
                [3] = WIDEN_ROW(movzx, 8, 32) },
        [1] = { [1] = WIDEN_ROW(movzx, 16, 16), [2] = WIDEN_ROW(movzx, 16, 32),
                [3] = WIDEN_ROW(movzx, 16, 32) },
    };

    return emit_widen(d, forms);
}

static bool emit_movsx(DecodeContext *d)
{
    static const WidenForms forms[4][4] = {
        [0] = { [1] = WIDEN_ROW(movsx, 8, 16), [2] = WIDEN_ROW(movsx, 8, 32),
                [3] = WIDEN_ROW(movsx, 8, 64) },
        [1] = { [1] = WIDEN_ROW(movsx, 16, 16), [2] = WIDEN_ROW(movsx, 16, 32),
                [3] = WIDEN_ROW(movsx, 16, 64) },
        [2] = { [1] = WIDEN_ROW(movsx, 32, 16), [2] = WIDEN_ROW(movsx, 32, 32),
                [3] = WIDEN_ROW(movsx, 32, 64) },
    };

    return emit_widen(d, forms);
}

/* CBW CWDE CDQE: sign extension within rAX. */
static bool emit_widen_rax(DecodeContext *d)
{
    UOpFn fn = d->insn->mnemonic == ZYDIS_MNEMONIC_CBW ? movsx_rr_8_16
               : d->insn->mnemonic == ZYDIS_MNEMONIC_CWDE ? movsx_rr_16_32 : movsx_rr_32_64;

    decode_emit_quiet(d, fn);           /* r1 and r2 0 name AL, AX, EAX and RAX alike */
    return true;
}

/* CWD CDQ CQO: rDX from rAX's sign. */
#define OP_SIGN(bits, Signed)                                                                   \
static const UOp *sign_##bits(TcgCpu *cpu, const UOp *u)                                        \
{                                                                                               \
    set_##bits(cpu, R_RDX, (TYPE_##bits)((Signed)get_##bits(cpu, R_RAX) >> (bits - 1)));        \
    NEXT(u);                                                                                    \
}
OP_SIGN(16, int16_t)
OP_SIGN(32, int32_t)
OP_SIGN(64, int64_t)

static bool emit_sign(DecodeContext *d)
{
    decode_emit_quiet(d, d->insn->mnemonic == ZYDIS_MNEMONIC_CWD ? sign_16
                         : d->insn->mnemonic == ZYDIS_MNEMONIC_CDQ ? sign_32 : sign_64);
    return true;
}

/* ---- LEA ---- */

static const UOp *lea_64(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.gpr[u->r1] = tcg_sum(cpu, u);
    NEXT(u);
}

static const UOp *lea_32(TcgCpu *cpu, const UOp *u)
{
    tcg_set32(cpu, u->r1, (uint32_t)tcg_offset(cpu, u));
    NEXT(u);
}

static const UOp *lea_16(TcgCpu *cpu, const UOp *u)
{
    *tcg_reg16(cpu, u->r1) = (uint16_t)tcg_offset(cpu, u);
    NEXT(u);
}

/* 64-bit result of a 32-bit address. */
static const UOp *lea_64_32(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.gpr[u->r1] = tcg_offset(cpu, u);
    NEXT(u);
}

static bool emit_lea(DecodeContext *d)
{
    UOp *u;

    if (d->ops[0].size == 64) {
        u = decode_emit_quiet(d, d->address_bits == 64 ? lea_64 : lea_64_32);
    } else {
        u = decode_emit_quiet(d, d->ops[0].size == 32 ? lea_32 : lea_16);
    }
    decode_mem(d, u, &d->ops[1]);
    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    return true;
}

/* ---- XCHG, BSWAP, MOVBE ---- */

#define OP_XCHG(bits)                                                                           \
static const UOp *xchg_rr_##bits(TcgCpu *cpu, const UOp *u)                                     \
{                                                                                               \
    TYPE_##bits a = get_##bits(cpu, u->r1), b = get_##bits(cpu, u->r2);                         \
                                                                                                \
    set_##bits(cpu, u->r1, b);                                                                  \
    set_##bits(cpu, u->r2, a);                                                                  \
    NEXT(u);                                                                                    \
}                                                                                               \
/* Always LOCKed: SDM 2, XCHG. */                                                               \
static const UOp *xchg_rm_##bits(TcgCpu *cpu, const UOp *u)                                     \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, bits / 8, ACCESS_WRITE);                                     \
    GUEST_##bits *host = tcg_rmw_ptr(cpu, u, addr, bits / 8);                                   \
    TYPE_##bits value = get_##bits(cpu, u->r1), old;                                            \
                                                                                                \
    if (G_LIKELY(host != NULL)) {                                                               \
        old = __atomic_exchange_n(host, value, __ATOMIC_SEQ_CST);                               \
    } else {                                                                                    \
        tcg_bus_lock(cpu);                                                                      \
        old = tcg_load##bits(cpu, u, addr);                                                     \
        tcg_store##bits(cpu, u, addr, value);                                                   \
        tcg_bus_unlock(cpu);                                                                    \
    }                                                                                           \
    set_##bits(cpu, u->r1, old);                                                                \
    NEXT(u);                                                                                    \
}
FOR_SIZES(OP_XCHG)

static bool emit_xchg(DecodeContext *d)
{
    static const UOpBySize rr = BY_SIZE(xchg_rr, ), rm = BY_SIZE(xchg_rm, );
    const ZydisDecodedOperand *a = &d->ops[0], *b = &d->ops[1];
    unsigned bits = a->size;
    UOp *u;

    if (op_is_mem(a) || op_is_mem(b)) {
        u = decode_emit(d, rm[size_index(bits)]);
        decode_mem(d, u, op_is_mem(a) ? a : b);
        u->r1 = decode_gpr(op_is_mem(a) ? b : a, bits);
        return true;
    }
    u = decode_emit_quiet(d, rr[size_index(bits)]);
    u->r1 = decode_gpr(a, bits);
    u->r2 = decode_gpr(b, bits);
    return true;
}

static const UOp *bswap_64(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.gpr[u->r1] = __builtin_bswap64(cpu->x86.gpr[u->r1]);
    NEXT(u);
}

static const UOp *bswap_32(TcgCpu *cpu, const UOp *u)
{
    tcg_set32(cpu, u->r1, __builtin_bswap32(tcg_get32(cpu, u->r1)));
    NEXT(u);
}

/* Undefined by the manuals; processors clear the register. */
static const UOp *bswap_16(TcgCpu *cpu, const UOp *u)
{
    *tcg_reg16(cpu, u->r1) = 0;
    NEXT(u);
}

static bool emit_bswap(DecodeContext *d)
{
    unsigned bits = d->ops[0].size;
    UOp *u = decode_emit_quiet(d, bits == 64 ? bswap_64 : bits == 32 ? bswap_32 : bswap_16);

    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    return true;
}

#define OP_MOVBE(bits)                                                                          \
static const UOp *movbe_rm_##bits(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, bits / 8, ACCESS_READ);                                      \
                                                                                                \
    set_##bits(cpu, u->r1, __builtin_bswap##bits(tcg_load##bits(cpu, u, addr)));                \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *movbe_mr_##bits(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, bits / 8, ACCESS_WRITE);                                     \
                                                                                                \
    tcg_store##bits(cpu, u, addr, __builtin_bswap##bits(get_##bits(cpu, u->r1)));               \
    NEXT(u);                                                                                    \
}
OP_MOVBE(16)
OP_MOVBE(32)
OP_MOVBE(64)

static bool emit_movbe(DecodeContext *d)
{
    static const UOpFn rm[4] = { NULL, movbe_rm_16, movbe_rm_32, movbe_rm_64 };
    static const UOpFn mr[4] = { NULL, movbe_mr_16, movbe_mr_32, movbe_mr_64 };
    bool store = op_is_mem(&d->ops[0]);
    unsigned bits = d->ops[0].size;
    UOp *u = decode_emit(d, store ? mr[size_index(bits)] : rm[size_index(bits)]);

    decode_mem(d, u, &d->ops[store ? 0 : 1]);
    u->r1 = (uint8_t)decode_reg(&d->ops[store ? 1 : 0]);
    return true;
}

/* ---- CMOVcc SETcc ---- */

#define OP_CMOV_SIZE(cc, bits)                                                                  \
static const UOp *cmov_rr_##cc##_##bits(TcgCpu *cpu, const UOp *u)                              \
{                                                                                               \
    set_##bits(cpu, u->r1, get_##bits(cpu, flags_test(cpu, cc) ? u->r2 : u->r1));               \
    NEXT(u);                                                                                    \
}
#define OP_CMOV(cc)                                                                             \
    OP_CMOV_SIZE(cc, 16) OP_CMOV_SIZE(cc, 32) OP_CMOV_SIZE(cc, 64)                              \
static const UOp *setcc_r_##cc(TcgCpu *cpu, const UOp *u)                                       \
{                                                                                               \
    *tcg_reg8(cpu, u->r1) = flags_test(cpu, cc);                                                \
    NEXT(u);                                                                                    \
}
FOR_EACH_CC(OP_CMOV)

/* The source is read whatever the condition; 32 bits clear the upper half even if not moved. */
#define OP_CMOV_RM(bits)                                                                        \
static const UOp *cmov_rm_##bits(TcgCpu *cpu, const UOp *u)                                     \
{                                                                                               \
    TYPE_##bits value = tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ));          \
                                                                                                \
    set_##bits(cpu, u->r1, flags_test(cpu, u->aux) ? value : get_##bits(cpu, u->r1));           \
    NEXT(u);                                                                                    \
}
OP_CMOV_RM(16)
OP_CMOV_RM(32)
OP_CMOV_RM(64)

static const UOp *setcc_m(TcgCpu *cpu, const UOp *u)
{
    tcg_store8(cpu, u, tcg_ea(cpu, u, 1, ACCESS_WRITE), flags_test(cpu, u->aux));
    NEXT(u);
}

/* Both instructions number their conditions in the low bits of the opcode. */
static unsigned opcode_cc(const DecodeContext *d)
{
    return d->insn->opcode & 15;
}

static bool emit_cmov(DecodeContext *d)
{
#define CMOV_ROW(cc) { NULL, cmov_rr_##cc##_16, cmov_rr_##cc##_32, cmov_rr_##cc##_64 },
    static const UOpFn rr[16][4] = { FOR_EACH_CC(CMOV_ROW) };
    static const UOpFn rm[4] = { NULL, cmov_rm_16, cmov_rm_32, cmov_rm_64 };
    unsigned size = size_index(d->ops[0].size);
    UOp *u;

    if (op_is_mem(&d->ops[1])) {
        u = decode_emit(d, rm[size]);
        decode_mem(d, u, &d->ops[1]);
        u->aux = (uint8_t)opcode_cc(d);
    } else {
        u = decode_emit_flags(d, rr[opcode_cc(d)][size], NULL, 0, true);
        u->r2 = (uint8_t)decode_reg(&d->ops[1]);
    }
    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    return true;
}

static bool emit_setcc(DecodeContext *d)
{
#define SETCC_ROW(cc) setcc_r_##cc,
    static const UOpFn r[16] = { FOR_EACH_CC(SETCC_ROW) };
    UOp *u;

    if (op_is_mem(&d->ops[0])) {
        u = decode_emit(d, setcc_m);
        decode_mem(d, u, &d->ops[0]);
        u->aux = (uint8_t)opcode_cc(d);
    } else {
        u = decode_emit_flags(d, r[opcode_cc(d)], NULL, 0, true);
        u->r1 = (uint8_t)decode_reg8(&d->ops[0]);
    }
    return true;
}

/* ---- flags to and from AH, and single flags ---- */

#define AH_FLAGS (RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF | RFLAGS_CF)

static const UOp *op_lahf(TcgCpu *cpu, const UOp *u)
{
    *tcg_reg8(cpu, 1) = (uint8_t)((cpu->x86.rflags & AH_FLAGS) | RFLAGS_FIXED);
    NEXT(u);
}

static const UOp *op_sahf(TcgCpu *cpu, const UOp *u)
{
    flags_set(cpu, AH_FLAGS, *tcg_reg8(cpu, 1) & AH_FLAGS);
    NEXT(u);
}

/* `imm`: flags to clear, `disp`: to set, `aux`: whether to complement CF. */
static const UOp *op_flag(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.rflags = ((cpu->x86.rflags & ~u->imm) | (uint32_t)u->disp) ^ u->aux;
    NEXT(u);
}

static const UOp *op_salc(TcgCpu *cpu, const UOp *u)
{
    *tcg_reg8(cpu, 0) = cpu->x86.rflags & RFLAGS_CF ? 0xff : 0;
    NEXT(u);
}

/* LAHF and SAHF in 64-bit mode have a CPUID bit. */
static bool has_ah_flags(const DecodeContext *d)
{
    return !d->code64 || decode_has(d, FEAT_8000_0001_ECX, 0);
}

static bool emit_lahf(DecodeContext *d)
{
    return has_ah_flags(d) && decode_emit_flags(d, op_lahf, NULL, 0, true);
}

static bool emit_sahf(DecodeContext *d)
{
    return has_ah_flags(d) && decode_emit_flags(d, op_sahf, NULL, AH_FLAGS, false);
}

static bool emit_flag(DecodeContext *d)
{
    static const struct { ZydisMnemonic mnemonic; uint32_t clear, set; uint8_t flip; } rows[] = {
        { ZYDIS_MNEMONIC_CLC, RFLAGS_CF, 0, 0 },
        { ZYDIS_MNEMONIC_STC, 0, RFLAGS_CF, 0 },
        { ZYDIS_MNEMONIC_CMC, 0, 0, RFLAGS_CF },
        { ZYDIS_MNEMONIC_CLD, RFLAGS_DF, 0, 0 },
        { ZYDIS_MNEMONIC_STD, 0, RFLAGS_DF, 0 },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].mnemonic == d->insn->mnemonic) {
            UOp *u = decode_emit(d, op_flag);

            u->imm = rows[i].clear;
            u->disp = (int32_t)rows[i].set;
            u->aux = rows[i].flip;
            return true;
        }
    }
    return false;
}

static bool emit_salc(DecodeContext *d)
{
    return decode_emit(d, op_salc);
}

/* ---- XLAT ---- */

static const UOp *op_xlat(TcgCpu *cpu, const UOp *u)
{
    *tcg_reg8(cpu, 0) = tcg_load8(cpu, u, tcg_ea(cpu, u, 1, ACCESS_READ));
    NEXT(u);
}

/* The index is AL alone: it goes into the temporary register first. */
static const UOp *op_temp_al(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.gpr[GPR_TEMP] = *tcg_reg8(cpu, 0);
    NEXT(u);
}

unsigned decode_override(const DecodeContext *d)
{
    ZydisInstructionAttributes a = d->insn->attributes;
    return a & ZYDIS_ATTRIB_HAS_SEGMENT_CS   ? SEG_CS
           : a & ZYDIS_ATTRIB_HAS_SEGMENT_SS ? SEG_SS
           : a & ZYDIS_ATTRIB_HAS_SEGMENT_ES ? SEG_ES
           : a & ZYDIS_ATTRIB_HAS_SEGMENT_FS ? SEG_FS
           : a & ZYDIS_ATTRIB_HAS_SEGMENT_GS ? SEG_GS
                                             : SEG_DS;
}

static bool emit_xlat(DecodeContext *d)
{
    UOp *u;

    decode_emit_quiet(d, op_temp_al);
    u = decode_emit(d, op_xlat);
    u->base = R_RBX;
    u->index = GPR_TEMP;
    u->addr_bits = d->address_bits;
    u->seg = (uint8_t)decode_override(d);
    return true;
}

/* ---- NOP ---- */

static bool emit_nop(DecodeContext *d)
{
    decode_emit_quiet(d, op_nop);
    return true;
}

const DecodeRow decode_move_rows[] = {
    { ZYDIS_MNEMONIC_BSWAP, emit_bswap, false },
    { ZYDIS_MNEMONIC_CBW, emit_widen_rax, false },
    { ZYDIS_MNEMONIC_CDQ, emit_sign, false },
    { ZYDIS_MNEMONIC_CDQE, emit_widen_rax, false },
    { ZYDIS_MNEMONIC_CLC, emit_flag, false },
    { ZYDIS_MNEMONIC_CLD, emit_flag, false },
    { ZYDIS_MNEMONIC_CMC, emit_flag, false },
    { ZYDIS_MNEMONIC_CMOVB, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVBE, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVL, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVLE, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVNB, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVNBE, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVNL, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVNLE, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVNO, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVNP, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVNS, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVNZ, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVO, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVP, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVS, emit_cmov, false },
    { ZYDIS_MNEMONIC_CMOVZ, emit_cmov, false },
    { ZYDIS_MNEMONIC_CQO, emit_sign, false },
    { ZYDIS_MNEMONIC_CWD, emit_sign, false },
    { ZYDIS_MNEMONIC_CWDE, emit_widen_rax, false },
    { ZYDIS_MNEMONIC_LAHF, emit_lahf, false },
    { ZYDIS_MNEMONIC_LEA, emit_lea, false },
    { ZYDIS_MNEMONIC_MOV, emit_mov, false },
    { ZYDIS_MNEMONIC_MOVBE, emit_movbe, false },
    { ZYDIS_MNEMONIC_MOVNTI, emit_movnti, false },
    { ZYDIS_MNEMONIC_MOVSX, emit_movsx, false },
    { ZYDIS_MNEMONIC_MOVSXD, emit_movsx, false },
    { ZYDIS_MNEMONIC_MOVZX, emit_movzx, false },
    { ZYDIS_MNEMONIC_NOP, emit_nop, false },
    { ZYDIS_MNEMONIC_PAUSE, emit_nop, false },
    { ZYDIS_MNEMONIC_SAHF, emit_sahf, false },
    { ZYDIS_MNEMONIC_SALC, emit_salc, false },
    { ZYDIS_MNEMONIC_SETB, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETBE, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETL, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETLE, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETNB, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETNBE, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETNL, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETNLE, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETNO, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETNP, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETNS, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETNZ, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETO, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETP, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETS, emit_setcc, false },
    { ZYDIS_MNEMONIC_SETZ, emit_setcc, false },
    { ZYDIS_MNEMONIC_STC, emit_flag, false },
    { ZYDIS_MNEMONIC_STD, emit_flag, false },
    { ZYDIS_MNEMONIC_XCHG, emit_xchg, true },
    { ZYDIS_MNEMONIC_XLAT, emit_xlat, false },
    {}
};
