/* The window at a0000: how a byte the CPU writes becomes bits in four planes, and back. */
#include "vga.h"

#define FONT_PLANE      2
#define WINDOW_BANK     0x10000         /* what dispi's bank register counts */

/* The three stretches a0000 is cut into by the graphics controller's memory map. */
static bool window_offset(const Vga *vga, uint32_t *offset)
{
    static const struct { uint32_t first, size; } maps[4] = {
        { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 },
    };
    unsigned map = vga->gfx[GFX_MISC] >> 2 & 3;

    if (*offset < maps[map].first || *offset - maps[map].first >= maps[map].size) {
        return false;
    }
    *offset -= maps[map].first;
    if (map == 1) {
        *offset += vga->vbe[VBE_BANK] * WINDOW_BANK;
    }
    return true;
}

static void touch(Vga *vga, uint64_t at)
{
    ram_mark_dirty(vga->vram.ram, at, 1);
}

/* ---- one byte of memory for a byte of the CPU's ---- */

static bool is_chained(const Vga *vga)
{
    return vga->seq[SEQ_MEMORY] & SEQ_MEMORY_CHAIN4;
}

static bool is_odd_even(const Vga *vga)
{
    return vga->gfx[GFX_MODE] & GFX_MODE_ODD_EVEN;
}

/* The byte of memory that `offset` means where planes are told apart by address bits. */
static uint64_t single_byte(const Vga *vga, uint32_t offset)
{
    if (is_chained(vga)) {
        return offset & (vga->vram_size - 1);
    }
    return ((uint64_t)(offset & ~1u) << 1 | (vga->gfx[GFX_READ_PLANE] & 2) | (offset & 1)) &
           (vga->vram_size - 1);
}

static void write_single(Vga *vga, uint64_t at, uint8_t value)
{
    unsigned plane = at & 3;

    if (vga->seq[SEQ_PLANE_MASK] >> plane & 1) {
        vga->vram.ram->host[at] = value;
        vga->font_written |= plane == FONT_PLANE && !is_chained(vga);
        touch(vga, at);
    }
}

/* ---- four planes at once ---- */

static uint8_t *word_at(Vga *vga, uint32_t offset, uint64_t *at)
{
    *at = (uint64_t)offset * 4 & (vga->vram_size - 1);
    return vga->vram.ram->host + *at;
}

/* Read mode 1: the pixels whose color is the compare register's, in the planes that matter. */
static uint8_t compare_colors(const Vga *vga)
{
    uint8_t match = 0xff;

    for (unsigned plane = 0; plane < 4; plane++) {
        uint8_t wanted = vga->gfx[GFX_COMPARE] >> plane & 1 ? 0xff : 0;

        if (vga->gfx[GFX_CARE] >> plane & 1) {
            match &= ~(vga->latch[plane] ^ wanted);
        }
    }
    return match;
}

static uint8_t rotate(const Vga *vga, uint8_t value)
{
    unsigned n = vga->gfx[GFX_LOGIC] & 7;

    return value >> n | value << (8 - n);
}

static uint8_t combine(const Vga *vga, uint8_t value, uint8_t latch)
{
    switch (vga->gfx[GFX_LOGIC] >> 3 & 3) {
    case 1:
        return value & latch;
    case 2:
        return value | latch;
    case 3:
        return value ^ latch;
    }
    return value;
}

/* What a plane gets of a byte the CPU writes, by write mode. */
static uint8_t plane_value(const Vga *vga, unsigned plane, uint8_t value)
{
    uint8_t latch = vga->latch[plane], mask = vga->gfx[GFX_BIT_MASK];
    uint8_t set = vga->gfx[GFX_SET] >> plane & 1 ? 0xff : 0;

    switch (vga->gfx[GFX_MODE] & GFX_MODE_WRITE) {
    case 0:
        value = rotate(vga, value);
        value = vga->gfx[GFX_SET_ENABLE] >> plane & 1 ? set : value;
        break;
    case 1:
        return latch;
    case 2:
        value = value >> plane & 1 ? 0xff : 0;
        break;
    case 3:
        mask &= rotate(vga, value);
        value = set;
        break;
    }
    value = combine(vga, value, latch);
    return (value & mask) | (latch & ~mask);
}

static void write_planes(Vga *vga, uint32_t offset, uint8_t value)
{
    uint64_t at;
    uint8_t *word = word_at(vga, offset, &at);

    for (unsigned plane = 0; plane < 4; plane++) {
        if (vga->seq[SEQ_PLANE_MASK] >> plane & 1) {
            word[plane] = plane_value(vga, plane, value);
            vga->font_written |= plane == FONT_PLANE;
        }
    }
    touch(vga, at);
}

static uint8_t read_planes(Vga *vga, uint32_t offset)
{
    uint64_t at;
    const uint8_t *word = word_at(vga, offset, &at);

    for (unsigned plane = 0; plane < 4; plane++) {
        vga->latch[plane] = word[plane];
    }
    return vga->gfx[GFX_MODE] & GFX_MODE_READ_COMPARE ? compare_colors(vga)
                                                      : vga->latch[vga->gfx[GFX_READ_PLANE]];
}

/* ---- the window ---- */

uint8_t vga_memory_read(Vga *vga, uint32_t offset)
{
    if (!window_offset(vga, &offset)) {
        return 0xff;
    }
    if (is_chained(vga) || is_odd_even(vga)) {
        return vga->vram.ram->host[single_byte(vga, offset)];
    }
    return read_planes(vga, offset);
}

void vga_memory_write(Vga *vga, uint32_t offset, uint8_t value)
{
    if (!window_offset(vga, &offset)) {
        return;
    }
    if (is_chained(vga) || is_odd_even(vga)) {
        write_single(vga, single_byte(vga, offset), value);
    } else {
        write_planes(vga, offset, value);
    }
}
