/* A whole pc board without an engine: its CPUs never run. */
#pragma once

#include <glib.h>
#include <string.h>

#include "accel.h"
#include "lock.h"
#include "machine.h"
#include "x86_cpu.h"

static Vm vm;
static const AccelOps no_engine = { .name = "none" };

static inline void pc_configure(uint64_t ram_bytes, unsigned cpus)
{
    machine_lock();
    vm_core_init(&vm, g_main_context_default(), device_types);
    vm.accel = &no_engine;
    vm.cpu_size = sizeof(X86Cpu);
    vm.board = board_find("pc");
    vm.config.ram_bytes = ram_bytes;
    vm.config.acpi = vm.config.hpet = vm.config.pit = true;
    vm.config.topo = (CpuTopology){ .cpus = cpus, .sockets = cpus, .dies = 1, .cores = 1,
                                    .threads = 1, .max_cpus = cpus };
    vm_clock_set_manual(&vm, 0);
}

static inline bool pc_start(GError **error)
{
    if (!vm.board->build(&vm, error) || !vm.board->finish(&vm, error)) {
        return false;
    }
    vm_reset(&vm, SHUTDOWN_CAUSE_NONE);
    return true;
}
