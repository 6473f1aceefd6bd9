/*
 * Guest memory as micro-ops see it: effective addresses, and loads and stores that hit the TLB
 * inline.
 *
 * An access is two steps:
 *     uint64_t addr = tcg_ea(cpu, u, 4, ACCESS_READ);     segment and limit: #GP, #SS
 *     uint32_t value = tcg_load32(cpu, u, addr);          page: #PF, #AC; canonical: #GP, #SS
 * Both may raise, so they come before the micro-op changes anything.
 */
#pragma once

#include <string.h>

#include "tcg.h"

/*
 * Guest memory has no alignment and no type.  clang turns atomics of an alignment it does not trust
 * into calls that take a lock, which other vCPUs' plain stores would not see; the host's own
 * instructions are atomic at any address, so it is not told.
 */
#ifdef __clang__
#define GUEST_TYPE __attribute__((may_alias))
#else
#define GUEST_TYPE __attribute__((aligned(1), may_alias))
#endif
typedef uint16_t GUEST_TYPE GuestU16;
typedef uint32_t GUEST_TYPE GuestU32;
typedef uint64_t GUEST_TYPE GuestU64;
#undef GUEST_TYPE

/* ---- addresses ---- */

/* base + index * scale + displacement, before truncation to the address size. */
static inline uint64_t tcg_sum(const TcgCpu *cpu, const UOp *u)
{
    const uint64_t *gpr = cpu->x86.gpr;

    return gpr[u->base] + (gpr[u->index] << u->scale) + (int64_t)u->disp;
}

/* The offset within the segment: what LEA computes. */
static inline uint64_t tcg_offset(const TcgCpu *cpu, const UOp *u)
{
    uint64_t sum = tcg_sum(cpu, u);

    return u->addr_bits == 64 ? sum : u->addr_bits == 32 ? (uint32_t)sum : (uint16_t)sum;
}

/* ... with the segment added and its limit checked: the forms UOP_SEG_NONE does not cover. */
uint64_t tcg_ea_segment(TcgCpu *cpu, const UOp *u, unsigned size, int access);
/* `seg`:`offset` in place of the micro-op's own address (string and stack operations). */
uint64_t tcg_linear(TcgCpu *cpu, const UOp *u, int seg, uint64_t offset, unsigned size, int access);

/* Linear address of the micro-op's memory operand, `size` bytes long. */
static inline uint64_t tcg_ea(TcgCpu *cpu, const UOp *u, unsigned size, int access)
{
    if (G_LIKELY(u->seg == UOP_SEG_NONE)) {
        return tcg_sum(cpu, u);
    }
    return tcg_ea_segment(cpu, u, size, access);
}

/* ---- the TLB's fast path ---- */

/* Host address of an access that hits, else NULL. */
static inline void *tcg_tlb_hit(TcgCpu *cpu, uint64_t addr, unsigned size, int access)
{
    const TlbEntry *entry = &cpu->tlb[addr >> PAGE_SHIFT & (TLB_SIZE - 1)];

    if (G_LIKELY(__atomic_load_n(&entry->tag[access], __ATOMIC_RELAXED) ==
                 ((addr + (size - 1)) & ~(PAGE_SIZE_4K - 1)))) {
        return (void *)(uintptr_t)(addr + __atomic_load_n(&entry->addend, __ATOMIC_RELAXED));
    }
    return NULL;
}

/* Misses: canonical check, then mmu.c. */
uint64_t tcg_load_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size);
void tcg_store_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, uint64_t value, unsigned size);
void *tcg_rmw_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size);
void tcg_load_bytes_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, void *buf, unsigned len);
void tcg_store_bytes_miss(TcgCpu *cpu, const UOp *u, uint64_t addr, const void *buf, unsigned len);

#define TCG_MEM_ACCESSORS(bits, Raw)                                                            \
static inline uint##bits##_t tcg_load##bits(TcgCpu *cpu, const UOp *u, uint64_t addr)           \
{                                                                                               \
    const Raw *host = tcg_tlb_hit(cpu, addr, bits / 8, ACCESS_READ);                            \
                                                                                                \
    if (G_LIKELY(host != NULL)) {                                                               \
        return __atomic_load_n(host, __ATOMIC_RELAXED);                                         \
    }                                                                                           \
    return (uint##bits##_t)tcg_load_miss(cpu, u, addr, bits / 8);                               \
}                                                                                               \
static inline void tcg_store##bits(TcgCpu *cpu, const UOp *u, uint64_t addr, uint##bits##_t value) \
{                                                                                               \
    Raw *host = tcg_tlb_hit(cpu, addr, bits / 8, ACCESS_WRITE);                                 \
                                                                                                \
    if (G_LIKELY(host != NULL)) {                                                               \
        __atomic_store_n(host, value, __ATOMIC_RELAXED);                                        \
    } else {                                                                                    \
        tcg_store_miss(cpu, u, addr, value, bits / 8);                                          \
    }                                                                                           \
}
TCG_MEM_ACCESSORS(8, uint8_t)
TCG_MEM_ACCESSORS(16, GuestU16)
TCG_MEM_ACCESSORS(32, GuestU32)
TCG_MEM_ACCESSORS(64, GuestU64)
#undef TCG_MEM_ACCESSORS

/*
 * Longer operands (10, 16, 32 … ≤ 4096 bytes) through a buffer.  Not atomic; nothing is written
 * if any byte faults.  Alignment rules of SSE operands are the micro-op's: tcg_check_aligned().
 */
static inline void tcg_load_bytes(TcgCpu *cpu, const UOp *u, uint64_t addr, void *buf, unsigned len)
{
    const void *host = tcg_tlb_hit(cpu, addr, len, ACCESS_READ);

    if (G_LIKELY(host != NULL)) {
        memcpy(buf, host, len);
    } else {
        tcg_load_bytes_miss(cpu, u, addr, buf, len);
    }
}

static inline void tcg_store_bytes(TcgCpu *cpu, const UOp *u, uint64_t addr, const void *buf,
                                   unsigned len)
{
    void *host = tcg_tlb_hit(cpu, addr, len, ACCESS_WRITE);

    if (G_LIKELY(host != NULL)) {
        memcpy(host, buf, len);
    } else {
        tcg_store_bytes_miss(cpu, u, addr, buf, len);
    }
}

/* SSE's aligned operands: #GP(0). */
static inline void tcg_check_aligned(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size)
{
    if (G_UNLIKELY(addr & (size - 1))) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
}

/*
 * Where a LOCKed host instruction may work; NULL: load and store under mmu_bus_lock(). See
 * mmu_rmw_ptr().
 */
static inline void *tcg_rmw_ptr(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size)
{
    void *host = tcg_tlb_hit(cpu, addr, size, ACCESS_WRITE);

    return G_LIKELY(host != NULL) ? host : tcg_rmw_miss(cpu, u, addr, size);
}

/* ---- registers ---- */

/*
 * 8-bit registers are named in UOp.r1/r2 by their byte's offset in x86.gpr: 8 * number, + 1 for
 * AH–BH. Wider ones by number.  Writing 32 bits clears the upper half; 16 and 8 leave the rest.
 */
static inline uint8_t *tcg_reg8(TcgCpu *cpu, unsigned offset)
{
    return (uint8_t *)cpu->x86.gpr + offset;
}
static inline uint16_t *tcg_reg16(TcgCpu *cpu, unsigned n) { return (uint16_t *)&cpu->x86.gpr[n]; }
static inline uint32_t tcg_get32(TcgCpu *cpu, unsigned n) { return (uint32_t)cpu->x86.gpr[n]; }
static inline void tcg_set32(TcgCpu *cpu, unsigned n, uint32_t value) { cpu->x86.gpr[n] = value; }
