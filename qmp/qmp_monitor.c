/* QMP monitors on character devices. */
#include "qmp.h"

#include "qmp_api.h"
#include "qmp_connection.h"
#include "qmp_events.h"
#include "vm_events.h"

typedef struct QmpMonitor {
    CharFrontend fe;
    QmpConnection conn;
} QmpMonitor;

static GPtrArray *monitors;             /* QmpMonitor *; they live as long as the process */

static void on_room(void *opaque);

/* Hands the device what it has room for; the rest waits until it says so. */
static void flush(QmpMonitor *mon)
{
    size_t len;

    while ((len = MIN(qmp_connection_waiting(&mon->conn), chardev_write_room(&mon->fe))) > 0) {
        chardev_write(&mon->fe, mon->conn.out->str + mon->conn.out_head, len);
        qmp_connection_sent(&mon->conn, len);
    }
    if (qmp_connection_waiting(&mon->conn) > 0) {
        chardev_notify_room(&mon->fe, on_room, mon);    /* tells once, when all it has is sent */
    }
}

static void on_room(void *opaque)
{
    QmpMonitor *mon = opaque;

    flush(mon);
    chardev_accept_input(&mon->fe);
}

static int monitor_can_receive(void *opaque)
{
    const QmpMonitor *mon = opaque;

    return qmp_connection_waiting(&mon->conn) < QMP_OUT_PAUSE ? 4096 : 0;
}

static void monitor_receive(void *opaque, const uint8_t *buf, size_t len)
{
    QmpMonitor *mon = opaque;

    qmp_connection_receive(&mon->conn, (const char *)buf, len);
    flush(mon);
}

static void monitor_event(void *opaque, CharEvent event)
{
    QmpMonitor *mon = opaque;

    if (event == CHAR_EVENT_OPENED) {
        qmp_connection_open(&mon->conn);
        flush(mon);
    } else if (event == CHAR_EVENT_CLOSED) {
        qmp_connection_close(&mon->conn);
    }
}

static void broadcast(json_object *event)
{
    for (guint i = 0; i < monitors->len; i++) {
        QmpMonitor *mon = g_ptr_array_index(monitors, i);

        qmp_connection_event(&mon->conn, event);
        flush(mon);
    }
}

static json_object *make_greeting(void)
{
    g_autoptr(QmpVersionInfo) version = qmp_query_version(vm_instance(), NULL);
    json_object *greeting = json_object_new_object(), *body = json_object_new_object();
    json_object *capabilities = json_object_new_array();

    for (const char *const *name = qmp_qmp_capability_names; *name != NULL; name++) {
        json_object_array_add(capabilities, json_object_new_string(*name));
    }
    json_object_object_add(body, "version", qmp_version_info_to_json(version));
    json_object_object_add(body, "capabilities", capabilities);
    json_object_object_add(greeting, "QMP", body);
    return greeting;
}

bool qmp_monitor_new(const char *label, bool pretty, GError **error)
{
    Chardev *chr = chardev_find(label);
    QmpMonitor *mon;

    if (chr == NULL) {
        set_error(error, "chardev \"%s\" not found", label);
        return false;
    }
    if (monitors == NULL) {
        monitors = g_ptr_array_new();
        qmp_events_start(broadcast);
        qmp_vm_events_start(vm_instance());
    }
    mon = g_new0(QmpMonitor, 1);
    mon->fe = (CharFrontend){ .opaque = mon, .can_receive = monitor_can_receive,
                              .receive = monitor_receive, .event = monitor_event };
    qmp_connection_init(&mon->conn, vm_instance(), qmp_commands, make_greeting(), pretty);
    if (!chardev_attach(&mon->fe, chr, error)) {
        qmp_connection_finish(&mon->conn);
        g_free(mon);
        return false;
    }
    g_ptr_array_add(monitors, mon);
    return true;
}
