/*
 * The registers as gdb numbers them: one table for values, packets and the target description.
 *
 * Order and sizes are those QEMU gives gdb for a 64-bit PC, with the upper halves of the AVX
 * registers behind them where the CPU has those.  While a CPU does not run 64-bit code, registers
 * show the 32 bits that such code has, and R8 to R15 are 0.
 */
#pragma once

#include "x86_cpu.h"

/* Features of the target description: gdb manual, G.5.4 "i386 Features". */
typedef enum GdbFeature {
    GDB_FEATURE_CORE, GDB_FEATURE_SEGMENTS, GDB_FEATURE_SYSTEM, GDB_FEATURE_SSE, GDB_FEATURE_AVX,
    GDB_FEATURES
} GdbFeature;

enum { GDB_REG_BYTES_MAX = 16 };

/* A run of registers that differ in their number only. */
typedef struct GdbRegRun {
    GdbFeature feature;
    unsigned count, bytes;
    const char *const *names;           /* `count` of them; NULL: prefix, 0 … count - 1, suffix */
    const char *prefix, *suffix;
    const char *type, *group;           /* gdb's; group may be NULL */
    /* n: which of the run.  Little-endian bytes.  put: false if the CPU cannot have that value. */
    void (*get)(const X86Cpu *cpu, unsigned n, uint8_t *bytes);
    bool (*put)(X86Cpu *cpu, unsigned n, const uint8_t *bytes);
} GdbRegRun;

extern const GdbRegRun gdb_reg_runs[];
extern const size_t gdb_reg_run_count;

bool gdb_has_feature(const X86Cpu *cpu, GdbFeature feature);

/* By gdb's number; the register's size, 0: there is none, or (put) it cannot have that value. */
unsigned gdb_reg_get(const X86Cpu *cpu, unsigned number, uint8_t bytes[GDB_REG_BYTES_MAX]);
unsigned gdb_reg_size(const X86Cpu *cpu, unsigned number);
bool gdb_reg_put(X86Cpu *cpu, unsigned number, const uint8_t *bytes);

/* gdb_sysregs.c: segment and control registers take what leaves the CPU one that there can be. */
bool gdb_put_segment(X86Cpu *cpu, unsigned seg, uint16_t selector);
bool gdb_put_cr0(X86Cpu *cpu, uint64_t value);
bool gdb_put_cr3(X86Cpu *cpu, uint64_t value);
bool gdb_put_cr4(X86Cpu *cpu, uint64_t value);
bool gdb_put_efer(X86Cpu *cpu, uint64_t value);
bool gdb_put_rflags(X86Cpu *cpu, uint64_t value);

/* gdb_xml.c: a file of the target description ("target.xml"), NULL: no such file.  New string. */
char *gdb_target_xml(const X86Cpu *cpu, const char *name);
