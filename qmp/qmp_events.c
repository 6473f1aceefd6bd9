/*
 * Sending events, with a limit on those a guest can cause at will.
 *
 * Of a limited event the first goes out at once; of those that follow within its time only the last
 * is kept, and sent when the time is over.
 */
#include "qmp_events.h"

#include "event_ring.h"

#define US_PER_SEC 1000000

/* A limited event's last sending, and what waits. */
typedef struct Limit {
    char *key;
    json_object *waiting;               /* NULL: nothing came since */
    unsigned rate_ms;
} Limit;

static QmpBroadcastFn broadcast_fn;
static GHashTable *limits;              /* "EVENT" or "EVENT/value of rate_key" → Limit */

static void limit_free(gpointer data)
{
    Limit *limit = data;

    json_object_put(limit->waiting);
    g_free(limit->key);
    g_free(limit);
}

static json_object *event_to_json(const QmpEventType *event, json_object *data)
{
    json_object *message = json_object_new_object(), *stamp = json_object_new_object();
    gint64 now_us = g_get_real_time();

    json_object_object_add(stamp, "seconds", json_object_new_int64(now_us / US_PER_SEC));
    json_object_object_add(stamp, "microseconds", json_object_new_int64(now_us % US_PER_SEC));
    json_object_object_add(message, "timestamp", stamp);
    json_object_object_add(message, "event", json_object_new_string(event->name));
    if (data != NULL) {
        json_object_object_add(message, "data", data);
    }
    return message;
}

static void send_event(json_object *message)
{
    broadcast_fn(message);
    event_ring_add(message);
}

static gboolean limit_over(gpointer opaque)
{
    Limit *limit = opaque;

    if (limit->waiting == NULL) {
        g_hash_table_remove(limits, limit->key);
        return G_SOURCE_REMOVE;
    }
    send_event(limit->waiting);
    json_object_put(limit->waiting);
    limit->waiting = NULL;
    return G_SOURCE_CONTINUE;           /* the time starts again */
}

static void send_limited(const QmpEventType *event, json_object *message, const char *which)
{
    g_autofree char *key = g_strdup_printf("%s/%s", event->name, which);
    Limit *limit = g_hash_table_lookup(limits, key);

    if (limit != NULL) {
        json_object_put(limit->waiting);
        limit->waiting = json_object_get(message);
        return;
    }
    send_event(message);
    limit = g_new0(Limit, 1);
    limit->key = g_steal_pointer(&key);
    g_hash_table_insert(limits, limit->key, limit);
    g_timeout_add(event->rate_ms, limit_over, limit);
}

void qmp_event_emit(const QmpEventType *event, const void *data)
{
    json_object *body = event->data->members->name != NULL ? qmp_value_to_json(event->data, &data)
                                                           : NULL;
    json_object *message, *which = NULL;

    if (broadcast_fn == NULL) {
        json_object_put(body);
        return;
    }
    message = event_to_json(event, body);
    if (event->rate_ms == 0) {
        send_event(message);
    } else {
        if (event->rate_key != NULL) {
            json_object_object_get_ex(body, event->rate_key, &which);
        }
        send_limited(event, message, which != NULL ? json_object_get_string(which) : "");
    }
    json_object_put(message);
}

void qmp_events_start(QmpBroadcastFn broadcast)
{
    limits = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, limit_free);
    broadcast_fn = broadcast;
}
