/* Where an unwinding stands, and one step outwards by each of its ways. */
#pragma once

#include "unwind.h"

typedef enum UnwindStep {
    STEP_DONE,                  /* the state is the caller's now */
    STEP_END,                   /* there is no caller */
    STEP_UNKNOWN,               /* this way knows nothing here; the state is as it was */
} UnwindStep;

typedef struct UnwindState {
    const X86Cpu *cpu;
    const SymbolTable *symbols; /* NULL: none */
    uint64_t rip, sp, bp;
    unsigned word;              /* bytes of a stack slot: 8 or 4 */
    bool user;                  /* user code: the kernel's tables say nothing of it */
    bool exact;                 /* rip was about to run (innermost, interrupted): it did not call */
    /* what registers besides sp and bp are known by */
    enum { REGS_NONE, REGS_OF_CPU, REGS_IN_MEMORY } regs;
    uint64_t regs_at;           /* REGS_IN_MEMORY: Linux's struct pt_regs */
    bool chained;               /* bp was read from a frame */
} UnwindState;

/* A word of the guest's stack. */
bool unwind_read(const UnwindState *s, uint64_t addr, uint64_t *value);
bool unwind_is_code(const UnwindState *s, uint64_t addr);

/* ---- unwind_orc.c ---- */
typedef struct OrcTable {
    uint64_t ips, entries;      /* addresses of the two arrays */
    uint64_t count;             /* 0: the guest has none */
    uint64_t first, last;       /* code they speak of */
    bool typed;                 /* layout of Linux 6.4 and later */
} OrcTable;

void orc_find(OrcTable *orc, const UnwindState *s);
UnwindStep orc_step(const OrcTable *orc, UnwindState *s);
