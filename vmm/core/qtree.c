/* `info qtree`: buses and devices with their properties, in QEMU's layout. */
#include <inttypes.h>

#include "vm_core.h"

static void print_bus(const Bus *bus, GString *out, int indent);

static void print_properties(const Device *dev, const Property *props, GString *out, int indent)
{
    for (const Property *prop = props; prop != NULL && prop->name != NULL; prop++) {
        char *(*print)(const Object *, const Property *, const void *) =
            prop->type->print_qtree != NULL ? prop->type->print_qtree : prop->type->print;
        g_autofree char *text = NULL;

        if (!prop->hidden) {
            text = print(&dev->obj, prop, property_field(&dev->obj, prop));
            g_string_append_printf(out, "%*s%s = %s\n", indent, "", prop->name, text);
        }
    }
}

static void print_lines(const Device *dev, GString *out, int indent)
{
    for (const DeviceGpio *gpio = dev->type->gpios; gpio != NULL && gpio->direction != NULL;
         gpio++) {
        g_string_append_printf(out, "%*sgpio-%s \"%s\" %u\n", indent, "", gpio->direction,
                               gpio->name, gpio->count);
    }
    if (dev->gpio_in > 0) {
        g_string_append_printf(out, "%*sgpio-in \"\" %u\n", indent, "", dev->gpio_in);
    }
    if (dev->gpio_out > 0) {
        g_string_append_printf(out, "%*sgpio-out \"\" %u\n", indent, "", dev->gpio_out);
    }
}

static void print_mmio(const Device *dev, GString *out, int indent)
{
    for (guint i = 0; dev->mmio != NULL && i < dev->mmio->len; i++) {
        const MemRegion *mr = g_ptr_array_index(dev->mmio, i);
        uint64_t addr = mr->container != NULL ? mr->addr : UINT64_MAX;

        g_string_append_printf(out, "%*smmio %016" PRIx64 "/%016" PRIx64 "\n", indent, "", addr,
                               mr->size);
    }
}

static void print_one(const Device *dev, GString *out, int indent)
{
    g_string_append_printf(out, "%*sdev: %s, id \"%s\"\n", indent, "", dev->type->name,
                           dev->id != NULL ? dev->id : "");
    indent += 2;
    print_lines(dev, out, indent);
    for (const Property *const *table = dev->obj.props; *table != NULL; table++) {
        print_properties(dev, *table, out, indent);
    }
    print_mmio(dev, out, indent);
    if (dev->bus->type->print_device != NULL) {
        dev->bus->type->print_device(dev->bus, dev, out, indent);
    }
    for (guint i = dev->buses != NULL ? dev->buses->len : 0; i-- > 0;) {
        print_bus(g_ptr_array_index(dev->buses, i), out, indent);
    }
}

static void print_bus(const Bus *bus, GString *out, int indent)
{
    g_string_append_printf(out, "%*sbus: %s\n%*s  type %s\n", indent, "", bus->name, indent, "",
                           bus->obj.type_name);
    for (guint i = bus->devices->len; i-- > 0;) {       /* newest first, as QEMU lists them */
        print_one(g_ptr_array_index(bus->devices, i), out, indent + 2);
    }
}

void devices_print_tree(Vm *vm, GString *out)
{
    print_bus(vm->system_bus, out, 0);
}
