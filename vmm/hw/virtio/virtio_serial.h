/*
 * Virtio console device and its ports: VIRTIO 1.2, 5.3.
 *
 * The device (virtio_serial.c) has a bus of its own; ports on it (virtio_serial_port.c) are
 * virtconsole and virtserialport.  Main thread or a vCPU's, machine lock.
 */
#pragma once

#include "chardev.h"
#include "virtio.h"

#define VIRTIO_SERIAL_MAX_PORTS (VIRTIO_MAX_QUEUES / 2 - 1)
#define VIRTIO_SERIAL_ANY_PORT  UINT32_MAX

/* Control messages: 5.3.6.2. */
typedef enum SerialControlEvent {
    SERIAL_DEVICE_READY, SERIAL_PORT_ADD, SERIAL_PORT_REMOVE, SERIAL_PORT_READY,
    SERIAL_CONSOLE_PORT, SERIAL_RESIZE, SERIAL_PORT_OPEN, SERIAL_PORT_NAME,
} SerialControlEvent;
typedef struct SerialControl { uint32_t id; uint16_t event, value; } SerialControl;

typedef struct VirtioSerial VirtioSerial;
typedef struct SerialPort SerialPort;

typedef struct SerialBus {
    Bus bus;
    VirtioSerial *vser;
} SerialBus;
extern const BusType virtio_serial_bus_type;

struct SerialPort {
    Device dev;
    /* configuration */
    CharFrontend chr;
    uint32_t nr;
    char *name;
    /* wiring */
    VirtioSerial *vser;
    bool is_console, plugged;
    VmTimer change_timer;               /* VSERPORT_CHANGE belongs to the main loop */
    VirtElem *sending;                  /* what the character device has not taken all of */
    size_t sent;                        /* bytes of it that it has */
    /* guest-visible state */
    bool guest_connected, host_connected, throttled;
    int32_t loaded_head;                /* a load found it in `sending`; -1: nothing */
};

struct VirtioSerial {
    VirtioDevice vdev;
    /* configuration */
    uint32_t max_ports;
    bool emergency_write;
    /* wiring */
    SerialBus *bus;
    VirtQueue *control_in, *control_out;
    VirtQueue *in[VIRTIO_SERIAL_MAX_PORTS], *out[VIRTIO_SERIAL_MAX_PORTS];
    SerialPort *ports[VIRTIO_SERIAL_MAX_PORTS];     /* by number; NULL: none */
    GQueue *messages;                   /* GBytes: control messages the driver has no buffer for */
    /* guest-visible state */
    bool driver_ready;
};

/* Tells the driver, now or when it has a buffer for it.  `name` (may be NULL) follows. */
void virtio_serial_send(VirtioSerial *vser, const SerialPort *port, SerialControlEvent event,
                        uint16_t value, const char *name);
bool virtio_serial_multiport(const VirtioSerial *vser);

/* ---- ports, as the device calls them ---- */
void serial_port_driver_ready(SerialPort *port);            /* the driver knows it */
void serial_port_set_guest_connected(SerialPort *port, bool connected);
void serial_port_output(SerialPort *port);                  /* its out queue has something */
void serial_port_input_room(SerialPort *port);              /* its in queue has buffers */
void serial_port_emergency(SerialPort *port, uint8_t byte);
void serial_port_stop(SerialPort *port);
void serial_port_reset(SerialPort *port);

extern const StateCustom virtio_serial_ports_custom;    /* virtio_serial_state.c; a VirtioSerial */
