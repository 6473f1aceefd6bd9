/* query-pci: what stands in the configuration space of each PCI function. */
#include "pci.h"
#include "qmp_api.h"
#include "vm.h"

static QmpPciMemoryRegion *describe_bar(const PciBar *bar, unsigned n)
{
    QmpPciMemoryRegion *region = g_new0(QmpPciMemoryRegion, 1);
    bool memory = (bar->type & PCI_BAR_IO) == 0;

    region->bar = n;
    region->type = g_strdup(memory ? "memory" : "io");
    region->address = bar->addr;
    region->size = bar->size;
    if (memory) {
        region->has_prefetch = region->has_mem_type_64 = true;
        region->prefetch = (bar->type & PCI_BAR_PREFETCH) != 0;
        region->mem_type_64 = (bar->type & PCI_BAR_64) != 0;
    }
    return region;
}

static QmpPciDeviceClass *describe_class(uint16_t class_id)
{
    QmpPciDeviceClass *info = g_new0(QmpPciDeviceClass, 1);

    info->desc = g_strdup(pci_class_name(class_id));
    info->class = class_id;
    return info;
}

static QmpPciDeviceId *describe_id(const uint8_t *config)
{
    QmpPciDeviceId *id = g_new0(QmpPciDeviceId, 1);

    id->vendor = pci_get_word(config + PCI_VENDOR_ID);
    id->device = pci_get_word(config + PCI_DEVICE_ID);
    id->has_subsystem = id->has_subsystem_vendor = true;
    id->subsystem = pci_get_word(config + PCI_SUBSYSTEM_ID);
    id->subsystem_vendor = pci_get_word(config + PCI_SUBSYSTEM_VENDOR_ID);
    return id;
}

static void describe_function(PciDevice *dev, void *opaque)
{
    QmpPciDeviceInfo *info = g_new0(QmpPciDeviceInfo, 1);

    info->slot = dev->devfn >> 3;
    info->function = dev->devfn & 7;
    info->class_info = describe_class(pci_get_word(dev->config + PCI_CLASS_DEVICE));
    info->id = describe_id(dev->config);
    info->irq_pin = dev->config[PCI_INTERRUPT_PIN];
    info->has_irq = info->irq_pin != 0;
    info->irq = dev->config[PCI_INTERRUPT_LINE];
    info->qdev_id = g_strdup(dev->dev.id != NULL ? dev->dev.id : "");
    info->regions = qmp_pci_memory_region_list_new();
    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        if (dev->bars[n].region != NULL) {
            g_ptr_array_add(info->regions, describe_bar(&dev->bars[n], n));
        }
    }
    g_ptr_array_add(opaque, info);
}

GPtrArray *qmp_query_pci(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_pci_info_list_new();
    PciBus *root = pci_root_bus(vm);
    QmpPciInfo *bus;

    if (root != NULL) {
        bus = g_new0(QmpPciInfo, 1);
        bus->devices = qmp_pci_device_info_list_new();
        pci_foreach(root, describe_function, bus->devices);
        g_ptr_array_add(list, bus);
    }
    return list;
}
