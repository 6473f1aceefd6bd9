/* Changing what a node in use may do. */
#include "backend.h"
#include "rhea_error.h"

/* Asks of the node's file what the node now needs of it. */
static bool refresh_perms(BlockNode *node, GError **error)
{
    unsigned perm, shared;

    if (node->file_use == NULL) {
        return true;
    }
    block_node_file_perms(node, &perm, &shared);
    return block_use_set(node->file_use, perm, shared, error);
}

static bool follows_parent(const BlockNode *child)
{
    return child->of_parent && !child->by_monitor && !keyval_has(child->options, "read-only");
}

static bool make_read_only(BlockNode *node, GError **error)
{
    if (block_node_used_perms(node) & BLOCK_PERM_WRITE) {
        set_error(error, "Block node '%s' is being written to", node->name);
        return false;
    }
    if (node->driver->reopen != NULL && !node->driver->reopen(node, true, error)) {
        return false;
    }
    node->read_only = true;
    refresh_perms(node, NULL);                          /* asking for less is never refused */
    if (node->file != NULL && follows_parent(node->file)) {
        block_node_set_read_only(node->file, true, NULL);
    }
    return true;
}

static bool make_writable(BlockNode *node, GError **error)
{
    BlockNode *file = node->file;
    bool changes = file != NULL && file->read_only && follows_parent(file);

    if (file != NULL && file->read_only && !changes) {
        set_error(error, "Block node is read-only");
        return false;
    }
    if (changes && !block_node_set_read_only(file, false, error)) {
        return false;
    }
    node->read_only = false;
    if (refresh_perms(node, error) &&
        (node->driver->reopen == NULL || node->driver->reopen(node, false, error))) {
        return true;
    }
    node->read_only = true;
    refresh_perms(node, NULL);
    if (changes) {
        block_node_set_read_only(file, true, NULL);
    }
    return false;
}

bool block_node_set_read_only(BlockNode *node, bool read_only, GError **error)
{
    if (node->read_only == read_only) {
        return true;
    }
    return read_only ? make_read_only(node, error) : make_writable(node, error);
}

/* ---- what an image records of its backing file ---- */

static bool check_image(const BlockNode *top, const BlockNode *image, GError **error)
{
    if (image->backing == NULL || image->driver->set_backing == NULL) {
        set_error(error, "not allowing backing file change on an image without a backing file");
        return false;
    }
    if (!block_node_reaches(top, image)) {
        set_error(error, "'%s' and image file are not in the same chain", top->name);
        return false;
    }
    return true;
}

/* An image that is only read is written to for a moment. */
static bool set_backing(BlockNode *image, const char *backing_file, GError **error)
{
    g_autofree char *format = g_strdup(image->backing_format);
    bool read_only = image->read_only, ok;

    if (read_only && !block_node_set_read_only(image, false, error)) {
        return false;
    }
    ok = image->driver->set_backing(image, backing_file, format, error);
    if (read_only) {
        block_node_set_read_only(image, true, NULL);
    }
    return ok;
}

bool block_change_backing_file(const char *device, const char *image_name,
                               const char *backing_file, GError **error)
{
    BlockNode *top = block_node_lookup(device, device, error), *image;
    bool ok;

    if (top == NULL) {
        return false;
    }
    image = block_node_lookup(NULL, image_name, error);
    if (image == NULL || !check_image(top, image, error)) {
        return false;
    }
    block_quiesce_begin();
    ok = set_backing(image, *backing_file != '\0' ? backing_file : NULL, error);
    block_quiesce_end();
    return ok;
}
