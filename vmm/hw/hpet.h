/*
 * IA-PC HPET (specification 1.0a): one counter at 100 MHz, three to 32 comparators.  Machine lock.
 */
#pragma once

#include "device.h"

extern const DeviceType hpet_type;                      /* "hpet" */

#define HPET_PC_INTCAP  0x4u                            /* pc: its timers can drive pin 2 only */

/* Realized and mapped at `base`, driving vm->gsi.  NULL: error. */
Device *hpet_new(Vm *vm, uint64_t base, uint32_t intcap, GError **error);
/* A CPU took the interrupt of vm->gsi[gsi]: ticks that are late follow. */
void hpet_line_taken(Device *hpet, unsigned gsi);
/* Lines that legacy replacement takes over; unless it does, they lead to vm->gsi[0] and [8]. */
IrqLine hpet_pit_input(Device *hpet);
IrqLine hpet_rtc_input(Device *hpet);
/* The PIT falls silent while legacy replacement is on: `mute` is called when that changes. */
typedef void (*HpetMuteFn)(Device *pit, bool muted);
void hpet_set_pit(Device *hpet, Device *pit, HpetMuteFn mute);
