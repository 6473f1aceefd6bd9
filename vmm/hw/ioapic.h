/* Intel 82093AA I/O APIC (290566) with the EOI register of later versions.  Machine lock. */
#pragma once

#include "device.h"

#define IOAPIC_PINS 24

extern const DeviceType ioapic_type;                    /* "ioapic" */

/* Realized and mapped at `base`; sets vm->ioapic_eoi.  NULL: error. */
Device *ioapic_new(Vm *vm, uint64_t base, GError **error);
IrqLine ioapic_input(Device *ioapic, unsigned pin);
/* A local APIC ended a level-triggered interrupt with this vector. */
void ioapic_eoi(Device *ioapic, uint8_t vector);
/* Whether the pin is not masked. */
bool ioapic_open(const Device *ioapic, unsigned pin);
/* Told when a CPU took the interrupt of an edge-triggered pin. */
void ioapic_set_taken(Device *ioapic, void (*taken)(void *opaque, unsigned pin), void *opaque);
/*
 * Told what message each pin sends whenever that changes (AccelOps.ioapic_route of a split
 * irqchip).
 */
void ioapic_set_route(Device *ioapic, void (*route)(Vm *vm, unsigned pin, uint64_t address,
                                                    uint32_t data));
