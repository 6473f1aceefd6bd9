/* rhea-img info, and the table of snapshots. */
#include <string.h>
#include <time.h>

#include "img.h"
#include "rhea_error.h"
#include "sizes.h"

#define NSEC_PER_SEC 1000000000u

/* ---- snapshots ---- */

static char *format_date(uint64_t seconds)
{
    time_t when = seconds;
    struct tm tm;
    char text[32];

    localtime_r(&when, &tm);
    strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
    return g_strdup(text);
}

static void print_snapshot(const BlockSnapshotInfo *row)
{
    uint64_t seconds = row->vm_clock_nsec / NSEC_PER_SEC;
    g_autofree char *size = format_size(row->vm_state_size), *date = format_date(row->date_sec);
    g_autofree char *clock = g_strdup_printf("%02d:%02d:%02d.%03d", (int)(seconds / 3600),
                                             (int)(seconds / 60 % 60), (int)(seconds % 60),
                                             (int)(row->vm_clock_nsec / 1000000 % 1000));
    g_autofree char *icount = row->icount == UINT64_MAX
        ? g_strdup("") : g_strdup_printf("%" G_GUINT64_FORMAT, row->icount);

    printf("%-10s%-17s%8s%20s%13s%11s\n", row->id, row->name, size, date, clock, icount);
}

void img_print_snapshots(const BlockInfo *info)
{
    printf("Snapshot list:\n");
    printf("%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
    for (guint i = 0; i < info->snapshots->len; i++) {
        print_snapshot(&g_array_index(info->snapshots, BlockSnapshotInfo, i));
    }
}

static void json_snapshots(ImgJson *json, const BlockInfo *info)
{
    img_json_begin(json, "snapshots", '[');
    for (guint i = 0; i < info->snapshots->len; i++) {
        const BlockSnapshotInfo *row = &g_array_index(info->snapshots, BlockSnapshotInfo, i);

        img_json_begin(json, NULL, '{');
        if (row->icount != UINT64_MAX) {
            img_json_number(json, "icount", row->icount);
        }
        img_json_number(json, "vm-clock-nsec", row->vm_clock_nsec % NSEC_PER_SEC);
        img_json_string(json, "name", row->name);
        img_json_number(json, "date-sec", row->date_sec);
        img_json_number(json, "date-nsec", row->date_nsec);
        img_json_number(json, "vm-clock-sec", row->vm_clock_nsec / NSEC_PER_SEC);
        img_json_string(json, "id", row->id);
        img_json_number(json, "vm-state-size", row->vm_state_size);
        img_json_end(json, '}');
    }
    img_json_end(json, ']');
}

/* ---- what the format says of itself ---- */

static void json_specific(ImgJson *json, const BlockNode *node, const GPtrArray *facts)
{
    img_json_begin(json, "format-specific", '{');
    img_json_string(json, "type", node->driver->name);
    img_json_begin(json, "data", '{');
    for (guint i = 0; i + 1 < facts->len; i += 2) {
        g_autofree char *name = g_strdelimit(g_strdup(g_ptr_array_index(facts, i)), " ", '-');
        const char *value = g_ptr_array_index(facts, i + 1);

        if (g_str_equal(value, "true") || g_str_equal(value, "false")) {
            img_json_bool(json, name, *value == 't');
        } else if (strspn(value, "0123456789") == strlen(value)) {
            img_json_number(json, name, g_ascii_strtoull(value, NULL, 10));
        } else {
            img_json_string(json, name, value);
        }
    }
    img_json_end(json, '}');
    img_json_end(json, '}');
}

static void print_specific(const GPtrArray *facts)
{
    printf("Format specific information:\n");
    for (guint i = 0; i + 1 < facts->len; i += 2) {
        printf("    %s: %s\n", (char *)g_ptr_array_index(facts, i),
               (char *)g_ptr_array_index(facts, i + 1));
    }
}

/* ---- one image ---- */

static bool has_snapshots(const BlockInfo *info)
{
    return info->snapshots != NULL && info->snapshots->len > 0;
}

static bool has_facts(const BlockInfo *info)
{
    return info->specific != NULL && info->specific->len > 0;
}

static void json_image(ImgJson *json, BlockNode *node, const BlockInfo *info)
{
    uint64_t allocated = block_node_allocated_bytes(node);
    g_autofree char *full = NULL;

    img_json_begin(json, NULL, '{');
    if (has_snapshots(info)) {
        json_snapshots(json, info);
    }
    if (node->backing_format != NULL) {
        img_json_string(json, "backing-filename-format", node->backing_format);
    }
    img_json_number(json, "virtual-size", block_node_size(node));
    img_json_string(json, "filename", node->filename);
    if (info->cluster_size != 0) {
        img_json_number(json, "cluster-size", info->cluster_size);
    }
    img_json_string(json, "format", node->driver->name);
    if (allocated != UINT64_MAX) {
        img_json_number(json, "actual-size", allocated);
    }
    if (has_facts(info)) {
        json_specific(json, node, info->specific);
    }
    if (node->backing_filename != NULL) {
        full = block_backing_path(node->filename, node->backing_filename);
        img_json_string(json, "full-backing-filename", full);
        img_json_string(json, "backing-filename", node->backing_filename);
    }
    img_json_bool(json, "dirty-flag", info->dirty);
    img_json_end(json, '}');
}

static void print_backing(const BlockNode *node)
{
    g_autofree char *full = NULL;

    if (node->backing_filename == NULL) {
        return;
    }
    full = block_backing_path(node->filename, node->backing_filename);
    printf("backing file: %s", node->backing_filename);
    if (!g_str_equal(full, node->backing_filename)) {
        printf(" (actual path: %s)", full);
    }
    printf("\n");
    if (node->backing_format != NULL) {
        printf("backing file format: %s\n", node->backing_format);
    }
}

static void print_image(BlockNode *node, const BlockInfo *info)
{
    uint64_t allocated = block_node_allocated_bytes(node);
    g_autofree char *size = format_size(block_node_size(node));
    g_autofree char *disk = allocated == UINT64_MAX ? g_strdup("unavailable")
                                                    : format_size(allocated);

    printf("image: %s\nfile format: %s\nvirtual size: %s (%" G_GUINT64_FORMAT " bytes)\n"
           "disk size: %s\n", node->filename, node->driver->name, size, block_node_size(node),
           disk);
    if (info->dirty) {
        printf("cleanly shut down: no\n");
    }
    if (info->cluster_size != 0) {
        printf("cluster_size: %" G_GUINT64_FORMAT "\n", info->cluster_size);
    }
    print_backing(node);
    if (has_snapshots(info)) {
        img_print_snapshots(info);
    }
    if (has_facts(info)) {
        print_specific(info->specific);
    }
}

static void describe(ImgJson *json, BlockNode *node)
{
    BlockInfo info = { 0 };

    if (node->driver->info != NULL) {
        node->driver->info(node, &info);
    }
    if (json != NULL) {
        json_image(json, node, &info);
    } else {
        print_image(node, &info);
    }
    block_info_clear(&info);
}

static void describe_chain(ImgJson *json, BlockNode *node)
{
    if (json != NULL) {
        img_json_begin(json, NULL, '[');
    }
    for (BlockNode *at = node; at != NULL; at = at->backing) {
        if (json == NULL && at != node) {
            printf("\n");
        }
        describe(json, at);
    }
    if (json != NULL) {
        img_json_end(json, ']');
    }
}

int img_info(ImgArgs *args)
{
    g_autoptr(BlockNode) node = NULL;
    GError *error = NULL;
    ImgJson json = { 0 };
    bool chain = args->given[IMG_BACKING_CHAIN];

    if (args->n_names != 1) {
        return img_fail_usage("Expecting one image file name");
    }
    node = img_open_arg(args, 0, chain ? 0 : BLOCK_OPEN_NO_BACKING, &error);
    if (node == NULL) {
        return img_fail_error(error);
    }
    if (chain) {
        describe_chain(args->json ? &json : NULL, node);
    } else {
        describe(args->json ? &json : NULL, node);
    }
    if (args->json) {
        img_json_print(&json);
    }
    return 0;
}
