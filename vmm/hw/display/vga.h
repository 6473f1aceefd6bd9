/*
 * What a VGA is, whatever card it sits on: IBM VGA's registers and 256 KiB of planar memory, with
 * the Bochs VBE extensions on top of more of it.
 *
 * IBM "Video Graphics Array" technical reference; Bochs "VBE Display API" (dispi) version B0C5.
 *
 * Memory holds the four planes side by side, a 32-bit word for each address the CRT controller
 * knows: plane p of address a is byte 4 * a + p.  Chain-4 and the linear frame buffer then are the
 * bytes in order.  Every address is cut to the memory there is.
 *
 *   vga.c        registers on ports 3b0–3df      vga_memory.c   the window at a0000
 *   vbe.c        dispi's registers               vga_draw.c     what the monitor shows
 *   vga_mmio.c   registers in memory, of cards that have them there
 *
 * A chip that is more than this has a VgaChip and files of its own: cirrus.h.
 */
#pragma once

#include "console.h"
#include "vm_core.h"

/* ---- registers ---- */
enum { SEQ_RESET, SEQ_CLOCK, SEQ_PLANE_MASK, SEQ_FONT, SEQ_MEMORY, SEQ_COUNT = 8,
       SEQ_ROOM = 256 };                    /* as many as there may be in larger chips */
#define SEQ_CLOCK_8_DOTS        0x01
#define SEQ_CLOCK_HALF          0x08        /* every dot twice */
#define SEQ_CLOCK_SCREEN_OFF    0x20
#define SEQ_MEMORY_SEQUENTIAL   0x04        /* not odd and even */
#define SEQ_MEMORY_CHAIN4       0x08

enum { GFX_SET, GFX_SET_ENABLE, GFX_COMPARE, GFX_LOGIC, GFX_READ_PLANE, GFX_MODE, GFX_MISC,
       GFX_CARE, GFX_BIT_MASK, GFX_COUNT = 16, GFX_ROOM = 256 };
#define GFX_MODE_WRITE          0x03
#define GFX_MODE_READ_COMPARE   0x08
#define GFX_MODE_ODD_EVEN       0x10
#define GFX_MISC_GRAPHICS       0x01

enum { CRTC_H_END = 0x01, CRTC_OVERFLOW = 0x07, CRTC_ROW_SCAN = 0x08, CRTC_MAX_SCAN = 0x09,
       CRTC_CURSOR_START = 0x0a, CRTC_CURSOR_END = 0x0b, CRTC_START_HIGH = 0x0c,
       CRTC_START_LOW = 0x0d, CRTC_CURSOR_HIGH = 0x0e, CRTC_CURSOR_LOW = 0x0f,
       CRTC_V_SYNC_END = 0x11, CRTC_V_END = 0x12, CRTC_OFFSET = 0x13, CRTC_MODE = 0x17,
       CRTC_LINE_COMPARE = 0x18, CRTC_LAST = 0x18, CRTC_COUNT = 256 };
#define CRTC_PROTECT            0x80        /* in V_SYNC_END: 00 to 07 are read-only */
#define CRTC_CURSOR_OFF         0x20
#define CRTC_DOUBLE_SCAN        0x80
#define CRTC_MODE_BYTES         0x40        /* its addresses are not doubled */

enum { ATTR_MODE = 0x10, ATTR_OVERSCAN, ATTR_PLANES, ATTR_PAN, ATTR_COLOR, ATTR_COUNT };
#define ATTR_INDEX_ENABLE       0x20        /* the palette is the screen's, not the CPU's */
#define ATTR_MODE_LINE_GRAPHICS 0x04
#define ATTR_MODE_BLINK         0x08
#define ATTR_MODE_P54           0x80        /* palette bits 5 and 4 come from COLOR */

#define MISC_COLOR              0x01        /* CRTC at 3d4, not 3b4 */

enum { VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH, VBE_VIRT_HEIGHT,
       VBE_X_OFFSET, VBE_Y_OFFSET, VBE_COUNT, VBE_MEMORY_64K = VBE_COUNT };
#define VBE_ID_FIRST            0xb0c0
#define VBE_ID_LAST             0xb0c5
#define VBE_ENABLE_ON           0x01
#define VBE_ENABLE_GETCAPS      0x02
#define VBE_ENABLE_8BIT_DAC     0x20
#define VBE_ENABLE_LFB          0x40
#define VBE_ENABLE_KEEP_MEMORY  0x80

typedef struct Vga Vga;
typedef struct VgaShown VgaShown;           /* vga_draw.c: what the surface shows now */

/* What of memory is on the screen. */
typedef struct VgaScan {
    uint32_t start, line_bytes;
    uint32_t height;                        /* scan lines */
    uint32_t bits;                          /* a pixel's: 8, 15, 16, 24, 32; 0: VGA's own forms */
} VgaScan;

/* A pointer the chip lays over its pictures; compared as bytes, so cleared before it is filled. */
typedef struct VgaPointer {
    uint32_t size;                          /* dots a side, at most 64; 0: none is shown */
    uint32_t x, y;
    uint32_t at, bytes;                     /* its pattern in memory */
    uint32_t colors[2];                     /* 0x00RRGGBB */
} VgaPointer;

/* How a chip differs from a VGA. */
typedef struct VgaChip {
    const char *vram_name;
    bool only_linear;                       /* it shows dispi's linear modes and nothing else */
    void (*scan)(const Vga *vga, VgaScan *scan);            /* changes what is different; or NULL */
    void (*pointer)(const Vga *vga, VgaPointer *pointer);   /* NULL: the chip has none */
    /* A row of dots: where the screen's color is inverted and where the pointer's is shown; the */
    /* first dot is the top bit.  Dots in neither are the screen's, in both the second color. */
    void (*pointer_row)(const Vga *vga, const VgaPointer *pointer, unsigned row, uint64_t *invert,
                        uint64_t *paint);
} VgaChip;

struct Vga {
    /* configuration */
    uint32_t memory_mb;
    /* wiring */
    Device *dev;
    const VgaChip *chip;
    Console *console;
    MemRegion vram, window;
    MemRegion ports[4];
    uint64_t vram_size;                     /* a power of two */
    VgaShown *shown;
    bool font_written;                      /* since the last drawing */
    /* guest-visible state */
    uint8_t latch[4];
    uint8_t misc, feature, status1;
    uint8_t seq_index, seq[SEQ_ROOM];
    uint8_t gfx_index, gfx[GFX_ROOM];
    uint8_t crtc_index, crtc[CRTC_COUNT];
    uint8_t attr_index, attr[ATTR_COUNT];
    int32_t attr_is_data;                   /* the flip-flop of port 3c0 */
    uint8_t dac_mask, dac_state, dac_sub, dac_read, dac_write, dac_cache[3], dac[768];
    uint16_t vbe_index, vbe[VBE_COUNT];
};

extern const StateDesc vga_state;           /* embed it in the card's */

extern const VgaChip vga_chip;              /* the plain one */

/* Memory, up to a power of two, and a screen, whose opaque is the Vga. */
bool vga_realize(Vga *vga, Device *dev, const VgaChip *chip, uint64_t memory_bytes,
                 const ConsoleOps *ops, GError **error);
/* A VGA's ports and window where the card's bus decodes. */
void vga_map(Vga *vga, MemRegion *bus_mem, MemRegion *bus_io);
void vga_unrealize(Vga *vga);               /* also after half a realize */
void vga_reset(Vga *vga);

/* A port by its number, 3b0 to 3df; for cards that have them in memory as well. */
uint8_t vga_port_read(Vga *vga, unsigned port);
void vga_port_write(Vga *vga, unsigned port, uint8_t value);
void vga_seq_write(Vga *vga, unsigned index, uint8_t value);     /* index < SEQ_COUNT */
/* Of 3b4/3b5/3ba and 3d4/3d5/3da, only one half answers. */
bool vga_port_answers(const Vga *vga, unsigned port);
/* Port 3c9 with a table of colors, of 1 << bits entries. */
uint8_t vga_color_read(Vga *vga, const uint8_t *table, unsigned bits);
void vga_color_write(Vga *vga, uint8_t *table, unsigned bits, uint8_t value);
uint32_t vga_color(const uint8_t color[3], bool eight_bits);    /* as 0x00RRGGBB */

uint8_t vga_memory_read(Vga *vga, uint32_t offset);         /* offset from a0000 */
void vga_memory_write(Vga *vga, uint32_t offset, uint8_t value);

uint16_t vbe_read(Vga *vga, unsigned index);
void vbe_write(Vga *vga, unsigned index, uint16_t value);
bool vbe_loaded(Vga *vga);
static inline bool vbe_is_on(const Vga *vga)
{
    return vga->vbe[VBE_ENABLE] & VBE_ENABLE_ON;
}
/* Bytes from a line to the next, and where the picture begins, as dispi's registers have it. */
uint32_t vbe_line_bytes(const Vga *vga);
uint32_t vbe_start(const Vga *vga);

/* The ConsoleOps of every VGA; the opaque is the Vga. */
void vga_update(void *opaque);
void vga_invalidate(void *opaque);
bool vga_text(void *opaque, ConsoleText *text);
void vga_draw_free(Vga *vga);
