/* qcow2 against a plain buffer: random requests, snapshots, reopening, and checks in between. */
#include <string.h>
#include <unistd.h>

#include "block_driver.h"
#include "check_main.h"

#define DISK    (3 * 1024 * 1024 + 512)
#define ROUNDS  6
#define STEPS   120

typedef struct Image {
    char *dir, *path;
    BlockNode *node;
    uint8_t *disk, *saved, *scratch;    /* what it should hold; what the snapshot holds */
    bool has_snapshot, v2;
    unsigned cluster_size;
    GRand *rand;
} Image;

static const struct { const char *options; bool backing; unsigned cluster_size; } kinds[] = {
    { "compat=1.1", false, 65536 },
    { "compat=1.1", true, 65536 },
    { "compat=0.10", false, 65536 },
    { "compat=0.10,cluster_size=4k", true, 4096 },
    { "cluster_size=512", false, 512 },
    { "cluster_size=512,refcount_bits=64", true, 512 },
    { "cluster_size=1k,refcount_bits=2", false, 1024 },
    { "cluster_size=4k,refcount_bits=8", true, 4096 },
    { "cluster_size=2M,refcount_bits=32", false, 2 << 20 },
    { "lazy_refcounts=on", false, 65536 },
    { "lazy_refcounts=on,cluster_size=512", true, 512 },
    { "compression_type=zstd", false, 65536 },
    { "preallocation=metadata", false, 65536 },
    { "preallocation=falloc,cluster_size=4k", false, 4096 },
    { "preallocation=full,lazy_refcounts=on", false, 65536 },
};

static void expect_none(const GError *error)
{
    ck_assert_msg(error == NULL, "%s", error != NULL ? error->message : "");
}

static void image_open(Image *image)
{
    g_autoptr(GError) error = NULL;
    KeyVal *opts = keyval_new();

    keyval_add(opts, "cache.no-flush", "on");       /* what order means, test_qcow2_crash sees */
    image->node = block_node_open(image->path, "qcow2", opts, BLOCK_OPEN_RDWR, &error);
    expect_none(error);
}

static void image_close(Image *image)
{
    block_node_unref(image->node);
    image->node = NULL;
}

static uint32_t pick(Image *image, uint32_t below)
{
    return g_rand_int_range(image->rand, 0, below);
}

static void fill(Image *image, uint8_t *at, uint64_t len)
{
    uint8_t value = pick(image, 256), step = pick(image, 3);

    for (uint64_t i = 0; i < len; i++) {
        at[i] = value += step;
    }
}

static void make_backing(Image *image)
{
    g_autofree char *path = g_build_filename(image->dir, "backing", NULL);

    fill(image, image->disk, DISK / 2);                 /* shorter than the overlay */
    ck_assert(g_file_set_contents(path, (char *)image->disk, DISK / 2, NULL));
}

static void image_new(Image *image, unsigned row)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(KeyVal) opts = keyval_parse(kinds[row].options, NULL, NULL);

    *image = (Image){ .dir = g_dir_make_tmp("qcow2-XXXXXX", NULL), .disk = g_malloc0(DISK),
                      .saved = g_malloc0(DISK), .scratch = g_malloc0(DISK),
                      .v2 = strstr(kinds[row].options, "0.10") != NULL,
                      .cluster_size = kinds[row].cluster_size, .rand = g_rand_new_with_seed(row) };
    image->path = g_build_filename(image->dir, "disk", NULL);
    if (kinds[row].backing) {
        make_backing(image);
        keyval_add(opts, "backing_file", "backing");
        keyval_add(opts, "backing_fmt", "raw");
    }
    ck_assert(block_driver_find("qcow2")->create(image->path, DISK, opts, &error));
    image_open(image);
}

static void image_free(Image *image)
{
    g_autofree char *backing = g_build_filename(image->dir, "backing", NULL);

    image_close(image);
    unlink(backing);
    unlink(image->path);
    rmdir(image->dir);
    g_rand_free(image->rand);
    g_free(image->disk);
    g_free(image->saved);
    g_free(image->scratch);
    g_free(image->path);
    g_free(image->dir);
}

static void print_line(void *opaque, const char *line)
{
    g_string_append_printf(opaque, "%s\n", line);
}

/* Closed, so that everything is on disk. */
static void image_check(Image *image)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GString) lines = g_string_new(NULL);
    BlockCheck check = { .report = print_line, .opaque = lines };
    BlockNode *node = block_node_open(image->path, "qcow2", NULL,
                                      BLOCK_OPEN_CHECK | BLOCK_OPEN_NO_BACKING, &error);

    expect_none(error);
    ck_assert(node->driver->check(node, &check, &error));
    ck_assert_msg(check.errors == 0 && check.leaks == 0, "%s", lines->str);
    block_node_unref(node);
}

static void image_compare(Image *image)
{
    ck_assert_int_eq(block_node_pread(image->node, 0, image->scratch, DISK), 0);
    for (uint64_t i = 0; i < DISK; i++) {
        if (image->scratch[i] != image->disk[i]) {
            ck_abort_msg("byte %#lx: %02x, not %02x", (long)i, image->scratch[i], image->disk[i]);
        }
    }
}

/* ---- steps ---- */

static void random_range(Image *image, uint64_t *offset, uint64_t *len)
{
    static const uint32_t sizes[] = { 512, 4096, 65536, 300000, 1 << 20 };
    uint32_t unit = pick(image, 2) ? 512 : 1;
    uint32_t want = pick(image, sizes[pick(image, G_N_ELEMENTS(sizes))]) / unit * unit + unit;

    *offset = pick(image, DISK) / unit * unit;
    *len = MIN(DISK - *offset, want);
}

static void step_write(Image *image)
{
    uint64_t offset, len;

    random_range(image, &offset, &len);
    fill(image, image->disk + offset, len);
    ck_assert_int_eq(block_node_pwrite(image->node, offset, image->disk + offset, len), 0);
}

static void step_zero(Image *image)
{
    uint64_t offset, len;

    random_range(image, &offset, &len);
    memset(image->disk + offset, 0, len);
    image->node->discard_enabled = pick(image, 2);
    ck_assert_int_eq(block_node_zero(image->node, offset, len, BLOCK_REQ_MAY_UNMAP), 0);
}

/* What was discarded reads as before or as zeroes. */
static void step_discard(Image *image)
{
    uint64_t offset, len;

    random_range(image, &offset, &len);
    image->node->discard_enabled = true;
    ck_assert_int_eq(block_node_discard(image->node, offset, len), 0);
    ck_assert_int_eq(block_node_pread(image->node, offset, image->scratch, len), 0);
    for (uint64_t i = 0; i < len; i++) {
        uint8_t now = image->scratch[i];

        if (now != 0 && now != image->disk[offset + i]) {
            ck_abort_msg("byte %#lx is neither what it was nor zero", (long)(offset + i));
        }
        image->disk[offset + i] = now;
    }
}

static void step_compressed(Image *image)
{
    uint64_t cluster = image->cluster_size, offset = pick(image, DISK) / cluster * cluster;
    uint64_t len = MIN(cluster, DISK - offset);

    fill(image, image->disk + offset, len);
    ck_assert_int_eq(image->node->driver->pwrite_compressed(image->node, offset,
                                                            image->disk + offset, len), 0);
}

static void step_read(Image *image)
{
    uint64_t offset, len;

    random_range(image, &offset, &len);
    ck_assert_int_eq(block_node_pread(image->node, offset, image->scratch, len), 0);
    ck_assert_mem_eq(image->scratch, image->disk + offset, len);
}

static void step_flush(Image *image)
{
    ck_assert_int_eq(block_node_flush(image->node), 0);
}

/* The fast way has to agree with the buffer as well. */
static void step_map(Image *image)
{
    uint64_t offset, len;
    BlockExtent extent;

    random_range(image, &offset, &len);
    image->node->driver->map(image->node, false, offset, len, &extent);
    ck_assert(extent.len >= 1 && extent.len <= len);
    if (extent.kind == BLOCK_MAP_ZERO) {
        memset(image->scratch, 0, extent.len);
    } else if (extent.kind == BLOCK_MAP_DATA) {
        ck_assert_int_eq(block_node_pread(extent.node, extent.offset, image->scratch, extent.len),
                         0);
        image->node->driver->map_end(image->node, &extent);
    } else {
        return;
    }
    ck_assert_mem_eq(image->scratch, image->disk + offset, extent.len);
}

static void step_map_write(Image *image)
{
    uint64_t offset, len;
    BlockExtent extent;

    random_range(image, &offset, &len);
    image->node->driver->map(image->node, true, offset, len, &extent);
    if (extent.kind == BLOCK_MAP_DATA) {
        fill(image, image->disk + offset, extent.len);
        ck_assert_int_eq(block_node_pwrite(extent.node, extent.offset, image->disk + offset,
                                           extent.len), 0);
        image->node->driver->map_end(image->node, &extent);
    }
}

static void (*const steps[])(Image *) = {
    step_write, step_write, step_write, step_zero, step_discard, step_compressed, step_read,
    step_flush, step_map, step_map_write,
};

static void change_snapshots(Image *image)
{
    const BlockDriver *driver = image->node->driver;
    g_autoptr(GError) error = NULL;

    if (!image->has_snapshot) {
        image->has_snapshot = driver->snapshot_create(image->node, "snap", &error);
        memcpy(image->saved, image->disk, DISK);
        ck_assert_msg(image->has_snapshot || strstr(error->message, "range") != NULL, "%s",
                      error != NULL ? error->message : "");
    } else if (pick(image, 2)) {
        ck_assert(driver->snapshot_apply(image->node, "snap", &error));
        memcpy(image->disk, image->saved, DISK);
    } else {
        ck_assert(driver->snapshot_delete(image->node, "1", &error));
        image->has_snapshot = false;
    }
}

START_TEST(qcow2_random)
{
    Image image;

    image_new(&image, _i);
    image_compare(&image);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < STEPS; i++) {
            steps[pick(&image, G_N_ELEMENTS(steps))](&image);
        }
        image_compare(&image);
        image_close(&image);
        image_check(&image);
        image_open(&image);
        image_compare(&image);
        change_snapshots(&image);
    }
    image_free(&image);
}
END_TEST

CHECK_MAIN("qcow2", CASES(qcow2_random, kinds))
