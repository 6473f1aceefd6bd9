/*
 * Random bytes for the guest: from a file (/dev/urandom, a hardware generator) or from the kernel's
 * generator.  Requests wait in a queue that a source on the main loop serves.
 */
#include "rng.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <sys/random.h>
#include <unistd.h>

#include "rhea_error.h"
#include "vm_core.h"

typedef struct RngRequest {
    size_t len;
    RngFn done;
    void *opaque;
} RngRequest;

typedef struct RngBackend {
    UserObject obj;
    /* configuration */
    char *filename;
    /* wiring */
    int fd;                             /* of rng-random */
    GQueue *requests;                   /* RngRequest *; NULL: not complete */
    GSource *source;                    /* while there are requests */
    bool dry;                           /* the file has no more: requests wait for ever */
} RngBackend;

static ssize_t rng_fill(RngBackend *rng, uint8_t *bytes, size_t len)
{
    return rng->obj.type == &rng_random_type ? read(rng->fd, bytes, len)
                                             : getrandom(bytes, len, GRND_NONBLOCK);
}

static gboolean rng_serve(RngBackend *rng)
{
    g_autoptr(GSource) source = g_source_ref(rng->source);
    RngRequest *request = g_queue_peek_head(rng->requests);
    g_autofree uint8_t *bytes = g_malloc(request->len);
    ssize_t got = rng_fill(rng, bytes, request->len);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return G_SOURCE_CONTINUE;
    }
    if (got <= 0) {
        report_warning("object '%s': no more random bytes: %s",
                       rng->obj.id != NULL ? rng->obj.id : rng->obj.type->name,
                       got < 0 ? g_strerror(errno) : "end of file");
        rng->dry = true;
        g_clear_pointer(&rng->source, g_source_unref);
        return G_SOURCE_REMOVE;
    }
    g_queue_pop_head(rng->requests);
    request->done(request->opaque, bytes, got);
    g_free(request);
    if (!g_queue_is_empty(rng->requests) || rng->source != source) {
        return G_SOURCE_CONTINUE;
    }
    g_clear_pointer(&rng->source, g_source_unref);
    return G_SOURCE_REMOVE;
}

static gboolean rng_readable(gint fd, GIOCondition condition, gpointer opaque)
{
    return rng_serve(opaque);
}

static gboolean rng_idle(gpointer opaque)
{
    return rng_serve(opaque);
}

static void rng_start(RngBackend *rng)
{
    if (rng->obj.type == &rng_random_type) {
        rng->source = g_unix_fd_source_new(rng->fd, G_IO_IN);
        g_source_set_callback(rng->source, G_SOURCE_FUNC(rng_readable), rng, NULL);
    } else {
        rng->source = g_idle_source_new();
        g_source_set_priority(rng->source, G_PRIORITY_DEFAULT);
        g_source_set_callback(rng->source, rng_idle, rng, NULL);
    }
    g_source_attach(rng->source, rng->obj.vm->context);
}

static void rng_stop(RngBackend *rng)
{
    if (rng->source != NULL) {
        g_source_destroy(rng->source);
        g_clear_pointer(&rng->source, g_source_unref);
    }
}

void rng_request(UserObject *obj, size_t len, RngFn done, void *opaque)
{
    RngBackend *rng = OBJECT_CAST(obj, RngBackend);
    RngRequest *request = g_new(RngRequest, 1);

    g_assert(len > 0 && len <= RNG_MAX_REQUEST);
    *request = (RngRequest){ len, done, opaque };
    g_queue_push_tail(rng->requests, request);
    if (rng->source == NULL && !rng->dry) {
        rng_start(rng);
    }
}

void rng_cancel(UserObject *obj, void *opaque)
{
    RngBackend *rng = OBJECT_CAST(obj, RngBackend);

    for (GList *link = rng->requests->head, *next; link != NULL; link = next) {
        RngRequest *request = link->data;

        next = link->next;
        if (request->opaque == opaque) {
            g_free(request);
            g_queue_delete_link(rng->requests, link);
        }
    }
    if (g_queue_is_empty(rng->requests)) {
        rng_stop(rng);
    }
}

/* ---- objects ---- */

static bool rng_random_complete(UserObject *obj, GError **error)
{
    RngBackend *rng = OBJECT_CAST(obj, RngBackend);

    if (rng->filename == NULL) {
        set_error(error, "Parameter 'filename' expects a valid filename");
        return false;
    }
    rng->fd = open(rng->filename, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (rng->fd < 0) {
        set_errno_error(error, errno, "Could not open '%s'", rng->filename);
        return false;
    }
    rng->requests = g_queue_new();
    return true;
}

static bool rng_builtin_complete(UserObject *obj, GError **error)
{
    OBJECT_CAST(obj, RngBackend)->requests = g_queue_new();
    return true;
}

static void rng_finish(UserObject *obj)
{
    RngBackend *rng = OBJECT_CAST(obj, RngBackend);

    if (rng->requests == NULL) {
        return;
    }
    rng_stop(rng);
    g_queue_free_full(g_steal_pointer(&rng->requests), g_free);
    if (obj->type == &rng_random_type) {
        close(rng->fd);
    }
}

static const Property rng_random_props[] = {
    PROP_STRING(RngBackend, filename, .name = "filename", .def_text = "/dev/urandom",
                .help = "what to read from"),
    {}
};

const ObjectType rng_random_type = {
    .name = "rng-random", .base = RNG_BACKEND, .help = "random bytes from a file",
    .size = sizeof(RngBackend), .props = rng_random_props,
    .complete = rng_random_complete, .finish = rng_finish,
};

const ObjectType rng_builtin_type = {
    .name = "rng-builtin", .base = RNG_BACKEND, .help = "random bytes from the host's kernel",
    .size = sizeof(RngBackend), .complete = rng_builtin_complete, .finish = rng_finish,
};
