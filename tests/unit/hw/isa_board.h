/*
 * An ISA bus with one device on it, a clock the test drives, and interrupts that are only recorded.
 */
#pragma once

#include <glib.h>

#include "isa.h"
#include "lock.h"
#include "vm_core.h"

static Vm vm;
static Bus *isa;
static IrqLine isa_lines[16], gsi_lines[24];
static int levels[24];
static unsigned edges[24];              /* rising ones */

static void record_irq(void *opaque, int n, int level)
{
    edges[n] += level && !levels[n];
    levels[n] = level;
}

/* For vm.gsi_open: whether lines are masked. */
static bool masked;

static inline bool line_open(Vm *unused, unsigned gsi)
{
    return !masked;
}

static inline Device *isa_board(const DeviceType *type)
{
    static const DeviceType *types[] = { NULL, NULL };
    static const DeviceType bridge_type = { .name = "bridge", .bus = &system_bus_type,
                                            .size = sizeof(Device), .board_only = true };
    Device *bridge, *dev;

    types[0] = type;
    machine_lock();
    vm_core_init(&vm, g_main_context_default(), types);
    vm_clock_set_manual(&vm, NS_PER_SEC);
    for (int i = 0; i < 24; i++) {
        gsi_lines[i] = (IrqLine){ record_irq, NULL, i };
        isa_lines[i & 15] = (IrqLine){ record_irq, NULL, i & 15 };
    }
    vm.isa_irq = isa_lines;
    vm.gsi = gsi_lines;
    vm.n_gsi = 24;
    bridge = device_new(&vm, &bridge_type, NULL);
    g_assert(device_realize(bridge, NULL, NULL));
    isa = bus_new(bridge, &isa_bus_type, "isa.0");
    if (type->bus != &isa_bus_type) {
        return NULL;
    }
    dev = device_new(&vm, type, NULL);
    g_assert(device_realize(dev, isa, NULL));
    devices_reset(&vm);
    return dev;
}

static inline uint8_t in8(uint16_t port)
{
    return mem_load(&vm.io, port, 1, NULL);
}

static inline void out8(uint16_t port, uint8_t value)
{
    mem_store(&vm.io, port, value, 1);
}

static inline void advance_ns(int64_t ns)
{
    vm_clock_set_manual(&vm, vm_clock_ns(&vm) + ns);
}

/* Time passes while the main loop is busy: timers fire once it is over. */
static inline void advance_late_ns(int64_t ns)
{
    vm.clock.stopped_ns += ns;
    advance_ns(0);
}
