/*
 * qcow2: internal snapshots ("Snapshots").
 *
 * A snapshot is another L1 table over the same clusters.  Taking one raises the count of everything
 * the active table reaches; the flag that says "ours alone" goes first, so that a crash in between
 * costs a needless copy or a leak, never a snapshot that changes.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"
#include "rhea_error.h"

#define FIXED_BYTES     40u
#define KNOWN_EXTRA     24u             /* VM state size, disk size, instruction count */

void qcow2_snapshot_clear(Qcow2Snapshot *snapshot)
{
    g_free(snapshot->extra);
    g_free(snapshot->info.id);
    g_free(snapshot->info.name);
}

uint64_t *qcow2_l1_read(Qcow2 *q, uint64_t offset, uint64_t entries, GError **error)
{
    uint64_t *l1 = g_try_malloc0_n(MAX(entries, 1), 8);
    int ret = l1 == NULL ? -ENOMEM : qcow2_file_read(q, offset, l1, entries * 8);

    if (ret < 0) {
        set_errno_error(error, -ret, "Could not read L1 table");
        g_free(l1);
        return NULL;
    }
    for (uint64_t i = 0; i < entries; i++) {
        l1[i] = GUINT64_FROM_BE(l1[i]);
    }
    return l1;
}

/* ---- the table of snapshots, as bytes ---- */

typedef struct Reader { const uint8_t *data; size_t len, at; bool short_of; } Reader;

static const uint8_t *take(Reader *in, size_t len)
{
    static const uint8_t nothing[8];
    const uint8_t *at = in->data + in->at;

    if (len > in->len - in->at) {
        in->short_of = true;
        in->at = in->len;
        return nothing;
    }
    in->at += len;
    return at;
}

static uint64_t take_number(Reader *in, unsigned bytes)
{
    const uint8_t *from = take(in, bytes);
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | from[i];
    }
    return value;
}

static char *take_text(Reader *in, size_t len)
{
    const uint8_t *from = take(in, len);

    return in->short_of ? NULL : g_strndup((const char *)from, len);
}

static void take_extra(Reader *in, uint32_t len, uint64_t disk_size, Qcow2Snapshot *snapshot)
{
    BlockSnapshotInfo *info = &snapshot->info;

    info->disk_size = disk_size;
    info->icount = UINT64_MAX;
    if (len >= 8) {
        info->vm_state_size = take_number(in, 8);
    }
    if (len >= 16) {
        info->disk_size = take_number(in, 8);
    }
    if (len >= 24) {
        info->icount = take_number(in, 8);
        snapshot->has_icount = true;
    }
    len -= len >= 24 ? 24 : len >= 16 ? 16 : len >= 8 ? 8 : 0;
    snapshot->extra_len = len;
    snapshot->extra = g_memdup2(take(in, len), in->short_of ? 0 : len);
}

/* Bytes beyond the entry are padding; false: cut off. */
static bool take_snapshot(Reader *in, uint64_t disk_size, Qcow2Snapshot *snapshot)
{
    BlockSnapshotInfo *info = &snapshot->info;
    uint32_t id_len, name_len, extra_len;

    snapshot->l1_offset = take_number(in, 8);
    snapshot->l1_entries = take_number(in, 4);
    id_len = take_number(in, 2);
    name_len = take_number(in, 2);
    info->date_sec = take_number(in, 4);
    info->date_nsec = take_number(in, 4);
    info->vm_clock_nsec = take_number(in, 8);
    info->vm_state_size = take_number(in, 4);
    extra_len = take_number(in, 4);
    if (in->short_of || extra_len > QCOW2_MAX_EXTRA_DATA) {
        return false;
    }
    take_extra(in, extra_len, disk_size, snapshot);
    info->id = take_text(in, id_len);
    info->name = take_text(in, name_len);
    in->at = MIN(ROUND_UP(in->at, 8), in->len);
    return !in->short_of;
}

static bool check_snapshot(Qcow2 *q, const Qcow2Snapshot *snapshot, GError **error)
{
    if ((uint64_t)snapshot->l1_entries * 8 > QCOW2_MAX_L1_BYTES) {
        set_error(error, "Snapshot '%s': L1 table too large", snapshot->info.id);
        return false;
    }
    if (qcow2_within(q, snapshot->l1_offset) != 0 || snapshot->l1_offset > QCOW2_OFFSET_MASK) {
        set_error(error, "Snapshot '%s': L1 table offset invalid", snapshot->info.id);
        return false;
    }
    if (snapshot->info.disk_size > INT64_MAX - BLOCK_SECTOR_SIZE) {
        set_error(error, "Snapshot '%s': disk too big", snapshot->info.id);
        return false;
    }
    return true;
}

static bool parse_snapshots(Qcow2 *q, Reader *in, GError **error)
{
    for (uint32_t i = 0; i < q->header.snapshots; i++) {
        Qcow2Snapshot snapshot = { 0 };
        bool ok = take_snapshot(in, q->header.size, &snapshot);

        g_array_append_val(q->snapshots, snapshot);
        if (!ok) {
            set_error(error, "Snapshot table entry %u is cut off or too large", i);
            return false;
        }
        if (!check_snapshot(q, &snapshot, error)) {
            return false;
        }
        qcow2_metadata_add(q, snapshot.l1_offset, (uint64_t)snapshot.l1_entries * 8);
    }
    return true;
}

/* How long the table is only its entries tell, so what the file has is read, up to the limit. */
bool qcow2_snapshots_read(Qcow2 *q, GError **error)
{
    uint64_t offset = q->header.snapshots_offset, have = block_node_size(q->node.file);
    g_autofree uint8_t *bytes = NULL;
    Reader in;
    int ret;

    if (q->header.snapshots == 0) {
        return true;
    }
    if (q->header.snapshots > QCOW2_MAX_SNAPSHOTS) {
        set_error(error, "Image has too many snapshots: %u", q->header.snapshots);
        return false;
    }
    if (qcow2_within(q, offset) != 0 || offset == 0 || offset >= have) {
        set_error(error, "Snapshot table offset invalid");
        return false;
    }
    have = MIN(have - offset, MIN(QCOW2_MAX_SNAPSHOT_TABLE, (uint64_t)q->header.snapshots *
                                  (FIXED_BYTES + QCOW2_MAX_EXTRA_DATA + 2 * UINT16_MAX + 8)));
    bytes = g_try_malloc(have);
    ret = bytes == NULL ? -ENOMEM : qcow2_file_read(q, offset, bytes, have);
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not read snapshots");
        return false;
    }
    in = (Reader){ bytes, have, 0, false };
    if (!parse_snapshots(q, &in, error)) {
        return false;
    }
    q->snapshots_bytes = in.at;
    qcow2_metadata_add(q, offset, in.at);
    return true;
}

static void put_number(GByteArray *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0;) {
        uint8_t byte = value >> (i * 8);

        g_byte_array_append(out, &byte, 1);
    }
}

static void put_snapshot(GByteArray *out, const Qcow2Snapshot *snapshot)
{
    static const uint8_t padding[8];
    const BlockSnapshotInfo *info = &snapshot->info;
    bool icount = snapshot->has_icount || snapshot->extra_len > 0;

    put_number(out, snapshot->l1_offset, 8);
    put_number(out, snapshot->l1_entries, 4);
    put_number(out, strlen(info->id), 2);
    put_number(out, strlen(info->name), 2);
    put_number(out, info->date_sec, 4);
    put_number(out, info->date_nsec, 4);
    put_number(out, info->vm_clock_nsec, 8);
    put_number(out, info->vm_state_size <= UINT32_MAX ? info->vm_state_size : 0, 4);
    put_number(out, (icount ? KNOWN_EXTRA : 16) + snapshot->extra_len, 4);
    put_number(out, info->vm_state_size, 8);
    put_number(out, info->disk_size, 8);
    if (icount) {
        put_number(out, info->icount, 8);
    }
    g_byte_array_append(out, snapshot->extra, snapshot->extra_len);
    g_byte_array_append(out, (const uint8_t *)info->id, strlen(info->id));
    g_byte_array_append(out, (const uint8_t *)info->name, strlen(info->name));
    g_byte_array_append(out, padding, ROUND_UP(out->len, 8) - out->len);
}

/* Writes `list` to a new place and makes it the image's; the old place is freed. Lock held. */
static int write_snapshots(Qcow2 *q, GArray *list)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    uint64_t old = q->header.snapshots_offset, old_bytes = q->snapshots_bytes, cluster = 0, n;
    bool fresh;
    int ret = 0;

    for (guint i = 0; i < list->len; i++) {
        put_snapshot(out, &g_array_index(list, Qcow2Snapshot, i));
    }
    if (out->len > QCOW2_MAX_SNAPSHOT_TABLE || list->len > QCOW2_MAX_SNAPSHOTS) {
        return -EFBIG;
    }
    if (out->len > 0) {
        uint64_t need = qcow2_clusters(q, out->len);

        ret = qcow2_alloc(q, need, need, &cluster, &n, &fresh);
        if (ret == 0) {
            ret = qcow2_file_write(q, cluster << q->cluster_bits, out->data, out->len);
        }
    }
    if (ret == 0) {
        ret = qcow2_settle(q);
    }
    if (ret < 0) {
        return ret;
    }
    q->header.snapshots_offset = cluster << q->cluster_bits;
    q->header.snapshots = list->len;
    q->snapshots_bytes = out->len;
    ret = qcow2_header_write_fields(q);
    if (ret < 0) {
        qcow2_set_broken(q);
    }
    qcow2_metadata_remove(q, old, old_bytes);
    qcow2_metadata_add(q, q->header.snapshots_offset, out->len);
    if (old_bytes > 0) {
        qcow2_free_later(q, old >> q->cluster_bits, qcow2_clusters(q, old_bytes), false);
    }
    return ret;
}

/* ---- everything a table reaches ---- */

/* Whether the counts can go up. */
static int has_room(Qcow2 *q, uint64_t first, uint64_t last)
{
    uint64_t count = 0;
    int ret = 0;

    for (uint64_t i = first; i <= last && ret == 0; i++) {
        ret = qcow2_refcount_get(q, i, &count);
        if (ret == 0 && count == q->refcount_max) {
            ret = -ERANGE;
        }
    }
    return ret;
}

static int count_entry(Qcow2 *q, uint64_t entry, int delta)
{
    uint64_t offset, bytes, first, last;

    switch (qcow2_kind(q, entry)) {
    case QCOW2_KIND_NORMAL:
    case QCOW2_KIND_ZERO_ALLOCATED:
        first = last = (entry & QCOW2_OFFSET_MASK) >> q->cluster_bits;
        break;
    case QCOW2_KIND_COMPRESSED:
        qcow2_compressed_range(q, entry, &offset, &bytes);
        first = offset >> q->cluster_bits;
        last = (offset + bytes - 1) >> q->cluster_bits;
        break;
    case QCOW2_KIND_BAD:
        return -EIO;
    default:
        return 0;
    }
    if (delta < 0) {
        qcow2_free_later(q, first, last - first + 1, false);
        return 0;
    }
    return delta > 0 ? qcow2_refcount_add(q, first, last - first + 1, delta)
                     : has_room(q, first, last);
}

static int count_table(Qcow2 *q, uint64_t table, int delta)
{
    int ret = 0;

    for (unsigned at = 0; at < q->cluster_size && ret == 0; at += q->l2.slice_bytes) {
        uint64_t entries[QCOW2_SLICE_BYTES / 8];
        uint8_t *data;

        ret = qcow2_cache_get(&q->l2, table + at, &data);
        if (ret == 0) {
            memcpy(entries, data, q->l2.slice_bytes);
        }
        for (unsigned i = 0; i < q->l2.slice_bytes / 8 && ret == 0; i++) {
            ret = count_entry(q, GUINT64_FROM_BE(entries[i]), delta);
        }
    }
    return ret;
}

/*
 * 0: only sees whether it could go up.  Up: at once.  Down: later, when no table on disk refers to
 * it.  A crash or failure half way up leaves counts that are too high, which check -r leaks puts
 * right.
 */
static int count_tree(Qcow2 *q, const uint64_t *l1, uint64_t entries, int delta)
{
    int ret = 0;

    for (uint64_t i = 0; i < entries && ret == 0; i++) {
        uint64_t table = l1[i] & QCOW2_OFFSET_MASK;

        if (table == 0) {
            continue;
        }
        if (qcow2_within(q, table) != 0) {
            return -EIO;
        }
        ret = count_table(q, table, delta);
        if (ret == 0 && delta > 0) {
            ret = qcow2_refcount_add(q, table >> q->cluster_bits, 1, delta);
        } else if (ret == 0 && delta == 0) {
            ret = has_room(q, table >> q->cluster_bits, table >> q->cluster_bits);
        } else if (ret == 0) {
            qcow2_free_later(q, table >> q->cluster_bits, 1, false);
        }
    }
    return ret;
}

static int sole_owner(Qcow2 *q, uint64_t cluster, bool *sole)
{
    uint64_t count;
    int ret = qcow2_refcount_get(q, cluster, &count);

    *sole = count == 1;
    return ret;
}

/* Sets or clears the flag of one entry of the active tables. `all_shared`: clear it whatever. */
static int flag_entry(Qcow2 *q, uint64_t guest_cluster, bool all_shared)
{
    uint64_t entry, new;
    bool sole = false;
    int ret = qcow2_l2_get(q, guest_cluster, &entry);
    Qcow2Kind kind = qcow2_kind(q, entry);

    if (ret < 0 || (kind != QCOW2_KIND_NORMAL && kind != QCOW2_KIND_ZERO_ALLOCATED)) {
        return ret;
    }
    if (!all_shared) {
        ret = sole_owner(q, (entry & QCOW2_OFFSET_MASK) >> q->cluster_bits, &sole);
    }
    new = sole ? entry | QCOW2_COPIED : entry & ~QCOW2_COPIED;
    return ret < 0 || new == entry ? ret : qcow2_l2_set(q, guest_cluster, new);
}

/* A table that is shared has its entries' flags clear already, or does not matter: it is copied. */
static int flag_table(Qcow2 *q, uint64_t index, bool all_shared)
{
    uint64_t first = index << q->l2_bits;
    int ret = 0;

    for (unsigned i = 0; i < q->l2_entries && ret == 0; i++) {
        ret = flag_entry(q, first + i, all_shared);
    }
    return ret;
}

int qcow2_flag_active(Qcow2 *q, bool all_shared)
{
    int ret = 0;

    for (uint64_t i = 0; i < q->l1_entries && ret == 0; i++) {
        uint64_t table = q->l1[i] & QCOW2_OFFSET_MASK;
        bool sole = false;

        if (table == 0 || qcow2_within(q, table) != 0) {
            continue;
        }
        ret = sole_owner(q, table >> q->cluster_bits, &sole);
        if (ret == 0 && sole) {
            qcow2_l1_set(q, i, table | QCOW2_COPIED);
            ret = flag_table(q, i, all_shared);
        }
        if (ret == 0 && (!sole || all_shared)) {
            qcow2_l1_set(q, i, table);
        }
    }
    return ret < 0 ? ret : qcow2_settle(q);
}

/* ---- taking, deleting, applying ---- */

static guint find_snapshot(Qcow2 *q, const char *name)
{
    for (guint i = 0; i < q->snapshots->len; i++) {
        if (g_str_equal(g_array_index(q->snapshots, Qcow2Snapshot, i).info.id, name)) {
            return i;
        }
    }
    for (guint i = 0; i < q->snapshots->len; i++) {
        if (g_str_equal(g_array_index(q->snapshots, Qcow2Snapshot, i).info.name, name)) {
            return i;
        }
    }
    return G_MAXUINT;
}

static char *new_id(Qcow2 *q)
{
    uint64_t largest = 0;

    for (guint i = 0; i < q->snapshots->len; i++) {
        const char *id = g_array_index(q->snapshots, Qcow2Snapshot, i).info.id;

        largest = MAX(largest, g_ascii_strtoull(id, NULL, 10));
    }
    return g_strdup_printf("%" G_GUINT64_FORMAT, largest + 1);
}

/* A copy of the active L1 table, at a place of its own. */
static int copy_l1(Qcow2 *q, uint64_t *offset)
{
    uint64_t bytes = q->l1_entries * 8, need = MAX(qcow2_clusters(q, bytes), 1), cluster, n;
    g_autofree uint64_t *copy = g_try_malloc_n(MAX(q->l1_entries, 1), 8);
    bool fresh;
    int ret = copy == NULL ? -ENOMEM : qcow2_alloc(q, need, need, &cluster, &n, &fresh);

    if (ret < 0) {
        return ret;
    }
    for (uint64_t i = 0; i < q->l1_entries; i++) {
        copy[i] = GUINT64_TO_BE(q->l1[i] & ~QCOW2_COPIED);
    }
    *offset = cluster << q->cluster_bits;
    qcow2_metadata_add(q, *offset, bytes);
    return qcow2_file_write(q, *offset, copy, bytes);
}

static int create_locked(Qcow2 *q, Qcow2Snapshot *snapshot)
{
    int ret = qcow2_mark_dirty(q);

    if (ret == 0) {
        ret = count_tree(q, q->l1, q->l1_entries, 0);
    }
    if (ret == 0) {
        ret = qcow2_flag_active(q, true);
    }
    if (ret == 0) {
        ret = count_tree(q, q->l1, q->l1_entries, 1);
    }
    if (ret == 0) {
        ret = copy_l1(q, &snapshot->l1_offset);
    }
    snapshot->l1_entries = q->l1_entries;
    g_array_append_vals(q->snapshots, snapshot, 1);
    if (ret == 0) {
        ret = write_snapshots(q, q->snapshots);
    }
    if (ret < 0) {
        g_array_set_size(q->snapshots, q->snapshots->len - 1);
    }
    return ret;
}

static bool usable(Qcow2 *q, GError **error)
{
    int ret = qcow2_writable(q);

    if (ret < 0) {
        set_errno_error(error, -ret, "The image cannot be written");
    }
    return ret == 0;
}

bool qcow2_snapshot_create(BlockNode *node, const char *name, GError **error)
{
    Qcow2 *q = (Qcow2 *)node;
    int64_t now = g_get_real_time();
    Qcow2Snapshot snapshot = {
        .has_icount = true,
        .info = { .date_sec = now / G_USEC_PER_SEC, .date_nsec = now % G_USEC_PER_SEC * 1000,
                  .disk_size = q->header.size },
    };
    int ret;

    if (!usable(q, error)) {
        return false;
    }
    if (strlen(name) > UINT16_MAX) {
        set_error(error, "Snapshot name too long");
        return false;
    }
    g_mutex_lock(&q->lock);
    snapshot.info.id = new_id(q);
    snapshot.info.name = g_strdup(name);
    ret = create_locked(q, &snapshot);
    g_mutex_unlock(&q->lock);
    if (ret < 0) {
        set_error(error, "%d (%s)", ret, g_strerror(-ret));
    }
    return ret == 0;
}

static int delete_locked(Qcow2 *q, guint index)
{
    Qcow2Snapshot old = g_array_index(q->snapshots, Qcow2Snapshot, index);
    g_autofree uint64_t *l1 = qcow2_l1_read(q, old.l1_offset, old.l1_entries, NULL);
    uint64_t bytes = (uint64_t)old.l1_entries * 8;
    int ret = l1 == NULL ? -EIO : qcow2_mark_dirty(q);

    if (ret < 0) {
        return ret;
    }
    g_array_remove_index(q->snapshots, index);          /* frees its strings */
    ret = write_snapshots(q, q->snapshots);
    if (ret == 0) {
        ret = count_tree(q, l1, old.l1_entries, -1);
    }
    if (ret == 0) {
        qcow2_metadata_remove(q, old.l1_offset, bytes);
        qcow2_free_later(q, old.l1_offset >> q->cluster_bits, MAX(qcow2_clusters(q, bytes), 1),
                         false);
        ret = qcow2_settle(q);
    }
    return ret < 0 ? ret : qcow2_flag_active(q, false);
}

bool qcow2_snapshot_delete(BlockNode *node, const char *name, GError **error)
{
    Qcow2 *q = (Qcow2 *)node;
    guint index = find_snapshot(q, name);
    int ret;

    if (index == G_MAXUINT) {
        set_error(error, "snapshot not found");
        return false;
    }
    if (!usable(q, error)) {
        return false;
    }
    g_mutex_lock(&q->lock);
    ret = delete_locked(q, index);
    g_mutex_unlock(&q->lock);
    if (ret < 0) {
        set_errno_error(error, -ret, "Failed to remove snapshot from snapshot list");
    }
    return ret == 0;
}

/* The active tables become those of the snapshot, whose clusters both then share. */
static int apply_locked(Qcow2 *q, const Qcow2Snapshot *snapshot)
{
    g_autofree uint64_t *l1 = qcow2_l1_read(q, snapshot->l1_offset, snapshot->l1_entries, NULL);
    g_autofree uint64_t *old = NULL;
    uint64_t entries = q->l1_entries;
    int ret = l1 == NULL ? -EIO : qcow2_l1_grow(q, snapshot->l1_entries);

    if (ret == 0) {
        ret = qcow2_mark_dirty(q);
    }
    if (ret == 0) {
        ret = count_tree(q, l1, snapshot->l1_entries, 1);
    }
    if (ret == 0) {
        ret = qcow2_settle(q);
    }
    if (ret < 0) {
        return ret;
    }
    entries = q->l1_entries;
    old = g_memdup2(q->l1, entries * 8);
    for (uint64_t i = 0; i < entries; i++) {
        uint64_t entry = i < snapshot->l1_entries ? l1[i] & QCOW2_OFFSET_MASK : 0;

        qcow2_metadata_remove(q, old[i] & QCOW2_OFFSET_MASK, old[i] ? q->cluster_size : 0);
        qcow2_l1_set(q, i, entry);
    }
    for (uint64_t i = 0; i < snapshot->l1_entries; i++) {
        qcow2_metadata_add(q, l1[i] & QCOW2_OFFSET_MASK, l1[i] ? q->cluster_size : 0);
    }
    ret = qcow2_settle(q);
    if (ret == 0) {
        ret = count_tree(q, old, entries, -1);
    }
    if (ret == 0) {
        ret = qcow2_settle(q);
    }
    return ret < 0 ? ret : qcow2_flag_active(q, false);
}

bool qcow2_snapshot_apply(BlockNode *node, const char *name, GError **error)
{
    Qcow2 *q = (Qcow2 *)node;
    guint index = find_snapshot(q, name);
    const Qcow2Snapshot *snapshot;
    int ret;

    if (index == G_MAXUINT) {
        set_errno_error(error, ENOENT, "Failed to load snapshot");
        return false;
    }
    snapshot = &g_array_index(q->snapshots, Qcow2Snapshot, index);
    if (!usable(q, error)) {
        return false;
    }
    if (snapshot->info.disk_size != q->header.size &&
        !qcow2_truncate(node, snapshot->info.disk_size, BLOCK_PREALLOC_OFF, error)) {
        return false;
    }
    __atomic_store_n(&node->size_bytes, q->header.size, __ATOMIC_RELAXED);
    g_mutex_lock(&q->lock);
    ret = apply_locked(q, snapshot);
    g_mutex_unlock(&q->lock);
    if (ret < 0) {
        set_errno_error(error, -ret, "Failed to load snapshot");
    }
    return ret == 0;
}

bool qcow2_snapshot_view(BlockNode *node, const char *name, GError **error)
{
    Qcow2 *q = (Qcow2 *)node;
    guint index = find_snapshot(q, name);
    const Qcow2Snapshot *snapshot;
    uint64_t *l1;

    if (index == G_MAXUINT) {
        set_error(error, "Can't find snapshot");
        return false;
    }
    if (!node->read_only) {
        set_error(error, "Only a read-only image can show a snapshot");
        return false;
    }
    snapshot = &g_array_index(q->snapshots, Qcow2Snapshot, index);
    l1 = qcow2_l1_read(q, snapshot->l1_offset, snapshot->l1_entries, error);
    if (l1 == NULL) {
        return false;
    }
    g_mutex_lock(&q->lock);
    g_mutex_lock(&q->map_lock);
    g_free(q->l1);
    q->l1 = l1;
    q->l1_entries = snapshot->l1_entries;
    q->header.size = snapshot->info.disk_size;
    g_mutex_unlock(&q->map_lock);
    g_mutex_unlock(&q->lock);
    __atomic_store_n(&node->size_bytes, snapshot->info.disk_size, __ATOMIC_RELAXED);
    return true;
}
