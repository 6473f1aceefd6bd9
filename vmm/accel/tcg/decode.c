/*
 * From bytes to micro-ops: one basic block at a time.
 *
 * A block ends at a branch, at an instruction that changes the mode, at the end of the page and
 * at a size limit. An instruction that crosses into the next page is a block by itself, so every
 * other block depends on one page only.
 *
 * Flags: each micro-op says which flags it sets and whether flags must be right before it (it
 * reads them, may fault or leave).  A backward pass then swaps micro-ops whose flags nobody can
 * see for their twins without.
 */
#include <string.h>

#include "tcg_decode.h"

#include "tcg_block.h"
#include "tcg_ops.h"

#define MAX_INSN_BYTES  15

static ZydisDecoder decoders[5];
enum { DECODER_LONG64, DECODER_COMPAT32, DECODER_COMPAT16, DECODER_LEGACY32, DECODER_LEGACY16 };

static const DecodeRow *rows_by_mnemonic[ZYDIS_MNEMONIC_MAX_VALUE + 1];

/* ---- which instructions the CPU model has ---- */

typedef struct FeatureRow {
    uint16_t isa_set;
    uint8_t word, bit;
} FeatureRow;

static const FeatureRow feature_rows[] = {
    { ZYDIS_ISA_SET_X87, FEAT_1_EDX, 0 },
    { ZYDIS_ISA_SET_CMOV, FEAT_1_EDX, 15 },
    { ZYDIS_ISA_SET_FCMOV, FEAT_1_EDX, 15 },
    { ZYDIS_ISA_SET_CLFSH, FEAT_1_EDX, 19 },
    { ZYDIS_ISA_SET_PENTIUMMMX, FEAT_1_EDX, 23 },
    { ZYDIS_ISA_SET_FXSAVE, FEAT_1_EDX, 24 },
    { ZYDIS_ISA_SET_FXSAVE64, FEAT_1_EDX, 24 },
    { ZYDIS_ISA_SET_SSE, FEAT_1_EDX, 25 },
    { ZYDIS_ISA_SET_SSEMXCSR, FEAT_1_EDX, 25 },
    { ZYDIS_ISA_SET_SSE2, FEAT_1_EDX, 26 },
    { ZYDIS_ISA_SET_SSE2MMX, FEAT_1_EDX, 26 },
    { ZYDIS_ISA_SET_SSE3, FEAT_1_ECX, 0 },
    { ZYDIS_ISA_SET_SSE3X87, FEAT_1_ECX, 0 },
    { ZYDIS_ISA_SET_PCLMULQDQ, FEAT_1_ECX, 1 },
    { ZYDIS_ISA_SET_MONITOR, FEAT_1_ECX, 3 },
    { ZYDIS_ISA_SET_SSSE3, FEAT_1_ECX, 9 },
    { ZYDIS_ISA_SET_SSSE3MMX, FEAT_1_ECX, 9 },
    { ZYDIS_ISA_SET_CMPXCHG16B, FEAT_1_ECX, 13 },
    { ZYDIS_ISA_SET_SSE4, FEAT_1_ECX, 19 },
    { ZYDIS_ISA_SET_SSE42, FEAT_1_ECX, 20 },
    { ZYDIS_ISA_SET_MOVBE, FEAT_1_ECX, 22 },
    { ZYDIS_ISA_SET_POPCNT, FEAT_1_ECX, 23 },
    { ZYDIS_ISA_SET_AES, FEAT_1_ECX, 25 },
    { ZYDIS_ISA_SET_XSAVE, FEAT_1_ECX, 26 },
    { ZYDIS_ISA_SET_RDRAND, FEAT_1_ECX, 30 },
    { ZYDIS_ISA_SET_RDWRFSGS, FEAT_7_0_EBX, 0 },
    { ZYDIS_ISA_SET_INVPCID, FEAT_7_0_EBX, 10 },
    { ZYDIS_ISA_SET_RDSEED, FEAT_7_0_EBX, 18 },
    { ZYDIS_ISA_SET_SMAP, FEAT_7_0_EBX, 20 },
    { ZYDIS_ISA_SET_CLFLUSHOPT, FEAT_7_0_EBX, 23 },
    { ZYDIS_ISA_SET_CLWB, FEAT_7_0_EBX, 24 },
    { ZYDIS_ISA_SET_SHA, FEAT_7_0_EBX, 29 },
    { ZYDIS_ISA_SET_RDTSCP, FEAT_8000_0001_EDX, 27 },
    { ZYDIS_ISA_SET_XSAVEOPT, FEAT_XSAVE, 0 },
};

bool decode_has(const DecodeContext *d, FeatureWord word, unsigned bit)
{
    return d->model == NULL || x86_cpu_has(d->model, word, bit);
}

static bool model_has_insn(const DecodeContext *d)
{
    for (size_t i = 0; i < G_N_ELEMENTS(feature_rows); i++) {
        const FeatureRow *row = &feature_rows[i];

        if (row->isa_set == d->insn->meta.isa_set) {
            return decode_has(d, row->word, row->bit);
        }
    }
    return true;
}

/* ---- making micro-ops ---- */

static UOp *emit(DecodeContext *d, UOpFn fn, UOpFn no_flags, unsigned sets, bool barrier)
{
    UOp *u = &d->uops[d->n_uops];

    g_assert(d->n_uops < MAX_BLOCK_UOPS);
    *u = (UOp){ .fn = fn, .base = GPR_NONE, .index = GPR_NONE, .seg = UOP_SEG_NONE, .addr_bits = 64,
                .insn_off = d->insn_off, .insn_len = d->insn->length };
    d->info[d->n_uops++] = (UOpInfo){ .no_flags = no_flags, .sets = (uint16_t)sets,
                                      .barrier = barrier };
    return u;
}

UOp *decode_emit(DecodeContext *d, UOpFn fn)
{
    return emit(d, fn, NULL, 0, true);
}

UOp *decode_emit_quiet(DecodeContext *d, UOpFn fn)
{
    return emit(d, fn, NULL, 0, false);
}

UOp *decode_emit_flags(DecodeContext *d, UOpFn fn, UOpFn no_flags, unsigned sets, bool faults)
{
    return emit(d, fn, no_flags, sets, faults);
}

UOp *decode_emit_last(DecodeContext *d, UOpFn fn)
{
    UOp *u = emit(d, fn, NULL, 0, true);

    u->flags = UOP_LAST;
    u->r2 = (uint8_t)(d->n_uops - 1);
    d->ends = d->closed = true;
    return u;
}

bool decode_raise(DecodeContext *d, unsigned vector)
{
    decode_emit_last(d, op_raise)->aux = (uint8_t)vector;
    return true;
}

void decode_end(DecodeContext *d)
{
    d->ends = true;
}

/* ---- operands ---- */

unsigned decode_reg(const ZydisDecodedOperand *op)
{
    return (unsigned)ZydisRegisterGetId(op->reg.value);
}

unsigned decode_reg8(const ZydisDecodedOperand *op)
{
    ZydisRegister reg = op->reg.value;

    if (reg >= ZYDIS_REGISTER_AH && reg <= ZYDIS_REGISTER_BH) {
        return (reg - ZYDIS_REGISTER_AH) * 8 + 1;
    }
    return reg <= ZYDIS_REGISTER_BL ? (reg - ZYDIS_REGISTER_AL) * 8
                                    : (4 + reg - ZYDIS_REGISTER_SPL) * 8;
}

static unsigned address_reg(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE) {
        return GPR_NONE;
    }
    if (reg == ZYDIS_REGISTER_RIP || reg == ZYDIS_REGISTER_EIP) {
        return GPR_BLOCK_RIP;
    }
    return (unsigned)ZydisRegisterGetId(reg);
}

static unsigned decode_segment(const DecodeContext *d, ZydisRegister reg)
{
    unsigned seg = reg >= ZYDIS_REGISTER_ES && reg <= ZYDIS_REGISTER_GS ? reg - ZYDIS_REGISTER_ES
                                                                         : SEG_DS;

    if (d->code64 && seg < SEG_FS) {
        return d->address_bits == 64 ? UOP_SEG_NONE : SEG_DS;
    }
    return seg;
}

/*
 * SIB with mod 00 and base 101 is a displacement without base (SDM 2, table 2-3).  Zydis 4.0
 * takes it for R13D when REX.B meets 32-bit addresses.
 */
static bool base_is_none(const DecodeContext *d)
{
    return d->insn->attributes & ZYDIS_ATTRIB_HAS_SIB && d->insn->raw.modrm.mod == 0 &&
           d->insn->raw.sib.base == 5;
}

static unsigned base_reg(const DecodeContext *d, const ZydisDecodedOperand *op)
{
    return base_is_none(d) ? GPR_NONE : address_reg(op->mem.base);
}

/* Displacement counted from the base register we use. */
static int64_t full_disp(const DecodeContext *d, const ZydisDecodedOperand *op)
{
    int64_t disp = base_is_none(d) ? d->insn->raw.disp.value :
                   op->mem.disp.has_displacement ? op->mem.disp.value : 0;

    if (base_reg(d, op) == GPR_BLOCK_RIP) {
        disp += d->insn_off + d->insn->length;
    }
    return disp;
}

void decode_mem(const DecodeContext *d, UOp *u, const ZydisDecodedOperand *op)
{
    static const uint8_t shifts[9] = { [1] = 0, [2] = 1, [4] = 2, [8] = 3 };

    u->base = (uint8_t)base_reg(d, op);
    u->index = (uint8_t)address_reg(op->mem.index);
    u->scale = shifts[op->mem.scale & 15 & -(op->mem.scale <= 8)];
    u->disp = (int32_t)full_disp(d, op);
    u->addr_bits = d->address_bits;
    u->seg = (uint8_t)decode_segment(d, op->mem.segment);
    if (d->wide_disp) {
        u->base = GPR_TEMP;
        u->disp = 0;
    }
}

/*
 * A displacement of 64 bits (MOV's absolute form, RIP at the edge of reach) goes through
 * GPR_TEMP.
 */
static void prepare_wide_disp(DecodeContext *d)
{
    d->wide_disp = false;
    for (unsigned i = 0; i < d->insn->operand_count_visible; i++) {
        const ZydisDecodedOperand *op = &d->ops[i];

        int64_t disp = op_is_mem(op) && d->address_bits == 64 ? full_disp(d, op) : 0;

        if (disp != (int32_t)disp) {
            UOp *u = decode_emit_quiet(d, op_set_temp);

            u->base = (uint8_t)base_reg(d, op);
            u->simm = disp;
            d->wide_disp = true;
        }
    }
}

/* ---- one instruction ---- */

static bool emit_insn(DecodeContext *d)
{
    const DecodeRow *row = rows_by_mnemonic[d->insn->mnemonic];

    if (!model_has_insn(d)) {
        return false;
    }
    if (d->lock && (row == NULL || !row->lockable || !op_is_mem(&d->ops[0]))) {
        return false;
    }
    prepare_wide_disp(d);
    return row != NULL ? row->emit(d) : decode_fp(d);
}

static void decode_insn(DecodeContext *d)
{
    const ZydisDecodedInstruction *insn = d->insn;
    unsigned mark = d->n_uops;

    d->operand_bits = insn->operand_width == 8 ? 8 : insn->operand_width;
    d->address_bits = insn->address_width;
    d->lock = insn->attributes & ZYDIS_ATTRIB_HAS_LOCK;
    d->rep = insn->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE);
    d->repne = insn->attributes & ZYDIS_ATTRIB_HAS_REPNE;
    if (!emit_insn(d)) {
        d->n_uops = mark;
        decode_raise(d, EXC_UD);
    }
    g_assert(d->n_uops - mark <= MAX_INSN_UOPS);
    d->n_insns++;
}

/* ---- the block ---- */

static const ZydisDecoder *decoder_for(uint32_t mode)
{
    if (mode & CPU_MODE_CS64) {
        return &decoders[DECODER_LONG64];
    }
    if (mode & CPU_MODE_LMA) {
        return &decoders[mode & CPU_MODE_CS32 ? DECODER_COMPAT32 : DECODER_COMPAT16];
    }
    return &decoders[mode & CPU_MODE_CS32 ? DECODER_LEGACY32 : DECODER_LEGACY16];
}

static void context_start(DecodeContext *d, const DecodeInput *in)
{
    d->mode = in->mode;
    d->model = in->model;
    d->code64 = in->mode & CPU_MODE_CS64;
    d->stack_bits = d->code64 ? 64 : in->mode & CPU_MODE_SS32 ? 32 : 16;
    d->cpl = in->mode & CPU_MODE_CPL;
    d->ends = d->closed = false;
    d->insn_off = 0;
    d->n_uops = d->n_insns = 0;
}

/* Up to 15 bytes of the instruction at d->insn_off. */
static unsigned insn_bytes(const DecodeContext *d, const DecodeInput *in, uint8_t *buf)
{
    unsigned here = MIN(MAX_INSN_BYTES, in->avail - d->insn_off), more = 0;

    memcpy(buf, in->bytes + d->insn_off, here);
    if (d->insn_off == 0 && in->next_page != NULL) {
        more = MAX_INSN_BYTES - here;
        memcpy(buf + here, in->next_page, more);
    }
    return MIN(here + more, in->room - d->insn_off);
}

typedef enum InsnResult { INSN_DONE, INSN_STOP, INSN_NEEDS_PAGE } InsnResult;

/* The bytes at hand are no whole instruction. */
static InsnResult insn_incomplete(DecodeContext *d, const DecodeInput *in, unsigned len,
                                  bool too_long)
{
    if (too_long || len == MAX_INSN_BYTES || len == in->room - d->insn_off) {
        if (d->n_insns > 0) {
            return INSN_STOP;           /* the next block finds it first */
        }
        decode_raise(d, EXC_GP);
        d->n_insns++;
        return INSN_DONE;
    }
    return d->n_insns > 0 ? INSN_STOP : INSN_NEEDS_PAGE;
}

static InsnResult decode_one(DecodeContext *d, const DecodeInput *in, const ZydisDecoder *decoder)
{
    ZydisDecodedInstruction no_insn = { .length = 1 };
    ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT_VISIBLE];
    uint8_t buf[2 * MAX_INSN_BYTES];
    ZydisDecodedInstruction insn;
    ZydisDecoderContext zydis;
    unsigned len = insn_bytes(d, in, buf);
    ZyanStatus status = ZydisDecoderDecodeInstruction(decoder, &zydis, buf, len, &insn);

    d->insn = &no_insn;
    no_insn.length = (uint8_t)len;      /* a block that faults still depends on these bytes */
    if (status == ZYDIS_STATUS_NO_MORE_DATA || status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG) {
        return insn_incomplete(d, in, len, status == ZYDIS_STATUS_INSTRUCTION_TOO_LONG);
    }
    if (!ZYAN_SUCCESS(status) ||
        !ZYAN_SUCCESS(ZydisDecoderDecodeOperands(decoder, &zydis, &insn, ops,
                                                 insn.operand_count_visible))) {
        decode_raise(d, EXC_UD);
        d->n_insns++;
        return INSN_DONE;
    }
    d->insn = &insn;
    d->ops = ops;
    decode_insn(d);
    d->insn_off = (uint16_t)(d->insn_off + insn.length);
    return INSN_DONE;
}

/* What runs when nothing else ended the block: on to the next instruction. */
static void close_block(DecodeContext *d)
{
    static const ZydisDecodedInstruction nothing = { .length = 0 };
    UOp *u;

    d->insn = &nothing;
    if (d->ends) {
        decode_emit_last(d, op_leave);
        return;
    }
    if (d->page_off + d->insn_off < PAGE_SIZE_4K) {
        u = decode_emit_last(d, d->code64 ? op_chain_next64 : op_chain_next);
    } else {
        u = decode_emit_last(d, d->code64 ? op_jump_next64 : op_jump_next);
    }
    u->simm = d->insn_off;
}

static void drop_dead_flags(DecodeContext *d)
{
    unsigned live = RFLAGS_ARITH;

    for (unsigned i = d->n_uops; i-- > 0;) {
        const UOpInfo *info = &d->info[i];

        if (info->no_flags != NULL && !(live & info->sets)) {
            d->uops[i].fn = info->no_flags;
        }
        live &= ~(unsigned)info->sets;
        if (info->barrier) {
            live = RFLAGS_ARITH;
        }
    }
}

static void emit_break(DecodeContext *d, const DecodeInput *in)
{
    static const ZydisDecodedInstruction nothing = { .length = 0 };

    if (!in->no_break) {
        d->insn = &nothing;
        decode_emit(d, op_break);
    }
}

bool decode_block(DecodeContext *d, const DecodeInput *in)
{
    const ZydisDecoder *decoder = decoder_for(in->mode);

    context_start(d, in);
    while (!d->ends && d->n_insns < in->max_insns && d->insn_off < in->avail &&
           d->insn_off < in->room && d->n_uops + MAX_INSN_UOPS < MAX_BLOCK_UOPS) {
        InsnResult result;

        if (tcg_break_maybe(d->page_off + d->insn_off)) {
            if (d->n_insns > 0) {
                break;                  /* the next block begins there */
            }
            emit_break(d, in);
        }
        result = decode_one(d, in, decoder);
        if (result == INSN_NEEDS_PAGE) {
            return false;
        }
        if (result == INSN_STOP) {
            break;
        }
    }
    if (!d->closed) {
        close_block(d);
    }
    drop_dead_flags(d);
    return true;
}

/* ---- lifecycle ---- */

static void add_rows(const DecodeRow *row)
{
    for (; row->emit != NULL; row++) {
        rows_by_mnemonic[row->mnemonic] = row;
    }
}

void decode_init(const X86CpuModel *model)
{
    static const struct { ZydisMachineMode mode; ZydisStackWidth stack; } modes[] = {
        [DECODER_LONG64] = { ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64 },
        [DECODER_COMPAT32] = { ZYDIS_MACHINE_MODE_LONG_COMPAT_32, ZYDIS_STACK_WIDTH_32 },
        [DECODER_COMPAT16] = { ZYDIS_MACHINE_MODE_LONG_COMPAT_16, ZYDIS_STACK_WIDTH_16 },
        [DECODER_LEGACY32] = { ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32 },
        [DECODER_LEGACY16] = { ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16 },
    };
    static const DecodeRow *const groups[] = {
        decode_alu_rows, decode_bit_rows, decode_flow_rows, decode_io_rows, decode_move_rows,
        decode_muldiv_rows, decode_segment_rows, decode_shift_rows, decode_stack_rows,
        decode_string_rows, decode_system_rows,
    };
    bool has_lzcnt = model != NULL && x86_cpu_has(model, FEAT_8000_0001_ECX, 5);
    bool has_tzcnt = model != NULL && x86_cpu_has(model, FEAT_7_0_EBX, 3);

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        ZydisDecoderInit(&decoders[i], modes[i].mode, modes[i].stack);
        ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_MPX, ZYAN_FALSE);
        ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_CET, ZYAN_FALSE);
        ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_CLDEMOTE, ZYAN_FALSE);
        ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_WBNOINVD, ZYAN_FALSE);
        ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_LZCNT, has_lzcnt);
        ZydisDecoderEnableMode(&decoders[i], ZYDIS_DECODER_MODE_TZCNT, has_tzcnt);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++) {
        add_rows(groups[i]);
    }
}
