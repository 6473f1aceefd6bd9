/*
 * A guest that does anything to its VGA.  Reaches: the registers on ports and in memory, the window
 * at a0000 in all its modes, dispi, the linear memory, drawing whatever comes of it, text for
 * terminals, resets, and loading damaged state.  The input is a list of accesses.
 */
#include <stdint.h>
#include <string.h>

#include "vga_board.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One access: 8 bytes of input. */
typedef struct Access {
    uint8_t kind, detail;
    uint16_t where;
    uint32_t value;
} Access;

static const VgaMode *const modes[] = { &mode_3, &mode_12, &mode_13 };
static const uint16_t ports[] = { 0x3c4, 0x3ce, 0x3d4, 0x3b4 };

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
    indexed(ports[access->detail % 4], access->where, access->value);
}

static void do_attribute(const Access *access)
{
    attribute(access->where, access->value);
    out(0x3c0, 0x20, 1);
}

static void do_dispi(const Access *access)
{
    dispi(access->where % 12, access->value);
}

static void do_mode(const Access *access)
{
    if (access->detail % 4 < 3) {
        set_mode(modes[access->detail % 4]);
    } else {
        vbe_mode(access->where, access->value >> 16, access->value & 0x3f);
    }
}

static void do_memory(const Access *access)
{
    static const uint32_t places[] = { 0xa0000, 0xb0000, VRAM, REGS };
    uint32_t addr = places[access->detail % 4] + access->where;
    unsigned size = 1u << (access->detail >> 2 & 3);

    addr += (access->detail & 3) == 2 ? (access->value & 0xff) << 16 : 0;
    if (access->detail & 0x80) {
        mem_load(&vm.memory, addr, size, NULL);
    } else {
        mem_store(&vm.memory, addr, access->value, size);
    }
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
            for (unsigned column = 0; column < text.columns; column++) {
                (void)*(volatile const uint32_t *)&text.cells[row * text.stride + column];
            }
        }
    }
    vm_clock_set_manual(&vm, access->value);
}

/* Saves the card, changes a byte of it and loads that. */
static void do_state(const Access *access)
{
    g_autoptr(GByteArray) saved = g_byte_array_new();
    size_t at = 0;

    state_save(vga_card->type->state, vga_card, saved);
    saved->data[access->where % saved->len] = access->value;
    if (!state_load(vga_card->type->state, vga_card, vga_card->type->state->version, saved->data,
                    saved->len, &at, NULL)) {
        devices_reset(&vm);
    }
}

static void (*const kinds[])(const Access *access) = {
    do_port, do_indexed, do_attribute, do_dispi, do_mode, do_memory, do_memory, do_look, do_state,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool ready;

    if (!ready) {
        vga_board();
        vm_start(&vm);
        ready = true;
    }
    devices_reset(&vm);
    cfg_out(VGA_DEVFN, 0x10, VRAM, 4);
    cfg_out(VGA_DEVFN, 0x18, REGS, 4);
    cfg_out(VGA_DEVFN, 0x04, 3, 2);
    for (size_t at = 0; at + sizeof(Access) <= size; at += sizeof(Access)) {
        Access access;

        memcpy(&access, data + at, sizeof(access));
        kinds[access.kind % G_N_ELEMENTS(kinds)](&access);
    }
    console_refresh(screen());
    return 0;
}
