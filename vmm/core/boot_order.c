/*
 * What firmware is asked to boot from: devices with a bootindex, and their paths as firmware spells
 * them (IEEE 1275 with its PCI binding).
 */
#include <stdlib.h>

#include "vm_core.h"

static void append_path(GString *path, const Device *dev)
{
    g_autofree char *part = NULL;

    if (dev == NULL || dev->bus == NULL) {
        return;
    }
    append_path(path, dev->bus->parent);
    if (dev->bus->type->firmware_path != NULL) {
        part = dev->bus->type->firmware_path(dev);
    }
    if (part != NULL) {
        g_string_append_printf(path, "/%s", part);
    }
}

char *device_firmware_path(const Device *dev)
{
    GString *path = g_string_new(NULL);

    append_path(path, dev);
    return g_string_free(path, FALSE);
}

typedef struct BootEntry {
    int32_t index;
    const Device *dev;
} BootEntry;

static bool device_bootindex(const Device *dev, int32_t *index)
{
    for (const Property *const *table = dev->obj.props; *table != NULL; table++) {
        for (const Property *prop = *table; prop->name != NULL; prop++) {
            if (prop->type == &prop_bootindex) {
                *index = *(const int32_t *)property_field(&dev->obj, prop);
                return *index >= 0;
            }
        }
    }
    return false;
}

static void collect(Device *dev, void *opaque)
{
    BootEntry entry = { .dev = dev };

    if (device_bootindex(dev, &entry.index)) {
        g_array_append_val((GArray *)opaque, entry);
    }
}

static int by_index(gconstpointer left, gconstpointer right)
{
    const BootEntry *a = left, *b = right;

    return a->index < b->index ? -1 : a->index > b->index;
}

bool device_bootindex_free(Vm *vm, const Device *dev)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(BootEntry));
    int32_t index;

    if (!device_bootindex(dev, &index)) {
        return true;
    }
    devices_foreach(vm, collect, entries);
    for (guint i = 0; i < entries->len; i++) {
        const BootEntry *entry = &g_array_index(entries, BootEntry, i);

        if (entry->dev != dev && entry->index == index) {
            return false;
        }
    }
    return true;
}

char *devices_boot_order(Vm *vm)
{
    g_autoptr(GArray) entries = g_array_new(FALSE, FALSE, sizeof(BootEntry));
    GString *order;

    devices_foreach(vm, collect, entries);
    if (entries->len == 0) {
        return NULL;
    }
    g_array_sort(entries, by_index);
    order = g_string_new(NULL);
    for (guint i = 0; i < entries->len; i++) {
        const Device *dev = g_array_index(entries, BootEntry, i).dev;
        g_autofree char *path = device_firmware_path(dev);
        const char *suffix = dev->type->boot_suffix != NULL ? dev->type->boot_suffix(dev) : NULL;

        g_string_append_printf(order, "%s%s\n", path, suffix != NULL ? suffix : "");
    }
    return g_string_free(order, FALSE);
}
