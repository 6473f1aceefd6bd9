/* Bit tests and scans, counts, CRC32, and the compare-and-exchange family. */
#include "tcg_ops.h"

#define INLINE static inline __attribute__((always_inline))
#define FOR_WIDE(X) X(16, "w") X(32, "k") X(64, "q")

/* ---- BT BTS BTR BTC: only CF is defined ---- */

typedef enum BitAction { BIT_TEST, BIT_SET, BIT_RESET, BIT_COMPLEMENT } BitAction;

INLINE uint64_t bit_apply(uint64_t value, unsigned bit, BitAction action)
{
    uint64_t mask = UINT64_C(1) << bit;

    switch (action) {
    case BIT_SET: return value | mask;
    case BIT_RESET: return value & ~mask;
    case BIT_COMPLEMENT: return value ^ mask;
    default: return value;
    }
}

/* Operands: `aux` the action; the index is register r2, or `imm` (r2 GPR_NONE). */
#define INDEX(bits) ((unsigned)(u->r2 == GPR_NONE ? u->imm : get_##bits(cpu, u->r2)) & (bits - 1))

/* A register index reaches beyond the operand, both ways. */
static uint64_t bit_address(TcgCpu *cpu, const UOp *u, unsigned bits, int access)
{
    uint64_t value = cpu->x86.gpr[u->r2];
    int64_t index = bits == 64 ? (int64_t)value : bits == 32 ? (int32_t)value : (int16_t)value;
    uint64_t offset;

    if (u->r2 == GPR_NONE) {
        return access == ACCESS_READ ? tcg_ea(cpu, u, bits / 8, access)
                                     : tcg_ea_modify(cpu, u, bits / 8);
    }
    offset = tcg_sum(cpu, u) + (uint64_t)((index >> __builtin_ctz(bits)) * (int64_t)(bits / 8));
    offset = u->addr_bits == 64 ? offset : u->addr_bits == 32 ? (uint32_t)offset : (uint16_t)offset;
    return tcg_linear(cpu, u, u->seg, offset, bits / 8, access);
}

/* A LOCKed one by the host's cmpxchg: any action, one loop. */
#define OP_BIT(bits, m)                                                                         \
INLINE void bit_flag_##bits(TcgCpu *cpu, TYPE_##bits value, unsigned bit)                       \
{                                                                                               \
    flags_set(cpu, RFLAGS_CF, (uint32_t)(value >> bit & 1));                                    \
}                                                                                               \
static const UOp *bit_r_##bits(TcgCpu *cpu, const UOp *u)                                       \
{                                                                                               \
    TYPE_##bits value = get_##bits(cpu, u->r1);                                                 \
    unsigned bit = INDEX(bits);                                                                 \
                                                                                                \
    if (u->aux != BIT_TEST) {                                                                   \
        set_##bits(cpu, u->r1, (TYPE_##bits)bit_apply(value, bit, (BitAction)u->aux));          \
    }                                                                                           \
    bit_flag_##bits(cpu, value, bit);                                                           \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *bit_test_m_##bits(TcgCpu *cpu, const UOp *u)                                  \
{                                                                                               \
    TYPE_##bits value = tcg_load##bits(cpu, u, bit_address(cpu, u, bits, ACCESS_READ));         \
                                                                                                \
    bit_flag_##bits(cpu, value, INDEX(bits));                                                   \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *bit_m_##bits(TcgCpu *cpu, const UOp *u)                                       \
{                                                                                               \
    uint64_t addr = bit_address(cpu, u, bits, ACCESS_WRITE);                                    \
    unsigned bit = INDEX(bits);                                                                 \
    TYPE_##bits value;                                                                          \
                                                                                                \
    mmu_probe(cpu, u, addr, bits / 8, ACCESS_WRITE);                                            \
    value = tcg_load##bits(cpu, u, addr);                                                       \
    tcg_store##bits(cpu, u, addr, (TYPE_##bits)bit_apply(value, bit, (BitAction)u->aux));       \
    bit_flag_##bits(cpu, value, bit);                                                           \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *bit_lock_m_##bits(TcgCpu *cpu, const UOp *u)                                  \
{                                                                                               \
    uint64_t addr = bit_address(cpu, u, bits, ACCESS_WRITE);                                    \
    GUEST_##bits *host = tcg_rmw_ptr(cpu, u, addr, bits / 8);                                   \
    unsigned bit = INDEX(bits);                                                                 \
    TYPE_##bits value;                                                                          \
                                                                                                \
    if (G_LIKELY(host != NULL)) {                                                               \
        value = __atomic_load_n(host, __ATOMIC_RELAXED);                                        \
        while (!__atomic_compare_exchange_n(host, &value,                                       \
                   (TYPE_##bits)bit_apply(value, bit, (BitAction)u->aux), false,                \
                   __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {                                       \
        }                                                                                       \
    } else {                                                                                    \
        tcg_bus_lock(cpu);                                                                      \
        value = tcg_load##bits(cpu, u, addr);                                                   \
        tcg_store##bits(cpu, u, addr, (TYPE_##bits)bit_apply(value, bit, (BitAction)u->aux));   \
        tcg_bus_unlock(cpu);                                                                    \
    }                                                                                           \
    bit_flag_##bits(cpu, value, bit);                                                           \
    NEXT(u);                                                                                    \
}
FOR_WIDE(OP_BIT)

#define WIDE(prefix) { NULL, prefix##_16, prefix##_32, prefix##_64 }

static bool emit_bit(DecodeContext *d, BitAction action)
{
    static const UOpBySize r = WIDE(bit_r), test_m = WIDE(bit_test_m), m = WIDE(bit_m),
                           lock_m = WIDE(bit_lock_m);
    const ZydisDecodedOperand *dst = &d->ops[0], *by = &d->ops[1];
    unsigned size = size_index(dst->size);
    bool mem = op_is_mem(dst);
    UOp *u = decode_emit_flags(d, !mem ? r[size] : action == BIT_TEST ? test_m[size]
                               : d->lock ? lock_m[size] : m[size], NULL, RFLAGS_CF, mem);

    if (mem) {
        decode_mem(d, u, dst);
        if (u->seg == UOP_SEG_NONE) {
            u->seg = SEG_DS;            /* bit_address() wants one; it is flat in 64-bit code */
        }
    } else {
        u->r1 = (uint8_t)decode_reg(dst);
    }
    u->aux = (uint8_t)action;
    u->r2 = op_is_imm(by) ? GPR_NONE : (uint8_t)decode_reg(by);
    u->imm = op_is_imm(by) ? by->imm.value.u : 0;
    return true;
}

static bool emit_bt(DecodeContext *d) { return emit_bit(d, BIT_TEST); }
static bool emit_bts(DecodeContext *d) { return emit_bit(d, BIT_SET); }
static bool emit_btr(DecodeContext *d) { return emit_bit(d, BIT_RESET); }
static bool emit_btc(DecodeContext *d) { return emit_bit(d, BIT_COMPLEMENT); }

/* ---- BSF BSR TZCNT LZCNT POPCNT ---- */

/* A zero source leaves BSF's and BSR's destination as it was. */
#define OP_SCAN(name, insn, keeps, bits, m)                                                     \
INLINE void name##_##bits(TcgCpu *cpu, const UOp *u, TYPE_##bits s)                             \
{                                                                                               \
    TYPE_##bits d = get_##bits(cpu, u->r1);                                                     \
    uint32_t ax;                                                                                \
                                                                                                \
    asm(insn " %" m "[s], %" m "[d]" ASM_FLAGS : [d] "+r"(d), "=&a"(ax) : [s] "r"(s) : "cc");   \
    if (!(keeps) || s != 0) {                                                                   \
        set_##bits(cpu, u->r1, d);                                                              \
    }                                                                                           \
    flags_from_ax(cpu, ax);                                                                     \
}                                                                                               \
static const UOp *name##_r_##bits(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    name##_##bits(cpu, u, get_##bits(cpu, u->r2));                                              \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *name##_m_##bits(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    name##_##bits(cpu, u, tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ)));       \
    NEXT(u);                                                                                    \
}
#define SCAN(name, insn, keeps)                                                                 \
    OP_SCAN(name, insn, keeps, 16, "w")                                                         \
    OP_SCAN(name, insn, keeps, 32, "k")                                                         \
    OP_SCAN(name, insn, keeps, 64, "q")                                                         \
static bool emit_##name(DecodeContext *d)                                                       \
{                                                                                               \
    static const UOpBySize r = WIDE(name##_r), m = WIDE(name##_m);                              \
                                                                                                \
    return emit_scan(d, r, m);                                                                  \
}

static bool emit_scan(DecodeContext *d, const UOpBySize r, const UOpBySize m)
{
    unsigned size = size_index(d->ops[0].size);
    bool mem = op_is_mem(&d->ops[1]);
    UOp *u = decode_emit_flags(d, mem ? m[size] : r[size], NULL, RFLAGS_ARITH, mem);

    if (mem) {
        decode_mem(d, u, &d->ops[1]);
    } else {
        u->r2 = (uint8_t)decode_reg(&d->ops[1]);
    }
    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    return true;
}

SCAN(bsf, "bsf", true)
SCAN(bsr, "bsr", true)

/* The host may lack these, so they are computed; flags as SDM 2 lists them. */
INLINE uint64_t count_popcnt(TcgCpu *cpu, uint64_t s, unsigned bits)
{
    flags_set(cpu, RFLAGS_ARITH, s == 0 ? RFLAGS_ZF : 0);
    return (uint64_t)__builtin_popcountll(s);
}

INLINE uint64_t count_flags(TcgCpu *cpu, uint64_t s, uint64_t n)
{
    flags_set(cpu, RFLAGS_CF | RFLAGS_ZF, (s == 0 ? RFLAGS_CF : 0) | (n == 0 ? RFLAGS_ZF : 0));
    return n;
}

INLINE uint64_t count_tzcnt(TcgCpu *cpu, uint64_t s, unsigned bits)
{
    return count_flags(cpu, s, s == 0 ? bits : (unsigned)__builtin_ctzll(s));
}

INLINE uint64_t count_lzcnt(TcgCpu *cpu, uint64_t s, unsigned bits)
{
    return count_flags(cpu, s, s == 0 ? bits : (unsigned)__builtin_clzll(s) - (64 - bits));
}

#define OP_COUNT(name, bits)                                                                    \
static const UOp *name##_r_##bits(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    set_##bits(cpu, u->r1, (TYPE_##bits)count_##name(cpu, get_##bits(cpu, u->r2), bits));       \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *name##_m_##bits(TcgCpu *cpu, const UOp *u)                                    \
{                                                                                               \
    TYPE_##bits s = tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ));              \
                                                                                                \
    set_##bits(cpu, u->r1, (TYPE_##bits)count_##name(cpu, s, bits));                            \
    NEXT(u);                                                                                    \
}
#define COUNT(name)                                                                             \
    OP_COUNT(name, 16) OP_COUNT(name, 32) OP_COUNT(name, 64)                                    \
static bool emit_##name(DecodeContext *d)                                                       \
{                                                                                               \
    static const UOpBySize r = WIDE(name##_r), m = WIDE(name##_m);                              \
                                                                                                \
    return emit_scan(d, r, m);                                                                  \
}
COUNT(popcnt)
COUNT(tzcnt)
COUNT(lzcnt)

/* ---- CRC32: polynomial 11edc6f41, reflected ---- */

static uint32_t crc32c(uint32_t crc, uint64_t data, unsigned bytes)
{
    for (unsigned i = 0; i < bytes * 8; i++) {
        uint32_t bit = (crc ^ (uint32_t)(data >> i)) & 1;

        crc = crc >> 1 ^ (bit ? 0x82f63b78u : 0);
    }
    return crc;
}

#define OP_CRC(bits)                                                                            \
static const UOp *crc32_r_##bits(TcgCpu *cpu, const UOp *u)                                     \
{                                                                                               \
    tcg_set32(cpu, u->r1, crc32c(tcg_get32(cpu, u->r1), get_##bits(cpu, u->r2), bits / 8));     \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *crc32_m_##bits(TcgCpu *cpu, const UOp *u)                                     \
{                                                                                               \
    uint64_t s = tcg_load##bits(cpu, u, tcg_ea(cpu, u, bits / 8, ACCESS_READ));                 \
                                                                                                \
    tcg_set32(cpu, u->r1, crc32c(tcg_get32(cpu, u->r1), s, bits / 8));                          \
    NEXT(u);                                                                                    \
}
OP_CRC(8)
OP_CRC(16)
OP_CRC(32)
OP_CRC(64)

static bool emit_crc32(DecodeContext *d)
{
    static const UOpBySize r = { crc32_r_8, crc32_r_16, crc32_r_32, crc32_r_64 };
    static const UOpBySize m = { crc32_m_8, crc32_m_16, crc32_m_32, crc32_m_64 };
    unsigned bits = d->ops[1].size, size = size_index(bits);
    UOp *u;

    if (op_is_mem(&d->ops[1])) {
        u = decode_emit(d, m[size]);
        decode_mem(d, u, &d->ops[1]);
    } else {
        u = decode_emit_quiet(d, r[size]);
        u->r2 = decode_gpr(&d->ops[1], bits);
    }
    u->r1 = (uint8_t)decode_reg(&d->ops[0]);
    return true;
}

/* ---- CMPXCHG XADD: memory forms always work as if LOCKed, which is allowed and simpler ---- */

#define OP_EXCHANGE(bits, m)                                                                    \
INLINE void cmpxchg_flags_##bits(TcgCpu *cpu, TYPE_##bits acc, TYPE_##bits value)               \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    asm("cmp %" m "[v], %" m "[a]" ASM_FLAGS : "=&a"(ax) : [a] "r"(acc), [v] "r"(value) : "cc"); \
    flags_from_ax(cpu, ax);                                                                     \
}                                                                                               \
static const UOp *cmpxchg_r_##bits(TcgCpu *cpu, const UOp *u)                                   \
{                                                                                               \
    TYPE_##bits acc = get_##bits(cpu, R_RAX), value = get_##bits(cpu, u->r1);                   \
                                                                                                \
    if (acc == value) {                                                                         \
        set_##bits(cpu, u->r1, get_##bits(cpu, u->r2));                                         \
    } else {                                                                                    \
        set_##bits(cpu, R_RAX, value);                                                          \
    }                                                                                           \
    cmpxchg_flags_##bits(cpu, acc, value);                                                      \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *cmpxchg_m_##bits(TcgCpu *cpu, const UOp *u)                                   \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, bits / 8, ACCESS_WRITE);                                     \
    GUEST_##bits *host = tcg_rmw_ptr(cpu, u, addr, bits / 8);                                   \
    TYPE_##bits acc = get_##bits(cpu, R_RAX), value = acc, wanted = get_##bits(cpu, u->r2);     \
                                                                                                \
    if (G_LIKELY(host != NULL)) {                                                               \
        __atomic_compare_exchange_n(host, &value, wanted, false, __ATOMIC_SEQ_CST,              \
                                    __ATOMIC_SEQ_CST);                                          \
    } else {                                                                                    \
        tcg_bus_lock(cpu);                                                                      \
        value = tcg_load##bits(cpu, u, addr);                                                   \
        tcg_store##bits(cpu, u, addr, value == acc ? wanted : value);                           \
        tcg_bus_unlock(cpu);                                                                    \
    }                                                                                           \
    if (value != acc) {                                                                         \
        set_##bits(cpu, R_RAX, value);                                                          \
    }                                                                                           \
    cmpxchg_flags_##bits(cpu, acc, value);                                                      \
    NEXT(u);                                                                                    \
}                                                                                               \
INLINE TYPE_##bits xadd_##bits(TcgCpu *cpu, TYPE_##bits d, TYPE_##bits s)                       \
{                                                                                               \
    uint32_t ax;                                                                                \
                                                                                                \
    asm("add %" m "[s], %" m "[d]" ASM_FLAGS : [d] "+r"(d), "=&a"(ax) : [s] "r"(s) : "cc");     \
    flags_from_ax(cpu, ax);                                                                     \
    return d;                                                                                   \
}                                                                                               \
static const UOp *xadd_r_##bits(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    TYPE_##bits d = get_##bits(cpu, u->r1), sum = xadd_##bits(cpu, d, get_##bits(cpu, u->r2));  \
                                                                                                \
    set_##bits(cpu, u->r2, d);                                                                  \
    set_##bits(cpu, u->r1, sum);                                                                \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *xadd_m_##bits(TcgCpu *cpu, const UOp *u)                                      \
{                                                                                               \
    uint64_t addr = tcg_ea(cpu, u, bits / 8, ACCESS_WRITE);                                     \
    GUEST_##bits *host = tcg_rmw_ptr(cpu, u, addr, bits / 8);                                   \
    TYPE_##bits s = get_##bits(cpu, u->r2), d;                                                  \
                                                                                                \
    if (G_LIKELY(host != NULL)) {                                                               \
        d = __atomic_fetch_add(host, s, __ATOMIC_SEQ_CST);                                      \
    } else {                                                                                    \
        tcg_bus_lock(cpu);                                                                      \
        d = tcg_load##bits(cpu, u, addr);                                                       \
        tcg_store##bits(cpu, u, addr, (TYPE_##bits)(d + s));                                    \
        tcg_bus_unlock(cpu);                                                                    \
    }                                                                                           \
    set_##bits(cpu, u->r2, d);                                                                  \
    xadd_##bits(cpu, d, s);                                                                     \
    NEXT(u);                                                                                    \
}
OP_EXCHANGE(8, "b")
OP_EXCHANGE(16, "w")
OP_EXCHANGE(32, "k")
OP_EXCHANGE(64, "q")

static bool emit_exchange(DecodeContext *d, const UOpBySize r, const UOpBySize m)
{
    unsigned bits = d->ops[0].size, size = size_index(bits);
    bool mem = op_is_mem(&d->ops[0]);
    UOp *u = decode_emit_flags(d, mem ? m[size] : r[size], NULL, RFLAGS_ARITH, mem);

    if (mem) {
        decode_mem(d, u, &d->ops[0]);
    } else {
        u->r1 = decode_gpr(&d->ops[0], bits);
    }
    u->r2 = decode_gpr(&d->ops[1], bits);
    return true;
}

static bool emit_cmpxchg(DecodeContext *d)
{
    static const UOpBySize r = { cmpxchg_r_8, cmpxchg_r_16, cmpxchg_r_32, cmpxchg_r_64 };
    static const UOpBySize m = { cmpxchg_m_8, cmpxchg_m_16, cmpxchg_m_32, cmpxchg_m_64 };

    return emit_exchange(d, r, m);
}

static bool emit_xadd(DecodeContext *d)
{
    static const UOpBySize r = { xadd_r_8, xadd_r_16, xadd_r_32, xadd_r_64 };
    static const UOpBySize m = { xadd_m_8, xadd_m_16, xadd_m_32, xadd_m_64 };

    return emit_exchange(d, r, m);
}

/* ---- CMPXCHG8B CMPXCHG16B: ZF only ---- */

static const UOp *op_cmpxchg8b(TcgCpu *cpu, const UOp *u)
{
    uint64_t addr = tcg_ea(cpu, u, 8, ACCESS_WRITE);
    GuestU64 *host = tcg_rmw_ptr(cpu, u, addr, 8);
    uint64_t expected = (uint64_t)tcg_get32(cpu, R_RDX) << 32 | tcg_get32(cpu, R_RAX);
    uint64_t value = expected;
    uint64_t wanted = (uint64_t)tcg_get32(cpu, R_RCX) << 32 | tcg_get32(cpu, R_RBX);

    if (host != NULL) {
        __atomic_compare_exchange_n(host, &value, wanted, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST);
    } else {
        tcg_bus_lock(cpu);
        value = tcg_load64(cpu, u, addr);
        tcg_store64(cpu, u, addr, value == expected ? wanted : value);
        tcg_bus_unlock(cpu);
    }
    if (value != expected) {
        tcg_set32(cpu, R_RAX, (uint32_t)value);
        tcg_set32(cpu, R_RDX, (uint32_t)(value >> 32));
    }
    flags_set(cpu, RFLAGS_ZF, value == expected ? RFLAGS_ZF : 0);
    NEXT(u);
}

typedef struct Pair { uint64_t low, high; } Pair;

/* LOCK CMPXCHG16B of the host; true if exchanged, else *expected is what was there. */
static bool host_cmpxchg16b(void *host, Pair *expected, Pair wanted)
{
    bool done;

    asm volatile("lock cmpxchg16b %[m]\n\tsetz %[done]"
                 : [m] "+m"(*(Pair *)host), "+a"(expected->low), "+d"(expected->high),
                   [done] "=q"(done)
                 : "b"(wanted.low), "c"(wanted.high) : "cc", "memory");
    return done;
}

/* Without memory to lock: translated code or a device page. */
static bool bus_cmpxchg16b(TcgCpu *cpu, const UOp *u, uint64_t addr, Pair *expected, Pair wanted)
{
    Pair value;
    bool equal;

    tcg_bus_lock(cpu);
    value.low = tcg_load64(cpu, u, addr);
    value.high = tcg_load64(cpu, u, addr + 8);
    equal = value.low == expected->low && value.high == expected->high;
    tcg_store_bytes(cpu, u, addr, equal ? &wanted : &value, sizeof(value));
    tcg_bus_unlock(cpu);
    *expected = value;
    return equal;
}

static const UOp *op_cmpxchg16b(TcgCpu *cpu, const UOp *u)
{
    uint64_t *gpr = cpu->x86.gpr, addr = tcg_ea(cpu, u, 16, ACCESS_WRITE);
    Pair expected = { gpr[R_RAX], gpr[R_RDX] }, wanted = { gpr[R_RBX], gpr[R_RCX] };
    void *host;
    bool done;

    tcg_check_aligned(cpu, u, addr, 16);
    host = tcg_rmw_ptr(cpu, u, addr, 16);
    done = host != NULL ? host_cmpxchg16b(host, &expected, wanted)
                        : bus_cmpxchg16b(cpu, u, addr, &expected, wanted);
    if (!done) {
        gpr[R_RAX] = expected.low;
        gpr[R_RDX] = expected.high;
    }
    flags_set(cpu, RFLAGS_ZF, done ? RFLAGS_ZF : 0);
    NEXT(u);
}

static bool emit_cmpxchg8b(DecodeContext *d)
{
    decode_mem(d, decode_emit(d, op_cmpxchg8b), &d->ops[0]);
    return true;
}

static bool emit_cmpxchg16b(DecodeContext *d)
{
    decode_mem(d, decode_emit(d, op_cmpxchg16b), &d->ops[0]);
    return true;
}

const DecodeRow decode_bit_rows[] = {
    { ZYDIS_MNEMONIC_BSF, emit_bsf, false },
    { ZYDIS_MNEMONIC_BSR, emit_bsr, false },
    { ZYDIS_MNEMONIC_BT, emit_bt, false },
    { ZYDIS_MNEMONIC_BTC, emit_btc, true },
    { ZYDIS_MNEMONIC_BTR, emit_btr, true },
    { ZYDIS_MNEMONIC_BTS, emit_bts, true },
    { ZYDIS_MNEMONIC_CMPXCHG, emit_cmpxchg, true },
    { ZYDIS_MNEMONIC_CMPXCHG16B, emit_cmpxchg16b, true },
    { ZYDIS_MNEMONIC_CMPXCHG8B, emit_cmpxchg8b, true },
    { ZYDIS_MNEMONIC_CRC32, emit_crc32, false },
    { ZYDIS_MNEMONIC_LZCNT, emit_lzcnt, false },
    { ZYDIS_MNEMONIC_POPCNT, emit_popcnt, false },
    { ZYDIS_MNEMONIC_TZCNT, emit_tzcnt, false },
    { ZYDIS_MNEMONIC_XADD, emit_xadd, true },
    {}
};
