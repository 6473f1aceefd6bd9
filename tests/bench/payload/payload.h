/*
 * What payloads share: ports, PCI configuration and a polled virtqueue of the legacy interface.
 *
 * Payloads are the cheapest drivers there can be, run in user mode with IOPL 3 (start.S), and
 * measure what a device costs the machine and not the guest.  COM1 tells whoever keeps the time:
 * 'b' when a row of work begins, 'e' at its end, '!' if something was wrong, '.' at the very end.
 * Virtio 1.1, 4.1.4.8 "Legacy Interfaces", 2.6 "Split Virtqueues".
 */
#pragma once

#include <stdint.h>

enum { IO_BASE = 0xc000 };
enum { HOST_FEATURES = 0, GUEST_FEATURES = 4, QUEUE_PFN = 8, QUEUE_SIZE = 12, QUEUE_SELECT = 14,
       QUEUE_NOTIFY = 16, STATUS = 18, DEVICE_CONFIG = 20 };
enum { DESC_NEXT = 1, DESC_WRITE = 2, AVAIL_NO_INTERRUPT = 1, USED_NO_NOTIFY = 1 };
enum { DEVICE_NET = 0x10001af4, DEVICE_BLOCK = 0x10011af4 };

typedef struct Desc { uint64_t addr; uint32_t len; uint16_t flags, next; } Desc;
typedef struct Avail { uint16_t flags, idx, ring[]; } Avail;
typedef struct Used { uint16_t flags, idx; struct { uint32_t id, len; } ring[]; } Used;

typedef struct Queue {
    uint16_t port, index, size, seen;
    Desc *desc;
    volatile Avail *avail;
    volatile Used *used;
} Queue;

static inline void out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint16_t in16(uint16_t port)
{
    uint16_t value;

    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t in32(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static uint32_t pci_read(unsigned slot, unsigned offset)
{
    out32(0xcf8, 0x80000000u | slot << 11 | offset);
    return in32(0xcfc);
}

static void pci_write(unsigned slot, unsigned offset, uint32_t value)
{
    out32(0xcf8, 0x80000000u | slot << 11 | offset);
    out32(0xcfc, value);
}

static inline void mark(char what)
{
    out8(0x3f8, what);
}

/* Resets the device in `slot` and lets it take `features`; its port. */
static uint16_t device_open(unsigned slot, uint32_t features)
{
    uint16_t port = IO_BASE + slot * 0x100;

    pci_write(slot, 0x10, port);
    pci_write(slot, 0x04, 7);
    out8(port + STATUS, 0);
    out8(port + STATUS, 3);
    out32(port + GUEST_FEATURES, features);
    return port;
}

/* Queue `index` of the device at `port`, in 64 KiB of memory at `place`. */
static void queue_open(Queue *queue, uint16_t port, uint16_t index, uint8_t *place)
{
    out16(port + QUEUE_SELECT, index);
    *queue = (Queue){ .port = port, .index = index, .size = in16(port + QUEUE_SIZE) };
    for (uint64_t *p = (uint64_t *)place; (uint8_t *)p < place + 0x10000; p++) {
        *p = 0;
    }
    queue->desc = (Desc *)place;
    queue->avail = (volatile Avail *)(place + 16u * queue->size);
    queue->used = (volatile Used *)(place + ((18u * queue->size + 6 + 4095) & ~4095u));
    queue->avail->flags = AVAIL_NO_INTERRUPT;
    out32(port + QUEUE_PFN, (uint32_t)(uintptr_t)place >> 12);
}

static inline void device_ready(uint16_t port)
{
    out8(port + STATUS, 7);
}

/* The chain that begins at descriptor `head` is the device's; it hears of it at the next kick. */
static inline void queue_offer(Queue *queue, uint16_t head)
{
    queue->avail->ring[queue->avail->idx % queue->size] = head;
    __asm__ volatile("" : : : "memory");
    queue->avail->idx++;
}

static inline void queue_kick(Queue *queue)
{
    __asm__ volatile("mfence" : : : "memory");
    if (!(queue->used->flags & USED_NO_NOTIFY)) {
        out16(queue->port + QUEUE_NOTIFY, queue->index);
    }
}

static inline int queue_has_used(const Queue *queue)
{
    return queue->used->idx != queue->seen;
}

static inline void queue_wait(const Queue *queue)
{
    while (!queue_has_used(queue)) {
        __asm__ volatile("pause");
    }
}

/* The first descriptor of the next chain the device is done with. */
static inline uint16_t queue_take(Queue *queue)
{
    return queue->used->ring[queue->seen++ % queue->size].id;
}
