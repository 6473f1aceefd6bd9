/* Waiting for an event, past or to come. */
#include <string.h>

#include "event_ring.h"
#include "qmp_api.h"
#include "vm.h"

/* One wait-event under way. Events from `next` on have not been looked at. */
typedef struct Waiter {
    QmpSession *session;
    QmpPending *pending;
    char **names;
    json_object *match;                 /* NULL: any data */
    uint64_t next, missed;
    guint timer;                        /* 0: none */
} Waiter;

static GPtrArray *waiters;

static void waiter_free(Waiter *waiter)
{
    g_ptr_array_remove(waiters, waiter);
    if (waiter->timer != 0) {
        g_source_remove(waiter->timer);
    }
    g_strfreev(waiter->names);
    json_object_put(waiter->match);
    g_free(waiter);
}

static void waiter_cancel(void *opaque)
{
    waiter_free(opaque);
}

/* ---- matching ---- */

static bool value_matches(json_object *wanted, json_object *value);

static bool object_matches(json_object *wanted, json_object *value)
{
    json_object *member;

    json_object_object_foreach(wanted, key, inner) {
        if (!json_object_object_get_ex(value, key, &member) || !value_matches(inner, member)) {
            return false;
        }
    }
    return true;
}

/* Objects may have more members than are asked for; everything else is equal or not. */
static bool value_matches(json_object *wanted, json_object *value)
{
    if (json_object_is_type(wanted, json_type_object) &&
        json_object_is_type(value, json_type_object)) {
        return object_matches(wanted, value);
    }
    return json_object_equal(wanted, value);
}

static bool event_matches(const Waiter *waiter, json_object *event)
{
    json_object *name, *data = NULL;

    json_object_object_get_ex(event, "event", &name);
    if (!g_strv_contains((const char *const *)waiter->names, json_object_get_string(name))) {
        return false;
    }
    json_object_object_get_ex(event, "data", &data);
    return waiter->match == NULL || (data != NULL && value_matches(waiter->match, data)) ||
           json_object_object_length(waiter->match) == 0;
}

/* ---- the end of a wait ---- */

/* `event` NULL: the time is over. The next wait of this connection goes on behind it. */
static void waiter_answer(Waiter *waiter, json_object *event)
{
    QmpEventWait result = {
        .timed_out = event == NULL, .has_event = event != NULL, .event = event,
        .position = waiter->next, .has_missed = waiter->missed > 0, .missed = waiter->missed,
    };
    QmpPending *pending = waiter->pending;
    json_object *value = qmp_event_wait_to_json(&result);

    waiter->session->mark = waiter->next;
    waiter_free(waiter);
    qmp_pending_return(pending, value);
}

/* Whether it was found, and the waiter is gone. */
static bool waiter_look(Waiter *waiter)
{
    json_object *event;

    while ((event = event_ring_at(waiter->next)) != NULL) {
        waiter->next++;
        if (event_matches(waiter, event)) {
            waiter_answer(waiter, event);
            return true;
        }
    }
    return false;
}

static void on_event(void)
{
    for (guint i = waiters->len; i > 0; i--) {
        waiter_look(g_ptr_array_index(waiters, i - 1));
    }
}

static gboolean on_timeout(gpointer opaque)
{
    Waiter *waiter = opaque;

    waiter->timer = 0;
    waiter_answer(waiter, NULL);
    return G_SOURCE_REMOVE;
}

/* ---- the commands ---- */

static bool check_name(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (const QmpEventType *type = qmp_events; type->name != NULL; type++) {
        if (g_str_equal(type->name, name)) {
            return true;
        }
        g_ptr_array_add(names, (gpointer)type->name);
    }
    set_error(error, "There is no event '%s'", name);
    error_suggest(error, nearest_name(name, (const char *const *)names->pdata, names->len));
    return false;
}

static char **read_names(const QmpEventNames *events, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    if (events->choice == QMP_EVENT_NAMES_ONE) {
        g_ptr_array_add(names, g_strdup(events->u.one));
    } else {
        for (guint i = 0; i < events->u.several->len; i++) {
            g_ptr_array_add(names, g_strdup(g_ptr_array_index(events->u.several, i)));
        }
    }
    if (names->len == 0) {
        set_error(error, "Parameter 'event' expects at least one name");
        return NULL;
    }
    for (guint i = 0; i < names->len; i++) {
        if (!check_name(g_ptr_array_index(names, i), error)) {
            return NULL;
        }
    }
    g_ptr_array_add(names, NULL);
    g_ptr_array_set_free_func(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

static bool check_arguments(json_object *match, const int64_t *timeout, const uint64_t *since,
                            GError **error)
{
    if (match != NULL && !json_object_is_type(match, json_type_object)) {
        set_error(error, "Invalid parameter type for 'match', expected: object");
        return false;
    }
    if (timeout != NULL && (*timeout < 0 || *timeout > G_MAXUINT)) {
        set_error(error, "Parameter 'timeout' expects milliseconds from 0 to %u", G_MAXUINT);
        return false;
    }
    if (since != NULL && *since > event_ring_end()) {
        set_error(error, "Parameter 'since' expects a position up to %" G_GUINT64_FORMAT
                  ", that of the next event", event_ring_end());
        return false;
    }
    return true;
}

static void waiter_start(Waiter *waiter, uint64_t since, const int64_t *timeout)
{
    waiter->next = MAX(since, event_ring_start());
    waiter->missed = waiter->next - since;
    if (waiters == NULL) {
        waiters = g_ptr_array_new();
        event_ring_watch(on_event);
    }
    g_ptr_array_add(waiters, waiter);
    if (waiter_look(waiter)) {
        return;
    }
    if (timeout != NULL && *timeout == 0) {
        waiter_answer(waiter, NULL);
    } else if (timeout != NULL) {
        waiter->timer = g_timeout_add(*timeout, on_timeout, waiter);
    }
}

bool qmp_wait_event(QmpSession *session, const QmpEventNames *event, json_object *match,
                    const int64_t *timeout, const uint64_t *since, GError **error)
{
    char **names = read_names(event, error);
    Waiter *waiter;

    if (names == NULL || !check_arguments(match, timeout, since, error)) {
        session->mark = session->previous_mark;
        g_strfreev(names);
        return false;
    }
    waiter = g_new0(Waiter, 1);
    *waiter = (Waiter){ .session = session, .names = names, .match = json_object_get(match) };
    waiter->pending = qmp_session_defer(session, waiter_cancel, waiter);
    waiter_start(waiter, since != NULL ? *since : session->previous_mark, timeout);
    return true;
}

QmpEventPosition *qmp_query_event_position(Vm *vm, GError **error)
{
    QmpEventPosition *info = g_new0(QmpEventPosition, 1);

    info->position = event_ring_end();
    info->oldest = event_ring_start();
    return info;
}
