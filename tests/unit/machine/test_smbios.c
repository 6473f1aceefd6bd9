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
    tables = smbios_new(&vm, true, NULL);
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
    tables = smbios_new(&vm, true, NULL);
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
    tables = smbios_new(&vm, false, NULL);
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
    tables = smbios_new(&vm, false, NULL);
    dimm = find(tables, 17, memory[_i].dimms - 1, &count);
    ck_assert_ptr_nonnull(dimm);
    ck_assert_ptr_null(find(tables, 17, memory[_i].dimms, &count));
    dimm = find(tables, 17, 0, &count);
    ck_assert_uint_eq(dimm[12] | dimm[13] << 8, memory[_i].size);
    ck_assert_mem_eq(dimm + 28, &memory[_i].extended, 4);
}
END_TEST

/* The strings of a structure, joined by '|'. */
static char *strings_of(const uint8_t *structure)
{
    GString *out = g_string_new(NULL);

    for (const char *p = (const char *)structure + structure[1]; *p != '\0'; p += strlen(p) + 1) {
        g_string_append_printf(out, "%s%s", out->len > 0 ? "|" : "", p);
    }
    return g_string_free(out, FALSE);
}

START_TEST(configured_strings_appear)
{
    g_autoptr(SmbiosTables) tables = NULL;
    g_autofree char *system = NULL, *oem = NULL;
    SmbiosConfig *config = smbios_config_new();
    unsigned count;

    setup(128 * MIB);
    config->system.manufacturer = g_strdup("OpenStack Foundation");
    config->system.serial = g_strdup("80590690");
    g_ptr_array_add(config->oem, g_strdup("a"));
    g_ptr_array_add(config->oem, g_strdup("b c"));
    vm.config.smbios = config;
    tables = smbios_new(&vm, false, NULL);
    system = strings_of(find(tables, 1, 0, &count));
    ck_assert(g_str_has_prefix(system, "OpenStack Foundation|"));
    ck_assert(g_str_has_suffix(system, "|80590690"));
    oem = strings_of(find(tables, 11, 0, &count));
    ck_assert_str_eq(oem, "a|b c");
    ck_assert_ptr_null(find(tables, 2, 0, &count));
    vm.config.smbios = NULL;
}
END_TEST

static const struct { const char *bytes; size_t size; bool ok; } files[] = {
    { "\x03\x06\x00\x03\x01\x02" "abc\0\0", 11, true },
    { "\x03\x06\x00\x03\x01\x02\0\0", 8, true },
    { "\x03\x06\x00\x03\x01\x02" "abc\0", 10, false },           /* one null */
    { "\x03\xff\x00\x03\x01\x02\0\0", 8, false },               /* longer than the file */
    { "\x03\x06\x00\x03\x01\x02\0\0\0", 9, false },              /* something behind it */
    { "\x80\x06\x00\x03\x01\x02\0\0", 8, false },               /* a vendor's type */
    { "\x03\x03", 2, false },
};

START_TEST(file_row)
{
    g_autoptr(SmbiosTables) tables = NULL;
    SmbiosConfig *config = smbios_config_new();
    const uint8_t *chassis;
    unsigned count;

    setup(128 * MIB);
    ck_assert_int_eq(smbios_config_add_file(config, (const uint8_t *)files[_i].bytes,
                                            files[_i].size, NULL), files[_i].ok);
    vm.config.smbios = config;
    tables = smbios_new(&vm, false, NULL);
    chassis = find(tables, 3, 0, &count);
    ck_assert_int_eq(chassis[1] == 6, files[_i].ok);            /* instead of the board's own */
    ck_assert_ptr_null(find(tables, 3, 1, &count));
    vm.config.smbios = NULL;
}
END_TEST

CHECK_MAIN("machine/smbios",
           CASE(configured_strings_appear), CASES(file_row, files),
           CASE(anchor_points_and_adds_up),
           CASES(structure_row, structures),
           CASE(uuid_is_in_the_mixed_order),
           CASES(memory_row, memory))
