/*
 * qcow2: reference counts of host clusters, and finding free ones ("Host cluster management").
 *
 * The refcount table is in memory whole, the blocks it names in a cache.  A block that does not
 * exist yet is made in the first free cluster of the range it describes, so that it counts itself.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"
#include "rhea_error.h"

#define PIECE 512u                      /* the table is written in pieces of this */
#define MAX_FREES 8192u                 /* more clusters than this do not wait for a flush */

uint64_t qcow2_refcount_read(const uint8_t *block, uint64_t index, unsigned order)
{
    uint64_t value = 0;

    if (order < 3) {
        unsigned bits = 1u << order, per_byte = 8 / bits;

        return (block[index / per_byte] >> (index % per_byte * bits)) & ((1u << bits) - 1);
    }
    for (unsigned i = 0; i < 1u << (order - 3); i++) {
        value = value << 8 | block[(index << (order - 3)) + i];
    }
    return value;
}

void qcow2_refcount_store(uint8_t *block, uint64_t index, unsigned order, uint64_t value)
{
    if (order < 3) {
        unsigned bits = 1u << order, per_byte = 8 / bits, shift = index % per_byte * bits;
        uint8_t *byte = &block[index / per_byte];

        *byte = (*byte & ~(((1u << bits) - 1) << shift)) | value << shift;
        return;
    }
    for (unsigned i = 1u << (order - 3); i-- > 0; value >>= 8) {
        block[(index << (order - 3)) + i] = value;
    }
}

/* ---- clusters that hold tables ---- */

static gpointer set_key(uint64_t number)
{
    return (gpointer)(uintptr_t)(number + 1);
}

bool qcow2_is_metadata(Qcow2 *q, uint64_t cluster, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        if (g_hash_table_contains(q->metadata, set_key(cluster + i))) {
            return true;
        }
    }
    return false;
}

/* map() looks at the set too. */
void qcow2_metadata_add(Qcow2 *q, uint64_t offset, uint64_t bytes)
{
    uint64_t first = offset >> q->cluster_bits, n = qcow2_clusters(q, bytes);

    g_mutex_lock(&q->map_lock);
    for (uint64_t i = 0; i < n; i++) {
        g_hash_table_add(q->metadata, set_key(first + i));
    }
    g_mutex_unlock(&q->map_lock);
}

void qcow2_metadata_remove(Qcow2 *q, uint64_t offset, uint64_t bytes)
{
    uint64_t first = offset >> q->cluster_bits, n = qcow2_clusters(q, bytes);

    g_mutex_lock(&q->map_lock);
    for (uint64_t i = 0; i < n; i++) {
        g_hash_table_remove(q->metadata, set_key(first + i));
    }
    g_mutex_unlock(&q->map_lock);
}

/* ---- the table ---- */

bool qcow2_refcount_open(Qcow2 *q, GError **error)
{
    uint64_t bytes = (uint64_t)q->header.rt_clusters << q->cluster_bits;
    int ret;

    if (bytes > QCOW2_MAX_RT_BYTES) {
        set_error(error, "Reference count table too large");
        return false;
    }
    if (bytes == 0 && !(q->node.open_flags & BLOCK_OPEN_CHECK)) {
        set_error(error, "Image does not contain a reference count table");
        return false;
    }
    if (qcow2_within(q, q->header.rt_offset) != 0 || q->header.rt_offset == 0 ||
        q->header.rt_offset > QCOW2_OFFSET_MASK) {
        set_error(error, "Invalid reference count table offset");
        return false;
    }
    q->rt_entries = bytes / 8;
    q->rt = g_malloc0(MAX(bytes, 8));
    ret = qcow2_file_read(q, q->header.rt_offset, q->rt, bytes);
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not read reference count table");
        return false;
    }
    qcow2_metadata_add(q, q->header.rt_offset, bytes);
    for (uint64_t i = 0; i < q->rt_entries; i++) {
        q->rt[i] = GUINT64_FROM_BE(q->rt[i]);
        if (q->rt[i] != 0 && qcow2_within(q, q->rt[i]) == 0) {
            qcow2_metadata_add(q, q->rt[i], q->cluster_size);
        }
    }
    return true;
}

static void rt_set(Qcow2 *q, uint64_t index, uint64_t offset)
{
    q->rt[index] = offset;
    g_hash_table_add(q->rt_dirty, set_key(index * 8 / PIECE));
}

static int write_rt_pieces(Qcow2 *q, uint64_t first, uint64_t bytes)
{
    g_autofree uint64_t *buf = g_malloc(bytes);

    for (uint64_t i = 0; i < bytes / 8; i++) {
        buf[i] = GUINT64_TO_BE(q->rt[first / 8 + i]);
    }
    return qcow2_file_write(q, q->header.rt_offset + first, buf, bytes);
}

int qcow2_rt_write(Qcow2 *q)
{
    GHashTableIter iter;
    gpointer key;

    g_hash_table_iter_init(&iter, q->rt_dirty);
    while (g_hash_table_iter_next(&iter, &key, NULL)) {
        int ret = write_rt_pieces(q, ((uint64_t)(uintptr_t)key - 1) * PIECE, PIECE);

        if (ret < 0) {
            return ret;
        }
        g_hash_table_iter_remove(&iter);
    }
    return 0;
}

/* ---- counts ---- */

/* The cached piece that has the count of `cluster`, and which in it; *data NULL: no block. */
static int find_count(Qcow2 *q, uint64_t cluster, uint8_t **data, uint64_t *slice, uint64_t *index)
{
    uint64_t per_slice = ((uint64_t)q->refcounts.slice_bytes * 8) >> q->refcount_bits_log2;
    uint64_t table = cluster / q->refcount_per_block, in_block = cluster % q->refcount_per_block;

    *data = NULL;
    if (table >= q->rt_entries || q->rt[table] == 0) {
        return 0;
    }
    if (qcow2_within(q, q->rt[table]) != 0 || q->rt[table] > QCOW2_OFFSET_MASK) {
        return qcow2_corrupt(q, "refblock offset %#" G_GINT64_MODIFIER "x unaligned (reftable "
                             "index: %#" G_GINT64_MODIFIER "x)", q->rt[table], table);
    }
    *slice = q->rt[table] + in_block / per_slice * q->refcounts.slice_bytes;
    *index = in_block % per_slice;
    return qcow2_cache_get(&q->refcounts, *slice, data);
}

int qcow2_refcount_get(Qcow2 *q, uint64_t cluster, uint64_t *count)
{
    uint64_t slice, index;
    uint8_t *data;
    int ret = find_count(q, cluster, &data, &slice, &index);

    *count = ret < 0 || data == NULL ? 0 : qcow2_refcount_read(data, index, q->refcount_bits_log2);
    return ret;
}

static int add_one(Qcow2 *q, uint64_t cluster, int delta)
{
    uint64_t slice, index, count;
    uint8_t *data;
    int ret = find_count(q, cluster, &data, &slice, &index);

    if (ret < 0) {
        return ret;
    }
    if (data == NULL) {
        return -EINVAL;
    }
    count = qcow2_refcount_read(data, index, q->refcount_bits_log2);
    if (delta < 0 && count == 0) {
        return -EINVAL;
    }
    if (delta > 0 && count == q->refcount_max) {
        return -ERANGE;
    }
    count += delta;
    qcow2_refcount_store(data, index, q->refcount_bits_log2, count);
    qcow2_cache_set_dirty(&q->refcounts, slice);
    if (count == 0) {
        q->free_hint = MIN(q->free_hint, cluster);
        if (q->packed_next >> q->cluster_bits == cluster) {
            q->packed_next = 0;
        }
    }
    return 0;
}

int qcow2_refcount_set(Qcow2 *q, uint64_t cluster, uint64_t count)
{
    uint64_t slice, index;
    uint8_t *data;
    int ret = find_count(q, cluster, &data, &slice, &index);

    if (ret < 0 || data == NULL || count > q->refcount_max) {
        return ret < 0 ? ret : -ERANGE;
    }
    qcow2_refcount_store(data, index, q->refcount_bits_log2, count);
    qcow2_cache_set_dirty(&q->refcounts, slice);
    if (count == 0) {
        q->free_hint = MIN(q->free_hint, cluster);
    }
    return 0;
}

int qcow2_refcount_add(Qcow2 *q, uint64_t cluster, uint64_t n, int delta)
{
    for (uint64_t i = 0; i < n; i++) {
        int ret = add_one(q, cluster + i, delta);

        if (ret < 0) {
            while (delta > 0 && i-- > 0) {
                add_one(q, cluster + i, -delta);
            }
            return ret;
        }
    }
    return 0;
}

/* ---- finding free clusters ---- */

/* Extends the file over what was given out, so that later reads of all of it are plain reads. */
static int reach(Qcow2 *q, uint64_t end)
{
    BlockNode *file = q->node.file;
    uint64_t size = block_node_size(file);
    g_autoptr(GError) error = NULL;

    if (end <= size) {
        return 0;
    }
    if (!file->driver->growable) {
        return -ENOSPC;
    }
    return block_node_truncate(file, end, BLOCK_PREALLOC_OFF, &error) ? 0 : -ENOSPC;
}

/* Whether the file was never written there: then it reads as zeroes. */
static bool take_fresh(Qcow2 *q, uint64_t cluster, uint64_t n)
{
    uint64_t offset = cluster << q->cluster_bits;
    bool fresh = offset >= q->fresh_from;

    q->fresh_from = MAX(q->fresh_from, offset + (n << q->cluster_bits));
    return fresh;
}

static int make_block(Qcow2 *q, uint64_t cluster)
{
    uint64_t offset = cluster << q->cluster_bits;
    int ret;

    if (qcow2_is_metadata(q, cluster, 1)) {
        return qcow2_corrupt(q, "cluster %#" G_GINT64_MODIFIER "x holds tables but counts as free",
                             cluster);
    }
    ret = reach(q, offset + q->cluster_size);
    if (ret == 0) {
        ret = qcow2_file_clear(q, offset, q->cluster_size, take_fresh(q, cluster, 1));
    }
    if (ret < 0) {
        return ret;
    }
    rt_set(q, cluster / q->refcount_per_block, offset);
    qcow2_metadata_add(q, offset, q->cluster_size);
    return add_one(q, cluster, 1);
}

static int grow_table(Qcow2 *q, uint64_t index);

/* Whether `cluster` is free; 1: a refcount block was put there just now, look at the next. */
static int look_at(Qcow2 *q, uint64_t cluster, bool *is_free)
{
    uint64_t table = cluster / q->refcount_per_block, count;
    const BlockNode *file = q->node.file;
    int ret = 0;

    *is_free = false;
    if (cluster > QCOW2_OFFSET_MASK >> q->cluster_bits) {
        return -EFBIG;
    }
    if (!file->driver->growable && (cluster + 1) << q->cluster_bits > block_node_size(file)) {
        return -ENOSPC;
    }
    if (table >= q->rt_entries) {
        ret = grow_table(q, table);
    }
    if (ret == 0 && q->rt[table] == 0) {
        ret = make_block(q, cluster);
        return ret < 0 ? ret : 1;
    }
    if (ret == 0) {
        ret = qcow2_refcount_get(q, cluster, &count);
    }
    *is_free = ret == 0 && count == 0;
    return ret;
}

/* The first run from the hint on that is long enough; moves the hint up to the first free one. */
static int find_run(Qcow2 *q, uint64_t want, uint64_t min, uint64_t *first, uint64_t *n)
{
    uint64_t at = q->free_hint, low = UINT64_MAX;
    bool is_free;
    int ret = 0;

    for (*n = 0; *n < want; at++) {
        ret = look_at(q, at, &is_free);
        if (ret < 0 || (!is_free && *n >= min)) {
            break;
        }
        if (is_free) {
            *first = *n == 0 ? at : *first;
            low = MIN(low, at);
            ++*n;
        } else {
            *n = 0;
        }
    }
    q->free_hint = low == UINT64_MAX ? at : low;
    return *n >= min ? 0 : ret;
}

static int try_alloc(Qcow2 *q, uint64_t want, uint64_t min, uint64_t *cluster, uint64_t *n)
{
    int ret = find_run(q, want, min, cluster, n);

    if (ret < 0) {
        return ret;
    }
    if (qcow2_is_metadata(q, *cluster, *n)) {
        return qcow2_corrupt(q, "cluster %#" G_GINT64_MODIFIER "x holds tables but counts as free",
                             *cluster);
    }
    ret = reach(q, (*cluster + *n) << q->cluster_bits);
    return ret < 0 ? ret : qcow2_refcount_add(q, *cluster, *n, 1);
}

int qcow2_alloc(Qcow2 *q, uint64_t want, uint64_t min, uint64_t *cluster, uint64_t *n, bool *fresh)
{
    int ret;

    if (q->frees->len > MAX_FREES) {
        qcow2_settle(q);
    }
    qcow2_reclaim(q);
    ret = try_alloc(q, want, min, cluster, n);
    if (ret == -ENOSPC && q->frees->len > 0 && !q->rt_growing && qcow2_settle(q) == 0) {
        ret = try_alloc(q, want, min, cluster, n);
    }
    if (ret < 0) {
        return ret;
    }
    if (q->free_hint == *cluster) {
        q->free_hint += *n;
    }
    *fresh = take_fresh(q, *cluster, *n);
    return 0;
}

/* 1: the bytes follow what was packed last; 0: there is no room. */
static int append_packed(Qcow2 *q, uint64_t bytes, uint64_t *offset)
{
    uint64_t start = q->packed_next, last = start >> q->cluster_bits, count;
    uint64_t n = bytes <= q->cluster_size - qcow2_within(q, start) ? 1 : 2;
    bool is_free = false;
    int ret = qcow2_refcount_get(q, last, &count);

    if (ret < 0 || count == 0 || count == q->refcount_max) {
        return ret;
    }
    if (n == 2 && (look_at(q, last + 1, &is_free) != 0 || !is_free ||
                   qcow2_is_metadata(q, last + 1, 1))) {
        return 0;
    }
    ret = reach(q, (last + n) << q->cluster_bits);
    if (ret == 0) {
        ret = qcow2_refcount_add(q, last, n, 1);
    }
    if (ret < 0) {
        return ret;
    }
    take_fresh(q, last, n);
    *offset = start;
    q->packed_next = qcow2_within(q, start + bytes) == 0 ? 0 : start + bytes;
    return 1;
}

/* Compressed clusters share host clusters, one after the other, while the count has room. */
int qcow2_alloc_packed(Qcow2 *q, uint64_t bytes, uint64_t *offset)
{
    uint64_t need = qcow2_clusters(q, bytes), cluster, n;
    bool fresh;
    int ret = q->packed_next == 0 ? 0 : append_packed(q, bytes, offset);

    if (ret != 0) {
        return MIN(ret, 0);
    }
    ret = qcow2_alloc(q, need, need, &cluster, &n, &fresh);
    if (ret == 0) {
        *offset = cluster << q->cluster_bits;
        q->packed_next = qcow2_within(q, bytes) == 0 ? 0 : *offset + bytes;
    }
    return ret;
}

/* ---- a larger table ---- */

static int enlarge_in_memory(Qcow2 *q, uint64_t entries)
{
    uint64_t *rt = g_try_realloc_n(q->rt, entries, 8);

    if (rt == NULL) {
        return -ENOMEM;
    }
    memset(rt + q->rt_entries, 0, (entries - q->rt_entries) * 8);
    q->rt = rt;
    q->rt_entries = entries;
    return 0;
}

/* Writes the whole table to its new place, and only then says in the header where that is. */
static int move_table(Qcow2 *q, uint64_t cluster, uint64_t clusters)
{
    uint64_t old_offset = q->header.rt_offset, old_clusters = q->header.rt_clusters;
    int ret = qcow2_cache_write(&q->refcounts);

    q->header.rt_offset = cluster << q->cluster_bits;
    q->header.rt_clusters = clusters;
    if (ret == 0) {
        ret = write_rt_pieces(q, 0, clusters << q->cluster_bits);
    }
    if (ret == 0) {
        ret = qcow2_file_sync(q);
    }
    if (ret == 0) {
        ret = qcow2_header_write_fields(q);
    }
    if (ret < 0) {
        qcow2_set_broken(q);
        return ret;
    }
    g_hash_table_remove_all(q->rt_dirty);
    qcow2_metadata_add(q, q->header.rt_offset, clusters << q->cluster_bits);
    qcow2_metadata_remove(q, old_offset, old_clusters << q->cluster_bits);
    return qcow2_refcount_add(q, old_offset >> q->cluster_bits, old_clusters, -1);
}

/* With half as much again, so that the table itself and its blocks find room in what it counts. */
static int grow_table(Qcow2 *q, uint64_t index)
{
    uint64_t need = (index + 1) * 8 + 64, cluster, n, clusters;
    bool fresh;
    int ret;

    clusters = MAX(qcow2_clusters(q, need) + 1, q->header.rt_clusters + q->header.rt_clusters / 2);
    if (q->rt_growing || clusters << q->cluster_bits > QCOW2_MAX_RT_BYTES) {
        return -EFBIG;
    }
    q->rt_growing = true;
    ret = enlarge_in_memory(q, (clusters << q->cluster_bits) / 8);
    if (ret == 0) {
        q->free_hint = index * q->refcount_per_block;
        ret = qcow2_alloc(q, clusters, clusters, &cluster, &n, &fresh);
    }
    if (ret == 0) {
        ret = move_table(q, cluster, clusters);
    } else {
        qcow2_set_broken(q);               /* the table in memory is larger than its place */
    }
    q->rt_growing = false;
    return ret;
}
