/* Port 61: gate and output of timer 2, the speaker's enable bit, the refresh toggle. */
#pragma once

#include "device.h"

extern const DeviceType pcspk_type;                     /* "isa-pcspk" */

void pcspk_connect(Device *pcspk, Device *pit);         /* an isa-pit */
