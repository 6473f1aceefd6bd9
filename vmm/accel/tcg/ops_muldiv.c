/* Multiplication, division and decimal adjustment. */
#include "tcg_ops.h"

/* ---- MUL IMUL of one operand: rDX:rAX ---- */

static void set_product8(TcgCpu *cpu, uint16_t product)
{
    *tcg_reg16(cpu, R_RAX) = product;
}

static const UOp *wide_mul_8(TcgCpu *cpu, const UOp *u, uint8_t s, bool is_signed)
{
    uint32_t ax;
    uint16_t product = *tcg_reg8(cpu, 0);

    if (is_signed) {
        asm("imulb %b[s]\n\tmovw %%ax, %w[p]" ASM_FLAGS : [p] "=&r"(product), "=a"(ax)
            : [s] "r"(s), "a"((uint32_t)product) : "cc");
    } else {
        asm("mulb %b[s]\n\tmovw %%ax, %w[p]" ASM_FLAGS : [p] "=&r"(product), "=a"(ax)
            : [s] "r"(s), "a"((uint32_t)product) : "cc");
    }
    set_product8(cpu, product);
    flags_from_ax(cpu, ax);
    NEXT(u);
}

#define WIDE_MUL(bits, m)                                                                       \
static const UOp *wide_mul_##bits(TcgCpu *cpu, const UOp *u, TYPE_##bits s, bool is_signed)     \
{                                                                                               \
    TYPE_##bits low, high;                                                                      \
    uint64_t ax = get_##bits(cpu, R_RAX);                                                       \
                                                                                                \
    if (is_signed) {                                                                            \
        asm("imul %" m "[s]\n\tmov %%rax, %q[l]" ASM_FLAGS                                      \
            : [l] "=&r"(low), "=&d"(high), "+a"(ax) : [s] "r"(s) : "cc");                       \
    } else {                                                                                    \
        asm("mul %" m "[s]\n\tmov %%rax, %q[l]" ASM_FLAGS                                       \
            : [l] "=&r"(low), "=&d"(high), "+a"(ax) : [s] "r"(s) : "cc");                       \
    }                                                                                           \
    set_##bits(cpu, R_RAX, low);                                                                \
    set_##bits(cpu, R_RDX, high);                                                               \
    flags_from_ax(cpu, (uint32_t)ax);                                                           \
    NEXT(u);                                                                                    \
}
WIDE_MUL(16, "w")
WIDE_MUL(32, "k")
WIDE_MUL(64, "q")

/* ---- DIV IDIV: #DE is found out before the host divides ---- */

static G_NORETURN void divide_error(TcgCpu *cpu, const UOp *u)
{
    tcg_raise(cpu, u, EXC_DE);
}

static const UOp *wide_div_8(TcgCpu *cpu, const UOp *u, uint8_t s, bool is_signed)
{
    uint16_t n = *tcg_reg16(cpu, R_RAX);

    if (s == 0) {
        divide_error(cpu, u);
    }
    if (is_signed) {
        int q = (int16_t)n / (int8_t)s, r = (int16_t)n % (int8_t)s;

        if (q != (int8_t)q) {
            divide_error(cpu, u);
        }
        *tcg_reg16(cpu, R_RAX) = (uint16_t)((uint8_t)q | (r & 0xff) << 8);
    } else {
        unsigned q = n / s, r = n % s;

        if (q > UINT8_MAX) {
            divide_error(cpu, u);
        }
        *tcg_reg16(cpu, R_RAX) = (uint16_t)(q | r << 8);
    }
    NEXT(u);
}

#define WIDE_DIV(bits, Signed, Wide)                                                            \
static const UOp *wide_div_##bits(TcgCpu *cpu, const UOp *u, TYPE_##bits s, bool is_signed)     \
{                                                                                               \
    uint64_t n = (uint64_t)get_##bits(cpu, R_RDX) << bits | get_##bits(cpu, R_RAX);             \
                                                                                                \
    if (s == 0) {                                                                               \
        divide_error(cpu, u);                                                                   \
    }                                                                                           \
    if (is_signed) {                                                                            \
        int64_t d = (Signed)s, q, r;                                                            \
                                                                                                \
        if (d == -1 && (Wide)n == (Wide)(UINT64_C(1) << (2 * bits - 1))) {                      \
            divide_error(cpu, u);                                                               \
        }                                                                                       \
        q = (Wide)n / d;                                                                        \
        r = (Wide)n % d;                                                                        \
        if (q != (Signed)q) {                                                                   \
            divide_error(cpu, u);                                                               \
        }                                                                                       \
        set_##bits(cpu, R_RAX, (TYPE_##bits)q);                                                 \
        set_##bits(cpu, R_RDX, (TYPE_##bits)r);                                                 \
    } else {                                                                                    \
        uint64_t q = n / s;                                                                     \
                                                                                                \
        if (q != (TYPE_##bits)q) {                                                              \
            divide_error(cpu, u);                                                               \
        }                                                                                       \
        set_##bits(cpu, R_RAX, (TYPE_##bits)q);                                                 \
        set_##bits(cpu, R_RDX, (TYPE_##bits)(n % s));                                           \
    }                                                                                           \
    NEXT(u);                                                                                    \
}
WIDE_DIV(16, int16_t, int32_t)
WIDE_DIV(32, int32_t, int64_t)

__extension__ typedef __int128 Int128;
__extension__ typedef unsigned __int128 Uint128;

static G_NO_INLINE bool signed_div_128(uint64_t *rax, uint64_t *rdx, int64_t d)
{
    Int128 n = (Int128)((Uint128)*rdx << 64 | *rax), q;

    if (d == -1 && n == (Int128)((Uint128)1 << 127)) {
        return false;
    }
    q = n / d;
    if (q != (int64_t)q) {
        return false;
    }
    *rax = (uint64_t)q;
    *rdx = (uint64_t)(n % d);
    return true;
}

static const UOp *wide_div_64(TcgCpu *cpu, const UOp *u, uint64_t s, bool is_signed)
{
    uint64_t *rax = &cpu->x86.gpr[R_RAX], *rdx = &cpu->x86.gpr[R_RDX];

    if (s == 0) {
        divide_error(cpu, u);
    }
    if (is_signed) {
        if (!signed_div_128(rax, rdx, (int64_t)s)) {
            divide_error(cpu, u);
        }
    } else {
        if (*rdx >= s) {
            divide_error(cpu, u);
        }
        asm("divq %[s]" : "+a"(*rax), "+d"(*rdx) : [s] "r"(s) : "cc");
    }
    NEXT(u);
}

/* ---- forms of the one-operand instructions ---- */

#define ONE_OPERAND(op, kernel, is_signed, bits)                                                \
static const UOp *op##_r_##bits(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    return kernel##_##bits(cpu, u, get_##bits(cpu, u->r1), is_signed);                          \
}                                                                                               \
static const UOp *op##_m_##bits(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, bits / 8, ACCESS_READ);                                      \
                                                                                                \
    return kernel##_##bits(cpu, u, tcg_load##bits(cpu, u, addr), is_signed);                    \
}
#define ONE_OPERAND_SIZES(op, kernel, is_signed)                                                \
    ONE_OPERAND(op, kernel, is_signed, 8)                                                       \
    ONE_OPERAND(op, kernel, is_signed, 16)                                                      \
    ONE_OPERAND(op, kernel, is_signed, 32)                                                      \
    ONE_OPERAND(op, kernel, is_signed, 64)                                                      \
    static const OneOperand op##_op = { { op##_r_8, op##_r_16, op##_r_32, op##_r_64 },          \
                                        { op##_m_8, op##_m_16, op##_m_32, op##_m_64 } };
typedef struct OneOperand { UOpBySize r, m; } OneOperand;
ONE_OPERAND_SIZES(mul, wide_mul, false)
ONE_OPERAND_SIZES(imul, wide_mul, true)
ONE_OPERAND_SIZES(div, wide_div, false)
ONE_OPERAND_SIZES(idiv, wide_div, true)

/* ---- IMUL of two and three operands ---- */

#define IMUL_KERNEL(bits, m)                                                                    \
static inline TYPE_##bits imul2_##bits(TcgCpu *cpu, TYPE_##bits d, TYPE_##bits s)               \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    asm("imul %" m "[s], %" m "[d]" ASM_FLAGS : [d] "+r"(d), "=&a"(ax) : [s] "r"(s) : "cc");    \
    flags_from_ax(cpu, ax);                                                                     \
    return d;                                                                                   \
}                                                                                               \
static const UOp *imul_rr_##bits(TcgCpu *cpu, const UOp *u)                                     \
{                                                                                               \
    set_##bits(cpu, u->r1, imul2_##bits(cpu, get_##bits(cpu, u->r1), get_##bits(cpu, u->r2)));  \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *imul_rm_##bits(TcgCpu *cpu, const UOp *u)                                     \
{                                                                                               \
    TYPE_##bits s = tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ));              \
                                                                                                \
    set_##bits(cpu, u->r1, imul2_##bits(cpu, get_##bits(cpu, u->r1), s));                       \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *imul_rri_##bits(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    set_##bits(cpu, u->r1, imul2_##bits(cpu, get_##bits(cpu, u->r2), (TYPE_##bits)u->imm));     \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *imul_rmi_##bits(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    TYPE_##bits s = tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ));              \
                                                                                                \
    set_##bits(cpu, u->r1, imul2_##bits(cpu, s, (TYPE_##bits)u->imm));                          \
    NEXT(u);                                                                                    \
}
IMUL_KERNEL(16, "w")
IMUL_KERNEL(32, "k")
IMUL_KERNEL(64, "q")

/* ---- decimal adjustment: SDM 2, AAA AAD AAM AAS DAA DAS ---- */

/* SF ZF PF of an 8-bit result. */
static uint32_t result_flags(uint8_t value)
{
    return (value & 0x80 ? RFLAGS_SF : 0) | (value == 0 ? RFLAGS_ZF : 0) |
           (__builtin_parity(value) ? 0 : RFLAGS_PF);
}

static const UOp *op_daa_das(TcgCpu *cpu, const UOp *u)
{
    uint8_t old = *tcg_reg8(cpu, 0), al = old;
    bool carry = cpu->x86.rflags & RFLAGS_CF, subtract = u->aux;
    bool low = (old & 15) > 9 || cpu->x86.rflags & RFLAGS_AF;
    bool high = old > 0x99 || carry;
    bool borrow = low && subtract && old < 6;

    al = (uint8_t)(subtract ? al - (low ? 6 : 0) - (high ? 0x60 : 0)
                            : al + (low ? 6 : 0) + (high ? 0x60 : 0));
    *tcg_reg8(cpu, 0) = al;
    flags_set(cpu, RFLAGS_ARITH & ~RFLAGS_OF, result_flags(al) | (low ? RFLAGS_AF : 0) |
              (high || borrow ? RFLAGS_CF : 0));
    NEXT(u);
}

static const UOp *op_aaa_aas(TcgCpu *cpu, const UOp *u)
{
    uint16_t *ax = tcg_reg16(cpu, R_RAX);
    bool adjust = (*ax & 15) > 9 || cpu->x86.rflags & RFLAGS_AF;

    if (adjust) {
        *ax = (uint16_t)(u->aux ? *ax - 0x106 : *ax + 0x106);
    }
    *ax &= 0xff0f;
    flags_set(cpu, RFLAGS_AF | RFLAGS_CF, adjust ? RFLAGS_AF | RFLAGS_CF : 0);
    NEXT(u);
}

static const UOp *op_aam(TcgCpu *cpu, const UOp *u)
{
    uint8_t al = *tcg_reg8(cpu, 0), base = (uint8_t)u->imm;

    if (base == 0) {
        divide_error(cpu, u);
    }
    *tcg_reg16(cpu, R_RAX) = (uint16_t)(al / base << 8 | al % base);
    flags_set(cpu, RFLAGS_ARITH, result_flags(al % base));
    NEXT(u);
}

static const UOp *op_aad(TcgCpu *cpu, const UOp *u)
{
    uint16_t ax = *tcg_reg16(cpu, R_RAX);
    uint8_t al = (uint8_t)(ax + (ax >> 8) * (uint8_t)u->imm);

    *tcg_reg16(cpu, R_RAX) = al;
    flags_set(cpu, RFLAGS_ARITH, result_flags(al));
    NEXT(u);
}

/* ---- decoding ---- */

static bool emit_one_operand(DecodeContext *d, const OneOperand *op, bool flags)
{
    unsigned bits = d->ops[0].size, size = size_index(bits);
    bool mem = op_is_mem(&d->ops[0]);
    UOp *u = decode_emit_flags(d, mem ? op->m[size] : op->r[size], NULL, flags ? RFLAGS_ARITH : 0,
                               mem || !flags);

    if (mem) {
        decode_mem(d, u, &d->ops[0]);
    } else {
        u->r1 = decode_gpr(&d->ops[0], bits);
    }
    return true;
}

static bool emit_mul(DecodeContext *d) { return emit_one_operand(d, &mul_op, true); }
static bool emit_div(DecodeContext *d) { return emit_one_operand(d, &div_op, false); }
static bool emit_idiv(DecodeContext *d) { return emit_one_operand(d, &idiv_op, false); }

static bool emit_imul(DecodeContext *d)
{
    static const UOpBySize rr = { NULL, imul_rr_16, imul_rr_32, imul_rr_64 };
    static const UOpBySize rm = { NULL, imul_rm_16, imul_rm_32, imul_rm_64 };
    static const UOpBySize rri = { NULL, imul_rri_16, imul_rri_32, imul_rri_64 };
    static const UOpBySize rmi = { NULL, imul_rmi_16, imul_rmi_32, imul_rmi_64 };
    unsigned n = d->insn->operand_count_visible, size = size_index(d->ops[0].size);
    bool mem, imm = n == 3;
    UOp *u;

    if (n == 1) {
        return emit_one_operand(d, &imul_op, true);
    }
    mem = op_is_mem(&d->ops[1]);
    u = decode_emit_flags(d, imm ? (mem ? rmi[size] : rri[size]) : mem ? rm[size] : rr[size], NULL,
                          RFLAGS_ARITH, mem);
    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    if (mem) {
        decode_mem(d, u, &d->ops[1]);
    } else {
        u->r2 = (uint8_t)decode_reg(&d->ops[1]);
    }
    if (imm) {
        u->imm = d->ops[2].imm.value.u;
    }
    return true;
}

static bool emit_decimal(DecodeContext *d)
{
    ZydisMnemonic m = d->insn->mnemonic;
    bool packed = m == ZYDIS_MNEMONIC_DAA || m == ZYDIS_MNEMONIC_DAS;
    UOp *u = decode_emit(d, packed ? op_daa_das : op_aaa_aas);

    u->aux = m == ZYDIS_MNEMONIC_DAS || m == ZYDIS_MNEMONIC_AAS;
    return true;
}

static bool emit_decimal_base(DecodeContext *d)
{
    UOp *u = decode_emit(d, d->insn->mnemonic == ZYDIS_MNEMONIC_AAM ? op_aam : op_aad);

    u->imm = (uint8_t)d->ops[0].imm.value.u;
    return true;
}

const DecodeRow decode_muldiv_rows[] = {
    { ZYDIS_MNEMONIC_AAA, emit_decimal, false },
    { ZYDIS_MNEMONIC_AAD, emit_decimal_base, false },
    { ZYDIS_MNEMONIC_AAM, emit_decimal_base, false },
    { ZYDIS_MNEMONIC_AAS, emit_decimal, false },
    { ZYDIS_MNEMONIC_DAA, emit_decimal, false },
    { ZYDIS_MNEMONIC_DAS, emit_decimal, false },
    { ZYDIS_MNEMONIC_DIV, emit_div, false },
    { ZYDIS_MNEMONIC_IDIV, emit_idiv, false },
    { ZYDIS_MNEMONIC_IMUL, emit_imul, false },
    { ZYDIS_MNEMONIC_MUL, emit_mul, false },
    {}
};
