/* info topics about drives, nodes and images. */
#include <inttypes.h>
#include <json.h>
#include <time.h>

#include "block_driver.h"
#include "candidates.h"
#include "qmp_api.h"

/* ---- images ---- */

static void print_size(Monitor *mon, const char *label, int64_t bytes, bool exact)
{
    g_autofree char *human = format_size(bytes);

    if (exact) {
        monitor_printf(mon, "%s: %s (%" PRId64 " bytes)\n", label, human, bytes);
    } else {
        monitor_printf(mon, "%s: %s\n", label, human);
    }
}

static void print_snapshot(Monitor *mon, const QmpSnapshotInfo *snapshot, const char *id)
{
    g_autofree char *size = format_size(snapshot->vm_state_size);
    g_autofree char *icount =
        snapshot->has_icount ? g_strdup_printf("%" PRId64, snapshot->icount) : g_strdup("");
    time_t when = snapshot->date_sec;
    int64_t sec = snapshot->vm_clock_sec;
    char date[32], clock[48];
    struct tm tm;

    localtime_r(&when, &tm);
    strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
    g_snprintf(clock, sizeof(clock), "%02" PRId64 ":%02d:%02d.%03d", sec / 3600,
               (int)(sec / 60 % 60), (int)(sec % 60), (int)(snapshot->vm_clock_nsec / 1000000));
    monitor_printf(mon, "%-9s %-16s %8s %19s %12s %10s\n", id, snapshot->name, size,
                   date, clock, icount);
}

static void print_snapshot_head(Monitor *mon)
{
    monitor_printf(mon, "%-9s %-16s %8s %19s %12s %10s\n", "ID", "TAG", "VM SIZE", "DATE",
                   "VM CLOCK", "ICOUNT");
}

static void print_snapshots(Monitor *mon, const GPtrArray *snapshots)
{
    monitor_printf(mon, "Snapshot list:\n");
    print_snapshot_head(mon);
    for (guint i = 0; i < snapshots->len; i++) {
        const QmpSnapshotInfo *snapshot = g_ptr_array_index(snapshots, i);

        print_snapshot(mon, snapshot, snapshot->id);
    }
}

/* "lazy-refcounts" is a word of the wire; people read "lazy refcounts". */
static void print_specific(Monitor *mon, const QmpImageInfoSpecific *specific)
{
    json_object *json = qmp_image_info_specific_to_json(specific);
    json_object *data = json_object_object_get(json, "data");

    monitor_printf(mon, "Format specific information:\n");
    json_object_object_foreach(data, key, value) {
        g_autofree char *name = g_strdelimit(g_strdup(key), "-", ' ');

        monitor_printf(mon, "    %s: %s\n", name, json_object_get_string(value));
    }
    json_object_put(json);
}

static void print_image(Monitor *mon, const QmpImageInfo *image)
{
    monitor_printf(mon, "image: %s\nfile format: %s\n", image->filename, image->format);
    print_size(mon, "virtual size", image->virtual_size, true);
    if (image->has_actual_size) {
        print_size(mon, "disk size", image->actual_size, false);
    } else {
        monitor_printf(mon, "disk size: unavailable\n");
    }
    if (image->has_cluster_size) {
        monitor_printf(mon, "cluster_size: %" PRId64 "\n", image->cluster_size);
    }
    if (image->dirty_flag) {
        monitor_printf(mon, "cleanly shut down: no\n");
    }
    if (image->backing_filename != NULL) {
        const char *full = image->full_backing_filename;

        monitor_printf(mon, "backing file: %s", image->backing_filename);
        if (full != NULL && !g_str_equal(full, image->backing_filename)) {
            monitor_printf(mon, " (actual path: %s)", full);
        }
        monitor_printf(mon, "\n");
    }
    if (image->backing_filename_format != NULL) {
        monitor_printf(mon, "backing file format: %s\n", image->backing_filename_format);
    }
    if (image->snapshots != NULL) {
        print_snapshots(mon, image->snapshots);
    }
    if (image->format_specific != NULL) {
        print_specific(mon, image->format_specific);
    }
}

/* ---- drives and nodes ---- */

static void print_limits(Monitor *mon, const QmpBlockDeviceInfo *inserted)
{
    const struct { const char *name; int64_t value; } limits[] = {
        { "bps", inserted->bps }, { "bps_rd", inserted->bps_rd }, { "bps_wr", inserted->bps_wr },
        { "bps_max", inserted->bps_max }, { "bps_rd_max", inserted->bps_rd_max },
        { "bps_wr_max", inserted->bps_wr_max }, { "iops", inserted->iops },
        { "iops_rd", inserted->iops_rd }, { "iops_wr", inserted->iops_wr },
        { "iops_max", inserted->iops_max }, { "iops_rd_max", inserted->iops_rd_max },
        { "iops_wr_max", inserted->iops_wr_max }, { "iops_size", inserted->iops_size },
    };

    monitor_printf(mon, "    I/O throttling:  ");
    for (size_t i = 0; i < G_N_ELEMENTS(limits); i++) {
        monitor_printf(mon, " %s=%" PRId64, limits[i].name, limits[i].value);
    }
    monitor_printf(mon, " group=%s\n", inserted->group);
}

static void print_inserted(Monitor *mon, const QmpBlockDeviceInfo *inserted, bool verbose)
{
    const QmpBlockdevCacheInfo *cache = inserted->cache;

    monitor_printf(mon, "    Cache mode:       %s%s%s\n",
                   cache->writeback ? "writeback" : "writethrough", cache->direct ? ", direct" : "",
                   cache->no_flush ? ", ignore flushes" : "");
    if (inserted->backing_file != NULL) {
        monitor_printf(mon, "    Backing file:     %s (chain depth: %" PRId64 ")\n",
                       inserted->backing_file, inserted->backing_file_depth);
    }
    if (inserted->detect_zeroes != QMP_BLOCKDEV_DETECT_ZEROES_OPTIONS_OFF) {
        monitor_printf(mon, "    Detect zeroes:    %s\n",
                       qmp_blockdev_detect_zeroes_options_names[inserted->detect_zeroes]);
    }
    if (inserted->group != NULL) {
        print_limits(mon, inserted);
    }
    if (verbose) {
        monitor_printf(mon, "\nImages:\n");
        for (const QmpImageInfo *image = inserted->image; image != NULL;
             image = image->backing_image) {
            print_image(mon, image);
        }
    }
}

static void print_title(Monitor *mon, const QmpBlockInfo *drive, const QmpBlockDeviceInfo *inserted)
{
    if (drive != NULL && *drive->device != '\0') {
        monitor_printf(mon, "%s", drive->device);
        if (inserted != NULL) {
            monitor_printf(mon, " (%s)", inserted->node_name);
        }
    } else {
        monitor_printf(mon, "%s", inserted != NULL ? inserted->node_name :
                       drive->qdev != NULL ? drive->qdev : "<anonymous>");
    }
    if (inserted != NULL) {
        monitor_printf(mon, ": %s (%s%s)\n", inserted->file, inserted->drv,
                       inserted->ro ? ", read-only" : "");
    } else {
        monitor_printf(mon, ": [not inserted]\n");
    }
}

static void print_drive(Monitor *mon, const QmpBlockInfo *drive, bool verbose)
{
    print_title(mon, drive, drive->inserted);
    if (drive->qdev != NULL) {
        monitor_printf(mon, "    Attached to:      %s\n", drive->qdev);
    }
    if (drive->has_io_status && drive->io_status != QMP_BLOCK_DEVICE_IO_STATUS_OK) {
        monitor_printf(mon, "    I/O status:       %s\n",
                       qmp_block_device_io_status_names[drive->io_status]);
    }
    if (drive->removable) {
        monitor_printf(mon, "    Removable device: %slocked, tray %s\n",
                       drive->locked ? "" : "not ", drive->tray_open ? "open" : "closed");
    }
    if (drive->inserted != NULL) {
        print_inserted(mon, drive->inserted, verbose);
    }
}

static bool print_nodes(Monitor *mon, const char *name, bool verbose, GError **error)
{
    bool flat = false;
    g_autoptr(GPtrArray) list = qmp_query_named_block_nodes(mon->vm, &flat, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpBlockDeviceInfo *node = g_ptr_array_index(list, i);

        if (name == NULL || g_str_equal(name, node->node_name)) {
            monitor_printf(mon, "%s", i > 0 ? "\n" : "");
            print_title(mon, NULL, node);
            print_inserted(mon, node, verbose);
        }
    }
    return list != NULL;
}

/* A name that is no drive's can be a node's. */
static bool print_drives(Monitor *mon, const char *name, bool verbose, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_block(mon->vm, error);
    bool any = name == NULL;

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpBlockInfo *drive = g_ptr_array_index(list, i);

        if (name == NULL || g_str_equal(name, drive->device)) {
            monitor_printf(mon, "%s", i > 0 ? "\n" : "");
            print_drive(mon, drive, verbose);
            any = true;
        }
    }
    return list != NULL && (any || print_nodes(mon, name, verbose, error));
}

static void complete_names(Monitor *mon, GPtrArray *candidates)
{
    bool flat = true;
    g_autoptr(GPtrArray) nodes = qmp_query_named_block_nodes(mon->vm, &flat, NULL);

    candidates_drives(mon, candidates);
    for (guint i = 0; nodes != NULL && i < nodes->len; i++) {
        const QmpBlockDeviceInfo *node = g_ptr_array_index(nodes, i);

        g_ptr_array_add(candidates, g_strdup(node->node_name));
    }
}

static const CmdArg block_args[] = {
    { .name = "nodes", .kind = ARG_FLAG, .flag = 'n', .help = "nodes of the block graph" },
    { .name = "verbose", .kind = ARG_FLAG, .flag = 'v', .help = "and their images" },
    { .name = "device", .kind = ARG_DRIVE, .optional = true, .help = "only this drive or node",
      .complete = complete_names },
    {}
};

static bool info_block(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *name = cmd_text(args, "device");
    bool verbose = cmd_given(args, "verbose");

    return cmd_given(args, "nodes") ? print_nodes(mon, name, verbose, error)
                                    : print_drives(mon, name, verbose, error);
}

static bool info_blockstats(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_blockstats(mon->vm, NULL, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpBlockStats *drive = g_ptr_array_index(list, i);
        const QmpBlockDeviceStats *stats = drive->stats;

        monitor_printf(mon, "%s: rd_bytes=%" PRId64 " wr_bytes=%" PRId64 " rd_operations=%" PRId64
                       " wr_operations=%" PRId64 " flush_operations=%" PRId64
                       " wr_total_time_ns=%" PRId64 " rd_total_time_ns=%" PRId64
                       " flush_total_time_ns=%" PRId64 " rd_merged=%" PRId64
                       " wr_merged=%" PRId64 " idle_time_ns=%" PRId64 "\n", drive->device,
                       stats->rd_bytes, stats->wr_bytes, stats->rd_operations,
                       stats->wr_operations, stats->flush_operations, stats->wr_total_time_ns,
                       stats->rd_total_time_ns, stats->flush_total_time_ns, stats->rd_merged,
                       stats->wr_merged, stats->idle_time_ns);
    }
    return list != NULL;
}

static bool info_block_jobs(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_block_jobs(mon->vm, error);

    if (list != NULL && list->len == 0) {
        monitor_printf(mon, "No active jobs\n");
    }
    return list != NULL;
}

/* ---- snapshots inside images ---- */

static const GPtrArray *snapshots_of(const QmpBlockInfo *drive)
{
    return drive->inserted->image->snapshots;
}

static bool has_snapshot(const QmpBlockInfo *drive, const char *name)
{
    const GPtrArray *list = snapshots_of(drive);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpSnapshotInfo *snapshot = g_ptr_array_index(list, i);

        if (g_str_equal(snapshot->name, name)) {
            return true;
        }
    }
    return false;
}

static bool all_have_snapshot(const GPtrArray *drives, const char *name)
{
    for (guint i = 0; i < drives->len; i++) {
        if (!has_snapshot(g_ptr_array_index(drives, i), name)) {
            return false;
        }
    }
    return true;
}

/* Of one drive: those all drives have, or the others. Returns how many. */
static unsigned print_some(Monitor *mon, const QmpBlockInfo *drive, const GPtrArray *drives,
                           bool common)
{
    const GPtrArray *list = snapshots_of(drive);
    unsigned n = 0;

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpSnapshotInfo *snapshot = g_ptr_array_index(list, i);

        if (all_have_snapshot(drives, snapshot->name) != common) {
            continue;
        }
        if (n++ == 0) {
            if (!common) {
                monitor_printf(mon, "\nList of partial (non-loadable) snapshots on '%s':\n",
                               *drive->device != '\0' ? drive->device
                                                      : drive->inserted->node_name);
            }
            print_snapshot_head(mon);
        }
        print_snapshot(mon, snapshot, common ? "--" : snapshot->id);
    }
    return n;
}

/* Drives that would be part of a snapshot; *first: the one that would hold the machine's state. */
static GPtrArray *writable_drives(const GPtrArray *list, const QmpBlockInfo **first, bool *any)
{
    GPtrArray *drives = g_ptr_array_new();

    for (guint i = 0; i < list->len; i++) {
        QmpBlockInfo *drive = g_ptr_array_index(list, i);

        if (drive->inserted == NULL || drive->inserted->ro) {
            continue;
        }
        g_ptr_array_add(drives, drive);
        if (*first == NULL && block_driver_find(drive->inserted->drv)->snapshot_create != NULL) {
            *first = drive;
        }
        *any |= snapshots_of(drive) != NULL && snapshots_of(drive)->len > 0;
    }
    return drives;
}

static bool info_snapshots(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_block(mon->vm, error);
    const QmpBlockInfo *first = NULL;
    bool any = false;
    g_autoptr(GPtrArray) drives = list != NULL ? writable_drives(list, &first, &any) : NULL;

    if (drives == NULL) {
        return false;
    }
    if (first == NULL || !any) {
        monitor_printf(mon, first == NULL ? "no block device can store vmstate for snapshot\n"
                                          : "There is no snapshot available.\n");
        return true;
    }
    monitor_printf(mon, "List of snapshots present on all disks:\n");
    if (print_some(mon, first, drives, true) == 0) {
        monitor_printf(mon, "None\n");
    }
    for (guint i = 0; i < drives->len; i++) {
        print_some(mon, g_ptr_array_index(drives, i), drives, false);
    }
    return true;
}

const Command info_block_topics[] = {
    { .name = "block", .args = block_args, .run = info_block,
      .help = "drives and the images in them", .example = "info block -v disk0",
      .qmp = "query-block" },
    { .name = "blockstats", .run = info_blockstats, .help = "what drives have done",
      .example = "info blockstats", .qmp = "query-blockstats" },
    { .name = "block-jobs", .run = info_block_jobs, .help = "jobs that move data of disks",
      .example = "info block-jobs", .qmp = "query-block-jobs" },
    { .name = "snapshots", .run = info_snapshots, .help = "snapshots inside the disks' images",
      .example = "info snapshots", .qmp = "query-block" },
    {}
};
