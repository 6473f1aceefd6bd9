/* The CL-GD5446's registers, beside a VGA's. */
#include "cirrus.h"

#include <string.h>

#include "rhea_error.h"

#define UNLOCK_KEY      0x12
#define UNLOCK_MASK     0x17            /* the bits of the key that count */
#define LOCKED          0x0f
#define HIDDEN_READS    4               /* of port 3c6, before the hidden register is there */

/* ---- sequencer ---- */

static uint8_t seq_read(const Cirrus *cirrus)
{
    return cirrus->vga.seq[cirrus->vga.seq_index & (SR_COUNT - 1)];
}

/* SR10 and SR11: a place has 11 bits, of which the index's upper three are the lower. */
static uint32_t pointer_place(const Cirrus *cirrus, uint8_t value)
{
    return value << 3 | cirrus->vga.seq_index >> 5;
}

static void seq_write(Cirrus *cirrus, uint8_t value)
{
    Vga *vga = &cirrus->vga;
    unsigned index = vga->seq_index & (SR_COUNT - 1);
    uint8_t read_only = index == SR_CONFIG ? 0x38 : 0;

    if (index <= SEQ_MEMORY && index != SEQ_PLANE_MASK) {
        vga_seq_write(vga, index, value);
        return;
    }
    vga->seq[index] = (vga->seq[index] & read_only) | (value & ~read_only);
    switch (index) {
    case SR_UNLOCK:
        vga->seq[SR_UNLOCK] = (value & UNLOCK_MASK) == UNLOCK_KEY ? UNLOCK_KEY : LOCKED;
        break;
    case SR_POINTER_X:
        cirrus->pointer_x = pointer_place(cirrus, value);
        break;
    case SR_POINTER_Y:
        cirrus->pointer_y = pointer_place(cirrus, value);
        break;
    case SR_MODE:
    case SR_CONFIG:
        cirrus_update_windows(cirrus);
        break;
    }
}

/* ---- graphics controller ---- */

/* The bits each register has. */
static const uint8_t gfx_masks[GR_COUNT] = {
    [GR_BG_0] = 0xff, 0xff, 0x0f, 0x1f, 0x03, 0x7f, 0x0f, 0x0f, 0xff, 0xff, 0xff, 0x3f, 0xff, 0xff,
    0xff, 0xff,
    [GR_BG_1] = 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, [GR_POWER] = 0xff,
    [GR_WIDTH] = 0xff, 0x1f, [GR_HEIGHT] = 0xff, 0x07, [GR_TO_PITCH] = 0xff, 0x1f,
    [GR_FROM_PITCH] = 0xff, 0x1f, [GR_TO] = 0xff, 0xff, 0x3f, [GR_FROM] = 0xff, 0xff, 0x3f,
    [GR_SKIP] = 0xff, [GR_BLIT_MODE] = 0xff, [GR_BLIT] = 0xff, [GR_ROP] = 0xff,
    [GR_BLIT_MODE_EXT] = 0xff, [GR_KEY] = 0xff, 0xff, 0, 0, 0xff, 0xff,
};

static uint8_t gfx_read(const Cirrus *cirrus, unsigned index)
{
    return index < GR_COUNT ? cirrus->vga.gfx[index] : 0xff;
}

/* GR31: a start is START going from 0 to 1. */
static void blit_write(Cirrus *cirrus, uint8_t value)
{
    uint8_t *status = &cirrus->vga.gfx[GR_BLIT], was = *status;
    const uint8_t read_only = GR_BLIT_BUSY | GR_BLIT_PROGRESS;

    *status = (was & read_only) | (value & ~read_only);
    if (value & GR_BLIT_RESET) {
        cirrus_transfer_end(cirrus);
    } else if (value & ~was & GR_BLIT_START) {
        cirrus_blit(cirrus);
    }
}

static void gfx_write(Cirrus *cirrus, unsigned index, uint8_t value)
{
    Vga *vga = &cirrus->vga;

    if (index >= GR_COUNT) {
        return;
    }
    if (index == GR_BLIT) {
        blit_write(cirrus, value);
        return;
    }
    vga->gfx[index] = value & gfx_masks[index];
    switch (index) {
    case GR_BANK_0:
    case GR_BANK_1:
    case GR_EXTENSIONS:
        cirrus_update_windows(cirrus);
        break;
    case GR_TO + 2:
        if (vga->gfx[GR_BLIT] & GR_BLIT_AUTOSTART) {
            cirrus_blit(cirrus);
        }
        break;
    }
}

/* ---- the blitter's registers in memory ---- */

#define BLIT_STATUS_PLACE   0x40

static const uint8_t blit_places[] = {
    GR_BG_0, GR_BG_1, 0x12, 0x14, GR_FG_0, GR_FG_1, 0x13, 0x15, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25,
    0x26, 0x27, 0x28, 0x29, 0x2a, GR_COUNT, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, GR_COUNT, 0x32, 0x33, 0x34,
    0x35, GR_COUNT, GR_COUNT, 0x38, 0x39,
};

/* GR_COUNT: no register. */
static unsigned register_at(unsigned offset)
{
    if (offset == BLIT_STATUS_PLACE) {
        return GR_BLIT;
    }
    return offset < G_N_ELEMENTS(blit_places) ? blit_places[offset] : GR_COUNT;
}

uint8_t cirrus_blit_register_read(const Cirrus *cirrus, unsigned offset)
{
    return gfx_read(cirrus, register_at(offset));
}

void cirrus_blit_register_write(Cirrus *cirrus, unsigned offset, uint8_t value)
{
    gfx_write(cirrus, register_at(offset), value);
}

/* ---- CRT controller ---- */

static uint8_t crtc_read(const Cirrus *cirrus)
{
    const Vga *vga = &cirrus->vga;

    switch (vga->crtc_index) {
    case 0 ... CRTC_LAST:
    case CRTC_LAST + 1 ... CR_OVERLAY:
    case CR_PART_STATUS:
        return vga->crtc[vga->crtc_index];
    case CR_LATCH:
        return vga->latch[vga->gfx[GFX_READ_PLANE] & 3];
    case CR_TOGGLE:
        return vga->attr_is_data ? 0x80 : 0;
    case CR_ATTR_INDEX:
        return vga->attr_index;
    case CR_ID:
        return CR_ID_5446;
    }
    return 0xff;
}

static void crtc_write(Cirrus *cirrus, uint8_t value)
{
    Vga *vga = &cirrus->vga;

    if (vga->crtc_index > CRTC_LAST && vga->crtc_index <= CR_OVERLAY) {
        vga->crtc[vga->crtc_index] = value;
    } else {
        vga_port_write(vga, 0x3d5 - (vga->misc & MISC_COLOR ? 0 : 0x20), value);
    }
}

/* ---- colors ---- */

/* Reads of 3c6 in a row uncover the hidden register for one access. */
static uint8_t mask_read(Cirrus *cirrus)
{
    if (cirrus->hidden_dac_reads == HIDDEN_READS) {
        cirrus->hidden_dac_reads = 0;
        return cirrus->hidden_dac;
    }
    cirrus->hidden_dac_reads++;
    return cirrus->vga.dac_mask;
}

static void mask_write(Cirrus *cirrus, uint8_t value)
{
    if (cirrus->hidden_dac_reads == HIDDEN_READS) {
        cirrus->hidden_dac = value;
    } else {
        cirrus->vga.dac_mask = value;
    }
    cirrus->hidden_dac_reads = 0;
}

static bool is_extended_colors(const Cirrus *cirrus)
{
    return cirrus->vga.seq[SR_POINTER] & SR_POINTER_COLORS;
}

/* ---- ports ---- */

uint8_t cirrus_port_read(Cirrus *cirrus, unsigned port)
{
    Vga *vga = &cirrus->vga;

    if (!vga_port_answers(vga, port)) {
        return 0xff;
    }
    if (port != 0x3c6) {
        cirrus->hidden_dac_reads = 0;
    }
    switch (port) {
    case 0x3c5:
        return seq_read(cirrus);
    case 0x3c6:
        return mask_read(cirrus);
    case 0x3c9:
        return is_extended_colors(cirrus) ? vga_color_read(vga, cirrus->colors, 4)
                                          : vga_port_read(vga, port);
    case 0x3cf:
        return gfx_read(cirrus, vga->gfx_index);
    case 0x3b5:
    case 0x3d5:
        return crtc_read(cirrus);
    }
    return vga_port_read(vga, port);
}

void cirrus_port_write(Cirrus *cirrus, unsigned port, uint8_t value)
{
    Vga *vga = &cirrus->vga;

    if (!vga_port_answers(vga, port)) {
        return;
    }
    switch (port) {
    case 0x3c4:
        vga->seq_index = value;
        break;
    case 0x3c5:
        seq_write(cirrus, value);
        break;
    case 0x3c6:
        mask_write(cirrus, value);
        break;
    case 0x3c9:
        if (is_extended_colors(cirrus)) {
            vga_color_write(vga, cirrus->colors, 4, value);
        } else {
            vga_port_write(vga, port, value);
        }
        break;
    case 0x3ce:
        vga->gfx_index = value;
        break;
    case 0x3cf:
        gfx_write(cirrus, vga->gfx_index, value);
        break;
    case 0x3b5:
    case 0x3d5:
        crtc_write(cirrus, value);
        break;
    default:
        vga_port_write(vga, port, value);
        break;
    }
}

/* ---- state ---- */

/* The latches are one number there, whose lowest byte is plane 0's. */
static void latch_save(void *opaque, GByteArray *out)
{
    const Cirrus *cirrus = opaque;

    for (unsigned i = 4; i-- > 0;) {
        g_byte_array_append(out, &cirrus->vga.latch[i], 1);
    }
}

static bool latch_load(void *opaque, StateReader *in, GError **error)
{
    Cirrus *cirrus = opaque;
    uint64_t value;

    if (!state_read_be(in, 4, &value, error)) {
        return false;
    }
    for (unsigned i = 0; i < 4; i++) {
        cirrus->vga.latch[i] = value >> 8 * i;
    }
    return true;
}

static const StateCustom latch_state = { latch_save, latch_load };

static bool cirrus_loaded(void *opaque, GError **error)
{
    Cirrus *cirrus = opaque;
    Vga *vga = &cirrus->vga;

    for (unsigned i = 0; i < GR_COUNT; i++) {
        vga->gfx[i] &= gfx_masks[i];
    }
    cirrus->pointer_x &= 0x7ff;
    cirrus->pointer_y &= 0x7ff;
    cirrus->hidden_dac_reads = MIN(cirrus->hidden_dac_reads, HIDDEN_READS);
    if (!cirrus_transfer_loaded(cirrus)) {
        set_error(error, "cirrus-vga: line %u, byte %u is not one of the blit's that is under way",
                  cirrus->transfer.row, cirrus->transfer.at);
        return false;
    }
    vga->font_written = true;
    vga_invalidate(vga);
    cirrus_update_windows(cirrus);
    return true;
}

static bool has_transfer(const void *opaque)
{
    return ((const Cirrus *)opaque)->transfer.kind != TRANSFER_NONE;
}

static bool has_colors(const void *opaque)
{
    static const uint8_t none[CIRRUS_COLORS * 3];

    return memcmp(((const Cirrus *)opaque)->colors, none, sizeof(none)) != 0;
}

static const StateField transfer_fields[] = {
    STATE_UINT8(Cirrus, transfer.kind, .range = { TRANSFER_FROM_CPU, TRANSFER_TO_CPU }),
    STATE_BYTES(Cirrus, transfer.gr), STATE_UINT32(Cirrus, transfer.row),
    STATE_UINT32(Cirrus, transfer.at), STATE_BYTES(Cirrus, transfer.line),
    {}
};
static const StateDesc transfer_state = {
    .name = "cirrus_vga/transfer", .version = 1, .fields = transfer_fields, .needed = has_transfer,
};

static const StateField colors_fields[] = { STATE_BYTES(Cirrus, colors), {} };
static const StateDesc colors_state = {
    .name = "cirrus_vga/colors", .version = 1, .fields = colors_fields, .needed = has_colors,
};

static const StateDesc *const subsections[] = { &transfer_state, &colors_state, NULL };

#define GFX_FROM_2 \
    { .name = "vga.gfx", .kind = STATE_KIND_BYTES, .offset = offsetof(Cirrus, vga.gfx[2]), \
      .size = GFX_ROOM - 2, .count = 1 }

static const StateField cirrus_fields[] = {
    STATE_CUSTOM("vga.latch", latch_state),
    STATE_UINT8(Cirrus, vga.seq_index), STATE_BYTES(Cirrus, vga.seq),
    STATE_UINT8(Cirrus, vga.gfx_index), STATE_UINT8(Cirrus, vga.gfx[GR_BG_0]),
    STATE_UINT8(Cirrus, vga.gfx[GR_FG_0]), GFX_FROM_2,
    STATE_UINT8(Cirrus, vga.attr_index), STATE_BYTES(Cirrus, vga.attr),
    STATE_INT32(Cirrus, vga.attr_is_data),
    STATE_UINT8(Cirrus, vga.crtc_index), STATE_BYTES(Cirrus, vga.crtc),
    STATE_UINT8(Cirrus, vga.misc), STATE_UINT8(Cirrus, vga.feature),
    STATE_UNUSED(1),                                    /* input status 0 */
    STATE_UINT8(Cirrus, vga.status1), STATE_UINT8(Cirrus, vga.dac_state),
    STATE_UINT8(Cirrus, vga.dac_sub, .range = { 0, 2 }), STATE_UINT8(Cirrus, vga.dac_read),
    STATE_UINT8(Cirrus, vga.dac_write), STATE_BYTES(Cirrus, vga.dac_cache),
    STATE_BYTES(Cirrus, vga.dac),
    STATE_UNUSED(4),                                    /* dispi's bank */
    STATE_UINT8(Cirrus, hidden_dac_reads), STATE_UINT8(Cirrus, hidden_dac),
    STATE_UINT32(Cirrus, pointer_x), STATE_UINT32(Cirrus, pointer_y),
    {}
};
const StateDesc cirrus_state = {
    .name = "cirrus_vga", .version = 2, .min_version = 1, .fields = cirrus_fields,
    .subsections = subsections, .loaded = cirrus_loaded,
};

/* ---- reset ---- */

void cirrus_reset(Cirrus *cirrus)
{
    Vga *vga = &cirrus->vga;
    size_t from = offsetof(Cirrus, hidden_dac);

    vga_reset(vga);
    memset((uint8_t *)cirrus + from, 0, sizeof(*cirrus) - from);
    vga->seq[SR_UNLOCK] = LOCKED;
    vga->seq[SR_DRAM] = 0x98;                           /* two banks of 64 bits */
    vga->seq[SR_MEMORY_SIZE] = 0x04;                    /* 4 MiB */
    vga->seq[SR_CONFIG] = 0x20;                         /* PCI */
    vga->seq[SR_MCLK] = 0x2d;
    vga->gfx[GR_POWER] = 0x0f;
    cirrus_update_windows(cirrus);
}
