/*
 * Floating point and vectors of the software CPU: ops_x87*.c ops_sse*.c ops_xstate.c decode_fp.c.
 *
 * Arithmetic is done by the very same host instruction, so results, flags and rounding are right by
 * construction.  Two pieces of host state are lent to the guest while it runs:
 *
 *   MXCSR      while `sse_live` the host's MXCSR holds the guest's rounding, FTZ and DAZ, all
 *              exceptions masked, and gathers the guest's sticky flags.  It becomes live at the
 *              first operation that needs it, if the guest masks everything; else each operation
 *              takes the careful way (sse_fp_careful): it runs with the guest's own masks, the
 *              host's #XM comes back as a signal and becomes the guest's.
 *   x87 FCW    while `x87_live` the host's control word is the guest's, again only if the guest
 *              masks all exceptions and none is pending.  Values are loaded and stored around each
 *              operation, the host's x87 stack is empty in between.
 *
 * tcg_fp_release() takes both back.  It is called before code that is not the CPU's runs: device
 * accesses, and the return from run().
 *
 * An x87 instruction without a fast form, or one that meets an empty or full register, an unmasked
 * exception or a pending one, is run exactly: the whole guest x87 state is loaded into the host's
 * FPU, the very instruction executed there, and the state stored again (x87_exact()).
 */
#pragma once

#include <xmmintrin.h>

#include "fpu_state.h"
#include "tcg_decode.h"
#include "tcg_mem.h"

#define FSW_PE          0x0020u
#define FSW_FLAGS       0x003fu
#define FSW_SF          0x0040u
#define FSW_ES          0x0080u
#define FSW_B           0x8000u
#define FSW_C0          0x0100u
#define FSW_C1          0x0200u
#define FSW_C2          0x0400u
#define FSW_TOP_MASK    0x3800u
#define FSW_C3          0x4000u
#define FSW_CC          (FSW_C0 | FSW_C1 | FSW_C2 | FSW_C3)
#define FCW_MASKS       0x003fu
#define MXCSR_FLAGS     0x003fu
#define MXCSR_MASKS     0x1f80u
#define MXCSR_DEFAULT   0x1f80u

/* ---- lending the host's control registers ---- */

/* The guest's MXCSR with the flags gathered so far; and a new value for it. */
uint32_t tcg_get_mxcsr(TcgCpu *cpu);
void tcg_set_mxcsr(TcgCpu *cpu, uint32_t value);

/* ---- operands ---- */

/*
 * Vector operands are named by their place in TcgCpu, so that a register and a value loaded from
 * memory (in fp_tmp, by a micro-op in front) look the same: destination in UOp.r1 by number, source
 * in UOp.disp.
 */
#define VEC_OFFSET(n)   ((int32_t)(offsetof(TcgCpu, x86.fpu.v) + (n) * sizeof(X86Vec)))
#define MM_OFFSET(n)    ((int32_t)(offsetof(TcgCpu, x86.fpu.r) + (n) * sizeof(X86Reg80)))
#define TMP_OFFSET      ((int32_t)offsetof(TcgCpu, fp_tmp))

static inline X86Vec *fp_dst(TcgCpu *cpu, const UOp *u)
{
    return &cpu->x86.fpu.v[u->r1];
}

static inline const void *fp_src(TcgCpu *cpu, const UOp *u)
{
    return (const uint8_t *)cpu + u->disp;
}

/* ---- SSE arithmetic that reads or sets MXCSR ---- */

/*
 * The bare operation: *d = *d op *s (or *d = op *s).  The destination of a conversion is any 64
 * bits.
 */
typedef void (*FpRawFn)(void *d, const void *s);

/*
 * Runs `raw` with the guest's MXCSR.  Raises #XM (#UD without CR4.OSXMMEXCPT) for an unmasked
 * exception, leaving *d as it was.
 */
void sse_fp_careful(TcgCpu *cpu, const UOp *u, FpRawFn raw, void *d, const void *s);

/*
 * Each operation is two functions, as those on memory are (tcg_ops.h): the fast one works while
 * `sse_live` and hands everything else to the careful one by a sibling call.
 */
#define SSE_FP_OP(name, raw)                                                                    \
static G_GNUC_NO_INLINE const UOp *name##_careful(TcgCpu *cpu, const UOp *u)                     \
{                                                                                               \
    sse_fp_careful(cpu, u, raw, fp_dst(cpu, u), fp_src(cpu, u));                                \
    NEXT(u);                                                                                    \
}                                                                                               \
static const UOp *name(TcgCpu *cpu, const UOp *u)                                               \
{                                                                                               \
    if (G_UNLIKELY(!cpu->sse_live)) {                                                           \
        return name##_careful(cpu, u);                                                          \
    }                                                                                           \
    raw(fp_dst(cpu, u), fp_src(cpu, u));                                                        \
    NEXT(u);                                                                                    \
}

/* ---- x87 ---- */

/* Stack in host memory order, as FNSAVE writes it in 64-bit mode. */
typedef struct X87Image {
    uint16_t fcw, pad0, fsw, pad1, ftw, pad2;
    uint32_t fip;
    uint16_t fcs, fop;
    uint32_t fdp;
    uint16_t fds, pad3;
    uint8_t st[8][10];
} __attribute__((packed)) X87Image;
_Static_assert(sizeof(X87Image) == 108, "FNSAVE's 32-bit protected mode layout");

/*
 * x87_host.S: 4 bytes for each of D8–DF × C0–FF, and for each of D8–DF × /0–/7 with operand [rdi].
 */
extern const uint8_t x87_reg_code[8][64][4], x87_mem_code[8][8][4];
/*
 * Loads `image` and `rflags`, runs `code` with `operand` in rdi, stores the image (leaving the FPU
 * as after FNINIT), returns the flags.
 */
uint64_t x87_host_run(X87Image *image, void *operand, const void *code, uint64_t rflags);

static inline unsigned x87_top(const X86Fpu *fpu) { return fpu->fsw >> 11 & 7; }
static inline unsigned x87_phys(const X86Fpu *fpu, unsigned i) { return (x87_top(fpu) + i) & 7; }

/* The host's control word becomes the guest's if that can be. */
void x87_make_live(TcgCpu *cpu);

/*
 * First thing in a waiting instruction: a pending exception is raised as #MF, or, with CR0.NE
 * clear, was signalled on IRQ 13 when it arose and is passed over here as IGNNE# would have it.
 */
G_NORETURN void x87_raise_pending(TcgCpu *cpu, const UOp *u);
static inline void x87_wait(TcgCpu *cpu, const UOp *u)
{
    if (G_UNLIKELY(cpu->x86.fpu.fsw & FSW_ES) && cpu->x86.cr0 & CR0_NE) {
        x87_raise_pending(cpu, u);
    }
}

/* After anything that may have set ES: the flag arose, so FERR# is driven if CR0.NE is clear. */
void x87_signal_ferr(TcgCpu *cpu);

/* The MMX side of the register file: TOP 0, all registers valid. */
static inline void mmx_enter(TcgCpu *cpu)
{
    X86Fpu *fpu = &cpu->x86.fpu;

    fpu->fsw &= ~FSW_TOP_MASK;
    fpu->ftw = 0xff;
}

/* ---- the groups' tables, for decode_fp.c ---- */

typedef enum FpClass {
    FP_CLASS_NONE,              /* needs no FPU or vector state: fences, prefetches, MOVNTI */
    FP_CLASS_X87, FP_CLASS_MMX, FP_CLASS_SSE, FP_CLASS_FXSAVE, FP_CLASS_XSAVE
} FpClass;

/* A mnemonic and how it becomes micro-ops. */
typedef struct FpRow FpRow;
struct FpRow {
    ZydisMnemonic mnemonic;
    bool (*emit)(DecodeContext *d, const FpRow *row);
    UOpFn fn;                   /* xmm form, or the only one */
    UOpFn mm_fn;                /* MMX form, or another as `emit` says */
    const uint8_t *code;        /* host code by immediate */
    uint8_t imm_mask;
    bool unaligned;             /* a 16-byte source need not be aligned */
    bool faults;                /* the operation itself can, or it touches RFLAGS */
};

extern const FpRow x87_rows[], sse_fp_rows[], sse_cvt_rows[], sse_int_rows[],
    sse_imm_rows[], sse_move_rows[], xstate_rows[];

/*
 * Where the source is: a register's place, or fp_tmp with a micro-op in front that loads it from
 * memory.
 */
int32_t fp_emit_source(DecodeContext *d, const FpRow *row, const ZydisDecodedOperand *op);
