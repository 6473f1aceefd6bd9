/*
 * qcow2: consistency.
 *
 * Everything that refers to host clusters is walked and compared with the reference counts: too
 * high a count is a leak, too low a one an error, because the cluster could be given out twice.
 * Then the "ours alone" flags of the active tables are compared with the counts.
 */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"
#include "rhea_error.h"

#define BITMAP_ENTRY    24u             /* fixed part of an entry of the bitmap directory */
#define MAX_DIRECTORY   (64u << 20)

typedef struct Check {
    Qcow2 *q;
    BlockCheck *out;
    Qcow2Refs refs;
    bool rebuild;                       /* the counts cannot be put right where they are */
    uint64_t previous_end;              /* host offset behind the last guest cluster seen */
} Check;

static void report(Check *check, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void report(Check *check, const char *format, ...)
{
    g_autofree char *line = NULL;
    va_list args;

    if (check->out->report == NULL) {
        return;
    }
    va_start(args, format);
    line = g_strdup_vprintf(format, args);
    va_end(args);
    check->out->report(check->out->opaque, line);
}

static void add_range(Check *check, uint64_t offset, uint64_t bytes)
{
    if (bytes > 0) {
        uint64_t first = offset >> check->q->cluster_bits;

        qcow2_refs_add(&check->refs, first,
                       ((offset + bytes - 1) >> check->q->cluster_bits) - first + 1);
    }
}

/* ---- walking ---- */

static void count_data(Check *check, uint64_t offset)
{
    BlockCheck *out = check->out;

    out->allocated_clusters++;
    out->fragmented_clusters += check->previous_end != 0 && offset != check->previous_end;
    check->previous_end = offset + check->q->cluster_size;
}

static void walk_entry(Check *check, uint64_t entry, bool active)
{
    Qcow2 *q = check->q;
    uint64_t offset, bytes;

    switch (qcow2_kind(q, entry)) {
    case QCOW2_KIND_NORMAL:
    case QCOW2_KIND_ZERO_ALLOCATED:
        offset = entry & QCOW2_OFFSET_MASK;
        add_range(check, offset, q->cluster_size);
        if (active) {
            count_data(check, offset);
        }
        break;
    case QCOW2_KIND_COMPRESSED:
        qcow2_compressed_range(q, entry, &offset, &bytes);
        add_range(check, offset, bytes);
        if (entry & QCOW2_COPIED) {
            report(check, "ERROR: coffset=0x%" G_GINT64_MODIFIER "x: copied flag must never be set "
                   "for compressed clusters", entry & ~QCOW2_COPIED);
            check->out->errors++;
        }
        if (active) {
            check->out->allocated_clusters++;
            check->out->compressed_clusters++;
            check->out->fragmented_clusters++;  /* they are never one behind the other */
        }
        break;
    case QCOW2_KIND_BAD:
        report(check, "ERROR: invalid L2 entry %" G_GINT64_MODIFIER "x", entry);
        check->out->errors++;
        break;
    default:
        break;
    }
}

static int walk_l2(Check *check, uint64_t table, bool active)
{
    Qcow2 *q = check->q;
    g_autofree uint64_t *entries = g_malloc(q->cluster_size);
    int ret = 0;

    check->previous_end = 0;            /* a table in between does not make a fragment */
    for (unsigned at = 0; at < q->cluster_size && ret == 0; at += q->l2.slice_bytes) {
        uint8_t *data;

        ret = qcow2_cache_get(&q->l2, table + at, &data);
        if (ret == 0) {
            memcpy((uint8_t *)entries + at, data, q->l2.slice_bytes);
        }
    }
    for (unsigned i = 0; i < q->l2_entries && ret == 0; i++) {
        if (entries[i] != 0) {
            walk_entry(check, GUINT64_FROM_BE(entries[i]), active);
        }
    }
    return ret;
}

static int walk_l1(Check *check, const uint64_t *l1, uint64_t entries, uint64_t offset, bool active)
{
    Qcow2 *q = check->q;
    int ret = 0;

    add_range(check, offset, entries * 8);
    for (uint64_t i = 0; i < entries && ret == 0; i++) {
        uint64_t table = l1[i] & QCOW2_OFFSET_MASK;

        if (l1[i] == 0) {
            continue;
        }
        if (qcow2_within(q, table) != 0 || (l1[i] & QCOW2_L1_RESERVED) || table == 0) {
            report(check, "ERROR l2_offset=0x%" G_GINT64_MODIFIER "x: Table is not cluster "
                   "aligned; L1 entry corrupted", table);
            check->out->errors++;
            continue;
        }
        add_range(check, table, q->cluster_size);
        ret = walk_l2(check, table, active);
    }
    return ret;
}

static int walk_snapshots(Check *check)
{
    Qcow2 *q = check->q;
    int ret = 0;

    for (guint i = 0; i < q->snapshots->len && ret == 0; i++) {
        const Qcow2Snapshot *snapshot = &g_array_index(q->snapshots, Qcow2Snapshot, i);
        g_autofree uint64_t *l1 = qcow2_l1_read(q, snapshot->l1_offset, snapshot->l1_entries, NULL);

        ret = l1 == NULL ? -EIO : walk_l1(check, l1, snapshot->l1_entries, snapshot->l1_offset,
                                          false);
    }
    if (q->header.snapshots > 0) {
        add_range(check, q->header.snapshots_offset, q->snapshots_bytes);
    }
    return ret;
}

static uint64_t number_at(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/* One bitmap: its table, and the clusters that names. */
static int walk_bitmap(Check *check, uint64_t offset, uint64_t entries)
{
    Qcow2 *q = check->q;
    g_autofree uint64_t *table = NULL;

    if (entries * 8 > QCOW2_MAX_L1_BYTES || qcow2_within(q, offset) != 0 ||
        offset > QCOW2_OFFSET_MASK) {
        report(check, "ERROR bitmap table at 0x%" G_GINT64_MODIFIER "x is invalid", offset);
        check->out->errors++;
        return 0;
    }
    table = qcow2_l1_read(q, offset, entries, NULL);
    if (table == NULL) {
        return -EIO;
    }
    add_range(check, offset, entries * 8);
    for (uint64_t i = 0; i < entries; i++) {
        uint64_t cluster = table[i] & QCOW2_OFFSET_MASK;

        if (cluster != 0) {
            add_range(check, cluster, q->cluster_size);
        }
    }
    return 0;
}

static int walk_directory(Check *check, uint64_t offset, uint64_t bytes, uint32_t bitmaps)
{
    g_autofree uint8_t *directory = g_try_malloc(MAX(bytes, 1));
    uint64_t at = 0;
    int ret = directory == NULL ? -ENOMEM : qcow2_file_read(check->q, offset, directory, bytes);

    add_range(check, offset, bytes);
    for (uint32_t i = 0; i < bitmaps && ret == 0; i++) {
        const uint8_t *entry = directory + at;

        if (bytes - at < BITMAP_ENTRY) {
            report(check, "ERROR bitmap directory is cut off");
            check->out->errors++;
            return 0;
        }
        ret = walk_bitmap(check, number_at(entry, 8), number_at(entry + 8, 4));
        at += ROUND_UP(BITMAP_ENTRY + number_at(entry + 18, 2) + number_at(entry + 20, 4), 8);
        at = MIN(at, bytes);
    }
    return ret;
}

/* Bitmaps that are not known to be consistent hold nothing. */
static int walk_bitmaps(Check *check)
{
    Qcow2 *q = check->q;
    const Qcow2Extension *ext = qcow2_header_extension(&q->header, QCOW2_EXT_BITMAPS);
    uint64_t offset, bytes;

    if (ext == NULL || !(q->header.autoclear & QCOW2_AUTOCLEAR_BITMAPS)) {
        return 0;
    }
    if (ext->len < 24) {
        report(check, "ERROR bitmaps extension is cut off");
        check->out->errors++;
        return 0;
    }
    bytes = number_at(ext->data + 8, 8);
    offset = number_at(ext->data + 16, 8);
    if (bytes > MAX_DIRECTORY || qcow2_within(q, offset) != 0 || offset > QCOW2_OFFSET_MASK) {
        report(check, "ERROR bitmap directory at 0x%" G_GINT64_MODIFIER "x is invalid", offset);
        check->out->errors++;
        return 0;
    }
    return walk_directory(check, offset, bytes, number_at(ext->data, 4));
}

static int walk_tables(Check *check)
{
    Qcow2 *q = check->q;
    int ret;

    add_range(check, 0, q->cluster_size);
    ret = walk_l1(check, q->l1, q->l1_entries, q->header.l1_offset, true);
    if (ret == 0) {
        ret = walk_snapshots(check);
    }
    return ret == 0 ? walk_bitmaps(check) : ret;
}

/* The counts' own clusters; last, as rebuilding leaves them out. */
static void walk_counts(Check *check)
{
    Qcow2 *q = check->q;

    add_range(check, q->header.rt_offset, (uint64_t)q->header.rt_clusters << q->cluster_bits);
    for (uint64_t i = 0; i < q->rt_entries; i++) {
        uint64_t block = q->rt[i];

        if (block == 0) {
            continue;
        }
        if (qcow2_within(q, block) != 0 || block > QCOW2_OFFSET_MASK) {
            report(check, "ERROR refcount block %" G_GUINT64_FORMAT " is not cluster aligned; "
                   "refcount table entry corrupted", i);
            check->out->errors++;
            check->rebuild = true;
            continue;
        }
        add_range(check, block, q->cluster_size);
        if (qcow2_refs_get(&check->refs, block >> q->cluster_bits) > 1) {
            report(check, "ERROR refcount block %" G_GUINT64_FORMAT " refcount=%" G_GUINT64_FORMAT,
                   i, qcow2_refs_get(&check->refs, block >> q->cluster_bits));
            check->out->errors++;
            check->rebuild = true;
        }
    }
}

/* ---- comparing ---- */

/* Whether the counts of this block can be believed to be counts. */
static bool is_counted(Check *check, uint64_t index)
{
    Qcow2 *q = check->q;

    return index < q->rt_entries && q->rt[index] != 0 && qcow2_within(q, q->rt[index]) == 0 &&
           q->rt[index] <= QCOW2_OFFSET_MASK &&
           qcow2_refs_get(&check->refs, q->rt[index] >> q->cluster_bits) == 1;
}

typedef int CompareRow(Check *check, uint64_t cluster, uint64_t count, uint64_t refs);

/* Clusters to compare: all of a block, or those of a page of references that have no block. */
typedef struct Stretch { uint64_t first, n; bool whole_block; } Stretch;

static int compare_stretch(Check *check, const Stretch *stretch, CompareRow *row)
{
    Qcow2 *q = check->q;
    int ret = 0;

    for (uint64_t i = stretch->first; i < stretch->first + stretch->n && ret == 0; i++) {
        uint64_t refs, count = 0;

        if (stretch->whole_block) {
            ret = qcow2_refcount_get(q, i, &count);
        } else if (is_counted(check, i / q->refcount_per_block)) {
            continue;
        }
        refs = qcow2_refs_get(&check->refs, i);
        if (ret == 0 && (count > 0 || refs > 0)) {
            ret = row(check, i, count, refs);
        }
    }
    return ret;
}

static gint by_first(gconstpointer a, gconstpointer b)
{
    const Stretch *left = a, *right = b;

    return left->first < right->first ? -1 : left->first > right->first;
}

static int compare(Check *check, CompareRow *row)
{
    Qcow2 *q = check->q;
    g_autoptr(GArray) pages = qcow2_refs_pages(&check->refs);
    g_autoptr(GArray) stretches = g_array_new(FALSE, FALSE, sizeof(Stretch));
    int ret = 0;

    for (guint i = 0; i < pages->len; i++) {
        Stretch stretch = { g_array_index(pages, uint64_t, i), QCOW2_REF_PAGE, false };

        g_array_append_val(stretches, stretch);
    }
    for (uint64_t i = 0; i < q->rt_entries; i++) {
        Stretch stretch = { i * q->refcount_per_block, q->refcount_per_block, true };

        if (is_counted(check, i)) {
            g_array_append_val(stretches, stretch);
        }
    }
    g_array_sort(stretches, by_first);
    for (guint i = 0; i < stretches->len && ret == 0; i++) {
        ret = compare_stretch(check, &g_array_index(stretches, Stretch, i), row);
    }
    return ret;
}

static int report_row(Check *check, uint64_t cluster, uint64_t count, uint64_t refs)
{
    BlockCheck *out = check->out;

    out->image_end = MAX(out->image_end, (cluster + 1) << check->q->cluster_bits);
    if (count == refs) {
        return 0;
    }
    report(check, "%s cluster %" G_GUINT64_FORMAT " refcount=%" G_GUINT64_FORMAT " reference=%"
           G_GUINT64_FORMAT, count > refs ? "Leaked" : "ERROR", cluster, count, refs);
    out->leaks += count > refs;
    out->errors += count < refs;
    if (count < refs && !is_counted(check, cluster / check->q->refcount_per_block)) {
        check->rebuild = true;
    }
    return 0;
}

static int repair_row(Check *check, uint64_t cluster, uint64_t count, uint64_t refs)
{
    BlockCheck *out = check->out;
    int ret;

    if (count == refs || (count > refs ? !out->fix_leaks : !out->fix_errors)) {
        return 0;
    }
    report(check, "Repairing cluster %" G_GUINT64_FORMAT " refcount=%" G_GUINT64_FORMAT
           " reference=%" G_GUINT64_FORMAT, cluster, count, refs);
    ret = qcow2_refcount_set(check->q, cluster, refs);
    if (ret == 0) {
        out->leaks_fixed += count > refs;
        out->leaks -= count > refs;
        out->errors_fixed += count < refs;
        out->errors -= count < refs;
    }
    return ret;
}

/* ---- flags ---- */

static int check_flag(Check *check, uint64_t guest_cluster, const char *text)
{
    Qcow2 *q = check->q;
    uint64_t entry, count;
    int ret = qcow2_l2_get(q, guest_cluster, &entry);
    Qcow2Kind kind = qcow2_kind(q, entry);

    if (ret < 0 || (kind != QCOW2_KIND_NORMAL && kind != QCOW2_KIND_ZERO_ALLOCATED)) {
        return ret;
    }
    ret = qcow2_refcount_get(q, (entry & QCOW2_OFFSET_MASK) >> q->cluster_bits, &count);
    if (ret == 0 && (count == 1) != ((entry & QCOW2_COPIED) != 0)) {
        report(check, "%s OFLAG_COPIED data cluster: l2_entry=%" G_GINT64_MODIFIER "x refcount=%"
               G_GUINT64_FORMAT, text, entry, count);
        check->out->errors++;
    }
    return ret;
}

static int check_table_flags(Check *check, uint64_t index, const char *text)
{
    Qcow2 *q = check->q;
    uint64_t entry = q->l1[index], table = entry & QCOW2_OFFSET_MASK, count;
    int ret;

    if (table == 0 || qcow2_within(q, table) != 0 || (entry & QCOW2_L1_RESERVED)) {
        return 0;
    }
    ret = qcow2_refcount_get(q, table >> q->cluster_bits, &count);
    if (ret == 0 && (count == 1) != ((entry & QCOW2_COPIED) != 0)) {
        report(check, "%s OFLAG_COPIED L2 cluster: l1_index=%" G_GUINT64_FORMAT " l1_entry=%"
               G_GINT64_MODIFIER "x refcount=%" G_GUINT64_FORMAT, text, index, entry, count);
        check->out->errors++;
    }
    for (unsigned i = 0; i < q->l2_entries && ret == 0; i++) {
        ret = check_flag(check, (index << q->l2_bits) + i, text);
    }
    return ret;
}

static int check_flags(Check *check)
{
    BlockCheck *out = check->out;
    const char *text = out->fix_errors ? "Repairing" : "ERROR";
    uint64_t before = out->errors, wrong;
    int ret = 0;

    for (uint64_t i = 0; i < check->q->l1_entries && ret == 0; i++) {
        ret = check_table_flags(check, i, text);
    }
    wrong = out->errors - before;
    if (ret == 0 && wrong > 0 && out->fix_errors) {
        ret = qcow2_flag_active(check->q, false);
        if (ret == 0) {
            out->errors -= wrong;
            out->errors_fixed += wrong;
        }
    }
    return ret;
}

/* ---- all of it ---- */

static int rebuild(Check *check)
{
    BlockCheck *out = check->out;
    int ret;

    report(check, "Rebuilding refcount structure");
    qcow2_refs_finish(&check->refs);
    qcow2_refs_init(&check->refs);
    out->allocated_clusters = out->fragmented_clusters = out->compressed_clusters = 0;
    check->previous_end = 0;
    out->errors_fixed += out->errors;
    out->leaks_fixed += out->leaks;
    out->errors = out->leaks = 0;
    ret = walk_tables(check);                   /* counts again what is wrong with the tables */
    out->errors_fixed -= MIN(out->errors, out->errors_fixed);
    return ret == 0 ? qcow2_rebuild_refcounts(check->q, &check->refs) : ret;
}

static int repair(Check *check)
{
    BlockCheck *out = check->out;
    int ret;

    if (check->rebuild && out->fix_errors) {
        return rebuild(check);
    }
    if ((out->leaks == 0 || !out->fix_leaks) && (out->errors == 0 || !out->fix_errors)) {
        return 0;
    }
    ret = compare(check, repair_row);
    return ret == 0 ? qcow2_settle(check->q) : ret;
}

/* Clusters of bitmaps that are out of date were freed as leaks: nothing may lead to them. */
static int forget_bitmaps(Check *check)
{
    Qcow2 *q = check->q;

    if (check->out->leaks_fixed == 0 || (q->header.autoclear & QCOW2_AUTOCLEAR_BITMAPS) ||
        qcow2_header_extension(&q->header, QCOW2_EXT_BITMAPS) == NULL) {
        return 0;
    }
    qcow2_header_drop_extension(&q->header, QCOW2_EXT_BITMAPS);
    return qcow2_header_rewrite(q, NULL) ? 0 : -EIO;
}

static int run(Check *check)
{
    Qcow2 *q = check->q;
    BlockCheck *out = check->out;
    uint64_t was = q->header.incompatible;
    int ret = walk_tables(check);

    if (ret == 0) {
        walk_counts(check);
        ret = check->refs.too_many ? -EFBIG : compare(check, report_row);
    }
    if (ret == 0) {
        ret = repair(check);
    }
    if (ret == 0) {
        ret = forget_bitmaps(check);
    }
    if (ret == 0) {
        ret = check_flags(check);
    }
    if (ret == 0 && (out->fix_leaks || out->fix_errors) && out->errors == 0 &&
        (was & (QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT))) {
        q->header.incompatible &= ~(uint64_t)(QCOW2_INCOMPAT_DIRTY | QCOW2_INCOMPAT_CORRUPT);
        __atomic_store_n(&q->corrupt, false, __ATOMIC_RELAXED);
        ret = qcow2_settle(q);
        if (ret == 0) {
            ret = qcow2_header_write_fields(q);
        }
    }
    return ret;
}

bool qcow2_check(BlockNode *node, BlockCheck *out, GError **error)
{
    Check check = { .q = (Qcow2 *)node, .out = out };
    int ret;

    if ((out->fix_leaks || out->fix_errors) && node->read_only) {
        set_error(error, "A read-only image cannot be repaired");
        return false;
    }
    g_mutex_lock(&check.q->lock);
    qcow2_refs_init(&check.refs);
    out->total_clusters = qcow2_clusters(check.q, check.q->header.size);
    ret = run(&check);
    qcow2_refs_finish(&check.refs);
    g_mutex_unlock(&check.q->lock);
    if (ret < 0) {
        out->check_errors++;
        set_errno_error(error, -ret, "Could not check the image");
    }
    return ret == 0;
}
