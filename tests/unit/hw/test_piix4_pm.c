#include "check_main.h"
#include "bare_board.h"

#define PM 0x600
#define DEVFN 0x0b

static Device *pm;

static void setup(void)
{
    bare_setup();
    bare_add(&piix3_type, (Bus *)bare_bus, "1.0");
    PciDevice *piix3 = bare_bus->slots[8];
    piix3->multifunction = true;
    pm = bare_add(&piix4_pm_type, (Bus *)bare_bus, "1.3");
    vm_start(&vm);
    devices_reset(&vm);
    cfg_out(DEVFN, 0x40, PM | 1, 4);
    cfg_out(DEVFN, 0x80, 1, 1);
}

static void press_power_button(void)
{
    vm_emit(&vm, &(VmEvent){ .kind = VM_EVENT_POWERDOWN });
}

START_TEST(blocks_follow_their_base)
{
    setup();
    ck_assert_uint_eq(cfg_in(DEVFN, 0x40, 4), PM | 1);
    out(PM + 2, 0x0120, 2);
    ck_assert_uint_eq(in(PM + 2, 2), 0x0120);
    cfg_out(DEVFN, 0x40, 0x1001, 4);
    ck_assert_uint_eq(in(PM + 2, 2), 0xffff);
    ck_assert_uint_eq(in(0x1002, 2), 0x0120);
    cfg_out(DEVFN, 0x80, 0, 1);
    ck_assert_uint_eq(in(0x1002, 2), 0xffff);
}
END_TEST

START_TEST(power_button_raises_the_sci)
{
    setup();
    press_power_button();
    ck_assert_uint_eq(in(PM, 2), 0x0100);
    ck_assert_int_eq(bare_levels[9], 0);
    out(PM + 2, 0x0100, 2);
    ck_assert_int_eq(bare_levels[9], 0);                /* still legacy mode */
    out(0xb2, 0xf1, 1);
    ck_assert_uint_eq(in(PM + 4, 2), 1);
    ck_assert_int_eq(bare_levels[9], 1);
    out(PM, 0x0100, 2);
    ck_assert_uint_eq(in(PM, 2), 0);
    ck_assert_int_eq(bare_levels[9], 0);
    out(0xb2, 0xf0, 1);
    ck_assert_uint_eq(in(PM + 4, 2), 0);
}
END_TEST

/* 3.579545 MHz, 24 bits. */
static const struct { int64_t ns; uint32_t ticks; } timer[] = {
    { 0, 0 }, { 279, 0 }, { 280, 1 }, { NS_PER_SEC, 3579545 }, { 5 * NS_PER_SEC, 1120509 },
};

START_TEST(timer_row)
{
    setup();
    vm_clock_set_manual(&vm, timer[_i].ns);
    ck_assert_uint_eq(in(PM + 8, 4), timer[_i].ticks);
}
END_TEST

START_TEST(timer_carry_sets_its_status)
{
    setup();
    out(0xb2, 0xf1, 1);
    out(PM + 2, 1, 2);
    vm_clock_set_manual(&vm, 2 * NS_PER_SEC);
    ck_assert_int_eq(bare_levels[9], 0);
    vm_clock_set_manual(&vm, 3 * NS_PER_SEC);           /* bit 23 changes at 2.34 s */
    ck_assert_int_eq(bare_levels[9], 1);
    ck_assert_uint_eq(in(PM, 2), 1);
    out(PM, 1, 2);
    ck_assert_int_eq(bare_levels[9], 0);
    vm_clock_set_manual(&vm, 5 * NS_PER_SEC);           /* and again at 4.69 s */
    ck_assert_int_eq(bare_levels[9], 1);
}
END_TEST

static const struct { uint16_t control; bool shutdown; } sleeps[] = {
    { 0x0001, false }, { 0x2001, true }, { 0x2801, true }, { 0x3c01, false },
};

START_TEST(sleep_row)
{
    setup();
    vm.config.no_shutdown = true;
    out(PM + 4, sleeps[_i].control, 2);
    ck_assert_uint_eq(in(PM + 4, 2), sleeps[_i].control & ~0x2000);
    vm_run_requests(&vm);
    ck_assert_int_eq(vm.run_state == RUN_STATE_SHUTDOWN, sleeps[_i].shutdown);
}
END_TEST

START_TEST(smbus_has_nobody_on_it)
{
    setup();
    ck_assert_uint_eq(in(0xb100, 1), 0);
    out(0xb104, 0xa1, 1);
    out(0xb102, 0x48, 1);
    ck_assert_uint_eq(in(0xb100, 1), 0x04);
    out(0xb100, 0x04, 1);
    ck_assert_uint_eq(in(0xb100, 1), 0);
    cfg_out(DEVFN, 0x90, 0x701, 4);
    ck_assert_uint_eq(in(0xb100, 1), 0xff);
    ck_assert_uint_eq(in(0x700, 1), 0);
}
END_TEST

START_TEST(reset_control_port)
{
    setup();
    out(0xcf9, 0x02, 1);
    ck_assert_uint_eq(in(0xcf9, 1), 0x02);
    ck_assert_uint_eq(vm.pending_requests, 0);
    out(0xcf9, 0x06, 1);
    ck_assert_uint_ne(vm.pending_requests, 0);
    ck_assert_int_eq(vm.reset_cause, SHUTDOWN_CAUSE_GUEST_RESET);
}
END_TEST

CHECK_MAIN("hw/piix4_pm",
           CASE(blocks_follow_their_base),
           CASE(power_button_raises_the_sci),
           CASES(timer_row, timer),
           CASE(timer_carry_sets_its_status),
           CASES(sleep_row, sleeps),
           CASE(smbus_has_nobody_on_it),
           CASE(reset_control_port))
