/* The kernel's interrupt controllers and timer as devices: rows for the list of device types. */
#pragma once

#include "device.h"

extern const DeviceType kvm_apic_type;          /* "kvm-apic", made by the engine for each CPU */
extern const DeviceType kvm_i8259_type;      /* "kvm-i8259": master=true is the first of the pair */
extern const DeviceType kvm_ioapic_type;        /* "kvm-ioapic" */
extern const DeviceType kvm_pit_type;           /* "kvm-pit" */

/* Whether its counter 0 interrupts: the HPET's legacy replacement takes its place. */
void kvm_pit_set_muted(Device *pit, bool muted);
