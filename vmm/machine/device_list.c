/* Every device type there is, by the name of its file. */
#include "apic.h"
#include "bochs_display.h"
#include "cirrus_pci.h"
#include "debugcon.h"
#include "debugexit.h"
#include "e1000.h"
#include "fw_cfg.h"
#include "hpet.h"
#include "i440fx.h"
#include "i6300esb.h"
#include "i8042.h"
#include "i8254.h"
#include "i8257.h"
#include "i8259.h"
#include "ide.h"
#include "ioapic.h"
#include "kvm_devices.h"
#include "machine.h"
#include "mc146818.h"
#include "parallel.h"
#include "pci_serial.h"
#include "pcspk.h"
#include "piix3.h"
#include "piix4_pm.h"
#include "port92.h"
#include "ps2.h"
#include "pvpanic.h"
#include "rtl8139.h"
#include "scsi.h"
#include "serial.h"
#include "testdev.h"
#include "usb.h"
#include "vga_pci.h"
#include "virtio_devices.h"
#include "vmmouse.h"
#include "vmport.h"

const DeviceType *const device_types[] = {
    &apic_type,
    &bochs_display_type,
    &cirrus_pci_type,
    &e1000_type,
    &fw_cfg_io_type,
    &hpet_type,
    &i440fx_host_type,
    &i440fx_type,
    &i6300esb_type,
    &i8042_type,
    &i8254_type,
    &i8257_type,
    &i8259_type,
    &ide_cd_type,
    &ide_hd_type,
    &ioapic_type,
    &isa_debug_exit_type,
    &isa_debugcon_type,
    &isa_parallel_type,
    &isa_serial_type,
    &kvm_apic_type,
    &kvm_i8259_type,
    &kvm_ioapic_type,
    &kvm_pit_type,
    &mc146818_type,
    &pci_serial_2x_type,
    &pci_serial_4x_type,
    &pci_serial_type,
    &pcspk_type,
    &piix3_ide_type,
    &piix3_type,
    &piix3_uhci_type,
    &piix4_pm_type,
    &port92_type,
    &ps2_kbd_type,
    &ps2_mouse_type,
    &pvpanic_type,
    &rtl8139_type,
    &scsi_cd_type,
    &scsi_hd_type,
    &testdev_type,
    &usb_hub_type,
    &usb_kbd_type,
    &usb_mouse_type,
    &usb_storage_type,
    &usb_tablet_type,
    &vga_pci_type,
    &virtio_balloon_device_type,
    &virtio_balloon_pci_non_transitional_type,
    &virtio_balloon_pci_transitional_type,
    &virtio_balloon_pci_type,
    &virtio_blk_device_type,
    &virtio_blk_pci_non_transitional_type,
    &virtio_blk_pci_transitional_type,
    &virtio_blk_pci_type,
    &virtio_net_device_type,
    &virtio_net_pci_non_transitional_type,
    &virtio_net_pci_transitional_type,
    &virtio_net_pci_type,
    &virtio_rng_device_type,
    &virtio_rng_pci_non_transitional_type,
    &virtio_rng_pci_transitional_type,
    &virtio_rng_pci_type,
    &virtio_scsi_device_type,
    &virtio_scsi_pci_non_transitional_type,
    &virtio_scsi_pci_transitional_type,
    &virtio_scsi_pci_type,
    &virtio_serial_device_type,
    &virtio_serial_pci_non_transitional_type,
    &virtio_serial_pci_transitional_type,
    &virtio_serial_pci_type,
    &vmmouse_type,
    &vmport_type,
    &virtconsole_type,
    &virtserialport_type,
    NULL
};
