/*
 * What the pc board gives its firmware: the BIOS image, the CMOS bytes firmware has always read,
 * and the items and files of fw_cfg.
 */
#include <string.h>

#include "acpi_pci_hotplug.h"
#include "fw_cfg.h"
#include "i440fx.h"
#include "ide.h"
#include "mc146818.h"
#include "numa.h"
#include "pc.h"
#include "piix4_pm.h"
#include "pvpanic.h"
#include "rhea_error.h"
#include "rom.h"
#include "serial.h"
#include "sizes.h"
#include "x86_cpu.h"

#define DEFAULT_BIOS    "bios-256k.bin"
#define BIOS_MAX        (16 * MIB)
#define BIOS_UNIT       (64 * KIB)
#define ISA_BIOS_MAX    (128 * KIB)
#define OPTION_ROMS     0xc0000
#define OPTION_ROM_SIZE 0x20000

enum {
    CMOS_DISK_TYPES = 0x12, CMOS_DISK_C_TYPE = 0x19, CMOS_DISK_C_TABLE = 0x1b,
    CMOS_DISK_D_TABLE = 0x24, CMOS_DISK_TRANSLATIONS = 0x39,
    CMOS_EQUIPMENT = 0x14, CMOS_BASE_KIB = 0x15, CMOS_EXTENDED_KIB = 0x17,
    CMOS_EXTENDED_KIB_2 = 0x30, CMOS_ABOVE_16M = 0x34, CMOS_ABOVE_4G = 0x5b, CMOS_CPUS = 0x5f,
};
#define DISK_TYPE_OWN   47              /* has a table of its own in CMOS */
#define EQUIPMENT_FPU   0x02
#define EQUIPMENT_MOUSE 0x04

/* ---- BIOS image ---- */

static bool map_bios(PcBoard *pc, const char *name, GBytes *image, GError **error)
{
    size_t size;
    const void *data = g_bytes_get_data(image, &size);
    MemRegion *pci = i440fx_pci_memory(pc->host);
    Object *owner = object_container("/machine/unattached");
    uint64_t isa = MIN(size, ISA_BIOS_MAX), addr = 4 * GIB - size;

    if (size == 0 || size % BIOS_UNIT) {
        set_error(error, "could not load PC BIOS '%s': its size (%zu) is not a multiple of 64 KiB",
                  name, size);
        return false;
    }
    if (!mem_region_init_rom(&pc->bios, owner, "pc.bios", size, error)) {
        return false;
    }
    memcpy(pc->bios.ram->host, data, size);
    mem_region_add(pci, addr, &pc->bios);
    mem_region_init_alias(&pc->isa_bios, owner, "isa-bios", &pc->bios, size - isa, isa);
    mem_region_set_readonly(&pc->isa_bios, true);
    mem_region_add_priority(pci, PC_BIOS_END - isa, &pc->isa_bios, 1);
    pc->has_bios = true;
    g_autofree char *base = g_path_get_basename(name);
    rom_note(&(RomNote){ .place = ROM_AT_ADDRESS, .name = base, .mem = "rom", .addr = addr,
                         .size_bytes = size });
    return true;
}

bool pc_load_bios(PcBoard *pc, GError **error)
{
    const char *name = pc->vm->config.bios ? pc->vm->config.bios : DEFAULT_BIOS;
    g_autoptr(GBytes) image = rom_load(pc->vm, name, BIOS_MAX, error);

    if (!image) {
        g_prefix_error(error, "could not load PC BIOS '%s': ", name);
        error_add_hint(error, "SeaBIOS comes with the package 'seabios'; -bios and -L say where to "
                       "look; -kernel needs no BIOS");
        return false;
    }
    if (!mem_region_init_rom(&pc->rom, object_container("/machine/unattached"), "pc.rom",
                             OPTION_ROM_SIZE, error)) {
        return false;
    }
    mem_region_add_priority(i440fx_pci_memory(pc->host), OPTION_ROMS, &pc->rom, 1);
    return map_bios(pc, name, image, error);
}

/* ---- CMOS ---- */

static void cmos_set(PcBoard *pc, uint8_t at, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        mc146818_set_cmos(pc->rtc, at + i, value >> (8 * i));
    }
}

/* The table of a disk whose type says "look here": cylinders, heads, landing zone, sectors. */
static void cmos_disk_table(PcBoard *pc, uint8_t at, const IdeDiskGeometry *disk)
{
    cmos_set(pc, at, disk->cyls, 2);
    cmos_set(pc, at + 2, disk->heads, 1);
    cmos_set(pc, at + 3, UINT16_MAX, 2);            /* no write precompensation */
    cmos_set(pc, at + 5, 0xc0 | (disk->heads > 8) << 3, 1);
    cmos_set(pc, at + 6, disk->cyls, 2);
    cmos_set(pc, at + 8, disk->secs, 1);
}

static void cmos_disks(PcBoard *pc)
{
    static const uint8_t tables[] = { CMOS_DISK_C_TABLE, CMOS_DISK_D_TABLE };
    uint8_t types = 0, translations = 0;

    for (unsigned n = 0; n < 4; n++) {
        IdeDiskGeometry disk;

        if (!piix3_ide_geometry(pc->ide, n, &disk)) {
            continue;
        }
        translations |= disk.translation << (2 * n);
        if (n < G_N_ELEMENTS(tables)) {
            types |= 0xf0 >> (4 * n);
            cmos_set(pc, CMOS_DISK_C_TYPE + n, DISK_TYPE_OWN, 1);
            cmos_disk_table(pc, tables[n], &disk);
        }
    }
    cmos_set(pc, CMOS_DISK_TYPES, types, 1);
    cmos_set(pc, CMOS_DISK_TRANSLATIONS, translations, 1);
}

void pc_fill_cmos(PcBoard *pc)
{
    const Vm *vm = pc->vm;
    uint64_t low = vm->ram_below_4g;
    uint64_t extended_kib = low > MIB ? MIN((low - MIB) / KIB, 65535) : 0;
    uint64_t above_16m = low > 16 * MIB ? MIN((low - 16 * MIB) / (64 * KIB), 65535) : 0;

    cmos_set(pc, CMOS_BASE_KIB, 640, 2);
    cmos_set(pc, CMOS_EXTENDED_KIB, extended_kib, 2);
    cmos_set(pc, CMOS_EXTENDED_KIB_2, extended_kib, 2);
    cmos_set(pc, CMOS_ABOVE_16M, above_16m, 2);
    cmos_set(pc, CMOS_ABOVE_4G, vm->ram_above_4g / (64 * KIB), 3);
    cmos_set(pc, CMOS_CPUS, vm->cpus->len - 1, 1);
    cmos_set(pc, CMOS_EQUIPMENT, EQUIPMENT_FPU | (pc->kbd ? EQUIPMENT_MOUSE : 0), 1);
    cmos_disks(pc);
}

/* ---- ACPI ---- */

typedef struct DeviceSurvey {
    uint8_t com_ports;
    bool s3_off, s4_off;
    uint8_t s4_type;
    uint16_t pvpanic_port;
} DeviceSurvey;

static uint64_t device_number(const Device *dev, const char *prop)
{
    g_autofree char *text = property_get(&dev->obj, prop, NULL);

    return text ? g_ascii_strtoull(text, NULL, 0) : 0;
}

static void survey_device(Device *dev, void *opaque)
{
    static const uint16_t com_base[] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
    DeviceSurvey *survey = opaque;

    if (dev->type == &isa_serial_type) {
        uint64_t base = device_number(dev, "iobase");

        for (size_t i = 0; i < G_N_ELEMENTS(com_base); i++) {
            survey->com_ports |= base == com_base[i] ? 1u << i : 0;
        }
    } else if (dev->type == &piix4_pm_type) {
        survey->s3_off = device_number(dev, "disable_s3");
        survey->s4_off = device_number(dev, "disable_s4");
        survey->s4_type = device_number(dev, "s4_val");
    } else if (dev->type == &pvpanic_type) {
        survey->pvpanic_port = pvpanic_port(dev);
    }
}

AcpiTables *pc_make_acpi(PcBoard *pc)
{
    Vm *vm = pc->vm;
    g_autofree uint32_t *ids = g_new(uint32_t, vm->cpus->len);
    DeviceSurvey survey = { 0 };
    uint64_t ram_end = 4 * GIB + vm->ram_above_4g;

    devices_foreach(vm, survey_device, &survey);
    for (guint i = 0; i < vm->cpus->len; i++) {
        ids[i] = ((X86Cpu *)g_ptr_array_index(vm->cpus, i))->apic_id;
    }
    AcpiConfig config = {
        .pci_hole_start = vm->ram_below_4g, .pci_hole_last = PC_PCI_HOLE_LAST,
        .pci_hole64_start = (ram_end + GIB - 1) & ~(GIB - 1), .pci_hole64_size = 2 * GIB,
        .hotplug_slots = pc->pci->bus.hotplug ? acpi_pci_hotplug_removable(pc->pci) : 0,
        .com_ports = survey.com_ports, .hpet = pc->hpet, .keyboard = pc->kbd,
        .s3 = !survey.s3_off, .s4 = !survey.s4_off, .s4_type = survey.s4_type,
        .pvpanic_port = survey.pvpanic_port, .apic_ids = ids, .n_cpus = vm->cpus->len,
        .numa = vm->config.numa ? vm : NULL,
    };
    return acpi_tables_new(&config);
}

/* ---- fw_cfg ---- */

/* { nodes, node of each APIC id …, memory of each node … } */
static void fill_numa(const Vm *vm, uint64_t *numa, uint32_t apic_ids)
{
    const NumaConfig *config = vm->config.numa;

    if (!config) {
        return;
    }
    numa[0] = config->count;
    for (guint i = 0; i < vm->cpus->len; i++) {
        const X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        numa[1 + cpu->apic_id] = numa_node_of_cpu(vm, i);
    }
    for (unsigned n = 0; n < config->count; n++) {
        numa[1 + apic_ids + n] = config->nodes[n].mem_bytes;
    }
}

static void fill_numbers(PcBoard *pc)
{
    Vm *vm = pc->vm;
    Device *cfg = vm->fw_cfg;
    uint32_t apic_ids = ((X86Cpu *)g_ptr_array_index(vm->cpus, vm->cpus->len - 1))->apic_id + 1;
    unsigned nodes = vm->config.numa ? vm->config.numa->count : 0;
    g_autofree uint64_t *numa = g_new0(uint64_t, 1 + apic_ids + nodes);
    uint8_t hpet[121] = { 0xff };

    fw_cfg_set(cfg, FW_CFG_UUID, vm->config.uuid, sizeof(vm->config.uuid));
    fw_cfg_set_uint(cfg, FW_CFG_RAM_SIZE, vm->config.ram_bytes, 8);
    fw_cfg_set_uint(cfg, FW_CFG_NOGRAPHIC, !vm->config.graphics, 2);
    fw_cfg_set_uint(cfg, FW_CFG_NB_CPUS, vm->cpus->len, 2);
    fw_cfg_set_uint(cfg, FW_CFG_MAX_CPUS, apic_ids, 2);
    fill_numa(vm, numa, apic_ids);
    fw_cfg_set(cfg, FW_CFG_NUMA, numa, (1 + apic_ids + nodes) * sizeof(numa[0]));
    fw_cfg_set_uint(cfg, FW_CFG_IRQ0_OVERRIDE, 1, 4);
    if (pc->hpet) {
        /* { count, then { block id, address, minimum tick, page protection } packed } */
        uint32_t block_id = 0x8086a201;
        uint64_t addr = PC_HPET_BASE;

        memset(hpet, 0, sizeof(hpet));
        hpet[0] = 1;
        memcpy(hpet + 1, &block_id, 4);
        memcpy(hpet + 5, &addr, 8);
        hpet[13] = 100;
    }
    fw_cfg_set(cfg, FW_CFG_HPET, hpet, sizeof(hpet));
}

/* RAM and what the engine keeps: firmware knows what it reserves itself. */
void pc_firmware_e820(const PcBoard *pc, E820Map *map)
{
    const Vm *vm = pc->vm;

    e820_add(map, 0, vm->ram_below_4g, E820_RAM);
    e820_add(map, vm->accel->reserved.addr, vm->accel->reserved.end, E820_RESERVED);
    e820_add(map, 4 * GIB, 4 * GIB + vm->ram_above_4g, E820_RAM);
}

static bool fill_e820(PcBoard *pc, GError **error)
{
    E820Map map = { 0 };

    pc_firmware_e820(pc, &map);
    return fw_cfg_set_file(pc->vm->fw_cfg, "etc/e820", map.entries, map.count * sizeof(E820Entry),
                           error);
}

static bool fill_smbios(PcBoard *pc, GError **error)
{
    g_autoptr(SmbiosTables) tables = smbios_new(pc->vm, false, error);
    Device *cfg = pc->vm->fw_cfg;

    return tables != NULL &&
           fw_cfg_set_file(cfg, "etc/smbios/smbios-tables", tables->structures->data,
                           tables->structures->len, error) &&
           fw_cfg_set_file(cfg, "etc/smbios/smbios-anchor", tables->anchor, SMBIOS_ANCHOR_SIZE,
                           error);
}

static bool fill_acpi(PcBoard *pc, GError **error)
{
    g_autoptr(AcpiTables) tables = NULL;

    if (!pc->vm->config.acpi) {
        return true;
    }
    tables = pc_make_acpi(pc);
    return acpi_tables_to_fw_cfg(tables, pc->vm->fw_cfg, error);
}

bool pc_fill_fw_cfg(PcBoard *pc, GError **error)
{
    /* S0 to S5: bit 7 supported, low bits the sleep type */
    static const uint8_t states[6] = { 0x80, 0, 0, 0x81, 0x82, 0x80 };
    Device *cfg = pc->vm->fw_cfg;

    fill_numbers(pc);
    return fill_e820(pc, error) && fill_smbios(pc, error) && fill_acpi(pc, error) &&
           fw_cfg_set_file(cfg, "etc/system-states", states, sizeof(states), error) &&
           pc_fill_boot(pc, error);
}
