/*
 * The empty board: memory if some was asked for, CPUs, no device.  For looking at the program
 * itself and for tests of the core.
 */
#include <string.h>

#include "cpuid.h"
#include "machine.h"
#include "mem_backend.h"
#include "none.h"
#include "x86_cpu.h"

static bool none_build(Vm *vm, GError **error)
{
    vm->a20 = true;
    if (vm->config.ram_bytes) {
        MemBackend *memory = mem_backend_for_machine(vm, "ram", error);

        if (!memory) {
            return false;
        }
        vm->ram_region = &memory->region;
        vm->ram_below_4g = vm->config.ram_bytes;
        mem_region_add(&vm->system_memory, 0, vm->ram_region);
    }
    if (!vm->config.cpu_model) {
        return true;
    }
    X86CpuModel *model = x86_cpu_model_parse(vm, vm->config.cpu_model, error);
    if (!model) {
        return false;
    }
    x86_cpu_new(vm, 0, 0, model);
    return true;
}

const Board none_board = {
    .name = "none", .help = "empty machine", .max_cpus = 1, .build = none_build,
};
