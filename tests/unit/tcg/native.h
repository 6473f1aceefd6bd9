/*
 * The same short run of user-mode instructions on the real CPU and on the software CPU, from the
 * same state: registers, flags, x87, MMX and SSE state, one page of code and one of data at the
 * same addresses; in 64-bit mode, and in 32-bit compatibility mode.
 *
 *   native_host.c    runs it in this process: signal handlers put the state in place and take it
 *                    back
 *   native_guest.c   runs it on a TcgCpu in 64-bit mode at CPL 3
 *   native_gen.c     makes instructions and states, biased to interesting values
 *   native_test.c    compares, class by class
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Linear addresses, the same in this process and in the guest. */
enum { NATIVE_CODE = 0x10010000, NATIVE_DATA = 0x10020000, NATIVE_PAGE = 4096 };
/* The page is full of INT3; the code starts here. */
enum { NATIVE_CODE_START = 64, NATIVE_MAX_INSNS = 6 };

/* FXSAVE64 image as the processor lays it out. */
enum { FX_FCW = 0, FX_FSW = 2, FX_FTW = 4, FX_MXCSR = 24, FX_ST = 32, FX_XMM = 160, FX_END = 416 };

typedef enum NativeMode { NATIVE_64, NATIVE_32, NATIVE_MODES } NativeMode;

typedef struct NativeState {
    uint64_t gpr[16];                   /* R_RAX … order of x86_cpu.h */
    uint64_t rip, rflags;
    uint8_t fx[512] __attribute__((aligned(16)));
    uint8_t data[NATIVE_PAGE];
    unsigned vector;                    /* out: why it stopped; 3 for the INT3 behind the code */
} NativeState;

typedef struct NativeCode {
    NativeMode mode;
    uint8_t bytes[NATIVE_MAX_INSNS * 15];
    unsigned length, n_insns;
    uint8_t ends[NATIVE_MAX_INSNS];     /* offset behind each instruction */
    uint32_t undefined[NATIVE_MAX_INSNS]; /* RFLAGS bits undefined behind each */
} NativeCode;

/* ---- the two machines ---- */
void native_host_setup(void);
void native_host_run(const NativeCode *code, NativeState *state);       /* in place */
void native_guest_setup(void);
void native_guest_teardown(void);
void native_guest_load(const NativeCode *code);
void native_guest_run(const NativeCode *code, NativeState *state);      /* in place */

/* ---- making cases ---- */
typedef struct NativeClass NativeClass;
/* How much of a class is run; a NULL name ends the table. */
typedef struct NativeClassRow { const char *name; unsigned cases, max_insns; } NativeClassRow;
extern const NativeClassRow native_classes[];

NativeClass *native_class_new(unsigned row, NativeMode mode);   /* finds all its opcodes */
void native_class_free(NativeClass *cls);
unsigned native_class_size(const NativeClass *cls);     /* different mnemonics */
void native_make_code(NativeClass *cls, GRand *rand, NativeCode *code);
void native_make_state(NativeClass *cls, GRand *rand, NativeState *state);
char *native_disassemble(const NativeCode *code);       /* one instruction a line */
