/* What a PS/2 keyboard and mouse have in common.  Only ps2*.c include this. */
#pragma once

#include "input.h"
#include "ps2.h"

#define PS2_ACK         0xfa
#define PS2_RESEND      0xfe
#define PS2_BAT_OK      0xaa            /* basic assurance test passed */
#define PS2_NO_COMMAND  (-1)

#define PS2_QUEUE_SIZE  16

typedef struct Ps2Queue {
    uint8_t data[PS2_QUEUE_SIZE];
    uint32_t head, count;
} Ps2Queue;

typedef struct Ps2Port {
    Device dev;
    /* wiring */
    IrqLine out;
    InputHandler input;
    /* guest-visible state */
    Ps2Queue replies;                   /* to commands: read before events */
    Ps2Queue events;                    /* key codes, motion */
    int32_t write_cmd;                  /* command that waits for its argument, or PS2_NO_COMMAND */
    uint8_t last;
} Ps2Port;

/* Fields of a Ps2Port as the first ones of a device's table. */
extern const StateDesc ps2_port_state;

void ps2_port_update(Ps2Port *port);
void ps2_port_reset(Ps2Port *port);
void ps2_reply(Ps2Port *port, uint8_t byte);
/* All of it, or nothing when it does not fit. */
bool ps2_report(Ps2Port *port, const uint8_t *bytes, size_t n);
void ps2_drop_events(Ps2Port *port);
unsigned ps2_waiting(void *opaque);     /* bytes of events; for an InputHandler */

/* What the two types do with a byte from the controller. */
void ps2_kbd_command(Ps2Port *port, uint8_t byte);
void ps2_mouse_command(Ps2Port *port, uint8_t byte);
