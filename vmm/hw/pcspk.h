/*
 * Port 61: gate and output of timer 2, the speaker's enable bit, the refresh toggle (IBM PC/AT
 * technical reference, system board; 8254 timer 2).  Machine lock.
 */
#pragma once

#include "device.h"

extern const DeviceType pcspk_type;                     /* "isa-pcspk" */

void pcspk_connect(Device *pcspk, Device *pit);         /* an isa-pit */
