/* RAM blocks and their dirty bitmaps. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

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
static uint8_t *map_anonymous(uint64_t size)
{
    uint64_t slack = size >= HUGE_PAGE ? HUGE_PAGE : 0;
    uint8_t *base = mmap(NULL, size + slack, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    uint64_t head;

    if (base == MAP_FAILED || slack == 0) {
        return base;
    }
    head = -(uintptr_t)base & (HUGE_PAGE - 1);
    if (head != 0) {
        munmap(base, head);
    }
    if (slack - head != 0) {
        munmap(base + head + size, slack - head);
    }
    madvise(base + head, size, MADV_HUGEPAGE);
    return base + head;
}

RamBlock *ram_block_new(const char *name, uint64_t size, GError **error)
{
    uint64_t bytes = (size + PAGE_SIZE_4K - 1) & ~(PAGE_SIZE_4K - 1);
    g_autofree char *human = format_size(size);
    RamBlock *block;
    uint8_t *host;

    if (size == 0 || bytes < size) {
        set_error(error, "memory '%s' cannot have a size of %s", name, human);
        return NULL;
    }
    host = map_anonymous(bytes);
    if (host == MAP_FAILED) {
        set_errno_error(error, errno, "cannot allocate %s for memory '%s'", human, name);
        return NULL;
    }
    block = g_new0(RamBlock, 1);
    block->name = g_strdup(name);
    block->host = host;
    block->size_bytes = bytes;
    block->offset = next_offset();
    block->fd = -1;
    g_ptr_array_add(blocks, block);
    publish_blocks();
    return block;
}

static void block_destroy(gpointer data)
{
    RamBlock *block = data;

    munmap(block->host, block->size_bytes);
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
