#include "isa.h"

const BusType isa_bus_type = { .name = "ISA" };
