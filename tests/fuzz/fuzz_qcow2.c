/*
 * Bytes as a qcow2 image: opened, read, written, checked and repaired.  Reaches: qcow2, and the
 * opening of nodes.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "block_driver.h"

#define MAX_READ (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_some(BlockNode *node, uint8_t *buf)
{
    uint64_t disk = node->size_bytes, at = 0;
    BlockStatus status;
    BlockExtent extent;

    for (int i = 0; i < 64 && at < disk; i++) {
        uint64_t len = MIN(disk - at, MAX_READ);

        if (block_node_status(node, at, len, &status) < 0) {
            return;
        }
        len = MIN(status.len, MAX_READ);
        block_node_pread(node, at, buf, len);
        node->driver->map(node, false, at, len, &extent);
        if (extent.kind == BLOCK_MAP_DATA) {
            node->driver->map_end(node, &extent);
        }
        at += status.len;
    }
}

static void write_some(BlockNode *node, const uint8_t *buf)
{
    uint64_t disk = node->size_bytes;

    for (uint64_t i = 0; i < 8 && disk >= 4096; i++) {
        uint64_t at = disk / 8 * i;

        block_node_pwrite(node, at, buf, 4096);
        block_node_zero(node, disk - 4096 - at / 2, 4096, BLOCK_REQ_MAY_UNMAP);
        block_node_discard(node, at, 4096);
    }
    if (node->driver->snapshot_create(node, "fuzz", NULL)) {
        block_node_pwrite(node, 0, buf, MIN(disk, 4096));
        node->driver->snapshot_apply(node, "fuzz", NULL);
        node->driver->snapshot_delete(node, "1", NULL);
    }
    block_node_flush(node);
}

static void one(const char *path, unsigned flags, bool repair, uint8_t *buf)
{
    BlockCheck check = { .fix_leaks = repair, .fix_errors = repair };
    BlockNode *node = block_node_open(path, "qcow2", NULL, flags | BLOCK_OPEN_NO_BACKING, NULL);

    if (node == NULL) {
        return;
    }
    if (flags & BLOCK_OPEN_CHECK) {
        node->driver->check(node, &check, NULL);
    } else {
        read_some(node, buf);
        if (flags & BLOCK_OPEN_RDWR) {
            write_some(node, buf);
        }
    }
    block_node_unref(node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t buf[MAX_READ];
    int fd = memfd_create("qcow2", 0);
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);

    if (fd >= 0 && write(fd, data, size) == (ssize_t)size) {
        one(path, 0, false, buf);
        one(path, BLOCK_OPEN_CHECK, false, buf);
        one(path, BLOCK_OPEN_RDWR, false, buf);
        one(path, BLOCK_OPEN_RDWR | BLOCK_OPEN_CHECK, true, buf);
    }
    if (fd >= 0) {
        close(fd);
    }
    return 0;
}
