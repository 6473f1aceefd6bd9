#include <string.h>

#include "bare_board.h"
#include "check_main.h"
#include "i6300esb.h"
#include "watchdog.h"

#define DEVFN   (3 << 3)
#define REGS    0xe0000000u
#define SECOND  1007                    /* counts of 2^15 clocks at 33 MHz */

static Device *esb;
static const char *expired;             /* with this action; NULL: not yet */

static void on_event(Vm *unused, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_WATCHDOG) {
        expired = event->action;
    }
}

static void place(void)
{
    cfg_out(DEVFN, 0x10, REGS, 4);
    cfg_out(DEVFN, 0x04, 2, 2);
}

static void setup(void)
{
    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    esb = bare_add(&i6300esb_type, (Bus *)bare_bus, "3");
    vm_subscribe(&vm, on_event, NULL);
    vm_start(&vm);
    devices_reset(&vm);
    place();
}

static void unlocked(unsigned offset, uint32_t value, unsigned size)
{
    mem_store(&vm.memory, REGS + 0x0c, 0x80, 2);
    mem_store(&vm.memory, REGS + 0x0c, 0x86, 2);
    mem_store(&vm.memory, REGS + offset, value, size);
}

static void start(uint32_t first, uint32_t second)
{
    unlocked(0, first, 4);
    unlocked(4, second, 4);
    cfg_out(DEVFN, 0x68, 2, 1);
}

static void at_ms(int64_t ms)
{
    vm_clock_set_manual(&vm, ms * NS_PER_MS);
}

START_TEST(two_stages_then_the_end)
{
    setup();
    start(SECOND, 2 * SECOND);
    at_ms(2990);
    ck_assert_ptr_null(expired);
    at_ms(3010);
    ck_assert_str_eq(expired, "reset");
    ck_assert_int_eq(vm.reset_cause, SHUTDOWN_CAUSE_GUEST_RESET);
    devices_reset(&vm);
    place();
    ck_assert_uint_eq(mem_load(&vm.memory, REGS + 0x0c, 2, NULL), 0x200);
    ck_assert_uint_eq(mem_load(&vm.memory, REGS + 0x0d, 1, NULL), 0x02);
    unlocked(0x0c, 0x200, 2);
    ck_assert_uint_eq(mem_load(&vm.memory, REGS + 0x0c, 2, NULL), 0);
}
END_TEST

START_TEST(reloading_starts_again)
{
    setup();
    start(SECOND, SECOND);
    for (int i = 1; i < 10; i++) {
        at_ms(1500 * i);
        unlocked(0x0c, 0x100, 2);
        ck_assert_ptr_null(expired);
    }
    mem_store(&vm.memory, REGS + 0x0c, 0x100, 2);       /* without the sequence: nothing */
    at_ms(1500 * 9 + 2010);
    ck_assert_ptr_nonnull(expired);
}
END_TEST

START_TEST(the_fast_clock)
{
    setup();
    cfg_out(DEVFN, 0x60, 0x04, 2);
    start(1031250, 1031250);                            /* a second each */
    at_ms(1990);
    ck_assert_ptr_null(expired);
    at_ms(2010);
    ck_assert_ptr_nonnull(expired);
}
END_TEST

static const struct { uint16_t config; uint8_t lock, then; bool expires; } switches[] = {
    { 0x00, 0x02, 0x02, true }, { 0x20, 0x02, 0x02, false }, { 0x00, 0x02, 0x00, false },
    { 0x00, 0x03, 0x00, true },                         /* locked */
};

START_TEST(switch_row)
{
    setup();
    cfg_out(DEVFN, 0x60, switches[_i].config, 2);
    unlocked(0, SECOND, 4);
    unlocked(4, SECOND, 4);
    cfg_out(DEVFN, 0x68, switches[_i].lock, 1);
    cfg_out(DEVFN, 0x68, switches[_i].then, 1);
    at_ms(5000);
    ck_assert_int_eq(expired != NULL, switches[_i].expires);
}
END_TEST

static const struct { const char *action; RunState state; uint32_t requests; } actions[] = {
    { "reset", RUN_STATE_RUNNING }, { "shutdown", RUN_STATE_RUNNING },
    { "pause", RUN_STATE_WATCHDOG }, { "none", RUN_STATE_RUNNING },
    { "inject-nmi", RUN_STATE_RUNNING },
};

START_TEST(action_row)
{
    setup();
    vm.config.watchdog_action = g_strdup(actions[_i].action);
    start(1, 1);
    at_ms(100);
    ck_assert_str_eq(expired, actions[_i].action);
    vm_run_requests(&vm);
    ck_assert_int_eq(vm.run_state, actions[_i].state);
}
END_TEST

START_TEST(state_goes_round)
{
    g_autoptr(GByteArray) saved = g_byte_array_new(), again = g_byte_array_new();
    const StateDesc *state = i6300esb_type.state;
    size_t pos = 0;

    setup();
    start(SECOND, SECOND);
    at_ms(1500);
    state_save(state, esb, saved);
    devices_reset(&vm);
    ck_assert(state_load(state, esb, state->version, saved->data, saved->len, &pos, NULL));
    state_save(state, esb, again);
    ck_assert_int_eq(memcmp(again->data, saved->data, saved->len), 0);
    at_ms(2010);
    ck_assert_ptr_nonnull(expired);
}
END_TEST

CHECK_MAIN("hw/i6300esb", CASE(two_stages_then_the_end), CASE(reloading_starts_again),
           CASE(the_fast_clock), CASES(switch_row, switches), CASES(action_row, actions),
           CASE(state_goes_round))
