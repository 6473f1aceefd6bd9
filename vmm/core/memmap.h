/*
 * Guest memory: trees of regions, flattened into immutable views that readers use without a lock.
 *
 * A MemRegion is a piece of an address space: RAM, ROM, device registers (IO), a window onto
 * another region (ALIAS) or a CONTAINER of others.  Regions are placed in a container with a
 * priority; where two overlap the higher priority wins, and a container without contents at an
 * address lets lower ones show through.  An AddressSpace is a root region with a published
 * MemView: a sorted array of ranges, none overlapping.  Both guest memory and the port space are
 * address spaces.
 *
 * Threads: regions are changed under the machine lock.  mem_* accesses work from any thread; they
 * take the machine lock by themselves around an IO region that is not `unlocked`.
 *
 * Sizes are uint64_t; MEM_SIZE_ALL means 2^64.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "object.h"

#define MEM_SIZE_ALL    UINT64_C(0)
#define PAGE_SHIFT      12
#define PAGE_SIZE_4K    UINT64_C(4096)

typedef struct MemRegion MemRegion;
typedef struct RamBlock RamBlock;
typedef struct AddressSpace AddressSpace;

/* ---- RAM blocks: host memory behind guest memory ---- */

/* Who follows writes to RAM. Each has a bit per 4 KiB page of every block. */
typedef enum DirtyClient {
    DIRTY_DISPLAY,          /* set on write, fetched and cleared by the display */
    DIRTY_MIGRATION,
    DIRTY_CODE,             /* inverted use: set while translated code exists on the page (tcg) */
    DIRTY_CLIENTS
} DirtyClient;

struct RamBlock {
    char *name;                             /* "pc.ram", as `info ramblock` shows it */
    uint8_t *host;                          /* never moves; page aligned */
    uint64_t size_bytes;                    /* multiple of the page size */
    uint64_t offset;                        /* position in the space of all RAM (`info ramblock`) */
    int fd;                                 /* memfd, or -1 for anonymous memory */
    bool shared;                            /* writes reach the file */
    uint64_t page_bytes;                    /* the host gives and takes it in such pieces */
    unsigned long *dirty[DIRTY_CLIENTS];    /* atomic access only; NULL while the client is off */
};

/*
 * Records that [offset, offset+len) of the block was written by anything but a tracked vCPU store
 * (DMA, loader, monitor, KVM dirty log).  Invalidates translated code there.  Any thread.
 */
void ram_mark_dirty(RamBlock *block, uint64_t offset, uint64_t len);
bool ram_dirty_start(RamBlock *block, DirtyClient client);  /* allocates the bitmap, all clear */
/* Copies and clears the bits of `npages` pages from page `first`; true if any was set. */
bool ram_dirty_fetch(RamBlock *block, DirtyClient client, uint64_t first, uint64_t npages,
                     unsigned long *out);
static inline bool ram_dirty_test(const RamBlock *block, DirtyClient client, uint64_t page)
{
    const unsigned long *map = __atomic_load_n(&block->dirty[client], __ATOMIC_ACQUIRE);

    return map && (__atomic_load_n(&map[page / 64], __ATOMIC_RELAXED) >> (page % 64) & 1);
}
void ram_dirty_set(RamBlock *block, DirtyClient client, uint64_t page);
void ram_dirty_clear(RamBlock *block, DirtyClient client, uint64_t page);
/*
 * Gives the whole host pages in [offset, offset + len) back to the host; what the guest finds there
 * next is undefined (zeroes, or a private file's old bytes).
 */
void ram_discard(RamBlock *block, uint64_t offset, uint64_t len);

/*
 * Called by ram_mark_dirty() for the part of a write that lies in one page whose DIRTY_CODE bit is
 * set (tcg installs it).
 */
typedef void (*RamCodeWrittenFn)(RamBlock *block, uint64_t offset, uint64_t len);
void ram_set_code_written(RamCodeWrittenFn fn);

/* ---- regions ---- */

typedef struct MemOps {
    /* `offset` is relative to the region; `size` is 1, 2, 4 or 8 */
    uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
    void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
    /*
     * Sizes the callbacks take; other sizes are split or widened before they see them.
     * 0 means 1 and 8.
     */
    uint8_t min_size, max_size;
    bool unlocked;                          /* callbacks are thread-safe: no machine lock */
} MemOps;

typedef enum MemKind { MEM_CONTAINER, MEM_RAM, MEM_ROM, MEM_ROM_DEVICE, MEM_IO, MEM_ALIAS } MemKind;

struct MemRegion {
    Object obj;                             /* child of its owner in the object tree */
    MemKind kind;
    const char *name;                       /* borrowed from obj or given by the caller */
    uint64_t size;                          /* MEM_SIZE_ALL: 2^64 */
    bool enabled, readonly;
    const MemOps *ops;                      /* IO, ROM_DEVICE (writes) */
    void *opaque;
    RamBlock *ram;                          /* RAM, ROM, ROM_DEVICE (reads) */
    MemRegion *alias;                       /* ALIAS: the target, from alias_offset on */
    uint64_t alias_offset;
    MemRegion *container;                   /* where it is placed, or NULL */
    uint64_t addr;                          /* in the container */
    int priority;
    GPtrArray *subregions;                  /* MemRegion *, highest priority first; borrowed */
    GArray *ioeventfds;                     /* IoEventFd rows, or NULL */
    Object *owner;                       /* the device it belongs to; its own DMA is refused here */
};

/* An eventfd that stands for a write; the view's listeners see it (KVM_IOEVENTFD). */
typedef struct IoEventFd {
    uint64_t addr;                          /* offset in the region */
    unsigned size;                          /* 0: any */
    bool match;                             /* compare `value`, else any value */
    uint64_t value;
    int fd;
} IoEventFd;

/* The region's memory is the caller's (usually in a device struct).  `owner` may be NULL. */
void mem_region_init(MemRegion *mr, Object *owner, const char *name, uint64_t size);
void mem_region_init_io(MemRegion *mr, Object *owner, const char *name, uint64_t size,
                        const MemOps *ops, void *opaque);
bool mem_region_init_ram(MemRegion *mr, Object *owner, const char *name, uint64_t size,
                         GError **error);
/* Guest sees it read-only; the machine fills it through mr->ram->host. */
bool mem_region_init_rom(MemRegion *mr, Object *owner, const char *name, uint64_t size,
                         GError **error);
void mem_region_init_ram_block(MemRegion *mr, Object *owner, const char *name, RamBlock *block);
void mem_region_init_alias(MemRegion *mr, Object *owner, const char *name, MemRegion *target,
                           uint64_t offset, uint64_t size);
/*
 * Removes it from its container first.  An access under way meets a region that answers with ones;
 * the memory the MemRegion lies in must outlive it: mem_retire().
 */
void mem_region_finish(MemRegion *mr);

void mem_region_add(MemRegion *container, uint64_t addr, MemRegion *mr);            /* priority 0 */
void mem_region_add_priority(MemRegion *container, uint64_t addr, MemRegion *mr, int priority);
void mem_region_remove(MemRegion *mr);
void mem_region_set_addr(MemRegion *mr, uint64_t addr);
void mem_region_set_enabled(MemRegion *mr, bool enabled);
void mem_region_set_readonly(MemRegion *mr, bool readonly);
void mem_region_set_alias_offset(MemRegion *mr, uint64_t offset);
void mem_region_add_eventfd(MemRegion *mr, const IoEventFd *event);
void mem_region_remove_eventfd(MemRegion *mr, const IoEventFd *event);

/*
 * Frees what readers of a view may still be using: once the changes so far are published and those
 * who saw the old view have left.  For memory that regions lie in, after mem_region_finish().
 */
void mem_retire(void *object, GDestroyNotify free_func);

/* Brackets several changes: views are rebuilt and published once, at the outermost commit. */
void mem_transaction_begin(void);
void mem_transaction_commit(void);

/*
 * The RAM at `offset` of a RAM region or of a container of some, whatever the guest sees there; its
 * offset in the block in *at.  NULL: none.
 */
RamBlock *mem_region_ram_at(const MemRegion *mr, uint64_t offset, uint64_t *at);

/* ---- RAM allocation ---- */
/* Where a block's memory comes from, when it is not simply anonymous. */
typedef struct RamSource {
    const char *name;
    uint64_t size;
    int fd;                             /* -1: anonymous; else the block owns it */
    uint64_t align;                     /* 0: as suits the size */
    bool shared;                        /* writes reach the file, or other processes */
    bool readonly;                      /* the file is opened for reading: a private copy is written */
    bool no_reserve;                    /* take no swap space beforehand */
    bool no_dump, mergeable;            /* left out of core dumps; same pages may be merged */
    bool prealloc;
    unsigned prealloc_threads;          /* 0: one */
} RamSource;
RamBlock *ram_block_new_from(const RamSource *source, GError **error);
/* owned by the process */
RamBlock *ram_block_new(const char *name, uint64_t size, GError **error);
void ram_block_free(RamBlock *block);
const GPtrArray *ram_blocks(void);                                          /* RamBlock * */
/* The block a host pointer lies in, and its offset there; NULL if none. */
RamBlock *ram_block_of(const void *host, uint64_t *offset);

/* ---- views ---- */

typedef struct FlatRange {
    uint64_t addr, last;                    /* inclusive */
    MemRegion *mr;                          /* RAM, ROM, ROM_DEVICE or IO */
    uint64_t offset;                        /* of `addr` in mr */
    bool readonly;
    bool unlocked;
    uint8_t *host;                          /* of `addr`: RAM, ROM, ROM_DEVICE; else NULL */
} FlatRange;

typedef struct MemView {
    unsigned count;
    FlatRange ranges[];                     /* sorted, none overlapping */
} MemView;

typedef struct MemListener MemListener;
struct MemListener {
    /* Machine lock held.  Each range of the old view that is gone or changed, then each new one. */
    void (*range_del)(MemListener *listener, const FlatRange *range);
    void (*range_add)(MemListener *listener, const FlatRange *range);
    void (*eventfd_add)(MemListener *listener, uint64_t addr, const IoEventFd *event);
    void (*eventfd_del)(MemListener *listener, uint64_t addr, const IoEventFd *event);
    void (*commit)(MemListener *listener);  /* after the new view was published */
};

struct AddressSpace {
    const char *name;                       /* "memory", "I/O" */
    MemRegion *root;
    MemView *view;                          /* _Atomic by use */
    GPtrArray *listeners;                   /* MemListener * */
    GArray *eventfds;                       /* of the published view, by absolute address */
    uint64_t last;                          /* highest address: 0xffff for ports */
};

void address_space_init(AddressSpace *as, const char *name, MemRegion *root);
void address_space_finish(AddressSpace *as);
const GPtrArray *address_spaces(void);      /* AddressSpace *, in order of creation */
void address_space_listen(AddressSpace *as, MemListener *listener);   /* replays the view at once */
void address_space_unlisten(AddressSpace *as, MemListener *listener);

/* Between epoch_enter() and epoch_leave() only. */
const MemView *address_space_view(AddressSpace *as);
const FlatRange *mem_view_find(const MemView *view, uint64_t addr);     /* NULL: nothing there */

/* ---- access ---- */

/* What a DMA or a CPU access met. More than one bit may be set for a long access. */
typedef enum MemResult {
    MEM_OK = 0, MEM_UNMAPPED = 1, MEM_READONLY = 2, MEM_REFUSED = 4
} MemResult;

/*
 * Copies across any ranges.  Unmapped bytes read as ff (memory and ports alike) and swallow writes.
 * Writes to RAM mark dirty.  Any length: work is bounded by `len`.
 */
MemResult mem_read(AddressSpace *as, uint64_t addr, void *buf, uint64_t len);
MemResult mem_write(AddressSpace *as, uint64_t addr, const void *buf, uint64_t len);

/* One access of 1, 2, 4 or 8 bytes, little endian, dispatched whole to an IO region if aligned. */
uint64_t mem_load(AddressSpace *as, uint64_t addr, unsigned size, MemResult *result);
MemResult mem_store(AddressSpace *as, uint64_t addr, uint64_t value, unsigned size);

/* The same on a region and offset already looked up (tcg's slow path, KVM's mmio exits). */
uint64_t mem_region_load(MemRegion *mr, uint64_t offset, unsigned size);
void mem_region_store(MemRegion *mr, uint64_t offset, uint64_t value, unsigned size);

/*
 * Debug access: as mem_write(), but also into ROM (loader, monitor, gdb); never calls a device:
 * IO ranges are MEM_REFUSED.
 */
MemResult mem_write_debug(AddressSpace *as, uint64_t addr, const void *buf, uint64_t len);
MemResult mem_read_debug(AddressSpace *as, uint64_t addr, void *buf, uint64_t len);
/*
 * Debug reads pass their bytes through `fn`, which puts the guest's own in the place of what an
 * engine keeps in guest memory.  NULL: nothing there.  vCPUs standing, machine lock.
 */
typedef void (*MemOverlayFn)(AddressSpace *as, uint64_t addr, uint8_t *buf, uint64_t len);
void mem_set_debug_overlay(MemOverlayFn fn);

/*
 * DMA by a device: as mem_read/mem_write, and MEM_REFUSED where it would re-enter a region of
 * `owner`, also through another device's DMA.  Machine lock.
 */
MemResult dma_read(AddressSpace *as, Object *owner, uint64_t addr, void *buf, uint64_t len);
MemResult dma_write(AddressSpace *as, Object *owner, uint64_t addr, const void *buf, uint64_t len);
/*
 * The host memory behind [addr, addr + *len), for transfers without a copy: *len is cut to what is
 * one piece.  NULL where the first byte is not RAM (`write`: writable RAM).  The pointer stays good
 * as long as the machine, as RAM does; after writing, dma_written() tells those who follow writes.
 * Any thread.
 */
uint8_t *dma_map(AddressSpace *as, uint64_t addr, uint64_t *len, bool write);
void dma_written(const void *host, uint64_t len);
