/*
 * Decoding: how the instruction groups turn one instruction into micro-ops.
 *
 * decode.c walks the bytes of a block with Zydis, finds the mnemonic's row in the groups' tables
 * and calls its `emit`.  An emit function looks at d->insn and d->ops, calls decode_emit() once
 * or more (at most MAX_INSN_UOPS), fills in the operands, and returns true; false means #UD.
 *
 * Checks that depend on the block's mode only (CPL, CR0.TS, 64-bit …) are made here, not at run
 * time; a fault that is then certain is emitted by decode_raise().
 */
#pragma once

#include <Zydis/Zydis.h>

#include "cpuid.h"
#include "tcg.h"

enum { MAX_BLOCK_INSNS = 64, MAX_INSN_UOPS = 6, MAX_BLOCK_UOPS = 160 };

/* What decode.c knows about a micro-op besides the UOp: for leaving out flags nobody reads. */
typedef struct UOpInfo {
    UOpFn no_flags;             /* twin without flags, or NULL */
    uint16_t sets;              /* RFLAGS_* arithmetic bits it always writes */
    bool barrier;               /* reads flags, may fault or leave: flags must be right before it */
    uint8_t fuse;               /* a comparison a jump may take in: ops_fused.c; 0: no */
} UOpInfo;

struct DecodeContext {
    const ZydisDecodedInstruction *insn;
    const ZydisDecodedOperand *ops;         /* insn->operand_count_visible of them, Intel order */
    const X86CpuModel *model;               /* NULL in some tests: every feature */
    uint32_t mode;                          /* CPU_MODE_* of the block */
    uint8_t operand_bits, address_bits;     /* effective: 16, 32, 64 */
    uint8_t stack_bits;                     /* width of the stack pointer */
    bool code64;
    uint8_t cpl;                            /* 3 in v8086 mode */
    bool lock, rep, repne;                  /* prefixes as found in the bytes */
    bool ends;                              /* the block ends behind this instruction */
    bool closed;                            /* ... and its last micro-op is there already */
    bool wide_disp;                         /* gpr[GPR_TEMP] is base and displacement */
    uint16_t insn_off;
    unsigned n_uops, n_insns;
    unsigned page_off;                      /* of the block's first byte in its page */
    UOp uops[MAX_BLOCK_UOPS];
    UOpInfo info[MAX_BLOCK_UOPS];
};

typedef bool (*EmitFn)(DecodeContext *d);

/* One mnemonic; tables end with a row whose emit is NULL. */
typedef struct DecodeRow {
    ZydisMnemonic mnemonic;
    EmitFn emit;
    bool lockable;              /* LOCK is allowed with a memory destination; else #UD */
} DecodeRow;

extern const DecodeRow decode_alu_rows[], decode_bit_rows[], decode_flow_rows[], decode_io_rows[],
    decode_move_rows[], decode_muldiv_rows[], decode_segment_rows[], decode_shift_rows[],
    decode_stack_rows[], decode_string_rows[], decode_system_rows[];

/*
 * x87, MMX, SSE, FXSAVE, XSAVE, PREFETCH, fences, LDMXCSR …: everything that no table above has.
 * Returns false for what it does not know: #UD.
 */
bool decode_fp(DecodeContext *d);

/*
 * A new micro-op of the current instruction: insn_off, insn_len set, address empty. Flags
 * barrier.
 */
UOp *decode_emit(DecodeContext *d, UOpFn fn);
/* One that neither reads flags nor can fault or leave. */
UOp *decode_emit_quiet(DecodeContext *d, UOpFn fn);
/*
 * One that writes the arithmetic flags `sets` and has a twin that does not; `faults`: or reads
 * flags (then a barrier too).
 */
UOp *decode_emit_flags(DecodeContext *d, UOpFn fn, UOpFn no_flags, unsigned sets, bool faults);
/* Raises `vector` (with error code 0 where the vector has one) and ends the block. Always true. */
bool decode_raise(DecodeContext *d, unsigned vector);
/*
 * After this instruction control goes back to the loop of exec.c, which looks the mode up anew:
 * for whatever changes CR0, CR4, XCR0, segments, privilege, EFLAGS.IF … The micro-op itself ends
 * with NEXT(u).
 */
void decode_end(DecodeContext *d);

/* Fills base, index, scale, disp, seg and addr_bits from a memory operand (AGEN too). */
void decode_mem(const DecodeContext *d, UOp *u, const ZydisDecodedOperand *op);

static inline bool op_is_reg(const ZydisDecodedOperand *op)
{
    return op->type == ZYDIS_OPERAND_TYPE_REGISTER;
}
static inline bool op_is_mem(const ZydisDecodedOperand *op)
{
    return op->type == ZYDIS_OPERAND_TYPE_MEMORY;
}
static inline bool op_is_imm(const ZydisDecodedOperand *op)
{
    return op->type == ZYDIS_OPERAND_TYPE_IMMEDIATE;
}

/* Number of a 16-, 32- or 64-bit general register (0–15), of ST(i), MMn, XMMn, Sreg, CRn, DRn. */
unsigned decode_reg(const ZydisDecodedOperand *op);
/* Byte offset in x86.gpr of an 8-bit register: tcg_reg8(). */
unsigned decode_reg8(const ZydisDecodedOperand *op);
/* 0, 1, 2, 3 for 8, 16, 32, 64 bits: the index of handler tables by size. */
static inline unsigned size_index(unsigned bits)
{
    return bits == 8 ? 0 : bits == 16 ? 1 : bits == 32 ? 2 : 3;
}

/* Whether the CPU model has a feature (cpuid.h). */
bool decode_has(const DecodeContext *d, FeatureWord word, unsigned bit);
