/* Blocking access: alignment, edges, zeroes and holes, sizes. */
#include <errno.h>
#include <sys/stat.h>

#include "block_internal.h"
#include "check_main.h"
#include "image.h"

#define SIZE (64 * 1024)

/* ---- a node that insists on its alignment and remembers what it held ---- */

typedef struct StrictNode {
    BlockNode node;
    GMutex lock;                        /* a disk's own: one transfer at a time */
    uint8_t bytes[SIZE];
    unsigned writes, flushes;
} StrictNode;

static void check_aligned(const BlockNode *node, uint64_t offset, const struct iovec *iov,
                          unsigned niov, uint64_t len)
{
    ck_assert_uint_eq(offset % node->request_alignment, 0);
    ck_assert_uint_eq(len % node->request_alignment, 0);
    ck_assert(block_iov_is_aligned(iov, niov, node->memory_alignment));
    ck_assert_uint_le(offset + len, SIZE);
}

static int strict_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                        uint64_t len)
{
    check_aligned(node, offset, iov, niov, len);
    g_mutex_lock(&((StrictNode *)node)->lock);
    block_iov_from_buf(iov, niov, ((StrictNode *)node)->bytes + offset, len);
    g_mutex_unlock(&((StrictNode *)node)->lock);
    return 0;
}

static int strict_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                         uint64_t len, unsigned flags)
{
    check_aligned(node, offset, iov, niov, len);
    g_mutex_lock(&((StrictNode *)node)->lock);
    block_iov_to_buf(iov, niov, ((StrictNode *)node)->bytes + offset, len);
    ((StrictNode *)node)->writes++;
    g_mutex_unlock(&((StrictNode *)node)->lock);
    return 0;
}

static int strict_flush(BlockNode *node)
{
    ((StrictNode *)node)->flushes++;
    return 0;
}

static const BlockDriver strict_driver = {
    .name = "strict", .protocol = true, .size = sizeof(StrictNode), .pread = strict_pread,
    .pwrite = strict_pwrite, .flush = strict_flush,
};

static StrictNode *strict_new(uint32_t alignment)
{
    StrictNode *strict = (StrictNode *)block_node_alloc(&strict_driver, keyval_new());

    strict->node.size_bytes = SIZE;
    strict->node.request_alignment = strict->node.memory_alignment = alignment;
    strict->node.gate = block_gate_new();
    for (size_t i = 0; i < SIZE; i++) {
        strict->bytes[i] = image_byte(i);
    }
    return strict;
}

static const struct { uint32_t alignment; uint64_t offset, len; } spans[] = {
    { 512, 0, 512 }, { 512, 0, 1 }, { 512, 511, 1 }, { 512, 511, 2 }, { 512, 100, 5000 },
    { 4096, 0, SIZE }, { 4096, 1, SIZE - 2 }, { 4096, SIZE - 1, 1 }, { 4096, 4095, 4098 },
    { 4096, 5000, 100 }, { 1, 3, 7 },
};

START_TEST(span_row)
{
    StrictNode *strict = strict_new(spans[_i].alignment);
    uint64_t offset = spans[_i].offset, len = spans[_i].len;
    g_autofree char *buf = g_malloc(len + 1);

    memset(buf, 0xa5, len);
    ck_assert_int_eq(block_node_pwrite(&strict->node, offset, buf, len), 0);
    for (size_t i = 0; i < SIZE; i++) {
        ck_assert_uint_eq(strict->bytes[i], i >= offset && i < offset + len ?
                          0xa5 : (uint8_t)image_byte(i));
    }
    memset(buf, 0, len);
    ck_assert_int_eq(block_node_pread(&strict->node, offset, buf + 1, len), 0);
    for (size_t i = 0; i < len; i++) {
        ck_assert_uint_eq((uint8_t)buf[i + 1], 0xa5);
    }
    ck_assert_int_eq(block_node_zero(&strict->node, offset, len, 0), 0);
    for (size_t i = 0; i < SIZE; i++) {
        ck_assert_uint_eq(strict->bytes[i], i >= offset && i < offset + len ?
                          0 : (uint8_t)image_byte(i));
    }
    block_node_unref(&strict->node);
}
END_TEST

/* Two halves of one block at the same time: neither is lost. */
typedef struct HalfWriter { BlockNode *node; uint64_t offset; } HalfWriter;

static gpointer write_halves(gpointer opaque)
{
    HalfWriter *half = opaque;
    uint64_t value;

    for (int i = 1; i <= 2000; i++) {
        value = i;
        if (block_node_pwrite(half->node, half->offset, &value, sizeof(value)) < 0 ||
            block_node_pread(half->node, half->offset, &value, sizeof(value)) < 0 || value != i) {
            return GINT_TO_POINTER(i);
        }
    }
    return NULL;
}

START_TEST(halves)
{
    StrictNode *strict = strict_new(512);
    HalfWriter first = { &strict->node, 0 }, second = { &strict->node, 256 };
    GThread *thread = g_thread_new("half", write_halves, &first);

    ck_assert_ptr_null(write_halves(&second));
    ck_assert_ptr_null(g_thread_join(thread));
    block_node_unref(&strict->node);
}
END_TEST

START_TEST(flags)
{
    StrictNode *strict = strict_new(1);
    char buf[16] = "x";
    struct iovec iov = { buf, sizeof(buf) };

    ck_assert_int_eq(block_node_pwritev(&strict->node, 0, &iov, 1, 16, BLOCK_REQ_FUA), 0);
    ck_assert_uint_eq(strict->flushes, 1);
    ck_assert_int_eq(block_node_zero(&strict->node, 0, 16, BLOCK_REQ_NO_FALLBACK), -ENOTSUP);
    ck_assert_int_eq(block_node_zero(&strict->node, 0, 16, BLOCK_REQ_FUA), 0);
    ck_assert_uint_eq(strict->flushes, 2);
    strict->node.no_flush = true;
    ck_assert_int_eq(block_node_flush(&strict->node), 0);
    ck_assert_uint_eq(strict->flushes, 2);
    strict->node.detect_zeroes = true;
    strict->writes = 0;
    memset(buf, 0, sizeof(buf));
    ck_assert_int_eq(block_node_pwrite(&strict->node, 100, buf, sizeof(buf)), 0);
    ck_assert_uint_eq(strict->bytes[100], 0);
    block_node_unref(&strict->node);
}
END_TEST

/* ---- files ---- */

static const struct { uint64_t offset, len; int ret; } bounds[] = {
    { 0, SIZE, 0 }, { SIZE, 0, 0 }, { SIZE, 1, -EINVAL }, { SIZE + 1, 0, -EINVAL },
    { UINT64_MAX, 2, -EINVAL }, { 0, UINT64_MAX, -EINVAL }, { 1, SIZE, -EINVAL },
};

START_TEST(bounds_row)
{
    char *path = image_new(SIZE);
    BlockNode *node = open_ok(path, "raw", NULL, BLOCK_OPEN_RDWR);
    g_autofree char *buf = g_malloc0(SIZE);

    ck_assert_int_eq(block_node_pread(node, bounds[_i].offset, buf, bounds[_i].len),
                     bounds[_i].ret);
    ck_assert_int_eq(block_node_pwrite(node, bounds[_i].offset, buf, bounds[_i].len),
                     bounds[_i].ret);
    block_node_unref(node);
    image_free(path);
}
END_TEST

/* Formats write behind the end of their file, and read there. */
START_TEST(file_grows)
{
    char *path = image_new(1000), buf[512];
    BlockNode *node = open_ok(path, "file", _i ? "cache.direct=on" : NULL, BLOCK_OPEN_RDWR);
    struct stat st;

    ck_assert_int_eq(block_node_pread(node, 900, buf, sizeof(buf)), 0);
    ck_assert_int_eq(buf[99], image_byte(999));
    ck_assert_int_eq(buf[100], 0);
    ck_assert_int_eq(block_node_pread(node, 5000, buf, sizeof(buf)), 0);
    ck_assert_int_eq(buf[0], 0);
    ck_assert_int_eq(block_node_pwrite(node, 10, "x", 1), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 1000);
    ck_assert_int_eq(block_node_pwrite(node, 70000, "abc", 3), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 70003);
    ck_assert_uint_eq(block_node_size(node), 70003);
    ck_assert_int_eq(block_node_pread(node, 70001, buf, 10), 0);
    ck_assert_mem_eq(buf, "bc\0\0", 4);
    block_node_unref(node);
    image_free(path);
}
END_TEST

START_TEST(holes)
{
    char *path = image_new(0);
    BlockNode *node;
    BlockStatus status;
    g_autofree char *buf = g_malloc(65536);

    memset(buf, 1, 65536);
    ck_assert_int_eq(truncate(path, 4 << 20), 0);
    node = open_ok(path, "raw", "discard=unmap", BLOCK_OPEN_RDWR);
    ck_assert_int_eq(block_node_pwrite(node, 1 << 20, buf, 65536), 0);
    ck_assert_int_eq(block_node_status(node, 0, 4 << 20, &status), 0);
    ck_assert(status.flags & BLOCK_STATUS_ZERO);
    ck_assert_uint_eq(status.len, 1 << 20);
    ck_assert_int_eq(block_node_status(node, 1 << 20, 1 << 20, &status), 0);
    ck_assert(status.flags & BLOCK_STATUS_DATA);
    ck_assert_uint_eq(status.len, 65536);
    ck_assert_uint_eq(status.offset, 1 << 20);
    ck_assert_int_eq(block_node_discard(node, 1 << 20, 65536), 0);
    ck_assert_int_eq(block_node_status(node, 1 << 20, 65536, &status), 0);
    ck_assert(status.flags & BLOCK_STATUS_ZERO);
    ck_assert_int_eq(block_node_status(node, 4 << 20, 512, &status), 0);
    ck_assert(status.flags & BLOCK_STATUS_ZERO);
    block_node_unref(node);
    image_free(path);
}
END_TEST

static const struct { uint64_t size; BlockPrealloc prealloc; bool ok; } sizes[] = {
    { 2 * SIZE, BLOCK_PREALLOC_OFF, true }, { SIZE / 2, BLOCK_PREALLOC_OFF, true },
    { 2 * SIZE, BLOCK_PREALLOC_FALLOC, true }, { 2 * SIZE, BLOCK_PREALLOC_FULL, true },
    { 2 * SIZE, BLOCK_PREALLOC_METADATA, false }, { SIZE / 2, BLOCK_PREALLOC_FULL, false },
    { UINT64_MAX, BLOCK_PREALLOC_OFF, false },
};

START_TEST(size_row)
{
    char *path = image_new(SIZE);
    BlockNode *node = open_ok(path, "raw", NULL, BLOCK_OPEN_RDWR);
    struct stat st;

    ck_assert_int_eq(block_node_truncate(node, sizes[_i].size, sizes[_i].prealloc, NULL),
                     sizes[_i].ok);
    ck_assert_uint_eq(block_node_size(node), sizes[_i].ok ? sizes[_i].size : SIZE);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, sizes[_i].ok ? sizes[_i].size : SIZE);
    block_node_unref(node);
    image_free(path);
}
END_TEST

static const struct { const char *opts; bool ok; } creates[] = {
    { "", true }, { "preallocation=full", true }, { "preallocation=falloc,nocow=on", true },
    { "preallocation=metadata", false }, { "preallocation=bogus", false }, { "bogus=1", false },
};

START_TEST(create_row)
{
    char *path = image_new(100);
    g_autoptr(KeyVal) opts = options(creates[_i].opts);
    struct stat st;

    ck_assert_int_eq(block_driver_find("raw")->create(path, SIZE, opts, NULL), creates[_i].ok);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert(!creates[_i].ok || st.st_size == SIZE);
    image_free(path);
}
END_TEST

/* An image somebody writes is not emptied under him. */
START_TEST(create_in_use)
{
    char *path = image_new(SIZE);
    BlockUse *use = block_use_new(open_ok(path, "raw", NULL, BLOCK_OPEN_RDWR),
                                  BLOCK_PERM_READ | BLOCK_PERM_WRITE, BLOCK_PERM_READ, "us",
                                  "root", NULL);
    g_autoptr(GError) error = NULL;
    struct stat st;

    ck_assert(!block_driver_find("raw")->create(path, 512, NULL, &error));
    ck_assert_msg(g_str_has_prefix(error->message, "Failed to get \"write\" lock"), "%s",
                  error->message);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, SIZE);
    block_use_free(use);
    image_free(path);
}
END_TEST

/* A guessed raw image does not turn into another format. */
START_TEST(guessed_raw_stays_raw)
{
    char *path = image_new(SIZE);
    BlockNode *node = open_ok(path, NULL, NULL, BLOCK_OPEN_RDWR);
    static const char qcow2[8] = { 'Q', 'F', 'I', '\xfb', 0, 0, 0, 3 };
    bool known = block_driver_find("qcow2") != NULL;

    ck_assert_int_eq(block_node_pwrite(node, 0, "plain text", 10), 0);
    ck_assert_int_eq(block_node_pwrite(node, 0, qcow2, sizeof(qcow2)), known ? -EPERM : 0);
    ck_assert_int_eq(block_node_pwrite(node, 512, qcow2, sizeof(qcow2)), 0);
    block_node_unref(node);
    image_free(path);
}
END_TEST

CHECK_MAIN("block/node_io", CASES(span_row, spans), CASE(halves), CASE(flags),
           CASES(bounds_row, bounds), TIMES(file_grows, 2), CASE(holes), CASES(size_row, sizes),
           CASES(create_row, creates), CASE(create_in_use), CASE(guessed_raw_stays_raw))
