/*
 * Intel PIIX3, function 0.
 *
 * Modelled: PIRQA–PIRQD routing to ISA interrupts, the reset control register at port cf9, the ISA
 * bus.
 * Not modelled: ISA timing, bus master arbitration, the USB and IDE functions (their own devices).
 */
#include "piix3.h"

#include <string.h>

#include "isa.h"
#include "vm_core.h"

enum {
    PIIX3_PIRQRC = 0x60,       /* 4.1.12: one register per PIRQ, bit 7: not routed, bits 3–0: IRQ */
    PIIX3_PIRQS = 4,
    PIRQ_DISABLED = 0x80,
};

#define RCR_SRST 0x02           /* hard rather than soft reset */
#define RCR_RCPU 0x04           /* rising edge starts the reset */

typedef struct Piix3 {
    PciDevice pci;
    /* wiring */
    Bus *isa;
    MemRegion reset_control;
    uint16_t driven;            /* ISA interrupts the router holds high */
    /* guest-visible state, beside configuration space */
    uint8_t rcr;
} Piix3;

/* PCI to ISA bridge registers as the chip comes out of reset (chapter 4.1). */
static const struct { uint8_t offset, value; } piix3_defaults[] = {
    { 0x4c, 0x4d }, { 0x4e, 0x03 },
    { 0x60, 0x80 }, { 0x61, 0x80 }, { 0x62, 0x80 }, { 0x63, 0x80 },
    { 0x69, 0x02 }, { 0x70, 0x80 }, { 0x76, 0x0c }, { 0x77, 0x0c }, { 0x78, 0x02 },
    { 0x82, 0x02 }, { 0xa0, 0x08 }, { 0xa8, 0x0f },
};

int piix3_route(Device *dev, int input)
{
    uint8_t reg = DEVICE_CAST(dev, PciDevice)->config[PIIX3_PIRQRC + input];

    return reg & PIRQ_DISABLED ? -1 : reg & 0x0f;
}

/* Recomputes the ISA lines from the PIRQ levels and routes. */
static void piix3_update(Piix3 *piix3)
{
    uint16_t driven = 0;

    for (int input = 0; input < PIIX3_PIRQS; input++) {
        int irq = piix3_route(&piix3->pci.dev, input);

        if (irq >= 0 && pci_bus_input_level(piix3->pci.pci_bus, input)) {
            driven |= 1u << irq;
        }
    }
    uint16_t changed = driven ^ piix3->driven;
    piix3->driven = driven;
    for (unsigned irq = 0; irq < 16; irq++) {
        if (changed >> irq & 1) {
            IrqLine line = vm_isa_irq(piix3->pci.dev.vm, irq);

            irq_set(&line, driven >> irq & 1);
        }
    }
}

/* Slot 1 pin A leads to PIRQA, and each next slot starts one further. */
static int piix3_map_irq(PciDevice *dev, int pin)
{
    return (pin + (dev->devfn >> 3) - 1) & 3;
}

static void piix3_set_irq(void *opaque, int input, int level)
{
    piix3_update(opaque);
}

void piix3_set_route(Device *dev, int input, uint8_t irq)
{
    Piix3 *piix3 = DEVICE_CAST(dev, Piix3);

    piix3->pci.config[PIIX3_PIRQRC + input] = irq;
    piix3_update(piix3);
}

/* ---- registers ---- */

static void piix3_config_write(PciDevice *dev, uint32_t offset, uint32_t value, unsigned size)
{
    pci_default_config_write(dev, offset, value, size);
    piix3_update(DEVICE_CAST(dev, Piix3));
}

static uint64_t rcr_read(void *opaque, uint64_t offset, unsigned size)
{
    return ((const Piix3 *)opaque)->rcr;
}

static void rcr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Piix3 *piix3 = opaque;

    if (value & RCR_RCPU) {
        vm_request_reset(piix3->pci.dev.vm, SHUTDOWN_CAUSE_GUEST_RESET);
    }
    piix3->rcr = value & RCR_SRST;
}

static const MemOps rcr_ops = {
    .read = rcr_read, .write = rcr_write, .min_size = 1, .max_size = 1,
};

/* ---- state ---- */

static bool piix3_loaded(void *opaque, GError **error)
{
    piix3_update(opaque);
    return true;
}

static const StateField piix3_fields[] = {
    STATE_STRUCT(Piix3, pci, PciDevice, pci_device_state),
    STATE_UINT8(Piix3, rcr),
    {}
};
static const StateDesc piix3_state = {
    .name = "PIIX3", .version = 3, .fields = piix3_fields, .loaded = piix3_loaded,
};

/* ---- life ---- */

static bool piix3_realize(Device *dev, GError **error)
{
    Piix3 *piix3 = DEVICE_CAST(dev, Piix3);
    PciBus *bus = piix3->pci.pci_bus;

    memset(piix3->pci.wmask + 0x40, 0xff, PCI_CONFIG_SIZE - 0x40);
    piix3->isa = bus_new(dev, &isa_bus_type, "isa.0");
    mem_region_init_io(&piix3->reset_control, &dev->obj, "piix3-reset-control", 1, &rcr_ops, piix3);
    mem_region_add_priority(&dev->vm->system_io, 0xcf9, &piix3->reset_control, 1);
    bus->map_irq = piix3_map_irq;
    bus->set_irq = piix3_set_irq;
    bus->irq_opaque = piix3;
    return true;
}

static void piix3_unrealize(Device *dev)
{
    Piix3 *piix3 = DEVICE_CAST(dev, Piix3);

    if (piix3->isa) {
        piix3->pci.pci_bus->map_irq = NULL;
        mem_region_finish(&piix3->reset_control);
    }
}

static void piix3_reset(Device *dev)
{
    Piix3 *piix3 = DEVICE_CAST(dev, Piix3);
    uint8_t *config = piix3->pci.config;

    pci_reset(&piix3->pci);
    /* 4.1.3: the bridge always answers and masters.  It has no DMA of its own that would need the
     * bus master window. */
    pci_set_word(config + PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
    pci_set_word(config + PCI_STATUS, PCI_STATUS_DEVSEL_MEDIUM);
    memset(config + 0x40, 0, PCI_CONFIG_SIZE - 0x40);
    for (size_t i = 0; i < G_N_ELEMENTS(piix3_defaults); i++) {
        config[piix3_defaults[i].offset] = piix3_defaults[i].value;
    }
    piix3->rcr = 0;
    piix3_update(piix3);
}

Bus *piix3_isa_bus(Device *dev)
{
    return DEVICE_CAST(dev, Piix3)->isa;
}

static const PciClass piix3_class = {
    .vendor_id = 0x8086, .device_id = 0x7000, .class_id = 0x0601,
    .config_write = piix3_config_write,
};

const DeviceType piix3_type = {
    .name = "PIIX3", .help = "PCI to ISA bridge",
    .bus = &pci_bus_type, .size = sizeof(Piix3), .state = &piix3_state, .board_only = true,
    .no_hotplug = true,
    .bus_class = &piix3_class, .realize = piix3_realize, .unrealize = piix3_unrealize,
    .reset = piix3_reset,
};
