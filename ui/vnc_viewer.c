#include "vnc_viewer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

/* Messages read before an update that is ready is sent all the same. */
#define MESSAGES_BEFORE_UPDATE  32

/* ---- between the threads ---- */

/* Lock held. */
static void wake(VncViewer *viewer)
{
    uint64_t one = 1;

    if (write(viewer->wake, &one, sizeof(one)) < 0) {
        g_assert(errno == EAGAIN);              /* it is awake */
    }
}

void vnc_viewer_damage(VncViewer *viewer, const VncTiles *changed)
{
    g_mutex_lock(&viewer->lock);
    vnc_tiles_merge(viewer->dirty, changed);
    if (viewer->asked) {
        wake(viewer);
    }
    g_mutex_unlock(&viewer->lock);
}

void vnc_viewer_show(VncViewer *viewer, Surface *picture)
{
    g_mutex_lock(&viewer->lock);
    surface_unref(viewer->picture);
    viewer->picture = surface_ref(picture);
    g_free(viewer->dirty);
    viewer->dirty = vnc_tiles_new(picture->width, picture->height);
    vnc_tiles_fill(viewer->dirty);
    viewer->news |= VNC_NEWS_SIZE;
    wake(viewer);
    g_mutex_unlock(&viewer->lock);
}

void vnc_viewer_set_leds(VncViewer *viewer, unsigned leds)
{
    g_mutex_lock(&viewer->lock);
    if (viewer->leds != leds) {
        viewer->leds = leds;
        viewer->news |= VNC_NEWS_LEDS;
        wake(viewer);
    }
    g_mutex_unlock(&viewer->lock);
}

void vnc_viewer_set_absolute(VncViewer *viewer, bool absolute)
{
    g_mutex_lock(&viewer->lock);
    if (viewer->absolute != absolute) {
        viewer->absolute = absolute;
        viewer->news |= VNC_NEWS_POINTER;
        wake(viewer);
    }
    g_mutex_unlock(&viewer->lock);
}

void vnc_viewer_close(VncViewer *viewer)
{
    g_mutex_lock(&viewer->lock);
    viewer->stop = true;
    shutdown(viewer->fd, SHUT_RDWR);            /* ends a read or write it waits in */
    wake(viewer);
    g_mutex_unlock(&viewer->lock);
}

void *vnc_viewer_tag(const VncViewer *viewer)
{
    return viewer->tag;
}

static bool stopped(VncViewer *viewer)
{
    bool stop;

    g_mutex_lock(&viewer->lock);
    stop = viewer->stop;
    g_mutex_unlock(&viewer->lock);
    return stop;
}

/* ---- the library's part ---- */

bool vnc_viewer_read(VncViewer *viewer, void *buf, size_t len)
{
    return rfbReadExact(viewer->client, buf, len) > 0;
}

bool vnc_viewer_write(VncViewer *viewer, const void *buf, size_t len)
{
    return rfbWriteExact(viewer->client, buf, len) > 0;
}

static void no_log(const char *format, ...)
{
}

/*
 * A screen as the library makes them.  It is made once and copied: making one sets up a lock that
 * all screens share, which must not happen while it is in use.
 */
static const rfbScreenInfo *screen_model(void)
{
    static gsize made;
    static rfbScreenInfoPtr model;

    if (g_once_init_enter(&made)) {
        rfbLog = rfbErr = no_log;
        model = rfbGetScreen(NULL, NULL, 4, 4, 8, 3, 4);
        rfbGetExtensionIterator();              /* another such lock */
        rfbReleaseExtensionIterator();
        model->serverFormat.redShift = 16;
        model->serverFormat.greenShift = 8;
        model->serverFormat.blueShift = 0;
        model->serverFormat.depth = 24;
        model->depth = 24;
        model->maxClientWait = INT_MAX;
        g_once_init_leave(&made, 1);
    }
    return model;
}

static rfbScreenInfoPtr screen_copy(void)
{
    rfbScreenInfoPtr copy = malloc(sizeof(*copy));      /* rfbScreenCleanup() frees it */

    if (copy != NULL) {
        *copy = *screen_model();
        INIT_MUTEX(copy->cursorMutex);
    }
    return copy;
}

/* The stream messages come on; -1: no descriptor is left. */
static int stream_open(VncViewer *viewer)
{
    int stream = -1;

    if (!viewer->in_browser) {
        return fcntl(viewer->fd, F_DUPFD_CLOEXEC, 0);
    }
    viewer->websocket = vnc_websocket_new(viewer->fd, &stream);
    return stream;
}

/*
 * The library's record of a client.  It would wait for a WebSocket handshake or one of TLS before
 * it speaks; so it gets a socket on which the answer of an ordinary viewer lies ready, and the real
 * one in the place of that afterwards.
 */
static bool client_make(VncViewer *viewer)
{
    int pair[2], stream;

    viewer->rfb = screen_copy();
    if (viewer->rfb == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        return false;
    }
    if (pair[0] < FD_SETSIZE && write(pair[1], "RFB ", 4) == 4) {   /* it has fd_sets */
        viewer->client = rfbNewClient(viewer->rfb, pair[0]);        /* on failure it closes it */
    } else {
        close(pair[0]);
    }
    close(pair[1]);
    stream = viewer->client != NULL ? stream_open(viewer) : -1;
    if (stream < 0) {
        return false;
    }
    dup3(stream, pair[0], O_CLOEXEC);
    close(stream);
    return rfbSetNonBlocking(pair[0]);
}

static void client_free(VncViewer *viewer)
{
    if (viewer->client != NULL) {
        rfbClientConnectionGone(viewer->client);
    }
    if (viewer->rfb != NULL) {
        rfbScreenCleanup(viewer->rfb);
    }
}

/* ---- its thread ---- */

static bool wants_update(VncViewer *viewer)
{
    bool wants;

    g_mutex_lock(&viewer->lock);
    wants = viewer->news != 0 || (viewer->asked && vnc_tiles_any(viewer->dirty, &viewer->area));
    g_mutex_unlock(&viewer->lock);
    return wants;
}

/* Waits for the viewer or the main thread; true: the viewer has said something, or has gone. */
static bool wait_for_message(VncViewer *viewer)
{
    struct pollfd fds[] = {
        { .fd = viewer->client->sock, .events = POLLIN },
        { .fd = viewer->wake, .events = POLLIN },
    };
    uint64_t count;

    while (poll(fds, G_N_ELEMENTS(fds), wants_update(viewer) ? 0 : -1) < 0 && errno == EINTR) {
    }
    if (fds[1].revents != 0 && read(viewer->wake, &count, sizeof(count)) < 0) {
        g_assert(errno == EAGAIN);
    }
    return fds[0].revents != 0;
}

static void serve(VncViewer *viewer)
{
    while (!stopped(viewer)) {
        for (unsigned i = 0; i < MESSAGES_BEFORE_UPDATE && wait_for_message(viewer); i++) {
            if (!vnc_viewer_message(viewer)) {
                return;
            }
        }
        if (!vnc_viewer_send_news(viewer) || !vnc_viewer_send_update(viewer)) {
            return;
        }
    }
}

static gpointer viewer_main(gpointer opaque)
{
    VncViewer *viewer = opaque;
    sigset_t pipe;

    sigemptyset(&pipe);
    sigaddset(&pipe, SIGPIPE);                  /* the library writes without asking for none */
    pthread_sigmask(SIG_BLOCK, &pipe, NULL);
    if (client_make(viewer) && vnc_viewer_login(viewer)) {
        serve(viewer);
    }
    client_free(viewer);
    if (viewer->websocket != NULL) {
        vnc_websocket_free(viewer->websocket);
    }
    shutdown(viewer->fd, SHUT_RDWR);
    vnc_screen_ended(viewer);
    return NULL;
}

/* ---- life ---- */

static void set_up_socket(int fd)
{
    int one = 1;

    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));    /* a peer's host may vanish */
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));    /* fails on what is not TCP */
}

VncViewer *vnc_viewer_new(VncScreen *screen, int fd, bool websocket, bool trusted, void *tag,
                          Surface *picture)
{
    const VncScreenConfig *config = vnc_screen_config(screen);
    int event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    VncViewer *viewer;

    if (event < 0) {
        close(fd);
        return NULL;
    }
    viewer = g_new(VncViewer, 1);
    *viewer = (VncViewer){
        .screen = screen, .tag = tag, .in_browser = websocket, .trusted = trusted, .fd = fd,
        .keyboard = keyboard_new(vnc_screen_vm(screen), config->keymap, config->key_delay_ns),
        .pointer.vm = vnc_screen_vm(screen),
        .wake = event, .picture = surface_ref(picture),
        .dirty = vnc_tiles_new(picture->width, picture->height),
        .rects = g_array_new(FALSE, FALSE, sizeof(ConsoleRect)),
    };
    g_mutex_init(&viewer->lock);
    set_up_socket(fd);
    viewer->thread = g_thread_new("vnc", viewer_main, viewer);
    return viewer;
}

void vnc_viewer_free(VncViewer *viewer)
{
    g_thread_join(viewer->thread);
    keyboard_free(viewer->keyboard);
    pointer_release(&viewer->pointer);
    surface_unref(viewer->picture);
    if (viewer->shown != NULL) {
        surface_unref(viewer->shown);
    }
    g_free(viewer->dirty);
    g_free(viewer->sending);
    g_array_unref(viewer->rects);
    close(viewer->wake);
    close(viewer->fd);
    g_mutex_clear(&viewer->lock);
    g_free(viewer);
}
