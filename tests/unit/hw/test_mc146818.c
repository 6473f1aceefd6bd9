#include "check_main.h"
#include "isa_board.h"
#include "mc146818.h"

static uint8_t rtc(unsigned reg)
{
    out8(0x70, reg);
    return in8(0x71);
}

static void set_rtc(unsigned reg, uint8_t value)
{
    out8(0x70, reg);
    out8(0x71, value);
}

/* The machine's clock drives it, and it starts at a known second. */
static Device *clock_board(void)
{
    Device *dev = isa_board(&mc146818_type);

    device_free(dev);
    vm.config.rtc_clock_vm = true;
    vm.config.rtc_base = (char *)"2006-06-17T16:01:21";
    dev = device_new(&vm, &mc146818_type, NULL);
    g_assert(device_realize(dev, isa, NULL));
    devices_reset(&vm);
    vm.config.rtc_base = NULL;
    return dev;
}

static const struct { unsigned reg; uint8_t bcd, binary; } fields[] = {
    { 0, 0x21, 21 }, { 2, 0x01, 1 }, { 4, 0x16, 16 }, { 6, 0x07, 7 }, { 7, 0x17, 17 },
    { 8, 0x06, 6 }, { 9, 0x06, 6 }, { 0x32, 0x20, 20 },
};

START_TEST(field_row)
{
    clock_board();
    ck_assert_uint_eq(rtc(fields[_i].reg), fields[_i].bcd);
    set_rtc(0x0b, 0x06);                        /* binary, 24 hours */
    ck_assert_uint_eq(rtc(fields[_i].reg), fields[_i].binary);
}
END_TEST

START_TEST(twelve_hours_have_a_pm_bit)
{
    clock_board();
    set_rtc(0x0b, 0x00);
    ck_assert_uint_eq(rtc(4), 0x84);
}
END_TEST

START_TEST(time_goes_on_and_stops_while_set)
{
    clock_board();
    advance_ns(45 * NS_PER_SEC);
    ck_assert_uint_eq(rtc(0), 0x06);
    ck_assert_uint_eq(rtc(2), 0x02);
    set_rtc(0x0b, 0x82);
    set_rtc(0, 0x30);
    advance_ns(10 * NS_PER_SEC);
    ck_assert_uint_eq(rtc(0), 0x30);
    set_rtc(0x0b, 0x02);
    advance_ns(5 * NS_PER_SEC);
    ck_assert_uint_eq(rtc(0), 0x35);
}
END_TEST

START_TEST(the_alarm_interrupts)
{
    clock_board();
    set_rtc(1, 0x25);
    set_rtc(3, 0xff);
    set_rtc(5, 0xff);                           /* any minute, any hour */
    set_rtc(0x0b, 0x22);
    advance_ns(3 * NS_PER_SEC);
    ck_assert_int_eq(levels[8], 0);
    advance_ns(1 * NS_PER_SEC + NS_PER_MS);
    ck_assert_int_eq(levels[8], 1);
    ck_assert_uint_eq(rtc(0x0c) & 0xa0, 0xa0);
    ck_assert_int_eq(levels[8], 0);
    ck_assert_uint_eq(rtc(0x0c) & 0xa0, 0);
}
END_TEST

START_TEST(periodic_interrupts_come_at_their_rate)
{
    clock_board();
    set_rtc(0x0a, 0x26);                        /* 1024 Hz */
    set_rtc(0x0b, 0x42);
    rtc(0x0c);                                  /* it ran before anybody asked */
    edges[8] = 0;
    for (unsigned i = 0; i < 1024; i++) {
        advance_ns(NS_PER_SEC / 1024 + 1);
        ck_assert_uint_eq(rtc(0x0c) & 0xc0, 0xc0);
    }
    ck_assert_uint_eq(edges[8], 1024);
}
END_TEST

START_TEST(update_ended_comes_each_second)
{
    clock_board();
    set_rtc(0x0a, 0x20);                        /* no periodic rate */
    set_rtc(0x0b, 0x12);
    rtc(0x0c);
    advance_ns(NS_PER_SEC + 1);
    ck_assert_int_eq(levels[8], 1);
    ck_assert_uint_eq(rtc(0x0c), 0x90);
}
END_TEST

START_TEST(update_in_progress_before_the_second_ends)
{
    clock_board();
    ck_assert_uint_eq(rtc(0x0a) & 0x80, 0);
    advance_ns(NS_PER_SEC - 200000);
    ck_assert_uint_eq(rtc(0x0a) & 0x80, 0x80);
    advance_ns(200000);
    ck_assert_uint_eq(rtc(0x0a) & 0x80, 0);
}
END_TEST

static const struct { const char *text; bool ok; } bases[] = {
    { "utc", true }, { "localtime", true }, { "2006-06-17", true }, { "2006-06-17T16:01:21", true },
    { "yesterday", false }, { "2006-06-17T16", false }, { "2006-06-17x", false },
};

START_TEST(base_row)
{
    ck_assert_int_eq(mc146818_check_base(bases[_i].text, NULL), bases[_i].ok);
}
END_TEST

static unsigned changes;
static int64_t last_offset_s;

static void note_change(Vm *machine, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_RTC_CHANGE) {
        changes++;
        last_offset_s = event->offset_s;
    }
}

START_TEST(setting_the_time_is_told)
{
    clock_board();
    vm_subscribe(&vm, note_change, NULL);
    set_rtc(0x0b, 0x82);
    set_rtc(4, 0x17);                           /* an hour on */
    set_rtc(0x0b, 0x02);
    ck_assert_uint_eq(changes, 0);
    advance_ns(0);
    ck_assert_uint_eq(changes, 1);
    ck_assert_int_ge(last_offset_s, 3600 - 30);    /* the host went on meanwhile */
    ck_assert_int_le(last_offset_s, 3600 + 30);
}
END_TEST

CHECK_MAIN("mc146818", CASES(field_row, fields), CASE(twelve_hours_have_a_pm_bit),
           CASE(time_goes_on_and_stops_while_set), CASE(the_alarm_interrupts),
           CASE(periodic_interrupts_come_at_their_rate), CASE(update_ended_comes_each_second),
           CASE(update_in_progress_before_the_second_ends), CASES(base_row, bases),
           CASE(setting_the_time_is_told))
