#include "qmp_connection.h"

#include <unistd.h>

#include "json_text.h"
#include "passed_fd.h"

/* What a client sent: a value, or why it is none. */
typedef struct Request { json_object *value; GError *error; int fd; } Request;

/* ---- output ---- */

static void send_message(QmpConnection *conn, json_object *message)
{
    g_autoptr(GString) text = g_string_new(NULL);

    json_text_append(text, message, conn->pretty);
    g_string_append_c(text, '\n');
    g_mutex_lock(&conn->lock);
    for (size_t i = 0; i < text->len; i++) {            /* lines end with CR LF */
        if (text->str[i] == '\n') {
            g_string_append_c(conn->out, '\r');
        }
        g_string_append_c(conn->out, text->str[i]);
    }
    g_mutex_unlock(&conn->lock);
}

/* What has gone is cut off when it is most of the text: each byte moves once at most. */
void qmp_connection_sent(QmpConnection *conn, size_t len)
{
    conn->out_head += len;
    if (conn->out_head == conn->out->len && conn->out->allocated_len > QMP_OUT_PAUSE) {
        g_string_free(conn->out, TRUE);                 /* one huge reply does not stay in memory */
        conn->out = g_string_new(NULL);
        conn->out_head = 0;
    } else if (conn->out_head > conn->out->len / 2) {
        g_string_erase(conn->out, 0, conn->out_head);
        conn->out_head = 0;
    }
}

void qmp_connection_event(QmpConnection *conn, json_object *event)
{
    bool room;

    g_mutex_lock(&conn->lock);
    room = qmp_connection_waiting(conn) < QMP_OUT_LIMIT;
    g_mutex_unlock(&conn->lock);
    if (conn->open && conn->session.negotiated && room) {
        send_message(conn, event);
    }
}

/* ---- requests ---- */

static void wake(QmpConnection *conn)
{
    if (conn->ops != NULL) {
        conn->ops->wake(conn->opaque);
    }
}

static void run_request(QmpConnection *conn, json_object *value, const GError *error, int fd)
{
    json_object *reply;

    conn->running = true;
    conn->session.fd = fd;
    passed_fd_set_owner(&conn->session);
    reply = error != NULL ? qmp_error_reply(error) : qmp_dispatch(&conn->session, value);
    passed_fd_set_owner(NULL);
    conn->running = false;
    if (conn->session.fd >= 0) {
        close(qmp_session_take_fd(&conn->session));     /* the command failed before it took it */
    }
    if (reply != NULL) {
        send_message(conn, reply);
        json_object_put(reply);
    }
}

/* On its own session: the main thread may be running another request. */
static void run_out_of_band(QmpConnection *conn, json_object *value)
{
    QmpSession session = { .vm = conn->session.vm, .commands = conn->session.commands,
                           .negotiated = true, .oob_enabled = true, .fd = -1 };
    json_object *reply = qmp_dispatch(&session, value);

    send_message(conn, reply);
    json_object_put(reply);
}

static void answer_pending(QmpSession *session, json_object *reply)
{
    QmpConnection *conn = (QmpConnection *)session;     /* its first member */

    send_message(conn, reply);
    if (!conn->running) {
        wake(conn);
    }
}

static void request_free(gpointer data)
{
    Request *request = data;

    json_object_put(request->value);
    g_clear_error(&request->error);
    if (request->fd >= 0) {
        close(request->fd);
    }
    g_free(request);
}

static void enqueue(QmpConnection *conn, json_object *value, const GError *error, int fd)
{
    Request *request = g_new0(Request, 1);

    *request = (Request){ value, error != NULL ? g_error_copy(error) : NULL, fd };
    g_mutex_lock(&conn->lock);
    g_queue_push_tail(&conn->queue, request);
    g_mutex_unlock(&conn->lock);
    wake(conn);
}

static bool is_busy(const QmpConnection *conn)
{
    return conn->running || conn->session.pending != NULL || conn->queue.length > 0;
}

static void on_message(void *opaque, json_object *value, const GError *error)
{
    QmpConnection *conn = opaque;
    int fd = -1;

    if (error == NULL && qmp_request_is_oob(&conn->session, value)) {
        run_out_of_band(conn, value);
        json_object_put(value);
        return;
    }
    if (error == NULL && conn->ops != NULL && qmp_request_takes_fd(&conn->session, value)) {
        fd = conn->ops->take_fd(conn->opaque);
    }
    if (conn->threaded) {               /* whether it is busy only the main thread can tell */
        enqueue(conn, value, error, fd);
        return;
    }
    if (is_busy(conn)) {
        enqueue(conn, value, error, fd);
    } else {
        run_request(conn, value, error, fd);
        json_object_put(value);
    }
}

void qmp_connection_run(QmpConnection *conn)
{
    while (!conn->running && conn->session.pending == NULL) {
        Request *request;

        g_mutex_lock(&conn->lock);
        request = g_queue_pop_head(&conn->queue);
        g_mutex_unlock(&conn->lock);
        if (request == NULL) {
            break;
        }
        run_request(conn, request->value, request->error, request->fd);
        request->fd = -1;
        request_free(request);
    }
}

bool qmp_connection_wants_input(QmpConnection *conn)
{
    bool wants;

    g_mutex_lock(&conn->lock);
    wants = qmp_connection_waiting(conn) < QMP_OUT_PAUSE && conn->queue.length < QMP_QUEUE_MAX;
    g_mutex_unlock(&conn->lock);
    return wants;
}

void qmp_connection_receive(QmpConnection *conn, const char *bytes, size_t len)
{
    json_stream_feed(&conn->input, bytes, len);
}

/* ---- life ---- */

void qmp_connection_init(QmpConnection *conn, Vm *vm, const QmpCommand *commands,
                         json_object *greeting, bool pretty)
{
    *conn = (QmpConnection){ .session = { .vm = vm, .commands = commands, .fd = -1,
                                          .answer = answer_pending },
                             .pretty = pretty, .greeting = greeting, .out = g_string_new(NULL) };
    g_mutex_init(&conn->lock);
    g_queue_init(&conn->queue);
    json_stream_init(&conn->input, on_message, conn);
}

void qmp_connection_finish(QmpConnection *conn)
{
    qmp_connection_close(conn);
    json_stream_finish(&conn->input);
    json_object_put(conn->greeting);
    g_string_free(conn->out, TRUE);
    g_mutex_clear(&conn->lock);
}

void qmp_connection_open(QmpConnection *conn)
{
    qmp_connection_close(conn);
    conn->open = true;
    send_message(conn, conn->greeting);
}

void qmp_connection_close(QmpConnection *conn)
{
    conn->open = conn->session.negotiated = conn->session.oob_enabled = conn->threaded = false;
    qmp_session_end(&conn->session);
    passed_fd_close_all(&conn->session);
    json_stream_reset(&conn->input);
    g_mutex_lock(&conn->lock);
    g_queue_clear_full(&conn->queue, request_free);
    qmp_connection_sent(conn, qmp_connection_waiting(conn));
    g_mutex_unlock(&conn->lock);
}
