/* The PCI transport's part of a virtio device's saved state, as QEMU's. */
#include <inttypes.h>

#include "rhea_error.h"
#include "virtio_pci.h"
#include "virtqueue.h"

enum { FORM_QUEUES = 1024 };

static VirtioPci *vpci_of(const VirtioBus *bus)
{
    return DEVICE_CAST(bus->bus.parent, VirtioPci);
}

static uint32_t pending_bytes(const Msix *msix)
{
    return (msix->count + 7) / 8;
}

/* ---- the device, and each queue ---- */

void virtio_pci_save(VirtioBus *bus, VirtQueue *vq, GByteArray *out)
{
    VirtioPci *vpci = vpci_of(bus);
    const Msix *msix = &vpci->msix;

    if (vq == NULL) {
        state_save(&pci_device_state, &vpci->pci, out);
    }
    if (msix->count == 0) {
        return;
    }
    if (vq != NULL) {
        state_put_be(out, vq->vector, 2);
        return;
    }
    g_byte_array_append(out, msix->table, msix->count * MSIX_ENTRY_SIZE);
    g_byte_array_append(out, msix->pending, pending_bytes(msix));
    state_put_be(out, vpci->vdev->config_vector, 2);
}

static bool load_vector(VirtioPci *vpci, StateReader *in, uint16_t *vector, GError **error)
{
    uint64_t value;

    if (!state_read_be(in, 2, &value, error)) {
        return false;
    }
    if (value != VIRTIO_NO_VECTOR && value >= vpci->msix.count) {
        set_error(error, "vector %" PRIu64 " of %u", value, vpci->msix.count);
        return false;
    }
    *vector = value;
    return true;
}

bool virtio_pci_load(VirtioBus *bus, VirtQueue *vq, StateReader *in, GError **error)
{
    VirtioPci *vpci = vpci_of(bus);
    Msix *msix = &vpci->msix;

    if (vq == NULL && !state_load(&pci_device_state, &vpci->pci, pci_device_state.version,
                                  in->data, in->size, &in->pos, error)) {
        return false;
    }
    if (msix->count == 0) {
        return true;
    }
    if (vq != NULL) {
        return load_vector(vpci, in, &vq->vector, error);
    }
    if (!state_read(in, msix->table, msix->count * MSIX_ENTRY_SIZE, error) ||
        !state_read(in, msix->pending, pending_bytes(msix), error)) {
        return false;
    }
    msix_loaded(msix);
    return load_vector(vpci, in, &vpci->vdev->config_vector, error);
}

/* ---- the modern interface's own registers ---- */

static void modern_queues_save(void *opaque, GByteArray *out)
{
    const VirtioDevice *vdev = ((VirtioPci *)opaque)->vdev;

    for (unsigned n = 0; n < FORM_QUEUES; n++) {
        const VirtQueue *vq = n < vdev->n_queues ? vdev->queues[n] : NULL;
        const uint64_t addrs[] = { vq ? vq->desc : 0, vq ? vq->avail : 0, vq ? vq->used : 0 };

        state_put_be(out, vq ? vq->num : 0, 2);
        state_put_be(out, 0, 1);
        state_put_be(out, vq ? vq->enabled : 0, 1);
        for (unsigned i = 0; i < 3; i++) {
            state_put_be(out, (uint32_t)addrs[i], 4);
            state_put_be(out, addrs[i] >> 32, 4);
        }
    }
}

typedef struct ModernQueue { uint64_t num, enabled, addrs[3]; } ModernQueue;

static bool read_modern_queue(StateReader *in, ModernQueue *queue, GError **error)
{
    uint64_t unused, low, high;

    if (!state_read_be(in, 2, &queue->num, error) || !state_read_be(in, 1, &unused, error) ||
        !state_read_be(in, 1, &queue->enabled, error)) {
        return false;
    }
    for (unsigned i = 0; i < 3; i++) {
        if (!state_read_be(in, 4, &low, error) || !state_read_be(in, 4, &high, error)) {
            return false;
        }
        queue->addrs[i] = low | high << 32;
    }
    return true;
}

/* The addresses of a queue that is enabled have been told already. */
static bool modern_queues_load(void *opaque, StateReader *in, GError **error)
{
    const VirtioDevice *vdev = ((VirtioPci *)opaque)->vdev;

    for (unsigned n = 0; n < FORM_QUEUES; n++) {
        VirtQueue *vq = n < vdev->n_queues ? vdev->queues[n] : NULL;
        ModernQueue queue;

        if (!read_modern_queue(in, &queue, error)) {
            return false;
        }
        if (vq == NULL) {
            continue;
        }
        vq->enabled = queue.enabled;
        if (!vq->enabled && vq->desc == 0) {
            vq->desc = queue.addrs[0];
            vq->avail = queue.addrs[1];
            vq->used = queue.addrs[2];
        }
    }
    return true;
}

static const StateCustom modern_queues_custom = { modern_queues_save, modern_queues_load };
static const StateField modern_fields[] = {
    STATE_UINT32(VirtioPci, device_feature_select), STATE_UINT32(VirtioPci, driver_feature_select),
    STATE_UINT32_ARRAY(VirtioPci, driver_features), STATE_CUSTOM("vqs", modern_queues_custom),
    {}
};

static bool modern_needed(const void *opaque)
{
    return ((const VirtioPci *)opaque)->modern;
}

static const StateDesc modern_state = {
    .name = "virtio_pci/modern_state", .version = 1, .needed = modern_needed,
    .fields = modern_fields,
};

static const StateField extra_fields[] = { {} };
static const StateDesc *const extra_subsections[] = { &modern_state, NULL };
const StateDesc virtio_pci_extra_state = {
    .name = "virtio_pci", .version = 1, .fields = extra_fields, .subsections = extra_subsections,
};

bool virtio_pci_has_extra_state(const VirtioBus *bus)
{
    const VirtioPci *vpci = vpci_of(bus);

    return vpci->migrate_extra && vpci->modern;
}
