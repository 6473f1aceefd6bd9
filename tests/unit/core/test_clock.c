#include <glib.h>

#include "check_main.h"
#include "lock.h"
#include "vm_core.h"

static const DeviceType *const no_types[] = { NULL };
static Vm vm;

typedef struct Ticker { VmTimer timer; int64_t period_ns, fired_at[8]; unsigned fired; } Ticker;

static void ticker_fire(void *opaque)
{
    Ticker *ticker = opaque;

    ticker->fired_at[ticker->fired++] = vm_clock_ns(&vm);
    if (ticker->period_ns > 0 && ticker->fired < 8) {
        vm_timer_set(&ticker->timer, vm_clock_ns(&vm) + ticker->period_ns);
    }
}

static void setup(void)
{
    machine_lock();
    vm_core_init(&vm, g_main_context_default(), no_types);
}

START_TEST(timers_fire_in_order_at_their_time)
{
    Ticker tickers[5] = { 0 };
    static const int64_t deadlines[] = { 50, 10, 40, 20, 30 };

    setup();
    vm_clock_set_manual(&vm, 0);
    for (unsigned i = 0; i < 5; i++) {
        vm_timer_init(&tickers[i].timer, &vm, ticker_fire, &tickers[i]);
        vm_timer_set(&tickers[i].timer, deadlines[i]);
    }
    vm_timer_set(&tickers[2].timer, VM_TIMER_OFF);
    vm_clock_set_manual(&vm, 45);
    for (unsigned i = 0; i < 5; i++) {
        bool due = deadlines[i] <= 45 && i != 2;

        ck_assert_uint_eq(tickers[i].fired, due);
        if (due) {
            ck_assert_int_eq(tickers[i].fired_at[0], deadlines[i]);
        }
    }
}
END_TEST

START_TEST(a_periodic_timer_sees_every_period)
{
    Ticker ticker = { .period_ns = 10 };

    setup();
    vm_clock_set_manual(&vm, 0);
    vm_timer_init(&ticker.timer, &vm, ticker_fire, &ticker);
    vm_timer_set(&ticker.timer, 10);
    vm_clock_set_manual(&vm, 35);
    ck_assert_uint_eq(ticker.fired, 3);
    ck_assert_int_eq(ticker.fired_at[2], 30);
}
END_TEST

START_TEST(the_clock_stands_while_stopped)
{
    int64_t before;

    setup();
    ck_assert_int_eq(vm_clock_ns(&vm), 0);
    vm_clock_start(&vm);
    while (vm_clock_ns(&vm) == 0) {
    }
    vm_clock_stop(&vm);
    before = vm_clock_ns(&vm);
    ck_assert_int_gt(before, 0);
    ck_assert_int_eq(vm_clock_ns(&vm), before);
    vm_clock_start(&vm);
    ck_assert_int_ge(vm_clock_ns(&vm), before);
}
END_TEST

START_TEST(the_main_loop_fires_timers)
{
    Ticker ticker = { 0 };

    setup();
    vm_timer_init(&ticker.timer, &vm, ticker_fire, &ticker);
    vm_timer_set(&ticker.timer, NS_PER_MS);
    vm_start(&vm);
    while (ticker.fired == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_int_ge(ticker.fired_at[0], NS_PER_MS);
}
END_TEST

static unsigned events[VM_EVENT_EXIT + 1];

static void count_event(Vm *machine, const VmEvent *event, void *opaque)
{
    events[event->kind]++;
}

START_TEST(requests_become_events)
{
    setup();
    vm_subscribe(&vm, count_event, NULL);
    vm_start(&vm);
    ck_assert_uint_eq(events[VM_EVENT_RESUME], 1);
    vm_request_powerdown(&vm);
    vm_request_reset(&vm, SHUTDOWN_CAUSE_GUEST_RESET);
    g_main_context_iteration(NULL, TRUE);
    ck_assert_uint_eq(events[VM_EVENT_POWERDOWN], 1);
    ck_assert_uint_eq(events[VM_EVENT_RESET], 1);
    vm_request_stop(&vm, RUN_STATE_IO_ERROR);
    g_main_context_iteration(NULL, TRUE);
    ck_assert_int_eq(vm.run_state, RUN_STATE_IO_ERROR);
    ck_assert_uint_eq(events[VM_EVENT_STOP], 1);
    vm_request_shutdown(&vm, SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    g_main_context_iteration(NULL, TRUE);
    ck_assert(vm.quitting);
    ck_assert_uint_eq(events[VM_EVENT_EXIT], 1);
}
END_TEST

START_TEST(no_shutdown_stops_instead)
{
    setup();
    vm.config.no_shutdown = true;
    vm_start(&vm);
    vm_request_shutdown(&vm, SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
    g_main_context_iteration(NULL, TRUE);
    ck_assert(!vm.quitting);
    ck_assert_int_eq(vm.run_state, RUN_STATE_SHUTDOWN);
}
END_TEST

CHECK_MAIN("clock", CASE(timers_fire_in_order_at_their_time),
           CASE(a_periodic_timer_sees_every_period), CASE(the_clock_stands_while_stopped),
           CASE(the_main_loop_fires_timers), CASE(requests_become_events),
           CASE(no_shutdown_stops_instead))
