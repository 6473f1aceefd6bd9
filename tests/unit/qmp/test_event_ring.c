/* The last events, by position. */
#include "check_main.h"
#include "event_ring.h"

static int told;

static void watcher(void)
{
    told++;
}

START_TEST(positions)
{
    event_ring_watch(watcher);
    ck_assert_uint_eq(event_ring_end(), 0);
    ck_assert_ptr_null(event_ring_at(0));
    for (int i = 0; i < EVENT_RING_SIZE + 10; i++) {
        json_object *event = json_object_new_int(i);

        event_ring_add(event);
        json_object_put(event);
        ck_assert_int_eq(json_object_get_int(event_ring_at(i)), i);
    }
    ck_assert_int_eq(told, EVENT_RING_SIZE + 10);
    ck_assert_uint_eq(event_ring_start(), 10);
    ck_assert_uint_eq(event_ring_end(), EVENT_RING_SIZE + 10);
    ck_assert_ptr_null(event_ring_at(9));
    ck_assert_int_eq(json_object_get_int(event_ring_at(10)), 10);
    ck_assert_ptr_null(event_ring_at(EVENT_RING_SIZE + 10));
}
END_TEST

CHECK_MAIN("event_ring", CASE(positions))
