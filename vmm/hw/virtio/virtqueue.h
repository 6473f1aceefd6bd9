/* A queue as transports, monitors and saved state see it; device models use virtio.h alone. */
#pragma once

#include "virtio.h"

#define VIRTQUEUE_LEGACY_ALIGN 4096         /* 2.7.2: of the used ring in the legacy layout */

/* Ring flags: 2.7.5, 2.7.6, 2.7.8. */
#define VIRTQ_DESC_NEXT             1
#define VIRTQ_DESC_WRITE            2
#define VIRTQ_DESC_INDIRECT         4
#define VIRTQ_AVAIL_NO_INTERRUPT    1
#define VIRTQ_USED_NO_NOTIFY        1

typedef struct VirtqDesc { uint64_t addr; uint32_t len; uint16_t flags, next; } VirtqDesc;

struct VirtQueue {
    /* wiring; handler, elem_size and max_size are fixed once added */
    VirtioDevice *vdev;
    VirtQueueHandler handler;
    size_t elem_size;
    uint16_t index, max_size;
    int doorbell;                           /* eventfd the driver's writes end in; -1: none yet */
    GSource *doorbell_source;               /* calls the handler; NULL: nobody listens */
    GMainContext *context;                  /* where; NULL: the main loop */
    int call;                               /* eventfd by which an iothread asks for interrupts */
    GSource *call_source;                   /* on the main loop; NULL: handler runs there */
    /* the rings in host memory, once used: NULL before */
    const uint8_t *desc_host, *avail_host;
    uint8_t *used_host;
    RamBlock *used_block;
    uint64_t used_offset;                   /* in the block */
    struct iovec *scratch;                  /* VIRTQUEUE_MAX_SIZE pieces of the chain being read */
    VirtElem *free_elems;
    uint32_t generation;                    /* of the ring: elements from before a reset are void */
    unsigned inflight;
    unsigned filled;                        /* used entries written, not yet flushed */
    bool signalled_valid;
    uint16_t signalled_used;                /* used index at the last interrupt decision */
    uint16_t shadow_avail;                  /* the driver's index when last read */
    bool notification;
    /* state */
    uint32_t num;                           /* entries the driver chose */
    uint64_t desc, avail, used;             /* guest addresses; desc 0: not set up */
    bool enabled;                           /* modern: queue_enable */
    uint16_t vector;                        /* atomic */
    uint16_t last_avail, used_idx;
};

void virtqueue_init(VirtQueue *vq, VirtioDevice *vdev, unsigned index);
void virtqueue_finish(VirtQueue *vq);
/* To how it was before the driver came; elements in flight are void. */
void virtqueue_reset(VirtQueue *vq);
/* Forgets where the rings are in host memory: their addresses changed. */
void virtqueue_unmap(VirtQueue *vq);
/* Legacy: addresses of the three parts from the page number of the first. */
void virtqueue_set_page(VirtQueue *vq, uint32_t pfn);
/* After a load: maps the rings and checks the indices. */
bool virtqueue_restore(VirtQueue *vq, GError **error);

/* ---- events (virtqueue_events.c): machine lock, but where another thread is named ---- */

/* The driver rang, and its write did not go to the eventfd. */
void virtqueue_ring(VirtQueue *vq);
/* Starts and stops listening to the doorbell; stopping waits for the queue's thread. */
void virtqueue_listen(VirtQueue *vq);
void virtqueue_unlisten(VirtQueue *vq);
/* Back to the main loop, nobody listening; an interrupt on its way is delivered. */
void virtqueue_settle(VirtQueue *vq);
/* From an iothread: the main loop raises the queue's interrupt, and looks for errors. */
void virtqueue_call(VirtQueue *vq);
void virtqueue_close_events(VirtQueue *vq);

/* ---- the driver's side of the device (virtio.c) ---- */
void virtio_doorbell(VirtioDevice *vdev, unsigned n);       /* it rang for queue n; n may be wrong */
void virtio_set_status(VirtioDevice *vdev, uint8_t status);
void virtio_start(VirtioDevice *vdev);                      /* DRIVER_OK; nothing if it is at work */
void virtio_reset(VirtioDevice *vdev);
/* Bits that were not offered are dropped. */
void virtio_set_features(VirtioDevice *vdev, uint64_t features);
uint64_t virtio_config_read(VirtioDevice *vdev, uint32_t offset, unsigned size);
void virtio_config_write(VirtioDevice *vdev, uint32_t offset, uint64_t value, unsigned size);
/* Bus mastering came or went. */
void virtio_set_disabled(VirtioDevice *vdev, bool disabled);
/* Ends the use of one queue: VIRTIO_F_RING_RESET. */
void virtio_queue_reset(VirtioDevice *vdev, VirtQueue *vq);
/* Bits only drivers before 1.0 may see. */
#define VIRTIO_LEGACY_FEATURES (VIRTIO_BIT(VIRTIO_F_NOTIFY_ON_EMPTY) | \
                                VIRTIO_BIT(VIRTIO_F_ANY_LAYOUT))

/* For monitors. */
uint16_t virtqueue_avail_word(VirtQueue *vq, unsigned n);       /* flags, idx, ring[n - 2] */
uint16_t virtqueue_used_word(VirtQueue *vq, unsigned n);        /* flags, idx */
bool virtqueue_map(VirtQueue *vq);          /* false: not set up, or not memory */
