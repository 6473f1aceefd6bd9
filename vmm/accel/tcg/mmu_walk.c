/*
 * Page walks: SDM volume 3A chapter 4.  Tables of 32-bit, PAE and 4-level paging differ in data
 * only, so one loop walks them by rows.
 *
 * The PAE directory pointers are read from memory at each walk, as AMD's processors may (APM
 * volume 2, 5.2.3); their reserved bits are also checked when CR3 is loaded.
 */
#include "tcg_sys.h"

#include "cpuid.h"
#include "epoch.h"
#include "vm_log.h"

/* Entry bits: SDM 3A tables 4-5 to 4-20. */
#define PTE_P       (UINT64_C(1) << 0)
#define PTE_W       (UINT64_C(1) << 1)
#define PTE_U       (UINT64_C(1) << 2)
#define PTE_A       (UINT64_C(1) << 5)
#define PTE_D       (UINT64_C(1) << 6)
#define PTE_PS      (UINT64_C(1) << 7)
#define PTE_G       (UINT64_C(1) << 8)
#define PTE_NX      (UINT64_C(1) << 63)
#define PTE_ADDR    UINT64_C(0x000ffffffffff000)

#define CPUID_PDPE1GB_BIT 26            /* CPUID.80000001:EDX */

typedef struct Level {
    uint8_t shift;                      /* of the address bits that index this table */
    uint8_t index_bits;
    bool may_be_leaf;                   /* PS maps a page here, if enabled */
    bool has_rights;                    /* R/W, U/S, A exist in the entry (not so in a PAE PDPTE) */
} Level;

static const Level levels_4[] = {
    { 39, 9, false, true }, { 30, 9, true, true }, { 21, 9, true, true }, { 12, 9, true, true },
};
static const Level levels_pae[] = {
    { 30, 2, false, false }, { 21, 9, true, true }, { 12, 9, true, true },
};
static const Level levels_32[] = { { 22, 10, true, true }, { 12, 10, true, true } };

typedef struct Format {
    const Level *levels;
    unsigned depth, entry_size;
    uint64_t cr3_mask;
} Format;

static const Format format_4 = { levels_4, G_N_ELEMENTS(levels_4), 8, PTE_ADDR };
static const Format format_pae = { levels_pae, G_N_ELEMENTS(levels_pae), 8, 0xffffffe0u };
static const Format format_32 = { levels_32, G_N_ELEMENTS(levels_32), 4, 0xfffff000u };

static const Format *paging_format(const X86Cpu *x86)
{
    if (x86->efer & EFER_LMA) {
        return &format_4;
    }
    return x86->cr4 & CR4_PAE ? &format_pae : &format_32;
}

/* ---- entries in guest memory ---- */

static uint64_t entry_load(TcgCpu *cpu, uint64_t phys, unsigned size)
{
    const PhysPage *page = mmu_phys_page(cpu, phys & ~(PAGE_SIZE_4K - 1));
    const uint8_t *host;

    if (page->host == NULL) {
        tcg_fp_release(cpu);
        return mem_load(mmu_space(cpu), phys, size, NULL);
    }
    host = page->host + (phys & (PAGE_SIZE_4K - 1));
    return size == 8 ? __atomic_load_n((const uint64_t *)host, __ATOMIC_RELAXED)
                     : __atomic_load_n((const uint32_t *)host, __ATOMIC_RELAXED);
}

/* Sets `bits` if the entry still is `old`; false: it changed meanwhile, walk again. */
static bool entry_set_bits(TcgCpu *cpu, uint64_t phys, unsigned size, uint64_t old, uint64_t bits)
{
    const PhysPage *page = mmu_phys_page(cpu, phys & ~(PAGE_SIZE_4K - 1));
    uint64_t offset = phys & (PAGE_SIZE_4K - 1);
    uint32_t old32 = (uint32_t)old;
    bool done;

    if (!page->writable) {
        tcg_fp_release(cpu);
        mem_store(mmu_space(cpu), phys, old | bits, size);
        return true;
    }
    if (size == 8) {
        done = __atomic_compare_exchange_n((uint64_t *)(page->host + offset), &old, old | bits,
                                           false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    } else {
        done = __atomic_compare_exchange_n((uint32_t *)(page->host + offset), &old32,
                                           old32 | (uint32_t)bits, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
    }
    ram_mark_dirty(page->ram, page->ram_page * PAGE_SIZE_4K + offset, size);
    return done;
}

/* ---- reserved bits ---- */

/* Address bits of a page of `size` that must be clear, PAT (bit 12) apart. */
static uint64_t misaligned_bits(uint64_t size)
{
    return (size - 1) & ~UINT64_C(0x1fff);
}

static uint64_t reserved_32(const TcgCpu *cpu, bool leaf, uint64_t size)
{
    uint64_t high;

    if (!leaf || size == PAGE_SIZE_4K) {
        return 0;
    }
    /* PSE-36: bits 20:13 are address bits 39:32, as far as the CPU has them; 21 is reserved. */
    high = ~mmu_phys_bits_mask(cpu) >> 32 & 0xff;
    return UINT64_C(1) << 21 | high << 13;
}

static uint64_t reserved_64(const TcgCpu *cpu, const Level *level, bool leaf, uint64_t size)
{
    const X86Cpu *x86 = &cpu->x86;
    uint64_t reserved = PTE_ADDR & ~mmu_phys_bits_mask(cpu);

    if (!(x86->efer & EFER_NXE)) {
        reserved |= PTE_NX;
    }
    if (!level->has_rights) {
        return reserved | PTE_NX | UINT64_C(0x7ff0000000000000) | 0x1e6;     /* table 4-8 */
    }
    if (!(x86->efer & EFER_LMA)) {
        reserved |= UINT64_C(0x7ff0000000000000);                           /* tables 4-9 to 4-11 */
    }
    if (leaf && size > PAGE_SIZE_4K) {
        reserved |= misaligned_bits(size);
    }
    if (level->shift == 39) {
        reserved |= PTE_PS;
    }
    return reserved;
}

static bool has_1g_pages(const TcgCpu *cpu)
{
    const X86CpuModel *model = cpu->x86.model;

    return model != NULL && model->features[FEAT_8000_0001_EDX] >> CPUID_PDPE1GB_BIT & 1;
}

static bool is_leaf(const TcgCpu *cpu, const Format *format, const Level *level, uint64_t entry,
                    bool *bad)
{
    *bad = false;
    if (level->shift == 12) {
        return true;
    }
    if (!level->may_be_leaf || !(entry & PTE_PS)) {
        return false;
    }
    if (format == &format_32) {
        return cpu->x86.cr4 & CR4_PSE;
    }
    *bad = level->shift == 30 && !has_1g_pages(cpu);
    return true;
}

bool mmu_check_pdptes(TcgCpu *cpu, uint64_t cr3)
{
    for (unsigned i = 0; i < 4; i++) {
        uint64_t phys = ((cr3 & format_pae.cr3_mask) + 8 * i) & mmu_phys_mask(cpu);
        uint64_t entry = entry_load(cpu, phys, 8);

        if (entry & PTE_P && entry & reserved_64(cpu, &levels_pae[0], false, 0)) {
            return false;
        }
    }
    return true;
}

/* ---- rights ---- */

bool mmu_allowed(const TcgCpu *cpu, const Walk *walk, int access, int mmu_class)
{
    const X86Cpu *x86 = &cpu->x86;
    bool user = mmu_class == MMU_USER;

    if (user && !walk->user) {
        return false;
    }
    if (access == ACCESS_EXEC) {
        return !walk->no_execute && (user || !walk->user || !(x86->cr4 & CR4_SMEP));
    }
    if (mmu_class == MMU_KERNEL && walk->user && x86->cr4 & CR4_SMAP) {
        return false;
    }
    return access == ACCESS_READ || walk->writable || (!user && !(x86->cr0 & CR0_WP));
}

static uint32_t fault_code(const TcgCpu *cpu, int access, int mmu_class, uint32_t why)
{
    const X86Cpu *x86 = &cpu->x86;
    bool nx_on = x86->cr4 & CR4_PAE && x86->efer & EFER_NXE;

    return why | (access == ACCESS_WRITE ? PF_W : 0) | (mmu_class == MMU_USER ? PF_U : 0) |
           (access == ACCESS_EXEC && (nx_on || x86->cr4 & CR4_SMEP) ? PF_I : 0);
}

/* ---- the walk ---- */

/* The entries met on the way down. */
typedef struct Path {
    const Format *format;
    unsigned used;                      /* entries read; the last one is the leaf */
    struct { uint64_t phys, entry; bool has_rights; } step[4];
} Path;

/* Reads down to the leaf without changing anything.  False: *why has P and RSVD of the fault. */
static bool walk_down(TcgCpu *cpu, uint64_t addr, Path *path, Walk *walk, uint32_t *why)
{
    const Format *format = path->format;
    uint64_t table = cpu->x86.cr3 & format->cr3_mask;

    *walk = (Walk){ .user = true, .writable = true };
    for (path->used = 0; path->used < format->depth;) {
        const Level *level = &format->levels[path->used];
        uint64_t index = addr >> level->shift & ((1u << level->index_bits) - 1);
        uint64_t phys = (table + index * format->entry_size) & mmu_phys_mask(cpu);
        uint64_t entry = entry_load(cpu, phys, format->entry_size), reserved;
        uint64_t size = UINT64_C(1) << level->shift;
        bool bad, leaf;

        path->step[path->used].phys = phys;
        path->step[path->used].entry = entry;
        path->step[path->used++].has_rights = level->has_rights;
        if (!(entry & PTE_P)) {
            *why = 0;
            return false;
        }
        leaf = is_leaf(cpu, format, level, entry, &bad);
        reserved = format == &format_32 ? reserved_32(cpu, leaf, size)
                                        : reserved_64(cpu, level, leaf, size);
        if (bad || entry & reserved) {
            *why = PF_P | PF_RSVD;
            return false;
        }
        if (level->has_rights) {
            walk->user &= (entry & PTE_U) != 0;
            walk->writable &= (entry & PTE_W) != 0;
            walk->no_execute |= format->entry_size == 8 && entry & PTE_NX;
        }
        table = entry & PTE_ADDR & (format == &format_32 ? 0xfffff000u : UINT64_MAX);
        if (leaf) {
            if (format == &format_32 && size > PAGE_SIZE_4K) {
                table = (entry & 0xffc00000u) | (entry >> 13 & 0xff) << 32;
            }
            walk->size = size;
            walk->phys = ((table & ~(size - 1)) | (addr & (size - 1))) & ~(PAGE_SIZE_4K - 1);
            walk->phys &= mmu_phys_mask(cpu);
            walk->global = entry & PTE_G && cpu->x86.cr4 & CR4_PGE;
            walk->dirty = (entry & PTE_D) != 0;
            return true;
        }
    }
    g_assert_not_reached();
}

/* Sets A on the way and D in the leaf.  False: another CPU changed an entry; walk again. */
static bool set_accessed(TcgCpu *cpu, const Path *path, int access)
{
    for (unsigned i = 0; i < path->used; i++) {
        uint64_t entry = path->step[i].entry, bits = PTE_A;

        if (!path->step[i].has_rights) {
            continue;
        }
        if (i + 1 == path->used && access == ACCESS_WRITE) {
            bits |= PTE_D;
        }
        if ((entry & bits) != bits && !entry_set_bits(cpu, path->step[i].phys,
                                                      path->format->entry_size, entry, bits)) {
            return false;
        }
    }
    return true;
}

bool mmu_walk(TcgCpu *cpu, uint64_t addr, int access, int mmu_class, Walk *walk, uint32_t *error)
{
    Path path = { .format = paging_format(&cpu->x86) };
    uint32_t why;

    if (!(cpu->x86.cr0 & CR0_PG)) {
        *walk = (Walk){
            .phys = addr & 0xfffff000u & mmu_phys_mask(cpu), .size = PAGE_SIZE_4K, .user = true,
            .writable = true, .dirty = true,
        };
        return true;
    }
    do {
        if (!walk_down(cpu, addr, &path, walk, &why)) {
            *error = fault_code(cpu, access, mmu_class, why);
            return false;
        }
        if (!mmu_allowed(cpu, walk, access, mmu_class)) {
            *error = fault_code(cpu, access, mmu_class, PF_P);
            return false;
        }
    } while (!set_accessed(cpu, &path, access));
    walk->dirty |= access == ACCESS_WRITE;
    return true;
}
