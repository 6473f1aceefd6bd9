/*
 * qcow2 when the power goes: the file below keeps every write since the last flush apart, and after
 * each flush, and at random moments, images with any part of those writes must open, show what was
 * flushed, and have no errors; leaks are allowed.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "block_internal.h"
#include "check_main.h"

#define DISK    (512u << 10)
#define MOST    (4u << 20)              /* of the image file */
#define STEPS   160
#define TRIES   6

/* ---- a protocol in memory, whose writes can be taken back ---- */

typedef struct Pending { uint64_t offset, len; uint8_t *data; } Pending;

typedef struct MemNode { BlockNode node; } MemNode;

static uint8_t *stable, *current;       /* what a crash keeps; what reads see */
static uint64_t stable_size, current_size;
static GArray *pending;                 /* Pending, since the last flush; len 0 data NULL: a size */

static bool mem_open(BlockNode *node, GError **error)
{
    node->size_bytes = current_size;
    return true;
}

static int mem_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                     uint64_t len)
{
    if (offset + len > MOST) {
        return -EIO;
    }
    block_iov_from_buf(iov, niov, current + offset, len);
    return 0;
}

static void note(uint64_t offset, uint64_t len, const uint8_t *data)
{
    Pending write = { offset, len, g_memdup2(data, len) };

    g_array_append_val(pending, write);
}

static int mem_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                      uint64_t len, unsigned flags)
{
    if (offset + len > MOST) {
        return -ENOSPC;
    }
    block_iov_to_buf(iov, niov, current + offset, len);
    note(offset, len, current + offset);
    current_size = MAX(current_size, offset + len);
    node->size_bytes = current_size;
    return 0;
}

static bool mem_truncate(BlockNode *node, uint64_t size, BlockPrealloc prealloc, GError **error)
{
    g_assert(size <= MOST);
    if (size < current_size) {
        memset(current + size, 0, current_size - size);
    }
    current_size = size;
    note(size, 0, NULL);
    return true;
}

static void apply(uint8_t *image, uint64_t *size, const Pending *write)
{
    if (write->len == 0) {
        if (write->offset < *size) {
            memset(image + write->offset, 0, *size - write->offset);
        }
        *size = write->offset;
    } else {
        memcpy(image + write->offset, write->data, write->len);
        *size = MAX(*size, write->offset + write->len);
    }
}

static void forget_pending(void)
{
    for (guint i = 0; i < pending->len; i++) {
        g_free(g_array_index(pending, Pending, i).data);
    }
    g_array_set_size(pending, 0);
}

static void (*before_flush)(void);      /* NULL: nothing to do */

static int mem_flush(BlockNode *node)
{
    if (before_flush != NULL) {
        before_flush();
    }
    for (guint i = 0; i < pending->len; i++) {
        apply(stable, &stable_size, &g_array_index(pending, Pending, i));
    }
    forget_pending();
    return 0;
}

static const BlockDriver mem_driver = {
    .name = "memory", .protocol = true, .growable = true, .size = sizeof(MemNode),
    .open = mem_open, .pread = mem_pread, .pwrite = mem_pwrite, .flush = mem_flush,
    .truncate = mem_truncate,
};

/* ---- images over it ---- */

static BlockNode *open_image(const char *name, unsigned flags, GError **error)
{
    BlockNode *file = block_node_alloc(&mem_driver, keyval_new()), *node;
    KeyVal *opts = keyval_new();

    file->filename = g_strdup("memory");
    ck_assert(mem_open(file, NULL));
    ck_assert(block_node_insert(file, name, NULL));
    keyval_add(opts, "driver", "qcow2");
    keyval_add(opts, "file", name);
    node = block_node_open(NULL, NULL, opts, flags, error);
    block_node_unref(file);
    return node;
}

/* A new image, made in a file and taken from there. */
static void make_image(const char *options)
{
    g_autofree char *dir = g_dir_make_tmp("qcow2-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(dir, "disk", NULL), *bytes = NULL;
    g_autoptr(KeyVal) opts = keyval_parse(options, NULL, NULL);
    gsize len;

    ck_assert(block_driver_find("qcow2")->create(path, DISK, opts, NULL));
    ck_assert(g_file_get_contents(path, &bytes, &len, NULL));
    ck_assert_uint_le(len, MOST);
    stable = g_malloc0(MOST);
    current = g_malloc0(MOST);
    memcpy(stable, bytes, len);
    memcpy(current, bytes, len);
    stable_size = current_size = len;
    pending = g_array_new(FALSE, FALSE, sizeof(Pending));
    unlink(path);
    rmdir(dir);
}

static void print_line(void *opaque, const char *line)
{
    g_string_append_printf(opaque, "%s\n", line);
}

/* `flushed`: what must be there; `known`: which bytes nothing has touched since. */
typedef struct Expected { uint8_t flushed[DISK], now[DISK]; bool known[DISK]; } Expected;

static void check_content(BlockNode *node, const Expected *expected)
{
    g_autofree uint8_t *disk = g_malloc(DISK);

    ck_assert_int_eq(block_node_pread(node, 0, disk, DISK), 0);
    for (uint64_t i = 0; i < DISK; i++) {
        if (expected->known[i] && disk[i] != expected->flushed[i]) {
            ck_abort_msg("byte %#lx: %02x, was flushed as %02x", (long)i, disk[i],
                         expected->flushed[i]);
        }
    }
}

/* Opens what a crash now would leave, with each unflushed write there or not. */
static void crash(GRand *rand, const Expected *expected, bool in_order)
{
    uint8_t *kept = current;
    uint64_t kept_size = current_size, count = g_rand_int_range(rand, 0, pending->len + 1);
    GArray *kept_pending = pending;
    g_autoptr(GString) lines = g_string_new(NULL);
    BlockCheck check = { .report = print_line, .opaque = lines };
    BlockNode *node;

    current = g_memdup2(stable, MOST);
    current_size = stable_size;
    for (guint i = 0; i < kept_pending->len; i++) {
        if (in_order ? i < count : g_rand_boolean(rand)) {
            apply(current, &current_size, &g_array_index(kept_pending, Pending, i));
        }
    }
    pending = g_array_new(FALSE, FALSE, sizeof(Pending));
    node = open_image("crashed", 0, NULL);
    ck_assert_ptr_nonnull(node);
    check_content(node, expected);
    ck_assert(node->driver->check(node, &check, NULL));
    ck_assert_msg(check.errors == 0, "%s", lines->str);
    block_node_unref(node);
    g_array_unref(pending);
    g_free(current);
    current = kept;
    current_size = kept_size;
    pending = kept_pending;
}

static GRand *crash_rand;
static const Expected *crash_expected;

/* Within the format's own flush, between two of its waits for the disk. */
static void crash_now(void)
{
    void (*hook)(void) = before_flush;

    before_flush = NULL;
    for (unsigned t = 0; t < TRIES; t++) {
        crash(crash_rand, crash_expected, t % 2 == 0);
    }
    before_flush = hook;
}

/* ---- the guest ---- */

static void forget(Expected *expected, uint64_t offset, uint64_t len)
{
    for (uint64_t i = offset; i < offset + len; i++) {
        expected->known[i] = false;
    }
}

static void flush(BlockNode *node, Expected *expected)
{
    ck_assert_int_eq(block_node_flush(node), 0);
    memcpy(expected->flushed, expected->now, DISK);
    memset(expected->known, true, DISK);
}

static void step(BlockNode *node, GRand *rand, Expected *expected)
{
    uint64_t offset = g_rand_int_range(rand, 0, DISK / 512) * 512ul;
    uint64_t want = g_rand_int_range(rand, 1, 60) * 512ul, len = MIN(DISK - offset, want);

    switch (g_rand_int_range(rand, 0, 6)) {
    case 0:
        flush(node, expected);
        break;
    case 1:
        forget(expected, offset, len);
        memset(expected->now + offset, 0, len);
        node->discard_enabled = true;
        ck_assert_int_eq(block_node_zero(node, offset, len, BLOCK_REQ_MAY_UNMAP), 0);
        break;
    case 2:
        forget(expected, offset, len);
        node->discard_enabled = true;
        ck_assert_int_eq(block_node_discard(node, offset, len), 0);
        ck_assert_int_eq(block_node_pread(node, offset, expected->now + offset, len), 0);
        break;
    default:
        forget(expected, offset, len);
        memset(expected->now + offset, g_rand_int_range(rand, 1, 256), len);
        ck_assert_int_eq(block_node_pwrite(node, offset, expected->now + offset, len), 0);
    }
}

static const char *const kinds[] = {
    "cluster_size=512", "cluster_size=1k,refcount_bits=64", "cluster_size=4k,compat=0.10",
    "cluster_size=4k,refcount_bits=1", "cluster_size=512,refcount_bits=64",
};

START_TEST(qcow2_crash)
{
    g_autofree Expected *expected = g_new0(Expected, 1);
    GRand *rand = g_rand_new_with_seed(_i);
    BlockNode *node;

    make_image(kinds[_i]);
    memset(expected->known, true, DISK);
    node = open_image("disk", BLOCK_OPEN_RDWR, NULL);
    ck_assert_ptr_nonnull(node);
    crash_rand = rand;
    crash_expected = expected;
    before_flush = crash_now;
    for (unsigned i = 0; i < STEPS; i++) {
        step(node, rand, expected);
        crash_now();
    }
    block_node_unref(node);
    before_flush = NULL;
    forget_pending();
    g_array_unref(pending);
    g_free(stable);
    g_free(current);
    g_rand_free(rand);
}
END_TEST

CHECK_MAIN("qcow2_crash", CASES(qcow2_crash, kinds))
