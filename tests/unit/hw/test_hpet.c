#include "check_main.h"
#include "hpet.h"
#include "isa_board.h"
#include "tick_debt.h"

#define BASE        UINT64_C(0xfed00000)
#define T(n_, reg_) (0x100 + 0x20 * (n_) + (reg_))
enum { CONFIG, CMP = 8 };

static Device *hpet;

static void hpet_board(void)
{
    isa_board(&hpet_type);
    hpet = hpet_new(&vm, BASE, 0x14, NULL);             /* lines 2 and 4 */
    ck_assert_ptr_nonnull(hpet);
    devices_reset(&vm);
}

static uint64_t get(unsigned reg, unsigned size)
{
    return mem_load(&vm.memory, BASE + reg, size, NULL);
}

static void set(unsigned reg, uint64_t value, unsigned size)
{
    mem_store(&vm.memory, BASE + reg, value, size);
}

START_TEST(it_says_what_it_is)
{
    hpet_board();
    ck_assert_uint_eq(get(0, 8), UINT64_C(10000000) << 32 | 0x8086a201);
    ck_assert_uint_eq(get(T(0, CONFIG), 8), UINT64_C(0x14) << 32 | 0x30);
}
END_TEST

START_TEST(the_counter_runs_while_enabled)
{
    hpet_board();
    advance_ns(1000);
    ck_assert_uint_eq(get(0xf0, 8), 0);
    set(0xf0, 100, 8);
    set(0x10, 1, 4);
    advance_ns(1000);
    ck_assert_uint_eq(get(0xf0, 8), 200);
    set(0x10, 0, 4);
    advance_ns(1000);
    ck_assert_uint_eq(get(0xf0, 8), 200);
}
END_TEST

START_TEST(a_one_shot_fires_once)
{
    hpet_board();
    set(T(1, CONFIG), 0x04 | 4 << 9, 4);        /* enabled, line 4 */
    set(T(1, CMP), 1000, 8);
    set(0x10, 1, 4);
    advance_ns(9990);
    ck_assert_uint_eq(edges[4], 0);
    advance_ns(10);
    ck_assert_uint_eq(edges[4], 1);
    advance_ns(NS_PER_SEC);
    ck_assert_uint_eq(edges[4], 1);
}
END_TEST

START_TEST(a_periodic_timer_keeps_its_period)
{
    hpet_board();
    set(T(0, CONFIG), 0x4c | 2 << 9, 4);        /* enabled, periodic, set value, line 2 */
    set(T(0, CMP), 5000, 8);                    /* first at 5000 */
    set(T(0, CMP), 10000, 8);                   /* then every 10000 */
    set(0x10, 1, 4);
    advance_ns(50000);
    ck_assert_uint_eq(edges[2], 1);
    advance_ns(5 * 100000);
    ck_assert_uint_eq(edges[2], 6);
    ck_assert_uint_eq(get(T(0, CMP), 4), 65000);
}
END_TEST

START_TEST(tiny_periods_do_not_spin)
{
    hpet_board();
    set(T(0, CONFIG), 0x4c | 2 << 9, 4);
    set(T(0, CMP), 1, 8);
    set(0x10, 1, 4);
    advance_ns(NS_PER_MS);                      /* returns at all */
    ck_assert_uint_ge(edges[2], 1);
    ck_assert_uint_le(edges[2], 51);
}
END_TEST

START_TEST(the_counter_wraps)
{
    hpet_board();
    set(0xf0, UINT64_MAX - 9, 8);
    set(0x10, 1, 4);
    advance_ns(50);
    ck_assert_uint_eq(get(0xf0, 8), UINT64_MAX - 4);
    advance_ns(100);
    ck_assert_uint_eq(get(0xf0, 8), 5);
}
END_TEST

START_TEST(level_interrupts_hold_until_cleared)
{
    hpet_board();
    set(T(2, CONFIG), 0x06 | 2 << 9, 4);
    set(T(2, CMP), 100, 8);
    set(0x10, 1, 4);
    advance_ns(1000);
    ck_assert_int_eq(levels[2], 1);
    ck_assert_uint_eq(get(0x20, 4), 4);
    set(0x20, 4, 4);
    ck_assert_int_eq(levels[2], 0);
}
END_TEST

START_TEST(legacy_replacement_takes_lines_0_and_8)
{
    hpet_board();
    set(T(0, CONFIG), 0x04 | 2 << 9, 4);
    set(T(1, CONFIG), 0x04 | 2 << 9, 4);
    set(T(0, CMP), 100, 8);
    set(T(1, CMP), 200, 8);
    set(0x10, 3, 4);
    advance_ns(3000);
    ck_assert_uint_eq(edges[0], 1);
    ck_assert_uint_eq(edges[8], 1);
    ck_assert_uint_eq(edges[2], 0);
}
END_TEST

static Device *muted_pit;
static int mutes, unmutes;

static void record_mute(Device *pit, bool muted)
{
    muted_pit = pit;
    mutes += muted;
    unmutes += !muted;
}

START_TEST(legacy_replacement_mutes_the_timer)
{
    Device pit;

    isa_board(&hpet_type);
    hpet = hpet_new(&vm, BASE, 0x14, NULL);
    hpet_set_pit(hpet, &pit, record_mute);
    devices_reset(&vm);
    set(0x10, 3, 4);
    set(0x10, 2, 4);
    ck_assert_ptr_eq(muted_pit, &pit);
    ck_assert_int_eq(mutes, 1);
    ck_assert_int_eq(unmutes, 0);
    set(0x10, 1, 4);
    ck_assert_int_eq(unmutes, 1);
    set(0x10, 2, 4);
    devices_reset(&vm);
    ck_assert_int_eq(mutes, 2);
    ck_assert_int_eq(unmutes, 2);
}
END_TEST

START_TEST(a_line_it_cannot_drive_is_not_taken)
{
    hpet_board();
    set(T(0, CONFIG), 5 << 9, 4);
    ck_assert_uint_eq(get(T(0, CONFIG), 4) & 0x3e00, 0);
}
END_TEST

static void tick_every(unsigned ns)
{
    hpet_board();
    vm.gsi_open = line_open;
    set(T(0, CONFIG), 0x4c, 4);                 /* enabled, periodic, set value */
    set(T(0, CMP), ns / 10, 8);
    set(T(0, CMP), ns / 10, 8);
    set(0x10, 3, 4);                            /* legacy replacement: line 0 */
}

START_TEST(late_ticks_follow_as_they_are_taken)
{
    tick_every(NS_PER_MS);
    advance_late_ns(4 * NS_PER_MS);
    ck_assert_uint_eq(edges[0], 1);
    for (unsigned n = 2; n <= 4; n++) {
        hpet_line_taken(hpet, 0);
        ck_assert_uint_eq(edges[0], n);
    }
    hpet_line_taken(hpet, 0);
    ck_assert_uint_eq(edges[0], 4);
    advance_ns(NS_PER_MS);
    advance_ns(NS_PER_MS);                      /* on time, but the last was not taken yet */
    ck_assert_uint_eq(edges[0], 6);
    hpet_line_taken(hpet, 0);
    ck_assert_uint_eq(edges[0], 7);
    hpet_line_taken(hpet, 2);                   /* of another line */
    hpet_line_taken(hpet, 0);
    ck_assert_uint_eq(edges[0], 7);
    advance_late_ns(NS_PER_SEC);                /* a guest that hardly runs: a few are enough */
    for (unsigned n = 0; n < 100; n++) {
        hpet_line_taken(hpet, 0);
    }
    ck_assert_uint_eq(edges[0], 7 + TICK_DEBT_MAX);
}
END_TEST

START_TEST(no_tick_follows_that_nobody_would_have_had)
{
    tick_every(NS_PER_MS);
    masked = true;
    advance_late_ns(4 * NS_PER_MS);
    masked = false;
    hpet_line_taken(hpet, 0);
    ck_assert_uint_eq(edges[0], 1);
    advance_late_ns(4 * NS_PER_MS);
    set(T(0, CMP), 200000, 8);                  /* another period: a fresh start */
    hpet_line_taken(hpet, 0);
    ck_assert_uint_eq(edges[0], 2);
    vm.gsi_open = NULL;                         /* nobody says when one is taken */
    advance_late_ns(20 * NS_PER_MS);
    ck_assert_uint_eq(edges[0], 3);
    hpet_line_taken(hpet, 0);
    ck_assert_uint_eq(edges[0], 3);
}
END_TEST

CHECK_MAIN("hpet", CASE(it_says_what_it_is), CASE(the_counter_runs_while_enabled),
           CASE(a_one_shot_fires_once), CASE(a_periodic_timer_keeps_its_period),
           CASE(tiny_periods_do_not_spin), CASE(the_counter_wraps),
           CASE(level_interrupts_hold_until_cleared), CASE(legacy_replacement_takes_lines_0_and_8),
           CASE(legacy_replacement_mutes_the_timer),
           CASE(a_line_it_cannot_drive_is_not_taken),
           CASE(late_ticks_follow_as_they_are_taken),
           CASE(no_tick_follows_that_nobody_would_have_had))
