/*
 * The local APIC's timer (SDM volume 3A, 10.5.4): one-shot, periodic, TSC deadline.
 *
 * The bus clock is 1 GHz.  `next_time` is when the next interrupt is due; the host's timer runs
 * only while the LVT row is not masked.
 */
#include "apic_state.h"

#include <x86intrin.h>

#define FAR_FUTURE_NS (INT64_MAX / 4)

unsigned apic_timer_shift(const Apic *apic)
{
    unsigned code = (apic->divide_conf & 3) | (apic->divide_conf >> 1 & 4);

    return (code + 1) & 7;          /* figure 10-10: 0 is divide by 2, 7 divide by 1 */
}

static unsigned timer_mode(const Apic *apic)
{
    return LVT_TIMER_MODE(apic->lvt[LVT_TIMER]);
}

static int64_t period_ns(const Apic *apic)
{
    return (int64_t)apic->initial_count << apic_timer_shift(apic);
}

static int64_t elapsed_ns(const Apic *apic)
{
    return MAX(vm_clock_ns(apic->dev.vm) - apic->initial_count_load_time, 0);
}

uint32_t apic_timer_current(const Apic *apic)
{
    uint64_t ticks;

    if (apic->initial_count == 0 || timer_mode(apic) == TIMER_TSC_DEADLINE) {
        return 0;
    }
    ticks = (uint64_t)elapsed_ns(apic) >> apic_timer_shift(apic);
    if (timer_mode(apic) == TIMER_PERIODIC) {
        return apic->initial_count - ticks % apic->initial_count;
    }
    return ticks < apic->initial_count ? apic->initial_count - ticks : 0;
}

/* ---- TSC ---- */

static uint64_t guest_tsc(const Apic *apic)
{
    return vm_clock_tsc(apic->dev.vm) + apic->cpu->tsc_offset;
}

/* The rate is measured over the machine's life: the longer, the better. */
static int64_t tsc_to_ns(const Apic *apic, uint64_t tsc)
{
    uint64_t tsc_passed = MAX(__rdtsc() - apic->tsc_start, 1);
    uint64_t ns_passed = MAX(host_clock_ns() - apic->tsc_start_ns, 1);
    unsigned __int128 ns = (unsigned __int128)tsc * ns_passed / tsc_passed;

    return ns > FAR_FUTURE_NS ? FAR_FUTURE_NS : (int64_t)ns;
}

static void arm_deadline(Apic *apic)
{
    uint64_t now = guest_tsc(apic);
    int64_t wait_ns = apic->tsc_deadline > now ? tsc_to_ns(apic, apic->tsc_deadline - now) : 0;

    apic->next_time = apic->tsc_deadline != 0 ? vm_clock_ns(apic->dev.vm) + wait_ns : VM_TIMER_OFF;
}

/* ---- when ---- */

/* The first end of a period after now. */
static int64_t next_period(const Apic *apic)
{
    int64_t period = period_ns(apic), elapsed = elapsed_ns(apic);

    if (period < VM_TIMER_MIN_PERIOD_NS) {
        return apic->initial_count_load_time + elapsed + VM_TIMER_MIN_PERIOD_NS;
    }
    return apic->initial_count_load_time + elapsed - elapsed % period + period;
}

/*
 * Plans the next interrupt from the counter as it stood at `now_ns`: a count so short that it ran
 * out since still interrupts.
 */
static void plan(Apic *apic, int64_t now_ns)
{
    apic->next_time = VM_TIMER_OFF;
    if (apic->initial_count == 0) {
        return;
    }
    if (timer_mode(apic) == TIMER_PERIODIC) {
        apic->next_time = next_period(apic);
    } else if (timer_mode(apic) == TIMER_ONE_SHOT &&
               now_ns - apic->initial_count_load_time < period_ns(apic)) {
        apic->next_time = apic->initial_count_load_time + period_ns(apic);
    }
}

void apic_timer_update(Apic *apic)
{
    bool masked = apic->lvt[LVT_TIMER] & LVT_MASKED;

    vm_timer_set(&apic->timer, masked ? VM_TIMER_OFF : apic->next_time);
}

static void timer_fire(void *opaque)
{
    Apic *apic = opaque;

    if (timer_mode(apic) == TIMER_TSC_DEADLINE) {
        if (guest_tsc(apic) < apic->tsc_deadline) {     /* the rate was not exact yet */
            arm_deadline(apic);
            apic_timer_update(apic);
            return;
        }
        apic->tsc_deadline = 0;
        apic->next_time = VM_TIMER_OFF;
    } else {
        apic->next_time = timer_mode(apic) == TIMER_PERIODIC && apic->initial_count != 0
                              ? next_period(apic) : VM_TIMER_OFF;
    }
    apic_local(apic, LVT_TIMER);
    apic_timer_update(apic);
}

/* ---- registers ---- */

void apic_timer_set_initial(Apic *apic, uint32_t count)
{
    if (timer_mode(apic) == TIMER_TSC_DEADLINE) {
        return;                                         /* 10.5.4.1 */
    }
    apic->initial_count = count;
    apic->initial_count_load_time = vm_clock_ns(apic->dev.vm);
    plan(apic, apic->initial_count_load_time);
    apic_timer_update(apic);
}

/* The counter goes on from where it stands: moves its start so that it reads `current` now. */
static void restart_from(Apic *apic, uint32_t current)
{
    int64_t ticks = apic->initial_count - current, now_ns = vm_clock_ns(apic->dev.vm);

    apic->initial_count_load_time = now_ns - (ticks << apic_timer_shift(apic));
    plan(apic, now_ns);
}

void apic_timer_set_divide(Apic *apic, uint32_t divide)
{
    uint32_t current = apic_timer_current(apic);

    apic->divide_conf = divide & 0x0b;
    if (timer_mode(apic) != TIMER_TSC_DEADLINE) {
        restart_from(apic, current);
        apic_timer_update(apic);
    }
}

void apic_timer_set_lvt(Apic *apic, uint32_t lvt)
{
    uint32_t current = apic_timer_current(apic);
    unsigned old_mode = timer_mode(apic);
    bool was_masked = apic->lvt[LVT_TIMER] & LVT_MASKED;

    apic->lvt[LVT_TIMER] = lvt;
    if (old_mode != timer_mode(apic)) {
        if (old_mode == TIMER_TSC_DEADLINE || timer_mode(apic) == TIMER_TSC_DEADLINE) {
            apic->initial_count = 0;                    /* 10.5.4.1: the change disarms it */
            apic->tsc_deadline = 0;
            apic->next_time = VM_TIMER_OFF;
        } else {
            restart_from(apic, current);
        }
    } else if (was_masked && timer_mode(apic) != TIMER_TSC_DEADLINE) {
        plan(apic, vm_clock_ns(apic->dev.vm));          /* what passed meanwhile is lost */
    }
    apic_timer_update(apic);
}

void apic_timer_set_deadline(Apic *apic, uint64_t tsc)
{
    if (timer_mode(apic) == TIMER_TSC_DEADLINE) {
        apic->tsc_deadline = tsc;
        arm_deadline(apic);
        apic_timer_update(apic);
    }
}

void apic_timer_reset(Apic *apic)
{
    apic->divide_conf = 0;
    apic->initial_count = 0;
    apic->initial_count_load_time = 0;
    apic->tsc_deadline = 0;
    apic->next_time = VM_TIMER_OFF;
    apic_timer_update(apic);
}

void apic_timer_init(Apic *apic)
{
    apic->tsc_start = __rdtsc();
    apic->tsc_start_ns = host_clock_ns();
    vm_timer_init(&apic->timer, apic->dev.vm, timer_fire, apic);
}
