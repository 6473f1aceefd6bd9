/*
 * Runs code on the real CPU.  native_host_run() executes INT3; the handler keeps the caller's
 * context and returns into the test's instead.  Whatever stops the test (the INT3 behind the code,
 * a fault) comes back to the handler, which takes the state and returns to the caller's context.
 */
#include "native.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "x86_cpu.h"

/* Where mcontext keeps the registers of x86_cpu.h's order. */
static const int gregs[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

/*
 * A signal frame's XSAVE header follows the FXSAVE area; its first word says what is in the frame.
 */
enum { XSAVE_HEADER = 512, XSAVE_X87_SSE = 3 };
enum { ALT_STACK = 65536 };
/* Linux' user segments; mcontext keeps CS in the low 16 bits of a register. */
enum { USER_CS32 = 0x23, USER_DS = 0x2b, CS_MASK = 0xffff };

static NativeState *running;            /* NULL: the next INT3 starts a run */
static NativeState *wanted;
static NativeMode wanted_mode;
static gregset_t caller_gregs;
static uint8_t caller_fx[FX_END];
static uint8_t *code_page, *data_page;

static void frame_fx_changed(uint8_t *frame)
{
    uint64_t header;

    memcpy(&header, frame + XSAVE_HEADER, sizeof(header));
    header |= XSAVE_X87_SSE;
    memcpy(frame + XSAVE_HEADER, &header, sizeof(header));
}

static void enter(ucontext_t *uc)
{
    greg_t *regs = uc->uc_mcontext.gregs;
    uint8_t *frame = (uint8_t *)uc->uc_mcontext.fpregs;

    running = wanted;
    memcpy(caller_gregs, regs, sizeof(caller_gregs));
    memcpy(caller_fx, frame, FX_END);
    for (unsigned i = 0; i < 16; i++) {
        regs[gregs[i]] = (greg_t)running->gpr[i];
    }
    regs[REG_RIP] = (greg_t)running->rip;
    regs[REG_EFL] = (greg_t)running->rflags;
    if (wanted_mode == NATIVE_32) {
        regs[REG_CSGSFS] = (regs[REG_CSGSFS] & ~(greg_t)CS_MASK) | USER_CS32;
    }
    memcpy(frame, running->fx, FX_END);
    frame_fx_changed(frame);
}

static void leave(ucontext_t *uc)
{
    greg_t *regs = uc->uc_mcontext.gregs;
    uint8_t *frame = (uint8_t *)uc->uc_mcontext.fpregs;

    for (unsigned i = 0; i < 16; i++) {
        running->gpr[i] = (uint64_t)regs[gregs[i]];
    }
    running->rip = (uint64_t)regs[REG_RIP];
    running->rflags = (uint64_t)regs[REG_EFL];
    running->vector = (unsigned)regs[REG_TRAPNO];
    memcpy(running->fx, frame, FX_END);
    running = NULL;
    memcpy(regs, caller_gregs, sizeof(caller_gregs));
    memcpy(frame, caller_fx, FX_END);
    frame_fx_changed(frame);
}

static void on_signal(int signal, siginfo_t *info, void *opaque)
{
    if (running == NULL) {
        enter(opaque);
    } else {
        leave(opaque);
    }
}

static uint8_t *map_page(uintptr_t address, int protection)
{
    void *page = mmap((void *)address, NATIVE_PAGE, protection,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    g_assert(page == (void *)address);
    return page;
}

void native_host_setup(void)
{
    static const int signals[] = { SIGTRAP, SIGFPE, SIGSEGV, SIGILL, SIGBUS };
    static uint8_t alt_stack[ALT_STACK];
    stack_t stack = { .ss_sp = alt_stack, .ss_size = sizeof(alt_stack) };
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK };

    sigaltstack(&stack, NULL);
    for (unsigned i = 0; i < G_N_ELEMENTS(signals); i++) {
        sigaction(signals[i], &action, NULL);
    }
    code_page = map_page(NATIVE_CODE, PROT_READ | PROT_WRITE | PROT_EXEC);
    data_page = map_page(NATIVE_DATA, PROT_READ | PROT_WRITE);
    memset(code_page, 0xcc, NATIVE_PAGE);
    /* 64-bit programs run with null selectors here; 32-bit code would fault on them. */
    __asm__ volatile("mov %0, %%ds; mov %0, %%es" : : "r"(USER_DS));
}

void native_host_run(const NativeCode *code, NativeState *state)
{
    memcpy(code_page + NATIVE_CODE_START, code->bytes, code->length);
    memset(code_page + NATIVE_CODE_START + code->length, 0xcc, sizeof(code->bytes) - code->length);
    memcpy(data_page, state->data, NATIVE_PAGE);
    wanted = state;
    wanted_mode = code->mode;
    __asm__ volatile("int3" : : : "memory");
    memcpy(state->data, data_page, NATIVE_PAGE);
}
