/*
 * Virtio devices as monitors look at them.  Main thread, machine lock; a queue whose handler runs
 * on an iothread is looked at from there.
 */
#pragma once

#include "virtqueue.h"

/* "/machine/peripheral/disk0/virtio-backend": the device proper, by its path.  NULL: none. */
VirtioDevice *virtio_find(Vm *vm, const char *path, GError **error);
const VirtioClass *virtio_class_of(const VirtioDevice *vdev);

/* As the specification spells them; NULL: the bit has no name. */
const char *virtio_feature_name(unsigned bit);                              /* of any device */
const char *virtio_device_feature_name(unsigned device_id, unsigned bit);
const char *virtio_status_name(unsigned bit);

/* Numbers of a queue at one moment. */
typedef struct VirtQueueInfo {
    uint32_t num, max_num;
    uint64_t desc, avail, used;
    uint16_t last_avail, shadow_avail, used_idx, signalled_used;
    unsigned inflight;
    bool signalled_valid;
} VirtQueueInfo;

/* A place of the ring of available elements, and the chain that begins there. */
typedef struct VirtQueueSlot {
    uint16_t head;
    uint16_t avail_flags, avail_idx, avail_entry, used_flags, used_idx;
    GArray *descs;                          /* VirtqDesc; owned */
} VirtQueueSlot;

VirtQueue *virtio_queue_at(VirtioDevice *vdev, uint64_t n, GError **error);
void virtqueue_info(VirtQueue *vq, VirtQueueInfo *info);
/* `index` counts places of the ring, wrapping; NULL: the one the device takes next. */
bool virtqueue_slot(VirtQueue *vq, const uint16_t *index, VirtQueueSlot *slot, GError **error);
