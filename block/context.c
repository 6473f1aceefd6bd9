#include "context.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "iothread.h"

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

#define RING_ENTRIES    256
#define RING_LIMIT      512             /* under way at once; more wait here */

struct BlockContext {
    GMainContext *loop;
    GSource *source;
    int event_fd;                       /* wakes the loop for `finished` */
    unsigned plugged;
    BlockBatch *batches;                /* to be ended; the context's thread */
    GMutex lock;                        /* guards the list below */
    BlockWork *finished, **finished_last;
    BlockWork *ending, **ending_last;   /* the context's thread: taken from there, not told yet */
    bool has_ring;
#ifdef HAVE_LIBURING
    struct io_uring ring;
    unsigned queued, in_ring;           /* not submitted yet; submitted and not ended */
    BlockWork *waiting, **waiting_last;
#endif
};

typedef struct ContextSource {
    GSource source;
    BlockContext *context;
} ContextSource;

static bool ring_allowed = true;

void block_context_set_ring_allowed(bool allowed)
{
    ring_allowed = allowed;
}

void block_context_call(BlockContext *context, void (*fn)(void *opaque), void *opaque)
{
    if (context == block_context_main()) {
        fn(opaque);                             /* who holds the machine lock is its thread */
    } else {
        context_run(context->loop, fn, opaque);
    }
}

bool block_context_has_ring(const BlockContext *context)
{
    return context->has_ring;
}

/* ---- lists ---- */

static void list_add(BlockWork ***last, BlockWork *work)
{
    work->next = NULL;
    **last = work;
    *last = &work->next;
}

void block_context_defer(BlockContext *context, BlockWork *work)
{
    bool was_empty;

    g_mutex_lock(&context->lock);
    was_empty = context->finished == NULL;
    list_add(&context->finished_last, work);
    if (was_empty) {
        eventfd_write(context->event_fd, 1);
    }
    g_mutex_unlock(&context->lock);
}

static void take_finished(BlockContext *context)
{
    eventfd_t count;

    g_mutex_lock(&context->lock);
    if (context->finished != NULL) {
        eventfd_read(context->event_fd, &count);
        *context->ending_last = context->finished;
        context->ending_last = context->finished_last;
        context->finished = NULL;
        context->finished_last = &context->finished;
    }
    g_mutex_unlock(&context->lock);
}

static bool has_finished(BlockContext *context)
{
    bool has;

    g_mutex_lock(&context->lock);
    has = context->finished != NULL;
    g_mutex_unlock(&context->lock);
    return has;
}

/* One at a time: finished() may come back here through a drain, which wants the rest. */
static bool run_finished(BlockContext *context)
{
    bool any = false;
    BlockWork *work;

    take_finished(context);
    while ((work = context->ending) != NULL) {
        context->ending = work->next;
        if (context->ending == NULL) {
            context->ending_last = &context->ending;
        }
        any = true;
        work->finished(work);
    }
    return any;
}

/* ---- io_uring ---- */

#ifdef HAVE_LIBURING

static void ring_submit(BlockContext *context)
{
    while (context->queued > 0) {
        int ret = io_uring_submit(&context->ring);

        if (ret == -EINTR) {
            continue;
        }
        if (ret <= 0) {                 /* the kernel is short of something: tried again later */
            return;
        }
        context->queued -= ret;
        context->in_ring += ret;
    }
}

static bool ring_add(BlockContext *context, BlockTransfer *transfer)
{
    struct io_uring_sqe *sqe;

    if (context->queued + context->in_ring >= RING_LIMIT) {
        return false;
    }
    sqe = io_uring_get_sqe(&context->ring);
    if (sqe == NULL) {
        ring_submit(context);
        sqe = io_uring_get_sqe(&context->ring);
    }
    if (sqe == NULL) {
        return false;
    }
    switch (transfer->op) {
    case TRANSFER_READ:
        io_uring_prep_readv(sqe, transfer->fd, transfer->iov, transfer->niov, transfer->offset);
        break;
    case TRANSFER_WRITE:
        io_uring_prep_writev2(sqe, transfer->fd, transfer->iov, transfer->niov, transfer->offset,
                              transfer->dsync ? RWF_DSYNC : 0);
        break;
    case TRANSFER_SYNC:
        io_uring_prep_fsync(sqe, transfer->fd, IORING_FSYNC_DATASYNC);
        break;
    }
    io_uring_sqe_set_data(sqe, transfer);
    context->queued++;
    return true;
}

static void ring_flush(BlockContext *context)
{
    while (context->waiting != NULL && ring_add(context, (BlockTransfer *)context->waiting)) {
        context->waiting = context->waiting->next;
        if (context->waiting == NULL) {
            context->waiting_last = &context->waiting;
        }
    }
    ring_submit(context);
}

void block_context_transfer(BlockContext *context, BlockTransfer *transfer)
{
    transfer->work.context = context;
    if (context->waiting != NULL || !ring_add(context, transfer)) {
        list_add(&context->waiting_last, &transfer->work);
    } else if (context->plugged == 0) {
        ring_submit(context);
    }
}

/* One at a time: finished() may come back here through a drain. */
static bool ring_reap(BlockContext *context)
{
    struct io_uring_cqe *cqe;
    bool any = false;

    while (context->has_ring && io_uring_peek_cqe(&context->ring, &cqe) == 0) {
        BlockTransfer *transfer = io_uring_cqe_get_data(cqe);

        transfer->result = cqe->res;
        io_uring_cqe_seen(&context->ring, cqe);
        context->in_ring--;
        any = true;
        transfer->work.finished(&transfer->work);
    }
    return any;
}

static bool ring_has_cqe(BlockContext *context)
{
    return context->has_ring && io_uring_cq_ready(&context->ring) > 0;
}

/* Nothing will end by itself and wake the loop, but something is to be submitted. */
static bool ring_is_behind(BlockContext *context)
{
    return context->has_ring && context->in_ring == 0 &&
           (context->queued > 0 || context->waiting != NULL);
}

static int ring_fd(BlockContext *context)
{
    return context->ring.ring_fd;
}

static void ring_init(BlockContext *context)
{
    context->waiting_last = &context->waiting;
    context->has_ring =
        ring_allowed && io_uring_queue_init(RING_ENTRIES, &context->ring, IORING_SETUP_CLAMP) == 0;
    if (context->has_ring) {
        io_uring_ring_dontfork(&context->ring);
    }
}

static void ring_finish(BlockContext *context)
{
    if (context->has_ring) {
        io_uring_queue_exit(&context->ring);
    }
}

#else

static void ring_flush(BlockContext *context)
{
}

void block_context_transfer(BlockContext *context, BlockTransfer *transfer)
{
    g_assert_not_reached();                     /* block_context_has_ring() said no */
}

static bool ring_reap(BlockContext *context)
{
    return false;
}

static bool ring_has_cqe(BlockContext *context)
{
    return false;
}

static bool ring_is_behind(BlockContext *context)
{
    return false;
}

static int ring_fd(BlockContext *context)
{
    return -1;
}

static void ring_init(BlockContext *context)
{
}

static void ring_finish(BlockContext *context)
{
}

#endif

void block_context_plug(BlockContext *context)
{
    context->plugged++;
}

void block_context_unplug(BlockContext *context)
{
    g_assert(context->plugged > 0);
    if (--context->plugged == 0 && context->has_ring) {
        ring_flush(context);
    }
}

/* ---- the loop ---- */

void block_context_batch(BlockContext *context, BlockBatch *batch)
{
    if (!batch->queued) {
        batch->queued = true;
        batch->next = context->batches;
        context->batches = batch;
    }
}

static void end_batches(BlockContext *context)
{
    BlockBatch *batch;

    while ((batch = context->batches) != NULL) {
        context->batches = batch->next;
        batch->queued = false;
        batch->end(batch->opaque);
    }
}

/* What completions submit in turn goes to the kernel together. */
static bool run_ended(BlockContext *context)
{
    bool any;

    context->plugged++;
    any = ring_reap(context);
    any |= run_finished(context);
    end_batches(context);
    block_context_unplug(context);
    return any;
}

void block_context_wait(BlockContext *context)
{
    struct pollfd fds[2] = { { .fd = context->event_fd, .events = POLLIN } };
    unsigned n = 1;

    if (context->has_ring) {
        ring_flush(context);                    /* even while plugged: the wait is for these */
        fds[n++] = (struct pollfd){ .fd = ring_fd(context), .events = POLLIN };
    }
    if (!run_ended(context)) {
        poll(fds, n, ring_is_behind(context) ? 1 : -1);
        run_ended(context);
    }
}

static gboolean context_prepare(GSource *source, gint *timeout_ms)
{
    BlockContext *context = ((ContextSource *)source)->context;

    bool finished = has_finished(context);      /* first: its lock orders us behind the maker */

    *timeout_ms = ring_is_behind(context) ? 1 : -1;
    return finished || ring_has_cqe(context);
}

static gboolean context_check(GSource *source)
{
    BlockContext *context = ((ContextSource *)source)->context;

    return has_finished(context) || ring_has_cqe(context) || ring_is_behind(context);
}

static gboolean context_dispatch(GSource *source, GSourceFunc fn, gpointer opaque)
{
    run_ended(((ContextSource *)source)->context);
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs context_funcs = {
    .prepare = context_prepare, .check = context_check, .dispatch = context_dispatch,
};

/* ---- life ---- */

BlockContext *block_context_new(GMainContext *loop)
{
    BlockContext *context = g_new0(BlockContext, 1);

    context->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (context->event_fd < 0) {
        g_error("no event descriptor for disks: %s", g_strerror(errno));
    }
    context->loop = loop;
    g_mutex_init(&context->lock);
    context->finished_last = &context->finished;
    context->ending_last = &context->ending;
    ring_init(context);
    context->source = g_source_new(&context_funcs, sizeof(ContextSource));
    ((ContextSource *)context->source)->context = context;
    g_source_set_name(context->source, "block");
    g_source_add_unix_fd(context->source, context->event_fd, G_IO_IN);
    if (context->has_ring) {
        g_source_add_unix_fd(context->source, ring_fd(context), G_IO_IN);
    }
    g_mutex_lock(&context->lock);
    g_source_attach(context->source, loop);
    g_mutex_unlock(&context->lock);
    return context;
}

void block_context_free(BlockContext *context)
{
    if (context == NULL) {
        return;
    }
    g_source_destroy(context->source);
    g_source_unref(context->source);
    ring_finish(context);
    close(context->event_fd);
    g_mutex_clear(&context->lock);
    g_free(context);
}

static void free_of_iothread(void *context)
{
    block_context_free(context);
}

BlockContext *block_context_of(IoThread *iothread)
{
    if (iothread->block_context == NULL) {
        iothread->block_context = block_context_new(iothread->context);
        iothread->block_context_free = free_of_iothread;
    }
    return iothread->block_context;
}

BlockContext *block_context_main(void)
{
    static BlockContext *main_context;

    if (main_context == NULL) {
        main_context = block_context_new(NULL);
    }
    return main_context;
}
