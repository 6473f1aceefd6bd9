/*
 * Doorbells and interrupts of a queue as eventfds.
 *
 * The driver's doorbell ends in an eventfd that a GSource watches on the queue's thread.  An
 * iothread cannot always raise an interrupt itself: it writes the queue's `call`, which the main
 * loop watches.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <glib-unix.h>

#include "epoch.h"
#include "iothread.h"
#include "rhea_error.h"
#include "virtqueue.h"

static void serve(VirtQueue *vq)
{
    if (vq->vdev->running && virtqueue_ready(vq)) {
        vq->handler(vq->vdev, vq);
    }
}

/* Empties the counter; whether something was in it. */
static bool take_event(int fd)
{
    eventfd_t count;

    return fd >= 0 && eventfd_read(fd, &count) == 0;
}

static gboolean doorbell_rang(int fd, GIOCondition condition, gpointer opaque)
{
    take_event(fd);
    serve(opaque);
    return G_SOURCE_CONTINUE;
}

static void deliver_call(VirtQueue *vq)
{
    VirtioDevice *vdev = vq->vdev;

    if (!take_event(vq->call)) {
        return;
    }
    if (__atomic_exchange_n(&vdev->error_pending, false, __ATOMIC_SEQ_CST)) {
        virtio_config_changed(vdev);
    }
    vdev->bus->interrupt(vdev->bus, vq->vector);
}

static gboolean call_came(int fd, GIOCondition condition, gpointer opaque)
{
    deliver_call(opaque);
    return G_SOURCE_CONTINUE;
}

static GSource *watch(int fd, GUnixFDSourceFunc fn, VirtQueue *vq, GMainContext *context)
{
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);

    g_source_set_callback(source, G_SOURCE_FUNC(fn), vq, NULL);
    g_source_attach(source, context);
    return source;
}

/* An eventfd in *fd; without one (no descriptors left) the driver's writes still come to us. */
static bool open_event(VirtQueue *vq, int *fd)
{
    if (*fd < 0) {
        *fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
    if (*fd < 0) {
        virtio_error(vq->vdev, "queue %u: no event descriptor: %s", vq->index, g_strerror(errno));
    }
    return *fd >= 0;
}

/* ---- doorbells ---- */

void virtqueue_ring(VirtQueue *vq)
{
    if (vq->context != NULL && vq->doorbell >= 0) {
        eventfd_write(vq->doorbell, 1);
    } else {
        serve(vq);
    }
}

void virtqueue_reschedule(VirtQueue *vq)
{
    if (vq->doorbell >= 0) {
        eventfd_write(vq->doorbell, 1);
    }
}

void virtqueue_listen(VirtQueue *vq)
{
    GMainContext *context = vq->context != NULL ? vq->context : vq->vdev->dev.vm->context;
    bool set_up = vq->desc != 0 && (vq->enabled || !virtio_has(vq->vdev, VIRTIO_F_VERSION_1));

    if (vq->doorbell_source != NULL || !set_up || !open_event(vq, &vq->doorbell)) {
        return;
    }
    vq->doorbell_source = watch(vq->doorbell, doorbell_rang, vq, context);
    if (vq->vdev->bus->doorbell != NULL) {
        vq->vdev->bus->doorbell(vq->vdev->bus, vq, vq->doorbell);
    }
    eventfd_write(vq->doorbell, 1);         /* what came before anyone listened */
}

static void destroy_source(void *opaque)
{
    g_source_destroy(opaque);
}

void virtqueue_unlisten(VirtQueue *vq)
{
    if (vq->doorbell_source == NULL) {
        return;
    }
    if (vq->vdev->bus->doorbell != NULL) {
        vq->vdev->bus->doorbell(vq->vdev->bus, vq, -1);
    }
    if (vq->context != NULL) {
        context_run(vq->context, destroy_source, vq->doorbell_source);
    } else {
        g_source_destroy(vq->doorbell_source);
    }
    g_clear_pointer(&vq->doorbell_source, g_source_unref);
}

/* ---- iothreads ---- */

void virtio_queue_set_context(VirtQueue *vq, GMainContext *context)
{
    g_assert(vq->doorbell_source == NULL);
    if (context == NULL || !open_event(vq, &vq->call)) {
        return;
    }
    vq->context = context;
    vq->call_source = watch(vq->call, call_came, vq, vq->vdev->dev.vm->context);
}

void virtqueue_call(VirtQueue *vq)
{
    eventfd_write(vq->call, 1);
}

void virtqueue_settle(VirtQueue *vq)
{
    virtqueue_unlisten(vq);
    vq->context = NULL;
    if (vq->call_source != NULL) {
        g_source_destroy(vq->call_source);
        g_clear_pointer(&vq->call_source, g_source_unref);
        deliver_call(vq);
    }
}

static void close_retired(gpointer fd)
{
    close(GPOINTER_TO_INT(fd) - 1);
}

void virtqueue_close_events(VirtQueue *vq)
{
    virtqueue_settle(vq);
    if (vq->doorbell >= 0) {                /* a vCPU may be writing it this very moment */
        epoch_retire(GINT_TO_POINTER(vq->doorbell + 1), close_retired);
    }
    if (vq->call >= 0) {
        close(vq->call);
    }
    vq->doorbell = vq->call = -1;
}
