/*
 * From block to block without coming back to the loop.  Two ways: a direct jump within a page
 * goes through the block's own chain[] slot (the mapping of the page cannot change between);
 * anything else through the vCPU's jump cache, whose entries need no flush because the TLB
 * vouches that the address still leads to the block's bytes.  Both give up while an event waits.
 */
#pragma once

#include "tcg.h"

extern Block block_none;        /* dead; stands for "nothing" in chain[] and jump_cache[] */

/* The last micro-op of a block carries its own number in r2. */
static inline Block *block_of_last(const UOp *last)
{
    return (Block *)((char *)(last - last->r2) - offsetof(Block, uops));
}

static inline unsigned jump_slot(uint64_t linear)
{
    return (linear ^ linear >> JUMP_CACHE_BITS) & (JUMP_CACHE_SIZE - 1);
}

static inline const uint8_t *block_host(const Block *block)
{
    return __atomic_load_n(&block->host, __ATOMIC_RELAXED);
}

static inline bool cpu_quiet(const TcgCpu *cpu)
{
    return G_LIKELY(__atomic_load_n(&cpu->x86.events, __ATOMIC_RELAXED) == 0);
}

#define TCG_INLINE static inline __attribute__((always_inline))

TCG_INLINE const UOp *block_enter(TcgCpu *cpu, const Block *block, uint64_t rip)
{
    cpu->x86.gpr[GPR_BLOCK_RIP] = rip;
#if TCG_THREADED
    return block->uops->fn(cpu, block->uops);
#else
    return block->uops;
#endif
}

/* Outside 64-bit code all of a block lies within CS's limit. */
static inline bool block_fits(const TcgCpu *cpu, const Block *block, uint64_t rip, bool code64)
{
    return code64 || rip + block->bytes - 1 <= cpu->x86.seg[SEG_CS].limit;
}

/* Back to the loop, which notes the successor it finds. */
const UOp *block_chain_miss(TcgCpu *cpu, const UOp *u, unsigned slot, uint64_t rip);
const UOp *block_jump_miss(TcgCpu *cpu, uint64_t rip);

/* To a target in the page of the block whose last micro-op `u` is. */
TCG_INLINE const UOp *block_chain(TcgCpu *cpu, const UOp *u, unsigned slot, uint64_t rip,
                                  bool code64)
{
    const Block *next = __atomic_load_n(&block_of_last(u)->chain[slot], __ATOMIC_ACQUIRE);

    if (G_LIKELY(block_host(next) != NULL) && cpu_quiet(cpu) &&
        block_fits(cpu, next, rip, code64)) {
        return block_enter(cpu, next, rip);
    }
    return block_chain_miss(cpu, u, slot, rip);
}

/* To anywhere; the target was checked (canonical, limit). */
TCG_INLINE const UOp *block_jump(TcgCpu *cpu, uint64_t rip, bool code64)
{
    uint64_t linear = code64 ? rip : (uint32_t)(cpu->x86.seg[SEG_CS].base + rip);
    const Block *next = cpu->jump_cache[jump_slot(linear)];
    const TlbEntry *entry = &cpu->tlb[linear >> PAGE_SHIFT & (TLB_SIZE - 1)];

    if (G_LIKELY(__atomic_load_n(&entry->tag[ACCESS_EXEC], __ATOMIC_RELAXED) ==
                 (linear & ~(PAGE_SIZE_4K - 1))) &&
        G_LIKELY((uintptr_t)block_host(next) == linear + entry->addend) &&
        next->mode == (cpu->x86.mode & BLOCK_MODE_MASK) && cpu_quiet(cpu) &&
        block_fits(cpu, next, rip, code64)) {
        return block_enter(cpu, next, rip);
    }
    return block_jump_miss(cpu, rip);
}

/* ---- block.c to decode.c ---- */

typedef struct DecodeInput {
    const uint8_t *bytes;               /* the first byte */
    unsigned avail;                     /* up to the end of its page */
    const uint8_t *next_page;           /* NULL: not known yet */
    uint64_t room;                      /* bytes up to CS's limit, ≥ 1 */
    uint32_t mode;
    unsigned max_insns;
    bool no_break;                      /* the first instruction passes a break point */
    const X86CpuModel *model;
} DecodeInput;

/* Fills `d`; false: the first instruction goes on in the next page, give that too. */
bool decode_block(DecodeContext *d, const DecodeInput *in);
void decode_init(const X86CpuModel *model);

/* -d in_asm, -d op (block_log.c).  `bytes` NULL: they are not in one piece. */
void block_log(const Block *block, const uint8_t *bytes, uint64_t address);

/* exec.c */
G_NORETURN void tcg_restart(TcgCpu *cpu);       /* abandon the micro-op; go on at x86.rip */
/* Makes the decoder's tables for a CPU model, once. */
void tcg_decoder_setup(const X86CpuModel *model);
