#include <glib.h>
#include <stdbool.h>

#include "check_main.h"
#include "epoch.h"

static unsigned freed;

static void count_free(gpointer object)
{
    (void)object;
    freed++;
}

static void retire_one(void)
{
    static int thing;

    epoch_retire(&thing, count_free);
}

START_TEST(without_readers_it_is_freed_at_once)
{
    retire_one();
    ck_assert_uint_eq(freed, 1);
}
END_TEST

START_TEST(a_reader_keeps_it_until_it_left_and_the_next_retires)
{
    epoch_enter();
    retire_one();
    retire_one();
    ck_assert_uint_eq(freed, 0);
    epoch_leave();
    retire_one();
    ck_assert_uint_eq(freed, 3);
}
END_TEST

START_TEST(readers_nest)
{
    epoch_enter();
    epoch_enter();
    epoch_leave();
    retire_one();
    ck_assert_uint_eq(freed, 0);
    epoch_leave();
    retire_one();
    ck_assert_uint_eq(freed, 2);
}
END_TEST

START_TEST(a_later_reader_does_not_keep_what_went_before)
{
    epoch_enter();
    retire_one();
    epoch_leave();
    epoch_enter();
    retire_one();                       /* frees the first, which this reader cannot have seen */
    ck_assert_uint_eq(freed, 1);
    epoch_leave();
}
END_TEST

/* ---- readers on threads: each number read must belong to an object not yet freed ---- */

enum { ALIVE = 0x600d, READERS = 3, SWAPS = 2000 };

static int *published;
static gint stop, reading, dead_seen;

static void kill_number(gpointer object)
{
    int *number = object;

    __atomic_store_n(number, 0, __ATOMIC_RELAXED);
    g_free(number);
    freed++;
}

static int *new_number(void)
{
    int *number = g_new(int, 1);

    *number = ALIVE;
    return number;
}

static gpointer read_until_stopped(gpointer opaque)
{
    (void)opaque;
    for (bool first = true; !g_atomic_int_get(&stop); first = false) {
        epoch_enter();
        if (*__atomic_load_n(&published, __ATOMIC_SEQ_CST) != ALIVE) {
            g_atomic_int_inc(&dead_seen);
        }
        epoch_leave();
        if (first) {
            g_atomic_int_inc(&reading);
        }
    }
    return NULL;
}

START_TEST(threads_never_read_what_was_freed)
{
    GThread *threads[READERS];

    published = new_number();
    for (int i = 0; i < READERS; i++) {
        threads[i] = g_thread_new("reader", read_until_stopped, NULL);
    }
    while (g_atomic_int_get(&reading) < READERS) {
        g_thread_yield();
    }
    for (int i = 0; i < SWAPS; i++) {
        epoch_retire(__atomic_exchange_n(&published, new_number(), __ATOMIC_SEQ_CST), kill_number);
    }
    g_atomic_int_set(&stop, 1);
    for (int i = 0; i < READERS; i++) {
        g_thread_join(threads[i]);
    }
    ck_assert_int_eq(dead_seen, 0);
    epoch_retire(published, kill_number);
    ck_assert_uint_eq(freed, SWAPS + 1);       /* the readers are gone, and so is everything kept */
}
END_TEST

CHECK_MAIN("epoch", CASE(without_readers_it_is_freed_at_once),
           CASE(a_reader_keeps_it_until_it_left_and_the_next_retires), CASE(readers_nest),
           CASE(a_later_reader_does_not_keep_what_went_before),
           CASE(threads_never_read_what_was_freed))
