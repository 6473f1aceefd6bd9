/*
 * The saved form of a virtio device, as QEMU's: transport, status and features, configuration space,
 * queues, the device's own part, then subsections for what came with virtio 1.0.
 */
#include <inttypes.h>

#include "rhea_error.h"
#include "virtqueue.h"

/* Where the form has an entry for every queue there could be, it is so many. */
enum { FORM_QUEUES = 1024, FORM_MAX_CONFIG = 4096 };

static const VirtioClass *class_of(const VirtioDevice *vdev)
{
    return vdev->dev.type->bus_class;
}

/* The queue of an entry, or NULL. */
static VirtQueue *entry_queue(const VirtioDevice *vdev, unsigned n)
{
    return n < vdev->n_queues ? vdev->queues[n] : NULL;
}

/* ---- subsections ---- */

static bool features64_needed(const void *opaque)
{
    return ((const VirtioDevice *)opaque)->features >> 32 != 0;
}

static const StateField features64_fields[] = { STATE_UINT64(VirtioDevice, features), {} };
static const StateDesc features64_state = {
    .name = "virtio/64bit_features", .version = 1, .needed = features64_needed,
    .fields = features64_fields,
};

static bool virtqueues_needed(const void *opaque)
{
    return ((const VirtioDevice *)opaque)->host_features & VIRTIO_BIT(VIRTIO_F_VERSION_1);
}

static void virtqueues_save(void *opaque, GByteArray *out)
{
    for (unsigned n = 0; n < FORM_QUEUES; n++) {
        const VirtQueue *vq = entry_queue(opaque, n);

        state_put_be(out, vq != NULL ? vq->avail : 0, 8);
        state_put_be(out, vq != NULL ? vq->used : 0, 8);
    }
}

static bool virtqueues_load(void *opaque, StateReader *in, GError **error)
{
    for (unsigned n = 0; n < FORM_QUEUES; n++) {
        VirtQueue *vq = entry_queue(opaque, n);
        uint64_t avail, used;

        if (!state_read_be(in, 8, &avail, error) || !state_read_be(in, 8, &used, error)) {
            return false;
        }
        if (vq != NULL) {
            vq->avail = avail;
            vq->used = used;
        }
    }
    return true;
}

static const StateCustom virtqueues_custom = { virtqueues_save, virtqueues_load };
static const StateField virtqueues_fields[] = { STATE_CUSTOM("vq", virtqueues_custom), {} };
static const StateDesc virtqueues_state = {
    .name = "virtio/virtqueues", .version = 1, .needed = virtqueues_needed,
    .fields = virtqueues_fields,
};

static bool ringsize_needed(const void *opaque)
{
    const VirtioDevice *vdev = opaque;

    for (unsigned n = 0; n < vdev->n_queues; n++) {
        if (vdev->queues[n]->num != vdev->queues[n]->max_size) {
            return true;
        }
    }
    return false;
}

static void ringsize_save(void *opaque, GByteArray *out)
{
    for (unsigned n = 0; n < FORM_QUEUES; n++) {
        const VirtQueue *vq = entry_queue(opaque, n);

        state_put_be(out, vq != NULL ? vq->max_size : 0, 4);
    }
}

static bool ringsize_load(void *opaque, StateReader *in, GError **error)
{
    for (unsigned n = 0; n < FORM_QUEUES; n++) {
        const VirtQueue *vq = entry_queue(opaque, n);
        uint64_t size;

        if (!state_read_be(in, 4, &size, error)) {
            return false;
        }
        if (vq != NULL && size != vq->max_size) {
            set_error(error, "queue %u has %u entries here, %" PRIu64 " in the saved state", n,
                      vq->max_size, size);
            return false;
        }
    }
    return true;
}

static const StateCustom ringsize_custom = { ringsize_save, ringsize_load };
static const StateField ringsize_fields[] = { STATE_CUSTOM("vq", ringsize_custom), {} };
static const StateDesc ringsize_state = {
    .name = "virtio/ringsize", .version = 1, .needed = ringsize_needed, .fields = ringsize_fields,
};

static bool broken_needed(const void *opaque)
{
    return ((const VirtioDevice *)opaque)->broken;
}

static const StateField broken_fields[] = { STATE_BOOL(VirtioDevice, broken), {} };
static const StateDesc broken_state = {
    .name = "virtio/broken", .version = 1, .needed = broken_needed, .fields = broken_fields,
};

static bool extra_needed(const void *opaque)
{
    const VirtioBus *bus = ((const VirtioDevice *)opaque)->bus;

    return bus->extra_state != NULL && bus->has_extra_state(bus);
}

static void extra_save(void *opaque, GByteArray *out)
{
    VirtioBus *bus = ((VirtioDevice *)opaque)->bus;

    state_save(bus->extra_state, bus->bus.parent, out);
}

static bool extra_load(void *opaque, StateReader *in, GError **error)
{
    VirtioBus *bus = ((VirtioDevice *)opaque)->bus;

    if (bus->extra_state == NULL) {
        set_error(error, "this transport has no extra state");
        return false;
    }
    return state_load(bus->extra_state, bus->bus.parent, bus->extra_state->version, in->data,
                      in->size, &in->pos, error);
}

static const StateCustom extra_custom = { extra_save, extra_load };
static const StateField extra_fields[] = { STATE_CUSTOM("extra_state", extra_custom), {} };
static const StateDesc extra_state = {
    .name = "virtio/extra_state", .version = 1, .needed = extra_needed, .fields = extra_fields,
};

static bool started_needed(const void *opaque)
{
    const VirtioDevice *vdev = opaque;

    return vdev->use_started && vdev->started;
}

static const StateField started_fields[] = { STATE_BOOL(VirtioDevice, load_started), {} };
static const StateDesc started_state = {
    .name = "virtio/started", .version = 1, .needed = started_needed, .fields = started_fields,
};

static bool disabled_needed(const void *opaque)
{
    return ((const VirtioDevice *)opaque)->disabled;
}

static const StateField disabled_fields[] = { STATE_BOOL(VirtioDevice, disabled), {} };
static const StateDesc disabled_state = {
    .name = "virtio/disabled", .version = 1, .needed = disabled_needed, .fields = disabled_fields,
};

static void tail_saving(void *opaque)
{
    VirtioDevice *vdev = opaque;

    vdev->load_started = vdev->started;
}

static const StateField tail_fields[] = { {} };
static const StateDesc *const tail_subsections[] = {
    &features64_state, &virtqueues_state, &ringsize_state, &broken_state, &extra_state,
    &started_state, &disabled_state, NULL
};
static const StateDesc tail_state = {
    .name = "virtio", .version = 1, .fields = tail_fields, .subsections = tail_subsections,
    .saving = tail_saving,
};

/* ---- saving ---- */

/* The form has queues without gaps, up to the last that has a size: all of ours. */
static void save_queues(VirtioDevice *vdev, GByteArray *out)
{
    bool modern = virtio_has(vdev, VIRTIO_F_VERSION_1);

    state_put_be(out, vdev->n_queues, 4);
    for (unsigned n = 0; n < vdev->n_queues; n++) {
        VirtQueue *vq = vdev->queues[n];

        state_put_be(out, vq->num, 4);
        state_put_be(out, vq->enabled || !modern ? vq->desc : 0, 8);
        state_put_be(out, vq->last_avail, 2);
        vdev->bus->save(vdev->bus, vq, out);
    }
}

static void virtio_state_save(void *opaque, GByteArray *out)
{
    VirtioDevice *vdev = opaque;

    vdev->bus->save(vdev->bus, NULL, out);
    state_put_be(out, vdev->status, 1);
    state_put_be(out, vdev->isr, 1);
    state_put_be(out, vdev->queue_sel, 2);
    state_put_be(out, (uint32_t)vdev->features, 4);
    state_put_be(out, vdev->config_len, 4);
    if (vdev->config_len > 0) {
        class_of(vdev)->config_get(vdev, vdev->config);
        g_byte_array_append(out, vdev->config, vdev->config_len);
    }
    save_queues(vdev, out);
    if (class_of(vdev)->state != NULL) {
        state_save(class_of(vdev)->state, vdev, out);
    }
    state_save(&tail_state, vdev, out);
}

/* ---- loading ---- */

static bool load_head(VirtioDevice *vdev, StateReader *in, GError **error)
{
    uint64_t status, isr, queue_sel, features, config_len;

    if (!state_read_be(in, 1, &status, error) || !state_read_be(in, 1, &isr, error) ||
        !state_read_be(in, 2, &queue_sel, error) || !state_read_be(in, 4, &features, error) ||
        !state_read_be(in, 4, &config_len, error)) {
        return false;
    }
    if (config_len > FORM_MAX_CONFIG) {
        set_error(error, "a configuration space of %" PRIu64 " bytes", config_len);
        return false;
    }
    vdev->status = status;
    vdev->isr = isr;
    vdev->queue_sel = queue_sel;
    vdev->features = features;
    for (uint64_t i = 0; i < config_len; i++) {
        uint8_t byte;

        if (!state_read(in, &byte, 1, error)) {
            return false;
        }
        if (i < vdev->config_len) {
            vdev->config[i] = byte;
        }
    }
    return true;
}

static bool load_queue(VirtioDevice *vdev, VirtQueue *vq, StateReader *in, GError **error)
{
    uint64_t num, desc, last_avail;

    if (!state_read_be(in, 4, &num, error) || !state_read_be(in, 8, &desc, error) ||
        !state_read_be(in, 2, &last_avail, error)) {
        return false;
    }
    if (num == 0 || num > vq->max_size || (num & (num - 1)) != 0) {
        set_error(error, "queue %u: %" PRIu64 " entries, where up to %u are", vq->index, num,
                  vq->max_size);
        return false;
    }
    vq->num = num;
    virtqueue_set_page(vq, desc >> 12);         /* 1.0 drivers' addresses follow further below */
    vq->desc = desc;
    vq->last_avail = last_avail;
    return vdev->bus->load(vdev->bus, vq, in, error);
}

static bool load_queues(VirtioDevice *vdev, StateReader *in, GError **error)
{
    uint64_t count;

    if (!state_read_be(in, 4, &count, error)) {
        return false;
    }
    if (count > vdev->n_queues) {
        set_error(error, "%" PRIu64 " queues, where %u are", count, vdev->n_queues);
        return false;
    }
    for (unsigned n = 0; n < count; n++) {
        if (!load_queue(vdev, vdev->queues[n], in, error)) {
            return false;
        }
    }
    return true;
}

/* Everything is read: checks what belongs together, and sets to work. */
static bool load_finish(VirtioDevice *vdev, GError **error)
{
    uint64_t features = vdev->features;

    if (features & ~vdev->host_features) {
        set_error(error, "features 0x%" PRIx64 " of the saved state are not offered here",
                  features & ~vdev->host_features);
        return false;
    }
    virtio_set_features(vdev, features);
    for (unsigned n = 0; n < vdev->n_queues; n++) {
        if (!virtqueue_restore(vdev->queues[n], error)) {
            return false;
        }
    }
    if (class_of(vdev)->config_set != NULL && vdev->config_len > 0) {
        class_of(vdev)->config_set(vdev, vdev->config);
    }
    if (vdev->load_started || vdev->status & VIRTIO_STATUS_DRIVER_OK) {
        virtio_start(vdev);
    }
    return true;
}

static bool load_own(VirtioDevice *vdev, StateReader *in, GError **error)
{
    const StateDesc *own = class_of(vdev)->state;

    return own == NULL ||
           state_load(own, vdev, own->version, in->data, in->size, &in->pos, error);
}

static bool virtio_state_load(void *opaque, StateReader *in, GError **error)
{
    VirtioDevice *vdev = opaque;

    virtio_reset(vdev);
    vdev->load_started = false;
    return vdev->bus->load(vdev->bus, NULL, in, error) && load_head(vdev, in, error) &&
           load_queues(vdev, in, error) && load_own(vdev, in, error) &&
           state_load(&tail_state, vdev, tail_state.version, in->data, in->size, &in->pos,
                      error) &&
           load_finish(vdev, error);
}

const StateCustom virtio_state_custom = { virtio_state_save, virtio_state_load };
