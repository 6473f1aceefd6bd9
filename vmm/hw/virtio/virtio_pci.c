/* What the two interfaces of virtio over PCI share: identity, interrupts, doorbells, life. */
#include "virtio_pci.h"

#include <string.h>
#include <sys/eventfd.h>

#include "rhea_error.h"
#include "virtqueue.h"

/* 4.1.2: transitional device ids count from 1000, by age; modern ones from 1040 by device id. */
#define VIRTIO_PCI_MODERN_ID 0x1040
static const uint16_t transitional_ids[] = {
    [VIRTIO_ID_NET] = 0x1000, [VIRTIO_ID_BLOCK] = 0x1001, [VIRTIO_ID_BALLOON] = 0x1002,
    [VIRTIO_ID_CONSOLE] = 0x1003, [VIRTIO_ID_SCSI] = 0x1004, [VIRTIO_ID_RNG] = 0x1005,
};

/* ---- interrupts ---- */

static void update_intx(VirtioPci *vpci)
{
    bool asserted = __atomic_load_n(&vpci->vdev->isr, __ATOMIC_SEQ_CST) & 1;

    pci_set_intx(&vpci->pci, asserted && !msix_enabled(&vpci->msix));
}

static bool virtio_pci_interrupt(VirtioBus *bus, uint16_t vector)
{
    VirtioPci *vpci = DEVICE_CAST(bus->bus.parent, VirtioPci);

    if (msix_enabled(&vpci->msix)) {
        return vector == VIRTIO_NO_VECTOR || msix_notify(&vpci->msix, vector);
    }
    if (!machine_lock_held()) {
        return false;
    }
    update_intx(vpci);
    return true;
}

uint8_t virtio_pci_read_isr(VirtioPci *vpci)
{
    uint8_t isr = __atomic_exchange_n(&vpci->vdev->isr, 0, __ATOMIC_SEQ_CST);

    update_intx(vpci);
    return isr;
}

uint16_t virtio_pci_vector(const VirtioPci *vpci, uint16_t vector)
{
    return vector < vpci->msix.count ? vector : VIRTIO_NO_VECTOR;
}

/* ---- doorbells ---- */

void virtio_pci_ring(VirtioPci *vpci, unsigned n)
{
    int fd = n < VIRTIO_MAX_QUEUES ? __atomic_load_n(&vpci->doorbell_fd[n], __ATOMIC_ACQUIRE) : -1;

    if (fd >= 0) {
        eventfd_write(fd, 1);
        return;
    }
    bool taken = machine_lock_enter();

    if (vpci->vdev != NULL) {
        virtio_doorbell(vpci->vdev, n);
    }
    machine_lock_leave(taken);
}

/* Registers an eventfd for doorbell `n` wherever the driver may ring it, or takes it away. */
static void set_eventfds(VirtioPci *vpci, unsigned n, int fd, bool add)
{
    void (*change)(MemRegion *mr, const IoEventFd *event) =
        add ? mem_region_add_eventfd : mem_region_remove_eventfd;
    IoEventFd own = { .addr = (uint64_t)n * virtio_pci_notify_stride(vpci), .fd = fd };
    IoEventFd shared = { .size = 2, .match = true, .value = n, .fd = fd };

    mem_transaction_begin();
    if (vpci->modern) {
        change(&vpci->windows[VIRTIO_WINDOW_NOTIFY].region, &own);
    }
    if (vpci->modern && vpci->modern_pio_notify) {
        change(&vpci->windows[VIRTIO_WINDOW_NOTIFY_PIO].region, &shared);
    }
    if (vpci->legacy) {
        shared.addr = VIRTIO_PCI_LEGACY_NOTIFY;
        change(&vpci->legacy_bar, &shared);
    }
    mem_transaction_commit();
}

static void virtio_pci_doorbell(VirtioBus *bus, VirtQueue *vq, int fd)
{
    VirtioPci *vpci = DEVICE_CAST(bus->bus.parent, VirtioPci);
    int old = vpci->doorbell_fd[vq->index];

    if (!vpci->ioeventfd || old == fd) {
        return;
    }
    __atomic_store_n(&vpci->doorbell_fd[vq->index], fd, __ATOMIC_RELEASE);
    if (old >= 0) {
        set_eventfds(vpci, vq->index, old, false);
    }
    if (fd >= 0) {
        set_eventfds(vpci, vq->index, fd, true);
    }
}

/* ---- configuration space ---- */

static bool touches(uint32_t offset, unsigned size, uint32_t first, uint32_t len)
{
    return offset < first + len && first < offset + size;
}

/* Offset of the access capability's data register. */
static uint32_t cfg_data(const VirtioPci *vpci)
{
    return vpci->cfg_access + 16;
}

uint32_t virtio_pci_config_read(PciDevice *pci, uint32_t offset, unsigned size)
{
    VirtioPci *vpci = DEVICE_CAST(&pci->dev, VirtioPci);

    if (vpci->cfg_access != 0 && touches(offset, size, cfg_data(vpci), 4)) {
        virtio_pci_cfg_access(vpci, offset - cfg_data(vpci), size, false);
    }
    return pci_default_config_read(pci, offset, size);
}

void virtio_pci_config_write(PciDevice *pci, uint32_t offset, uint32_t value, unsigned size)
{
    VirtioPci *vpci = DEVICE_CAST(&pci->dev, VirtioPci);

    pci_default_config_write(pci, offset, value, size);
    msix_config_write(&vpci->msix, offset, size);
    if (vpci->vdev == NULL) {
        return;
    }
    if (touches(offset, size, PCI_COMMAND, 2)) {
        virtio_set_disabled(vpci->vdev,
                            !(pci_get_word(pci->config + PCI_COMMAND) & PCI_COMMAND_MASTER));
    }
    if (vpci->cfg_access != 0 && touches(offset, size, cfg_data(vpci), 4)) {
        virtio_pci_cfg_access(vpci, offset - cfg_data(vpci), size, true);
    }
}

/* ---- life ---- */

void virtio_pci_device_reset(VirtioPci *vpci)
{
    virtio_reset(vpci->vdev);
    vpci->device_feature_select = vpci->driver_feature_select = 0;
    memset(vpci->driver_features, 0, sizeof(vpci->driver_features));
    update_intx(vpci);
}

void virtio_pci_reset(Device *dev)
{
    VirtioPci *vpci = DEVICE_CAST(dev, VirtioPci);

    virtio_pci_device_reset(vpci);
    msix_reset(&vpci->msix);
    pci_reset(&vpci->pci);
    virtio_set_disabled(vpci->vdev, false);
}

static bool choose_interfaces(VirtioPci *vpci, GError **error)
{
    const VirtioPciClass *class = vpci->pci.dev.type->bus_class;

    if (vpci->disable_legacy == ON_OFF_AUTO_AUTO) {
        vpci->disable_legacy = ON_OFF_AUTO_OFF;         /* what a conventional bus means */
    }
    vpci->legacy = vpci->disable_legacy == ON_OFF_AUTO_OFF;
    vpci->modern = !vpci->disable_modern;
    if (class->kind == VIRTIO_PCI_NON_TRANSITIONAL) {
        vpci->legacy = false;
    }
    if (!vpci->legacy && !vpci->modern) {
        set_error(error, "device cannot work as neither modern nor legacy mode is enabled");
        error_add_hint(error, "Set either disable-modern or disable-legacy to off");
        return false;
    }
    return true;
}

static bool realize_inside(VirtioPci *vpci, GError **error)
{
    Device *dev = &vpci->pci.dev;
    VirtioBus *bus = (VirtioBus *)bus_new(dev, &virtio_bus_type, "virtio-bus");

    bus->bus.obj.type_name = "virtio-pci-bus";
    bus->dma = &vpci->pci.dma;
    bus->modern = vpci->modern;
    bus->legacy = vpci->legacy;
    bus->interrupt = virtio_pci_interrupt;
    bus->doorbell = virtio_pci_doorbell;
    bus->save = virtio_pci_save;
    bus->load = virtio_pci_load;
    bus->extra_state = &virtio_pci_extra_state;
    bus->has_extra_state = virtio_pci_has_extra_state;
    vpci->bus = bus;
    if (!device_realize_part(dev, &bus->bus, error)) {
        return false;
    }
    vpci->vdev = bus->vdev;
    return true;
}

static void set_identity(VirtioPci *vpci)
{
    const VirtioClass *class = vpci->vdev->dev.type->bus_class;
    uint8_t *config = vpci->pci.config;

    if (vpci->legacy) {
        g_assert(class->device_id < G_N_ELEMENTS(transitional_ids) &&
                 transitional_ids[class->device_id] != 0);
        pci_set_word(config + PCI_DEVICE_ID, transitional_ids[class->device_id]);
        pci_set_word(config + PCI_SUBSYSTEM_ID, class->device_id);
    } else {
        pci_set_word(config + PCI_DEVICE_ID, VIRTIO_PCI_MODERN_ID + class->device_id);
        config[PCI_REVISION_ID] = 1;
    }
    if (vpci->class_code != 0) {
        pci_set_word(config + PCI_CLASS_DEVICE, vpci->class_code);
    }
    config[PCI_INTERRUPT_PIN] = 1;
}

bool virtio_pci_realize(Device *dev, GError **error)
{
    VirtioPci *vpci = DEVICE_CAST(dev, VirtioPci);

    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        vpci->doorbell_fd[i] = -1;
    }
    if (!choose_interfaces(vpci, error) || !realize_inside(vpci, error)) {
        return false;
    }
    set_identity(vpci);
    if (vpci->vectors == VIRTIO_PCI_VECTORS_AUTO) {
        vpci->vectors = vpci->vdev->n_queues + 1;
    }
    if (vpci->modern && !virtio_pci_modern_init(vpci, error)) {
        return false;
    }
    if (vpci->vectors > 0 &&
        !msix_init(&vpci->msix, &vpci->pci, vpci->vectors, VIRTIO_PCI_BAR_MSIX, error)) {
        return false;
    }
    if (vpci->legacy) {
        virtio_pci_legacy_init(vpci);
    }
    return true;
}

void virtio_pci_unrealize(Device *dev)
{
    VirtioPci *vpci = DEVICE_CAST(dev, VirtioPci);

    vpci->vdev = NULL;                  /* it went with its bus */
    virtio_pci_legacy_finish(vpci);
    virtio_pci_modern_finish(vpci);
    msix_finish(&vpci->msix);
}
