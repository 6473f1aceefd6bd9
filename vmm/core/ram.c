/* RAM blocks and their dirty bitmaps. */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "epoch.h"
#include "lock.h"
#include "memmap.h"
#include "rhea_error.h"
#include "sizes.h"

enum { HUGE_PAGE = 2 * 1024 * 1024 };

static GPtrArray *blocks;                   /* machine lock */
static RamBlock **published;                /* the same for readers without it, NULL-terminated */
static RamCodeWrittenFn code_written;

const GPtrArray *ram_blocks(void)
{
    if (blocks == NULL) {
        blocks = g_ptr_array_new();
    }
    return blocks;
}

static void publish_blocks(void)
{
    RamBlock **old = published, **new = g_new0(RamBlock *, blocks->len + 1);

    for (guint i = 0; i < blocks->len; i++) {
        new[i] = g_ptr_array_index(blocks, i);
    }
    __atomic_store_n(&published, new, __ATOMIC_SEQ_CST);
    if (old != NULL) {
        epoch_retire(old, g_free);
    }
}

/*
 * Blocks follow each other in one space of offsets, each on a boundary that suits its bitmap
 * words.
 */
static uint64_t next_offset(void)
{
    uint64_t end = 0;

    for (guint i = 0; i < ram_blocks()->len; i++) {
        const RamBlock *block = g_ptr_array_index(blocks, i);

        end = MAX(end, block->offset + block->size_bytes);
    }
    return (end + 0x3ffff) & ~UINT64_C(0x3ffff);
}

/* Aligned for huge pages where the block is large enough to have one. */
static uint8_t *map_source(const RamSource *source, uint64_t size)
{
    int flags = (source->shared ? MAP_SHARED : MAP_PRIVATE) |
                (source->fd < 0 ? MAP_ANONYMOUS : 0) | (source->no_reserve ? MAP_NORESERVE : 0);
    uint64_t align = MAX(source->align, size >= HUGE_PAGE ? HUGE_PAGE : PAGE_SIZE_4K), head;
    uint8_t *room = mmap(NULL, size + align, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                         -1, 0);
    uint8_t *base;

    if (room == MAP_FAILED) {
        return MAP_FAILED;
    }
    head = -(uintptr_t)room & (align - 1);
    base = mmap(room + head, size, PROT_READ | PROT_WRITE, flags | MAP_FIXED, source->fd, 0);
    if (base == MAP_FAILED) {
        int why = errno;

        munmap(room, size + align);
        errno = why;
        return MAP_FAILED;
    }
    if (head != 0) {
        munmap(room, head);
    }
    if (align - head != 0) {
        munmap(base + size, align - head);
    }
    if (source->fd < 0 && size >= HUGE_PAGE) {
        madvise(base, size, MADV_HUGEPAGE);
    }
    if (source->no_dump) {
        madvise(base, size, MADV_DONTDUMP);
    }
    if (source->mergeable) {
        madvise(base, size, MADV_MERGEABLE);    /* a kernel without KSM has nothing to merge with */
    }
    return base;
}

/* ---- taking the memory beforehand ---- */

typedef struct Populate {
    uint8_t *start;
    uint64_t len;
    int error;                              /* errno, 0: done */
} Populate;

static gpointer populate(gpointer opaque)
{
    Populate *part = opaque;

    part->error = madvise(part->start, part->len, MADV_POPULATE_WRITE) == 0 ? 0 : errno;
    return NULL;
}

static bool prealloc(const RamSource *source, uint8_t *host, uint64_t size, GError **error)
{
    unsigned threads = CLAMP(source->prealloc_threads, 1, 64);
    uint64_t step = ((size / threads) + HUGE_PAGE - 1) & ~(uint64_t)(HUGE_PAGE - 1);
    g_autofree Populate *parts = g_new0(Populate, threads);
    g_autofree GThread **running = g_new0(GThread *, threads);
    int why = 0;

    for (unsigned i = 0; i < threads && i * step < size; i++) {
        parts[i] = (Populate){ host + i * step, MIN(step, size - i * step), 0 };
        running[i] = g_thread_new("prealloc", populate, &parts[i]);
    }
    for (unsigned i = 0; i < threads; i++) {
        if (running[i] != NULL) {
            g_thread_join(running[i]);
            why = why != 0 ? why : parts[i].error;
        }
    }
    if (why != 0) {
        set_errno_error(error, why, "preallocating memory '%s' failed", source->name);
    }
    return why == 0;
}

/* Of huge pages the host can only take back whole ones. */
static uint64_t fd_page_size(int fd)
{
    struct statfs fs;

    return fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC ? (uint64_t)fs.f_bsize
                                                                           : PAGE_SIZE_4K;
}

void ram_discard(RamBlock *block, uint64_t offset, uint64_t len)
{
    uint64_t end = (offset + len) & ~(block->page_bytes - 1);

    offset = (offset + block->page_bytes - 1) & ~(block->page_bytes - 1);
    if (offset >= end) {
        return;
    }
    if (block->shared && block->fd >= 0) {
        fallocate(block->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, end - offset);
    } else {
        madvise(block->host + offset, end - offset, MADV_DONTNEED);
    }
    ram_mark_dirty(block, offset, end - offset);
}

RamBlock *ram_block_new_from(const RamSource *source, GError **error)
{
    uint64_t bytes = (source->size + PAGE_SIZE_4K - 1) & ~(PAGE_SIZE_4K - 1);
    g_autofree char *human = format_size(source->size);
    RamBlock *block;
    uint8_t *host;

    if (source->size == 0 || bytes < source->size || bytes > INT64_MAX) {
        set_error(error, "memory '%s' cannot have a size of %s", source->name, human);
        return NULL;
    }
    host = map_source(source, bytes);
    if (host == MAP_FAILED) {
        set_errno_error(error, errno, "cannot allocate %s for memory '%s'", human, source->name);
        return NULL;
    }
    if (source->prealloc && !prealloc(source, host, bytes, error)) {
        munmap(host, bytes);
        return NULL;
    }
    block = g_new0(RamBlock, 1);
    block->name = g_strdup(source->name);
    block->host = host;
    block->size_bytes = bytes;
    block->offset = next_offset();
    block->fd = source->fd;
    block->shared = source->shared;
    block->page_bytes = fd_page_size(source->fd);
    g_ptr_array_add(blocks, block);
    publish_blocks();
    return block;
}

RamBlock *ram_block_new(const char *name, uint64_t size, GError **error)
{
    return ram_block_new_from(&(RamSource){ .name = name, .size = size, .fd = -1,
                                            .no_reserve = true }, error);
}

static void block_destroy(gpointer data)
{
    RamBlock *block = data;

    munmap(block->host, block->size_bytes);
    if (block->fd >= 0) {
        close(block->fd);
    }
    for (int client = 0; client < DIRTY_CLIENTS; client++) {
        g_free(block->dirty[client]);
    }
    g_free(block->name);
    g_free(block);
}

void ram_block_free(RamBlock *block)
{
    if (block == NULL) {
        return;
    }
    ram_mark_dirty(block, 0, block->size_bytes);        /* drops translated code */
    g_ptr_array_remove(blocks, block);
    publish_blocks();
    mem_retire(block, block_destroy);
}

RamBlock *ram_block_of(const void *host, uint64_t *offset)
{
    RamBlock *found = NULL;

    epoch_enter();
    for (RamBlock **at = __atomic_load_n(&published, __ATOMIC_SEQ_CST);
         at != NULL && *at != NULL && found == NULL; at++) {
        *offset = (uintptr_t)host - (uintptr_t)(*at)->host;
        found = *offset < (*at)->size_bytes ? *at : NULL;
    }
    epoch_leave();
    return found;
}

/* ---- dirty bitmaps ---- */

bool ram_dirty_start(RamBlock *block, DirtyClient client)
{
    uint64_t words = (block->size_bytes / PAGE_SIZE_4K + 63) / 64;
    unsigned long *map;

    if (block->dirty[client] != NULL) {
        return true;
    }
    map = g_try_new0(unsigned long, words);
    __atomic_store_n(&block->dirty[client], map, __ATOMIC_RELEASE);
    return map != NULL;
}

void ram_dirty_set(RamBlock *block, DirtyClient client, uint64_t page)
{
    unsigned long *map = __atomic_load_n(&block->dirty[client], __ATOMIC_ACQUIRE);

    if (map != NULL) {
        __atomic_fetch_or(&map[page / 64], 1ul << (page % 64), __ATOMIC_SEQ_CST);
    }
}

void ram_dirty_clear(RamBlock *block, DirtyClient client, uint64_t page)
{
    unsigned long *map = __atomic_load_n(&block->dirty[client], __ATOMIC_ACQUIRE);

    if (map != NULL) {
        __atomic_fetch_and(&map[page / 64], ~(1ul << (page % 64)), __ATOMIC_SEQ_CST);
    }
}

bool ram_dirty_fetch(RamBlock *block, DirtyClient client, uint64_t first, uint64_t npages,
                     unsigned long *out)
{
    unsigned long *map = __atomic_load_n(&block->dirty[client], __ATOMIC_ACQUIRE);
    bool any = false;

    memset(out, 0, (npages + 63) / 64 * sizeof(*out));
    for (uint64_t i = 0; map != NULL && i < npages; i++) {
        uint64_t page = first + i;
        unsigned long bit = 1ul << (page % 64);

        if (__atomic_load_n(&map[page / 64], __ATOMIC_RELAXED) & bit) {
            __atomic_fetch_and(&map[page / 64], ~bit, __ATOMIC_SEQ_CST);
            out[i / 64] |= 1ul << (i % 64);
            any = true;
        }
    }
    return any;
}

void ram_set_code_written(RamCodeWrittenFn fn)
{
    code_written = fn;
}

void ram_mark_dirty(RamBlock *block, uint64_t offset, uint64_t len)
{
    if (len == 0) {
        return;
    }
    for (uint64_t page = offset >> PAGE_SHIFT; page <= (offset + len - 1) >> PAGE_SHIFT; page++) {
        ram_dirty_set(block, DIRTY_DISPLAY, page);
        ram_dirty_set(block, DIRTY_MIGRATION, page);
        if (ram_dirty_test(block, DIRTY_CODE, page) && code_written != NULL) {
            uint64_t first = MAX(offset, page << PAGE_SHIFT);
            uint64_t end = MIN(offset + len, (page + 1) << PAGE_SHIFT);

            code_written(block, first, end - first);
        }
    }
}
