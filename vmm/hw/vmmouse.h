/*
 * VMware's mouse: positions through the backdoor port, announced by the PS/2 mouse's interrupt.
 * Machine lock.
 */
#pragma once

#include "device.h"

extern const DeviceType vmmouse_type;                   /* "vmmouse" */

void vmmouse_connect(Device *vmmouse, Device *vmport, Device *ps2_mouse);
