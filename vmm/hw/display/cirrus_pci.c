/*
 * cirrus-vga: a card with a CL-GD5446 on PCI.
 *
 * BAR 0 is 32 MiB: memory, and 16 MiB further on a window for the blitter's transfers with the CPU.
 * BAR 1 has the ports 3c0 to 3df at 0, the blitter's registers at 100h.
 */
#include "cirrus_pci.h"

#include "cirrus.h"
#include "pci.h"
#include "rhea_error.h"

enum { PORTS_FIRST = 0x3b0, PORTS_COUNT = 0x30, MMIO_SIZE = 0x1000, MMIO_PORTS = 0x20,
       MMIO_BLIT = 0x100, MMIO_BLIT_END = 0x200 };

typedef struct CirrusPci {
    PciDevice pci;
    /* configuration */
    bool global_name;
    /* wiring and guest-visible state */
    Cirrus cirrus;
} CirrusPci;

/* ---- ports and registers in memory ---- */

static uint64_t ports_read(void *opaque, uint64_t offset, unsigned size)
{
    return cirrus_port_read(opaque, PORTS_FIRST + offset);
}

static void ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    cirrus_port_write(opaque, PORTS_FIRST + offset, value);
}

static const MemOps ports_ops = { ports_read, ports_write, .max_size = 1 };

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    if (offset >= MMIO_BLIT && offset < MMIO_BLIT_END) {
        return cirrus_blit_register_read(opaque, offset - MMIO_BLIT);
    }
    return offset < MMIO_PORTS ? cirrus_port_read(opaque, 0x3c0 + offset) : 0xff;
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (offset >= MMIO_BLIT && offset < MMIO_BLIT_END) {
        cirrus_blit_register_write(opaque, offset - MMIO_BLIT, value);
    } else if (offset < MMIO_PORTS) {
        cirrus_port_write(opaque, 0x3c0 + offset, value);
    }
}

static const MemOps mmio_ops = { mmio_read, mmio_write, .max_size = 1 };

/* ---- state and properties ---- */

static const StateField cirrus_pci_fields[] = {
    STATE_STRUCT(CirrusPci, pci, PciDevice, pci_device_state),
    STATE_STRUCT(CirrusPci, cirrus, Cirrus, cirrus_state),
    {}
};
static const StateDesc cirrus_pci_state = {
    .name = "cirrus_vga", .version = 2, .fields = cirrus_pci_fields,
};

static const Property cirrus_pci_props[] = {
    PROP_UINT32(CirrusPci, cirrus.vga.memory_mb, .name = "vgamem_mb", .def = 4,
                .help = "memory, in MiB: 4, 8 or 16"),
    PROP_BOOL(CirrusPci, cirrus.has_blitter, .name = "blitter", .def = true,
              .help = "the chip copies and fills by itself"),
    PROP_BOOL(CirrusPci, global_name, .name = "global-vmstate",
              .help = "its memory migrates under a name without its place"),
    {}
};

/* ---- lifecycle ---- */

static const ConsoleOps console_ops = {
    .update = vga_update, .invalidate = vga_invalidate, .text = vga_text,
};

static bool cirrus_pci_realize(Device *dev, GError **error)
{
    CirrusPci *card = DEVICE_CAST(dev, CirrusPci);
    Cirrus *cirrus = &card->cirrus;
    Vga *vga = &cirrus->vga;
    uint32_t mib = vga->memory_mb;

    if (mib != 4 && mib != 8 && mib != 16) {
        set_error(error, "Invalid cirrus_vga ram size '%u': 4, 8 and 16 are possible", mib);
        return false;
    }
    if (!vga_realize(vga, dev, &cirrus_chip, (uint64_t)mib << 20, &console_ops, error)) {
        return false;
    }
    vga->vram_size = CIRRUS_MEMORY_MAX;             /* the chip has no addresses for more */
    mem_region_init_io(&cirrus->io, &dev->obj, "cirrus-io", PORTS_COUNT, &ports_ops, cirrus);
    mem_region_add(card->pci.pci_bus->io, PORTS_FIRST, &cirrus->io);
    mem_region_init_io(&cirrus->mmio, &dev->obj, "cirrus-mmio", MMIO_SIZE, &mmio_ops, cirrus);
    cirrus_map(cirrus, card->pci.pci_bus->mem);
    pci_register_bar(&card->pci, 0, PCI_BAR_MEM | PCI_BAR_PREFETCH, &cirrus->bar);
    pci_register_bar(&card->pci, 1, PCI_BAR_MEM, &cirrus->mmio);
    return true;
}

static void cirrus_pci_unrealize(Device *dev)
{
    Cirrus *cirrus = &DEVICE_CAST(dev, CirrusPci)->cirrus;

    mem_region_finish(&cirrus->io);
    mem_region_finish(&cirrus->mmio);
    cirrus_unmap(cirrus);
    vga_unrealize(&cirrus->vga);
}

static void cirrus_pci_reset(Device *dev)
{
    CirrusPci *card = DEVICE_CAST(dev, CirrusPci);

    pci_reset(&card->pci);
    cirrus_reset(&card->cirrus);
}

static const PciClass cirrus_class = {
    .vendor_id = 0x1013, .device_id = 0x00b8, .class_id = 0x0300, .romfile = "vgabios-cirrus.bin",
};

const DeviceType cirrus_pci_type = {
    .name = "cirrus-vga", .help = "Cirrus Logic CL-GD5446", .category = "display",
    .bus = &pci_bus_type, .size = sizeof(CirrusPci), .props = cirrus_pci_props,
    .state = &cirrus_pci_state, .bus_class = &cirrus_class, .no_hotplug = true,
    .realize = cirrus_pci_realize, .unrealize = cirrus_pci_unrealize, .reset = cirrus_pci_reset,
};
