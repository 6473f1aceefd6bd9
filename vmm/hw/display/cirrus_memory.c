/*
 * Windows onto memory: 128 KiB at a0000 in two banks of 32 KiB, and all of it in BAR 0.
 *
 * While a window's byte is a byte of memory the window is memory; else accesses come here: a VGA's
 * modes, addresses that stand for 8 or 16 bytes, a transfer with the CPU, and the blitter's
 * registers where they were put into a window.
 */
#include "cirrus.h"

enum { BAR_BYTES = 32 << 20, BAR_TRANSFER = 16 << 20, BANK_BYTES = 0x8000, BANKS_END = 0x10000,
       LOW_BYTES = 0x20000, LOW_REGISTERS = 0x18000, REGISTERS_BYTES = 0x100 };

static bool is_packed(const Cirrus *cirrus)
{
    return cirrus->vga.seq[SR_MODE] & SR_MODE_PACKED;
}

static bool is_by_16(const Cirrus *cirrus)
{
    return (cirrus->vga.gfx[GR_EXTENSIONS] & GR_EXT_BY_16) == GR_EXT_BY_16;
}

/* Where in memory the CPU's address `at` is. */
static uint32_t memory_address(const Cirrus *cirrus, uint32_t at)
{
    unsigned shift = is_by_16(cirrus)                                       ? 4
                     : cirrus->vga.gfx[GR_EXTENSIONS] & GR_EXT_BY_8 ? 3
                                                                            : 0;

    return at << shift & (cirrus->vga.vram_size - 1);
}

static uint32_t bank_start(const Cirrus *cirrus, unsigned bank)
{
    uint8_t extensions = cirrus->vga.gfx[GR_EXTENSIONS];
    unsigned shift = extensions & GR_EXT_BANKS_16K ? 14 : 12;

    if (extensions & GR_EXT_TWO_BANKS) {
        return cirrus->vga.gfx[GR_BANK_0 + bank] << shift;
    }
    return (cirrus->vga.gfx[GR_BANK_0] << shift) + bank * BANK_BYTES;
}

/* ---- one byte ---- */

/* Write modes 4 and 5: each bit is a pixel of 8 or 16 bits, SR2 says which of them may change. */
static void write_bits(Cirrus *cirrus, uint32_t at, uint8_t value)
{
    Vga *vga = &cirrus->vga;
    unsigned bytes = is_by_16(cirrus) ? 2 : 1;
    bool with_background = (vga->gfx[GR_MODE] & GR_MODE_WRITE) == 5;

    at &= ~(8 * bytes - 1);
    for (unsigned i = 0; i < 8; i++) {
        unsigned bit = 7 - i;
        bool set = value >> bit & 1;

        if ((set || with_background) && vga->seq[SEQ_PLANE_MASK] >> bit & 1) {
            uint8_t *pixel = vga->vram.ram->host + at + i * bytes;

            pixel[0] = vga->gfx[set ? GR_FG_0 : GR_BG_0];
            if (bytes == 2) {
                pixel[1] = vga->gfx[set ? GR_FG_1 : GR_BG_1];
            }
        }
    }
    ram_mark_dirty(vga->vram.ram, at, 8 * bytes);
}

static void write_byte(Cirrus *cirrus, uint32_t at, uint8_t value)
{
    Vga *vga = &cirrus->vga;
    unsigned mode = vga->gfx[GR_MODE] & GR_MODE_WRITE;

    at = memory_address(cirrus, at);
    if (vga->gfx[GR_EXTENSIONS] & GR_EXT_WRITES && (mode == 4 || mode == 5)) {
        write_bits(cirrus, at, value);
    } else {
        vga->vram.ram->host[at] = value;
        ram_mark_dirty(vga->vram.ram, at, 1);
    }
}

static uint8_t read_byte(const Cirrus *cirrus, uint32_t at)
{
    return cirrus->vga.vram.ram->host[memory_address(cirrus, at)];
}

/* ---- 128 KiB at a0000 ---- */

static bool has_low_registers(const Cirrus *cirrus, uint64_t offset)
{
    return (cirrus->vga.seq[SR_CONFIG] & (SR_CONFIG_MMIO | SR_CONFIG_MMIO_LINEAR)) ==
               SR_CONFIG_MMIO &&
           is_packed(cirrus) && offset >= LOW_REGISTERS &&
           offset < LOW_REGISTERS + REGISTERS_BYTES;
}

static uint8_t low_read_byte(Cirrus *cirrus, uint64_t offset)
{
    if (has_low_registers(cirrus, offset)) {
        return cirrus_blit_register_read(cirrus, offset - LOW_REGISTERS);
    }
    if (!is_packed(cirrus)) {
        return vga_memory_read(&cirrus->vga, offset);
    }
    if (offset >= BANKS_END) {
        return 0xff;
    }
    return read_byte(cirrus, bank_start(cirrus, offset / BANK_BYTES) + offset % BANK_BYTES);
}

static void low_write_byte(Cirrus *cirrus, uint64_t offset, uint8_t value)
{
    if (has_low_registers(cirrus, offset)) {
        cirrus_blit_register_write(cirrus, offset - LOW_REGISTERS, value);
    } else if (!is_packed(cirrus)) {
        vga_memory_write(&cirrus->vga, offset, value);
    } else if (offset < BANKS_END) {
        write_byte(cirrus, bank_start(cirrus, offset / BANK_BYTES) + offset % BANK_BYTES, value);
    }
}

/* ---- all of memory ---- */

static bool has_linear_registers(const Cirrus *cirrus, uint64_t offset)
{
    const uint8_t wanted = SR_CONFIG_MMIO | SR_CONFIG_MMIO_LINEAR;

    return (cirrus->vga.seq[SR_CONFIG] & wanted) == wanted &&
           offset >= cirrus->vga.vram_size - REGISTERS_BYTES;
}

static uint8_t linear_read_byte(Cirrus *cirrus, uint64_t offset)
{
    if (has_linear_registers(cirrus, offset)) {
        return cirrus_blit_register_read(cirrus, offset & (REGISTERS_BYTES - 1));
    }
    return read_byte(cirrus, offset);
}

static void linear_write_byte(Cirrus *cirrus, uint64_t offset, uint8_t value)
{
    if (has_linear_registers(cirrus, offset)) {
        cirrus_blit_register_write(cirrus, offset & (REGISTERS_BYTES - 1), value);
    } else {
        write_byte(cirrus, offset, value);
    }
}

/* ---- windows: a transfer takes every access but those to registers ---- */

#define WINDOW(name) \
    static uint64_t name##_read(void *opaque, uint64_t offset, unsigned size) \
    { \
        Cirrus *cirrus = opaque; \
        uint64_t value = 0; \
\
        if (cirrus->transfer.kind == TRANSFER_TO_CPU && !has_##name##_registers(cirrus, offset)) { \
            return cirrus_transfer_read(cirrus, size); \
        } \
        for (unsigned i = 0; i < size; i++) { \
            value |= (uint64_t)name##_read_byte(cirrus, offset + i) << 8 * i; \
        } \
        return value; \
    } \
\
    static void name##_write(void *opaque, uint64_t offset, uint64_t value, unsigned size) \
    { \
        Cirrus *cirrus = opaque; \
\
        if (cirrus->transfer.kind == TRANSFER_FROM_CPU && \
            !has_##name##_registers(cirrus, offset)) { \
            cirrus_transfer_write(cirrus, value, size); \
            return; \
        } \
        for (unsigned i = 0; i < size; i++) { \
            name##_write_byte(cirrus, offset + i, value >> 8 * i); \
        } \
    } \
\
    static const MemOps name##_ops = { name##_read, name##_write };
WINDOW(low)
WINDOW(linear)

static uint64_t transfer_read(void *opaque, uint64_t offset, unsigned size)
{
    Cirrus *cirrus = opaque;

    return cirrus->transfer.kind == TRANSFER_TO_CPU ? cirrus_transfer_read(cirrus, size)
                                                    : UINT64_MAX;
}

static void transfer_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Cirrus *cirrus = opaque;

    if (cirrus->transfer.kind == TRANSFER_FROM_CPU) {
        cirrus_transfer_write(cirrus, value, size);
    }
}

static const MemOps transfer_ops = { transfer_read, transfer_write };

/* ---- the map ---- */

static bool is_plain(const Cirrus *cirrus)
{
    return cirrus->transfer.kind == TRANSFER_NONE && !is_by_16(cirrus) &&
           !(cirrus->vga.gfx[GR_EXTENSIONS] & (GR_EXT_BY_8 | GR_EXT_WRITES));
}

static void update_bank(Cirrus *cirrus, unsigned bank, bool plain)
{
    uint64_t start = bank_start(cirrus, bank);
    bool fits = start + BANK_BYTES <= cirrus->vga.vram_size;

    if (plain && fits) {
        mem_region_set_alias_offset(&cirrus->banks[bank], start);
    }
    mem_region_set_enabled(&cirrus->banks[bank], plain && fits);
}

void cirrus_update_windows(Cirrus *cirrus)
{
    const uint8_t linear_mmio = SR_CONFIG_MMIO | SR_CONFIG_MMIO_LINEAR;
    bool plain = is_plain(cirrus);

    mem_transaction_begin();
    for (unsigned i = 0; i < G_N_ELEMENTS(cirrus->banks); i++) {
        update_bank(cirrus, i, plain && is_packed(cirrus));
    }
    mem_region_set_enabled(&cirrus->vga.vram,
                           plain && (cirrus->vga.seq[SR_CONFIG] & linear_mmio) != linear_mmio);
    mem_transaction_commit();
}

void cirrus_map(Cirrus *cirrus, MemRegion *bus_mem)
{
    Object *owner = &cirrus->vga.dev->obj;
    uint64_t size = cirrus->vga.vram_size;

    mem_region_init(&cirrus->low, owner, "cirrus-lowmem-container", LOW_BYTES);
    mem_region_init_io(&cirrus->window, owner, "cirrus-low-memory", LOW_BYTES, &low_ops, cirrus);
    mem_region_add(&cirrus->low, 0, &cirrus->window);
    for (unsigned i = 0; i < G_N_ELEMENTS(cirrus->banks); i++) {
        static const char *const names[] = { "vga.bank0", "vga.bank1" };

        mem_region_init_alias(&cirrus->banks[i], owner, names[i], &cirrus->vga.vram, 0, BANK_BYTES);
        mem_region_set_enabled(&cirrus->banks[i], false);
        mem_region_add_priority(&cirrus->low, i * BANK_BYTES, &cirrus->banks[i], 1);
    }
    mem_region_add_priority(bus_mem, 0xa0000, &cirrus->low, 1);

    mem_region_init(&cirrus->bar, owner, "cirrus-pci-bar0", BAR_BYTES);
    mem_region_init_io(&cirrus->linear, owner, "cirrus-linear-io", size, &linear_ops, cirrus);
    mem_region_add(&cirrus->bar, 0, &cirrus->linear);
    mem_region_init_io(&cirrus->transfer_data, owner, "cirrus-bitblt-mmio", size, &transfer_ops,
                       cirrus);
    mem_region_add(&cirrus->bar, BAR_TRANSFER, &cirrus->transfer_data);
    mem_region_add_priority(&cirrus->bar, 0, &cirrus->vga.vram, 1);
}

void cirrus_unmap(Cirrus *cirrus)
{
    MemRegion *const regions[] = {
        &cirrus->banks[0], &cirrus->banks[1], &cirrus->window, &cirrus->low, &cirrus->linear,
        &cirrus->transfer_data, &cirrus->bar,
    };

    mem_region_remove(&cirrus->vga.vram);
    for (unsigned i = 0; i < G_N_ELEMENTS(regions); i++) {
        mem_region_finish(regions[i]);
    }
}
