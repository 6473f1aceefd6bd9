/* Intel PIIX3 (82371SB) function 0: PCI to ISA bridge, interrupt router, reset control (290550). */
#pragma once

#include "pci.h"

extern const DeviceType piix3_type;

Bus *piix3_isa_bus(Device *piix3);              /* isa.0 of a realized bridge */
/* ISA interrupt the router's input (0–3: PIRQA–PIRQD) is routed to now; -1: none. */
int piix3_route(Device *piix3, int input);
/* Routes as firmware does, for direct boot. */
void piix3_set_route(Device *piix3, int input, uint8_t irq);
