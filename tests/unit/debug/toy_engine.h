/*
 * Two CPUs of a toy engine that knows six instructions, driven by the real vCPU threads.
 *
 * nop; hlt stays where it is; call rel32; ret; stosb writes to rdi, for watch points; and 0x99,
 * which counts rcx down and calls itself while that is not 0.
 */
#pragma once

#include "accel.h"
#include "cpuid.h"
#include "debug.h"
#include "lock.h"

enum { TOY_CPUS = 2, TOY_CODE = 0x1000, TOY_STACK = 0x8000, TOY_DATA = 0x4000 };

typedef struct ToyMachine {
    Vm vm;
    MemRegion ram;
    X86CpuModel *model;
    X86Cpu *cpu[TOY_CPUS];
    GString *events;                    /* "RESUME STOP DEBUG " */
} ToyMachine;

/* What the engine was given last. */
extern BreakPoint toy_points[16];
extern size_t toy_n_points;
extern bool toy_refuses;                /* set_breakpoints() fails */
/* Points are met only when this many CPUs are at one; 0, 1: at once. */
extern int toy_rendezvous;

ToyMachine *toy_new(void);          /* all CPUs at TOY_CODE in 64-bit mode; takes the machine lock */
void toy_free(ToyMachine *toy);
void toy_load(ToyMachine *toy, const uint8_t *code, size_t len);
void toy_wait(ToyMachine *toy);         /* until it stops */
