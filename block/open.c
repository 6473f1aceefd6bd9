/*
 * Opening: from a file name and flat options to a node with its children.
 *
 * Options of a node stand beside those of its children, which have a prefix: "driver", "read-only",
 * "file.driver", "backing.file.filename".  "file=NAME" and "backing=NAME" name a node that exists
 * already; "backing=" means none.  What a child does not say it takes from its parent.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "block_internal.h"
#include "rhea_error.h"

/* Settings that children take from their parent. */
typedef struct Inherit {
    bool read_only, auto_read_only, direct, no_flush, force_share, discard;
    char *aio;                          /* borrowed */
} Inherit;

typedef struct OpenArgs {
    const char *filename, *format;      /* NULL: from the options, or guessed */
    KeyVal *opts;                       /* taken */
    unsigned flags, depth;
    bool strict;                        /* -blockdev: in the words of QMP's arguments */
    Inherit inherit;
    const struct OpenArgs *overlay;     /* whose backing file this is; NULL: none */
    const char *backing_of;             /* its file name, against loops */
} OpenArgs;

static BlockNode *open_node(const OpenArgs *args, GError **error);

/* For the node whose options these are part of. */
static BlockNode *open_child(const OpenArgs *args, GError **error)
{
    BlockNode *node = open_node(args, error);

    if (node != NULL) {
        node->of_parent = true;
    }
    return node;
}

/* ---- options drivers read ---- */

const char *block_node_option(BlockNode *node, const char *name)
{
    return keyval_get(node->options, name);
}

bool block_node_option_bool(BlockNode *node, const char *name, bool *value, GError **error)
{
    return keyval_get_bool(node->options, name, value, error);
}

bool block_node_option_size(BlockNode *node, const char *name, uint64_t *value, GError **error)
{
    return keyval_get_size(node->options, name, 1, value, error);
}

/* ---- file names ---- */

/* "nbd" of "nbd:unix:/x"; NULL: a path (a colon behind a slash is part of it). New string. */
static char *protocol_of(const char *filename)
{
    size_t len = strcspn(filename, ":/");

    return filename[len] == ':' ? g_strndup(filename, len) : NULL;
}

char *block_backing_path(const char *image, const char *backing)
{
    g_autofree char *own = protocol_of(backing);
    g_autofree char *image_protocol = image != NULL ? protocol_of(image) : NULL;
    const char *slash;

    if (own != NULL || *backing == '/' || image == NULL || image_protocol != NULL) {
        return g_strdup(backing);
    }
    slash = strrchr(image, '/');
    return slash == NULL ? g_strdup(backing)
                         : g_strdup_printf("%.*s%s", (int)(slash + 1 - image), image, backing);
}

/* The protocol for a file name, and in *path what it gets. */
static const BlockDriver *find_protocol(const char *filename, const char **path, GError **error)
{
    g_autofree char *protocol = protocol_of(filename);
    const BlockDriver *driver;
    struct stat st;
    size_t plus;

    *path = filename;
    if (protocol == NULL) {
        bool device = stat(filename, &st) == 0 && (S_ISBLK(st.st_mode) || S_ISCHR(st.st_mode));

        return block_driver_find(device ? "host_device" : "file");
    }
    plus = strcspn(protocol, "+");                      /* nbd+unix:// */
    if (plus < strlen(protocol)) {
        protocol[plus] = '\0';
    }
    driver = block_driver_find(protocol);
    if (driver == NULL || !driver->protocol) {
        set_error(error, "Unknown protocol '%s'", protocol);
        return NULL;
    }
    if (g_str_equal(protocol, "file") || g_str_equal(protocol, "host_device")) {
        *path = filename + strlen(protocol) + 1;
    }
    return driver;
}

/* ---- settings every node has ---- */

static bool parse_discard(KeyVal *opts, bool *value, GError **error)
{
    const char *text = keyval_get(opts, "discard");

    if (text == NULL) {
        return true;
    }
    if (g_str_equal(text, "ignore") || g_str_equal(text, "off")) {
        *value = false;
    } else if (g_str_equal(text, "unmap") || g_str_equal(text, "on")) {
        *value = true;
    } else {
        set_error(error, "Invalid discard option");
        error_add_hint(error, "Expected 'ignore' or 'unmap', not '%s'.", text);
        return false;
    }
    return true;
}

static bool parse_detect_zeroes(BlockNode *node, GError **error)
{
    const char *text = keyval_get(node->options, "detect-zeroes");

    if (text == NULL || g_str_equal(text, "off")) {
        return true;
    }
    if (!g_str_equal(text, "on") && !g_str_equal(text, "unmap")) {
        set_error(error, "Parameter 'detect-zeroes' does not accept value '%s'", text);
        error_add_hint(error, "Expected 'off', 'on' or 'unmap'.");
        return false;
    }
    node->detect_zeroes = true;
    node->detect_zeroes_unmap = g_str_equal(text, "unmap");
    if (node->detect_zeroes_unmap && !node->discard_enabled) {
        set_error(error, "setting detect-zeroes to unmap is not allowed without setting discard "
                  "operation to unmap");
        return false;
    }
    return true;
}

static bool parse_aio(BlockNode *node, Inherit *inherit, GError **error)
{
    const char *text = keyval_get(node->options, "aio");

    inherit->aio = text != NULL ? (char *)text : inherit->aio;
    text = inherit->aio;
    if (text == NULL || g_str_equal(text, "threads")) {
        return true;
    }
    if (!g_str_equal(text, "native") && !g_str_equal(text, "io_uring")) {
        set_error(error, "invalid aio option");
        error_add_hint(error, "Expected 'threads', 'native' or 'io_uring', not '%s'.", text);
        return false;
    }
    if (g_str_equal(text, "native") && !node->direct) {
        set_error(error, "aio=native was specified, but it requires cache.direct=on, which was "
                  "not specified.");
        return false;
    }
    node->aio_uring = true;
    return true;
}

/* Reads the common options into the node and leaves in *inherit what its children get. */
static bool take_settings(BlockNode *node, Inherit *inherit, GError **error)
{
    KeyVal *opts = node->options;

    if (!keyval_get_bool(opts, "read-only", &inherit->read_only, error) ||
        !keyval_get_bool(opts, "auto-read-only", &inherit->auto_read_only, error) ||
        !keyval_get_bool(opts, "cache.direct", &inherit->direct, error) ||
        !keyval_get_bool(opts, "cache.no-flush", &inherit->no_flush, error) ||
        !keyval_get_bool(opts, "force-share", &inherit->force_share, error) ||
        !parse_discard(opts, &inherit->discard, error)) {
        return false;
    }
    keyval_get(opts, "node-name");
    keyval_get(opts, "driver");
    if (inherit->force_share && !inherit->read_only) {
        set_error(error, "force-share=on can only be used with read-only images");
        return false;
    }
    node->read_only = inherit->read_only;
    node->auto_read_only = inherit->auto_read_only;
    node->direct = inherit->direct;
    node->no_flush = inherit->no_flush;
    node->force_share = inherit->force_share;
    node->discard_enabled = inherit->discard;
    node->aio_uring = inherit->aio == NULL;             /* the fast way unless asked otherwise */
    return parse_aio(node, inherit, error) && parse_detect_zeroes(node, error);
}

/* ---- which format ---- */

void block_warn_probed_raw(const char *filename)
{
    fprintf(stderr,
            "WARNING: Image format was not specified for '%s' and probing guessed raw.\n"
            "         Automatically detecting the format is dangerous for raw images, write "
            "operations on block 0 will be restricted.\n"
            "         Specify the 'raw' format explicitly to remove the restrictions.\n",
            filename);
}

const BlockDriver *block_probe(const uint8_t *head, size_t len, const char *filename)
{
    const BlockDriver *best = block_driver_find("raw");
    int best_score = 0;

    for (const BlockDriver *const *driver = block_drivers; *driver != NULL; driver++) {
        int score = (*driver)->probe != NULL ? (*driver)->probe(head, len, filename) : 0;

        if (score > best_score) {
            best_score = score;
            best = *driver;
        }
    }
    return best;
}

static const BlockDriver *probe_file(BlockNode *file, GError **error)
{
    uint8_t head[BLOCK_PROBE_BYTES] = { 0 };
    uint64_t len = MIN(sizeof(head), file->size_bytes);
    int ret = block_node_pread(file, 0, head, len);

    if (ret < 0) {
        set_errno_error(error, -ret, "Could not read image for determining its format");
        return NULL;
    }
    return block_probe(head, len, file->filename);
}

static const BlockDriver *find_named_driver(const char *name, GError **error)
{
    const BlockDriver *driver = block_driver_find(name);
    g_autoptr(GPtrArray) names = NULL;

    if (driver != NULL) {
        return driver;
    }
    names = g_ptr_array_new();
    for (const BlockDriver *const *known = block_drivers; *known != NULL; known++) {
        g_ptr_array_add(names, (char *)(*known)->name);
    }
    set_error(error, "Unknown driver '%s'", name);
    error_suggest(error, nearest_name(name, (const char *const *)names->pdata, names->len));
    return NULL;
}

/* ---- children ---- */

BlockNode *block_node_open_reference(const char *name, GError **error)
{
    BlockNode *node = block_node_find(name);

    if (node == NULL) {
        BlockBackend *blk = block_backend_find(name);

        node = blk != NULL ? block_backend_node(blk) : NULL;
    }
    if (node == NULL) {
        set_error(error, "Cannot find device='%s' nor node-name='%s'", name, name);
        return NULL;
    }
    return block_node_ref(node);
}

/* The image below a format: a node that exists, or one of its own. */
static BlockNode *open_file(KeyVal *opts, const OpenArgs *args, const Inherit *inherit,
                            GError **error)
{
    const char *reference = keyval_get(opts, "file");
    KeyVal *sub = keyval_take_prefix(opts, "file");
    OpenArgs file = { .filename = args->filename, .opts = sub, .flags = args->flags,
                      .depth = args->depth + 1, .strict = args->strict, .inherit = *inherit };
    const BlockDriver *protocol;

    file.inherit.discard = true;
    if (reference != NULL && keyval_count(sub) == 0 && args->filename == NULL) {
        keyval_free(sub);
        return block_node_open_reference(reference, error);
    }
    if (!keyval_has(sub, "driver") && !keyval_has(sub, "filename") && args->filename != NULL) {
        protocol = find_protocol(args->filename, &file.filename, error);
        if (protocol == NULL) {
            keyval_free(sub);
            return NULL;
        }
        file.format = protocol->name;
    } else if (!keyval_has(sub, "driver") && keyval_get(sub, "filename") != NULL) {
        protocol = find_protocol(keyval_get(sub, "filename"), &file.filename, error);
        if (protocol == NULL) {
            keyval_free(sub);
            return NULL;
        }
        file.format = protocol->name;
    } else if (keyval_count(sub) == 0) {
        set_error(error, "Parameter 'file' is missing");
        keyval_free(sub);
        return NULL;
    }
    return open_child(&file, error);
}

/* The same image twice in a chain would never end. */
static bool check_chain(const OpenArgs *args, const char *path, GError **error)
{
    struct stat st, other;
    bool exists = stat(path, &st) == 0;

    for (const OpenArgs *up = args; up != NULL; up = up->overlay) {
        const char *name = up->backing_of;

        if (name != NULL && (g_str_equal(name, path) ||
                             (exists && S_ISREG(st.st_mode) && stat(name, &other) == 0 &&
                              st.st_dev == other.st_dev && st.st_ino == other.st_ino))) {
            set_error(error, "Backing file '%s' is an image above it: the chain is a loop", path);
            return false;
        }
    }
    return true;
}

static BlockNode *open_backing_file(BlockNode *node, KeyVal *sub, const OpenArgs *args,
                                    const Inherit *inherit, GError **error)
{
    OpenArgs backing = { .opts = sub,
                         .flags = args->flags & ~(BLOCK_OPEN_RDWR | BLOCK_OPEN_SNAPSHOT),
                         .depth = args->depth + 1, .inherit = *inherit, .overlay = args };
    OpenArgs chain = *args;
    g_autofree char *path = NULL;

    chain.backing_of = node->filename;
    backing.overlay = &chain;
    backing.inherit.read_only = true;
    backing.inherit.auto_read_only = backing.inherit.discard = false;
    if (!keyval_has(sub, "file") && !keyval_has(sub, "file.driver") &&
        !keyval_has(sub, "file.filename")) {
        path = block_backing_path(node->filename, node->backing_filename);
        backing.filename = path;
    }
    backing.format = keyval_has(sub, "driver") ? NULL : node->backing_format;
    if (path != NULL && !check_chain(&chain, path, error)) {
        keyval_free(sub);
        return NULL;
    }
    return open_child(&backing, error);
}

static bool open_backing(BlockNode *node, const OpenArgs *args, const Inherit *inherit,
                         GError **error)
{
    const char *reference = keyval_get(node->options, "backing");
    KeyVal *sub = keyval_take_prefix(node->options, "backing");
    BlockNode *backing;

    if (reference != NULL && keyval_count(sub) == 0) {
        keyval_free(sub);
        if (*reference == '\0') {
            return true;
        }
        backing = block_node_open_reference(reference, error);
    } else if ((args->flags & BLOCK_OPEN_NO_BACKING) ||
               (node->backing_filename == NULL && keyval_count(sub) == 0)) {
        keyval_free(sub);
        return true;
    } else {
        backing = open_backing_file(node, sub, args, inherit, error);
        if (backing == NULL) {
            g_prefix_error(error, "Could not open backing file: ");
        }
    }
    return backing != NULL && block_node_set_backing(node, backing, error);
}

/* ---- one node ---- */

static bool check_options(BlockNode *node, bool strict, GError **error)
{
    const char *unknown = keyval_first_unknown(node->options);

    if (unknown == NULL) {
        return true;
    }
    if (strict) {
        set_error(error, "Parameter '%s' is unexpected", unknown);
        return false;
    }
    set_error(error, node->driver->protocol ? "Block protocol '%s' doesn't support the option '%s'"
                                            : "Block format '%s' does not support the option '%s'",
              node->driver->name, unknown);
    return false;
}

static bool take_file(BlockNode *node, BlockNode *file, GError **error)
{
    if (file->read_only && !node->read_only) {
        if (!node->auto_read_only) {
            set_error(error, "Block node is read-only");
            block_node_unref(file);
            return false;
        }
        node->read_only = true;
    }
    return block_node_set_file(node, file, error);
}

/* Everything after the driver is known. `file` (taken): opened already, for probing. */
static bool setup_node(BlockNode *node, BlockNode *file, const OpenArgs *args, Inherit *inherit,
                       GError **error)
{
    if (!node->driver->protocol) {
        if (file == NULL) {
            file = open_file(node->options, args, inherit, error);
        }
        if (file == NULL) {
            return false;
        }
        node->filename = g_strdup(file->filename);
        if (!take_file(node, file, error)) {
            return false;
        }
        inherit->read_only = node->read_only;
    } else {
        const char *filename = keyval_get(node->options, "filename");

        node->filename = g_strdup(filename != NULL ? filename : args->filename);
    }
    if (!node->driver->open(node, error) || !open_backing(node, args, inherit, error)) {
        return false;
    }
    node->gate = node->request_alignment > 1 ? block_gate_new() : NULL;
    return check_options(node, args->strict, error) &&
           block_node_insert(node, keyval_get(node->options, "node-name"), error);
}

/*
 * A format that nobody named is guessed from the image, which is opened first.  *file gets that
 * node.
 */
static const BlockDriver *choose_driver(const OpenArgs *args, const Inherit *inherit,
                                        BlockNode **file, GError **error)
{
    const char *name = keyval_get(args->opts, "driver");

    name = name != NULL ? name : args->format;
    if (name != NULL) {
        return find_named_driver(name, error);
    }
    if (args->filename == NULL && !keyval_has(args->opts, "file") &&
        !keyval_has(args->opts, "file.driver") && !keyval_has(args->opts, "file.filename")) {
        set_error(error, "Must specify either driver or file");
        return NULL;
    }
    *file = open_file(args->opts, args, inherit, error);
    return *file != NULL ? probe_file(*file, error) : NULL;
}

static bool peek_settings(KeyVal *opts, Inherit *inherit, GError **error)
{
    g_autofree BlockNode *scratch = g_new0(BlockNode, 1);

    scratch->options = opts;
    return take_settings(scratch, inherit, error);
}

static BlockNode *open_with_options(const OpenArgs *args, GError **error)
{
    Inherit inherit = args->inherit;
    BlockNode *file = NULL, *node;
    const BlockDriver *driver;

    if (!peek_settings(args->opts, &inherit, error)) {
        keyval_free(args->opts);
        return NULL;
    }
    driver = choose_driver(args, &inherit, &file, error);
    if (driver == NULL) {
        block_node_unref(file);
        keyval_free(args->opts);
        return NULL;
    }
    node = block_node_alloc(driver, args->opts);
    node->open_flags = args->flags;
    node->probed_raw = file != NULL && g_str_equal(driver->name, "raw");
    inherit = args->inherit;
    if (!take_settings(node, &inherit, error)) {
        block_node_unref(file);
    } else if (setup_node(node, file, args, &inherit, error)) {
        return node;
    }
    block_node_unref(node);
    return NULL;
}

/* "json:{…}": its members are options, under those given beside it. */
static KeyVal *merge_json(const char *text, const KeyVal *over, GError **error)
{
    KeyVal *opts = keyval_parse_json(text, error);

    for (size_t i = 0; opts != NULL && i < keyval_count(over); i++) {
        keyval_add(opts, keyval_key(over, i), keyval_value(over, i));
    }
    return opts;
}

static BlockNode *open_node(const OpenArgs *args, GError **error)
{
    OpenArgs own = *args;

    if (args->depth > BLOCK_MAX_DEPTH) {
        set_error(error, "more than %u images stand on one another", BLOCK_MAX_DEPTH);
        keyval_free(args->opts);
        return NULL;
    }
    if (args->filename != NULL && g_str_has_prefix(args->filename, "json:")) {
        own.opts = merge_json(args->filename + strlen("json:"), args->opts, error);
        keyval_free(args->opts);
        if (own.opts == NULL) {
            g_prefix_error(error, "Could not parse the JSON options: ");
            return NULL;
        }
        own.filename = NULL;
    }
    return open_with_options(&own, error);
}

BlockNode *block_node_open(const char *filename, const char *format, KeyVal *opts, unsigned flags,
                           GError **error)
{
    OpenArgs args = {
        .filename = filename, .format = format, .opts = opts != NULL ? opts : keyval_new(),
        .flags = flags,
        .inherit = { .read_only = !(flags & BLOCK_OPEN_RDWR),
                     .force_share = flags & BLOCK_OPEN_FORCE_SHARE },
    };

    return open_node(&args, error);
}

BlockNode *block_node_add(KeyVal *kv, GError **error)
{
    OpenArgs args = { .flags = BLOCK_OPEN_RDWR, .strict = true };
    BlockNode *node;

    if (!keyval_has(kv, "driver")) {
        set_error(error, "Parameter 'driver' is missing");
        return NULL;
    }
    if (block_driver_find(keyval_get(kv, "driver")) == NULL) {
        set_error(error, "Parameter 'driver' does not accept value '%s'", keyval_get(kv, "driver"));
        return NULL;
    }
    if (!keyval_has(kv, "node-name")) {
        set_error(error, "'node-name' must be specified for the root node");
        return NULL;
    }
    args.opts = keyval_new();                           /* every key, to be judged by the driver */
    for (size_t i = 0; i < keyval_count(kv); i++) {
        keyval_add(args.opts, keyval_key(kv, i), keyval_value(kv, i));
    }
    node = open_node(&args, error);
    if (node != NULL) {
        node->by_monitor = true;
    }
    return node;
}
