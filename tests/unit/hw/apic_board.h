/* Two CPUs that never run with their local APICs, an IOAPIC and a pair of 8259s. */
#pragma once

#include "apic.h"
#include "cpuid.h"
#include "i8259.h"
#include "ioapic.h"
#include "isa_board.h"
#include "x86_cpu.h"

#define IOAPIC_BASE 0xfec00000u

static X86Cpu *cpus[2], *accessing;
static Device *pics, *ioapic;

static X86Cpu *test_current_cpu(void)
{
    return accessing;
}

static inline void apic_board(void)
{
    X86CpuModel *model;

    isa_board(&ioapic_type);
    model = x86_cpu_model_parse(&vm, "max", NULL);
    g_assert(model != NULL);
    model->features[FEAT_1_ECX] |= 1u << 21 | 1u << 24;     /* x2APIC, TSC deadline */
    vm.current_cpu = test_current_cpu;
    for (unsigned i = 0; i < 2; i++) {
        cpus[i] = x86_cpu_new(&vm, i, i, model);
        g_assert(apic_new(&vm, cpus[i], NULL) != NULL);
    }
    ioapic = ioapic_new(&vm, IOAPIC_BASE, NULL);
    pics = i8259_pair_new(&vm, isa, NULL);
    g_assert(ioapic != NULL && pics != NULL);
    i8259_connect(pics, apic_lint(cpus[0]->apic, 0));
    devices_reset(&vm);
    accessing = cpus[0];
}

static inline uint32_t apic_get(unsigned reg)
{
    return mem_load(&vm.memory, APIC_BASE_DEFAULT + reg, 4, NULL);
}

static inline void apic_set(unsigned reg, uint32_t value)
{
    mem_store(&vm.memory, APIC_BASE_DEFAULT + reg, value, 4);
}

static inline bool cpu_wants(const X86Cpu *cpu, uint32_t event)
{
    return (cpu->events & event) != 0;
}

static inline int take_vector(X86Cpu *cpu)
{
    return cpu->intc.acknowledge(cpu->intc.opaque);
}

