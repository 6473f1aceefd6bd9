/* qcow2 from several threads at once: each has clusters of its own, and shares tables with all. */
#include <string.h>
#include <unistd.h>

#include "block_driver.h"
#include "check_main.h"

#define THREADS 4
#define STRIPE  3000u                   /* not a multiple of anything: clusters are shared too */
#define STRIPES 300u
#define DISK    ((uint64_t)THREADS * STRIPE * STRIPES)
#define ROUNDS  3000

static const char *const kinds[] = {
    "cluster_size=4k", "cluster_size=512", "cluster_size=64k", "cluster_size=4k,lazy_refcounts=on",
};

typedef struct Worker {
    BlockNode *node;
    unsigned number;
    uint8_t *disk;                      /* what its stripes should hold */
    unsigned wrong;
} Worker;

static uint64_t stripe_offset(const Worker *worker, unsigned stripe)
{
    return ((uint64_t)stripe * THREADS + worker->number) * STRIPE;
}

static int fast_or_slow(Worker *worker, uint64_t offset, uint8_t *buf, bool write)
{
    BlockExtent extent;
    int ret;

    worker->node->driver->map(worker->node, write, offset, STRIPE, &extent);
    if (extent.kind != BLOCK_MAP_DATA || extent.len < STRIPE) {
        if (extent.kind == BLOCK_MAP_DATA) {
            worker->node->driver->map_end(worker->node, &extent);
        }
        return write ? block_node_pwrite(worker->node, offset, buf, STRIPE)
                     : block_node_pread(worker->node, offset, buf, STRIPE);
    }
    ret = write ? block_node_pwrite(extent.node, extent.offset, buf, STRIPE)
                : block_node_pread(extent.node, extent.offset, buf, STRIPE);
    worker->node->driver->map_end(worker->node, &extent);
    return ret;
}

static void one(Worker *worker, GRand *rand)
{
    unsigned stripe = g_rand_int_range(rand, 0, STRIPES);
    uint64_t offset = stripe_offset(worker, stripe);
    uint8_t *own = worker->disk + (uint64_t)stripe * STRIPE, buf[STRIPE];

    switch (g_rand_int_range(rand, 0, 10)) {
    case 0:
        worker->wrong += block_node_flush(worker->node) < 0;
        break;
    case 1:
        memset(own, 0, STRIPE);
        worker->wrong += block_node_zero(worker->node, offset, STRIPE, BLOCK_REQ_MAY_UNMAP) < 0;
        break;
    case 2:
    case 3:
    case 4:
        worker->wrong += fast_or_slow(worker, offset, buf, false) < 0 ||
                         memcmp(buf, own, STRIPE) != 0;
        break;
    default:
        memset(own, g_rand_int_range(rand, 1, 256), STRIPE);
        worker->wrong += fast_or_slow(worker, offset, own, true) < 0;
    }
}

static gpointer work(gpointer opaque)
{
    Worker *worker = opaque;
    GRand *rand = g_rand_new_with_seed(worker->number);

    for (unsigned i = 0; i < ROUNDS; i++) {
        one(worker, rand);
    }
    g_rand_free(rand);
    return NULL;
}

static BlockNode *open_image(const char *path, unsigned flags)
{
    KeyVal *opts = keyval_new();
    BlockNode *node;

    keyval_add(opts, "cache.no-flush", "on");
    node = block_node_open(path, "qcow2", opts, flags, NULL);
    ck_assert_ptr_nonnull(node);
    node->discard_enabled = true;
    return node;
}

static void verify(Worker *workers, const char *path)
{
    BlockNode *node = open_image(path, BLOCK_OPEN_CHECK);
    BlockCheck check = { 0 };
    uint8_t buf[STRIPE];

    ck_assert(node->driver->check(node, &check, NULL));
    ck_assert_uint_eq(check.errors, 0);
    ck_assert_uint_eq(check.leaks, 0);
    for (unsigned t = 0; t < THREADS; t++) {
        ck_assert_uint_eq(workers[t].wrong, 0);
        for (unsigned i = 0; i < STRIPES; i++) {
            ck_assert_int_eq(block_node_pread(node, stripe_offset(&workers[t], i), buf, STRIPE), 0);
            ck_assert(memcmp(buf, workers[t].disk + (uint64_t)i * STRIPE, STRIPE) == 0);
        }
        g_free(workers[t].disk);
    }
    block_node_unref(node);
}

START_TEST(qcow2_threads)
{
    g_autofree char *dir = g_dir_make_tmp("qcow2-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "disk", NULL);
    g_autoptr(KeyVal) opts = keyval_parse(kinds[_i], NULL, NULL);
    Worker workers[THREADS];
    GThread *threads[THREADS];
    BlockNode *node;

    ck_assert(block_driver_find("qcow2")->create(path, DISK, opts, NULL));
    node = open_image(path, BLOCK_OPEN_RDWR);
    for (unsigned t = 0; t < THREADS; t++) {
        workers[t] = (Worker){ node, t, g_malloc0(STRIPE * STRIPES), 0 };
        threads[t] = g_thread_new("worker", work, &workers[t]);
    }
    for (unsigned t = 0; t < THREADS; t++) {
        g_thread_join(threads[t]);
    }
    block_node_unref(node);
    verify(workers, path);
    unlink(path);
    rmdir(dir);
}
END_TEST

CHECK_MAIN("qcow2_threads", CASES(qcow2_threads, kinds))
