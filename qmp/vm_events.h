/* The machine's notifications → QMP events.  Main thread, machine lock. */
#pragma once

#include "vm.h"

void qmp_vm_events_start(Vm *vm);
