/* The 8042 keyboard controller of a PC/AT with the PS/2 mouse port.  Machine lock. */
#pragma once

#include "device.h"

extern const DeviceType i8042_type;                     /* "i8042" */

/* The keyboard and mouse it made for itself when realized. */
Device *i8042_keyboard(Device *i8042);
Device *i8042_mouse(Device *i8042);
