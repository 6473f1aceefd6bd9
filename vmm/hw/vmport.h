/*
 * VMware's backdoor: a port whose reads are calls, with arguments and results in the CPU's registers
 * (VMware, "Backdoor" in open-vm-tools; the guest's side is in its drivers).  Machine lock.
 */
#pragma once

#include "device.h"

extern const DeviceType vmport_type;                    /* "vmport" */

/* Registers of a call; eax is what the instruction gives. */
typedef struct VmportCall {
    uint32_t eax, ebx, ecx, edx, esi, edi;
} VmportCall;

#define VMPORT_COMMANDS 128

/* Who answers a command (the low half of ecx). */
typedef void (*VmportFn)(void *opaque, VmportCall *call);
void vmport_set_command(Device *vmport, unsigned command, VmportFn fn, void *opaque);
