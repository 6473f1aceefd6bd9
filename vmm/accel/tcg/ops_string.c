/*
 * String instructions, with port strings.
 *
 * One micro-op does the whole repetition: it can be left between any two iterations (faults,
 * interrupts), because registers are kept right after each, and the instruction then starts again
 * with what is left.  Where addresses are flat, MOVS and STOS do page-sized pieces at once.
 *
 * Operands: `addr_bits` is the width of rSI, rDI and rCX, `seg` the source's segment, `aux` the
 * size in bytes.
 */
#include "tcg_ops.h"

/* ---- registers ---- */

static uint64_t reg_read(const TcgCpu *cpu, const UOp *u, unsigned reg)
{
    uint64_t value = cpu->x86.gpr[reg];

    return u->addr_bits == 64 ? value : u->addr_bits == 32 ? (uint32_t)value : (uint16_t)value;
}

static void reg_write(TcgCpu *cpu, const UOp *u, unsigned reg, uint64_t value)
{
    switch (u->addr_bits) {
    case 16: *tcg_reg16(cpu, reg) = (uint16_t)value; break;
    case 32: tcg_set32(cpu, reg, (uint32_t)value); break;
    default: cpu->x86.gpr[reg] = value; break;
    }
}

static int64_t step_of(const TcgCpu *cpu, const UOp *u)
{
    return cpu->x86.rflags & RFLAGS_DF ? -(int64_t)u->aux : u->aux;
}

static void reg_step(TcgCpu *cpu, const UOp *u, unsigned reg, int64_t by)
{
    reg_write(cpu, u, reg, cpu->x86.gpr[reg] + by);
}

/* ---- elements ---- */

static uint64_t source(TcgCpu *cpu, const UOp *u)
{
    return tcg_linear(cpu, u, u->seg, reg_read(cpu, u, R_RSI), u->aux, ACCESS_READ);
}

static uint64_t destination(TcgCpu *cpu, const UOp *u, int access)
{
    return tcg_linear(cpu, u, SEG_ES, reg_read(cpu, u, R_RDI), u->aux, access);
}

static uint64_t load_size(TcgCpu *cpu, const UOp *u, uint64_t addr)
{
    switch (u->aux) {
    case 1: return tcg_load8(cpu, u, addr);
    case 2: return tcg_load16(cpu, u, addr);
    case 4: return tcg_load32(cpu, u, addr);
    default: return tcg_load64(cpu, u, addr);
    }
}

static void store_size(TcgCpu *cpu, const UOp *u, uint64_t addr, uint64_t value)
{
    switch (u->aux) {
    case 1: tcg_store8(cpu, u, addr, (uint8_t)value); break;
    case 2: tcg_store16(cpu, u, addr, (uint16_t)value); break;
    case 4: tcg_store32(cpu, u, addr, (uint32_t)value); break;
    default: tcg_store64(cpu, u, addr, value); break;
    }
}

static void set_rax(TcgCpu *cpu, const UOp *u, uint64_t value)
{
    switch (u->aux) {
    case 1: *tcg_reg8(cpu, 0) = (uint8_t)value; break;
    case 2: *tcg_reg16(cpu, R_RAX) = (uint16_t)value; break;
    case 4: tcg_set32(cpu, R_RAX, (uint32_t)value); break;
    default: cpu->x86.gpr[R_RAX] = value; break;
    }
}

/* Flags of a - b. */
static void compare(TcgCpu *cpu, const UOp *u, uint64_t a, uint64_t b)
{
    uint32_t ax;

    switch (u->aux) {
    case 1: asm("cmpb %b2, %b1" ASM_FLAGS : "=&a"(ax) : "r"(a), "r"(b) : "cc"); break;
    case 2: asm("cmpw %w2, %w1" ASM_FLAGS : "=&a"(ax) : "r"(a), "r"(b) : "cc"); break;
    case 4: asm("cmpl %k2, %k1" ASM_FLAGS : "=&a"(ax) : "r"(a), "r"(b) : "cc"); break;
    default: asm("cmpq %q2, %q1" ASM_FLAGS : "=&a"(ax) : "r"(a), "r"(b) : "cc"); break;
    }
    flags_from_ax(cpu, ax);
}

/* ---- one iteration of each ---- */

static void movs_once(TcgCpu *cpu, const UOp *u)
{
    int64_t step = step_of(cpu, u);
    uint64_t value = load_size(cpu, u, source(cpu, u));

    store_size(cpu, u, destination(cpu, u, ACCESS_WRITE), value);
    reg_step(cpu, u, R_RSI, step);
    reg_step(cpu, u, R_RDI, step);
}

static void stos_once(TcgCpu *cpu, const UOp *u)
{
    store_size(cpu, u, destination(cpu, u, ACCESS_WRITE), cpu->x86.gpr[R_RAX]);
    reg_step(cpu, u, R_RDI, step_of(cpu, u));
}

static void lods_once(TcgCpu *cpu, const UOp *u)
{
    set_rax(cpu, u, load_size(cpu, u, source(cpu, u)));
    reg_step(cpu, u, R_RSI, step_of(cpu, u));
}

static void scas_once(TcgCpu *cpu, const UOp *u)
{
    uint64_t value = load_size(cpu, u, destination(cpu, u, ACCESS_READ));

    reg_step(cpu, u, R_RDI, step_of(cpu, u));
    compare(cpu, u, cpu->x86.gpr[R_RAX], value);
}

static void cmps_once(TcgCpu *cpu, const UOp *u)
{
    int64_t step = step_of(cpu, u);
    uint64_t a = load_size(cpu, u, source(cpu, u));
    uint64_t b = load_size(cpu, u, destination(cpu, u, ACCESS_READ));

    reg_step(cpu, u, R_RSI, step);
    reg_step(cpu, u, R_RDI, step);
    compare(cpu, u, a, b);
}

/* The destination is checked first: a port read cannot be taken back. */
static void ins_once(TcgCpu *cpu, const UOp *u)
{
    uint16_t port = *tcg_reg16(cpu, R_RDX);
    uint64_t addr = destination(cpu, u, ACCESS_WRITE);

    tcg_check_io(cpu, u, port, u->aux);
    mmu_probe(cpu, u, addr, u->aux, ACCESS_WRITE);
    store_size(cpu, u, addr, tcg_port_read(cpu, port, u->aux));
    reg_step(cpu, u, R_RDI, step_of(cpu, u));
}

static void outs_once(TcgCpu *cpu, const UOp *u)
{
    uint16_t port = *tcg_reg16(cpu, R_RDX);
    uint64_t value;

    tcg_check_io(cpu, u, port, u->aux);
    value = load_size(cpu, u, source(cpu, u));
    tcg_port_write(cpu, port, value, u->aux);
    reg_step(cpu, u, R_RSI, step_of(cpu, u));
}

/* ---- many iterations at once ---- */

/* Offsets are linear addresses, and `bytes` from here neither wrap nor leave the segment. */
static bool is_flat(const TcgCpu *cpu, unsigned seg, uint64_t offset, uint64_t bytes)
{
    uint32_t mode = cpu->x86.mode;

    if (mode & CPU_MODE_CS64) {
        return true;
    }
    return mode & CPU_MODE_FLAT && (seg == SEG_DS || seg == SEG_ES || seg == SEG_SS) &&
           offset + bytes - 1 <= UINT32_MAX;
}

/* Iterations until an operand at `addr` leaves its page. */
static uint64_t until_page_end(const UOp *u, uint64_t addr)
{
    return (PAGE_SIZE_4K - (addr & (PAGE_SIZE_4K - 1))) / u->aux;
}

/* Host address of n elements, if they are plain memory that hits; sets the linear address. */
static uint8_t *bulk_host(TcgCpu *cpu, const UOp *u, unsigned seg, unsigned reg, uint64_t n,
                          int access)
{
    uint64_t offset = reg_read(cpu, u, reg);

    if (n == 0 || !is_flat(cpu, seg, offset, n * u->aux)) {
        return NULL;
    }
    return tcg_tlb_hit(cpu, tcg_linear(cpu, u, (int)seg, offset, u->aux, access),
                       (unsigned)(n * u->aux), access);
}

static uint64_t bulk_linear(const TcgCpu *cpu, const UOp *u, unsigned seg, unsigned reg)
{
    uint64_t base = cpu->x86.mode & CPU_MODE_CS64 && seg >= SEG_FS && seg <= SEG_GS
                        ? cpu->x86.seg[seg].base : 0;

    return base + reg_read(cpu, u, reg);
}

/*
 * The host's own string instructions: overlap, element size and ordering are the guest's by
 * construction.
 */
static void copy_elements(uint8_t *dst, const uint8_t *src, uint64_t n, unsigned size)
{
    switch (size) {
    case 1: asm volatile("rep movsb" : "+D"(dst), "+S"(src), "+c"(n) : : "memory"); break;
    case 2: asm volatile("rep movsw" : "+D"(dst), "+S"(src), "+c"(n) : : "memory"); break;
    case 4: asm volatile("rep movsl" : "+D"(dst), "+S"(src), "+c"(n) : : "memory"); break;
    default: asm volatile("rep movsq" : "+D"(dst), "+S"(src), "+c"(n) : : "memory"); break;
    }
}

static uint64_t movs_bulk(TcgCpu *cpu, const UOp *u, uint64_t count)
{
    uint64_t n = MIN(count, until_page_end(u, bulk_linear(cpu, u, u->seg, R_RSI)));
    uint8_t *dst;
    const uint8_t *src;

    n = MIN(n, until_page_end(u, bulk_linear(cpu, u, SEG_ES, R_RDI)));
    src = bulk_host(cpu, u, u->seg, R_RSI, n, ACCESS_READ);
    dst = src != NULL ? bulk_host(cpu, u, SEG_ES, R_RDI, n, ACCESS_WRITE) : NULL;
    if (dst == NULL) {
        return 0;
    }
    copy_elements(dst, src, n, u->aux);
    reg_step(cpu, u, R_RSI, (int64_t)(n * u->aux));
    reg_step(cpu, u, R_RDI, (int64_t)(n * u->aux));
    return n;
}

static void fill_elements(uint8_t *dst, uint64_t value, uint64_t n, unsigned size)
{
    switch (size) {
    case 1: asm volatile("rep stosb" : "+D"(dst), "+c"(n) : "a"(value) : "memory"); break;
    case 2: asm volatile("rep stosw" : "+D"(dst), "+c"(n) : "a"(value) : "memory"); break;
    case 4: asm volatile("rep stosl" : "+D"(dst), "+c"(n) : "a"(value) : "memory"); break;
    default: asm volatile("rep stosq" : "+D"(dst), "+c"(n) : "a"(value) : "memory"); break;
    }
}

static uint64_t stos_bulk(TcgCpu *cpu, const UOp *u, uint64_t count)
{
    uint64_t n = MIN(count, until_page_end(u, bulk_linear(cpu, u, SEG_ES, R_RDI)));
    uint8_t *dst = bulk_host(cpu, u, SEG_ES, R_RDI, n, ACCESS_WRITE);

    if (dst == NULL) {
        return 0;
    }
    fill_elements(dst, cpu->x86.gpr[R_RAX], n, u->aux);
    reg_step(cpu, u, R_RDI, (int64_t)(n * u->aux));
    return n;
}

/* ---- repetition ---- */

typedef void OnceFn(TcgCpu *cpu, const UOp *u);
typedef uint64_t BulkFn(TcgCpu *cpu, const UOp *u, uint64_t count);

/* Left between iterations: the instruction starts again. */
static const UOp *string_pause(TcgCpu *cpu, const UOp *u)
{
    cpu->x86.rip = tcg_insn_rip(cpu, u);
    LEAVE();
}

static inline bool must_pause(const TcgCpu *cpu)
{
    return !cpu_quiet(cpu) || cpu->x86.mode & (CPU_MODE_TF | CPU_MODE_BREAKS);
}

static inline __attribute__((always_inline))
const UOp *repeat(TcgCpu *cpu, const UOp *u, OnceFn *once, BulkFn *bulk)
{
    uint64_t count = reg_read(cpu, u, R_RCX);

    while (count > 0) {
        uint64_t n = 0;

        if (bulk != NULL && count > 1 && !(cpu->x86.rflags & RFLAGS_DF) && !must_pause(cpu)) {
            n = bulk(cpu, u, count);
        }
        if (n == 0) {
            once(cpu, u);
            n = 1;
        }
        count -= n;
        reg_write(cpu, u, R_RCX, count);
        if (count > 0 && must_pause(cpu)) {
            return string_pause(cpu, u);
        }
    }
    NEXT(u);
}

/* SCAS and CMPS also stop at the first difference (REPE) or match (REPNE). */
static inline __attribute__((always_inline))
const UOp *repeat_while(TcgCpu *cpu, const UOp *u, OnceFn *once)
{
    uint64_t count = reg_read(cpu, u, R_RCX), wanted = u->flags & UOP_REP ? RFLAGS_ZF : 0;

    while (count > 0) {
        once(cpu, u);
        reg_write(cpu, u, R_RCX, --count);
        if ((cpu->x86.rflags & RFLAGS_ZF) != wanted) {
            break;
        }
        if (count > 0 && must_pause(cpu)) {
            return string_pause(cpu, u);
        }
    }
    NEXT(u);
}

#define OP_STRING(name, repetition)                                                             \
static const UOp *op_##name(TcgCpu *cpu, const UOp *u)                                          \
{                                                                                               \
    name##_once(cpu, u);                                                                        \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *op_rep_##name(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    return repetition;                                                                          \
}
OP_STRING(movs, repeat(cpu, u, movs_once, movs_bulk))
OP_STRING(stos, repeat(cpu, u, stos_once, stos_bulk))
OP_STRING(lods, repeat(cpu, u, lods_once, NULL))
OP_STRING(ins, repeat(cpu, u, ins_once, NULL))
OP_STRING(outs, repeat(cpu, u, outs_once, NULL))
OP_STRING(scas, repeat_while(cpu, u, scas_once))
OP_STRING(cmps, repeat_while(cpu, u, cmps_once))

/* ---- decoding ---- */

/* The last of F2 and F3 counts; instructions that know no F2 take it for F3. */
static unsigned repeat_prefix(const DecodeContext *d)
{
    unsigned found = 0;

    for (unsigned i = 0; i < d->insn->raw.prefix_count; i++) {
        uint8_t value = d->insn->raw.prefixes[i].value;

        found = value == 0xf3 ? UOP_REP : value == 0xf2 ? UOP_REPNE : found;
    }
    return found;
}

static bool emit_string(DecodeContext *d, UOpFn once, UOpFn repeated, unsigned size)
{
    unsigned prefix = repeat_prefix(d);
    UOp *u = decode_emit(d, prefix ? repeated : once);

    u->flags = (uint8_t)prefix;
    u->aux = (uint8_t)size;
    u->addr_bits = d->address_bits;
    u->seg = (uint8_t)decode_override(d);
    return true;
}

/* MOVSD and CMPSD are also SSE2's names: those are in another opcode map. */
static bool is_string(const DecodeContext *d)
{
    return d->insn->opcode_map == ZYDIS_OPCODE_MAP_DEFAULT;
}

/* B, W, D, Q forms; the opcode's low bit is clear for bytes. */
static unsigned element_size(const DecodeContext *d)
{
    return d->insn->opcode & 1 ? d->operand_bits / 8 : 1;
}

static bool emit_movs(DecodeContext *d)
{
    return is_string(d) ? emit_string(d, op_movs, op_rep_movs, element_size(d)) : decode_fp(d);
}

static bool emit_cmps(DecodeContext *d)
{
    return is_string(d) ? emit_string(d, op_cmps, op_rep_cmps, element_size(d)) : decode_fp(d);
}

static bool emit_stos(DecodeContext *d)
{
    return emit_string(d, op_stos, op_rep_stos, element_size(d));
}

static bool emit_lods(DecodeContext *d)
{
    return emit_string(d, op_lods, op_rep_lods, element_size(d));
}

static bool emit_scas(DecodeContext *d)
{
    return emit_string(d, op_scas, op_rep_scas, element_size(d));
}


/* Ports have no 64-bit accesses. */
static bool emit_ins(DecodeContext *d)
{
    return emit_string(d, op_ins, op_rep_ins, MIN(element_size(d), 4u));
}

static bool emit_outs(DecodeContext *d)
{
    return emit_string(d, op_outs, op_rep_outs, MIN(element_size(d), 4u));
}

const DecodeRow decode_string_rows[] = {
    { ZYDIS_MNEMONIC_CMPSB, emit_cmps, false },
    { ZYDIS_MNEMONIC_CMPSD, emit_cmps, false },
    { ZYDIS_MNEMONIC_CMPSQ, emit_cmps, false },
    { ZYDIS_MNEMONIC_CMPSW, emit_cmps, false },
    { ZYDIS_MNEMONIC_INSB, emit_ins, false },
    { ZYDIS_MNEMONIC_INSD, emit_ins, false },
    { ZYDIS_MNEMONIC_INSW, emit_ins, false },
    { ZYDIS_MNEMONIC_LODSB, emit_lods, false },
    { ZYDIS_MNEMONIC_LODSD, emit_lods, false },
    { ZYDIS_MNEMONIC_LODSQ, emit_lods, false },
    { ZYDIS_MNEMONIC_LODSW, emit_lods, false },
    { ZYDIS_MNEMONIC_MOVSB, emit_movs, false },
    { ZYDIS_MNEMONIC_MOVSD, emit_movs, false },
    { ZYDIS_MNEMONIC_MOVSQ, emit_movs, false },
    { ZYDIS_MNEMONIC_MOVSW, emit_movs, false },
    { ZYDIS_MNEMONIC_OUTSB, emit_outs, false },
    { ZYDIS_MNEMONIC_OUTSD, emit_outs, false },
    { ZYDIS_MNEMONIC_OUTSW, emit_outs, false },
    { ZYDIS_MNEMONIC_SCASB, emit_scas, false },
    { ZYDIS_MNEMONIC_SCASD, emit_scas, false },
    { ZYDIS_MNEMONIC_SCASQ, emit_scas, false },
    { ZYDIS_MNEMONIC_SCASW, emit_scas, false },
    { ZYDIS_MNEMONIC_STOSB, emit_stos, false },
    { ZYDIS_MNEMONIC_STOSD, emit_stos, false },
    { ZYDIS_MNEMONIC_STOSQ, emit_stos, false },
    { ZYDIS_MNEMONIC_STOSW, emit_stos, false },
    {}
};
