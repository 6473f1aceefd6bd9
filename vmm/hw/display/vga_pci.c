/*
 * VGA: the Bochs card, a VGA with dispi on PCI.
 *
 * BAR 0 is the memory, BAR 2 has the registers in memory (vga_mmio.h).
 */
#include "vga_pci.h"

#include "pci.h"
#include "vga_mmio.h"

typedef struct VgaPci {
    PciDevice pci;
    /* configuration */
    bool mmio_on;
    /* wiring */
    VgaMmio mmio;
    Vga vga;                            /* its state is guest-visible, too */
} VgaPci;

/* ---- the screen ---- */

static void wish(void *opaque, unsigned width, unsigned height)
{
    Vga *vga = opaque;

    vga_mmio_wish(&DEVICE_CAST(vga->dev, VgaPci)->mmio, width, height);
}

static const ConsoleOps console_ops = {
    .update = vga_update, .invalidate = vga_invalidate, .text = vga_text, .wish = wish,
};

/* ---- state and properties ---- */

static const StateField vga_pci_fields[] = {
    STATE_STRUCT(VgaPci, pci, PciDevice, pci_device_state),
    STATE_STRUCT(VgaPci, vga, Vga, vga_state),
    {}
};
static const StateDesc vga_pci_state = { .name = "vga", .version = 2, .fields = vga_pci_fields };

static const Property vga_pci_props[] = {
    PROP_UINT32(VgaPci, vga.memory_mb, .name = "vgamem_mb", .def = 16, .help = "memory, in MiB"),
    PROP_BOOL(VgaPci, mmio_on, .name = "mmio", .def = true, .help = "registers in memory, too"),
    PROP_BOOL(VgaPci, mmio.has_order, .name = "qemu-extended-regs", .def = true,
              .help = "byte order among them"),
    PROPS_VGA_EDID(VgaPci, mmio),
    {}
};

/* ---- lifecycle ---- */

static bool vga_pci_realize(Device *dev, GError **error)
{
    VgaPci *card = DEVICE_CAST(dev, VgaPci);
    PciBus *bus = card->pci.pci_bus;

    if (!vga_realize(&card->vga, dev, &vga_chip, (uint64_t)card->vga.memory_mb << 20, &console_ops,
                     error)) {
        return false;
    }
    vga_map(&card->vga, bus->mem, bus->io);
    pci_register_bar(&card->pci, 0, PCI_BAR_MEM | PCI_BAR_PREFETCH, &card->vga.vram);
    if (card->mmio_on) {
        card->mmio.has_ports = true;
        vga_mmio_init(&card->mmio, &card->vga, "vga.mmio");
        pci_register_bar(&card->pci, 2, PCI_BAR_MEM, &card->mmio.region);
    }
    return true;
}

static void vga_pci_unrealize(Device *dev)
{
    VgaPci *card = DEVICE_CAST(dev, VgaPci);

    vga_mmio_finish(&card->mmio);
    vga_unrealize(&card->vga);
}

static void vga_pci_reset(Device *dev)
{
    VgaPci *card = DEVICE_CAST(dev, VgaPci);

    pci_reset(&card->pci);
    vga_reset(&card->vga);
}

static const PciClass vga_class = {
    .vendor_id = 0x1234, .device_id = 0x1111, .class_id = 0x0300, .revision = 2,
    .romfile = "vgabios-stdvga.bin",
};

const DeviceType vga_pci_type = {
    .name = "VGA", .category = "display", .bus = &pci_bus_type, .size = sizeof(VgaPci),
    .props = vga_pci_props, .state = &vga_pci_state, .bus_class = &vga_class, .no_hotplug = true,
    .realize = vga_pci_realize, .unrealize = vga_pci_unrealize, .reset = vga_pci_reset,
};
