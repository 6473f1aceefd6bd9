/*
 * What firmware does to a PCI bus before an operating system sees it: addresses for BARs, numbers
 * for interrupt lines, decoding switched on.  Used when a kernel is booted without firmware.
 */
#include "pci.h"

typedef struct BarRequest {
    PciDevice *dev;
    unsigned n;
} BarRequest;

/* Largest first: with natural alignment that packs without holes. */
static int bar_order(gconstpointer left, gconstpointer right)
{
    const BarRequest *a = left, *b = right;
    const PciBar *bar_a = &a->dev->bars[a->n], *bar_b = &b->dev->bars[b->n];

    if (bar_a->size != bar_b->size) {
        return bar_a->size > bar_b->size ? -1 : 1;
    }
    if (a->dev->devfn != b->dev->devfn) {
        return a->dev->devfn - b->dev->devfn;
    }
    return (int)a->n - (int)b->n;
}

static void bars_collect(PciDevice *dev, void *opaque)
{
    GArray *requests = opaque;

    for (unsigned n = 0; n < PCI_NUM_BARS; n++) {
        if (dev->bars[n].region) {
            BarRequest request = { dev, n };

            g_array_append_val(requests, request);
        }
    }
}

/* Takes the lowest free address of [*next, last]; 0 when the window is full. */
static uint64_t window_take(uint64_t *next, uint64_t last, uint64_t size)
{
    uint64_t addr = (*next + size - 1) & ~(size - 1);

    if (addr < *next || addr > last || last - addr < size - 1) {
        return 0;
    }
    *next = addr + size;
    return addr;
}

static void bar_place(const BarRequest *request, PciWindows *free)
{
    PciDevice *dev = request->dev;
    const PciBar *bar = &dev->bars[request->n];
    uint8_t *reg = dev->config + (request->n == PCI_ROM_BAR ? PCI_ROM_ADDRESS
                                                            : PCI_BAR0 + 4 * request->n);
    uint64_t addr;

    if (bar->type & PCI_BAR_IO) {
        addr = window_take(&free->io_base, free->io_last, bar->size);
    } else {
        addr = window_take(&free->mem_base, free->mem_last, bar->size);
        if (!addr && bar->type & PCI_BAR_64) {
            addr = window_take(&free->mem64_base, UINT64_MAX, bar->size);
        }
    }
    /* The ROM gets an address but stays switched off, as firmware leaves it. */
    pci_set_long(reg, addr | (request->n == PCI_ROM_BAR ? 0 : bar->type));
    if (bar->type & PCI_BAR_64) {
        pci_set_long(reg + 4, addr >> 32);
    }
}

typedef struct AssignIrq {
    PciBus *bus;
    uint8_t (*irq)(int input);
} AssignIrq;

static void device_enable(PciDevice *dev, void *opaque)
{
    AssignIrq *assign = opaque;
    uint16_t command = pci_get_word(dev->config + PCI_COMMAND);
    uint8_t pin = dev->config[PCI_INTERRUPT_PIN];

    if (pin) {
        dev->config[PCI_INTERRUPT_LINE] = assign->irq(assign->bus->map_irq(dev, pin - 1));
    }
    pci_config_write(assign->bus, 0, dev->devfn, PCI_COMMAND,
                     command | PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_SERR, 2);
}

void pci_assign_resources(PciBus *root, const PciWindows *windows, uint8_t (*irq)(int input))
{
    g_autoptr(GArray) requests = g_array_new(FALSE, FALSE, sizeof(BarRequest));
    PciWindows free = *windows;

    pci_foreach(root, bars_collect, requests);
    g_array_sort(requests, bar_order);
    for (guint i = 0; i < requests->len; i++) {
        bar_place(&g_array_index(requests, BarRequest, i), &free);
    }
    pci_foreach(root, device_enable, &(AssignIrq){ root, irq });
}
