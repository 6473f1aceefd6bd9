/*
 * Virtio entropy device: VIRTIO 1.2, 5.4.  Buffers the driver queues come back filled, one at a
 * time, with bytes of an rng back end; max-bytes= in period= bounds the rate.
 */
#include "rhea_error.h"
#include "rng.h"
#include "virtio_devices.h"
#include "virtio_pci.h"

enum { RNG_QUEUE_SIZE = 8 };

typedef struct VirtioRng {
    VirtioDevice vdev;
    /* configuration */
    UserObject *rng;                        /* rng=; NULL: one of our own */
    uint64_t max_bytes;                     /* in each period */
    uint32_t period_ms;
    /* wiring */
    UserObject *own_rng;
    VirtQueue *queue;
    VmTimer timer;                          /* the next period */
    VirtElem *waiting;                      /* for bytes; NULL: none */
    uint64_t quota;                         /* bytes left in this period */
} VirtioRng;

static void serve(VirtioRng *vrng);

static UserObject *source(const VirtioRng *vrng)
{
    return vrng->rng != NULL ? vrng->rng : vrng->own_rng;
}

static void got_bytes(void *opaque, const uint8_t *bytes, size_t len)
{
    VirtioRng *vrng = opaque;
    VirtElem *elem = vrng->waiting;

    vrng->waiting = NULL;
    vrng->quota -= MIN(len, vrng->quota);
    virtqueue_push(vrng->queue, elem, iov_from_buf(elem->in, elem->n_in, 0, bytes, len));
    virtqueue_notify(vrng->queue);
    serve(vrng);
}

/* Asks for bytes for the next buffer, unless that was done or the period's are used up. */
static void serve(VirtioRng *vrng)
{
    if (vrng->waiting != NULL || !vrng->vdev.running) {
        return;
    }
    if (vrng->quota == 0) {
        if (!vm_timer_is_set(&vrng->timer)) {
            vm_timer_set(&vrng->timer,
                         vm_clock_ns(vrng->vdev.dev.vm) + vrng->period_ms * NS_PER_MS);
        }
        return;
    }
    for (unsigned n = 0; n < RNG_QUEUE_SIZE; n++) {
        vrng->waiting = virtqueue_pop(vrng->queue);
        if (vrng->waiting == NULL) {
            return;
        }
        size_t len = MIN(MIN(vrng->waiting->in_len, vrng->quota), RNG_MAX_REQUEST);

        if (len > 0) {
            rng_request(source(vrng), len, got_bytes, vrng);
            return;
        }
        virtqueue_push(vrng->queue, vrng->waiting, 0);      /* a buffer without room */
        vrng->waiting = NULL;
        virtqueue_notify(vrng->queue);
    }
    virtqueue_reschedule(vrng->queue);
}

static void rng_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    serve(DEVICE_CAST(&vdev->dev, VirtioRng));
}

static void rng_next_period(void *opaque)
{
    VirtioRng *vrng = opaque;

    vrng->quota = vrng->max_bytes;
    serve(vrng);
}

/* ---- life ---- */

static void rng_stop(VirtioDevice *vdev)
{
    VirtioRng *vrng = DEVICE_CAST(&vdev->dev, VirtioRng);

    if (vrng->waiting != NULL) {
        rng_cancel(source(vrng), vrng);
        virtqueue_drop(vrng->queue, vrng->waiting);
        vrng->waiting = NULL;
    }
}

/* What waits goes back into the queue: a stopped machine's state is all in memory. */
static void rng_running(VirtioDevice *vdev, bool running)
{
    VirtioRng *vrng = DEVICE_CAST(&vdev->dev, VirtioRng);

    if (!running && vrng->waiting != NULL) {
        rng_cancel(source(vrng), vrng);
        virtqueue_unpop(vrng->queue, vrng->waiting);
        vrng->waiting = NULL;
    }
}

static const StateField rng_fields[] = { VIRTIO_STATE_FIELD, {} };
static const StateDesc rng_state = { .name = "virtio-rng", .version = 1, .fields = rng_fields };

static const Property rng_props[] = {
    PROP_UINT64(VirtioRng, max_bytes, .name = "max-bytes", .def = INT64_MAX,
                .help = "bytes the guest gets in each period"),
    PROP_UINT32(VirtioRng, period_ms, .name = "period", .def = 1 << 16,
                .help = "length of a period, milliseconds"),
    PROP_LINK(VirtioRng, rng, RNG_BACKEND, .name = "rng",
              .help = "id of the source; default: an rng-builtin"),
    {}
};

static bool rng_check(const VirtioRng *vrng, GError **error)
{
    if (vrng->period_ms == 0) {
        set_error(error, "'period' parameter expects a positive integer");
        return false;
    }
    if (vrng->max_bytes > INT64_MAX) {
        set_error(error, "'max-bytes' parameter must be non-negative, and less than 2^63");
        return false;
    }
    return true;
}

static bool rng_realize(Device *dev, GError **error)
{
    VirtioRng *vrng = DEVICE_CAST(dev, VirtioRng);

    if (!rng_check(vrng, error)) {
        return false;
    }
    if (vrng->rng == NULL) {
        vrng->own_rng = user_object_new_typed(dev->vm, &rng_builtin_type, NULL, NULL, error);
        if (vrng->own_rng == NULL) {
            return false;
        }
        object_add_child(&dev->obj, "default-backend", &vrng->own_rng->obj);
    }
    virtio_init(&vrng->vdev, 0);
    vrng->queue = virtio_add_queue(&vrng->vdev, RNG_QUEUE_SIZE, rng_handle, sizeof(VirtElem));
    vm_timer_init(&vrng->timer, dev->vm, rng_next_period, vrng);
    vrng->quota = vrng->max_bytes;
    return true;
}

static void rng_unrealize(Device *dev)
{
    VirtioRng *vrng = DEVICE_CAST(dev, VirtioRng);

    if (vrng->queue != NULL) {
        virtio_finish(&vrng->vdev);
        vm_timer_finish(&vrng->timer);
    }
    g_clear_pointer(&vrng->own_rng, user_object_free);
}

static const VirtioClass rng_class = {
    .device_id = VIRTIO_ID_RNG, .name = "virtio-rng", .stop = rng_stop,
    .running = rng_running,
};

const DeviceType virtio_rng_device_type = {
    .name = "virtio-rng-device", .category = "misc", .bus = &virtio_bus_type,
    .bus_class = &rng_class, .size = sizeof(VirtioRng), .props = rng_props,
    .state = &rng_state, .realize = rng_realize, .unrealize = rng_unrealize,
};

#define RNG_PCI_PROPS \
    VIRTIO_PCI_PROP_IOEVENTFD, VIRTIO_PCI_PROP_VECTORS(VIRTIO_PCI_VECTORS_AUTO), \
    VIRTIO_PCI_PROPS_LAST
VIRTIO_PCI_TYPES(virtio_rng_pci, "virtio-rng", "misc", virtio_rng_device_type, RNG_PCI_PROPS,
                 .class_id = 0x00ff)
