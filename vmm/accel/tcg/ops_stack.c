/* PUSH, POP and their families, ENTER, LEAVE. */
#include "tcg_ops.h"

/* ---- any mode ---- */

static uint64_t stack_mask(const TcgCpu *cpu)
{
    uint32_t mode = cpu->x86.mode;

    return mode & CPU_MODE_CS64 ? UINT64_MAX : mode & CPU_MODE_SS32 ? UINT32_MAX : 0xffff;
}

/* Sets SP in the stack's width: a 16-bit one leaves the rest of the register. */
static void stack_set(TcgCpu *cpu, uint64_t sp, uint64_t mask)
{
    uint64_t keep = mask == 0xffff ? cpu->x86.gpr[R_RSP] & ~mask : 0;

    cpu->x86.gpr[R_RSP] = keep | (sp & mask);
}

static uint64_t load_bits(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned bits)
{
    return bits == 16 ? tcg_load16(cpu, u, addr) : bits == 32 ? tcg_load32(cpu, u, addr)
                                                              : tcg_load64(cpu, u, addr);
}

static void store_bits(TcgCpu *cpu, const UOp *u, uint64_t addr, uint64_t value, unsigned bits)
{
    switch (bits) {
    case 16: tcg_store16(cpu, u, addr, (uint16_t)value); break;
    case 32: tcg_store32(cpu, u, addr, (uint32_t)value); break;
    default: tcg_store64(cpu, u, addr, value); break;
    }
}

/* Stores at SP + depth (negative: below), SP stays. */
static void stack_write(TcgCpu *cpu, const UOp *u, int64_t depth, uint64_t value, unsigned bits)
{
    uint64_t sp = (cpu->x86.gpr[R_RSP] + depth) & stack_mask(cpu);

    store_bits(cpu, u, tcg_linear(cpu, u, SEG_SS, sp, bits / 8, ACCESS_WRITE), value, bits);
}

void tcg_push(TcgCpu *cpu, const UOp *u, uint64_t value, unsigned bits)
{
    stack_write(cpu, u, -(int64_t)(bits / 8), value, bits);
    tcg_stack_move(cpu, -(int64_t)(bits / 8));
}

uint64_t tcg_stack_read(TcgCpu *cpu, const UOp *u, uint64_t depth, unsigned bits)
{
    uint64_t sp = (cpu->x86.gpr[R_RSP] + depth) & stack_mask(cpu);

    return load_bits(cpu, u, tcg_linear(cpu, u, SEG_SS, sp, bits / 8, ACCESS_READ), bits);
}

void tcg_stack_move(TcgCpu *cpu, int64_t bytes)
{
    stack_set(cpu, cpu->x86.gpr[R_RSP] + bytes, stack_mask(cpu));
}

/* ---- PUSH: operand size in `aux` ---- */

static uint64_t reg_bits(TcgCpu *cpu, unsigned reg, unsigned bits)
{
    return bits == 16 ? (uint16_t)cpu->x86.gpr[reg] : cpu->x86.gpr[reg];
}

static G_NO_INLINE const UOp *push64_r_slow(TcgCpu *cpu, const UOp *u)
{
    tcg_push(cpu, u, cpu->x86.gpr[u->r1], 64);
    NEXT(u);
}

static const UOp *push64_r(TcgCpu *cpu, const UOp *u)
{
    FAST_AT(push64_r_slow, cpu->x86.gpr[R_RSP] - 8, 64, ACCESS_WRITE);
    HOST_SET(cpu->x86.gpr[u->r1]);
    cpu->x86.gpr[R_RSP] = addr_;
    NEXT(u);
}

static G_NO_INLINE const UOp *push64_i_slow(TcgCpu *cpu, const UOp *u)
{
    tcg_push(cpu, u, u->imm, 64);
    NEXT(u);
}

static const UOp *push64_i(TcgCpu *cpu, const UOp *u)
{
    FAST_AT(push64_i_slow, cpu->x86.gpr[R_RSP] - 8, 64, ACCESS_WRITE);
    HOST_SET(u->imm);
    cpu->x86.gpr[R_RSP] = addr_;
    NEXT(u);
}

static const UOp *push_r(TcgCpu *cpu, const UOp *u)
{
    tcg_push(cpu, u, reg_bits(cpu, u->r1, u->aux), u->aux);
    NEXT(u);
}

static const UOp *push_i(TcgCpu *cpu, const UOp *u)
{
    tcg_push(cpu, u, u->imm, u->aux);
    NEXT(u);
}

static const UOp *push_m(TcgCpu *cpu, const UOp *u)
{
    uint64_t addr = tcg_ea(cpu, u, u->aux / 8, ACCESS_READ);

    tcg_push(cpu, u, load_bits(cpu, u, addr, u->aux), u->aux);
    NEXT(u);
}

/* Processors write 16 bits and leave the rest of the slot; SP moves by the operand size. */
static const UOp *push_seg(TcgCpu *cpu, const UOp *u)
{
    stack_write(cpu, u, -(int64_t)(u->aux / 8), cpu->x86.seg[u->r1].selector, 16);
    tcg_stack_move(cpu, -(int64_t)(u->aux / 8));
    NEXT(u);
}

static bool is_segment(const ZydisDecodedOperand *op)
{
    return op_is_reg(op) && ZydisRegisterGetClass(op->reg.value) == ZYDIS_REGCLASS_SEGMENT;
}

static bool emit_push(DecodeContext *d)
{
    const ZydisDecodedOperand *op = &d->ops[0];
    bool fast = d->code64 && d->operand_bits == 64;
    UOp *u;

    if (is_segment(op)) {
        u = decode_emit(d, push_seg);
        u->r1 = (uint8_t)decode_reg(op);
    } else if (op_is_imm(op)) {
        u = decode_emit(d, fast ? push64_i : push_i);
        u->imm = op->imm.value.u;
        u->base = R_RSP;
    } else if (op_is_mem(op)) {
        u = decode_emit(d, push_m);
        decode_mem(d, u, op);
    } else {
        u = decode_emit(d, fast ? push64_r : push_r);
        u->r1 = (uint8_t)decode_reg(op);
        u->base = R_RSP;
    }
    u->aux = d->operand_bits;
    return true;
}

/* ---- POP ---- */

static G_NO_INLINE const UOp *pop64_r_slow(TcgCpu *cpu, const UOp *u)
{
    uint64_t value = tcg_stack_read(cpu, u, 0, 64);

    cpu->x86.gpr[R_RSP] += 8;
    cpu->x86.gpr[u->r1] = value;
    NEXT(u);
}

static const UOp *pop64_r(TcgCpu *cpu, const UOp *u)
{
    FAST_AT(pop64_r_slow, cpu->x86.gpr[R_RSP], 64, ACCESS_READ);
    uint64_t value = HOST_GET();

    cpu->x86.gpr[R_RSP] = addr_ + 8;
    cpu->x86.gpr[u->r1] = value;        /* after RSP: it may be RSP */
    NEXT(u);
}

static const UOp *pop_r(TcgCpu *cpu, const UOp *u)
{
    uint64_t value = tcg_stack_read(cpu, u, 0, u->aux);

    tcg_stack_move(cpu, u->aux / 8);
    if (u->aux == 16) {
        *tcg_reg16(cpu, u->r1) = (uint16_t)value;
    } else {
        cpu->x86.gpr[u->r1] = value;
    }
    NEXT(u);
}

/* The address counts from the SP after the pop: the decoder added that to `disp`. */
static const UOp *pop_m(TcgCpu *cpu, const UOp *u)
{
    uint64_t value = tcg_stack_read(cpu, u, 0, u->aux);

    store_bits(cpu, u, tcg_ea(cpu, u, u->aux / 8, ACCESS_WRITE), value, u->aux);
    tcg_stack_move(cpu, u->aux / 8);
    NEXT(u);
}

static const UOp *pop_seg(TcgCpu *cpu, const UOp *u)
{
    uint16_t selector = (uint16_t)tcg_stack_read(cpu, u, 0, 16);
    uint64_t mask = stack_mask(cpu);    /* loading SS may change it */
    uint64_t sp = cpu->x86.gpr[R_RSP] + u->aux / 8;

    tcg_load_seg(cpu, u, u->r1, selector);
    stack_set(cpu, sp, mask);
    if (u->r1 == SEG_SS) {
        cpu->x86.intr_shadow = 2;
    }
    NEXT(u);
}

static bool emit_pop(DecodeContext *d)
{
    const ZydisDecodedOperand *op = &d->ops[0];
    UOp *u;

    if (is_segment(op)) {
        u = decode_emit(d, pop_seg);
        u->r1 = (uint8_t)decode_reg(op);
        decode_end(d);
    } else if (op_is_mem(op)) {
        u = decode_emit(d, pop_m);
        decode_mem(d, u, op);
        if (u->base == R_RSP) {
            u->disp += d->operand_bits / 8;
        }
    } else {
        u = decode_emit(d, d->code64 && d->operand_bits == 64 ? pop64_r : pop_r);
        u->r1 = (uint8_t)decode_reg(op);
        u->base = R_RSP;
    }
    u->aux = d->operand_bits;
    return true;
}

/* ---- PUSHA POPA ---- */

static const UOp *op_pusha(TcgCpu *cpu, const UOp *u)
{
    unsigned size = u->aux / 8;

    /* Last slot first: a fault there must come before anything is written. */
    stack_write(cpu, u, -8 * (int64_t)size, cpu->x86.gpr[R_RDI], u->aux);
    for (unsigned i = 0; i < 8; i++) {
        stack_write(cpu, u, -(int64_t)((i + 1) * size), cpu->x86.gpr[i], u->aux);
    }
    tcg_stack_move(cpu, -8 * (int64_t)size);
    NEXT(u);
}

static const UOp *op_popa(TcgCpu *cpu, const UOp *u)
{
    unsigned size = u->aux / 8;
    uint64_t value[8];

    for (unsigned i = 0; i < 8; i++) {
        value[i] = tcg_stack_read(cpu, u, (7 - i) * size, u->aux);
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i == R_RSP) {
            continue;
        }
        if (u->aux == 16) {
            *tcg_reg16(cpu, i) = (uint16_t)value[i];
        } else {
            cpu->x86.gpr[i] = value[i];
        }
    }
    tcg_stack_move(cpu, 8 * (int64_t)size);
    NEXT(u);
}

static bool emit_all(DecodeContext *d, UOpFn fn)
{
    decode_emit(d, fn)->aux = d->operand_bits;
    return true;
}

static bool emit_pusha(DecodeContext *d) { return emit_all(d, op_pusha); }
static bool emit_popa(DecodeContext *d) { return emit_all(d, op_popa); }

/* ---- PUSHF POPF ---- */

/* In v8086 mode with IOPL below 3 both are #GP; virtual-8086 extensions are not offered. */
static bool flags_forbidden(const DecodeContext *d)
{
    return d->mode & CPU_MODE_VM86 && !(d->mode & CPU_MODE_IOPL3);
}

static const UOp *op_pushf(TcgCpu *cpu, const UOp *u)
{
    tcg_push(cpu, u, cpu->x86.rflags & ~(uint64_t)(RFLAGS_VM | RFLAGS_RF), u->aux);
    NEXT(u);
}

/* Which flags POPF may write: SDM 2, POPF, table 4-21. */
static uint64_t popf_mask(const X86Cpu *x86, unsigned bits)
{
    uint64_t mask = RFLAGS_ARITH | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC | RFLAGS_ID |
                    RFLAGS_RF;
    unsigned cpl = x86->cr0 & CR0_PE ? x86_cpl(x86) : 0;

    if (cpl == 0) {
        mask |= RFLAGS_IOPL;
    }
    if (cpl <= (x86->rflags >> 12 & 3)) {
        mask |= RFLAGS_IF;
    }
    return bits == 16 ? mask & 0xffff : mask;
}

static const UOp *op_popf(TcgCpu *cpu, const UOp *u)
{
    X86Cpu *x86 = &cpu->x86;
    uint64_t value = tcg_stack_read(cpu, u, 0, u->aux);

    tcg_stack_move(cpu, u->aux / 8);
    tcg_set_rflags(cpu, value & ~(uint64_t)RFLAGS_RF, popf_mask(x86, u->aux));
    NEXT(u);
}

static bool emit_pushf(DecodeContext *d)
{
    return flags_forbidden(d) ? decode_raise(d, EXC_GP) : emit_all(d, op_pushf);
}

static bool emit_popf(DecodeContext *d)
{
    if (flags_forbidden(d)) {
        return decode_raise(d, EXC_GP);
    }
    decode_end(d);
    return emit_all(d, op_popf);
}

/* ---- ENTER LEAVE ---- */

static uint64_t cut_frame(uint64_t value, unsigned bits)
{
    return bits == 16 ? (uint16_t)value : bits == 32 ? (uint32_t)value : value;
}

static void set_rbp(TcgCpu *cpu, uint64_t value, unsigned bits)
{
    if (bits == 16) {
        *tcg_reg16(cpu, R_RBP) = (uint16_t)value;
    } else {
        cpu->x86.gpr[R_RBP] = cut_frame(value, bits);
    }
}

/* `imm`: bytes of locals, `r1`: nesting level.  SDM 2, ENTER. */
static const UOp *op_enter(TcgCpu *cpu, const UOp *u)
{
    unsigned bits = u->aux, level = u->r1;
    int64_t size = bits / 8, depth = -size;
    uint64_t mask = stack_mask(cpu), bp = cpu->x86.gpr[R_RBP], frame;

    /* ESP whole, though a 16-bit stack moves its lower half only. */
    frame = (cpu->x86.gpr[R_RSP] & ~mask) | ((cpu->x86.gpr[R_RSP] - (uint64_t)size) & mask);
    stack_write(cpu, u, depth, bp, bits);
    for (unsigned i = 1; i < level; i++) {
        uint64_t from = (bp - (uint64_t)(i * size)) & mask;
        uint64_t addr = tcg_linear(cpu, u, SEG_SS, from, (unsigned)size, ACCESS_READ);

        depth -= size;
        stack_write(cpu, u, depth, load_bits(cpu, u, addr, bits), bits);
    }
    if (level > 0) {
        depth -= size;
        stack_write(cpu, u, depth, frame, bits);
    }
    /* The instruction faults if the new top of stack cannot be written. */
    depth -= (int64_t)u->imm;
    mmu_probe(cpu, u, tcg_linear(cpu, u, SEG_SS, (cpu->x86.gpr[R_RSP] + depth) & mask, (unsigned)size,
                                 ACCESS_WRITE), (unsigned)size, ACCESS_WRITE);
    set_rbp(cpu, frame, bits);
    tcg_stack_move(cpu, depth);
    NEXT(u);
}

static const UOp *op_leave_frame(TcgCpu *cpu, const UOp *u)
{
    uint64_t mask = stack_mask(cpu), sp = cpu->x86.gpr[R_RBP] & mask;
    unsigned size = u->aux / 8;
    uint64_t value = load_bits(cpu, u, tcg_linear(cpu, u, SEG_SS, sp, size, ACCESS_READ), u->aux);

    stack_set(cpu, sp + size, mask);
    set_rbp(cpu, value, u->aux);
    NEXT(u);
}

static bool emit_enter(DecodeContext *d)
{
    UOp *u = decode_emit(d, op_enter);

    u->aux = d->operand_bits;
    u->imm = (uint16_t)d->ops[0].imm.value.u;
    u->r1 = d->ops[1].imm.value.u & 31;
    u->base = R_RSP;
    return true;
}

static bool emit_leave(DecodeContext *d)
{
    UOp *u = decode_emit(d, op_leave_frame);

    u->aux = d->operand_bits;
    u->base = R_RSP;
    return true;
}

const DecodeRow decode_stack_rows[] = {
    { ZYDIS_MNEMONIC_ENTER, emit_enter, false },
    { ZYDIS_MNEMONIC_LEAVE, emit_leave, false },
    { ZYDIS_MNEMONIC_POP, emit_pop, false },
    { ZYDIS_MNEMONIC_POPA, emit_popa, false },
    { ZYDIS_MNEMONIC_POPAD, emit_popa, false },
    { ZYDIS_MNEMONIC_POPF, emit_popf, false },
    { ZYDIS_MNEMONIC_POPFD, emit_popf, false },
    { ZYDIS_MNEMONIC_POPFQ, emit_popf, false },
    { ZYDIS_MNEMONIC_PUSH, emit_push, false },
    { ZYDIS_MNEMONIC_PUSHA, emit_pusha, false },
    { ZYDIS_MNEMONIC_PUSHAD, emit_pusha, false },
    { ZYDIS_MNEMONIC_PUSHF, emit_pushf, false },
    { ZYDIS_MNEMONIC_PUSHFD, emit_pushf, false },
    { ZYDIS_MNEMONIC_PUSHFQ, emit_pushf, false },
    {}
};
