/* A machine with RAM and one CPU, no engine and no thread. */
#pragma once

#include <glib.h>

#include "cpuid.h"
#include "lock.h"
#include "vm_core.h"
#include "x86_cpu.h"

typedef struct BareCpu {
    Vm vm;
    MemRegion ram;
    X86CpuModel *model;
    X86Cpu *cpu;
} BareCpu;

static const DeviceType *const bare_types[] = { NULL };

/* `topo` counts per level: sockets, dies, cores, threads. Model text as -cpu takes it. */
static inline BareCpu *bare_cpu_new(const char *model, unsigned cores, unsigned threads,
                                    uint32_t apic_id)
{
    BareCpu *bare = g_new0(BareCpu, 1);
    GError *error = NULL;

    machine_lock();
    vm_core_init(&bare->vm, g_main_context_default(), bare_types);
    bare->vm.config.topo = (CpuTopology){ cores * threads, 1, 1, cores, threads, cores * threads };
    if (!mem_region_init_ram(&bare->ram, NULL, "ram", 1 << 20, &error)) {
        g_error("%s", error->message);
    }
    mem_region_add(&bare->vm.system_memory, 0, &bare->ram);
    bare->model = x86_cpu_model_parse(&bare->vm, model, &error);
    if (!bare->model) {
        g_error("%s", error->message);
    }
    bare->cpu = x86_cpu_new(&bare->vm, 0, apic_id, bare->model);
    return bare;
}

static inline void bare_cpu_free(BareCpu *bare)
{
    x86_cpu_free(bare->cpu);
    x86_cpu_model_free(bare->model);
    mem_region_finish(&bare->ram);
    vm_core_finish(&bare->vm);
    machine_unlock();
    g_free(bare);
}
