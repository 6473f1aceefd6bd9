#include <string.h>

#include "acpi.h"
#include "aml.h"
#include "check_main.h"

#define BASE UINT64_C(0x7ff0000)

static const uint32_t ids[] = { 0, 1, 4, 300 };
static const AcpiConfig full = {
    .pci_hole_start = 0x8000000, .pci_hole_last = 0xfebfffff,
    .pci_hole64_start = UINT64_C(1) << 32, .pci_hole64_size = UINT64_C(1) << 31,
    .com_ports = 1, .hpet = true, .keyboard = true, .pvpanic_port = 0x505, .s3 = true, .s4 = true,
    .s4_type = 2,
    .apic_ids = ids, .n_cpus = G_N_ELEMENTS(ids),
};

static uint32_t u32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, 4);
    return value;
}

static uint8_t sum(const uint8_t *p, size_t len)
{
    uint8_t total = 0;

    while (len--) {
        total += *p++;
    }
    return total;
}

static AcpiTables *placed(const AcpiConfig *config)
{
    AcpiTables *tables = acpi_tables_new(config);

    acpi_tables_place(tables, (const uint64_t[ACPI_BLOBS]){ BASE, 0xff000 });
    return tables;
}

static const uint8_t *at(const AcpiTables *tables, uint32_t addr)
{
    ck_assert_uint_ge(addr, BASE);
    ck_assert_uint_lt(addr - BASE, tables->blobs[ACPI_TABLES]->len);
    return tables->blobs[ACPI_TABLES]->data + (addr - BASE);
}

static const uint8_t *find(const AcpiTables *tables, const char *signature)
{
    const uint8_t *rsdt = at(tables, u32(tables->blobs[ACPI_RSDP]->data + 16));

    for (uint32_t slot = 36; slot < u32(rsdt + 4); slot += 4) {
        const uint8_t *table = at(tables, u32(rsdt + slot));

        if (memcmp(table, signature, 4) == 0) {
            return table;
        }
    }
    return NULL;
}

START_TEST(the_chain_of_pointers_and_sums_holds)
{
    g_autoptr(AcpiTables) tables = placed(&full);
    const uint8_t *rsdp = tables->blobs[ACPI_RSDP]->data, *rsdt, *fadt;

    ck_assert_mem_eq(rsdp, "RSD PTR ", 8);
    ck_assert_uint_eq(sum(rsdp, 20), 0);
    rsdt = at(tables, u32(rsdp + 16));
    ck_assert_mem_eq(rsdt, "RSDT", 4);
    ck_assert_uint_eq(sum(rsdt, u32(rsdt + 4)), 0);
    for (uint32_t slot = 36; slot < u32(rsdt + 4); slot += 4) {
        const uint8_t *table = at(tables, u32(rsdt + slot));

        ck_assert_uint_eq(sum(table, u32(table + 4)), 0);
    }
    fadt = find(tables, "FACP");
    ck_assert_ptr_nonnull(fadt);
    ck_assert_mem_eq(at(tables, u32(fadt + 36)), "FACS", 4);
    ck_assert_uint_eq(u32(fadt + 36) % 64, 0);
    ck_assert_mem_eq(at(tables, u32(fadt + 40)), "DSDT", 4);
    ck_assert_uint_eq(sum(at(tables, u32(fadt + 40)), u32(at(tables, u32(fadt + 40)) + 4)), 0);
}
END_TEST

/* The FADT of this board, from SCI interrupt on, is known to firmware and drivers. */
static const struct { unsigned offset; uint32_t value; } fadt_fields[] = {
    { 46, 0x00b20009 }, { 52, 0x0000f0f1 }, { 56, 0x600 }, { 64, 0x604 }, { 76, 0x608 },
    { 80, 0xafe0 }, { 88, 0x04000204 }, { 92, 0x00000004 }, { 96, 0x0fff0fff },
    { 108, 0x00000032 }, { 112, 0x80a5 },
};

START_TEST(fadt_row)
{
    g_autoptr(AcpiTables) tables = placed(&full);

    ck_assert_uint_eq(u32(find(tables, "FACP") + fadt_fields[_i].offset), fadt_fields[_i].value);
}
END_TEST

START_TEST(madt_has_every_cpu_in_the_form_its_id_needs)
{
    static const uint8_t expected[] = {
        0, 8, 0, 0, 1, 0, 0, 0,
        0, 8, 1, 1, 1, 0, 0, 0,
        0, 8, 2, 4, 1, 0, 0, 0,
        9, 16, 0, 0, 0x2c, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0,
        1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
        2, 10, 0, 0, 2, 0, 0, 0, 0, 0,
        2, 10, 0, 5, 5, 0, 0, 0, 13, 0,
        2, 10, 0, 9, 9, 0, 0, 0, 13, 0,
        2, 10, 0, 10, 10, 0, 0, 0, 13, 0,
        2, 10, 0, 11, 11, 0, 0, 0, 13, 0,
        4, 6, 255, 0, 0, 1,
        10, 12, 0, 0, 255, 255, 255, 255, 1, 0, 0, 0,
    };
    g_autoptr(AcpiTables) tables = placed(&full);
    const uint8_t *madt = find(tables, "APIC");

    ck_assert_uint_eq(u32(madt + 4), 44 + sizeof(expected));
    ck_assert_mem_eq(madt + 44, expected, sizeof(expected));
}
END_TEST

START_TEST(without_hpet_there_is_no_table)
{
    AcpiConfig config = full;

    config.hpet = false;
    g_autoptr(AcpiTables) tables = placed(&config);
    ck_assert_ptr_null(find(tables, "HPET"));
    ck_assert_ptr_nonnull(find(tables, "WAET"));
}
END_TEST

static const struct { const char *name; uint64_t value; unsigned size; } dsdt_values[] = {
    { "P32S", 0x8000000, 4 }, { "P32E", 0xfebfffff, 4 }, { "P64S", 4096, 4 },
    { "P64L", 2048, 4 }, { "COMS", 1, 1 }, { "HPTE", 1, 1 }, { "KBDE", 1, 1 },
    { "PVPP", 0x505, 4 },
};

START_TEST(dsdt_value_row)
{
    g_autoptr(AcpiTables) tables = placed(&full);
    const uint8_t *dsdt = at(tables, u32(find(tables, "FACP") + 40));
    uint64_t value = 0;
    uint32_t offset = 36;

    while (dsdt[offset] != 0x08 || memcmp(dsdt + offset + 1, dsdt_values[_i].name, 4) != 0) {
        ck_assert_uint_lt(++offset, 200);
    }
    memcpy(&value, dsdt + offset + 6, dsdt_values[_i].size);
    ck_assert_uint_eq(value, dsdt_values[_i].value);
}
END_TEST

/*
 * What a compiler makes of: Scope (\_SB.PCI0) { Device (S28) { Name (_ADR, 0x50000) Name (_SUN, 5)
 * Method (_EJ0, 1, Serialized) { SLEJ (_SUN) } Method (_DSM, 4, Serialized) { Return (SLDM (Arg0,
 * Arg1, Arg2, Arg3, _SUN)) } } Method (SLNT, 2, Serialized) { If (Arg0 & 0x20) { Notify (S28, Arg1)
 * } } Method (SLEV, 0, Serialized) { SLNT (SLUP (), 1) SLNT (SLDN (), 3) } } Scope (\_GPE) { Method
 * (_E01, 0, Serialized) { \_SB.PCI0.SLEV () } }
 */
static const uint8_t one_slot[] = {
    0x10, 0x46, 0x07, 0x5c, 0x2e, 0x5f, 0x53, 0x42, 0x5f, 0x50, 0x43, 0x49, 0x30, 0x5b,
    0x82, 0x39, 0x53, 0x32, 0x38, 0x5f, 0x08, 0x5f, 0x41, 0x44, 0x52, 0x0c, 0x00, 0x00,
    0x05, 0x00, 0x08, 0x5f, 0x53, 0x55, 0x4e, 0x0a, 0x05, 0x14, 0x0e, 0x5f, 0x45, 0x4a,
    0x30, 0x09, 0x53, 0x4c, 0x45, 0x4a, 0x5f, 0x53, 0x55, 0x4e, 0x14, 0x13, 0x5f, 0x44,
    0x53, 0x4d, 0x0c, 0xa4, 0x53, 0x4c, 0x44, 0x4d, 0x68, 0x69, 0x6a, 0x6b, 0x5f, 0x53,
    0x55, 0x4e, 0x14, 0x13, 0x53, 0x4c, 0x4e, 0x54, 0x0a, 0xa0, 0x0c, 0x7b, 0x68, 0x0a,
    0x20, 0x00, 0x86, 0x53, 0x32, 0x38, 0x5f, 0x69, 0x14, 0x1a, 0x53, 0x4c, 0x45, 0x56,
    0x08, 0x53, 0x4c, 0x4e, 0x54, 0x53, 0x4c, 0x55, 0x50, 0x0a, 0x01, 0x53, 0x4c, 0x4e,
    0x54, 0x53, 0x4c, 0x44, 0x4e, 0x0a, 0x03, 0x10, 0x1c, 0x5c, 0x5f, 0x47, 0x50, 0x45,
    0x14, 0x15, 0x5f, 0x45, 0x30, 0x31, 0x08, 0x5c, 0x2f, 0x03, 0x5f, 0x53, 0x42, 0x5f,
    0x50, 0x43, 0x49, 0x30, 0x53, 0x4c, 0x45, 0x56,
};

START_TEST(slots_are_as_a_compiler_writes_them)
{
    g_autoptr(GByteArray) aml = g_byte_array_new();

    aml_pci_slots(aml, 1u << 5);
    ck_assert_uint_eq(aml->len, sizeof(one_slot));
    ck_assert_mem_eq(aml->data, one_slot, sizeof(one_slot));
}
END_TEST

START_TEST(without_hotplug_there_are_no_slots)
{
    AcpiConfig config = full;
    g_autoptr(AcpiTables) without = placed(&config), all = NULL;

    config.hotplug_slots = UINT32_MAX;
    all = placed(&config);
    ck_assert_ptr_null(memmem(find(without, "SSDT"), u32(find(without, "SSDT") + 4), "_EJ0", 4));
    ck_assert_ptr_nonnull(memmem(find(all, "SSDT"), u32(find(all, "SSDT") + 4), "SF8_", 4));
    ck_assert_uint_eq(sum(find(all, "SSDT"), u32(find(all, "SSDT") + 4)), 0);
}
END_TEST

CHECK_MAIN("machine/acpi",
           CASE(the_chain_of_pointers_and_sums_holds),
           CASES(fadt_row, fadt_fields),
           CASE(madt_has_every_cpu_in_the_form_its_id_needs),
           CASE(without_hpet_there_is_no_table),
           CASES(dsdt_value_row, dsdt_values),
           CASE(slots_are_as_a_compiler_writes_them), CASE(without_hotplug_there_are_no_slots))
