/*
 * A virtio device for tests: what it reads from an element it writes into the same element.  Queue 1
 * only keeps what it pops, until the test gives it back.
 */
#pragma once

#include "virtio_board.h"

#define ECHO_BIT 3                              /* a feature of its own */

typedef struct Echo {
    VirtioDevice vdev;
    VirtQueue *queue, *hold;
    uint32_t value;                             /* its configuration space */
    unsigned handled, starts, stops, resets;
    bool quiet;                                 /* no interrupts */
} Echo;

static Echo *echo;

static void echo_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtElem *elem;

    echo->handled++;
    do {
        virtqueue_set_notification(vq, false);
        while ((elem = virtqueue_pop(vq)) != NULL) {
            size_t len = MIN(elem->out_len, MIN(elem->in_len, 65536));
            g_autofree uint8_t *bytes = g_malloc(len + 1);

            iov_to_buf(elem->out, elem->n_out, 0, bytes, len);
            virtqueue_push(vq, elem, iov_from_buf(elem->in, elem->n_in, 0, bytes, len));
        }
        virtqueue_set_notification(vq, true);
    } while (!virtqueue_empty(vq));
    if (!echo->quiet) {
        virtqueue_notify(vq);
    }
}

static void echo_hold(VirtioDevice *vdev, VirtQueue *vq)
{
    echo->handled++;
}

static void echo_config_get(VirtioDevice *vdev, uint8_t *config)
{
    memcpy(config, &echo->value, 4);
}

static void echo_config_set(VirtioDevice *vdev, const uint8_t *config)
{
    memcpy(&echo->value, config, 4);
}

static uint64_t echo_features(VirtioDevice *vdev)
{
    return VIRTIO_BIT(ECHO_BIT);
}

static void echo_start(VirtioDevice *vdev) { echo->starts++; }
static void echo_stop(VirtioDevice *vdev) { echo->stops++; }
static void echo_reset(VirtioDevice *vdev) { echo->resets++; }
static void echo_queue_stop(VirtioDevice *vdev, VirtQueue *vq) { }

static bool echo_realize(Device *dev, GError **error)
{
    echo = DEVICE_CAST(dev, Echo);
    virtio_init(&echo->vdev, 4);
    echo->queue = virtio_add_queue(&echo->vdev, 16, echo_handle, sizeof(VirtElem));
    echo->hold = virtio_add_queue(&echo->vdev, 16, echo_hold, sizeof(VirtElem));
    return true;
}

static void echo_unrealize(Device *dev)
{
    virtio_finish(&DEVICE_CAST(dev, Echo)->vdev);
}

static const VirtioClass echo_class = {
    .device_id = VIRTIO_ID_RNG, .name = "virtio-echo", .features = echo_features,
    .config_get = echo_config_get, .config_set = echo_config_set, .start = echo_start,
    .stop = echo_stop, .reset = echo_reset, .queue_stop = echo_queue_stop,
};
static const StateField echo_fields[] = { VIRTIO_STATE_FIELD, {} };
static const StateDesc echo_state = {
    .name = "virtio-echo", .version = 1, .fields = echo_fields,
};
static const DeviceType echo_device_type = {
    .name = "virtio-echo-device", .state = &echo_state, .bus = &virtio_bus_type, .bus_class = &echo_class,
    .size = sizeof(Echo), .realize = echo_realize, .unrealize = echo_unrealize,
};

#define ECHO_PCI_PROPS \
    VIRTIO_PCI_PROP_IOEVENTFD, VIRTIO_PCI_PROP_VECTORS(VIRTIO_PCI_VECTORS_AUTO), \
    VIRTIO_PCI_PROPS_LAST
VIRTIO_PCI_TYPES(echo_pci, "virtio-echo", "misc", echo_device_type, ECHO_PCI_PROPS,
                 .class_id = 0x00ff)
