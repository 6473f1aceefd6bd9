/*
 * Virtio over PCI: VIRTIO 1.2, 4.1, modern and legacy (4.1.4.8, 4.1.5.1.1.1).
 *
 * The PCI types of a device are rows whose part is the device inside; one macro writes the three
 * of them (virtio-x-pci, -transitional, -non-transitional) and their tables:
 *
 *     #define X_PCI_PROPS VIRTIO_PCI_PROP_IOEVENTFD, \
 *         VIRTIO_PCI_PROP_VECTORS(VIRTIO_PCI_VECTORS_AUTO), VIRTIO_PCI_PROPS_LAST
 *     VIRTIO_PCI_TYPES(virtio_x_pci, "virtio-x", "storage", virtio_x_device_type, X_PCI_PROPS,
 *                      .class_id = 0x0100)
 *
 * defines virtio_x_pci_type, virtio_x_pci_transitional_type and
 * virtio_x_pci_non_transitional_type; the last arguments are members of a PciClass.
 */
#pragma once

#include "msix.h"
#include "pci.h"
#include "virtio.h"

#define VIRTIO_PCI_VECTORS_AUTO UINT32_MAX      /* one per queue and one for the configuration */

/* Which interfaces the guest sees. */
typedef enum VirtioPciKind {
    VIRTIO_PCI_ANY,                             /* as disable-legacy= and disable-modern= say */
    VIRTIO_PCI_TRANSITIONAL,                    /* both */
    VIRTIO_PCI_NON_TRANSITIONAL,                /* modern only */
} VirtioPciKind;

typedef struct VirtioPciClass {
    PciClass pci;           /* class_id and romfile; the other ids follow from the device inside */
    VirtioPciKind kind;
} VirtioPciClass;
#define VIRTIO_PCI_CLASS(...) \
    .pci = { .vendor_id = 0x1af4, .config_read = virtio_pci_config_read, \
             .config_write = virtio_pci_config_write, __VA_ARGS__ }

/* One of the windows of the modern interface: a vendor capability and a region (4.1.4). */
typedef struct VirtioPciWindow {
    MemRegion region;
    uint8_t bar, type;
    uint32_t offset, size;
} VirtioPciWindow;
enum { VIRTIO_WINDOW_COMMON, VIRTIO_WINDOW_ISR, VIRTIO_WINDOW_DEVICE, VIRTIO_WINDOW_NOTIFY,
       VIRTIO_WINDOW_NOTIFY_PIO, VIRTIO_WINDOWS };

typedef struct VirtioPci {
    PciDevice pci;
    /* configuration */
    OnOffAuto disable_legacy;
    bool disable_modern, ioeventfd;
    uint32_t class_code, vectors;
    bool bus_master_bug_migration, migrate_extra, modern_pio_notify, disable_pcie, page_per_vq;
    bool ignore_backend_features, ats, ats_page_aligned;
    bool pcie_deverr_init, pcie_lnkctl_init, pcie_pm_init, pcie_flr_init, aer;
    /* wiring */
    VirtioBus *bus;
    VirtioDevice *vdev;                         /* the device inside */
    bool modern, legacy;
    Msix msix;
    MemRegion legacy_bar, modern_bar, modern_io_bar;
    VirtioPciWindow windows[VIRTIO_WINDOWS];
    uint8_t cfg_access;                         /* config offset of the access capability */
    int doorbell_fd[VIRTIO_MAX_QUEUES];         /* atomic; -1: doorbells take the machine lock */
    /* guest-visible state */
    uint32_t device_feature_select, driver_feature_select;
    uint32_t driver_features[2];                /* as written, before FEATURES_OK */
} VirtioPci;

#define VIRTIO_PCI_PROPS_FIRST \
    PROP_ON_OFF_AUTO(VirtioPci, disable_legacy, .name = "disable-legacy", \
                     .help = "hide the interface of drivers before virtio 1.0"), \
    PROP_BOOL(VirtioPci, disable_modern, .name = "disable-modern", \
              .help = "hide the interface of virtio 1.0")
#define VIRTIO_PCI_PROP_CLASS \
    PROP_UINT32(VirtioPci, class_code, .name = "class", .help = "PCI class code; 0: the usual one")
#define VIRTIO_PCI_PROP_IOEVENTFD \
    PROP_BOOL(VirtioPci, ioeventfd, .name = "ioeventfd", .def = true, \
              .help = "doorbells do not stop the vCPU")
#define VIRTIO_PCI_PROP_VECTORS(def_) \
    PROP_UINT32(VirtioPci, vectors, .name = "vectors", .def = (def_), \
                .help = "MSI-X vectors; 0: none")
#define VIRTIO_PCI_PROPS_LAST \
    PROP_BOOL(VirtioPci, bus_master_bug_migration, \
              .name = "virtio-pci-bus-master-bug-migration", \
              .help = "migrate as machines before 2.4 did"), \
    PROP_BOOL(VirtioPci, migrate_extra, .name = "migrate-extra", .def = true, \
              .help = "migrate the state of the modern interface"), \
    PROP_BOOL(VirtioPci, modern_pio_notify, .name = "modern-pio-notify", \
              .help = "a doorbell in port space too"), \
    PROP_BOOL(VirtioPci, disable_pcie, .name = "x-disable-pcie", \
              .help = "no PCI Express capability on an Express bus"), \
    PROP_BOOL(VirtioPci, page_per_vq, .name = "page-per-vq", \
              .help = "each doorbell on a page of its own"), \
    PROP_BOOL(VirtioPci, ignore_backend_features, .name = "x-ignore-backend-features", \
              .help = "offer what the back end does not"), \
    PROP_BOOL(VirtioPci, ats, .name = "ats", .help = "address translation services"), \
    PROP_BOOL(VirtioPci, ats_page_aligned, .name = "x-ats-page-aligned", .def = true, \
              .help = "translation requests are page aligned"), \
    PROP_BOOL(VirtioPci, pcie_deverr_init, .name = "x-pcie-deverr-init", .def = true, \
              .help = "PCI Express: error registers"), \
    PROP_BOOL(VirtioPci, pcie_lnkctl_init, .name = "x-pcie-lnkctl-init", .def = true, \
              .help = "PCI Express: link control"), \
    PROP_BOOL(VirtioPci, pcie_pm_init, .name = "x-pcie-pm-init", .def = true, \
              .help = "PCI Express: power management"), \
    PROP_BOOL(VirtioPci, pcie_flr_init, .name = "x-pcie-flr-init", .def = true, \
              .help = "PCI Express: function level reset"), \
    PROP_BOOL(VirtioPci, aer, .name = "aer", .help = "PCI Express: advanced error reporting")

#define VIRTIO_PCI_TYPE(class_, props_, part_) \
    .bus = &pci_bus_type, .bus_class = &(class_), .size = sizeof(VirtioPci), .props = (props_), \
    .part = &(part_), .part_name = "virtio-backend", \
    .realize = virtio_pci_realize, .unrealize = virtio_pci_unrealize, .reset = virtio_pci_reset
#define VIRTIO_PCI_TYPES(c_, name_, category_, part_, props_, ...) \
    static const Property c_##_props[] = { VIRTIO_PCI_PROPS_FIRST, props_, {} }; \
    static const Property c_##_kind_props[] = { props_, {} }; \
    static const VirtioPciClass c_##_any = { VIRTIO_PCI_CLASS(__VA_ARGS__) }, \
        c_##_both = { VIRTIO_PCI_CLASS(__VA_ARGS__), .kind = VIRTIO_PCI_TRANSITIONAL }, \
        c_##_new = { VIRTIO_PCI_CLASS(__VA_ARGS__), .kind = VIRTIO_PCI_NON_TRANSITIONAL }; \
    const DeviceType c_##_type = { \
        VIRTIO_PCI_TYPE(c_##_any, c_##_props, part_), \
        .name = name_ "-pci", .alias = name_, .category = (category_) }; \
    const DeviceType c_##_transitional_type = { \
        VIRTIO_PCI_TYPE(c_##_both, c_##_kind_props, part_), \
        .name = name_ "-pci-transitional", .category = (category_) }; \
    const DeviceType c_##_non_transitional_type = { \
        VIRTIO_PCI_TYPE(c_##_new, c_##_kind_props, part_), \
        .name = name_ "-pci-non-transitional", .category = (category_) };

bool virtio_pci_realize(Device *dev, GError **error);
void virtio_pci_unrealize(Device *dev);
void virtio_pci_reset(Device *dev);
uint32_t virtio_pci_config_read(PciDevice *pci, uint32_t offset, unsigned size);
void virtio_pci_config_write(PciDevice *pci, uint32_t offset, uint32_t value, unsigned size);

/* ---- between virtio_pci.c and the two interfaces ---- */
enum { VIRTIO_PCI_BAR_LEGACY = 0, VIRTIO_PCI_BAR_MSIX = 1, VIRTIO_PCI_BAR_MODERN_IO = 2,
       VIRTIO_PCI_BAR_MODERN = 4 };
/* A vector the driver named: itself, or VIRTIO_NO_VECTOR where there is none of that number. */
uint16_t virtio_pci_vector(const VirtioPci *vpci, uint16_t vector);
void virtio_pci_device_reset(VirtioPci *vpci);          /* the driver wrote status 0 */
uint8_t virtio_pci_read_isr(VirtioPci *vpci);           /* and clears it */
void virtio_pci_ring(VirtioPci *vpci, unsigned n);      /* any thread */

/* Saved state (virtio_pci_state.c). */
void virtio_pci_save(VirtioBus *bus, VirtQueue *vq, GByteArray *out);
bool virtio_pci_load(VirtioBus *bus, VirtQueue *vq, StateReader *in, GError **error);
extern const StateDesc virtio_pci_extra_state;
bool virtio_pci_has_extra_state(const VirtioBus *bus);

bool virtio_pci_modern_init(VirtioPci *vpci, GError **error);
void virtio_pci_modern_finish(VirtioPci *vpci);
unsigned virtio_pci_notify_stride(const VirtioPci *vpci);
/* The access capability (4.1.4.9): its data register was read or written in config space. */
void virtio_pci_cfg_access(VirtioPci *vpci, uint32_t offset, unsigned size, bool write);

void virtio_pci_legacy_init(VirtioPci *vpci);
void virtio_pci_legacy_finish(VirtioPci *vpci);
enum { VIRTIO_PCI_LEGACY_NOTIFY = 16 };
