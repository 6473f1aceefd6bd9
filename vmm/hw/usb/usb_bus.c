/* Ports and who is in them: where devices go on the bus, and how people see them. */
#include "usb.h"

#include <string.h>

#include "rhea_error.h"

#define FULL_SPEED_MBIT 12

/* ---- plugging ---- */

static void usb_attach(UsbDevice *dev)
{
    if (!dev->attached) {
        dev->attached = true;
        dev->state = USB_ATTACHED;
        dev->port->ops->attached(dev->port);
    }
}

static void usb_detach(UsbDevice *dev)
{
    if (dev->attached) {
        dev->port->ops->detached(dev->port);
        dev->attached = false;
        dev->state = USB_NOT_ATTACHED;
        dev->addr = 0;
    }
}

/* ---- attached=: pulls the plug half way and puts it back ---- */

static bool attached_parse(Object *obj, const Property *prop, void *field, const char *text,
                           GError **error)
{
    UsbDevice *dev = (UsbDevice *)obj;
    bool attached;

    if (!prop_bool.parse(obj, prop, &attached, text, error)) {
        return false;
    }
    dev->detached_by_user = !attached;
    if (dev->dev.realized && attached) {
        usb_attach(dev);
    } else if (dev->dev.realized) {
        usb_detach(dev);
    }
    return true;
}

static char *attached_print(const Object *obj, const Property *prop, const void *field)
{
    return prop_bool.print(obj, prop, &((const UsbDevice *)obj)->attached);
}

/* The field is what was asked for; what people see is what the guest sees. */
static const PropType prop_attached = {
    .name = "bool", .json = PROP_JSON_BOOL, .parse = attached_parse, .print = attached_print,
};

static const Property usb_device_props[] = {
    PROP_STRING(UsbDevice, port_path, .name = "port",
                .help = "port, as in 1 or 2.4; default: a free one"),
    PROP_STRING(UsbDevice, serial, .name = "serial", .help = "serial number"),
    PROP_BOOL(UsbDevice, msos_desc, .name = "msos-desc", .def = true,
              .help = "tell Windows more in descriptors of its own"),
    PROP_STRING(UsbDevice, pcap, .name = "pcap", .help = "file that gets the packets"),
    PROP_OF(prop_attached, bool, UsbDevice, detached_by_user, .name = "attached", .live = true,
            .hidden = true, .help = "the guest sees the device"),
    {}
};

/* ---- ports ---- */

void usb_port_register(UsbBus *bus, UsbPort *port, const UsbPortOps *ops, void *opaque,
                       unsigned index, const char *parent_path)
{
    *port = (UsbPort){ .ops = ops, .opaque = opaque, .index = index, .bus = bus };
    if (parent_path) {
        g_snprintf(port->path, sizeof(port->path), "%s.%u", parent_path, index + 1);
    } else {
        g_snprintf(port->path, sizeof(port->path), "%u", index + 1);
    }
    port->link.data = port;
    g_queue_push_tail_link(&bus->free, &port->link);
}

void usb_port_unregister(UsbPort *port)
{
    if (!port->bus) {
        return;
    }
    if (port->dev) {
        device_free(&port->dev->dev);
    }
    g_queue_unlink(&port->bus->free, &port->link);
    port->bus = NULL;
}

static void claim_port(UsbDevice *dev, UsbPort *port)
{
    g_queue_unlink(&port->bus->free, &port->link);
    g_queue_push_tail_link(&port->bus->used, &port->link);
    port->dev = dev;
    dev->port = port;
}

static void release_port(UsbDevice *dev)
{
    UsbPort *port = dev->port;

    dev->port = NULL;
    port->dev = NULL;
    g_queue_unlink(&port->bus->used, &port->link);
    g_queue_push_tail_link(&port->bus->free, &port->link);
}

/* ---- plugging ---- */

static UsbPort *find_port(const UsbBus *bus, const char *path)
{
    for (GList *link = bus->free.head; link; link = link->next) {
        UsbPort *port = link->data;

        if (g_str_equal(port->path, path)) {
            return port;
        }
    }
    return NULL;
}

/* The last free port takes a hub rather than a device, so that there is always room for more. */
static void spare_last_port(UsbBus *bus, const UsbDevice *dev)
{
    if (bus->free.length == 1 && !usb_class(dev)->keeps_ports) {
        device_realize(device_new(dev->dev.vm, &usb_hub_type, NULL), &bus->bus, NULL);
    }
}

static bool usb_plug(Bus *qbus, Device *qdev, GError **error)
{
    UsbBus *bus = (UsbBus *)qbus;
    UsbDevice *dev = DEVICE_CAST(qdev, UsbDevice);
    UsbPort *port;

    if (dev->pcap && *dev->pcap) {
        set_error(error, "Property '%s.pcap': USB packets cannot be captured", qdev->type->name);
        return false;
    }
    if (dev->port_path && *dev->port_path) {
        port = find_port(bus, dev->port_path);
        if (!port) {
            set_error(error, "usb port %s (bus %s) not found (in use?)", dev->port_path,
                      bus->bus.name);
            return false;
        }
    } else {
        spare_last_port(bus, dev);
        port = g_queue_peek_head(&bus->free);
        if (!port) {
            set_error(error, "tried to attach usb device %s to a bus with no free ports",
                      usb_class(dev)->product);
            return false;
        }
    }
    claim_port(dev, port);
    return true;
}

static bool usb_realized(Bus *bus, Device *qdev, GError **error)
{
    UsbDevice *dev = DEVICE_CAST(qdev, UsbDevice);

    if (!dev->detached_by_user) {
        usb_attach(dev);
    }
    return true;
}

static void usb_unplug(Bus *bus, Device *qdev)
{
    UsbDevice *dev = DEVICE_CAST(qdev, UsbDevice);

    if (dev->port) {
        usb_detach(dev);
        release_port(dev);
    }
}

/* ---- for people ---- */

static void usb_print_device(const Bus *qbus, const Device *qdev, GString *out, int indent)
{
    const UsbDevice *dev = (const UsbDevice *)qdev;

    g_string_append_printf(out, "%*saddr %u.%u, port %s, speed %d, name %s%s\n", indent, "",
                           ((const UsbBus *)qbus)->number, dev->addr, dev->port->path,
                           FULL_SPEED_MBIT, usb_class(dev)->product,
                           dev->attached ? ", attached" : "");
}

static void print_port(gpointer data, gpointer opaque)
{
    const UsbPort *port = data;
    const UsbDevice *dev = port->dev;
    GString *out = opaque;

    g_string_append_printf(out, "  Device %u.%u, Port %s, Speed %d Mb/s, Product %s",
                           port->bus->number, dev->addr, port->path, FULL_SPEED_MBIT,
                           usb_class(dev)->product);
    if (dev->dev.id) {
        g_string_append_printf(out, ", ID: %s", dev->dev.id);
    }
    g_string_append_c(out, '\n');
}

typedef struct Listing { GString *out; bool any; } Listing;

static void print_buses(Device *dev, void *opaque)
{
    Listing *listing = opaque;

    for (guint i = 0; dev->buses && i < dev->buses->len; i++) {
        Bus *bus = g_ptr_array_index(dev->buses, i);

        if (bus->type == &usb_bus_type) {
            listing->any = true;
            g_queue_foreach(&((UsbBus *)bus)->used, print_port, listing->out);
        }
    }
}

bool usb_print(Vm *vm, GString *out)
{
    Listing listing = { out, false };

    devices_foreach(vm, print_buses, &listing);
    return listing.any;
}

/* IEEE 1275 binding to USB: hubs on the way, then the device, each at its port. */
static char *usb_firmware_path(const Device *qdev)
{
    const UsbDevice *dev = (const UsbDevice *)qdev;
    GString *text = g_string_new(NULL);
    g_auto(GStrv) ports = g_strsplit(dev->port->path, ".", 0);
    const char *name = qdev->type->firmware_name;

    for (char **port = ports; *port; port++) {
        if (port[1]) {
            g_string_append_printf(text, "hub@%s/", *port);
        } else {
            g_string_append_printf(text, "%s@%s", name ? name : "usb-device", *port);
        }
    }
    return g_string_free(text, FALSE);
}

/* ---- the bus ---- */

const BusType usb_bus_type = {
    .name = "usb-bus", .size = sizeof(UsbBus), .device_props = usb_device_props,
    .plug = usb_plug, .realized = usb_realized, .unplug = usb_unplug,
    .print_device = usb_print_device, .firmware_path = usb_firmware_path,
};

UsbBus *usb_bus_new(Device *host, const char *host_path, void (*wakeup)(void *host), void *opaque)
{
    static unsigned next_number;
    UsbBus *bus = (UsbBus *)bus_new(host, &usb_bus_type, NULL);

    bus->number = next_number++;
    g_strlcpy(bus->host_path, host_path, sizeof(bus->host_path));
    g_queue_init(&bus->free);
    g_queue_init(&bus->used);
    bus->wakeup = wakeup;
    bus->host = opaque;
    bus->bus.hotplug = &plain_hotplug;
    bus->bus.hotplug_handler = host;
    return bus;
}
