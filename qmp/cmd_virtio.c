/* Virtio devices: their drivers, their queues, the memory balloon. */
#include "qmp_api.h"
#include "virtio_info.h"
#include "vm.h"

bool qmp_balloon(Vm *vm, int64_t value, GError **error)
{
    if (value <= 0) {
        /* Without a balloon that is what the caller hears of, whatever the value. */
        return vm_balloon(vm, 0, error);
    }
    return vm_balloon(vm, value, error);
}

QmpBalloonInfo *qmp_query_balloon(Vm *vm, GError **error)
{
    uint64_t bytes;

    if (!vm_balloon_actual(vm, &bytes, error)) {
        return NULL;
    }
    QmpBalloonInfo *info = g_new0(QmpBalloonInfo, 1);

    info->actual = bytes;
    return info;
}

/* ---- devices ---- */

static void describe_device(Device *dev, void *opaque)
{
    QmpVirtioInfo *info;

    if (dev->type->bus != &virtio_bus_type) {
        return;
    }
    info = g_new0(QmpVirtioInfo, 1);
    info->path = object_path(&dev->obj);
    info->name = g_strdup(virtio_class_of(DEVICE_CAST(dev, VirtioDevice))->name);
    g_ptr_array_insert(opaque, 0, info);                /* newest first, as QEMU lists them */
}

GPtrArray *qmp_x_query_virtio(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_virtio_info_list_new();

    devices_foreach(vm, describe_device, list);
    return list;
}

static GPtrArray *string_list(void)
{
    return g_ptr_array_new_with_free_func(g_free);
}

static QmpVirtioDeviceFeatures *describe_features(unsigned device_id, uint64_t bits)
{
    QmpVirtioDeviceFeatures *features = g_new0(QmpVirtioDeviceFeatures, 1);

    features->transports = string_list();
    features->dev_features = string_list();
    for (unsigned bit = 0; bit < 64; bit++) {
        const char *common = virtio_feature_name(bit);
        const char *own = virtio_device_feature_name(device_id, bit);

        if (!(bits >> bit & 1)) {
            continue;
        }
        if (own != NULL || common != NULL) {
            g_ptr_array_add(own != NULL ? features->dev_features : features->transports,
                            g_strdup(own != NULL ? own : common));
        } else {
            features->has_unknown_dev_features = true;
            features->unknown_dev_features |= VIRTIO_BIT(bit);
        }
    }
    return features;
}

static QmpVirtioDeviceStatus *describe_steps(uint8_t bits)
{
    QmpVirtioDeviceStatus *status = g_new0(QmpVirtioDeviceStatus, 1);

    status->statuses = string_list();
    for (unsigned bit = 0; bit < 8; bit++) {
        if (!(bits >> bit & 1)) {
            continue;
        }
        if (virtio_status_name(bit) != NULL) {
            g_ptr_array_add(status->statuses, g_strdup(virtio_status_name(bit)));
        } else {
            status->has_unknown_statuses = true;
            status->unknown_statuses |= 1u << bit;
        }
    }
    return status;
}

QmpVirtioStatus *qmp_x_query_virtio_status(Vm *vm, const char *path, GError **error)
{
    VirtioDevice *vdev = virtio_find(vm, path, error);
    const VirtioClass *class;
    QmpVirtioStatus *info;

    if (vdev == NULL) {
        return NULL;
    }
    class = virtio_class_of(vdev);
    info = g_new0(QmpVirtioStatus, 1);
    info->name = g_strdup(class->name);
    info->device_id = class->device_id;
    info->device_endian = g_strdup("little");
    info->guest_features = describe_features(class->device_id, vdev->features);
    info->host_features = describe_features(class->device_id, vdev->host_features);
    info->backend_features = describe_features(class->device_id, 0);
    info->num_vqs = vdev->n_queues;
    info->status = describe_steps(__atomic_load_n(&vdev->status, __ATOMIC_RELAXED));
    info->isr = __atomic_load_n(&vdev->isr, __ATOMIC_RELAXED);
    info->queue_sel = vdev->queue_sel;
    info->vm_running = vm_is_running(vm);
    info->broken = __atomic_load_n(&vdev->broken, __ATOMIC_RELAXED);
    info->disabled = __atomic_load_n(&vdev->disabled, __ATOMIC_RELAXED);
    info->use_started = vdev->use_started;
    info->started = vdev->started;
    info->disable_legacy_check = vdev->disable_legacy_check;
    info->bus_name = g_strdup(vdev->bus->bus.name);
    info->use_guest_notifier_mask = true;
    return info;
}

/* ---- queues ---- */

static VirtQueue *find_queue(Vm *vm, const char *path, uint16_t n, GError **error)
{
    VirtioDevice *vdev = virtio_find(vm, path, error);

    return vdev != NULL ? virtio_queue_at(vdev, n, error) : NULL;
}

QmpVirtQueueStatus *qmp_x_query_virtio_queue_status(Vm *vm, const char *path, uint16_t queue,
                                                    GError **error)
{
    VirtQueue *vq = find_queue(vm, path, queue, error);
    QmpVirtQueueStatus *status;
    VirtQueueInfo info;

    if (vq == NULL) {
        return NULL;
    }
    virtqueue_info(vq, &info);
    status = g_new0(QmpVirtQueueStatus, 1);
    status->name = g_strdup(virtio_class_of(virtqueue_device(vq))->name);
    status->queue_index = queue;
    status->inuse = info.inflight;
    status->vring_num = info.num;
    status->vring_num_default = info.max_num;
    status->vring_align = VIRTQUEUE_LEGACY_ALIGN;
    status->vring_desc = info.desc;
    status->vring_avail = info.avail;
    status->vring_used = info.used;
    status->has_last_avail_idx = status->has_shadow_avail_idx = true;
    status->last_avail_idx = info.last_avail;
    status->shadow_avail_idx = info.shadow_avail;
    status->used_idx = info.used_idx;
    status->signalled_used = info.signalled_used;
    status->signalled_used_valid = info.signalled_valid;
    return status;
}

static GPtrArray *describe_descs(const GArray *descs)
{
    static const struct { uint16_t bit; const char *name; } flags[] = {
        { VIRTQ_DESC_NEXT, "next" }, { VIRTQ_DESC_WRITE, "write" },
        { VIRTQ_DESC_INDIRECT, "indirect" },
    };
    GPtrArray *list = qmp_virtio_ring_desc_list_new();

    for (guint i = 0; i < descs->len; i++) {
        const VirtqDesc *from = &g_array_index(descs, VirtqDesc, i);
        QmpVirtioRingDesc *to = g_new0(QmpVirtioRingDesc, 1);

        to->addr = from->addr;
        to->len = from->len;
        to->flags = string_list();
        for (unsigned f = 0; f < G_N_ELEMENTS(flags); f++) {
            if (from->flags & flags[f].bit) {
                g_ptr_array_add(to->flags, g_strdup(flags[f].name));
            }
        }
        g_ptr_array_add(list, to);
    }
    return list;
}

QmpVirtioQueueElement *qmp_x_query_virtio_queue_element(Vm *vm, const char *path, uint16_t queue,
                                                        const uint16_t *index, GError **error)
{
    VirtQueue *vq = find_queue(vm, path, queue, error);
    QmpVirtioQueueElement *element;
    VirtQueueSlot slot;

    if (vq == NULL || !virtqueue_slot(vq, index, &slot, error)) {
        return NULL;
    }
    element = g_new0(QmpVirtioQueueElement, 1);
    element->name = g_strdup(virtio_class_of(virtqueue_device(vq))->name);
    element->index = slot.head;
    element->descs = describe_descs(slot.descs);
    element->avail = g_new0(QmpVirtioRingAvail, 1);
    *element->avail = (QmpVirtioRingAvail){ slot.avail_flags, slot.avail_idx, slot.avail_entry };
    element->used = g_new0(QmpVirtioRingUsed, 1);
    *element->used = (QmpVirtioRingUsed){ slot.used_flags, slot.used_idx };
    g_array_unref(slot.descs);
    return element;
}
