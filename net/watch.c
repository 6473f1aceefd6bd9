/* A descriptor on the main loop whose events come and go: GLib's own source has a fixed set. */
#include <glib-unix.h>

#include "backend.h"

typedef struct WatchSource {
    GSource source;
    NetWatch *watch;                        /* NULL: finished */
} WatchSource;

static GIOCondition pending(const NetWatch *watch)
{
    if (watch == NULL || watch->tag == NULL) {
        return 0;
    }
    return g_source_query_unix_fd(watch->source, watch->tag) &
           (watch->events | G_IO_HUP | G_IO_ERR | G_IO_NVAL);
}

static gboolean watch_check(GSource *source)
{
    return pending(((WatchSource *)source)->watch) != 0;
}

static gboolean watch_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    NetWatch *watch = ((WatchSource *)source)->watch;
    GIOCondition condition = pending(watch);

    if (condition != 0) {
        watch->ready(watch->opaque, condition);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs watch_funcs = { .check = watch_check, .dispatch = watch_dispatch };

void net_watch_init(NetWatch *watch, int fd, void (*ready)(void *opaque, GIOCondition condition),
                    void *opaque)
{
    *watch = (NetWatch){ .fd = fd, .ready = ready, .opaque = opaque };
    watch->source = g_source_new(&watch_funcs, sizeof(WatchSource));
    ((WatchSource *)watch->source)->watch = watch;
    g_source_attach(watch->source, NULL);
}

/* Without events the descriptor leaves the poll: a hang-up nobody reads would spin. */
void net_watch_set(NetWatch *watch, GIOCondition events, bool on)
{
    GIOCondition want = on ? watch->events | events : watch->events & ~events;

    if (want == watch->events) {
        return;
    }
    watch->events = want;
    if (want == 0) {
        g_source_remove_unix_fd(watch->source, watch->tag);
        watch->tag = NULL;
    } else if (watch->tag == NULL) {
        watch->tag = g_source_add_unix_fd(watch->source, watch->fd, want);
    } else {
        g_source_modify_unix_fd(watch->source, watch->tag, want);
    }
}

void net_watch_finish(NetWatch *watch)
{
    if (watch->source != NULL) {
        ((WatchSource *)watch->source)->watch = NULL;
        g_source_destroy(watch->source);
        g_source_unref(watch->source);
    }
    *watch = (NetWatch){ 0 };
}
