/* The machine's notifications → QMP events. */
#pragma once

#include "vm.h"

void qmp_vm_events_start(Vm *vm);
