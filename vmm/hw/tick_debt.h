/*
 * The ticks of a periodic timer that came late.
 *
 * On a busy host several periods can pass before a guest's CPU takes the interrupt of the first,
 * and edges of one line merge while it waits.  A guest that counts ticks would lose time, or find its
 * timer broken: so what merged is owed, and follows one by one as the CPU takes them.  Only a few
 * are, because a guest that hardly runs at all must not spend what it gets on ticks of the past.
 * Nothing is owed while the line is masked, or on boards that do not say when an interrupt is taken
 * (vm->gsi_open is NULL).  Machine lock.
 */
#pragma once

#include "vm_core.h"

#define TICK_DEBT_MAX           16
/* Faster ones are not made up for. */
#define TICK_DEBT_MIN_PERIOD_NS (10 * VM_TIMER_MIN_PERIOD_NS)

typedef struct TickDebt {
    bool in_flight;             /* sent, and not taken yet */
    uint32_t owed;
} TickDebt;

/* `n` periods ended; the caller sends one edge now. */
static inline void tick_debt_add(TickDebt *debt, Vm *vm, unsigned gsi, uint64_t n)
{
    if (vm->gsi_open == NULL || !vm->gsi_open(vm, gsi)) {
        *debt = (TickDebt){ 0 };
        return;
    }
    debt->owed = MIN(debt->owed + MIN(n, TICK_DEBT_MAX) - !debt->in_flight, TICK_DEBT_MAX);
    debt->in_flight = true;
}

/* A CPU took what was in flight.  True: the caller sends the next. */
static inline bool tick_debt_next(TickDebt *debt)
{
    debt->in_flight = debt->owed > 0;
    debt->owed -= debt->in_flight;
    return debt->in_flight;
}
