/* A board with a running UHCI controller, and a guest that knows how to fill its schedule. */
#pragma once

#include "bare_board.h"
#include "usb.h"

#define UHCI_DEVFN  0x10
#define UHCI_IO     0xc000
#define FRAME_LIST  0x10000
#define QUEUE       0x20000             /* the queue every frame leads to */
#define TDS         0x21000
#define BUFFERS     0x30000
#define END         1u                  /* of a list of links */

enum { IN = 0x69, OUT = 0xe1, SETUP = 0x2d };
enum { ACTIVE = 1 << 23, IOC = 1 << 24, SPD = 1 << 29, STALLED = 1 << 22, NAKED = 1 << 19,
       TIMEOUT = 1 << 18, BABBLED = 1 << 20 };

static Device *uhci;
static UsbBus *usb;
static int64_t now_ns;

static inline void poke32(uint32_t addr, uint32_t value)
{
    mem_store(&vm.memory, addr, value, 4);
}

static inline uint32_t peek32(uint32_t addr)
{
    return mem_load(&vm.memory, addr, 4, NULL);
}

static inline uint16_t reg(unsigned offset)
{
    return in(UHCI_IO + offset, 2);
}

static inline void set_reg(unsigned offset, uint16_t value)
{
    out(UHCI_IO + offset, value, 2);
}

static inline void run_frames(unsigned n)
{
    now_ns += n * NS_PER_MS;
    vm_clock_set_manual(&vm, now_ns);
}

static inline void usb_board(void)
{
    bare_setup();
    uhci = bare_add(&piix3_uhci_type, (Bus *)bare_bus, "2.0");
    usb = (UsbBus *)g_ptr_array_index(uhci->buses, 0);
    vm_start(&vm);
    devices_reset(&vm);
    cfg_out(UHCI_DEVFN, 0x20, UHCI_IO, 4);
    cfg_out(UHCI_DEVFN, 0x04, 0x05, 2);             /* ports and bus mastering */
    for (int i = 0; i < 1024; i++) {
        poke32(FRAME_LIST + 4 * i, QUEUE | 2);
    }
    poke32(QUEUE, END);
    poke32(QUEUE + 4, END);
    out(UHCI_IO + 8, FRAME_LIST, 4);
    set_reg(4, 0x0f);                               /* all interrupts */
    set_reg(0, 0x01);                               /* run */
}

static inline Device *usb_add(const DeviceType *type, const char *port)
{
    Device *dev = device_new(&vm, type, NULL);
    g_autoptr(GError) error = NULL;

    if ((port && !device_set(dev, "port", port, &error)) ||
        !device_realize(dev, &usb->bus, &error)) {
        g_error("%s", error->message);
    }
    return dev;
}

static inline void reset_root_port(unsigned n)
{
    set_reg(0x10 + 2 * n, 0x200);
    set_reg(0x10 + 2 * n, 0x00);
    set_reg(0x10 + 2 * n, 0x0e);                    /* enabled, changes cleared */
}

static inline void put_td(unsigned n, uint32_t link, uint32_t ctrl, uint8_t pid, uint8_t addr,
                          uint8_t endpoint, uint32_t len)
{
    uint32_t td = TDS + 16 * n;

    poke32(td, link);
    poke32(td + 4, ctrl);
    poke32(td + 8, pid | (uint32_t)addr << 8 | (uint32_t)endpoint << 15 | (len - 1) << 21);
    poke32(td + 12, BUFFERS + 0x1000 * n);
}

static inline uint32_t td_status(unsigned n)
{
    return peek32(TDS + 16 * n + 4);
}

/* Bytes that went over, by the descriptor. */
static inline unsigned td_actual(unsigned n)
{
    return (td_status(n) + 1) & 0x7ff;
}

static inline void *buffer(unsigned n)
{
    return bare_ram.ram->host + BUFFERS + 0x1000 * n;
}

/* One transaction in a frame of its own; its control bits. */
static inline uint32_t transact(uint8_t pid, uint8_t addr, uint8_t endpoint, uint32_t len)
{
    put_td(0, END, ACTIVE, pid, addr, endpoint, len);
    poke32(QUEUE + 4, TDS);
    run_frames(1);
    poke32(QUEUE + 4, END);
    return td_status(0);
}

/*
 * A control transfer of up to 4 KiB without a data stage longer than a packet of 1 KiB.  Bytes
 * read or written; -1: stalled.
 */
static inline int control(uint8_t addr, uint8_t type, uint8_t request, uint16_t value,
                          uint16_t index, uint16_t len, void *data)
{
    uint8_t setup[8] = { type, request, value, value >> 8, index, index >> 8, len, len >> 8 };
    bool reads = type & 0x80;
    int actual = 0;

    memcpy(buffer(0), setup, sizeof(setup));
    if (transact(SETUP, addr, 0, 8) & STALLED) {
        return -1;
    }
    if (len > 0) {
        if (!reads) {
            memcpy(buffer(0), data, len);
        }
        if (transact(reads ? IN : OUT, addr, 0, len) & STALLED) {
            return -1;
        }
        actual = td_actual(0);
        if (reads) {
            memcpy(data, buffer(0), actual);
        }
    }
    return transact(reads && len > 0 ? OUT : IN, addr, 0, 0x800) & STALLED ? -1 : actual;
}

/* Resets the root port and gives the device there an address and its configuration. */
static inline void enumerate(unsigned port, uint8_t addr)
{
    reset_root_port(port);
    if (control(0, 0, 5, addr, 0, 0, NULL) < 0 || control(addr, 0, 9, 1, 0, 0, NULL) < 0) {
        g_error("the device does not take an address");
    }
}
