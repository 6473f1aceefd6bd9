/*
 * PS/2 keyboard and mouse: what hangs on an i8042's two ports.
 *
 * The controller sends bytes with ps2_write() and takes them with ps2_read(); `out` is high while
 * there is a byte to read.  Input events are dropped when the device's queue is full or reporting
 * is off, as hardware does.  Machine lock.
 */
#pragma once

#include "device.h"

extern const DeviceType ps2_kbd_type;                   /* "ps2-kbd" */
extern const DeviceType ps2_mouse_type;                 /* "ps2-mouse" */

void ps2_connect(Device *dev, IrqLine out);
void ps2_write(Device *dev, uint8_t byte);
uint8_t ps2_read(Device *dev);                          /* the last byte again when there is none */
bool ps2_pending(const Device *dev);

/* ---- input: what the devices' handlers (input.h) do with an event ---- */

/* `key` is a number from keys.h.  The keyboard repeats a held key itself. */
void ps2_key_event(Device *kbd, unsigned key, bool down);

enum { MOUSE_LEFT = 1, MOUSE_RIGHT = 2, MOUSE_MIDDLE = 4, MOUSE_SIDE = 8, MOUSE_EXTRA = 16 };
/* Relative motion, right and down positive; wheel steps, away from the user negative. */
void ps2_mouse_event(Device *mouse, int dx, int dy, int dwheel, unsigned buttons);
/* A packet without motion, if the guest takes any: another pointer wants its interrupt. */
void ps2_mouse_nudge(Device *mouse);
