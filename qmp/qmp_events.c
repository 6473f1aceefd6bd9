/*
 * Events: what the machine tells, as QMP events, and the limit on those a guest can cause at will.
 *
 * Of a limited event the first goes out at once; of those that follow within its time only the last is
 * kept, and sent when the time is over.
 */
#include "qmp_events.h"

#include "qmp_api.h"
#include "rhea_error.h"
#include "vm.h"

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

static gboolean limit_over(gpointer opaque)
{
    Limit *limit = opaque;

    if (limit->waiting == NULL) {
        g_hash_table_remove(limits, limit->key);
        return G_SOURCE_REMOVE;
    }
    broadcast_fn(limit->waiting);
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
    broadcast_fn(message);
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
        broadcast_fn(message);
    } else {
        if (event->rate_key != NULL) {
            json_object_object_get_ex(body, event->rate_key, &which);
        }
        send_limited(event, message, which != NULL ? json_object_get_string(which) : "");
    }
    json_object_put(message);
}

/* ---- the machine's notifications ---- */

static void on_reset(Vm *vm, const VmEvent *event)
{
    qmp_event_reset(shutdown_cause_is_guest(event->cause), event->cause);
}

static void on_shutdown(Vm *vm, const VmEvent *event)
{
    qmp_event_shutdown(shutdown_cause_is_guest(event->cause), event->cause);
}

static void on_panic(Vm *vm, const VmEvent *event)
{
    int action = qmp_enum_index(qmp_guest_panic_action_names, event->action);

    if (action == QMP_GUEST_PANIC_ACTION_RUN && g_strcmp0(vm->panic_event, "run") == 0) {
        qmp_event_guest_crashloaded(action);
    } else if (action >= 0) {
        qmp_event_guest_panicked(action);
    }
}

static void on_watchdog(Vm *vm, const VmEvent *event)
{
    int action = qmp_enum_index(qmp_watchdog_action_names, event->action);

    if (action >= 0) {
        qmp_event_watchdog(action);
    }
}

static void on_rtc_change(Vm *vm, const VmEvent *event)
{
    g_autofree char *path = vm->rtc != NULL ? object_path(&vm->rtc->obj) : NULL;

    qmp_event_rtc_change(event->offset_s, path != NULL ? path : "");
}

static void on_device_deleted(Vm *vm, const VmEvent *event)
{
    qmp_event_device_deleted(event->device, event->path);
}

static void on_stop(Vm *vm, const VmEvent *event)
{
    qmp_event_stop();
}

static void on_resume(Vm *vm, const VmEvent *event)
{
    qmp_event_resume();
}

static void on_powerdown(Vm *vm, const VmEvent *event)
{
    qmp_event_powerdown();
}

static void on_suspend(Vm *vm, const VmEvent *event)
{
    qmp_event_suspend();
}

static void on_wakeup(Vm *vm, const VmEvent *event)
{
    qmp_event_wakeup();
}

static void on_vm_event(Vm *vm, const VmEvent *event, void *opaque)
{
    static void (*const handlers[])(Vm *vm, const VmEvent *event) = {
        [VM_EVENT_STOP] = on_stop, [VM_EVENT_RESUME] = on_resume, [VM_EVENT_RESET] = on_reset,
        [VM_EVENT_SHUTDOWN] = on_shutdown, [VM_EVENT_POWERDOWN] = on_powerdown,
        [VM_EVENT_SUSPEND] = on_suspend, [VM_EVENT_WAKEUP] = on_wakeup,
        [VM_EVENT_GUEST_PANICKED] = on_panic, [VM_EVENT_WATCHDOG] = on_watchdog,
        [VM_EVENT_RTC_CHANGE] = on_rtc_change, [VM_EVENT_DEVICE_DELETED] = on_device_deleted,
    };

    if ((size_t)event->kind < G_N_ELEMENTS(handlers) && handlers[event->kind] != NULL) {
        handlers[event->kind](vm, event);
    }
}

void qmp_events_start(Vm *vm, QmpBroadcastFn broadcast)
{
    if (broadcast_fn == NULL) {
        limits = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, limit_free);
        broadcast_fn = broadcast;
        if (vm != NULL) {
            vm_subscribe(vm, on_vm_event, NULL);
        }
    }
}
