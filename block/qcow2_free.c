/*
 * qcow2: in which order tables reach the disk, and when a cluster given up may be used again.
 *
 * A cluster that a table stopped referring to goes through `frees` (until the changed table is on
 * stable storage) and `frees_waiting` (until every transfer that may still use the old mapping is
 * over), and only then loses its count.  Transfers are counted in one of two generations; a batch
 * of frees waits for the generation that was current when it became stable.
 */
#include <errno.h>

#include "qcow2_internal.h"

unsigned qcow2_transfer_begin(Qcow2 *q)
{
    unsigned generation;

    g_mutex_lock(&q->map_lock);
    generation = q->generation;
    q->transfers[generation]++;
    g_mutex_unlock(&q->map_lock);
    return generation;
}

void qcow2_transfer_end(Qcow2 *q, unsigned generation)
{
    g_mutex_lock(&q->map_lock);
    g_assert(q->transfers[generation] > 0);
    q->transfers[generation]--;
    g_mutex_unlock(&q->map_lock);
}

int qcow2_mark_dirty(Qcow2 *q)
{
    if (!q->lazy || (q->header.incompatible & QCOW2_INCOMPAT_DIRTY)) {
        return 0;
    }
    q->header.incompatible |= QCOW2_INCOMPAT_DIRTY;
    return qcow2_header_write_fields(q);
}

static int write_counts(Qcow2 *q)
{
    int ret;

    if (q->refcounts.dirty > 0) {
        q->counts_unsynced = true;
        ret = qcow2_cache_write(&q->refcounts);
        if (ret < 0) {
            return ret;
        }
    }
    if (g_hash_table_size(q->rt_dirty) == 0) {
        return 0;
    }
    ret = qcow2_file_sync(q);           /* a block's content before the table names it */
    q->counts_unsynced = true;
    return ret < 0 ? ret : qcow2_rt_write(q);
}

int qcow2_write_tables(Qcow2 *q)
{
    int ret = 0;

    if (q->broken) {
        return -EIO;
    }
    if (!(q->header.incompatible & QCOW2_INCOMPAT_DIRTY)) {
        ret = write_counts(q);
    }
    if (ret < 0 || (q->l2.dirty == 0 && g_hash_table_size(q->l1_dirty) == 0)) {
        return ret;
    }
    if (q->counts_unsynced) {
        ret = qcow2_file_sync(q);
        q->counts_unsynced = ret < 0;
    }
    if (ret == 0) {
        ret = qcow2_cache_write(&q->l2);
    }
    return ret < 0 ? ret : qcow2_l1_write(q);
}

void qcow2_free_later(Qcow2 *q, uint64_t cluster, uint64_t count, bool discard)
{
    bool sealed = q->frees->len == 0 || q->frees_begin + q->frees->len <= q->frees_sealed;
    Qcow2Free *last = sealed ? NULL : &g_array_index(q->frees, Qcow2Free, q->frees->len - 1);
    Qcow2Free new = { cluster, count, discard };

    if (last != NULL && last->cluster + last->count == cluster && last->discard == discard) {
        last->count += count;
    } else {
        g_array_append_val(q->frees, new);
    }
}

void qcow2_free_entry(Qcow2 *q, uint64_t entry, bool discard)
{
    uint64_t offset, bytes, first, last;

    switch (qcow2_kind(q, entry)) {
    case QCOW2_KIND_NORMAL:
    case QCOW2_KIND_ZERO_ALLOCATED:
        qcow2_free_later(q, (entry & QCOW2_OFFSET_MASK) >> q->cluster_bits, 1, discard);
        break;
    case QCOW2_KIND_COMPRESSED:
        qcow2_compressed_range(q, entry, &offset, &bytes);
        first = offset >> q->cluster_bits;
        last = (offset + bytes - 1) >> q->cluster_bits;
        for (uint64_t i = first; i <= last; i++) {
            qcow2_free_later(q, i, 1, discard);
        }
        break;
    case QCOW2_KIND_NONE:
    case QCOW2_KIND_ZERO:
    case QCOW2_KIND_BAD:
        break;
    }
}

/* Gives one run back; what other references keep stays. */
static void release(Qcow2 *q, const Qcow2Free *run)
{
    uint64_t start = run->cluster, n = 0, count;

    for (uint64_t i = 0; i < run->count; i++) {
        bool gone = qcow2_refcount_add(q, run->cluster + i, 1, -1) == 0 &&
                    qcow2_refcount_get(q, run->cluster + i, &count) == 0 && count == 0;

        if (gone && n > 0 && start + n == run->cluster + i) {
            n++;
        } else if (gone) {
            if (n > 0 && run->discard && q->pass_discard) {
                block_node_discard(q->node.file, start << q->cluster_bits, n << q->cluster_bits);
            }
            start = run->cluster + i;
            n = 1;
        }
    }
    if (n > 0 && run->discard && q->pass_discard) {
        block_node_discard(q->node.file, start << q->cluster_bits, n << q->cluster_bits);
    }
}

void qcow2_reclaim(Qcow2 *q)
{
    bool busy;

    if (q->frees_waiting->len == 0 || q->broken) {
        return;
    }
    g_mutex_lock(&q->map_lock);
    busy = q->transfers[q->frees_generation] > 0;
    g_mutex_unlock(&q->map_lock);
    if (busy) {
        return;
    }
    for (guint i = 0; i < q->frees_waiting->len; i++) {
        release(q, &g_array_index(q->frees_waiting, Qcow2Free, i));
    }
    g_array_set_size(q->frees_waiting, 0);
}

/*
 * Frees before the number `end` are on stable storage.  The other generation is empty: the batch
 * before, if any, has been waited for.
 */
static void begin_waiting(Qcow2 *q, uint64_t end)
{
    guint n = end > q->frees_begin ? end - q->frees_begin : 0;

    if (n == 0 || q->frees_waiting->len > 0) {
        return;
    }
    q->frees_begin = end;
    g_array_append_vals(q->frees_waiting, q->frees->data, n);
    g_array_remove_range(q->frees, 0, n);
    g_mutex_lock(&q->map_lock);
    g_assert(q->transfers[q->generation ^ 1] == 0);
    q->frees_generation = q->generation;
    q->generation ^= 1;
    g_mutex_unlock(&q->map_lock);
}

int qcow2_settle(Qcow2 *q)
{
    int ret;

    qcow2_reclaim(q);
    ret = qcow2_write_tables(q);
    if (ret == 0) {
        ret = qcow2_file_sync(q);
    }
    if (ret == 0) {
        begin_waiting(q, q->frees_begin + q->frees->len);
        qcow2_reclaim(q);
    }
    return ret;
}

/* As qcow2_settle(), with the lock released while the disk works. */
int qcow2_flush(BlockNode *node)
{
    Qcow2 *q = (Qcow2 *)node;
    uint64_t stable;
    int ret;

    if (node->read_only) {
        return 0;
    }
    g_mutex_lock(&q->lock);
    qcow2_reclaim(q);
    ret = qcow2_write_tables(q);
    stable = q->frees_sealed = q->frees_begin + q->frees->len;
    g_mutex_unlock(&q->lock);
    if (ret == 0) {
        ret = qcow2_file_sync(q);
    }
    g_mutex_lock(&q->lock);
    if (ret == 0) {
        begin_waiting(q, stable);
        qcow2_reclaim(q);
    }
    g_mutex_unlock(&q->lock);
    return ret;
}
