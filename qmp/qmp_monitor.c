/* QMP monitors on character devices. */
#include "qmp.h"

#include "passed_fd.h"
#include "qmp_api.h"
#include "qmp_connection.h"
#include "qmp_events.h"
#include "vm_events.h"

typedef struct QmpMonitor {
    CharFrontend fe;
    QmpConnection conn;
    int waking;                         /* atomic: monitor_turn() is on its way */
} QmpMonitor;

static GPtrArray *monitors;             /* QmpMonitor *; they live as long as the process */

static void on_room(void *opaque);

/* Hands the device what it has room for; the rest waits until it says so. Any thread. */
static void flush(QmpMonitor *mon)
{
    size_t len;

    g_mutex_lock(&mon->conn.lock);
    while ((len = MIN(qmp_connection_waiting(&mon->conn), chardev_write_room(&mon->fe))) > 0) {
        chardev_write(&mon->fe, mon->conn.out->str + mon->conn.out_head, len);
        qmp_connection_sent(&mon->conn, len);
    }
    if (qmp_connection_waiting(&mon->conn) > 0) {
        chardev_notify_room(&mon->fe, on_room, mon);    /* tells once, when all it has is sent */
    }
    g_mutex_unlock(&mon->conn.lock);
}

static void on_room(void *opaque)
{
    QmpMonitor *mon = opaque;

    flush(mon);
    chardev_accept_input(&mon->fe);
}

/* ---- out of band: one thread reads for every client that asked for it ---- */

static gpointer input_thread(gpointer opaque)
{
    while (true) {
        g_main_context_iteration(opaque, TRUE);
    }
    return NULL;
}

static GMainContext *input_context(void)
{
    static GMainContext *context;

    if (context == NULL) {
        context = g_main_context_new();
        g_thread_unref(g_thread_new("qmp-input", input_thread, context));
    }
    return context;
}

/* Where the back end cannot move, such requests run between the others. */
static void move_input(QmpMonitor *mon)
{
    if (mon->conn.session.oob_enabled && !mon->conn.threaded) {
        mon->conn.threaded = chardev_input_can_move(mon->fe.chr);
        if (mon->conn.threaded) {
            chardev_set_input_context(&mon->fe, input_context());
        }
    }
}

/* ---- the character device's user ---- */

static gboolean monitor_turn(gpointer opaque)
{
    QmpMonitor *mon = opaque;

    __atomic_store_n(&mon->waking, false, __ATOMIC_SEQ_CST);
    qmp_connection_run(&mon->conn);
    move_input(mon);
    on_room(mon);
    return G_SOURCE_REMOVE;
}

static void monitor_wake(void *opaque)
{
    QmpMonitor *mon = opaque;

    if (!__atomic_exchange_n(&mon->waking, true, __ATOMIC_SEQ_CST)) {
        g_idle_add_full(G_PRIORITY_DEFAULT, monitor_turn, mon, NULL);
    }
}

static int monitor_take_fd(void *opaque)
{
    return chardev_take_fd(&((QmpMonitor *)opaque)->fe);
}

static const QmpConnectionOps monitor_ops = { monitor_take_fd, monitor_wake };

static int monitor_can_receive(void *opaque)
{
    QmpMonitor *mon = opaque;

    return qmp_connection_wants_input(&mon->conn) ? 4096 : 0;
}

static void monitor_receive(void *opaque, const uint8_t *buf, size_t len)
{
    QmpMonitor *mon = opaque;
    bool threaded = mon->conn.threaded;

    qmp_connection_receive(&mon->conn, (const char *)buf, len);
    flush(mon);
    if (!threaded) {
        move_input(mon);
    }
}

static bool anybody_there(void)
{
    for (guint i = 0; i < monitors->len; i++) {
        if (((const QmpMonitor *)g_ptr_array_index(monitors, i))->conn.open) {
            return true;
        }
    }
    return false;
}

static void monitor_event(void *opaque, CharEvent event)
{
    QmpMonitor *mon = opaque;

    if (event == CHAR_EVENT_OPENED) {
        qmp_connection_open(&mon->conn);
        flush(mon);
    } else if (event == CHAR_EVENT_CLOSED) {
        chardev_set_input_context(&mon->fe, NULL);      /* first: that thread uses the connection */
        qmp_connection_close(&mon->conn);
        if (!anybody_there() && vm_is_running(vm_instance())) {
            fdset_drop_unused();
        }
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

static json_object *make_greeting(bool oob)
{
    g_autoptr(QmpVersionInfo) version = qmp_query_version(vm_instance(), NULL);
    json_object *greeting = json_object_new_object(), *body = json_object_new_object();
    json_object *capabilities = json_object_new_array();

    if (oob) {
        json_object_array_add(capabilities, json_object_new_string("oob"));
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
    bool oob;

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
    oob = chardev_input_can_move(chr);          /* what the thread reads needs no main loop */
    qmp_connection_init(&mon->conn, vm_instance(), qmp_commands, make_greeting(oob), pretty);
    mon->conn.session.oob_offered = oob;
    mon->conn.ops = &monitor_ops;
    mon->conn.opaque = mon;
    if (!chardev_attach(&mon->fe, chr, error)) {
        qmp_connection_finish(&mon->conn);
        g_free(mon);
        return false;
    }
    g_ptr_array_add(monitors, mon);
    return true;
}
