/*
 * Bochs' dispi registers: a mode is three numbers and a switch.  Bochs "VBE Display API", B0C5.
 */
#include "vga.h"

#include <string.h>

#define VBE_WIDTH_MAX   16000
#define VBE_HEIGHT_MAX  12000

static unsigned bits_per_pixel(const Vga *vga)
{
    return vga->vbe[VBE_BPP] == 15 ? 16 : vga->vbe[VBE_BPP];
}

uint32_t vbe_line_bytes(const Vga *vga)
{
    return vga->vbe[VBE_VIRT_WIDTH] * bits_per_pixel(vga) / 8;
}

/* In 4-bit modes a byte of the CRT controller's holds eight pixels of each of the planes. */
uint32_t vbe_start(const Vga *vga)
{
    return vga->vbe[VBE_Y_OFFSET] * vbe_line_bytes(vga) +
           vga->vbe[VBE_X_OFFSET] * bits_per_pixel(vga) / 8;
}

/*
 * Values that lie in memory, made so whenever one of them changes.  Any width will do but in 4-bit
 * modes, whose bytes are eight pixels.
 */
static void clip(Vga *vga)
{
    uint16_t *vbe = vga->vbe;
    unsigned bits = bits_per_pixel(vga), step = bits == 4 ? 8 : 1;
    uint64_t lines;

    vbe[VBE_XRES] = CLAMP(vbe[VBE_XRES] / step * step, 8, VBE_WIDTH_MAX);
    vbe[VBE_VIRT_WIDTH] = CLAMP(vbe[VBE_VIRT_WIDTH] / step * step, vbe[VBE_XRES], VBE_WIDTH_MAX);
    if ((uint64_t)vbe[VBE_VIRT_WIDTH] * bits / 8 > vga->vram_size) {
        vbe[VBE_VIRT_WIDTH] = vbe[VBE_XRES];
    }
    lines = vga->vram_size / vbe_line_bytes(vga);
    vbe[VBE_YRES] = CLAMP(vbe[VBE_YRES], 1, MIN(VBE_HEIGHT_MAX, lines));
    vbe[VBE_VIRT_HEIGHT] = MIN(lines, UINT16_MAX);
    if (vbe[VBE_X_OFFSET] + vbe[VBE_XRES] > vbe[VBE_VIRT_WIDTH]) {
        vbe[VBE_X_OFFSET] = vbe[VBE_VIRT_WIDTH] - vbe[VBE_XRES];
    }
    if ((uint64_t)vbe[VBE_Y_OFFSET] + vbe[VBE_YRES] > lines) {
        vbe[VBE_Y_OFFSET] = lines - vbe[VBE_YRES];
    }
}

static bool is_depth(unsigned bits)
{
    return bits == 4 || bits == 8 || bits == 15 || bits == 16 || bits == 24 || bits == 32;
}

static void mode_on(Vga *vga, bool keep_memory)
{
    uint16_t *vbe = vga->vbe;

    vbe[VBE_VIRT_WIDTH] = vbe[VBE_XRES];
    vbe[VBE_X_OFFSET] = vbe[VBE_Y_OFFSET] = 0;
    clip(vga);
    if (!keep_memory) {
        uint64_t bytes = (uint64_t)vbe[VBE_YRES] * vbe_line_bytes(vga);

        memset(vga->vram.ram->host, 0, bytes);
        ram_mark_dirty(vga->vram.ram, 0, bytes);
    }
    /* what VGA's registers say then: graphics, all planes, chain-4 but for 4-bit pixels */
    vga->gfx[GFX_MISC] |= GFX_MISC_GRAPHICS;
    vga->gfx[GFX_MISC] = (vga->gfx[GFX_MISC] & ~0x0c) | 0x04;
    if (vbe[VBE_BPP] == 4) {
        vga->seq[SEQ_MEMORY] &= ~SEQ_MEMORY_CHAIN4;
    } else {
        vga->seq[SEQ_MEMORY] |= SEQ_MEMORY_CHAIN4 | SEQ_MEMORY_SEQUENTIAL;
        vga->seq[SEQ_PLANE_MASK] = 0x0f;
    }
}

static void enable_write(Vga *vga, uint16_t value)
{
    bool was_on = vbe_is_on(vga);

    vga->vbe[VBE_ENABLE] = value;
    vga->vbe[VBE_BANK] = 0;
    if (vbe_is_on(vga) && !was_on) {
        mode_on(vga, value & VBE_ENABLE_KEEP_MEMORY);
    }
    vga_invalidate(vga);
}

/* After registers came from outside: a depth there is, and the rest made to fit. */
bool vbe_loaded(Vga *vga)
{
    if (!is_depth(vga->vbe[VBE_BPP])) {
        return false;
    }
    if (vbe_is_on(vga)) {
        clip(vga);
    }
    return true;
}

/* With GETCAPS set, the largest there is. */
uint16_t vbe_read(Vga *vga, unsigned index)
{
    static const uint16_t caps[VBE_COUNT] = {
        [VBE_XRES] = VBE_WIDTH_MAX, [VBE_YRES] = VBE_HEIGHT_MAX, [VBE_BPP] = 32,
    };

    if (index == VBE_MEMORY_64K) {
        return vga->vram_size >> 16;
    }
    if (index >= VBE_COUNT) {
        return 0;
    }
    return vga->vbe[VBE_ENABLE] & VBE_ENABLE_GETCAPS && caps[index] ? caps[index]
                                                                    : vga->vbe[index];
}

void vbe_write(Vga *vga, unsigned index, uint16_t value)
{
    switch (index) {
    case VBE_ID:
        if (value >= VBE_ID_FIRST && value <= VBE_ID_LAST) {
            vga->vbe[VBE_ID] = value;
        }
        break;
    case VBE_BPP:
        vga->vbe[VBE_BPP] = is_depth(value) ? value : 8;
        break;
    case VBE_BANK:
        vga->vbe[VBE_BANK] = value & (vga->vram_size / 0x10000 - 1);
        break;
    case VBE_ENABLE:
        enable_write(vga, value);
        break;
    case VBE_XRES:
    case VBE_YRES:
    case VBE_VIRT_WIDTH:
    case VBE_X_OFFSET:
    case VBE_Y_OFFSET:
        vga->vbe[index] = value;
        if (vbe_is_on(vga)) {
            clip(vga);
        }
        break;
    }
}
