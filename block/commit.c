/* What an image holds moves into its backing file; the guest rests meanwhile. */
#include <errno.h>
#include <string.h>

#include "backend.h"
#include "rhea_error.h"

#define COPY_BYTES (2u << 20)

bool block_is_zero(const uint8_t *buf, uint64_t len)
{
    return len == 0 || (buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0);
}

int block_node_copy(BlockNode *from, BlockNode *to, uint8_t *buf, uint64_t at, uint64_t len)
{
    int ret = block_node_pread(from, at, buf, len);

    if (ret < 0) {
        return ret;
    }
    return block_is_zero(buf, len) ? block_node_zero(to, at, len, BLOCK_REQ_MAY_UNMAP)
                             : block_node_pwrite(to, at, buf, len);
}

static int copy_down(BlockNode *top)
{
    g_autofree uint8_t *buf = g_malloc(COPY_BYTES);
    uint64_t size = block_node_size(top);
    BlockStatus status;
    int ret = 0;

    for (uint64_t at = 0; at < size && ret == 0; at += status.len) {
        ret = block_node_status(top, at, MIN(size - at, COPY_BYTES), &status);
        if (ret == 0 && (status.flags & BLOCK_STATUS_ALLOCATED)) {
            ret = block_node_copy(top, top->backing, buf, at, status.len);
        }
    }
    return ret == 0 ? block_node_flush(top->backing) : ret;
}

static bool write_down(BlockNode *top, GError **error)
{
    BlockNode *base = top->backing;
    int ret;

    if (block_node_size(base) < block_node_size(top) &&
        !block_node_truncate(base, block_node_size(top), BLOCK_PREALLOC_OFF, error)) {
        return false;
    }
    ret = copy_down(top);
    if (ret < 0) {
        set_errno_error(error, -ret, "Could not commit");
        return false;
    }
    return top->read_only || top->driver->make_empty == NULL ||
           top->driver->make_empty(top, error);
}

/* Nobody else may look at the backing file, which is written for a while. */
static bool commit(BlockNode *top, GError **error)
{
    BlockUse *use = top->backing_use;
    unsigned perm = use->perm, shared = use->shared;
    bool read_only = top->backing->read_only, ok;

    if (!block_node_set_read_only(top->backing, false, error)) {
        return false;
    }
    ok = block_use_set(use, perm | BLOCK_PERM_WRITE | BLOCK_PERM_RESIZE, shared, error) &&
         write_down(top, error);
    block_use_set(use, perm, shared, NULL);             /* asking for less is never refused */
    block_node_set_read_only(top->backing, read_only, NULL);
    return ok;
}

bool block_backend_commit(BlockBackend *blk, GError **error)
{
    BlockNode *top = backend_node(blk);
    bool ok;

    if (top->backing == NULL) {
        set_error(error, "%s", g_strerror(ENOTSUP));
        return false;
    }
    block_quiesce_begin();
    ok = commit(top, error);
    block_quiesce_end();
    return ok;
}
