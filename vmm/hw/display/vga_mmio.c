/* Registers in memory. */
#include "vga_mmio.h"

enum { MMIO_SIZE = 0x1000, MMIO_PORTS = 0x400, MMIO_DISPI = 0x500, MMIO_EXTENDED = 0x600,
       EXTENDED_BYTES = 8, EXTENDED_ORDER = 4 };
#define ORDER_LITTLE    0x1e1e1e1e

static bool is_port(const VgaMmio *mmio, uint64_t offset)
{
    return mmio->has_ports && offset >= MMIO_PORTS && offset < MMIO_PORTS + 0x20;
}

static uint64_t mmio_read(void *opaque, uint64_t offset, unsigned size)
{
    VgaMmio *mmio = opaque;

    if (offset < EDID_BYTES) {
        uint8_t edid[EDID_BYTES];

        edid_make(edid, &mmio->edid);
        return mmio->has_edid ? edid[offset] : 0;
    }
    if (is_port(mmio, offset)) {
        return vga_port_read(mmio->vga, 0x3c0 + offset - MMIO_PORTS);
    }
    if (offset >= MMIO_DISPI && offset < MMIO_DISPI + (VBE_COUNT + 1) * 2) {
        unsigned at = offset - MMIO_DISPI;

        return vbe_read(mmio->vga, at / 2) >> at % 2 * 8 & (size == 1 ? 0xff : 0xffff);
    }
    if (mmio->has_order && offset >= MMIO_EXTENDED && offset < MMIO_EXTENDED + EXTENDED_BYTES) {
        unsigned at = offset - MMIO_EXTENDED;

        return (at < EXTENDED_ORDER ? EXTENDED_BYTES : ORDER_LITTLE) >> at % 4 * 8;
    }
    return 0;
}

static void mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VgaMmio *mmio = opaque;

    for (unsigned i = 0; i < size && is_port(mmio, offset + i); i++) {
        vga_port_write(mmio->vga, 0x3c0 + offset + i - MMIO_PORTS, value >> 8 * i);
    }
    if (offset >= MMIO_DISPI && offset < MMIO_DISPI + VBE_COUNT * 2 && size == 2) {
        vbe_write(mmio->vga, (offset - MMIO_DISPI) / 2, value);
    }
}

static const MemOps mmio_ops = { mmio_read, mmio_write, .min_size = 1, .max_size = 2 };

void vga_mmio_init(VgaMmio *mmio, Vga *vga, const char *name)
{
    mmio->vga = vga;
    mmio->edid.width = mmio->edid.width != 0 ? mmio->edid.width : EDID_WIDTH;
    mmio->edid.height = mmio->edid.height != 0 ? mmio->edid.height : EDID_HEIGHT;
    mem_region_init_io(&mmio->region, &vga->dev->obj, name, MMIO_SIZE, &mmio_ops, mmio);
}

void vga_mmio_finish(VgaMmio *mmio)
{
    if (mmio->region.ops != NULL) {
        mem_region_finish(&mmio->region);
    }
}

void vga_mmio_wish(VgaMmio *mmio, unsigned width, unsigned height)
{
    mmio->edid.width = width;
    mmio->edid.height = height;
}
