/* The NICs of -nic and -net.  For vm.c. */
#pragma once

#include "options.h"

/* Makes them when the board stands; and QEMU's default NIC where no option spoke of a network. */
bool vm_make_nics(Vm *vm, const Options *options, GError **error);
/* NIC models -nic and -net take, one per line behind a title; new string. */
char *vm_nic_models_text(void);
