/* QMP monitors on character devices. */
#include "qmp.h"

#include "qmp_events.h"
#include "qmp_connection.h"
#include "vm.h"

typedef struct QmpMonitor {
    CharFrontend fe;
    QmpConnection conn;
} QmpMonitor;

static GPtrArray *monitors;             /* QmpMonitor *; they live as long as the process */

/* Hands the device what it has room for; the rest waits until it says so. */
static void flush(QmpMonitor *mon)
{
    GString *out = mon->conn.out;
    size_t len = MIN(out->len, chardev_write_room(&mon->fe));

    chardev_write(&mon->fe, out->str, len);
    g_string_erase(out, 0, len);
    if (out->len == 0 && out->allocated_len > QMP_OUT_PAUSE) {
        g_string_free(out, TRUE);       /* one huge reply does not stay in memory */
        mon->conn.out = g_string_new(NULL);
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

    return mon->conn.out->len < QMP_OUT_PAUSE ? 4096 : 0;
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
        qmp_events_start(vm_instance(), broadcast);
    }
    mon = g_new0(QmpMonitor, 1);
    mon->fe = (CharFrontend){ .opaque = mon, .can_receive = monitor_can_receive,
                              .receive = monitor_receive, .event = monitor_event };
    qmp_connection_init(&mon->conn, vm_instance(), qmp_commands, pretty);
    if (!chardev_attach(&mon->fe, chr, error)) {
        qmp_connection_finish(&mon->conn);
        g_free(mon);
        return false;
    }
    g_ptr_array_add(monitors, mon);
    chardev_notify_room(&mon->fe, on_room, mon);
    return true;
}
