/* What the chip shows beyond a VGA's pictures: packed pixels, larger memory, the pointer. */
#include "cirrus.h"

#define PATTERNS_BYTES  0x4000          /* the end of memory, where the pointer's patterns are */

/* SR7, "Extended Sequencer Mode": the pixels' form; 16 bits may be of two kinds. */
static unsigned pixel_bits(const Cirrus *cirrus)
{
    uint8_t mode = cirrus->vga.seq[SR_MODE];
    unsigned sixteen = (cirrus->hidden_dac & 0x0f) == HIDDEN_DAC_565 ? 16 : 15;
    const unsigned bits[8] = { 8, sixteen, 24, sixteen, 32, 8, 8, 8 };

    return mode & SR_MODE_PACKED ? bits[(mode & SR_MODE_FORMAT) >> 1] : 0;
}

static void scan(const Vga *vga, VgaScan *scan)
{
    uint8_t extended = vga->crtc[CR_EXTENDED], overlay = vga->crtc[CR_OVERLAY];

    scan->start += ((extended & 0x01u) << 16 | (extended & 0x0cu) << 15 |
                    (overlay & 0x80u) << 12) * 4;
    scan->line_bytes += (extended & 0x10u) << 4 << 3;
    if (vga->crtc[CR_MISC] & CR_MISC_INTERLACE) {
        scan->height *= 2;
    }
    scan->bits = pixel_bits(cirrus_of(vga));
}

static void pointer(const Vga *vga, VgaPointer *pointer)
{
    const Cirrus *cirrus = cirrus_of(vga);
    uint8_t control = vga->seq[SR_POINTER], pattern = vga->seq[SR_PATTERN];
    bool large = control & SR_POINTER_64;

    if (!(control & SR_POINTER_ON)) {
        return;
    }
    pointer->size = large ? 64 : 32;
    pointer->x = cirrus->pointer_x;
    pointer->y = cirrus->pointer_y;
    pointer->at = vga->vram_size - PATTERNS_BYTES + (pattern & (large ? 0x3c : 0x3f)) * 0x100;
    pointer->bytes = large ? 1024 : 256;
    pointer->colors[0] = vga_color(&cirrus->colors[COLOR_POINTER_BG * 3], false);
    pointer->colors[1] = vga_color(&cirrus->colors[COLOR_POINTER_FG * 3], false);
}

/* Small patterns are two planes one after the other; large ones have them side by side in a row. */
static void pointer_row(const Vga *vga, const VgaPointer *pointer, unsigned row, uint64_t *invert,
                        uint64_t *paint)
{
    const uint8_t *pattern = vga->vram.ram->host + pointer->at;
    unsigned bytes = pointer->size / 8;
    const uint8_t *first = bytes == 8 ? pattern + row * 16 : pattern + row * 4;
    const uint8_t *second = bytes == 8 ? first + 8 : first + 128;

    *invert = *paint = 0;
    for (unsigned i = 0; i < bytes; i++) {
        *invert |= (uint64_t)first[i] << (56 - 8 * i);
        *paint |= (uint64_t)second[i] << (56 - 8 * i);
    }
}

const VgaChip cirrus_chip = {
    .vram_name = "vga.vram", .scan = scan, .pointer = pointer, .pointer_row = pointer_row,
};
