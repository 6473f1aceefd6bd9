/*
 * Ports of a virtio console device on character devices: virtconsole, which drivers make a console,
 * and virtserialport, a byte pipe with a name.
 *
 * What the guest sends waits in its queue while the character device takes no more; what comes for
 * the guest waits in the character device until the guest has opened the port and queued buffers.
 */
#include <string.h>

#include "rhea_error.h"
#include "virtio_devices.h"
#include "virtio_serial.h"

enum {
    PORT_INPUT_CHUNK = 4096, PORT_INPUT_ELEMENTS = 16,  /* looked at to tell how much fits */
    PORT_OUTPUT_BUDGET = 256,                           /* elements before others have their turn */
};

static VirtQueue *in_queue(const SerialPort *port) { return port->vser->in[port->nr]; }
static VirtQueue *out_queue(const SerialPort *port) { return port->vser->out[port->nr]; }

static bool guest_listens(const SerialPort *port)
{
    return port->guest_connected || !virtio_serial_multiport(port->vser);
}

/* ---- from the guest ---- */

static void output_resumed(void *opaque)
{
    SerialPort *port = opaque;

    if (port->throttled) {
        port->throttled = false;
        serial_port_output(port);
    }
}

static void output_done(SerialPort *port)
{
    virtqueue_push(out_queue(port), port->sending, 0);
    virtqueue_notify(out_queue(port));
    port->sending = NULL;
}

/* Writes the rest of one element.  False: the character device is full, and will call. */
static bool write_element(SerialPort *port)
{
    const VirtElem *elem = port->sending;
    uint8_t piece[PORT_INPUT_CHUNK];

    while (port->sent < elem->out_len) {
        size_t room = chardev_write_room(&port->chr);
        size_t n = iov_to_buf(elem->out, elem->n_out, port->sent, piece, MIN(room, sizeof(piece)));

        if (n == 0) {
            port->throttled = true;
            chardev_notify_room(&port->chr, output_resumed, port);
            return false;
        }
        chardev_write(&port->chr, piece, n);
        port->sent += n;
    }
    output_done(port);
    return true;
}

/* One element may be gigabytes: it counts by the pieces it is written in. */
void serial_port_output(SerialPort *port)
{
    VirtQueue *vq = out_queue(port);
    int64_t budget = PORT_OUTPUT_BUDGET;
    bool discard = port->chr.chr == NULL || (!port->host_connected && !port->is_console);

    while (!port->throttled && budget > 0) {
        if (port->sending == NULL && port->loaded_head >= 0) {
            port->sending = virtqueue_pop_head(vq, port->loaded_head);
            port->loaded_head = -1;
        }
        if (port->sending == NULL) {
            port->sending = virtqueue_pop(vq);
            port->sent = 0;
        }
        if (port->sending == NULL) {
            return;
        }
        budget -= 1 + port->sending->out_len / PORT_INPUT_CHUNK;
        if (discard) {
            output_done(port);
        } else if (!write_element(port)) {
            return;
        }
    }
    if (budget <= 0) {
        virtqueue_reschedule(vq);
    }
}

void serial_port_emergency(SerialPort *port, uint8_t byte)
{
    chardev_write(&port->chr, &byte, 1);
}

/* ---- to the guest ---- */

static int port_can_receive(void *opaque)
{
    SerialPort *port = opaque;

    if (!port->vser->vdev.running || !guest_listens(port)) {
        return 0;
    }
    return MIN(virtqueue_in_bytes(in_queue(port), PORT_INPUT_CHUNK, PORT_INPUT_ELEMENTS),
               PORT_INPUT_CHUNK);
}

static void port_receive(void *opaque, const uint8_t *buf, size_t len)
{
    SerialPort *port = opaque;
    VirtQueue *vq = in_queue(port);
    VirtElem *elem;

    for (unsigned i = 0; i < PORT_INPUT_ELEMENTS && len > 0; i++) {
        elem = virtqueue_pop(vq);
        if (elem == NULL) {
            break;
        }
        size_t n = iov_from_buf(elem->in, elem->n_in, 0, buf, len);

        virtqueue_push(vq, elem, n);
        buf += n;
        len -= n;
    }
    virtqueue_notify(vq);
}

void serial_port_input_room(SerialPort *port)
{
    if (guest_listens(port)) {
        chardev_accept_input(&port->chr);
    }
}

/* ---- who is connected ---- */

static void set_host_connected(SerialPort *port, bool connected)
{
    if (port->host_connected == connected || port->is_console) {
        return;
    }
    port->host_connected = connected;
    virtio_serial_send(port->vser, port, SERIAL_PORT_OPEN, connected, NULL);
    if (!connected && port->throttled) {            /* nobody will make room: what is left goes */
        output_resumed(port);
    }
}

static void port_event(void *opaque, CharEvent event)
{
    if (event == CHAR_EVENT_OPENED || event == CHAR_EVENT_CLOSED) {
        set_host_connected(opaque, event == CHAR_EVENT_OPENED);
    }
}

static void tell_change(void *opaque)
{
    const SerialPort *port = opaque;

    vm_emit(port->dev.vm, &(VmEvent){ .kind = VM_EVENT_VSERPORT_CHANGE, .device = port->dev.id,
                                      .port_open = port->guest_connected });
}

void serial_port_set_guest_connected(SerialPort *port, bool connected)
{
    if (port->guest_connected == connected) {
        return;
    }
    port->guest_connected = connected;
    if (port->dev.id != NULL) {
        vm_timer_set(&port->change_timer, vm_clock_ns(port->dev.vm));
    }
    serial_port_input_room(port);
}

void serial_port_driver_ready(SerialPort *port)
{
    if (port->is_console) {
        virtio_serial_send(port->vser, port, SERIAL_CONSOLE_PORT, 1, NULL);
    }
    if (port->name != NULL && *port->name != '\0') {
        virtio_serial_send(port->vser, port, SERIAL_PORT_NAME, 1, port->name);
    }
    if (port->host_connected) {
        virtio_serial_send(port->vser, port, SERIAL_PORT_OPEN, 1, NULL);
    }
}

void serial_port_stop(SerialPort *port)
{
    if (port->sending != NULL) {
        virtqueue_drop(out_queue(port), port->sending);
        port->sending = NULL;
    }
    port->throttled = false;
}

void serial_port_reset(SerialPort *port)
{
    port->loaded_head = -1;
    serial_port_set_guest_connected(port, false);
}

/* ---- the bus ---- */

static bool name_is_taken(const VirtioSerial *vser, const char *name)
{
    for (uint32_t n = 0; name != NULL && *name != '\0' && n < vser->max_ports; n++) {
        if (vser->ports[n] != NULL && g_strcmp0(vser->ports[n]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Number 0 is for a console, the first there is: drivers without MULTIPORT know no other port. */
static uint32_t free_number(const VirtioSerial *vser, bool is_console)
{
    uint32_t n = is_console ? 0 : 1;

    while (n < vser->max_ports && vser->ports[n] != NULL) {
        n++;
    }
    return n;
}

static bool port_plug(Bus *bus, Device *dev, GError **error)
{
    VirtioSerial *vser = ((SerialBus *)bus)->vser;
    SerialPort *port = DEVICE_CAST(dev, SerialPort);

    port->vser = vser;
    port->is_console = dev->type == &virtconsole_type;
    if (port->nr == 0 && !port->is_console) {
        set_error(error, "Port number 0 on virtio-serial devices reserved for virtconsole devices "
                  "for backward compatibility.");
        return false;
    }
    if (name_is_taken(vser, port->name)) {
        set_error(error, "virtio-serial-bus: A port already exists by name %s", port->name);
        return false;
    }
    if (port->nr == VIRTIO_SERIAL_ANY_PORT) {
        port->nr = free_number(vser, port->is_console);
    }
    if (port->nr >= vser->max_ports) {
        set_error(error, "virtio-serial-bus: Out-of-range port id specified, max. allowed: %u",
                  vser->max_ports - 1);
        return false;
    }
    if (vser->ports[port->nr] != NULL) {
        set_error(error, "virtio-serial-bus: A port already exists at id %u", port->nr);
        return false;
    }
    vser->ports[port->nr] = port;
    port->plugged = true;
    return true;
}

static void port_unplug(Bus *bus, Device *dev)
{
    SerialPort *port = DEVICE_CAST(dev, SerialPort);

    if (port->plugged) {
        virtio_serial_send(port->vser, port, SERIAL_PORT_REMOVE, 1, NULL);
        port->vser->ports[port->nr] = NULL;
    }
}

static void port_print(const Bus *bus, const Device *dev, GString *out, int indent)
{
    const SerialPort *port = (const SerialPort *)dev;

    g_string_append_printf(out, "%*sport %u, guest %s, host %s, throttle %s\n", indent, "",
                           port->nr, port->guest_connected ? "on" : "off",
                           port->host_connected ? "on" : "off", port->throttled ? "on" : "off");
}

static const Property port_bus_props[] = {
    PROP_UINT32(SerialPort, nr, .name = "nr", .def = VIRTIO_SERIAL_ANY_PORT,
                .help = "port number; default: the next free one"),
    PROP_STRING(SerialPort, name, .name = "name", .help = "what the guest finds it by"),
    {}
};

const BusType virtio_serial_bus_type = {
    .name = "virtio-serial-bus", .size = sizeof(SerialBus), .device_props = port_bus_props,
    .plug = port_plug, .unplug = port_unplug, .print_device = port_print,
};

/* ---- life ---- */

static const Property port_props[] = {
    PROP_CHARDEV(SerialPort, chr, .name = "chardev", .help = "where its bytes come and go"),
    {}
};

static bool port_realize(Device *dev, GError **error)
{
    SerialPort *port = DEVICE_CAST(dev, SerialPort);

    vm_timer_init(&port->change_timer, dev->vm, tell_change, port);
    port->loaded_head = -1;
    port->host_connected = port->is_console && port->chr.chr != NULL;
    if (port->chr.chr != NULL) {
        port->chr.opaque = port;
        port->chr.can_receive = port_can_receive;
        port->chr.receive = port_receive;
        port->chr.event = port_event;
        if (!chardev_attach(&port->chr, port->chr.chr, error)) {
            return false;
        }
    }
    virtio_serial_send(port->vser, port, SERIAL_PORT_ADD, 1, NULL);
    return true;
}

static void port_unrealize(Device *dev)
{
    SerialPort *port = DEVICE_CAST(dev, SerialPort);

    if (!port->plugged) {
        return;
    }
    serial_port_stop(port);
    vm_timer_finish(&port->change_timer);
    chardev_detach(&port->chr);
}

#define PORT_TYPE \
    .category = "input", .bus = &virtio_serial_bus_type, .size = sizeof(SerialPort), \
    .props = port_props, .realize = port_realize, .unrealize = port_unrealize
const DeviceType virtconsole_type = { .name = "virtconsole", PORT_TYPE };
const DeviceType virtserialport_type = { .name = "virtserialport", PORT_TYPE };
