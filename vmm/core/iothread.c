#include "iothread.h"

#include <string.h>
#include <unistd.h>

#include "rhea_error.h"

static GPtrArray *all;

const GPtrArray *iothreads(void)
{
    if (all == NULL) {
        all = g_ptr_array_new();
    }
    return all;
}

IoThread *iothread_find(const char *name)
{
    for (guint i = 0; i < iothreads()->len; i++) {
        IoThread *iothread = g_ptr_array_index(all, i);

        if (g_str_equal(iothread->name, name)) {
            return iothread;
        }
    }
    return NULL;
}

/* ---- running something there ---- */

typedef struct Call {
    void (*fn)(void *opaque);
    void *opaque;
    GMutex lock;
    GCond done_cond;
    bool done;
} Call;

static gboolean call_run(gpointer opaque)
{
    Call *call = opaque;

    g_mutex_lock(&call->lock);                      /* sees all that the caller had written */
    call->fn(call->opaque);
    call->done = true;
    g_cond_signal(&call->done_cond);
    g_mutex_unlock(&call->lock);
    return G_SOURCE_REMOVE;
}

void context_run(GMainContext *context, void (*fn)(void *opaque), void *opaque)
{
    Call call = { .fn = fn, .opaque = opaque };
    GSource *source = g_idle_source_new();

    g_assert(!g_main_context_is_owner(context));
    g_mutex_init(&call.lock);
    g_cond_init(&call.done_cond);
    g_source_set_priority(source, G_PRIORITY_HIGH);
    g_source_set_callback(source, call_run, &call, NULL);
    g_mutex_lock(&call.lock);
    g_source_attach(source, context);
    g_source_unref(source);
    while (!call.done) {
        g_cond_wait(&call.done_cond, &call.lock);
    }
    g_mutex_unlock(&call.lock);
    g_mutex_clear(&call.lock);
    g_cond_clear(&call.done_cond);
}

/* ---- life ---- */

static gpointer iothread_main(gpointer opaque)
{
    IoThread *iothread = opaque;

    g_main_context_push_thread_default(iothread->context);
    g_main_loop_run(iothread->loop);
    g_main_context_pop_thread_default(iothread->context);
    return NULL;
}

static void note_thread_id(void *opaque)
{
    ((IoThread *)opaque)->thread_id = gettid();
}

IoThread *iothread_new(const char *name, GError **error)
{
    IoThread *iothread = g_new0(IoThread, 1);
    g_autofree char *thread_name = g_strdup_printf("IO %s", name);

    iothread->name = g_strdup(name);
    iothread->context = g_main_context_new();
    iothread->loop = g_main_loop_new(iothread->context, FALSE);
    iothread->thread = g_thread_try_new(thread_name, iothread_main, iothread, error);
    if (iothread->thread == NULL) {
        iothread_free(iothread);
        return NULL;
    }
    iothreads();
    g_ptr_array_add(all, iothread);
    context_run(iothread->context, note_thread_id, iothread);
    return iothread;
}

static gboolean quit_loop(gpointer opaque)
{
    g_main_loop_quit(opaque);
    return G_SOURCE_REMOVE;
}

void iothread_free(IoThread *iothread)
{
    if (iothread == NULL) {
        return;
    }
    g_assert(iothread->users == 0);
    if (iothread->thread != NULL) {
        /* From within, so that a loop that has not started yet is not missed. */
        GSource *source = g_idle_source_new();

        g_source_set_callback(source, quit_loop, iothread->loop, NULL);
        g_source_attach(source, iothread->context);
        g_source_unref(source);
        g_thread_join(iothread->thread);
        g_ptr_array_remove(all, iothread);
    }
    if (iothread->block_context != NULL) {
        iothread->block_context_free(iothread->block_context);
    }
    g_main_loop_unref(iothread->loop);
    g_main_context_unref(iothread->context);
    g_free(iothread->name);
    g_free(iothread);
}

/* ---- the property ---- */

static bool iothread_parse(Object *obj, const Property *prop, void *field, const char *text,
                           GError **error)
{
    IoThread *found = iothread_find(text), **link = field;

    if (found == NULL) {
        set_error(error, "Device '%s' not found", text);
        error_add_hint(error, "'%s' takes the id of an object of type 'iothread'.", prop->name);
        return false;
    }
    if (*link != NULL) {
        (*link)->users--;
    }
    found->users++;
    *link = found;
    return true;
}

static char *iothread_print(const Object *obj, const Property *prop, const void *field)
{
    const IoThread *iothread = *(IoThread *const *)field;

    return iothread != NULL ? g_strdup_printf("/objects/%s", iothread->name) : g_strdup("");
}

static void iothread_release(Object *obj, const Property *prop, void *field)
{
    IoThread **link = field;

    if (*link != NULL) {
        (*link)->users--;
        *link = NULL;
    }
}

const PropType prop_iothread = {
    .name = "link<iothread>", .json = PROP_JSON_STRING, .parse = iothread_parse,
    .print = iothread_print, .release = iothread_release,
};
