/* The virtio devices, each with its PCI types. */
#pragma once

#include "device.h"

extern const DeviceType virtio_balloon_device_type, virtio_balloon_pci_type,
    virtio_balloon_pci_transitional_type, virtio_balloon_pci_non_transitional_type;
extern const DeviceType virtio_blk_device_type, virtio_blk_pci_type,
    virtio_blk_pci_transitional_type, virtio_blk_pci_non_transitional_type;
extern const DeviceType virtio_net_device_type, virtio_net_pci_type,
    virtio_net_pci_transitional_type, virtio_net_pci_non_transitional_type;
extern const DeviceType virtio_rng_device_type, virtio_rng_pci_type,
    virtio_rng_pci_transitional_type, virtio_rng_pci_non_transitional_type;
extern const DeviceType virtio_scsi_device_type, virtio_scsi_pci_type,
    virtio_scsi_pci_transitional_type, virtio_scsi_pci_non_transitional_type;
extern const DeviceType virtio_serial_device_type, virtio_serial_pci_type,
    virtio_serial_pci_transitional_type, virtio_serial_pci_non_transitional_type;
extern const DeviceType virtconsole_type, virtserialport_type;
