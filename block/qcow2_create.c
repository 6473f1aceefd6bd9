/* qcow2: new images, and how large they would be. */
#include <errno.h>
#include <string.h>

#include "qcow2_internal.h"
#include "rhea_error.h"
#include "sizes.h"

const BlockOption qcow2_create_options[] = {
    { "backing_file", "image that shows through where this one holds nothing" },
    { "backing_fmt", "format of the backing file" },
    { "cluster_size", "512 to 2M, a power of two" },
    { "compat", "0.10 (version 2) or 1.1 (version 3)" },
    { "compression_type", "zlib or zstd, for compressed clusters" },
    { "lazy_refcounts", "on: postpone reference count updates" },
    { "preallocation", "off, metadata, falloc or full" },
    { "refcount_bits", "1 to 64, a power of two" },
    { "extended_l2", "on is not supported" },
    { "nocow", "on: no copy on write, on file systems that do it" },
    {}
};

typedef struct Plan {
    uint64_t size;
    unsigned cluster_bits, refcount_order, version;
    Qcow2Compression compression;
    BlockPrealloc prealloc;
    bool lazy, nocow;
    const char *backing_file, *backing_fmt;
} Plan;

/* ---- options ---- */

static bool get_power(KeyVal *opts, const char *name, uint64_t min, uint64_t max, unsigned *log2,
                      const char *complaint, GError **error)
{
    uint64_t value = UINT64_C(1) << *log2;

    if (!keyval_get_size(opts, name, 1, &value, error)) {
        return false;
    }
    if (value < min || value > max || (value & (value - 1)) != 0) {
        set_error(error, "%s", complaint);
        return false;
    }
    *log2 = __builtin_ctzll(value);
    return true;
}

static bool get_choice(KeyVal *opts, const char *name, const char *const *choices, int *value,
                       GError **error)
{
    const char *text = keyval_get(opts, name);
    unsigned n = 0;

    if (text == NULL) {
        return true;
    }
    for (; choices[n] != NULL; n++) {
        if (g_str_equal(choices[n], text)) {
            *value = n;
            return true;
        }
    }
    set_error(error, "Parameter '%s' does not accept value '%s'", name, text);
    error_suggest(error, nearest_name(text, choices, n));
    return false;
}

/* What the format could do and we do not: refused by name rather than as an unknown option. */
static bool refuse_unsupported(KeyVal *opts, GError **error)
{
    bool on = false;

    if (!keyval_get_bool(opts, "extended_l2", &on, error)) {
        return false;
    }
    if (on) {
        set_error(error, "extended L2 entries are not supported");
        return false;
    }
    if (!keyval_get_bool(opts, "encryption", &on, error)) {
        return false;
    }
    for (size_t i = 0; i < keyval_count(opts); i++) {
        on |= g_str_has_prefix(keyval_key(opts, i), "encrypt.");
    }
    if (on) {
        set_error(error, "encrypted qcow2 images are not supported");
        return false;
    }
    if (keyval_has(opts, "data_file") || keyval_has(opts, "data_file_raw")) {
        set_error(error, "external data files are not supported");
        return false;
    }
    return true;
}

static bool check_plan(const Plan *plan, GError **error)
{
    if (plan->version < 3 && plan->refcount_order != 4) {
        set_error(error, "Different refcount widths than 16 bits require compatibility level 1.1 "
                  "or above (use compat=1.1 or greater)");
        return false;
    }
    if (plan->version < 3 && plan->lazy) {
        set_error(error, "Lazy refcounts only supported with compatibility level 1.1 and above "
                  "(use compat=1.1 or greater)");
        return false;
    }
    if (plan->version < 3 && plan->compression != QCOW2_ZLIB) {
        set_error(error, "Non-zlib compression type is only supported with compatibility level 1.1 "
                  "and above (use compat=1.1 or greater)");
        return false;
    }
    if (plan->backing_fmt != NULL && plan->backing_file == NULL) {
        set_error(error, "Backing format cannot be used without backing file");
        return false;
    }
    if (plan->prealloc != BLOCK_PREALLOC_OFF && plan->backing_file != NULL) {
        set_error(error, "Backing file and preallocation can only be used at the same time if "
                  "extended_l2 is enabled");
        return false;
    }
    if (plan->size > INT64_MAX - BLOCK_SECTOR_SIZE) {
        set_error(error, "Image size must be less than 8 EiB!");
        return false;
    }
    return true;
}

static bool read_plan(Plan *plan, KeyVal *opts, GError **error)
{
    static const char *const compats[] = { "0.10", "1.1", "v2", "v3", NULL };
    static const char *const compressions[] = { "zlib", "zstd", NULL };
    int compat = 1, compression = 0, prealloc = 0;

    plan->cluster_bits = 16;
    plan->refcount_order = 4;
    if (opts == NULL) {
        plan->version = 3;
        return true;
    }
    if (!get_power(opts, "cluster_size", 512, 2 * MIB, &plan->cluster_bits,
                   "Cluster size must be a power of two between 512 and 2048k", error) ||
        !get_power(opts, "refcount_bits", 1, 64, &plan->refcount_order,
                   "Refcount width must be a power of two and may not exceed 64 bits", error) ||
        !get_choice(opts, "compat", compats, &compat, error) ||
        !get_choice(opts, "compression_type", compressions, &compression, error) ||
        !get_choice(opts, "preallocation", block_prealloc_names, &prealloc, error) ||
        !keyval_get_bool(opts, "lazy_refcounts", &plan->lazy, error) ||
        !keyval_get_bool(opts, "nocow", &plan->nocow, error) || !refuse_unsupported(opts, error)) {
        return false;
    }
    plan->version = compat == 0 || compat == 2 ? 2 : 3;
    plan->compression = compression;
    plan->prealloc = prealloc;
    plan->backing_file = keyval_get(opts, "backing_file");
    plan->backing_fmt = keyval_get(opts, "backing_fmt");
    return keyval_check_known(opts, error) && check_plan(plan, error);
}

/* ---- what goes where ---- */

typedef struct Layout {
    uint64_t cluster_size, l1_entries, l1_clusters, l2_clusters, blocks, rt_clusters;
} Layout;

static uint64_t divide_up(uint64_t n, uint64_t by)
{
    return n / by + (n % by != 0);
}

/* Counts for `other` clusters and for the counts themselves. */
static void lay_out_counts(const Plan *plan, uint64_t other, Layout *layout)
{
    uint64_t per_block = layout->cluster_size * 8 >> plan->refcount_order, total = 0, needed = 1;

    while (needed > total) {
        total = needed;
        layout->blocks = MAX(divide_up(total, per_block), 1);
        layout->rt_clusters = MAX(divide_up(layout->blocks * 8, layout->cluster_size), 1);
        needed = other + layout->blocks + layout->rt_clusters;
    }
}

static void lay_out(const Plan *plan, Layout *layout)
{
    uint64_t l2_entries;

    layout->cluster_size = UINT64_C(1) << plan->cluster_bits;
    l2_entries = layout->cluster_size / 8;
    layout->l2_clusters = divide_up(divide_up(plan->size, layout->cluster_size), l2_entries);
    layout->l1_entries = layout->l2_clusters;
    layout->l1_clusters = divide_up(layout->l1_entries * 8, layout->cluster_size);
}

/* ---- writing ---- */

static void fill_header(const Plan *plan, const Layout *layout, Qcow2Header *header)
{
    *header = (Qcow2Header){
        .version = plan->version, .cluster_bits = plan->cluster_bits, .size = plan->size,
        .l1_entries = layout->l1_entries, .rt_clusters = layout->rt_clusters,
        .rt_offset = layout->cluster_size, .refcount_order = plan->refcount_order,
        .l1_offset = (1 + layout->rt_clusters + layout->blocks) * layout->cluster_size,
        .compatible = plan->lazy ? QCOW2_COMPAT_LAZY : 0,
        .incompatible = plan->compression != QCOW2_ZLIB ? QCOW2_INCOMPAT_COMPRESSION : 0,
        .length = plan->version < 3 ? 72 : 112, .compression = plan->compression,
        .backing_file = g_strdup(plan->backing_file), .backing_format = g_strdup(plan->backing_fmt),
        .extensions = qcow2_extensions_new(),
    };
    if (plan->version >= 3 && plan->cluster_bits > QCOW2_MIN_CLUSTER_BITS) {
        qcow2_header_add_feature_names(header);
    }
}

/* The table of the counts, and the blocks behind it that count everything laid out so far. */
static int write_counts(BlockNode *file, const Plan *plan, const Layout *layout)
{
    uint64_t used = 1 + layout->rt_clusters + layout->blocks + layout->l1_clusters;
    g_autofree uint64_t *table = g_new0(uint64_t, layout->blocks);
    g_autofree uint8_t *block = g_malloc0(layout->blocks * layout->cluster_size);
    uint64_t offset = (1 + layout->rt_clusters) * layout->cluster_size;
    int ret;

    for (uint64_t i = 0; i < layout->blocks; i++) {
        table[i] = GUINT64_TO_BE(offset + i * layout->cluster_size);
    }
    for (uint64_t i = 0; i < used; i++) {
        qcow2_refcount_store(block, i, plan->refcount_order, 1);
    }
    ret = block_node_pwrite(file, layout->cluster_size, table, layout->blocks * 8);
    return ret < 0 ? ret : block_node_pwrite(file, offset, block,
                                             layout->blocks * layout->cluster_size);
}

/* The file becomes `size` bytes of zeroes. */
static bool clear_file(BlockNode *file, uint64_t size, GError **error)
{
    int ret;

    if (file->driver->growable) {
        return block_node_truncate(file, 0, BLOCK_PREALLOC_OFF, error) &&
               block_node_truncate(file, size, BLOCK_PREALLOC_OFF, error);
    }
    if (block_node_size(file) < size) {
        set_error(error, "An empty image takes %" G_GUINT64_FORMAT " bytes, '%s' has %"
                  G_GUINT64_FORMAT, size, file->filename, block_node_size(file));
        return false;
    }
    ret = block_node_zero(file, 0, size, 0);
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not write the image");
    }
    return ret == 0;
}

static bool write_image(BlockNode *file, const Plan *plan, GError **error)
{
    Qcow2Header header;
    Layout layout;
    g_autofree uint8_t *bytes = NULL;
    size_t len;
    int ret;

    lay_out(plan, &layout);
    if (layout.l1_entries * 8 > QCOW2_MAX_L1_BYTES) {
        set_error(error, "The image size is too large for file format 'qcow2' (try using a larger "
                  "cluster size)");
        return false;
    }
    lay_out_counts(plan, 1 + layout.l1_clusters, &layout);
    fill_header(plan, &layout, &header);
    bytes = qcow2_header_bytes(&header, &len, error);
    if (bytes != NULL && clear_file(file, header.l1_offset + layout.l1_entries * 8, error)) {
        ret = write_counts(file, plan, &layout);
        if (ret == 0) {                         /* last, so that half an image is none */
            ret = block_node_pwrite(file, 0, bytes, len);
        }
        if (ret < 0) {
            set_errno_error(error, -ret, "Could not write the image");
        }
    } else {
        ret = -EIO;
    }
    qcow2_header_clear(&header);
    return ret == 0;
}

static bool preallocate(const char *filename, const Plan *plan, GError **error)
{
    g_autoptr(BlockNode) node = NULL;

    if (plan->prealloc == BLOCK_PREALLOC_OFF) {
        return true;
    }
    node = block_node_open(filename, "qcow2", NULL, BLOCK_OPEN_RDWR | BLOCK_OPEN_NO_BACKING, error);
    if (node == NULL) {
        return false;
    }
    return qcow2_preallocate((Qcow2 *)node, 0, plan->size, plan->prealloc, error);
}

static bool create_file(const char *filename, const Plan *plan, GError **error)
{
    g_autoptr(BlockNode) file = NULL;
    g_autoptr(KeyVal) opts = keyval_new();

    if (plan->nocow) {
        keyval_add(opts, "nocow", "on");
    }
    if (!block_driver_find("file")->create(filename, 0, opts, error)) {
        return false;
    }
    file = block_node_open(filename, "file", NULL, BLOCK_OPEN_RDWR, error);
    return file != NULL && write_image(file, plan, error);
}

bool qcow2_create_in(BlockNode *file, uint64_t size, KeyVal *opts, GError **error)
{
    Plan plan = { .size = size };

    return read_plan(&plan, opts, error) && write_image(file, &plan, error);
}

bool qcow2_preallocate_all(BlockNode *node, BlockPrealloc prealloc, GError **error)
{
    return qcow2_preallocate((Qcow2 *)node, 0, node->size_bytes, prealloc, error);
}

bool qcow2_create(const char *filename, uint64_t size, KeyVal *opts, GError **error)
{
    Plan plan = { .size = size };

    return read_plan(&plan, opts, error) && create_file(filename, &plan, error) &&
           preallocate(filename, &plan, error);
}

/* ---- measuring ---- */

/* Clusters that hold something else than zeroes, anywhere in the chain. */
static bool count_data(BlockNode *source, uint64_t cluster_size, uint64_t *clusters, GError **error)
{
    uint64_t size = block_node_size(source), last = UINT64_MAX;
    BlockStatus status;
    unsigned depth;

    for (uint64_t at = 0; at < size; at += status.len) {
        uint64_t first, end;
        int ret = block_node_status_above(source, at, size - at, &status, &depth);

        if (ret < 0) {
            set_errno_error(error, -ret, "Unable to get block status");
            return false;
        }
        if ((status.flags & BLOCK_STATUS_ZERO) || !(status.flags & BLOCK_STATUS_DATA)) {
            continue;
        }
        first = at / cluster_size;
        end = divide_up(at + status.len, cluster_size);
        *clusters += end - first - (first == last);
        last = end - 1;
    }
    return true;
}

bool qcow2_measure(uint64_t size, BlockNode *source, KeyVal *opts, BlockMeasure *measure,
                   GError **error)
{
    Plan plan = { .size = source != NULL ? block_node_size(source) : size };
    uint64_t clusters, data = 0, metadata;
    Layout layout;

    if (!read_plan(&plan, opts, error)) {
        return false;
    }
    lay_out(&plan, &layout);
    clusters = divide_up(plan.size, layout.cluster_size);
    if (source != NULL && !count_data(source, layout.cluster_size, &data, error)) {
        return false;
    }
    if (plan.prealloc != BLOCK_PREALLOC_OFF && plan.prealloc != BLOCK_PREALLOC_METADATA) {
        data = clusters;
    }
    lay_out_counts(&plan, 1 + layout.l1_clusters + layout.l2_clusters + clusters, &layout);
    metadata = 1 + layout.l1_clusters + layout.l2_clusters + layout.blocks + layout.rt_clusters;
    measure->required = (metadata + data) * layout.cluster_size;
    measure->fully_allocated = (metadata + clusters) * layout.cluster_size;
    measure->bitmaps = source != NULL && source->driver == &block_qcow2 &&
                       ((Qcow2 *)source)->header.version >= 3;
    return true;
}
