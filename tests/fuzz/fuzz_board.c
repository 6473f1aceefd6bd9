/*
 * A guest that does anything to the pc board.  Reaches: every device's ports and registers in
 * memory, PCI configuration, fw_cfg, timers, reset.  The input is a list of accesses; CPUs do not
 * run.
 */
#include <stdint.h>

#include "pc_machine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One access: 8 bytes of input. */
typedef struct Access {
    uint8_t kind, size;
    uint16_t where;
    uint32_t value;
} Access;

static const uint32_t windows[] = { 0x0, 0xa0000, 0xf0000, 0xfec00000, 0xfed00000, 0xfee00000 };

static X86Cpu *first_cpu(void)
{
    return g_ptr_array_index(vm.cpus, 0);
}

static void setup(void)
{
    g_autoptr(GError) error = NULL;

    pc_configure(16 * 1024 * 1024, 2);
    vm.current_cpu = first_cpu;
    vm.config.no_shutdown = true;
    if (!pc_start(&error)) {
        g_error("%s", error->message);
    }
}

static void carry_out(const Access *access)
{
    unsigned size = 1u << access->size % 4;
    uint64_t addr = windows[access->size / 4 % G_N_ELEMENTS(windows)] + (access->where & -size);

    switch (access->kind % 8) {
    case 0:
    case 1:
        mem_store(&vm.io, access->where, access->value, MIN(size, 4));
        break;
    case 2:
        mem_load(&vm.io, access->where, MIN(size, 4), NULL);
        break;
    case 3:
        mem_store(&vm.io, 0xcf8, 0x80000000 | (access->where & 0x1ffc), 4);
        mem_store(&vm.io, 0xcfc + (access->where & 3), access->value, MIN(size, 4));
        break;
    case 4:
        mem_store(&vm.memory, addr, access->value, size);
        break;
    case 5:
        mem_load(&vm.memory, addr, size, NULL);
        break;
    case 6:
        vm_clock_set_manual(&vm, vm_clock_ns(&vm) + access->value % (100 * NS_PER_MS));
        break;
    case 7:
        first_cpu()->intc.acknowledge(first_cpu()->intc.opaque);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!vm.board) {
        setup();
    }
    for (size_t at = 0; at + sizeof(Access) <= size; at += sizeof(Access)) {
        Access access;

        memcpy(&access, data + at, sizeof(access));
        carry_out(&access);
    }
    __atomic_store_n(&vm.pending_requests, 0, __ATOMIC_SEQ_CST);
    vm_reset(&vm, SHUTDOWN_CAUSE_NONE);
    return 0;
}
