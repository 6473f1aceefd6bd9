/*
 * A whole software CPU with 2 MiB of RAM, run by its real loop until it halts: for tests of the
 * decoder, the block cache and the loop.  Programs are snippets of assembly (snippets.S) copied to
 * MACHINE_CODE.
 *
 * All exceptions, and NMI, go to a HLT of their own, so a run ends with the vector and the frame
 * at hand.
 */
#pragma once

#include "tcg_sys.h"

#include "cpuid.h"

enum { MACHINE_RAM = 2 * 1024 * 1024 };

/* Physical and linear: everything is mapped one to one by 4 KiB pages. */
enum { MACHINE_GDT = 0x1000, MACHINE_IDT = 0x2000, MACHINE_TSS = 0x3000, MACHINE_HANDLERS = 0x4000,
       MACHINE_STACK = 0x7000, MACHINE_CODE = 0x8000, MACHINE_DATA = 0x20000, MACHINE_TABLES = 0x30000,
       MACHINE_MMIO = 0x300000 };

/* Selectors; the user's have RPL 3. */
enum { MACHINE_CS64 = 0x08, MACHINE_DS = 0x10, MACHINE_CS32 = 0x18, MACHINE_CS16 = 0x20,
       MACHINE_USER_CS64 = 0x2b, MACHINE_USER_DS = 0x33, MACHINE_TR = 0x38, MACHINE_USER_CS32 = 0x4b };

typedef enum MachineMode {
    MODE_REAL, MODE_PROT16, MODE_PROT32, MODE_LONG, MODE_USER32, MODE_USER64
} MachineMode;

enum { NO_VECTOR = 0xff };
typedef struct MachineEnd {
    RunExit exit;
    unsigned vector;                    /* NO_VECTOR: the program's own HLT */
    uint64_t rip, error, rflags;  /* interrupted rip and flags; at a plain HLT, of the CPU itself */
} MachineEnd;

extern Vm machine_vm;
extern X86CpuModel machine_model;       /* every feature tcg has */
extern TcgCpu *machine_cpu;
extern uint8_t *machine_ram;

/* Called for each store to MACHINE_MMIO (a page of device memory), from the middle of a block. */
extern void (*machine_on_mmio)(uint64_t value);

void machine_setup(void);               /* Check fixtures */
void machine_teardown(void);

/* A CPU about to run at MACHINE_CODE in that mode, registers clear, RSP at the stack. */
void machine_mode(MachineMode mode);
void machine_load(uint64_t at, const uint8_t *code, const uint8_t *end);
MachineEnd machine_run(void);           /* until it halts, faults or leaves for another reason */
uint64_t *machine_pte(uint64_t linear); /* page table entry; long mode */

/* Programs: name and name_end are labels of snippets.S. */
#define SNIPPET(name) extern const uint8_t name[], name##_end[]
#define LOAD(name) machine_load(MACHINE_CODE, name, name##_end)
