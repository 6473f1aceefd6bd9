/* qcow2: from guest clusters to host clusters and back ("Cluster mapping"). */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

#define PIECE 512u                      /* the L1 table is written in pieces of this */

Qcow2Kind qcow2_kind(const Qcow2 *q, uint64_t entry)
{
    bool zero = entry & QCOW2_ZERO;

    if (entry & QCOW2_COMPRESSED) {
        return QCOW2_KIND_COMPRESSED;
    }
    if ((zero && q->header.version < 3) || (entry & QCOW2_L2_RESERVED) ||
        qcow2_within(q, entry & QCOW2_OFFSET_MASK) != 0) {
        return QCOW2_KIND_BAD;
    }
    if ((entry & QCOW2_OFFSET_MASK) == 0) {
        return zero ? QCOW2_KIND_ZERO : entry & QCOW2_COPIED ? QCOW2_KIND_BAD : QCOW2_KIND_NONE;
    }
    return zero ? QCOW2_KIND_ZERO_ALLOCATED : QCOW2_KIND_NORMAL;
}

/* "Compressed Clusters Descriptor": whole sectors from the one the data begins in. */
void qcow2_compressed_range(const Qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *bytes)
{
    unsigned shift = 62 - (q->cluster_bits - 8);
    uint64_t mask = (UINT64_C(1) << shift) - 1, sectors;

    *offset = entry & mask & ((UINT64_C(1) << 56) - 1);
    sectors = ((entry >> shift) & ((UINT64_C(1) << (62 - shift)) - 1)) + 1;
    *bytes = sectors * 512 - (*offset & 511);
}

int qcow2_bad_entry(Qcow2 *q, uint64_t guest_cluster, uint64_t entry)
{
    return qcow2_corrupt(q, "L2 entry %#" G_GINT64_MODIFIER "x of guest offset %#"
                         G_GINT64_MODIFIER "x is invalid", entry,
                         guest_cluster << q->cluster_bits);
}

/* ---- the L1 table ---- */

void qcow2_l1_set(Qcow2 *q, uint64_t index, uint64_t entry)
{
    g_mutex_lock(&q->map_lock);
    q->l1[index] = entry;
    g_mutex_unlock(&q->map_lock);
    g_hash_table_add(q->l1_dirty, (gpointer)(uintptr_t)(index * 8 / PIECE + 1));
}

static int l1_write_piece(Qcow2 *q, uint64_t piece)
{
    uint64_t buf[PIECE / 8] = { 0 }, first = piece * (PIECE / 8);
    uint64_t n = MIN(PIECE / 8, q->header.l1_entries - first);

    for (uint64_t i = 0; i < n; i++) {
        buf[i] = GUINT64_TO_BE(q->l1[first + i]);
    }
    return qcow2_file_write(q, q->header.l1_offset + piece * PIECE, buf, n * 8);
}

int qcow2_l1_write(Qcow2 *q)
{
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, q->l1_dirty);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        int ret = l1_write_piece(q, (uint64_t)(uintptr_t)key - 1);

        if (ret < 0) {
            return ret;
        }
        g_hash_table_iter_remove(&iter);
    }
    return 0;
}

static int l1_write_all(Qcow2 *q, uint64_t offset, uint64_t entries)
{
    g_autofree uint64_t *buf = g_try_malloc0_n(entries, 8);

    if (buf == NULL) {
        return -ENOMEM;
    }
    for (uint64_t i = 0; i < q->l1_entries; i++) {
        buf[i] = GUINT64_TO_BE(q->l1[i]);
    }
    return qcow2_file_write(q, offset, buf, entries * 8);
}

/* A larger table at a new place; the header refers to it once it is there. */
int qcow2_l1_grow(Qcow2 *q, uint64_t entries)
{
    uint64_t clusters = qcow2_clusters(q, entries * 8), cluster, n;
    uint64_t old_offset = q->header.l1_offset, old_entries = q->l1_entries, *l1;
    bool fresh;
    int ret;

    if (entries <= q->l1_entries) {
        return 0;
    }
    if (entries * 8 > QCOW2_MAX_L1_BYTES) {
        return -EFBIG;
    }
    ret = qcow2_alloc(q, clusters, clusters, &cluster, &n, &fresh);
    if (ret == 0) {
        ret = qcow2_settle(q);
    }
    l1 = ret < 0 ? NULL : g_try_malloc0_n(entries, 8);
    if (ret == 0) {
        ret = l1 == NULL ? -ENOMEM : l1_write_all(q, cluster << q->cluster_bits, entries);
    }
    if (ret == 0) {
        ret = qcow2_file_sync(q);
    }
    if (ret < 0) {
        g_free(l1);
        return ret;
    }
    memcpy(l1, q->l1, old_entries * 8);
    g_mutex_lock(&q->map_lock);
    g_free(q->l1);
    q->l1 = l1;
    q->l1_entries = entries;
    g_mutex_unlock(&q->map_lock);
    q->header.l1_offset = cluster << q->cluster_bits;
    q->header.l1_entries = entries;
    ret = qcow2_header_write_fields(q);
    if (ret < 0) {
        qcow2_set_broken(q);
    }
    qcow2_metadata_add(q, q->header.l1_offset, entries * 8);
    if (old_entries > 0) {
        qcow2_metadata_remove(q, old_offset, old_entries * 8);
        qcow2_free_later(q, old_offset >> q->cluster_bits, qcow2_clusters(q, old_entries * 8),
                         false);
    }
    return ret;
}

/* ---- L2 tables ---- */

static uint64_t slice_offset(const Qcow2 *q, uint64_t table, uint64_t guest_cluster,
                             unsigned *index)
{
    unsigned in_table = guest_cluster & (q->l2_entries - 1), per_slice = q->l2.slice_bytes / 8;

    *index = in_table % per_slice;
    return table + (uint64_t)(in_table / per_slice) * q->l2.slice_bytes;
}

static int check_l1_entry(Qcow2 *q, uint64_t index, uint64_t entry)
{
    uint64_t table = entry & QCOW2_OFFSET_MASK;

    if (qcow2_within(q, table) != 0 || (entry & QCOW2_L1_RESERVED)) {
        return qcow2_corrupt(q, "L2 table offset %#" G_GINT64_MODIFIER "x unaligned (L1 index: %#"
                             G_GINT64_MODIFIER "x)", table, index);
    }
    return 0;
}

int qcow2_l2_get(Qcow2 *q, uint64_t guest_cluster, uint64_t *entry)
{
    uint64_t index = guest_cluster >> q->l2_bits, table;
    unsigned in_slice;
    uint8_t *data;
    int ret;

    *entry = 0;
    if (index >= q->l1_entries || (q->l1[index] & QCOW2_OFFSET_MASK) == 0) {
        return 0;
    }
    ret = check_l1_entry(q, index, q->l1[index]);
    if (ret < 0) {
        return ret;
    }
    table = q->l1[index] & QCOW2_OFFSET_MASK;
    ret = qcow2_cache_get(&q->l2, slice_offset(q, table, guest_cluster, &in_slice), &data);
    if (ret == 0) {
        *entry = GUINT64_FROM_BE(((uint64_t *)data)[in_slice]);
    }
    return ret;
}

int qcow2_l2_set(Qcow2 *q, uint64_t guest_cluster, uint64_t entry)
{
    uint64_t slice;
    unsigned in_slice;
    uint8_t *data;
    int ret = qcow2_l2_make(q, guest_cluster);

    if (ret < 0) {
        return ret;
    }
    slice = slice_offset(q, q->l1[guest_cluster >> q->l2_bits] & QCOW2_OFFSET_MASK, guest_cluster,
                         &in_slice);
    ret = qcow2_cache_get(&q->l2, slice, &data);
    if (ret < 0) {
        return ret;
    }
    g_mutex_lock(&q->map_lock);
    ((uint64_t *)data)[in_slice] = GUINT64_TO_BE(entry);
    g_mutex_unlock(&q->map_lock);
    qcow2_cache_set_dirty(&q->l2, slice);
    return 0;
}

/* Copies a table that a snapshot shares, as it is in memory. */
static int copy_table(Qcow2 *q, uint64_t from, uint64_t to)
{
    for (unsigned at = 0; at < q->cluster_size; at += q->l2.slice_bytes) {
        uint8_t *data;
        int ret = qcow2_cache_get(&q->l2, from + at, &data);

        if (ret == 0) {
            ret = qcow2_file_write(q, to + at, data, q->l2.slice_bytes);
        }
        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

int qcow2_l2_make(Qcow2 *q, uint64_t guest_cluster)
{
    uint64_t index = guest_cluster >> q->l2_bits, old, cluster, n, table;
    bool fresh;
    int ret;

    if (index >= q->l1_entries) {
        return -EIO;
    }
    old = q->l1[index];
    if ((old & QCOW2_COPIED) && (old & QCOW2_OFFSET_MASK) != 0) {
        return check_l1_entry(q, index, old);
    }
    ret = check_l1_entry(q, index, old);
    if (ret == 0) {
        ret = qcow2_alloc(q, 1, 1, &cluster, &n, &fresh);
    }
    if (ret < 0) {
        return ret;
    }
    table = cluster << q->cluster_bits;
    ret = (old & QCOW2_OFFSET_MASK) == 0 ? qcow2_file_clear(q, table, q->cluster_size, fresh)
                                         : copy_table(q, old & QCOW2_OFFSET_MASK, table);
    if (ret < 0) {
        qcow2_refcount_add(q, cluster, 1, -1);
        return ret;
    }
    q->counts_unsynced = true;
    qcow2_cache_drop(&q->l2, table, q->cluster_size);       /* of a table that was there before */
    qcow2_metadata_add(q, table, q->cluster_size);
    qcow2_l1_set(q, index, table | QCOW2_COPIED);
    if ((old & QCOW2_OFFSET_MASK) != 0) {
        qcow2_free_later(q, (old & QCOW2_OFFSET_MASK) >> q->cluster_bits, 1, false);
    }
    return 0;
}

/* ---- map() ---- */

/* What is in memory of one entry; false: not there. map_lock held. */
static bool peek(Qcow2 *q, uint64_t guest_cluster, uint64_t *entry)
{
    uint64_t index = guest_cluster >> q->l2_bits, table;
    unsigned in_slice;
    uint8_t *data;

    *entry = 0;
    if (index >= q->l1_entries) {
        return false;
    }
    table = q->l1[index] & QCOW2_OFFSET_MASK;
    if (table == 0) {
        return true;
    }
    data = qcow2_cache_peek(&q->l2, slice_offset(q, table, guest_cluster, &in_slice));
    if (data != NULL) {
        *entry = GUINT64_FROM_BE(((uint64_t *)data)[in_slice]);
    }
    return data != NULL;
}

/* A run of clusters that lie one after the other and are of one kind. */
typedef struct Run { Qcow2Kind kind; bool copied; uint64_t host, clusters; } Run;

static bool peek_run(Qcow2 *q, uint64_t guest_cluster, uint64_t max, Run *run)
{
    uint64_t entry, first;

    if (!peek(q, guest_cluster, &first)) {
        return false;
    }
    *run = (Run){ qcow2_kind(q, first), first & QCOW2_COPIED, first & QCOW2_OFFSET_MASK, 1 };
    if (run->kind == QCOW2_KIND_BAD || run->kind == QCOW2_KIND_COMPRESSED) {
        return false;
    }
    for (; run->clusters < max; run->clusters++) {
        uint64_t next = first;

        if (run->kind == QCOW2_KIND_NORMAL) {
            next += run->clusters << q->cluster_bits;
        }
        if (!peek(q, guest_cluster + run->clusters, &entry) || entry != next) {
            break;
        }
    }
    return true;
}

/* Only what can be read or overwritten in place, in a file that reaches so far. */
static void map_run(Qcow2 *q, bool write, const Run *run, uint64_t offset, BlockExtent *extent)
{
    BlockNode *child = q->node.file;
    uint64_t at = offset;

    if (run->kind == QCOW2_KIND_NORMAL) {
        at = run->host + qcow2_within(q, offset);
        if (write && (!run->copied || qcow2_is_metadata(q, run->host >> q->cluster_bits,
                                                        run->clusters))) {
            return;
        }
    } else if (write) {
        return;
    } else if (run->kind != QCOW2_KIND_NONE || q->node.backing == NULL ||
               offset >= block_node_size(q->node.backing)) {
        extent->kind = BLOCK_MAP_ZERO;
        return;
    } else {
        child = q->node.backing;
        extent->len = MIN(extent->len, block_node_size(child) - offset);
    }
    if (at > block_node_size(child) || extent->len > block_node_size(child) - at) {
        return;
    }
    extent->kind = BLOCK_MAP_DATA;
    extent->node = child;
    extent->offset = at;
    extent->cookie = (void *)(uintptr_t)q->generation;
    q->transfers[q->generation]++;
}

void qcow2_map(BlockNode *node, bool write, uint64_t offset, uint64_t len, BlockExtent *extent)
{
    Qcow2 *q = (Qcow2 *)node;
    uint64_t first = offset >> q->cluster_bits;
    Run run;

    *extent = (BlockExtent){ .kind = BLOCK_MAP_SLOW, .len = len };
    if (write && qcow2_writable(q) < 0) {
        return;
    }
    g_mutex_lock(&q->map_lock);
    if (peek_run(q, first, qcow2_clusters(q, qcow2_within(q, offset) + len), &run)) {
        extent->len = MIN(len, (run.clusters << q->cluster_bits) - qcow2_within(q, offset));
        map_run(q, write, &run, offset, extent);
    }
    g_mutex_unlock(&q->map_lock);
}

void qcow2_map_end(BlockNode *node, const BlockExtent *extent)
{
    qcow2_transfer_end((Qcow2 *)node, (unsigned)(uintptr_t)extent->cookie);
}
