/*
 * iothreads: threads with an event loop of their own, for the data paths of disks.
 *
 * The objects -object iothread makes are these (the object type embeds one); devices name them in a
 * property.  Code on an iothread never takes the machine lock: who holds that may be waiting for
 * the iothread.  What needs the lock is handed to the main loop (vm_request_*, a GSource there).
 *
 * Threads: made, found and freed under the machine lock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "property.h"

typedef struct IoThread {
    char *name;                             /* the object's id */
    GThread *thread;
    int thread_id;                          /* the kernel's */
    GMainContext *context;
    GMainLoop *loop;
    unsigned users;                         /* devices; while there are some it stays */
    /* what a library keeps with it: the block layer's context; freed after the thread's end */
    void *block_context;
    void (*block_context_free)(void *context);
} IoThread;

IoThread *iothread_new(const char *name, GError **error);
void iothread_free(IoThread *iothread);                 /* users must be 0; joins the thread */
IoThread *iothread_find(const char *name);              /* NULL: none */
const GPtrArray *iothreads(void);                       /* IoThread *, oldest first */

/*
 * Runs fn(opaque) on the thread of a context, between two of its events, and waits for its end.
 * Not from that thread itself.
 */
void context_run(GMainContext *context, void (*fn)(void *opaque), void *opaque);

/* A device's "iothread" property: the field is an IoThread *. */
extern const PropType prop_iothread;
#define PROP_IOTHREAD(s, f, ...) PROP_OF(prop_iothread, IoThread *, s, f, __VA_ARGS__)
