/* The machine's notifications → QMP events.  Main thread, machine lock. */
#pragma once

#include "vm.h"

void qmp_vm_events_start(Vm *vm);
void qmp_vnc_events_start(void);        /* cmd_vnc.c: those of viewers */
void qmp_debug_event(Vm *vm);           /* cmd_debug.c: the stop there was */
