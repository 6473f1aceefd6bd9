#include "qmp_connection.h"

#include "json_text.h"

static void send_message(QmpConnection *conn, json_object *message)
{
    g_autoptr(GString) text = g_string_new(NULL);

    json_text_append(text, message, conn->pretty);
    g_string_append_c(text, '\n');
    for (size_t i = 0; i < text->len; i++) {            /* lines end with CR LF */
        if (text->str[i] == '\n') {
            g_string_append_c(conn->out, '\r');
        }
        g_string_append_c(conn->out, text->str[i]);
    }
}

static void on_message(void *opaque, json_object *request, const GError *error)
{
    QmpConnection *conn = opaque;
    json_object *reply = error != NULL ? qmp_error_reply(error)
                                       : qmp_dispatch(&conn->session, request);

    send_message(conn, reply);
    json_object_put(reply);
}

void qmp_connection_init(QmpConnection *conn, Vm *vm, const QmpCommand *commands,
                         json_object *greeting, bool pretty)
{
    *conn = (QmpConnection){ .session = { .vm = vm, .commands = commands }, .pretty = pretty,
                             .greeting = greeting, .out = g_string_new(NULL) };
    json_stream_init(&conn->input, on_message, conn);
}

void qmp_connection_finish(QmpConnection *conn)
{
    json_stream_finish(&conn->input);
    json_object_put(conn->greeting);
    g_string_free(conn->out, TRUE);
}

void qmp_connection_open(QmpConnection *conn)
{
    qmp_connection_close(conn);
    conn->open = true;
    send_message(conn, conn->greeting);
}

void qmp_connection_close(QmpConnection *conn)
{
    conn->open = conn->session.negotiated = conn->session.oob_enabled = false;
    json_stream_reset(&conn->input);
    qmp_connection_sent(conn, qmp_connection_waiting(conn));
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

void qmp_connection_receive(QmpConnection *conn, const char *bytes, size_t len)
{
    json_stream_feed(&conn->input, bytes, len);
}

void qmp_connection_event(QmpConnection *conn, json_object *event)
{
    if (conn->open && conn->session.negotiated && qmp_connection_waiting(conn) < QMP_OUT_LIMIT) {
        send_message(conn, event);
    }
}
