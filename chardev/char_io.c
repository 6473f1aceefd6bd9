/* Input sources and output queues on the main loop. */
#include "backend.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "passed_fd.h"

/* How long a closing back end waits for a peer that takes nothing. */
#define CHAR_DRAIN_MS   100

/* ---- input ---- */

/*
 * Polls the descriptor only while the front end takes bytes: a peer that has hung up would
 * otherwise keep the loop spinning with POLLHUP until the front end catches up.
 */
typedef struct InputSource {
    GSource source;
    Chardev *chr;
    int fd;
    gpointer tag;
    bool threaded;                          /* another thread's loop has it: threaded_funcs */
    bool ended;                             /* threaded: the main thread has been told of the end */
} InputSource;

static void input_poll(InputSource *in, bool wanted)
{
    if (wanted && in->tag == NULL) {
        in->tag = g_source_add_unix_fd(&in->source, in->fd, G_IO_IN);
    } else if (!wanted && in->tag != NULL) {
        g_source_remove_unix_fd(&in->source, in->tag);
        in->tag = NULL;
    }
}

static gboolean input_prepare(GSource *source, gint *timeout_ms)
{
    InputSource *in = (InputSource *)source;

    *timeout_ms = -1;
    if (in->chr->type->pending != NULL && in->chr->type->pending(in->chr)) {
        return TRUE;
    }
    input_poll(in, in->fd >= 0 && !in->ended && chardev_can_deliver(in->chr) > 0);
    return FALSE;
}

static gboolean input_check(GSource *source)
{
    InputSource *in = (InputSource *)source;

    return in->tag != NULL && g_source_query_unix_fd(source, in->tag) != 0;
}

static void input_read(Chardev *chr)
{
    uint8_t buf[4096];
    size_t room = MIN(chardev_can_deliver(chr), sizeof(buf));
    ssize_t got;

    if (room == 0) {
        return;
    }
    got = read(chr->in_fd, buf, room);
    if (got > 0) {
        chardev_deliver(chr, buf, got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        chardev_input_ended(chr);
    }
}

static gboolean input_dispatch(GSource *source, GSourceFunc callback, gpointer opaque)
{
    Chardev *chr = ((InputSource *)source)->chr;

    if (chr->type->input != NULL) {
        chr->type->input(chr);
    } else {
        input_read(chr);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs input_funcs = { input_prepare, input_check, input_dispatch, NULL, NULL, NULL };

/* ---- the same on another thread's loop ---- */

/*
 * That thread holds it while it is in a Chardev; the main thread takes it to begin and to end a
 * source there, and waits so until the Chardev is left alone.  Above the front end's own locks.
 */
static GMutex threaded_lock;

static gboolean threaded_prepare(GSource *source, gint *timeout_ms)
{
    gboolean ready = FALSE;

    *timeout_ms = -1;
    g_mutex_lock(&threaded_lock);
    if (!g_source_is_destroyed(source)) {
        ready = input_prepare(source, timeout_ms);
    }
    g_mutex_unlock(&threaded_lock);
    return ready;
}

static gboolean threaded_check(GSource *source)
{
    gboolean ready;

    g_mutex_lock(&threaded_lock);
    ready = !g_source_is_destroyed(source) && input_check(source);
    g_mutex_unlock(&threaded_lock);
    return ready;
}

static gboolean threaded_dispatch(GSource *source, GSourceFunc callback, gpointer opaque)
{
    g_mutex_lock(&threaded_lock);
    if (!g_source_is_destroyed(source)) {
        input_dispatch(source, callback, opaque);
    }
    g_mutex_unlock(&threaded_lock);
    return G_SOURCE_CONTINUE;
}

/* On the thread that lets go of it last: behind what the other did. */
static void threaded_finalize(GSource *source)
{
    g_mutex_lock(&threaded_lock);
    g_mutex_unlock(&threaded_lock);
}

static GSourceFuncs threaded_funcs = {
    threaded_prepare, threaded_check, threaded_dispatch, threaded_finalize, NULL, NULL
};

/* ---- begin and end ---- */

static void hang_up(Chardev *chr)
{
    if (chr->type->hangup != NULL) {
        chr->type->hangup(chr);
    } else {
        chardev_watch_input(chr, -1);
    }
}

/* Main thread, for the source of another one. */
static gboolean hang_up_later(gpointer opaque)
{
    InputSource *in = opaque;
    Chardev *chr;

    g_mutex_lock(&threaded_lock);
    chr = g_source_is_destroyed(&in->source) ? NULL : in->chr;
    g_mutex_unlock(&threaded_lock);
    if (chr != NULL) {
        hang_up(chr);
    }
    g_source_unref(&in->source);
    return G_SOURCE_REMOVE;
}

void chardev_input_ended(Chardev *chr)
{
    InputSource *in = (InputSource *)chr->in_source;

    if (in == NULL || !in->threaded) {
        hang_up(chr);
    } else if (!in->ended) {
        in->ended = true;
        g_source_ref(&in->source);
        g_idle_add_full(G_PRIORITY_DEFAULT, hang_up_later, in, NULL);
    }
}

static void stop_watching(Chardev *chr)
{
    InputSource *in = (InputSource *)chr->in_source;

    if (in != NULL && in->threaded) {
        g_mutex_lock(&threaded_lock);
        g_source_destroy(&in->source);
        g_mutex_unlock(&threaded_lock);
    } else if (in != NULL) {
        g_source_destroy(&in->source);
    }
    g_clear_pointer(&chr->in_source, g_source_unref);
}

static void start_watching(Chardev *chr, int fd, GSourceFuncs *funcs)
{
    InputSource *in = (InputSource *)g_source_new(funcs, sizeof(*in));

    in->chr = chr;
    in->fd = fd;
    in->threaded = chr->in_context != NULL;
    chr->in_source = &in->source;
    g_source_attach(chr->in_source, chr->in_context);
}

void chardev_watch_input(Chardev *chr, int fd)
{
    stop_watching(chr);
    chr->in_fd = fd;
    if (fd < 0 && fd != CHAR_PENDING_ONLY) {
        return;
    }
    if (chr->in_context == NULL) {
        start_watching(chr, fd, &input_funcs);
    } else {
        g_mutex_lock(&threaded_lock);
        start_watching(chr, fd, &threaded_funcs);
        g_mutex_unlock(&threaded_lock);
    }
}

bool chardev_set_input_context(CharFrontend *fe, GMainContext *context)
{
    Chardev *chr = fe->chr;

    if (chr == NULL || chr->in_context == context) {
        return chr != NULL;
    }
    if (context != NULL && !chardev_input_can_move(chr)) {
        return false;
    }
    chr->in_context = context;
    chardev_watch_input(chr, chr->in_fd);
    return true;
}

/* ---- output ---- */

static size_t queued(const Chardev *chr)
{
    return chr->out != NULL ? chr->out->len - chr->out_head : 0;
}

static void out_consume(Chardev *chr, size_t len)
{
    chr->out_head += len;
    if (chr->out_head == chr->out->len) {
        g_byte_array_set_size(chr->out, 0);
        chr->out_head = 0;
    } else if (chr->out_head > CHAR_OUT_LIMIT / 2) {
        g_byte_array_remove_range(chr->out, 0, chr->out_head);
        chr->out_head = 0;
    }
}

static void out_stop(Chardev *chr)
{
    if (chr->out_source != NULL) {
        g_source_destroy(chr->out_source);
        g_clear_pointer(&chr->out_source, g_source_unref);
    }
}

static gboolean out_ready(gint fd, GIOCondition condition, gpointer opaque)
{
    Chardev *chr = opaque;
    void (*room_fn)(void *) = NULL;
    void *room_opaque = NULL;
    bool more;

    g_mutex_lock(&chr->write_lock);
    if (queued(chr) > 0) {
        out_consume(chr, chr->type->write(chr, chr->out->data + chr->out_head, queued(chr)));
    }
    more = queued(chr) > 0;
    if (!more) {
        out_stop(chr);
        room_fn = chr->room_fn;
        room_opaque = chr->room_opaque;
        chr->room_fn = NULL;
    }
    g_mutex_unlock(&chr->write_lock);
    if (room_fn != NULL) {
        room_fn(room_opaque);
    }
    return more ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void out_enqueue(Chardev *chr, const uint8_t *buf, size_t len)
{
    size_t total = queued(chr) + len;

    if (chr->out == NULL) {
        chr->out = g_byte_array_new();
    }
    if (len > CHAR_OUT_LIMIT) {
        buf += len - CHAR_OUT_LIMIT;
        len = CHAR_OUT_LIMIT;
        total = queued(chr) + len;
    }
    if (total > CHAR_OUT_LIMIT) {
        out_consume(chr, total - CHAR_OUT_LIMIT);
    }
    g_byte_array_append(chr->out, buf, len);
    if (chr->out_source == NULL) {
        chr->out_source = g_unix_fd_source_new(chr->out_fd, G_IO_OUT);
        g_source_set_callback(chr->out_source, G_SOURCE_FUNC(out_ready), chr, NULL);
        g_source_attach(chr->out_source, NULL);
    }
}

/* write_lock held. */
static void write_locked(Chardev *chr, const uint8_t *buf, size_t len)
{
    size_t taken = 0;

    if (chr->type->write == NULL) {
        return;
    }
    if (queued(chr) == 0) {
        taken = chr->type->write(chr, buf, len);
    }
    if (taken < len && chr->out_fd >= 0) {
        out_enqueue(chr, buf + taken, len - taken);
    }
}

static void write_encoded(Chardev *chr, const uint8_t *buf, size_t len)
{
    g_autoptr(GByteArray) out = g_byte_array_new();

    if (!chr->type->encode(chr, buf, len, out)) {
        write_locked(chr, buf, len);
    } else if (queued(chr) + out->len <= CHAR_OUT_LIMIT) {
        write_locked(chr, out->data, out->len);
    }
}

void chardev_io_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    g_mutex_lock(&chr->write_lock);
    if (chr->log_fd >= 0 && write(chr->log_fd, buf, len) < 0) {
        close(chr->log_fd);
        chr->log_fd = -1;
    }
    if (chr->type->encode != NULL) {
        write_encoded(chr, buf, len);
    } else {
        write_locked(chr, buf, len);
    }
    g_mutex_unlock(&chr->write_lock);
}

void chardev_io_write_raw(Chardev *chr, const uint8_t *buf, size_t len)
{
    g_mutex_lock(&chr->write_lock);
    write_locked(chr, buf, len);
    g_mutex_unlock(&chr->write_lock);
}

size_t chardev_io_room(Chardev *chr)
{
    size_t used;

    g_mutex_lock(&chr->write_lock);
    used = queued(chr);
    g_mutex_unlock(&chr->write_lock);
    return CHAR_OUT_LIMIT - MIN(used, CHAR_OUT_LIMIT);
}

/* A front end that waits for room hears CLOSED from the back end when its peer is gone. */
void chardev_set_output(Chardev *chr, int fd)
{
    g_mutex_lock(&chr->write_lock);
    out_stop(chr);
    chr->out_fd = fd;
    if (chr->out != NULL) {
        g_byte_array_set_size(chr->out, 0);
        chr->out_head = 0;
    }
    g_mutex_unlock(&chr->write_lock);
}

void chardev_drain(Chardev *chr)
{
    struct pollfd pfd = { .fd = chr->out_fd, .events = POLLOUT };

    g_mutex_lock(&chr->write_lock);
    while (queued(chr) > 0 && poll(&pfd, 1, CHAR_DRAIN_MS) > 0) {
        out_consume(chr, chr->type->write(chr, chr->out->data + chr->out_head, queued(chr)));
    }
    g_mutex_unlock(&chr->write_lock);
}

void chardev_close_fds(Chardev *chr)
{
    int in_fd = chr->in_fd, out_fd = chr->out_fd;

    chardev_watch_input(chr, -1);
    chardev_set_output(chr, -1);
    if (in_fd >= 0) {
        passed_fd_release(in_fd);
    }
    if (out_fd >= 0 && out_fd != in_fd) {
        passed_fd_release(out_fd);
    }
}

void chardev_io_finish(Chardev *chr)
{
    chardev_watch_input(chr, -1);
    chardev_set_output(chr, -1);
    g_clear_pointer(&chr->out, g_byte_array_unref);
}

/* An error counts as taken: the peer's end shows up on the input side. */
size_t chardev_fd_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    if (chr->out_fd < 0) {
        return len;
    }
    while (done < len) {
        ssize_t put = write(chr->out_fd, buf + done, len - done);

        if (put > 0) {
            done += put;
        } else if (put < 0 && errno == EINTR) {
            continue;
        } else if (put < 0 && errno == EAGAIN) {
            break;
        } else {
            return len;
        }
    }
    return done;
}

int chardev_reopen_nonblocking(int fd, int flags)
{
    char path[32];

    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    return open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}
