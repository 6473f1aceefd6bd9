/*
 * A machine of one software CPU and RAM for tests of the system half (mmu, segments, events): its
 * functions are called directly, without decoder and loop.  sys_try() catches what would long-jump
 * to the loop.
 */
#pragma once

#include "tcg_sys.h"

#include "cpuid.h"

enum { SYS_RAM = 4 * 1024 * 1024 };

/* Where sys_protected() and sys_long() put things; the rest of RAM is the test's. */
enum {
    SYS_GDT = 0x1000, SYS_IDT = 0x2000, SYS_TSS = 0x3000, SYS_LDT_AT = 0x3800, SYS_STACK0 = 0x5000,
    SYS_STACK3 = 0x7000, SYS_TABLES = 0x10000, SYS_CODE = 0x8000,
};

/* Selectors of that GDT. */
enum {
    SEL_CODE0 = 0x08, SEL_DATA0 = 0x10, SEL_CODE3 = 0x1b, SEL_DATA3 = 0x23, SEL_TSS = 0x28,
    SEL_LDT = 0x38, SEL_CONFORMING = 0x48, SEL_EXEC_ONLY = 0x50, SEL_READ_ONLY = 0x58,
    SEL_ABSENT = 0x60, SEL_EXPAND_DOWN = 0x68, SEL_GATE = 0x70, SEL_FREE = 0x80, SEL_LAST = 0xf8,
};

typedef struct SysResult {
    bool raised, left;                  /* neither: the function returned */
    unsigned vector;
    bool has_error;
    uint32_t error;
    RunExit exit;
} SysResult;

extern Vm sys_vm;
extern X86CpuModel sys_model;           /* every feature, AuthenticAMD; a test may change it */
extern TcgCpu *sys_cpu;
extern unsigned sys_code_checks;        /* calls of block_check_store() */

void sys_setup(void);                   /* Check fixtures: a CPU after reset */
void sys_teardown(void);

/* Flat segments, GDT, IDT, TSS; CPL 0 or 3. sys_long(): also 4-level identity tables of 2 MiB
 * pages. */
void sys_protected(unsigned cpl);
void sys_long(unsigned cpl);

uint64_t sys_peek(uint64_t phys, unsigned size);
void sys_poke(uint64_t phys, uint64_t value, unsigned size);
/* Code, data or small system descriptor: attr as X86Seg.attr. */
void sys_put_desc(unsigned selector, uint32_t base, uint32_t limit, uint16_t attr);
void sys_put_gate(uint64_t addr, uint16_t selector, uint64_t offset, unsigned type, unsigned dpl,
                  unsigned params);

typedef void (*SysFn)(void *arg);
SysResult sys_try(SysFn fn, void *arg);
/* As exec.c would: delivers, and again for each fault met, until it works or the CPU shuts down. */
SysResult sys_deliver(unsigned vector, bool soft, bool has_error, uint32_t error,
                      uint64_t return_rip);
