/* Requests of a backend: checks, statistics, and what is done about errors. */
#include <errno.h>
#include <string.h>

#include "backend.h"
#include "rhea_error.h"

static int64_t now_ns(void)
{
    return g_get_monotonic_time() * 1000;
}

/* ---- statistics ---- */

static void count(uint64_t *counter, uint64_t by)
{
    __atomic_fetch_add(counter, by, __ATOMIC_RELAXED);
}

static void account(BlockBackend *blk, const BlockReq *req, int ret, bool refused)
{
    int64_t now = now_ns();
    uint64_t end = req->offset + req->len;

    if (ret < 0) {
        if (!refused || blk->account_invalid) {
            __atomic_store_n(&blk->last_access_ns, now, __ATOMIC_RELAXED);
        }
        count(refused ? &blk->stats.invalid[req->op] : &blk->stats.failed[req->op], 1);
        return;
    }
    __atomic_store_n(&blk->last_access_ns, now, __ATOMIC_RELAXED);
    count(&blk->stats.bytes[req->op], req->len);
    count(&blk->stats.operations[req->op], 1);
    count(&blk->stats.time_ns[req->op], now - req->begin_ns);
    if ((req->op == BLOCK_WRITE || req->op == BLOCK_ZERO) &&
        end > __atomic_load_n(&blk->stats.write_highest_offset, __ATOMIC_RELAXED)) {
        __atomic_store_n(&blk->stats.write_highest_offset, end, __ATOMIC_RELAXED);
    }
}

const BlockStats *block_backend_stats(const BlockBackend *blk)
{
    BlockBackend *own = (BlockBackend *)blk;
    const uint64_t *from = (const uint64_t *)&blk->stats;
    uint64_t *to = (uint64_t *)&own->snapshot;

    G_STATIC_ASSERT(sizeof(BlockStats) % sizeof(uint64_t) == 0);
    for (size_t i = 0; i < sizeof(BlockStats) / sizeof(uint64_t); i++) {
        to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
    }
    return &own->snapshot;
}

int64_t block_backend_idle_ns(const BlockBackend *blk)
{
    int64_t last = __atomic_load_n(&blk->last_access_ns, __ATOMIC_RELAXED);

    return last != 0 ? now_ns() - last : 0;
}

/* ---- telling of errors ---- */

/* On its way to the main loop, which alone may emit. */
typedef struct ErrorReport {
    BlockWork work;
    Vm *vm;
    char *device, *node_name;
    bool read, nospace, stop;
    const char *action;
    int error;
} ErrorReport;

static void report_finished(BlockWork *work)
{
    ErrorReport *report = (ErrorReport *)work;
    VmEvent event = {
        .kind = VM_EVENT_BLOCK_IO_ERROR, .device = report->device,
        .node_name = report->node_name, .operation = report->read ? "read" : "write",
        .action = report->action, .nospace = report->nospace, .reason = g_strerror(report->error),
    };

    vm_emit(report->vm, &event);
    if (report->stop) {
        vm_request_stop(report->vm, RUN_STATE_IO_ERROR);
    }
    g_free(report->device);
    g_free(report->node_name);
    g_free(report);
}

static void report_error_of(BlockBackend *blk, const BlockReq *req, int error, const char *action)
{
    ErrorReport *report;

    if (blk->vm == NULL) {
        return;
    }
    report = g_new0(ErrorReport, 1);
    report->work.finished = report_finished;
    report->vm = blk->vm;
    report->device = g_strdup(blk->name);
    report->node_name = blk->use != NULL ? g_strdup(backend_node(blk)->name) : NULL;
    report->read = req->op == BLOCK_READ;
    report->nospace = error == ENOSPC;
    report->stop = g_str_equal(action, "stop");
    report->action = action;
    report->error = error;
    block_context_defer(block_context_main(), &report->work);
}

static BlockErrorPolicy policy_for(const BlockBackend *blk, const BlockReq *req, int error)
{
    BlockErrorPolicy policy = req->op == BLOCK_READ ? blk->rerror : blk->werror;

    if (policy == BLOCK_ERROR_AUTO) {
        policy = req->op == BLOCK_READ ? BLOCK_ERROR_REPORT : BLOCK_ERROR_ENOSPC;
    }
    if (policy == BLOCK_ERROR_ENOSPC) {
        policy = error == ENOSPC ? BLOCK_ERROR_STOP : BLOCK_ERROR_REPORT;
    }
    if (policy == BLOCK_ERROR_STOP && blk->vm == NULL) {
        policy = BLOCK_ERROR_REPORT;                    /* nothing to stop */
    }
    return policy;
}

static void note_status(BlockBackend *blk, int error)
{
    __atomic_store_n(&blk->io_status, error == ENOSPC ? BLOCK_IO_NOSPACE : BLOCK_IO_FAILED,
                     __ATOMIC_RELAXED);
}

/* ---- ends ---- */

void block_backend_enter(BlockBackend *blk)
{
    if (blk->context == block_context_main()) {
        blk->in_flight++;
        return;
    }
    g_mutex_lock(&blk->lock);
    blk->in_flight++;
    g_mutex_unlock(&blk->lock);
}

/* One less under way.  On an iothread the last may be waited for, to free the backend. */
static void wake_drain(BlockBackend *blk)
{
    if (blk->context == block_context_main()) {
        blk->in_flight--;
        return;
    }
    g_mutex_lock(&blk->lock);
    if (--blk->in_flight == 0) {
        g_cond_broadcast(&blk->idle);
    }
    g_mutex_unlock(&blk->lock);
}

static void park(BlockBackend *blk, BlockReq *req, int error)
{
    note_status(blk, error);
    g_mutex_lock(&blk->lock);
    block_req_list_add(&blk->parked, req);
    g_mutex_unlock(&blk->lock);
    report_error_of(blk, req, error, "stop");
}

/* True: the guest does not hear of it now. */
static bool handle_error(BlockBackend *blk, BlockReq *req, int *ret)
{
    int error = -*ret;

    switch (policy_for(blk, req, error)) {
    case BLOCK_ERROR_STOP:
        park(blk, req, error);
        return true;
    case BLOCK_ERROR_IGNORE:
        report_error_of(blk, req, error, "ignore");
        *ret = 0;
        return false;
    default:
        report_error_of(blk, req, error, "report");
        return false;
    }
}

void block_request_done(BlockReq *req, int ret, bool refused)
{
    BlockBackend *blk = req->blk;
    bool ours = blk->context == block_context_main(), tell;

    account(blk, req, ret, refused);
    tell = ret >= 0 || refused || ret == -ECANCELED || !handle_error(blk, req, &ret);
    if (ours) {
        wake_drain(blk);                /* the device may drain, even delete the drive */
    }
    if (tell) {
        req->done(req, ret);
    }
    if (!ours) {
        wake_drain(blk);                /* who waits for this thread waits for done(), too */
    }
}

/* ---- beginnings ---- */

static int check_request(const BlockBackend *blk, const BlockReq *req)
{
    BlockNode *node = backend_node(blk);
    uint64_t size = node != NULL ? block_node_size(node) : 0;

    if (node == NULL) {
        return -ENOMEDIUM;
    }
    if (req->op == BLOCK_FLUSH) {
        return 0;
    }
    if (req->op != BLOCK_READ && (blk->read_only || node->read_only)) {
        return -EPERM;
    }
    if (req->offset > size || req->len > size - req->offset ||
        ((req->op == BLOCK_READ || req->op == BLOCK_WRITE) && req->len > BLOCK_MAX_REQUEST)) {
        return -EINVAL;
    }
    return 0;
}

void block_request_begin(BlockReq *req)
{
    int ret = check_request(req->blk, req);

    if (ret < 0) {
        block_request_defer(req, ret);
    } else {
        block_request_start(req);
    }
}

/* True: the request begins later. */
static bool hold(BlockBackend *blk, BlockReq *req)
{
    bool held;

    g_mutex_lock(&blk->lock);
    held = blk->hold & BLOCK_HOLD_QUIET;
    if (held) {
        block_req_list_add(&blk->held, req);
    }
    g_mutex_unlock(&blk->lock);
    return held || (blk->throttle != NULL && block_throttle_take(blk, req));
}

void block_submit(BlockBackend *blk, BlockReq *req)
{
    req->blk = blk;
    req->begin_ns = now_ns();
    if ((req->op == BLOCK_WRITE || req->op == BLOCK_ZERO) && !blk->write_cache) {
        req->flags |= BLOCK_REQ_FUA;
    }
    if (G_UNLIKELY(__atomic_load_n(&blk->hold, __ATOMIC_RELAXED) != 0) && hold(blk, req)) {
        return;
    }
    block_backend_enter(blk);
    block_request_begin(req);
}

void block_plug(BlockBackend *blk)
{
    block_context_plug(blk->context);
}

void block_unplug(BlockBackend *blk)
{
    block_context_unplug(blk->context);
}

void block_batch_add(BlockBackend *blk, BlockBatch *batch)
{
    block_context_batch(blk->context, batch);
}

/* ---- parked and held requests ---- */

static BlockReq *take_list(BlockBackend *blk, BlockReqList *list)
{
    BlockReq *first;

    g_mutex_lock(&blk->lock);
    first = list->first;
    block_req_list_init(list);
    g_mutex_unlock(&blk->lock);
    return first;
}

typedef struct ListWork {
    BlockWork work;
    BlockBackend *blk;
    BlockReqList *list;                 /* of the backend */
    bool drop;
} ListWork;

static void list_finished(BlockWork *work)
{
    ListWork *own = (ListWork *)work;
    BlockBackend *blk = own->blk;
    BlockReq *list = take_list(blk, own->list), *req;

    block_context_plug(blk->context);
    while ((req = list) != NULL) {
        list = req->next;
        if (own->drop) {
            req->done(req, -ECANCELED);
        } else {
            block_backend_enter(blk);
            block_request_begin(req);
        }
    }
    block_context_unplug(blk->context);
    g_free(own);
    wake_drain(blk);
}

/* On the context's thread, which a drain waits for like for a request. */
static void post_list(BlockBackend *blk, BlockReqList *list, bool drop)
{
    ListWork *work;
    bool any;

    g_mutex_lock(&blk->lock);
    any = list->first != NULL;
    g_mutex_unlock(&blk->lock);
    if (!any) {
        return;
    }
    work = g_new0(ListWork, 1);
    work->work.finished = list_finished;
    work->blk = blk;
    work->list = list;
    work->drop = drop;
    block_backend_enter(blk);
    block_context_defer(blk->context, &work->work);
}

static void set_hold(BlockBackend *blk, unsigned flag, bool on)
{
    unsigned flags;

    g_mutex_lock(&blk->lock);
    flags = on ? blk->hold | flag : blk->hold & ~flag;
    __atomic_store_n(&blk->hold, flags, __ATOMIC_RELAXED);
    g_mutex_unlock(&blk->lock);
}

void block_backend_set_throttled(BlockBackend *blk, bool on)
{
    set_hold(blk, BLOCK_HOLD_THROTTLE, on);
}

void block_backend_hold(BlockBackend *blk)
{
    set_hold(blk, BLOCK_HOLD_QUIET, true);
}

void block_backend_unhold(BlockBackend *blk)
{
    set_hold(blk, BLOCK_HOLD_QUIET, false);
    post_list(blk, &blk->held, false);
}

void block_backend_resume(BlockBackend *blk)
{
    __atomic_store_n(&blk->io_status, BLOCK_IO_OK, __ATOMIC_RELAXED);
    post_list(blk, &blk->parked, false);
}

void block_drop_parked(BlockBackend *blk)
{
    post_list(blk, &blk->parked, true);
    block_drain(blk);
}

/* ---- draining ---- */

bool block_backend_is_busy(BlockBackend *blk)
{
    bool busy;

    g_mutex_lock(&blk->lock);
    busy = blk->in_flight > 0;
    g_mutex_unlock(&blk->lock);
    return busy;
}

static void drain_other_thread(BlockBackend *blk)
{
    g_mutex_lock(&blk->lock);
    while (blk->in_flight > 0) {
        g_cond_wait(&blk->idle, &blk->lock);
    }
    g_mutex_unlock(&blk->lock);
}

void block_drain(BlockBackend *blk)
{
    block_throttle_bypass(blk, true);
    if (blk->context != block_context_main()) {
        drain_other_thread(blk);
    } else {
        while (blk->in_flight > 0) {
            block_context_wait(blk->context);
        }
    }
    block_throttle_bypass(blk, false);
}

void block_drain_all(void)
{
    for (guint i = 0; i < block_backends()->len; i++) {
        block_drain(g_ptr_array_index(block_backends(), i));
    }
}

/* ---- blocking ---- */

int block_pread(BlockBackend *blk, uint64_t offset, void *buf, uint64_t len)
{
    BlockNode *node = backend_node(blk);

    return node != NULL ? block_node_pread(node, offset, buf, len) : -ENOMEDIUM;
}

int block_pwrite(BlockBackend *blk, uint64_t offset, const void *buf, uint64_t len, unsigned flags)
{
    BlockNode *node = backend_node(blk);
    struct iovec iov = { (void *)buf, len };

    return node != NULL ? block_node_pwritev(node, offset, &iov, 1, len, flags) : -ENOMEDIUM;
}

int block_flush(BlockBackend *blk)
{
    BlockNode *node = backend_node(blk);

    return node != NULL ? block_node_flush(node) : -ENOMEDIUM;
}
