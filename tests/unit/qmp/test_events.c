/* Events: their form, who hears them, and the limit on frequent ones. */
#include <string.h>

#include "check_main.h"
#include "json_text.h"
#include "kinds_commands.h"
#include "qmp_connection.h"
#include "qmp_events.h"

static GPtrArray *heard;                /* char *: each event without its timestamp */

static void hear(json_object *message)
{
    json_object *event = NULL;
    GString *text = g_string_new(NULL);
    json_object *stamp, *part;

    ck_assert_int_eq(json_object_deep_copy(message, &event, NULL), 0);
    ck_assert(json_object_object_get_ex(event, "timestamp", &stamp));
    ck_assert(json_object_object_get_ex(stamp, "seconds", &part));
    ck_assert_int_gt(json_object_get_int64(part), 1000000000);
    ck_assert(json_object_object_get_ex(stamp, "microseconds", &part));
    ck_assert_int_lt(json_object_get_int64(part), 1000000);
    json_object_object_del(event, "timestamp");
    json_text_append(text, event, false);
    g_ptr_array_add(heard, g_string_free(text, FALSE));
    json_object_put(event);
}

static void start(void)
{
    heard = g_ptr_array_new_with_free_func(g_free);
    qmp_events_start(hear);
}

static void wait_for(guint n)
{
    while (heard->len < n) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_uint_eq(heard->len, n);
}

static void moved(const char *who, int x)
{
    QmpPoint to = { .x = x };

    qmp_event_moved(who, &to, NULL);
}

START_TEST(event_without_data)
{
    start();
    qmp_event_tick();
    wait_for(1);
    ck_assert_str_eq(g_ptr_array_index(heard, 0), "{\"event\": \"TICK\"}");
}
END_TEST

START_TEST(limited_event)
{
    start();
    moved("a", 1);
    moved("a", 2);
    moved("a", 3);
    moved("b", 4);                      /* another key has its own limit */
    ck_assert_uint_eq(heard->len, 2);
    wait_for(3);
    ck_assert_str_eq(g_ptr_array_index(heard, 0),
                     "{\"event\": \"MOVED\", \"data\": {\"who\": \"a\", \"to\": {\"x\": 1}}}");
    ck_assert_str_eq(g_ptr_array_index(heard, 1),
                     "{\"event\": \"MOVED\", \"data\": {\"who\": \"b\", \"to\": {\"x\": 4}}}");
    ck_assert_str_eq(g_ptr_array_index(heard, 2),
                     "{\"event\": \"MOVED\", \"data\": {\"who\": \"a\", \"to\": {\"x\": 3}}}");
}
END_TEST

START_TEST(only_negotiated_clients_hear)
{
    json_object *event = json_object_new_object();
    QmpConnection conn;

    json_object_object_add(event, "event", json_object_new_string("TICK"));
    qmp_connection_init(&conn, NULL, kinds_commands, json_object_new_object(), false);
    qmp_connection_event(&conn, event);
    qmp_connection_open(&conn);
    qmp_connection_event(&conn, event);
    ck_assert_str_eq(conn.out->str, "{}\r\n");
    conn.session.negotiated = true;
    qmp_connection_event(&conn, event);
    ck_assert_str_eq(conn.out->str, "{}\r\n{\"event\": \"TICK\"}\r\n");
    g_string_set_size(conn.out, QMP_OUT_LIMIT);         /* a client that does not read */
    qmp_connection_event(&conn, event);
    ck_assert_uint_eq(conn.out->len, QMP_OUT_LIMIT);
    qmp_connection_finish(&conn);
    json_object_put(event);
}
END_TEST

CHECK_MAIN("qmp_events", CASE(event_without_data), CASE(limited_event),
           CASE(only_negotiated_clients_hear))
