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
    bool oob;                           /* may be run out of band */
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


/* What of a connection's state a request meets. */
struct QmpSession {
    Vm *vm;
    const QmpCommand *commands;
    bool negotiated;                    /* set by qmp_capabilities */
    bool oob_enabled;
};

/* Runs one request, any JSON value.  The reply is the caller's. */
json_object *qmp_dispatch(QmpSession *session, json_object *request);

/* {"error": …} */
json_object *qmp_error_reply(const GError *error);
const QmpCommand *qmp_command_find(const QmpCommand *commands, const char *name);
