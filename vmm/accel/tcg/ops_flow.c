/*
 * Ends of blocks: near jumps, calls, returns, loops, and falling through to the next instruction.
 */
#include "tcg_ops.h"

/*
 * Operands: `simm` is the target's offset from the block's start; outside 64-bit code `disp`
 * masks the target to the operand size (16-bit jumps wrap).
 */

/* ---- ends that are no jumps ---- */

static bool has_error_code(unsigned vector)
{
    return vector == EXC_DF || (vector >= EXC_TS && vector <= EXC_PF) || vector == EXC_AC;
}

const UOp *op_raise(TcgCpu *cpu, const UOp *u)
{
    if (has_error_code(u->aux)) {
        tcg_raise_error(cpu, u, u->aux, 0);
    }
    tcg_raise(cpu, u, u->aux);
}

const UOp *op_nop(TcgCpu *cpu, const UOp *u)
{
    NEXT(u);
}

const UOp *op_set_temp(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.gpr[GPR_TEMP] = cpu->x86.gpr[u->base] + (uint64_t)u->simm;
    NEXT(u);
}

const UOp *op_leave(TcgCpu *cpu, const UOp *u)
{
    uint64_t next = tcg_next_rip(cpu, u);

    cpu->x86.rip = cpu->x86.mode & CPU_MODE_CS64 ? next : (uint32_t)next;
    LEAVE();
}

const UOp *op_chain_next64(TcgCpu *cpu, const UOp *u)
{
    return block_chain(cpu, u, 0, cpu->x86.gpr[GPR_BLOCK_RIP] + u->simm, true);
}

const UOp *op_chain_next(TcgCpu *cpu, const UOp *u)
{
    return block_chain(cpu, u, 0, (uint32_t)(cpu->x86.gpr[GPR_BLOCK_RIP] + u->simm), false);
}

const UOp *op_jump_next64(TcgCpu *cpu, const UOp *u)
{
    return block_jump(cpu, cpu->x86.gpr[GPR_BLOCK_RIP] + u->simm, true);
}

const UOp *op_jump_next(TcgCpu *cpu, const UOp *u)
{
    return block_jump(cpu, (uint32_t)(cpu->x86.gpr[GPR_BLOCK_RIP] + u->simm), false);
}

/* ---- direct jumps ---- */

static inline uint64_t target64(const TcgCpu *cpu, const UOp *u)
{
    return cpu->x86.gpr[GPR_BLOCK_RIP] + u->simm;
}

/* A jump taken outside 64-bit code; `chained`: the target is on this page unless it wrapped. */
static inline const UOp *take_jump(TcgCpu *cpu, const UOp *u, bool chained)
{
    uint32_t whole = (uint32_t)(cpu->x86.gpr[GPR_BLOCK_RIP] + u->simm);
    uint32_t rip = whole & (uint32_t)u->disp;

    check_target(cpu, u, rip, false);
    if (chained && rip == whole) {
        return block_chain(cpu, u, 0, rip, false);
    }
    return block_jump(cpu, rip, false);
}

static const UOp *op_jmp64_chain(TcgCpu *cpu, const UOp *u)
{
    return block_chain(cpu, u, 0, target64(cpu, u), true);
}

static const UOp *op_jmp64(TcgCpu *cpu, const UOp *u)
{
    uint64_t rip = target64(cpu, u);

    check_target(cpu, u, rip, true);
    return block_jump(cpu, rip, true);
}

static const UOp *op_jmp_chain(TcgCpu *cpu, const UOp *u)
{
    return take_jump(cpu, u, true);
}

static const UOp *op_jmp(TcgCpu *cpu, const UOp *u)
{
    return take_jump(cpu, u, false);
}

/* Both ways on this page; and: only the fall-through. */
#define OP_JCC(cc)                                                                              \
static const UOp *op_jcc64_chain_##cc(TcgCpu *cpu, const UOp *u)                                \
{                                                                                               \
    if (flags_test(cpu, cc)) {                                                                  \
        return block_chain(cpu, u, 0, target64(cpu, u), true);                                  \
    }                                                                                           \
    return block_chain(cpu, u, 1, tcg_next_rip(cpu, u), true);                                  \
}                                                                                               \
static const UOp *op_jcc64_out_##cc(TcgCpu *cpu, const UOp *u)                                  \
{                                                                                               \
    if (flags_test(cpu, cc)) {                                                                  \
        return op_jmp64(cpu, u);                                                                \
    }                                                                                           \
    return block_chain(cpu, u, 1, tcg_next_rip(cpu, u), true);                                  \
}
FOR_EACH_CC(OP_JCC)

#define JCC_CHAIN_ROW(cc) op_jcc64_chain_##cc,
#define JCC_OUT_ROW(cc) op_jcc64_out_##cc,
static const UOpFn jcc64_chain[16] = { FOR_EACH_CC(JCC_CHAIN_ROW) };
static const UOpFn jcc64_out[16] = { FOR_EACH_CC(JCC_OUT_ROW) };

/* The rarer ones, by condition in `aux`. */
static const UOp *op_jcc64_any(TcgCpu *cpu, const UOp *u)
{
    return flags_test(cpu, u->aux) ? op_jmp64(cpu, u) : block_jump(cpu, tcg_next_rip(cpu, u), true);
}

static const UOp *op_jcc_chain(TcgCpu *cpu, const UOp *u)
{
    if (flags_test(cpu, u->aux)) {
        return take_jump(cpu, u, true);
    }
    return block_chain(cpu, u, 1, (uint32_t)tcg_next_rip(cpu, u), false);
}

static const UOp *op_jcc_any(TcgCpu *cpu, const UOp *u)
{
    if (flags_test(cpu, u->aux)) {
        return take_jump(cpu, u, false);
    }
    return block_jump(cpu, (uint32_t)tcg_next_rip(cpu, u), false);
}

/* ---- LOOP LOOPE LOOPNE JCXZ: counter of addr_bits, mode in `aux` ---- */

enum { LOOP_PLAIN, LOOP_E, LOOP_NE, LOOP_JCXZ };

static bool loop_taken(TcgCpu *cpu, const UOp *u, uint64_t *count)
{
    uint64_t mask = u->addr_bits == 64 ? UINT64_MAX : (UINT64_C(1) << u->addr_bits) - 1;
    bool zf = cpu->x86.rflags & RFLAGS_ZF;

    *count = cpu->x86.gpr[R_RCX];
    if (u->aux == LOOP_JCXZ) {
        return (*count & mask) == 0;
    }
    *count = u->addr_bits == 16 ? (*count & ~mask) | ((*count - 1) & mask) : (*count - 1) & mask;
    return (*count & mask) != 0 && (u->aux == LOOP_PLAIN || zf == (u->aux == LOOP_E));
}

static const UOp *op_loop(TcgCpu *cpu, const UOp *u)
{
    bool code64 = cpu->x86.mode & CPU_MODE_CS64;
    uint64_t rip = tcg_next_rip(cpu, u), count;

    if (loop_taken(cpu, u, &count)) {
        rip = target64(cpu, u);
        rip = code64 ? rip : (uint32_t)rip & (uint32_t)u->disp;
        check_target(cpu, u, rip, code64);
    } else if (!code64) {
        rip = (uint32_t)rip;
    }
    cpu->x86.gpr[R_RCX] = count;
    return code64 ? block_jump(cpu, rip, true) : block_jump(cpu, rip, false);
}

/* ---- calls and returns ---- */

static G_NO_INLINE const UOp *call64_slow(TcgCpu *cpu, const UOp *u, uint64_t rip)
{
    check_target(cpu, u, rip, true);
    tcg_push(cpu, u, tcg_next_rip(cpu, u), 64);
    return block_jump(cpu, rip, true);
}

static inline const UOp *call64_to(TcgCpu *cpu, const UOp *u, uint64_t rip)
{
    uint64_t addr = cpu->x86.gpr[R_RSP] - 8;
    const TlbEntry *entry = &cpu->tlb[addr >> PAGE_SHIFT & (TLB_SIZE - 1)];

    if (G_UNLIKELY((uint64_t)((int64_t)(rip << 16) >> 16) != rip) ||
        G_UNLIKELY(__atomic_load_n(&entry->tag[ACCESS_WRITE], __ATOMIC_RELAXED) !=
                   ((addr + 7) & ~(PAGE_SIZE_4K - 1)))) {
        return call64_slow(cpu, u, rip);
    }
    __atomic_store_n((GuestU64 *)(uintptr_t)(addr + entry->addend), tcg_next_rip(cpu, u),
                     __ATOMIC_RELAXED);
    cpu->x86.gpr[R_RSP] = addr;
    return block_jump(cpu, rip, true);
}

static const UOp *op_call64(TcgCpu *cpu, const UOp *u)
{
    return call64_to(cpu, u, target64(cpu, u));
}

static const UOp *op_call64_r(TcgCpu *cpu, const UOp *u)
{
    return call64_to(cpu, u, cpu->x86.gpr[u->r1]);
}

static const UOp *op_call64_m(TcgCpu *cpu, const UOp *u)
{
    return call64_slow(cpu, u, tcg_load64(cpu, u, tcg_ea(cpu, u, 8, ACCESS_READ)));
}

static const UOp *op_jmp64_r(TcgCpu *cpu, const UOp *u)
{
    uint64_t rip = cpu->x86.gpr[u->r1];

    check_target(cpu, u, rip, true);
    return block_jump(cpu, rip, true);
}

static const UOp *op_jmp64_m(TcgCpu *cpu, const UOp *u)
{
    uint64_t rip = tcg_load64(cpu, u, tcg_ea(cpu, u, 8, ACCESS_READ));

    check_target(cpu, u, rip, true);
    return block_jump(cpu, rip, true);
}

static G_NO_INLINE const UOp *op_ret64_slow(TcgCpu *cpu, const UOp *u)
{
    uint64_t rip = tcg_stack_read(cpu, u, 0, 64);

    check_target(cpu, u, rip, true);
    cpu->x86.gpr[R_RSP] += 8 + u->imm;
    return block_jump(cpu, rip, true);
}

static const UOp *op_ret64(TcgCpu *cpu, const UOp *u)
{
    FAST_AT(op_ret64_slow, cpu->x86.gpr[R_RSP], 64, ACCESS_READ);
    uint64_t rip = HOST_GET();

    if (G_UNLIKELY((uint64_t)((int64_t)(rip << 16) >> 16) != rip)) {
        return op_ret64_slow(cpu, u);
    }
    cpu->x86.gpr[R_RSP] = addr_ + 8 + u->imm;
    return block_jump(cpu, rip, true);
}

/* Outside 64-bit code; operand size in `aux`. */

static inline uint64_t cut(uint64_t value, unsigned bits)
{
    return bits == 16 ? (uint16_t)value : (uint32_t)value;
}

static const UOp *call_to(TcgCpu *cpu, const UOp *u, uint64_t rip)
{
    check_target(cpu, u, rip, false);
    tcg_push(cpu, u, tcg_next_rip(cpu, u), u->aux);
    return block_jump(cpu, rip, false);
}

static const UOp *op_call(TcgCpu *cpu, const UOp *u)
{
    return call_to(cpu, u, (uint32_t)target64(cpu, u) & (uint32_t)u->disp);
}

static const UOp *op_call_r(TcgCpu *cpu, const UOp *u)
{
    return call_to(cpu, u, cut(cpu->x86.gpr[u->r1], u->aux));
}

static uint64_t load_target(TcgCpu *cpu, const UOp *u)
{
    uint64_t addr = tcg_ea(cpu, u, u->aux / 8, ACCESS_READ);

    return u->aux == 16 ? tcg_load16(cpu, u, addr) : tcg_load32(cpu, u, addr);
}

static const UOp *op_call_m(TcgCpu *cpu, const UOp *u)
{
    return call_to(cpu, u, load_target(cpu, u));
}

static const UOp *op_jmp_r(TcgCpu *cpu, const UOp *u)
{
    uint64_t rip = cut(cpu->x86.gpr[u->r1], u->aux);

    check_target(cpu, u, rip, false);
    return block_jump(cpu, rip, false);
}

static const UOp *op_jmp_m(TcgCpu *cpu, const UOp *u)
{
    uint64_t rip = load_target(cpu, u);

    check_target(cpu, u, rip, false);
    return block_jump(cpu, rip, false);
}

static const UOp *op_ret(TcgCpu *cpu, const UOp *u)
{
    uint64_t rip = tcg_stack_read(cpu, u, 0, u->aux);

    check_target(cpu, u, rip, false);
    tcg_stack_move(cpu, u->aux / 8 + (int64_t)u->imm);
    return block_jump(cpu, rip, false);
}

/* ---- decoding ---- */

/* Where the target lies, from the block's start. */
static int64_t relative_target(const DecodeContext *d)
{
    return (int64_t)d->insn_off + d->insn->length + d->ops[0].imm.value.s;
}

static bool on_page(const DecodeContext *d, int64_t target)
{
    int64_t offset = d->page_off + target;

    return offset >= 0 && offset < (int64_t)PAGE_SIZE_4K;
}

/* Fall-through and target: both on the page of the block's first byte. */
static void fill_target(DecodeContext *d, UOp *u, int64_t target)
{
    u->simm = target;
    u->disp = d->operand_bits == 16 ? 0xffff : -1;
}

static bool emit_jcc(DecodeContext *d)
{
    static const uint8_t ccs[ZYDIS_MNEMONIC_MAX_VALUE + 1] = {
        [ZYDIS_MNEMONIC_JO] = 0, [ZYDIS_MNEMONIC_JNO] = 1, [ZYDIS_MNEMONIC_JB] = 2,
        [ZYDIS_MNEMONIC_JNB] = 3, [ZYDIS_MNEMONIC_JZ] = 4, [ZYDIS_MNEMONIC_JNZ] = 5,
        [ZYDIS_MNEMONIC_JBE] = 6, [ZYDIS_MNEMONIC_JNBE] = 7, [ZYDIS_MNEMONIC_JS] = 8,
        [ZYDIS_MNEMONIC_JNS] = 9, [ZYDIS_MNEMONIC_JP] = 10, [ZYDIS_MNEMONIC_JNP] = 11,
        [ZYDIS_MNEMONIC_JL] = 12, [ZYDIS_MNEMONIC_JNL] = 13, [ZYDIS_MNEMONIC_JLE] = 14,
        [ZYDIS_MNEMONIC_JNLE] = 15,
    };
    unsigned cc = ccs[d->insn->mnemonic];
    int64_t target = relative_target(d);
    bool next_here = on_page(d, d->insn_off + d->insn->length);
    UOpFn fn;
    UOp *u;

    if (d->code64 && next_here && decode_fused_jump(d, cc, target, on_page(d, target))) {
        return true;
    }
    if (d->code64) {
        fn = !next_here ? op_jcc64_any : on_page(d, target) ? jcc64_chain[cc] : jcc64_out[cc];
    } else {
        fn = next_here && on_page(d, target) ? op_jcc_chain : op_jcc_any;
    }
    u = decode_emit_last(d, fn);
    u->aux = (uint8_t)cc;
    fill_target(d, u, target);
    return true;
}

static bool emit_loop(DecodeContext *d)
{
    UOp *u = decode_emit_last(d, op_loop);

    switch (d->insn->mnemonic) {
    case ZYDIS_MNEMONIC_LOOP: u->aux = LOOP_PLAIN; break;
    case ZYDIS_MNEMONIC_LOOPE: u->aux = LOOP_E; break;
    case ZYDIS_MNEMONIC_LOOPNE: u->aux = LOOP_NE; break;
    default: u->aux = LOOP_JCXZ; break;
    }
    u->addr_bits = d->address_bits;
    fill_target(d, u, relative_target(d));
    return true;
}

/* Handlers of JMP and CALL by kind of operand. */
typedef struct NearForms { UOpFn rel, r, m; } NearForms;

static bool is_far(const DecodeContext *d)
{
    return d->insn->meta.branch_type == ZYDIS_BRANCH_TYPE_FAR;
}

static bool emit_near(DecodeContext *d, const NearForms *forms)
{
    const ZydisDecodedOperand *op = &d->ops[0];
    UOp *u = decode_emit_last(d, op_is_imm(op) ? forms->rel : op_is_mem(op) ? forms->m : forms->r);

    u->aux = d->operand_bits;
    if (op_is_imm(op)) {
        fill_target(d, u, relative_target(d));
    } else if (op_is_mem(op)) {
        decode_mem(d, u, op);
    } else {
        u->r1 = (uint8_t)decode_reg(op);
    }
    return true;
}

static bool emit_jmp(DecodeContext *d)
{
    static const NearForms forms64 = { op_jmp64, op_jmp64_r, op_jmp64_m };
    static const NearForms chain64 = { op_jmp64_chain, NULL, NULL };
    static const NearForms forms = { op_jmp, op_jmp_r, op_jmp_m };
    static const NearForms chain = { op_jmp_chain, NULL, NULL };

    if (is_far(d)) {
        return decode_far_jump(d);
    }
    if (op_is_imm(&d->ops[0]) && on_page(d, relative_target(d))) {
        return emit_near(d, d->code64 ? &chain64 : &chain);
    }
    return emit_near(d, d->code64 ? &forms64 : &forms);
}

static bool emit_call(DecodeContext *d)
{
    static const NearForms forms64 = { op_call64, op_call64_r, op_call64_m };
    static const NearForms forms = { op_call, op_call_r, op_call_m };

    return is_far(d) ? decode_far_call(d) : emit_near(d, d->code64 ? &forms64 : &forms);
}

static bool emit_ret(DecodeContext *d)
{
    UOp *u;

    if (is_far(d)) {
        return decode_far_return(d);
    }
    u = decode_emit_last(d, d->code64 ? op_ret64 : op_ret);
    u->aux = d->operand_bits;
    u->base = R_RSP;
    if (d->insn->operand_count_visible > 0) {
        u->imm = (uint16_t)d->ops[0].imm.value.u;
    }
    return true;
}

const DecodeRow decode_flow_rows[] = {
    { ZYDIS_MNEMONIC_CALL, emit_call, false },
    { ZYDIS_MNEMONIC_JB, emit_jcc, false },
    { ZYDIS_MNEMONIC_JBE, emit_jcc, false },
    { ZYDIS_MNEMONIC_JCXZ, emit_loop, false },
    { ZYDIS_MNEMONIC_JECXZ, emit_loop, false },
    { ZYDIS_MNEMONIC_JL, emit_jcc, false },
    { ZYDIS_MNEMONIC_JLE, emit_jcc, false },
    { ZYDIS_MNEMONIC_JMP, emit_jmp, false },
    { ZYDIS_MNEMONIC_JNB, emit_jcc, false },
    { ZYDIS_MNEMONIC_JNBE, emit_jcc, false },
    { ZYDIS_MNEMONIC_JNL, emit_jcc, false },
    { ZYDIS_MNEMONIC_JNLE, emit_jcc, false },
    { ZYDIS_MNEMONIC_JNO, emit_jcc, false },
    { ZYDIS_MNEMONIC_JNP, emit_jcc, false },
    { ZYDIS_MNEMONIC_JNS, emit_jcc, false },
    { ZYDIS_MNEMONIC_JNZ, emit_jcc, false },
    { ZYDIS_MNEMONIC_JO, emit_jcc, false },
    { ZYDIS_MNEMONIC_JP, emit_jcc, false },
    { ZYDIS_MNEMONIC_JRCXZ, emit_loop, false },
    { ZYDIS_MNEMONIC_JS, emit_jcc, false },
    { ZYDIS_MNEMONIC_JZ, emit_jcc, false },
    { ZYDIS_MNEMONIC_LOOP, emit_loop, false },
    { ZYDIS_MNEMONIC_LOOPE, emit_loop, false },
    { ZYDIS_MNEMONIC_LOOPNE, emit_loop, false },
    { ZYDIS_MNEMONIC_RET, emit_ret, false },
    {}
};
