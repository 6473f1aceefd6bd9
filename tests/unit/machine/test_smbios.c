#include <string.h>

#include "check_main.h"
#include "lock.h"
#include "machine.h"
#include "sizes.h"
#include "smbios.h"

static Vm vm;
static const Board board = { .name = "pc-test", .help = "Test PC" };

static void setup(uint64_t ram_bytes)
{
    machine_lock();
    vm_core_init(&vm, g_main_context_default(), NULL);
    vm.board = &board;
    vm.config.ram_bytes = ram_bytes;
    vm.ram_below_4g = MIN(ram_bytes, 3 * GIB);
    vm.ram_above_4g = ram_bytes - vm.ram_below_4g;
    vm.config.topo = (CpuTopology){ .cpus = 4, .sockets = 2, .dies = 1, .cores = 2, .threads = 1 };
    for (unsigned i = 0; i < 16; i++) {
        vm.config.uuid[i] = 0x10 + i;
    }
}

static uint8_t sum(const uint8_t *p, size_t len)
{
    uint8_t total = 0;

    while (len--) {
        total += *p++;
    }
    return total;
}

/* The n-th structure of a type, or NULL; every structure on the way must be well formed. */
static const uint8_t *find(const SmbiosTables *tables, uint8_t type, unsigned n, unsigned *count)
{
    const uint8_t *p = tables->structures->data, *end = p + tables->structures->len;
    const uint8_t *found = NULL;

    *count = 0;
    while (p < end) {
        const uint8_t *strings = p + p[1];

        ck_assert_uint_ge(p[1], 4);
        while (strings + 1 < end && (strings[0] || strings[1])) {
            strings++;
        }
        if (p[0] == type && n-- == 0) {
            found = p;
        }
        (*count)++;
        p = strings + 2;
    }
    ck_assert_ptr_eq(p, end);
    return found;
}

START_TEST(anchor_points_and_adds_up)
{
    g_autoptr(SmbiosTables) tables = NULL;
    unsigned count;
    uint32_t addr;

    setup(128 * MIB);
    tables = smbios_new(&vm, true);
    smbios_place(tables, 0xf0040);
    ck_assert_mem_eq(tables->anchor, "_SM_", 4);
    ck_assert_mem_eq(tables->anchor + 16, "_DMI_", 5);
    ck_assert_uint_eq(sum(tables->anchor, 31), 0);
    ck_assert_uint_eq(sum(tables->anchor + 16, 15), 0);
    memcpy(&addr, tables->anchor + 24, 4);
    ck_assert_uint_eq(addr, 0xf0040);
    find(tables, 0, 0, &count);
    ck_assert_uint_eq(tables->anchor[28], count);
    ck_assert_uint_eq(tables->anchor[22] | tables->anchor[23] << 8, tables->structures->len);
}
END_TEST

static const struct { uint8_t type, length; unsigned instances; } structures[] = {
    { 0, 24, 1 }, { 1, 27, 1 }, { 3, 22, 1 }, { 4, 42, 2 }, { 16, 23, 1 }, { 17, 40, 1 },
    { 19, 31, 2 }, { 32, 11, 1 }, { 127, 4, 1 },
};

START_TEST(structure_row)
{
    g_autoptr(SmbiosTables) tables = NULL;
    const uint8_t *found;
    unsigned count;

    setup(6 * GIB);
    tables = smbios_new(&vm, true);
    found = find(tables, structures[_i].type, structures[_i].instances - 1, &count);
    ck_assert_ptr_nonnull(found);
    ck_assert_uint_eq(found[1], structures[_i].length);
    ck_assert_ptr_null(find(tables, structures[_i].type, structures[_i].instances, &count));
}
END_TEST

START_TEST(uuid_is_in_the_mixed_order)
{
    static const uint8_t expected[] = { 0x13, 0x12, 0x11, 0x10, 0x15, 0x14, 0x17, 0x16,
                                        0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f };
    g_autoptr(SmbiosTables) tables = NULL;
    unsigned count;

    setup(128 * MIB);
    tables = smbios_new(&vm, false);
    ck_assert_mem_eq(find(tables, 1, 0, &count) + 8, expected, 16);
    ck_assert_ptr_null(find(tables, 0, 0, &count));
}
END_TEST

static const struct { uint64_t ram; unsigned dimms; uint16_t size; uint32_t extended; } memory[] = {
    { 128 * MIB, 1, 128, 0 },
    { 16 * GIB, 1, 16384, 0 },
    { 40 * GIB, 3, 16384, 0 },
};

START_TEST(memory_row)
{
    g_autoptr(SmbiosTables) tables = NULL;
    const uint8_t *dimm;
    unsigned count;

    setup(memory[_i].ram);
    tables = smbios_new(&vm, false);
    dimm = find(tables, 17, memory[_i].dimms - 1, &count);
    ck_assert_ptr_nonnull(dimm);
    ck_assert_ptr_null(find(tables, 17, memory[_i].dimms, &count));
    dimm = find(tables, 17, 0, &count);
    ck_assert_uint_eq(dimm[12] | dimm[13] << 8, memory[_i].size);
    ck_assert_mem_eq(dimm + 28, &memory[_i].extended, 4);
}
END_TEST

CHECK_MAIN("machine/smbios",
           CASE(anchor_points_and_adds_up),
           CASES(structure_row, structures),
           CASE(uuid_is_in_the_mixed_order),
           CASES(memory_row, memory))
