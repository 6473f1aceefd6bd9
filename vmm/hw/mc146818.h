/* Motorola MC146818A real-time clock with 128 bytes of CMOS memory.  Machine lock. */
#pragma once

#include "device.h"

extern const DeviceType mc146818_type;                  /* "mc146818rtc" */

/* CMOS bytes 0x0e–0x7f, where a board leaves its configuration for firmware. */
void mc146818_set_cmos(Device *rtc, unsigned index, uint8_t value);

/* Forgets ticks the guest still has to get: somebody else sets its time. */
void mc146818_forget_ticks(Device *rtc);

/* Where IRQ goes; the ISA interrupt of property irq unless connected. */
void mc146818_connect(Device *rtc, IrqLine out);

/* -rtc base=TEXT: "utc", "localtime" or "2006-06-17[T16:01:21]". */
bool mc146818_check_base(const char *text, GError **error);
