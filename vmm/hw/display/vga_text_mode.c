/*
 * Text mode 3 (IBM "Video Graphics Array" technical reference, BIOS mode parameters; "PS/2 BIOS
 * Interface Technical Reference", INT 10h).
 */
#include "vga_text_mode.h"

#include "font.h"
#include "vga.h"

#define PORT_ATTR       0x3c0
#define PORT_MISC       0x3c2
#define PORT_SEQ        0x3c4
#define PORT_DAC_MASK   0x3c6
#define PORT_DAC_WRITE  0x3c8
#define PORT_DAC_DATA   0x3c9
#define PORT_GFX        0x3ce
#define PORT_CRTC       0x3d4
#define PORT_STATUS1    0x3da

#define WINDOW          0xa0000         /* as the graphics controller's map 1 has it: 64 KiB */
#define TEXT            0xb8000
#define FONT_STRIDE     32              /* bytes of a character in plane 2 */

#define MISC_TEXT       0x67            /* 28 MHz, 400 lines, odd and even pages, color */

/* 720 by 400 dots: characters of 9 by 16. */
static const uint8_t seq[] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
static const uint8_t crtc[] = {
    0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00,
    0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
};
static const uint8_t gfx[] = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff };
static const uint8_t attr[] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
    0x0c, 0x00, 0x0f, 0x08, 0x00,
};

static void out(Vm *vm, uint16_t port, uint8_t value)
{
    mem_store(&vm->io, port, value, 1);
}

static uint8_t in(Vm *vm, uint16_t port)
{
    return mem_load(&vm->io, port, 1, NULL);
}

static void poke(Vm *vm, uint32_t addr, uint8_t value)
{
    mem_store(&vm->memory, addr, value, 1);
}

static void set_indexed(Vm *vm, uint16_t port, uint8_t index, uint8_t value)
{
    out(vm, port, index);
    out(vm, port + 1, value);
}

/* A register of eight bits that does nothing to the picture keeps what it is given. */
bool vga_is_present(Vm *vm)
{
    static const uint8_t patterns[] = { 0x5a, 0xa5 };

    for (unsigned i = 0; i < G_N_ELEMENTS(patterns); i++) {
        set_indexed(vm, PORT_GFX, GFX_BIT_MASK, patterns[i]);
        if (in(vm, PORT_GFX + 1) != patterns[i]) {
            return false;
        }
    }
    set_indexed(vm, PORT_GFX, GFX_BIT_MASK, 0xff);
    return true;
}

static void set_registers(Vm *vm)
{
    out(vm, PORT_MISC, MISC_TEXT);
    for (unsigned i = 0; i < G_N_ELEMENTS(seq); i++) {
        set_indexed(vm, PORT_SEQ, i, seq[i]);
    }
    set_indexed(vm, PORT_CRTC, CRTC_V_SYNC_END, 0);         /* lets go of the first eight */
    for (unsigned i = 0; i < G_N_ELEMENTS(crtc); i++) {
        set_indexed(vm, PORT_CRTC, i, crtc[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(gfx); i++) {
        set_indexed(vm, PORT_GFX, i, gfx[i]);
    }
    in(vm, PORT_STATUS1);                                   /* index first */
    for (unsigned i = 0; i < G_N_ELEMENTS(attr); i++) {
        out(vm, PORT_ATTR, i);
        out(vm, PORT_ATTR, attr[i]);
    }
    out(vm, PORT_ATTR, ATTR_INDEX_ENABLE);
}

/* EGA's 64 colors: bits 2 to 0 are two thirds of red, green and blue, bits 5 to 3 one third. */
static uint8_t color_part(unsigned color, unsigned bit)
{
    return (color >> bit & 1) * 0x2a + (color >> (bit + 3) & 1) * 0x15;
}

static void set_colors(Vm *vm)
{
    out(vm, PORT_DAC_MASK, 0xff);
    out(vm, PORT_DAC_WRITE, 0);
    for (unsigned color = 0; color < 64; color++) {
        for (unsigned bit = 3; bit-- > 0;) {
            out(vm, PORT_DAC_DATA, color_part(color, bit));
        }
    }
}

/* Plane 2 alone, its bytes in order. */
static void load_font(Vm *vm)
{
    set_indexed(vm, PORT_SEQ, SEQ_PLANE_MASK, 0x04);
    set_indexed(vm, PORT_SEQ, SEQ_MEMORY, 0x06);
    set_indexed(vm, PORT_GFX, GFX_MODE, 0x00);
    set_indexed(vm, PORT_GFX, GFX_MISC, 0x04);
    for (unsigned code = 0; code < 256; code++) {
        const uint8_t *glyph = font_glyph(font_cp437[code]);

        for (unsigned row = 0; row < FONT_HEIGHT; row++) {
            poke(vm, WINDOW + code * FONT_STRIDE + row, glyph[row]);
        }
    }
    set_indexed(vm, PORT_SEQ, SEQ_PLANE_MASK, seq[SEQ_PLANE_MASK]);
    set_indexed(vm, PORT_SEQ, SEQ_MEMORY, seq[SEQ_MEMORY]);
    set_indexed(vm, PORT_GFX, GFX_MODE, gfx[GFX_MODE]);
    set_indexed(vm, PORT_GFX, GFX_MISC, gfx[GFX_MISC]);
}

static void clear_screen(Vm *vm)
{
    for (unsigned i = 0; i < VGA_TEXT_COLUMNS * VGA_TEXT_ROWS; i++) {
        poke(vm, TEXT + 2 * i, ' ');
        poke(vm, TEXT + 2 * i + 1, 0x07);
    }
}

void vga_set_text_mode(Vm *vm)
{
    set_registers(vm);
    set_colors(vm);
    load_font(vm);
    clear_screen(vm);
}
