/*
 * A guest that does anything to its Cirrus card.  Reaches: the registers on ports and in memory, the
 * blitter with every kind of source, transfers with the CPU, the windows in all their modes, packed
 * pixels, the pointer, drawing whatever comes of it, resets, and loading damaged state.  The input is
 * a list of accesses.
 */
#include <stdint.h>
#include <string.h>

#include "cirrus_board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One access: 8 bytes of input. */
typedef struct Access {
    uint8_t kind, detail;
    uint16_t where;
    uint32_t value;
} Access;

static void do_port(const Access *access)
{
    unsigned size = 1u << access->detail % 3;

    if (access->detail & 0x80) {
        in(0x3b0 + access->where % 0x30, size);
    } else {
        out(0x3b0 + access->where % 0x30, access->value, size);
    }
}

static void do_indexed(const Access *access)
{
    static const uint16_t ports[] = { 0x3c4, 0x3ce, 0x3d4, 0x3b4 };

    indexed(ports[access->detail % 4], access->where, access->value);
}

static void do_mmio(const Access *access)
{
    uint32_t addr = CIRRUS_REGS + access->where % 0x1000;
    unsigned size = 1u << (access->detail & 3);

    if (access->detail & 0x80) {
        mem_load(&vm.memory, addr, size, NULL);
    } else {
        mem_store(&vm.memory, addr, access->value, size);
    }
}

/* Geometry near the edges of what there is, as random registers seldom are. */
static void do_geometry(const Access *access)
{
    static const uint32_t edges[] = { 0, 1, 7, 0x3ff, 0x3ffff8, 0x3fffff, 0x200000, 0x1fff };
    uint32_t value = edges[access->detail % 8] + (access->value & 0xf);

    blit_reg(access->where % 2 ? 0x10 : 0x14, value, 3);
    blit_reg(0x08, access->value >> 8, 2);
    blit_reg(0x0a, access->value >> 24, 2);
    blit_reg(access->where % 3 ? 0x0c : 0x0e, edges[access->where % 8], 2);
}

static void do_blit(const Access *access)
{
    static const uint8_t rops[] = { 0x00, 0x05, 0x0d, 0x59, 0x6d, 0xd0, 0x06, 0x33 };

    blit_reg(0x0b, access->value & 3, 1);               /* not too many lines */
    blit_reg(0x18, access->where, 1);
    blit_reg(0x1a, rops[access->detail % 8], 1);
    blit_reg(0x1b, access->where >> 8, 1);
    blit_reg(0x17, access->value >> 8, 1);
    blit_reg(0x40, access->detail & 0x80 ? 4 : 0, 1);
    blit_reg(0x40, 2, 1);
}

static void do_memory(const Access *access)
{
    static const uint32_t places[] = { 0xa0000, 0xb0000, VRAM, CIRRUS_DATA };
    uint32_t addr = places[access->detail % 4] + access->where;
    unsigned size = 1u << (access->detail >> 2 & 3);

    addr += (access->detail & 2) != 0 ? (access->value & 0x3f) << 16 : 0;
    if (access->detail & 0x80) {
        mem_load(&vm.memory, addr, size, NULL);
    } else {
        mem_store(&vm.memory, addr, access->value, size);
    }
}

/* A stretch of what a driver writes, or reads, during a transfer. */
static void do_transfer(const Access *access)
{
    uint8_t bytes[512];

    memset(bytes, access->value, sizeof(bytes));
    if (access->detail & 0x80) {
        mem_read(&vm.memory, CIRRUS_DATA + access->where, bytes, access->value % sizeof(bytes));
    } else {
        mem_write(&vm.memory, access->detail & 1 ? VRAM + access->where : CIRRUS_DATA, bytes,
                  access->value % sizeof(bytes));
    }
}

static void do_mode(const Access *access)
{
    packed_mode(access->detail & 0x0e, access->where, access->value & 0x1fff);
}

static void do_look(const Access *access)
{
    ConsoleText text;

    if (access->detail & 1) {
        console_invalidate(screen());
    }
    console_refresh(screen());
    if (console_text(screen(), &text)) {
        for (unsigned row = 0; row < text.rows; row++) {
            (void)*(volatile const uint32_t *)&text.cells[row * text.stride + text.columns - 1];
        }
    }
}

/* Saves the card, changes a byte of it and loads that. */
static void do_state(const Access *access)
{
    g_autoptr(GByteArray) saved = g_byte_array_new();
    size_t at = 0;

    state_save(vga_card->type->state, vga_card, saved);
    saved->data[(access->where | (access->detail & 1) << 16) % saved->len] = access->value;
    if (!state_load(vga_card->type->state, vga_card, vga_card->type->state->version, saved->data,
                    saved->len, &at, NULL)) {
        devices_reset(&vm);
    }
}

static void (*const kinds[])(const Access *access) = {
    do_port, do_indexed, do_indexed, do_mmio, do_geometry, do_blit, do_blit, do_memory, do_transfer,
    do_mode, do_look, do_state,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;

    if (!ready) {
        cirrus_board();
        vm_start(&vm);
        ready = true;
    }
    devices_reset(&vm);
    cirrus_bars();
    for (size_t at = 0; at + sizeof(Access) <= size; at += sizeof(Access)) {
        Access access;

        memcpy(&access, data + at, sizeof(access));
        kinds[access.kind % G_N_ELEMENTS(kinds)](&access);
    }
    console_refresh(screen());
    return 0;
}
