/*
 * qcow2: L2 tables and refcount blocks are cached in pieces, changed in memory and written back.
 *
 * The oldest unused piece makes room (one hand going round).  A dirty piece of an L2 table may be
 * written only in order, so when only such are left all tables are written first.
 */
#include <errno.h>

#include "qcow2_internal.h"

static void slice_free(gpointer data)
{
    Qcow2Slice *slice = data;

    g_free(slice->data);
    g_free(slice);
}

void qcow2_cache_init(Qcow2Cache *cache, Qcow2 *q, bool shared, size_t max_bytes)
{
    cache->q = q;
    cache->shared = shared;
    cache->slice_bytes = MIN(q->cluster_size, QCOW2_SLICE_BYTES);
    cache->max = MAX(max_bytes / cache->slice_bytes, 4);
    cache->slices = g_ptr_array_new_with_free_func(slice_free);
    cache->by_offset = g_hash_table_new(g_direct_hash, g_direct_equal);
}

void qcow2_cache_finish(Qcow2Cache *cache)
{
    g_clear_pointer(&cache->by_offset, g_hash_table_unref);
    g_clear_pointer(&cache->slices, g_ptr_array_unref);
}

static gpointer key_of(uint64_t offset)
{
    return (gpointer)(uintptr_t)offset;
}

static Qcow2Slice *find(Qcow2Cache *cache, uint64_t offset)
{
    return g_hash_table_lookup(cache->by_offset, key_of(offset));
}

/* An empty place is offset 0: the header is there and never a table. */
static void detach(Qcow2Cache *cache, Qcow2Slice *slice)
{
    if (slice->offset == 0) {
        return;
    }
    if (cache->shared) {
        g_mutex_lock(&cache->q->map_lock);
    }
    g_hash_table_remove(cache->by_offset, key_of(slice->offset));
    if (cache->shared) {
        g_mutex_unlock(&cache->q->map_lock);
    }
    cache->dirty -= slice->dirty;
    slice->offset = 0;
    slice->dirty = slice->used = false;
}

static void attach(Qcow2Cache *cache, Qcow2Slice *slice, uint64_t offset)
{
    slice->offset = offset;
    slice->used = true;
    if (cache->shared) {
        g_mutex_lock(&cache->q->map_lock);
    }
    g_hash_table_insert(cache->by_offset, key_of(offset), slice);
    if (cache->shared) {
        g_mutex_unlock(&cache->q->map_lock);
    }
}

/* Twice round: the first time takes away what was earned by use. */
static Qcow2Slice *oldest_clean(Qcow2Cache *cache)
{
    for (guint i = 0; i < 2 * cache->slices->len; i++) {
        Qcow2Slice *slice = g_ptr_array_index(cache->slices, cache->hand);

        cache->hand = (cache->hand + 1) % cache->slices->len;
        if (slice->dirty) {
            continue;
        }
        if (!__atomic_exchange_n(&slice->used, false, __ATOMIC_RELAXED)) {
            return slice;
        }
    }
    return NULL;
}

static int make_room(Qcow2Cache *cache, Qcow2Slice **out)
{
    Qcow2Slice *slice;
    int ret;

    if (cache->slices->len < cache->max) {
        slice = g_new0(Qcow2Slice, 1);
        slice->data = g_malloc(cache->slice_bytes);
        g_ptr_array_add(cache->slices, slice);
        *out = slice;
        return 0;
    }
    slice = oldest_clean(cache);
    if (slice == NULL) {
        ret = cache->shared ? qcow2_write_tables(cache->q) : qcow2_cache_write(cache);
        if (ret < 0) {
            return ret;
        }
        slice = oldest_clean(cache);
        g_assert(slice != NULL);
    }
    detach(cache, slice);
    *out = slice;
    return 0;
}

int qcow2_cache_get(Qcow2Cache *cache, uint64_t offset, uint8_t **data)
{
    Qcow2Slice *slice = find(cache, offset);
    int ret;

    if (slice == NULL) {
        ret = make_room(cache, &slice);
        if (ret == 0) {
            ret = qcow2_file_read(cache->q, offset, slice->data, cache->slice_bytes);
        }
        if (ret < 0) {
            return ret;
        }
        attach(cache, slice, offset);
    }
    __atomic_store_n(&slice->used, true, __ATOMIC_RELAXED);
    *data = slice->data;
    return 0;
}

uint8_t *qcow2_cache_peek(Qcow2Cache *cache, uint64_t offset)
{
    Qcow2Slice *slice = find(cache, offset);

    if (slice == NULL) {
        return NULL;
    }
    __atomic_store_n(&slice->used, true, __ATOMIC_RELAXED);
    return slice->data;
}

void qcow2_cache_set_dirty(Qcow2Cache *cache, uint64_t offset)
{
    Qcow2Slice *slice = find(cache, offset);

    cache->dirty += !slice->dirty;
    slice->dirty = true;
}

static gint by_offset(gconstpointer a, gconstpointer b)
{
    const Qcow2Slice *left = *(Qcow2Slice *const *)a, *right = *(Qcow2Slice *const *)b;

    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

int qcow2_cache_write(Qcow2Cache *cache)
{
    g_autoptr(GPtrArray) dirty = NULL;

    if (cache->dirty == 0) {
        return 0;
    }
    dirty = g_ptr_array_new();
    for (guint i = 0; i < cache->slices->len; i++) {
        Qcow2Slice *slice = g_ptr_array_index(cache->slices, i);

        if (slice->dirty) {
            g_ptr_array_add(dirty, slice);
        }
    }
    g_ptr_array_sort(dirty, by_offset);
    for (guint i = 0; i < dirty->len; i++) {
        Qcow2Slice *slice = g_ptr_array_index(dirty, i);
        int ret = qcow2_file_write(cache->q, slice->offset, slice->data, cache->slice_bytes);

        if (ret < 0) {
            return ret;
        }
        slice->dirty = false;
        cache->dirty--;
    }
    return 0;
}

void qcow2_cache_drop(Qcow2Cache *cache, uint64_t offset, uint64_t len)
{
    for (uint64_t at = offset; at < offset + len; at += cache->slice_bytes) {
        Qcow2Slice *slice = find(cache, at);

        if (slice != NULL) {
            detach(cache, slice);
        }
    }
}
