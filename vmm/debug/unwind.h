/*
 * Who called: the frames below a vCPU's registers.
 *
 * A Linux kernel of today keeps no frame pointers; its ORC tables, found in guest memory through
 * its symbols, tell where each instruction's return address lies.  Where there are none (another
 * guest, user code) the frame pointer chain is followed while it looks like one; and where that
 * ends at once, words on the stack that point behind a call instruction are offered as guesses.
 * Machine stopped (or the caller accepts a torn picture), machine lock held.
 */
#pragma once

#include "symbols.h"

enum { UNWIND_MAX = 128 };

typedef enum UnwindHow { UNWIND_REGISTERS, UNWIND_ORC, UNWIND_FRAME_POINTER, UNWIND_GUESS } UnwindHow;

typedef struct UnwindFrame {
    uint64_t rip;               /* where it is, or will return to */
    uint64_t cfa;               /* stack pointer once that has returned; 0: not known */
    UnwindHow how;              /* how this frame was found */
} UnwindFrame;

/* Fills frames[0 .. max) from the innermost outwards; the count, at least 1. */
size_t unwind(Vm *vm, X86Cpu *cpu, UnwindFrame *frames, size_t max);
