/*
 * SMBus host controller of the PIIX4 (290562, chapter 7.3).  Part of a chipset device, which places
 * the region and saves the fields.  Machine lock.
 */
#pragma once

#include "memmap.h"
#include "state.h"

typedef struct PmSmbus {
    /* wiring */
    MemRegion io;
    /* guest-visible state */
    uint8_t status, control, command, address, data0, data1, slave_control;
} PmSmbus;

extern const StateDesc pm_smbus_state;

void pm_smbus_init(PmSmbus *smbus, Object *owner);
void pm_smbus_finish(PmSmbus *smbus);
void pm_smbus_reset(PmSmbus *smbus);
