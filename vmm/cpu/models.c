/*
 * -cpu: a model's row, edited by the user's flags, cut down to what the engine can give.
 */
#include <string.h>

#include "feature_table.h"
#include "rhea_error.h"
#include "sizes.h"

#define TCG_PHYS_BITS 40

/* Leaves above these are not described by cpuid.c. */
#define HIGHEST_LEAF            0xdu
#define HIGHEST_EXTENDED_LEAF   0x8000001eu

/* The features AMD CPUs repeat in leaf 8000_0001 EDX: APM volume 3, E.4.2. */
#define AMD_REPEATED_EDX 0x0183f3ffu

/* ---- lookup ---- */

static const CpuModelRow *row_find(const char *name)
{
    for (const CpuModelAlias *alias = cpu_model_aliases; alias->name; alias++) {
        if (strcmp(name, alias->name) == 0) {
            name = alias->target;
            break;
        }
    }
    for (const CpuModelRow *row = cpu_model_rows; row->name; row++) {
        if (strcmp(name, row->name) == 0) {
            return row;
        }
    }
    return NULL;
}

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return g_ascii_strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

const char *const *x86_cpu_model_names(void)
{
    static GPtrArray *names;

    if (!names) {
        names = g_ptr_array_new();
        for (const CpuModelRow *row = cpu_model_rows; row->name; row++) {
            g_ptr_array_add(names, (char *)row->name);
        }
        for (const CpuModelAlias *alias = cpu_model_aliases; alias->name; alias++) {
            g_ptr_array_add(names, (char *)alias->name);
        }
        g_ptr_array_add(names, (char *)"base");
        g_ptr_array_add(names, (char *)"host");
        g_ptr_array_add(names, (char *)"max");
        g_ptr_array_sort(names, compare_names);
        g_ptr_array_add(names, NULL);
    }
    return (const char *const *)names->pdata;
}

/* ---- a row's features ---- */

static void row_features(const CpuModelRow *row, uint32_t features[FEATURE_WORDS])
{
    g_auto(GStrv) names = g_strsplit(row->features ? row->features : "", " ", 0);

    if (row->base) {
        row_features(row_find(row->base), features);
    } else {
        memset(features, 0, FEATURE_WORDS * sizeof(features[0]));
    }
    for (char **name = names; *name; name++) {
        bool off = **name == '-';

        if (**name) {
            bool known = x86_features_set(features, *name + off, !off);

            g_assert(known);
        }
    }
}

static void fill_from_row(X86CpuModel *model, const CpuModelRow *row)
{
    g_strlcpy(model->vendor, row->vendor, sizeof(model->vendor));
    g_strlcpy(model->model_id, row->model_id, sizeof(model->model_id));
    model->family = row->family;
    model->model = row->model;
    model->stepping = row->stepping;
    model->level = row->level;
    model->xlevel = row->xlevel;
    row_features(row, model->features);
}

/* ---- what the engine has ---- */

static void engine_features(Vm *vm, uint32_t features[FEATURE_WORDS])
{
    if (!vm->engine_cpuid) {
        memcpy(features, tcg_features, sizeof(tcg_features));
        return;
    }
    for (unsigned w = 0; w < FEATURE_WORDS; w++) {
        const FeatureWordInfo *info = &feature_words[w];
        uint32_t out[4] = { 0 };

        features[w] = 0;
        if (info->reg != CPUID_NONE) {
            vm->engine_cpuid(vm, info->leaf, info->subleaf, out);
            features[w] = out[info->reg];
        }
    }
}

/* Only bits that have a name: the others are nobody's to give. */
static void fill_all_features(Vm *vm, X86CpuModel *model)
{
    engine_features(vm, model->features);
    for (unsigned w = 0; w < FEATURE_WORDS; w++) {
        for (unsigned b = 0; b < 32; b++) {
            if (!feature_words[w].names[b]) {
                model->features[w] &= ~(1u << b);
            }
        }
    }
}

static void fill_identity_from_host(Vm *vm, X86CpuModel *model)
{
    uint32_t out[4] = { 0 };

    vm->engine_cpuid(vm, 0, 0, out);
    model->level = MIN(out[CPUID_EAX], HIGHEST_LEAF);
    memcpy(model->vendor, &out[CPUID_EBX], 4);
    memcpy(model->vendor + 4, &out[CPUID_EDX], 4);
    memcpy(model->vendor + 8, &out[CPUID_ECX], 4);

    vm->engine_cpuid(vm, 1, 0, out);
    model->family = out[CPUID_EAX] >> 8 & 0xf;
    if (model->family == 15) {
        model->family += out[CPUID_EAX] >> 20 & 0xff;
    }
    model->model = (out[CPUID_EAX] >> 4 & 0xf) | (out[CPUID_EAX] >> 12 & 0xf0);
    model->stepping = out[CPUID_EAX] & 0xf;

    vm->engine_cpuid(vm, 0x80000000, 0, out);
    model->xlevel = MIN(out[CPUID_EAX], HIGHEST_EXTENDED_LEAF);
    for (unsigned i = 0; i < 3; i++) {
        vm->engine_cpuid(vm, 0x80000002 + i, 0, out);
        memcpy(model->model_id + 16 * i, out, 16);
    }
}

static void fill_max(Vm *vm, X86CpuModel *model)
{
    fill_all_features(vm, model);
    if (vm->engine_cpuid) {
        model->host_passthrough = true;
        fill_identity_from_host(vm, model);
        if (model->migratable) {
            x86_features_set(model->features, "invtsc", false);        /* pins a guest to its host */
        }
    } else {
        fill_from_row(model, row_find("qemu64"));
        memcpy(model->features, tcg_features, sizeof(tcg_features));
        g_strlcpy(model->model_id, "QEMU TCG CPU version 2.5+", sizeof(model->model_id));
    }
}

/*
 * What comes with the engine whatever the model says.  Nested virtualization is asked for by name;
 * MONITOR would let a guest hold a host CPU.
 */
static void apply_engine_defaults(Vm *vm, X86CpuModel *model)
{
    static const char *const kvm_on[] = {
        "kvmclock", "kvm-nopiodelay", "kvm-asyncpf", "kvm-steal-time", "kvm-pv-eoi",
        "kvmclock-stable-bit", "x2apic",
    };
    static const char *const kvm_off[] = { "acpi", "monitor", "svm" };

    if (!vm->engine_cpuid) {
        x86_features_set(model->features, "svm", false);
        return;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kvm_on); i++) {
        x86_features_set(model->features, kvm_on[i], true);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(kvm_off); i++) {
        x86_features_set(model->features, kvm_off[i], false);
    }
}

/* ---- the user's edits ---- */

#define MODEL_PROPERTY(name_, kind_, field_, ...) \
    { name_, kind_, offsetof(X86CpuModel, field_), sizeof(((X86CpuModel *)0)->field_), __VA_ARGS__ }

const ModelProperty cpu_model_properties[] = {
    MODEL_PROPERTY("check", MODEL_BOOL, check),
    MODEL_PROPERTY("enforce", MODEL_BOOL, enforce),
    MODEL_PROPERTY("family", MODEL_NUMBER, family, 0xff + 0xf),
    MODEL_PROPERTY("host-phys-bits", MODEL_BOOL, host_phys_bits),
    MODEL_PROPERTY("kvm", MODEL_BOOL, kvm),
    MODEL_PROPERTY("level", MODEL_NUMBER, level, UINT32_MAX),
    MODEL_PROPERTY("migratable", MODEL_BOOL, migratable),
    MODEL_PROPERTY("min-level", MODEL_NUMBER, level, UINT32_MAX),
    MODEL_PROPERTY("min-xlevel", MODEL_NUMBER, xlevel, UINT32_MAX),
    MODEL_PROPERTY("model", MODEL_NUMBER, model, 0xff),
    MODEL_PROPERTY("model-id", MODEL_TEXT, model_id),
    MODEL_PROPERTY("phys-bits", MODEL_NUMBER, user_phys_bits, 52),
    MODEL_PROPERTY("pmu", MODEL_BOOL, pmu),
    MODEL_PROPERTY("stepping", MODEL_NUMBER, stepping, 0xf),
    MODEL_PROPERTY("vendor", MODEL_TEXT, vendor),
    MODEL_PROPERTY("xlevel", MODEL_NUMBER, xlevel, UINT32_MAX),
    {}
};

static const ModelProperty *model_property_find(const char *name)
{
    g_autofree char *dashed = g_strdelimit(g_strdup(name), "_", '-');

    for (const ModelProperty *prop = cpu_model_properties; prop->name; prop++) {
        if (strcmp(dashed, prop->name) == 0) {
            return prop;
        }
    }
    return NULL;
}

static bool set_property(X86CpuModel *model, const ModelProperty *prop, const char *value,
                         GError **error)
{
    void *field = (char *)model + prop->offset;
    bool on;
    uint64_t number;

    switch (prop->kind) {
    case MODEL_BOOL:
        if (!parse_bool(value, &on, NULL)) {
            set_error(error, "Parameter '%s' expects 'on' or 'off'", prop->name);
            return false;
        }
        *(bool *)field = on;
        return true;
    case MODEL_NUMBER:
        if (!parse_uint(value, UINT64_MAX, &number, NULL)) {
            set_error(error, "Parameter '%s' expects int64", prop->name);
            return false;
        }
        if (number > prop->max) {
            set_error(error, "Property .%s doesn't take value %s (minimum: 0, maximum: %u)",
                      prop->name, value, prop->max);
            return false;
        }
        *(uint32_t *)field = (uint32_t)number;
        return true;
    case MODEL_TEXT:
        if (strlen(value) >= prop->size || (field == model->vendor && strlen(value) != 12)) {
            set_error(error, "Property '.%s' doesn't take value '%s'", prop->name, value);
            return false;
        }
        memset(field, 0, prop->size);
        memcpy(field, value, strlen(value));
        return true;
    }
    g_assert_not_reached();
}

static bool unknown_property(const X86CpuModel *model, const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const char *near;

    for (unsigned w = 0; w < FEATURE_WORDS; w++) {
        for (unsigned b = 0; b < 32; b++) {
            if (feature_words[w].names[b]) {
                g_ptr_array_add(names, (char *)feature_words[w].names[b]);
            }
        }
    }
    for (const ModelProperty *prop = cpu_model_properties; prop->name; prop++) {
        g_ptr_array_add(names, (char *)prop->name);
    }
    near = nearest_name(name, (const char *const *)names->pdata, names->len);
    set_error(error, "Property '%s-x86_64-cpu.%s' not found", model->name, name);
    error_suggest(error, near);
    return false;
}

/*
 * OSXSAVE is no feature: CPUID shows what the guest set in CR4 (SDM volume 2, CPUID).  Scripts
 * written for the QEMU that took it as one are served.
 */
static bool is_run_time_flag(const char *name)
{
    if (strcmp(name, "osxsave") != 0) {
        return false;
    }
    report_warning("CPU flag 'osxsave' is an old spelling: leave it out, it follows the guest's "
                   "CR4");
    return true;
}

/* "name=value" or "name". */
static bool apply_assignment(X86CpuModel *model, const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "=", 2);
    const char *value = parts[1] ? parts[1] : "on";
    const ModelProperty *prop = model_property_find(parts[0]);
    FeatureWord word;
    unsigned bit;
    bool on;

    if (prop) {
        model->level_given |= strcmp(prop->name, "level") == 0;
        model->xlevel_given |= strcmp(prop->name, "xlevel") == 0;
        return set_property(model, prop, value, error);
    }
    if (!x86_feature_find(parts[0], &word, &bit)) {
        return is_run_time_flag(parts[0]) || unknown_property(model, parts[0], error);
    }
    if (!parse_bool(value, &on, NULL)) {
        set_error(error, "Parameter '%s' expects 'on' or 'off'", parts[0]);
        return false;
    }
    return x86_features_set(model->features, parts[0], on);
}

/* Assignments first, then all "+flag", then all "-flag", whatever their order in the text. */
static bool apply_edits(X86CpuModel *model, char **edits, GError **error)
{
    for (char **edit = edits; *edit; edit++) {
        if (**edit != '+' && **edit != '-' && !apply_assignment(model, *edit, error)) {
            return false;
        }
    }
    for (const char *sign = "+-"; *sign; sign++) {
        for (char **edit = edits; *edit; edit++) {
            if (**edit == *sign &&
                !x86_features_set(model->features, *edit + 1, *sign == '+') &&
                !is_run_time_flag(*edit + 1)) {
                return unknown_property(model, *edit + 1, error);
            }
        }
    }
    return true;
}

/* ---- fitting it to the engine ---- */

static void warn_missing(const char *who, FeatureWord word, unsigned bit)
{
    static const char *const registers[] = { "EAX", "EBX", "ECX", "EDX" };
    const FeatureWordInfo *info = &feature_words[word];
    const char *name = info->names[bit];
    const char *dot = name ? "." : "";

    if (info->reg == CPUID_NONE) {
        report_warning("%s doesn't support requested feature: MSR(10AH)%s%s [bit %u]", who, dot,
                       name ? name : "", bit);
    } else {
        report_warning("%s doesn't support requested feature: CPUID.%02XH:%s%s%s [bit %u]", who,
                       info->leaf, registers[info->reg], dot, name ? name : "", bit);
    }
}

static bool filter_features(Vm *vm, X86CpuModel *model, GError **error)
{
    const char *who = vm->engine_cpuid ? "host" : "TCG";
    uint32_t have[FEATURE_WORDS];
    bool missing = false;

    engine_features(vm, have);
    for (unsigned w = 0; w < FEATURE_WORDS; w++) {
        uint32_t lost = model->features[w] & ~have[w];

        /* kvm's own features come and go with kernels; nobody asked for each of them */
        for (unsigned b = 0; w != FEAT_KVM && b < 32; b++) {
            if (lost >> b & 1) {
                missing = true;
                if (!model->quiet && (model->check || model->enforce)) {
                    warn_missing(who, w, b);
                }
            }
        }
        model->filtered[w] = lost;
        model->features[w] &= have[w];
    }
    if (missing && model->enforce) {
        set_error(error, "%s doesn't support requested features", vm->engine_cpuid ? "Host" : who);
        return false;
    }
    return true;
}

/* What makes no sense without something else: SDM volume 1, 13.2 and 14.3. */
static void drop_dependents(X86CpuModel *model)
{
    if (!x86_cpu_has(model, FEAT_1_ECX, 26)) {                  /* xsave */
        model->features[FEAT_XSAVE] = 0;
        x86_features_set(model->features, "avx", false);
        x86_features_set(model->features, "pku", false);
    }
    if (!x86_cpu_has(model, FEAT_1_ECX, 28)) {                  /* avx */
        static const char *const needs_avx[] = {
            "avx2", "f16c", "fma", "fma4", "xop", "avx512f", "vaes", "vpclmulqdq", "avx-vnni",
        };

        for (unsigned i = 0; i < G_N_ELEMENTS(needs_avx); i++) {
            x86_features_set(model->features, needs_avx[i], false);
        }
    }
    if (!x86_cpu_has(model, FEAT_8000_0001_ECX, 2)) {           /* svm */
        model->features[FEAT_8000_000A_EDX] = 0;
    }
}

static void raise_levels(X86CpuModel *model)
{
    for (unsigned w = 0; w < FEATURE_WORDS; w++) {
        uint32_t leaf = feature_words[w].leaf;

        if (!model->features[w] || feature_words[w].reg == CPUID_NONE || w == FEAT_KVM) {
            continue;
        }
        if (leaf >= 0x80000000 && !model->xlevel_given) {
            model->xlevel = MAX(model->xlevel, leaf);
        } else if (leaf < 0x40000000 && !model->level_given) {
            model->level = MAX(model->level, leaf);
        }
    }
}

static void set_address_bits(Vm *vm, X86CpuModel *model)
{
    bool long_mode = x86_cpu_has(model, FEAT_8000_0001_EDX, 29);
    uint32_t out[4] = { 0 };
    unsigned host_bits = TCG_PHYS_BITS;

    if (vm->engine_cpuid) {
        vm->engine_cpuid(vm, 0x80000008, 0, out);
        host_bits = out[CPUID_EAX] & 0xff ? out[CPUID_EAX] & 0xff : 36;
    }
    model->virt_bits = !long_mode ? 32 : x86_cpu_has(model, FEAT_7_0_ECX, 16) ? 57 : 48;
    if (!long_mode) {
        model->phys_bits = x86_cpu_has(model, FEAT_1_EDX, 17) ? 36 : 32;
    } else if (model->host_phys_bits) {
        model->phys_bits = host_bits;
    } else {
        model->phys_bits = MIN(model->user_phys_bits ? model->user_phys_bits : TCG_PHYS_BITS,
                               host_bits);
    }
}

static bool finish_model(Vm *vm, X86CpuModel *model, GError **error)
{
    if (!filter_features(vm, model, error)) {
        return false;
    }
    drop_dependents(model);
    if (strcmp(model->vendor, "AuthenticAMD") == 0 || strcmp(model->vendor, "HygonGenuine") == 0) {
        model->features[FEAT_8000_0001_EDX] |= model->features[FEAT_1_EDX] & AMD_REPEATED_EDX;
    }
    model->hypervisor = x86_cpu_has(model, FEAT_1_ECX, 31);
    model->lapic_x2 = x86_cpu_has(model, FEAT_1_ECX, 21);
    raise_levels(model);
    set_address_bits(vm, model);
    return true;
}

/* ---- the door ---- */

static bool fill_by_name(Vm *vm, X86CpuModel *model, GError **error)
{
    const CpuModelRow *row = row_find(model->name);
    const char *near;

    if (row) {
        fill_from_row(model, row);
        apply_engine_defaults(vm, model);
    } else if (strcmp(model->name, "host") == 0 && !vm->engine_cpuid) {
        set_error(error, "CPU model 'host' requires KVM or HVF");
        return false;
    } else if (strcmp(model->name, "max") == 0 || strcmp(model->name, "host") == 0) {
        model->host_phys_bits = vm->engine_cpuid != NULL;
        model->check = false;
        fill_max(vm, model);
    } else if (strcmp(model->name, "base") != 0) {
        const char *const *names = x86_cpu_model_names();

        set_error(error, "unable to find CPU model '%s'", model->name);
        near = nearest_name(model->name, names, g_strv_length((char **)names));
        error_suggest(error, near);
        return false;
    }
    return true;
}

/* Decides what "max" and "host" start from, so it is looked at before the other edits. */
static bool edits_keep_migratable(char **edits)
{
    bool migratable = true;

    for (char **edit = edits; *edit; edit++) {
        if (g_str_has_prefix(*edit, "migratable=")) {
            parse_bool(*edit + strlen("migratable="), &migratable, NULL);
        }
    }
    return migratable;
}

static X86CpuModel *model_new(Vm *vm, const char *name, char **edits, bool quiet, GError **error)
{
    X86CpuModel *model = g_new0(X86CpuModel, 1);

    model->name = g_strdup(name);
    model->topo = vm->config.topo;
    model->check = model->kvm = true;
    model->quiet = quiet;
    model->migratable = edits_keep_migratable(edits);
    if (!fill_by_name(vm, model, error) || !apply_edits(model, edits, error) ||
        !finish_model(vm, model, error)) {
        x86_cpu_model_free(model);
        return NULL;
    }
    return model;
}

X86CpuModel *x86_cpu_model_parse(Vm *vm, const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text ? text : "qemu64", ",", 0);

    return parts[0] ? model_new(vm, parts[0], parts + 1, false, error)
                    : model_new(vm, "", parts, false, error);
}

X86CpuModel *x86_cpu_model_try(Vm *vm, const char *name, char **edits, GError **error)
{
    char *none[] = { NULL };

    return model_new(vm, name, edits ? edits : none, true, error);
}

void x86_cpu_model_free(X86CpuModel *model)
{
    if (model) {
        g_free(model->name);
        g_free(model);
    }
}
