/* A machine of RAM, a few recording ports and registers, and one vCPU in the kernel. */
#pragma once

#include "accel.h"
#include "cpuid.h"
#include "lock.h"
#include "vm_core.h"

#define MACHINE_RAM     (1u << 20)
#define MACHINE_PORT    0x100u          /* 16 ports that remember what was written */
#define MACHINE_MMIO    0xe0000000u     /* 16 registers likewise */
#define MACHINE_STOP    0x1f0u          /* a write stops the machine */

typedef struct KvmMachine {
    Vm vm;
    MemRegion ram, port, mmio, stop;
    X86CpuModel *model;
    X86Cpu *cpu;
    GString *written;                   /* "out.b 5=12 …", "mem.l 0=34 …" */
    bool stopped;
} KvmMachine;

/* NULL: this host has no usable kvm.  `irqchip`: on, split, off. */
KvmMachine *kvm_machine_new(const char *irqchip);
void kvm_machine_free(KvmMachine *machine);

/*
 * Real-mode code at 0:1000, stack below it; runs until it writes MACHINE_STOP, or a second passed.
 */
void kvm_machine_load(KvmMachine *machine, const uint8_t *code, size_t len);
void kvm_machine_run(KvmMachine *machine);
