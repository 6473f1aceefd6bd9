#include "iothread_object.h"

#include <inttypes.h>

#include "rhea_error.h"

static bool check_range(const char *name, int64_t value, GError **error)
{
    if (value < 0) {
        set_error(error, "%s value must be in range [0, %" PRId64 "]", name, INT64_MAX);
    }
    return value >= 0;
}

static bool iothread_object_complete(UserObject *obj, GError **error)
{
    IoThreadObject *self = OBJECT_CAST(obj, IoThreadObject);

    if (!check_range("poll-max-ns", self->poll_max_ns, error) ||
        !check_range("poll-grow", self->poll_grow, error) ||
        !check_range("poll-shrink", self->poll_shrink, error) ||
        !check_range("aio-max-batch", self->aio_max_batch, error) ||
        !check_range("thread-pool-min", self->thread_pool_min, error) ||
        !check_range("thread-pool-max", self->thread_pool_max, error)) {
        return false;
    }
    if (self->thread_pool_min > self->thread_pool_max || self->thread_pool_max == 0) {
        set_error(error, "bad thread-pool-min/thread-pool-max values");
        return false;
    }
    self->thread = iothread_new(obj->id, error);
    return self->thread != NULL;
}

static void iothread_object_finish(UserObject *obj)
{
    g_clear_pointer(&OBJECT_CAST(obj, IoThreadObject)->thread, iothread_free);
}

static bool iothread_object_is_idle(const UserObject *obj)
{
    return OBJECT_CAST(obj, const IoThreadObject)->thread->users == 0;
}

static const Property iothread_object_props[] = {
    PROP_INT(IoThreadObject, poll_max_ns, .name = "poll-max-ns", .def = 32768, .live = true,
             .help = "most time to look for work before sleeping, a hint"),
    PROP_INT(IoThreadObject, poll_grow, .name = "poll-grow", .live = true,
             .help = "factor that time grows by, a hint"),
    PROP_INT(IoThreadObject, poll_shrink, .name = "poll-shrink", .live = true,
             .help = "divisor that time shrinks by, a hint"),
    PROP_INT(IoThreadObject, aio_max_batch, .name = "aio-max-batch", .live = true,
             .help = "most requests handed to the kernel at once, a hint"),
    PROP_INT(IoThreadObject, thread_pool_min, .name = "thread-pool-min",
             .help = "worker threads kept, a hint"),
    PROP_INT(IoThreadObject, thread_pool_max, .name = "thread-pool-max", .def = 64,
             .help = "worker threads at most, a hint"),
    {}
};

const ObjectType iothread_object_type = {
    .name = "iothread", .help = "thread for the data path of disks",
    .size = sizeof(IoThreadObject), .props = iothread_object_props,
    .complete = iothread_object_complete, .finish = iothread_object_finish,
    .can_be_deleted = iothread_object_is_idle,
};
