/* A board with nothing on it but the chipset under test: RAM, host bridge, ISA interrupts that are
 * only recorded. */
#pragma once

#include <glib.h>

#include "fw_cfg.h"
#include "i440fx.h"
#include "lock.h"
#include "piix3.h"
#include "piix4_pm.h"
#include "vm_core.h"

#define BARE_RAM (16 * 1024 * 1024)

static Vm vm;
static MemRegion bare_ram, bare_low;
static Device *bare_host;
static PciBus *bare_bus;
static IrqLine bare_lines[16];
static int bare_levels[16];

static const DeviceType *const bare_types[] = {
    &i440fx_host_type, &i440fx_type, &piix3_type, &piix4_pm_type, &fw_cfg_io_type, NULL
};

static void bare_irq(void *opaque, int n, int level)
{
    bare_levels[n] = level;
}

static inline Device *bare_add(const DeviceType *type, Bus *bus, const char *addr)
{
    Device *dev = device_new(&vm, type, NULL);
    g_autoptr(GError) error = NULL;

    if ((addr && !device_set(dev, "addr", addr, &error)) || !device_realize(dev, bus, &error)) {
        g_error("%s", error->message);
    }
    return dev;
}

static inline void bare_setup(void)
{
    machine_lock();
    vm_core_init(&vm, g_main_context_default(), bare_types);
    for (int n = 0; n < 16; n++) {
        bare_lines[n] = (IrqLine){ bare_irq, NULL, n };
    }
    vm.isa_irq = bare_lines;
    if (!mem_region_init_ram(&bare_ram, NULL, "pc.ram", BARE_RAM, NULL)) {
        g_error("no memory");
    }
    vm.ram_region = &bare_ram;
    mem_region_init_alias(&bare_low, NULL, "ram-below-4g", &bare_ram, 0, BARE_RAM);
    mem_region_add(&vm.system_memory, 0, &bare_low);
    vm_clock_set_manual(&vm, 0);
    bare_host = bare_add(&i440fx_host_type, NULL, NULL);
    bare_bus = i440fx_pci_bus(bare_host);
}

static inline void out(uint16_t port, uint32_t value, unsigned size)
{
    mem_store(&vm.io, port, value, size);
}

static inline uint32_t in(uint16_t port, unsigned size)
{
    return mem_load(&vm.io, port, size, NULL);
}

static inline uint32_t config_addr(unsigned devfn, unsigned offset)
{
    return 0x80000000u | devfn << 8 | (offset & 0xfc);
}

static inline uint32_t cfg_in(unsigned devfn, unsigned offset, unsigned size)
{
    out(0xcf8, config_addr(devfn, offset), 4);
    return in(0xcfc + (offset & 3), size);
}

static inline void cfg_out(unsigned devfn, unsigned offset, uint32_t value, unsigned size)
{
    out(0xcf8, config_addr(devfn, offset), 4);
    out(0xcfc + (offset & 3), value, size);
}
