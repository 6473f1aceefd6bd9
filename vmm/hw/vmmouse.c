/*
 * VMware's mouse (the protocol as Linux' and X.org's drivers speak it).
 *
 * The guest enables it, reads the version from the queue and asks for positions or motion.  Then
 * each change puts four words into the queue (buttons, x, y, wheel) and a packet without motion
 * into the PS/2 mouse, whose interrupt makes the guest's driver look.
 */
#include "vmmouse.h"

#include <string.h>

#include "input.h"
#include "isa.h"
#include "ps2.h"
#include "vm_core.h"
#include "vmport.h"

enum { VMMOUSE_DATA = 39, VMMOUSE_STATUS = 40, VMMOUSE_COMMAND = 41 };      /* of the port */
enum {                                          /* in ebx, with VMMOUSE_COMMAND */
    ASK_ENABLE = 0x45414552, ASK_DISABLE = 0xf5, ASK_RELATIVE = 0x4c455252,
    ASK_ABSOLUTE = 0x53424152,
};

#define VMMOUSE_VERSION     0x3442554a
#define STATUS_OFF          0xffff              /* upper half of the status */
#define WORD_RELATIVE       0x10000             /* in a packet's first word */
#define WORD_LEFT           0x20
#define WORD_RIGHT          0x10
#define WORD_MIDDLE         0x08

#define QUEUE_WORDS         1024
#define PACKET_WORDS        4
#define DATA_WORDS_MAX      6

typedef struct Vmmouse {
    Device dev;
    /* wiring: what came since the last input_sync(), and the buttons that are down */
    Device *ps2_mouse;
    InputHandler input;
    int32_t input_x, input_y, input_z;
    uint32_t input_buttons;
    /* guest-visible state */
    uint32_t queue[QUEUE_WORDS];
    uint16_t nb_queue, status;
    uint8_t absolute;
} Vmmouse;

/* ---- input ---- */

static void press(Vmmouse *mouse, unsigned button, bool down)
{
    static const uint8_t words[INPUT_BUTTONS] = {
        [INPUT_BUTTON_LEFT] = WORD_LEFT, [INPUT_BUTTON_RIGHT] = WORD_RIGHT,
        [INPUT_BUTTON_MIDDLE] = WORD_MIDDLE,
    };

    if (down) {
        mouse->input_buttons |= words[button];
        mouse->input_z += (button == INPUT_BUTTON_WHEEL_DOWN) - (button == INPUT_BUTTON_WHEEL_UP);
    } else {
        mouse->input_buttons &= ~words[button];
    }
}

static void vmmouse_input(void *opaque, const InputEvent *event)
{
    Vmmouse *mouse = opaque;
    int32_t *axis = event->code == INPUT_AXIS_X ? &mouse->input_x : &mouse->input_y;

    switch (event->kind) {
    case INPUT_BUTTON:
        press(mouse, event->code, event->value);
        break;
    case INPUT_ABS:
        *axis = CLAMP(event->value, 0, INPUT_ABS_MAX);
        break;
    case INPUT_REL:
        *axis = CLAMP((int64_t)*axis + event->value, INT16_MIN, INT16_MAX);
        break;
    default:
        break;
    }
}

/* A driver's positions have 16 bits. */
static uint32_t position(int32_t value)
{
    return (uint32_t)value << 1 | (uint32_t)value >> 14;
}

static void vmmouse_sync(void *opaque)
{
    Vmmouse *mouse = opaque;
    uint32_t *packet = &mouse->queue[mouse->nb_queue];

    if (mouse->nb_queue <= QUEUE_WORDS - PACKET_WORDS) {
        packet[0] = mouse->input_buttons | (mouse->absolute ? 0 : WORD_RELATIVE);
        packet[1] = mouse->absolute ? position(mouse->input_x) : (uint32_t)mouse->input_x;
        packet[2] = mouse->absolute ? position(mouse->input_y) : (uint32_t)-mouse->input_y;
        packet[3] = mouse->input_z;
        mouse->nb_queue += PACKET_WORDS;
        mouse->input_z = 0;
        if (!mouse->absolute) {
            mouse->input_x = mouse->input_y = 0;
        }
    }
    ps2_mouse_nudge(mouse->ps2_mouse);
}

/* It is a pointer while the guest uses it, and then the one in use. */
static void set_in_use(Vmmouse *mouse, bool in_use)
{
    input_unregister(&mouse->input);
    if (in_use) {
        mouse->input = (InputHandler){
            .name = "vmmouse", .event = vmmouse_input, .sync = vmmouse_sync, .opaque = mouse,
            .mask = INPUT_MASK(mouse->absolute ? INPUT_ABS : INPUT_REL) | INPUT_MASK(INPUT_BUTTON),
        };
        input_register(mouse->dev.vm, &mouse->input);
        input_activate(&mouse->input);
    }
}

/* ---- commands ---- */

static void disable(Vmmouse *mouse)
{
    mouse->status = STATUS_OFF;
    mouse->nb_queue = 0;
    set_in_use(mouse, false);
}

static void enable(Vmmouse *mouse)
{
    mouse->status = 0;
    mouse->queue[0] = VMMOUSE_VERSION;
    mouse->nb_queue = 1;
}

static void ask_for(Vmmouse *mouse, bool absolute)
{
    bool is_new = mouse->input.input == NULL || mouse->absolute != absolute;

    if (mouse->status == 0 && is_new) {
        mouse->absolute = absolute;
        mouse->input_x = mouse->input_y = mouse->input_z = 0;
        set_in_use(mouse, true);
    }
}

static void do_command(void *opaque, VmportCall *call)
{
    Vmmouse *mouse = opaque;

    switch (call->ebx) {
    case ASK_ENABLE:
        enable(mouse);
        break;
    case ASK_DISABLE:
        disable(mouse);
        break;
    case ASK_RELATIVE:
    case ASK_ABSOLUTE:
        ask_for(mouse, call->ebx == ASK_ABSOLUTE);
        break;
    }
}

static void get_status(void *opaque, VmportCall *call)
{
    const Vmmouse *mouse = opaque;

    call->eax = (uint32_t)mouse->status << 16 | mouse->nb_queue;
}

static void get_data(void *opaque, VmportCall *call)
{
    Vmmouse *mouse = opaque;
    uint32_t *const out[DATA_WORDS_MAX] = {
        &call->eax, &call->ebx, &call->ecx, &call->edx, &call->esi, &call->edi,
    };
    uint32_t n = call->ebx;

    if (n == 0 || n > DATA_WORDS_MAX || n > mouse->nb_queue) {
        disable(mouse);                         /* the guest has lost its place: it starts anew */
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        *out[i] = mouse->queue[i];
    }
    mouse->nb_queue -= n;
    memmove(mouse->queue, mouse->queue + n, mouse->nb_queue * sizeof(mouse->queue[0]));
}

/* ---- state ---- */

static bool vmmouse_loaded(void *opaque, GError **error)
{
    Vmmouse *mouse = opaque;

    set_in_use(mouse, mouse->status == 0);
    return true;
}

static const StateField vmmouse_fields[] = {
    STATE_UINT32_ARRAY(Vmmouse, queue),
    STATE_UINT16(Vmmouse, nb_queue, .range = { 0, QUEUE_WORDS }),
    STATE_UINT16(Vmmouse, status),
    STATE_UINT8(Vmmouse, absolute, .range = { 0, 1 }),
    {}
};
static const StateDesc vmmouse_state = {
    .name = "vmmouse", .version = 0, .fields = vmmouse_fields, .loaded = vmmouse_loaded,
};

/* ---- life ---- */

void vmmouse_connect(Device *dev, Device *vmport, Device *ps2_mouse)
{
    Vmmouse *mouse = DEVICE_CAST(dev, Vmmouse);

    mouse->ps2_mouse = ps2_mouse;
    vmport_set_command(vmport, VMMOUSE_DATA, get_data, mouse);
    vmport_set_command(vmport, VMMOUSE_STATUS, get_status, mouse);
    vmport_set_command(vmport, VMMOUSE_COMMAND, do_command, mouse);
}

static void vmmouse_reset(Device *dev)
{
    disable(DEVICE_CAST(dev, Vmmouse));
}

static void vmmouse_unrealize(Device *dev)
{
    input_unregister(&DEVICE_CAST(dev, Vmmouse)->input);
}

const DeviceType vmmouse_type = {
    .name = "vmmouse", .category = "input", .bus = &isa_bus_type, .size = sizeof(Vmmouse),
    .state = &vmmouse_state, .board_only = true, .unrealize = vmmouse_unrealize,
    .reset = vmmouse_reset,
};
