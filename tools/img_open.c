/* Opening images for the tool, and the option values several commands take. */
#include <errno.h>
#include <string.h>

#include "img.h"
#include "rhea_error.h"
#include "sizes.h"

static bool add_cache(KeyVal *opts, const char *cache, GError **error)
{
    static const struct { const char *name; bool direct, no_flush; } modes[] = {
        { "none", true, false }, { "off", true, false }, { "directsync", true, false },
        { "writeback", false, false }, { "writethrough", false, false },
        { "unsafe", false, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (g_str_equal(modes[i].name, cache)) {
            keyval_add(opts, "cache.direct", modes[i].direct ? "on" : "off");
            keyval_add(opts, "cache.no-flush", modes[i].no_flush ? "on" : "off");
            return true;
        }
    }
    set_error(error, "Invalid cache option: %s", cache);
    return false;
}

BlockNode *img_open(const ImgOpen *how, GError **error)
{
    KeyVal *opts = how->image_opts ? keyval_parse(how->name, NULL, error) : keyval_new();
    BlockNode *node;

    if (opts == NULL) {
        return NULL;
    }
    if (how->cache != NULL && !add_cache(opts, how->cache, error)) {
        keyval_free(opts);
        return NULL;
    }
    if (how->format != NULL && block_driver_find(how->format) == NULL) {
        set_error(error, "Could not open '%s': Unknown driver '%s'", how->name, how->format);
        keyval_free(opts);
        return NULL;
    }
    node = block_node_open(how->image_opts ? NULL : how->name, how->format, opts, how->flags,
                           error);
    if (node == NULL) {
        g_prefix_error(error, "Could not open '%s': ", how->name);
    }
    return node;
}

BlockNode *img_open_arg(ImgArgs *args, int n, unsigned flags, GError **error)
{
    ImgOpen how = { .name = args->names[n], .format = args->value['f'], .flags = flags,
                    .image_opts = args->given[IMG_IMAGE_OPTS], .cache = args->value['t'] };

    how.flags |= args->given['U'] ? BLOCK_OPEN_FORCE_SHARE : 0;
    return img_open(&how, error);
}

KeyVal *img_parse_options(const char *text, GError **error)
{
    return *text == '\0' ? keyval_new() : keyval_parse(text, NULL, error);
}

const BlockDriver *img_find_format(const char *name, GError **error)
{
    const BlockDriver *driver = block_driver_find(name);

    if (driver == NULL) {
        set_error(error, "Unknown file format '%s'", name);
    }
    return driver;
}

bool img_parse_size(const char *text, const char *what, uint64_t *bytes, GError **error)
{
    if (!parse_size(text, bytes, NULL) || *bytes > INT64_MAX) {
        set_error(error, "Invalid %s specified. You may use k, M, G, T, P or E suffixes for\n"
                  "rhea-img: kilobytes, megabytes, gigabytes, terabytes, petabytes and exabytes.",
                  what);
        return false;
    }
    return true;
}

bool img_parse_prealloc(const char *text, BlockPrealloc *prealloc, GError **error)
{
    static const char *const names[] = { "off", "metadata", "falloc", "full" };

    *prealloc = BLOCK_PREALLOC_OFF;
    for (size_t i = 0; text != NULL; i++) {
        if (i == G_N_ELEMENTS(names)) {
            set_error(error, "Invalid preallocation mode '%s'", text);
            return false;
        }
        if (g_str_equal(names[i], text)) {
            *prealloc = i;
            return true;
        }
    }
    return true;
}

bool img_finish(BlockNode *node, GError **error)
{
    int ret = block_node_flush(node);

    if (ret < 0) {
        set_errno_error(error, -ret, "Could not write '%s'", node->filename);
    }
    return ret == 0;
}
