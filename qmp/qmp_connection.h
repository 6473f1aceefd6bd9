/*
 * One QMP connection: bytes in, bytes out.  qmp_monitor.c puts it on a character device.  Main
 * thread, machine lock.
 */
#pragma once

#include "json_stream.h"
#include "qmp_dispatch.h"

/* Output that a slow client leaves waiting: over the first limit no more input is taken, over the
 * second events are dropped. */
#define QMP_OUT_PAUSE   (64 << 10)
#define QMP_OUT_LIMIT   (16 << 20)

typedef struct QmpConnection {
    QmpSession session;
    bool open, pretty;
    json_object *greeting;
    JsonStream input;
    GString *out;                       /* what waits to be sent, from out_head on */
    size_t out_head;
} QmpConnection;

/* `greeting` is what each new client is sent; the connection takes it over. */
void qmp_connection_init(QmpConnection *conn, Vm *vm, const QmpCommand *commands,
                         json_object *greeting, bool pretty);
void qmp_connection_finish(QmpConnection *conn);
void qmp_connection_open(QmpConnection *conn);      /* a client is there: greets it */
void qmp_connection_close(QmpConnection *conn);
void qmp_connection_receive(QmpConnection *conn, const char *bytes, size_t len);
static inline size_t qmp_connection_waiting(const QmpConnection *conn)
{
    return conn->out->len - conn->out_head;
}
void qmp_connection_sent(QmpConnection *conn, size_t len);      /* that much of it has gone */
void qmp_connection_event(QmpConnection *conn, json_object *event);
