/* info topics about drives, nodes and images. */
#include <inttypes.h>
#include <json.h>
#include <time.h>

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

static void print_snapshot(Monitor *mon, const QmpSnapshotInfo *snapshot)
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
    monitor_printf(mon, "%-9s %-16s %8s %19s %12s %10s\n", snapshot->id, snapshot->name, size,
                   date, clock, icount);
}

static void print_snapshots(Monitor *mon, const GPtrArray *snapshots)
{
    monitor_printf(mon, "Snapshot list:\n%-9s %-16s %8s %19s %12s %10s\n", "ID", "TAG", "VM SIZE",
                   "DATE", "VM CLOCK", "ICOUNT");
    for (guint i = 0; i < snapshots->len; i++) {
        print_snapshot(mon, g_ptr_array_index(snapshots, i));
    }
}

/* "lazy-refcounts" is a word of the wire; people read "lazy refcounts". */
static void print_specific(Monitor *mon, json_object *specific)
{
    json_object *data = json_object_object_get(specific, "data");

    monitor_printf(mon, "Format specific information:\n");
    json_object_object_foreach(data, key, value) {
        g_autofree char *name = g_strdelimit(g_strdup(key), "-", ' ');

        monitor_printf(mon, "    %s: %s\n", name, json_object_get_string(value));
    }
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

static bool print_drives(Monitor *mon, const char *name, bool verbose, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_block(mon->vm, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpBlockInfo *drive = g_ptr_array_index(list, i);

        if (name == NULL || g_str_equal(name, drive->device)) {
            monitor_printf(mon, "%s", i > 0 ? "\n" : "");
            print_drive(mon, drive, verbose);
        }
    }
    return list != NULL;
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

const Command info_block_topics[] = {
    { .name = "block", .args = block_args, .run = info_block,
      .help = "drives and the images in them", .example = "info block -v disk0",
      .qmp = "query-block" },
    { .name = "blockstats", .run = info_blockstats, .help = "what drives have done",
      .example = "info blockstats", .qmp = "query-blockstats" },
    {}
};
