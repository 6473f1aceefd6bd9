/* Removable media: trays, eject, change; and resizing a medium. */
#include <string.h>

#include "backend.h"
#include "rhea_error.h"

/* ---- lookups ---- */

static BlockBackend *find_by_device(const char *id)
{
    const GPtrArray *list = block_backends();

    for (guint i = 0; i < list->len; i++) {
        BlockBackend *blk = g_ptr_array_index(list, i);
        g_autofree char *path = blk->dev != NULL ? object_path(&blk->dev->obj) : NULL;

        if (path != NULL && (g_strcmp0(blk->dev->id, id) == 0 || g_str_equal(path, id))) {
            return blk;
        }
    }
    return NULL;
}

BlockBackend *block_backend_lookup(const char *device, const char *id, GError **error)
{
    BlockBackend *blk;

    if ((device == NULL) == (id == NULL)) {
        set_error(error, "Need exactly one of 'device' and 'id'");
        return NULL;
    }
    blk = device != NULL ? block_backend_find(device) : find_by_device(id);
    if (blk == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found",
                    device != NULL ? device : id);
    }
    return blk;
}

bool block_backend_is_removable(const BlockBackend *blk)
{
    return blk->dev == NULL || blk->removable;
}

bool block_backend_has_tray(const BlockBackend *blk)
{
    return blk->ops != NULL && blk->ops->tray_open != NULL;
}

bool block_backend_is_tray_open(const BlockBackend *blk)
{
    return block_backend_has_tray(blk) ? blk->ops->tray_open(blk->opaque) : false;
}

bool block_backend_is_locked(const BlockBackend *blk)
{
    return blk->ops != NULL && blk->ops->locked != NULL && blk->ops->locked(blk->opaque);
}

/* How messages call it. */
static const char *label(const BlockBackend *blk)
{
    return *blk->name == '\0' && blk->dev != NULL && blk->dev->id != NULL ? blk->dev->id
                                                                          : blk->name;
}

static bool check_removable(const BlockBackend *blk, GError **error)
{
    if (!block_backend_is_removable(blk)) {
        set_error(error, "Device '%s' is not removable", label(blk));
        return false;
    }
    return true;
}

char *block_backend_device_name(const BlockBackend *blk)
{
    return blk->dev == NULL       ? NULL
           : blk->dev->id != NULL ? g_strdup(blk->dev->id) : object_path(&blk->dev->obj);
}

/* ---- trays ---- */

void block_backend_tray_moved(BlockBackend *blk, bool open)
{
    g_autofree char *name = block_backend_device_name(blk);
    VmEvent event = { .kind = VM_EVENT_TRAY_MOVED, .device = blk->name,
                      .path = name != NULL ? name : "", .tray_open = open };

    if (blk->vm != NULL) {
        vm_emit(blk->vm, &event);
    }
}

/* The device hears of its medium, and listeners of a tray that moved with it. */
static void tell_device(BlockBackend *blk, bool loaded)
{
    bool was_open = block_backend_is_tray_open(blk);

    if (blk->ops != NULL && blk->ops->media_changed != NULL) {
        blk->ops->media_changed(blk->opaque, loaded);
    }
    if (block_backend_has_tray(blk) && block_backend_is_tray_open(blk) != was_open) {
        block_backend_tray_moved(blk, !was_open);
    }
}

bool block_backend_open_tray(BlockBackend *blk, bool force, GError **error)
{
    if (!check_removable(blk, error)) {
        return false;
    }
    if (!block_backend_has_tray(blk)) {
        set_error(error, "Device '%s' does not have a tray", label(blk));
        return false;
    }
    if (block_backend_is_tray_open(blk)) {
        return true;
    }
    if (block_backend_is_locked(blk)) {
        if (blk->ops->eject_request != NULL) {
            blk->ops->eject_request(blk->opaque, force);
        }
        if (!force) {
            set_error(error, "Device '%s' is locked and force was not specified, wait for tray to "
                      "open and try again", label(blk));
            return false;
        }
    }
    tell_device(blk, false);
    return true;
}

bool block_backend_close_tray(BlockBackend *blk, GError **error)
{
    if (!check_removable(blk, error)) {
        return false;
    }
    if (block_backend_is_tray_open(blk)) {
        tell_device(blk, blk->use != NULL);
    }
    return true;
}

static bool check_open(const BlockBackend *blk, GError **error)
{
    if (!check_removable(blk, error)) {
        return false;
    }
    if (block_backend_has_tray(blk) && !block_backend_is_tray_open(blk)) {
        set_error(error, "Tray of device '%s' is not open", label(blk));
        return false;
    }
    return true;
}

bool block_backend_remove_medium(BlockBackend *blk, GError **error)
{
    if (!check_open(blk, error)) {
        return false;
    }
    if (blk->use == NULL) {
        return true;
    }
    block_backend_remove(blk);
    if (!block_backend_has_tray(blk)) {
        tell_device(blk, false);
    }
    return true;
}

/* `node`: a reference, taken. */
static bool insert_node(BlockBackend *blk, BlockNode *node, GError **error)
{
    if (blk->use != NULL) {
        set_error(error, "There already is a medium in the device");
        block_node_unref(node);
        return false;
    }
    if (!block_backend_insert(blk, node, error)) {
        return false;
    }
    if (!block_backend_has_tray(blk)) {
        tell_device(blk, true);
    }
    return true;
}

bool block_backend_insert_medium(BlockBackend *blk, const char *node_name, GError **error)
{
    BlockNode *node = block_node_find(node_name);

    if (node == NULL) {
        set_error(error, "Node '%s' not found", node_name);
        return false;
    }
    return check_open(blk, error) && insert_node(blk, block_node_ref(node), error);
}

bool block_backend_eject(BlockBackend *blk, bool force, GError **error)
{
    if (!check_removable(blk, error) ||
        (block_backend_has_tray(blk) && !block_backend_open_tray(blk, force, error))) {
        return false;
    }
    return block_backend_remove_medium(blk, error);
}

/* ---- change ---- */

static bool parse_mode(const BlockBackend *blk, const char *mode, bool *read_only, GError **error)
{
    if (mode == NULL || g_str_equal(mode, "retain")) {
        *read_only = block_backend_read_only(blk) || !blk->writable;
    } else if (g_str_equal(mode, "read-only") || g_str_equal(mode, "read-write")) {
        *read_only = g_str_equal(mode, "read-only");
    } else {
        set_error(error, "Parameter 'read-only-mode' does not accept value '%s'", mode);
        error_add_hint(error, "Expected 'retain', 'read-only' or 'read-write'.");
        return false;
    }
    return true;
}

/* The new image opens before the old one goes, so that a mistake costs nothing. */
bool block_backend_change(BlockBackend *blk, const char *filename, const char *format,
                          const char *mode, bool force, GError **error)
{
    g_autoptr(BlockNode) node = NULL;
    bool read_only;
    KeyVal *opts;

    if (!parse_mode(blk, mode, &read_only, error)) {
        return false;
    }
    opts = keyval_new();
    keyval_add(opts, "auto-read-only", mode != NULL && g_str_equal(mode, "read-write") ? "off"
                                                                                       : "on");
    node = block_node_open(filename, format, opts, read_only ? 0 : BLOCK_OPEN_RDWR, error);
    if (node == NULL || !block_backend_eject(blk, force, error)) {
        return false;
    }
    blk->read_only = node->read_only;
    return insert_node(blk, g_steal_pointer(&node), error) && block_backend_close_tray(blk, error);
}

/* ---- resize ---- */

bool block_backend_resize(BlockBackend *blk, uint64_t size, GError **error)
{
    unsigned perm, shared;
    bool ok;

    if (blk->use == NULL) {
        set_error(error, "Device '%s' has no medium", label(blk));
        return false;
    }
    block_drain(blk);
    block_backend_perms(blk, &perm, &shared);
    if (!block_use_set(blk->use, perm | BLOCK_PERM_RESIZE, shared, error)) {
        return false;
    }
    ok = block_node_truncate(backend_node(blk), size, BLOCK_PREALLOC_OFF, error);
    block_use_set(blk->use, perm, shared, NULL);        /* asking for less is never refused */
    if (ok && blk->ops != NULL && blk->ops->resized != NULL) {
        blk->ops->resized(blk->opaque);
    }
    return ok;
}
