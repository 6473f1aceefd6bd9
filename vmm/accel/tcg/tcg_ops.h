/* What the micro-op files share among themselves and with decode.c. */
#pragma once

#include "tcg_block.h"
#include "tcg_decode.h"
#include "tcg_fp.h"
#include "tcg_mem.h"

/* ---- decode.c ---- */

/* The block's last micro-op: it sets rip and leaves or goes on to another block itself. */
UOp *decode_emit_last(DecodeContext *d, UOpFn fn);

/* ---- micro-ops decode.c itself emits ---- */
const UOp *op_raise(TcgCpu *cpu, const UOp *u);
const UOp *op_set_temp(TcgCpu *cpu, const UOp *u);
const UOp *op_leave(TcgCpu *cpu, const UOp *u);
const UOp *op_chain_next64(TcgCpu *cpu, const UOp *u);
const UOp *op_chain_next(TcgCpu *cpu, const UOp *u);
const UOp *op_jump_next64(TcgCpu *cpu, const UOp *u);
const UOp *op_jump_next(TcgCpu *cpu, const UOp *u);
const UOp *op_nop(TcgCpu *cpu, const UOp *u);

/* ---- flags ---- */

/*
 * Host instructions leave their flags in AX: AH by LAHF (SF ZF AF PF CF where RFLAGS has them),
 * AL by SETO.
 */
#define ASM_FLAGS   "\n\tlahf\n\tseto %%al"

static inline void flags_from_ax(TcgCpu *cpu, uint32_t ax)
{
    cpu->x86.rflags = (cpu->x86.rflags & ~(uint64_t)RFLAGS_ARITH) | (ax >> 8 & 0xff) |
                      (ax & 1) << 11;
}

/* Only those in `which`. */
static inline void flags_merge_ax(TcgCpu *cpu, uint32_t ax, uint32_t which)
{
    uint32_t flags = (ax >> 8 & 0xff) | (ax & 1) << 11;

    cpu->x86.rflags = (cpu->x86.rflags & ~(uint64_t)which) | (flags & which);
}

static inline void flags_set(TcgCpu *cpu, uint32_t which, uint32_t value)
{
    cpu->x86.rflags = (cpu->x86.rflags & ~(uint64_t)which) | value;
}

/* Condition codes as opcodes number them: SDM 2, appendix B.1.4.7. */
static inline bool flags_test(const TcgCpu *cpu, unsigned cc)
{
    uint32_t f = (uint32_t)cpu->x86.rflags;
    bool yes;

    switch (cc >> 1) {
    case 0: yes = f & RFLAGS_OF; break;
    case 1: yes = f & RFLAGS_CF; break;
    case 2: yes = f & RFLAGS_ZF; break;
    case 3: yes = f & (RFLAGS_CF | RFLAGS_ZF); break;
    case 4: yes = f & RFLAGS_SF; break;
    case 5: yes = f & RFLAGS_PF; break;
    case 6: yes = (f >> 7 ^ f >> 11) & 1; break;
    default: yes = ((f >> 7 ^ f >> 11) & 1) || f & RFLAGS_ZF; break;
    }
    return yes != (cc & 1);
}

#define FOR_EACH_CC(X)                                                                          \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

/* ---- operand sizes ---- */

#define TYPE_8  uint8_t
#define TYPE_16 uint16_t
#define TYPE_32 uint32_t
#define TYPE_64 uint64_t

static inline uint8_t get_8(TcgCpu *cpu, unsigned r) { return *tcg_reg8(cpu, r); }
static inline uint16_t get_16(TcgCpu *cpu, unsigned r) { return *tcg_reg16(cpu, r); }
static inline uint32_t get_32(TcgCpu *cpu, unsigned r) { return tcg_get32(cpu, r); }
static inline uint64_t get_64(TcgCpu *cpu, unsigned r) { return cpu->x86.gpr[r]; }
static inline void set_8(TcgCpu *cpu, unsigned r, uint8_t v) { *tcg_reg8(cpu, r) = v; }
static inline void set_16(TcgCpu *cpu, unsigned r, uint16_t v) { *tcg_reg16(cpu, r) = v; }
static inline void set_32(TcgCpu *cpu, unsigned r, uint32_t v) { tcg_set32(cpu, r, v); }
static inline void set_64(TcgCpu *cpu, unsigned r, uint64_t v) { cpu->x86.gpr[r] = v; }

/* Register operand of `bits`, as UOp.r1/r2 wants it. */
static inline uint8_t decode_gpr(const ZydisDecodedOperand *op, unsigned bits)
{
    return (uint8_t)(bits == 8 ? decode_reg8(op) : decode_reg(op));
}

/* Handlers of one operation by size_index(). */
typedef UOpFn UOpBySize[4];

/* ---- the two speeds of memory micro-ops ---- */

/*
 * A memory micro-op is two functions: the fast one handles a flat address that hits the TLB and
 * needs no stack frame; anything else is a sibling call of the slow one, which does it all by
 * tcg_ea() and the functions of tcg_mem.h.  Declares `host`, a pointer to the operand.
 */
#define FAST_MEM(slow, bits, access)                                                            \
    if (G_UNLIKELY(u->seg != UOP_SEG_NONE)) {                                                   \
        return slow(cpu, u);                                                                    \
    }                                                                                           \
    FAST_AT(slow, tcg_sum(cpu, u), bits, access)

/* The same for a linear address at hand. */
#define FAST_AT(slow, addr, bits, access)                                                       \
    uint64_t addr_ = (addr);                                                                    \
    const TlbEntry *entry_ = &cpu->tlb[addr_ >> PAGE_SHIFT & (TLB_SIZE - 1)];                   \
    if (G_UNLIKELY(__atomic_load_n(&entry_->tag[access], __ATOMIC_RELAXED) !=                   \
                   ((addr_ + ((bits) / 8 - 1)) & ~(PAGE_SIZE_4K - 1)))) {                       \
        return slow(cpu, u);                                                                    \
    }                                                                                           \
    GUEST_##bits *host = (GUEST_##bits *)(uintptr_t)                                            \
        (addr_ + __atomic_load_n(&entry_->addend, __ATOMIC_RELAXED))

#define GUEST_8     uint8_t
#define GUEST_16    GuestU16
#define GUEST_32    GuestU32
#define GUEST_64    GuestU64
#define HOST_GET()  __atomic_load_n(host, __ATOMIC_RELAXED)
#define HOST_SET(v) __atomic_store_n(host, (v), __ATOMIC_RELAXED)

/*
 * Address of an operand that is read, then written: faults as a write before anything is read (a
 * device must not see a read whose write cannot follow).
 */
uint64_t tcg_ea_modify(TcgCpu *cpu, const UOp *u, unsigned size);

/*
 * LOCKed work on an operand tcg_rmw_ptr() gave no pointer for. The loop lets go of it after a
 * fault.
 */
void tcg_bus_lock(TcgCpu *cpu);
void tcg_bus_unlock(TcgCpu *cpu);

/* ---- stack (ops_stack.c) ---- */

/* Any mode: checks and stores below SP, then moves it. */
void tcg_push(TcgCpu *cpu, const UOp *u, uint64_t value, unsigned bits);
/* The value at `depth` bytes above SP; SP stays. */
uint64_t tcg_stack_read(TcgCpu *cpu, const UOp *u, uint64_t depth, unsigned bits);
void tcg_stack_move(TcgCpu *cpu, int64_t bytes);        /* adds to SP in the stack's width */

/* ---- near control transfers ---- */

/* #GP(0) for a target that is not canonical or beyond CS's limit. */
static inline void check_target(TcgCpu *cpu, const UOp *u, uint64_t rip, bool code64)
{
    if (code64 ? G_UNLIKELY((uint64_t)((int64_t)(rip << 16) >> 16) != rip)
               : G_UNLIKELY(rip > cpu->x86.seg[SEG_CS].limit)) {
        tcg_raise_error(cpu, u, EXC_GP, 0);
    }
}

/*
 * ops_fused.c: a comparison of registers and immediates, and the jump behind it, in one micro-op.
 * The first marks a comparison just emitted, the second tries to take it into a jump of 64-bit
 * code whose fall-through is on the page (`chained`: the target too).
 */
typedef enum FuseOp { FUSE_CMP, FUSE_TEST } FuseOp;
void decode_mark_compare(DecodeContext *d, FuseOp op, unsigned bits);
bool decode_fused_jump(DecodeContext *d, unsigned cc, int64_t target, bool chained);

/* Far forms of the same mnemonics (ops_segment.c). */
bool decode_far_jump(DecodeContext *d);
bool decode_far_call(DecodeContext *d);
bool decode_far_return(DecodeContext *d);
/* MOV with a segment, control or debug register (ops_segment.c). */
bool decode_mov_special(DecodeContext *d);
/* The segment of an implied DS:rSI or DS:rBX operand: the prefix's, else DS; SEG_DS–SEG_GS. */
unsigned decode_override(const DecodeContext *d);

/* Port accesses (ops_io.c); permission was checked. */
uint64_t tcg_port_read(TcgCpu *cpu, uint16_t port, unsigned size);
void tcg_port_write(TcgCpu *cpu, uint16_t port, uint64_t value, unsigned size);
