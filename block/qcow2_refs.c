/*
 * qcow2: how often each host cluster is referred to, as the tables themselves say; and new
 * reference counts made from that.
 *
 * Pages of counters, so that memory follows the number of references and not the offsets an image
 * claims.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"

#define PAGE_BITS       8
#define PAGE_CLUSTERS   QCOW2_REF_PAGE
G_STATIC_ASSERT(1u << PAGE_BITS == PAGE_CLUSTERS);
#define MAX_BEYOND      1024u           /* clusters behind the file's end that a rebuild follows */
#define MAX_PAGES       (512u << 10)    /* 512 MiB; 8 TiB of clusters of 64 KiB */

typedef struct Qcow2RefPage {
    uint64_t number;
    uint32_t counts[PAGE_CLUSTERS];
} Qcow2RefPage;

static gpointer page_key(uint64_t number)
{
    return (gpointer)(uintptr_t)(number + 1);
}

void qcow2_refs_init(Qcow2Refs *refs)
{
    *refs = (Qcow2Refs){
        .pages = g_hash_table_new_full(g_direct_hash, g_direct_equal, NULL, g_free),
    };
}

void qcow2_refs_finish(Qcow2Refs *refs)
{
    g_clear_pointer(&refs->pages, g_hash_table_unref);
}

static Qcow2RefPage *find_page(Qcow2Refs *refs, uint64_t number, bool make)
{
    Qcow2RefPage *page = refs->last;

    if (page != NULL && page->number == number) {
        return page;
    }
    page = g_hash_table_lookup(refs->pages, page_key(number));
    if (page == NULL && make) {
        if (g_hash_table_size(refs->pages) >= MAX_PAGES) {
            refs->too_many = true;
            return NULL;
        }
        page = g_new0(Qcow2RefPage, 1);
        page->number = number;
        g_hash_table_insert(refs->pages, page_key(number), page);
    }
    if (page != NULL) {
        refs->last = page;
    }
    return page;
}

void qcow2_refs_add(Qcow2Refs *refs, uint64_t cluster, uint64_t n)
{
    for (uint64_t i = cluster; i < cluster + n && !refs->too_many; i++) {
        Qcow2RefPage *page = find_page(refs, i >> PAGE_BITS, true);

        if (page != NULL) {
            uint32_t *count = &page->counts[i & (PAGE_CLUSTERS - 1)];

            *count += *count < UINT32_MAX;
            refs->highest = MAX(refs->highest, i);
        }
    }
}

uint64_t qcow2_refs_get(Qcow2Refs *refs, uint64_t cluster)
{
    const Qcow2RefPage *page = find_page(refs, cluster >> PAGE_BITS, false);

    return page == NULL ? 0 : page->counts[cluster & (PAGE_CLUSTERS - 1)];
}

GArray *qcow2_refs_pages(Qcow2Refs *refs)
{
    GArray *firsts = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, refs->pages);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        uint64_t first = ((Qcow2RefPage *)value)->number << PAGE_BITS;

        g_array_append_val(firsts, first);
    }
    return firsts;
}

/* ---- new counts ---- */

static gint by_number(gconstpointer a, gconstpointer b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

    return left < right ? -1 : left > right;
}

/* Which blocks are needed, in order. */
static GArray *blocks_for(Qcow2 *q, Qcow2Refs *refs)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_direct_hash, g_direct_equal);
    GArray *blocks = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, refs->pages);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const Qcow2RefPage *page = value;

        for (unsigned i = 0; i < PAGE_CLUSTERS; i++) {
            uint64_t block = ((page->number << PAGE_BITS) + i) / q->refcount_per_block;

            if (page->counts[i] > 0 && g_hash_table_add(seen, page_key(block))) {
                g_array_append_val(blocks, block);
            }
        }
    }
    g_array_sort(blocks, by_number);
    return blocks;
}

static int write_block(Qcow2 *q, Qcow2Refs *refs, uint64_t block, uint64_t offset)
{
    g_autofree uint8_t *data = g_malloc0(q->cluster_size);

    for (uint64_t i = 0; i < q->refcount_per_block; i++) {
        uint64_t count = qcow2_refs_get(refs, block * q->refcount_per_block + i);

        if (count > q->refcount_max) {
            return -ERANGE;
        }
        qcow2_refcount_store(data, i, q->refcount_bits_log2, count);
    }
    return qcow2_file_write(q, offset, data, q->cluster_size);
}

/* A table and its blocks at `first`; *end is behind them.  Their own references are added. */
static GArray *place(Qcow2 *q, Qcow2Refs *refs, uint64_t first, uint64_t *table_clusters)
{
    uint64_t placed = 0;

    for (;;) {
        GArray *blocks = blocks_for(q, refs);
        uint64_t entries = g_array_index(blocks, uint64_t, blocks->len - 1) + 1, need;

        *table_clusters = MAX(*table_clusters, qcow2_clusters(q, entries * 8));
        need = *table_clusters + blocks->len;
        if (need <= placed || refs->too_many ||
            *table_clusters << q->cluster_bits > QCOW2_MAX_RT_BYTES) {
            return blocks;
        }
        qcow2_refs_add(refs, first + placed, need - placed);
        placed = need;
        g_array_unref(blocks);
    }
}

static int write_blocks(Qcow2 *q, Qcow2Refs *refs, const GArray *blocks, uint64_t offset,
                        uint64_t *table)
{
    int ret = 0;

    for (guint i = 0; i < blocks->len && ret == 0; i++) {
        uint64_t block = g_array_index(blocks, uint64_t, i);

        table[block] = offset + ((uint64_t)i << q->cluster_bits);
        ret = write_block(q, refs, block, table[block]);
    }
    return ret;
}

/* The old counts are forgotten, cache and all. */
static void adopt(Qcow2 *q, uint64_t *table, uint64_t entries)
{
    for (uint64_t i = 0; i < q->rt_entries; i++) {
        if (q->rt[i] != 0 && qcow2_within(q, q->rt[i]) == 0) {
            qcow2_cache_drop(&q->refcounts, q->rt[i], q->cluster_size);
            qcow2_metadata_remove(q, q->rt[i], q->cluster_size);
        }
    }
    g_hash_table_remove_all(q->rt_dirty);
    g_free(q->rt);
    q->rt = table;
    q->rt_entries = entries;
    q->free_hint = 0;
    q->packed_next = 0;
    q->fresh_from = MAX(q->fresh_from, ROUND_UP(block_node_size(q->node.file), q->cluster_size));
    qcow2_metadata_add(q, q->header.rt_offset, entries * 8);
    for (uint64_t i = 0; i < entries; i++) {
        if (table[i] != 0) {
            qcow2_metadata_add(q, table[i], q->cluster_size);
        }
    }
}

static int write_table(Qcow2 *q, const uint64_t *table, uint64_t entries, uint64_t offset)
{
    g_autofree uint64_t *bytes = g_new(uint64_t, entries);

    for (uint64_t i = 0; i < entries; i++) {
        bytes[i] = GUINT64_TO_BE(table[i]);
    }
    return qcow2_file_write(q, offset, bytes, entries * 8);
}

int qcow2_rebuild_refcounts(Qcow2 *q, Qcow2Refs *refs)
{
    uint64_t in_file = qcow2_clusters(q, block_node_size(q->node.file));
    uint64_t first = MAX(refs->highest + 1, in_file);
    uint64_t clusters = 1, entries, old = q->header.rt_offset, old_clusters = q->header.rt_clusters;
    g_autoptr(GArray) blocks = NULL;
    g_autofree uint64_t *table = NULL;
    uint64_t offset = first << q->cluster_bits;
    int ret;

    if (refs->highest > 2 * in_file + MAX_BEYOND) {
        return -EFBIG;          /* offsets that no crash explains; counts would fill a disk */
    }
    blocks = place(q, refs, first, &clusters);
    if (refs->too_many || clusters << q->cluster_bits > QCOW2_MAX_RT_BYTES) {
        return -EFBIG;
    }
    entries = (clusters << q->cluster_bits) / 8;
    table = g_new0(uint64_t, entries);
    ret = write_blocks(q, refs, blocks, offset + (clusters << q->cluster_bits), table);
    if (ret == 0) {
        ret = write_table(q, table, entries, offset);
    }
    if (ret == 0) {
        ret = qcow2_file_sync(q);
    }
    if (ret < 0) {
        return ret;
    }
    q->header.rt_offset = offset;
    q->header.rt_clusters = clusters;
    ret = qcow2_header_write_fields(q);
    qcow2_metadata_remove(q, old, old_clusters << q->cluster_bits);
    adopt(q, g_steal_pointer(&table), entries);
    return ret;
}
