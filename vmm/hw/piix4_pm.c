/*
 * Intel PIIX4 function 3.
 *
 * Modelled: PM1a and PM timer blocks at the base of register 40, general purpose events at afe0,
 * the SMI command port b2/b3 with ACPI enable and disable, the SMBus host at the base of register
 * 90.
 * The chip itself knows no hot-plug; boards have added the ports of acpi_pci_hotplug.h to it.
 * Not modelled: device activity monitors, throttling, CPU hot-plug.
 */
#include "piix4_pm.h"

#include <string.h>

#include "acpi_pci_hotplug.h"
#include "acpi_pm.h"
#include "pm_smbus.h"
#include "x86_cpu.h"

enum {
    PIIX4_PMBA = 0x40, PIIX4_DEVACTB = 0x58, PIIX4_PMREGMISC = 0x80, PIIX4_SMBBA = 0x90,
    PIIX4_SMBHSTCFG = 0xd2,
};

#define DEVACTB3_APMC_EN    0x02        /* bit 25 of DEVACTB: a write to b2 raises SMI# */
#define PMREGMISC_PMIOSE    0x01
#define SMBHSTCFG_HST_EN    0x01
#define SMBHSTCFG_IRQ9      0x08

#define SCI_IRQ 9
#define PM_IO_SIZE 64

typedef struct Piix4Pm {
    PciDevice pci;
    /* configuration */
    uint32_t smb_io_base;
    uint8_t disable_s3, disable_s4, s4_val;
    bool bridge_hotplug, root_hotplug, smm_enabled;
    /* wiring */
    MemRegion pm_io, apm_io;
    uint16_t smb_reset_base;
    /* guest-visible state, beside configuration space */
    AcpiPm acpi;
    PmSmbus smbus;
    AcpiPciHotplug hotplug;
    uint8_t apm_control, apm_status;
} Piix4Pm;

/* ---- SMI command port ---- */

static uint64_t apm_read(void *opaque, uint64_t offset, unsigned size)
{
    const Piix4Pm *pm = opaque;

    return offset == 0 ? pm->apm_control : pm->apm_status;
}

static void apm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Piix4Pm *pm = opaque;
    Vm *vm = pm->pci.dev.vm;

    if (offset != 0) {
        pm->apm_status = value;
        return;
    }
    pm->apm_control = value;
    /* The two commands act as an SMI handler would; there need not be one. */
    if (value == PIIX4_ACPI_ENABLE || value == PIIX4_ACPI_DISABLE) {
        acpi_pm_set_acpi_mode(&pm->acpi, value == PIIX4_ACPI_ENABLE);
    }
    if (pm->smm_enabled && pm->pci.config[PIIX4_DEVACTB + 3] & DEVACTB3_APMC_EN && vm->cpus->len) {
        cpu_raise(g_ptr_array_index(vm->cpus, 0), CPU_EVENT_SMI);
    }
}

static const MemOps apm_ops = {
    .read = apm_read, .write = apm_write, .min_size = 1, .max_size = 1,
};

/* ---- configuration space ---- */

/* Places and enables the io blocks as the registers say. */
static void piix4_update_io(Piix4Pm *pm)
{
    const uint8_t *config = pm->pci.config;
    uint16_t smb_base = pci_get_word(config + PIIX4_SMBBA) & 0xffc0;

    mem_transaction_begin();
    mem_region_set_enabled(&pm->pm_io, config[PIIX4_PMREGMISC] & PMREGMISC_PMIOSE);
    mem_region_set_addr(&pm->pm_io, pci_get_word(config + PIIX4_PMBA) & 0xffc0);
    mem_region_set_enabled(&pm->smbus.io, config[PIIX4_SMBHSTCFG] & SMBHSTCFG_HST_EN && smb_base);
    mem_region_set_addr(&pm->smbus.io, smb_base);
    mem_transaction_commit();
    pm->smb_io_base = smb_base;
}

static void piix4_config_write(PciDevice *dev, uint32_t offset, uint32_t value, unsigned size)
{
    pci_default_config_write(dev, offset, value, size);
    piix4_update_io(DEVICE_CAST(dev, Piix4Pm));
}

/* ---- state ---- */

static bool piix4_loaded(void *opaque, GError **error)
{
    piix4_update_io(opaque);
    return true;
}

static const StateField piix4_fields[] = {
    STATE_STRUCT(Piix4Pm, pci, PciDevice, pci_device_state),
    STATE_STRUCT(Piix4Pm, acpi, AcpiPm, acpi_pm_state),
    STATE_STRUCT(Piix4Pm, smbus, PmSmbus, pm_smbus_state),
    STATE_UINT8(Piix4Pm, apm_control),
    STATE_UINT8(Piix4Pm, apm_status),
    STATE_STRUCT(Piix4Pm, hotplug, AcpiPciHotplug, acpi_pci_hotplug_state),
    {}
};
static const StateDesc piix4_state = {
    .name = "piix4_pm", .version = 3, .fields = piix4_fields, .loaded = piix4_loaded,
};

static const Property piix4_props[] = {
    PROP_UINT32(Piix4Pm, smb_io_base, .name = "smb_io_base", .def = 0xb100,
                .help = "first port of the SMBus host, until the guest moves it"),
    PROP_UINT8(Piix4Pm, disable_s3, .name = "disable_s3", .help = "1: no suspend to RAM"),
    PROP_UINT8(Piix4Pm, disable_s4, .name = "disable_s4", .help = "1: no suspend to disk"),
    PROP_UINT8(Piix4Pm, s4_val, .name = "s4_val", .def = 2,
               .help = "sleep type that means suspend to disk"),
    PROP_BOOL(Piix4Pm, bridge_hotplug, .name = "acpi-pci-hotplug-with-bridge-support", .def = true,
              .help = "hot-plug behind PCI bridges; there are none on this board"),
    PROP_BOOL(Piix4Pm, root_hotplug, .name = "acpi-root-pci-hotplug", .def = true,
              .help = "devices of the root bus can come and go"),
    PROP_BOOL(Piix4Pm, smm_enabled, .name = "smm-enabled",
              .help = "the SMI command port raises SMI"),
    {}
};

static const DeviceGpio piix4_gpios[] = {
    { "out", "smi-irq", 1 },
    { "out", "", 1 },
    {}
};

/* ---- life ---- */

static bool piix4_realize(Device *dev, GError **error)
{
    Piix4Pm *pm = DEVICE_CAST(dev, Piix4Pm);
    MemRegion *io = &dev->vm->system_io;

    memset(pm->pci.wmask + 0x40, 0xff, PCI_CONFIG_SIZE - 0x40);
    pm->pci.wmask[PIIX4_PMBA] = 0xc0;
    pm->pci.wmask[PIIX4_SMBBA] = 0xf0;
    pm->pci.config[PCI_INTERRUPT_PIN] = 1;
    acpi_pm_init(&pm->acpi, dev->vm, &dev->obj, vm_isa_irq(dev->vm, SCI_IRQ));
    pm->acpi.s4_type = pm->s4_val;
    pm->acpi.no_s3 = pm->disable_s3;
    pm->acpi.no_s4 = pm->disable_s4;
    mem_region_init(&pm->pm_io, &dev->obj, "piix4-pm", PM_IO_SIZE);
    mem_region_add(&pm->pm_io, 0, &pm->acpi.evt);
    mem_region_add(&pm->pm_io, 4, &pm->acpi.cnt);
    mem_region_add(&pm->pm_io, 8, &pm->acpi.tmr);
    mem_region_set_enabled(&pm->pm_io, false);
    mem_region_add(io, 0, &pm->pm_io);
    mem_region_init_io(&pm->apm_io, &dev->obj, "apm-io", 2, &apm_ops, pm);
    mem_region_add(io, PIIX4_SMI_PORT, &pm->apm_io);
    mem_region_add(io, PIIX4_GPE_BASE, &pm->acpi.gpe);
    if (pm->root_hotplug) {
        acpi_pci_hotplug_init(&pm->hotplug, dev, pm->pci.pci_bus, &pm->acpi);
    }
    pm_smbus_init(&pm->smbus, &dev->obj);
    mem_region_add(io, pm->smb_io_base, &pm->smbus.io);
    pm->smb_reset_base = pm->smb_io_base & 0xffc0;
    dev->vm->pm = dev;
    return true;
}

static void piix4_unrealize(Device *dev)
{
    Piix4Pm *pm = DEVICE_CAST(dev, Piix4Pm);

    if (!pm->acpi.vm) {
        return;
    }
    dev->vm->pm = NULL;
    pm_smbus_finish(&pm->smbus);
    acpi_pci_hotplug_finish(&pm->hotplug);
    mem_region_finish(&pm->apm_io);
    acpi_pm_finish(&pm->acpi);
    mem_region_finish(&pm->pm_io);
}

static void piix4_reset(Device *dev)
{
    Piix4Pm *pm = DEVICE_CAST(dev, Piix4Pm);
    uint8_t *config = pm->pci.config;

    pci_reset(&pm->pci);
    pci_set_word(config + PCI_STATUS, PCI_STATUS_DEVSEL_MEDIUM | 0x80);
    memset(config + 0x40, 0, PCI_CONFIG_SIZE - 0x40);
    config[PIIX4_PMBA] = 1;             /* bit 0: an io address */
    pci_set_word(config + PIIX4_SMBBA, pm->smb_reset_base | 1);
    config[PIIX4_SMBHSTCFG] = SMBHSTCFG_HST_EN | SMBHSTCFG_IRQ9;
    if (!pm->smm_enabled) {
        /* Firmware that finds the trap armed takes SMM for set up and leaves it alone. */
        config[PIIX4_DEVACTB + 3] = DEVACTB3_APMC_EN;
    }
    pm->apm_control = pm->apm_status = 0;
    acpi_pm_reset(&pm->acpi);
    acpi_pci_hotplug_reset(&pm->hotplug);
    pm_smbus_reset(&pm->smbus);
    piix4_update_io(pm);
}

AcpiPciHotplug *piix4_pm_hotplug(Device *dev)
{
    return &DEVICE_CAST(dev, Piix4Pm)->hotplug;
}

void piix4_pm_firmware_init(Device *dev, uint16_t pm_base, uint16_t smbus_base)
{
    Piix4Pm *pm = DEVICE_CAST(dev, Piix4Pm);

    pci_set_long(pm->pci.config + PIIX4_PMBA, pm_base | 1);
    pm->pci.config[PIIX4_PMREGMISC] = PMREGMISC_PMIOSE;
    pci_set_long(pm->pci.config + PIIX4_SMBBA, smbus_base | 1);
    piix4_update_io(pm);
}

static const PciClass piix4_class = {
    .vendor_id = 0x8086, .device_id = 0x7113, .revision = 3, .class_id = 0x0680,
    .config_write = piix4_config_write,
};

const DeviceType piix4_pm_type = {
    .name = "PIIX4_PM", .help = "power management",
    .bus = &pci_bus_type, .size = sizeof(Piix4Pm), .props = piix4_props, .state = &piix4_state,
    .board_only = true, .no_hotplug = true, .gpios = piix4_gpios, .bus_class = &piix4_class,
    .realize = piix4_realize, .unrealize = piix4_unrealize, .reset = piix4_reset,
};
