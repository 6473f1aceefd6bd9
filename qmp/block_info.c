/* What QMP tells of drives, nodes and images. */
#include "block_info.h"

#include "block_driver.h"

/* ---- images ---- */

/* The text of a fact; NULL: this version of the format has none. */
static const char *fact(const GPtrArray *pairs, const char *name)
{
    for (guint i = 0; i + 1 < pairs->len; i += 2) {
        if (g_str_equal(g_ptr_array_index(pairs, i), name)) {
            return g_ptr_array_index(pairs, i + 1);
        }
    }
    return NULL;
}

static bool flag_fact(const GPtrArray *pairs, const char *name, bool *value)
{
    const char *text = fact(pairs, name);

    *value = text != NULL && g_str_equal(text, "true");
    return text != NULL;
}

static QmpImageInfoSpecific *specific_of_qcow2(const GPtrArray *pairs)
{
    QmpImageInfoSpecific *to = g_new0(QmpImageInfoSpecific, 1);
    QmpImageInfoSpecificQCow2 *data = g_new0(QmpImageInfoSpecificQCow2, 1);
    const char *bits = fact(pairs, "refcount bits");

    to->type = QMP_IMAGE_INFO_SPECIFIC_KIND_QCOW2;
    to->u.qcow2.data = data;
    data->compat = g_strdup(fact(pairs, "compat"));
    data->compression_type =
        qmp_enum_index(qmp_qcow2_compression_type_names, fact(pairs, "compression type"));
    data->refcount_bits = g_ascii_strtoll(bits, NULL, 10);
    data->has_lazy_refcounts = flag_fact(pairs, "lazy refcounts", &data->lazy_refcounts);
    data->has_corrupt = flag_fact(pairs, "corrupt", &data->corrupt);
    data->has_extended_l2 = flag_fact(pairs, "extended l2", &data->extended_l2);
    return to;
}

static GPtrArray *snapshots_to_list(const GArray *snapshots)
{
    GPtrArray *list = qmp_snapshot_info_list_new();

    for (guint i = 0; i < snapshots->len; i++) {
        const BlockSnapshotInfo *from = &g_array_index(snapshots, BlockSnapshotInfo, i);
        QmpSnapshotInfo *to = g_new0(QmpSnapshotInfo, 1);

        to->id = g_strdup(from->id);
        to->name = g_strdup(from->name);
        to->vm_state_size = from->vm_state_size;
        to->date_sec = from->date_sec;
        to->date_nsec = from->date_nsec;
        to->vm_clock_sec = from->vm_clock_nsec / 1000000000;
        to->vm_clock_nsec = from->vm_clock_nsec % 1000000000;
        to->has_icount = from->icount != UINT64_MAX;
        to->icount = from->icount;
        g_ptr_array_add(list, to);
    }
    return list;
}

static void fill_format(QmpImageInfo *to, BlockNode *node)
{
    BlockInfo info = { 0 };

    if (node->driver->info == NULL) {
        return;
    }
    node->driver->info(node, &info);
    to->has_cluster_size = info.cluster_size != 0;
    to->cluster_size = info.cluster_size;
    to->dirty_flag = info.dirty;
    if (info.snapshots != NULL && info.snapshots->len > 0) {
        to->snapshots = snapshots_to_list(info.snapshots);
    }
    if (g_str_equal(node->driver->name, "qcow2")) {
        to->format_specific = specific_of_qcow2(info.specific);
    }
    block_info_clear(&info);
}

/* Formats and files have one, what is not a file has none. */
static bool has_dirty_flag(const BlockNode *node)
{
    while (node->driver->filter && node->file != NULL) {
        node = node->file;
    }
    return node->driver->info != NULL || node->driver->fd != NULL;
}

QmpImageInfo *qmp_image_info_of(BlockNode *node, bool with_backing)
{
    QmpImageInfo *to = g_new0(QmpImageInfo, 1);
    uint64_t allocated = block_node_allocated_bytes(node);

    to->filename = g_strdup(block_node_filename(node));
    to->format = g_strdup(node->driver->name);
    to->has_dirty_flag = has_dirty_flag(node);
    to->has_actual_size = allocated != UINT64_MAX;
    to->actual_size = allocated;
    to->virtual_size = (block_node_size(node) + BLOCK_SECTOR_SIZE - 1) / BLOCK_SECTOR_SIZE *
                       BLOCK_SECTOR_SIZE;               /* as disks have whole sectors */
    if (node->backing_filename != NULL) {
        to->backing_filename = g_strdup(node->backing_filename);
        to->full_backing_filename = block_backing_path(node->filename, node->backing_filename);
        to->backing_filename_format = g_strdup(node->backing_format);
    }
    fill_format(to, node);
    if (with_backing && node->backing != NULL) {
        to->backing_image = qmp_image_info_of(node->backing, true);
    }
    return to;
}

/* ---- nodes and drives ---- */

QmpBlockDeviceInfo *qmp_block_device_info_of(BlockNode *node, bool write_cache, bool with_backing)
{
    QmpBlockDeviceInfo *to = g_new0(QmpBlockDeviceInfo, 1);

    to->file = g_strdup(block_node_filename(node));
    to->node_name = g_strdup(node->name);
    to->ro = node->read_only;
    to->drv = g_strdup(node->driver->name);
    to->image = qmp_image_info_of(node, with_backing);
    to->backing_file = node->backing != NULL ? g_strdup(block_node_filename(node->backing)) : NULL;
    for (const QmpImageInfo *image = to->image->backing_image; image != NULL;
         image = image->backing_image) {
        to->backing_file_depth++;                       /* of the images told of */
    }
    to->detect_zeroes = node->detect_zeroes_unmap ? QMP_BLOCKDEV_DETECT_ZEROES_OPTIONS_UNMAP :
                        node->detect_zeroes ? QMP_BLOCKDEV_DETECT_ZEROES_OPTIONS_ON :
                        QMP_BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF;
    to->write_threshold = __atomic_load_n(&node->write_threshold, __ATOMIC_RELAXED);
    to->cache = g_new0(QmpBlockdevCacheInfo, 1);
    to->cache->writeback = write_cache;
    to->cache->direct = node->direct;
    to->cache->no_flush = node->no_flush;
    return to;
}

/* Limits of traffic are the drive's, told with its medium. */
#define FILL_LIMIT(to_, from_, name_) \
    (to_)->name_ = (from_)->rate; \
    (to_)->has_##name_##_max = (to_)->has_##name_##_max_length = (from_)->burst != 0; \
    (to_)->name_##_max = (from_)->burst; \
    (to_)->name_##_max_length = (from_)->burst_seconds

static void fill_limits(QmpBlockDeviceInfo *to, const BlockBackend *blk)
{
    const char *group;
    const BlockLimits *limits = block_backend_limits(blk, &group);

    if (limits == NULL) {
        return;
    }
    FILL_LIMIT(to, &limits->limit[BLOCK_LIMIT_BPS_TOTAL], bps);
    FILL_LIMIT(to, &limits->limit[BLOCK_LIMIT_BPS_READ], bps_rd);
    FILL_LIMIT(to, &limits->limit[BLOCK_LIMIT_BPS_WRITE], bps_wr);
    FILL_LIMIT(to, &limits->limit[BLOCK_LIMIT_IOPS_TOTAL], iops);
    FILL_LIMIT(to, &limits->limit[BLOCK_LIMIT_IOPS_READ], iops_rd);
    FILL_LIMIT(to, &limits->limit[BLOCK_LIMIT_IOPS_WRITE], iops_wr);
    to->has_iops_size = limits->op_size != 0;
    to->iops_size = limits->op_size;
    to->group = g_strdup(group);
}

QmpBlockInfo *qmp_block_info_of(const BlockBackend *blk)
{
    QmpBlockInfo *to = g_new0(QmpBlockInfo, 1);
    BlockNode *node = block_backend_node(blk);

    to->device = g_strdup(block_backend_name(blk));
    to->qdev = block_backend_device_name(blk);
    to->type = g_strdup("unknown");
    to->removable = block_backend_is_removable(blk);
    to->locked = block_backend_is_locked(blk);
    if (node != NULL) {
        to->inserted = qmp_block_device_info_of(node, block_backend_write_cache(blk), true);
        fill_limits(to->inserted, blk);
    }
    to->has_tray_open = block_backend_has_tray(blk);
    to->tray_open = block_backend_is_tray_open(blk);
    to->has_io_status = block_backend_device(blk) != NULL;
    to->io_status = qmp_enum_index(qmp_block_device_io_status_names, block_backend_io_status(blk));
    return to;
}

/* ---- statistics ---- */

static QmpBlockDeviceStats *stats_new(void)
{
    QmpBlockDeviceStats *stats = g_new0(QmpBlockDeviceStats, 1);

    stats->timed_stats = qmp_block_device_timed_stats_list_new();
    return stats;
}

static QmpBlockDeviceStats *backend_stats(const BlockBackend *blk)
{
    const BlockStats *from = block_backend_stats(blk);
    QmpBlockDeviceStats *to = stats_new();
    int64_t idle_ns = block_backend_idle_ns(blk);

    to->rd_bytes = from->bytes[BLOCK_READ];
    to->wr_bytes = from->bytes[BLOCK_WRITE];
    to->unmap_bytes = from->bytes[BLOCK_DISCARD];
    to->rd_operations = from->operations[BLOCK_READ];
    to->wr_operations = from->operations[BLOCK_WRITE] + from->operations[BLOCK_ZERO];
    to->flush_operations = from->operations[BLOCK_FLUSH];
    to->unmap_operations = from->operations[BLOCK_DISCARD];
    to->rd_total_time_ns = from->time_ns[BLOCK_READ];
    to->wr_total_time_ns = from->time_ns[BLOCK_WRITE] + from->time_ns[BLOCK_ZERO];
    to->flush_total_time_ns = from->time_ns[BLOCK_FLUSH];
    to->unmap_total_time_ns = from->time_ns[BLOCK_DISCARD];
    to->wr_highest_offset = from->write_highest_offset;
    to->failed_rd_operations = from->failed[BLOCK_READ];
    to->failed_wr_operations = from->failed[BLOCK_WRITE] + from->failed[BLOCK_ZERO];
    to->failed_flush_operations = from->failed[BLOCK_FLUSH];
    to->failed_unmap_operations = from->failed[BLOCK_DISCARD];
    to->invalid_rd_operations = from->invalid[BLOCK_READ];
    to->invalid_wr_operations = from->invalid[BLOCK_WRITE] + from->invalid[BLOCK_ZERO];
    to->invalid_flush_operations = from->invalid[BLOCK_FLUSH];
    to->invalid_unmap_operations = from->invalid[BLOCK_DISCARD];
    to->has_idle_time_ns = idle_ns != 0;
    to->idle_time_ns = idle_ns;
    block_backend_accounting(blk, &to->account_invalid, &to->account_failed);
    return to;
}

/* Nodes count nothing but how far they were written. */
static uint64_t highest_offset(const BlockNode *node)
{
    return __atomic_load_n(&node->write_highest_offset, __ATOMIC_RELAXED);
}

/* NULL: the driver counts nothing of its own. */
static QmpBlockStatsSpecific *specific_stats(const BlockNode *node)
{
    int driver = qmp_enum_index(qmp_blockdev_driver_names, node->driver->name);
    QmpBlockStatsSpecific *to;

    if (driver != QMP_BLOCKDEV_DRIVER_FILE && driver != QMP_BLOCKDEV_DRIVER_HOST_DEVICE) {
        return NULL;
    }
    to = g_new0(QmpBlockStatsSpecific, 1);
    to->driver = driver;
    to->u.file.discard_nb_ok = __atomic_load_n(&node->discards.ok, __ATOMIC_RELAXED);
    to->u.file.discard_nb_failed = __atomic_load_n(&node->discards.failed, __ATOMIC_RELAXED);
    to->u.file.discard_bytes_ok = __atomic_load_n(&node->discards.bytes, __ATOMIC_RELAXED);
    return to;
}

QmpBlockStats *qmp_block_stats_of_node(const BlockNode *node, bool with_backing)
{
    QmpBlockStats *to = g_new0(QmpBlockStats, 1);

    to->node_name = g_strdup(node->name);
    to->stats = stats_new();
    to->stats->wr_highest_offset = highest_offset(node);
    to->driver_specific = specific_stats(node);
    if (node->file != NULL) {
        to->parent = qmp_block_stats_of_node(node->file, with_backing);
    }
    if (node->backing != NULL && with_backing) {
        to->backing = qmp_block_stats_of_node(node->backing, true);
    }
    return to;
}

QmpBlockStats *qmp_block_stats_of(const BlockBackend *blk)
{
    const BlockNode *node = block_backend_node(blk);
    QmpBlockStats *to = node != NULL ? qmp_block_stats_of_node(node, true)
                                     : g_new0(QmpBlockStats, 1);

    to->device = g_strdup(block_backend_name(blk));
    to->qdev = block_backend_device_name(blk);
    qmp_block_device_stats_free(to->stats);
    to->stats = backend_stats(blk);
    return to;
}
