/*
 * qcow2: writing.
 *
 * Clusters that are ours alone are overwritten in place.  Others get new host clusters, a run of
 * them at once: the guest clusters are claimed, the data is written together with what surrounds it
 * in the first and last cluster, and only then do the tables change.
 */
#include <errno.h>
#include <string.h>

#include "block_internal.h"
#include "qcow2_internal.h"

typedef struct Write {
    uint64_t offset, len;               /* of the guest */
    uint64_t host;                      /* of the first cluster */
    bool in_place, fresh, keeps_host;   /* keeps_host: a zero cluster with a place of its own */
    bool copied;                        /* something besides the guest's data was written */
    unsigned generation;
    Qcow2Claim claim;
    uint8_t *head, *tail;               /* what surrounds the data; NULL: nothing to write */
    uint64_t head_len, tail_len;
} Write;

/* ---- claims ---- */

void qcow2_claim_wait(Qcow2 *q, uint64_t first, uint64_t count)
{
    Qcow2Claim *claim = q->claims;

    while (claim != NULL) {
        if (claim->first < first + count && first < claim->first + claim->count) {
            g_cond_wait(&q->claim_cond, &q->lock);
            claim = q->claims;
        } else {
            claim = claim->next;
        }
    }
}

static void claim_add(Qcow2 *q, Qcow2Claim *claim, uint64_t first, uint64_t count)
{
    *claim = (Qcow2Claim){ first, count, q->claims };
    q->claims = claim;
}

static void claim_drop(Qcow2 *q, Qcow2Claim *claim)
{
    Qcow2Claim **at = &q->claims;

    while (*at != claim) {
        at = &(*at)->next;
    }
    *at = claim->next;
    g_cond_broadcast(&q->claim_cond);
}

/* ---- planning, lock held ---- */

/* How many clusters from `first` on have entries that go on with `entry`. */
static uint64_t count_run(Qcow2 *q, uint64_t first, uint64_t max, uint64_t entry)
{
    uint64_t n = 1, next;

    while (n < max && qcow2_l2_get(q, first + n, &next) == 0 &&
           next == entry + (n << q->cluster_bits)) {
        n++;
    }
    return n;
}

/* How many clusters from `first` on need a new place. */
static uint64_t count_new(Qcow2 *q, uint64_t first, uint64_t max)
{
    uint64_t n = 1, entry;
    Qcow2Kind kind;

    while (n < max && qcow2_l2_get(q, first + n, &entry) == 0) {
        kind = qcow2_kind(q, entry);
        if (kind == QCOW2_KIND_BAD || ((entry & QCOW2_COPIED) && kind != QCOW2_KIND_COMPRESSED)) {
            break;
        }
        n++;
    }
    return n;
}

static int plan_kept(Qcow2 *q, Write *w, uint64_t first, uint64_t max, uint64_t entry)
{
    uint64_t n = count_run(q, first, max, entry);

    w->host = entry & QCOW2_OFFSET_MASK;
    w->len = MIN(w->len, (n << q->cluster_bits) - qcow2_within(q, w->offset));
    if (qcow2_is_metadata(q, w->host >> q->cluster_bits, n)) {
        return qcow2_corrupt(q, "guest data at %#" G_GINT64_MODIFIER "x overlaps tables", w->host);
    }
    if (entry & QCOW2_ZERO) {
        w->keeps_host = true;
        claim_add(q, &w->claim, first, n);
        return 0;
    }
    w->in_place = true;
    w->generation = qcow2_transfer_begin(q);
    return 0;
}

static int plan_new(Qcow2 *q, Write *w, uint64_t first, uint64_t max)
{
    uint64_t want = count_new(q, first, max), cluster, n;
    int ret = qcow2_mark_dirty(q);

    if (ret == 0) {
        ret = qcow2_l2_make(q, first);
    }
    if (ret == 0) {
        ret = qcow2_alloc(q, want, 1, &cluster, &n, &w->fresh);
    }
    if (ret < 0) {
        return ret;
    }
    w->host = cluster << q->cluster_bits;
    w->len = MIN(w->len, (n << q->cluster_bits) - qcow2_within(q, w->offset));
    claim_add(q, &w->claim, first, n);
    return 0;
}

/* Cuts the write to what can be done in one go. */
static int plan(Qcow2 *q, Write *w)
{
    uint64_t first = w->offset >> q->cluster_bits, entry;
    uint64_t max = qcow2_clusters(q, qcow2_within(q, w->offset) + w->len);
    int ret = qcow2_writable(q);
    Qcow2Kind kind;

    max = MIN(max, q->l2_entries - (first & (q->l2_entries - 1)));
    qcow2_claim_wait(q, first, max);
    if (ret == 0) {
        ret = qcow2_l2_get(q, first, &entry);
    }
    if (ret < 0) {
        return ret;
    }
    kind = qcow2_kind(q, entry);
    if (kind == QCOW2_KIND_BAD) {
        return qcow2_bad_entry(q, first, entry);
    }
    /* In a table a snapshot shares no entry has the flag. */
    if ((kind == QCOW2_KIND_NORMAL || kind == QCOW2_KIND_ZERO_ALLOCATED) &&
        (entry & QCOW2_COPIED)) {
        return plan_kept(q, w, first, max, entry);
    }
    return plan_new(q, w, first, max);
}

/* ---- what surrounds the data ---- */

static bool reads_as_zero(Qcow2 *q, uint64_t offset)
{
    uint64_t entry;
    bool zero = false;

    g_mutex_lock(&q->lock);
    if (qcow2_l2_get(q, offset >> q->cluster_bits, &entry) == 0) {
        Qcow2Kind kind = qcow2_kind(q, entry);

        zero = kind == QCOW2_KIND_ZERO || kind == QCOW2_KIND_ZERO_ALLOCATED ||
               (kind == QCOW2_KIND_NONE &&
                (q->node.backing == NULL || offset >= block_node_size(q->node.backing)));
    }
    g_mutex_unlock(&q->lock);
    return zero;
}

/* *out stays NULL where nothing needs to be written. */
static int read_around(Qcow2 *q, bool fresh, uint64_t offset, uint64_t len, uint8_t **out)
{
    bool zero = len == 0 || reads_as_zero(q, offset);
    struct iovec iov;
    int ret = 0;

    if (zero && (fresh || len == 0)) {
        return 0;
    }
    iov = (struct iovec){ zero ? g_try_malloc0(len) : g_try_malloc(len), len };
    *out = iov.iov_base;
    if (*out == NULL) {
        return -ENOMEM;
    }
    if (!zero) {
        uint64_t end = MAX(block_node_size(&q->node), offset);

        /* Behind the disk's end there is nothing, even where a longer backing file has data. */
        iov.iov_len = MIN(len, end - offset);
        memset(*out + iov.iov_len, 0, len - iov.iov_len);
        ret = qcow2_pread(&q->node, offset, &iov, 1, iov.iov_len);
    }
    if (ret == 0 && fresh && block_is_zero(*out, len)) {
        g_clear_pointer(out, g_free);
    }
    return ret;
}

static int write_new(Qcow2 *q, Write *w, const struct iovec *iov, unsigned niov)
{
    uint64_t end = w->offset + w->len, start = w->host + qcow2_within(q, w->offset), len = w->len;
    g_autofree struct iovec *all = g_new(struct iovec, niov + 2);
    unsigned n = 0;
    int ret;

    w->head_len = qcow2_within(q, w->offset);
    w->tail_len = -end & (q->cluster_size - 1);
    ret = read_around(q, w->fresh, w->offset - w->head_len, w->head_len, &w->head);
    if (ret == 0) {
        ret = read_around(q, w->fresh, end, w->tail_len, &w->tail);
    }
    if (ret < 0) {
        return ret;
    }
    if (w->head != NULL) {
        all[n++] = (struct iovec){ w->head, w->head_len };
        start -= w->head_len;
        len += w->head_len;
    }
    memcpy(all + n, iov, niov * sizeof(*iov));
    n += niov;
    if (w->tail != NULL) {
        all[n++] = (struct iovec){ w->tail, w->tail_len };
        len += w->tail_len;
    }
    w->copied = w->head != NULL || w->tail != NULL;
    return block_node_pwritev(q->node.file, start, all, n, len, 0);
}

/* ---- afterwards, lock held ---- */

/* Points the claimed guest clusters at their data. */
static int link_new(Qcow2 *q, const Write *w)
{
    for (uint64_t i = 0; i < w->claim.count; i++) {
        uint64_t entry = (w->host + (i << q->cluster_bits)) | QCOW2_COPIED, old;
        int ret = qcow2_l2_get(q, w->claim.first + i, &old);

        if (ret == 0) {
            ret = qcow2_l2_set(q, w->claim.first + i, entry);
        }
        if (ret < 0) {
            if (!w->keeps_host) {
                qcow2_refcount_add(q, (w->host >> q->cluster_bits) + i, w->claim.count - i, -1);
            }
            return ret;
        }
        if (!w->keeps_host) {
            qcow2_free_entry(q, old, false);
        }
    }
    return 0;
}

static int finish(Qcow2 *q, Write *w, int ret)
{
    if (w->in_place) {
        qcow2_transfer_end(q, w->generation);
        return ret;
    }
    g_mutex_lock(&q->lock);
    q->counts_unsynced |= w->copied;
    if (ret == 0) {
        ret = link_new(q, w);
    } else if (!w->keeps_host) {
        qcow2_refcount_add(q, w->host >> q->cluster_bits, w->claim.count, -1);
    }
    claim_drop(q, &w->claim);
    g_mutex_unlock(&q->lock);
    g_free(w->head);
    g_free(w->tail);
    return ret;
}

int qcow2_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                 uint64_t len, unsigned flags)
{
    Qcow2 *q = (Qcow2 *)node;
    g_autofree struct iovec *part = g_new(struct iovec, niov);
    uint64_t done = 0;
    int ret = 0;

    while (done < len && ret == 0) {
        Write w = { .offset = offset + done, .len = len - done };
        unsigned n;

        g_mutex_lock(&q->lock);
        ret = plan(q, &w);
        g_mutex_unlock(&q->lock);
        if (ret < 0) {
            break;
        }
        n = block_iov_slice(part, niov, iov, niov, done, w.len);
        if (w.in_place) {
            ret = block_node_pwritev(node->file, w.host + qcow2_within(q, w.offset), part, n,
                                     w.len, 0);
        } else {
            ret = write_new(q, &w, part, n);
        }
        ret = finish(q, &w, ret);
        done += w.len;
    }
    if (ret == 0 && (flags & BLOCK_REQ_FUA)) {
        ret = qcow2_flush(node);
    }
    return ret;
}

/* ---- compressed ---- */

static int pack(Qcow2 *q, const void *buf, uint64_t len, uint8_t *out, size_t *bytes)
{
    g_autofree uint8_t *padded = NULL;
    gssize n;

    if (len < q->cluster_size) {
        padded = g_malloc0(q->cluster_size);
        memcpy(padded, buf, len);
        buf = padded;
    }
    n = qcow2_compress(q->header.compression, out, q->cluster_size - 1, buf, q->cluster_size);
    *bytes = MAX(n, 0);
    return MIN(n, 0);
}

/* lock held; the claim is added when there is a place. */
static int plan_packed(Qcow2 *q, uint64_t cluster, uint64_t bytes, Qcow2Claim *claim,
                       uint64_t *offset)
{
    unsigned shift = 62 - (q->cluster_bits - 8);
    int ret = qcow2_writable(q);

    qcow2_claim_wait(q, cluster, 1);
    if (ret == 0) {
        ret = qcow2_mark_dirty(q);
    }
    if (ret == 0) {
        ret = qcow2_l2_make(q, cluster);
    }
    if (ret == 0) {
        ret = qcow2_alloc_packed(q, bytes, offset);
    }
    if (ret == 0 && *offset + bytes > MIN(UINT64_C(1) << shift, UINT64_C(1) << 56)) {
        ret = -EFBIG;
    }
    if (ret == 0) {
        claim_add(q, claim, cluster, 1);
    }
    return ret;
}

static int link_packed(Qcow2 *q, uint64_t cluster, uint64_t offset, uint64_t bytes)
{
    uint64_t sectors = ((offset + bytes - 1) >> 9) - (offset >> 9), old;
    int ret = qcow2_l2_get(q, cluster, &old);

    if (ret == 0) {
        ret = qcow2_l2_set(q, cluster, QCOW2_COMPRESSED | offset |
                           sectors << (62 - (q->cluster_bits - 8)));
    }
    if (ret == 0) {
        qcow2_free_entry(q, old, false);
    }
    return ret;
}

int qcow2_pwrite_compressed(BlockNode *node, uint64_t offset, const void *buf, uint64_t len)
{
    Qcow2 *q = (Qcow2 *)node;
    uint64_t cluster = offset >> q->cluster_bits, host = 0;
    g_autofree uint8_t *out = g_malloc(q->cluster_size);
    struct iovec iov = { (void *)buf, len };
    Qcow2Claim claim;
    size_t bytes;
    int ret;

    if (qcow2_within(q, offset) != 0 || len > q->cluster_size ||
        (len < q->cluster_size && offset + len != block_node_size(node))) {
        return -EINVAL;
    }
    if (pack(q, buf, len, out, &bytes) < 0) {
        return qcow2_pwrite(node, offset, &iov, 1, len, 0);
    }
    g_mutex_lock(&q->lock);
    ret = plan_packed(q, cluster, bytes, &claim, &host);
    g_mutex_unlock(&q->lock);
    if (ret < 0) {
        return ret;
    }
    ret = qcow2_file_write(q, host, out, bytes);
    g_mutex_lock(&q->lock);
    if (ret == 0) {
        ret = link_packed(q, cluster, host, bytes);
    }
    if (ret < 0) {
        qcow2_refcount_add(q, host >> q->cluster_bits,
                           ((host + bytes - 1) >> q->cluster_bits) - (host >> q->cluster_bits) + 1,
                           -1);
    }
    claim_drop(q, &claim);
    g_mutex_unlock(&q->lock);
    return ret;
}

/* ---- zeroes and discards ---- */

static bool backing_covers(const Qcow2 *q, uint64_t guest_cluster)
{
    return q->node.backing != NULL &&
           guest_cluster << q->cluster_bits < block_node_size(q->node.backing);
}

/* Sets an entry whose old clusters are given up as far as `entry` does not keep them. */
static int replace(Qcow2 *q, uint64_t cluster, uint64_t old, uint64_t entry, bool discard)
{
    int ret;

    if (old == entry) {
        return 0;
    }
    ret = qcow2_mark_dirty(q);
    if (ret == 0) {
        ret = qcow2_l2_set(q, cluster, entry);
    }
    if (ret == 0 && (entry & QCOW2_OFFSET_MASK) == 0) {
        qcow2_free_entry(q, old, discard);
    }
    return ret;
}

/* A cluster's entry as it is, and its kind, never BAD. */
static int get_old(Qcow2 *q, uint64_t cluster, uint64_t *old, Qcow2Kind *kind)
{
    int ret = qcow2_l2_get(q, cluster, old);

    if (ret < 0) {
        return ret;
    }
    *kind = qcow2_kind(q, *old);
    return *kind == QCOW2_KIND_BAD ? qcow2_bad_entry(q, cluster, *old) : 0;
}

static int zero_cluster(Qcow2 *q, uint64_t cluster, bool may_unmap)
{
    uint64_t old, entry = QCOW2_ZERO;
    Qcow2Kind kind;
    int ret = get_old(q, cluster, &old, &kind);

    if (ret < 0) {
        return ret;
    }
    if (q->header.version < 3) {
        if (backing_covers(q, cluster)) {
            return -ENOTSUP;
        }
        entry = 0;
    } else if (!may_unmap && kind != QCOW2_KIND_COMPRESSED && (old & QCOW2_COPIED)) {
        entry = old | QCOW2_ZERO;
    }
    return replace(q, cluster, old, entry, false);
}

/* What a discarded cluster reads as is ours to choose, but never what the backing file holds. */
static int discard_cluster(Qcow2 *q, uint64_t cluster, bool reveal_backing)
{
    uint64_t old, entry = 0;
    Qcow2Kind kind;
    int ret = get_old(q, cluster, &old, &kind);

    if (ret < 0) {
        return ret;
    }
    if (!reveal_backing) {
        if (kind == QCOW2_KIND_NONE || kind == QCOW2_KIND_ZERO) {
            return 0;
        }
        if (q->header.version >= 3) {
            entry = q->node.backing != NULL ? QCOW2_ZERO : 0;
        } else if (backing_covers(q, cluster)) {
            return 0;
        }
    }
    return replace(q, cluster, old, entry, true);
}

typedef enum Emptying { EMPTY_ZERO, EMPTY_ZERO_UNMAP, EMPTY_DISCARD, EMPTY_REVEAL } Emptying;

static int empty_cluster(Qcow2 *q, uint64_t cluster, Emptying how)
{
    return how == EMPTY_ZERO || how == EMPTY_ZERO_UNMAP
        ? zero_cluster(q, cluster, how == EMPTY_ZERO_UNMAP)
        : discard_cluster(q, cluster, how == EMPTY_REVEAL);
}

/* Of what no table describes there is nothing to discard. */
static bool nothing_there(const Qcow2 *q, uint64_t cluster, Emptying how)
{
    uint64_t index = cluster >> q->l2_bits;

    return (how == EMPTY_DISCARD || how == EMPTY_REVEAL) &&
           (index >= q->l1_entries || (q->l1[index] & QCOW2_OFFSET_MASK) == 0);
}

/* One table's share; lock held. */
static int empty_some(Qcow2 *q, uint64_t first, uint64_t count, Emptying how)
{
    int ret = qcow2_writable(q);

    if (ret == 0 && nothing_there(q, first, how)) {
        return 0;
    }
    qcow2_claim_wait(q, first, count);
    for (uint64_t i = 0; i < count && ret == 0; i++) {
        ret = empty_cluster(q, first + i, how);
    }
    return ret;
}

static int empty_range(Qcow2 *q, uint64_t first, uint64_t end, Emptying how)
{
    int ret = 0;

    while (first < end && ret == 0) {
        uint64_t n = MIN(end - first, q->l2_entries - (first & (q->l2_entries - 1)));

        g_mutex_lock(&q->lock);
        ret = empty_some(q, first, n, how);
        g_mutex_unlock(&q->lock);
        first += n;
    }
    return ret;
}

int qcow2_unmap(Qcow2 *q, uint64_t first, uint64_t count, bool reveal_backing)
{
    int ret = 0;

    while (count > 0 && ret == 0) {
        uint64_t n = MIN(count, q->l2_entries - (first & (q->l2_entries - 1)));

        ret = empty_some(q, first, n, reveal_backing ? EMPTY_REVEAL : EMPTY_DISCARD);
        first += n;
        count -= n;
    }
    return ret;
}

/* Part of a cluster: nothing to do, or written as data. */
static int zero_part(Qcow2 *q, uint64_t offset, uint64_t len, unsigned flags)
{
    g_autofree uint8_t *zeroes = NULL;
    struct iovec iov;

    if (len == 0 || reads_as_zero(q, offset)) {
        return 0;
    }
    if (flags & BLOCK_REQ_NO_FALLBACK) {
        return -ENOTSUP;
    }
    zeroes = g_try_malloc0(len);
    iov = (struct iovec){ zeroes, len };
    return zeroes == NULL ? -ENOMEM : qcow2_pwrite(&q->node, offset, &iov, 1, len, 0);
}

/* The whole clusters of a range: [*first, *end).  A last one that the disk's end cuts is whole. */
static void whole_clusters(const Qcow2 *q, uint64_t offset, uint64_t len, uint64_t *first,
                           uint64_t *end)
{
    *first = qcow2_clusters(q, offset);
    *end = offset + len == block_node_size(&q->node) ? qcow2_clusters(q, offset + len)
                                              : (offset + len) >> q->cluster_bits;
}

int qcow2_zero(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    Qcow2 *q = (Qcow2 *)node;
    uint64_t first, end, end_offset = offset + len;
    int ret;

    whole_clusters(q, offset, len, &first, &end);
    if (first >= end) {
        uint64_t middle = MIN(first << q->cluster_bits, end_offset);

        ret = zero_part(q, offset, middle - offset, flags);
        if (ret == 0) {
            ret = zero_part(q, middle, end_offset - middle, flags);
        }
    } else {
        ret = zero_part(q, offset, (first << q->cluster_bits) - offset, flags);
        if (ret == 0) {
            ret = empty_range(q, first, end,
                              flags & BLOCK_REQ_MAY_UNMAP ? EMPTY_ZERO_UNMAP : EMPTY_ZERO);
        }
        if (ret == 0 && end << q->cluster_bits < end_offset) {
            ret = zero_part(q, end << q->cluster_bits, end_offset - (end << q->cluster_bits),
                            flags);
        }
    }
    if (ret == 0 && (flags & BLOCK_REQ_FUA)) {
        ret = qcow2_flush(node);
    }
    return ret;
}

int qcow2_discard(BlockNode *node, uint64_t offset, uint64_t len)
{
    Qcow2 *q = (Qcow2 *)node;
    uint64_t first, end;

    whole_clusters(q, offset, len, &first, &end);
    return empty_range(q, first, end, EMPTY_DISCARD);
}
