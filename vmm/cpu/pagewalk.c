/*
 * Guest page tables read from outside.  SDM volume 3A chapter 4: figures 4-4 (32-bit), 4-7 (PAE),
 * 4-11 (4- and 5-level) and their entry formats.
 *
 * A guest owns its tables and may point them at each other in a way that maps the whole address
 * space over and over, so a full walk stops after WALK_TABLES tables.
 */
#include "pagewalk.h"

#include <string.h>

#define PTE_P   (UINT64_C(1) << 0)
#define PTE_W   (UINT64_C(1) << 1)
#define PTE_U   (UINT64_C(1) << 2)
#define PTE_PWT (UINT64_C(1) << 3)
#define PTE_PCD (UINT64_C(1) << 4)
#define PTE_A   (UINT64_C(1) << 5)
#define PTE_D   (UINT64_C(1) << 6)
#define PTE_PS  (UINT64_C(1) << 7)
#define PTE_G   (UINT64_C(1) << 8)
#define PTE_NX  (UINT64_C(1) << 63)
#define PTE_ADDR UINT64_C(0x000ffffffffff000)

#define CR3_ADDR_32     UINT64_C(0xfffff000)
#define CR3_ADDR_PAE    UINT64_C(0xffffffe0)

#define WALK_TABLES (1u << 18)

/* One paging mode: how many levels, and how wide an entry's index is at each, top first. */
typedef struct PagingMode {
    unsigned levels;
    unsigned entry_bytes;
    uint8_t shift[5];               /* of the address, for the index into the table at that level */
    uint16_t entries[5];
    bool large[5];                  /* PS in an entry of that level maps a page */
    uint64_t root;
    bool pae;                       /* entries of the first level hold neither U nor W (PDPTEs) */
    bool canonical;
    bool nx;
} PagingMode;

static PagingMode paging_mode(const X86Cpu *cpu)
{
    PagingMode mode = { .entry_bytes = 8, .nx = cpu->efer & EFER_NXE };

    if (!(cpu->cr4 & CR4_PAE)) {
        mode = (PagingMode){
            .levels = 2, .entry_bytes = 4, .shift = { 22, 12 }, .entries = { 1024, 1024 },
            .large = { cpu->cr4 & CR4_PSE }, .root = cpu->cr3 & CR3_ADDR_32,
        };
    } else if (!(cpu->efer & EFER_LMA)) {
        mode.levels = 3;
        memcpy(mode.shift, (uint8_t[]){ 30, 21, 12 }, 3);
        memcpy(mode.entries, (uint16_t[]){ 4, 512, 512 }, 6);
        mode.large[1] = true;
        mode.root = cpu->cr3 & CR3_ADDR_PAE;
        mode.pae = true;
    } else {
        unsigned skip = cpu->cr4 & CR4_LA57 ? 0 : 1;
        static const uint8_t shifts[5] = { 48, 39, 30, 21, 12 };

        mode.levels = 5 - skip;
        for (unsigned i = 0; i < mode.levels; i++) {
            mode.shift[i] = shifts[i + skip];
            mode.entries[i] = 512;
            mode.large[i] = mode.shift[i] == 30 || mode.shift[i] == 21;
        }
        mode.root = cpu->cr3 & PTE_ADDR;
        mode.canonical = true;
    }
    return mode;
}

static AddressSpace *memory_of(const X86Cpu *cpu)
{
    return cpu->in_smm && cpu->vm->smm_memory.root ? &cpu->vm->smm_memory : &cpu->vm->memory;
}

/* The address line that old PCs gate. */
static uint64_t a20_mask(const X86Cpu *cpu, uint64_t phys)
{
    return cpu->vm->a20 ? phys : phys & ~(UINT64_C(1) << 20);
}

static uint64_t sign_extend(const PagingMode *mode, uint64_t virt)
{
    unsigned top = mode->shift[0] + 9;

    return mode->canonical && virt >> (top - 1) & 1 ? virt | ~UINT64_C(0) << top : virt;
}

static uint64_t entry_at(const uint8_t *table, unsigned entry_bytes, unsigned index)
{
    uint64_t entry = 0;

    memcpy(&entry, table + index * entry_bytes, entry_bytes);
    return entry;
}

/* Where a last-level entry points: PSE-36 puts address bits 39:32 into bits 20:13 (table 4-4). */
static uint64_t page_base(const PagingMode *mode, uint64_t entry, uint64_t size)
{
    if (mode->entry_bytes == 4 && size > PAGE_SIZE_4K) {
        return (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
    }
    return entry & PTE_ADDR & ~(size - 1);
}

/* Rights gathered on the way down. */
typedef struct Rights { bool user, writable, no_execute; } Rights;

static Rights narrow(const PagingMode *mode, unsigned level, Rights rights, uint64_t entry)
{
    if (!(mode->pae && level == 0)) {
        rights.user &= (entry & PTE_U) != 0;
        rights.writable &= (entry & PTE_W) != 0;
        rights.no_execute |= mode->nx && entry & PTE_NX;
    }
    return rights;
}

static bool is_leaf(const PagingMode *mode, unsigned level, uint64_t entry)
{
    return level == mode->levels - 1 || (mode->large[level] && entry & PTE_PS);
}

static void fill_mapping(PageMapping *m, const PagingMode *mode, unsigned level, Rights rights,
                         uint64_t virt, uint64_t entry)
{
    uint64_t size = UINT64_C(1) << mode->shift[level];

    *m = (PageMapping){
        .virt = virt & ~(size - 1), .phys = page_base(mode, entry, size), .size = size,
        .entry = entry,
        .user = rights.user, .writable = rights.writable, .no_execute = rights.no_execute,
    };
}

/* ---- one address ---- */

static bool translate_paged(const X86Cpu *cpu, uint64_t virt, PageMapping *mapping)
{
    PagingMode mode = paging_mode(cpu);
    Rights rights = { .user = true, .writable = true };
    uint64_t table = mode.root;

    if (!mode.canonical) {
        virt = (uint32_t)virt;
    } else if (sign_extend(&mode, virt & ((UINT64_C(2) << (mode.shift[0] + 8)) - 1)) != virt) {
        return false;
    }
    for (unsigned level = 0; level < mode.levels; level++) {
        unsigned index = virt >> mode.shift[level] & (mode.entries[level] - 1);
        uint8_t bytes[8];
        uint64_t entry;

        if (mem_read_debug(memory_of(cpu), a20_mask(cpu, table + index * mode.entry_bytes), bytes,
                           mode.entry_bytes) != MEM_OK) {
            return false;
        }
        entry = entry_at(bytes, mode.entry_bytes, 0);
        if (!(entry & PTE_P)) {
            return false;
        }
        rights = narrow(&mode, level, rights, entry);
        if (is_leaf(&mode, level, entry)) {
            fill_mapping(mapping, &mode, level, rights, virt, entry);
            return true;
        }
        table = entry & (mode.entry_bytes == 4 ? CR3_ADDR_32 : PTE_ADDR);
    }
    return false;
}

bool x86_translate(const X86Cpu *cpu, uint64_t virt, PageMapping *mapping)
{
    if (!(cpu->cr0 & CR0_PG)) {
        *mapping = (PageMapping){
            .virt = virt & ~(PAGE_SIZE_4K - 1), .phys = virt & ~(PAGE_SIZE_4K - 1),
            .size = PAGE_SIZE_4K, .user = true, .writable = true,
        };
    } else if (!translate_paged(cpu, virt, mapping)) {
        return false;
    }
    mapping->phys = a20_mask(cpu, mapping->phys);
    return true;
}

/* ---- all of them ---- */

typedef struct Walk {
    const X86Cpu *cpu;
    PagingMode mode;
    unsigned tables_left;
    bool (*fn)(const PageMapping *m, void *opaque);
    void *opaque;
} Walk;

static bool walk_table(Walk *walk, unsigned level, uint64_t table, uint64_t virt, Rights rights)
{
    const PagingMode *mode = &walk->mode;
    uint8_t bytes[4096];

    if (walk->tables_left == 0) {
        return false;
    }
    walk->tables_left--;
    if (mem_read_debug(memory_of(walk->cpu), a20_mask(walk->cpu, table), bytes,
                       mode->entries[level] * mode->entry_bytes) != MEM_OK) {
        return true;
    }
    for (unsigned i = 0; i < mode->entries[level]; i++) {
        uint64_t entry = entry_at(bytes, mode->entry_bytes, i);
        uint64_t here = sign_extend(mode, virt | (uint64_t)i << mode->shift[level]);
        Rights narrowed = narrow(mode, level, rights, entry);
        PageMapping mapping;

        if (!(entry & PTE_P)) {
            continue;
        }
        if (!is_leaf(mode, level, entry)) {
            uint64_t next = entry & (mode->entry_bytes == 4 ? CR3_ADDR_32 : PTE_ADDR);

            if (!walk_table(walk, level + 1, next, here, narrowed)) {
                return false;
            }
            continue;
        }
        fill_mapping(&mapping, mode, level, narrowed, here, entry);
        mapping.phys = a20_mask(walk->cpu, mapping.phys);
        if (!walk->fn(&mapping, walk->opaque)) {
            return false;
        }
    }
    return true;
}

void x86_walk_pages(const X86Cpu *cpu, bool (*fn)(const PageMapping *m, void *opaque), void *opaque)
{
    Walk walk = { .cpu = cpu, .tables_left = WALK_TABLES, .fn = fn, .opaque = opaque };

    if (cpu->cr0 & CR0_PG) {
        walk.mode = paging_mode(cpu);
        walk_table(&walk, 0, walk.mode.root, 0, (Rights){ .user = true, .writable = true });
    }
}

/* ---- linear memory ---- */

static bool access_linear(const X86Cpu *cpu, uint64_t addr, uint8_t *buf, size_t len, bool write)
{
    while (len > 0) {
        PageMapping m;
        uint64_t phys;
        size_t chunk;
        MemResult result;

        if (!x86_translate(cpu, addr, &m)) {
            return false;
        }
        phys = m.phys + (addr & (m.size - 1));
        chunk = MIN(len, m.size - (addr & (m.size - 1)));
        result = write ? mem_write_debug(memory_of(cpu), phys, buf, chunk)
                       : mem_read_debug(memory_of(cpu), phys, buf, chunk);
        if (result != MEM_OK) {
            return false;
        }
        addr += chunk;
        buf += chunk;
        len -= chunk;
    }
    return true;
}

bool x86_read_linear(const X86Cpu *cpu, uint64_t addr, void *buf, size_t len)
{
    return access_linear(cpu, addr, buf, len, false);
}

bool x86_write_linear(const X86Cpu *cpu, uint64_t addr, const void *buf, size_t len)
{
    return access_linear(cpu, addr, (uint8_t *)buf, len, true);
}

/* ---- info mem ---- */

typedef struct MemRun {
    GString *out;
    uint64_t start, end;
    bool any, user, writable;
} MemRun;

static void print_run(MemRun *run)
{
    if (run->any) {
        g_string_append_printf(run->out, "%016" G_GINT64_MODIFIER "x-%016" G_GINT64_MODIFIER
                               "x %016" G_GINT64_MODIFIER "x %cr%c\n", run->start, run->end,
                               run->end - run->start, run->user ? 'u' : '-',
                               run->writable ? 'w' : '-');
    }
}

static bool extend_run(const PageMapping *m, void *opaque)
{
    MemRun *run = opaque;

    if (!run->any || m->virt != run->end || m->user != run->user || m->writable != run->writable) {
        print_run(run);
        *run = (MemRun){ run->out, m->virt, m->virt, true, m->user, m->writable };
    }
    run->end = m->virt + m->size;
    return true;
}

void x86_print_mem(const X86Cpu *cpu, GString *out)
{
    MemRun run = { .out = out };

    if (!(cpu->cr0 & CR0_PG)) {
        g_string_append(out, "PG disabled\n");
        return;
    }
    x86_walk_pages(cpu, extend_run, &run);
    print_run(&run);
}

/* ---- info tlb ---- */

#define TLB_LINES (1u << 20)

typedef struct TlbText { GString *out; unsigned lines_left; } TlbText;

static bool print_mapping(const PageMapping *m, void *opaque)
{
    static const struct { uint64_t bit; char letter; } flags[] = {
        { PTE_NX, 'X' }, { PTE_G, 'G' }, { PTE_PS, 'P' }, { PTE_D, 'D' }, { PTE_A, 'A' },
        { PTE_PCD, 'C' }, { PTE_PWT, 'T' }, { PTE_U, 'U' }, { PTE_W, 'W' },
    };
    TlbText *text = opaque;
    char letters[G_N_ELEMENTS(flags) + 1] = "";

    for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
        letters[i] = m->entry & flags[i].bit ? flags[i].letter : '-';
    }
    g_string_append_printf(text->out, "%016" G_GINT64_MODIFIER "x: %016" G_GINT64_MODIFIER "x %s\n",
                           m->virt, m->phys, letters);
    return --text->lines_left > 0;
}

void x86_print_tlb(const X86Cpu *cpu, GString *out)
{
    TlbText text = { out, TLB_LINES };

    if (!(cpu->cr0 & CR0_PG)) {
        g_string_append(out, "PG disabled\n");
        return;
    }
    x86_walk_pages(cpu, print_mapping, &text);
}
