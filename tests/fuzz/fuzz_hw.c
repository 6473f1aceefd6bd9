/*
 * A guest that does anything to the leaf devices of the PC.  Reaches: ports and registers in memory
 * of every one, APIC messages and MSRs, key and mouse input, time, and loading damaged state.  The
 * input is a list of accesses; CPUs do not run.
 */
#include <stdint.h>
#include <string.h>

#include "apic_board.h"
#include "hpet.h"
#include "i8042.h"
#include "i8254.h"
#include "i8257.h"
#include "keys.h"
#include "mc146818.h"
#include "pcspk.h"
#include "port92.h"
#include "ps2.h"
#include "serial.h"
#include "testdev.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One access: 8 bytes of input. */
typedef struct Access {
    uint8_t kind, size;
    uint16_t where;
    uint32_t value;
} Access;

static const uint32_t windows[] = { 0xfec00000, 0xfed00000, 0xfee00000, 0xff000000 };
static const uint16_t ports[] = {
    0x00, 0x20, 0x40, 0x60, 0x70, 0x80, 0xa0, 0xc0, 0xe0, 0x3f8, 0x4d0,
};
static Device *kbc;

static Device *add(const DeviceType *type)
{
    Device *dev = device_new(&vm, type, NULL);

    g_assert(device_realize(dev, type->bus == &isa_bus_type ? isa : NULL, NULL));
    return dev;
}

static void setup(void)
{
    Device *pit;

    apic_board();
    hpet_new(&vm, 0xfed00000, HPET_PC_INTCAP, NULL);
    pit = add(&i8254_type);
    pcspk_connect(add(&pcspk_type), pit);
    add(&mc146818_type);
    add(&port92_type);
    add(&isa_serial_type);
    add(&testdev_type);
    i8257_pair_new(&vm, isa, NULL);
    kbc = add(&i8042_type);
    for (int n = 0; n < 16; n++) {
        isa_lines[n] = i8259_pair_input(pics, n);
    }
    for (int n = 0; n < 24; n++) {
        gsi_lines[n] = ioapic_input(ioapic, n);
    }
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
    if (bytes->len > 0) {
        bytes->data[access->value % bytes->len] ^= access->value >> 16;
    }
    if (!state_load(state, dev, state->version, bytes->data, bytes->len, &pos, NULL)) {
        dev->type->reset(dev);
    }
}

static void damage_some_device(const Access *access)
{
    Bus *bus = access->where & 1 ? isa : vm.system_bus;
    Device *dev = g_ptr_array_index(bus->devices, access->where / 2 % bus->devices->len);

    damage_state(dev->type->reset != NULL ? dev : cpus[access->where & 1]->apic, access);
}

static void input_event(const Access *access)
{
    if (access->size & 1) {
        ps2_key_event(i8042_keyboard(kbc), access->where, access->value & 1);
    } else {
        ps2_mouse_event(i8042_mouse(kbc), (int)access->value, (int)(access->value << 8),
                        (int8_t)access->where, access->size);
    }
}

static void msr_access(const Access *access)
{
    CpuIntc *intc = &accessing->intc;
    uint32_t msr = access->where & 0x8000 ? 0x6e0 : 0x800 + (access->where & 0xff);
    uint64_t value = (uint64_t)access->value * (access->size & 2 ? UINT64_C(0x100000001) : 1);

    if (access->size & 4) {
        intc->set_base(intc->opaque, 0xfee00000 | (access->value & 0xd00));
    } else if (access->size & 1) {
        intc->write_msr(intc->opaque, msr, value);
    } else {
        intc->read_msr(intc->opaque, msr, &value);
    }
}

static void carry_out(const Access *access)
{
    unsigned size = 1u << access->size % 4;
    uint64_t addr = windows[access->size / 4 % G_N_ELEMENTS(windows)] + access->where % 0x1000;
    uint16_t port = ports[access->where / 32 % G_N_ELEMENTS(ports)] + access->where % 32;

    accessing = access->kind & 0x80 ? NULL : cpus[access->kind >> 6 & 1];
    switch (access->kind % 10) {
    case 0:
    case 1:
        mem_store(&vm.io, port, access->value, MIN(size, 4));
        break;
    case 2:
        mem_load(&vm.io, port, MIN(size, 4), NULL);
        break;
    case 3:
        mem_store(&vm.memory, addr, access->value, size);
        break;
    case 4:
        mem_load(&vm.memory, addr, size, NULL);
        break;
    case 5:
        vm_clock_set_manual(&vm, vm_clock_ns(&vm) + access->value % (100 * NS_PER_MS));
        break;
    case 6:
        take_vector(cpus[access->where & 1]);
        break;
    case 7:
        accessing = cpus[access->kind >> 6 & 1];
        msr_access(access);
        break;
    case 8:
        input_event(access);
        break;
    case 9:
        damage_some_device(access);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GString) text = g_string_new(NULL);

    if (kbc == NULL) {
        setup();
    }
    for (size_t at = 0; at + sizeof(Access) <= size; at += sizeof(Access)) {
        Access access;

        memcpy(&access, data + at, sizeof(access));
        carry_out(&access);
    }
    pics->type->view(pics, VIEW_PIC, text);
    ioapic->type->view(ioapic, VIEW_PIC, text);
    cpus[0]->apic->type->view(cpus[0]->apic, VIEW_LAPIC, text);
    __atomic_store_n(&vm.pending_requests, 0, __ATOMIC_SEQ_CST);
    devices_reset(&vm);
    for (int i = 0; i < 2; i++) {
        cpus[i]->intc.reset(cpus[i]->intc.opaque, false);
        cpus[i]->events = 0;
    }
    return 0;
}
