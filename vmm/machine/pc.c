/*
 * The pc board: i440FX and PIIX3/PIIX4, the PC of 1996 that every operating system knows.
 *
 *   CPUs — LAPICs — memory — i440FX — PCI 0: PIIX3 (ISA: timers, RTC, keyboard, serial), IDE, USB,
 *                     |                       PIIX4 PM
 *                     IOAPIC, HPET, fw_cfg
 *
 * Not on it yet: floppy, display.
 */
#include <string.h>

#include "cpuid.h"
#include "i440fx.h"
#include "machine.h"
#include "mc146818.h"
#include "mem_backend.h"
#include "numa.h"
#include "pc.h"
#include "rhea_error.h"
#include "sizes.h"
#include "x86_cpu.h"

#define PC_LOW_RAM_LIMIT    UINT64_C(0xe0000000)    /* with more, the PCI window gets 1 GiB */
#define PC_LOW_RAM_SPLIT    UINT64_C(0xc0000000)
#define PC_RAM_MIN          (2 * MIB)
#define PC_MAX_CPUS         255

#define CMOS_SHUTDOWN_CODE      0x0f
#define SHUTDOWN_CODE_S3_RESUME 0xfe

/* ---- memory ---- */

static bool pc_make_ram(PcBoard *pc, GError **error)
{
    Vm *vm = pc->vm;
    uint64_t size = vm->config.ram_bytes;
    Object *owner = object_container("/machine/unattached");
    g_autoptr(GError) why = NULL;
    MemBackend *memory;
    MemRegion *ram;

    if (size < PC_RAM_MIN) {
        set_error(error, "the pc board needs at least 2 MiB of memory");
        return false;
    }
    vm->ram_below_4g = size >= PC_LOW_RAM_LIMIT ? PC_LOW_RAM_SPLIT : size;
    vm->ram_above_4g = size - vm->ram_below_4g;
    if (!numa_check(vm, error)) {
        return false;
    }
    ram = numa_make_ram(vm, "pc.ram", &why);
    if (!ram && !why) {
        memory = mem_backend_for_machine(vm, "pc.ram", &why);
        ram = memory ? &memory->region : NULL;
    }
    if (!ram) {
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    vm->ram_region = ram;
    mem_region_init_alias(&pc->below_4g, owner, "ram-below-4g", ram, 0, vm->ram_below_4g);
    mem_region_add(&vm->system_memory, 0, &pc->below_4g);
    if (vm->ram_above_4g) {
        mem_region_init_alias(&pc->above_4g, owner, "ram-above-4g", ram, vm->ram_below_4g,
                              vm->ram_above_4g);
        mem_region_add(&vm->system_memory, 4 * GIB, &pc->above_4g);
    }
    return true;
}

/* ---- ports without a device ---- */

/* 80: POST codes and the delay port; f0: clearing the 80287's error, which nothing raises. */
static void sink_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static const MemOps sink_ops = { .write = sink_write, .min_size = 1, .max_size = 1 };

static void pc_make_ports(PcBoard *pc)
{
    Object *owner = object_container("/machine/unattached");

    mem_region_init_io(&pc->port80, owner, "ioport80", 1, &sink_ops, pc);
    mem_region_init_io(&pc->port_f0, owner, "ioportF0", 1, &sink_ops, pc);
    mem_region_add(&pc->vm->system_io, 0x80, &pc->port80);
    mem_region_add(&pc->vm->system_io, 0xf0, &pc->port_f0);
}

/* ---- CPUs ---- */

static unsigned id_bits(unsigned count)
{
    return count > 1 ? g_bit_storage(count - 1) : 0;
}

/* SDM 3A 8.9.1: each level of the topology has a field of whole bits in the APIC id. */
static uint32_t apic_id_of(const CpuTopology *topo, unsigned index)
{
    unsigned threads = MAX(1, topo->threads), cores = MAX(1, topo->cores);
    unsigned dies = MAX(1, topo->dies);
    unsigned thread = index % threads, core = index / threads % cores;
    unsigned die = index / threads / cores % dies, package = index / threads / cores / dies;
    unsigned id = package;

    id = id << id_bits(dies) | die;
    id = id << id_bits(cores) | core;
    return id << id_bits(threads) | thread;
}

static bool pc_make_cpus(PcBoard *pc, GError **error)
{
    Vm *vm = pc->vm;
    X86CpuModel *model = x86_cpu_model_parse(vm, vm->config.cpu_model, error);

    if (!model) {
        return false;
    }
    for (unsigned i = 0; i < vm->config.topo.cpus; i++) {
        uint32_t apic_id = apic_id_of(&vm->config.topo, i);

        if (apic_id >= 255) {
            set_error(error, "CPU %u of this topology would have APIC id %u; ids go up to 254", i,
                      apic_id);
            return false;
        }
        x86_cpu_new(vm, i, apic_id, model);
    }
    return true;
}

/* ---- the board ---- */

static bool pc_check_config(const Vm *vm, GError **error)
{
    const VmConfig *config = &vm->config;
    const char *orphan = config->append ? "append" : config->initrd ? "initrd" : NULL;

    if (orphan && !config->kernel) {
        set_error(error, "-%s only allowed with -kernel option", orphan);
        return false;
    }
    if (config->kernel && config->bios) {
        set_error(error,
                  "-kernel and -bios exclude each other: a kernel is booted without firmware");
        return false;
    }
    return true;
}

static bool pc_build(Vm *vm, GError **error)
{
    PcBoard *pc = g_new0(PcBoard, 1);

    vm->board_data = pc;
    pc->vm = vm;
    vm->a20 = true;
    return pc_check_config(vm, error) && pc_make_ram(pc, error) && pc_make_cpus(pc, error) &&
           pc_make_parts(pc, error) && (pc_make_ports(pc), true) &&
           (vm->config.kernel || pc_load_bios(pc, error));
}

/* CMOS byte 0f tells firmware that the reset which follows is a wake-up from suspend to RAM. */
static void pc_event(Vm *vm, const VmEvent *event, void *opaque)
{
    PcBoard *pc = opaque;

    if (event->kind == VM_EVENT_SUSPEND) {
        pc->suspended = true;
        mc146818_set_cmos(pc->rtc, CMOS_SHUTDOWN_CODE, SHUTDOWN_CODE_S3_RESUME);
    }
}

static bool pc_finish(Vm *vm, GError **error)
{
    PcBoard *pc = pc_board(vm);

    vm_subscribe(vm, pc_event, pc);
    pc_fill_cmos(pc);
    return pc_fill_fw_cfg(pc, error) && (!vm->config.kernel || pc_prepare_direct(pc, error));
}

const Board pc_board_7_2 = {
    .name = "pc-i440fx-7.2", .alias = "pc", .help = "Standard PC (i440FX + PIIX, 1996)",
    .default_cpu = "qemu64", .default_ram_bytes = 128 * MIB, .max_cpus = PC_MAX_CPUS,
    .is_default = true, .build = pc_build, .finish = pc_finish, .set_boot_order = pc_set_boot_order,
};
