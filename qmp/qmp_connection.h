/*
 * One QMP connection: bytes in, bytes out.  qmp_monitor.c puts it on a character device.
 *
 * Requests run in order on the main thread with the machine lock, each when the one before it is
 * answered; what comes meanwhile waits in a queue.  Bytes may arrive on another thread
 * (`threaded`): it runs nothing but out-of-band requests, and those at once.
 */
#pragma once

#include "json_stream.h"
#include "qmp_dispatch.h"

/* Output that a slow client leaves waiting: over the first limit no more input is taken, over the
 * second events are dropped. */
#define QMP_OUT_PAUSE   (64 << 10)
#define QMP_OUT_LIMIT   (16 << 20)
/* With that many requests waiting no more input is taken. */
#define QMP_QUEUE_MAX   8

typedef struct QmpConnectionOps {
    int (*take_fd)(void *opaque);       /* what came with the bytes last received, or -1 */
    void (*wake)(void *opaque);         /* any thread: run and send what waits, on the main thread */
} QmpConnectionOps;

typedef struct QmpConnection {
    QmpSession session;                 /* main thread; fixed while `threaded` */
    const QmpConnectionOps *ops;        /* NULL: neither is needed */
    void *opaque;
    json_object *greeting;
    bool pretty;
    bool threaded;                      /* changed by the main thread, while no bytes arrive */
    bool running, open;                 /* main thread */
    JsonStream input;                   /* the thread bytes arrive on */
    GMutex lock;                        /* for what follows */
    GQueue queue;                       /* Request * */
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
void qmp_connection_run(QmpConnection *conn);       /* what waits in the queue */
void qmp_connection_event(QmpConnection *conn, json_object *event);

/* Any thread. */
bool qmp_connection_wants_input(QmpConnection *conn);
/* Under the lock: how much waits to be sent; that much of it has gone. */
static inline size_t qmp_connection_waiting(const QmpConnection *conn)
{
    return conn->out->len - conn->out_head;
}
void qmp_connection_sent(QmpConnection *conn, size_t len);
