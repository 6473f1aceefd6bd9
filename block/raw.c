/*
 * raw: the image is the disk, or a window of it (offset, size).
 *
 * Where nobody said the image is raw, the guest must not be able to turn it into another format,
 * whose header could name any file of the host: such writes to the first sector are refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "block_internal.h"
#include "rhea_error.h"

typedef struct RawNode {
    BlockNode node;
    uint64_t offset;
    bool has_size;                      /* the window does not follow the image's size */
} RawNode;

#define RAW(node_) ((RawNode *)(node_))

static bool check_window(BlockNode *node, uint64_t size, GError **error)
{
    uint64_t offset = RAW(node)->offset, whole = block_node_size(node->file);

    if (offset > whole) {
        set_error(error, "Offset (%" PRIu64 ") cannot be greater than size of the containing file "
                  "(%" PRIu64 ")", offset, whole);
        return false;
    }
    if (RAW(node)->has_size && size > whole - offset) {
        set_error(error, "The sum of offset (%" PRIu64 ") and size (%" PRIu64 ") has to be smaller "
                  "or equal to the  actual size of the containing file (%" PRIu64 ")",
                  offset, size, whole);
        return false;
    }
    return true;
}

static bool raw_open(BlockNode *node, GError **error)
{
    uint64_t size = 0;

    RAW(node)->has_size = block_node_option(node, "size") != NULL;
    if (!block_node_option_size(node, "offset", &RAW(node)->offset, error) ||
        !block_node_option_size(node, "size", &size, error) || !check_window(node, size, error)) {
        return false;
    }
    if (!RAW(node)->has_size) {
        size = block_node_size(node->file) - RAW(node)->offset;
    }
    /* Disks have whole sectors; what the file lacks of the last one reads as zeroes. */
    node->size_bytes = (size + BLOCK_SECTOR_SIZE - 1) & ~(uint64_t)(BLOCK_SECTOR_SIZE - 1);
    if (node->probed_raw && !node->read_only) {
        block_warn_probed_raw(node->filename);
    }
    return true;
}

static void raw_map(BlockNode *node, bool write, uint64_t offset, uint64_t len, BlockExtent *extent)
{
    if (write && node->probed_raw && offset < BLOCK_SECTOR_SIZE) {
        extent->kind = BLOCK_MAP_SLOW;
        return;
    }
    extent->kind = BLOCK_MAP_DATA;
    extent->node = node->file;
    extent->offset = offset + RAW(node)->offset;
    extent->len = len;
}

static int raw_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                     uint64_t len)
{
    return block_node_preadv(node->file, offset + RAW(node)->offset, iov, niov, len);
}

/* Would the image, with this written, be taken for another format? */
static bool changes_format(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                           uint64_t len)
{
    uint8_t head[BLOCK_SECTOR_SIZE] = { 0 };
    uint64_t known = MIN(sizeof(head), node->size_bytes);
    struct iovec part[8];
    uint64_t take = MIN(len, known - MIN(known, offset));
    unsigned n;

    if (offset >= known) {
        return false;
    }
    if (block_node_pread(node->file, RAW(node)->offset, head, known) < 0) {
        return true;
    }
    n = block_iov_slice(part, G_N_ELEMENTS(part), iov, niov, 0, take);
    block_iov_to_buf(part, n, head + offset, take);
    return block_probe(head, known, node->filename) != node->driver;
}

static int raw_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                      uint64_t len, unsigned flags)
{
    if (node->probed_raw && changes_format(node, offset, iov, niov, len)) {
        return -EPERM;
    }
    return block_node_pwritev(node->file, offset + RAW(node)->offset, iov, niov, len, flags);
}

static int raw_zero(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    return block_node_zero(node->file, offset + RAW(node)->offset, len, flags);
}

static int raw_discard(BlockNode *node, uint64_t offset, uint64_t len)
{
    return block_node_discard(node->file, offset + RAW(node)->offset, len);
}

static int raw_status(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status)
{
    int ret = block_node_status(node->file, offset + RAW(node)->offset, len, status);

    status->flags |= BLOCK_STATUS_ALLOCATED;
    return ret;
}

static bool raw_truncate(BlockNode *node, uint64_t size, BlockPrealloc prealloc, GError **error)
{
    if (RAW(node)->has_size) {
        set_error(error, "Cannot resize fixed-size raw disks");
        return false;
    }
    if (size > INT64_MAX - RAW(node)->offset) {
        set_error(error, "Disk size too large for the chosen offset");
        return false;
    }
    return block_node_truncate(node->file, size + RAW(node)->offset, prealloc, error);
}

static bool raw_create(const char *filename, uint64_t size, KeyVal *opts, GError **error)
{
    return block_driver_find("file")->create(filename, size, opts, error);
}

static const BlockOption raw_options[] = {
    { "offset", "where in the image the disk begins, bytes" },
    { "size", "length of the disk, bytes" },
    {}
};

static const BlockOption raw_create_options[] = {
    { "preallocation", "off, falloc (reserve the blocks) or full (write them)" },
    { "nocow", "on: no copy on write, on file systems that do it" },
    {}
};

const BlockDriver block_raw = {
    .name = "raw", .size = sizeof(RawNode), .filter = true, .fua = true,
    .options = raw_options, .create_options = raw_create_options,
    .open = raw_open, .map = raw_map, .pread = raw_pread, .pwrite = raw_pwrite, .zero = raw_zero,
    .discard = raw_discard, .status = raw_status, .truncate = raw_truncate, .create = raw_create,
};
