/*
 * Each row of `work` on each virtio-blk disk, in order of PCI slots.  Virtio 1.1, 5.2 "Block
 * Device".
 */
#include "payload.h"

#define QUEUE           ((uint8_t *)0x100000)
#define HEADERS         ((Header *)0x180000)
#define STATES          ((volatile uint8_t *)0x190000)
#define BUFFERS         0x1000000u

enum { CAPACITY = DEVICE_CONFIG };
enum { FEATURE_FLUSH = 1 << 9 };        /* without it a disk may not keep writes in a cache */

typedef struct Header { uint32_t type, reserved; uint64_t sector; } Header;

/* tests/bench/compare has names for these. */
typedef struct Work { uint32_t write, bytes, random, depth, count; } Work;
static const Work work[] = {
    { 0, 1 << 20, 0, 4, 1024 },
    { 1, 1 << 20, 0, 4, 1024 },
    { 0, 4096, 1, 1, 10000 },
    { 0, 4096, 1, 32, 100000 },
    { 1, 4096, 1, 1, 10000 },
    { 1, 4096, 1, 32, 100000 },
};

typedef struct Disk {
    Queue queue;
    uint64_t sectors, at, seed;
} Disk;

static void prepare(Disk *disk, const Work *row)
{
    disk->at = 0;
    disk->seed = 1;
    for (unsigned slot = 0; slot < row->depth; slot++) {
        Desc *desc = &disk->queue.desc[3 * slot];

        HEADERS[slot].type = row->write;
        desc[0] = (Desc){ (uintptr_t)&HEADERS[slot], sizeof(Header), DESC_NEXT, 3 * slot + 1 };
        desc[1] = (Desc){ BUFFERS + (uint64_t)slot * row->bytes, row->bytes,
                          DESC_NEXT | (row->write ? 0 : DESC_WRITE), 3 * slot + 2 };
        desc[2] = (Desc){ (uintptr_t)&STATES[slot], 1, DESC_WRITE, 0 };
    }
}

static void submit(Disk *disk, const Work *row, unsigned slot)
{
    uint64_t units = disk->sectors * 512 / row->bytes;
    uint64_t unit = disk->at++ % units;

    if (row->random) {
        disk->seed = disk->seed * 6364136223846793005u + 1442695040888963407u;
        unit = (disk->seed >> 33) % units;
    }
    HEADERS[slot].sector = unit * row->bytes / 512;
    STATES[slot] = 0xff;
    queue_offer(&disk->queue, 3 * slot);
}

static void run(Disk *disk, const Work *row)
{
    uint32_t begun = 0, done = 0;

    prepare(disk, row);
    mark('b');
    for (; begun < row->depth; begun++) {
        submit(disk, row, begun);
    }
    queue_kick(&disk->queue);
    while (done < row->count) {
        uint32_t before = begun;

        queue_wait(&disk->queue);
        while (queue_has_used(&disk->queue)) {
            unsigned slot = queue_take(&disk->queue) / 3;

            if (STATES[slot] != 0) {
                mark('!');
            }
            done++;
            if (begun < row->count) {
                submit(disk, row, slot);
                begun++;
            }
        }
        if (begun != before) {
            queue_kick(&disk->queue);
        }
    }
    mark('e');
}

static void run_disk(unsigned slot)
{
    uint16_t port = device_open(slot, FEATURE_FLUSH);
    Disk disk = { 0 };

    queue_open(&disk.queue, port, 0, QUEUE);
    device_ready(port);
    disk.sectors = in32(port + CAPACITY) | (uint64_t)in32(port + CAPACITY + 4) << 32;
    for (unsigned i = 0; i < sizeof(work) / sizeof(work[0]); i++) {
        run(&disk, &work[i]);
    }
    out8(port + STATUS, 0);
}

void payload(void)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        if (pci_read(slot, 0) == DEVICE_BLOCK) {
            run_disk(slot);
        }
    }
    mark('.');
    for (;;) {
        __asm__ volatile("pause");
    }
}
