/* qcow2: the image file below the tables, the backing file beside them, and the corrupt bit. */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "block_internal.h"
#include "qcow2_internal.h"
#include "rhea_error.h"

static const uint8_t zeroes[64 << 10];

/* How much of [offset, offset + len) lies below `end`. */
static uint64_t clip(uint64_t offset, uint64_t len, uint64_t end)
{
    return offset >= end ? 0 : MIN(len, end - offset);
}

/* Reads what there is below the node's end; the rest is zeroes. */
static int read_clipped(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                        uint64_t len)
{
    uint64_t have = clip(offset, len, block_node_size(node));
    struct iovec *part;
    int ret = 0;

    if (have == len) {
        return block_node_preadv(node, offset, iov, niov, len);
    }
    if (have > 0) {
        part = g_new(struct iovec, niov);
        ret = block_node_preadv(node, offset, part, block_iov_slice(part, niov, iov, niov, 0, have),
                                have);
        g_free(part);
    }
    block_iov_fill(iov, niov, have, len - have);
    return ret;
}

int qcow2_file_readv(Qcow2 *q, uint64_t offset, const struct iovec *iov, unsigned niov,
                     uint64_t len)
{
    return read_clipped(q->node.file, offset, iov, niov, len);
}

int qcow2_file_read(Qcow2 *q, uint64_t offset, void *buf, uint64_t len)
{
    struct iovec iov = { buf, len };

    return read_clipped(q->node.file, offset, &iov, 1, len);
}

int qcow2_backing_readv(Qcow2 *q, uint64_t offset, const struct iovec *iov, unsigned niov,
                        uint64_t len)
{
    if (q->node.backing == NULL) {
        block_iov_fill(iov, niov, 0, len);
        return 0;
    }
    return read_clipped(q->node.backing, offset, iov, niov, len);
}

int qcow2_file_write(Qcow2 *q, uint64_t offset, const void *buf, uint64_t len)
{
    return block_node_pwrite(q->node.file, offset, buf, len);
}

int qcow2_file_sync(Qcow2 *q)
{
    return block_node_flush(q->node.file);
}

int qcow2_file_clear(Qcow2 *q, uint64_t offset, uint64_t len, bool fresh)
{
    int ret = 0;

    while (!fresh && len > 0 && ret == 0) {
        uint64_t n = MIN(len, sizeof(zeroes));

        ret = qcow2_file_write(q, offset, zeroes, n);
        offset += n;
        len -= n;
    }
    return ret;
}

int qcow2_corrupt(Qcow2 *q, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list args;

    if (__atomic_exchange_n(&q->corrupt, true, __ATOMIC_RELAXED)) {
        return -EIO;
    }
    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    if (q->node.read_only) {
        report_warning("qcow2: Image '%s' is corrupt: %s", q->node.filename, text);
        return -EIO;
    }
    report_warning("qcow2: Marking image '%s' as corrupt: %s; it can no longer be written",
                   q->node.filename, text);
    if (q->header.version >= 3) {
        q->header.incompatible |= QCOW2_INCOMPAT_CORRUPT;
        qcow2_header_write_fields(q);
    }
    return -EIO;
}

int qcow2_writable(Qcow2 *q)
{
    bool refused = __atomic_load_n(&q->corrupt, __ATOMIC_RELAXED) ||
                   __atomic_load_n(&q->broken, __ATOMIC_RELAXED);

    return q->node.read_only ? -EPERM : refused ? -EIO : 0;
}

void qcow2_set_broken(Qcow2 *q)
{
    __atomic_store_n(&q->broken, true, __ATOMIC_RELAXED);
}
