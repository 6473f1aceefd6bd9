/*
 * The virtio console device: queues, the control conversation, its bus of ports.
 *
 * Queues 0 and 1 are port 0's, 2 and 3 the control queues, then two for each further port; "in" is
 * towards the driver.  Not modelled: the console's size.
 */
#include "virtio_serial.h"

#include <string.h>

#include "rhea_error.h"
#include "virtio_devices.h"
#include "virtio_pci.h"
#include "vm_log.h"

enum { SERIAL_F_MULTIPORT = 1, SERIAL_F_EMERG_WRITE = 2 };          /* 5.3.3 */
/* 5.3.4 */
enum { SERIAL_MAX_NR_PORTS = 4, SERIAL_EMERG_WR = 8, SERIAL_CONFIG_SIZE = 12,
       SERIAL_SMALL_CONFIG_SIZE = 8 };

enum {
    SERIAL_PORT_QUEUE_SIZE = 128, SERIAL_CONTROL_QUEUE_SIZE = 32,
    SERIAL_MAX_MESSAGES = 8 * VIRTIO_SERIAL_MAX_PORTS,  /* a driver that takes none loses some */
};

static VirtioSerial *serial_of(VirtioDevice *vdev)
{
    return DEVICE_CAST(&vdev->dev, VirtioSerial);
}

bool virtio_serial_multiport(const VirtioSerial *vser)
{
    return virtio_has(&vser->vdev, SERIAL_F_MULTIPORT);
}

/* ---- control messages ---- */

static void flush_messages(VirtioSerial *vser)
{
    VirtElem *elem;

    while (!g_queue_is_empty(vser->messages) &&
           (elem = virtqueue_pop(vser->control_in)) != NULL) {
        g_autoptr(GBytes) message = g_queue_pop_head(vser->messages);
        gsize len;
        const void *data = g_bytes_get_data(message, &len);

        virtqueue_push(vser->control_in, elem, iov_from_buf(elem->in, elem->n_in, 0, data, len));
        virtqueue_notify(vser->control_in);
    }
}

void virtio_serial_send(VirtioSerial *vser, const SerialPort *port, SerialControlEvent event,
                        uint16_t value, const char *name)
{
    SerialControl control = { .id = port->nr, .event = event, .value = value };
    g_autoptr(GByteArray) message = g_byte_array_new();

    if (!virtio_serial_multiport(vser) || !vser->driver_ready) {
        return;
    }
    g_byte_array_append(message, (const guint8 *)&control, sizeof(control));
    if (name != NULL) {
        g_byte_array_append(message, (const guint8 *)name, strlen(name) + 1);
    }
    if (g_queue_get_length(vser->messages) >= SERIAL_MAX_MESSAGES) {
        log_guest("virtio-serial: the driver takes no control messages\n");
        return;
    }
    g_queue_push_tail(vser->messages, g_byte_array_free_to_bytes(g_steal_pointer(&message)));
    flush_messages(vser);
}

static void driver_is_ready(VirtioSerial *vser, bool ready)
{
    if (!ready) {
        log_guest("virtio-serial: the driver could not set the device up\n");
        return;
    }
    vser->driver_ready = true;
    for (uint32_t n = 0; n < vser->max_ports; n++) {
        if (vser->ports[n] != NULL) {
            virtio_serial_send(vser, vser->ports[n], SERIAL_PORT_ADD, 1, NULL);
        }
    }
}

static void handle_control(VirtioSerial *vser, const SerialControl *control)
{
    SerialPort *port;

    if (control->event == SERIAL_DEVICE_READY) {
        driver_is_ready(vser, control->value);
        return;
    }
    port = control->id < vser->max_ports ? vser->ports[control->id] : NULL;
    if (port == NULL) {
        log_guest("virtio-serial: message %u for port %u, which is not there\n", control->event,
                  control->id);
        return;
    }
    switch (control->event) {
    case SERIAL_PORT_READY:
        if (control->value != 0) {
            serial_port_driver_ready(port);
        } else {
            log_guest("virtio-serial: the driver could not add port %u\n", port->nr);
        }
        break;
    case SERIAL_PORT_OPEN:
        serial_port_set_guest_connected(port, control->value != 0);
        break;
    }
}

static void control_out_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioSerial *vser = serial_of(vdev);
    unsigned budget = SERIAL_CONTROL_QUEUE_SIZE;
    VirtElem *elem;

    while (budget > 0 && (elem = virtqueue_pop(vq)) != NULL) {
        SerialControl control;

        if (iov_to_buf(elem->out, elem->n_out, 0, &control, sizeof(control)) == sizeof(control)) {
            handle_control(vser, &control);
        }
        virtqueue_push(vq, elem, 0);
        budget--;
    }
    virtqueue_notify(vq);
    if (budget == 0) {
        virtqueue_reschedule(vq);
    }
}

static void control_in_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    flush_messages(serial_of(vdev));
}

/* ---- ports' queues ---- */

static SerialPort *port_of_queue(VirtioSerial *vser, const VirtQueue *vq)
{
    unsigned index = virtqueue_index(vq);

    return vser->ports[index < 2 ? 0 : index / 2 - 1];
}

static void in_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    SerialPort *port = port_of_queue(serial_of(vdev), vq);

    if (port != NULL) {
        serial_port_input_room(port);
    }
}

static void discard_output(VirtQueue *vq)
{
    VirtElem *elem;

    while ((elem = virtqueue_pop(vq)) != NULL) {
        virtqueue_fill(vq, elem, 0);
    }
    virtqueue_flush(vq);
    virtqueue_notify(vq);
}

static void out_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    SerialPort *port = port_of_queue(serial_of(vdev), vq);

    if (port != NULL) {
        serial_port_output(port);
    } else {
        discard_output(vq);
    }
}

/* ---- configuration space ---- */

static void serial_config_get(VirtioDevice *vdev, uint8_t *config)
{
    memset(config, 0, vdev->config_len);
    memcpy(config + SERIAL_MAX_NR_PORTS, &serial_of(vdev)->max_ports, 4);
}

static void serial_config_set(VirtioDevice *vdev, const uint8_t *config)
{
    VirtioSerial *vser = serial_of(vdev);

    if (vser->emergency_write && config[SERIAL_EMERG_WR] != 0 && vser->ports[0] != NULL) {
        serial_port_emergency(vser->ports[0], config[SERIAL_EMERG_WR]);
    }
}

static uint64_t serial_features(VirtioDevice *vdev)
{
    const VirtioSerial *vser = serial_of(vdev);

    return (vser->max_ports > 1 ? VIRTIO_BIT(SERIAL_F_MULTIPORT) : 0) |
           (vser->emergency_write ? VIRTIO_BIT(SERIAL_F_EMERG_WRITE) : 0);
}

/* ---- life ---- */

static void for_each_port(VirtioSerial *vser, void (*fn)(SerialPort *port))
{
    for (uint32_t n = 0; n < vser->max_ports; n++) {
        if (vser->ports[n] != NULL) {
            fn(vser->ports[n]);
        }
    }
}

static void free_message(gpointer message)
{
    g_bytes_unref(message);
}

static void serial_stop(VirtioDevice *vdev)
{
    for_each_port(serial_of(vdev), serial_port_stop);
}

static void serial_reset(VirtioDevice *vdev)
{
    VirtioSerial *vser = serial_of(vdev);

    vser->driver_ready = false;
    g_queue_clear_full(vser->messages, free_message);
    for_each_port(vser, serial_port_reset);
}

static void serial_running(VirtioDevice *vdev, bool running)
{
    if (running) {
        for_each_port(serial_of(vdev), serial_port_input_room);
    }
}

static const StateField own_fields[] = {
    STATE_CUSTOM("ports", virtio_serial_ports_custom), {}
};
static const StateDesc own_state = {
    .name = "virtio-serial-ports", .version = 1, .fields = own_fields,
};
static const StateField serial_fields[] = { VIRTIO_STATE_FIELD, {} };
static const StateDesc serial_state = {
    .name = "virtio-console", .version = 3, .fields = serial_fields,
};

static const Property serial_props[] = {
    PROP_UINT32(VirtioSerial, max_ports, .name = "max_ports", .def = 31,
                .help = "ports there is room for, 1 to 31"),
    PROP_BOOL(VirtioSerial, emergency_write, .name = "emergency-write", .def = true,
              .help = "a register prints a character without queues"),
    {}
};

static bool serial_check(const VirtioSerial *vser, GError **error)
{
    if (vser->max_ports == 0) {
        set_error(error, "Maximum number of serial ports not specified");
        return false;
    }
    if (vser->max_ports > VIRTIO_SERIAL_MAX_PORTS) {
        set_error(error, "maximum ports supported: %u", VIRTIO_SERIAL_MAX_PORTS);
        return false;
    }
    return true;
}

static void add_port_queues(VirtioSerial *vser, uint32_t n)
{
    vser->in[n] = virtio_add_queue(&vser->vdev, SERIAL_PORT_QUEUE_SIZE, in_handle,
                                   sizeof(VirtElem));
    vser->out[n] = virtio_add_queue(&vser->vdev, SERIAL_PORT_QUEUE_SIZE, out_handle,
                                    sizeof(VirtElem));
}

static void make_bus(VirtioSerial *vser)
{
    Device *dev = &vser->vdev.dev;
    const char *id = dev->outside != NULL ? dev->outside->id : NULL;
    g_autofree char *name = id != NULL ? g_strdup_printf("%s.0", id) : NULL;

    vser->bus = (SerialBus *)bus_new(dev, &virtio_serial_bus_type, name);
    vser->bus->vser = vser;
    vser->bus->bus.hotplug = &plain_hotplug;
    vser->bus->bus.hotplug_handler = dev;
}

static bool serial_realize(Device *dev, GError **error)
{
    VirtioSerial *vser = DEVICE_CAST(dev, VirtioSerial);
    VirtioDevice *vdev = &vser->vdev;

    if (!serial_check(vser, error)) {
        return false;
    }
    virtio_init(vdev, vser->emergency_write ? SERIAL_CONFIG_SIZE : SERIAL_SMALL_CONFIG_SIZE);
    vser->messages = g_queue_new();
    add_port_queues(vser, 0);
    vser->control_in =
        virtio_add_queue(vdev, SERIAL_CONTROL_QUEUE_SIZE, control_in_handle, sizeof(VirtElem));
    vser->control_out =
        virtio_add_queue(vdev, SERIAL_CONTROL_QUEUE_SIZE, control_out_handle, sizeof(VirtElem));
    for (uint32_t n = 1; n < vser->max_ports; n++) {
        add_port_queues(vser, n);
    }
    make_bus(vser);
    return true;
}

static void serial_unrealize(Device *dev)
{
    VirtioSerial *vser = DEVICE_CAST(dev, VirtioSerial);

    if (vser->messages == NULL) {
        return;
    }
    virtio_finish(&vser->vdev);
    g_queue_free_full(vser->messages, free_message);
    vser->messages = NULL;
}

static const VirtioClass serial_class = {
    .device_id = VIRTIO_ID_CONSOLE, .name = "virtio-serial", .features = serial_features,
    .config_get = serial_config_get, .config_set = serial_config_set, .stop = serial_stop,
    .reset = serial_reset, .running = serial_running,
    .state = &own_state,
};

const DeviceType virtio_serial_device_type = {
    .name = "virtio-serial-device", .category = "input", .bus = &virtio_bus_type,
    .bus_class = &serial_class, .size = sizeof(VirtioSerial), .props = serial_props,
    .state = &serial_state, .realize = serial_realize, .unrealize = serial_unrealize,
};

#define SERIAL_PCI_PROPS \
    VIRTIO_PCI_PROP_IOEVENTFD, VIRTIO_PCI_PROP_VECTORS(2), \
    PROP_UINT32(VirtioPci, class_code, .name = "class", .def = 0x0780, \
                .help = "PCI class code"), \
    VIRTIO_PCI_PROPS_LAST
VIRTIO_PCI_TYPES(virtio_serial_pci, "virtio-serial", "input", virtio_serial_device_type,
                 SERIAL_PCI_PROPS, .class_id = 0x0780)
