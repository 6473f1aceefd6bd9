/*
 * The TLB and everything that misses it.
 *
 * The tables of tcg.h hold what the inline fast path needs; beside each entry a TlbInfo holds what
 * flushes and code fetches need.  A per-class list of filled slots makes a flush cost what was
 * used, not the table's size.  Below the TLB a small cache of physical pages spares the search of
 * the memory view.
 *
 * Stores to RAM whose pages carry translated code, or that a display or a migration follows, never
 * get a write tag: each comes here, is recorded, and tells block.c.
 *
 * Threads: all of this belongs to the vCPU's thread, except mmu_flush_host_page() (any thread) and
 * the memory listener, which asks other vCPUs by CPU_EVENT_TLB_FLUSH.
 */
#include <inttypes.h>
#include <string.h>

#include "tcg_sys.h"

#include "cpuid.h"
#include "epoch.h"
#include "tcg_mem.h"
#include "vm_log.h"

#define TLB_PAGE(addr)  ((addr) & ~(PAGE_SIZE_4K - 1))
#define TLB_SLOT(addr)  ((addr) >> PAGE_SHIFT & (TLB_SIZE - 1))

#define PHYS_SLOTS      512
#define PHYS_NONE       UINT64_MAX
#define A20_BIT         (UINT64_C(1) << 20)

/* What one entry translates; valid while `listed`. */
typedef struct TlbInfo {
    Walk walk;
    uint64_t page;                      /* linear */
    RamBlock *ram;                      /* NULL: MMIO or nothing */
    uint64_t ram_page;
    uint8_t *host;
    bool valid;                         /* the translation may be used by the slow path */
    bool listed;                        /* in filled[] */
} TlbInfo;

struct Mmu {
    TlbInfo info[MMU_CLASSES][TLB_SIZE];
    uint16_t filled[MMU_CLASSES][TLB_SIZE];
    unsigned n_filled[MMU_CLASSES];
    bool has_large;                     /* some entry came from a mapping above 4 KiB */
    PhysPage phys[PHYS_SLOTS];
    uint64_t phys_bits_mask;
};

/* Never hits: see mmu_update_class(). */
static TlbEntry no_tlb[TLB_SIZE];

/* ---- physical pages ---- */

uint64_t mmu_phys_mask(const TcgCpu *cpu)
{
    return cpu->x86.vm->a20 ? UINT64_MAX : ~A20_BIT;
}

uint64_t mmu_phys_bits_mask(const TcgCpu *cpu)
{
    return cpu->mmu->phys_bits_mask;
}

AddressSpace *mmu_space(const TcgCpu *cpu)
{
    Vm *vm = cpu->x86.vm;

    return cpu->x86.in_smm && vm->smm_memory.root != NULL ? &vm->smm_memory : &vm->memory;
}

static void phys_page_find(TcgCpu *cpu, PhysPage *slot, uint64_t page)
{
    const FlatRange *range;

    *slot = (PhysPage){ .page = page };
    epoch_enter();
    range = mem_view_find(address_space_view(mmu_space(cpu)), page);
    /* A range that ends inside the page is left to mem_load() and mem_store(). */
    if (range != NULL && range->host != NULL && range->last - page >= PAGE_SIZE_4K - 1) {
        uint64_t offset = range->offset + (page - range->addr);

        if ((offset & (PAGE_SIZE_4K - 1)) == 0) {
            slot->host = range->host + (page - range->addr);
            slot->ram = range->mr->ram;
            slot->ram_page = offset >> PAGE_SHIFT;
            slot->writable = range->mr->kind == MEM_RAM && !range->readonly;
        }
    }
    epoch_leave();
}

const PhysPage *mmu_phys_page(TcgCpu *cpu, uint64_t phys)
{
    PhysPage *slot = &cpu->mmu->phys[phys >> PAGE_SHIFT & (PHYS_SLOTS - 1)];

    if (slot->page != phys) {
        phys_page_find(cpu, slot, phys);
    }
    return slot;
}

/* ---- flushing ---- */

static void entry_clear(TlbEntry *entry)
{
    for (int access = 0; access < 3; access++) {
        __atomic_store_n(&entry->tag[access], TLB_INVALID, __ATOMIC_RELAXED);
    }
}

static void slot_drop(TcgCpu *cpu, int mmu_class, unsigned slot)
{
    entry_clear(&cpu->tlbs[mmu_class][slot]);
    cpu->mmu->info[mmu_class][slot].valid = false;
}

static void class_flush(TcgCpu *cpu, int mmu_class, bool keep_global)
{
    Mmu *mmu = cpu->mmu;
    unsigned kept = 0;

    for (unsigned i = 0; i < mmu->n_filled[mmu_class]; i++) {
        unsigned slot = mmu->filled[mmu_class][i];
        TlbInfo *info = &mmu->info[mmu_class][slot];

        if (keep_global && info->valid && info->walk.global) {
            mmu->filled[mmu_class][kept++] = (uint16_t)slot;
            continue;
        }
        slot_drop(cpu, mmu_class, slot);
        info->listed = false;
    }
    mmu->n_filled[mmu_class] = kept;
}

void mmu_flush_all(TcgCpu *cpu)
{
    for (int mmu_class = 0; mmu_class < MMU_CLASSES; mmu_class++) {
        class_flush(cpu, mmu_class, false);
    }
    cpu->mmu->has_large = false;
    for (unsigned i = 0; i < PHYS_SLOTS; i++) {
        cpu->mmu->phys[i].page = PHYS_NONE;
    }
}

void mmu_flush_non_global(TcgCpu *cpu)
{
    for (int mmu_class = 0; mmu_class < MMU_CLASSES; mmu_class++) {
        class_flush(cpu, mmu_class, true);
    }
}

/* Entries of 4 KiB pieces of a large page that holds `addr`. */
static void class_flush_large(TcgCpu *cpu, int mmu_class, uint64_t addr)
{
    Mmu *mmu = cpu->mmu;

    for (unsigned i = 0; i < mmu->n_filled[mmu_class]; i++) {
        unsigned slot = mmu->filled[mmu_class][i];
        const TlbInfo *info = &mmu->info[mmu_class][slot];

        if (info->valid && ((info->page ^ addr) & ~(info->walk.size - 1)) == 0) {
            slot_drop(cpu, mmu_class, slot);
        }
    }
}

void mmu_flush_page(TcgCpu *cpu, uint64_t addr)
{
    for (int mmu_class = 0; mmu_class < MMU_CLASSES; mmu_class++) {
        unsigned slot = TLB_SLOT(addr);

        if (cpu->mmu->has_large) {
            class_flush_large(cpu, mmu_class, addr);
        } else if (cpu->mmu->info[mmu_class][slot].page == TLB_PAGE(addr)) {
            slot_drop(cpu, mmu_class, slot);
        }
    }
}

void mmu_flush_host_page(TcgCpu *cpu, const uint8_t *host_page)
{
    for (int mmu_class = 0; mmu_class < MMU_CLASSES; mmu_class++) {
        for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
            TlbEntry *entry = &cpu->tlbs[mmu_class][slot];
            uint64_t tag = __atomic_load_n(&entry->tag[ACCESS_WRITE], __ATOMIC_SEQ_CST);
            uintptr_t addend = __atomic_load_n(&entry->addend, __ATOMIC_RELAXED);

            if (tag != TLB_INVALID && tag + addend == (uintptr_t)host_page) {
                __atomic_store_n(&entry->tag[ACCESS_WRITE], TLB_INVALID, __ATOMIC_SEQ_CST);
            }
        }
    }
}

void mmu_update_class(TcgCpu *cpu)
{
    const X86Cpu *x86 = &cpu->x86;
    int mmu_class = MMU_KERNEL;

    if (x86->mode & CPU_MODE_AC) {
        cpu->tlb = no_tlb;
        return;
    }
    if (x86_cpl(x86) == 3) {
        mmu_class = MMU_USER;
    } else if (x86->cr4 & CR4_SMAP && x86->rflags & RFLAGS_AC) {
        mmu_class = MMU_KERNEL_AC;
    }
    cpu->tlb = cpu->tlbs[mmu_class];
}

static int current_class(const TcgCpu *cpu)
{
    if (x86_cpl(&cpu->x86) == 3) {
        return MMU_USER;
    }
    return cpu->x86.cr4 & CR4_SMAP && cpu->x86.rflags & RFLAGS_AC ? MMU_KERNEL_AC : MMU_KERNEL;
}

/* ---- filling ---- */

static bool has_code(const PhysPage *phys)
{
    return ram_dirty_test(phys->ram, DIRTY_CODE, phys->ram_page);
}

/* Somebody wants to know about each store to the page. */
static bool write_followed(const PhysPage *phys)
{
    const RamBlock *ram = phys->ram;

    return __atomic_load_n(&ram->dirty[DIRTY_DISPLAY], __ATOMIC_ACQUIRE) != NULL ||
           __atomic_load_n(&ram->dirty[DIRTY_MIGRATION], __ATOMIC_ACQUIRE) != NULL ||
           has_code(phys);
}

static void set_tag(TlbEntry *entry, int access, uint64_t tag)
{
    __atomic_store_n(&entry->tag[access], tag, __ATOMIC_RELAXED);
}

static void fill_tags(TcgCpu *cpu, int mmu_class, TlbEntry *entry, const TlbInfo *info,
                      const PhysPage *phys)
{
    entry_clear(entry);
    __atomic_store_n(&entry->addend, (uintptr_t)phys->host - info->page, __ATOMIC_RELAXED);
    if (mmu_allowed(cpu, &info->walk, ACCESS_EXEC, mmu_class)) {
        set_tag(entry, ACCESS_EXEC, info->page);
    }
    if (tcg_debug_page_watched(cpu, info->page)) {
        return;
    }
    if (mmu_allowed(cpu, &info->walk, ACCESS_READ, mmu_class)) {
        set_tag(entry, ACCESS_READ, info->page);
    }
    if (phys->writable && info->walk.dirty && !write_followed(phys) &&
        mmu_allowed(cpu, &info->walk, ACCESS_WRITE, mmu_class)) {
        __atomic_store_n(&entry->tag[ACCESS_WRITE], info->page, __ATOMIC_SEQ_CST);
        /* Code may have been translated between the test and the tag: whoever does it sets
         * DIRTY_CODE first and scans this table after, so one of the two sees the other. */
        if (has_code(phys)) {
            set_tag(entry, ACCESS_WRITE, TLB_INVALID);
        }
    }
}

static TlbInfo *tlb_fill(TcgCpu *cpu, int mmu_class, uint64_t addr, const Walk *walk)
{
    Mmu *mmu = cpu->mmu;
    unsigned slot = TLB_SLOT(addr);
    TlbInfo *info = &mmu->info[mmu_class][slot];
    const PhysPage *phys = mmu_phys_page(cpu, walk->phys);

    if (!info->listed) {
        info->listed = true;
        mmu->filled[mmu_class][mmu->n_filled[mmu_class]++] = (uint16_t)slot;
    }
    info->walk = *walk;
    info->page = TLB_PAGE(addr);
    info->ram = phys->ram;
    info->ram_page = phys->ram_page;
    info->host = phys->host;
    info->valid = true;
    mmu->has_large |= walk->size > PAGE_SIZE_4K;
    if (phys->host != NULL) {
        fill_tags(cpu, mmu_class, &cpu->tlbs[mmu_class][slot], info, phys);
    } else {
        entry_clear(&cpu->tlbs[mmu_class][slot]);
    }
    return info;
}

/* The page may have lost its code since its write tag was taken away. */
static void restore_write_tag(TcgCpu *cpu, int mmu_class, uint64_t addr, const TlbInfo *info)
{
    TlbEntry *entry = &cpu->tlbs[mmu_class][TLB_SLOT(addr)];
    const PhysPage *phys = mmu_phys_page(cpu, info->walk.phys);

    if (__atomic_load_n(&entry->tag[ACCESS_WRITE], __ATOMIC_RELAXED) == TLB_INVALID &&
        phys->writable && !write_followed(phys)) {
        fill_tags(cpu, mmu_class, entry, info, phys);
    }
}

static G_NORETURN void page_fault(TcgCpu *cpu, const UOp *u, uint64_t addr, uint32_t error)
{
    if (log_on(LOG_MMU)) {
        log_write(LOG_MMU, "page fault at %016" PRIx64 " error %x cr3 %016" PRIx64 "\n", addr,
                  error, cpu->x86.cr3);
    }
    cpu->x86.cr2 = addr;
    tcg_raise_error(cpu, u, EXC_PF, error);
}

/* The translation of one page for an access, or #PF. */
static TlbInfo *translate(TcgCpu *cpu, const UOp *u, uint64_t addr, int access, int mmu_class)
{
    TlbInfo *info = &cpu->mmu->info[mmu_class][TLB_SLOT(addr)];
    uint32_t error;
    Walk walk;

    if (info->valid && info->page == TLB_PAGE(addr) &&
        (access != ACCESS_WRITE || info->walk.dirty) &&
        mmu_allowed(cpu, &info->walk, access, mmu_class)) {
        if (access == ACCESS_WRITE && info->host != NULL) {
            restore_write_tag(cpu, mmu_class, addr, info);
        }
        return info;
    }
    if (!mmu_walk(cpu, addr, access, mmu_class, &walk, &error)) {
        page_fault(cpu, u, addr, error);
    }
    return tlb_fill(cpu, mmu_class, addr, &walk);
}

/* ---- the bus lock ---- */

/*
 * One mutex for all vCPUs: it makes LOCKed accesses to MMIO, ROM, pages with code and across pages
 * exclude each other, and stores to pages with code, which all come here.  Other plain accesses do
 * not take it; on real machines split locks halt the whole bus.  It nests.
 */
static GMutex bus_lock;
static __thread unsigned bus_depth;

void mmu_bus_lock(void)
{
    if (bus_depth++ == 0) {
        g_mutex_lock(&bus_lock);
    }
}

void mmu_bus_unlock(void)
{
    if (--bus_depth == 0) {
        g_mutex_unlock(&bus_lock);
    }
}

/* ---- one access within a page ---- */

static uint64_t host_load(const uint8_t *host, unsigned size)
{
    switch (size) {
    case 1: return __atomic_load_n(host, __ATOMIC_RELAXED);
    case 2: return __atomic_load_n((const GuestU16 *)host, __ATOMIC_RELAXED);
    case 4: return __atomic_load_n((const GuestU32 *)host, __ATOMIC_RELAXED);
    default: return __atomic_load_n((const GuestU64 *)host, __ATOMIC_RELAXED);
    }
}

static void host_store(uint8_t *host, uint64_t value, unsigned size)
{
    switch (size) {
    case 1: __atomic_store_n(host, (uint8_t)value, __ATOMIC_RELAXED); break;
    case 2: __atomic_store_n((GuestU16 *)host, (uint16_t)value, __ATOMIC_RELAXED); break;
    case 4: __atomic_store_n((GuestU32 *)host, (uint32_t)value, __ATOMIC_RELAXED); break;
    default: __atomic_store_n((GuestU64 *)host, value, __ATOMIC_RELAXED); break;
    }
}

static uint64_t phys_load(TcgCpu *cpu, uint64_t phys, unsigned size)
{
    const PhysPage *page = mmu_phys_page(cpu, TLB_PAGE(phys));

    if (page->host != NULL) {
        return host_load(page->host + (phys & (PAGE_SIZE_4K - 1)), size);
    }
    tcg_fp_release(cpu);
    return mem_load(mmu_space(cpu), phys, size, NULL);
}

static void phys_store(TcgCpu *cpu, uint64_t phys, uint64_t value, unsigned size)
{
    const PhysPage *page = mmu_phys_page(cpu, TLB_PAGE(phys));
    uint64_t offset = phys & (PAGE_SIZE_4K - 1);

    if (!page->writable) {
        tcg_fp_release(cpu);
        mem_store(mmu_space(cpu), phys, value, size);
    } else if (!write_followed(page)) {
        host_store(page->host + offset, value, size);
    } else {
        mmu_bus_lock();
        host_store(page->host + offset, value, size);
        mmu_bus_unlock();
        ram_mark_dirty(page->ram, page->ram_page * PAGE_SIZE_4K + offset, size);
    }
}

/* Any length within a page: the largest pieces that are naturally aligned. */
static void phys_read(TcgCpu *cpu, uint64_t phys, uint8_t *out, unsigned len)
{
    const PhysPage *page = mmu_phys_page(cpu, TLB_PAGE(phys));

    if (page->host != NULL) {
        memcpy(out, page->host + (phys & (PAGE_SIZE_4K - 1)), len);
        return;
    }
    tcg_fp_release(cpu);
    mem_read(mmu_space(cpu), phys, out, len);
}

static void phys_write(TcgCpu *cpu, uint64_t phys, const uint8_t *in, unsigned len)
{
    const PhysPage *page = mmu_phys_page(cpu, TLB_PAGE(phys));
    uint64_t offset = phys & (PAGE_SIZE_4K - 1);

    if (page->writable) {
        memcpy(page->host + offset, in, len);
        if (write_followed(page)) {
            ram_mark_dirty(page->ram, page->ram_page * PAGE_SIZE_4K + offset, len);
        }
        return;
    }
    tcg_fp_release(cpu);
    mem_write(mmu_space(cpu), phys, in, len);
}

/* ---- accesses by linear address ---- */

/* The two halves of an access; the second has length 0 unless it crosses a page. */
typedef struct Span {
    uint64_t phys[2];
    unsigned len[2];
} Span;

static Span span_of(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned len, int access,
                    int mmu_class)
{
    uint64_t offset = addr & (PAGE_SIZE_4K - 1);
    Span span = { .len = { MIN(len, PAGE_SIZE_4K - offset) } };

    span.phys[0] = translate(cpu, u, addr, access, mmu_class)->walk.phys + offset;
    span.len[1] = len - span.len[0];
    if (span.len[1] != 0) {
        uint64_t next = TLB_PAGE(addr) + PAGE_SIZE_4K;

        if (next == UINT64_C(1) << 32 && !(cpu->x86.mode & CPU_MODE_CS64)) {
            next = 0;                               /* 32-bit linear addresses wrap */
        }
        span.phys[1] = translate(cpu, u, next, access, mmu_class)->walk.phys;
    }
    return span;
}

/* A store into bytes of the running block starts its instruction again, alone. */
static void check_code(TcgCpu *cpu, const UOp *u, const Span *span)
{
    for (unsigned i = 0; i < 2 && span->len[i] != 0; i++) {
        const PhysPage *page = mmu_phys_page(cpu, TLB_PAGE(span->phys[i]));

        if (page->writable && has_code(page)) {
            block_check_store(cpu, u, page->host + (span->phys[i] & (PAGE_SIZE_4K - 1)),
                              span->len[i]);
        }
    }
}

/* The debugger stops behind the instruction: so that must not have others behind it. */
static void prepare_watch(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size, int access)
{
    if (G_UNLIKELY(tcg_watching)) {
        tcg_watch_before(cpu, u, addr, size, access);
    }
}

/* Rows DR0–3 and the debugger's list, while the page is watched. */
static void check_watch(TcgCpu *cpu, uint64_t addr, unsigned size, int access)
{
    if (G_UNLIKELY(cpu->x86.mode & CPU_MODE_BREAKS || tcg_watching)) {
        tcg_debug_data_hit(cpu, addr, size, access);
    }
}

/* SDM 3A 6.15, interrupt 17. */
static void check_alignment(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size)
{
    if (G_UNLIKELY(cpu->x86.mode & CPU_MODE_AC) && addr & (size - 1)) {
        tcg_raise_error(cpu, u, EXC_AC, 0);
    }
}

static uint64_t load(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size, int mmu_class)
{
    Span span = span_of(cpu, u, addr, size, ACCESS_READ, mmu_class);
    uint8_t bytes[8] = { 0 };
    uint64_t value;

    if (G_LIKELY(span.len[1] == 0)) {
        return phys_load(cpu, span.phys[0], size);
    }
    phys_read(cpu, span.phys[0], bytes, span.len[0]);
    phys_read(cpu, span.phys[1], bytes + span.len[0], span.len[1]);
    memcpy(&value, bytes, sizeof(value));
    return value;
}

static void store(TcgCpu *cpu, const UOp *u, uint64_t addr, uint64_t value, unsigned size,
                  int mmu_class)
{
    Span span = span_of(cpu, u, addr, size, ACCESS_WRITE, mmu_class);
    uint8_t bytes[8];

    check_code(cpu, u, &span);
    if (G_LIKELY(span.len[1] == 0)) {
        phys_store(cpu, span.phys[0], value, size);
        return;
    }
    memcpy(bytes, &value, sizeof(bytes));
    phys_write(cpu, span.phys[0], bytes, span.len[0]);
    phys_write(cpu, span.phys[1], bytes + span.len[0], span.len[1]);
}

uint64_t mmu_load_slow(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size)
{
    uint64_t value;

    check_alignment(cpu, u, addr, size);
    prepare_watch(cpu, u, addr, size, ACCESS_READ);
    value = load(cpu, u, addr, size, current_class(cpu));
    check_watch(cpu, addr, size, ACCESS_READ);
    return value;
}

void mmu_store_slow(TcgCpu *cpu, const UOp *u, uint64_t addr, uint64_t value, unsigned size)
{
    check_alignment(cpu, u, addr, size);
    prepare_watch(cpu, u, addr, size, ACCESS_WRITE);
    store(cpu, u, addr, value, size, current_class(cpu));
    check_watch(cpu, addr, size, ACCESS_WRITE);
}

void mmu_load_bytes(TcgCpu *cpu, const UOp *u, uint64_t addr, void *buf, unsigned len)
{
    Span span;

    if (len == 0) {
        return;
    }
    prepare_watch(cpu, u, addr, len, ACCESS_READ);
    span = span_of(cpu, u, addr, len, ACCESS_READ, current_class(cpu));
    phys_read(cpu, span.phys[0], buf, span.len[0]);
    if (span.len[1] != 0) {
        phys_read(cpu, span.phys[1], (uint8_t *)buf + span.len[0], span.len[1]);
    }
    check_watch(cpu, addr, len, ACCESS_READ);
}

void mmu_store_bytes(TcgCpu *cpu, const UOp *u, uint64_t addr, const void *buf, unsigned len)
{
    Span span;

    if (len == 0) {
        return;
    }
    prepare_watch(cpu, u, addr, len, ACCESS_WRITE);
    span = span_of(cpu, u, addr, len, ACCESS_WRITE, current_class(cpu));
    check_code(cpu, u, &span);
    phys_write(cpu, span.phys[0], buf, span.len[0]);
    if (span.len[1] != 0) {
        phys_write(cpu, span.phys[1], (const uint8_t *)buf + span.len[0], span.len[1]);
    }
    check_watch(cpu, addr, len, ACCESS_WRITE);
}

void mmu_probe(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size, int access)
{
    span_of(cpu, u, addr, size, access, current_class(cpu));
}

void *mmu_rmw_ptr(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size)
{
    uint64_t offset = addr & (PAGE_SIZE_4K - 1);
    const PhysPage *page;
    Span span;

    check_alignment(cpu, u, addr, size);
    prepare_watch(cpu, u, addr, size, ACCESS_WRITE);
    span = span_of(cpu, u, addr, size, ACCESS_WRITE, current_class(cpu));
    check_code(cpu, u, &span);          /* here, so that it never happens inside the bus lock */
    check_watch(cpu, addr, size, ACCESS_WRITE);
    if (span.len[1] != 0) {
        return NULL;
    }
    page = mmu_phys_page(cpu, TLB_PAGE(span.phys[0]));
    /* Code must be dropped after the write, which only the store path can do. */
    if (!page->writable || has_code(page)) {
        return NULL;
    }
    if (write_followed(page)) {
        ram_mark_dirty(page->ram, page->ram_page * PAGE_SIZE_4K + offset, size);
    }
    return page->host + offset;
}

/* ---- system accesses ---- */

static uint8_t *sys_hit(TcgCpu *cpu, uint64_t addr, unsigned size, int access)
{
    const TlbEntry *entry = &cpu->tlbs[MMU_KERNEL][TLB_SLOT(addr)];

    if (__atomic_load_n(&entry->tag[access], __ATOMIC_RELAXED) != TLB_PAGE(addr + size - 1)) {
        return NULL;
    }
    return (uint8_t *)(uintptr_t)(addr + entry->addend);
}

uint64_t mmu_load_sys(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size)
{
    const uint8_t *host = sys_hit(cpu, addr, size, ACCESS_READ);

    return host != NULL ? host_load(host, size) : load(cpu, u, addr, size, MMU_KERNEL);
}

void mmu_store_sys(TcgCpu *cpu, const UOp *u, uint64_t addr, uint64_t value, unsigned size)
{
    uint8_t *host = sys_hit(cpu, addr, size, ACCESS_WRITE);

    if (host != NULL) {
        host_store(host, value, size);
        return;
    }
    store(cpu, u, addr, value, size, MMU_KERNEL);
}

void mmu_probe_sys(TcgCpu *cpu, const UOp *u, uint64_t addr, unsigned size, int access)
{
    if (sys_hit(cpu, addr, size, access) == NULL) {
        span_of(cpu, u, addr, size, access, MMU_KERNEL);
    }
}

uint8_t *mmu_fetch_page(TcgCpu *cpu, uint64_t addr, uint64_t *phys, RamBlock **block,
                        uint64_t *block_page)
{
    const TlbInfo *info = translate(cpu, NULL, addr, ACCESS_EXEC, current_class(cpu));

    *phys = info->walk.phys;
    *block = info->ram;
    *block_page = info->ram_page;
    return info->host;
}

/* ---- the map of memory changes ---- */

/* Which addresses changed is not worth finding out: the map is quiet once firmware is done. */
typedef struct EngineListener {
    MemListener listener;
    Vm *vm;                             /* NULL: not listening */
} EngineListener;

static void view_changed(MemListener *listener)
{
    Vm *vm = ((EngineListener *)listener)->vm;

    for (guint i = 0; vm->cpus != NULL && i < vm->cpus->len; i++) {
        X86Cpu *x86 = g_ptr_array_index(vm->cpus, i);

        if (vcpu_is_self(x86) && TCG(x86)->mmu != NULL) {
            mmu_flush_all(TCG(x86));
        } else {
            cpu_raise(x86, CPU_EVENT_TLB_FLUSH);
        }
    }
}

static EngineListener memory_listener = { .listener.commit = view_changed };
static EngineListener smm_listener = { .listener.commit = view_changed };

static void listen(EngineListener *listener, Vm *vm, AddressSpace *as)
{
    if (listener->vm == NULL) {
        listener->vm = vm;
        address_space_listen(as, &listener->listener);
    }
}

bool mmu_engine_init(Vm *vm, GError **error)
{
    for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
        entry_clear(&no_tlb[slot]);
    }
    listen(&memory_listener, vm, &vm->memory);
    return true;
}

void mmu_engine_finish(Vm *vm)
{
    if (memory_listener.vm != NULL) {
        address_space_unlisten(&vm->memory, &memory_listener.listener);
    }
    if (smm_listener.vm != NULL) {
        address_space_unlisten(&vm->smm_memory, &smm_listener.listener);
    }
    memory_listener.vm = smm_listener.vm = NULL;
}

/* ---- lifecycle ---- */

void mmu_init(TcgCpu *cpu)
{
    const X86CpuModel *model = cpu->x86.model;
    unsigned phys_bits = model != NULL && model->phys_bits != 0 ? model->phys_bits : 40;
    Vm *vm = cpu->x86.vm;
    bool taken = machine_lock_enter();

    /* The board made its SMM view after the engine started. */
    if (vm->smm_memory.root != NULL && memory_listener.vm == vm) {
        listen(&smm_listener, vm, &vm->smm_memory);
    }
    machine_lock_leave(taken);
    cpu->mmu = g_new0(Mmu, 1);
    cpu->mmu->phys_bits_mask = (UINT64_C(1) << MIN(phys_bits, 52u)) - 1;
    for (int mmu_class = 0; mmu_class < MMU_CLASSES; mmu_class++) {
        for (unsigned slot = 0; slot < TLB_SIZE; slot++) {
            entry_clear(&cpu->tlbs[mmu_class][slot]);
        }
    }
    for (unsigned i = 0; i < PHYS_SLOTS; i++) {
        cpu->mmu->phys[i].page = PHYS_NONE;
    }
    mmu_update_class(cpu);
}

void mmu_finish(TcgCpu *cpu)
{
    g_clear_pointer(&cpu->mmu, g_free);
}
