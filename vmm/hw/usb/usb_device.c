/*
 * What all devices have in common: the stages of a control transfer (USB 2.0, 8.5.3) and the
 * standard requests (9.4).
 *
 * A request that reads runs with its SETUP packet, one that writes when the status stage shows that
 * all its data has come.
 */
#include "usb.h"

#include <string.h>

#include "rhea_error.h"

/* ---- endpoints ---- */

const UsbEndpointDesc *usb_endpoint(const UsbDevice *dev, uint8_t address)
{
    const UsbDesc *desc = usb_class(dev)->desc;

    for (unsigned i = 0; i < desc->n_interfaces; i++) {
        const UsbInterfaceDesc *iface = &desc->interfaces[i];

        for (unsigned n = 0; n < iface->n_endpoints; n++) {
            if (iface->endpoints[n].address == address) {
                return &iface->endpoints[n];
            }
        }
    }
    return NULL;
}

static uint32_t halt_bit(uint8_t address)
{
    return UINT32_C(1) << ((address & 15) + (address & USB_DIR_IN ? 16 : 0));
}

void usb_halt(UsbDevice *dev, uint8_t address)
{
    dev->halted |= halt_bit(address);
}

void usb_wakeup(UsbDevice *dev)
{
    UsbPort *port = dev->port;

    if (!dev->attached) {
        return;
    }
    if (dev->remote_wakeup && port->ops->wakeup) {
        port->ops->wakeup(port);
    }
    if (port->bus->wakeup) {
        port->bus->wakeup(port->bus->host);
    }
}

bool usb_wants_resume(const UsbDevice *dev)
{
    return dev->attached && dev->remote_wakeup && usb_class(dev)->has_news &&
           usb_class(dev)->has_news(dev);
}

/* ---- standard requests ---- */

static int get_device_status(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    bool self_powered = usb_class(dev)->desc->attributes & USB_CONFIG_SELF_POWERED;

    data[0] = (self_powered ? 1 : 0) | (dev->remote_wakeup ? 2 : 0);
    data[1] = 0;
    return 2;
}

static int get_interface_status(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    data[0] = data[1] = 0;
    return dev->state == USB_CONFIGURED ? 2 : USB_STALL;
}

/* Of an endpoint the device has; 0 is always there. */
static bool names_endpoint(const UsbDevice *dev, uint16_t index)
{
    return (index & 0x0f) == 0 || (dev->state == USB_CONFIGURED && usb_endpoint(dev, index));
}

static int get_endpoint_status(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    if (!names_endpoint(dev, setup->index)) {
        return USB_STALL;
    }
    data[0] = !!(dev->halted & halt_bit(setup->index));
    data[1] = 0;
    return 2;
}

static int clear_device_feature(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    if (setup->value != USB_FEATURE_REMOTE_WAKEUP) {
        return USB_STALL;
    }
    dev->remote_wakeup = 0;
    return 0;
}

static int set_device_feature(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    if (setup->value != USB_FEATURE_REMOTE_WAKEUP) {
        return USB_STALL;
    }
    dev->remote_wakeup = 1;
    return 0;
}

static int clear_endpoint_feature(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    uint32_t bit = halt_bit(setup->index);

    if (setup->value != USB_FEATURE_ENDPOINT_HALT || !names_endpoint(dev, setup->index)) {
        return USB_STALL;
    }
    if (dev->halted & bit) {
        dev->halted &= ~bit;
        if (usb_class(dev)->halt_cleared) {
            usb_class(dev)->halt_cleared(dev, setup->index);
        }
    }
    return 0;
}

static int set_endpoint_feature(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    if (setup->value != USB_FEATURE_ENDPOINT_HALT || !names_endpoint(dev, setup->index)) {
        return USB_STALL;
    }
    if ((setup->index & 0x0f) != 0) {
        usb_halt(dev, setup->index);
    }
    return 0;
}

/* 9.4.6: the new address counts from the end of the status stage, which is where this runs. */
static int set_address(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    if (setup->value > 127 || dev->state == USB_CONFIGURED) {
        return USB_STALL;
    }
    dev->addr = setup->value;
    dev->state = setup->value ? USB_ADDRESS : USB_DEFAULT;
    return 0;
}

static int get_descriptor(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    return usb_descriptor(dev, setup->value >> 8, setup->value, data, setup->length);
}

static int get_configuration(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    data[0] = dev->state == USB_CONFIGURED;
    return 1;
}

static int set_configuration(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    if (setup->value > 1 || dev->state < USB_ADDRESS) {
        return USB_STALL;
    }
    dev->state = setup->value ? USB_CONFIGURED : USB_ADDRESS;
    dev->halted = 0;
    if (usb_class(dev)->reset) {
        usb_class(dev)->reset(dev);
    }
    return 0;
}

static int get_interface(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    data[0] = 0;
    return dev->state == USB_CONFIGURED && setup->index < usb_class(dev)->desc->n_interfaces
               ? 1 : USB_STALL;
}

static int set_interface(UsbDevice *dev, const UsbSetup *setup, uint8_t *data)
{
    return dev->state == USB_CONFIGURED && setup->value == 0 &&
           setup->index < usb_class(dev)->desc->n_interfaces ? 0 : USB_STALL;
}

typedef struct StandardRequest {
    uint8_t type, request;
    int (*run)(UsbDevice *dev, const UsbSetup *setup, uint8_t *data);
} StandardRequest;

static const StandardRequest standard_requests[] = {
    { USB_DIR_IN | USB_TO_DEVICE,    USB_GET_STATUS,        get_device_status },
    { USB_DIR_IN | USB_TO_INTERFACE, USB_GET_STATUS,        get_interface_status },
    { USB_DIR_IN | USB_TO_ENDPOINT,  USB_GET_STATUS,        get_endpoint_status },
    { USB_TO_DEVICE,                 USB_CLEAR_FEATURE,     clear_device_feature },
    { USB_TO_ENDPOINT,               USB_CLEAR_FEATURE,     clear_endpoint_feature },
    { USB_TO_DEVICE,                 USB_SET_FEATURE,       set_device_feature },
    { USB_TO_ENDPOINT,               USB_SET_FEATURE,       set_endpoint_feature },
    { USB_TO_DEVICE,                 USB_SET_ADDRESS,       set_address },
    { USB_DIR_IN | USB_TO_DEVICE,    USB_GET_DESCRIPTOR,    get_descriptor },
    { USB_DIR_IN | USB_TO_DEVICE,    USB_GET_CONFIGURATION, get_configuration },
    { USB_TO_DEVICE,                 USB_SET_CONFIGURATION, set_configuration },
    { USB_DIR_IN | USB_TO_INTERFACE, USB_GET_INTERFACE,     get_interface },
    { USB_TO_INTERFACE,              USB_SET_INTERFACE,     set_interface },
};

static bool is_msos_request(const UsbDevice *dev, const UsbSetup *setup)
{
    return (setup->type & (USB_DIR_IN | USB_TYPE_MASK)) == (USB_DIR_IN | USB_TYPE_VENDOR) &&
           setup->request == USB_MSOS_REQUEST && dev->msos_desc &&
           usb_class(dev)->desc->selective_suspend;
}

static int run_request(UsbDevice *dev)
{
    const uint8_t *b = dev->setup_buf;
    UsbSetup setup = {
        .type = b[0], .request = b[1], .value = b[2] | b[3] << 8, .index = b[4] | b[5] << 8,
        .length = b[6] | b[7] << 8,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(standard_requests); i++) {
        const StandardRequest *row = &standard_requests[i];

        if (row->type == setup.type && row->request == setup.request) {
            return row->run(dev, &setup, dev->data_buf);
        }
    }
    if (is_msos_request(dev, &setup)) {
        return usb_msos_request(dev, &setup, dev->data_buf);
    }
    return usb_class(dev)->control ? usb_class(dev)->control(dev, &setup, dev->data_buf)
                                   : USB_STALL;
}

/* ---- control transfers ---- */

static int refuse_control(UsbDevice *dev)
{
    dev->setup_state = USB_STAGE_IDLE;
    dev->setup_len = dev->setup_index = 0;
    return USB_STALL;
}

static int control_setup(UsbDevice *dev, const UsbPacket *packet)
{
    if (packet->len != sizeof(dev->setup_buf)) {
        return refuse_control(dev);
    }
    memcpy(dev->setup_buf, packet->data, sizeof(dev->setup_buf));
    dev->setup_index = 0;
    dev->setup_len = dev->setup_buf[6] | dev->setup_buf[7] << 8;
    dev->setup_state = dev->setup_len ? USB_STAGE_DATA : USB_STAGE_STATUS;
    /* Longer reads end early, which a device may always do; longer writes nobody needs. */
    if (dev->setup_buf[0] & USB_DIR_IN) {
        uint16_t asked = MIN(dev->setup_len, USB_CONTROL_MAX);

        dev->setup_buf[6] = asked;
        dev->setup_buf[7] = asked >> 8;
        int len = run_request(dev);
        if (len < 0) {
            return refuse_control(dev);
        }
        dev->setup_len = MIN(len, asked);
        dev->setup_state = dev->setup_len ? USB_STAGE_DATA : USB_STAGE_STATUS;
    } else if (dev->setup_len > USB_CONTROL_MAX) {
        return refuse_control(dev);
    }
    return packet->len;
}

static int control_in_data(UsbDevice *dev, const UsbPacket *packet)
{
    int len = MIN((int)packet->len, dev->setup_len - dev->setup_index);

    memcpy(packet->data, dev->data_buf + dev->setup_index, len);
    dev->setup_index += len;
    if (dev->setup_index == dev->setup_len) {
        dev->setup_state = USB_STAGE_STATUS;
    }
    return len;
}

static int control_out_data(UsbDevice *dev, const UsbPacket *packet)
{
    int len = MIN((int)packet->len, dev->setup_len - dev->setup_index);

    memcpy(dev->data_buf + dev->setup_index, packet->data, len);
    dev->setup_index += len;
    if (dev->setup_index == dev->setup_len) {
        dev->setup_state = USB_STAGE_STATUS;
    }
    return packet->len;
}

static int control_in(UsbDevice *dev, const UsbPacket *packet)
{
    bool reads = dev->setup_buf[0] & USB_DIR_IN;

    if (reads && dev->setup_state != USB_STAGE_IDLE && dev->setup_len > 0) {
        /* 8.5.3.2: past the last byte a device answers with empty packets. */
        return control_in_data(dev, packet);
    }
    if (!reads && dev->setup_state == USB_STAGE_STATUS) {
        dev->setup_state = USB_STAGE_IDLE;
        return run_request(dev) < 0 ? USB_STALL : 0;
    }
    return reads && dev->setup_state == USB_STAGE_STATUS ? 0 : refuse_control(dev);
}

static int control_out(UsbDevice *dev, const UsbPacket *packet)
{
    if (dev->setup_state == USB_STAGE_IDLE) {
        return USB_STALL;
    }
    if (!(dev->setup_buf[0] & USB_DIR_IN)) {
        return dev->setup_state == USB_STAGE_DATA ? control_out_data(dev, packet)
                                                  : refuse_control(dev);
    }
    dev->setup_state = USB_STAGE_IDLE;      /* the status stage, perhaps before all was read */
    return packet->len;
}

static int control_packet(UsbDevice *dev, const UsbPacket *packet)
{
    switch (packet->pid) {
    case USB_PID_SETUP:
        return control_setup(dev, packet);
    case USB_PID_IN:
        return control_in(dev, packet);
    default:
        return control_out(dev, packet);
    }
}

/* ---- packets ---- */

static uint8_t packet_address(const UsbPacket *packet)
{
    return packet->endpoint | (packet->pid == USB_PID_IN ? USB_DIR_IN : 0);
}

bool usb_is_interrupt(const UsbDevice *dev, const UsbPacket *packet)
{
    const UsbEndpointDesc *ep = usb_endpoint(dev, packet_address(packet));

    return ep && ep->attributes == USB_ENDPOINT_INTERRUPT;
}

int usb_packet(UsbDevice *dev, const UsbPacket *packet)
{
    uint8_t address = packet_address(packet);

    if (!dev->attached || dev->state < USB_DEFAULT) {
        return USB_NO_ANSWER;
    }
    if (packet->endpoint == 0) {
        return control_packet(dev, packet);
    }
    if (packet->pid == USB_PID_SETUP || dev->state != USB_CONFIGURED ||
        !usb_endpoint(dev, address) || dev->halted & halt_bit(address)) {
        return USB_STALL;
    }
    return usb_class(dev)->data(dev, packet);
}

UsbDevice *usb_find_device(const UsbPort *port, uint8_t address)
{
    UsbDevice *dev = port->dev;

    if (!usb_port_connected(port) || dev->state < USB_DEFAULT) {
        return NULL;
    }
    if (dev->addr == address) {
        return dev;
    }
    return usb_class(dev)->find ? usb_class(dev)->find(dev, address) : NULL;
}

void usb_bus_reset(UsbDevice *dev)
{
    if (!dev->attached) {
        return;
    }
    dev->addr = 0;
    dev->state = USB_DEFAULT;
    dev->remote_wakeup = 0;
    dev->setup_state = USB_STAGE_IDLE;
    dev->halted = 0;
    if (usb_class(dev)->reset) {
        usb_class(dev)->reset(dev);
    }
}

/* ---- state ---- */

static bool usb_loaded(void *opaque, GError **error)
{
    UsbDevice *dev = opaque;

    if (dev->setup_index > dev->setup_len) {
        set_error(error, "USB device: %d bytes of a transfer of %d are done", dev->setup_index,
                  dev->setup_len);
        return false;
    }
    dev->attached = dev->state != USB_NOT_ATTACHED;
    return true;
}

static bool in_transfer(const void *opaque)
{
    return ((const UsbDevice *)opaque)->setup_state != USB_STAGE_IDLE;
}

static bool has_halted(const void *opaque)
{
    return ((const UsbDevice *)opaque)->halted != 0;
}

static const StateField transfer_fields[] = {
    STATE_BYTES(UsbDevice, data_buf),
    {}
};
static const StateDesc transfer_state = {
    .name = "USBDevice/transfer", .version = 1, .fields = transfer_fields, .needed = in_transfer,
};

static const StateField halted_fields[] = {
    STATE_UINT32(UsbDevice, halted),
    {}
};
static const StateDesc halted_state = {
    .name = "USBDevice/halted", .version = 1, .fields = halted_fields, .needed = has_halted,
};

static const StateField usb_fields[] = {
    STATE_UINT8(UsbDevice, addr, .range = { 0, 127 }),
    STATE_INT32(UsbDevice, state, .range = { USB_NOT_ATTACHED, USB_SUSPENDED }),
    STATE_INT32(UsbDevice, remote_wakeup, .range = { 0, 1 }),
    STATE_INT32(UsbDevice, setup_state, .range = { 0, 4 }),
    STATE_INT32(UsbDevice, setup_len, .range = { 0, USB_CONTROL_MAX }),
    STATE_INT32(UsbDevice, setup_index, .range = { 0, USB_CONTROL_MAX }),
    STATE_BYTES(UsbDevice, setup_buf),
    {}
};
static const StateDesc *const usb_subsections[] = { &transfer_state, &halted_state, NULL };
const StateDesc usb_device_state = {
    .name = "USBDevice", .version = 1, .fields = usb_fields, .subsections = usb_subsections,
    .loaded = usb_loaded,
};
