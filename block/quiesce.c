/*
 * A pause of all requests, for changes of the graph under a running guest.
 *
 * What is submitted from the beginning on is held; what was under way is waited for.  An iothread
 * drains its own backends and then waits in its loop until the change is over.
 */
#include "backend.h"

typedef struct Rester {
    BlockWork work;                     /* runs on the context's thread */
    BlockContext *context;
} Rester;

static struct {
    unsigned depth;                     /* main thread; begin and end nest */
    GPtrArray *resters;                 /* Rester *, one for each context but the main one */
    GMutex lock;                        /* guards the rest */
    GCond changed;
    unsigned resting;
    bool over;
} pause_;

static bool context_is_busy(const BlockContext *context)
{
    for (guint i = 0; i < block_backends()->len; i++) {
        BlockBackend *blk = g_ptr_array_index(block_backends(), i);

        if (blk->context == context && block_backend_is_busy(blk)) {
            return true;
        }
    }
    return false;
}

static void drain_context(BlockContext *context)
{
    while (context_is_busy(context)) {
        block_context_wait(context);
    }
}

/* On the iothread. */
static void rest(BlockWork *work)
{
    drain_context(((Rester *)work)->context);
    g_mutex_lock(&pause_.lock);
    pause_.resting++;
    g_cond_broadcast(&pause_.changed);
    while (!pause_.over) {
        g_cond_wait(&pause_.changed, &pause_.lock);
    }
    pause_.resting--;
    g_cond_broadcast(&pause_.changed);
    g_mutex_unlock(&pause_.lock);
}

static void wait_for_resting(unsigned n)
{
    while (pause_.resting != n) {
        g_cond_wait(&pause_.changed, &pause_.lock);
    }
}

static bool is_asked(const BlockContext *context)
{
    for (guint i = 0; i < pause_.resters->len; i++) {
        if (((Rester *)g_ptr_array_index(pause_.resters, i))->context == context) {
            return true;
        }
    }
    return false;
}

static void ask_iothreads(void)
{
    pause_.resters = g_ptr_array_new_with_free_func(g_free);
    pause_.over = false;
    for (guint i = 0; i < block_backends()->len; i++) {
        BlockBackend *blk = g_ptr_array_index(block_backends(), i);
        Rester *rester;

        if (blk->context == block_context_main() || is_asked(blk->context)) {
            continue;
        }
        rester = g_new0(Rester, 1);
        rester->context = blk->context;
        rester->work.finished = rest;
        g_ptr_array_add(pause_.resters, rester);
        block_context_defer(blk->context, &rester->work);
    }
    g_mutex_lock(&pause_.lock);
    wait_for_resting(pause_.resters->len);
    g_mutex_unlock(&pause_.lock);
}

void block_quiesce_begin(void)
{
    if (pause_.depth++ > 0) {
        return;
    }
    for (guint i = 0; i < block_backends()->len; i++) {
        BlockBackend *blk = g_ptr_array_index(block_backends(), i);

        block_backend_hold(blk);
        block_throttle_bypass(blk, true);
    }
    ask_iothreads();
    drain_context(block_context_main());
}

void block_quiesce_end(void)
{
    g_assert(pause_.depth > 0);
    if (--pause_.depth > 0) {
        return;
    }
    g_mutex_lock(&pause_.lock);
    pause_.over = true;
    g_cond_broadcast(&pause_.changed);
    wait_for_resting(0);
    g_mutex_unlock(&pause_.lock);
    g_clear_pointer(&pause_.resters, g_ptr_array_unref);
    for (guint i = 0; i < block_backends()->len; i++) {
        BlockBackend *blk = g_ptr_array_index(block_backends(), i);

        block_throttle_bypass(blk, false);
        block_backend_unhold(blk);
    }
}
