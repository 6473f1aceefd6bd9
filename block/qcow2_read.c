/* qcow2: reading, and telling what a range is, by runs of clusters of one kind. */
#include <errno.h>
#include <string.h>

#include "block_internal.h"
#include "qcow2_internal.h"

typedef struct Run {
    Qcow2Kind kind;
    uint64_t entry, host, len;          /* bytes from the asked offset on */
} Run;

/* Entries that go on with the first one; lock held. */
static int find_run(Qcow2 *q, uint64_t offset, uint64_t len, Run *run)
{
    uint64_t first = offset >> q->cluster_bits, n = 1, entry, next;
    uint64_t max = qcow2_clusters(q, qcow2_within(q, offset) + len);
    int ret = qcow2_l2_get(q, first, &run->entry);

    if (ret < 0) {
        return ret;
    }
    run->kind = qcow2_kind(q, run->entry);
    if (run->kind == QCOW2_KIND_BAD) {
        return qcow2_bad_entry(q, first, run->entry);
    }
    run->host = (run->entry & QCOW2_OFFSET_MASK) + qcow2_within(q, offset);
    for (; n < max && run->kind != QCOW2_KIND_COMPRESSED; n++) {
        next = run->entry & QCOW2_OFFSET_MASK;
        if (next != 0) {
            next += n << q->cluster_bits;
        }
        if (qcow2_l2_get(q, first + n, &entry) < 0 || qcow2_kind(q, entry) != run->kind ||
            (entry & QCOW2_OFFSET_MASK) != next) {
            break;
        }
    }
    run->len = MIN(len, (n << q->cluster_bits) - qcow2_within(q, offset));
    return 0;
}

static int read_compressed(Qcow2 *q, uint64_t entry, uint64_t within, const struct iovec *iov,
                           unsigned niov, uint64_t len)
{
    g_autofree uint8_t *packed = NULL, *cluster = NULL;
    uint64_t offset, bytes;
    int ret;

    qcow2_compressed_range(q, entry, &offset, &bytes);
    packed = g_try_malloc(bytes);
    cluster = g_try_malloc(q->cluster_size);
    if (packed == NULL || cluster == NULL) {
        return -ENOMEM;
    }
    ret = qcow2_file_read(q, offset, packed, bytes);
    if (ret == 0) {
        ret = qcow2_decompress(q->header.compression, cluster, q->cluster_size, packed, bytes);
    }
    if (ret == 0) {
        block_iov_from_buf(iov, niov, cluster + within, len);
    }
    return ret;
}

static int read_run(Qcow2 *q, const Run *run, uint64_t offset, const struct iovec *iov,
                    unsigned niov)
{
    switch (run->kind) {
    case QCOW2_KIND_NONE:
        return qcow2_backing_readv(q, offset, iov, niov, run->len);
    case QCOW2_KIND_NORMAL:
        return qcow2_file_readv(q, run->host, iov, niov, run->len);
    case QCOW2_KIND_COMPRESSED:
        return read_compressed(q, run->entry, qcow2_within(q, offset), iov, niov, run->len);
    default:
        block_iov_fill(iov, niov, 0, run->len);
        return 0;
    }
}

int qcow2_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                uint64_t len)
{
    Qcow2 *q = (Qcow2 *)node;
    g_autofree struct iovec *part = g_new(struct iovec, niov);
    uint64_t done = 0;
    int ret = 0;

    while (done < len && ret == 0) {
        unsigned generation = 0, n;
        Run run;

        g_mutex_lock(&q->lock);
        ret = find_run(q, offset + done, len - done, &run);
        if (ret == 0) {
            generation = qcow2_transfer_begin(q);
        }
        g_mutex_unlock(&q->lock);
        if (ret < 0) {
            break;
        }
        n = block_iov_slice(part, niov, iov, niov, done, run.len);
        ret = read_run(q, &run, offset + done, part, n);
        qcow2_transfer_end(q, generation);
        done += run.len;
    }
    return ret;
}

int qcow2_status(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status)
{
    Qcow2 *q = (Qcow2 *)node;
    Run run;
    int ret;

    g_mutex_lock(&q->lock);
    ret = find_run(q, offset, len, &run);
    g_mutex_unlock(&q->lock);
    if (ret < 0) {
        return ret;
    }
    *status = (BlockStatus){ .len = run.len };
    switch (run.kind) {
    case QCOW2_KIND_NORMAL:
        status->flags = BLOCK_STATUS_DATA | BLOCK_STATUS_OFFSET | BLOCK_STATUS_ALLOCATED;
        break;
    case QCOW2_KIND_COMPRESSED:
        status->flags = BLOCK_STATUS_DATA | BLOCK_STATUS_COMPRESSED | BLOCK_STATUS_ALLOCATED;
        break;
    case QCOW2_KIND_ZERO_ALLOCATED:
        status->flags = BLOCK_STATUS_ZERO | BLOCK_STATUS_OFFSET | BLOCK_STATUS_ALLOCATED;
        break;
    case QCOW2_KIND_ZERO:
        status->flags = BLOCK_STATUS_ZERO | BLOCK_STATUS_ALLOCATED;
        break;
    default:
        status->flags = node->backing == NULL ? BLOCK_STATUS_ZERO : 0;
        break;
    }
    if (status->flags & BLOCK_STATUS_OFFSET) {
        status->offset = run.host;
        status->file = node->file;
    }
    return 0;
}
