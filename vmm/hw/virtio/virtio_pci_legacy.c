/*
 * The interface of drivers before virtio 1.0: one I/O BAR (VIRTIO 1.2, 4.1.4.8, 4.1.5.1.1.1).
 * Little-endian guests.
 */
#include "virtio_pci.h"
#include "virtqueue.h"

enum {
    LEGACY_DEVICE_FEATURES = 0, LEGACY_DRIVER_FEATURES = 4, LEGACY_QUEUE_PFN = 8,
    LEGACY_QUEUE_SIZE = 12, LEGACY_QUEUE_SELECT = 14, LEGACY_QUEUE_NOTIFY = VIRTIO_PCI_LEGACY_NOTIFY,
    LEGACY_STATUS = 18, LEGACY_ISR = 19,
    LEGACY_CONFIG = 20,                         /* without MSI-X */
    LEGACY_CONFIG_VECTOR = 20, LEGACY_QUEUE_VECTOR = 22, LEGACY_CONFIG_MSIX = 24,
};

static VirtQueue *selected(VirtioPci *vpci)
{
    VirtioDevice *vdev = vpci->vdev;

    return vdev->queue_sel < vdev->n_queues ? vdev->queues[vdev->queue_sel] : NULL;
}

/* Where the device's own registers begin: MSI-X, while on, puts two of its own before them. */
static uint32_t config_begin(VirtioPci *vpci)
{
    return msix_enabled(&vpci->msix) ? LEGACY_CONFIG_MSIX : LEGACY_CONFIG;
}

static uint64_t legacy_read(void *opaque, uint64_t offset, unsigned size)
{
    VirtioPci *vpci = opaque;
    VirtioDevice *vdev = vpci->vdev;
    VirtQueue *vq = vdev != NULL ? selected(vpci) : NULL;

    if (vdev == NULL) {
        return UINT64_MAX;
    }
    if (offset >= config_begin(vpci)) {
        return virtio_config_read(vdev, offset - config_begin(vpci), size);
    }
    switch (offset) {
    case LEGACY_DEVICE_FEATURES:    return (uint32_t)vdev->host_features;
    case LEGACY_DRIVER_FEATURES:    return (uint32_t)vdev->features;
    case LEGACY_QUEUE_PFN:          return vq != NULL ? vq->desc >> 12 : 0;
    case LEGACY_QUEUE_SIZE:         return vq != NULL ? vq->num : 0;
    case LEGACY_QUEUE_SELECT:       return vdev->queue_sel;
    case LEGACY_STATUS:             return __atomic_load_n(&vdev->status, __ATOMIC_SEQ_CST);
    case LEGACY_ISR:                return virtio_pci_read_isr(vpci);
    case LEGACY_CONFIG_VECTOR:      return vdev->config_vector;
    case LEGACY_QUEUE_VECTOR:       return vq != NULL ? vq->vector : VIRTIO_NO_VECTOR;
    }
    return UINT64_MAX;
}

static void set_features(VirtioDevice *vdev, uint32_t features)
{
    /* A driver that takes whatever is offered, this one too, has not looked: it gets none. */
    if (features & VIRTIO_BIT(VIRTIO_F_BAD_FEATURE)) {
        features = 0;
    }
    virtio_set_features(vdev, features);
}

static void set_page(VirtioPci *vpci, VirtQueue *vq, uint32_t pfn)
{
    if (pfn == 0) {
        virtio_pci_device_reset(vpci);
        return;
    }
    virtqueue_unlisten(vq);
    virtqueue_set_page(vq, pfn);
    if (vpci->vdev->started && vpci->vdev->running) {
        virtqueue_listen(vq);
    }
}

/*
 * Linux before 2.6.34 drove the device without switching on bus mastering: seeing its first steps,
 * we do it.
 */
static void allow_bus_master(VirtioPci *vpci)
{
    uint16_t command = pci_get_word(vpci->pci.config + PCI_COMMAND);

    virtio_pci_config_write(&vpci->pci, PCI_COMMAND, command | PCI_COMMAND_MASTER, 2);
}

static void set_status(VirtioPci *vpci, uint8_t status)
{
    if (status == 0) {
        virtio_pci_device_reset(vpci);
        return;
    }
    virtio_set_status(vpci->vdev, status);
    if (status == (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)) {
        allow_bus_master(vpci);
    }
}

static void legacy_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    VirtioPci *vpci = opaque;
    VirtioDevice *vdev = vpci->vdev;
    VirtQueue *vq = vdev != NULL ? selected(vpci) : NULL;

    if (vdev == NULL) {
        return;
    }
    if (offset >= config_begin(vpci)) {
        virtio_config_write(vdev, offset - config_begin(vpci), value, size);
        return;
    }
    switch (offset) {
    case LEGACY_DRIVER_FEATURES:
        set_features(vdev, value);
        break;
    case LEGACY_QUEUE_PFN:
        if (vq != NULL) {
            set_page(vpci, vq, value);
        }
        break;
    case LEGACY_QUEUE_SELECT:
        vdev->queue_sel = value;
        break;
    case LEGACY_QUEUE_NOTIFY:
        virtio_pci_ring(vpci, value & 0xffff);
        break;
    case LEGACY_STATUS:
        set_status(vpci, value);
        break;
    case LEGACY_CONFIG_VECTOR:
        vdev->config_vector = virtio_pci_vector(vpci, value);
        break;
    case LEGACY_QUEUE_VECTOR:
        if (vq != NULL) {
            __atomic_store_n(&vq->vector, virtio_pci_vector(vpci, value), __ATOMIC_RELAXED);
        }
        break;
    }
}

static const MemOps legacy_ops = { legacy_read, legacy_write, .max_size = 4 };

void virtio_pci_legacy_init(VirtioPci *vpci)
{
    uint32_t begin = vpci->msix.count > 0 ? LEGACY_CONFIG_MSIX : LEGACY_CONFIG;
    uint64_t size = 32;

    while (size < begin + vpci->vdev->config_len) {
        size *= 2;
    }
    mem_region_init_io(&vpci->legacy_bar, &vpci->pci.dev.obj, "virtio-pci", size, &legacy_ops,
                       vpci);
    pci_register_bar(&vpci->pci, VIRTIO_PCI_BAR_LEGACY, PCI_BAR_IO, &vpci->legacy_bar);
}

void virtio_pci_legacy_finish(VirtioPci *vpci)
{
    if (vpci->legacy_bar.size != 0) {
        mem_region_finish(&vpci->legacy_bar);
    }
}
