#include "smbios.h"

#include <stdio.h>
#include <string.h>

#include "cpuid.h"
#include "machine.h"
#include "rhea_error.h"
#include "sizes.h"
#include "x86_cpu.h"

/*
 * Handles: type in the upper byte, instance in the lower, as SMBIOS tables of this board always
 * had.
 */
enum {
    HANDLE_BIOS = 0x0000, HANDLE_SYSTEM = 0x0100, HANDLE_BOARD = 0x0200, HANDLE_CHASSIS = 0x0300,
    HANDLE_CPU = 0x0400, HANDLE_OEM = 0x0e00, HANDLE_ARRAY = 0x1000, HANDLE_DIMM = 0x1100, HANDLE_MAPPED = 0x1300, HANDLE_BOOT = 0x2000,
    HANDLE_END = 0x7f00,
};

#define DIMM_MAX (16 * GIB)
#define MHZ_DEFAULT 2000

/* A structure being made: fixed part, then strings numbered from 1. */
typedef struct Structure {
    GByteArray *fixed, *strings;
    uint8_t n_strings;
} Structure;

static void structure_begin(Structure *s, uint8_t type, uint16_t handle)
{
    uint8_t header[4] = { type, 0, handle, handle >> 8 };

    s->fixed = g_byte_array_new();
    s->strings = g_byte_array_new();
    s->n_strings = 0;
    g_byte_array_append(s->fixed, header, sizeof(header));
}

static void put_uint(Structure *s, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        uint8_t byte = value >> (8 * i);

        g_byte_array_append(s->fixed, &byte, 1);
    }
}

static void put_string(Structure *s, const char *text)
{
    if (!text || !*text) {
        put_uint(s, 0, 1);
        return;
    }
    g_byte_array_append(s->strings, (const uint8_t *)text, strlen(text) + 1);
    put_uint(s, ++s->n_strings, 1);
}

/* 6.1.3: the strings, then a null; two nulls when there is no string. */
static void structure_end(Structure *s, SmbiosTables *tables)
{
    static const uint8_t nulls[2];

    s->fixed->data[1] = s->fixed->len;
    g_byte_array_append(s->strings, nulls, s->n_strings ? 1 : 2);
    tables->largest = MAX(tables->largest, s->fixed->len + s->strings->len);
    tables->count++;
    g_byte_array_append(tables->structures, s->fixed->data, s->fixed->len);
    g_byte_array_append(tables->structures, s->strings->data, s->strings->len);
    g_byte_array_unref(s->fixed);
    g_byte_array_unref(s->strings);
}

static const char *text_or(const char *text, const char *def)
{
    return text != NULL ? text : def;
}

static void build_bios(SmbiosTables *tables, const SmbiosConfig *config)
{
    unsigned major = 0, minor = 0;
    Structure s;

    if (config->bios.release != NULL) {
        sscanf(config->bios.release, "%u.%u", &major, &minor);
    }
    structure_begin(&s, 0, HANDLE_BIOS);
    put_string(&s, text_or(config->bios.vendor, "Rhea"));
    put_string(&s, text_or(config->bios.version, RHEA_VERSION));
    put_uint(&s, 0xf000, 2);            /* segment of the tables */
    put_string(&s, text_or(config->bios.date, "01/01/2024"));
    put_uint(&s, 0, 1);                 /* 64 KiB */
    put_uint(&s, 0x08, 8);              /* characteristics: none given */
    put_uint(&s, 0, 1);
    put_uint(&s, config->bios.uefi ? 0x1c : 0x14, 1);   /* virtual machine, targeted content */
    put_uint(&s, major, 1);
    put_uint(&s, minor, 1);
    put_uint(&s, 0xffff, 2);            /* no embedded controller */
    structure_end(&s, tables);
}

static void build_system(Vm *vm, SmbiosTables *tables, const SmbiosConfig *config)
{
    const uint8_t *uuid = vm->config.uuid;
    /* 7.2.1: the first three fields are little endian. */
    static const uint8_t order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    Structure s;

    structure_begin(&s, 1, HANDLE_SYSTEM);
    put_string(&s, text_or(config->system.manufacturer, "QEMU"));
    put_string(&s, text_or(config->system.product, vm->board->help));
    put_string(&s, text_or(config->system.version, vm->board->name));
    put_string(&s, config->system.serial);
    for (unsigned i = 0; i < 16; i++) {
        put_uint(&s, uuid[order[i]], 1);
    }
    put_uint(&s, 6, 1);                 /* woken by the power switch */
    put_string(&s, config->system.sku);
    put_string(&s, config->system.family);
    structure_end(&s, tables);
}

/* Only there when something is said of it. */
static void build_board(Vm *vm, SmbiosTables *tables, const SmbiosConfig *config)
{
    Structure s;

    if (!config->fields_given[2]) {
        return;
    }
    structure_begin(&s, 2, HANDLE_BOARD);
    put_string(&s, text_or(config->board.manufacturer, "QEMU"));
    put_string(&s, text_or(config->board.product, vm->board->help));
    put_string(&s, text_or(config->board.version, vm->board->name));
    put_string(&s, config->board.serial);
    put_string(&s, config->board.asset);
    put_uint(&s, 1, 1);                 /* a hosting board */
    put_string(&s, config->board.location);
    put_uint(&s, HANDLE_CHASSIS, 2);
    put_uint(&s, 0x0a, 1);              /* motherboard */
    put_uint(&s, 0, 1);                 /* contains no further objects */
    structure_end(&s, tables);
}

static void build_chassis(Vm *vm, SmbiosTables *tables, const SmbiosConfig *config)
{
    Structure s;

    structure_begin(&s, 3, HANDLE_CHASSIS);
    put_string(&s, text_or(config->chassis.manufacturer, "QEMU"));
    put_uint(&s, 1, 1);                 /* type: other */
    put_string(&s, text_or(config->chassis.version, vm->board->name));
    put_string(&s, config->chassis.serial);
    put_string(&s, config->chassis.asset);
    put_uint(&s, 3, 1);                 /* boot-up, power supply, thermal state: safe */
    put_uint(&s, 3, 1);
    put_uint(&s, 3, 1);
    put_uint(&s, 2, 1);                 /* security: unknown */
    put_uint(&s, 0, 4);
    put_uint(&s, 0, 4);                 /* height, cords, contained elements */
    put_string(&s, config->chassis.sku);
    structure_end(&s, tables);
}

static void build_cpu(Vm *vm, SmbiosTables *tables, const SmbiosConfig *config,
                      unsigned socket)
{
    const CpuTopology *topo = &vm->config.topo;
    unsigned cores = MAX(1, topo->cores * MAX(1, topo->dies));
    unsigned threads = cores * MAX(1, topo->threads);
    g_autofree char *name =
        g_strdup_printf("%s%2x", text_or(config->cpu.sock_pfx, "CPU"), socket);
    unsigned max_mhz = config->cpu.max_speed, mhz = config->cpu.current_speed;
    uint64_t id = config->cpu.processor_id;
    uint32_t leaf1[4] = { 0 };
    Structure s;

    if (vm->cpus->len) {
        x86_cpuid(g_ptr_array_index(vm->cpus, 0), 1, 0, leaf1);
    }
    if (id == 0) {
        id = leaf1[0] | (uint64_t)leaf1[3] << 32;
    }
    structure_begin(&s, 4, HANDLE_CPU + socket);
    put_string(&s, name);
    put_uint(&s, 3, 1);                 /* central processor */
    put_uint(&s, 1, 1);                 /* family: other */
    put_string(&s, text_or(config->cpu.manufacturer, "QEMU"));
    put_uint(&s, id, 8);
    put_string(&s, text_or(config->cpu.version, vm->board->name));
    put_uint(&s, 0, 1);                 /* voltage */
    put_uint(&s, 0, 2);                 /* external clock */
    put_uint(&s, max_mhz != 0 ? max_mhz : MHZ_DEFAULT, 2);
    put_uint(&s, mhz != 0 ? mhz : MHZ_DEFAULT, 2);
    put_uint(&s, 0x41, 1);              /* populated, enabled */
    put_uint(&s, 1, 1);                 /* upgrade: other */
    put_uint(&s, UINT64_MAX, 6);        /* no cache structures */
    put_string(&s, config->cpu.serial);
    put_string(&s, config->cpu.asset);
    put_string(&s, config->cpu.part);
    put_uint(&s, MIN(cores, 255), 1);
    put_uint(&s, MIN(cores, 255), 1);
    put_uint(&s, MIN(threads, 255), 1);
    put_uint(&s, 2, 2);                 /* characteristics: unknown */
    put_uint(&s, 1, 2);
    structure_end(&s, tables);
}

static void build_array(Vm *vm, SmbiosTables *tables, unsigned dimms)
{
    uint64_t kib = vm->config.ram_bytes / KIB;
    Structure s;

    structure_begin(&s, 16, HANDLE_ARRAY);
    put_uint(&s, 1, 1);                 /* location: other */
    put_uint(&s, 3, 1);                 /* system memory */
    put_uint(&s, 6, 1);                 /* multi-bit ECC */
    put_uint(&s, kib < 0x80000000 ? kib : 0x80000000, 4);
    put_uint(&s, 0xfffe, 2);            /* no error information */
    put_uint(&s, dimms, 2);
    put_uint(&s, kib < 0x80000000 ? 0 : vm->config.ram_bytes, 8);
    structure_end(&s, tables);
}

static void build_dimm(SmbiosTables *tables, const SmbiosConfig *config, unsigned n,
                       uint64_t bytes)
{
    g_autofree char *name = g_strdup_printf("%s %u", text_or(config->dimm.loc_pfx, "DIMM"), n);
    uint64_t mib = bytes / MIB;
    Structure s;

    structure_begin(&s, 17, HANDLE_DIMM + n);
    put_uint(&s, HANDLE_ARRAY, 2);
    put_uint(&s, 0xfffe, 2);
    put_uint(&s, 0xffff, 2);            /* widths unknown */
    put_uint(&s, 0xffff, 2);
    put_uint(&s, MIN(mib, 0x7fff), 2);
    put_uint(&s, 9, 1);                 /* DIMM */
    put_uint(&s, 0, 1);
    put_string(&s, name);
    put_string(&s, config->dimm.bank);
    put_uint(&s, 7, 1);                 /* RAM */
    put_uint(&s, 2, 2);                 /* detail: other */
    put_uint(&s, config->dimm.speed, 2);
    put_string(&s, text_or(config->dimm.manufacturer, "QEMU"));
    put_string(&s, config->dimm.serial);
    put_string(&s, config->dimm.asset);
    put_string(&s, config->dimm.part);
    put_uint(&s, 0, 1);
    put_uint(&s, mib < 0x7fff ? 0 : mib, 4);
    put_uint(&s, config->dimm.speed, 2);
    put_uint(&s, 0, 6);                 /* voltages */
    structure_end(&s, tables);
}

static void build_mapped(SmbiosTables *tables, unsigned n, uint64_t start, uint64_t bytes)
{
    uint64_t first = start / KIB, last = (start + bytes) / KIB - 1;
    bool wide = last >= UINT32_MAX;
    Structure s;

    structure_begin(&s, 19, HANDLE_MAPPED + n);
    put_uint(&s, wide ? UINT32_MAX : first, 4);
    put_uint(&s, wide ? UINT32_MAX : last, 4);
    put_uint(&s, HANDLE_ARRAY, 2);
    put_uint(&s, 1, 1);                 /* partition width */
    put_uint(&s, wide ? start : 0, 8);
    put_uint(&s, wide ? start + bytes - 1 : 0, 8);
    structure_end(&s, tables);
}

static void build_dimms(SmbiosTables *tables, const SmbiosConfig *config, uint64_t left,
                        unsigned dimms)
{
    for (unsigned n = 0; n < dimms; n++) {
        uint64_t bytes = n + 1 < dimms ? MIN(left, DIMM_MAX) : left;

        build_dimm(tables, config, n, bytes);
        left -= bytes;
    }
}

static void build_mappings(Vm *vm, SmbiosTables *tables)
{
    build_mapped(tables, 0, 0, vm->ram_below_4g);
    if (vm->ram_above_4g) {
        build_mapped(tables, 1, 4 * GIB, vm->ram_above_4g);
    }
}

static void build_oem(SmbiosTables *tables, const SmbiosConfig *config)
{
    Structure s;

    if (config->oem->len == 0) {
        return;
    }
    structure_begin(&s, 11, HANDLE_OEM);
    put_uint(&s, config->oem->len, 1);
    for (guint i = 0; i < config->oem->len; i++) {
        const char *text = g_ptr_array_index(config->oem, i);

        g_byte_array_append(s.strings, (const uint8_t *)text, strlen(text) + 1);
        s.n_strings++;
    }
    structure_end(&s, tables);
}

/* ---- whole structures from files ---- */

/* Length of the structure at `data` with its strings; 0: it does not end. DSP0134 6.1.3. */
static size_t structure_size(const uint8_t *data, size_t size)
{
    for (size_t i = size >= 4 ? data[1] : size; i + 1 < size; i++) {
        if (data[i] == 0 && data[i + 1] == 0) {
            return i + 2;
        }
    }
    return 0;
}

bool smbios_config_add_file(SmbiosConfig *config, const uint8_t *data, size_t size, GError **error)
{
    if (size < 6 || data[1] < 4 || structure_size(data, size) != size) {
        set_error(error,
                  "not one SMBIOS structure: expected a header, a formatted part and strings that "
                  "end with two nulls");
        return false;
    }
    if (data[0] >= SMBIOS_TYPES) {
        set_error(error, "SMBIOS type %u is not supported: expected 0 to %u", data[0],
                  SMBIOS_TYPES - 1);
        return false;
    }
    if (config->fields_given[data[0]]) {
        set_error(error, "fields of SMBIOS type %u were given already", data[0]);
        return false;
    }
    config->file_given[data[0]] = true;
    g_byte_array_append(config->files, data, size);
    return true;
}

static void add_files(SmbiosTables *tables, const SmbiosConfig *config)
{
    const GByteArray *files = config->files;
    size_t len;

    for (size_t at = 0; at < files->len; at += len) {
        len = structure_size(files->data + at, files->len - at);
        tables->largest = MAX(tables->largest, len);
        tables->count++;
        g_byte_array_append(tables->structures, files->data + at, len);
    }
}

SmbiosConfig *smbios_config_new(void)
{
    SmbiosConfig *config = g_new0(SmbiosConfig, 1);

    config->oem = g_ptr_array_new_with_free_func(g_free);
    config->files = g_byte_array_new();
    return config;
}

/* ---- all of them ---- */

static void build_anchor(SmbiosTables *tables)
{
    uint8_t *anchor = tables->anchor;

    memcpy(anchor, "_SM_", 4);
    anchor[0x05] = SMBIOS_ANCHOR_SIZE;
    anchor[0x06] = 2;
    anchor[0x07] = 8;
    anchor[0x08] = tables->largest;
    anchor[0x09] = tables->largest >> 8;
    memcpy(anchor + 0x10, "_DMI_", 5);
    anchor[0x16] = tables->structures->len;
    anchor[0x17] = tables->structures->len >> 8;
    anchor[0x1c] = tables->count;
    anchor[0x1d] = tables->count >> 8;
    anchor[0x1e] = 0x28;
}

static void build_end(SmbiosTables *tables, bool boot)
{
    Structure s;

    if (boot) {
        structure_begin(&s, 32, HANDLE_BOOT);
        put_uint(&s, 0, 7);             /* no boot error */
        structure_end(&s, tables);
    }
    structure_begin(&s, 127, HANDLE_END);
    structure_end(&s, tables);
}

/* A type from a file takes the place of the board's own. */
static void build_structures(Vm *vm, SmbiosTables *tables, const SmbiosConfig *config, bool bios)
{
    const bool *file = config->file_given;
    unsigned dimms = MIN((vm->config.ram_bytes + DIMM_MAX - 1) / DIMM_MAX, 256);

    add_files(tables, config);
    if ((bios || config->fields_given[0]) && !file[0]) {
        build_bios(tables, config);
    }
    if (!file[1]) {
        build_system(vm, tables, config);
    }
    build_board(vm, tables, config);
    if (!file[3]) {
        build_chassis(vm, tables, config);
    }
    for (unsigned i = 0; !file[4] && i < MIN(MAX(1, vm->config.topo.sockets), 256); i++) {
        build_cpu(vm, tables, config, i);
    }
    build_oem(tables, config);
    if (!file[16]) {
        build_array(vm, tables, dimms);
    }
    if (!file[17]) {
        build_dimms(tables, config, vm->config.ram_bytes, dimms);
    }
    if (!file[19]) {
        build_mappings(vm, tables);
    }
    build_end(tables, !file[32]);
}

SmbiosTables *smbios_new(Vm *vm, bool bios, GError **error)
{
    SmbiosTables *tables = g_new0(SmbiosTables, 1);

    if (vm->config.smbios == NULL) {
        vm->config.smbios = smbios_config_new();
    }
    tables->structures = g_byte_array_new();
    build_structures(vm, tables, vm->config.smbios, bios);
    if (tables->structures->len > UINT16_MAX) {         /* the anchor counts in 16 bits */
        set_error(error, "the SMBIOS tables have %u bytes: at most 65535 fit",
                  tables->structures->len);
        smbios_free(tables);
        return NULL;
    }
    build_anchor(tables);
    smbios_place(tables, 0);
    return tables;
}

void smbios_free(SmbiosTables *tables)
{
    if (tables) {
        g_byte_array_unref(tables->structures);
        g_free(tables);
    }
}

static void checksum(uint8_t *bytes, unsigned len, unsigned at)
{
    uint8_t sum = 0;

    bytes[at] = 0;
    for (unsigned i = 0; i < len; i++) {
        sum += bytes[i];
    }
    bytes[at] = -sum;
}

void smbios_place(SmbiosTables *tables, uint32_t addr)
{
    memcpy(tables->anchor + 0x18, &addr, sizeof(addr));
    checksum(tables->anchor + 0x10, 0x0f, 5);
    checksum(tables->anchor, SMBIOS_ANCHOR_SIZE, 4);
}
