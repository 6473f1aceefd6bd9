/*
 * qcow2: the format, versions 2 and 3.
 *
 * Backing files, internal snapshots, compressed clusters (zlib, zstd), lazy refcounts, discard,
 * preallocation.  Refused by name: encrypted images, external data files, extended L2 entries.
 * Bitmaps are not kept up to date: as the format wants it, an image that has some opens, and
 * opening it for writing clears the bit that says they are consistent.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"
#include "rhea_error.h"
#include "sizes.h"

#define DEFAULT_L2_CACHE        (32 * MIB)
#define DEFAULT_REFCOUNT_CACHE  (1 * MIB)
#define MAX_CACHE               (1 * GIB)

static int qcow2_probe(const uint8_t *head, size_t len, const char *filename)
{
    static const uint8_t magic[] = { 'Q', 'F', 'I', 0xfb, 0, 0, 0 };

    return len >= 8 && memcmp(head, magic, sizeof(magic)) == 0 && head[7] >= 2 ? 100 : 0;
}

/* ---- opening ---- */

static void init(Qcow2 *q)
{
    g_mutex_init(&q->lock);
    g_mutex_init(&q->map_lock);
    g_cond_init(&q->claim_cond);
    q->rt_dirty = g_hash_table_new(g_direct_hash, g_direct_equal);
    q->l1_dirty = g_hash_table_new(g_direct_hash, g_direct_equal);
    q->metadata = g_hash_table_new(g_direct_hash, g_direct_equal);
    q->frees = g_array_new(FALSE, FALSE, sizeof(Qcow2Free));
    q->frees_waiting = g_array_new(FALSE, FALSE, sizeof(Qcow2Free));
    q->snapshots = g_array_new(FALSE, TRUE, sizeof(Qcow2Snapshot));
    g_array_set_clear_func(q->snapshots, (GDestroyNotify)qcow2_snapshot_clear);
}

static bool derive_geometry(Qcow2 *q, GError **error)
{
    const Qcow2Header *header = &q->header;

    if (header->crypt_method != 0) {
        set_error(error, "%s-encrypted qcow2 images are not supported",
                  header->crypt_method == 1 ? "AES" : "LUKS");
        return false;
    }
    if (header->refcount_order > 6) {
        set_error(error, "Reference count entry width too large; may not exceed 64 bits");
        return false;
    }
    q->cluster_bits = header->cluster_bits;
    q->cluster_size = 1u << q->cluster_bits;
    q->l2_bits = q->cluster_bits - 3;
    q->l2_entries = 1u << q->l2_bits;
    q->refcount_bits_log2 = header->refcount_order;
    q->refcount_max = header->refcount_order == 6
        ? UINT64_MAX : (UINT64_C(1) << (1u << header->refcount_order)) - 1;
    q->refcount_per_block = (uint64_t)q->cluster_size * 8 >> q->refcount_bits_log2;
    return true;
}

static bool check_l1(Qcow2 *q, GError **error)
{
    const Qcow2Header *header = &q->header;
    uint64_t per_entry = (uint64_t)q->cluster_size << q->l2_bits;
    uint64_t need = header->size / per_entry + (header->size % per_entry != 0);

    if (header->size > INT64_MAX - BLOCK_SECTOR_SIZE) {
        set_error(error, "Image is too big");
        return false;
    }
    if ((uint64_t)header->l1_entries * 8 > QCOW2_MAX_L1_BYTES) {
        set_error(error, "Active L1 table too large");
        return false;
    }
    if (qcow2_within(q, header->l1_offset) != 0 || header->l1_offset > QCOW2_OFFSET_MASK) {
        set_error(error, "Active L1 table offset invalid");
        return false;
    }
    if (header->l1_entries < need) {
        set_error(error, "L1 table is too small");
        return false;
    }
    return true;
}

static bool read_l1(Qcow2 *q, GError **error)
{
    q->l1_entries = q->header.l1_entries;
    q->l1 = qcow2_l1_read(q, q->header.l1_offset, q->l1_entries, error);
    if (q->l1 == NULL) {
        return false;
    }
    qcow2_metadata_add(q, q->header.l1_offset, q->l1_entries * 8);
    for (uint64_t i = 0; i < q->l1_entries; i++) {
        uint64_t table = q->l1[i] & QCOW2_OFFSET_MASK;

        if (table != 0 && qcow2_within(q, table) == 0) {
            qcow2_metadata_add(q, table, q->cluster_size);
        }
    }
    return true;
}

static const BlockOption qcow2_options[] = {
    { "lazy-refcounts", "on: postpone reference count updates, as the image allows or not" },
    { "pass-discard-request", "on: what the guest discards becomes a hole of the image file" },
    { "l2-cache-size", "bytes of L2 tables kept in memory" },
    { "refcount-cache-size", "bytes of reference counts kept in memory" },
    { "cache-size", "bytes for both" },
    {}
};

/* Caches of 16 KiB at least; "cache-size" is for both, the counts' share a fifth. */
static bool read_options(Qcow2 *q, GError **error)
{
    uint64_t l2 = DEFAULT_L2_CACHE, counts = DEFAULT_REFCOUNT_CACHE, both = 0;
    BlockNode *node = &q->node;

    q->lazy = q->header.compatible & QCOW2_COMPAT_LAZY;
    q->pass_discard = node->discard_enabled;
    if (!block_node_option_bool(node, "lazy-refcounts", &q->lazy, error) ||
        !block_node_option_bool(node, "pass-discard-request", &q->pass_discard, error) ||
        !block_node_option_size(node, "cache-size", &both, error)) {
        return false;
    }
    if (both > 0) {
        counts = MIN(both / 5, counts);
        l2 = both - counts;
    }
    if (!block_node_option_size(node, "l2-cache-size", &l2, error) ||
        !block_node_option_size(node, "refcount-cache-size", &counts, error)) {
        return false;
    }
    if (q->lazy && q->header.version < 3) {
        set_error(error, "Lazy refcounts require a qcow2 image with at least qemu 1.1 "
                  "compatibility level");
        return false;
    }
    qcow2_cache_init(&q->l2, q, true, MIN(l2, MAX_CACHE));
    qcow2_cache_init(&q->refcounts, q, false, MIN(counts, MAX_CACHE));
    return true;
}

/* Before the first write: repair what a crash left, drop what we do not keep up to date. */
static bool prepare_writing(Qcow2 *q, GError **error)
{
    BlockCheck check = { .fix_leaks = true, .fix_errors = true };
    BlockNode *node = &q->node;
    int ret;

    if (node->read_only || (node->open_flags & BLOCK_OPEN_CHECK)) {
        return true;
    }
    if ((q->header.incompatible & QCOW2_INCOMPAT_DIRTY) &&
        (!qcow2_check(node, &check, error) || check.errors > 0)) {
        if (error != NULL && *error == NULL) {
            set_error(error, "%" G_GUINT64_FORMAT " errors remain", check.errors);
        }
        g_prefix_error(error, "Could not repair dirty image: ");
        return false;
    }
    if (q->header.version >= 3 && q->header.autoclear != 0) {
        q->header.autoclear = 0;
        ret = qcow2_header_write_fields(q);
        if (ret < 0) {
            set_errno_error(error, -ret, "Could not update qcow2 header");
            return false;
        }
    }
    return true;
}

static bool check_corrupt(Qcow2 *q, GError **error)
{
    if (!(q->header.incompatible & QCOW2_INCOMPAT_CORRUPT)) {
        return true;
    }
    if (!q->node.read_only && !(q->node.open_flags & BLOCK_OPEN_CHECK)) {
        set_error(error, "qcow2: Image is corrupt; cannot be opened read/write");
        return false;
    }
    return true;
}

static void publish(Qcow2 *q)
{
    BlockNode *node = &q->node;

    node->size_bytes = q->header.size;
    node->discard_alignment = q->cluster_size;
    g_free(node->backing_filename);
    g_free(node->backing_format);
    node->backing_filename = g_strdup(q->header.backing_file);
    node->backing_format = g_strdup(q->header.backing_format);
}

static bool qcow2_open(BlockNode *node, GError **error)
{
    Qcow2 *q = (Qcow2 *)node;

    init(q);
    if (!qcow2_header_read(node->file, &q->header, error) || !derive_geometry(q, error) ||
        !check_corrupt(q, error) || !check_l1(q, error) || !read_options(q, error)) {
        return false;
    }
    qcow2_metadata_add(q, 0, q->cluster_size);
    if (!read_l1(q, error) || !qcow2_refcount_open(q, error) || !qcow2_snapshots_read(q, error)) {
        return false;
    }
    q->fresh_from = node->file->driver->growable
        ? ROUND_UP(block_node_size(node->file), q->cluster_size) : UINT64_MAX;
    publish(q);
    q->opened = true;
    return prepare_writing(q, error);
}

/* ---- closing ---- */

static int write_everything(Qcow2 *q)
{
    int ret = qcow2_settle(q);

    if (ret == 0) {
        ret = qcow2_settle(q);          /* the counts of what the first one freed */
    }
    if (ret == 0 && (q->header.incompatible & QCOW2_INCOMPAT_DIRTY)) {
        q->header.incompatible &= ~(uint64_t)QCOW2_INCOMPAT_DIRTY;
        ret = qcow2_settle(q);          /* counts again, now that they are not postponed */
        if (ret == 0) {
            ret = qcow2_header_write_fields(q);
        }
    }
    return ret;
}

static bool qcow2_reopen(BlockNode *node, bool read_only, GError **error)
{
    Qcow2 *q = (Qcow2 *)node;
    int ret;

    if (!read_only) {
        return check_corrupt(q, error) && prepare_writing(q, error);
    }
    g_mutex_lock(&q->lock);
    ret = qcow2_writable(q) == 0 ? write_everything(q) : 0;
    g_mutex_unlock(&q->lock);
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not write the tables of '%s'", node->filename);
    }
    return ret == 0;
}

static void qcow2_close(BlockNode *node)
{
    Qcow2 *q = (Qcow2 *)node;
    int ret = 0;

    if (q->opened && !node->read_only && qcow2_writable(q) == 0 &&
        !(node->open_flags & BLOCK_OPEN_CHECK)) {
        g_mutex_lock(&q->lock);
        ret = write_everything(q);
        g_mutex_unlock(&q->lock);
    }
    if (ret < 0) {
        report_warning("qcow2: '%s' could not be written completely: %s", node->filename,
                       g_strerror(-ret));
    }
    qcow2_cache_finish(&q->l2);
    qcow2_cache_finish(&q->refcounts);
    qcow2_header_clear(&q->header);
    g_clear_pointer(&q->snapshots, g_array_unref);
    g_clear_pointer(&q->frees, g_array_unref);
    g_clear_pointer(&q->frees_waiting, g_array_unref);
    g_clear_pointer(&q->rt_dirty, g_hash_table_unref);
    g_clear_pointer(&q->l1_dirty, g_hash_table_unref);
    g_clear_pointer(&q->metadata, g_hash_table_unref);
    g_clear_pointer(&q->rt, g_free);
    g_clear_pointer(&q->l1, g_free);
    g_mutex_clear(&q->lock);
    g_mutex_clear(&q->map_lock);
    g_cond_clear(&q->claim_cond);
}

/* ---- facts ---- */

static void add_fact(BlockInfo *info, const char *name, const char *value)
{
    g_ptr_array_add(info->specific, g_strdup(name));
    g_ptr_array_add(info->specific, g_strdup(value));
}

static void qcow2_info(BlockNode *node, BlockInfo *info)
{
    Qcow2 *q = (Qcow2 *)node;
    g_autofree char *bits = g_strdup_printf("%u", 1u << q->refcount_bits_log2);
    const bool v3 = q->header.version >= 3;

    g_mutex_lock(&q->lock);
    info->cluster_size = q->cluster_size;
    info->vm_state_offset = ROUND_UP(q->header.size, (uint64_t)q->cluster_size << q->l2_bits);
    info->dirty = q->header.incompatible & QCOW2_INCOMPAT_DIRTY;
    info->corrupt = q->corrupt || (q->header.incompatible & QCOW2_INCOMPAT_CORRUPT);
    info->snapshots = g_array_new(FALSE, TRUE, sizeof(BlockSnapshotInfo));
    for (guint i = 0; i < q->snapshots->len; i++) {
        BlockSnapshotInfo copy = g_array_index(q->snapshots, Qcow2Snapshot, i).info;

        copy.id = g_strdup(copy.id);
        copy.name = g_strdup(copy.name);
        g_array_append_val(info->snapshots, copy);
    }
    info->specific = g_ptr_array_new_with_free_func(g_free);
    add_fact(info, "compat", v3 ? "1.1" : "0.10");
    add_fact(info, "compression type", q->header.compression == QCOW2_ZSTD ? "zstd" : "zlib");
    if (v3) {
        add_fact(info, "lazy refcounts",
                 q->header.compatible & QCOW2_COMPAT_LAZY ? "true" : "false");
    }
    add_fact(info, "refcount bits", bits);
    if (v3) {
        add_fact(info, "corrupt", info->corrupt ? "true" : "false");
        add_fact(info, "extended l2", "false");
    }
    g_mutex_unlock(&q->lock);
}

bool qcow2_set_backing(BlockNode *node, const char *filename, const char *format, GError **error)
{
    Qcow2 *q = (Qcow2 *)node;
    Qcow2Header old = q->header;
    bool ok;

    if (filename != NULL && strlen(filename) > 1023) {
        set_error(error, "Backing file name too long");
        return false;
    }
    g_mutex_lock(&q->lock);
    q->header.backing_file = g_strdup(filename);
    q->header.backing_format = filename != NULL ? g_strdup(format) : NULL;
    ok = qcow2_settle(q) == 0 && qcow2_header_rewrite(q, error);
    if (ok) {
        g_free(old.backing_file);
        g_free(old.backing_format);
        g_free(node->backing_filename);
        g_free(node->backing_format);
        node->backing_filename = g_strdup(q->header.backing_file);
        node->backing_format = g_strdup(q->header.backing_format);
    } else {
        g_free(q->header.backing_file);
        g_free(q->header.backing_format);
        q->header.backing_file = old.backing_file;
        q->header.backing_format = old.backing_format;
        if (error != NULL && *error == NULL) {
            set_error(error, "Could not write the image's tables");
        }
    }
    g_mutex_unlock(&q->lock);
    return ok;
}

static bool qcow2_make_empty(BlockNode *node, GError **error)
{
    Qcow2 *q = (Qcow2 *)node;
    int ret = qcow2_writable(q);

    g_mutex_lock(&q->lock);
    if (ret == 0) {
        ret = qcow2_unmap(q, 0, qcow2_clusters(q, q->header.size), true);
    }
    if (ret == 0) {
        ret = qcow2_settle(q);
    }
    g_mutex_unlock(&q->lock);
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not empty %s", node->filename);
    }
    return ret == 0;
}

const BlockDriver block_qcow2 = {
    .name = "qcow2", .size = sizeof(Qcow2), .fua = true, .options = qcow2_options,
    .create_options = qcow2_create_options, .create_in = qcow2_create_in,
    .preallocate = qcow2_preallocate_all,
    .probe = qcow2_probe, .open = qcow2_open, .close = qcow2_close,
    .reopen = qcow2_reopen,
    .map = qcow2_map, .map_end = qcow2_map_end,
    .pread = qcow2_pread, .pwrite = qcow2_pwrite, .pwrite_compressed = qcow2_pwrite_compressed,
    .zero = qcow2_zero, .discard = qcow2_discard, .flush = qcow2_flush, .status = qcow2_status,
    .truncate = qcow2_truncate, .info = qcow2_info, .create = qcow2_create,
    .measure = qcow2_measure, .check = qcow2_check, .set_backing = qcow2_set_backing,
    .make_empty = qcow2_make_empty,
    .snapshot_create = qcow2_snapshot_create, .snapshot_delete = qcow2_snapshot_delete,
    .snapshot_apply = qcow2_snapshot_apply, .snapshot_view = qcow2_snapshot_view,
};
