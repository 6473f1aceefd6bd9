/*
 * A USB hub (USB 2.0, chapter 11): a full-speed hub of up to eight ports, without indicators.
 *
 * Not modelled: over-current, transaction translators, the time power and reset take.
 */
#include "rhea_error.h"
#include "usb.h"

#define HUB_PORTS_MAX   8
#define HUB_DEPTH_MAX   5               /* 4.1.1: hubs one behind the other */
#define HUB_STATUS_EP   0x81

/* Class requests' own descriptor type and hub characteristics, 11.23.2.1 */
#define DESC_HUB                0x29
#define HUB_NO_POWER_SWITCHING  0x0002
#define HUB_PORT_POWER_SWITCHING 0x0001
#define HUB_NO_OVER_CURRENT     0x0010

/* Port status and change bits are features of the same number, tables 11-17, 11-21, 11-22. */
enum {
    PORT_CONNECTION = 0, PORT_ENABLE = 1, PORT_SUSPEND = 2, PORT_RESET = 4, PORT_POWER = 8,
    C_PORT_CONNECTION = 16, C_PORT_ENABLE = 17, C_PORT_SUSPEND = 18, C_PORT_OVER_CURRENT = 19,
    C_PORT_RESET = 20,
};
enum { C_HUB_LOCAL_POWER = 0, C_HUB_OVER_CURRENT = 1 };
#define BIT(n) (1u << (n))

typedef struct HubPort {
    UsbPort port;
    uint16_t wPortStatus, wPortChange;  /* as in 11.24.2.7 */
} HubPort;

typedef struct Hub {
    UsbDevice usb;
    /* configuration */
    uint32_t n_ports;
    bool port_power;
    /* guest-visible state */
    HubPort ports[HUB_PORTS_MAX];
} Hub;

/* ---- ports ---- */

static void port_set(HubPort *port, unsigned feature)
{
    port->wPortStatus |= BIT(feature);
}

/* A status bit goes off, which the guest is told where the hub did it by itself. */
static void port_drop(HubPort *port, unsigned feature, bool tell)
{
    if (port->wPortStatus & BIT(feature)) {
        port->wPortStatus &= ~BIT(feature);
        port->wPortChange |= tell ? BIT(feature) : 0;
    }
}

static void port_connect(HubPort *port)
{
    if (usb_port_connected(&port->port) && port->wPortStatus & BIT(PORT_POWER)) {
        port_set(port, PORT_CONNECTION);
        port->wPortChange |= BIT(PORT_CONNECTION);
    }
}

static void hub_port_attached(UsbPort *port)
{
    Hub *hub = port->opaque;

    port_connect(&hub->ports[port->index]);
    usb_wakeup(&hub->usb);
}

static void hub_port_detached(UsbPort *port)
{
    Hub *hub = port->opaque;
    HubPort *hub_port = &hub->ports[port->index];

    port_drop(hub_port, PORT_CONNECTION, true);
    port_drop(hub_port, PORT_ENABLE, true);
    usb_wakeup(&hub->usb);
}

static void hub_port_wakeup(UsbPort *port)
{
    Hub *hub = port->opaque;

    port_drop(&hub->ports[port->index], PORT_SUSPEND, true);
    usb_wakeup(&hub->usb);
}

static const UsbPortOps hub_port_ops = {
    .attached = hub_port_attached, .detached = hub_port_detached, .wakeup = hub_port_wakeup,
};

static void hub_usb_reset(UsbDevice *dev)
{
    Hub *hub = (Hub *)dev;

    for (unsigned i = 0; i < hub->n_ports; i++) {
        HubPort *port = &hub->ports[i];

        port->wPortStatus = hub->port_power ? 0 : BIT(PORT_POWER);
        port->wPortChange = 0;
        port_connect(port);
        if (usb_port_connected(&port->port)) {
            usb_bus_reset(port->port.dev);
        }
    }
}

static UsbDevice *hub_find(UsbDevice *dev, uint8_t address)
{
    Hub *hub = (Hub *)dev;

    for (unsigned i = 0; i < hub->n_ports; i++) {
        const HubPort *port = &hub->ports[i];
        UsbDevice *found = NULL;

        if (port->wPortStatus & BIT(PORT_ENABLE) && !(port->wPortStatus & BIT(PORT_SUSPEND))) {
            found = usb_find_device(&port->port, address);
        }
        if (found) {
            return found;
        }
    }
    return NULL;
}

/* ---- class requests, 11.24.2 ---- */

static int get_hub_descriptor(Hub *hub, uint8_t *data)
{
    unsigned characteristics = HUB_NO_OVER_CURRENT | (hub->port_power ? HUB_PORT_POWER_SWITCHING
                                                                      : HUB_NO_POWER_SWITCHING);
    unsigned map_len = (hub->n_ports + 1 + 7) / 8, len = 0;

    data[len++] = 7 + 2 * map_len;
    data[len++] = DESC_HUB;
    data[len++] = hub->n_ports;
    data[len++] = characteristics;
    data[len++] = characteristics >> 8;
    data[len++] = 1;                        /* power is good after 2 ms */
    data[len++] = 0;                        /* current of its electronics */
    for (unsigned i = 0; i < map_len; i++) {
        data[len++] = 0;                    /* everything can be removed */
    }
    for (unsigned i = 0; i < map_len; i++) {
        data[len++] = 0xff;                 /* what USB 1.0 hubs say */
    }
    return len;
}

static int set_port_feature(HubPort *port, unsigned feature)
{
    switch (feature) {
    case PORT_SUSPEND:
        if (port->wPortStatus & BIT(PORT_ENABLE)) {
            port_set(port, PORT_SUSPEND);
        }
        if (port->port.dev && usb_wants_resume(port->port.dev)) {
            hub_port_wakeup(&port->port);
        }
        return 0;
    case PORT_RESET:
        if (usb_port_connected(&port->port) && port->wPortStatus & BIT(PORT_POWER)) {
            usb_bus_reset(port->port.dev);
            port_drop(port, PORT_SUSPEND, false);
            port_set(port, PORT_ENABLE);
            port->wPortChange |= BIT(PORT_RESET);
        }
        return 0;
    case PORT_POWER:
        if (!(port->wPortStatus & BIT(PORT_POWER))) {
            port_set(port, PORT_POWER);
            port_connect(port);
        }
        return 0;
    default:
        return USB_STALL;
    }
}

static int clear_port_feature(const Hub *hub, HubPort *port, unsigned feature)
{
    switch (feature) {
    case PORT_ENABLE:
        port_drop(port, PORT_ENABLE, false);
        return 0;
    case PORT_SUSPEND:
        port_drop(port, PORT_SUSPEND, true);
        return 0;
    case PORT_POWER:
        if (hub->port_power) {
            port->wPortStatus = port->wPortChange = 0;
        }
        return 0;
    case C_PORT_CONNECTION ... C_PORT_RESET:
        port->wPortChange &= ~BIT(feature - C_PORT_CONNECTION);
        return 0;
    default:
        return USB_STALL;
    }
}

/* Requests to a port: its number is in the low byte of wIndex, from 1. */
static int port_request(Hub *hub, const UsbSetup *setup, uint8_t *data)
{
    unsigned n = setup->index & 0xff;
    int result = USB_STALL;
    HubPort *port;

    if (n < 1 || n > hub->n_ports) {
        return USB_STALL;
    }
    port = &hub->ports[n - 1];
    if (setup->type & USB_DIR_IN) {
        if (setup->request != USB_GET_STATUS) {
            return USB_STALL;
        }
        data[0] = port->wPortStatus;
        data[1] = port->wPortStatus >> 8;
        data[2] = port->wPortChange;
        data[3] = port->wPortChange >> 8;
        return 4;
    }
    if (setup->request == USB_SET_FEATURE) {
        result = set_port_feature(port, setup->value);
    } else if (setup->request == USB_CLEAR_FEATURE) {
        result = clear_port_feature(hub, port, setup->value);
    }
    if (port->wPortChange) {
        usb_wakeup(&hub->usb);
    }
    return result;
}

static int hub_request(Hub *hub, const UsbSetup *setup, uint8_t *data)
{
    bool reads = setup->type & USB_DIR_IN;

    if (reads && setup->request == USB_GET_DESCRIPTOR) {
        return get_hub_descriptor(hub, data);
    }
    if (reads && setup->request == USB_GET_STATUS) {
        data[0] = data[1] = data[2] = data[3] = 0;      /* power is fine, and always was */
        return 4;
    }
    return !reads && (setup->request == USB_SET_FEATURE || setup->request == USB_CLEAR_FEATURE) &&
           setup->value <= C_HUB_OVER_CURRENT ? 0 : USB_STALL;
}

static int hub_control(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    switch (setup->type & ~USB_DIR_IN) {
    case USB_TYPE_CLASS | USB_TO_DEVICE:
        return hub_request((Hub *)dev, setup, data);
    case USB_TYPE_CLASS | USB_TO_OTHER:
        return port_request((Hub *)dev, setup, data);
    default:
        return USB_STALL;
    }
}

/* 11.12.4: one bit per port that changed, behind the hub's own. */
static unsigned hub_changes(const Hub *hub)
{
    unsigned changed = 0;

    for (unsigned i = 0; i < hub->n_ports; i++) {
        changed |= hub->ports[i].wPortChange ? BIT(i + 1) : 0;
    }
    return changed;
}

static bool hub_has_news(const UsbDevice *dev)
{
    return hub_changes((const Hub *)dev) != 0;
}

static int hub_data(UsbDevice *dev, const UsbPacket *packet)
{
    const Hub *hub = (const Hub *)dev;
    unsigned changed = hub_changes(hub), len = (hub->n_ports + 1 + 7) / 8;

    if (!changed) {
        return USB_NAK;
    }
    if (packet->len < len) {
        return USB_BABBLE;
    }
    packet->data[0] = changed;
    if (len > 1) {
        packet->data[1] = changed >> 8;
    }
    return len;
}

/* ---- state ---- */

static const StateField hub_port_fields[] = {
    STATE_UINT16(HubPort, wPortStatus),
    STATE_UINT16(HubPort, wPortChange),
    {}
};
static const StateDesc hub_port_state = {
    .name = "usb-hub-port", .version = 1, .fields = hub_port_fields,
};

static const StateField hub_fields[] = {
    STATE_STRUCT(Hub, usb, UsbDevice, usb_device_state),
    STATE_STRUCT_ARRAY(Hub, ports, HubPort, hub_port_state),
    {}
};
static const StateDesc hub_state = { .name = "usb-hub", .version = 1, .fields = hub_fields };

static const Property hub_props[] = {
    PROP_UINT32(Hub, n_ports, .name = "ports", .def = HUB_PORTS_MAX, .help = "1 to 8"),
    PROP_BOOL(Hub, port_power, .name = "port-power",
              .help = "the guest switches each port's power"),
    {}
};

/* ---- life ---- */

static unsigned hubs_above(const Hub *hub)
{
    unsigned n = 0;

    for (const char *c = hub->usb.port->path; *c; c++) {
        n += *c == '.';
    }
    return n;
}

static bool hub_realize(Device *dev, GError **error)
{
    Hub *hub = DEVICE_CAST(dev, Hub);

    if (hub->n_ports < 1 || hub->n_ports > HUB_PORTS_MAX) {
        set_error(error, "num_ports (%u) out of range (1..%d)", hub->n_ports, HUB_PORTS_MAX);
        return false;
    }
    if (hubs_above(hub) >= HUB_DEPTH_MAX) {
        set_error(error, "usb hub chain too deep");
        return false;
    }
    for (unsigned i = 0; i < hub->n_ports; i++) {
        usb_port_register(hub->usb.port->bus, &hub->ports[i].port, &hub_port_ops, hub, i,
                          hub->usb.port->path);
    }
    return true;
}

/* What is plugged into a hub goes with it. */
static void hub_unrealize(Device *dev)
{
    Hub *hub = DEVICE_CAST(dev, Hub);

    for (unsigned i = 0; i < HUB_PORTS_MAX; i++) {
        usb_port_unregister(&hub->ports[i].port);
    }
}

static const UsbEndpointDesc hub_endpoint = {
    .address = HUB_STATUS_EP, .attributes = USB_ENDPOINT_INTERRUPT, .max_packet = 2,
    .interval = 255,
};
static const UsbInterfaceDesc hub_interface = {
    .class_id = 9, .endpoints = &hub_endpoint, .n_endpoints = 1,
};
static const char *const hub_strings[] = { NULL, "QEMU", "QEMU USB Hub", "314159" };
static const UsbDesc hub_desc = {
    .usb_version = 0x0110, .vendor_id = 0x0409, .product_id = 0x55aa, .version = 0x0101,
    .class_id = 9, .max_packet0 = 8, .manufacturer = 1, .product = 2, .serial = 3,
    .attributes = USB_CONFIG_ONE | USB_CONFIG_SELF_POWERED | USB_CONFIG_WAKEUP,
    .interfaces = &hub_interface, .n_interfaces = 1,
    .strings = hub_strings, .n_strings = G_N_ELEMENTS(hub_strings),
};
static const UsbClass hub_class = {
    .desc = &hub_desc, .product = "QEMU USB Hub", .keeps_ports = true, .reset = hub_usb_reset,
    .control = hub_control, .data = hub_data, .has_news = hub_has_news, .find = hub_find,
};

const DeviceType usb_hub_type = {
    .name = "usb-hub", .category = "bridge", .firmware_name = "hub", .bus = &usb_bus_type,
    .size = sizeof(Hub), .props = hub_props, .state = &hub_state, .bus_class = &hub_class,
    .realize = hub_realize, .unrealize = hub_unrealize,
};
