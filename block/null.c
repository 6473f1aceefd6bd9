/*
 * null-co: a disk that is not there.  Writes go nowhere, reads leave the buffer as it was or give
 * zeroes; latency-ns makes it slow.
 */
#include <errno.h>
#include <time.h>

#include "block_internal.h"
#include "rhea_error.h"
#include "sizes.h"

#define MAX_LATENCY_NS  UINT64_C(60000000000)

typedef struct NullNode {
    BlockNode node;
    uint64_t latency_ns;
    bool read_zeroes;
} NullNode;

#define NULL_NODE(node_) ((NullNode *)(node_))

static bool null_open(BlockNode *node, GError **error)
{
    NullNode *null = NULL_NODE(node);

    node->size_bytes = GIB;
    if (node->filename == NULL) {
        node->filename = g_strdup("null-co://");
    }
    return block_node_option_size(node, "size", &node->size_bytes, error) &&
           keyval_get_uint(node->options, "latency-ns", MAX_LATENCY_NS, &null->latency_ns, error) &&
           block_node_option_bool(node, "read-zeroes", &null->read_zeroes, error);
}

static void null_map(BlockNode *node, bool write, uint64_t offset, uint64_t len,
                     BlockExtent *extent)
{
    extent->len = len;
    if (NULL_NODE(node)->latency_ns != 0) {
        extent->kind = BLOCK_MAP_SLOW;
    } else {
        extent->kind =
            !write && NULL_NODE(node)->read_zeroes ? BLOCK_MAP_ZERO : BLOCK_MAP_NOTHING;
    }
}

static int null_wait(BlockNode *node)
{
    uint64_t ns = NULL_NODE(node)->latency_ns;
    struct timespec left = { ns / 1000000000, ns % 1000000000 };

    while (ns != 0 && nanosleep(&left, &left) < 0 && errno == EINTR) {
        continue;
    }
    return 0;
}

static int null_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                      uint64_t len)
{
    if (NULL_NODE(node)->read_zeroes) {
        block_iov_fill(iov, niov, 0, len);
    }
    return null_wait(node);
}

static int null_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                       uint64_t len, unsigned flags)
{
    return null_wait(node);
}

static int null_zero(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    return null_wait(node);
}

static int null_status(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status)
{
    status->flags = BLOCK_STATUS_OFFSET | BLOCK_STATUS_ALLOCATED |
                    (NULL_NODE(node)->read_zeroes ? BLOCK_STATUS_ZERO : 0);
    status->len = len;
    status->offset = offset;
    status->file = node;
    return 0;
}

static uint64_t null_allocated_bytes(BlockNode *node)
{
    return 0;
}

static const BlockOption null_options[] = {
    { "size", "of the disk, 1 GiB by default" },
    { "latency-ns", "time each request takes" },
    { "read-zeroes", "reads give zeroes, off by default" },
    {}
};

const BlockDriver block_null_co = {
    .name = "null-co", .protocol = true, .fua = true, .size = sizeof(NullNode),
    .options = null_options,
    .open = null_open, .map = null_map, .pread = null_pread, .pwrite = null_pwrite,
    .zero = null_zero, .flush = null_wait, .status = null_status,
    .allocated_bytes = null_allocated_bytes,
};
