/*
 * ACPI tables of the pc board (ACPI Specification 2.0 chapter 5; HPET table: IA-PC HPET 1.0a,
 * 3.2.4;
 * WAET: Windows ACPI Emulated Devices Table, version 1.0).
 *
 * The same set that firmware of this board has always been given: RSDT, FACP revision 1 with FACS
 * and DSDT, APIC, SSDT, and HPET and WAET.
 */
#include "acpi.h"
#include "numa.h"

#include <string.h>

#include "acpi_pm.h"
#include "aml.h"
#include "fw_cfg.h"
#include "piix4_pm.h"
#include "pc_addresses.h"
#include "rom.h"
#include "sizes.h"

extern const unsigned char acpi_pc_dsdt[];          /* the compiled pc.asl */
extern const unsigned acpi_pc_dsdt_size;

typedef struct __attribute__((packed)) AcpiHeader {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision;
    char creator_id[4];
    uint32_t creator_revision;
} AcpiHeader;
G_STATIC_ASSERT(sizeof(AcpiHeader) == 36);

typedef struct __attribute__((packed)) AcpiFadt {
    AcpiHeader header;
    uint32_t facs, dsdt;
    uint8_t model, pm_profile;
    uint16_t sci_irq;
    uint32_t smi_command;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control, pm2_control, pm_timer;
    uint32_t gpe0, gpe1;
    uint8_t pm1_event_len, pm1_control_len, pm2_control_len, pm_timer_len, gpe0_len, gpe1_len;
    uint8_t gpe1_base, cst;
    uint16_t c2_latency, c3_latency, flush_size, flush_stride;
    uint8_t duty_offset, duty_width, day_alarm, month_alarm, century;
    uint16_t boot_flags;
    uint8_t reserved;
    uint32_t flags;
} AcpiFadt;
G_STATIC_ASSERT(sizeof(AcpiFadt) == 116);

#define FADT_WBINVD         (1u << 0)
#define FADT_PROC_C1        (1u << 2)
#define FADT_SLP_BUTTON     (1u << 5)       /* no sleep button in fixed hardware */
#define FADT_RTC_S4         (1u << 7)
#define FADT_USE_PLATFORM_CLOCK (1u << 15)

typedef struct __attribute__((packed)) AcpiHpet {
    AcpiHeader header;
    uint32_t block_id;
    uint8_t space, bit_width, bit_offset, access;
    uint64_t address;
    uint8_t number;
    uint16_t min_tick;
    uint8_t protection;
} AcpiHpet;
G_STATIC_ASSERT(sizeof(AcpiHpet) == 56);

typedef struct __attribute__((packed)) AcpiRsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
} AcpiRsdp;
G_STATIC_ASSERT(sizeof(AcpiRsdp) == 20);

static const char *const blob_files[ACPI_BLOBS] = {
    [ACPI_TABLES] = "etc/acpi/tables", [ACPI_RSDP] = "etc/acpi/rsdp",
};

/* ---- building ---- */

static void add_pointer(AcpiTables *tables, AcpiBlob blob, uint32_t offset, uint32_t target)
{
    AcpiFixup fixup = { .kind = ACPI_POINTER, .blob = blob, .target = ACPI_TABLES,
                        .offset = offset, .size = 4 };

    memcpy(tables->blobs[blob]->data + offset, &target, sizeof(target));
    g_array_append_val(tables->fixups, fixup);
}

static void add_checksum(AcpiTables *tables, AcpiBlob blob, uint32_t offset, uint32_t start,
                         uint32_t length)
{
    AcpiFixup fixup = { .kind = ACPI_CHECKSUM, .blob = blob, .offset = offset, .start = start,
                        .length = length };

    g_array_append_val(tables->fixups, fixup);
}

static uint32_t table_begin(AcpiTables *tables, const char *signature, uint8_t revision)
{
    uint32_t at = tables->blobs[ACPI_TABLES]->len;
    AcpiHeader header = { .revision = revision, .oem_revision = 1, .creator_revision = 1 };

    memcpy(header.signature, signature, 4);
    memcpy(header.oem_id, "RHEA  ", 6);
    memcpy(header.oem_table_id, "PC      ", 8);
    memcpy(header.creator_id, "RHEA", 4);
    g_byte_array_append(tables->blobs[ACPI_TABLES], (const uint8_t *)&header, sizeof(header));
    return at;
}

/* Fills in the length; the checksum is due once the pointers inside are final. */
static void table_end(AcpiTables *tables, uint32_t at)
{
    GByteArray *blob = tables->blobs[ACPI_TABLES];
    uint32_t length = blob->len - at;

    memcpy(blob->data + at + offsetof(AcpiHeader, length), &length, sizeof(length));
    blob->data[at + offsetof(AcpiHeader, checksum)] = 0;
    add_checksum(tables, ACPI_TABLES, at + offsetof(AcpiHeader, checksum), at, length);
}

static void put(AcpiTables *tables, const void *data, size_t len)
{
    g_byte_array_append(tables->blobs[ACPI_TABLES], data, len);
}

static void build_facs(AcpiTables *tables)
{
    uint8_t facs[64] = { 'F', 'A', 'C', 'S', sizeof(facs) };

    tables->facs_offset = tables->blobs[ACPI_TABLES]->len;
    put(tables, facs, sizeof(facs));
}

static uint32_t build_dsdt(AcpiTables *tables, const AcpiConfig *config)
{
    uint32_t at = tables->blobs[ACPI_TABLES]->len;
    const struct { const char *name; uint64_t value; unsigned size; } values[] = {
        { "P32S", config->pci_hole_start, 4 },
        { "P32E", config->pci_hole_last, 4 },
        { "P64S", config->pci_hole64_start / MIB, 4 },
        { "P64L", config->pci_hole64_size / MIB, 4 },
        { "COMS", config->com_ports, 1 },
        { "HPTE", config->hpet, 1 },
        { "KBDE", config->keyboard, 1 },
        { "PVPP", config->pvpanic_port, 4 },
    };

    put(tables, acpi_pc_dsdt, acpi_pc_dsdt_size);
    for (size_t i = 0; i < G_N_ELEMENTS(values); i++) {
        aml_patch_int(tables->blobs[ACPI_TABLES]->data + at, acpi_pc_dsdt_size, values[i].name,
                      values[i].value, values[i].size);
    }
    table_end(tables, at);
    return at;
}

static uint32_t build_fadt(AcpiTables *tables, uint32_t dsdt)
{
    uint32_t at = table_begin(tables, "FACP", 1);
    AcpiFadt fadt = {
        .model = 1,
        .sci_irq = 9,
        .smi_command = PIIX4_SMI_PORT,
        .acpi_enable = PIIX4_ACPI_ENABLE, .acpi_disable = PIIX4_ACPI_DISABLE,
        .pm1a_event = PC_PM_BASE, .pm1a_control = PC_PM_BASE + 4, .pm_timer = PC_PM_BASE + 8,
        .gpe0 = PIIX4_GPE_BASE,
        .pm1_event_len = 4, .pm1_control_len = 2, .pm_timer_len = 4,
        .gpe0_len = 2 * ACPI_GPE_BYTES,
        .c2_latency = 0xfff, .c3_latency = 0xfff,       /* not supported */
        .century = PC_CMOS_CENTURY,
        .flags = FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_RTC_S4 |
                 FADT_USE_PLATFORM_CLOCK,
    };

    put(tables, (const uint8_t *)&fadt + sizeof(AcpiHeader), sizeof(fadt) - sizeof(AcpiHeader));
    add_pointer(tables, ACPI_TABLES, at + offsetof(AcpiFadt, facs), tables->facs_offset);
    add_pointer(tables, ACPI_TABLES, at + offsetof(AcpiFadt, dsdt), dsdt);
    table_end(tables, at);
    return at;
}

/* ---- APIC table (5.2.8) ---- */

enum { MADT_LAPIC = 0, MADT_IOAPIC = 1, MADT_OVERRIDE = 2, MADT_LAPIC_NMI = 4, MADT_X2APIC = 9,
       MADT_X2APIC_NMI = 10 };

static void build_madt_cpu(AcpiTables *tables, unsigned uid, uint32_t apic_id)
{
    if (apic_id < 255) {
        put(tables, (uint8_t[]){ MADT_LAPIC, 8, uid, apic_id, 1, 0, 0, 0 }, 8);
        return;
    }
    uint32_t entry[4] = { MADT_X2APIC | 16 << 8, apic_id, 1, uid };
    put(tables, entry, sizeof(entry));
}

static uint32_t build_madt(AcpiTables *tables, const AcpiConfig *config)
{
    /* ISA interrupt 0 arrives on pin 2; PCI's are level and active high (flags 0xd). */
    static const struct { uint8_t irq, gsi; uint16_t flags; } overrides[] = {
        { 0, 2, 0 }, { 5, 5, 0x0d }, { 9, 9, 0x0d }, { 10, 10, 0x0d }, { 11, 11, 0x0d },
    };
    uint32_t at = table_begin(tables, "APIC", 1);
    uint32_t apic[2] = { PC_LAPIC_BASE, 1 };            /* 1: there are 8259s as well */
    uint32_t ioapic[3] = { MADT_IOAPIC | 12 << 8, PC_IOAPIC_BASE, 0 };
    bool wide = false;

    put(tables, apic, sizeof(apic));
    for (unsigned i = 0; i < config->n_cpus; i++) {
        build_madt_cpu(tables, i, config->apic_ids[i]);
        wide |= config->apic_ids[i] >= 255;
    }
    put(tables, ioapic, sizeof(ioapic));
    for (size_t i = 0; i < G_N_ELEMENTS(overrides); i++) {
        uint8_t entry[10] = { MADT_OVERRIDE, 10, 0, overrides[i].irq, overrides[i].gsi, 0, 0, 0,
                              overrides[i].flags, 0 };

        put(tables, entry, sizeof(entry));
    }
    put(tables, (uint8_t[]){ MADT_LAPIC_NMI, 6, 0xff, 0, 0, 1 }, 6);
    if (wide) {
        put(tables, (uint8_t[]){ MADT_X2APIC_NMI, 12, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0 },
            12);
    }
    table_end(tables, at);
    return at;
}

static uint32_t build_ssdt(AcpiTables *tables, const AcpiConfig *config)
{
    uint32_t at = table_begin(tables, "SSDT", 2);
    GByteArray *aml = tables->blobs[ACPI_TABLES];

    if (config->s3) {
        aml_name_sleep(aml, "_S3_", 1);
    }
    if (config->s4) {
        aml_name_sleep(aml, "_S4_", config->s4_type);
    }
    for (unsigned i = 0; i < config->n_cpus; i++) {
        aml_cpu_device(aml, i);
    }
    if (config->hotplug_slots) {
        aml_pci_slots(aml, config->hotplug_slots);
    }
    table_end(tables, at);
    return at;
}

static uint32_t build_hpet(AcpiTables *tables)
{
    uint32_t at = table_begin(tables, "HPET", 1);
    AcpiHpet hpet = {
        .block_id = 0x8086a201,     /* vendor, legacy route, 64-bit counter, 3 timers, revision 1 */
        .address = PC_HPET_BASE,
    };

    put(tables, (const uint8_t *)&hpet + sizeof(AcpiHeader), sizeof(hpet) - sizeof(AcpiHeader));
    table_end(tables, at);
    return at;
}

static uint32_t build_waet(AcpiTables *tables)
{
    uint32_t at = table_begin(tables, "WAET", 1);
    uint32_t flags = 1u << 1;       /* one read of the PM timer is enough */

    put(tables, &flags, sizeof(flags));
    table_end(tables, at);
    return at;
}

/* ---- NUMA: ACPI 6.4 5.2.16, 5.2.17 ---- */

enum { SRAT_LAPIC = 0, SRAT_MEMORY = 1, SRAT_X2APIC = 2 };

static void build_srat_cpu(AcpiTables *tables, uint32_t node, uint32_t apic_id)
{
    if (apic_id < 255) {
        put(tables, (uint8_t[]){ SRAT_LAPIC, 16, node, apic_id, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
            16);
        return;
    }
    uint32_t entry[6] = { SRAT_X2APIC | 24 << 8, node, apic_id, 1, 0, 0 };
    put(tables, entry, sizeof(entry));
}

static void build_srat_memory(void *tables, unsigned node, uint64_t addr, uint64_t size)
{
    struct __attribute__((packed)) {
        uint8_t type, length;
        uint32_t node;
        uint16_t reserved;
        uint64_t addr, size;
        uint32_t reserved2, flags;
        uint64_t reserved3;
    } entry = { SRAT_MEMORY, sizeof(entry), node, 0, addr, size, 0, 1, 0 };
    G_STATIC_ASSERT(sizeof(entry) == 40);

    put(tables, &entry, sizeof(entry));
}

static uint32_t build_srat(AcpiTables *tables, const AcpiConfig *config)
{
    uint32_t at = table_begin(tables, "SRAT", 1);
    uint32_t reserved[3] = { 1 };

    put(tables, reserved, sizeof(reserved));
    for (unsigned i = 0; i < config->n_cpus; i++) {
        build_srat_cpu(tables, numa_node_of_cpu(config->numa, i), config->apic_ids[i]);
    }
    numa_ranges(config->numa, build_srat_memory, tables);
    table_end(tables, at);
    return at;
}

static uint32_t build_slit(AcpiTables *tables, const NumaConfig *numa)
{
    uint32_t at = table_begin(tables, "SLIT", 1);
    uint64_t count = numa->count;

    put(tables, &count, sizeof(count));
    for (unsigned from = 0; from < numa->count; from++) {
        for (unsigned to = 0; to < numa->count; to++) {
            uint8_t distance = numa_distance(numa, from, to);

            put(tables, &distance, 1);
        }
    }
    table_end(tables, at);
    return at;
}

static uint32_t build_rsdt(AcpiTables *tables, const uint32_t *offsets, unsigned count)
{
    uint32_t at = table_begin(tables, "RSDT", 1);

    for (unsigned i = 0; i < count; i++) {
        uint32_t slot = tables->blobs[ACPI_TABLES]->len;

        put(tables, &offsets[i], sizeof(offsets[i]));
        add_pointer(tables, ACPI_TABLES, slot, offsets[i]);
    }
    table_end(tables, at);
    return at;
}

static void build_rsdp(AcpiTables *tables, uint32_t rsdt)
{
    AcpiRsdp rsdp = { .revision = 0 };

    memcpy(rsdp.signature, "RSD PTR ", 8);
    memcpy(rsdp.oem_id, "RHEA  ", 6);
    g_byte_array_append(tables->blobs[ACPI_RSDP], (const uint8_t *)&rsdp, sizeof(rsdp));
    add_pointer(tables, ACPI_RSDP, offsetof(AcpiRsdp, rsdt), rsdt);
    add_checksum(tables, ACPI_RSDP, offsetof(AcpiRsdp, checksum), 0, sizeof(rsdp));
}

AcpiTables *acpi_tables_new(const AcpiConfig *config)
{
    AcpiTables *tables = g_new0(AcpiTables, 1);
    uint32_t offsets[10], dsdt;
    unsigned count = 0;

    for (int i = 0; i < ACPI_BLOBS; i++) {
        tables->blobs[i] = g_byte_array_new();
    }
    tables->fixups = g_array_new(FALSE, FALSE, sizeof(AcpiFixup));
    build_facs(tables);
    dsdt = build_dsdt(tables, config);
    offsets[count++] = build_fadt(tables, dsdt);
    offsets[count++] = build_madt(tables, config);
    offsets[count++] = build_ssdt(tables, config);
    if (config->hpet) {
        offsets[count++] = build_hpet(tables);
    }
    if (config->numa) {
        offsets[count++] = build_srat(tables, config);
        if (config->numa->config.numa->distances) {
            offsets[count++] = build_slit(tables, config->numa->config.numa);
        }
    }
    offsets[count++] = build_waet(tables);
    build_rsdp(tables, build_rsdt(tables, offsets, count));
    return tables;
}

void acpi_tables_free(AcpiTables *tables)
{
    if (!tables) {
        return;
    }
    for (int i = 0; i < ACPI_BLOBS; i++) {
        g_byte_array_unref(tables->blobs[i]);
    }
    g_array_unref(tables->fixups);
    g_free(tables);
}

/* ---- patching ---- */

static void fixup_apply(AcpiTables *tables, const AcpiFixup *fixup, const uint64_t *addr)
{
    uint8_t *data = tables->blobs[fixup->blob]->data;

    if (fixup->kind == ACPI_POINTER) {
        uint32_t pointer;

        memcpy(&pointer, data + fixup->offset, sizeof(pointer));
        pointer += addr[fixup->target];
        memcpy(data + fixup->offset, &pointer, sizeof(pointer));
        return;
    }
    uint8_t sum = 0;
    for (uint32_t i = 0; i < fixup->length; i++) {
        sum += data[fixup->start + i];
    }
    data[fixup->offset] -= sum;
}

void acpi_tables_place(AcpiTables *tables, const uint64_t addr[ACPI_BLOBS])
{
    for (guint i = 0; i < tables->fixups->len; i++) {
        fixup_apply(tables, &g_array_index(tables->fixups, AcpiFixup, i), addr);
    }
}

/* ---- the loader script: 128-byte commands that firmware carries out ---- */

enum { LOADER_ALLOCATE = 1, LOADER_ADD_POINTER = 2, LOADER_ADD_CHECKSUM = 3 };
enum { LOADER_ZONE_HIGH = 1, LOADER_ZONE_FSEG = 2 };

typedef struct __attribute__((packed)) LoaderCommand {
    uint32_t command;
    union {
        struct __attribute__((packed)) { char file[56]; uint32_t align; uint8_t zone; } allocate;
        struct __attribute__((packed)) {
            char dest[56], src[56];
            uint32_t offset;
            uint8_t size;
        } pointer;
        struct __attribute__((packed)) {
            char file[56];
            uint32_t offset, start, length;
        } checksum;
        uint8_t pad[124];
    };
} LoaderCommand;
G_STATIC_ASSERT(sizeof(LoaderCommand) == 128);

static void loader_allocate(GByteArray *script, AcpiBlob blob, uint32_t align, uint8_t zone)
{
    LoaderCommand command = { .command = LOADER_ALLOCATE };

    g_strlcpy(command.allocate.file, blob_files[blob], sizeof(command.allocate.file));
    command.allocate.align = align;
    command.allocate.zone = zone;
    g_byte_array_append(script, (const uint8_t *)&command, sizeof(command));
}

static void loader_fixup(GByteArray *script, const AcpiFixup *fixup)
{
    LoaderCommand command = { 0 };

    if (fixup->kind == ACPI_POINTER) {
        command.command = LOADER_ADD_POINTER;
        g_strlcpy(command.pointer.dest, blob_files[fixup->blob], sizeof(command.pointer.dest));
        g_strlcpy(command.pointer.src, blob_files[fixup->target], sizeof(command.pointer.src));
        command.pointer.offset = fixup->offset;
        command.pointer.size = fixup->size;
    } else {
        command.command = LOADER_ADD_CHECKSUM;
        g_strlcpy(command.checksum.file, blob_files[fixup->blob], sizeof(command.checksum.file));
        command.checksum.offset = fixup->offset;
        command.checksum.start = fixup->start;
        command.checksum.length = fixup->length;
    }
    g_byte_array_append(script, (const uint8_t *)&command, sizeof(command));
}

static bool give_file(Device *fw_cfg, const char *name, const GByteArray *bytes, GError **error)
{
    g_autofree char *where = g_strdup_printf("/rom@%s", name);

    rom_note(&(RomNote){ .place = ROM_IN_REGION, .name = name, .where = where,
                         .size_bytes = bytes->len });
    return fw_cfg_set_file(fw_cfg, name, bytes->data, bytes->len, error);
}

bool acpi_tables_to_fw_cfg(const AcpiTables *tables, Device *fw_cfg, GError **error)
{
    g_autoptr(GByteArray) script = g_byte_array_new();

    loader_allocate(script, ACPI_RSDP, 16, LOADER_ZONE_FSEG);
    loader_allocate(script, ACPI_TABLES, 64, LOADER_ZONE_HIGH);
    for (guint i = 0; i < tables->fixups->len; i++) {
        loader_fixup(script, &g_array_index(tables->fixups, AcpiFixup, i));
    }
    return give_file(fw_cfg, blob_files[ACPI_TABLES], tables->blobs[ACPI_TABLES], error) &&
           give_file(fw_cfg, "etc/table-loader", script, error) &&
           give_file(fw_cfg, blob_files[ACPI_RSDP], tables->blobs[ACPI_RSDP], error);
}
