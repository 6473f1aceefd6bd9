/*
 * Thread sanitizer builds only: GLib is not instrumented and its locks are futexes of its own, so
 * the sanitizer would not see what they order.  The linker sends our calls through these (--wrap).
 */
#include <glib.h>
#include <sanitizer/tsan_interface.h>

#define WRAP(type_, name_, ...) \
    type_ __real_##name_(__VA_ARGS__); \
    type_ __wrap_##name_(__VA_ARGS__); \
    type_ __wrap_##name_(__VA_ARGS__)

WRAP(void, g_mutex_lock, GMutex *mutex)
{
    __real_g_mutex_lock(mutex);
    __tsan_acquire(mutex);
}

WRAP(gboolean, g_mutex_trylock, GMutex *mutex)
{
    gboolean taken = __real_g_mutex_trylock(mutex);

    if (taken) {
        __tsan_acquire(mutex);
    }
    return taken;
}

WRAP(void, g_mutex_unlock, GMutex *mutex)
{
    __tsan_release(mutex);
    __real_g_mutex_unlock(mutex);
}

WRAP(void, g_cond_wait, GCond *cond, GMutex *mutex)
{
    __tsan_release(mutex);
    __real_g_cond_wait(cond, mutex);
    __tsan_acquire(mutex);
}

WRAP(gboolean, g_cond_wait_until, GCond *cond, GMutex *mutex, gint64 end_time)
{
    gboolean signalled;

    __tsan_release(mutex);
    signalled = __real_g_cond_wait_until(cond, mutex, end_time);
    __tsan_acquire(mutex);
    return signalled;
}

/* What was written before a source is attached is there when it is dispatched. */
WRAP(guint, g_source_attach, GSource *source, GMainContext *context)
{
    __tsan_release(context);
    return __real_g_source_attach(source, context);
}

WRAP(gboolean, g_main_context_iteration, GMainContext *context, gboolean may_block)
{
    __tsan_acquire(context);
    return __real_g_main_context_iteration(context, may_block);
}

WRAP(gboolean, g_once_init_enter, void *location)
{
    gboolean first = __real_g_once_init_enter(location);

    __tsan_acquire(location);
    return first;
}

WRAP(void, g_once_init_leave, void *location, gsize result)
{
    __tsan_release(location);
    __real_g_once_init_leave(location, result);
}

/*
 * Guest memory is shared between vCPUs and devices by its nature.  What orders the guest's own loads
 * and stores against a device's is the guest's program, which the sanitizer cannot see into.  Both
 * sides are named: of the earlier access the sanitizer may have forgotten the stack.
 */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race:^tcg_load\n"
           "race:^tcg_store\n"
           "race:^read_range$\n"               /* DMA, core/memaccess.c */
           "race:^write_range$\n"
           "race:^virtqueue_\n"
           "race:^blk_finish$\n";
}
