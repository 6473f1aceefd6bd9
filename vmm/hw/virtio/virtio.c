/* Virtio devices in general: negotiation, status, configuration space, life (VIRTIO 1.2, 2 and 3). */
#include <stdarg.h>
#include <string.h>

#include "rhea_error.h"
#include "virtqueue.h"
#include "vm_log.h"

static const VirtioClass *class_of(const VirtioDevice *vdev)
{
    return vdev->dev.type->bus_class;
}

/* ---- starting and stopping ---- */

static void listen_all(VirtioDevice *vdev)
{
    for (unsigned i = 0; i < vdev->n_queues && vdev->started && vdev->running; i++) {
        virtqueue_listen(vdev->queues[i]);
    }
}

static void unlisten_all(VirtioDevice *vdev)
{
    for (unsigned i = 0; i < vdev->n_queues; i++) {
        virtqueue_unlisten(vdev->queues[i]);
    }
}

void virtio_start(VirtioDevice *vdev)
{
    if (vdev->started || __atomic_load_n(&vdev->broken, __ATOMIC_RELAXED)) {
        return;
    }
    vdev->started = true;
    if (class_of(vdev)->start != NULL) {
        class_of(vdev)->start(vdev);
    }
    listen_all(vdev);
}

static void virtio_stop(VirtioDevice *vdev)
{
    if (!vdev->started) {
        return;
    }
    unlisten_all(vdev);
    if (class_of(vdev)->stop != NULL) {
        class_of(vdev)->stop(vdev);
    }
    for (unsigned i = 0; i < vdev->n_queues; i++) {
        virtqueue_settle(vdev->queues[i]);
    }
    vdev->started = false;
}

static void set_running(VirtioDevice *vdev, bool running)
{
    if (vdev->running == running) {
        return;
    }
    if (!running) {
        unlisten_all(vdev);
    }
    vdev->running = running;
    if (class_of(vdev)->running != NULL) {
        class_of(vdev)->running(vdev, running);
    }
    listen_all(vdev);
}

static void machine_event(Vm *vm, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_STOP || event->kind == VM_EVENT_RESUME) {
        set_running(opaque, event->kind == VM_EVENT_RESUME);
    }
}

void virtio_set_disabled(VirtioDevice *vdev, bool disabled)
{
    if (vdev->use_disabled_flag) {
        __atomic_store_n(&vdev->disabled, disabled, __ATOMIC_RELAXED);
    }
}

/*
 * Drivers before 1.0 may ring before they say DRIVER_OK: they read the partition table while they
 * are still being probed.
 */
void virtio_doorbell(VirtioDevice *vdev, unsigned n)
{
    if (n >= vdev->n_queues || vdev->queues[n]->desc == 0) {
        return;
    }
    if (!vdev->started && !virtio_has(vdev, VIRTIO_F_VERSION_1)) {
        virtio_start(vdev);
    }
    virtqueue_ring(vdev->queues[n]);
}

/* ---- errors ---- */

void virtio_error(VirtioDevice *vdev, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    if (__atomic_exchange_n(&vdev->broken, true, __ATOMIC_SEQ_CST)) {
        return;
    }
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    log_guest("%s: %s; it waits for a reset\n", class_of(vdev)->name, text);
    if (!virtio_has(vdev, VIRTIO_F_VERSION_1)) {
        return;
    }
    __atomic_or_fetch(&vdev->status, VIRTIO_STATUS_NEEDS_RESET, __ATOMIC_SEQ_CST);
    if (machine_lock_held()) {
        virtio_config_changed(vdev);
        return;
    }
    __atomic_store_n(&vdev->error_pending, true, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < vdev->n_queues; i++) {
        if (vdev->queues[i]->call_source != NULL) {
            virtqueue_call(vdev->queues[i]);
            return;
        }
    }
}

/* ---- negotiation ---- */

void virtio_set_features(VirtioDevice *vdev, uint64_t features)
{
    vdev->features = features & vdev->host_features;
    if (class_of(vdev)->features_set != NULL) {
        class_of(vdev)->features_set(vdev);
    }
}

void virtio_set_status(VirtioDevice *vdev, uint8_t status)
{
    uint8_t kept = __atomic_load_n(&vdev->status, __ATOMIC_SEQ_CST) & VIRTIO_STATUS_NEEDS_RESET;

    if (status == 0) {
        virtio_reset(vdev);
        return;
    }
    __atomic_store_n(&vdev->status, status | kept, __ATOMIC_SEQ_CST);
    if (status & VIRTIO_STATUS_DRIVER_OK) {
        virtio_start(vdev);
    } else if (virtio_has(vdev, VIRTIO_F_VERSION_1)) {
        virtio_stop(vdev);
    }
}

void virtio_reset(VirtioDevice *vdev)
{
    virtio_stop(vdev);
    __atomic_store_n(&vdev->status, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vdev->isr, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vdev->broken, false, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vdev->error_pending, false, __ATOMIC_SEQ_CST);
    vdev->queue_sel = 0;
    vdev->config_vector = VIRTIO_NO_VECTOR;
    for (unsigned i = 0; i < vdev->n_queues; i++) {
        virtqueue_reset(vdev->queues[i]);
    }
    virtio_set_features(vdev, 0);
    if (class_of(vdev)->reset != NULL) {
        class_of(vdev)->reset(vdev);
    }
}

void virtio_queue_reset(VirtioDevice *vdev, VirtQueue *vq)
{
    GMainContext *context = vq->context;

    virtqueue_unlisten(vq);
    class_of(vdev)->queue_stop(vdev, vq);
    virtqueue_settle(vq);
    virtqueue_reset(vq);
    virtio_queue_set_context(vq, context);
}

/* ---- configuration space ---- */

uint64_t virtio_config_read(VirtioDevice *vdev, uint32_t offset, unsigned size)
{
    uint64_t value = UINT64_MAX >> (64 - 8 * size);

    if (offset >= vdev->config_len || size > vdev->config_len - offset) {
        return value;
    }
    class_of(vdev)->config_get(vdev, vdev->config);
    value = 0;
    memcpy(&value, vdev->config + offset, size);
    return value;
}

void virtio_config_write(VirtioDevice *vdev, uint32_t offset, uint64_t value, unsigned size)
{
    if (offset >= vdev->config_len || size > vdev->config_len - offset ||
        class_of(vdev)->config_set == NULL) {
        return;
    }
    class_of(vdev)->config_get(vdev, vdev->config);
    memcpy(vdev->config + offset, &value, size);
    class_of(vdev)->config_set(vdev, vdev->config);
}

void virtio_config_changed(VirtioDevice *vdev)
{
    if (!(__atomic_load_n(&vdev->status, __ATOMIC_SEQ_CST) & VIRTIO_STATUS_DRIVER_OK)) {
        return;
    }
    vdev->generation++;
    __atomic_or_fetch(&vdev->isr, 3, __ATOMIC_SEQ_CST);
    vdev->bus->interrupt(vdev->bus, vdev->config_vector);
}

/* ---- life ---- */

/* What every device offers, as its properties allow; bits 24 to 40 are common ones. */
static uint64_t common_features(const VirtioDevice *vdev)
{
    const struct { bool on; unsigned bit; } rows[] = {
        { vdev->indirect_desc, VIRTIO_F_INDIRECT_DESC },
        { vdev->event_idx, VIRTIO_F_EVENT_IDX },
        { vdev->notify_on_empty, VIRTIO_F_NOTIFY_ON_EMPTY },
        { vdev->any_layout, VIRTIO_F_ANY_LAYOUT },
        { true, VIRTIO_F_BAD_FEATURE },
        { vdev->iommu_platform, VIRTIO_F_ACCESS_PLATFORM },
        { vdev->bus->modern, VIRTIO_F_VERSION_1 },
        { vdev->queue_reset && class_of(vdev)->queue_stop != NULL, VIRTIO_F_RING_RESET },
    };
    uint64_t features = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        features |= rows[i].on ? VIRTIO_BIT(rows[i].bit) : 0;
    }
    return features;
}

static bool virtio_plug(Bus *bus, Device *dev, GError **error)
{
    VirtioDevice *vdev = DEVICE_CAST(dev, VirtioDevice);

    if (vdev->packed) {
        set_error(error, "%s: packed rings are not modelled; leave packed=off", dev->type->name);
        return false;
    }
    vdev->bus = (VirtioBus *)bus;
    return true;
}

static bool virtio_realized(Bus *bus, Device *dev, GError **error)
{
    VirtioDevice *vdev = DEVICE_CAST(dev, VirtioDevice);

    vdev->host_features = common_features(vdev);
    if (class_of(vdev)->features != NULL) {
        vdev->host_features |= class_of(vdev)->features(vdev);
    }
    vdev->bus->vdev = vdev;
    virtio_reset(vdev);
    return true;
}

static void virtio_unplug(Bus *bus, Device *dev)
{
    ((VirtioBus *)bus)->vdev = NULL;
}

void virtio_init(VirtioDevice *vdev, uint32_t config_len)
{
    vdev->dma = vdev->bus->dma;
    vdev->config_len = config_len;
    vdev->config = g_malloc0(MAX(config_len, 1));
    vdev->running = vm_is_running(vdev->dev.vm);
    vdev->queues = g_new0(VirtQueue *, VIRTIO_MAX_QUEUES);
    vdev->config_vector = VIRTIO_NO_VECTOR;
    vm_subscribe(vdev->dev.vm, machine_event, vdev);
}

void virtio_finish(VirtioDevice *vdev)
{
    if (vdev->queues == NULL) {
        return;
    }
    vm_unsubscribe(vdev->dev.vm, machine_event, vdev);
    virtio_stop(vdev);
    for (unsigned i = 0; i < vdev->n_queues; i++) {
        virtqueue_finish(vdev->queues[i]);
    }
    vdev->n_queues = 0;
    g_clear_pointer(&vdev->queues, g_free);
    g_clear_pointer(&vdev->config, g_free);
}

VirtQueue *virtio_add_queue(VirtioDevice *vdev, unsigned size, VirtQueueHandler handler,
                            size_t elem_size)
{
    VirtQueue *vq = g_new0(VirtQueue, 1);

    g_assert(vdev->n_queues < VIRTIO_MAX_QUEUES && size <= VIRTQUEUE_MAX_SIZE && size > 0 &&
             (size & (size - 1)) == 0 && elem_size >= sizeof(VirtElem));
    vq->handler = handler;
    vq->elem_size = elem_size;
    vq->max_size = size;
    virtqueue_init(vq, vdev, vdev->n_queues);
    vdev->queues[vdev->n_queues++] = vq;
    return vq;
}

VirtioDevice *virtio_device_of(Device *dev)
{
    if (dev->part != NULL) {
        dev = dev->part;
    }
    return dev->type->bus == &virtio_bus_type ? DEVICE_CAST(dev, VirtioDevice) : NULL;
}

static const Property virtio_props[] = {
    PROP_BOOL(VirtioDevice, indirect_desc, .name = "indirect_desc", .def = true,
              .help = "chains of buffers in tables of their own"),
    PROP_BOOL(VirtioDevice, event_idx, .name = "event_idx", .def = true,
              .help = "both sides say when to tell them"),
    PROP_BOOL(VirtioDevice, notify_on_empty, .name = "notify_on_empty", .def = true,
              .help = "old drivers: an interrupt when a queue has run empty"),
    PROP_BOOL(VirtioDevice, any_layout, .name = "any_layout", .def = true,
              .help = "old drivers: buffers may be cut anywhere"),
    PROP_BOOL(VirtioDevice, iommu_platform, .name = "iommu_platform",
              .help = "the driver uses the platform's addresses for DMA"),
    PROP_BOOL(VirtioDevice, packed, .name = "packed", .help = "packed rings (only off)"),
    PROP_BOOL(VirtioDevice, queue_reset, .name = "queue_reset", .def = true,
              .help = "one queue can be reset alone"),
    PROP_BOOL(VirtioDevice, use_started, .name = "use-started", .def = true,
              .help = "migrate whether the device is at work"),
    PROP_BOOL(VirtioDevice, use_disabled_flag, .name = "use-disabled-flag", .def = true,
              .help = "stand still while bus mastering is off"),
    PROP_BOOL(VirtioDevice, disable_legacy_check, .name = "x-disable-legacy-check",
              .help = "allow the old interface where only the new one is known"),
    {}
};

const BusType virtio_bus_type = {
    .name = "virtio-bus", .size = sizeof(VirtioBus), .device_props = virtio_props,
    .plug = virtio_plug, .realized = virtio_realized, .unplug = virtio_unplug,
};
