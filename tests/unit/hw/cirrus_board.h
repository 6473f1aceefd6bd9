/* A Cirrus card on a bare board, instead of vga_board.h's VGA. */
#pragma once

#include "cirrus.h"
#include "cirrus_pci.h"
#include "vga_board.h"

#define CIRRUS_REGS     0xf4000000u
#define CIRRUS_BLIT     (CIRRUS_REGS + 0x100)
#define CIRRUS_DATA     (VRAM + 0x1000000)
#define CIRRUS_MEMORY   (4u << 20)

static inline void cirrus_bars(void)
{
    cfg_out(VGA_DEVFN, 0x10, VRAM, 4);
    cfg_out(VGA_DEVFN, 0x14, CIRRUS_REGS, 4);
    cfg_out(VGA_DEVFN, 0x04, 3, 2);
}

static inline void cirrus_board_with(const char *blitter)
{
    bare_setup();
    vga_card = device_new(&vm, &cirrus_pci_type, NULL);
    g_assert(device_set(vga_card, "romfile", "", NULL) && device_set(vga_card, "addr", "2", NULL) &&
             device_set(vga_card, "blitter", blitter, NULL) &&
             device_realize(vga_card, (Bus *)bare_bus, NULL));
    devices_reset(&vm);
    cirrus_bars();
    indexed(0x3c4, 6, 0x12);
}

static inline void cirrus_board(void)
{
    cirrus_board_with("on");
}

/* The card's memory, as the host has it. */
static inline uint8_t *cirrus_memory(void)
{
    for (guint i = 0; i < ram_blocks()->len; i++) {
        RamBlock *block = g_ptr_array_index(ram_blocks(), i);

        if (g_str_equal(block->name, "vga.vram")) {
            return block->host;
        }
    }
    return NULL;
}

static inline uint8_t port_in(uint16_t port, uint8_t index)
{
    out(port, index, 1);
    return in(port + 1, 1);
}

static inline void hidden_dac(uint8_t value)
{
    in(0x3c8, 1);
    for (unsigned i = 0; i < 4; i++) {
        in(0x3c6, 1);
    }
    out(0x3c6, value, 1);
}

/* 640 by 480 in pixels of SR7's form `format`. */
static inline void packed_mode(uint8_t format, uint8_t dac, unsigned line_bytes)
{
    set_mode(&mode_12);
    indexed(0x3ce, 5, 0x40);
    indexed(0x3c4, 4, 0x0e);
    indexed(0x3c4, 7, 0x01 | format);
    indexed(0x3d4, 0x13, line_bytes / 8);
    indexed(0x3d4, 0x1b, (line_bytes / 8 & 0x100) >> 4 | 0x22);
    hidden_dac(dac);
}

/* ---- the blitter ---- */

enum { BLIT_BACKWARDS = 0x01, BLIT_TO_CPU = 0x02, BLIT_FROM_CPU = 0x04, BLIT_TRANSPARENT = 0x08,
       BLIT_PATTERN = 0x40, BLIT_EXPAND = 0x80 };
enum { BLIT_DWORDS = 0x01, BLIT_INVERT = 0x02, BLIT_SOLID = 0x04 };

typedef struct BlitSetup {
    unsigned width, height, to_pitch, from_pitch;       /* bytes, lines */
    uint32_t to, from, fg, bg;
    unsigned pixel_bytes, skip;
    uint8_t mode, mode_ext, rop;
    uint16_t key;
} BlitSetup;

static inline void blit_reg(unsigned offset, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        mem_store(&vm.memory, CIRRUS_BLIT + offset + i, value >> 8 * i & 0xff, 1);
    }
}

static inline void blit_setup(const BlitSetup *blit)
{
    blit_reg(0x00, blit->bg, 4);
    blit_reg(0x04, blit->fg, 4);
    blit_reg(0x08, blit->width - 1, 2);
    blit_reg(0x0a, blit->height - 1, 2);
    blit_reg(0x0c, blit->to_pitch, 2);
    blit_reg(0x0e, blit->from_pitch, 2);
    blit_reg(0x14, blit->from, 3);
    blit_reg(0x17, blit->skip, 1);
    blit_reg(0x18, blit->mode | (blit->pixel_bytes - 1) << 4, 1);
    blit_reg(0x1a, blit->rop, 1);
    blit_reg(0x1b, blit->mode_ext, 1);
    blit_reg(0x1c, blit->key, 2);
    blit_reg(0x10, blit->to, 3);
}

static inline void blit_start(const BlitSetup *blit)
{
    blit_setup(blit);
    blit_reg(0x40, 0, 1);
    blit_reg(0x40, 2, 1);
}

static inline bool blit_busy(void)
{
    return mem_load(&vm.memory, CIRRUS_BLIT + 0x40, 1, NULL) & 1;
}
