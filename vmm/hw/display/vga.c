/*
 * VGA's registers on ports 3b0 to 3df.
 *
 * Not modelled: the frame's timing, so that the retrace bits of input status 1 only ever change from
 * one reading to the next, and the vertical interrupt.
 */
#include "vga.h"

#include <string.h>

#include "rhea_error.h"

#define MEMORY_MIN      (UINT64_C(1) << 20)
#define MEMORY_MAX      (UINT64_C(256) << 20)

/* ---- attribute controller: index and data take turns on 3c0 ---- */

static void attr_write(Vga *vga, uint8_t value)
{
    static const uint8_t masks[ATTR_COUNT] = {
        0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
        0x3f, [ATTR_MODE] = 0xef, [ATTR_OVERSCAN] = 0xff, [ATTR_PLANES] = 0x3f, [ATTR_PAN] = 0x0f,
        [ATTR_COLOR] = 0x0f,
    };
    unsigned index = vga->attr_index & 0x1f;

    if (!vga->attr_is_data) {
        vga->attr_index = value & 0x3f;
    } else if (index < ATTR_COUNT) {
        vga->attr[index] = value & masks[index];
    }
    vga->attr_is_data = !vga->attr_is_data;
}

static uint8_t attr_read(const Vga *vga)
{
    unsigned index = vga->attr_index & 0x1f;

    return index < ATTR_COUNT ? vga->attr[index] : 0;
}

/* ---- colors: three bytes to an entry ---- */

void vga_color_write(Vga *vga, uint8_t *table, unsigned bits, uint8_t value)
{
    vga->dac_cache[vga->dac_sub] = value;
    if (++vga->dac_sub == 3) {
        memcpy(&table[(vga->dac_write & ((1u << bits) - 1)) * 3], vga->dac_cache, 3);
        vga->dac_sub = 0;
        vga->dac_write++;
    }
}

uint8_t vga_color_read(Vga *vga, const uint8_t *table, unsigned bits)
{
    uint8_t value = table[(vga->dac_read & ((1u << bits) - 1)) * 3 + vga->dac_sub];

    if (++vga->dac_sub == 3) {
        vga->dac_sub = 0;
        vga->dac_read++;
    }
    return value;
}

/* ---- sequencer, graphics controller, CRT controller ---- */

void vga_seq_write(Vga *vga, unsigned index, uint8_t value)
{
    static const uint8_t masks[SEQ_COUNT] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e };

    vga->seq[index] = value & masks[index];
    vga->font_written |= index == SEQ_FONT;
}

static void gfx_write(Vga *vga, uint8_t value)
{
    static const uint8_t masks[GFX_COUNT] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };

    vga->gfx[vga->gfx_index] = value & masks[vga->gfx_index];
}

static void crtc_write(Vga *vga, uint8_t value)
{
    if (vga->crtc_index > CRTC_LAST) {
        return;
    }
    if (vga->crtc[CRTC_V_SYNC_END] & CRTC_PROTECT && vga->crtc_index <= CRTC_OVERFLOW) {
        if (vga->crtc_index == CRTC_OVERFLOW) {         /* but for a bit of the line compare */
            vga->crtc[CRTC_OVERFLOW] = (vga->crtc[CRTC_OVERFLOW] & ~0x10) | (value & 0x10);
        }
        return;
    }
    vga->crtc[vga->crtc_index] = value;
}

/* ---- ports ---- */

bool vga_port_answers(const Vga *vga, unsigned port)
{
    bool color_port = port >= 0x3d0, mono_port = port < 0x3c0;

    return vga->misc & MISC_COLOR ? !mono_port : !color_port;
}

static uint8_t status1_read(Vga *vga)
{
    vga->attr_is_data = false;
    vga->status1 ^= 0x09;                           /* vertical retrace, display disabled */
    return vga->status1;
}

uint8_t vga_port_read(Vga *vga, unsigned port)
{
    if (!vga_port_answers(vga, port)) {
        return 0xff;
    }
    switch (port) {
    case 0x3c0:
        return vga->attr_is_data ? 0 : vga->attr_index;
    case 0x3c1:
        return attr_read(vga);
    case 0x3c2:
        return 0x10;                                /* a color monitor is there */
    case 0x3c4:
        return vga->seq_index;
    case 0x3c5:
        return vga->seq[vga->seq_index];
    case 0x3c6:
        return vga->dac_mask;
    case 0x3c7:
        return vga->dac_state;
    case 0x3c8:
        return vga->dac_write;
    case 0x3c9:
        return vga_color_read(vga, vga->dac, 8);
    case 0x3ca:
        return vga->feature;
    case 0x3cc:
        return vga->misc;
    case 0x3ce:
        return vga->gfx_index;
    case 0x3cf:
        return vga->gfx[vga->gfx_index];
    case 0x3b4:
    case 0x3d4:
        return vga->crtc_index;
    case 0x3b5:
    case 0x3d5:
        return vga->crtc[vga->crtc_index];
    case 0x3ba:
    case 0x3da:
        return status1_read(vga);
    }
    return 0;
}

void vga_port_write(Vga *vga, unsigned port, uint8_t value)
{
    if (!vga_port_answers(vga, port)) {
        return;
    }
    switch (port) {
    case 0x3c0:
        attr_write(vga, value);
        break;
    case 0x3c2:
        vga->misc = value & ~0x10;
        break;
    case 0x3c4:
        vga->seq_index = value & (SEQ_COUNT - 1);
        break;
    case 0x3c5:
        vga_seq_write(vga, vga->seq_index, value);
        break;
    case 0x3c6:
        vga->dac_mask = value;
        break;
    case 0x3c7:
        vga->dac_read = value;
        vga->dac_sub = 0;
        vga->dac_state = 3;
        break;
    case 0x3c8:
        vga->dac_write = value;
        vga->dac_sub = 0;
        vga->dac_state = 0;
        break;
    case 0x3c9:
        vga_color_write(vga, vga->dac, 8, value);
        break;
    case 0x3ce:
        vga->gfx_index = value & (GFX_COUNT - 1);
        break;
    case 0x3cf:
        gfx_write(vga, value);
        break;
    case 0x3b4:
    case 0x3d4:
        vga->crtc_index = value;
        break;
    case 0x3b5:
    case 0x3d5:
        crtc_write(vga, value);
        break;
    case 0x3ba:
    case 0x3da:
        vga->feature = value & 0x10;
        break;
    }
}

/* Three stretches: 3b4, 3b5; 3ba; 3c0 to 3df, as a parallel port may lie between. */
static const struct { unsigned first, count; } port_ranges[] = {
    { 0x3b4, 2 }, { 0x3ba, 1 }, { 0x3c0, 0x20 },
};

#define PORT_OPS(n) \
    static uint64_t read_ports_##n(void *opaque, uint64_t offset, unsigned size) \
    { \
        return vga_port_read(opaque, port_ranges[n].first + offset); \
    } \
    static void write_ports_##n(void *opaque, uint64_t offset, uint64_t value, unsigned size) \
    { \
        vga_port_write(opaque, port_ranges[n].first + offset, value); \
    }
PORT_OPS(0)
PORT_OPS(1)
PORT_OPS(2)

static const MemOps port_ops[] = {
    { read_ports_0, write_ports_0, .max_size = 1 },
    { read_ports_1, write_ports_1, .max_size = 1 },
    { read_ports_2, write_ports_2, .max_size = 1 },
};

/* ---- dispi on 1ce (index) and 1cf (data), words ---- */

static uint64_t dispi_read(void *opaque, uint64_t offset, unsigned size)
{
    Vga *vga = opaque;

    return offset == 0 ? vga->vbe_index : vbe_read(vga, vga->vbe_index);
}

/* A word to 1d0 is data too: where hosts cannot write words to odd ports. */
static void dispi_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Vga *vga = opaque;

    if (offset == 0) {
        vga->vbe_index = value;
    } else {
        vbe_write(vga, vga->vbe_index, value);
    }
}

/* ---- the window ---- */

static uint64_t window_read(void *opaque, uint64_t offset, unsigned size)
{
    return vga_memory_read(opaque, offset);
}

static void window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    vga_memory_write(opaque, offset, value);
}

static const MemOps window_ops = { window_read, window_write, .max_size = 1 };

/* ---- state ---- */

static bool vga_loaded(void *opaque, GError **error)
{
    Vga *vga = opaque;

    if (!vbe_loaded(vga)) {
        set_error(error, "VGA: no mode has %u bits a pixel", vga->vbe[VBE_BPP]);
        return false;
    }
    vga->seq_index &= SEQ_COUNT - 1;
    vga->gfx_index &= GFX_COUNT - 1;
    vga->gfx[GFX_READ_PLANE] &= 3;
    vga->font_written = true;
    vga_invalidate(vga);
    return true;
}

#define FIRST_BYTES(f, n) \
    { .name = #f, .kind = STATE_KIND_BYTES, .offset = offsetof(Vga, f), .size = (n), .count = 1 }

static const StateField vga_fields[] = {
    STATE_BYTES(Vga, latch),
    STATE_UINT8(Vga, seq_index), FIRST_BYTES(seq, SEQ_COUNT),
    STATE_UINT8(Vga, gfx_index), FIRST_BYTES(gfx, GFX_COUNT),
    STATE_UINT8(Vga, attr_index), STATE_BYTES(Vga, attr), STATE_INT32(Vga, attr_is_data),
    STATE_UINT8(Vga, crtc_index), STATE_BYTES(Vga, crtc),
    STATE_UINT8(Vga, misc), STATE_UINT8(Vga, feature), STATE_UINT8(Vga, status1),
    STATE_UINT8(Vga, dac_mask), STATE_UINT8(Vga, dac_state),
    STATE_UINT8(Vga, dac_sub, .range = { 0, 2 }),
    STATE_UINT8(Vga, dac_read), STATE_UINT8(Vga, dac_write), STATE_BYTES(Vga, dac_cache),
    STATE_BYTES(Vga, dac),
    STATE_UINT16(Vga, vbe_index), STATE_UINT16_ARRAY(Vga, vbe),
    {}
};
const StateDesc vga_state = { .name = "vga", .version = 2, .fields = vga_fields,
                              .loaded = vga_loaded };

/* ---- lifecycle ---- */

void vga_map(Vga *vga, MemRegion *bus_mem, MemRegion *bus_io)
{
    static const MemOps dispi_ops = { dispi_read, dispi_write, .min_size = 2, .max_size = 2 };

    for (unsigned i = 0; i < G_N_ELEMENTS(port_ops); i++) {
        mem_region_init_io(&vga->ports[i], &vga->dev->obj, "vga", port_ranges[i].count,
                           &port_ops[i], vga);
        mem_region_add(bus_io, port_ranges[i].first, &vga->ports[i]);
    }
    mem_region_init_io(&vga->ports[3], &vga->dev->obj, "vbe", 4, &dispi_ops, vga);
    mem_region_add(bus_io, 0x1ce, &vga->ports[3]);
    mem_region_init_io(&vga->window, &vga->dev->obj, "vga-lowmem", 0x20000, &window_ops, vga);
    mem_region_add_priority(bus_mem, 0xa0000, &vga->window, 1);
}

const VgaChip vga_chip = { .vram_name = "vga.vram" };

bool vga_realize(Vga *vga, Device *dev, const VgaChip *chip, uint64_t memory_bytes,
                 const ConsoleOps *ops, GError **error)
{
    vga->dev = dev;
    vga->chip = chip;
    vga->vram_size = MEMORY_MIN;
    while (vga->vram_size < MIN(memory_bytes, MEMORY_MAX)) {
        vga->vram_size *= 2;
    }
    if (!mem_region_init_ram(&vga->vram, &dev->obj, chip->vram_name, vga->vram_size, error)) {
        return false;
    }
    ram_dirty_start(vga->vram.ram, DIRTY_DISPLAY);
    vga->console = console_new(dev, 0, ops, vga);
    return true;
}

void vga_unrealize(Vga *vga)
{
    if (vga->console != NULL) {
        console_free(vga->console);
        vga->console = NULL;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(vga->ports); i++) {
        if (vga->ports[i].ops != NULL) {
            mem_region_finish(&vga->ports[i]);
        }
    }
    if (vga->window.ops != NULL) {
        mem_region_finish(&vga->window);
    }
    if (vga->vram.ram != NULL) {
        mem_region_finish(&vga->vram);
    }
    vga_draw_free(vga);
}

void vga_reset(Vga *vga)
{
    size_t from = offsetof(Vga, latch);

    memset((uint8_t *)vga + from, 0, sizeof(*vga) - from);
    vga->misc = MISC_COLOR | 0x02;
    vga->dac_mask = 0xff;
    vga->gfx[GFX_BIT_MASK] = 0xff;
    vga->vbe[VBE_ID] = VBE_ID_LAST;
    vga->vbe[VBE_BPP] = 8;
    vga->font_written = true;
    memset(vga->vram.ram->host, 0, vga->vram_size);
    ram_mark_dirty(vga->vram.ram, 0, vga->vram_size);
    vga_invalidate(vga);
}
