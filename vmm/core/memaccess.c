/* Reading and writing guest memory and ports through the published views. */
#include <string.h>

#include "epoch.h"
#include "lock.h"
#include "memmap.h"

/* Devices whose DMA is under way on this thread, innermost first. */
typedef struct DmaFrame {
    const Object *owner;
    struct DmaFrame *outer;
} DmaFrame;

static __thread DmaFrame *dma_frames;

static bool reenters(const MemRegion *mr)
{
    for (DmaFrame *frame = dma_frames; frame != NULL; frame = frame->outer) {
        if (mr->owner != NULL && mr->owner == frame->owner) {
            return true;
        }
    }
    return false;
}

static uint64_t size_mask(unsigned size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/* ---- one region ---- */

static void op_sizes(const MemOps *ops, unsigned *min, unsigned *max)
{
    *min = ops->min_size != 0 ? ops->min_size : 1;
    *max = ops->max_size != 0 ? ops->max_size : 8;
}

/* Read again once the lock is taken: the region may have been taken down meanwhile. */
static const MemOps *region_ops(const MemRegion *mr)
{
    return __atomic_load_n(&mr->ops, __ATOMIC_RELAXED);
}

static uint64_t io_load(MemRegion *mr, uint64_t offset, unsigned size)
{
    const MemOps *ops = region_ops(mr);
    unsigned min, max;
    uint64_t value = 0;

    if (ops->read == NULL) {
        return size_mask(size);
    }
    op_sizes(ops, &min, &max);
    if (size < min) {
        uint64_t aligned = offset & ~(uint64_t)(min - 1);

        return ops->read(mr->opaque, aligned, min) >> (8 * (offset - aligned)) &
               size_mask(size);
    }
    for (unsigned done = 0; done < size; done += MIN(size, max)) {
        unsigned piece = MIN(size, max);

        value |= (ops->read(mr->opaque, offset + done, piece) & size_mask(piece)) << (8 * done);
    }
    return value;
}

static void io_store(MemRegion *mr, uint64_t offset, uint64_t value, unsigned size)
{
    const MemOps *ops = region_ops(mr);
    unsigned min, max;

    if (ops->write == NULL) {
        return;
    }
    op_sizes(ops, &min, &max);
    value &= size_mask(size);
    if (size < min) {
        uint64_t aligned = offset & ~(uint64_t)(min - 1);

        ops->write(mr->opaque, aligned, value << (8 * (offset - aligned)), min);
        return;
    }
    for (unsigned done = 0; done < size; done += MIN(size, max)) {
        unsigned piece = MIN(size, max);

        ops->write(mr->opaque, offset + done, value >> (8 * done) & size_mask(piece), piece);
    }
}

uint64_t mem_region_load(MemRegion *mr, uint64_t offset, unsigned size)
{
    bool taken = false;
    uint64_t value;

    if (mr->ram != NULL) {
        value = 0;
        memcpy(&value, mr->ram->host + offset, size);
        return value;
    }
    if (!region_ops(mr)->unlocked) {
        taken = machine_lock_enter();
    }
    value = reenters(mr) ? size_mask(size) : io_load(mr, offset, size);
    machine_lock_leave(taken);
    return value;
}

void mem_region_store(MemRegion *mr, uint64_t offset, uint64_t value, unsigned size)
{
    bool taken = false;

    if (mr->kind == MEM_RAM) {
        memcpy(mr->ram->host + offset, &value, size);
        ram_mark_dirty(mr->ram, offset, size);
        return;
    }
    if (region_ops(mr) == NULL) {
        return;                                     /* ROM */
    }
    if (!region_ops(mr)->unlocked) {
        taken = machine_lock_enter();
    }
    if (!reenters(mr)) {
        io_store(mr, offset, value, size);
    }
    machine_lock_leave(taken);
}

/* ---- one access ---- */

/*
 * A register is accessed whole even where a neighbour of higher priority covers some of its bytes,
 * as the reset control at port cf9 does with PCI's configuration address at cf8.  One that is
 * narrower than any access it takes has them at its address, as a port of one byte read as four.
 */
static bool whole(const FlatRange *range, uint64_t addr, unsigned size)
{
    if (range == NULL) {
        return false;
    }
    if (size - 1 <= range->last - addr) {
        return true;
    }
    uint64_t offset = range->offset + (addr - range->addr);
    return range->mr->kind == MEM_IO && offset < range->mr->size &&
           (size <= range->mr->size - offset ||
            (offset == 0 && size <= range->mr->ops->min_size));
}

uint64_t mem_load(AddressSpace *as, uint64_t addr, unsigned size, MemResult *result)
{
    const FlatRange *range;
    uint64_t value = 0;
    MemResult met = MEM_OK;

    epoch_enter();
    range = mem_view_find(address_space_view(as), addr);
    if (whole(range, addr, size)) {
        value = mem_region_load(range->mr, range->offset + (addr - range->addr), size);
    } else if (size == 1) {
        value = 0xff;
        met = MEM_UNMAPPED;
    } else {
        met = mem_read(as, addr, &value, size);
    }
    epoch_leave();
    if (result != NULL) {
        *result = met;
    }
    return value;
}

static MemResult store_in_range(const FlatRange *range, uint64_t addr, uint64_t value,
                                unsigned size)
{
    uint64_t offset = range->offset + (addr - range->addr);

    if (range->readonly && range->mr->kind != MEM_ROM_DEVICE) {
        return MEM_READONLY;
    }
    mem_region_store(range->mr, offset, value, size);
    return MEM_OK;
}

MemResult mem_store(AddressSpace *as, uint64_t addr, uint64_t value, unsigned size)
{
    const FlatRange *range;
    MemResult met;

    epoch_enter();
    range = mem_view_find(address_space_view(as), addr);
    if (whole(range, addr, size)) {
        met = store_in_range(range, addr, value, size);
    } else if (size == 1) {
        met = MEM_UNMAPPED;
    } else {
        met = mem_write(as, addr, &value, size);
    }
    epoch_leave();
    return met;
}

/* ---- any length ---- */

/* The largest naturally aligned access that fits. */
static unsigned piece_size(uint64_t addr, uint64_t len)
{
    unsigned size = 8;

    while (size > len || (addr & (size - 1)) != 0) {
        size /= 2;
    }
    return size;
}

typedef enum AccessKind { ACCESS_NORMAL, ACCESS_DEBUG } AccessKind;

static MemResult read_io(const FlatRange *range, uint64_t addr, uint8_t *out, uint64_t len,
                         AccessKind kind)
{
    if (kind == ACCESS_DEBUG) {
        memset(out, 0xff, len);
        return MEM_REFUSED;
    }
    for (unsigned size; len > 0; addr += size, out += size, len -= size) {
        uint64_t value;

        size = piece_size(addr, len);
        value = mem_region_load(range->mr, range->offset + (addr - range->addr), size);
        memcpy(out, &value, size);
    }
    return MEM_OK;
}

static MemResult write_io(const FlatRange *range, uint64_t addr, const uint8_t *in, uint64_t len,
                          AccessKind kind)
{
    if (kind == ACCESS_DEBUG) {
        return MEM_REFUSED;
    }
    for (unsigned size; len > 0; addr += size, in += size, len -= size) {
        uint64_t value = 0;

        size = piece_size(addr, len);
        memcpy(&value, in, size);
        mem_region_store(range->mr, range->offset + (addr - range->addr), value, size);
    }
    return MEM_OK;
}

/* How much of [addr, addr + len) is one range, or one hole. */
static uint64_t span(const MemView *view, const FlatRange *range, uint64_t addr, uint64_t len)
{
    if (range != NULL) {
        return MIN(len - 1, range->last - addr) + 1;
    }
    for (unsigned i = 0; i < view->count; i++) {
        if (view->ranges[i].addr > addr) {
            return MIN(len, view->ranges[i].addr - addr);
        }
    }
    return len;
}

static MemResult read_range(const FlatRange *range, uint64_t addr, uint8_t *out, uint64_t len,
                            AccessKind kind)
{
    if (range == NULL) {
        memset(out, 0xff, len);
        return MEM_UNMAPPED;
    }
    if (range->host == NULL) {
        return read_io(range, addr, out, len, kind);
    }
    memcpy(out, range->host + (addr - range->addr), len);
    return MEM_OK;
}

static MemResult write_range(const FlatRange *range, uint64_t addr, const uint8_t *in,
                             uint64_t len, AccessKind kind)
{
    uint64_t offset;

    if (range == NULL) {
        return MEM_UNMAPPED;
    }
    if (range->host == NULL || (range->mr->kind == MEM_ROM_DEVICE && kind == ACCESS_NORMAL)) {
        return write_io(range, addr, in, len, kind);
    }
    if (range->readonly && kind == ACCESS_NORMAL) {
        return MEM_READONLY;
    }
    offset = range->offset + (addr - range->addr);
    memcpy(range->mr->ram->host + offset, in, len);
    ram_mark_dirty(range->mr->ram, offset, len);
    return MEM_OK;
}

static MemResult read_span(AddressSpace *as, uint64_t addr, uint8_t *out, uint64_t len,
                           AccessKind kind)
{
    MemResult met = MEM_OK;

    for (uint64_t n; len > 0; addr += n, out += n, len -= n) {
        const MemView *view;
        const FlatRange *range;

        epoch_enter();
        view = address_space_view(as);
        range = mem_view_find(view, addr);
        n = span(view, range, addr, len);
        met |= read_range(range, addr, out, n, kind);
        epoch_leave();
    }
    return met;
}

static MemResult write_span(AddressSpace *as, uint64_t addr, const uint8_t *in, uint64_t len,
                            AccessKind kind)
{
    MemResult met = MEM_OK;

    for (uint64_t n; len > 0; addr += n, in += n, len -= n) {
        const MemView *view;
        const FlatRange *range;

        epoch_enter();
        view = address_space_view(as);
        range = mem_view_find(view, addr);
        n = span(view, range, addr, len);
        met |= write_range(range, addr, in, n, kind);
        epoch_leave();
    }
    return met;
}

MemResult mem_read(AddressSpace *as, uint64_t addr, void *buf, uint64_t len)
{
    return read_span(as, addr, buf, len, ACCESS_NORMAL);
}

MemResult mem_write(AddressSpace *as, uint64_t addr, const void *buf, uint64_t len)
{
    return write_span(as, addr, buf, len, ACCESS_NORMAL);
}

static MemOverlayFn debug_overlay;

void mem_set_debug_overlay(MemOverlayFn fn)
{
    debug_overlay = fn;
}

MemResult mem_read_debug(AddressSpace *as, uint64_t addr, void *buf, uint64_t len)
{
    MemResult met = read_span(as, addr, buf, len, ACCESS_DEBUG);

    if (debug_overlay != NULL) {
        debug_overlay(as, addr, buf, len);
    }
    return met;
}

MemResult mem_write_debug(AddressSpace *as, uint64_t addr, const void *buf, uint64_t len)
{
    return write_span(as, addr, buf, len, ACCESS_DEBUG);
}

/* ---- DMA ---- */

MemResult dma_read(AddressSpace *as, Object *owner, uint64_t addr, void *buf, uint64_t len)
{
    DmaFrame frame = { owner, dma_frames };
    MemResult met;

    dma_frames = &frame;
    met = mem_read(as, addr, buf, len);
    dma_frames = frame.outer;
    return met;
}

MemResult dma_write(AddressSpace *as, Object *owner, uint64_t addr, const void *buf, uint64_t len)
{
    DmaFrame frame = { owner, dma_frames };
    MemResult met;

    dma_frames = &frame;
    met = mem_write(as, addr, buf, len);
    dma_frames = frame.outer;
    return met;
}

uint8_t *dma_map(AddressSpace *as, uint64_t addr, uint64_t *len, bool write)
{
    const FlatRange *range;
    uint8_t *host = NULL;

    epoch_enter();
    range = mem_view_find(address_space_view(as), addr);
    if (range != NULL && range->mr->kind == MEM_RAM && *len > 0 && !(write && range->readonly)) {
        host = range->host + (addr - range->addr);
        *len = MIN(*len - 1, range->last - addr) + 1;
    }
    epoch_leave();
    return host;
}

void dma_written(const void *host, uint64_t len)
{
    uint64_t offset;
    RamBlock *block = ram_block_of(host, &offset);

    if (block != NULL && len > 0) {
        ram_mark_dirty(block, offset, len);
    }
}
