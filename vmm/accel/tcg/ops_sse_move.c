/*
 * Moves between vector, MMX and general registers and memory.  None of them looks at a value.
 */
#include "tcg_ops.h"
#include "tcg_sse.h"

/* ---- 16 bytes ---- */

static const UOp *op_mov128(TcgCpu *cpu, const UOp *u)
{
    _mm_store_si128((__m128i *)fp_dst(cpu, u), _mm_load_si128((const __m128i *)fp_src(cpu, u)));
    NEXT(u);
}

/* UOp.aux: the alignment the operand must have, 1 or 16. */
static G_GNUC_NO_INLINE const UOp *op_load128_slow(TcgCpu *cpu, const UOp *u)
{
    uint64_t addr = tcg_ea(cpu, u, 16, ACCESS_READ);

    tcg_check_aligned(cpu, u, addr, u->aux);
    tcg_load_bytes(cpu, u, addr, &cpu->fp_tmp, 16);
    memcpy(fp_dst(cpu, u), &cpu->fp_tmp, 16);
    NEXT(u);
}

static const UOp *op_load128(TcgCpu *cpu, const UOp *u)
{
    if (G_UNLIKELY(tcg_sum(cpu, u) & (u->aux - 1))) {
        return op_load128_slow(cpu, u);
    }
    FAST_MEM(op_load128_slow, 128, ACCESS_READ);
    _mm_store_si128((__m128i *)fp_dst(cpu, u), _mm_loadu_si128(host));
    NEXT(u);
}

static G_GNUC_NO_INLINE const UOp *op_store128_slow(TcgCpu *cpu, const UOp *u)
{
    uint64_t addr = tcg_ea(cpu, u, 16, ACCESS_WRITE);

    tcg_check_aligned(cpu, u, addr, u->aux);
    tcg_store_bytes(cpu, u, addr, fp_dst(cpu, u), 16);
    NEXT(u);
}

static const UOp *op_store128(TcgCpu *cpu, const UOp *u)
{
    if (G_UNLIKELY(tcg_sum(cpu, u) & (u->aux - 1))) {
        return op_store128_slow(cpu, u);
    }
    FAST_MEM(op_store128_slow, 128, ACCESS_WRITE);
    _mm_storeu_si128(host, _mm_load_si128((const __m128i *)fp_dst(cpu, u)));
    NEXT(u);
}

static bool emit_mov128(DecodeContext *d, const FpRow *row)
{
    bool store = op_is_mem(&d->ops[0]);
    const ZydisDecodedOperand *mem = store ? &d->ops[0] : &d->ops[1];

    if (!op_is_mem(mem)) {
        UOp *u = decode_emit_quiet(d, op_mov128);

        u->r1 = decode_reg(&d->ops[0]);
        u->disp = VEC_OFFSET(decode_reg(&d->ops[1]));
        return true;
    }
    UOp *u = decode_emit(d, store ? op_store128 : op_load128);

    decode_mem(d, u, mem);
    u->aux = row->unaligned ? 1 : 16;
    u->r1 = decode_reg(&d->ops[store]);
    return true;
}

/* ---- parts of an xmm register ---- */

/* UOp.aux: byte offset of the part. */
#define PARTS(bits)                                                                             \
static inline uint##bits##_t part##bits(TcgCpu *cpu, const UOp *u)                              \
{                                                                                               \
    return *(const uint##bits##_t *)&fp_dst(cpu, u)->u8[u->aux];                                \
}                                                                                               \
static G_GNUC_NO_INLINE const UOp *op_store_part##bits##_slow(TcgCpu *cpu, const UOp *u)         \
{                                                                                               \
    tcg_store##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_WRITE), part##bits(cpu, u));        \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_store_part##bits(TcgCpu *cpu, const UOp *u)                                \
{                                                                                               \
    FAST_MEM(op_store_part##bits##_slow, bits, ACCESS_WRITE);                                   \
    HOST_SET(part##bits(cpu, u));                                                               \
    NEXT(u);                                                                                    \
}                                                                                               \
/* From a register or fp_tmp. */                                                                \
static const UOp *op_put_part##bits(TcgCpu *cpu, const UOp *u)                                  \
{                                                                                               \
    *(uint##bits##_t *)&fp_dst(cpu, u)->u8[u->aux] = *(const uint##bits##_t *)fp_src(cpu, u);   \
    NEXT(u);                                                                                    \
}                                                                                               \
/* To general register r2. */                                                                   \
static const UOp *op_get_part##bits(TcgCpu *cpu, const UOp *u)                                  \
{                                                                                               \
    cpu->x86.gpr[u->r2] = part##bits(cpu, u);                                                   \
    NEXT(u);                                                                                    \
}
PARTS(8)
PARTS(16)
PARTS(32)
PARTS(64)

/*
 * The low part; the rest of the register is cleared.  In one store of 16 bytes: arithmetic loads
 * 16, which the host forwards from one store but not from two.
 */
#define LOW_PARTS(bits, from_bits)                                                              \
static inline void set_low##bits(TcgCpu *cpu, const UOp *u, uint##bits##_t value)               \
{                                                                                               \
    _mm_store_si128((__m128i *)fp_dst(cpu, u), from_bits(value));                               \
}                                                                                               \
static G_GNUC_NO_INLINE const UOp *op_load_zero##bits##_slow(TcgCpu *cpu, const UOp *u)          \
{                                                                                               \
    set_low##bits(cpu, u, tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ)));       \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_load_zero##bits(TcgCpu *cpu, const UOp *u)                                 \
{                                                                                               \
    FAST_MEM(op_load_zero##bits##_slow, bits, ACCESS_READ);                                     \
    set_low##bits(cpu, u, HOST_GET());                                                          \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_put_zero##bits(TcgCpu *cpu, const UOp *u)                                  \
{                                                                                               \
    set_low##bits(cpu, u, *(const uint##bits##_t *)fp_src(cpu, u));                             \
    NEXT(u);                                                                                    \
}
LOW_PARTS(32, _mm_cvtsi32_si128)
LOW_PARTS(64, _mm_cvtsi64_si128)

/* MOVSS and MOVSD between registers. */
static const UOp *op_merge32(TcgCpu *cpu, const UOp *u)
{
    __m128 *d = (__m128 *)fp_dst(cpu, u);

    *d = _mm_move_ss(*d, *(const __m128 *)fp_src(cpu, u));
    NEXT(u);
}

static const UOp *op_merge64(TcgCpu *cpu, const UOp *u)
{
    __m128d *d = (__m128d *)fp_dst(cpu, u);

    *d = _mm_move_sd(*d, *(const __m128d *)fp_src(cpu, u));
    NEXT(u);
}

/* The rest stays. */
static inline void set_half(TcgCpu *cpu, const UOp *u, const void *half)
{
    __m128d *d = (__m128d *)fp_dst(cpu, u);

    *d = u->aux ? _mm_loadh_pd(*d, half) : _mm_loadl_pd(*d, half);
}

static G_GNUC_NO_INLINE const UOp *op_load_part64_slow(TcgCpu *cpu, const UOp *u)
{
    cpu->fp_tmp.u64[0] = tcg_load64(cpu, u, tcg_ea(cpu, u, 8, ACCESS_READ));
    set_half(cpu, u, &cpu->fp_tmp);
    NEXT(u);
}

static const UOp *op_load_part64(TcgCpu *cpu, const UOp *u)
{
    FAST_MEM(op_load_part64_slow, 64, ACCESS_READ);
    set_half(cpu, u, host);
    NEXT(u);
}

#define BY_SIZE(name)   { name##8, name##16, name##32, name##64 }
static const UOpFn store_part[4] = BY_SIZE(op_store_part), put_part[4] = BY_SIZE(op_put_part),
    get_part[4] = BY_SIZE(op_get_part);

static void emit_part_mem(DecodeContext *d, UOpFn fn, unsigned reg, const ZydisDecodedOperand *mem,
                          unsigned offset)
{
    UOp *u = decode_emit(d, fn);

    decode_mem(d, u, mem);
    u->r1 = reg;
    u->aux = offset;
}

static void emit_part_reg(DecodeContext *d, UOpFn fn, unsigned reg, int32_t source, unsigned offset)
{
    UOp *u = decode_emit_quiet(d, fn);

    u->r1 = reg;
    u->disp = source;
    u->aux = offset;
}

/* MOVSS, MOVSD: between registers the rest of the destination stays, from memory it is cleared. */
static bool emit_mov_scalar(DecodeContext *d, const FpRow *row)
{
    const ZydisDecodedOperand *to = &d->ops[0], *from = &d->ops[1];
    bool single = row->mnemonic == ZYDIS_MNEMONIC_MOVSS;

    if (op_is_mem(to)) {
        emit_part_mem(d, single ? op_store_part32 : op_store_part64, decode_reg(from), to, 0);
    } else if (op_is_mem(from)) {
        emit_part_mem(d, single ? op_load_zero32 : op_load_zero64, decode_reg(to), from, 0);
    } else {
        emit_part_reg(d, single ? op_merge32 : op_merge64, decode_reg(to),
                      VEC_OFFSET(decode_reg(from)), 0);
    }
    return true;
}

/*
 * MOVLPS MOVLPD MOVHPS MOVHPD with memory, MOVLHPS and MOVHLPS without; `imm_mask`: 8 for the high
 * half.
 */
static bool emit_mov_half(DecodeContext *d, const FpRow *row)
{
    if (op_is_mem(&d->ops[0])) {
        emit_part_mem(d, op_store_part64, decode_reg(&d->ops[1]), &d->ops[0], row->imm_mask);
    } else if (op_is_mem(&d->ops[1])) {
        emit_part_mem(d, op_load_part64, decode_reg(&d->ops[0]), &d->ops[1], row->imm_mask);
    } else {
        emit_part_reg(d, op_put_part64, decode_reg(&d->ops[0]),
                      VEC_OFFSET(decode_reg(&d->ops[1])) + (8 - row->imm_mask), row->imm_mask);
    }
    return true;
}

/* ---- MMX registers ---- */

static const UOp *op_mm_store(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    if (u->aux == 4) {
        tcg_store32(cpu, u, tcg_ea(cpu, u, 4, ACCESS_WRITE), *mm_dst(cpu, u));
    } else {
        tcg_store64(cpu, u, tcg_ea(cpu, u, 8, ACCESS_WRITE), *mm_dst(cpu, u));
    }
    mmx_enter(cpu);
    NEXT(u);
}

/* From an MMX, general or xmm register or fp_tmp: UOp.aux bytes. */
static const UOp *op_mm_put(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    *mm_dst(cpu, u) = u->aux == 4 ? *(const uint32_t *)fp_src(cpu, u) :
                                        *(const uint64_t *)fp_src(cpu, u);
    mm_written(cpu, u->r1);
    NEXT(u);
}

static const UOp *op_mm_to_gpr(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    cpu->x86.gpr[u->r2] = u->aux == 4 ? (uint32_t)*mm_dst(cpu, u) : *mm_dst(cpu, u);
    mmx_enter(cpu);
    NEXT(u);
}

static const UOp *op_mm_to_xmm(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    fp_dst(cpu, u)->u64[0] = *(const uint64_t *)fp_src(cpu, u);
    fp_dst(cpu, u)->u64[1] = 0;
    mmx_enter(cpu);
    NEXT(u);
}

static void emit_mm_write(DecodeContext *d, const FpRow *row)
{
    const ZydisDecodedOperand *from = &d->ops[1];
    int32_t source = fp_emit_source(d, row, from);
    UOp *u = decode_emit(d, op_mm_put);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    u->aux = op_is_xmm(from) || op_is_mm(from) ? 8 : from->size / 8;
}

static void emit_mm_read(DecodeContext *d, const FpRow *row)
{
    const ZydisDecodedOperand *to = &d->ops[0];
    UOp *u;

    if (op_is_mem(to)) {
        u = decode_emit(d, op_mm_store);
        decode_mem(d, u, to);
        u->r1 = decode_reg(&d->ops[1]);
    } else if (op_is_xmm(to)) {
        u = decode_emit(d, op_mm_to_xmm);
        u->r1 = decode_reg(to);
        u->disp = MM_OFFSET(decode_reg(&d->ops[1]));
    } else {
        u = decode_emit(d, op_mm_to_gpr);
        u->r1 = decode_reg(&d->ops[1]);
        u->r2 = decode_reg(to);
    }
    u->aux = to->size / 8;
}

/* MOVD, MOVQ, MOVQ2DQ, MOVDQ2Q, MOVNTQ: the low 32 or 64 bits of anything to anything. */
static bool emit_mov_low(DecodeContext *d, const FpRow *row)
{
    const ZydisDecodedOperand *to = &d->ops[0], *from = &d->ops[1];

    if (op_is_mm(to)) {
        emit_mm_write(d, row);
    } else if (op_is_mm(from)) {
        emit_mm_read(d, row);
    } else if (op_is_mem(to)) {
        emit_part_mem(d, store_part[size_index(to->size)], decode_reg(from), to, 0);
    } else if (op_is_mem(from)) {
        emit_part_mem(d, from->size == 32 ? op_load_zero32 : op_load_zero64, decode_reg(to), from,
                      0);
    } else if (op_is_xmm(to)) {
        bool low = !op_is_xmm(from) && from->size == 32;

        emit_part_reg(d, low ? op_put_zero32 : op_put_zero64, decode_reg(to),
                      fp_emit_source(d, row, from), 0);
    } else {
        emit_part_reg(d, get_part[size_index(to->size)], decode_reg(from), 0, 0);
        d->uops[d->n_uops - 1].r2 = decode_reg(to);
    }
    return true;
}

/* ---- PINSR*, PEXTR*, EXTRACTPS: UOp.aux is the byte offset again ---- */

static const UOp *op_mm_pinsrw(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    memcpy((uint8_t *)mm_dst(cpu, u) + u->aux, fp_src(cpu, u), 2);
    mm_written(cpu, u->r1);
    NEXT(u);
}

static const UOp *op_mm_pextrw(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    cpu->x86.gpr[u->r2] = (uint16_t)(*mm_dst(cpu, u) >> (8 * u->aux));
    mmx_enter(cpu);
    NEXT(u);
}

/* `imm_mask`: bytes of an element. */
static unsigned element_offset(const DecodeContext *d, const FpRow *row, unsigned vector_bytes)
{
    unsigned element = d->ops[2].imm.value.u & (vector_bytes / row->imm_mask - 1);

    return element * row->imm_mask;
}

static bool emit_insert(DecodeContext *d, const FpRow *row)
{
    bool mm = op_is_mm(&d->ops[0]);
    int32_t source = fp_emit_source(d, row, &d->ops[1]);
    UOp *u = decode_emit(d, mm ? op_mm_pinsrw : put_part[size_index(row->imm_mask * 8)]);

    u->r1 = decode_reg(&d->ops[0]);
    u->disp = source;
    u->aux = element_offset(d, row, mm ? 8 : 16);
    return true;
}

static bool emit_extract(DecodeContext *d, const FpRow *row)
{
    bool mm = op_is_mm(&d->ops[1]);
    unsigned size = size_index(row->imm_mask * 8), reg = decode_reg(&d->ops[1]);
    unsigned offset = element_offset(d, row, mm ? 8 : 16);

    if (op_is_mem(&d->ops[0])) {
        emit_part_mem(d, store_part[size], reg, &d->ops[0], offset);
        return true;
    }
    UOp *u = decode_emit(d, mm ? op_mm_pextrw : get_part[size]);

    u->r1 = reg;
    u->r2 = decode_reg(&d->ops[0]);
    u->aux = offset;
    return true;
}

/* ---- sign masks ---- */

static const UOp *op_pmovmskb(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.gpr[u->r2] = (uint32_t)_mm_movemask_epi8(*(const __m128i *)fp_dst(cpu, u));
    NEXT(u);
}

static const UOp *op_movmskpd(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.gpr[u->r2] = (uint32_t)_mm_movemask_pd(*(const __m128d *)fp_dst(cpu, u));
    NEXT(u);
}

static const UOp *op_movmskps(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.gpr[u->r2] = (uint32_t)_mm_movemask_ps(*(const __m128 *)fp_dst(cpu, u));
    NEXT(u);
}

static const UOp *op_mm_pmovmskb(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    cpu->x86.gpr[u->r2] = (uint32_t)_mm_movemask_epi8(_mm_cvtsi64_si128((int64_t)*mm_dst(cpu, u)));
    mmx_enter(cpu);
    NEXT(u);
}

static bool emit_sign_mask(DecodeContext *d, const FpRow *row)
{
    UOp *u = decode_emit(d, op_is_mm(&d->ops[1]) ? row->mm_fn : row->fn);

    u->r1 = decode_reg(&d->ops[1]);
    u->r2 = decode_reg(&d->ops[0]);
    return true;
}

/* ---- stores under a mask ---- */

/* Bytes whose mask byte has its top bit set; nothing is written unless all of them can be. */
static void store_masked(TcgCpu *cpu, const UOp *u, const uint8_t *bytes, const uint8_t *mask,
                         unsigned len)
{
    unsigned first = 0, last = len;
    uint64_t addr = tcg_ea(cpu, u, len, ACCESS_WRITE);

    while (first < len && !(mask[first] & 0x80)) {
        first++;
    }
    if (first == len) {
        return;
    }
    while (!(mask[last - 1] & 0x80)) {
        last--;
    }
    mmu_probe(cpu, u, addr + first, last - first, ACCESS_WRITE);
    for (unsigned i = first; i < last; i++) {
        if (mask[i] & 0x80) {
            tcg_store8(cpu, u, addr + i, bytes[i]);
        }
    }
}

/* r1: the bytes, r2: the mask. */
static const UOp *op_maskmovdqu(TcgCpu *cpu, const UOp *u)
{
    store_masked(cpu, u, fp_dst(cpu, u)->u8, cpu->x86.fpu.v[u->r2].u8, 16);
    NEXT(u);
}

static const UOp *op_maskmovq(TcgCpu *cpu, const UOp *u)
{
    x87_wait(cpu, u);
    mmx_enter(cpu);
    store_masked(cpu, u, cpu->x86.fpu.r[u->r1].bytes, cpu->x86.fpu.r[u->r2].bytes, 8);
    NEXT(u);
}

/* To DS:rDI, or the segment a prefix names. */
static bool emit_maskmov(DecodeContext *d, const FpRow *row)
{
    UOp *u = decode_emit(d, row->fn);
    unsigned seg = decode_override(d);

    u->base = R_RDI;
    u->addr_bits = d->address_bits;
    u->seg = d->code64 && d->address_bits == 64 && seg < SEG_FS ? UOP_SEG_NONE : seg;
    u->r1 = decode_reg(&d->ops[0]);
    u->r2 = decode_reg(&d->ops[1]);
    return true;
}

/* ---- MOVNTI ---- */

static const UOp *op_movnti32(TcgCpu *cpu, const UOp *u)
{
    tcg_store32(cpu, u, tcg_ea(cpu, u, 4, ACCESS_WRITE), cpu->x86.gpr[u->r1]);
    NEXT(u);
}

static const UOp *op_movnti64(TcgCpu *cpu, const UOp *u)
{
    tcg_store64(cpu, u, tcg_ea(cpu, u, 8, ACCESS_WRITE), cpu->x86.gpr[u->r1]);
    NEXT(u);
}

static bool emit_movnti(DecodeContext *d, const FpRow *row)
{
    emit_part_mem(d, d->ops[0].size == 64 ? op_movnti64 : op_movnti32, decode_reg(&d->ops[1]),
                  &d->ops[0], 0);
    return true;
}

#define ROW_A(NAME)             { ZYDIS_MNEMONIC_##NAME, emit_mov128 }
#define ROW_U(NAME)             { ZYDIS_MNEMONIC_##NAME, emit_mov128, .unaligned = true }
#define ROW_HALF(NAME, offset)  { ZYDIS_MNEMONIC_##NAME, emit_mov_half, .imm_mask = offset }
#define ROW_LOW(NAME)           { ZYDIS_MNEMONIC_##NAME, emit_mov_low }
#define ROW_INSERT(NAME, bytes) { ZYDIS_MNEMONIC_##NAME, emit_insert, .imm_mask = bytes }
#define ROW_EXTRACT(NAME, bytes) { ZYDIS_MNEMONIC_##NAME, emit_extract, .imm_mask = bytes }

const FpRow sse_move_rows[] = {
    ROW_A(MOVAPD), ROW_A(MOVAPS), ROW_A(MOVDQA), ROW_A(MOVNTDQ), ROW_A(MOVNTDQA), ROW_A(MOVNTPD),
    ROW_A(MOVNTPS), ROW_U(LDDQU), ROW_U(MOVDQU), ROW_U(MOVUPD), ROW_U(MOVUPS),
    ROW_HALF(MOVHLPS, 0), ROW_HALF(MOVHPD, 8), ROW_HALF(MOVHPS, 8), ROW_HALF(MOVLHPS, 8),
    ROW_HALF(MOVLPD, 0), ROW_HALF(MOVLPS, 0),
    ROW_LOW(MOVD), ROW_LOW(MOVDQ2Q), ROW_LOW(MOVNTQ), ROW_LOW(MOVQ), ROW_LOW(MOVQ2DQ),
    ROW_INSERT(PINSRB, 1), ROW_INSERT(PINSRD, 4), ROW_INSERT(PINSRQ, 8), ROW_INSERT(PINSRW, 2),
    ROW_EXTRACT(EXTRACTPS, 4), ROW_EXTRACT(PEXTRB, 1), ROW_EXTRACT(PEXTRD, 4),
    ROW_EXTRACT(PEXTRQ, 8), ROW_EXTRACT(PEXTRW, 2),
    { ZYDIS_MNEMONIC_MOVSD, emit_mov_scalar }, { ZYDIS_MNEMONIC_MOVSS, emit_mov_scalar },
    { ZYDIS_MNEMONIC_MOVMSKPD, emit_sign_mask, op_movmskpd },
    { ZYDIS_MNEMONIC_MOVMSKPS, emit_sign_mask, op_movmskps },
    { ZYDIS_MNEMONIC_PMOVMSKB, emit_sign_mask, op_pmovmskb, op_mm_pmovmskb },
    { ZYDIS_MNEMONIC_MASKMOVDQU, emit_maskmov, op_maskmovdqu },
    { ZYDIS_MNEMONIC_MASKMOVQ, emit_maskmov, op_maskmovq },
    { ZYDIS_MNEMONIC_MOVNTI, emit_movnti },
    {}
};
