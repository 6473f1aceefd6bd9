/*
 * Intel 8259A programmable interrupt controllers (231468), as a PC's cascaded pair, with the
 * edge/level control registers of the PC chip sets.  One device is one chip.  Machine lock.
 */
#pragma once

#include "device.h"

typedef struct X86Cpu X86Cpu;

extern const DeviceType i8259_type;                     /* "isa-i8259" */

/* Both chips with a PC's addresses, the second on input 2 of the first; sets vm->pic and
 * vm->pic_acknowledge.  NULL: error. */
Device *i8259_pair_new(Vm *vm, Bus *isa, GError **error);
IrqLine i8259_pair_input(Device *master, unsigned n);   /* 0–15 */

void i8259_connect(Device *pic, IrqLine out);           /* the INT pin */
/* A CPU without a local APIC: the pair's INT pin and acknowledge are the CPU's. */
void i8259_connect_cpu(Device *master, X86Cpu *cpu);
IrqLine i8259_input(Device *pic, unsigned n);           /* 0–7, of this chip */
void i8259_set_slave(Device *master, Device *slave);
/* Of the pair's 16 inputs: whether one is not masked, and who is told when a CPU took it. */
bool i8259_pair_open(const Device *master, unsigned n);
void i8259_pair_set_taken(Device *master, void (*taken)(void *opaque, unsigned n), void *opaque);
bool i8259_pending(const Device *master);               /* the INT pin is high */
/* INTA: the vector; an IR7 vector if the request is gone. */
int i8259_acknowledge(Device *master);
