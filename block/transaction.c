/*
 * Changes of the graph under a running guest, all of them or none: external snapshots.
 *
 * Each action is carried out when it is added, with everything at rest, so that the next one sees
 * its result; an end without commit takes them back, last first.
 */
#include <string.h>
#include <sys/stat.h>

#include "backend.h"
#include "rhea_error.h"

/* The users of `node` moved to `overlay`, which stands on `node` now. */
typedef struct Snapshot {
    BlockNode *node, *overlay;          /* references */
    GPtrArray *moved;                   /* BlockUse *, borrowed */
} Snapshot;

struct BlockTransaction {
    GPtrArray *snapshots;               /* Snapshot *, in the order of the actions */
};

/* ---- a snapshot ---- */

static void snapshot_free(void *opaque)
{
    Snapshot *snapshot = opaque;

    g_ptr_array_unref(snapshot->moved);
    block_node_unref(snapshot->overlay);
    block_node_unref(snapshot->node);
    g_free(snapshot);
}

/* They had the same rights there before. */
static void move_back(Snapshot *snapshot)
{
    block_node_drop_backing(snapshot->overlay);
    for (guint i = snapshot->moved->len; i-- > 0;) {
        if (!block_use_move(g_ptr_array_index(snapshot->moved, i), snapshot->node, NULL)) {
            g_assert_not_reached();
        }
    }
}

static bool move_users(Snapshot *snapshot, GError **error)
{
    GPtrArray *uses = snapshot->node->uses;
    g_autoptr(GPtrArray) all = g_ptr_array_new();

    for (guint i = 0; i < uses->len; i++) {
        g_ptr_array_add(all, g_ptr_array_index(uses, i));
    }
    for (guint i = 0; i < all->len; i++) {
        BlockUse *use = g_ptr_array_index(all, i);

        if (!block_use_move(use, snapshot->overlay, error)) {
            return false;
        }
        g_ptr_array_add(snapshot->moved, use);
    }
    return true;
}

static bool append(Snapshot *snapshot, GError **error)
{
    if (move_users(snapshot, error) &&
        block_node_set_backing(snapshot->overlay, block_node_ref(snapshot->node), error)) {
        return true;
    }
    move_back(snapshot);
    return false;
}

static void tell_size(const Snapshot *snapshot)
{
    for (guint i = 0; i < block_backends()->len; i++) {
        BlockBackend *blk = g_ptr_array_index(block_backends(), i);

        if (backend_node(blk) == snapshot->overlay && blk->ops != NULL &&
            blk->ops->resized != NULL) {
            blk->ops->resized(blk->opaque);
        }
    }
}

static void snapshot_commit(const Snapshot *snapshot)
{
    g_autoptr(GError) error = NULL;

    if (!block_node_set_read_only(snapshot->node, true, &error)) {
        report_warning("'%s' stays writable: %s", snapshot->node->name, error->message);
    }
    if (block_node_size(snapshot->node) != block_node_size(snapshot->overlay)) {
        tell_size(snapshot);
    }
}

/* ---- what may stand on what ---- */

static bool check_node(BlockNode *node, GError **error)
{
    for (guint i = 0; i < node->uses->len; i++) {
        const BlockUse *use = g_ptr_array_index(node->uses, i);

        if (g_str_equal(use->role, "backing")) {
            set_error(error, "Node '%s' is busy: node is used as backing hd of %s", node->name,
                      use->who + (g_str_has_prefix(use->who, "node ") ? strlen("node ") : 0));
            return false;
        }
    }
    if (!node->read_only && block_node_flush(node) < 0) {
        set_error(error, "An IO error has occurred");
        return false;
    }
    return true;
}

static bool check_overlay(const BlockNode *node, const BlockNode *overlay, GError **error)
{
    if (block_node_used_perms(overlay) & BLOCK_PERM_READ) {
        set_error(error, "The overlay is already in use");
        return false;
    }
    if (overlay->backing != NULL) {
        set_error(error, "The overlay already has a backing image");
        return false;
    }
    if (overlay->driver->set_backing == NULL) {
        set_error(error, "The overlay does not support backing images");
        return false;
    }
    if (block_node_reaches(overlay, node)) {
        set_error(error, "Making '%s' a backing child of '%s' would create a cycle", node->name,
                  overlay->name);
        return false;
    }
    return true;
}

/* `overlay`: a reference, taken. */
static bool add_snapshot(BlockTransaction *transaction, BlockNode *node, BlockNode *overlay,
                         GError **error)
{
    Snapshot *snapshot = g_new0(Snapshot, 1);

    *snapshot = (Snapshot){ block_node_ref(node), overlay, g_ptr_array_new() };
    if (!check_overlay(node, overlay, error) || !append(snapshot, error)) {
        snapshot_free(snapshot);
        return false;
    }
    g_ptr_array_add(transaction->snapshots, snapshot);
    return true;
}

bool block_transaction_snapshot(BlockTransaction *transaction, const char *node_name,
                                const char *overlay_name, GError **error)
{
    BlockNode *node = block_node_lookup(node_name, node_name, error), *overlay;

    if (node == NULL || !check_node(node, error)) {
        return false;
    }
    overlay = block_node_lookup(overlay_name, overlay_name, error);
    return overlay != NULL && add_snapshot(transaction, node, block_node_ref(overlay), error);
}

/* ---- into a new file ---- */

/* How an image in `path` names the file of `node`: as it is called, where that leads there. */
static char *name_from(const char *path, const BlockNode *node)
{
    g_autofree char *seen = block_backing_path(path, node->filename);
    struct stat from_there, from_here;

    if (stat(node->filename, &from_here) < 0 ||
        (stat(seen, &from_there) == 0 && from_there.st_dev == from_here.st_dev &&
         from_there.st_ino == from_here.st_ino)) {
        return g_strdup(node->filename);
    }
    return g_canonicalize_filename(node->filename, NULL);
}

static bool is_same_file(const char *path, const char *other)
{
    struct stat a, b;

    return g_str_equal(path, other) || (stat(path, &a) == 0 && stat(other, &b) == 0 &&
                                        a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

static bool create_file(const BlockDriver *driver, const BlockSnapshotFile *args,
                        const BlockNode *node, GError **error)
{
    g_autoptr(KeyVal) opts = keyval_new();
    g_autofree char *backing = name_from(args->file, node);

    if (driver->create == NULL || driver->set_backing == NULL) {
        set_error(error, "Backing file not supported for file format '%s'", driver->name);
        return false;
    }
    if (keyval_has(node->options, "offset") || keyval_has(node->options, "size")) {
        set_error(error, "Node '%s' is a window of its file, which a backing file's name cannot "
                  "say", node->name);
        error_add_hint(error, "Make the image yourself and use mode=existing.");
        return false;
    }
    if (is_same_file(args->file, node->filename)) {
        set_error(error, "Error: Trying to create an image with the same filename as the backing "
                  "file");
        return false;
    }
    keyval_add(opts, "backing_file", backing);
    keyval_add(opts, "backing_fmt", node->driver->name);
    return driver->create(args->file, block_node_size(node), opts, error);
}

/* Like the node it comes to stand on. */
static KeyVal *overlay_options(const BlockSnapshotFile *args, BlockNode *node)
{
    KeyVal *opts = keyval_new();
    const char *aio = keyval_get(node->options, "aio");

    if (args->new_node_name != NULL) {
        keyval_add(opts, "node-name", args->new_node_name);
    }
    if (aio != NULL) {
        keyval_add(opts, "aio", aio);
    }
    keyval_add(opts, "cache.direct", node->direct ? "on" : "off");
    keyval_add(opts, "cache.no-flush", node->no_flush ? "on" : "off");
    keyval_add(opts, "discard", node->discard_enabled ? "unmap" : "ignore");
    return opts;
}

static bool check_new_name(const BlockSnapshotFile *args, GError **error)
{
    if (args->node_name != NULL && args->new_node_name == NULL) {
        set_error(error, "New overlay node-name missing");
        return false;
    }
    if (args->new_node_name != NULL && (block_node_find(args->new_node_name) != NULL ||
                                        block_backend_find(args->new_node_name) != NULL)) {
        set_error(error, "New overlay node-name already in use");
        return false;
    }
    return true;
}

bool block_transaction_snapshot_file(BlockTransaction *transaction, const BlockSnapshotFile *args,
                                     GError **error)
{
    const char *format = args->format != NULL ? args->format : "qcow2";
    const BlockDriver *driver;
    BlockNode *node = block_node_lookup(args->device, args->node_name, error), *overlay;

    if (node == NULL || !check_node(node, error) || !check_new_name(args, error)) {
        return false;
    }
    driver = block_driver_find(format);
    if (driver == NULL || driver->protocol) {
        set_error(error, "Unknown file format '%s'", format);
        return false;
    }
    if (!args->existing && !create_file(driver, args, node, error)) {
        return false;
    }
    overlay = block_node_open(args->file, format, overlay_options(args, node),
                              BLOCK_OPEN_NO_BACKING | (node->read_only ? 0 : BLOCK_OPEN_RDWR),
                              error);
    return overlay != NULL && add_snapshot(transaction, node, overlay, error);
}

/* ---- the whole ---- */

BlockTransaction *block_transaction_new(void)
{
    BlockTransaction *transaction = g_new0(BlockTransaction, 1);

    transaction->snapshots = g_ptr_array_new_with_free_func(snapshot_free);
    block_quiesce_begin();
    return transaction;
}

void block_transaction_end(BlockTransaction *transaction, bool commit)
{
    for (guint i = 0; commit && i < transaction->snapshots->len; i++) {
        snapshot_commit(g_ptr_array_index(transaction->snapshots, i));
    }
    for (guint i = transaction->snapshots->len; !commit && i-- > 0;) {
        move_back(g_ptr_array_index(transaction->snapshots, i));
    }
    g_ptr_array_unref(transaction->snapshots);
    block_quiesce_end();
    g_free(transaction);
}
