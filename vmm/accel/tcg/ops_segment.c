/*
 * Segment registers, descriptor tables, far transfers, control and debug registers: thin callers of
 * seg.c and sysreg.c.
 */
#include "tcg_ops.h"

static uint64_t load_sized(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned bits)
{
    return bits == 16 ? tcg_load16(cpu, u, addr) : bits == 32 ? tcg_load32(cpu, u, addr)
                                                              : tcg_load64(cpu, u, addr);
}

/* Writes a general register of 16, 32 or 64 bits. */
static void set_sized(TcgCpu *cpu, unsigned reg, uint64_t value, unsigned bits)
{
    switch (bits) {
    case 16: *tcg_reg16(cpu, reg) = (uint16_t)value; break;
    case 32: tcg_set32(cpu, reg, (uint32_t)value); break;
    default: cpu->x86.gpr[reg] = value; break;
    }
}

/* ---- MOV Sreg ---- */

/* Loading SS holds off interrupts for one instruction: SDM 3A 6.8.3. */
static const UOp *loaded_seg(TcgCpu *cpu, const UOp *u)
{
    if (u->r1 == SEG_SS) {
        cpu->x86.intr_shadow = 2;
    }
    NEXT(u);
}

static const UOp *mov_seg_r(TcgCpu *cpu, const UOp *u)
{
    tcg_load_seg(cpu, u, u->r1, *tcg_reg16(cpu, u->r2));
    return loaded_seg(cpu, u);
}

static const UOp *mov_seg_m(TcgCpu *cpu, const UOp *u)
{
    tcg_load_seg(cpu, u, u->r1, tcg_load16(cpu, u, tcg_ea(cpu, u, 2, ACCESS_READ)));
    return loaded_seg(cpu, u);
}

static const UOp *mov_r_seg(TcgCpu *cpu, const UOp *u)
{
    set_sized(cpu, u->r1, cpu->x86.seg[u->r2].selector, u->aux);
    NEXT(u);
}

static const UOp *mov_m_seg(TcgCpu *cpu, const UOp *u)
{
    tcg_store16(cpu, u, tcg_ea(cpu, u, 2, ACCESS_WRITE), cpu->x86.seg[u->r2].selector);
    NEXT(u);
}

static bool emit_mov_to_seg(DecodeContext *d)
{
    unsigned seg = decode_reg(&d->ops[0]);
    UOp *u;

    if (seg == SEG_CS) {
        return false;
    }
    if (op_is_mem(&d->ops[1])) {
        u = decode_emit(d, mov_seg_m);
        decode_mem(d, u, &d->ops[1]);
    } else {
        u = decode_emit(d, mov_seg_r);
        u->r2 = (uint8_t)decode_reg(&d->ops[1]);
    }
    u->r1 = (uint8_t)seg;
    decode_end(d);
    return true;
}

static bool emit_mov_from_seg(DecodeContext *d)
{
    UOp *u;

    if (op_is_mem(&d->ops[0])) {
        u = decode_emit(d, mov_m_seg);
        decode_mem(d, u, &d->ops[0]);
    } else {
        u = decode_emit_quiet(d, mov_r_seg);
        u->r1 = (uint8_t)decode_reg(&d->ops[0]);
        u->aux = d->operand_bits;
    }
    u->r2 = (uint8_t)decode_reg(&d->ops[1]);
    return true;
}

/* ---- MOV CRn, DRn ---- */

static uint64_t value_of(const TcgCpu *cpu, unsigned reg)
{
    uint64_t value = cpu->x86.gpr[reg];

    return cpu->x86.mode & CPU_MODE_CS64 ? value : (uint32_t)value;
}

static void set_native(TcgCpu *cpu, unsigned reg, uint64_t value)
{
    cpu->x86.gpr[reg] = cpu->x86.mode & CPU_MODE_CS64 ? value : (uint32_t)value;
}

static const UOp *mov_cr_r(TcgCpu *cpu, const UOp *u)
{
    tcg_write_cr(cpu, u, u->r1, value_of(cpu, u->r2));
    NEXT(u);
}

static const UOp *mov_r_cr(TcgCpu *cpu, const UOp *u)
{
    set_native(cpu, u->r1, tcg_read_cr(cpu, u, u->r2));
    NEXT(u);
}

static const UOp *mov_dr_r(TcgCpu *cpu, const UOp *u)
{
    tcg_write_dr(cpu, u, u->r1, value_of(cpu, u->r2));
    NEXT(u);
}

static const UOp *mov_r_dr(TcgCpu *cpu, const UOp *u)
{
    set_native(cpu, u->r1, tcg_read_dr(cpu, u, u->r2));
    NEXT(u);
}

static bool emit_mov_system(DecodeContext *d, UOpFn fn)
{
    UOp *u = decode_emit(d, fn);

    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    u->r2 = (uint8_t)decode_reg(&d->ops[1]);
    decode_end(d);
    return true;
}

/* CR1, CR5–CR7 and CR9 up do not exist; #UD goes before #GP. */
static bool exists_cr(unsigned n)
{
    return n == 0 || (n >= 2 && n <= 4) || n == 8;
}

static bool emit_mov_cr(DecodeContext *d, bool write)
{
    if (!exists_cr(decode_reg(&d->ops[write ? 0 : 1]))) {
        return false;
    }
    if (d->cpl != 0) {
        return decode_raise(d, EXC_GP);
    }
    return emit_mov_system(d, write ? mov_cr_r : mov_r_cr);
}

bool decode_mov_special(DecodeContext *d)
{
    for (int i = 0; i < 2; i++) {
        if (!op_is_reg(&d->ops[i])) {
            continue;
        }
        switch (ZydisRegisterGetClass(d->ops[i].reg.value)) {
        case ZYDIS_REGCLASS_SEGMENT:
            return i == 0 ? emit_mov_to_seg(d) : emit_mov_from_seg(d);
        case ZYDIS_REGCLASS_CONTROL:
            return emit_mov_cr(d, i == 0);
        case ZYDIS_REGCLASS_DEBUG:
            return emit_mov_system(d, i == 0 ? mov_dr_r : mov_r_dr);
        default:
            break;
        }
    }
    return false;
}

/* ---- LDS LES LFS LGS LSS ---- */

static const UOp *load_far_pointer(TcgCpu *cpu, const UOp *u)
{
    unsigned size = u->aux / 8;
    uint64_t addr = tcg_ea(cpu, u, size + 2, ACCESS_READ);
    uint64_t offset = load_sized(cpu, u, addr, u->aux);

    tcg_load_seg(cpu, u, u->r2, tcg_load16(cpu, u, addr + size));
    set_sized(cpu, u->r1, offset, u->aux);
    if (u->r2 == SEG_SS) {
        cpu->x86.intr_shadow = 2;
    }
    NEXT(u);
}

static bool emit_load_far(DecodeContext *d)
{
    UOp *u;

    if (!op_is_mem(&d->ops[1])) {
        return false;
    }
    u = decode_emit(d, load_far_pointer);
    decode_mem(d, u, &d->ops[1]);
    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    u->aux = (uint8_t)d->ops[0].size;
    switch (d->insn->mnemonic) {
    case ZYDIS_MNEMONIC_LDS: u->r2 = SEG_DS; break;
    case ZYDIS_MNEMONIC_LES: u->r2 = SEG_ES; break;
    case ZYDIS_MNEMONIC_LFS: u->r2 = SEG_FS; break;
    case ZYDIS_MNEMONIC_LGS: u->r2 = SEG_GS; break;
    default: u->r2 = SEG_SS; break;
    }
    decode_end(d);
    return true;
}

/* ---- far JMP, CALL, RET, IRET ---- */

typedef void FarFn(TcgCpu *cpu, const UOp *u, uint16_t selector, uint64_t offset,
                   unsigned operand_bits);

/* The pointer is in the instruction: `imm` the offset, `disp` the selector. */
static const UOp *far_jump_p(TcgCpu *cpu, const UOp *u)
{
    tcg_far_jump(cpu, u, (uint16_t)u->disp, u->imm, u->aux);
    LEAVE();
}

static const UOp *far_call_p(TcgCpu *cpu, const UOp *u)
{
    tcg_far_call(cpu, u, (uint16_t)u->disp, u->imm, u->aux);
    LEAVE();
}

static void far_m(TcgCpu *cpu, const UOp *u, FarFn *fn)
{
    unsigned size = u->aux / 8;
    uint64_t addr = tcg_ea(cpu, u, size + 2, ACCESS_READ);
    uint64_t offset = load_sized(cpu, u, addr, u->aux);

    fn(cpu, u, tcg_load16(cpu, u, addr + size), offset, u->aux);
}

static const UOp *far_jump_m(TcgCpu *cpu, const UOp *u)
{
    far_m(cpu, u, tcg_far_jump);
    LEAVE();
}

static const UOp *far_call_m(TcgCpu *cpu, const UOp *u)
{
    far_m(cpu, u, tcg_far_call);
    LEAVE();
}

static bool emit_far(DecodeContext *d, UOpFn pointer, UOpFn memory)
{
    const ZydisDecodedOperand *op = &d->ops[0];
    UOp *u;

    if (op_is_reg(op)) {
        return false;
    }
    u = decode_emit_last(d, op_is_mem(op) ? memory : pointer);
    u->aux = d->operand_bits;
    if (op_is_mem(op)) {
        decode_mem(d, u, op);
    } else {
        u->imm = op->ptr.offset;
        u->disp = op->ptr.segment;
    }
    return true;
}

bool decode_far_jump(DecodeContext *d) { return emit_far(d, far_jump_p, far_jump_m); }
bool decode_far_call(DecodeContext *d) { return emit_far(d, far_call_p, far_call_m); }

static const UOp *far_return(TcgCpu *cpu, const UOp *u)
{
    tcg_far_return(cpu, u, u->aux, (unsigned)u->imm);
    LEAVE();
}

bool decode_far_return(DecodeContext *d)
{
    UOp *u = decode_emit_last(d, far_return);

    u->aux = d->operand_bits;
    if (d->insn->operand_count_visible > 0) {
        u->imm = (uint16_t)d->ops[0].imm.value.u;
    }
    return true;
}

static const UOp *op_iret(TcgCpu *cpu, const UOp *u)
{
    tcg_iret(cpu, u, u->aux);
    LEAVE();
}

static bool emit_iret(DecodeContext *d)
{
    decode_emit_last(d, op_iret)->aux = d->operand_bits;
    return true;
}

/* ---- LGDT LIDT SGDT SIDT ---- */

static X86Table *table_of(TcgCpu *cpu, const UOp *u)
{
    return u->r1 == 0 ? &cpu->x86.gdt : &cpu->x86.idt;
}

/* `aux`: bits of the base; a 16-bit operand size loads 24. */
static const UOp *op_load_table(TcgCpu *cpu, const UOp *u)
{
    unsigned bits = u->aux == 64 ? 64 : 32;
    uint64_t addr = tcg_ea(cpu, u, 2 + bits / 8, ACCESS_READ);
    uint16_t limit = tcg_load16(cpu, u, addr);
    uint64_t base = load_sized(cpu, u, addr + 2, bits);

    if (bits == 64 && (uint64_t)((int64_t)(base << 16) >> 16) != base) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    *table_of(cpu, u) = (X86Table){ .base = u->aux == 16 ? base & 0xffffff : base, .limit = limit };
    NEXT(u);
}

/*
 * Functions with locals in memory stand apart from their micro-op, here and below: a frame that
 * others may point into rules out the sibling call at the end.
 */
static G_GNUC_NO_INLINE void store_table(TcgCpu *cpu, const UOp *u)
{
    const X86Table *table = table_of(cpu, u);
    uint64_t addr = tcg_ea(cpu, u, 2 + u->aux / 8, ACCESS_WRITE);
    uint8_t image[10];

    memcpy(image, &table->limit, 2);
    memcpy(image + 2, &table->base, 8);
    tcg_store_bytes(cpu, u, addr, image, 2 + u->aux / 8);
}

static const UOp *op_store_table(TcgCpu *cpu, const UOp *u)
{
    store_table(cpu, u);
    NEXT(u);
}

/* UMIP: SGDT, SIDT, SLDT, SMSW and STR are #GP outside ring 0.  Looked at when it runs. */
static const UOp *op_check_umip(TcgCpu *cpu, const UOp *u)
{
    if (cpu->x86.cr4 & CR4_UMIP && x86_cpl(&cpu->x86) != 0) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
    NEXT(u);
}

static bool emit_table(DecodeContext *d, unsigned table, bool load)
{
    UOp *u;

    if (!op_is_mem(&d->ops[0])) {
        return false;
    }
    if (load && d->cpl != 0) {
        return decode_raise(d, EXC_GP);
    }
    if (!load && d->cpl != 0) {
        decode_emit(d, op_check_umip);
    }
    u = decode_emit(d, load ? op_load_table : op_store_table);
    decode_mem(d, u, &d->ops[0]);
    u->r1 = (uint8_t)table;
    u->aux = d->code64 ? 64 : load ? d->operand_bits : 32;
    return true;
}

static bool emit_lgdt(DecodeContext *d) { return emit_table(d, 0, true); }
static bool emit_lidt(DecodeContext *d) { return emit_table(d, 1, true); }
static bool emit_sgdt(DecodeContext *d) { return emit_table(d, 0, false); }
static bool emit_sidt(DecodeContext *d) { return emit_table(d, 1, false); }

/* ---- LLDT LTR SLDT STR SMSW LMSW ---- */

enum { SCALE_REGISTER = 7 };            /* in UOp.scale: the source is register r2, not memory */

static uint16_t load_selector(TcgCpu *cpu, const UOp *u)
{
    if (u->scale == SCALE_REGISTER) {
        return *tcg_reg16(cpu, u->r2);
    }
    return tcg_load16(cpu, u, tcg_ea(cpu, u, 2, ACCESS_READ));
}

/* A 16-bit source: register or memory. */
static UOp *emit_selector(DecodeContext *d, UOpFn fn, const ZydisDecodedOperand *op)
{
    UOp *u = decode_emit(d, fn);

    if (op_is_mem(op)) {
        decode_mem(d, u, op);
    } else {
        u->r2 = (uint8_t)decode_reg(op);
        u->scale = SCALE_REGISTER;
    }
    return u;
}

/* Instructions about selectors exist in protected mode only. */
static bool no_selectors(const DecodeContext *d)
{
    return !(d->mode & CPU_MODE_PE) || d->mode & CPU_MODE_VM86;
}

static const UOp *op_lldt(TcgCpu *cpu, const UOp *u)
{
    tcg_lldt(cpu, u, load_selector(cpu, u));
    NEXT(u);
}

static const UOp *op_ltr(TcgCpu *cpu, const UOp *u)
{
    tcg_ltr(cpu, u, load_selector(cpu, u));
    NEXT(u);
}

static const UOp *op_lmsw(TcgCpu *cpu, const UOp *u)
{
    uint64_t value = load_selector(cpu, u), cr0 = cpu->x86.cr0;

    /* PE can be set but not cleared. */
    tcg_write_cr(cpu, u, 0, (cr0 & ~UINT64_C(0xe)) | (value & 0xf));
    NEXT(u);
}

static bool emit_load_system(DecodeContext *d, UOpFn fn, bool protected_only)
{
    if (protected_only && no_selectors(d)) {
        return false;
    }
    if (d->cpl != 0) {
        return decode_raise(d, EXC_GP);
    }
    emit_selector(d, fn, &d->ops[0]);
    decode_end(d);
    return true;
}

static bool emit_lldt(DecodeContext *d) { return emit_load_system(d, op_lldt, true); }
static bool emit_ltr(DecodeContext *d) { return emit_load_system(d, op_ltr, true); }
static bool emit_lmsw(DecodeContext *d) { return emit_load_system(d, op_lmsw, false); }

enum { STORE_LDT, STORE_TR, STORE_MSW };

static uint64_t stored_value(const TcgCpu *cpu, unsigned what)
{
    return what == STORE_LDT ? cpu->x86.ldt.selector : what == STORE_TR ? cpu->x86.tr.selector
                                                                        : cpu->x86.cr0;
}

static const UOp *op_store_r(TcgCpu *cpu, const UOp *u)
{
    set_sized(cpu, u->r1, stored_value(cpu, u->r2), u->aux);
    NEXT(u);
}

static const UOp *op_store_m(TcgCpu *cpu, const UOp *u)
{
    tcg_store16(cpu, u, tcg_ea(cpu, u, 2, ACCESS_WRITE), (uint16_t)stored_value(cpu, u->r2));
    NEXT(u);
}

static bool emit_store_system(DecodeContext *d, unsigned what)
{
    UOp *u;

    if (what != STORE_MSW && no_selectors(d)) {
        return false;
    }
    if (d->cpl != 0) {
        decode_emit(d, op_check_umip);
    }
    if (op_is_mem(&d->ops[0])) {
        u = decode_emit(d, op_store_m);
        decode_mem(d, u, &d->ops[0]);
    } else {
        u = decode_emit(d, op_store_r);
        u->r1 = (uint8_t)decode_reg(&d->ops[0]);
        u->aux = d->operand_bits;
    }
    u->r2 = (uint8_t)what;
    return true;
}

static bool emit_sldt(DecodeContext *d) { return emit_store_system(d, STORE_LDT); }
static bool emit_str(DecodeContext *d) { return emit_store_system(d, STORE_TR); }
static bool emit_smsw(DecodeContext *d) { return emit_store_system(d, STORE_MSW); }

/* ---- LAR LSL VERR VERW ARPL ---- */

static G_GNUC_NO_INLINE void read_lar(TcgCpu *cpu, const UOp *u)
{
    uint32_t value;
    bool ok = tcg_lar(cpu, u, load_selector(cpu, u), &value);

    if (ok) {
        set_sized(cpu, u->r1, value, u->aux);
    }
    flags_set(cpu, RFLAGS_ZF, ok ? RFLAGS_ZF : 0);
}

static const UOp *op_lar(TcgCpu *cpu, const UOp *u)
{
    read_lar(cpu, u);
    NEXT(u);
}

static G_GNUC_NO_INLINE void read_lsl(TcgCpu *cpu, const UOp *u)
{
    uint32_t value;
    bool ok = tcg_lsl(cpu, u, load_selector(cpu, u), &value);

    if (ok) {
        set_sized(cpu, u->r1, value, u->aux);
    }
    flags_set(cpu, RFLAGS_ZF, ok ? RFLAGS_ZF : 0);
}

static const UOp *op_lsl(TcgCpu *cpu, const UOp *u)
{
    read_lsl(cpu, u);
    NEXT(u);
}

static const UOp *op_verify(TcgCpu *cpu, const UOp *u)
{
    bool ok = tcg_verify(cpu, u, load_selector(cpu, u), u->aux);

    flags_set(cpu, RFLAGS_ZF, ok ? RFLAGS_ZF : 0);
    NEXT(u);
}

static bool emit_descriptor(DecodeContext *d, UOpFn fn)
{
    UOp *u;

    if (no_selectors(d)) {
        return false;
    }
    u = emit_selector(d, fn, &d->ops[1]);
    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    u->aux = d->operand_bits;
    return true;
}

static bool emit_lar(DecodeContext *d) { return emit_descriptor(d, op_lar); }
static bool emit_lsl(DecodeContext *d) { return emit_descriptor(d, op_lsl); }

static bool emit_verify(DecodeContext *d)
{
    if (no_selectors(d)) {
        return false;
    }
    emit_selector(d, op_verify, &d->ops[0])->aux = d->insn->mnemonic == ZYDIS_MNEMONIC_VERW;
    return true;
}

static const UOp *op_arpl_r(TcgCpu *cpu, const UOp *u)
{
    uint16_t *dst = tcg_reg16(cpu, u->r1), rpl = *tcg_reg16(cpu, u->r2) & 3;
    bool lower = (*dst & 3) < rpl;

    if (lower) {
        *dst = (uint16_t)((*dst & ~3) | rpl);
    }
    flags_set(cpu, RFLAGS_ZF, lower ? RFLAGS_ZF : 0);
    NEXT(u);
}

static const UOp *op_arpl_m(TcgCpu *cpu, const UOp *u)
{
    uint64_t addr = tcg_ea(cpu, u, 2, ACCESS_READ);
    uint16_t dst = tcg_load16(cpu, u, addr), rpl = *tcg_reg16(cpu, u->r2) & 3;
    bool lower = (dst & 3) < rpl;

    if (lower) {                        /* an operand that stays may be read-only */
        addr = tcg_ea(cpu, u, 2, ACCESS_WRITE);
        tcg_store16(cpu, u, addr, (uint16_t)((dst & ~3) | rpl));
    }
    flags_set(cpu, RFLAGS_ZF, lower ? RFLAGS_ZF : 0);
    NEXT(u);
}

static bool emit_arpl(DecodeContext *d)
{
    UOp *u;

    if (no_selectors(d)) {
        return false;
    }
    if (op_is_mem(&d->ops[0])) {
        u = decode_emit(d, op_arpl_m);
        decode_mem(d, u, &d->ops[0]);
    } else {
        u = decode_emit(d, op_arpl_r);
        u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    }
    u->r2 = (uint8_t)decode_reg(&d->ops[1]);
    return true;
}

const DecodeRow decode_segment_rows[] = {
    { ZYDIS_MNEMONIC_ARPL, emit_arpl, false },
    { ZYDIS_MNEMONIC_IRET, emit_iret, false },
    { ZYDIS_MNEMONIC_IRETD, emit_iret, false },
    { ZYDIS_MNEMONIC_IRETQ, emit_iret, false },
    { ZYDIS_MNEMONIC_LAR, emit_lar, false },
    { ZYDIS_MNEMONIC_LDS, emit_load_far, false },
    { ZYDIS_MNEMONIC_LES, emit_load_far, false },
    { ZYDIS_MNEMONIC_LFS, emit_load_far, false },
    { ZYDIS_MNEMONIC_LGDT, emit_lgdt, false },
    { ZYDIS_MNEMONIC_LGS, emit_load_far, false },
    { ZYDIS_MNEMONIC_LIDT, emit_lidt, false },
    { ZYDIS_MNEMONIC_LLDT, emit_lldt, false },
    { ZYDIS_MNEMONIC_LMSW, emit_lmsw, false },
    { ZYDIS_MNEMONIC_LSL, emit_lsl, false },
    { ZYDIS_MNEMONIC_LSS, emit_load_far, false },
    { ZYDIS_MNEMONIC_LTR, emit_ltr, false },
    { ZYDIS_MNEMONIC_SGDT, emit_sgdt, false },
    { ZYDIS_MNEMONIC_SIDT, emit_sidt, false },
    { ZYDIS_MNEMONIC_SLDT, emit_sldt, false },
    { ZYDIS_MNEMONIC_SMSW, emit_smsw, false },
    { ZYDIS_MNEMONIC_STR, emit_str, false },
    { ZYDIS_MNEMONIC_VERR, emit_verify, false },
    { ZYDIS_MNEMONIC_VERW, emit_verify, false },
    {}
};
