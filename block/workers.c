/* Worker threads for what may block: started as needed, gone after a while without work. */
#include "context.h"

#define MAX_THREADS     64
#define IDLE_US         (5 * G_TIME_SPAN_SECOND)

static struct {
    GMutex lock;
    GCond wake;
    BlockWork *first, **last;
    unsigned threads, idle, queued;
} pool;

static BlockWork *take_work(void)
{
    gint64 until = g_get_monotonic_time() + IDLE_US;
    BlockWork *work;

    while (pool.first == NULL) {
        bool signalled;

        pool.idle++;
        signalled = g_cond_wait_until(&pool.wake, &pool.lock, until);
        pool.idle--;
        if (!signalled && pool.first == NULL) {
            return NULL;
        }
    }
    work = pool.first;
    pool.first = work->next;
    if (pool.first == NULL) {
        pool.last = &pool.first;
    }
    pool.queued--;
    return work;
}

static gpointer worker_main(gpointer opaque)
{
    BlockWork *work;

    g_mutex_lock(&pool.lock);
    while ((work = take_work()) != NULL) {
        g_mutex_unlock(&pool.lock);
        work->run(work);
        block_context_defer(work->context, work);
        g_mutex_lock(&pool.lock);
    }
    pool.threads--;
    g_mutex_unlock(&pool.lock);
    return NULL;
}

/* With the lock held: one more thread if those there are have enough to do. */
static void add_thread(void)
{
    GThread *thread;

    if (pool.queued <= pool.idle || pool.threads >= MAX_THREADS) {
        return;
    }
    thread = g_thread_try_new("block-worker", worker_main, NULL, NULL);
    if (thread != NULL) {
        pool.threads++;
        g_thread_unref(thread);
    }
}

void block_worker_start(BlockContext *context, BlockWork *work)
{
    bool queued;

    work->context = context;
    work->next = NULL;
    g_mutex_lock(&pool.lock);
    if (pool.last == NULL) {
        pool.last = &pool.first;
    }
    pool.queued++;
    add_thread();
    queued = pool.threads > 0;
    if (queued) {
        *pool.last = work;
        pool.last = &work->next;
        g_cond_signal(&pool.wake);
    } else {
        pool.queued--;
    }
    g_mutex_unlock(&pool.lock);
    if (!queued) {                              /* the host has no thread left for us */
        work->run(work);
        block_context_defer(context, work);
    }
}
