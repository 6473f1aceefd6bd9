/*
 * A bare board with one virtio device behind the PCI transport, and the driver's half of it: finding
 * the windows, negotiation, rings in guest memory.  MSI messages are recorded, not delivered.
 */
#pragma once

#include <string.h>

#include "bare_board.h"
#include "keyval.h"
#include "virtio_pci.h"

#ifndef VIO_DEVFN
#define VIO_DEVFN   (3 << 3)
#endif
#define VIO_MEM     UINT64_C(0xe0000000)        /* the modern BAR */
#define VIO_MSIX    UINT64_C(0xe1000000)
#define VIO_IO      0xc000

/* Windows of the modern BAR. */
#define VIO_COMMON  (VIO_MEM + 0x0000)
#define VIO_ISR     (VIO_MEM + 0x1000)
#define VIO_DEVICE  (VIO_MEM + 0x2000)
#define VIO_NOTIFY  (VIO_MEM + 0x3000)

/* Rings of queue n, and where tests put buffers. */
#define RING_DESC(n)    (0x100000u + 0x10000u * (n))
#define RING_AVAIL(n)   (RING_DESC(n) + 0x4000)
#define RING_USED(n)    (RING_DESC(n) + 0x8000)
#define RING_SIZE       8u
#define BUFFER(n)       (0x400000u + 0x1000u * (n))

static Device *vio;
static unsigned msi_count;
static uint32_t msi_last;

static void vio_msi(Vm *machine, uint64_t address, uint32_t data)
{
    msi_count++;
    msi_last = data;
}

/* `props`: "name=value,…" or "". */
static inline Device *vio_add(const DeviceType *type, const char *addr, const char *props)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyVal) kv = keyval_parse(props, NULL, NULL);

    vio = device_new(&vm, type, NULL);
    bool ok = device_set(vio, "addr", addr, &error);

    for (size_t n = 0; ok && n < keyval_count(kv); n++) {
        ok = device_set(vio, keyval_key(kv, n), keyval_value(kv, n), &error);
    }
    if (!ok || !device_realize(vio, (Bus *)bare_bus, &error)) {
        g_error("%s: %s", type->name, error->message);
    }
    return vio;
}

static inline void vio_place(void)
{
    cfg_out(VIO_DEVFN, 0x10, VIO_IO, 4);
    cfg_out(VIO_DEVFN, 0x14, VIO_MSIX, 4);
    cfg_out(VIO_DEVFN, 0x20, (uint32_t)VIO_MEM, 4);
    cfg_out(VIO_DEVFN, 0x24, 0, 4);
    cfg_out(VIO_DEVFN, 0x04, 7, 2);
}

static inline void vio_board(const DeviceType *type, const char *props)
{
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    vm.msi_send = vio_msi;
    vio_add(type, "3", props);
    vm_start(&vm);
    devices_reset(&vm);
    vio_place();
}

static inline VirtioDevice *vio_device(void)
{
    return virtio_device_of(vio);
}

static inline uint64_t rd(uint64_t addr, unsigned size)
{
    return mem_load(&vm.memory, addr, size, NULL);
}

static inline void wr(uint64_t addr, uint64_t value, unsigned size)
{
    mem_store(&vm.memory, addr, value, size);
}

/* ---- negotiation, as 3.1.1 has it ---- */

static inline uint64_t vio_offered(void)
{
    uint64_t features;

    wr(VIO_COMMON + 0, 0, 4);
    features = rd(VIO_COMMON + 4, 4);
    wr(VIO_COMMON + 0, 1, 4);
    return features | rd(VIO_COMMON + 4, 4) << 32;
}

static inline void vio_accept(uint64_t features)
{
    wr(VIO_COMMON + 0x14, 3, 1);
    wr(VIO_COMMON + 8, 0, 4);
    wr(VIO_COMMON + 12, (uint32_t)features, 4);
    wr(VIO_COMMON + 8, 1, 4);
    wr(VIO_COMMON + 12, features >> 32, 4);
    wr(VIO_COMMON + 0x14, 11, 1);
}

static inline void vio_queue(unsigned n, unsigned size)
{
    static const uint8_t zero[0x10000];

    mem_write(&vm.memory, RING_DESC(n), zero, sizeof(zero));
    wr(VIO_COMMON + 0x16, n, 2);
    wr(VIO_COMMON + 0x18, size, 2);
    wr(VIO_COMMON + 0x1a, n + 1, 2);
    wr(VIO_COMMON + 0x20, RING_DESC(n), 4);
    wr(VIO_COMMON + 0x28, RING_AVAIL(n), 4);
    wr(VIO_COMMON + 0x30, RING_USED(n), 4);
    wr(VIO_COMMON + 0x1c, 1, 2);
}

/* MSI-X on, every vector v with data 0x40 + v. */
static inline void vio_msix(unsigned vectors)
{
    for (unsigned v = 0; v < vectors; v++) {
        wr(VIO_MSIX + 16 * v, 0xfee00000, 4);
        wr(VIO_MSIX + 16 * v + 8, 0x40 + v, 4);
        wr(VIO_MSIX + 16 * v + 12, 0, 4);
    }
    cfg_out(VIO_DEVFN, cfg_in(VIO_DEVFN, 0x34, 1) + 2, 0x8000, 2);
    wr(VIO_COMMON + 0x10, 0, 2);
}

/* Everything, up to DRIVER_OK, with `queues` queues of RING_SIZE entries. */
static inline void vio_start(uint64_t features, unsigned queues)
{
    vio_msix(queues + 1);
    vio_accept(features | VIRTIO_BIT(VIRTIO_F_VERSION_1));
    for (unsigned n = 0; n < queues; n++) {
        vio_queue(n, RING_SIZE);
    }
    wr(VIO_COMMON + 0x14, 15, 1);
}

static inline uint8_t vio_status(void)
{
    return rd(VIO_COMMON + 0x14, 1);
}

/* ---- rings ---- */

enum { D_NEXT = 1, D_WRITE = 2, D_INDIRECT = 4 };

static inline void desc_at(uint64_t table, unsigned i, uint64_t addr, uint32_t len, uint16_t flags,
                           uint16_t next)
{
    wr(table + 16 * i, addr, 8);
    wr(table + 16 * i + 8, len, 4);
    wr(table + 16 * i + 12, flags, 2);
    wr(table + 16 * i + 14, next, 2);
}

static inline void desc(unsigned n, unsigned i, uint64_t addr, uint32_t len, uint16_t flags,
                        uint16_t next)
{
    desc_at(RING_DESC(n), i, addr, len, flags, next);
}

static inline uint16_t used_index(unsigned n)
{
    return rd(RING_USED(n) + 2, 2);
}

/* Makes `head` available; the doorbell is another step. */
static inline void offer(unsigned n, uint16_t head)
{
    uint16_t index = rd(RING_AVAIL(n) + 2, 2);

    wr(RING_AVAIL(n) + 4 + 2 * (index % RING_SIZE), head, 2);
    wr(RING_AVAIL(n) + 2, (uint16_t)(index + 1), 2);
}

/* Rings, and lets the main loop do what follows. */
static inline void kick(unsigned n)
{
    wr(VIO_NOTIFY + 4 * n, n, 2);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

/* Runs the main loop until the device has given `count` elements back. */
static inline void wait_used(unsigned n, uint16_t count)
{
    while (used_index(n) != count) {
        g_main_context_iteration(NULL, TRUE);
    }
}

static inline uint32_t used_len(unsigned n, unsigned i)
{
    return rd(RING_USED(n) + 4 + 8 * (i % RING_SIZE) + 4, 4);
}

static inline uint32_t used_head(unsigned n, unsigned i)
{
    return rd(RING_USED(n) + 4 + 8 * (i % RING_SIZE), 4);
}
