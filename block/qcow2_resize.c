/* qcow2: another disk size, and preallocation. */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"
#include "rhea_error.h"

/* Reserves or fills what was allocated; `metadata` leaves it a hole. */
static int settle_data(Qcow2 *q, uint64_t offset, uint64_t len, bool fresh, BlockPrealloc prealloc)
{
    switch (prealloc) {
    case BLOCK_PREALLOC_FALLOC:
        return block_node_zero(q->node.file, offset, len, 0);
    case BLOCK_PREALLOC_FULL:
        return qcow2_file_clear(q, offset, len, false);
    default:
        return qcow2_file_clear(q, offset, len, fresh);
    }
}

static uint64_t count_empty(Qcow2 *q, uint64_t first, uint64_t max)
{
    uint64_t n = 0, entry;

    while (n < max && qcow2_l2_get(q, first + n, &entry) == 0 &&
           qcow2_kind(q, entry) == QCOW2_KIND_NONE) {
        n++;
    }
    return n;
}

/* Places for empty guest clusters from `first` on, as many as come in one run; lock held. */
static int preallocate_some(Qcow2 *q, uint64_t first, uint64_t max, BlockPrealloc prealloc,
                            uint64_t *done)
{
    uint64_t want = count_empty(q, first, max), cluster, n;
    bool fresh;
    int ret = qcow2_mark_dirty(q);

    *done = MAX(want, 1);
    if (want == 0 || ret < 0) {
        return ret;
    }
    ret = qcow2_l2_make(q, first);
    if (ret == 0) {
        ret = qcow2_alloc(q, want, 1, &cluster, &n, &fresh);
    }
    if (ret < 0) {
        return ret;
    }
    *done = n;
    ret = settle_data(q, cluster << q->cluster_bits, n << q->cluster_bits, fresh, prealloc);
    q->counts_unsynced = true;
    for (uint64_t i = 0; i < n && ret == 0; i++) {
        ret = qcow2_l2_set(q, first + i, (cluster + i) << q->cluster_bits | QCOW2_COPIED);
    }
    return ret;
}

bool qcow2_preallocate(Qcow2 *q, uint64_t from, uint64_t to, BlockPrealloc prealloc, GError **error)
{
    uint64_t first = qcow2_clusters(q, from), end = qcow2_clusters(q, to), done = 0;
    int ret = 0;

    for (; first < end && ret == 0; first += done) {
        uint64_t max = MIN(end - first, q->l2_entries - (first & (q->l2_entries - 1)));

        g_mutex_lock(&q->lock);
        ret = preallocate_some(q, first, max, prealloc, &done);
        g_mutex_unlock(&q->lock);
    }
    if (ret == 0) {
        ret = qcow2_flush(&q->node);
    }
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not preallocate metadata");
    }
    return ret == 0;
}

static int set_size(Qcow2 *q, uint64_t size)
{
    uint64_t old = q->header.size;
    int ret = qcow2_settle(q);

    if (ret == 0) {
        q->header.size = size;
        ret = qcow2_header_write_fields(q);
    }
    if (ret < 0) {
        q->header.size = old;
    }
    return ret;
}

/* What lies behind the old end reads as zeroes, whatever the last cluster or a backing holds. */
static int clear_new_part(Qcow2 *q, uint64_t old, uint64_t size)
{
    uint64_t end = MIN(ROUND_UP(old, q->cluster_size), size);

    if (q->node.backing != NULL) {
        end = MAX(end, MIN(size, block_node_size(q->node.backing)));
    }
    return end > old ? qcow2_zero(&q->node, old, end - old, 0) : 0;
}

static bool grow(Qcow2 *q, uint64_t size, BlockPrealloc prealloc, GError **error)
{
    uint64_t old = q->header.size, per_entry = (uint64_t)q->cluster_size << q->l2_bits;
    int ret;

    if (prealloc != BLOCK_PREALLOC_OFF && q->node.backing != NULL) {
        set_error(error, "Cannot use preallocation with a backing file");
        return false;
    }
    g_mutex_lock(&q->lock);
    ret = qcow2_l1_grow(q, size / per_entry + (size % per_entry != 0));
    if (ret == 0) {
        ret = set_size(q, size);
    }
    g_mutex_unlock(&q->lock);
    if (ret == 0) {
        __atomic_store_n(&q->node.size_bytes, size, __ATOMIC_RELAXED);
        ret = clear_new_part(q, old, size);
    }
    if (ret < 0) {
        set_errno_error(error, -ret, "Failed to resize the image");
        return false;
    }
    return prealloc == BLOCK_PREALLOC_OFF || qcow2_preallocate(q, old, size, prealloc, error);
}

/* L2 tables that describe nothing any more. */
static void drop_tables(Qcow2 *q, uint64_t size)
{
    uint64_t per_entry = (uint64_t)q->cluster_size << q->l2_bits;

    for (uint64_t i = size / per_entry + (size % per_entry != 0); i < q->l1_entries; i++) {
        uint64_t table = q->l1[i] & QCOW2_OFFSET_MASK;

        if (table != 0) {
            qcow2_l1_set(q, i, 0);
            qcow2_cache_drop(&q->l2, table, q->cluster_size);
            qcow2_metadata_remove(q, table, q->cluster_size);
            qcow2_free_later(q, table >> q->cluster_bits, 1, false);
        }
    }
}

/* Cuts off the free clusters at the end of the file. */
static void cut_file(Qcow2 *q)
{
    BlockNode *file = q->node.file;
    uint64_t end = qcow2_clusters(q, block_node_size(file)), count = 0;

    while (end > 0 && qcow2_refcount_get(q, end - 1, &count) == 0 && count == 0) {
        end--;
    }
    if (file->driver->growable && end << q->cluster_bits < block_node_size(file) &&
        block_node_truncate(file, end << q->cluster_bits, BLOCK_PREALLOC_OFF, NULL)) {
        q->fresh_from = end << q->cluster_bits;
    }
}

static int shrink_locked(Qcow2 *q, uint64_t size)
{
    uint64_t first = qcow2_clusters(q, size), end = qcow2_clusters(q, q->header.size);
    int ret = qcow2_unmap(q, first, end - first, true);

    if (ret == 0) {
        drop_tables(q, size);
        ret = set_size(q, size);
    }
    if (ret == 0) {
        ret = qcow2_settle(q);
    }
    if (ret == 0) {
        cut_file(q);
    }
    return ret;
}

static bool shrink(Qcow2 *q, uint64_t size, BlockPrealloc prealloc, GError **error)
{
    int ret;

    if (prealloc != BLOCK_PREALLOC_OFF) {
        set_error(error, "Preallocation can't be used for shrinking an image");
        return false;
    }
    g_mutex_lock(&q->lock);
    ret = shrink_locked(q, size);
    g_mutex_unlock(&q->lock);
    if (ret < 0) {
        set_errno_error(error, -ret, "Failed to discard cropped clusters");
    }
    return ret == 0;
}

bool qcow2_truncate(BlockNode *node, uint64_t size, BlockPrealloc prealloc, GError **error)
{
    Qcow2 *q = (Qcow2 *)node;

    if (size % BLOCK_SECTOR_SIZE != 0) {
        set_error(error, "The new size must be a multiple of %u", BLOCK_SECTOR_SIZE);
        return false;
    }
    if (q->snapshots->len > 0 && q->header.version < 3) {
        set_error(error, "Can't resize a v2 image which has snapshots");
        return false;
    }
    if (qcow2_writable(q) < 0) {
        set_error(error, "The image cannot be written");
        return false;
    }
    return size < q->header.size ? shrink(q, size, prealloc, error)
                                 : size == q->header.size || grow(q, size, prealloc, error);
}
