/* The two queues and the wire of a PS/2 device. */
#include "ps2_port.h"

#include <string.h>


static bool queue_put(Ps2Queue *queue, uint8_t byte)
{
    if (queue->count == PS2_QUEUE_SIZE) {
        return false;
    }
    queue->data[(queue->head + queue->count++) % PS2_QUEUE_SIZE] = byte;
    return true;
}

static uint8_t queue_take(Ps2Queue *queue)
{
    uint8_t byte = queue->data[queue->head];

    queue->head = (queue->head + 1) % PS2_QUEUE_SIZE;
    queue->count--;
    return byte;
}

bool ps2_pending(const Device *dev)
{
    const Ps2Port *port = DEVICE_CAST(dev, const Ps2Port);

    return port->replies.count > 0 || port->events.count > 0;
}

void ps2_port_update(Ps2Port *port)
{
    irq_set(&port->out, ps2_pending(&port->dev));
}

uint8_t ps2_read(Device *dev)
{
    Ps2Port *port = DEVICE_CAST(dev, Ps2Port);

    if (port->replies.count > 0) {
        port->last = queue_take(&port->replies);
    } else if (port->events.count > 0) {
        port->last = queue_take(&port->events);
        if (port->events.count == 0) {
            input_drained(&port->input);
        }
    }
    ps2_port_update(port);
    return port->last;
}

void ps2_write(Device *dev, uint8_t byte)
{
    Ps2Port *port = DEVICE_CAST(dev, Ps2Port);

    if (dev->type == &ps2_kbd_type) {
        ps2_kbd_command(port, byte);
    } else {
        ps2_mouse_command(port, byte);
    }
    ps2_port_update(port);
}

void ps2_connect(Device *dev, IrqLine out)
{
    DEVICE_CAST(dev, Ps2Port)->out = out;
}

void ps2_reply(Ps2Port *port, uint8_t byte)
{
    queue_put(&port->replies, byte);
}

bool ps2_report(Ps2Port *port, const uint8_t *bytes, size_t n)
{
    if (n > PS2_QUEUE_SIZE - port->events.count) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        queue_put(&port->events, bytes[i]);
    }
    ps2_port_update(port);
    return true;
}

void ps2_drop_events(Ps2Port *port)
{
    port->events.count = 0;
    input_drained(&port->input);
}

unsigned ps2_waiting(void *opaque)
{
    return ((const Ps2Port *)opaque)->events.count;
}

void ps2_port_reset(Ps2Port *port)
{
    memset(&port->replies, 0, sizeof(port->replies));
    memset(&port->events, 0, sizeof(port->events));
    port->write_cmd = PS2_NO_COMMAND;
    port->last = 0;
    ps2_port_update(port);
}

/* ---- state ---- */

static const StateField queue_fields[] = {
    STATE_BYTES(Ps2Queue, data),
    STATE_UINT32(Ps2Queue, head, .range = { 0, PS2_QUEUE_SIZE - 1 }),
    STATE_UINT32(Ps2Queue, count, .range = { 0, PS2_QUEUE_SIZE }),
    {}
};
static const StateDesc queue_state = { .name = "ps2-queue", .version = 1, .fields = queue_fields };

static const StateField port_fields[] = {
    STATE_STRUCT(Ps2Port, replies, Ps2Queue, queue_state),
    STATE_STRUCT(Ps2Port, events, Ps2Queue, queue_state),
    STATE_INT32(Ps2Port, write_cmd, .range = { PS2_NO_COMMAND, 0xff }),
    STATE_UINT8(Ps2Port, last),
    {}
};
const StateDesc ps2_port_state = { .name = "ps2-port", .version = 1, .fields = port_fields };
