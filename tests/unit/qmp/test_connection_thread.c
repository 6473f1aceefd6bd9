/* Requests that arrive on a thread: out-of-band ones run there, the others in order here. */
#include <string.h>

#include "check_main.h"
#include "kinds_commands.h"
#include "qmp_connection.h"

enum { REQUESTS = 2000 };

static QmpConnection conn;
static GMutex lock;
static GCond woken;
static bool awake;                      /* under the lock */

static int no_fd(void *opaque)
{
    return -1;
}

static void wake(void *opaque)
{
    g_mutex_lock(&lock);
    awake = true;
    g_cond_signal(&woken);
    g_mutex_unlock(&lock);
}

static const QmpConnectionOps ops = { no_fd, wake };

static void await_wake(void)
{
    gint64 until = g_get_monotonic_time() + G_TIME_SPAN_MILLISECOND;

    g_mutex_lock(&lock);
    while (!awake && g_cond_wait_until(&woken, &lock, until)) {
    }
    awake = false;
    g_mutex_unlock(&lock);
}

/* As a character device feeds it: not while the queue is full. */
static gpointer feed(gpointer opaque)
{
    for (int i = 0; i < REQUESTS; i++) {
        g_autofree char *text = g_strdup_printf(
            "{\"%s\":\"add\",\"arguments\":{\"a\":%d},\"id\":%d}", i % 3 ? "execute" : "exec-oob", i, i);

        while (!qmp_connection_wants_input(&conn)) {
            g_thread_yield();
        }
        qmp_connection_receive(&conn, text, strlen(text));
    }
    wake(NULL);
    return NULL;
}

/* Counts replies, and sees that those in order are. */
static int take_replies(int *last)
{
    int n = 0;

    g_mutex_lock(&conn.lock);
    for (const char *at = conn.out->str + conn.out_head; (at = strstr(at, "\"id\": ")) != NULL; at++) {
        int id = atoi(at + strlen("\"id\": "));

        n++;
        if (id % 3 != 0) {
            ck_assert_int_gt(id, *last);
            *last = id;
        }
    }
    qmp_connection_sent(&conn, qmp_connection_waiting(&conn));
    g_mutex_unlock(&conn.lock);
    return n;
}

START_TEST(both_kinds_at_once)
{
    static const char hello[] =
        "{\"execute\":\"qmp_capabilities\",\"arguments\":{\"oob\":true}}";
    int n = 0, last = 0;
    GThread *thread;

    qmp_connection_init(&conn, NULL, kinds_commands, json_object_new_object(), false);
    qmp_connection_open(&conn);
    qmp_connection_receive(&conn, hello, strlen(hello));
    ck_assert_int_eq(take_replies(&last), 0);
    conn.ops = &ops;
    conn.threaded = true;
    thread = g_thread_new("input", feed, NULL);
    while (n < REQUESTS) {
        await_wake();
        qmp_connection_run(&conn);
        n += take_replies(&last);
    }
    g_thread_join(thread);
    ck_assert_int_eq(n, REQUESTS);
    qmp_connection_finish(&conn);
}
END_TEST

CHECK_MAIN("qmp_connection_thread", CASE(both_kinds_at_once))
