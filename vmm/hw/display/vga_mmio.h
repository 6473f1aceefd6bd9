/*
 * Registers in memory, as the Bochs cards have them in BAR 2: EDID at 0, a VGA's ports 3c0 to 3df
 * at 400h, dispi at 500h, and at 600h the byte order, which is little-endian here and stays so.
 */
#pragma once

#include "edid.h"
#include "vga.h"

typedef struct VgaMmio {
    /* configuration */
    EdidWish edid;
    bool has_edid, has_ports, has_order;
    /* wiring */
    Vga *vga;
    MemRegion region;
} VgaMmio;

#define PROPS_VGA_EDID(s, f) \
    PROP_BOOL(s, f.has_edid, .name = "edid", .def = true, .help = "the monitor tells its sizes"), \
    PROP_UINT32(s, f.edid.width, .name = "xres", .help = "width the monitor likes best"), \
    PROP_UINT32(s, f.edid.height, .name = "yres", .help = "height the monitor likes best"), \
    PROP_UINT32(s, f.edid.width_max, .name = "xmax", .help = "largest width it offers"), \
    PROP_UINT32(s, f.edid.height_max, .name = "ymax", .help = "largest height it offers"), \
    PROP_UINT32(s, f.edid.refresh_mhz, .name = "refresh_rate", \
                .help = "of the mode it likes best, in mHz")

void vga_mmio_init(VgaMmio *mmio, Vga *vga, const char *name);
void vga_mmio_finish(VgaMmio *mmio);            /* also if it was not initialized */
/* What a viewer would like: the monitor's favourite from now on. */
void vga_mmio_wish(VgaMmio *mmio, unsigned width, unsigned height);
