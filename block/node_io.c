/* Blocking access to nodes: bounds, alignment, and what a driver leaves to others. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block_internal.h"
#include "rhea_error.h"
#include "sizes.h"

#define BOUNCE_BYTES    MIB             /* copied at a time */

void *block_alloc_aligned(const BlockNode *node, size_t len)
{
    void *buf = NULL;
    size_t alignment = MAX(MAX(node->memory_alignment, node->request_alignment), sizeof(void *));

    return posix_memalign(&buf, alignment, MAX(len, 1)) == 0 ? buf : NULL;
}

static bool in_bounds(const BlockNode *node, uint64_t offset, uint64_t len)
{
    uint64_t size = node->driver->growable ? INT64_MAX : block_node_size(node);

    return len <= BLOCK_MAX_REQUEST && offset <= size && len <= size - offset;
}

static bool is_multiple(const BlockNode *node, uint64_t offset, uint64_t len)
{
    return ((offset | len) & (node->request_alignment - 1)) == 0;
}

/* ---- reading ---- */

/* Aligned and bounced: whole blocks around the range, a piece at a time. */
static int read_bounced(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                        uint64_t len)
{
    uint64_t mask = node->request_alignment - 1, done = 0;
    char *buf = block_alloc_aligned(node, BOUNCE_BYTES + 2 * (mask + 1));
    g_autofree struct iovec *slice = g_new(struct iovec, niov);
    int ret = buf != NULL ? 0 : -ENOMEM;

    while (ret >= 0 && done < len) {
        uint64_t at = offset + done, start = at & ~mask, take = MIN(len - done, BOUNCE_BYTES);
        uint64_t end = (at + take + mask) & ~mask;
        struct iovec whole = { buf, end - start };
        unsigned n = block_iov_slice(slice, niov, iov, niov, done, take);

        ret = node->driver->pread(node, start, &whole, 1, end - start);
        block_iov_from_buf(slice, n, buf + (at - start), ret >= 0 ? take : 0);
        done += take;
    }
    free(buf);
    return ret;
}

/* The part of a growable node behind its end. */
static int read_past_end(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                         uint64_t len)
{
    uint64_t inside = block_node_size(node) - MIN(offset, block_node_size(node));
    g_autofree struct iovec *slice = g_new(struct iovec, niov);

    block_iov_fill(iov, niov, inside, len - inside);
    if (inside == 0) {
        return 0;
    }
    return block_node_preadv(node, offset, slice,
                             block_iov_slice(slice, niov, iov, niov, 0, inside), inside);
}

int block_node_preadv(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                      uint64_t len)
{
    if (!in_bounds(node, offset, len)) {
        return -EINVAL;
    }
    if (len == 0) {
        return 0;
    }
    if (node->driver->growable &&
        (offset > block_node_size(node) || len > block_node_size(node) - offset)) {
        return read_past_end(node, offset, iov, niov, len);
    }
    if (!is_multiple(node, offset, len) ||
        !block_iov_is_aligned(iov, niov, node->memory_alignment)) {
        return read_bounced(node, offset, iov, niov, len);
    }
    return node->driver->pread(node, offset, iov, niov, len);
}

int block_node_pread(BlockNode *node, uint64_t offset, void *buf, uint64_t len)
{
    return block_node_preadv(node, offset, &(struct iovec){ buf, len }, 1, len);
}

/* ---- writing ---- */

void block_node_note_write(BlockNode *node, uint64_t end)
{
    uint64_t seen = __atomic_load_n(&node->write_highest_offset, __ATOMIC_RELAXED);
    uint64_t threshold = __atomic_load_n(&node->write_threshold, __ATOMIC_RELAXED);

    if (G_UNLIKELY(threshold != 0 && end > threshold)) {
        block_write_threshold_passed(node, threshold, end);
    }
    while (seen < end &&
           !__atomic_compare_exchange_n(&node->write_highest_offset, &seen, end, true,
                                        __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        continue;
    }
}

static int driver_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                         uint64_t len, unsigned flags)
{
    unsigned native = node->driver->fua ? flags : flags & ~BLOCK_REQ_FUA;
    int ret = node->driver->pwrite(node, offset, iov, niov, len, native);

    if (ret >= 0 && node->driver->protocol) {
        block_node_note_write(node, offset + len);
    }
    return ret >= 0 && native != flags ? block_node_flush(node) : ret;
}

/* Reads the blocks that the range [at, at + take) fills only in part. */
static int read_edges(BlockNode *node, char *buf, uint64_t start, uint64_t end, uint64_t at,
                      uint64_t take)
{
    uint64_t block = node->request_alignment;
    int ret = 0;

    if (at != start) {
        ret = block_node_pread(node, start, buf, block);
    }
    if (ret >= 0 && at + take != end && (end - block != start || at == start)) {
        ret = block_node_pread(node, end - block, buf + (end - block - start), block);
    }
    return ret;
}

/* One piece of a bounced write. A file keeps its length if only padding went past its end. */
static int write_piece(BlockNode *node, char *buf, uint64_t at, const struct iovec *iov,
                       unsigned niov, uint64_t take, unsigned flags)
{
    uint64_t mask = node->request_alignment - 1;
    uint64_t start = at & ~mask, end = (at + take + mask) & ~mask;
    uint64_t length = MAX(block_node_size(node), at + take);
    struct iovec whole = { buf, end - start };
    g_autoptr(GError) error = NULL;
    int ret = read_edges(node, buf, start, end, at, take);

    if (ret >= 0) {
        block_iov_to_buf(iov, niov, buf + (at - start), take);
        ret = driver_pwrite(node, start, &whole, 1, end - start, flags);
    }
    if (ret >= 0 && end > length && node->driver->truncate != NULL && node->driver->growable &&
        !node->driver->truncate(node, length, BLOCK_PREALLOC_OFF, &error)) {
        return -EIO;
    }
    return ret;
}

static int write_bounced(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                         uint64_t len, unsigned flags)
{
    char *buf = block_alloc_aligned(node, BOUNCE_BYTES + 2 * (size_t)node->request_alignment);
    g_autofree struct iovec *slice = g_new(struct iovec, niov);
    uint64_t done = 0;
    int ret = buf != NULL ? 0 : -ENOMEM;

    while (ret >= 0 && done < len) {
        uint64_t take = MIN(len - done, BOUNCE_BYTES);
        unsigned n = block_iov_slice(slice, niov, iov, niov, done, take);

        ret = write_piece(node, buf, offset + done, slice, n, take, flags);
        done += take;
    }
    free(buf);
    return ret;
}

/* With alignment to keep: aligned writers together, one that patches a block alone. */
static int write_gated(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                       uint64_t len, unsigned flags)
{
    bool alone = !is_multiple(node, offset, len);
    int ret;

    if (node->gate != NULL) {
        (alone ? block_gate_enter : block_gate_share)(node->gate);
    }
    if (alone || !block_iov_is_aligned(iov, niov, node->memory_alignment)) {
        ret = write_bounced(node, offset, iov, niov, len, flags);
    } else {
        ret = driver_pwrite(node, offset, iov, niov, len, flags);
    }
    if (node->gate != NULL) {
        (alone ? block_gate_leave : block_gate_unshare)(node->gate);
    }
    return ret;
}

int block_node_pwritev(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                       uint64_t len, unsigned flags)
{
    if (node->read_only) {
        return -EPERM;
    }
    if (!in_bounds(node, offset, len) || node->driver->pwrite == NULL) {
        return -EINVAL;
    }
    if (len == 0) {
        return flags & BLOCK_REQ_FUA ? block_node_flush(node) : 0;
    }
    if (node->detect_zeroes && block_iov_is_zero(iov, niov)) {
        return block_node_zero(node, offset, len,
                               flags | (node->detect_zeroes_unmap ? BLOCK_REQ_MAY_UNMAP : 0));
    }
    return write_gated(node, offset, iov, niov, len, flags);
}

int block_node_pwrite(BlockNode *node, uint64_t offset, const void *buf, uint64_t len)
{
    return block_node_pwritev(node, offset, &(struct iovec){ (void *)buf, len }, 1, len, 0);
}

/* ---- zeroes and holes ---- */

static int write_zeroes(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    uint64_t piece = MIN(len, BOUNCE_BYTES), done = 0;
    void *buf = block_alloc_aligned(node, piece);
    int ret = 0;

    if (buf == NULL) {
        return -ENOMEM;
    }
    memset(buf, 0, piece);
    while (ret >= 0 && done < len) {
        struct iovec iov = { buf, MIN(piece, len - done) };

        ret = write_gated(node, offset + done, &iov, 1, iov.iov_len, flags & BLOCK_REQ_FUA);
        done += iov.iov_len;
    }
    free(buf);
    return ret;
}

/* The middle of the range, in whole blocks and of a size the driver takes. */
static int driver_zero(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    uint64_t most = node->max_zero != 0 ? node->max_zero & ~(uint64_t)(node->request_alignment - 1)
                                        : len;
    unsigned native = node->driver->fua ? flags : flags & ~BLOCK_REQ_FUA;

    for (uint64_t done = 0; done < len;) {
        uint64_t take = MIN(most, len - done);
        int ret = node->driver->zero != NULL
                      ? node->driver->zero(node, offset + done, take, native) : -ENOTSUP;

        if (ret == -ENOTSUP && !(flags & BLOCK_REQ_NO_FALLBACK)) {
            ret = write_zeroes(node, offset + done, take, native);
        }
        if (ret < 0) {
            return ret;
        }
        done += take;
    }
    return native != flags ? block_node_flush(node) : 0;
}

int block_node_zero(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    uint64_t mask = node->request_alignment - 1;
    uint64_t start = (offset + mask) & ~mask, end = (offset + len) & ~mask;
    uint64_t size = node->driver->growable ? INT64_MAX : block_node_size(node);
    int ret;

    if (node->read_only) {
        return -EPERM;
    }
    if (offset > size || len > size - offset || node->driver->pwrite == NULL) {
        return -EINVAL;
    }
    if (!node->discard_enabled && !node->detect_zeroes_unmap) {
        flags &= ~BLOCK_REQ_MAY_UNMAP;
    }
    if (start >= end) {
        return flags & BLOCK_REQ_NO_FALLBACK && len > 0 ? -ENOTSUP :
               write_zeroes(node, offset, len, flags);
    }
    if (start > offset && (ret = write_zeroes(node, offset, start - offset, flags)) < 0) {
        return ret;
    }
    if (offset + len > end && (ret = write_zeroes(node, end, offset + len - end, flags)) < 0) {
        return ret;
    }
    return driver_zero(node, start, end - start, flags);
}

int block_node_discard(BlockNode *node, uint64_t offset, uint64_t len)
{
    uint64_t step = MAX(MAX(node->discard_alignment, node->request_alignment), 1);
    uint64_t size = block_node_size(node), start, end;
    int ret;

    if (node->read_only) {
        return -EPERM;
    }
    if (offset > size || len > size - offset) {
        return -EINVAL;
    }
    if (!node->discard_enabled || node->driver->discard == NULL) {
        return 0;
    }
    start = (offset + step - 1) / step * step;
    end = offset + len == size && !node->driver->growable ? size : (offset + len) / step * step;
    if (start >= end) {
        return 0;
    }
    ret = node->driver->discard(node, start, end - start);
    return ret == -ENOTSUP ? 0 : ret;
}

int block_node_flush(BlockNode *node)
{
    if (node->driver->flush != NULL) {
        return node->driver->protocol && node->no_flush ? 0 : node->driver->flush(node);
    }
    return node->file != NULL ? block_node_flush(node->file) : 0;
}

/* ---- status ---- */

static int driver_status(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status)
{
    if (node->driver->status != NULL) {
        return node->driver->status(node, offset, len, status);
    }
    status->flags = BLOCK_STATUS_DATA | BLOCK_STATUS_ALLOCATED;
    if (node->driver->protocol) {
        status->flags |= BLOCK_STATUS_OFFSET;
        status->offset = offset;
        status->file = node;
    }
    status->len = len;
    return 0;
}

int block_node_status(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status)
{
    uint64_t size = block_node_size(node);
    int ret;

    *status = (BlockStatus){ 0 };
    if (offset >= size) {
        status->flags = BLOCK_STATUS_ZERO | (node->driver->protocol ? BLOCK_STATUS_ALLOCATED : 0);
        status->len = len;
        return 0;
    }
    len = MIN(len, size - offset);
    ret = driver_status(node, offset, len, status);
    if (ret < 0) {
        return ret;
    }
    status->len = MIN(MAX(status->len, 1), len);
    if ((status->flags & BLOCK_STATUS_DATA) && (status->flags & BLOCK_STATUS_OFFSET) &&
        !(status->flags & BLOCK_STATUS_ZERO) && status->file != NULL && !node->driver->filter &&
        status->file != node) {
        BlockStatus below;

        /* an allocated cluster may still be a hole of the image file */
        if (block_node_status(status->file, status->offset, status->len, &below) >= 0 &&
            (below.flags & BLOCK_STATUS_ZERO) && below.len >= status->len) {
            status->flags |= BLOCK_STATUS_ZERO;
        }
    }
    return 0;
}

int block_node_status_above(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status,
                            unsigned *depth)
{
    uint64_t most = len;

    for (*depth = 0;; ++*depth) {
        int ret;

        if (offset >= block_node_size(node)) {          /* shorter than what stands on it */
            *status = (BlockStatus){ .flags = BLOCK_STATUS_ZERO, .len = most };
            return 0;
        }
        ret = block_node_status(node, offset, most, status);
        if (ret < 0) {
            return ret;
        }
        most = status->len;
        if (status->flags & BLOCK_STATUS_ALLOCATED) {
            return 0;
        }
        if (node->backing == NULL) {
            status->flags |= BLOCK_STATUS_ZERO;
            return 0;
        }
        node = node->backing;
    }
}

/* ---- size ---- */

bool block_node_truncate(BlockNode *node, uint64_t size, BlockPrealloc prealloc, GError **error)
{
    if (node->read_only) {
        set_error(error, "Block node is read-only");
        return false;
    }
    if (size > INT64_MAX - BLOCK_SECTOR_SIZE) {
        set_error(error,
                  "Required too big image size, it must be not greater than %" G_GINT64_FORMAT,
                  INT64_MAX - BLOCK_SECTOR_SIZE);
        return false;
    }
    if (node->driver->truncate == NULL) {
        set_error(error, "Image format driver does not support resize");
        return false;
    }
    if (!node->driver->truncate(node, size, prealloc, error)) {
        return false;
    }
    __atomic_store_n(&node->size_bytes, size, __ATOMIC_RELAXED);
    return true;
}

uint64_t block_node_allocated_bytes(BlockNode *node)
{
    if (node->driver->allocated_bytes != NULL) {
        return node->driver->allocated_bytes(node);
    }
    return node->file != NULL ? block_node_allocated_bytes(node->file) : UINT64_MAX;
}

void block_info_clear(BlockInfo *info)
{
    for (guint i = 0; info->snapshots != NULL && i < info->snapshots->len; i++) {
        BlockSnapshotInfo *snapshot = &g_array_index(info->snapshots, BlockSnapshotInfo, i);

        g_free(snapshot->id);
        g_free(snapshot->name);
    }
    g_clear_pointer(&info->snapshots, g_array_unref);
    g_clear_pointer(&info->specific, g_ptr_array_unref);
}
