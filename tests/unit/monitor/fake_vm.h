/*
 * A machine for the monitor's tests: 64 KiB of counting bytes at 0, one CPU in 64-bit mode, no
 * engine.
 */
#pragma once

#include "vm.h"

extern X86Cpu fake_cpu;
extern GString *fake_calls;             /* names of the operations called, a space behind each */

Vm *fake_vm(void);                      /* set up at the first call */
