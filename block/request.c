/*
 * One request of a backend, from the root node to the kernel or a worker and back.
 *
 * A read or write is taken apart into parts by asking the drivers' map(): data in a descriptor goes
 * to io_uring, zeroes are filled in at once, everything else is a worker's.  A request of many
 * small extents leaves its rest to one worker.
 */
#include <errno.h>
#include <string.h>

#include "backend.h"

#define MAX_PARTS       16
#define MAX_LEVELS      8               /* of nodes between the root and the data */
#define OWN_IOV         8

typedef struct BlockIo BlockIo;

/* A map_end() to call when the transfer is over. */
typedef struct MapLevel {
    BlockNode *node;
    BlockExtent extent;
} MapLevel;

typedef struct BlockPart {
    BlockTransfer transfer;             /* first; its work also serves for a worker */
    BlockIo *io;
    struct BlockPart *next;
    BlockMapKind kind;
    BlockNode *node;                    /* whose offset it is */
    uint64_t skip, offset, len;         /* within the request; in the node */
    BlockGate *gate;                    /* shared until the end */
    MapLevel levels[MAX_LEVELS];
    unsigned n_levels;
    struct iovec own_iov[OWN_IOV], *heap_iov;
} BlockPart;

struct BlockIo {
    BlockWork work;                     /* for the whole request on a worker, and the end */
    BlockReq *req;
    BlockNode *root;
    unsigned pending;                   /* parts, and one while they are being made */
    int ret;
    bool flush_after, refused;
    BlockPart *parts;
    BlockPart first;                    /* most requests have one */
};

/* ---- ends ---- */

static void io_free(BlockIo *io)
{
    BlockPart *part;

    while ((part = io->parts) != NULL) {
        io->parts = part->next;
        g_free(part->heap_iov);
        if (part != &io->first) {
            g_free(part);
        }
    }
    g_free(io);
}

static void io_finished(BlockWork *work)
{
    BlockIo *io = (BlockIo *)work;
    BlockReq *req = io->req;
    int ret = io->ret;
    bool refused = io->refused;

    io_free(io);
    block_request_done(req, ret, refused);
}

static void io_run_flush(BlockWork *work)
{
    BlockIo *io = (BlockIo *)work;

    io->ret = block_node_flush(io->root);
}

/* A part ended, or all have been made. */
static void io_part_over(BlockIo *io)
{
    if (--io->pending > 0) {
        return;
    }
    if (io->ret == 0 && io->flush_after) {
        io->work.run = io_run_flush;
        io->work.finished = io_finished;
        block_worker_start(io->req->blk->context, &io->work);
        return;
    }
    io_finished(&io->work);
}

static void part_over(BlockPart *part, int ret)
{
    BlockIo *io = part->io;

    if (part->gate != NULL) {
        block_gate_unshare(part->gate);
        part->gate = NULL;
    }
    while (part->n_levels > 0) {
        MapLevel *level = &part->levels[--part->n_levels];

        level->node->driver->map_end(level->node, &level->extent);
    }
    if (ret < 0 && io->ret == 0) {
        io->ret = ret;
    }
    io_part_over(io);
}

/* ---- parts on workers ---- */

static void part_worker_finished(BlockWork *work)
{
    BlockPart *part = (BlockPart *)work;

    part_over(part, part->transfer.result);
}

static void part_run(BlockWork *work)
{
    BlockPart *part = (BlockPart *)work;
    BlockReq *req = part->io->req;
    const BlockTransfer *transfer = &part->transfer;

    if (req->op == BLOCK_READ) {
        part->transfer.result = block_node_preadv(part->node, part->offset, transfer->iov,
                                                  transfer->niov, part->len);
    } else {
        part->transfer.result = block_node_pwritev(part->node, part->offset, transfer->iov,
                                                   transfer->niov, part->len,
                                                   transfer->dsync ? BLOCK_REQ_FUA : 0);
    }
}

static void part_start_worker(BlockPart *part)
{
    part->transfer.work.run = part_run;
    part->transfer.work.finished = part_worker_finished;
    block_worker_start(part->io->req->blk->context, &part->transfer.work);
}

/* ---- parts in io_uring ---- */

static void part_set_iov(BlockPart *part, uint64_t skip, uint64_t len)
{
    const BlockReq *req = part->io->req;
    struct iovec *slice = part->own_iov;
    unsigned max = OWN_IOV;

    if (skip == 0 && len == req->len) {
        part->transfer.iov = req->iov;
        part->transfer.niov = req->niov;
        return;
    }
    if (req->niov > OWN_IOV) {
        max = req->niov;
        part->heap_iov = part->heap_iov != NULL ? part->heap_iov : g_new(struct iovec, max);
        slice = part->heap_iov;
    }
    part->transfer.niov = block_iov_slice(slice, max, req->iov, req->niov, skip, len);
    part->transfer.iov = slice;
}

/* A worker finds out whether the kernel means it, or could just not do it this way. */
static bool worth_another_way(int error)
{
    return error == -EAGAIN || error == -EINTR || error == -EINVAL || error == -EOPNOTSUPP ||
           error == -ECANCELED || error == -EBUSY || error == -ENOMEM;
}

static void part_ring_finished(BlockWork *work)
{
    BlockPart *part = (BlockPart *)work;
    int result = part->transfer.result;
    const BlockReq *req = part->io->req;

    if (result == (int64_t)part->len) {
        if (req->op == BLOCK_WRITE) {
            block_node_note_write(part->node, part->offset + part->len);
        }
        part_over(part, 0);
    } else if (result == 0 && req->op == BLOCK_READ) {          /* behind the file's end */
        block_iov_fill(req->iov, req->niov, part->skip, part->len);
        part_over(part, 0);
    } else if (result < 0 && !worth_another_way(result)) {
        part_over(part, result);
    } else {
        uint64_t done = MAX(result, 0);

        if (part->gate != NULL) {                       /* the worker passes it by itself */
            block_gate_unshare(part->gate);
            part->gate = NULL;
        }
        part->skip += done;
        part->offset += done;
        part->len -= done;
        part_set_iov(part, part->skip, part->len);
        part_start_worker(part);
    }
}

/* May this part go to the kernel as it is? */
static bool part_fits_ring(BlockPart *part)
{
    const BlockNode *node = part->node;
    BlockContext *context = part->io->req->blk->context;
    bool write = part->io->req->op == BLOCK_WRITE;

    if (!node->aio_uring || !block_context_has_ring(context) || part->len > INT32_MAX ||
        part->transfer.niov > 1024 ||
        ((part->offset | part->len) & (node->request_alignment - 1)) != 0 ||
        !block_iov_is_aligned(part->transfer.iov, part->transfer.niov, node->memory_alignment)) {
        return false;
    }
    if (write && (node->read_only || part->offset + part->len > block_node_size(node))) {
        return false;
    }
    if (write && node->gate != NULL) {
        if (!block_gate_try_share(node->gate)) {
            return false;
        }
        part->gate = node->gate;
    }
    return true;
}

static void part_start(BlockPart *part)
{
    BlockReq *req = part->io->req;

    part_set_iov(part, part->skip, part->len);
    if (part->kind == BLOCK_MAP_ZERO || part->kind == BLOCK_MAP_NOTHING) {
        if (part->kind == BLOCK_MAP_ZERO) {
            block_iov_fill(req->iov, req->niov, part->skip, part->len);
        }
        part_over(part, 0);
    } else if (part->kind == BLOCK_MAP_DATA && part_fits_ring(part)) {
        part->transfer.op = req->op == BLOCK_READ ? TRANSFER_READ : TRANSFER_WRITE;
        part->transfer.fd = part->node->driver->fd(part->node);
        part->transfer.offset = part->offset;
        part->transfer.work.finished = part_ring_finished;
        block_context_transfer(req->blk->context, &part->transfer);
    } else {
        part_start_worker(part);
    }
}

/* ---- where the data is ---- */

/*
 * One level down.  False: `part` says where the data is (kind DATA: in its node's descriptor) or
 * that a worker must look (SLOW).
 */
static bool step_down(BlockPart *part, bool write)
{
    BlockNode *node = part->node;
    BlockExtent extent = { .kind = BLOCK_MAP_SLOW, .len = part->len };

    if (node->driver->fd != NULL) {
        part->kind = BLOCK_MAP_DATA;
        return false;
    }
    part->kind = BLOCK_MAP_SLOW;
    if (node->driver->map == NULL || part->n_levels == MAX_LEVELS ||
        (write && (node->detect_zeroes || node->read_only))) {
        return false;
    }
    node->driver->map(node, write, part->offset, part->len, &extent);
    part->kind = extent.kind;
    if (extent.kind == BLOCK_MAP_SLOW) {
        return false;
    }
    g_assert(extent.len > 0 && extent.len <= part->len);
    part->len = extent.len;
    if (extent.kind != BLOCK_MAP_DATA) {
        return false;
    }
    if (node->driver->map_end != NULL) {
        part->levels[part->n_levels++] = (MapLevel){ node, extent };
    }
    part->node = extent.node;
    part->offset = extent.offset;
    return true;
}

/* A backing file may be shorter than what stands on it. */
static bool ends_early(BlockPart *part)
{
    uint64_t size = block_node_size(part->node);

    if (part->node->driver->growable) {
        return false;                           /* reads of files cope by themselves */
    }
    if (part->offset >= size) {
        part->kind = BLOCK_MAP_ZERO;
        return true;
    }
    part->len = MIN(part->len, size - part->offset);
    return false;
}

static void part_resolve(BlockPart *part, BlockNode *root, uint64_t offset)
{
    bool write = part->io->req->op == BLOCK_WRITE;
    unsigned depth = 0;

    part->node = root;
    part->offset = offset;
    while (depth++ < 2 * MAX_LEVELS && step_down(part, write)) {
        if (!write && ends_early(part)) {
            return;
        }
    }
    if (depth > 2 * MAX_LEVELS) {
        part->kind = BLOCK_MAP_SLOW;
    }
}

static BlockPart *part_new(BlockIo *io, uint64_t skip, uint64_t len)
{
    BlockPart *part = io->parts == NULL ? &io->first : g_new0(BlockPart, 1);

    part->io = io;
    part->skip = skip;
    part->len = len;
    part->next = io->parts;
    io->parts = part;
    io->pending++;
    return part;
}

/* ---- requests ---- */

/* Below `node`, only what a synced descriptor makes stable: its node; NULL otherwise. */
static BlockNode *plain_file(BlockNode *node)
{
    while (node->driver->fd == NULL && node->driver->flush == NULL && node->file != NULL) {
        node = node->file;
    }
    return node->driver->fd != NULL ? node : NULL;
}

static void start_transfer(BlockIo *io)
{
    BlockReq *req = io->req;
    bool fua = req->op == BLOCK_WRITE && (req->flags & BLOCK_REQ_FUA);
    BlockNode *plain = fua ? plain_file(io->root) : NULL;
    unsigned n = 0;

    io->flush_after = fua && plain == NULL;
    for (uint64_t skip = 0; skip < req->len; n++) {
        BlockPart *part = part_new(io, skip, req->len - skip);

        if (n < MAX_PARTS) {
            part_resolve(part, io->root, req->offset + skip);
        } else {
            part->node = io->root;
            part->offset = req->offset + skip;
            part->kind = BLOCK_MAP_SLOW;
        }
        part->transfer.dsync = plain != NULL && !plain->no_flush;
        skip += part->len;
        part_start(part);
    }
}

static void io_run(BlockWork *work)
{
    BlockIo *io = (BlockIo *)work;
    const BlockReq *req = io->req;

    switch (req->op) {
    case BLOCK_ZERO:
        io->ret = block_node_zero(io->root, req->offset, req->len, req->flags);
        break;
    case BLOCK_DISCARD:
        io->ret = block_node_discard(io->root, req->offset, req->len);
        break;
    default:
        io->ret = block_node_flush(io->root);
        break;
    }
}

static void flush_ring_finished(BlockWork *work)
{
    BlockIo *io = ((BlockPart *)work)->io;

    io->ret = MIN(((BlockPart *)work)->transfer.result, 0);
    io_finished(&io->work);
}

/* True: on its way as a sync of one descriptor. */
static bool start_ring_flush(BlockIo *io)
{
    BlockNode *plain = plain_file(io->root);
    BlockContext *context = io->req->blk->context;

    if (plain == NULL || plain->no_flush || !plain->aio_uring || !block_context_has_ring(context)) {
        return false;
    }
    io->first.io = io;
    io->first.transfer.op = TRANSFER_SYNC;
    io->first.transfer.fd = plain->driver->fd(plain);
    io->first.transfer.work.finished = flush_ring_finished;
    block_context_transfer(context, &io->first.transfer);
    return true;
}

static BlockIo *io_new(BlockReq *req)
{
    BlockIo *io = g_new0(BlockIo, 1);

    io->req = req;
    io->root = backend_node(req->blk);
    io->pending = 1;
    io->work.finished = io_finished;
    return io;
}

/* Parts may have ended already, but the answer never comes from within the question. */
static void io_made(BlockIo *io)
{
    if (io->pending == 1 && (io->ret < 0 || !io->flush_after)) {
        block_context_defer(io->req->blk->context, &io->work);
    } else {
        io_part_over(io);
    }
}

void block_request_start(BlockReq *req)
{
    BlockIo *io = io_new(req);

    if (req->op == BLOCK_READ || req->op == BLOCK_WRITE) {
        start_transfer(io);
        io_made(io);
    } else if (req->op != BLOCK_FLUSH || !start_ring_flush(io)) {
        io->work.run = io_run;
        block_worker_start(req->blk->context, &io->work);
    }
}

void block_request_defer(BlockReq *req, int ret)
{
    BlockIo *io = io_new(req);

    io->ret = ret;
    io->refused = true;
    block_context_defer(req->blk->context, &io->work);
}
