/*
 * The PS/2 mouse with the IntelliMouse and IntelliMouse Explorer extensions (Microsoft, "Mouse data
 * packets"): a wheel after the rate sequence 200-100-80, two more buttons after 200-200-80.
 *
 * Packets leave as motion arrives rather than at the sample rate.
 */
#include "ps2_port.h"

#include <string.h>

#include "vm_core.h"

enum {
    MOUSE_SCALING_1 = 0xe6, MOUSE_SCALING_2 = 0xe7, MOUSE_SET_RESOLUTION = 0xe8,
    MOUSE_STATUS = 0xe9, MOUSE_STREAM = 0xea, MOUSE_READ = 0xeb,
    MOUSE_RESET_WRAP = 0xec, MOUSE_WRAP = 0xee,
    MOUSE_REMOTE = 0xf0, MOUSE_ID = 0xf2, MOUSE_SET_RATE = 0xf3, MOUSE_ENABLE = 0xf4,
    MOUSE_DISABLE = 0xf5, MOUSE_DEFAULTS = 0xf6, MOUSE_RESEND = 0xfe, MOUSE_RESET = 0xff,
};

#define STATUS_REMOTE   0x40
#define STATUS_ENABLED  0x20
#define STATUS_SCALE_2  0x10

#define PACKET_MAX      4

#define PACKET_ALWAYS   0x08
#define PACKET_X_SIGN   0x10
#define PACKET_Y_SIGN   0x20

enum { ID_PLAIN = 0, ID_WHEEL = 3, ID_EXPLORER = 4 };

#define MOTION_MAX      32767           /* what may gather before the guest reads it */

typedef struct Mouse {
    Ps2Port port;
    /* wiring: what came since the last input_sync(), and the buttons a person holds */
    int input_dx, input_dy, input_dz;
    unsigned input_buttons;
    /* guest-visible state */
    uint8_t mouse_status, mouse_resolution, mouse_sample_rate, mouse_wrap;
    uint8_t mouse_type;                 /* ID_* */
    uint8_t rates[2];                   /* the last ones set, oldest first */
    int32_t mouse_dx, mouse_dy, mouse_dz;   /* not sent yet; up is positive here */
    uint8_t mouse_buttons, sent_buttons;
} Mouse;

/* ---- packets ---- */

static int take(int32_t *gathered, int limit)
{
    int step = CLAMP(*gathered, -limit - 1, limit);

    *gathered -= step;
    return step;
}

static size_t make_packet(Mouse *mouse, uint8_t packet[4])
{
    int dx = take(&mouse->mouse_dx, 255), dy = take(&mouse->mouse_dy, 255), dz;

    packet[0] = PACKET_ALWAYS | (mouse->mouse_buttons & 7) | (dx < 0 ? PACKET_X_SIGN : 0) |
                (dy < 0 ? PACKET_Y_SIGN : 0);
    packet[1] = dx;
    packet[2] = dy;
    mouse->sent_buttons = mouse->mouse_buttons;
    if (mouse->mouse_type == ID_PLAIN) {
        mouse->mouse_dz = 0;
        return 3;
    }
    dz = take(&mouse->mouse_dz, 7);
    packet[3] = mouse->mouse_type == ID_WHEEL
                    ? dz : (dz & 0x0f) | (mouse->mouse_buttons & 0x18) << 1;
    return 4;
}

static bool has_news(const Mouse *mouse)
{
    return mouse->mouse_dx != 0 || mouse->mouse_dy != 0 || mouse->mouse_dz != 0 ||
           mouse->mouse_buttons != mouse->sent_buttons;
}

static void send_packet(Mouse *mouse)
{
    uint8_t packet[4];

    ps2_report(&mouse->port, packet, make_packet(mouse, packet));
}

/* Stream mode, and there is room for a packet. */
static bool may_send(const Mouse *mouse)
{
    return mouse->mouse_status & STATUS_ENABLED && !(mouse->mouse_status & STATUS_REMOTE) &&
           !mouse->mouse_wrap && PS2_QUEUE_SIZE - mouse->port.events.count >= PACKET_MAX;
}

/* As many packets as there is motion and room for; the rest goes with the next event. */
static void send_packets(Mouse *mouse)
{
    while (has_news(mouse) && may_send(mouse)) {
        send_packet(mouse);
    }
}

void ps2_mouse_nudge(Device *dev)
{
    Mouse *mouse = DEVICE_CAST(dev, Mouse);

    if (may_send(mouse)) {
        send_packet(mouse);
    }
}

static int32_t gather(int32_t gathered, int more)
{
    return CLAMP((int64_t)gathered + more, -MOTION_MAX, MOTION_MAX);
}

void ps2_mouse_event(Device *dev, int dx, int dy, int dwheel, unsigned buttons)
{
    Mouse *mouse = DEVICE_CAST(dev, Mouse);

    if (!(mouse->mouse_status & STATUS_ENABLED)) {
        return;
    }
    mouse->mouse_dx = gather(mouse->mouse_dx, dx);
    mouse->mouse_dy = gather(mouse->mouse_dy, -CLAMP(dy, -MOTION_MAX, MOTION_MAX));
    mouse->mouse_dz = gather(mouse->mouse_dz, dwheel);
    mouse->mouse_buttons = buttons & 0x1f;
    send_packets(mouse);
}

/* ---- input ---- */

static void press(Mouse *mouse, unsigned button, bool down)
{
    static const uint8_t bits[INPUT_BUTTONS] = {
        [INPUT_BUTTON_LEFT] = MOUSE_LEFT, [INPUT_BUTTON_MIDDLE] = MOUSE_MIDDLE,
        [INPUT_BUTTON_RIGHT] = MOUSE_RIGHT, [INPUT_BUTTON_SIDE] = MOUSE_SIDE,
        [INPUT_BUTTON_EXTRA] = MOUSE_EXTRA,
    };

    if (down) {
        mouse->input_buttons |= bits[button];
        mouse->input_dz += (button == INPUT_BUTTON_WHEEL_DOWN) - (button == INPUT_BUTTON_WHEEL_UP);
    } else {
        mouse->input_buttons &= ~bits[button];
    }
}

static void mouse_input(void *opaque, const InputEvent *event)
{
    Mouse *mouse = opaque;

    if (event->kind == INPUT_BUTTON) {
        press(mouse, event->code, event->value);
    } else if (event->code == INPUT_AXIS_X) {
        mouse->input_dx = gather(mouse->input_dx, event->value);
    } else {
        mouse->input_dy = gather(mouse->input_dy, event->value);
    }
}

static void mouse_sync(void *opaque)
{
    Mouse *mouse = opaque;

    ps2_mouse_event(&mouse->port.dev, mouse->input_dx, mouse->input_dy, mouse->input_dz,
                    mouse->input_buttons);
    mouse->input_dx = mouse->input_dy = mouse->input_dz = 0;
}

/* ---- commands ---- */

static void set_defaults(Mouse *mouse)
{
    mouse->mouse_sample_rate = 100;
    mouse->mouse_resolution = 2;
    mouse->mouse_status = 0;
    mouse->mouse_wrap = 0;
    mouse->mouse_dx = mouse->mouse_dy = mouse->mouse_dz = 0;
    mouse->sent_buttons = mouse->mouse_buttons;
    ps2_drop_events(&mouse->port);
}

static void power_on(Mouse *mouse)
{
    mouse->mouse_type = ID_PLAIN;
    memset(mouse->rates, 0, sizeof(mouse->rates));
    set_defaults(mouse);
}

static void set_rate(Mouse *mouse, uint8_t rate)
{
    if (mouse->rates[0] == 200 && rate == 80) {
        if (mouse->rates[1] == 100) {
            mouse->mouse_type = ID_WHEEL;
        } else if (mouse->rates[1] == 200 && mouse->mouse_type == ID_WHEEL) {
            mouse->mouse_type = ID_EXPLORER;
        }
    }
    mouse->rates[0] = mouse->rates[1];
    mouse->rates[1] = rate;
    mouse->mouse_sample_rate = rate;
}

static void take_argument(Mouse *mouse, uint8_t command, uint8_t byte)
{
    mouse->port.write_cmd = PS2_NO_COMMAND;
    if (command == MOUSE_SET_RATE) {
        set_rate(mouse, byte);
    } else {
        mouse->mouse_resolution = byte & 3;
    }
    ps2_reply(&mouse->port, PS2_ACK);
}

static void reply_status(Mouse *mouse)
{
    uint8_t buttons = (mouse->mouse_buttons & MOUSE_LEFT ? 4 : 0) |
                      (mouse->mouse_buttons & MOUSE_MIDDLE ? 2 : 0) |
                      (mouse->mouse_buttons & MOUSE_RIGHT ? 1 : 0);

    ps2_reply(&mouse->port, mouse->mouse_status | buttons);
    ps2_reply(&mouse->port, mouse->mouse_resolution);
    ps2_reply(&mouse->port, mouse->mouse_sample_rate);
}

static void reply_packet(Mouse *mouse)
{
    uint8_t packet[4];
    size_t n = make_packet(mouse, packet);

    for (size_t i = 0; i < n; i++) {
        ps2_reply(&mouse->port, packet[i]);
    }
}

static void do_command(Mouse *mouse, uint8_t byte)
{
    ps2_reply(&mouse->port, PS2_ACK);
    switch (byte) {
    case MOUSE_SCALING_1:
        mouse->mouse_status &= ~STATUS_SCALE_2;
        break;
    case MOUSE_SCALING_2:
        mouse->mouse_status |= STATUS_SCALE_2;
        break;
    case MOUSE_SET_RESOLUTION:
    case MOUSE_SET_RATE:
        mouse->port.write_cmd = byte;
        break;
    case MOUSE_STATUS:
        reply_status(mouse);
        break;
    case MOUSE_STREAM:
        mouse->mouse_status &= ~STATUS_REMOTE;
        break;
    case MOUSE_REMOTE:
        mouse->mouse_status |= STATUS_REMOTE;
        break;
    case MOUSE_READ:
        reply_packet(mouse);
        break;
    case MOUSE_WRAP:
        mouse->mouse_wrap = 1;
        break;
    case MOUSE_ID:
        ps2_reply(&mouse->port, mouse->mouse_type);
        break;
    case MOUSE_ENABLE:
        mouse->mouse_status |= STATUS_ENABLED;
        break;
    case MOUSE_DISABLE:
        mouse->mouse_status &= ~STATUS_ENABLED;
        ps2_drop_events(&mouse->port);
        break;
    case MOUSE_DEFAULTS:
        set_defaults(mouse);
        break;
    case MOUSE_RESET:
        power_on(mouse);
        ps2_reply(&mouse->port, PS2_BAT_OK);
        ps2_reply(&mouse->port, ID_PLAIN);
        break;
    }
}

static bool is_command(uint8_t byte)
{
    return (byte >= MOUSE_SCALING_1 && byte <= MOUSE_RESET_WRAP) || byte == MOUSE_WRAP ||
           byte == MOUSE_REMOTE || (byte >= MOUSE_ID && byte <= MOUSE_DEFAULTS) ||
           byte == MOUSE_RESET;
}

void ps2_mouse_command(Ps2Port *port, uint8_t byte)
{
    Mouse *mouse = (Mouse *)port;

    if (mouse->mouse_wrap && byte != MOUSE_RESET_WRAP && byte != MOUSE_RESET) {
        ps2_reply(port, byte);
    } else if (mouse->mouse_wrap && byte == MOUSE_RESET_WRAP) {
        mouse->mouse_wrap = 0;
        ps2_reply(port, PS2_ACK);
    } else if (port->write_cmd != PS2_NO_COMMAND) {
        take_argument(mouse, port->write_cmd, byte);
    } else if (byte == MOUSE_RESEND) {
        ps2_reply(port, port->last);
    } else if (is_command(byte)) {
        do_command(mouse, byte);
    } else {
        ps2_reply(port, PS2_RESEND);
    }
}

/* ---- state ---- */

static bool mouse_loaded(void *opaque, GError **error)
{
    ps2_port_update(&((Mouse *)opaque)->port);
    return true;
}

static const StateField mouse_fields[] = {
    STATE_STRUCT(Mouse, port, Ps2Port, ps2_port_state),
    STATE_UINT8(Mouse, mouse_status),
    STATE_UINT8(Mouse, mouse_resolution, .range = { 0, 3 }),
    STATE_UINT8(Mouse, mouse_sample_rate),
    STATE_UINT8(Mouse, mouse_wrap, .range = { 0, 1 }),
    STATE_UINT8(Mouse, mouse_type, .range = { ID_PLAIN, ID_EXPLORER }),
    STATE_UINT8_ARRAY(Mouse, rates),
    STATE_INT32(Mouse, mouse_dx, .range = { -MOTION_MAX, MOTION_MAX }),
    STATE_INT32(Mouse, mouse_dy, .range = { -MOTION_MAX, MOTION_MAX }),
    STATE_INT32(Mouse, mouse_dz, .range = { -MOTION_MAX, MOTION_MAX }),
    STATE_UINT8(Mouse, mouse_buttons, .range = { 0, 0x1f }),
    STATE_UINT8(Mouse, sent_buttons, .range = { 0, 0x1f }),
    {}
};
static const StateDesc mouse_state = {
    .name = "ps2mouse", .version = 3, .fields = mouse_fields, .loaded = mouse_loaded,
};

static bool mouse_realize(Device *dev, GError **error)
{
    Mouse *mouse = DEVICE_CAST(dev, Mouse);

    mouse->port.input = (InputHandler){
        .name = "QEMU PS/2 Mouse", .mask = INPUT_MASK(INPUT_REL) | INPUT_MASK(INPUT_BUTTON),
        .event = mouse_input, .sync = mouse_sync, .opaque = mouse,
    };
    input_register(dev->vm, &mouse->port.input);
    return true;
}

static void mouse_unrealize(Device *dev)
{
    input_unregister(&DEVICE_CAST(dev, Mouse)->port.input);
}

static void mouse_reset(Device *dev)
{
    Mouse *mouse = DEVICE_CAST(dev, Mouse);

    ps2_port_reset(&mouse->port);
    mouse->mouse_buttons = 0;
    power_on(mouse);
}

static const DeviceGpio mouse_gpios[] = { { "out", "", 1 }, {} };

const DeviceType ps2_mouse_type = {
    .name = "ps2-mouse", .help = "PS/2 mouse", .category = "input",
    .bus = &system_bus_type, .size = sizeof(Mouse), .state = &mouse_state, .board_only = true,
    .gpios = mouse_gpios, .realize = mouse_realize, .unrealize = mouse_unrealize,
    .reset = mouse_reset,
};
