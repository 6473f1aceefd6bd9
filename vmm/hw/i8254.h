/* Intel 8254 programmable interval timer (231164): three counters.  Machine lock. */
#pragma once

#include "device.h"

#define I8254_HZ 1193182

extern const DeviceType i8254_type;                     /* "isa-pit" */

/* Where OUT of counter 0 goes; ISA interrupt 0 unless connected. */
void i8254_connect(Device *pit, IrqLine out);
/* A CPU took the interrupt OUT 0 raised: ticks that are late follow. */
void i8254_taken(Device *pit);
/* Whether OUT 0 is passed on: the HPET's legacy replacement takes its place. */
void i8254_set_muted(Device *pit, bool muted);

/* Counter 2, for port 61. */
bool i8254_gate2(const Device *pit);
void i8254_set_gate2(Device *pit, bool gate);
bool i8254_out2(const Device *pit);
