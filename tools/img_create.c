/* rhea-img create, measure and resize. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "img.h"
#include "rhea_error.h"

/* ---- create ---- */

/* In which order "Formatting …" tells the options of a format, and what they are if not given. */
typedef struct ShownOption { const char *name, *def; } ShownOption;
static const ShownOption qcow2_shown[] = {
    { "cluster_size", "65536" }, { "extended_l2", "off" }, { "preallocation", NULL },
    { "compression_type", "zlib" }, { "size", NULL }, { "compat", NULL }, { "backing_file", NULL },
    { "backing_fmt", NULL }, { "lazy_refcounts", "off" }, { "refcount_bits", "16" },
    { "nocow", NULL }, {}
};
static const ShownOption raw_shown[] = {
    { "size", NULL }, { "preallocation", NULL }, { "nocow", NULL }, {}
};

static void print_formatting(const char *filename, const BlockDriver *driver, uint64_t size,
                             KeyVal *opts)
{
    const ShownOption *row = g_str_equal(driver->name, "qcow2") ? qcow2_shown : raw_shown;

    printf("Formatting '%s', fmt=%s", filename, driver->name);
    for (; row->name != NULL; row++) {
        const char *value = keyval_has(opts, row->name) ? keyval_get(opts, row->name) : row->def;
        uint64_t bytes;

        if (g_str_equal(row->name, "size")) {
            printf(" size=%" PRIu64, size);
        } else if (value != NULL && g_str_equal(row->name, "cluster_size") &&
                   img_parse_size(value, "", &bytes, NULL)) {
            printf(" cluster_size=%" PRIu64, bytes);
        } else if (value != NULL) {
            printf(" %s=%s", row->name, value);
        }
    }
    printf("\n");
    fflush(stdout);
}

static int print_option_help(const BlockDriver *driver)
{
    printf("Supported options:\n");
    for (const BlockOption *row = driver->create_options; row != NULL && row->name != NULL; row++) {
        printf("  %-18s %s\n", row->name, row->help);
    }
    printf("  %-18s %s\n", "size", "size of the disk");
    return 0;
}

/* -b and -F beside -o: the same options in two spellings. */
static bool add_backing(ImgArgs *args, KeyVal *opts)
{
    if (args->value['b'] != NULL) {
        keyval_add(opts, "backing_file", args->value['b']);
    }
    if (args->value['F'] != NULL) {
        keyval_add(opts, "backing_fmt", args->value['F']);
    }
    return true;
}

/* Opens the backing file to see that it is there, and for its size. */
static bool look_at_backing(const char *filename, KeyVal *opts, bool unsafe, uint64_t *size,
                            bool *has_size, GError **error)
{
    const char *file = keyval_get(opts, "backing_file"), *format = keyval_get(opts, "backing_fmt");
    g_autofree char *path = NULL;
    g_autoptr(BlockNode) node = NULL;

    if (file == NULL || *file == '\0' || (unsafe && *has_size)) {
        return true;
    }
    path = block_backing_path(filename, file);
    if (g_str_equal(path, filename)) {
        set_error(error, "%s: Error: Trying to create an image with the same filename as the "
                  "backing file", filename);
        return false;
    }
    node = block_node_open(path, format, NULL, 0, error);
    if (node == NULL) {
        g_prefix_error(error, "%s: ", filename);
        error_add_hint(error, "Could not open backing image.");
        return false;
    }
    if (format == NULL) {
        set_error(error, "%s: Backing file specified without backing format\n"
                  "Detected format of %s.", filename, node->driver->name);
        return false;
    }
    if (!*has_size) {
        *size = block_node_size(node);
        *has_size = true;
    }
    return true;
}

static bool find_size(ImgArgs *args, KeyVal *opts, uint64_t *size, bool *has_size, GError **error)
{
    const char *text = args->n_names > 1 ? args->names[1] : keyval_get(opts, "size");

    *has_size = text != NULL;
    return text == NULL || img_parse_size(text, "image size", size, error);
}

/* The options without `size`, which is an argument of create(). */
static KeyVal *without_size(KeyVal *opts)
{
    KeyVal *out = keyval_new();

    for (size_t i = 0; i < keyval_count(opts); i++) {
        if (!g_str_equal(keyval_key(opts, i), "size")) {
            keyval_add(out, keyval_key(opts, i), keyval_value(opts, i));
        }
    }
    return out;
}

static int create_image(ImgArgs *args, const BlockDriver *driver, KeyVal *given)
{
    const char *filename = args->names[0];
    g_autoptr(KeyVal) opts = NULL;
    uint64_t size = 0;
    bool has_size;
    GError *error = NULL;

    if (!find_size(args, given, &size, &has_size, &error)) {
        return img_fail_error(error);
    }
    if (!look_at_backing(filename, given, args->given['u'], &size, &has_size, &error)) {
        return img_fail_error(error);
    }
    if (!has_size) {
        return img_fail("%s: Image creation needs a size parameter", filename);
    }
    opts = without_size(given);
    if (!args->given['q'] && !keyval_has(opts, "help")) {
        print_formatting(filename, driver, size, opts);
    }
    if (!driver->create(filename, size, opts, &error)) {
        return img_fail("%s: %s", filename, error->message);
    }
    return 0;
}

/* Names first: an option the format does not have is refused before anything is printed. */
static bool check_names(const BlockDriver *driver, KeyVal *opts, GError **error)
{
    for (size_t i = 0; i < keyval_count(opts); i++) {
        const char *key = keyval_key(opts, i);
        bool known = g_str_equal(key, "size") || g_str_has_prefix(key, "encrypt") ||
                     g_str_has_prefix(key, "data_file");

        for (const BlockOption *row = driver->create_options;
             !known && row != NULL && row->name != NULL; row++) {
            known = g_str_equal(row->name, key);
        }
        if (!known) {
            set_error(error, "Invalid parameter '%s'", key);
            return false;
        }
    }
    return true;
}

int img_create(ImgArgs *args)
{
    const char *format = args->value['f'] != NULL ? args->value['f'] : "raw";
    const BlockDriver *driver = block_driver_find(format);
    g_autoptr(KeyVal) opts = NULL;
    g_autoptr(GError) error = NULL;

    if (driver != NULL && g_str_equal(args->options->str, "help")) {
        return print_option_help(driver);
    }
    if (args->n_names < 1) {
        return img_fail_usage("Expecting image file name");
    }
    if (args->n_names > 2) {
        return img_fail_usage("Unexpected argument: %s", args->names[2]);
    }
    if (driver == NULL) {
        return img_fail("%s: Unknown file format '%s'", args->names[0], format);
    }
    if (driver->create == NULL) {
        return img_fail("%s: Format driver '%s' does not support image creation", args->names[0],
                        format);
    }
    opts = img_parse_options(args->options->str, &error);
    if (opts == NULL || !add_backing(args, opts) || !check_names(driver, opts, &error)) {
        return img_fail("%s: %s", args->names[0], error->message);
    }
    return create_image(args, driver, opts);
}

/* ---- measure ---- */

static void print_measure(ImgArgs *args, const BlockMeasure *measure)
{
    ImgJson json = { 0 };

    if (!args->json) {
        printf("required size: %" PRIu64 "\nfully allocated size: %" PRIu64 "\n",
               measure->required, measure->fully_allocated);
        if (measure->bitmaps) {
            printf("bitmaps size: 0\n");
        }
        return;
    }
    img_json_begin(&json, NULL, '{');
    if (measure->bitmaps) {
        img_json_number(&json, "bitmaps", 0);
    }
    img_json_number(&json, "required", measure->required);
    img_json_number(&json, "fully-allocated", measure->fully_allocated);
    img_json_end(&json, '}');
    img_json_print(&json);
}

/* Raw images are as long as the disk, whatever it holds. */
static bool measure_with(const BlockDriver *driver, uint64_t size, BlockNode *source, KeyVal *opts,
                         BlockMeasure *measure, GError **error)
{
    uint64_t bytes = source != NULL ? block_node_size(source) : size;

    if (driver->measure != NULL) {
        return driver->measure(size, source, opts, measure, error);
    }
    if (!driver->filter) {
        set_error(error, "Block driver '%s' does not support size measurement", driver->name);
        return false;
    }
    bytes = ROUND_UP(bytes, BLOCK_SECTOR_SIZE);
    *measure = (BlockMeasure){ bytes, bytes, false };
    return true;
}

static BlockNode *open_source(ImgArgs *args, GError **error)
{
    BlockNode *node = img_open_arg(args, 0, 0, error);

    if (node != NULL && args->given['l'] && !img_view_snapshot(node, args->value['l'], error)) {
        block_node_unref(node);
        return NULL;
    }
    return node;
}

int img_measure(ImgArgs *args)
{
    const char *format = args->value['O'] != NULL ? args->value['O'] : "raw";
    g_autoptr(BlockNode) source = NULL;
    g_autoptr(KeyVal) opts = NULL;
    BlockMeasure measure;
    uint64_t size = 0;
    const BlockDriver *driver;
    GError *error = NULL;

    if (args->n_names > 1 || args->given[IMG_SIZE] == (args->n_names == 1)) {
        return img_fail("Either --size N or one filename must be specified.");
    }
    if (args->given[IMG_SIZE] && !img_parse_size(args->value[IMG_SIZE], "size", &size, &error)) {
        return img_fail_error(error);
    }
    driver = img_find_format(format, &error);
    opts = driver != NULL ? img_parse_options(args->options->str, &error) : NULL;
    if (opts == NULL || (args->n_names == 1 && (source = open_source(args, &error)) == NULL) ||
        !measure_with(driver, size, source, opts, &measure, &error)) {
        return img_fail_error(error);
    }
    print_measure(args, &measure);
    return 0;
}

/* ---- resize ---- */

/* A number may begin with a minus sign, which is no option here: "-512k". */
static int resize_to(ImgArgs *args, BlockNode *node, char sign, uint64_t size,
                     BlockPrealloc prealloc)
{
    uint64_t old = block_node_size(node);
    GError *error = NULL;

    size = sign == '+' ? old + size : sign == '-' ? old - MIN(old, size) : size;
    if (size == 0) {
        return img_fail("New image size must be positive");
    }
    if (size > INT64_MAX) {
        return img_fail("New image size is too large");
    }
    if (size < old && !args->given[IMG_SHRINK]) {
        img_fail("Use the --shrink option to perform a shrink operation.");
        return img_fail("warning: Shrinking an image will delete all data beyond the shrunken "
                        "image's end. Before performing such an operation, make sure there is no "
                        "important data there.");
    }
    if (!block_node_truncate(node, size, prealloc, &error) || !img_finish(node, &error)) {
        return img_fail_error(error);
    }
    if (!args->given['q']) {
        printf("Image resized.\n");
    }
    return 0;
}

int img_resize(ImgArgs *args)
{
    g_autoptr(BlockNode) node = NULL;
    BlockPrealloc prealloc;
    GError *error = NULL;
    uint64_t size;
    const char *text;
    char sign;

    if (args->n_names < 2) {
        return img_fail_usage("Not enough arguments");
    }
    if (args->n_names > 2) {
        return img_fail_usage("Expecting one image file name");
    }
    text = args->names[1];
    sign = *text == '+' || *text == '-' ? *text++ : 0;
    if (!img_parse_size(text, "image size", &size, NULL)) {
        return img_fail("Parameter 'size' expects a non-negative number below 2^64\n"
                        "Optional suffix k, M, G, T, P or E means kilo-, mega-, giga-, tera-, "
                        "peta-\nand exabytes, respectively.");
    }
    if (!img_parse_prealloc(args->value[IMG_PREALLOCATION], &prealloc, &error)) {
        return img_fail_error(error);
    }
    node = img_open_arg(args, 0, BLOCK_OPEN_RDWR, &error);
    return node == NULL ? img_fail_error(error) : resize_to(args, node, sign, size, prealloc);
}
