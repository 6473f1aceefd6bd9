#include <string.h>

#include "bare_cpu.h"
#include "check_main.h"
#include "pagewalk.h"

static void put64(BareCpu *bare, uint64_t addr, uint64_t value)
{
    memcpy(bare->ram.ram->host + addr, &value, sizeof(value));
}

static void put32(BareCpu *bare, uint64_t addr, uint32_t value)
{
    memcpy(bare->ram.ram->host + addr, &value, sizeof(value));
}

/* Tables at 10000: a user page and two supervisor ones at 400000, a 2 MiB page in the high half. */
static BareCpu *four_levels(void)
{
    BareCpu *bare = bare_cpu_new("qemu64,check=off", 1, 1, 0);

    put64(bare, 0x10000, 0x11007);
    put64(bare, 0x11000, 0x12007);
    put64(bare, 0x12010, 0x13007);
    put64(bare, 0x13000, UINT64_C(0x8000000000020025));
    put64(bare, 0x13008, 0x21003);
    put64(bare, 0x13010, 0x22003);
    put64(bare, 0x10880, 0x14003);              /* ffff8800_00000000 */
    put64(bare, 0x14000, 0x15003);
    put64(bare, 0x15000, 0x1e3);
    bare->cpu->cr3 = 0x10000;
    bare->cpu->cr4 = CR4_PAE;
    bare->cpu->efer = EFER_LME | EFER_LMA | EFER_NXE;
    bare->cpu->cr0 |= CR0_PG | CR0_PE;
    x86_update_mode(bare->cpu);
    return bare;
}

/* The same with two levels: 4 KiB at 00400000, 4 MiB at 00800000. */
static BareCpu *two_levels(void)
{
    BareCpu *bare = bare_cpu_new("qemu64,check=off", 1, 1, 0);

    put32(bare, 0x10004, 0x11007);
    put32(bare, 0x11000, 0x20067);
    put32(bare, 0x10008, 0x00c00083 | 1 << 13);     /* PSE-36: bit 32 of the address */
    bare->cpu->cr3 = 0x10000;
    bare->cpu->cr4 = CR4_PSE;
    bare->cpu->cr0 |= CR0_PG | CR0_PE;
    x86_update_mode(bare->cpu);
    return bare;
}

static BareCpu *pae(void)
{
    BareCpu *bare = bare_cpu_new("qemu64,check=off", 1, 1, 0);

    put64(bare, 0x10020, 0x12001);              /* CR3 is 32-byte aligned */
    put64(bare, 0x10038, 0x12001);
    put64(bare, 0x12000, 0x13007);
    put64(bare, 0x13008, 0x20003);
    bare->cpu->cr3 = 0x10020;
    bare->cpu->cr4 = CR4_PAE;
    bare->cpu->cr0 |= CR0_PG | CR0_PE;
    x86_update_mode(bare->cpu);
    return bare;
}

static BareCpu *unpaged(void)
{
    return bare_cpu_new("qemu64,check=off", 1, 1, 0);
}

static const struct {
    BareCpu *(*make)(void);
    uint64_t virt;
    bool mapped;
    uint64_t phys, size;
    bool user, writable, no_execute;
} addresses[] = {
    { unpaged, 0x1234, true, 0x1000, 4096, true, true, false },
    { four_levels, 0x400123, true, 0x20000, 4096, true, false, true },
    { four_levels, 0x401000, true, 0x21000, 4096, false, true, false },
    { four_levels, 0x403000, false, 0, 0, false, false, false },
    { four_levels, 0, false, 0, 0, false, false, false },
    { four_levels, 0xffff880000012345, true, 0, 2 << 20, false, true, false },
    { four_levels, 0x0000880000012345, false, 0, 0, false, false, false },      /* not canonical */
    { two_levels, 0x400abc, true, 0x20000, 4096, true, true, false },
    { two_levels, 0x801234, true, UINT64_C(0x100c00000), 4 << 20, false, true, false },
    { two_levels, 0xc00000, false, 0, 0, false, false, false },
    { pae, 0x1000, true, 0x20000, 4096, false, true, false },
    { pae, 0xc0001000, true, 0x20000, 4096, false, true, false },
    { pae, 0x40001000, false, 0, 0, false, false, false },
};

START_TEST(address_row)
{
    BareCpu *bare = addresses[_i].make();
    PageMapping m = { 0 };

    ck_assert_int_eq(x86_translate(bare->cpu, addresses[_i].virt, &m), addresses[_i].mapped);
    if (addresses[_i].mapped) {
        ck_assert_uint_eq(m.phys, addresses[_i].phys);
        ck_assert_uint_eq(m.size, addresses[_i].size);
        ck_assert_int_eq(m.user, addresses[_i].user);
        ck_assert_int_eq(m.writable, addresses[_i].writable);
        ck_assert_int_eq(m.no_execute, addresses[_i].no_execute);
    }
    bare_cpu_free(bare);
}
END_TEST

static const struct { BareCpu *(*make)(void); const char *mem, *tlb; } texts[] = {
    { unpaged, "PG disabled\n", "PG disabled\n" },
    { four_levels,
      "0000000000400000-0000000000401000 0000000000001000 ur-\n"
      "0000000000401000-0000000000403000 0000000000002000 -rw\n"
      "ffff880000000000-ffff880000200000 0000000000200000 -rw\n",
      "0000000000400000: 0000000000020000 X---A--U-\n"
      "0000000000401000: 0000000000021000 --------W\n"
      "0000000000402000: 0000000000022000 --------W\n"
      "ffff880000000000: 0000000000000000 -GPDA---W\n" },
    { two_levels,
      "0000000000400000-0000000000401000 0000000000001000 urw\n"
      "0000000000800000-0000000000c00000 0000000000400000 -rw\n",
      "0000000000400000: 0000000000020000 ---DA--UW\n"
      "0000000000800000: 0000000100c00000 --P-----W\n" },
};

START_TEST(text_row)
{
    BareCpu *bare = texts[_i].make();
    g_autoptr(GString) mem = g_string_new(NULL);
    g_autoptr(GString) tlb = g_string_new(NULL);

    x86_print_mem(bare->cpu, mem);
    ck_assert_str_eq(mem->str, texts[_i].mem);
    x86_print_tlb(bare->cpu, tlb);
    ck_assert_str_eq(tlb->str, texts[_i].tlb);
    bare_cpu_free(bare);
}
END_TEST

START_TEST(linear_accesses_cross_pages_and_stop_at_holes)
{
    BareCpu *bare = four_levels();
    uint8_t buf[16];

    memset(bare->ram.ram->host + 0x20ff8, 1, 8);
    memset(bare->ram.ram->host + 0x21000, 2, 8);
    ck_assert(x86_read_linear(bare->cpu, 0x400ff8, buf, 16));
    ck_assert_uint_eq(buf[7], 1);
    ck_assert_uint_eq(buf[8], 2);
    ck_assert(x86_write_linear(bare->cpu, 0x401ffe, "abcd", 4));
    ck_assert_uint_eq(bare->ram.ram->host[0x22001], 'd');
    ck_assert(!x86_read_linear(bare->cpu, 0x402ff8, buf, 16));
    bare_cpu_free(bare);
}
END_TEST

/* Every entry of every level points back at the one table: 2^36 pages. */
START_TEST(tables_that_eat_their_tail_end_the_walk)
{
    BareCpu *bare = four_levels();
    g_autoptr(GString) text = g_string_new(NULL);

    for (unsigned i = 0; i < 512; i++) {
        put64(bare, 0x10000 + 8 * i, 0x10003);
    }
    x86_print_mem(bare->cpu, text);
    ck_assert_uint_gt(text->len, 0);
    bare_cpu_free(bare);
}
END_TEST

CHECK_MAIN("pagewalk", CASES(address_row, addresses), CASES(text_row, texts),
           CASE(linear_accesses_cross_pages_and_stop_at_holes),
           CASE(tables_that_eat_their_tail_end_the_walk))
