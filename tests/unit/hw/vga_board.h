/* A VGA card on a bare board, and a few of the things a BIOS does with one. */
#pragma once

#include <string.h>

#include "bare_board.h"
#include "vga.h"
#include "vga_pci.h"

#define VGA_DEVFN   (2 << 3)
#define VRAM        0xf0000000u
#define REGS        0xf1000000u
#define PORTS       (REGS + 0x400)

static Device *vga_card;

static inline Console *screen(void)
{
    return console_first(&vm);
}

static inline void vga_board(void)
{
    bare_setup();
    vga_card = device_new(&vm, &vga_pci_type, NULL);
    g_assert(device_set(vga_card, "romfile", "", NULL) && device_set(vga_card, "addr", "2", NULL) &&
             device_set(vga_card, "vgamem_mb", "16", NULL) &&
             device_realize(vga_card, (Bus *)bare_bus, NULL));
    devices_reset(&vm);
    cfg_out(VGA_DEVFN, 0x10, VRAM, 4);
    cfg_out(VGA_DEVFN, 0x18, REGS, 4);
    cfg_out(VGA_DEVFN, 0x04, 3, 2);
}

static inline void indexed(uint16_t port, uint8_t index, uint8_t value)
{
    out(port, index, 1);
    out(port + 1, value, 1);
}

static inline void attribute(uint8_t index, uint8_t value)
{
    in(0x3da, 1);
    out(0x3c0, index, 1);
    out(0x3c0, value, 1);
}

static inline void poke(uint32_t addr, uint8_t value)
{
    mem_store(&vm.memory, addr, value, 1);
}

static inline uint8_t peek(uint32_t addr)
{
    return mem_load(&vm.memory, addr, 1, NULL);
}

/* Color n: red and green its nibble's, blue its number's. */
static inline void colors(void)
{
    out(0x3c8, 0, 1);
    for (unsigned i = 0; i < 256; i++) {
        out(0x3c9, i & 0x0f, 1);
        out(0x3c9, i >> 4, 1);
        out(0x3c9, i & 0x3f, 1);
    }
    for (unsigned i = 0; i < 16; i++) {
        attribute(i, i);
    }
}

typedef struct VgaMode { uint8_t misc, seq[5], crtc[25], gfx[9], attr[5]; } VgaMode;

/* IBM's parameters of mode 3 with 9 by 16 dots, 12h (640 by 480 in planes), 13h (320 by 200). */
static const VgaMode mode_3 = {
    0x67, { 3, 0, 3, 0, 2 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0, 0x9c, 0x8e,
      0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff },
    { 0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff }, { 0x0c, 0, 0x0f, 8, 0 },
};
static const VgaMode mode_12 = {
    0xe3, { 3, 1, 0x0f, 0, 6 },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0, 0x40, 0, 0, 0, 0, 0, 0, 0xea, 0x8c, 0xdf,
      0x28, 0, 0xe7, 0x04, 0xe3, 0xff },
    { 0, 0, 0, 0, 0, 0, 0x05, 0x0f, 0xff }, { 1, 0, 0x0f, 0, 0 },
};
static const VgaMode mode_13 = {
    0x63, { 3, 1, 0x0f, 0, 0x0e },
    { 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0, 0x41, 0, 0, 0, 0, 0, 0, 0x9c, 0x8e, 0x8f,
      0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff },
    { 0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff }, { 0x41, 0, 0x0f, 0, 0 },
};

static inline void set_mode(const VgaMode *mode)
{
    out(0x3c2, mode->misc, 1);
    for (unsigned i = 0; i < 5; i++) {
        indexed(0x3c4, i, mode->seq[i]);
        attribute(0x10 + i, mode->attr[i]);
    }
    indexed(0x3d4, 0x11, 0);                    /* lets go of the first eight */
    for (unsigned i = 0; i < 25; i++) {
        indexed(0x3d4, i, mode->crtc[i]);
    }
    for (unsigned i = 0; i < 9; i++) {
        indexed(0x3ce, i, mode->gfx[i]);
    }
    colors();
    in(0x3da, 1);
    out(0x3c0, 0x20, 1);                        /* the screen gets the palette back */
}

static inline void dispi(uint16_t index, uint16_t value)
{
    out(0x1ce, index, 2);
    out(0x1cf, value, 2);
}

static inline void vbe_mode(unsigned width, unsigned height, unsigned bits)
{
    dispi(4, 0);
    dispi(1, width);
    dispi(2, height);
    dispi(3, bits);
    dispi(4, 0x41);
    in(0x3da, 1);
    out(0x3c0, 0x20, 1);
}

/* The color of a pixel after a look at the screen. */
static inline uint32_t pixel(unsigned x, unsigned y)
{
    const Surface *surface;

    console_refresh(screen());
    surface = console_surface(screen());
    return surface->pixels[y * surface->width + x];
}
