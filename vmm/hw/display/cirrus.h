/*
 * The Cirrus Logic CL-GD5446: a VGA with packed pixels, a pointer and a blitter.
 *
 * CL-GD5446 Technical Reference Manual.  Registers are named as there: SRn, GRn, CRn.
 *
 *   cirrus.c          registers on ports            cirrus_blit.c   the blitter
 *   cirrus_memory.c   windows onto memory           cirrus_pci.c    the card
 *   cirrus_screen.c   what the monitor shows
 *
 * Not modelled: the video window and its overlays, the signature generator, the locking of extended
 * registers (SR6 only reads as if), transparent masks (GR38, GR39).
 */
#pragma once

#include "vga.h"

enum { SR_UNLOCK = 0x06, SR_MODE = 0x07, SR_DRAM = 0x0f, SR_POINTER_X = 0x10, SR_POINTER_Y = 0x11,
       SR_POINTER = 0x12, SR_PATTERN = 0x13, SR_MEMORY_SIZE = 0x15, SR_CONFIG = 0x17,
       SR_SIGNATURE = 0x18, SR_MCLK = 0x1f, SR_COUNT = 0x20 };
#define SR_MODE_PACKED          0x01
#define SR_MODE_FORMAT          0x0e
#define SR_POINTER_ON           0x01
#define SR_POINTER_COLORS       0x02        /* port 3c9 means the extended colors */
#define SR_POINTER_64           0x04
#define SR_CONFIG_MMIO          0x04        /* the blitter's registers are in memory, too */
#define SR_CONFIG_MMIO_LINEAR   0x40        /* at the end of the linear memory, not at b8000 */

enum { GR_BG_0 = 0x00, GR_FG_0 = 0x01, GR_MODE = 0x05, GR_BANK_0 = 0x09, GR_BANK_1 = 0x0a,
       GR_EXTENSIONS = 0x0b, GR_BG_1 = 0x10, GR_FG_1 = 0x11, GR_POWER = 0x18, GR_WIDTH = 0x20,
       GR_HEIGHT = 0x22, GR_TO_PITCH = 0x24, GR_FROM_PITCH = 0x26, GR_TO = 0x28, GR_FROM = 0x2c,
       GR_SKIP = 0x2f, GR_BLIT_MODE = 0x30, GR_BLIT = 0x31, GR_ROP = 0x32, GR_BLIT_MODE_EXT = 0x33,
       GR_KEY = 0x34, GR_COUNT = 0x3a };
#define GR_MODE_WRITE           0x07        /* with GR_EXT_WRITES: modes 4 and 5 */
#define GR_EXT_TWO_BANKS        0x01
#define GR_EXT_BY_8             0x02
#define GR_EXT_WRITES           0x04
#define GR_EXT_BY_16            0x14        /* together with GR_EXT_WRITES */
#define GR_EXT_BANKS_16K        0x20        /* not 4K */
#define GR_MODE_BACKWARDS       0x01
#define GR_MODE_TO_CPU          0x02
#define GR_MODE_FROM_CPU        0x04
#define GR_MODE_TRANSPARENT     0x08
#define GR_MODE_PIXEL           0x30        /* bytes a pixel, less one */
#define GR_MODE_PATTERN         0x40
#define GR_MODE_EXPAND          0x80
#define GR_MODE_EXT_DWORDS      0x01        /* lines of bits from the CPU are dwords */
#define GR_MODE_EXT_INVERT      0x02        /* 0 bits are drawn */
#define GR_MODE_EXT_SOLID       0x04
#define GR_BLIT_BUSY            0x01
#define GR_BLIT_START           0x02
#define GR_BLIT_RESET           0x04
#define GR_BLIT_PROGRESS        0x08
#define GR_BLIT_AUTOSTART       0x80        /* by the last byte of GR_TO */

enum { CR_MISC = 0x1a, CR_EXTENDED = 0x1b, CR_OVERLAY = 0x1d, CR_LATCH = 0x22, CR_TOGGLE = 0x24,
       CR_PART_STATUS = 0x25, CR_ATTR_INDEX = 0x26, CR_ID = 0x27 };
#define CR_MISC_INTERLACE       0x01
#define CR_ID_5446              0xb8

#define HIDDEN_DAC_565          0x01        /* of its low four bits, with direct colors on */

enum { CIRRUS_MEMORY_MAX = 4 << 20, CIRRUS_LINE_MAX = 0x2000, CIRRUS_COLORS = 16 };
enum { COLOR_POINTER_BG = 0, COLOR_POINTER_FG = 15 };

/* A blit whose other end is the CPU: it goes on with the CPU's accesses to the windows. */
typedef enum TransferKind { TRANSFER_NONE, TRANSFER_FROM_CPU, TRANSFER_TO_CPU } TransferKind;
typedef struct CirrusTransfer {
    uint8_t kind;
    uint8_t gr[GR_COUNT];                   /* as they were when it started */
    uint32_t row;                           /* lines that are done */
    uint32_t at, line_bytes;                /* of the line at hand */
    uint8_t line[CIRRUS_LINE_MAX];
} CirrusTransfer;

typedef struct Cirrus {
    Vga vga;
    /* configuration */
    bool has_blitter;
    /* wiring */
    MemRegion io, low, window, banks[2];            /* ports; a0000 and what is in it */
    MemRegion bar, linear, transfer_data;           /* BAR 0 and what is in it, beside memory */
    MemRegion mmio;
    /* guest-visible state, with the Vga's */
    uint8_t hidden_dac, hidden_dac_reads;
    uint32_t pointer_x, pointer_y;
    uint8_t colors[CIRRUS_COLORS * 3];
    CirrusTransfer transfer;
} Cirrus;

static inline Cirrus *cirrus_of(const Vga *vga)
{
    return (Cirrus *)vga;
}

/* ---- registers ---- */
uint8_t cirrus_port_read(Cirrus *cirrus, unsigned port);
void cirrus_port_write(Cirrus *cirrus, unsigned port, uint8_t value);
/* The blitter's registers by their place in memory, 0 to ff. */
uint8_t cirrus_blit_register_read(const Cirrus *cirrus, unsigned offset);
void cirrus_blit_register_write(Cirrus *cirrus, unsigned offset, uint8_t value);
void cirrus_reset(Cirrus *cirrus);
extern const StateDesc cirrus_state;

/* ---- the blitter ---- */
void cirrus_blit(Cirrus *cirrus);                   /* what the registers say, now */
void cirrus_transfer_end(Cirrus *cirrus);
void cirrus_transfer_write(Cirrus *cirrus, uint64_t value, unsigned size);
uint64_t cirrus_transfer_read(Cirrus *cirrus, unsigned size);
bool cirrus_transfer_loaded(Cirrus *cirrus);        /* false: it makes no sense */

/* ---- windows ---- */
void cirrus_map(Cirrus *cirrus, MemRegion *bus_mem);        /* also makes the BAR */
void cirrus_unmap(Cirrus *cirrus);                          /* also after half a realize */
/* Memory is mapped as it is where the registers allow that. */
void cirrus_update_windows(Cirrus *cirrus);

extern const VgaChip cirrus_chip;
