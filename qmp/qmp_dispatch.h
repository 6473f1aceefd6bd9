/*
 * Requests → typed functions → replies.
 *
 * A command is a row the generator emits; its function gets its arguments as a struct and leaves
 * its result in a slot.
 */
#pragma once

#include "qmp_type.h"

typedef struct Vm Vm;

/* Room for a value of any type a command returns. */
typedef union QmpSlot { void *pointer; uint64_t scalar; } QmpSlot;

typedef struct QmpSession QmpSession;

typedef struct QmpCommand {
    const char *name;                   /* NULL ends a list */
    const QmpType *args;                /* a struct */
    const QmpType *ret;                 /* NULL: nothing, {} on the wire */
    bool (*run)(QmpSession *session, const void *args, QmpSlot *ret, GError **error);
    bool oob;                           /* may be run out of band: on any thread, without locks */
    bool async;                         /* answers through a QmpPending */
    bool fd;                            /* takes a descriptor that comes with the request */
    const char *const *features;
} QmpCommand;

typedef struct QmpEventType {
    const char *name;                   /* NULL ends a list */
    const QmpType *data;                /* a struct; NULL: none */
    unsigned rate_ms;                   /* at most one in this time; 0: every one is sent */
    const char *rate_key;               /* member whose values are limited apart; NULL: none */
    const char *const *features;
} QmpEventType;

/* The schema of this program: tables the generator emits. */
extern const QmpCommand qmp_commands[];
extern const QmpEventType qmp_events[];


typedef struct QmpPending QmpPending;

/* What of a connection's state a request meets. */
struct QmpSession {
    Vm *vm;
    const QmpCommand *commands;
    bool negotiated;                    /* set by qmp_capabilities */
    bool oob_offered, oob_enabled;
    json_object *request;               /* the one being run; borrowed */
    int fd;                             /* came with it; taken: -1 */
    QmpPending *pending;                /* the command that is not answered yet; NULL: none */
    void (*answer)(QmpSession *session, json_object *reply);    /* of a pending one; borrowed */
    /* The event position (event_ring.h) when the current command began, and the one before it. */
    uint64_t mark, previous_mark;
};

/* The descriptor that came with the request, now the caller's; -1: none. */
int qmp_session_take_fd(QmpSession *session);

/*
 * Runs one request, any JSON value.  The reply is the caller's.  NULL: the command answers later,
 * or has by now.
 */
json_object *qmp_dispatch(QmpSession *session, json_object *request);
bool qmp_request_is_oob(const QmpSession *session, json_object *request);
bool qmp_request_takes_fd(const QmpSession *session, json_object *request);

/*
 * An answer that comes later.  The function of an `async` command makes one, returns true, and ends
 * it with exactly one of the two below.  Main thread.
 *
 * `cancel`, if not NULL, is called when the client goes before that: the pending answer is gone
 * then.  Without it the command goes on, and its answer is dropped.
 */
QmpPending *qmp_session_defer(QmpSession *session, void (*cancel)(void *opaque), void *opaque);
void qmp_pending_return(QmpPending *pending, json_object *value);   /* takes it over; NULL: {} */
void qmp_pending_fail(QmpPending *pending, const GError *error);
/* Before its function returns false after all: there is nothing to answer. */
void qmp_pending_drop(QmpPending *pending);
void qmp_session_end(QmpSession *session);              /* the client has gone */

/* {"error": …} */
json_object *qmp_error_reply(const GError *error);
const QmpCommand *qmp_command_find(const QmpCommand *commands, const char *name);
