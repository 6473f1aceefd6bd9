#include "check_main.h"
#include "i8254.h"
#include "isa_board.h"

/* Nanoseconds after which exactly `n` ticks have passed. */
static int64_t ticks_ns(uint64_t n)
{
    return muldiv64(n, NS_PER_SEC, I8254_HZ) + 1;
}

static void program(unsigned counter, unsigned mode, unsigned count)
{
    out8(0x43, counter << 6 | 3 << 4 | mode << 1);
    out8(0x40 + counter, count & 0xff);
    out8(0x40 + counter, count >> 8);
}

static unsigned read_word(unsigned counter)
{
    unsigned low = in8(0x40 + counter);

    return low | in8(0x40 + counter) << 8;
}

static unsigned read_latched(unsigned counter)
{
    out8(0x43, counter << 6);
    return read_word(counter);
}

/* Mode, count, ticks since then: the value counted down to, and OUT by read-back. */
static const struct { unsigned mode, count, ticks, value; bool out; } rows[] = {
    { 0, 1000, 0, 1000, false },
    { 0, 1000, 999, 1, false },
    { 0, 1000, 1000, 0, true },
    { 0, 1000, 1001, 0xffff, true },
    { 0, 0, 10, 0xfff6, false },                /* 0 counts 65536 */
    { 2, 100, 30, 70, true },
    { 2, 100, 99, 1, false },                   /* low for the last tick */
    { 2, 100, 100, 100, true },
    { 3, 100, 10, 80, true },                   /* by twos */
    { 3, 100, 49, 2, true },
    { 3, 100, 50, 100, false },
    { 3, 100, 99, 2, false },
    { 4, 50, 49, 1, true },
    { 4, 50, 50, 0, false },                    /* the strobe */
    { 4, 50, 51, 0xffff, true },
};

START_TEST(counting_row)
{
    isa_board(&i8254_type);
    program(1, rows[_i].mode, rows[_i].count);
    advance_ns(rows[_i].ticks != 0 ? ticks_ns(rows[_i].ticks) : 0);
    ck_assert_uint_eq(read_latched(1), rows[_i].value);
    out8(0x43, 0xe4);                           /* read back the status of counter 1 */
    ck_assert_int_eq(in8(0x41) >> 7, rows[_i].out);
}
END_TEST

START_TEST(rate_generator_interrupts_every_period)
{
    isa_board(&i8254_type);
    program(0, 2, 1193);
    edges[0] = 0;
    for (unsigned i = 1; i <= 10; i++) {
        advance_ns(ticks_ns(1193));
        ck_assert_uint_eq(edges[0], i);
    }
}
END_TEST

START_TEST(terminal_count_interrupts_once)
{
    isa_board(&i8254_type);
    program(0, 0, 500);
    ck_assert_int_eq(levels[0], 0);
    edges[0] = 0;
    advance_ns(ticks_ns(499));
    ck_assert_uint_eq(edges[0], 0);
    advance_ns(ticks_ns(1000));
    ck_assert_uint_eq(edges[0], 1);
    ck_assert_int_eq(levels[0], 1);
}
END_TEST

START_TEST(a_latch_holds_the_first_value)
{
    isa_board(&i8254_type);
    program(0, 0, 5000);
    out8(0x43, 0x00);
    advance_ns(ticks_ns(100));
    out8(0x43, 0x00);                           /* ignored: the first has not been read */
    ck_assert_uint_eq(read_word(0), 5000);
    ck_assert_uint_eq(read_word(0), 4900);
}
END_TEST

START_TEST(bcd_counts_in_decimal)
{
    isa_board(&i8254_type);
    out8(0x43, 0x31);
    out8(0x40, 0x00);
    out8(0x40, 0x10);                           /* 1000 */
    advance_ns(ticks_ns(1));
    ck_assert_uint_eq(read_latched(0), 0x0999);
}
END_TEST

START_TEST(gate_2_holds_and_releases)
{
    Device *pit = isa_board(&i8254_type);

    i8254_set_gate2(pit, true);
    program(2, 0, 1000);
    advance_ns(ticks_ns(100));
    i8254_set_gate2(pit, false);
    advance_ns(ticks_ns(5000));
    ck_assert(!i8254_out2(pit));
    ck_assert_uint_eq(read_latched(2), 900);
    i8254_set_gate2(pit, true);
    advance_ns(ticks_ns(901));
    ck_assert(i8254_out2(pit));
}
END_TEST

START_TEST(tiny_periods_do_not_spin)
{
    isa_board(&i8254_type);
    program(0, 2, 2);
    advance_ns(NS_PER_MS);                      /* returns at all */
    ck_assert_uint_ge(edges[0], 1);
    ck_assert_uint_le(edges[0], 52);
}
END_TEST

START_TEST(late_ticks_follow_as_they_are_taken)
{
    Device *pit = isa_board(&i8254_type);

    vm.gsi_open = line_open;
    program(0, 2, 1193);
    edges[0] = 0;
    advance_late_ns(ticks_ns(4 * 1193));
    ck_assert_uint_eq(edges[0], 1);
    for (unsigned n = 2; n <= 4; n++) {
        i8254_taken(pit);
        ck_assert_uint_eq(edges[0], n);
    }
    i8254_taken(pit);
    ck_assert_uint_eq(edges[0], 4);
    advance_late_ns(ticks_ns(3 * 1193));
    program(0, 2, 1193);                        /* a fresh start owes nothing */
    edges[0] = 0;
    i8254_taken(pit);
    ck_assert_uint_eq(edges[0], 0);
    masked = true;
    advance_late_ns(ticks_ns(3 * 1193));
    i8254_taken(pit);
    ck_assert_uint_eq(edges[0], 1);
}
END_TEST

CHECK_MAIN("i8254", CASES(counting_row, rows), CASE(rate_generator_interrupts_every_period),
           CASE(terminal_count_interrupts_once), CASE(a_latch_holds_the_first_value),
           CASE(bcd_counts_in_decimal), CASE(gate_2_holds_and_releases),
           CASE(tiny_periods_do_not_spin), CASE(late_ticks_follow_as_they_are_taken))
