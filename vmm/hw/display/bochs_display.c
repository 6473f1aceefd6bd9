/*
 * bochs-display: the Bochs card without its VGA.  A mode is dispi's registers, which are in memory
 * only (BAR 2, vga_mmio.h); the picture is BAR 0 in 15, 16, 24 or 32 bits a pixel, and black while
 * no such mode is on.
 */
#include "bochs_display.h"

#include "pci.h"
#include "rhea_error.h"
#include "vga_mmio.h"

#define MEMORY_MIN  (UINT64_C(4) << 20)
#define MEMORY_MAX  (UINT64_C(256) << 20)

typedef struct BochsDisplay {
    PciDevice pci;
    /* configuration */
    uint64_t memory_bytes;
    /* wiring */
    VgaMmio mmio;
    Vga vga;                            /* dispi's registers are guest-visible state */
} BochsDisplay;

static void wish(void *opaque, unsigned width, unsigned height)
{
    Vga *vga = opaque;

    vga_mmio_wish(&DEVICE_CAST(vga->dev, BochsDisplay)->mmio, width, height);
}

static const ConsoleOps console_ops = {
    .update = vga_update, .invalidate = vga_invalidate, .wish = wish,
};

static const VgaChip bochs_chip = { .vram_name = "bochs-display-vram", .only_linear = true };

/* ---- state and properties ---- */

static bool bochs_loaded(void *opaque, GError **error)
{
    BochsDisplay *card = opaque;

    if (!vbe_loaded(&card->vga)) {
        set_error(error, "bochs-display: no mode has %u bits a pixel", card->vga.vbe[VBE_BPP]);
        return false;
    }
    vga_invalidate(&card->vga);
    return true;
}

/* The last byte: whether pixels are big-endian. */
static const StateField bochs_fields[] = {
    STATE_STRUCT(BochsDisplay, pci, PciDevice, pci_device_state),
    STATE_UINT16_ARRAY(BochsDisplay, vga.vbe),
    STATE_UNUSED(1),
    {}
};
static const StateDesc bochs_state = {
    .name = "bochs-display", .fields = bochs_fields, .loaded = bochs_loaded,
};

static const Property bochs_props[] = {
    PROP_SIZE(BochsDisplay, memory_bytes, .name = "vgamem", .def = 16 << 20, .help = "memory"),
    PROPS_VGA_EDID(BochsDisplay, mmio),
    {}
};

/* ---- lifecycle ---- */

static bool bochs_realize(Device *dev, GError **error)
{
    BochsDisplay *card = DEVICE_CAST(dev, BochsDisplay);

    if (card->memory_bytes < MEMORY_MIN || card->memory_bytes > MEMORY_MAX) {
        set_error(error, "bochs-display: video memory too %s: 4 MiB to 256 MiB are possible",
                  card->memory_bytes < MEMORY_MIN ? "small" : "big");
        return false;
    }
    if (!vga_realize(&card->vga, dev, &bochs_chip, card->memory_bytes, &console_ops, error)) {
        return false;
    }
    card->memory_bytes = card->vga.vram_size;
    card->mmio.has_order = true;
    vga_mmio_init(&card->mmio, &card->vga, "bochs-display-mmio");
    pci_register_bar(&card->pci, 0, PCI_BAR_MEM | PCI_BAR_PREFETCH, &card->vga.vram);
    pci_register_bar(&card->pci, 2, PCI_BAR_MEM, &card->mmio.region);
    return true;
}

static void bochs_unrealize(Device *dev)
{
    BochsDisplay *card = DEVICE_CAST(dev, BochsDisplay);

    vga_mmio_finish(&card->mmio);
    vga_unrealize(&card->vga);
}

static void bochs_reset(Device *dev)
{
    BochsDisplay *card = DEVICE_CAST(dev, BochsDisplay);

    pci_reset(&card->pci);
    vga_reset(&card->vga);
    card->vga.attr_index = ATTR_INDEX_ENABLE;           /* nothing else lights the screen */
}

static const PciClass bochs_class = {
    .vendor_id = 0x1234, .device_id = 0x1111, .class_id = 0x0380, .revision = 2,
    .romfile = "vgabios-bochs-display.bin",
};

const DeviceType bochs_display_type = {
    .name = "bochs-display", .help = "Bochs' card without its VGA", .category = "display",
    .bus = &pci_bus_type, .size = sizeof(BochsDisplay), .props = bochs_props, .state = &bochs_state,
    .bus_class = &bochs_class, .no_hotplug = true, .realize = bochs_realize,
    .unrealize = bochs_unrealize, .reset = bochs_reset,
};
