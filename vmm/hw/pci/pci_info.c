/* PCI for people: class names, `info pci`, a device's lines in `info qtree`. */
#include "pci.h"

#include <inttypes.h>

/*
 * PCI Code and ID Assignment Specification, chapter 1: what a PC is likely to hold; and the generic
 * names of IEEE 1275's PCI binding.
 */
static const struct { uint16_t class_id; const char *name, *firmware_name; } pci_classes[] = {
    { 0x0100, "SCSI controller", "scsi" },
    { 0x0101, "IDE controller", "ide" },
    { 0x0102, "Floppy controller", "fdc" },
    { 0x0104, "RAID controller", NULL },
    { 0x0106, "SATA controller", NULL },
    { 0x0180, "Storage controller", NULL },
    { 0x0200, "Ethernet controller", "ethernet" },
    { 0x0280, "Network controller", NULL },
    { 0x0300, "VGA controller", "display" },
    { 0x0380, "Display controller", "display" },
    { 0x0400, "Video controller", "video" },
    { 0x0401, "Audio controller", "sound" },
    { 0x0403, "Audio controller", NULL },
    { 0x0500, "RAM controller", "memory" },
    { 0x0580, "Memory controller", NULL },
    { 0x0600, "Host bridge", "host" },
    { 0x0601, "ISA bridge", "isa" },
    { 0x0604, "PCI bridge", "pci" },
    { 0x0680, "Bridge", NULL },
    { 0x0700, "Serial port", "serial" },
    { 0x0701, "Parallel port", "parallel" },
    { 0x0c03, "USB controller", "usb" },
    { 0x0c05, "SMBus", NULL },
};

const char *pci_class_name(uint16_t class_id)
{
    for (size_t i = 0; i < G_N_ELEMENTS(pci_classes); i++) {
        if (pci_classes[i].class_id == class_id) {
            return pci_classes[i].name;
        }
    }
    return NULL;
}

const char *pci_class_firmware_name(uint16_t class_id)
{
    for (size_t i = 0; i < G_N_ELEMENTS(pci_classes); i++) {
        if (pci_classes[i].class_id == class_id) {
            return pci_classes[i].firmware_name;
        }
    }
    return NULL;
}

void pci_foreach(PciBus *bus, PciDeviceFn fn, void *opaque)
{
    for (unsigned devfn = 0; bus && devfn < G_N_ELEMENTS(bus->slots); devfn++) {
        if (bus->slots[devfn]) {
            fn(bus->slots[devfn], opaque);
        }
    }
}

/* The end of an unmapped BAR wraps around; tools that compare listings expect just that. */
static void pci_print_bar(unsigned n, const PciBar *bar, GString *out)
{
    g_string_append_printf(out, "      BAR%u: ", n);
    if (bar->type & PCI_BAR_IO) {
        g_string_append_printf(out, "I/O at 0x%04" PRIx64 " [0x%04" PRIx64 "].\n", bar->addr,
                               pci_bar_last(bar));
        return;
    }
    g_string_append_printf(out, "%s%s memory at 0x%08" PRIx64 " [0x%08" PRIx64 "].\n",
                           bar->type & PCI_BAR_64 ? "64 bit" : "32 bit",
                           bar->type & PCI_BAR_PREFETCH ? " prefetchable" : "", bar->addr,
                           pci_bar_last(bar));
}

static void pci_print_function(PciDevice *dev, void *opaque)
{
    GString *out = opaque;
    const uint8_t *config = dev->config;
    uint16_t class_id = pci_get_word(config + PCI_CLASS_DEVICE);
    const char *name = pci_class_name(class_id);

    g_string_append_printf(out, "  Bus %2d, device %3d, function %d:\n    ", 0, dev->devfn >> 3,
                           dev->devfn & 7);
    if (name) {
        g_string_append(out, name);
    } else {
        g_string_append_printf(out, "Class %04d", class_id);
    }
    g_string_append_printf(out, ": PCI device %04x:%04x\n      PCI subsystem %04x:%04x\n",
                           pci_get_word(config + PCI_VENDOR_ID),
                           pci_get_word(config + PCI_DEVICE_ID),
                           pci_get_word(config + PCI_SUBSYSTEM_VENDOR_ID),
                           pci_get_word(config + PCI_SUBSYSTEM_ID));
    if (config[PCI_INTERRUPT_PIN]) {
        g_string_append_printf(out, "      IRQ %d, pin %c\n", config[PCI_INTERRUPT_LINE],
                               'A' + config[PCI_INTERRUPT_PIN] - 1);
    }
    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        if (dev->bars[n].region) {
            pci_print_bar(n, &dev->bars[n], out);
        }
    }
    g_string_append_printf(out, "      id \"%s\"\n", dev->dev.id ? dev->dev.id : "");
}

void pci_print(PciBus *root, GString *out)
{
    pci_foreach(root, pci_print_function, out);
}

void pci_print_device(const Bus *bus, const Device *qdev, GString *out, int indent)
{
    const PciDevice *dev = (const PciDevice *)qdev;
    const uint8_t *config = dev->config;
    uint16_t class_id = pci_get_word(config + PCI_CLASS_DEVICE);
    const char *name = pci_class_name(class_id);

    g_string_append_printf(out, "%*sclass ", indent, "");
    if (name) {
        g_string_append(out, name);
    } else {
        g_string_append_printf(out, "Class %04x", class_id);
    }
    g_string_append_printf(out, ", addr 00:%02x.%x, pci id %04x:%04x (sub %04x:%04x)\n",
                           dev->devfn >> 3, dev->devfn & 7, pci_get_word(config + PCI_VENDOR_ID),
                           pci_get_word(config + PCI_DEVICE_ID),
                           pci_get_word(config + PCI_SUBSYSTEM_VENDOR_ID),
                           pci_get_word(config + PCI_SUBSYSTEM_ID));
    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        const PciBar *bar = &dev->bars[n];

        if (bar->region) {
            g_string_append_printf(out, "%*sbar %u: %s at 0x%" PRIx64 " [0x%" PRIx64 "]\n", indent,
                                   "", n, bar->type & PCI_BAR_IO ? "i/o" : "mem", bar->addr,
                                   pci_bar_last(bar));
        }
    }
}
