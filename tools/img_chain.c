/* rhea-img commit and rebase: moving data along a backing chain. */
#include <errno.h>
#include <string.h>

#include "img.h"
#include "rhea_error.h"

#define COPY_BYTES (2u << 20)

/* ---- commit ---- */

/*
 * The layers to write down, top first, each opened without its backing file so that the image below
 * them can be opened for writing.
 */
static bool open_layers(ImgArgs *args, const char *base, GPtrArray *layers, char **base_path,
                        char **base_format, GError **error)
{
    BlockNode *node = img_open_arg(args, 0, BLOCK_OPEN_RDWR | BLOCK_OPEN_NO_BACKING, error);

    while (node != NULL) {
        g_autofree char *path = NULL;

        g_ptr_array_add(layers, node);
        if (node->backing_filename == NULL) {
            break;
        }
        path = block_backing_path(node->filename, node->backing_filename);
        if (base == NULL || g_str_equal(base, path) || g_str_equal(base, node->backing_filename)) {
            *base_path = g_steal_pointer(&path);
            *base_format = g_strdup(node->backing_format);
            return true;
        }
        node = block_node_open(path, node->backing_format, NULL, BLOCK_OPEN_NO_BACKING, error);
    }
    if (node != NULL && base != NULL) {
        set_error(error, "Did not find '%s' in the backing chain of '%s'", base, args->names[0]);
    } else if (node != NULL) {
        set_error(error, "Image does not have a backing file");
    }
    return false;
}

/* The topmost layer that decides about `at`; NULL: none does. */
static BlockNode *deciding_layer(GPtrArray *layers, uint64_t at, uint64_t *len, int *ret)
{
    for (guint i = 0; i < layers->len; i++) {
        BlockNode *layer = g_ptr_array_index(layers, i);
        BlockStatus status;
        uint64_t size = block_node_size(layer);

        if (at >= size) {
            continue;
        }
        *ret = block_node_status(layer, at, MIN(*len, size - at), &status);
        if (*ret < 0) {
            return NULL;
        }
        *len = status.len;
        if (status.flags & BLOCK_STATUS_ALLOCATED) {
            return layer;
        }
    }
    return NULL;
}

static int commit_layers(ImgArgs *args, GPtrArray *layers, BlockNode *base)
{
    uint64_t size = block_node_size(g_ptr_array_index(layers, 0)), len;
    g_autofree uint8_t *buf = g_malloc(COPY_BYTES);
    ImgProgress progress;
    int ret = 0;

    img_progress_begin(&progress, args);
    for (uint64_t at = 0; at < size && ret == 0; at += len) {
        BlockNode *layer;

        len = MIN(size - at, COPY_BYTES);
        layer = deciding_layer(layers, at, &len, &ret);
        if (layer != NULL) {
            ret = block_node_copy(layer, base, buf, at, len);
        }
        img_progress_set(&progress, at + len, size);
    }
    img_progress_end(&progress);
    return ret;
}

static bool commit_to(ImgArgs *args, GPtrArray *layers, BlockNode *base, GError **error)
{
    BlockNode *top = g_ptr_array_index(layers, 0);
    int ret;

    if (block_node_size(base) < block_node_size(top) &&
        !block_node_truncate(base, block_node_size(top), BLOCK_PREALLOC_OFF, error)) {
        return false;
    }
    ret = commit_layers(args, layers, base);
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not commit");
        return false;
    }
    if (!img_finish(base, error)) {
        return false;
    }
    return layers->len > 1 || args->given['d'] || top->driver->make_empty == NULL ||
           top->driver->make_empty(top, error);
}

int img_commit(ImgArgs *args)
{
    g_autoptr(GPtrArray) layers = g_ptr_array_new_with_free_func((GDestroyNotify)block_node_unref);
    g_autofree char *base_path = NULL, *base_format = NULL;
    g_autoptr(BlockNode) base = NULL;
    GError *error = NULL;

    if (args->n_names != 1) {
        return img_fail_usage("Expecting one image file name");
    }
    if (!open_layers(args, args->value['b'], layers, &base_path, &base_format, &error)) {
        return img_fail_error(error);
    }
    base = block_node_open(base_path, base_format, NULL, BLOCK_OPEN_RDWR, &error);
    if (base == NULL || !commit_to(args, layers, base, &error)) {
        return img_fail_error(error);
    }
    if (!args->given['q']) {
        printf("Image committed.\n");
    }
    return 0;
}

/* ---- rebase ---- */

typedef struct Rebase {
    BlockNode *top, *old, *new;         /* old and new: NULL, none */
    uint8_t *a, *b;
} Rebase;

static int read_padded(BlockNode *node, uint64_t at, uint8_t *buf, uint64_t len)
{
    uint64_t size = node != NULL ? block_node_size(node) : 0;
    uint64_t have = at < size ? MIN(len, size - at) : 0;

    memset(buf + have, 0, len - have);
    return have > 0 ? block_node_pread(node, at, buf, have) : 0;
}

/* What shows through the top must stay the same. */
static int keep_content(Rebase *job, uint64_t at, uint64_t len)
{
    int ret = read_padded(job->old, at, job->a, len);

    if (ret == 0) {
        ret = read_padded(job->new, at, job->b, len);
    }
    if (ret < 0 || memcmp(job->a, job->b, len) == 0) {
        return ret;
    }
    return block_is_zero(job->a, len) ? block_node_zero(job->top, at, len, 0)
                                : block_node_pwrite(job->top, at, job->a, len);
}

static int copy_differences(ImgArgs *args, Rebase *job, uint64_t cluster)
{
    uint64_t size = block_node_size(job->top), len, step = MAX(cluster, 65536);
    ImgProgress progress;
    int ret = 0;

    img_progress_begin(&progress, args);
    for (uint64_t at = 0; at < size && ret == 0; at += len) {
        BlockStatus status;

        ret = block_node_status(job->top, at, size - at, &status);
        len = status.len;
        if (ret == 0 && !(status.flags & BLOCK_STATUS_ALLOCATED)) {
            len = MIN(len, step - at % step);
            ret = keep_content(job, at, len);
        }
        img_progress_set(&progress, at + len, size);
    }
    img_progress_end(&progress);
    return ret;
}

static bool make_safe(ImgArgs *args, BlockNode *top, const char *file, const char *format,
                      GError **error)
{
    g_autofree char *path = *file != '\0' ? block_backing_path(top->filename, file) : NULL;
    g_autoptr(BlockNode) new = NULL;
    Rebase job = { .top = top, .old = top->backing };
    BlockInfo info = { 0 };
    uint64_t step;
    int ret;

    if (path != NULL) {
        new = block_node_open(path, format, NULL, args->given['U'] ? BLOCK_OPEN_FORCE_SHARE : 0,
                              error);
        if (new == NULL) {
            g_prefix_error(error, "Could not open new backing file '%s': ", file);
            return false;
        }
    }
    top->driver->info(top, &info);
    step = MAX(info.cluster_size, 65536);
    job.new = new;
    job.a = g_malloc(step);
    job.b = g_malloc(step);
    ret = copy_differences(args, &job, info.cluster_size);
    g_free(job.a);
    g_free(job.b);
    block_info_clear(&info);
    if (ret < 0) {
        set_errno_error(error, -ret, "error while copying what the old backing file shows");
    }
    return ret == 0;
}

static int rebase(ImgArgs *args, BlockNode *top)
{
    const char *file = args->value['b'] != NULL ? args->value['b'] : "";
    const char *format = args->value['F'];
    GError *error = NULL;

    if (top->driver->set_backing == NULL) {
        return img_fail("Image format '%s' has no backing files", top->driver->name);
    }
    if (format != NULL && img_find_format(format, NULL) == NULL) {
        return img_fail("Invalid format name: '%s'", format);
    }
    if (*file != '\0' && format == NULL) {
        return img_fail("Could not change the backing file to '%s': backing format must be "
                        "specified", file);
    }
    if (!args->given['u'] && !make_safe(args, top, file, format, &error)) {
        return img_fail_error(error);
    }
    if (!top->driver->set_backing(top, *file != '\0' ? file : NULL, format, &error)) {
        g_prefix_error(&error, "Could not change the backing file to '%s': ", file);
        return img_fail_error(error);
    }
    return img_finish(top, &error) ? 0 : img_fail_error(error);
}

int img_rebase(ImgArgs *args)
{
    g_autoptr(BlockNode) top = NULL;
    GError *error = NULL;

    if (args->n_names != 1) {
        return img_fail_usage("Expecting one image file name");
    }
    if (!args->given['b'] && !args->given['u']) {
        return img_fail_usage("Use backing file (-b) option");
    }
    top = img_open_arg(args, 0, BLOCK_OPEN_RDWR | (args->given['u'] ? BLOCK_OPEN_NO_BACKING : 0),
                       &error);
    return top == NULL ? img_fail_error(error) : rebase(args, top);
}
