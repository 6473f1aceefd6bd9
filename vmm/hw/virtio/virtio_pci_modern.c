/*
 * The interface of virtio 1.0 and later: windows into a BAR, told by capabilities (VIRTIO 1.2,
 * 4.1.4).  Doorbells do not take the machine lock where an eventfd waits for them.
 */
#include <string.h>

#include "rhea_error.h"
#include "virtio_pci.h"
#include "virtqueue.h"

enum { WINDOW_SIZE = 0x1000, CAP_SIZE = 16, NOTIFY_CAP_SIZE = 20, ACCESS_CAP_SIZE = 20 };
/* 4.1.4: struct virtio_pci_cap */
enum { CAP_LEN = 2, CAP_TYPE = 3, CAP_BAR = 4, CAP_OFFSET = 8, CAP_LENGTH = 12, CAP_EXTRA = 16 };
enum { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_DEVICE = 4, CAP_PCI_CFG = 5 };

/* ---- common configuration (4.1.4.3) ---- */

enum {
    COMMON_DEVICE_FEATURE_SELECT = 0x00, COMMON_DEVICE_FEATURE = 0x04,
    COMMON_DRIVER_FEATURE_SELECT = 0x08, COMMON_DRIVER_FEATURE = 0x0c,
    COMMON_CONFIG_VECTOR = 0x10, COMMON_NUM_QUEUES = 0x12, COMMON_STATUS = 0x14,
    COMMON_GENERATION = 0x15, COMMON_QUEUE_SELECT = 0x16, COMMON_QUEUE_SIZE = 0x18,
    COMMON_QUEUE_VECTOR = 0x1a, COMMON_QUEUE_ENABLE = 0x1c, COMMON_QUEUE_NOTIFY_OFF = 0x1e,
    COMMON_QUEUE_DESC = 0x20, COMMON_QUEUE_DRIVER = 0x28, COMMON_QUEUE_DEVICE = 0x30,
    COMMON_QUEUE_NOTIFY_DATA = 0x38, COMMON_QUEUE_RESET = 0x3a, COMMON_END = 0x3c,
};

static uint64_t offered(const VirtioDevice *vdev)
{
    return vdev->host_features & ~(VIRTIO_LEGACY_FEATURES | VIRTIO_BIT(VIRTIO_F_BAD_FEATURE));
}

static uint32_t half(uint64_t value, uint64_t offset)
{
    return offset & 4 ? value >> 32 : value;
}

static uint64_t queue_read(const VirtQueue *vq, uint64_t offset)
{
    switch (offset) {
    case COMMON_QUEUE_SIZE:         return vq->num;
    case COMMON_QUEUE_VECTOR:       return vq->vector;
    case COMMON_QUEUE_ENABLE:       return vq->enabled;
    case COMMON_QUEUE_NOTIFY_OFF:   return vq->index;
    case COMMON_QUEUE_DESC:
    case COMMON_QUEUE_DESC + 4:     return half(vq->desc, offset);
    case COMMON_QUEUE_DRIVER:
    case COMMON_QUEUE_DRIVER + 4:   return half(vq->avail, offset);
    case COMMON_QUEUE_DEVICE:
    case COMMON_QUEUE_DEVICE + 4:   return half(vq->used, offset);
    }
    return 0;
}

static uint64_t common_read(void *opaque, uint64_t offset, unsigned size)
{
    VirtioPci *vpci = opaque;
    VirtioDevice *vdev = vpci->vdev;

    if (vdev == NULL || offset >= COMMON_END) {
        return 0;
    }
    switch (offset) {
    case COMMON_DEVICE_FEATURE_SELECT:  return vpci->device_feature_select;
    case COMMON_DEVICE_FEATURE:
        return vpci->device_feature_select < 2 ?
               (uint32_t)(offered(vdev) >> (32 * vpci->device_feature_select)) : 0;
    case COMMON_DRIVER_FEATURE_SELECT:  return vpci->driver_feature_select;
    case COMMON_DRIVER_FEATURE:
        return vpci->driver_feature_select < 2 ?
               vpci->driver_features[vpci->driver_feature_select] : 0;
    case COMMON_CONFIG_VECTOR:          return vdev->config_vector;
    case COMMON_NUM_QUEUES:             return vdev->n_queues;
    case COMMON_STATUS:             return __atomic_load_n(&vdev->status, __ATOMIC_SEQ_CST);
    case COMMON_GENERATION:             return vdev->generation;
    case COMMON_QUEUE_SELECT:           return vdev->queue_sel;
    }
    return vdev->queue_sel < vdev->n_queues ? queue_read(vdev->queues[vdev->queue_sel], offset) : 0;
}

/* 3.1.1: the driver's choice becomes final with FEATURES_OK, unless it is not one we can keep. */
static uint8_t agree_features(VirtioPci *vpci, uint8_t status)
{
    VirtioDevice *vdev = vpci->vdev;
    uint64_t features = vpci->driver_features[0] | (uint64_t)vpci->driver_features[1] << 32;

    if (!(status & VIRTIO_STATUS_FEATURES_OK) || vdev->status & VIRTIO_STATUS_FEATURES_OK) {
        return status;
    }
    if (features & ~offered(vdev) || !(features & VIRTIO_BIT(VIRTIO_F_VERSION_1))) {
        return status & ~VIRTIO_STATUS_FEATURES_OK;
    }
    virtio_set_features(vdev, features);
    return status;
}

static void write_status(VirtioPci *vpci, uint8_t status)
{
    if (status == 0) {
        virtio_pci_device_reset(vpci);
    } else {
        virtio_set_status(vpci->vdev, agree_features(vpci, status));
    }
}

static void set_half(uint64_t *value, uint64_t offset, uint32_t part)
{
    unsigned shift = offset & 4 ? 32 : 0;

    *value = (*value & ~(UINT64_C(0xffffffff) << shift)) | (uint64_t)part << shift;
}

static void enable_queue(VirtioPci *vpci, VirtQueue *vq)
{
    vq->enabled = true;
    if (vpci->vdev->started && vpci->vdev->running) {
        virtqueue_listen(vq);
    }
}

/* What a queue is like is fixed while it is enabled (4.1.4.3.2). */
static void queue_setup(VirtioPci *vpci, VirtQueue *vq, uint64_t offset, uint32_t value)
{
    switch (offset) {
    case COMMON_QUEUE_SIZE:
        if (value > 0 && value <= vq->max_size && (value & (value - 1)) == 0) {
            vq->num = value;
        }
        break;
    case COMMON_QUEUE_ENABLE:
        if (value == 1) {
            enable_queue(vpci, vq);
        }
        break;
    case COMMON_QUEUE_DESC:
    case COMMON_QUEUE_DESC + 4:
        set_half(&vq->desc, offset, value);
        break;
    case COMMON_QUEUE_DRIVER:
    case COMMON_QUEUE_DRIVER + 4:
        set_half(&vq->avail, offset, value);
        break;
    case COMMON_QUEUE_DEVICE:
    case COMMON_QUEUE_DEVICE + 4:
        set_half(&vq->used, offset, value);
        break;
    }
}

static void queue_write(VirtioPci *vpci, VirtQueue *vq, uint64_t offset, uint32_t value)
{
    if (offset == COMMON_QUEUE_VECTOR) {
        __atomic_store_n(&vq->vector, virtio_pci_vector(vpci, value), __ATOMIC_RELAXED);
    } else if (offset == COMMON_QUEUE_RESET) {
        if (value == 1 && virtio_has(vpci->vdev, VIRTIO_F_RING_RESET)) {
            virtio_queue_reset(vpci->vdev, vq);
        }
    } else if (!vq->enabled) {
        queue_setup(vpci, vq, offset, value);
    }
}

static void common_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioPci *vpci = opaque;
    VirtioDevice *vdev = vpci->vdev;

    if (vdev == NULL || offset >= COMMON_END) {
        return;
    }
    switch (offset) {
    case COMMON_DEVICE_FEATURE_SELECT:
        vpci->device_feature_select = value;
        break;
    case COMMON_DRIVER_FEATURE_SELECT:
        vpci->driver_feature_select = value;
        break;
    case COMMON_DRIVER_FEATURE:
        if (vpci->driver_feature_select < 2 && !(vdev->status & VIRTIO_STATUS_FEATURES_OK)) {
            vpci->driver_features[vpci->driver_feature_select] = value;
        }
        break;
    case COMMON_CONFIG_VECTOR:
        vdev->config_vector = virtio_pci_vector(vpci, value);
        break;
    case COMMON_STATUS:
        write_status(vpci, value);
        break;
    case COMMON_QUEUE_SELECT:
        vdev->queue_sel = value;
        break;
    default:
        if (vdev->queue_sel < vdev->n_queues) {
            queue_write(vpci, vdev->queues[vdev->queue_sel], offset, value);
        }
    }
}

/* ---- the other windows ---- */

static uint64_t isr_read(void *opaque, uint64_t offset, unsigned size)
{
    VirtioPci *vpci = opaque;

    return offset == 0 && vpci->vdev != NULL ? virtio_pci_read_isr(vpci) : 0;
}

static void ignore_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
}

static uint64_t device_read(void *opaque, uint64_t offset, unsigned size)
{
    VirtioPci *vpci = opaque;

    return vpci->vdev != NULL ? virtio_config_read(vpci->vdev, offset, size) : 0;
}

static void device_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioPci *vpci = opaque;

    if (vpci->vdev != NULL) {
        virtio_config_write(vpci->vdev, offset, value, size);
    }
}

unsigned virtio_pci_notify_stride(const VirtioPci *vpci)
{
    return vpci->page_per_vq ? 4096 : 4;
}

static uint64_t notify_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0;
}

static void notify_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioPci *vpci = opaque;

    virtio_pci_ring(vpci, offset / virtio_pci_notify_stride(vpci));
}

static void notify_pio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    virtio_pci_ring(opaque, value & 0xffff);
}

static const MemOps common_ops = { common_read, common_write, .max_size = 4 };
static const MemOps isr_ops = { isr_read, ignore_write, .max_size = 4 };
static const MemOps device_ops = { device_read, device_write, .max_size = 4 };
static const MemOps notify_ops = { notify_read, notify_write, .max_size = 4, .unlocked = true };
static const MemOps notify_pio_ops = {
    notify_read, notify_pio_write, .max_size = 4, .unlocked = true
};

static const struct { const char *name; uint8_t type; const MemOps *ops; } windows[] = {
    [VIRTIO_WINDOW_COMMON]     = { "common", CAP_COMMON, &common_ops },
    [VIRTIO_WINDOW_ISR]        = { "isr", CAP_ISR, &isr_ops },
    [VIRTIO_WINDOW_DEVICE]     = { "device", CAP_DEVICE, &device_ops },
    [VIRTIO_WINDOW_NOTIFY]     = { "notify", CAP_NOTIFY, &notify_ops },
    [VIRTIO_WINDOW_NOTIFY_PIO] = { "notify-pio", CAP_NOTIFY, &notify_pio_ops },
};

/* ---- the access capability (4.1.4.9) ---- */

void virtio_pci_cfg_access(VirtioPci *vpci, uint32_t at, unsigned size, bool write)
{
    uint8_t *cap = vpci->pci.config + vpci->cfg_access, *data = cap + CAP_EXTRA;
    uint32_t offset = pci_get_long(cap + CAP_OFFSET), len = pci_get_long(cap + CAP_LENGTH);

    if ((len != 1 && len != 2 && len != 4) || offset & (len - 1) || at != 0) {
        return;
    }
    for (unsigned i = 0; i < VIRTIO_WINDOWS; i++) {
        VirtioPciWindow *window = &vpci->windows[i];
        uint32_t inside = offset - window->offset;

        if (window->size == 0 || window->bar != cap[CAP_BAR] || inside >= window->size ||
            len > window->size - inside) {
            continue;
        }
        if (write) {
            mem_region_store(&window->region, inside, pci_get_long(data), len);
        } else {
            uint32_t value = mem_region_load(&window->region, inside, len);

            memcpy(data, &value, len);
        }
    }
}

/* ---- life ---- */

static bool add_cap(VirtioPci *vpci, const VirtioPciWindow *window, GError **error)
{
    unsigned size = window->type == CAP_NOTIFY ? NOTIFY_CAP_SIZE : CAP_SIZE;
    uint8_t at = pci_add_capability(&vpci->pci, PCI_CAP_VENDOR, size, error);
    uint8_t *cap = vpci->pci.config + at;

    if (at == 0) {
        return false;
    }
    cap[CAP_LEN] = size;
    cap[CAP_TYPE] = window->type;
    cap[CAP_BAR] = window->bar;
    pci_set_long(cap + CAP_OFFSET, window->offset);
    pci_set_long(cap + CAP_LENGTH, window->size);
    if (window == &vpci->windows[VIRTIO_WINDOW_NOTIFY]) {
        pci_set_long(cap + CAP_EXTRA, virtio_pci_notify_stride(vpci));
    }
    return true;
}

/* The driver fills in what to access, then touches the data register. */
static bool add_access_cap(VirtioPci *vpci, GError **error)
{
    uint8_t at = pci_add_capability(&vpci->pci, PCI_CAP_VENDOR, ACCESS_CAP_SIZE, error);
    uint8_t *wmask = vpci->pci.wmask + at;

    if (at == 0) {
        return false;
    }
    vpci->pci.config[at + CAP_LEN] = ACCESS_CAP_SIZE;
    vpci->pci.config[at + CAP_TYPE] = CAP_PCI_CFG;
    wmask[CAP_BAR] = 0xff;
    pci_set_long(wmask + CAP_OFFSET, UINT32_MAX);
    pci_set_long(wmask + CAP_LENGTH, UINT32_MAX);
    pci_set_long(wmask + CAP_EXTRA, UINT32_MAX);
    vpci->cfg_access = at;
    return true;
}

static bool add_window(VirtioPci *vpci, unsigned which, uint8_t bar, uint32_t offset, uint32_t size,
                       GError **error)
{
    const VirtioClass *class = vpci->vdev->dev.type->bus_class;
    VirtioPciWindow *window = &vpci->windows[which];
    MemRegion *container = bar == VIRTIO_PCI_BAR_MODERN ? &vpci->modern_bar : &vpci->modern_io_bar;
    g_autofree char *name = g_strdup_printf("virtio-pci-%s-%s", windows[which].name, class->name);

    *window = (VirtioPciWindow){ .bar = bar, .type = windows[which].type, .offset = offset,
                                 .size = size };
    mem_region_init_io(&window->region, &vpci->pci.dev.obj, name, size, windows[which].ops, vpci);
    mem_region_add(container, offset, &window->region);
    return add_cap(vpci, window, error);
}

bool virtio_pci_modern_init(VirtioPci *vpci, GError **error)
{
    Object *owner = &vpci->pci.dev.obj;
    uint32_t doorbells = vpci->page_per_vq ? VIRTIO_MAX_QUEUES * 4096 : WINDOW_SIZE;
    uint64_t size = 4 * WINDOW_SIZE;

    while (size < 3 * WINDOW_SIZE + doorbells) {
        size *= 2;
    }
    mem_region_init(&vpci->modern_bar, owner, "virtio-pci", size);
    for (unsigned i = VIRTIO_WINDOW_COMMON; i <= VIRTIO_WINDOW_NOTIFY; i++) {
        if (!add_window(vpci, i, VIRTIO_PCI_BAR_MODERN, i * WINDOW_SIZE,
                        i == VIRTIO_WINDOW_NOTIFY ? doorbells : WINDOW_SIZE, error)) {
            return false;
        }
    }
    pci_register_bar(&vpci->pci, VIRTIO_PCI_BAR_MODERN, PCI_BAR_64 | PCI_BAR_PREFETCH,
                     &vpci->modern_bar);
    if (vpci->modern_pio_notify) {
        mem_region_init(&vpci->modern_io_bar, owner, "virtio-pci-io", 4);
        if (!add_window(vpci, VIRTIO_WINDOW_NOTIFY_PIO, VIRTIO_PCI_BAR_MODERN_IO, 0, 4, error)) {
            return false;
        }
        pci_register_bar(&vpci->pci, VIRTIO_PCI_BAR_MODERN_IO, PCI_BAR_IO, &vpci->modern_io_bar);
    }
    return add_access_cap(vpci, error);
}

void virtio_pci_modern_finish(VirtioPci *vpci)
{
    for (unsigned i = 0; i < VIRTIO_WINDOWS; i++) {
        if (vpci->windows[i].size != 0) {
            mem_region_finish(&vpci->windows[i].region);
        }
    }
    if (vpci->modern_bar.size != 0) {
        mem_region_finish(&vpci->modern_bar);
    }
    if (vpci->modern_io_bar.size != 0) {
        mem_region_finish(&vpci->modern_io_bar);
    }
}
