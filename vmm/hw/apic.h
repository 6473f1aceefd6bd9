/*
 * The local APIC of a CPU: xAPIC and x2APIC modes, timer with TSC deadline (Intel SDM volume 3A,
 * chapter 10).
 *
 * apic_new() fills in cpu->intc and cpu->apic; the engine calls those on the vCPU's thread, and
 * they take the machine lock by themselves.  Everything else here wants the machine
 * lock.  Registers in memory are those of vm->current_cpu(); a write by anybody else is a message.
 */
#pragma once

#include "device.h"
#include "x86_cpu.h"

#define APIC_BASE_DEFAULT   0xfee00000u

extern const DeviceType apic_type;                      /* "apic" */

/*
 * Realizes an APIC for this CPU; the first maps the registers and sets vm->msi_send.  NULL: error.
 */
Device *apic_new(Vm *vm, X86Cpu *cpu, GError **error);

/* The CPU's LINT pins: 0 (the PIC's INT), 1 (NMI). */
IrqLine apic_lint(Device *apic, unsigned pin);
/* A message to address feexxxxx, as a device or the IOAPIC sends it; vm->msi_send of our APICs. */
void apic_msi(Vm *vm, uint64_t address, uint32_t data);
/*
 * Virtual wire mode as firmware leaves it on the first CPU: LINT0 ExtINT, LINT1 NMI, for direct
 * boot.
 */
void apic_virtual_wire(Device *apic);
/* NMI through LINT1 as the front panel's button does it: every CPU whose LINT1 takes it. */
void apic_inject_nmi(Vm *vm);
