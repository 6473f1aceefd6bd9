/*
 * The cache of blocks.
 *
 * All vCPUs share it.  One lock guards the tables; running a block takes none.  A block is
 * dropped by clearing its `host`, which every way into it looks at; its memory stays until the
 * whole arena is dropped.  There are two arenas: a full one is abandoned at once, every vCPU is
 * asked to come back to its loop, and when all have been seen there (or are not running) its
 * memory may be used again.  Should that not be so when the other one is full, blocks are decoded
 * for one use until it is.
 */
#include <string.h>
#include <sys/mman.h>

#include "tcg_block.h"

#include "tcg_decode.h"
#include "tcg_sys.h"
#include "vm_log.h"

#define ARENA_BYTES     (32u * 1024 * 1024)
#define HASH_BITS       16
#define PAGE_HASH_BITS  12

/* A page of RAM or ROM that has blocks. */
typedef struct BlockPage {
    RamBlock *ram;
    uint64_t page;
    Block *blocks;                      /* linked by page_next[] */
    struct BlockPage *next;             /* in the hash */
} BlockPage;

struct TcgCodeCache {
    uint32_t epoch;                     /* atomic: the arenas', when last in the loop */
    bool running;                       /* atomic */
    uint64_t found, decoded;
    Block *alone;                       /* memory for one block in no table */
};

static struct {
    GMutex lock;
    Vm *vm;
    uint32_t epoch;                     /* atomic; odd or even says which arena is filled */
    uint8_t *arena[2];
    size_t used;
    Block *hash[1u << HASH_BITS];
    BlockPage *pages[1u << PAGE_HASH_BITS];
    DecodeContext context;
    uint64_t n_blocks, n_insns, n_uops, n_dropped, n_flushes, n_bytes;
} code;

Block block_none;

#define BLOCK_SIZE(n) (sizeof(Block) + (n) * sizeof(UOp))

/* ---- tables; lock held ---- */

static unsigned hash_host(const uint8_t *host, unsigned bits)
{
    return (uint32_t)(((uintptr_t)host * UINT64_C(0x9e3779b97f4a7c15)) >> (64 - bits));
}

static BlockPage **page_slot(const RamBlock *ram, uint64_t page)
{
    return &code.pages[hash_host(ram->host + page * PAGE_SIZE_4K, PAGE_HASH_BITS)];
}

static const uint8_t *page_host(const BlockPage *page)
{
    return page->ram->host + page->page * PAGE_SIZE_4K;
}

static BlockPage *page_find(const RamBlock *ram, uint64_t page)
{
    BlockPage *found = *page_slot(ram, page);

    while (found != NULL && (found->ram != ram || found->page != page)) {
        found = found->next;
    }
    return found;
}

static Block *hash_find(const uint8_t *host, uint32_t mode)
{
    Block *block = code.hash[hash_host(host, HASH_BITS)];

    while (block != NULL && (block->host != host || block->mode != mode)) {
        block = block->hash_next;
    }
    return block;
}

static void hash_remove(Block *block)
{
    Block **link = &code.hash[hash_host(block->host, HASH_BITS)];

    while (*link != block) {
        link = &(*link)->hash_next;
    }
    *link = block->hash_next;
}

static Block **page_link(Block *block, const BlockPage *page)
{
    return &block->page_next[block->pages[0] == page ? 0 : 1];
}

static void page_remove(BlockPage *page, Block *block)
{
    Block **link = &page->blocks;

    while (*link != block) {
        link = page_link(*link, page);
    }
    *link = *page_link(block, page);
}

static void block_drop(Block *block)
{
    hash_remove(block);
    for (int i = 0; i < 2; i++) {
        if (block->pages[i] != NULL) {
            page_remove(block->pages[i], block);
        }
    }
    __atomic_store_n(&block->host, NULL, __ATOMIC_RELEASE);
    code.n_dropped++;
}

/* ---- arenas; lock held ---- */

/* Nobody can still be in the arena that is not being filled. */
static bool other_arena_free(const TcgCpu *self)
{
    for (guint i = 0; i < code.vm->cpus->len; i++) {
        const TcgCpu *cpu = TCG(g_ptr_array_index(code.vm->cpus, i));
        const struct TcgCodeCache *cache = __atomic_load_n(&cpu->code, __ATOMIC_ACQUIRE);

        if (cpu != self && cache != NULL && __atomic_load_n(&cache->running, __ATOMIC_SEQ_CST) &&
            __atomic_load_n(&cache->epoch, __ATOMIC_SEQ_CST) != code.epoch) {
            return false;
        }
    }
    return self->code->epoch == code.epoch;
}

static void abandon_arena(void)
{
    memset(code.hash, 0, sizeof(code.hash));
    memset(code.pages, 0, sizeof(code.pages));
    code.used = 0;
    code.n_flushes++;
    code.n_blocks = code.n_insns = code.n_uops = code.n_bytes = 0;
    __atomic_store_n(&code.epoch, code.epoch + 1, __ATOMIC_SEQ_CST);
    for (guint i = 0; i < code.vm->cpus->len; i++) {
        X86Cpu *x86 = g_ptr_array_index(code.vm->cpus, i);

        __atomic_fetch_or(&x86->events, CPU_EVENT_TLB_FLUSH, __ATOMIC_SEQ_CST);
    }
}

void block_drop_all(void)
{
    g_mutex_lock(&code.lock);
    if (code.vm != NULL) {
        abandon_arena();
    }
    g_mutex_unlock(&code.lock);
}

/* Makes room for the largest block and two pages; false: not now. */
static bool arena_reserve(const TcgCpu *cpu)
{
    size_t most = BLOCK_SIZE(MAX_BLOCK_UOPS) + 2 * sizeof(BlockPage) + 64;

    if (code.used + most <= ARENA_BYTES) {
        return true;
    }
    if (!other_arena_free(cpu)) {
        return false;
    }
    abandon_arena();
    return true;
}

static void *arena_alloc(size_t size)
{
    uint8_t *at = code.arena[code.epoch & 1] + code.used;

    code.used += (size + 15) & ~(size_t)15;
    return at;
}

/* Stores to the page become slow before its bytes are read. */
static BlockPage *page_get(RamBlock *ram, uint64_t page)
{
    BlockPage *found = page_find(ram, page);

    if (found == NULL) {
        BlockPage **slot = page_slot(ram, page);

        found = arena_alloc(sizeof(*found));
        *found = (BlockPage){ .ram = ram, .page = page, .next = *slot };
        *slot = found;
    }
    if (found->blocks == NULL) {
        ram_dirty_start(ram, DIRTY_CODE);
        ram_dirty_set(ram, DIRTY_CODE, page);
        for (guint i = 0; i < code.vm->cpus->len; i++) {
            mmu_flush_host_page(TCG(g_ptr_array_index(code.vm->cpus, i)),
                                ram->host + page * PAGE_SIZE_4K);
        }
    }
    return found;
}

/* ---- writes to code ---- */

static const UOp *last_of(const UOp *u)
{
    while (!(u->flags & UOP_LAST)) {
        u++;
    }
    return u;
}

static G_NORETURN void restart_alone(TcgCpu *cpu, const UOp *u)
{
    cpu->one_insn = true;
    cpu->x86.rip = tcg_insn_rip(cpu, u);
    tcg_restart(cpu);
}

void block_restart_alone(TcgCpu *cpu, const UOp *u)
{
    if (u != NULL && block_of_last(last_of(u))->n_insns > 1) {
        restart_alone(cpu, u);
    }
}

void block_check_store(TcgCpu *cpu, const UOp *u, const uint8_t *host, unsigned len)
{
    const UOp *last;
    const Block *block;
    const uint8_t *rest;

    if (u == NULL) {
        return;
    }
    last = last_of(u);
    block = block_of_last(last);
    if (block->n_insns == 1 || u->insn_off == last->insn_off || block_host(block) == NULL) {
        return;
    }
    rest = block->host + u->insn_off + u->insn_len;
    if (host < block->host + block->bytes && host + len > rest) {
        restart_alone(cpu, u);
    }
}

static bool block_has(const Block *block, const uint8_t *first, const uint8_t *end, unsigned page)
{
    const uint8_t *start = block->host;
    unsigned bytes = block->bytes;

    if (page == 1) {                    /* only the tail of a straddling instruction lies here */
        unsigned head = PAGE_SIZE_4K - ((uintptr_t)block->host & (PAGE_SIZE_4K - 1));

        start = page_host(block->pages[1]);
        if (bytes <= head) {
            return false;
        }
        bytes -= head;
    }
    return start < end && first < start + bytes;
}

void block_code_written(RamBlock *ram, uint64_t offset, uint64_t len)
{
    const uint8_t *first = ram->host + offset, *end = first + len;
    BlockPage *page;
    Block *block;

    g_mutex_lock(&code.lock);
    page = page_find(ram, offset >> PAGE_SHIFT);
    block = page != NULL ? page->blocks : NULL;
    while (block != NULL) {
        Block *next = *page_link(block, page);

        if (block_has(block, first, end, block->pages[0] == page ? 0 : 1)) {
            block_drop(block);
        }
        block = next;
    }
    if (page == NULL || page->blocks == NULL) {
        ram_dirty_clear(ram, DIRTY_CODE, offset >> PAGE_SHIFT);
    }
    g_mutex_unlock(&code.lock);
}

/* ---- finding and making ---- */

/* Where the bytes of a block come from. */
typedef struct CodePage {
    uint8_t *host;
    uint64_t phys;
    RamBlock *ram;
    uint64_t page;
} CodePage;

static CodePage code_page(TcgCpu *cpu, uint64_t linear)
{
    CodePage page;

    page.host = mmu_fetch_page(cpu, linear, &page.phys, &page.ram, &page.page);
    return page;
}

static void block_fill(Block *block, const DecodeContext *d, const uint8_t *host, uint32_t mode)
{
    *block = (Block){ .host = host, .mode = mode, .n_insns = (uint16_t)d->n_insns,
                      .n_uops = (uint16_t)d->n_uops, .chain = { &block_none, &block_none } };
    block->bytes = (uint16_t)(d->uops[d->n_uops - 1].insn_off + d->uops[d->n_uops - 1].insn_len);
    memcpy(block->uops, d->uops, d->n_uops * sizeof(UOp));
}

static Block *block_insert(const DecodeContext *d, const CodePage *first, const CodePage *second,
                           const uint8_t *host, uint32_t mode)
{
    Block *block = arena_alloc(BLOCK_SIZE(d->n_uops));
    Block **slot = &code.hash[hash_host(host, HASH_BITS)];

    block_fill(block, d, host, mode);
    block->pages[0] = page_get(first->ram, first->page);
    block->page_next[0] = block->pages[0]->blocks;
    block->pages[0]->blocks = block;
    if (second != NULL) {
        block->pages[1] = page_get(second->ram, second->page);
        block->page_next[1] = block->pages[1]->blocks;
        block->pages[1]->blocks = block;
    }
    block->hash_next = *slot;
    *slot = block;
    code.n_blocks++;
    code.n_insns += d->n_insns;
    code.n_uops += d->n_uops;
    code.n_bytes += block->bytes;
    return block;
}

/* Bytes up to the end of the code segment; #GP beyond it. */
static uint64_t code_room(TcgCpu *cpu)
{
    const X86Cpu *x86 = &cpu->x86;

    if (x86->mode & CPU_MODE_CS64) {
        if (!tcg_canonical(x86->rip)) {
            tcg_raise_error(cpu, NULL, EXC_GP, 0);
        }
        return UINT64_MAX;
    }
    if (x86->rip > x86->seg[SEG_CS].limit) {
        tcg_raise_error(cpu, NULL, EXC_GP, 0);
    }
    return x86->seg[SEG_CS].limit - x86->rip + 1;
}

static uint64_t next_page_linear(const X86Cpu *x86, uint64_t linear)
{
    uint64_t next = (linear & ~(PAGE_SIZE_4K - 1)) + PAGE_SIZE_4K;

    return x86->mode & CPU_MODE_CS64 ? next : (uint32_t)next;
}

/* Bytes of code that is not memory we may look at: through the device, up to the page's end. */
static void code_bytes(TcgCpu *cpu, const CodePage *page, unsigned offset, uint8_t *buf,
                       unsigned len)
{
    if (page->host != NULL) {
        memcpy(buf, page->host + offset, len);
    } else {
        mem_read(mmu_space(cpu), page->phys + offset, buf, len);
    }
}

/* One instruction in a block of its own, for one use. */
static Block *block_alone(TcgCpu *cpu, uint64_t linear, uint64_t room)
{
    unsigned offset = linear & (PAGE_SIZE_4K - 1), avail = MIN(15, PAGE_SIZE_4K - offset);
    uint8_t bytes[15], next[15];
    CodePage page = code_page(cpu, linear);
    DecodeInput in = { .bytes = bytes, .avail = avail, .room = room, .max_insns = 1,
                       .mode = cpu->x86.mode, .model = cpu->x86.model,
                       .no_break = cpu->no_break };
    Block *block = cpu->code->alone;

    cpu->no_break = false;
    code_bytes(cpu, &page, offset, bytes, avail);
    g_mutex_lock(&code.lock);
    code.context.page_off = offset;
    if (!decode_block(&code.context, &in)) {
        g_mutex_unlock(&code.lock);
        page = code_page(cpu, next_page_linear(&cpu->x86, linear));
        code_bytes(cpu, &page, 0, next, sizeof(next));
        in.next_page = next;
        g_mutex_lock(&code.lock);
        code.context.page_off = offset;
        decode_block(&code.context, &in);
    }
    block_fill(block, &code.context, bytes, BLOCK_ALONE);
    block->host = (const uint8_t *)block;           /* not dead */
    g_mutex_unlock(&code.lock);
    return block;
}

/* Lock held.  NULL: no room, or *straddles. */
static Block *block_make(TcgCpu *cpu, const DecodeInput *in, const CodePage *first,
                         const CodePage *second, uint32_t key, bool *straddles)
{
    DecodeContext *d = &code.context;
    Block *block;

    *straddles = false;
    if (!arena_reserve(cpu)) {
        return NULL;
    }
    page_get(first->ram, first->page);
    if (second != NULL) {
        page_get(second->ram, second->page);
    }
    d->page_off = PAGE_SIZE_4K - in->avail;
    if (!decode_block(d, in)) {
        *straddles = true;
        return NULL;
    }
    cpu->code->decoded++;
    block = block_insert(d, first, second, in->bytes, key);
    if (log_on(LOG_IN_ASM | LOG_OP)) {
        /* The bytes of a straddling instruction are not in one piece. */
        block_log(block, second != NULL ? NULL : in->bytes, x86_linear_rip(&cpu->x86));
    }
    return block;
}

static Block *block_make_straddling(TcgCpu *cpu, DecodeInput *in, uint64_t linear,
                                    const CodePage *first, uint32_t key)
{
    CodePage second = code_page(cpu, next_page_linear(&cpu->x86, linear));
    const uint8_t *tail = second.host;
    Block *block;
    bool again;

    if (second.host == NULL || second.ram == NULL) {
        return NULL;
    }
    in->next_page = second.host;
    g_mutex_lock(&code.lock);
    block = hash_find(in->bytes, key);
    if (block != NULL && (block->pages[1] == NULL || page_host(block->pages[1]) != tail)) {
        block_drop(block);              /* its second half was another page */
        block = NULL;
    }
    if (block == NULL) {
        block = block_make(cpu, in, first, &second, key, &again);
    }
    g_mutex_unlock(&code.lock);
    return block;
}

static Block *block_get(TcgCpu *cpu, uint64_t linear, uint64_t room, uint32_t key)
{
    unsigned offset = linear & (PAGE_SIZE_4K - 1);
    CodePage page = code_page(cpu, linear);
    DecodeInput in = { .bytes = page.host + offset, .avail = (unsigned)(PAGE_SIZE_4K - offset),
                       .room = room, .mode = key, .model = cpu->x86.model,
                       .max_insns = key & (CPU_MODE_TF | CPU_MODE_BREAKS) ? 1 : MAX_BLOCK_INSNS };
    bool straddles = false;
    Block *block;

    if (page.host == NULL || page.ram == NULL) {
        return NULL;
    }
    g_mutex_lock(&code.lock);
    block = hash_find(in.bytes, key);
    if (block == NULL) {
        block = block_make(cpu, &in, &page, NULL, key, &straddles);
    } else {
        straddles = block->pages[1] != NULL;
    }
    g_mutex_unlock(&code.lock);
    return straddles ? block_make_straddling(cpu, &in, linear, &page, key) : block;
}

Block *block_find(TcgCpu *cpu)
{
    X86Cpu *x86 = &cpu->x86;
    uint64_t linear = x86_linear_rip(x86), room = code_room(cpu);
    uint32_t key = (x86->mode & BLOCK_MODE_MASK) | (log_on(LOG_EXEC | LOG_CPU) ? BLOCK_TRACED : 0);
    Block *block;

    cpu->code->found++;
    if (G_UNLIKELY(cpu->one_insn)) {
        cpu->one_insn = false;
        return block_alone(cpu, linear, room);
    }
    block = block_get(cpu, linear, room, key);
    if (G_UNLIKELY(block == NULL || block->bytes > room)) {
        return block_alone(cpu, linear, room);
    }
    if (!(key & (CPU_MODE_TF | CPU_MODE_BREAKS | BLOCK_TRACED)) && block->pages[1] == NULL) {
        cpu->jump_cache[jump_slot(linear)] = block;
    }
    return block;
}

/* ---- leaving a block ---- */

const UOp *block_chain_miss(TcgCpu *cpu, const UOp *u, unsigned slot, uint64_t rip)
{
    cpu->link = &block_of_last(u)->chain[slot];
    cpu->x86.rip = rip;
    LEAVE();
}

const UOp *block_jump_miss(TcgCpu *cpu, uint64_t rip)
{
    cpu->x86.rip = rip;
    LEAVE();
}

/* ---- a vCPU's part ---- */

static void forget_jumps(TcgCpu *cpu)
{
    for (unsigned i = 0; i < JUMP_CACHE_SIZE; i++) {
        cpu->jump_cache[i] = &block_none;
    }
}

void block_loop_top(TcgCpu *cpu)
{
    uint32_t epoch = __atomic_load_n(&code.epoch, __ATOMIC_RELAXED);

    if (G_UNLIKELY(cpu->code->epoch != epoch)) {
        forget_jumps(cpu);
        cpu->link = NULL;
        __atomic_store_n(&cpu->code->epoch, epoch, __ATOMIC_SEQ_CST);
    }
}

void block_cpu_enter(TcgCpu *cpu)
{
    cpu->link = NULL;
    __atomic_store_n(&cpu->code->running, true, __ATOMIC_SEQ_CST);
    block_loop_top(cpu);
}

void block_cpu_leave(TcgCpu *cpu)
{
    __atomic_store_n(&cpu->code->running, false, __ATOMIC_SEQ_CST);
}

void block_cpu_init(TcgCpu *cpu)
{
    struct TcgCodeCache *cache = g_new0(struct TcgCodeCache, 1);

    cache->alone = g_malloc0(BLOCK_SIZE(MAX_BLOCK_UOPS));
    cache->epoch = __atomic_load_n(&code.epoch, __ATOMIC_SEQ_CST);
    forget_jumps(cpu);
    __atomic_store_n(&cpu->code, cache, __ATOMIC_RELEASE);
}

void block_cpu_finish(TcgCpu *cpu)
{
    struct TcgCodeCache *cache = cpu->code;

    g_mutex_lock(&code.lock);
    cpu->code = NULL;
    g_mutex_unlock(&code.lock);
    if (cache != NULL) {
        g_free(cache->alone);
        g_free(cache);
    }
}

/* ---- lifecycle ---- */

void block_engine_init(Vm *vm)
{
    code.vm = vm;
    for (int i = 0; i < 2 && code.arena[i] == NULL; i++) {
        void *at = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        g_assert(at != MAP_FAILED);
        code.arena[i] = at;
    }
    ram_set_code_written(block_code_written);
}

void block_engine_finish(void)
{
    ram_set_code_written(NULL);
    memset(code.hash, 0, sizeof(code.hash));
    memset(code.pages, 0, sizeof(code.pages));
    for (int i = 0; i < 2; i++) {
        if (code.arena[i] != NULL) {
            munmap(code.arena[i], ARENA_BYTES);
            code.arena[i] = NULL;
        }
    }
    code.used = 0;
    code.epoch++;
}

void block_print_jit(GString *out)
{
    uint64_t found = 0, decoded = 0;

    g_mutex_lock(&code.lock);
    for (guint i = 0; code.vm != NULL && i < code.vm->cpus->len; i++) {
        const struct TcgCodeCache *cache = TCG(g_ptr_array_index(code.vm->cpus, i))->code;

        found += cache != NULL ? cache->found : 0;
        decoded += cache != NULL ? cache->decoded : 0;
    }
    g_string_append_printf(out, "Translation buffer state:\n");
    g_string_append_printf(out, "gen code size       %zu/%u\n", code.used, ARENA_BYTES);
    g_string_append_printf(out, "TB count            %" G_GUINT64_FORMAT "\n", code.n_blocks);
    g_string_append_printf(out, "TB avg target size  %" G_GUINT64_FORMAT " insns %" G_GUINT64_FORMAT
                           " bytes\n", code.n_blocks ? code.n_insns / code.n_blocks : 0,
                           code.n_blocks ? code.n_bytes / code.n_blocks : 0);
    g_string_append_printf(out, "TB avg host size    %" G_GUINT64_FORMAT " micro-ops\n",
                           code.n_blocks ? code.n_uops / code.n_blocks : 0);
    g_string_append_printf(out, "\nStatistics:\n");
    g_string_append_printf(out, "TB flush count      %" G_GUINT64_FORMAT "\n", code.n_flushes);
    g_string_append_printf(out, "TB invalidate count %" G_GUINT64_FORMAT "\n", code.n_dropped);
    g_string_append_printf(out, "TB lookups          %" G_GUINT64_FORMAT "\n", found);
    g_string_append_printf(out, "TB decoded          %" G_GUINT64_FORMAT "\n", decoded);
    g_mutex_unlock(&code.lock);
}
