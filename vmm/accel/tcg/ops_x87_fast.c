/*
 * Short forms of the x87 instructions programs live on: loads, stores, arithmetic, comparisons.
 *
 * They work while `x87_live` — every exception masked, none pending — and the registers they read
 * are full (the one they push to, empty); otherwise the exact form of ops_x87.c runs.  The host's
 * status word holds the flags of earlier fast operations too, which the guest's has already, so it
 * is simply ORed in.
 */
#include "tcg_ops.h"
#include "tcg_x87.h"

/* A host x87 instruction sequence that leaves the stack empty. */
#define X87_CLOBBERS "st", "st(1)"

/* ---- stack ---- */

static inline bool x87_full(const X86Fpu *fpu, unsigned i)
{
    return fpu->ftw >> x87_phys(fpu, i) & 1;
}

static inline X86Reg80 *x87_st(X86Fpu *fpu, unsigned i) { return &fpu->r[x87_phys(fpu, i)]; }

static inline void x87_set_top(X86Fpu *fpu, unsigned top)
{
    fpu->fsw = (fpu->fsw & ~FSW_TOP_MASK) | (top & 7) << 11;
}

static inline void x87_pop(X86Fpu *fpu)
{
    unsigned top = x87_top(fpu);

    fpu->ftw &= ~(1u << top);
    x87_set_top(fpu, top + 1);
}

static inline X86Reg80 *x87_push(X86Fpu *fpu)
{
    unsigned top = (x87_top(fpu) - 1) & 7;

    fpu->ftw |= 1u << top;
    x87_set_top(fpu, top);
    return &fpu->r[top];
}

/* Flags and C1 from the host. */
static inline void x87_status(X86Fpu *fpu, uint16_t host)
{
    fpu->fsw = (fpu->fsw & ~FSW_C1) | (host & (FSW_FLAGS | FSW_C1));
}

static inline void x87_status_cc(X86Fpu *fpu, uint16_t host)
{
    fpu->fsw = (fpu->fsw & ~FSW_CC) | (host & (FSW_FLAGS | FSW_CC));
}

/* ---- arithmetic ---- */

#define X87_ARITH(name)                                                                         \
static inline uint16_t name##_80(X86Reg80 *d, const X86Reg80 *s)                                \
{                                                                                               \
    uint16_t status;                                                                            \
                                                                                                \
    __asm__ volatile("fldt %2; fldt %1; " #name " %%st(1), %%st; fnstsw %0; "                   \
                     "fstpt %1; fstp %%st(0)"                                                   \
                     : "=&a"(status), "+m"(*d) : "m"(*s) : X87_CLOBBERS);                        \
    return status;                                                                              \
}                                                                                               \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
                                                                                                \
    if (!cpu->x87_live || !x87_full(fpu, u->r1) || !x87_full(fpu, u->r2)) {                    \
        return op_x87_reg(cpu, u);                                                              \
    }                                                                                           \
    x87_status(fpu, name##_80(x87_st(fpu, u->r1), x87_st(fpu, u->r2)));                         \
    x87_note(cpu, u);                                                                           \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_##name##p(TcgCpu *cpu, const UOp *u)                                       \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
                                                                                                \
    if (!cpu->x87_live || !x87_full(fpu, u->r1) || !x87_full(fpu, u->r2)) {                    \
        return op_x87_reg(cpu, u);                                                              \
    }                                                                                           \
    x87_status(fpu, name##_80(x87_st(fpu, u->r1), x87_st(fpu, u->r2)));                         \
    x87_pop(fpu);                                                                               \
    x87_note(cpu, u);                                                                           \
    NEXT(u);                                                                                    \
}                                                                                               \
X87_ARITH_MEM(name, 32, #name "s")                                                              \
X87_ARITH_MEM(name, 64, #name "l")

/*
 * A load is `at`, which does the work on a value in host memory, and the two functions every memory
 * micro-op is: the fast one for flat addresses that hit the TLB, and the slow one, still short of
 * the exact form.
 */
#define X87_MEM_FORMS(name, bits, empty, at)                                                    \
static G_GNUC_NO_INLINE const UOp *op_##name##_m##bits##_slow(TcgCpu *cpu, const UOp *u)         \
{                                                                                               \
    if (!cpu->x87_live || x87_full(&cpu->x86.fpu, (empty) ? 7 : 0) == (empty)) {                \
        return op_x87_load(cpu, u);                                                             \
    }                                                                                           \
    cpu->fp_tmp.u##bits[0] = tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ));     \
    at(cpu, u, (const uint##bits##_t *)&cpu->fp_tmp);                                           \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_##name##_m##bits(TcgCpu *cpu, const UOp *u)                                \
{                                                                                               \
    if (!cpu->x87_live || x87_full(&cpu->x86.fpu, (empty) ? 7 : 0) == (empty)) {                \
        return op_x87_load(cpu, u);                                                             \
    }                                                                                           \
    FAST_MEM(op_##name##_m##bits##_slow, bits, ACCESS_READ);                                    \
    at(cpu, u, (const uint##bits##_t *)host);                                                   \
    NEXT(u);                                                                                    \
}

#define X87_ARITH_MEM(name, bits, insn)                                                         \
static inline void name##_##bits(TcgCpu *cpu, const UOp *u, const uint##bits##_t *value)        \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
    X86Reg80 *d = x87_st(fpu, 0);                                                               \
    uint16_t status;                                                                            \
                                                                                                \
    __asm__ volatile("fldt %1; " insn " %2; fnstsw %0; fstpt %1"                                \
                     : "=&a"(status), "+m"(*d) : "m"(*value) : X87_CLOBBERS);                    \
    x87_status(fpu, status);                                                                    \
    x87_note_mem(cpu, u);                                                                       \
}                                                                                               \
X87_MEM_FORMS(name, bits, false, name##_##bits)

X87_ARITH(fadd)
X87_ARITH(fmul)
X87_ARITH(fsub)
X87_ARITH(fsubr)
X87_ARITH(fdiv)
X87_ARITH(fdivr)

/* Integers from memory. */
#define X87_ARITH_INT(name)                                                                     \
X87_ARITH_MEM(name, 16, #name "s")                                                              \
X87_ARITH_MEM(name, 32, #name "l")

X87_ARITH_INT(fiadd)
X87_ARITH_INT(fimul)
X87_ARITH_INT(fisub)
X87_ARITH_INT(fisubr)
X87_ARITH_INT(fidiv)
X87_ARITH_INT(fidivr)

/* ST(0) alone. */
#define X87_UNARY(name, insn, update)                                                           \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
    uint16_t status;                                                                            \
                                                                                                \
    if (!cpu->x87_live || !x87_full(fpu, 0)) {                                                 \
        return op_x87_reg(cpu, u);                                                              \
    }                                                                                           \
    X86Reg80 *d = x87_st(fpu, 0);                                                               \
                                                                                                \
    __asm__ volatile("fldt %1; " insn "; fnstsw %0; fstpt %1"                                   \
                     : "=&a"(status), "+m"(*d) : : X87_CLOBBERS);                                \
    update(fpu, status);                                                                        \
    x87_note(cpu, u);                                                                           \
    NEXT(u);                                                                                    \
}
X87_UNARY(fchs, "fchs", x87_status)
X87_UNARY(fabs, "fabs", x87_status)
X87_UNARY(fsqrt, "fsqrt", x87_status)
X87_UNARY(frndint, "frndint", x87_status)
X87_UNARY(ftst, "ftst", x87_status_cc)
X87_UNARY(fxam, "fxam", x87_status_cc)

/* ---- comparisons ---- */

static inline void x87_pop_many(X86Fpu *fpu, unsigned pops)
{
    for (unsigned i = 0; i < pops; i++) {
        x87_pop(fpu);
    }
}

#define X87_COMPARE(name, insn, pops)                                                           \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
    unsigned other = pops == 2 ? 1 : u->r2;                                                     \
    uint16_t status;                                                                            \
                                                                                                \
    if (!cpu->x87_live || !x87_full(fpu, 0) || !x87_full(fpu, other)) {                        \
        return op_x87_reg(cpu, u);                                                              \
    }                                                                                           \
    __asm__ volatile("fldt %2; fldt %1; " insn " %%st(1); fnstsw %0; fstp %%st(0); fstp %%st(0)" \
                     : "=&a"(status) : "m"(*x87_st(fpu, 0)), "m"(*x87_st(fpu, other))            \
                     : X87_CLOBBERS);                                                           \
    x87_status_cc(fpu, status);                                                                 \
    x87_pop_many(fpu, pops);                                                                    \
    x87_note(cpu, u);                                                                           \
    NEXT(u);                                                                                    \
}
X87_COMPARE(fcom, "fcom", 0)
X87_COMPARE(fcomp, "fcom", 1)
X87_COMPARE(fcompp, "fcom", 2)
X87_COMPARE(fucom, "fucom", 0)
X87_COMPARE(fucomp, "fucom", 1)
X87_COMPARE(fucompp, "fucom", 2)

#define X87_COMPARE_MEM(name, insn, bits, pops)                                                 \
static inline void name##_##bits(TcgCpu *cpu, const UOp *u, const uint##bits##_t *value)        \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
    uint16_t status;                                                                            \
                                                                                                \
    __asm__ volatile("fldt %1; " insn " %2; fnstsw %0; fstp %%st(0)"                            \
                     : "=&a"(status) : "m"(*x87_st(fpu, 0)), "m"(*value) : X87_CLOBBERS);        \
    x87_status_cc(fpu, status);                                                                 \
    x87_pop_many(fpu, pops);                                                                    \
    x87_note_mem(cpu, u);                                                                       \
}                                                                                               \
X87_MEM_FORMS(name, bits, false, name##_##bits)
X87_COMPARE_MEM(fcom, "fcoms", 32, 0)
X87_COMPARE_MEM(fcom, "fcoml", 64, 0)
X87_COMPARE_MEM(fcomp, "fcoms", 32, 1)
X87_COMPARE_MEM(fcomp, "fcoml", 64, 1)
X87_COMPARE_MEM(ficom, "ficoms", 16, 0)
X87_COMPARE_MEM(ficom, "ficoml", 32, 0)
X87_COMPARE_MEM(ficomp, "ficoms", 16, 1)
X87_COMPARE_MEM(ficomp, "ficoml", 32, 1)

/*
 * LAHF after the comparison: OF is always cleared, the rest is in AH in RFLAGS' places.  C1 stays.
 */
#define X87_COMPARE_FLAGS(name, insn, pops)                                                     \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
    uint16_t ax;                                                                                \
                                                                                                \
    if (!cpu->x87_live || !x87_full(fpu, 0) || !x87_full(fpu, u->r2)) {                        \
        return op_x87_reg_flags(cpu, u);                                                        \
    }                                                                                           \
    __asm__ volatile("fldt %3; fldt %2; " insn " %%st(1), %%st; lahf; fnstsw %1; "              \
                     "fstp %%st(0); fstp %%st(0)"                                               \
                     : "=&a"(ax), "=m"(cpu->fp_tmp.u16[0])                                      \
                     : "m"(*x87_st(fpu, 0)), "m"(*x87_st(fpu, u->r2))                           \
                     : X87_CLOBBERS, "cc");                                                     \
    fpu->fsw |= cpu->fp_tmp.u16[0] & FSW_FLAGS;                                                 \
    cpu->x86.rflags = (cpu->x86.rflags & ~(uint64_t)RFLAGS_ARITH) | (ax >> 8 & RFLAGS_ARITH);   \
    x87_pop_many(fpu, pops);                                                                    \
    x87_note(cpu, u);                                                                           \
    NEXT(u);                                                                                    \
}
X87_COMPARE_FLAGS(fcomi, "fcomi", 0)
X87_COMPARE_FLAGS(fcomip, "fcomi", 1)
X87_COMPARE_FLAGS(fucomi, "fucomi", 0)
X87_COMPARE_FLAGS(fucomip, "fucomi", 1)

/* ---- loads ---- */

#define X87_LOAD(name, insn, bits)                                                              \
static inline void name##_##bits(TcgCpu *cpu, const UOp *u, const uint##bits##_t *value)        \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
    X86Reg80 *d = x87_push(fpu);                                                                \
    uint16_t status;                                                                            \
                                                                                                \
    __asm__ volatile(insn " %2; fnstsw %0; fstpt %1"                                            \
                     : "=&a"(status), "+m"(*d) : "m"(*value) : X87_CLOBBERS);                    \
    x87_status(fpu, status);                                                                    \
    x87_note_mem(cpu, u);                                                                       \
}                                                                                               \
X87_MEM_FORMS(name, bits, true, name##_##bits)
X87_LOAD(fld, "flds", 32)
X87_LOAD(fld, "fldl", 64)
X87_LOAD(fild, "filds", 16)
X87_LOAD(fild, "fildl", 32)
X87_LOAD(fild, "fildll", 64)

static const UOp *op_fld_m80(TcgCpu *cpu, const UOp *u)
{
    X86Fpu *fpu = &cpu->x86.fpu;

    if (!cpu->x87_live || x87_full(fpu, 7)) {
        return op_x87_load(cpu, u);
    }
    uint64_t addr = tcg_ea(cpu, u, 10, ACCESS_READ);
    uint64_t mantissa = tcg_load64(cpu, u, addr);
    uint16_t sign_exp = tcg_load16(cpu, u, addr + 8);
    X86Reg80 *d = x87_push(fpu);

    d->mantissa = mantissa;
    d->sign_exp = sign_exp;
    x87_status(fpu, 0);
    x87_note_mem(cpu, u);
    NEXT(u);
}

static const UOp *op_fld_st(TcgCpu *cpu, const UOp *u)
{
    X86Fpu *fpu = &cpu->x86.fpu;

    if (!cpu->x87_live || x87_full(fpu, 7) || !x87_full(fpu, u->r1)) {
        return op_x87_reg(cpu, u);
    }
    const X86Reg80 *s = x87_st(fpu, u->r1);

    *x87_push(fpu) = *s;
    x87_status(fpu, 0);
    x87_note(cpu, u);
    NEXT(u);
}

#define X87_CONSTANT(name)                                                                      \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
                                                                                                \
    if (!cpu->x87_live || x87_full(fpu, 7)) {                                                  \
        return op_x87_reg(cpu, u);                                                              \
    }                                                                                           \
    X86Reg80 *d = x87_push(fpu);                                                                \
                                                                                                \
    __asm__ volatile(#name "; fstpt %0" : "+m"(*d) : : X87_CLOBBERS);                           \
    x87_status(fpu, 0);                                                                         \
    x87_note(cpu, u);                                                                           \
    NEXT(u);                                                                                    \
}
X87_CONSTANT(fld1)
X87_CONSTANT(fldz)
X87_CONSTANT(fldl2e)
X87_CONSTANT(fldl2t)
X87_CONSTANT(fldlg2)
X87_CONSTANT(fldln2)
X87_CONSTANT(fldpi)

/* ---- stores ---- */

/*
 * Only to memory that cannot fault any more: the host's status word must not gather flags of an
 * instruction that did not happen.
 */
#define X87_STORE(name, insn, bits, pops)                                                       \
static inline void name##_##bits(TcgCpu *cpu, const UOp *u, void *host)                         \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
    uint16_t status;                                                                            \
                                                                                                \
    __asm__ volatile("fldt %1; " insn " (%2); fnstsw %0"                                        \
                     : "=&a"(status) : "m"(*x87_st(fpu, 0)), "r"(host) : X87_CLOBBERS, "memory"); \
    x87_status(fpu, status);                                                                    \
    x87_pop_many(fpu, pops);                                                                    \
    x87_note_mem(cpu, u);                                                                       \
}                                                                                               \
static G_GNUC_NO_INLINE const UOp *op_##name##_m##bits##_slow(TcgCpu *cpu, const UOp *u)         \
{                                                                                               \
    void *host = tcg_tlb_hit(cpu, tcg_ea(cpu, u, bits / 8, ACCESS_WRITE), bits / 8, ACCESS_WRITE); \
                                                                                                \
    if (host == NULL) {                                                                         \
        return op_x87_store(cpu, u);                                                            \
    }                                                                                           \
    name##_##bits(cpu, u, host);                                                                \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_##name##_m##bits(TcgCpu *cpu, const UOp *u)                                \
{                                                                                               \
    if (!cpu->x87_live || !x87_full(&cpu->x86.fpu, 0)) {                                        \
        return op_x87_store(cpu, u);                                                            \
    }                                                                                           \
    FAST_MEM(op_##name##_m##bits##_slow, bits, ACCESS_WRITE);                                   \
    name##_##bits(cpu, u, host);                                                                \
    NEXT(u);                                                                                    \
}
X87_STORE(fst, "fstps", 32, 0)
X87_STORE(fst, "fstpl", 64, 0)
X87_STORE(fstp, "fstps", 32, 1)
X87_STORE(fstp, "fstpl", 64, 1)
X87_STORE(fist, "fistps", 16, 0)
X87_STORE(fist, "fistpl", 32, 0)
X87_STORE(fistp, "fistps", 16, 1)
X87_STORE(fistp, "fistpl", 32, 1)
X87_STORE(fistp, "fistpll", 64, 1)
X87_STORE(fisttp, "fisttps", 16, 1)
X87_STORE(fisttp, "fisttpl", 32, 1)
X87_STORE(fisttp, "fisttpll", 64, 1)

static const UOp *op_fstp_m80(TcgCpu *cpu, const UOp *u)
{
    X86Fpu *fpu = &cpu->x86.fpu;

    if (!cpu->x87_live || !x87_full(fpu, 0)) {
        return op_x87_store(cpu, u);
    }
    tcg_store_bytes(cpu, u, tcg_ea(cpu, u, 10, ACCESS_WRITE), x87_st(fpu, 0), 10);
    x87_status(fpu, 0);
    x87_pop(fpu);
    x87_note_mem(cpu, u);
    NEXT(u);
}

#define X87_STORE_ST(name, pops)                                                                \
static const UOp *op_##name##_st(TcgCpu *cpu, const UOp *u)                                     \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
                                                                                                \
    if (!cpu->x87_live || !x87_full(fpu, 0)) {                                                 \
        return op_x87_reg(cpu, u);                                                              \
    }                                                                                           \
    unsigned phys = x87_phys(fpu, u->r1);                                                       \
                                                                                                \
    fpu->r[phys] = *x87_st(fpu, 0);                                                             \
    fpu->ftw |= 1u << phys;                                                                     \
    x87_status(fpu, 0);                                                                         \
    x87_pop_many(fpu, pops);                                                                    \
    x87_note(cpu, u);                                                                           \
    NEXT(u);                                                                                    \
}
X87_STORE_ST(fst, 0)
X87_STORE_ST(fstp, 1)

static const UOp *op_fxch(TcgCpu *cpu, const UOp *u)
{
    X86Fpu *fpu = &cpu->x86.fpu;

    if (!cpu->x87_live || !x87_full(fpu, 0) || !x87_full(fpu, u->r1)) {
        return op_x87_reg(cpu, u);
    }
    X86Reg80 *a = x87_st(fpu, 0), *b = x87_st(fpu, u->r1), old = *a;

    *a = *b;
    *b = old;
    x87_status(fpu, 0);
    x87_note(cpu, u);
    NEXT(u);
}

/* C1 stays. */
#define X87_CMOV(name, cc)                                                                      \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    X86Fpu *fpu = &cpu->x86.fpu;                                                                \
                                                                                                \
    if (!cpu->x87_live || !x87_full(fpu, 0) || !x87_full(fpu, u->r2)) {                         \
        return op_x87_reg(cpu, u);                                                              \
    }                                                                                           \
    if (flags_test(cpu, cc)) {                                                                  \
        *x87_st(fpu, 0) = *x87_st(fpu, u->r2);                                                  \
    }                                                                                           \
    x87_note(cpu, u);                                                                           \
    NEXT(u);                                                                                    \
}
X87_CMOV(fcmovb, 2)
X87_CMOV(fcmovnb, 3)
X87_CMOV(fcmove, 4)
X87_CMOV(fcmovne, 5)
X87_CMOV(fcmovbe, 6)
X87_CMOV(fcmovnbe, 7)
X87_CMOV(fcmovu, 10)
X87_CMOV(fcmovnu, 11)

/* ---- which form is fast ---- */

typedef struct FastRow {
    ZydisMnemonic mnemonic;
    UOpFn reg, m16, m32, m64, m80;
} FastRow;

#define FAST(name, ...)     { ZYDIS_MNEMONIC_##name, __VA_ARGS__ }
#define FAST_ARITH(NAME, name) \
    FAST(NAME, op_##name, .m32 = op_##name##_m32, .m64 = op_##name##_m64), \
    FAST(NAME##P, op_##name##p)

#define FAST_INT(NAME, name)    FAST(NAME, .m16 = op_##name##_m16, .m32 = op_##name##_m32)

static const FastRow fast_rows[] = {
    FAST_ARITH(FADD, fadd), FAST_ARITH(FMUL, fmul), FAST_ARITH(FSUB, fsub),
    FAST_ARITH(FSUBR, fsubr), FAST_ARITH(FDIV, fdiv), FAST_ARITH(FDIVR, fdivr),
    FAST(FLD, op_fld_st, .m32 = op_fld_m32, .m64 = op_fld_m64, .m80 = op_fld_m80),
    FAST(FST, op_fst_st, .m32 = op_fst_m32, .m64 = op_fst_m64),
    FAST(FSTP, op_fstp_st, .m32 = op_fstp_m32, .m64 = op_fstp_m64, .m80 = op_fstp_m80),
    FAST(FILD, .m16 = op_fild_m16, .m32 = op_fild_m32, .m64 = op_fild_m64),
    FAST(FIST, .m16 = op_fist_m16, .m32 = op_fist_m32),
    FAST(FISTP, .m16 = op_fistp_m16, .m32 = op_fistp_m32, .m64 = op_fistp_m64),
    FAST(FISTTP, .m16 = op_fisttp_m16, .m32 = op_fisttp_m32, .m64 = op_fisttp_m64),
    FAST(FXCH, op_fxch), FAST(FLD1, op_fld1), FAST(FLDZ, op_fldz), FAST(FCHS, op_fchs),
    FAST(FABS, op_fabs), FAST(FSQRT, op_fsqrt), FAST(FRNDINT, op_frndint), FAST(FTST, op_ftst),
    FAST(FLDL2E, op_fldl2e), FAST(FLDL2T, op_fldl2t), FAST(FLDLG2, op_fldlg2),
    FAST(FLDLN2, op_fldln2), FAST(FLDPI, op_fldpi),
    FAST(FCMOVB, op_fcmovb), FAST(FCMOVBE, op_fcmovbe), FAST(FCMOVE, op_fcmove),
    FAST(FCMOVNB, op_fcmovnb), FAST(FCMOVNBE, op_fcmovnbe), FAST(FCMOVNE, op_fcmovne),
    FAST(FCMOVNU, op_fcmovnu), FAST(FCMOVU, op_fcmovu),
    FAST_INT(FIADD, fiadd), FAST_INT(FIMUL, fimul), FAST_INT(FISUB, fisub),
    FAST_INT(FISUBR, fisubr), FAST_INT(FIDIV, fidiv), FAST_INT(FIDIVR, fidivr),
    FAST_INT(FICOM, ficom), FAST_INT(FICOMP, ficomp),
    FAST(FXAM, op_fxam), FAST(FCOM, op_fcom, .m32 = op_fcom_m32, .m64 = op_fcom_m64),
    FAST(FCOMP, op_fcomp, .m32 = op_fcomp_m32, .m64 = op_fcomp_m64), FAST(FCOMPP, op_fcompp),
    FAST(FUCOM, op_fucom), FAST(FUCOMP, op_fucomp), FAST(FUCOMPP, op_fucompp),
    FAST(FCOMI, op_fcomi), FAST(FCOMIP, op_fcomip), FAST(FUCOMI, op_fucomi),
    FAST(FUCOMIP, op_fucomip),
};

UOpFn x87_fast_form(const DecodeContext *d, const ZydisDecodedOperand *mem)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(fast_rows); i++) {
        const FastRow *row = &fast_rows[i];

        if (row->mnemonic != d->insn->mnemonic) {
            continue;
        }
        if (mem == NULL) {
            return row->reg;
        }
        return mem->size == 16 ? row->m16 : mem->size == 32 ? row->m32 :
               mem->size == 64 ? row->m64 : row->m80;
    }
    return NULL;
}
