#include "virtio_info.h"

#include <string.h>

#include "iothread.h"
#include "rhea_error.h"
#include "virtio_net.h"

/* ---- names: VIRTIO 1.2, 2.1, 6 and 5.1.3, 5.2.3, 5.3.3, 5.5.3, 5.6.3 ---- */

static const char *const status_names[8] = {
    "VIRTIO_CONFIG_S_ACKNOWLEDGE", "VIRTIO_CONFIG_S_DRIVER", "VIRTIO_CONFIG_S_DRIVER_OK",
    "VIRTIO_CONFIG_S_FEATURES_OK", [6] = "VIRTIO_CONFIG_S_NEEDS_RESET", "VIRTIO_CONFIG_S_FAILED",
};

static const char *const common_names[64] = {
    [VIRTIO_F_NOTIFY_ON_EMPTY] = "VIRTIO_F_NOTIFY_ON_EMPTY",
    [VIRTIO_F_ANY_LAYOUT] = "VIRTIO_F_ANY_LAYOUT",
    [VIRTIO_F_INDIRECT_DESC] = "VIRTIO_RING_F_INDIRECT_DESC",
    [VIRTIO_F_EVENT_IDX] = "VIRTIO_RING_F_EVENT_IDX",
    [VIRTIO_F_VERSION_1] = "VIRTIO_F_VERSION_1",
    [VIRTIO_F_ACCESS_PLATFORM] = "VIRTIO_F_IOMMU_PLATFORM",
    [VIRTIO_F_RING_PACKED] = "VIRTIO_F_RING_PACKED",
    [35] = "VIRTIO_F_IN_ORDER", "VIRTIO_F_ORDER_PLATFORM", "VIRTIO_F_SR_IOV",
    [VIRTIO_F_RING_RESET] = "VIRTIO_F_RING_RESET",
};

static const char *const net_names[64] = {
    "VIRTIO_NET_F_CSUM", "VIRTIO_NET_F_GUEST_CSUM", "VIRTIO_NET_F_CTRL_GUEST_OFFLOADS",
    "VIRTIO_NET_F_MTU", [NET_F_MAC] = "VIRTIO_NET_F_MAC", "VIRTIO_NET_F_GSO",
    "VIRTIO_NET_F_GUEST_TSO4", "VIRTIO_NET_F_GUEST_TSO6", "VIRTIO_NET_F_GUEST_ECN",
    "VIRTIO_NET_F_GUEST_UFO", "VIRTIO_NET_F_HOST_TSO4", "VIRTIO_NET_F_HOST_TSO6",
    "VIRTIO_NET_F_HOST_ECN", "VIRTIO_NET_F_HOST_UFO", "VIRTIO_NET_F_MRG_RXBUF",
    "VIRTIO_NET_F_STATUS", "VIRTIO_NET_F_CTRL_VQ", "VIRTIO_NET_F_CTRL_RX",
    "VIRTIO_NET_F_CTRL_VLAN", "VIRTIO_NET_F_CTRL_RX_EXTRA", "VIRTIO_NET_F_GUEST_ANNOUNCE",
    "VIRTIO_NET_F_MQ", "VIRTIO_NET_F_CTRL_MAC_ADDR",
    [NET_F_SPEED_DUPLEX] = "VIRTIO_NET_F_SPEED_DUPLEX",
};

static const char *const blk_names[64] = {
    [1] = "VIRTIO_BLK_F_SIZE_MAX", "VIRTIO_BLK_F_SEG_MAX", [4] = "VIRTIO_BLK_F_GEOMETRY",
    "VIRTIO_BLK_F_RO", "VIRTIO_BLK_F_BLK_SIZE", [9] = "VIRTIO_BLK_F_FLUSH",
    "VIRTIO_BLK_F_TOPOLOGY", "VIRTIO_BLK_F_CONFIG_WCE", "VIRTIO_BLK_F_MQ",
    "VIRTIO_BLK_F_DISCARD", "VIRTIO_BLK_F_WRITE_ZEROES",
};

static const char *const console_names[64] = {
    "VIRTIO_CONSOLE_F_SIZE", "VIRTIO_CONSOLE_F_MULTIPORT", "VIRTIO_CONSOLE_F_EMERG_WRITE",
};

static const char *const balloon_names[64] = {
    "VIRTIO_BALLOON_F_MUST_TELL_HOST", "VIRTIO_BALLOON_F_STATS_VQ",
    "VIRTIO_BALLOON_F_DEFLATE_ON_OOM", "VIRTIO_BALLOON_F_FREE_PAGE_HINT",
    "VIRTIO_BALLOON_F_PAGE_POISON", "VIRTIO_BALLOON_F_REPORTING",
};

static const char *const scsi_names[64] = {
    "VIRTIO_SCSI_F_INOUT", "VIRTIO_SCSI_F_HOTPLUG", "VIRTIO_SCSI_F_CHANGE", "VIRTIO_SCSI_F_T10_PI",
};

static const char *const *const device_names[] = {
    [VIRTIO_ID_NET] = net_names, [VIRTIO_ID_BLOCK] = blk_names,
    [VIRTIO_ID_CONSOLE] = console_names, [VIRTIO_ID_BALLOON] = balloon_names,
    [VIRTIO_ID_SCSI] = scsi_names,
};

const char *virtio_feature_name(unsigned bit)
{
    return common_names[bit];
}

const char *virtio_device_feature_name(unsigned device_id, unsigned bit)
{
    return device_id < G_N_ELEMENTS(device_names) && device_names[device_id] != NULL
               ? device_names[device_id][bit] : NULL;
}

const char *virtio_status_name(unsigned bit)
{
    return status_names[bit];
}

/* ---- devices ---- */

const VirtioClass *virtio_class_of(const VirtioDevice *vdev)
{
    return vdev->dev.type->bus_class;
}

VirtioDevice *virtio_find(Vm *vm, const char *path, GError **error)
{
    Device *dev = device_find(vm, path);

    if (dev != NULL && dev->type->bus == &virtio_bus_type && dev->realized) {
        return DEVICE_CAST(dev, VirtioDevice);
    }
    set_error(error, "Path %s is not a VirtIODevice", path);
    return NULL;
}

VirtQueue *virtio_queue_at(VirtioDevice *vdev, uint64_t n, GError **error)
{
    if (n < vdev->n_queues) {
        return vdev->queues[n];
    }
    set_error(error, "Invalid virtqueue number %" G_GUINT64_FORMAT, n);
    return NULL;
}

/* ---- queues ---- */

typedef struct Look {
    VirtQueue *vq;
    VirtQueueInfo *info;
    const uint16_t *index;
    VirtQueueSlot *slot;
    const char *problem;                    /* NULL: none */
} Look;

/* On the thread whose the queue is. */
static void look_at(VirtQueue *vq, void (*fn)(void *opaque), Look *look)
{
    if (vq->context != NULL) {
        context_run(vq->context, fn, look);
    } else {
        fn(look);
    }
}

static void read_info(void *opaque)
{
    const Look *look = opaque;
    const VirtQueue *vq = look->vq;

    *look->info = (VirtQueueInfo){
        .num = vq->num, .max_num = vq->max_size, .desc = vq->desc, .avail = vq->avail,
        .used = vq->used, .last_avail = vq->last_avail, .shadow_avail = vq->shadow_avail,
        .used_idx = vq->used_idx, .signalled_used = vq->signalled_used,
        .inflight = vq->inflight, .signalled_valid = vq->signalled_valid,
    };
}

void virtqueue_info(VirtQueue *vq, VirtQueueInfo *info)
{
    Look look = { .vq = vq, .info = info };

    look_at(vq, read_info, &look);
}

/* The chain from `head`; an indirect table is one descriptor.  It may loop: no longer than a ring. */
static void read_chain(const VirtQueue *vq, uint16_t head, GArray *descs)
{
    VirtqDesc desc = { .flags = VIRTQ_DESC_NEXT, .next = head };

    while (desc.flags & VIRTQ_DESC_NEXT && desc.next < vq->num && descs->len < vq->num) {
        memcpy(&desc, vq->desc_host + sizeof(desc) * desc.next, sizeof(desc));
        g_array_append_val(descs, desc);
    }
}

static void read_slot(void *opaque)
{
    Look *look = opaque;
    VirtQueue *vq = look->vq;
    VirtQueueSlot *slot = look->slot;
    unsigned place;

    if (!virtqueue_map(vq)) {
        look->problem = "the driver has not set the queue up";
        return;
    }
    place = (look->index != NULL ? *look->index : vq->last_avail) & (vq->num - 1);
    slot->avail_flags = virtqueue_avail_word(vq, 0);
    slot->avail_idx = virtqueue_avail_word(vq, 1);
    slot->head = slot->avail_entry = virtqueue_avail_word(vq, 2 + place);
    slot->used_flags = virtqueue_used_word(vq, 0);
    slot->used_idx = virtqueue_used_word(vq, 1);
    read_chain(vq, slot->head, slot->descs);
}

bool virtqueue_slot(VirtQueue *vq, const uint16_t *index, VirtQueueSlot *slot, GError **error)
{
    Look look = { .vq = vq, .index = index, .slot = slot };

    slot->descs = g_array_new(FALSE, FALSE, sizeof(VirtqDesc));
    look_at(vq, read_slot, &look);
    if (look.problem != NULL) {
        set_error(error, "%s", look.problem);
        g_array_unref(slot->descs);
        slot->descs = NULL;
    }
    return look.problem == NULL;
}
