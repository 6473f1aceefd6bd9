/* The host's MXCSR and x87 control word on loan to the guest, and SSE arithmetic with unmasked exceptions. */
#include "tcg_x87.h"

#define FCW_DEFAULT     0x037fu

/* MXCSR's flags, which are also its masks shifted right by MXCSR_MASK_SHIFT. */
enum { SSE_IE = 1, SSE_DE = 2, SSE_ZE = 4, SSE_OE = 8, SSE_UE = 16, SSE_PE = 32 };

/* ---- MXCSR ---- */

static void sse_release(TcgCpu *cpu)
{
    cpu->x86.fpu.mxcsr |= _mm_getcsr() & MXCSR_FLAGS;
    _mm_setcsr(MXCSR_DEFAULT);
    cpu->sse_live = false;
}

uint32_t tcg_get_mxcsr(TcgCpu *cpu)
{
    if (cpu->sse_live) {
        cpu->x86.fpu.mxcsr |= _mm_getcsr() & MXCSR_FLAGS;
    }
    return cpu->x86.fpu.mxcsr;
}

void tcg_set_mxcsr(TcgCpu *cpu, uint32_t value)
{
    if (cpu->sse_live) {
        sse_release(cpu);
    }
    cpu->x86.fpu.mxcsr = value;
}

/* ---- x87 ---- */

void x87_make_live(TcgCpu *cpu)
{
    const X86Fpu *fpu = &cpu->x86.fpu;

    if ((fpu->fcw & FCW_MASKS) == FCW_MASKS) {
        __asm__ volatile("fnclex; fldcw %0" : : "m"(fpu->fcw));
        cpu->x87_live = true;
    }
}

void x87_drop(TcgCpu *cpu)
{
    static const uint16_t host = FCW_DEFAULT;

    if (cpu->x87_live) {
        __asm__ volatile("fnclex; fldcw %0" : : "m"(host));
        cpu->x87_live = false;
    }
}

void tcg_fp_release_live(TcgCpu *cpu)
{
    if (cpu->sse_live) {
        sse_release(cpu);
    }
    x87_drop(cpu);
}

/* ---- careful arithmetic ---- */

static bool denormal_single(uint32_t bits)
{
    return (bits & 0x7f800000) == 0 && (bits & 0x007fffff) != 0;
}

static bool denormal_double(uint64_t bits)
{
    return (bits & UINT64_C(0x7ff0000000000000)) == 0 && (bits & UINT64_C(0x000fffffffffffff)) != 0;
}

static bool has_denormal(const X86Vec *v, FpResult result)
{
    static const uint8_t count[] = { [FP_RESULT_SS] = 1, [FP_RESULT_PS] = 4, [FP_RESULT_SD] = 1,
                                     [FP_RESULT_PD] = 2 };
    bool single = result == FP_RESULT_SS || result == FP_RESULT_PS;

    for (unsigned i = 0; i < count[result]; i++) {
        if (single ? denormal_single(v->u32[i]) : denormal_double(v->u64[i])) {
            return true;
        }
    }
    return false;
}

/*
 * Which exceptions arose.  Those met before the computation (invalid, denormal, divide by zero) keep the others
 * from arising if one of them is unmasked; unmasked underflow needs a tiny result only, masked
 * underflow an inexact one too (SDM volume 1, 11.5.2 and 4.9.1.5).
 */
static unsigned arisen(unsigned flags, unsigned unmasked, const X86Vec *out, FpResult result)
{
    if (flags & unmasked & (SSE_IE | SSE_DE | SSE_ZE)) {
        return flags & (SSE_IE | SSE_DE | SSE_ZE);
    }
    if (unmasked & SSE_UE && has_denormal(out, result)) {
        flags |= SSE_UE;
    }
    return flags;
}

G_GNUC_NO_INLINE void sse_fp_careful(TcgCpu *cpu, const UOp *u, FpRawFn raw, FpResult result, void *d,
                                     const void *s)
{
    uint32_t mxcsr = cpu->x86.fpu.mxcsr;
    unsigned unmasked = ~(mxcsr >> MXCSR_MASK_SHIFT) & MXCSR_FLAGS;
    X86Vec out;

    if (unmasked == 0) {
        if (!cpu->sse_live) {
            _mm_setcsr(mxcsr);
            cpu->sse_live = true;
        }
        raw(d, s);
        return;
    }
    memcpy(&out, d, 16);
    _mm_setcsr((mxcsr & ~MXCSR_FLAGS) | MXCSR_MASKS);
    raw(&out, s);
    unsigned flags = arisen(_mm_getcsr() & MXCSR_FLAGS, unmasked, &out, result);

    _mm_setcsr(MXCSR_DEFAULT);
    cpu->x86.fpu.mxcsr |= flags;
    if (flags & unmasked) {
        tcg_raise(cpu, u, cpu->x86.cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
    }
    memcpy(d, &out, 16);
}
