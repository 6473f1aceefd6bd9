/*
 * Virtio devices, as their models see them: Virtual I/O Device (VIRTIO) version 1.2, split rings,
 * with the legacy interface for transitional devices.
 *
 * A device is two: the transport the guest finds (virtio-blk-pci, virtio_pci.h) and, on the bus
 * inside it, the device proper (virtio-blk-device), whose struct starts with a VirtioDevice and
 * whose DeviceType has .bus = &virtio_bus_type and .bus_class = a VirtioClass.
 *
 * Life: realize() calls virtio_init() and virtio_add_queue(); unrealize() calls virtio_finish().
 * The driver negotiates features, sets up queues, says DRIVER_OK: start().  From then on a queue's
 * handler runs when the driver has put something in.  stop() ends that before every reset.
 *
 * Threads: everything on the main thread or a vCPU's, machine lock held.  A device may move a
 * queue to an iothread (virtio_queue_set_context() in start()): then its handler, and the
 * virtqueue_* calls for it, are that thread's alone and run without the lock; the core moves it
 * back, waiting for the thread, before it calls stop().
 *
 * A driver that breaks the rules of the ring gets a device that has stopped (DEVICE_NEEDS_RESET)
 * until it is reset: virtio_error().
 *
 * Not modelled: packed rings, notification data, IOMMU, big-endian legacy guests.
 */
#pragma once

#include <sys/uio.h>

#include "iov.h"
#include "vm_core.h"

/* Device ids: chapter 5. */
enum {
    VIRTIO_ID_NET = 1, VIRTIO_ID_BLOCK = 2, VIRTIO_ID_CONSOLE = 3, VIRTIO_ID_RNG = 4,
    VIRTIO_ID_BALLOON = 5, VIRTIO_ID_SCSI = 8,
};

/* Device status: 2.1. */
enum {
    VIRTIO_STATUS_ACKNOWLEDGE = 1, VIRTIO_STATUS_DRIVER = 2, VIRTIO_STATUS_DRIVER_OK = 4,
    VIRTIO_STATUS_FEATURES_OK = 8, VIRTIO_STATUS_NEEDS_RESET = 64, VIRTIO_STATUS_FAILED = 128,
};

/* Feature bits every device may have: chapter 6; 6.3 for the legacy ones. */
enum {
    VIRTIO_F_NOTIFY_ON_EMPTY = 24, VIRTIO_F_ANY_LAYOUT = 27, VIRTIO_F_INDIRECT_DESC = 28,
    VIRTIO_F_EVENT_IDX = 29, VIRTIO_F_BAD_FEATURE = 30, VIRTIO_F_VERSION_1 = 32,
    VIRTIO_F_ACCESS_PLATFORM = 33, VIRTIO_F_RING_PACKED = 34, VIRTIO_F_RING_RESET = 40,
};
#define VIRTIO_BIT(n) (UINT64_C(1) << (n))

#define VIRTIO_MAX_QUEUES   64              /* of a device */
#define VIRTQUEUE_MAX_SIZE  1024            /* entries of a ring, and pieces of one element */
#define VIRTIO_NO_VECTOR    0xffff

typedef struct VirtioDevice VirtioDevice;
typedef struct VirtQueue VirtQueue;
typedef struct VirtioBus VirtioBus;

/* Constant facts of a device type. Function members may be NULL. */
typedef struct VirtioClass {
    uint16_t device_id;
    const char *name;                       /* "virtio-blk": in messages and `info virtio` */
    /*
     * The device's own bits it offers (0–23, 50–63 and what it wants of the rest); asked after
     * realize.  The common ones are the core's.
     */
    uint64_t (*features)(VirtioDevice *vdev);
    /* The driver's choice is in vdev->features; called at FEATURES_OK, or as legacy drivers write. */
    void (*features_set)(VirtioDevice *vdev);
    /* Fills in / takes over the configuration space: vdev->config_len bytes, little endian. */
    void (*config_get)(VirtioDevice *vdev, uint8_t *config);
    void (*config_set)(VirtioDevice *vdev, const uint8_t *config);
    void (*start)(VirtioDevice *vdev);
    /* When it returns no element is in the device's hands: wait for what is under way. */
    void (*stop)(VirtioDevice *vdev);
    void (*reset)(VirtioDevice *vdev);      /* to how it was after realize */
    /* As stop(), for one queue (2.6.1); NULL: VIRTIO_F_RING_RESET is not offered. */
    void (*queue_stop)(VirtioDevice *vdev, VirtQueue *vq);
    /* The machine stopped or runs again; start() and stop() are not called for that. */
    void (*running)(VirtioDevice *vdev, bool running);
    const StateDesc *state;                 /* its own part of the saved state; NULL: none */
} VirtioClass;

struct VirtioDevice {
    Device dev;
    /* configuration: properties of the bus */
    bool indirect_desc, event_idx, notify_on_empty, any_layout, iommu_platform, packed;
    bool queue_reset, use_started, use_disabled_flag, disable_legacy_check;
    /* wiring */
    VirtioBus *bus;
    AddressSpace *dma;                      /* what its rings and buffers are read through */
    VirtQueue **queues;
    unsigned n_queues;
    uint64_t host_features;                 /* what the driver may choose from */
    uint8_t *config;                        /* as the driver last saw it */
    uint32_t config_len;
    bool started, running;                  /* between start() and stop(); the machine runs */
    /* guest-visible state */
    uint64_t features;                      /* chosen */
    uint8_t status;                         /* atomic */
    uint8_t isr;                            /* atomic: bit 0 queue, bit 1 configuration */
    uint16_t queue_sel, config_vector;
    uint8_t generation;                     /* of the configuration space */
    bool broken, disabled;                  /* atomic; disabled: no bus mastering */
    bool error_pending;                     /* atomic: an iothread's virtio_error() */
    bool load_started;                      /* `started` in the saved form */
};

/* Its bus; a transport fills in the functions. */
struct VirtioBus {
    Bus bus;
    VirtioDevice *vdev;                     /* NULL until realized */
    AddressSpace *dma;
    bool modern;                            /* offers VIRTIO_F_VERSION_1 */
    bool legacy;                            /* and drivers may live without it */
    /*
     * Interrupt for `vector`; the isr bits are set.  Any thread.  False: it takes the machine lock,
     * which this thread does not have, and the main loop is to call again.
     */
    bool (*interrupt)(VirtioBus *bus, uint16_t vector);
    /* The driver's doorbell writes for the queue go to the eventfd `fd`; -1: to virtqueue_ring(). */
    void (*doorbell)(VirtioBus *bus, VirtQueue *vq, int fd);
    /* The transport's part of the saved state: of the device (vq NULL), of each queue. */
    void (*save)(VirtioBus *bus, VirtQueue *vq, GByteArray *out);
    bool (*load)(VirtioBus *bus, VirtQueue *vq, StateReader *in, GError **error);
    const StateDesc *extra_state;           /* of the device the bus is in; NULL: none */
    bool (*has_extra_state)(const VirtioBus *bus);
};
extern const BusType virtio_bus_type;

static inline bool virtio_has(const VirtioDevice *vdev, unsigned bit)
{
    return vdev->features >> bit & 1;
}

/* ---- life ---- */

/* First thing in realize. */
void virtio_init(VirtioDevice *vdev, uint32_t config_len);
void virtio_finish(VirtioDevice *vdev);

/*
 * `handler` is called when the driver put elements into the queue.  `size` entries, a power of two
 * ≤ VIRTQUEUE_MAX_SIZE; the driver may choose fewer.  `elem_size`: of the device's own request
 * struct that starts with a VirtElem; what is behind is not cleared.
 */
typedef void (*VirtQueueHandler)(VirtioDevice *vdev, VirtQueue *vq);
VirtQueue *virtio_add_queue(VirtioDevice *vdev, unsigned size, VirtQueueHandler handler,
                            size_t elem_size);
unsigned virtqueue_index(const VirtQueue *vq);
VirtioDevice *virtqueue_device(const VirtQueue *vq);

/* In start(): its handler runs on that context's thread until stop(). */
void virtio_queue_set_context(VirtQueue *vq, GMainContext *context);
/* The handler is called again soon, as if the driver had rung: for work put off. */
void virtqueue_reschedule(VirtQueue *vq);

/* The configuration space changed by itself: tells the driver. Machine lock. */
void virtio_config_changed(VirtioDevice *vdev);

/* The driver broke a rule: the device stops until it is reset.  Any thread. */
void virtio_error(VirtioDevice *vdev, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* ---- elements ---- */

/*
 * A chain of buffers: first what the device reads, then what it writes.  The pieces are guest
 * memory: the guest may change what is there at any moment, so read a field once.
 */
typedef struct VirtElem {
    struct iovec *out, *in;                 /* read by the device; written by it */
    unsigned n_out, n_in;
    size_t out_len, in_len;                 /* bytes in all */
    /* the queue's */
    VirtQueue *vq;
    struct VirtElem *next;
    uint32_t generation;                    /* of the ring it came from */
    uint16_t head;
    uint16_t capacity;                      /* pieces there is room for */
} VirtElem;

/*
 * The next element, or NULL: none, or the driver broke a rule.  Freed by virtqueue_push(), _fill(),
 * _unpop() or _drop().
 */
void *virtqueue_pop(VirtQueue *vq);
/* Puts back what was popped last. */
void virtqueue_unpop(VirtQueue *vq, void *elem);
/* Frees it without telling the driver: in stop(). */
void virtqueue_drop(VirtQueue *vq, void *elem);

/* Gives the element back, its first `written` bytes of in written. */
void virtqueue_push(VirtQueue *vq, void *elem, uint32_t written);
/* The same in two steps: the driver sees everything filled in at the next flush, in order. */
void virtqueue_fill(VirtQueue *vq, void *elem, uint32_t written);
void virtqueue_flush(VirtQueue *vq);
/* Interrupts the driver if it asked for it; once after a batch of pushes. */
void virtqueue_notify(VirtQueue *vq);

/*
 * Whether the driver should ring for new elements: switched off while a handler is at work.  After
 * switching it on, look once more:
 *
 *     do {
 *         virtqueue_set_notification(vq, false);
 *         while ((req = virtqueue_pop(vq)) != NULL) …
 *         virtqueue_set_notification(vq, true);
 *     } while (!virtqueue_empty(vq));
 */
void virtqueue_set_notification(VirtQueue *vq, bool on);
bool virtqueue_empty(VirtQueue *vq);
bool virtqueue_ready(const VirtQueue *vq);          /* set up, and the device may use it */
/* Elements in flight: popped, not yet given back. */
unsigned virtqueue_inflight(const VirtQueue *vq);
/*
 * Room for input in the elements that wait: stops looking at `enough` bytes, or after `max` elements.
 * A driver may queue buffers without any.
 */
size_t virtqueue_in_bytes(VirtQueue *vq, size_t enough, unsigned max);

/* ---- saved state (virtio_state.c) ---- */

/*
 * The one field of a device's DeviceType.state, whose name is VirtioClass.name: transport,
 * negotiation, queues, then what VirtioClass.state tells.
 */
extern const StateCustom virtio_state_custom;
#define VIRTIO_STATE_FIELD STATE_CUSTOM("virtio", virtio_state_custom)
/* Elements in the device's hands: popped again by their head, as part of a device's own state. */
uint16_t virtqueue_head(const void *elem);
void *virtqueue_pop_head(VirtQueue *vq, uint16_t head);     /* NULL: no such chain */

/* ---- for monitors and transports: virtio_info.c, virtqueue.h ---- */
VirtioDevice *virtio_device_of(Device *dev);        /* itself or the one inside; NULL: neither */
