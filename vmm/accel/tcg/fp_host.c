/*
 * The host's MXCSR and x87 control word on loan to the guest; SSE arithmetic with unmasked
 * exceptions.
 */
#include <signal.h>
#include <ucontext.h>

#include "tcg_x87.h"

#define FCW_DEFAULT     0x037fu

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

/* Where the operation at work on this thread goes when the host raises #XM. */
static __thread struct {
    sigjmp_buf landing;
    volatile sig_atomic_t armed;
    volatile uint32_t mxcsr;
} trap;

static struct sigaction chained;

static void pass_on(int signal, siginfo_t *info, void *context)
{
    if (chained.sa_flags & SA_SIGINFO) {
        chained.sa_sigaction(signal, info, context);
    } else if (chained.sa_handler != SIG_DFL && chained.sa_handler != SIG_IGN) {
        chained.sa_handler(signal);
    } else {
        sigaction(SIGFPE, &chained, NULL);      /* it happens again, and ends the program */
    }
}

static void on_sigfpe(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;

    if (!trap.armed) {
        pass_on(signal, info, context);
        return;
    }
    trap.armed = false;
    trap.mxcsr = uc->uc_mcontext.fpregs->mxcsr;
    siglongjmp(trap.landing, 1);
}

/* SA_NODEFER: the landing need not restore the signal mask. */
static void trap_install(void)
{
    static gsize done;
    struct sigaction action = { .sa_sigaction = on_sigfpe,
                                .sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK };

    if (g_once_init_enter(&done)) {
        sigaction(SIGFPE, &action, &chained);
        g_once_init_leave(&done, 1);
    }
}

/*
 * With the guest's masks.  False: an unmasked exception arose, *d is untouched; *mxcsr has the
 * flags.
 */
static bool run_trapping(FpRawFn raw, void *d, const void *s, uint32_t *mxcsr)
{
    trap_install();
    if (sigsetjmp(trap.landing, 0) != 0) {
        *mxcsr = trap.mxcsr;
        return false;
    }
    trap.armed = true;
    _mm_setcsr(*mxcsr);
    raw(d, s);
    *mxcsr = _mm_getcsr();
    _mm_setcsr(MXCSR_DEFAULT);
    trap.armed = false;
    return true;
}

G_GNUC_NO_INLINE void sse_fp_careful(TcgCpu *cpu, const UOp *u, FpRawFn raw, void *d, const void *s)
{
    uint32_t mxcsr = cpu->x86.fpu.mxcsr;

    if ((mxcsr & MXCSR_MASKS) == MXCSR_MASKS) {
        if (!cpu->sse_live) {
            _mm_setcsr(mxcsr);
            cpu->sse_live = true;
        }
        raw(d, s);
        return;
    }
    bool done = run_trapping(raw, d, s, &mxcsr);

    cpu->x86.fpu.mxcsr = mxcsr;
    if (!done) {
        tcg_raise(cpu, u, cpu->x86.cr4 & CR4_OSXMMEXCPT ? EXC_XM : EXC_UD);
    }
}
