/*
 * -object iothread: an IoThread by the user's name (iothread.h).
 */
#pragma once

#include "iothread.h"
#include "user_object.h"

extern const ObjectType iothread_object_type;

typedef struct IoThreadObject {
    UserObject obj;
    /* configuration: hints of how long to look for work before sleeping; the loop never spins */
    int64_t poll_max_ns, poll_grow, poll_shrink, aio_max_batch;
    int64_t thread_pool_min, thread_pool_max;
    /* wiring */
    IoThread *thread;
} IoThreadObject;
