/*
 * The pc board's parts and the lines between them.
 *
 *   device → GSI n → PIC input n (n < 16) → LINT0 of the first CPU's LAPIC
 *                  → IOAPIC pin n (0: pin 2) → LAPICs
 *
 * With the kernel's interrupt controllers a GSI goes there instead.
 */
#include <string.h>

#include "accel.h"
#include "apic.h"
#include "hpet.h"
#include "i440fx.h"
#include "i8042.h"
#include "i8254.h"
#include "i8257.h"
#include "i8259.h"
#include "ioapic.h"
#include "kvm_devices.h"
#include "mc146818.h"
#include "pc.h"
#include "pcspk.h"
#include "piix3.h"
#include "rhea_error.h"
#include "vmmouse.h"
#include "x86_cpu.h"

/* Makes and realizes a part; `name`: its place below /machine, NULL: unattached.  NULL: error. */
static Device *make_part(PcBoard *pc, const char *type_name, const char *name, Bus *bus,
                         const char *const *props, GError **error)
{
    const DeviceType *type = device_type_find(type_name);

    if (!type) {
        set_error(error, "this build has no device '%s', which the pc board needs", type_name);
        return NULL;
    }
    Device *dev = device_new(pc->vm, type, NULL);
    for (const char *const *prop = props; prop && *prop; prop += 2) {
        if (!device_set(dev, prop[0], prop[1], error)) {
            device_free(dev);
            return NULL;
        }
    }
    if (name) {
        object_add_child(object_container("/machine"), name, &dev->obj);
    }
    return device_realize(dev, bus, error) ? dev : NULL;
}

#define PROPS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* ---- interrupts ---- */

static void gsi_set(void *opaque, int n, int level)
{
    const PcBoard *pc = opaque;

    if (n < PC_ISA_IRQS) {
        irq_set(&pc->pic_in[n], level);
    }
    irq_set(&pc->ioapic_in[n == 0 ? 2 : n], level);
}

static void wire_gsis(PcBoard *pc)
{
    Vm *vm = pc->vm;

    for (int n = 0; n < PC_GSIS; n++) {
        pc->gsi[n] = pc->irqchip == IRQCHIP_KERNEL ? (IrqLine){ vm->accel->gsi_set, vm, n }
                                                   : (IrqLine){ gsi_set, pc, n };
    }
    vm->gsi = pc->gsi;
    vm->n_gsi = PC_GSIS;
    vm->isa_irq = pc->gsi;
}

static bool make_lapics(PcBoard *pc, GError **error)
{
    for (guint i = 0; i < pc->vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(pc->vm->cpus, i);

        if (pc->irqchip == IRQCHIP_USER && !apic_new(pc->vm, cpu, error)) {
            return false;
        }
    }
    return true;
}

/* ---- ticks that come late: the chips say when a CPU took one ---- */

static void gsi_taken(PcBoard *pc, unsigned gsi)
{
    if (pc->hpet) {
        hpet_line_taken(pc->hpet, gsi);
    }
    if (pc->pit && gsi == 0) {
        i8254_taken(pc->pit);
    }
}

static void pin_taken(void *opaque, unsigned pin)
{
    gsi_taken(opaque, pin);
    if (pin == 2) {
        gsi_taken(opaque, 0);
    }
}

static void pic_input_taken(void *opaque, unsigned n)
{
    gsi_taken(opaque, n);
}

static bool gsi_open(Vm *vm, unsigned gsi)
{
    const PcBoard *pc = pc_board(vm);

    return (gsi < PC_ISA_IRQS && i8259_pair_open(vm->pic, gsi)) ||
           ioapic_open(pc->ioapic, gsi == 0 ? 2 : gsi);
}

static void watch_ticks(PcBoard *pc)
{
    ioapic_set_taken(pc->ioapic, pin_taken, pc);
    i8259_pair_set_taken(pc->vm->pic, pic_input_taken, pc);
    pc->vm->gsi_open = gsi_open;
}

/* In the tree of objects the IOAPIC is the host bridge's. */
static Device *new_ioapic(PcBoard *pc, GError **error)
{
    Device *dev = pc->irqchip == IRQCHIP_KERNEL
                      ? make_part(pc, "kvm-ioapic", NULL, NULL, NULL, error)
                      : ioapic_new(pc->vm, PC_IOAPIC_BASE, error);

    if (dev) {
        object_remove(&dev->obj);
        object_add_child(&pc->host->obj, "ioapic", &dev->obj);
    }
    return dev;
}

static bool make_ioapic(PcBoard *pc, GError **error)
{
    pc->ioapic = new_ioapic(pc, error);
    if (!pc->ioapic || pc->irqchip == IRQCHIP_KERNEL) {
        return pc->ioapic != NULL;
    }
    for (unsigned n = 0; n < PC_GSIS; n++) {
        pc->ioapic_in[n] = ioapic_input(pc->ioapic, n);
    }
    if (pc->irqchip == IRQCHIP_SPLIT) {
        ioapic_set_route(pc->ioapic, pc->vm->accel->ioapic_route);
    }
    return true;
}

static bool make_pics(PcBoard *pc, Bus *isa, GError **error)
{
    X86Cpu *first = g_ptr_array_index(pc->vm->cpus, 0);

    if (pc->irqchip == IRQCHIP_KERNEL) {
        return make_part(pc, "kvm-i8259", NULL, isa, PROPS("master", "true"), error) &&
               make_part(pc, "kvm-i8259", NULL, isa, NULL, error);
    }
    Device *master = i8259_pair_new(pc->vm, isa, error);
    if (!master) {
        return false;
    }
    for (unsigned n = 0; n < PC_ISA_IRQS; n++) {
        pc->pic_in[n] = i8259_pair_input(master, n);
    }
    if (pc->irqchip == IRQCHIP_USER) {
        i8259_connect(master, apic_lint(first->apic, 0));
        watch_ticks(pc);
    } else {
        i8259_connect_cpu(master, first);
    }
    return true;
}

/* ---- timers ---- */

static bool make_timers(PcBoard *pc, Bus *isa, GError **error)
{
    Vm *vm = pc->vm;
    bool kernel_pit = pc->irqchip == IRQCHIP_KERNEL && vm->config.pit;

    if (vm->config.hpet) {
        pc->hpet = hpet_new(vm, PC_HPET_BASE, HPET_PC_INTCAP, error);
        if (!pc->hpet) {
            return false;
        }
    }
    pc->rtc = make_part(pc, "mc146818rtc", NULL, isa, NULL, error);
    if (!pc->rtc) {
        return false;
    }
    vm->rtc = pc->rtc;
    if (vm->config.pit) {
        pc->pit = make_part(pc, kernel_pit ? "kvm-pit" : "isa-pit", NULL, isa, NULL, error);
    }
    if (vm->config.pit && !pc->pit) {
        return false;
    }
    if (pc->hpet) {
        mc146818_connect(pc->rtc, hpet_rtc_input(pc->hpet));
    }
    if (pc->hpet && pc->pit && kernel_pit) {
        hpet_set_pit(pc->hpet, pc->pit, kvm_pit_set_muted);
    } else if (pc->hpet && pc->pit) {
        i8254_connect(pc->pit, hpet_pit_input(pc->hpet));
        hpet_set_pit(pc->hpet, pc->pit, i8254_set_muted);
    }
    return true;
}

/* Port 61 belongs to the timer: the kernel's answers for itself. */
static bool make_speaker(PcBoard *pc, Bus *isa, GError **error)
{
    if (!pc->pit || pc->irqchip == IRQCHIP_KERNEL) {
        return true;
    }
    Device *speaker = make_part(pc, "isa-pcspk", NULL, isa, NULL, error);
    if (!speaker) {
        return false;
    }
    pcspk_connect(speaker, pc->pit);
    return true;
}

/* ---- the board's parts, in the order they are listed to people ---- */

static bool make_bridges(PcBoard *pc, GError **error)
{
    pc->host = make_part(pc, "i440FX-pcihost", "i440fx", NULL, NULL, error);
    if (!pc->host) {
        return false;
    }
    pc->pci = i440fx_pci_bus(pc->host);
    Bus *pci = (Bus *)pc->pci;
    if (!make_part(pc, "i440FX", NULL, pci, PROPS("addr", "0.0"), error)) {
        return false;
    }
    pc->piix3 = make_part(pc, "PIIX3", NULL, pci, PROPS("addr", "1.0", "multifunction", "on"),
                          error);
    return pc->piix3 != NULL;
}

static bool make_vmware_parts(PcBoard *pc, Bus *isa, GError **error)
{
    Device *port, *mouse;

    if (g_strcmp0(pc->vm->config.vmport, "off") == 0) {
        return true;
    }
    port = make_part(pc, "vmport", NULL, isa, NULL, error);
    mouse = port != NULL ? make_part(pc, "vmmouse", NULL, isa, NULL, error) : NULL;
    if (mouse == NULL) {
        return false;
    }
    vmmouse_connect(mouse, port, i8042_mouse(pc->kbd));
    return true;
}

static bool make_isa_parts(PcBoard *pc, Bus *isa, GError **error)
{
    if (!i8257_pair_new(pc->vm, isa, error) || !make_pics(pc, isa, error) ||
        !make_timers(pc, isa, error) || !make_speaker(pc, isa, error)) {
        return false;
    }
    pc->kbd = make_part(pc, "i8042", NULL, isa, NULL, error);
    return pc->kbd && make_vmware_parts(pc, isa, error) &&
           make_part(pc, "port92", NULL, isa, NULL, error);
}

bool pc_make_parts(PcBoard *pc, GError **error)
{
    Vm *vm = pc->vm;
    bool smm = vm->config.smm && (!vm->accel->has_smm || vm->accel->has_smm(vm));

    pc->irqchip = vm->accel->irqchip ? vm->accel->irqchip(vm) : IRQCHIP_USER;
    wire_gsis(pc);
    if (!make_part(pc, "fw_cfg_io", "fw_cfg", NULL, NULL, error) || !make_bridges(pc, error) ||
        !make_lapics(pc, error) || !make_ioapic(pc, error) ||
        !make_isa_parts(pc, piix3_isa_bus(pc->piix3), error)) {
        return false;
    }
    pc->ide = make_part(pc, "piix3-ide", NULL, (Bus *)pc->pci, PROPS("addr", "1.1"), error);
    if (!pc->ide) {
        return false;
    }
    if (vm->config.usb && !make_part(pc, "piix3-usb-uhci", NULL, (Bus *)pc->pci,
                                     PROPS("addr", "1.2"), error)) {
        return false;
    }
    pc->pm = make_part(pc, "PIIX4_PM", NULL, (Bus *)pc->pci,
                       PROPS("addr", "1.3", "smm-enabled", smm ? "on" : "off"), error);
    return pc->pm != NULL;
}
