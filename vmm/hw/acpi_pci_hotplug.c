/*
 * Modelled: slots of the root bus, their removability, acpi-index.
 * Not modelled: further buses (bus numbers above 0 answer as empty ones).
 */
#include "acpi_pci_hotplug.h"

#include "rhea_error.h"

enum {
    HP_UP = 0x00,               /* slots with news, cleared by reading */
    HP_DOWN = 0x04,             /* slots whose devices shall go */
    HP_EJECT = 0x08,            /* write: bits of slots that are let go */
    HP_REMOVABLE = 0x0c,
    HP_BUS = 0x10,              /* which bus the other registers speak of */
    HP_INDEX = 0x14,            /* write: bit of a slot; read: its acpi-index */
};

#define PCI_SLOTS 32

/* ---- slots ---- */

uint32_t acpi_pci_hotplug_removable(const PciBus *bus)
{
    uint32_t removable = UINT32_MAX;

    for (unsigned devfn = 0; devfn < G_N_ELEMENTS(bus->slots); devfn++) {
        const PciDevice *dev = bus->slots[devfn];

        if (dev && (dev->dev.type->no_hotplug || !dev->dev.by_user)) {
            removable &= ~(1u << (devfn >> 3));
        }
    }
    return removable;
}

/*
 * The guest let go of a slot.  It finds the slot empty from now on; the devices go once no vCPU can
 * be in one of them, on the main loop.
 */
static void slot_eject(AcpiPciHotplug *hotplug, unsigned slot)
{
    hotplug->up &= ~(1u << slot);
    hotplug->down &= ~(1u << slot);
    if (!(acpi_pci_hotplug_removable(hotplug->bus) >> slot & 1)) {
        return;
    }
    for (unsigned function = 0; function < 8; function++) {
        PciDevice *dev = hotplug->bus->slots[slot << 3 | function];

        if (dev) {
            pci_detach(dev);
            device_unplug_later(&dev->dev);
        }
    }
}

static uint32_t slot_index(const AcpiPciHotplug *hotplug, uint32_t slots)
{
    const PciDevice *dev = slots ? hotplug->bus->slots[__builtin_ctz(slots) << 3] : NULL;

    return dev ? dev->acpi_index : 0;
}

/* ---- ports ---- */

static uint64_t hotplug_read(void *opaque, uint64_t offset, unsigned size)
{
    AcpiPciHotplug *hotplug = opaque;
    uint32_t value = 0;

    if (offset == HP_BUS) {
        return hotplug->selected_bus;
    }
    if (hotplug->selected_bus != 0) {
        return 0;
    }
    switch (offset) {
    case HP_UP:
        value = hotplug->up;
        hotplug->up = 0;
        break;
    case HP_DOWN:
        value = hotplug->down;
        break;
    case HP_REMOVABLE:
        value = acpi_pci_hotplug_removable(hotplug->bus);
        break;
    case HP_INDEX:
        value = hotplug->selected_index;
        break;
    }
    return value;
}

static void hotplug_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    AcpiPciHotplug *hotplug = opaque;

    if (offset == HP_BUS) {
        hotplug->selected_bus = value;
    } else if (hotplug->selected_bus == 0 && offset == HP_EJECT && value) {
        slot_eject(hotplug, __builtin_ctz(value));
    } else if (hotplug->selected_bus == 0 && offset == HP_INDEX) {
        hotplug->selected_index = slot_index(hotplug, value);
    }
}

static const MemOps hotplug_ops = {
    .read = hotplug_read, .write = hotplug_write, .min_size = 4, .max_size = 4,
};

/* ---- what the machine asks for ---- */

static void hotplug_plugged(Device *handler, Device *dev)
{
    AcpiPciHotplug *hotplug = piix4_pm_hotplug(handler);

    hotplug->up |= 1u << (DEVICE_CAST(dev, PciDevice)->devfn >> 3);
    acpi_pm_raise_gpe(hotplug->acpi, ACPI_PCI_HOTPLUG_GPE);
}

static bool hotplug_unplug_request(Device *handler, Device *dev, GError **error)
{
    AcpiPciHotplug *hotplug = piix4_pm_hotplug(handler);

    if (dev->unplug_pending) {
        set_error(error, "Device %s is already in the process of unplug",
                  dev->id ? dev->id : dev->type->name);
        return false;
    }
    dev->unplug_pending = true;
    hotplug->down |= 1u << (DEVICE_CAST(dev, PciDevice)->devfn >> 3);
    acpi_pm_raise_gpe(hotplug->acpi, ACPI_PCI_HOTPLUG_GPE);
    return true;
}

static const HotplugOps hotplug_bus_ops = {
    .plugged = hotplug_plugged, .unplug_request = hotplug_unplug_request,
};

/* ---- state ---- */

static const StateField acpi_pci_hotplug_fields[] = {
    STATE_UINT32(AcpiPciHotplug, selected_bus),
    STATE_UINT32(AcpiPciHotplug, up),
    STATE_UINT32(AcpiPciHotplug, down),
    STATE_UINT32(AcpiPciHotplug, selected_index),
    {}
};

const StateDesc acpi_pci_hotplug_state = {
    .name = "acpi_pci_hotplug", .version = 1, .fields = acpi_pci_hotplug_fields,
};

/* ---- life ---- */

void acpi_pci_hotplug_init(AcpiPciHotplug *hotplug, Device *owner, PciBus *bus, AcpiPm *acpi)
{
    hotplug->bus = bus;
    hotplug->acpi = acpi;
    mem_region_init_io(&hotplug->io, &owner->obj, "acpi-pci-hotplug", ACPI_PCI_HOTPLUG_SIZE,
                       &hotplug_ops, hotplug);
    mem_region_add(&owner->vm->system_io, ACPI_PCI_HOTPLUG_BASE, &hotplug->io);
    bus->bus.hotplug = &hotplug_bus_ops;
    bus->bus.hotplug_handler = owner;
}

void acpi_pci_hotplug_finish(AcpiPciHotplug *hotplug)
{
    if (hotplug->bus) {
        hotplug->bus->bus.hotplug = NULL;
        mem_region_finish(&hotplug->io);
        hotplug->bus = NULL;
    }
}

void acpi_pci_hotplug_reset(AcpiPciHotplug *hotplug)
{
    for (unsigned slot = 0; hotplug->bus && slot < PCI_SLOTS; slot++) {
        if (hotplug->down >> slot & 1) {
            slot_eject(hotplug, slot);
        }
    }
    hotplug->up = 0;
    hotplug->selected_bus = hotplug->selected_index = 0;
}
