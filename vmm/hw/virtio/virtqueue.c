/*
 * Split virtqueues: VIRTIO 1.2, 2.7.
 *
 * The rings are mapped into host memory at first use.  Everything in them is the guest's and may
 * change under our eyes: indices and descriptors are read once, checked, and used from the copy.
 */
#include "virtqueue.h"

#include <string.h>

#include "rhea_error.h"

/* Elements with this much room are kept for reuse; longer chains are rare. */
enum { SMALL_CAPACITY = 8 };

/* ---- words in the rings ---- */

static uint16_t load16(const uint8_t *p)
{
    return __atomic_load_n((const uint16_t *)p, __ATOMIC_ACQUIRE);
}

static void store16(uint8_t *p, uint16_t value)
{
    __atomic_store_n((uint16_t *)p, value, __ATOMIC_RELEASE);
}

/* Keeps a store before later loads: the one order x86 does not give for free. */
static void full_barrier(void)
{
    asm volatile("lock; orl $0, (%%rsp)" ::: "memory", "cc");
}

static uint16_t avail_flags(const VirtQueue *vq) { return load16(vq->avail_host); }
static uint16_t avail_idx(const VirtQueue *vq) { return load16(vq->avail_host + 2); }
static uint16_t avail_ring(const VirtQueue *vq, uint16_t at)
{
    return load16(vq->avail_host + 4 + 2 * (at & (vq->num - 1)));
}

/* 2.7.7: the driver's word behind the available ring. */
static uint16_t used_event(const VirtQueue *vq)
{
    return load16(vq->avail_host + 4 + 2 * vq->num);
}

static void used_changed(VirtQueue *vq, uint32_t offset, uint32_t len)
{
    ram_mark_dirty(vq->used_block, vq->used_offset + offset, len);
}

static void set_used16(VirtQueue *vq, uint32_t offset, uint16_t value)
{
    store16(vq->used_host + offset, value);
    used_changed(vq, offset, 2);
}

/* 2.7.8: our word behind the used ring. */
static void set_avail_event(VirtQueue *vq, uint16_t value)
{
    set_used16(vq, 4 + 8 * vq->num, value);
}

/* ---- mapping ---- */

static uint8_t *map_ring(VirtQueue *vq, uint64_t addr, uint64_t size, bool write)
{
    uint64_t len = size;
    uint8_t *host = dma_map(vq->vdev->dma, addr, &len, write);

    return host != NULL && len == size ? host : NULL;
}

bool virtqueue_map(VirtQueue *vq)
{
    uint32_t num = vq->num;

    if (vq->used_host != NULL) {
        return true;
    }
    if (vq->desc == 0 || num == 0 || (num & (num - 1)) != 0 || num > VIRTQUEUE_MAX_SIZE ||
        vq->desc & 7 || vq->avail & 1 || vq->used & 3) {
        return false;
    }
    const uint8_t *desc = map_ring(vq, vq->desc, 16 * num, false);
    const uint8_t *avail = map_ring(vq, vq->avail, 6 + 2 * num, false);
    uint8_t *used = map_ring(vq, vq->used, 6 + 8 * num, true);
    RamBlock *block = used != NULL ? ram_block_of(used, &vq->used_offset) : NULL;

    if (desc == NULL || avail == NULL || block == NULL) {
        return false;
    }
    vq->desc_host = desc;
    vq->avail_host = avail;
    vq->used_block = block;
    vq->used_host = used;
    return true;
}

void virtqueue_unmap(VirtQueue *vq)
{
    vq->desc_host = vq->avail_host = NULL;
    vq->used_host = NULL;
    vq->used_block = NULL;
}

bool virtqueue_ready(const VirtQueue *vq)
{
    const VirtioDevice *vdev = vq->vdev;

    return vdev->started && !__atomic_load_n(&vdev->broken, __ATOMIC_RELAXED) &&
           !__atomic_load_n(&vdev->disabled, __ATOMIC_RELAXED) && vq->desc != 0 &&
           (vq->enabled || !virtio_has(vdev, VIRTIO_F_VERSION_1));
}

/* Ready, and mapped. A driver whose rings are not memory is told. */
static bool usable(VirtQueue *vq)
{
    if (!virtqueue_ready(vq)) {
        return false;
    }
    if (!virtqueue_map(vq)) {
        virtio_error(vq->vdev, "queue %u: its rings are not in memory", vq->index);
        return false;
    }
    return true;
}

void virtqueue_set_page(VirtQueue *vq, uint32_t pfn)
{
    uint64_t addr = (uint64_t)pfn << 12, avail = addr + 16 * (uint64_t)vq->num;
    uint64_t end = avail + 6 + 2 * (uint64_t)vq->num;

    virtqueue_unmap(vq);
    vq->desc = addr;
    vq->avail = addr != 0 ? avail : 0;
    vq->used = addr != 0 ? (end + VIRTQUEUE_LEGACY_ALIGN - 1) & -(uint64_t)VIRTQUEUE_LEGACY_ALIGN
                         : 0;
}

bool virtqueue_restore(VirtQueue *vq, GError **error)
{
    if (vq->desc == 0) {
        return true;
    }
    if (!virtqueue_map(vq)) {
        set_error(error, "queue %u: its rings at 0x%" G_GINT64_MODIFIER "x are not in memory",
                  vq->index, vq->desc);
        return false;
    }
    vq->used_idx = load16(vq->used_host + 2);
    vq->shadow_avail = avail_idx(vq);
    uint16_t ahead = vq->shadow_avail - vq->last_avail, inflight = vq->last_avail - vq->used_idx;

    if (ahead > vq->num || inflight > vq->num) {
        set_error(error, "queue %u: %u of %u entries available, %u in flight", vq->index, ahead,
                  vq->num, inflight);
        return false;
    }
    return true;
}

/* ---- elements ---- */

static VirtElem *elem_new(VirtQueue *vq, unsigned pieces)
{
    VirtElem *elem = vq->free_elems;
    size_t head = (vq->elem_size + sizeof(struct iovec) - 1) & -sizeof(struct iovec);

    if (pieces <= SMALL_CAPACITY && elem != NULL) {
        vq->free_elems = elem->next;
        return elem;
    }
    pieces = MAX(pieces, SMALL_CAPACITY);
    elem = g_malloc(head + pieces * sizeof(struct iovec));
    elem->out = (struct iovec *)((char *)elem + head);
    elem->capacity = pieces;
    elem->vq = vq;
    return elem;
}

static void elem_free(VirtElem *elem)
{
    VirtQueue *vq = elem->vq;

    if (elem->capacity > SMALL_CAPACITY) {
        g_free(elem);
        return;
    }
    elem->out = (struct iovec *)((char *)elem + ((vq->elem_size + sizeof(struct iovec) - 1) &
                                                 -sizeof(struct iovec)));
    elem->next = vq->free_elems;
    vq->free_elems = elem;
}

/* ---- reading a chain ---- */

typedef struct Chain {
    VirtQueue *vq;
    const uint8_t *table;                   /* in host memory */
    unsigned entries;                       /* of the table */
    unsigned seen;                          /* descriptors so far: no more than there are */
    unsigned pieces, n_out;
    size_t out_len, in_len;
    bool writing;                           /* a descriptor for the device to write was seen */
    bool indirect;
} Chain;

static VirtqDesc chain_desc(const Chain *chain, unsigned n)
{
    VirtqDesc desc;

    memcpy(&desc, chain->table + 16 * n, sizeof(desc));
    return desc;
}

static bool chain_broken(Chain *chain, const char *why)
{
    virtio_error(chain->vq->vdev, "queue %u: %s", chain->vq->index, why);
    return false;
}

/* Adds the buffer of one descriptor, in as many pieces as guest memory has there. */
static bool chain_add(Chain *chain, uint64_t addr, uint32_t len, bool write)
{
    if (chain->writing && !write) {
        return chain_broken(chain, "a buffer to read follows one to write");   /* 2.7.4.2 */
    }
    chain->writing = write;
    *(write ? &chain->in_len : &chain->out_len) += len;
    for (uint64_t n; len > 0; addr += n, len -= n) {
        n = len;
        uint8_t *host = dma_map(chain->vq->vdev->dma, addr, &n, write);

        if (host == NULL) {
            return chain_broken(chain, "a buffer is not in memory");
        }
        if (chain->pieces == VIRTQUEUE_MAX_SIZE) {
            return chain_broken(chain, "a chain has too many pieces");
        }
        chain->vq->scratch[chain->pieces++] = (struct iovec){ host, n };
        chain->n_out += !write;
    }
    return true;
}

/* 2.7.5.3: the one descriptor stands for a table of them. */
static bool chain_enter_table(Chain *chain, const VirtqDesc *desc)
{
    uint64_t len = desc->len;

    if (chain->indirect) {
        return chain_broken(chain, "an indirect table holds another");
    }
    if (!virtio_has(chain->vq->vdev, VIRTIO_F_INDIRECT_DESC)) {
        return chain_broken(chain, "an indirect table was not agreed on");
    }
    if (desc->flags & VIRTQ_DESC_NEXT) {
        return chain_broken(chain, "a descriptor follows an indirect table");
    }
    if (len == 0 || len % 16 != 0 || len / 16 > VIRTQUEUE_MAX_SIZE) {
        return chain_broken(chain, "an indirect table has an odd size");
    }
    chain->table = dma_map(chain->vq->vdev->dma, desc->addr, &len, false);
    if (chain->table == NULL || len != desc->len) {
        return chain_broken(chain, "an indirect table is not in memory");
    }
    chain->indirect = true;
    chain->entries = len / 16;
    chain->seen = 0;
    return true;
}

static bool chain_read(Chain *chain, unsigned head)
{
    VirtqDesc desc = chain_desc(chain, head);

    if (desc.flags & VIRTQ_DESC_INDIRECT) {
        if (!chain_enter_table(chain, &desc)) {
            return false;
        }
        desc = chain_desc(chain, 0);
    }
    for (;;) {
        if (desc.flags & VIRTQ_DESC_INDIRECT) {
            return chain_enter_table(chain, &desc) &&
                   chain_broken(chain, "an indirect table in the middle of a chain");
        }
        if (!chain_add(chain, desc.addr, desc.len, desc.flags & VIRTQ_DESC_WRITE)) {
            return false;
        }
        if (!(desc.flags & VIRTQ_DESC_NEXT)) {
            return true;
        }
        if (desc.next >= chain->entries) {
            return chain_broken(chain, "a chain leads out of its table");
        }
        if (++chain->seen >= chain->entries) {
            return chain_broken(chain, "a chain is a loop");
        }
        desc = chain_desc(chain, desc.next);
    }
}

/* How many elements wait; -1: the index cannot be. */
static int available(VirtQueue *vq)
{
    uint16_t ahead = vq->shadow_avail - vq->last_avail;

    if (ahead == 0) {
        vq->shadow_avail = avail_idx(vq);
        ahead = vq->shadow_avail - vq->last_avail;
    }
    if (ahead > vq->num) {
        virtio_error(vq->vdev, "queue %u: the available index went from %u to %u", vq->index,
                     vq->last_avail, vq->shadow_avail);
        return -1;
    }
    return ahead;
}

static bool chain_open(VirtQueue *vq, uint16_t head, Chain *chain)
{
    if (head >= vq->num) {
        virtio_error(vq->vdev, "queue %u: there is no descriptor %u", vq->index, head);
        return false;
    }
    if (vq->scratch == NULL) {
        vq->scratch = g_new(struct iovec, VIRTQUEUE_MAX_SIZE);
    }
    *chain = (Chain){ .vq = vq, .table = vq->desc_host, .entries = vq->num };
    return chain_read(chain, head);
}

static VirtElem *elem_from_chain(const Chain *chain, uint16_t head)
{
    VirtQueue *vq = chain->vq;
    VirtElem *elem = elem_new(vq, chain->pieces);

    memcpy(elem->out, vq->scratch, chain->pieces * sizeof(struct iovec));
    elem->n_out = chain->n_out;
    elem->n_in = chain->pieces - chain->n_out;
    elem->in = elem->out + elem->n_out;
    elem->out_len = chain->out_len;
    elem->in_len = chain->in_len;
    elem->next = NULL;
    elem->generation = vq->generation;
    elem->head = head;
    vq->inflight++;
    return elem;
}

void *virtqueue_pop(VirtQueue *vq)
{
    Chain chain;
    uint16_t head;

    if (!usable(vq) || available(vq) <= 0) {
        return NULL;
    }
    if (vq->inflight + vq->filled >= vq->num) {
        virtio_error(vq->vdev, "queue %u: more elements than entries", vq->index);
        return NULL;
    }
    head = avail_ring(vq, vq->last_avail);
    if (!chain_open(vq, head, &chain)) {
        return NULL;
    }
    vq->last_avail++;
    if (virtio_has(vq->vdev, VIRTIO_F_EVENT_IDX) && vq->notification) {
        set_avail_event(vq, vq->last_avail);
    }
    return elem_from_chain(&chain, head);
}

uint16_t virtqueue_head(const void *elem)
{
    return ((const VirtElem *)elem)->head;
}

void *virtqueue_pop_head(VirtQueue *vq, uint16_t head)
{
    Chain chain;

    if (!usable(vq) || head >= vq->num || vq->inflight >= vq->num) {
        return NULL;
    }
    return chain_open(vq, head, &chain) ? elem_from_chain(&chain, head) : NULL;
}

void virtqueue_unpop(VirtQueue *vq, void *opaque)
{
    VirtElem *elem = opaque;

    if (elem->generation == vq->generation) {
        vq->last_avail--;
        vq->inflight--;
    }
    elem_free(elem);
}

void virtqueue_drop(VirtQueue *vq, void *opaque)
{
    VirtElem *elem = opaque;

    if (elem->generation == vq->generation) {
        vq->inflight--;
    }
    elem_free(elem);
}

/* ---- giving back ---- */

static void mark_written(const VirtElem *elem, size_t written)
{
    for (unsigned i = 0; i < elem->n_in && written > 0; i++) {
        size_t n = MIN(written, elem->in[i].iov_len);

        dma_written(elem->in[i].iov_base, n);
        written -= n;
    }
}

void virtqueue_fill(VirtQueue *vq, void *opaque, uint32_t written)
{
    VirtElem *elem = opaque;

    mark_written(elem, MIN(written, elem->in_len));
    if (elem->generation == vq->generation) {
        vq->inflight--;
        if (vq->used_host != NULL && !__atomic_load_n(&vq->vdev->broken, __ATOMIC_RELAXED)) {
            uint32_t at = 4 + 8 * ((vq->used_idx + vq->filled) & (vq->num - 1));
            uint32_t entry[2] = { elem->head, written };

            memcpy(vq->used_host + at, entry, sizeof(entry));
            used_changed(vq, at, sizeof(entry));
            vq->filled++;
        }
    }
    elem_free(elem);
}

void virtqueue_flush(VirtQueue *vq)
{
    if (vq->filled == 0) {
        return;
    }
    vq->used_idx += vq->filled;
    vq->filled = 0;
    set_used16(vq, 2, vq->used_idx);
}

void virtqueue_push(VirtQueue *vq, void *elem, uint32_t written)
{
    virtqueue_fill(vq, elem, written);
    virtqueue_flush(vq);
}

/* 2.7.7.2, 2.7.10: is used_event among the entries added since the last time? */
static bool wants_interrupt(VirtQueue *vq)
{
    const VirtioDevice *vdev = vq->vdev;
    bool was_valid = vq->signalled_valid;
    uint16_t old = vq->signalled_used;

    full_barrier();
    if (virtio_has(vdev, VIRTIO_F_NOTIFY_ON_EMPTY) && vq->inflight == 0 &&
        avail_idx(vq) == vq->last_avail) {
        return true;
    }
    if (!virtio_has(vdev, VIRTIO_F_EVENT_IDX)) {
        return !(avail_flags(vq) & VIRTQ_AVAIL_NO_INTERRUPT);
    }
    vq->signalled_valid = true;
    vq->signalled_used = vq->used_idx;
    return !was_valid || (uint16_t)(used_event(vq) - old) < (uint16_t)(vq->used_idx - old);
}

void virtqueue_notify(VirtQueue *vq)
{
    VirtioDevice *vdev = vq->vdev;

    if (vq->used_host == NULL || __atomic_load_n(&vdev->broken, __ATOMIC_RELAXED) ||
        !wants_interrupt(vq)) {
        return;
    }
    __atomic_or_fetch(&vdev->isr, 1, __ATOMIC_SEQ_CST);
    if (!vdev->bus->interrupt(vdev->bus, __atomic_load_n(&vq->vector, __ATOMIC_RELAXED))) {
        virtqueue_call(vq);
    }
}

/* ---- being told ---- */

void virtqueue_set_notification(VirtQueue *vq, bool on)
{
    vq->notification = on;
    if (vq->used_host == NULL) {
        return;
    }
    if (!virtio_has(vq->vdev, VIRTIO_F_EVENT_IDX)) {
        set_used16(vq, 0, on ? 0 : VIRTQ_USED_NO_NOTIFY);
    } else if (on) {
        set_avail_event(vq, vq->last_avail);
    }
    if (on) {
        full_barrier();         /* before the driver's index is looked at once more */
    }
}

bool virtqueue_empty(VirtQueue *vq)
{
    return !usable(vq) || available(vq) <= 0;
}

size_t virtqueue_in_bytes(VirtQueue *vq, size_t enough, unsigned max)
{
    uint16_t at = vq->last_avail;
    size_t room = 0;

    if (!usable(vq)) {
        return 0;
    }
    vq->shadow_avail = avail_idx(vq);
    for (int n = available(vq); n > 0 && max > 0 && room < enough; n--, max--) {
        Chain chain;

        if (!chain_open(vq, avail_ring(vq, at++), &chain)) {
            return 0;
        }
        room += chain.in_len;
    }
    return room;
}

unsigned virtqueue_inflight(const VirtQueue *vq)
{
    return vq->inflight;
}

unsigned virtqueue_index(const VirtQueue *vq)
{
    return vq->index;
}

VirtioDevice *virtqueue_device(const VirtQueue *vq)
{
    return vq->vdev;
}

/* ---- life ---- */

void virtqueue_init(VirtQueue *vq, VirtioDevice *vdev, unsigned index)
{
    vq->vdev = vdev;
    vq->index = index;
    vq->doorbell = vq->call = -1;
    virtqueue_reset(vq);
}

void virtqueue_reset(VirtQueue *vq)
{
    virtqueue_unmap(vq);
    vq->generation++;
    vq->inflight = vq->filled = 0;
    vq->signalled_valid = false;
    vq->signalled_used = vq->shadow_avail = vq->last_avail = vq->used_idx = 0;
    vq->notification = true;
    vq->num = vq->max_size;
    vq->desc = vq->avail = vq->used = 0;
    vq->enabled = false;
    vq->vector = VIRTIO_NO_VECTOR;
}

void virtqueue_finish(VirtQueue *vq)
{
    virtqueue_close_events(vq);
    for (VirtElem *elem = vq->free_elems, *next; elem != NULL; elem = next) {
        next = elem->next;
        g_free(elem);
    }
    g_free(vq->scratch);
    g_free(vq);
}

/* ---- for monitors ---- */

uint16_t virtqueue_avail_word(VirtQueue *vq, unsigned n)
{
    return load16(vq->avail_host + 2 * n);
}

uint16_t virtqueue_used_word(VirtQueue *vq, unsigned n)
{
    return load16(vq->used_host + 2 * n);
}
