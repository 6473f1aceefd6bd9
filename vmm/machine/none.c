/*
 * The empty board: memory if some was asked for, CPUs, no device.  For looking at the program
 * itself and for tests of the core.
 */
#include <string.h>

#include "cpuid.h"
#include "machine.h"
#include "none.h"
#include "x86_cpu.h"

typedef struct NoneBoard {
    MemRegion ram;
} NoneBoard;

static bool none_build(Vm *vm, GError **error)
{
    NoneBoard *none = g_new0(NoneBoard, 1);

    vm->board_data = none;
    vm->a20 = true;
    if (vm->config.ram_bytes) {
        if (!mem_region_init_ram(&none->ram, NULL, "ram", vm->config.ram_bytes, error)) {
            return false;
        }
        vm->ram_region = &none->ram;
        vm->ram_below_4g = vm->config.ram_bytes;
        mem_region_add(&vm->system_memory, 0, &none->ram);
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
