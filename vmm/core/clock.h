/*
 * The machine's clock and its timers.
 *
 * vm_clock_ns() is nanoseconds of machine time: it stands still while the machine is stopped, and
 * a test can drive it (vm_clock_set_manual).  Any thread may read it.  Timers live on the main
 * loop and fire with the machine lock held; they are set under the machine lock from any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define NS_PER_SEC  INT64_C(1000000000)
#define NS_PER_MS   INT64_C(1000000)
#define NS_PER_US   INT64_C(1000)
#define VM_TIMER_OFF (-1)
/*
 * Periodic timers a guest sets go no faster: it must not keep the main loop from everything else.
 */
#define VM_TIMER_MIN_PERIOD_NS (20 * NS_PER_US)

typedef struct Vm Vm;
typedef struct VmTimer VmTimer;
typedef void (*VmTimerFn)(void *opaque);

struct VmTimer {
    Vm *vm;
    VmTimerFn fire;
    void *opaque;
    int64_t deadline_ns;                /* VM_TIMER_OFF: not armed */
    uint32_t heap_pos;                  /* in the clock's heap; 0: not armed */
};

int64_t vm_clock_ns(Vm *vm);
/*
 * The host's time-stamp counter as the machine's CPUs count from it.  Where an engine has the
 * counter under its own control (clock.tsc_stands) it stands while the clock does.  Any thread.
 */
uint64_t vm_clock_tsc(const Vm *vm);
int64_t host_clock_ns(void);            /* CLOCK_MONOTONIC, never stops */
int64_t host_wall_ns(void);             /* CLOCK_REALTIME */

void vm_timer_init(VmTimer *timer, Vm *vm, VmTimerFn fire, void *opaque);
/* VM_TIMER_OFF disarms; the past fires soon */
void vm_timer_set(VmTimer *timer, int64_t deadline_ns);
void vm_timer_finish(VmTimer *timer);
static inline bool vm_timer_is_set(const VmTimer *timer)
{
    return timer->deadline_ns != VM_TIMER_OFF;
}

/* muldiv with a 128-bit middle: ticks ↔ ns conversions that do not overflow. */
static inline uint64_t muldiv64(uint64_t value, uint64_t mul, uint64_t div)
{
    return (uint64_t)((unsigned __int128)value * mul / div);
}

/* ---- used by the machine itself ---- */
typedef struct VmClock {
    bool running, manual;
    int64_t offset_ns;                  /* machine time = host clock + offset while running */
    int64_t stopped_ns;                 /* machine time while stopped or manual */
    unsigned seq;                       /* seqlock for lock-free readers */
    bool tsc_stands;                    /* set by the engine before the clock runs */
    uint64_t tsc_stopped, tsc_lost;     /* host's counter at the stop; counts passed in all stops */
    GPtrArray *heap;                    /* VmTimer *, binary heap from index 1 */
    int timer_fd;                     /* set to the first deadline: GLib's own timers count in ms */
    GSource *source;                    /* watches timer_fd on the main loop */
} VmClock;

void vm_clock_init(VmClock *clock, Vm *vm, GMainContext *context);
void vm_clock_finish(VmClock *clock);
void vm_clock_start(Vm *vm);
void vm_clock_stop(Vm *vm);
/* tests: from now on only this moves it; runs due timers */
void vm_clock_set_manual(Vm *vm, int64_t ns);
