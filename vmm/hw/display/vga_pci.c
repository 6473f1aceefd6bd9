/*
 * VGA: the Bochs card, a VGA with dispi on PCI.
 *
 * BAR 0 is the memory; BAR 2 has the registers in memory: EDID at 0, ports 3c0 to 3df at 400h, dispi
 * at 500h, and at 600h the byte order, which is little-endian here and stays so.
 */
#include "vga_pci.h"

#include <string.h>

#include "edid.h"
#include "pci.h"
#include "vga.h"

enum { MMIO_SIZE = 0x1000, MMIO_PORTS = 0x400, MMIO_DISPI = 0x500, MMIO_EXTENDED = 0x600,
       EXTENDED_BYTES = 8, EXTENDED_ORDER = 4 };
#define ORDER_LITTLE    0x1e1e1e1e

typedef struct VgaPci {
    PciDevice pci;
    /* configuration */
    EdidWish edid;
    bool has_edid, mmio_on, extended;
    /* wiring */
    MemRegion mmio;
    Vga vga;                            /* its state is guest-visible, too */
} VgaPci;

/* ---- registers in memory ---- */

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    VgaPci *card = opaque;

    if (offset < EDID_BYTES) {
        uint8_t edid[EDID_BYTES];

        edid_make(edid, &card->edid);
        return card->has_edid ? edid[offset] : 0;
    }
    if (offset >= MMIO_PORTS && offset < MMIO_PORTS + 0x20) {
        return vga_port_read(&card->vga, 0x3c0 + offset - MMIO_PORTS);
    }
    if (offset >= MMIO_DISPI && offset < MMIO_DISPI + (VBE_COUNT + 1) * 2) {
        unsigned at = offset - MMIO_DISPI;

        return vbe_read(&card->vga, at / 2) >> at % 2 * 8 & (size == 1 ? 0xff : 0xffff);
    }
    if (card->extended && offset >= MMIO_EXTENDED && offset < MMIO_EXTENDED + EXTENDED_BYTES) {
        unsigned at = offset - MMIO_EXTENDED;

        return (at < EXTENDED_ORDER ? EXTENDED_BYTES : ORDER_LITTLE) >> at % 4 * 8;
    }
    return 0;
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VgaPci *card = opaque;

    if (offset >= MMIO_PORTS && offset < MMIO_PORTS + 0x20) {
        vga_port_write(&card->vga, 0x3c0 + offset - MMIO_PORTS, value);
        if (size == 2 && offset + 1 < MMIO_PORTS + 0x20) {
            vga_port_write(&card->vga, 0x3c1 + offset - MMIO_PORTS, value >> 8);
        }
    } else if (offset >= MMIO_DISPI && offset < MMIO_DISPI + VBE_COUNT * 2 && size == 2) {
        vbe_write(&card->vga, (offset - MMIO_DISPI) / 2, value);
    }
}

static const MemOps mmio_ops = { mmio_read, mmio_write, .min_size = 1, .max_size = 2 };

/* ---- the screen ---- */

static void wish(void *opaque, unsigned width, unsigned height)
{
    Vga *vga = opaque;
    VgaPci *card = DEVICE_CAST(vga->dev, VgaPci);

    card->edid.width = width;
    card->edid.height = height;
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
    PROP_BOOL(VgaPci, extended, .name = "qemu-extended-regs", .def = true,
              .help = "byte order among them"),
    PROP_BOOL(VgaPci, has_edid, .name = "edid", .def = true, .help = "the monitor tells its sizes"),
    PROP_UINT32(VgaPci, edid.width, .name = "xres", .help = "width the monitor likes best"),
    PROP_UINT32(VgaPci, edid.height, .name = "yres", .help = "height the monitor likes best"),
    PROP_UINT32(VgaPci, edid.width_max, .name = "xmax", .help = "largest width it offers"),
    PROP_UINT32(VgaPci, edid.height_max, .name = "ymax", .help = "largest height it offers"),
    PROP_UINT32(VgaPci, edid.refresh_mhz, .name = "refresh_rate",
                .help = "of the mode it likes best, in mHz"),
    {}
};

/* ---- lifecycle ---- */

static bool vga_pci_realize(Device *dev, GError **error)
{
    VgaPci *card = DEVICE_CAST(dev, VgaPci);
    PciBus *bus = card->pci.pci_bus;

    if (!vga_realize(&card->vga, dev, bus->mem, bus->io, true, &console_ops, error)) {
        return false;
    }
    pci_register_bar(&card->pci, 0, PCI_BAR_MEM | PCI_BAR_PREFETCH, &card->vga.vram);
    if (card->mmio_on) {
        mem_region_init_io(&card->mmio, &dev->obj, "vga.mmio", MMIO_SIZE, &mmio_ops, card);
        pci_register_bar(&card->pci, 2, PCI_BAR_MEM, &card->mmio);
    }
    return true;
}

static void vga_pci_unrealize(Device *dev)
{
    VgaPci *card = DEVICE_CAST(dev, VgaPci);

    if (card->mmio.ops != NULL) {
        mem_region_finish(&card->mmio);
    }
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
