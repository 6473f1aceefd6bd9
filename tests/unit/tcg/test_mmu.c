#include "check_main.h"
#include "sys_machine.h"

#include "lock.h"

enum { FORMAT_32, FORMAT_PAE, FORMAT_4 };
enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100, ALL = P | W | U };
#define NX (UINT64_C(1) << 63)

#define VIRT    UINT64_C(0x00603000)    /* what the rows map … */
#define PHYS    UINT64_C(0x00200000)    /* … and where to; good for large pages too */

/* ---- building tables ---- */

typedef struct Map {
    int format;
    uint64_t size, upper, leaf;         /* size of the page; flags of tables, of the page */
} Map;

static const uint8_t shifts[][4] = { { 22, 12 }, { 30, 21, 12 }, { 39, 30, 21, 12 } };
static const uint8_t depths[] = { 2, 3, 4 };

/* Returns the physical address of the leaf entry. */
static uint64_t map_page(const Map *map, uint64_t virt, uint64_t phys)
{
    unsigned entry_size = map->format == FORMAT_32 ? 4 : 8;
    uint64_t table = SYS_TABLES;

    for (unsigned i = 0; i < depths[map->format]; i++) {
        unsigned shift = shifts[map->format][i];
        unsigned bits = map->format == FORMAT_32 ? 10 : map->format == FORMAT_PAE && i == 0 ? 2 : 9;
        uint64_t at = table + (virt >> shift & ((1u << bits) - 1)) * entry_size;

        if (UINT64_C(1) << shift == map->size) {
            sys_poke(at, phys | map->leaf, entry_size);
            return at;
        }
        table += 0x1000;
        sys_poke(at, table | (map->format == FORMAT_PAE && i == 0 ? P : map->upper), entry_size);
    }
    ck_abort_msg("no such page size");
    return 0;
}

static void paging_on(int format, uint64_t cr4, uint64_t efer, bool wp)
{
    X86Cpu *x86 = &sys_cpu->x86;

    x86->cr3 = SYS_TABLES;
    x86->cr4 = cr4 | (format == FORMAT_32 ? 0 : CR4_PAE);
    x86->efer = efer | (format == FORMAT_4 ? EFER_LME | EFER_LMA : 0);
    x86->cr0 |= CR0_PE | CR0_PG | (wp ? CR0_WP : 0);
    x86->mode |= CPU_MODE_PG;
}

/* ---- one access ---- */

typedef struct Access {
    uint64_t addr, value;
    unsigned size;
    int access;
} Access;

static void run_access(void *arg)
{
    Access *access = arg;

    if (access->access == ACCESS_WRITE) {
        mmu_store_slow(sys_cpu, NULL, access->addr, access->value, access->size);
    } else if (access->access == ACCESS_READ) {
        access->value = mmu_load_slow(sys_cpu, NULL, access->addr, access->size);
    } else {
        uint64_t phys, page;
        RamBlock *ram;

        mmu_fetch_page(sys_cpu, access->addr, &phys, &ram, &page);
        access->value = phys;
    }
}

static SysResult do_access(int kind, uint64_t addr, uint64_t *value, unsigned size)
{
    Access access = { addr, *value, size, kind };
    SysResult result = sys_try(run_access, &access);

    *value = access.value;
    return result;
}

static uint64_t load(uint64_t addr, unsigned size)
{
    uint64_t value = 0;

    ck_assert(!do_access(ACCESS_READ, addr, &value, size).raised);
    return value;
}

static void store(uint64_t addr, uint64_t value, unsigned size)
{
    ck_assert(!do_access(ACCESS_WRITE, addr, &value, size).raised);
}

/* ---- rights and reserved bits ---- */

enum { NO_WP = 1, AC = 2, USER = 4 };
#define OK UINT32_MAX
#define K4 UINT64_C(0x1000)
#define M2 UINT64_C(0x200000)
#define M4 UINT64_C(0x400000)
#define G1 UINT64_C(0x40000000)

static const struct {
    Map map;
    int access;
    unsigned how;
    uint64_t cr4, efer;
    uint32_t error;
} walks[] = {
    { { FORMAT_32, K4, ALL, ALL }, ACCESS_READ, USER, 0, 0, OK },
    { { FORMAT_32, K4, ALL, ALL }, ACCESS_WRITE, USER, 0, 0, OK },
    { { FORMAT_32, K4, ALL, 0 }, ACCESS_READ, USER, 0, 0, 4 },
    { { FORMAT_32, K4, ALL, 0 }, ACCESS_WRITE, 0, 0, 0, 2 },
    { { FORMAT_32, K4, 0, ALL }, ACCESS_WRITE, USER, 0, 0, 6 },
    { { FORMAT_32, K4, ALL, P | W }, ACCESS_READ, USER, 0, 0, 5 },
    { { FORMAT_32, K4, P | W, ALL }, ACCESS_READ, USER, 0, 0, 5 },
    { { FORMAT_32, K4, ALL, P | U }, ACCESS_WRITE, USER, 0, 0, 7 },
    { { FORMAT_32, K4, P | U, ALL }, ACCESS_WRITE, USER, 0, 0, 7 },
    { { FORMAT_32, K4, ALL, P | U }, ACCESS_WRITE, 0, 0, 0, 3 },
    { { FORMAT_32, K4, ALL, P | U }, ACCESS_WRITE, NO_WP, 0, 0, OK },
    { { FORMAT_32, K4, ALL, P | U }, ACCESS_WRITE, NO_WP | USER, 0, 0, 7 },
    { { FORMAT_32, K4, ALL, ALL | PS }, ACCESS_READ, 0, 0, 0, OK },         /* PAT bit */
    { { FORMAT_32, M4, ALL, ALL | PS }, ACCESS_READ, 0, CR4_PSE, 0, OK },
    { { FORMAT_32, M4, ALL, ALL | PS | 1u << 21 }, ACCESS_READ, 0, CR4_PSE, 0, 9 },
    { { FORMAT_32, K4, ALL, 0 }, ACCESS_EXEC, USER, 0, 0, 4 },          /* no NX: I stays clear */
    { { FORMAT_32, K4, ALL, 0 }, ACCESS_EXEC, USER, CR4_SMEP, 0, 0x14 },
    { { FORMAT_32, K4, ALL, ALL }, ACCESS_EXEC, 0, CR4_SMEP, 0, 0x11 },
    { { FORMAT_32, K4, ALL, ALL }, ACCESS_EXEC, 0, 0, 0, OK },
    { { FORMAT_PAE, K4, ALL, ALL }, ACCESS_READ, USER, 0, 0, OK },
    { { FORMAT_PAE, M2, ALL, ALL | PS }, ACCESS_WRITE, USER, 0, 0, OK },
    { { FORMAT_PAE, K4, ALL, ALL | NX }, ACCESS_READ, 0, 0, 0, 9 },         /* NX is reserved */
    { { FORMAT_PAE, K4, ALL, ALL | NX }, ACCESS_READ, 0, 0, EFER_NXE, OK },
    { { FORMAT_PAE, K4, ALL, ALL | NX }, ACCESS_EXEC, 0, 0, EFER_NXE, 0x11 },
    { { FORMAT_PAE, K4, ALL, ALL | UINT64_C(1) << 52 }, ACCESS_READ, 0, 0, 0, 9 },
    { { FORMAT_PAE, K4, ALL, ALL | UINT64_C(1) << 40 }, ACCESS_READ, 0, 0, 0, 9 },
    { { FORMAT_4, K4, ALL, ALL }, ACCESS_WRITE, USER, 0, EFER_NXE, OK },
    { { FORMAT_4, M2, ALL, ALL | PS }, ACCESS_WRITE, 0, 0, EFER_NXE, OK },
    { { FORMAT_4, M2, ALL, ALL | PS | 1u << 13 }, ACCESS_WRITE, 0, 0, EFER_NXE, 0xb },
    { { FORMAT_4, K4, ALL, ALL | UINT64_C(1) << 40 }, ACCESS_READ, USER, 0, EFER_NXE, 0xd },
    { { FORMAT_4, K4, ALL, ALL | UINT64_C(1) << 52 }, ACCESS_READ, USER, 0, EFER_NXE, OK },
    { { FORMAT_4, K4, ALL | NX, ALL }, ACCESS_EXEC, USER, 0, EFER_NXE, 0x15 },
    { { FORMAT_4, K4, ALL, ALL | NX }, ACCESS_EXEC, USER, 0, EFER_NXE, 0x15 },
    { { FORMAT_4, K4, ALL, ALL }, ACCESS_EXEC, USER, CR4_SMEP, EFER_NXE, OK },
    { { FORMAT_4, K4, ALL, ALL }, ACCESS_EXEC, 0, CR4_SMEP, EFER_NXE, 0x11 },
    { { FORMAT_4, K4, ALL, P | W }, ACCESS_EXEC, 0, CR4_SMEP, EFER_NXE, OK },
    { { FORMAT_4, K4, ALL, ALL }, ACCESS_READ, 0, CR4_SMAP, EFER_NXE, 1 },
    { { FORMAT_4, K4, ALL, ALL }, ACCESS_WRITE, 0, CR4_SMAP, EFER_NXE, 3 },
    { { FORMAT_4, K4, ALL, ALL }, ACCESS_WRITE, AC, CR4_SMAP, EFER_NXE, OK },
    { { FORMAT_4, K4, ALL, P | W }, ACCESS_WRITE, 0, CR4_SMAP, EFER_NXE, OK },
    { { FORMAT_4, K4, ALL, ALL }, ACCESS_READ, USER, CR4_SMAP, EFER_NXE, OK },
};

static void enter(unsigned how)
{
    X86Cpu *x86 = &sys_cpu->x86;

    x86->rflags |= how & AC ? RFLAGS_AC : 0;
    x86->seg[SEG_SS].attr = how & USER ? 0xc0f3 : 0xc093;
    tcg_mode_changed(sys_cpu);
}

START_TEST(walk_row)
{
    uint64_t value = 0, wanted;
    SysResult result;

    sys_setup();
    paging_on(walks[_i].map.format, walks[_i].cr4, walks[_i].efer, !(walks[_i].how & NO_WP));
    map_page(&walks[_i].map, VIRT & ~(walks[_i].map.size - 1), PHYS & ~(walks[_i].map.size - 1));
    enter(walks[_i].how);
    wanted = (PHYS & ~(walks[_i].map.size - 1)) + (VIRT & (walks[_i].map.size - 1));
    sys_poke(wanted & (SYS_RAM - 1), 0x55, 1);
    result = do_access(walks[_i].access, VIRT, &value, 1);
    ck_assert_int_eq(result.raised, walks[_i].error != OK);
    if (result.raised) {
        ck_assert_uint_eq(result.vector, EXC_PF);
        ck_assert_uint_eq(result.error, walks[_i].error);
        ck_assert_uint_eq(sys_cpu->x86.cr2, VIRT);
    } else if (walks[_i].access == ACCESS_READ) {
        ck_assert_uint_eq(value, 0x55);
    } else if (walks[_i].access == ACCESS_EXEC) {
        ck_assert_uint_eq(value, wanted);
    }
}
END_TEST

START_TEST(accessed_and_dirty)
{
    const Map map = { FORMAT_4, K4, ALL, ALL };
    uint64_t at;

    sys_setup();
    paging_on(FORMAT_4, 0, EFER_NXE, true);
    at = map_page(&map, VIRT, PHYS);
    load(VIRT, 4);
    ck_assert_uint_eq(sys_peek(at, 8), PHYS | ALL | A);
    ck_assert_uint_eq(sys_peek(SYS_TABLES, 8) & (A | D), A);
    ck_assert_uint_eq(sys_cpu->tlb[VIRT >> 12 & (TLB_SIZE - 1)].tag[ACCESS_READ], VIRT);
    ck_assert_uint_eq(sys_cpu->tlb[VIRT >> 12 & (TLB_SIZE - 1)].tag[ACCESS_WRITE], TLB_INVALID);
    store(VIRT, 1, 4);
    ck_assert_uint_eq(sys_peek(at, 8), PHYS | ALL | A | D);
    ck_assert_uint_eq(sys_cpu->tlb[VIRT >> 12 & (TLB_SIZE - 1)].tag[ACCESS_WRITE], VIRT);
}
END_TEST

/* A gigabyte page reaches beyond RAM: what is not there reads as ones. */
START_TEST(gigabyte_page)
{
    const Map map = { FORMAT_4, G1, ALL, ALL | PS };

    sys_setup();
    paging_on(FORMAT_4, 0, 0, true);
    map_page(&map, 0, 0);
    sys_poke(0x1234, 0xabcd, 2);
    ck_assert_uint_eq(load(0x1234, 2), 0xabcd);
    ck_assert_uint_eq(load(0x30000000, 4), 0xffffffff);
    sys_model.features[FEAT_8000_0001_EDX] &= ~(1u << 26);
    mmu_flush_all(sys_cpu);
    {
        uint64_t value = 0;
        ck_assert_uint_eq(do_access(ACCESS_READ, 0x1234, &value, 1).error, 9);
    }
}
END_TEST

/* ---- crossing pages ---- */

START_TEST(crossing_store_is_all_or_nothing)
{
    const Map map = { FORMAT_4, K4, ALL, ALL };
    uint64_t value = UINT64_C(0x1122334455667788);
    SysResult result;

    sys_setup();
    paging_on(FORMAT_4, 0, 0, true);
    map_page(&map, VIRT, PHYS);
    result = do_access(ACCESS_WRITE, VIRT + 0xffc, &value, 8);
    ck_assert(result.raised);
    ck_assert_uint_eq(result.error, 2);
    ck_assert_uint_eq(sys_cpu->x86.cr2, VIRT + 0x1000);
    ck_assert_uint_eq(sys_peek(PHYS + 0xffc, 4), 0);
    map_page(&map, VIRT + 0x1000, PHYS + 0x8000);
    store(VIRT + 0xffc, value, 8);
    ck_assert_uint_eq(sys_peek(PHYS + 0xffc, 4), 0x55667788);
    ck_assert_uint_eq(sys_peek(PHYS + 0x8000, 4), 0x11223344);
    ck_assert_uint_eq(load(VIRT + 0xffc, 8), value);
    ck_assert_ptr_null(mmu_rmw_ptr(sys_cpu, NULL, VIRT + 0xffc, 8));
    ck_assert_ptr_nonnull(mmu_rmw_ptr(sys_cpu, NULL, VIRT + 0xff8, 8));
}
END_TEST

/* ---- flushes ---- */

static const struct {
    uint64_t size, leaf;
    enum { FLUSH_PAGE, FLUSH_NON_GLOBAL, FLUSH_ALL } how;
    uint64_t addr;
    bool gone;
} flushes[] = {
    { K4, ALL, FLUSH_PAGE, VIRT + 0x123, true },
    { K4, ALL, FLUSH_PAGE, VIRT + 0x1000, false },
    { K4, ALL, FLUSH_NON_GLOBAL, 0, true },
    { K4, ALL | G, FLUSH_NON_GLOBAL, 0, false },
    { K4, ALL | G, FLUSH_PAGE, VIRT, true },
    { K4, ALL | G, FLUSH_ALL, 0, true },
    { M2, ALL | PS, FLUSH_PAGE, VIRT + 0x10000, true },        /* another 4 KiB of the same page */
    { M2, ALL | PS, FLUSH_PAGE, VIRT + 0x200000, false },
};

START_TEST(flush_row)
{
    const Map map = { FORMAT_4, flushes[_i].size, ALL, flushes[_i].leaf };
    const Map other = { FORMAT_4, flushes[_i].size, ALL, ALL | (flushes[_i].leaf & PS) };
    uint64_t virt = VIRT & ~(flushes[_i].size - 1), delta = VIRT - virt;

    sys_setup();
    paging_on(FORMAT_4, CR4_PGE, 0, true);
    map_page(&map, virt, PHYS);
    sys_poke(PHYS + delta, 1, 1);
    sys_poke(delta + 0x1000 * (flushes[_i].size == K4), 2, 1);
    ck_assert_uint_eq(load(VIRT, 1), 1);
    map_page(&other, virt, flushes[_i].size == K4 ? 0x1000 : 0);
    if (flushes[_i].how == FLUSH_PAGE) {
        mmu_flush_page(sys_cpu, flushes[_i].addr);
    } else if (flushes[_i].how == FLUSH_NON_GLOBAL) {
        mmu_flush_non_global(sys_cpu);
    } else {
        mmu_flush_all(sys_cpu);
    }
    ck_assert_uint_eq(load(VIRT, 1), flushes[_i].gone ? 2 : 1);
}
END_TEST

/* ---- what is behind an address ---- */

static uint64_t io_read(void *opaque, uint64_t offset, unsigned size)
{
    return 0x100 * size + offset;
}

static uint64_t io_offset, io_value;

static void io_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    io_offset = offset;
    io_value = value;
}

static const MemOps io_ops = { io_read, io_write };

START_TEST(registers_and_rom)
{
    MemRegion io, rom;

    sys_setup();
    machine_lock();
    mem_region_init_io(&io, NULL, "io", 0x1000, &io_ops, NULL);
    mem_region_init_rom(&rom, NULL, "rom", 0x1000, NULL);
    mem_region_add(&sys_vm.system_memory, 0xf0000000, &io);
    mem_region_add(&sys_vm.system_memory, 0xfffff000, &rom);
    machine_unlock();
    rom.ram->host[0xff0] = 0xea;
    ck_assert_uint_eq(load(0xf0000010, 4), 0x410);
    store(0xf0000020, 0x77, 1);
    ck_assert_uint_eq(io_offset, 0x20);
    ck_assert_uint_eq(io_value, 0x77);
    ck_assert_ptr_null(mmu_rmw_ptr(sys_cpu, NULL, 0xf0000010, 4));
    ck_assert_uint_eq(load(0xfffffff0, 1), 0xea);
    store(0xfffffff0, 0, 1);
    ck_assert_uint_eq(load(0xfffffff0, 1), 0xea);
    /* A removed region is forgotten at once. */
    machine_lock();
    mem_region_remove(&rom);
    machine_unlock();
    ck_assert_uint_eq(load(0xfffffff0, 1), 0xff);
}
END_TEST

START_TEST(a20_masks_addresses)
{
    sys_setup();
    sys_poke(0x100010, 0xaa, 1);
    sys_poke(0x10, 0xbb, 1);
    ck_assert_uint_eq(load(0x100010, 1), 0xaa);
    sys_vm.a20 = false;
    mmu_flush_all(sys_cpu);
    ck_assert_uint_eq(load(0x100010, 1), 0xbb);
}
END_TEST

START_TEST(stores_to_code_are_told)
{
    RamBlock *ram;
    uint64_t phys, page;

    sys_setup();
    mmu_fetch_page(sys_cpu, 0x4000, &phys, &ram, &page);
    ck_assert_uint_eq(page, 4);
    store(0x4000, 1, 4);
    ck_assert_uint_eq(sys_code_checks, 0);
    ck_assert(ram_dirty_start(ram, DIRTY_CODE));
    ram_dirty_set(ram, DIRTY_CODE, page);
    mmu_flush_host_page(sys_cpu, ram->host + 0x4000);
    ck_assert_uint_eq(sys_cpu->tlb[4].tag[ACCESS_WRITE], TLB_INVALID);
    ck_assert_uint_eq(sys_cpu->tlb[4].tag[ACCESS_READ], 0x4000);
    store(0x4010, 2, 4);
    ck_assert_uint_eq(sys_code_checks, 1);
    ck_assert_ptr_null(mmu_rmw_ptr(sys_cpu, NULL, 0x4010, 4));
    ram_dirty_clear(ram, DIRTY_CODE, page);
    store(0x4010, 3, 4);
    ck_assert_uint_eq(sys_cpu->tlb[4].tag[ACCESS_WRITE], 0x4000);
}
END_TEST

START_TEST(alignment_check)
{
    uint64_t value = 0;
    SysResult result;

    sys_setup();
    sys_protected(3);
    sys_cpu->x86.cr0 |= CR0_AM;
    sys_cpu->x86.rflags |= RFLAGS_AC;
    tcg_mode_changed(sys_cpu);
    load(0x4004, 4);
    ck_assert_uint_eq(sys_cpu->tlb[4].tag[ACCESS_READ], TLB_INVALID);
    result = do_access(ACCESS_READ, 0x4006, &value, 4);
    ck_assert(result.raised);
    ck_assert_uint_eq(result.vector, EXC_AC);
    ck_assert_uint_eq(result.error, 0);
}
END_TEST

/* ---- debug registers ---- */

static const struct {
    uint64_t dr7, dr0;
    int access;
    uint64_t addr;
    unsigned size;
    bool hit;
} breaks[] = {
    { 0x000d0001, 0x4004, ACCESS_WRITE, 0x4004, 4, true },      /* write, 4 bytes */
    { 0x000d0001, 0x4004, ACCESS_READ, 0x4004, 4, false },
    { 0x000f0001, 0x4004, ACCESS_READ, 0x4004, 4, true },       /* read or write */
    { 0x000f0002, 0x4004, ACCESS_READ, 0x4007, 1, true },       /* global enable */
    { 0x000f0001, 0x4004, ACCESS_READ, 0x4008, 4, false },
    { 0x000f0001, 0x4004, ACCESS_READ, 0x4001, 4, true },
    { 0x00010001, 0x4004, ACCESS_WRITE, 0x4005, 1, false },     /* one byte */
    { 0x000b0001, 0x4004, ACCESS_READ, 0x4000, 1, true },       /* eight bytes, aligned down */
    { 0x000d0000, 0x4004, ACCESS_WRITE, 0x4004, 4, false },     /* not enabled */
    { 0x00000001, 0x4004, ACCESS_READ, 0x4004, 1, false },      /* code */
};

START_TEST(data_breakpoint_row)
{
    uint64_t value = 0;

    sys_setup();
    load(0x4000, 1);                    /* a tag that must go */
    tcg_write_dr(sys_cpu, NULL, 0, breaks[_i].dr0);
    tcg_write_dr(sys_cpu, NULL, 7, breaks[_i].dr7);
    do_access(breaks[_i].access, breaks[_i].addr, &value, breaks[_i].size);
    ck_assert_uint_eq(sys_cpu->pending_db, breaks[_i].hit ? 1 : 0);
}
END_TEST

START_TEST(pae_pointers_have_reserved_bits)
{
    const Map map = { FORMAT_PAE, K4, ALL, ALL };

    sys_setup();
    paging_on(FORMAT_PAE, 0, 0, true);
    map_page(&map, VIRT, PHYS);
    ck_assert(mmu_check_pdptes(sys_cpu, SYS_TABLES));
    sys_poke(SYS_TABLES + 8, 0x1000 | P | W, 8);
    ck_assert(!mmu_check_pdptes(sys_cpu, SYS_TABLES));
    sys_poke(SYS_TABLES + 8, 0x1000 | W, 8);
    ck_assert(mmu_check_pdptes(sys_cpu, SYS_TABLES));
}
END_TEST

CHECK_MAIN("tcg/mmu",
    CASES(walk_row, walks), CASE(accessed_and_dirty), CASE(gigabyte_page),
    CASE(crossing_store_is_all_or_nothing), CASES(flush_row, flushes), CASE(registers_and_rom),
    CASE(a20_masks_addresses), CASE(stores_to_code_are_told), CASE(alignment_check),
    CASES(data_breakpoint_row, breaks), CASE(pae_pointers_have_reserved_bits))
