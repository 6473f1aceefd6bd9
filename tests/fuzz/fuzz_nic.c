/*
 * A guest, and a wire, that do anything to PCI cards.  Reaches: registers, configuration space and
 * rings of e1000, rtl8139, virtio-net, pci-serial and i6300esb, frames of any length, time, and
 * loading damaged state.  The input is a list of accesses; rings lie where the accesses write.
 */
#include <stdint.h>
#include <string.h>

#include "e1000.h"
#include "i6300esb.h"
#include "nic_board.h"
#include "pci_serial.h"
#include "rtl8139.h"
#include "virtio_devices.h"
#include "virtio_net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One access: 8 bytes of input. */
typedef struct Access {
    uint8_t kind, card;
    uint16_t where;
    uint32_t value;
} Access;

#define CARDS       5
#define MEM(n)      (0xe0000000u + 0x100000u * (n))
#define PORTS(n)    (0xc000u + 0x100u * (n))
#define SLOT(n)     ((3 + (n)) << 3)

/* BARs of memory and of ports, -1: none; registers worth hitting are below `span`. */
static const struct {
    const DeviceType *type;
    int mem, io;
    uint32_t span;
    bool nic;
} cards[CARDS] = {
    { &e1000_type, 0, 1, 0x6000, true }, { &rtl8139_type, 1, 0, 0x100, true },
    { &virtio_net_pci_type, 4, 0, 0x4000, true }, { &pci_serial_4x_type, -1, 0, 0x20, false },
    { &i6300esb_type, 0, -1, 0x10, false },
};
static Device *devices[CARDS];
static NetClient *wires[CARDS];

static void place(void)
{
    for (unsigned i = 0; i < CARDS; i++) {
        if (cards[i].mem >= 0) {
            cfg_out(SLOT(i), 0x10 + 4 * cards[i].mem, MEM(i), 4);
        }
        if (cards[i].io >= 0) {
            cfg_out(SLOT(i), 0x10 + 4 * cards[i].io, PORTS(i), 4);
        }
        cfg_out(SLOT(i), 0x04, 7, 2);
    }
}

static void setup(void)
{
    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    frames = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (unsigned i = 0; i < CARDS; i++) {
        g_autofree char *name = g_strdup_printf("n%u", i);
        g_autofree char *addr = g_strdup_printf("%x", 3 + i);

        devices[i] = device_new(&vm, cards[i].type, name);
        g_assert(device_set(devices[i], "addr", addr, NULL));
        if (cards[i].nic) {
            g_autofree char *wire_name = g_strdup_printf("w%u", i);

            wires[i] = net_client_new(&wire_type, "wire", wire_name);
            g_assert(device_set(devices[i], "romfile", "", NULL));
            g_assert(device_set(devices[i], "netdev", wire_name, NULL));
        }
        g_assert(device_realize(devices[i], (Bus *)bare_bus, NULL));
    }
    vm_start(&vm);
}

/* Saves a device, damages a byte, loads what is left. */
static void damage_state(Device *dev, const Access *access)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    const StateDesc *state = dev->type->state;
    size_t pos = 0;

    if (state == NULL) {
        return;
    }
    state_save(state, dev, bytes);
    bytes->data[access->value % bytes->len] ^= access->value >> 24;
    if (!state_load(state, dev, state->version, bytes->data, bytes->len, &pos, NULL)) {
        dev->type->reset(dev);
        place();
    }
}

static void frame_arrives(unsigned n, const Access *access)
{
    static uint8_t frame[20000];

    if (wires[n] != NULL) {
        memcpy(frame, access->value & 1 ? "\xff\xff\xff\xff\xff\xff" : (char *)nic_mac, 6);
        memcpy(frame + 12, &access->value, 4);
        net_send_buf(wires[n], frame, access->where % sizeof(frame));
    }
}

static void carry_out(const Access *access)
{
    unsigned n = access->card % CARDS, size = 1u << access->card / CARDS % 3;
    uint32_t at = access->where % cards[n].span;

    switch (access->kind % 10) {
    case 0:
    case 1:
        mem_store(&vm.memory, MEM(n) + at, access->value, size);
        break;
    case 2:
        mem_load(&vm.memory, MEM(n) + at, size, NULL);
        break;
    case 3:
        mem_store(&vm.io, PORTS(n) + at % 0x100, access->value, size);
        break;
    case 4:
        mem_load(&vm.io, PORTS(n) + at % 0x100, size, NULL);
        break;
    case 5:
        mem_store(&vm.memory, 0x1000u * (access->card / 64) + access->where, access->value, 4);
        break;
    case 6:
        frame_arrives(n, access);
        break;
    case 7:
        vm_clock_set_manual(&vm, vm_clock_ns(&vm) + access->value % (100 * NS_PER_MS));
        while (g_main_context_iteration(NULL, FALSE)) {
        }
        break;
    case 8:
        cfg_out(SLOT(n), access->where & 0xfc, access->value, 4);
        break;
    case 9:
        damage_state(devices[n], access);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (devices[0] == NULL) {
        setup();
    }
    devices_reset(&vm);
    place();
    for (size_t at = 0; at + sizeof(Access) <= size; at += sizeof(Access)) {
        Access access;

        memcpy(&access, data + at, sizeof(access));
        carry_out(&access);
        g_ptr_array_set_size(frames, 0);
    }
    __atomic_store_n(&vm.pending_requests, 0, __ATOMIC_SEQ_CST);
    return 0;
}
