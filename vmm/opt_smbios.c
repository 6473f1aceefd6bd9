/* -smbios: what the firmware tables say of machine, board, CPUs and memory. */
#include <stdio.h>
#include <string.h>

#include "option_row.h"
#include "rhea_error.h"
#include "sizes.h"
#include "smbios.h"

#define OEM_STRINGS_MAX 255             /* DSP0134 7.12: the count is a byte */

#define TEXT(name_, field_, help_) \
    { name_, KEY_STRING, offsetof(SmbiosConfig, field_), .help = help_ }

static const KeyField bios_fields[] = {
    TEXT("vendor", bios.vendor, "who made the firmware"),
    TEXT("version", bios.version, "its version"),
    TEXT("date", bios.date, "its date"),
    TEXT("release", bios.release, "its release, MAJOR.MINOR"),
    { "uefi", KEY_BOOL, offsetof(SmbiosConfig, bios.uefi), .help = "it is UEFI" },
    {}
};

static const KeyField system_fields[] = {
    TEXT("manufacturer", system.manufacturer, "who made the machine"),
    TEXT("product", system.product, "its name"),
    TEXT("version", system.version, "its version"),
    TEXT("serial", system.serial, "its serial number"),
    TEXT("sku", system.sku, "its order number"),
    TEXT("family", system.family, "its family"),
    {}
};

static const KeyField board_fields[] = {
    TEXT("manufacturer", board.manufacturer, "who made the board"),
    TEXT("product", board.product, "its name"),
    TEXT("version", board.version, "its version"),
    TEXT("serial", board.serial, "its serial number"),
    TEXT("asset", board.asset, "its asset tag"),
    TEXT("location", board.location, "where it is in the chassis"),
    {}
};

static const KeyField chassis_fields[] = {
    TEXT("manufacturer", chassis.manufacturer, "who made the chassis"),
    TEXT("version", chassis.version, "its version"),
    TEXT("serial", chassis.serial, "its serial number"),
    TEXT("asset", chassis.asset, "its asset tag"),
    TEXT("sku", chassis.sku, "its order number"),
    {}
};

static const KeyField cpu_fields[] = {
    TEXT("sock_pfx", cpu.sock_pfx, "what a socket's number follows"),
    TEXT("manufacturer", cpu.manufacturer, "who made the CPU"),
    TEXT("version", cpu.version, "its version"),
    TEXT("serial", cpu.serial, "its serial number"),
    TEXT("asset", cpu.asset, "its asset tag"),
    TEXT("part", cpu.part, "its part number"),
    { "max-speed", KEY_UINT, offsetof(SmbiosConfig, cpu.max_speed), .help = "MHz" },
    { "current-speed", KEY_UINT, offsetof(SmbiosConfig, cpu.current_speed), .help = "MHz" },
    { "processor-id", KEY_UINT64, offsetof(SmbiosConfig, cpu.processor_id),
      .help = "CPUID leaf 1, EDX above EAX" },
    {}
};

static const KeyField dimm_fields[] = {
    TEXT("loc_pfx", dimm.loc_pfx, "what a slot's number follows"),
    TEXT("bank", dimm.bank, "where the bank is"),
    TEXT("manufacturer", dimm.manufacturer, "who made the memory"),
    TEXT("serial", dimm.serial, "its serial number"),
    TEXT("asset", dimm.asset, "its asset tag"),
    TEXT("part", dimm.part, "its part number"),
    { "speed", KEY_UINT, offsetof(SmbiosConfig, dimm.speed), .help = "MT/s" },
    {}
};

static const struct { unsigned type; const KeyField *fields; } types[] = {
    { 0, bios_fields },
    { 1, system_fields },
    { 2, board_fields },
    { 3, chassis_fields },
    { 4, cpu_fields },
    { 17, dimm_fields },
};

static bool check_values(const SmbiosConfig *config, GError **error)
{
    unsigned major, minor;
    char rest;

    if (MAX(config->cpu.max_speed, MAX(config->cpu.current_speed, config->dimm.speed)) >
        UINT16_MAX) {
        set_error(error, "a speed is at most 65535");
        return false;
    }
    if (config->bios.release != NULL &&
        (sscanf(config->bios.release, "%u.%u%c", &major, &minor, &rest) != 2 || major > 255 ||
         minor > 255)) {
        set_error(error, "Invalid release '%s': expected MAJOR.MINOR, each at most 255",
                  config->bios.release);
        return false;
    }
    return true;
}

static bool add_oem(SmbiosConfig *config, const char *text, GError **error)
{
    if (config->oem->len >= OEM_STRINGS_MAX) {
        set_error(error, "at most %u strings of type 11 fit", OEM_STRINGS_MAX);
        return false;
    }
    if (*text == '\0') {
        set_error(error, "a string of type 11 cannot be empty");
        return false;
    }
    g_ptr_array_add(config->oem, g_strdup(text));
    return true;
}

static bool add_oem_file(SmbiosConfig *config, const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize len;

    if (!g_file_get_contents(path, &text, &len, error)) {
        return false;
    }
    if (strlen(text) != len) {
        set_error(error, "'%s' has a null byte in it: expected text", path);
        return false;
    }
    return add_oem(config, text, error);
}

static bool oem_strings(SmbiosConfig *config, KeyVal *kv, GError **error)
{
    for (size_t i = 0; i < keyval_count(kv); i++) {
        const char *key = keyval_key(kv, i), *value = keyval_value(kv, i);

        if (g_str_equal(key, "value") ? !add_oem(config, value, error) :
            g_str_equal(key, "path") ? !add_oem_file(config, value, error) : false) {
            return false;
        }
        keyval_get(kv, key);
    }
    return true;
}

static bool whole_file(SmbiosConfig *config, const char *path, GError **error)
{
    g_autofree char *data = NULL;
    gsize len;

    if (!g_file_get_contents(path, &data, &len, error)) {
        return false;
    }
    if (!smbios_config_add_file(config, (const uint8_t *)data, len, error)) {
        g_prefix_error(error, "'%s': ", path);
        return false;
    }
    return true;
}

/* The pairs but `type` and `uuid`, which no table has. */
static KeyVal *without_common(KeyVal *kv)
{
    KeyVal *rest = keyval_new();

    for (size_t i = 0; i < keyval_count(kv); i++) {
        if (!g_str_equal(keyval_key(kv, i), "type") && !g_str_equal(keyval_key(kv, i), "uuid")) {
            keyval_add(rest, keyval_key(kv, i), keyval_value(kv, i));
        }
    }
    return rest;
}

static bool fill_type(Options *options, uint64_t type, KeyVal *kv, GError **error)
{
    SmbiosConfig *config = options->config.smbios;
    const char *uuid = keyval_get(kv, "uuid");
    g_autoptr(KeyVal) rest = without_common(kv);

    if (type < SMBIOS_TYPES && config->file_given[type]) {
        set_error(error, "a structure of type %u was given as a file already", (unsigned)type);
        return false;
    }
    if (uuid != NULL && type != 1) {
        set_error(error, "Invalid parameter 'uuid': only type 1 has it");
        return false;
    }
    if (uuid != NULL && !option_uuid(options, uuid, error)) {
        return false;
    }
    if (type == 11) {
        config->fields_given[11] = true;
        return oem_strings(config, rest, error) && keyval_check_known(rest, error);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        if (types[i].type == type) {
            config->fields_given[type] = true;
            return keyval_fill(rest, types[i].fields, config, error) &&
                   check_values(config, error);
        }
    }
    set_error(error, "Don't know how to build fields for SMBIOS type %u: expected 0, 1, 2, 3, 4, "
              "11 or 17", (unsigned)MIN(type, UINT32_MAX));
    return false;
}

bool opt_smbios(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);
    const char *file;
    uint64_t type = 0;

    if (kv == NULL) {
        return false;
    }
    if (options->config.smbios == NULL) {
        options->config.smbios = smbios_config_new();
    }
    file = keyval_get(kv, "file");
    if (file != NULL) {
        return keyval_check_known(kv, error) && whole_file(options->config.smbios, file, error);
    }
    if (!keyval_has(kv, "type")) {
        set_error(error, "Parameter 'type' is missing (or 'file')");
        return false;
    }
    return keyval_get_uint(kv, "type", 255, &type, error) && fill_type(options, type, kv, error);
}
