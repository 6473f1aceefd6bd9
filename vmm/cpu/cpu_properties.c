/*
 * The properties of CPU objects, made from the tables of features and of what else -cpu sets, and
 * facts about models.
 */
#include "cpu_properties.h"

#include <string.h>

#include "feature_table.h"
#include "x86_cpu.h"

static const X86Cpu *cpu_of(const Object *obj)
{
    return (const X86Cpu *)((const char *)obj - offsetof(X86Cpu, obj));
}

/* ---- features ---- */

static void append_names(GPtrArray *names, FeatureWord word, uint32_t bits)
{
    for (unsigned b = 0; b < 32; b++) {
        const char *name = feature_words[word].names[b];

        /* kvmclock is two bits */
        if (bits >> b & 1 && name && !g_ptr_array_find_with_equal_func(names, name, g_str_equal,
                                                                       NULL)) {
            g_ptr_array_add(names, (char *)name);
        }
    }
}

GPtrArray *x86_feature_names(const uint32_t words[FEATURE_WORDS])
{
    GPtrArray *names = g_ptr_array_new();

    for (unsigned w = 0; w < FEATURE_WORDS; w++) {
        append_names(names, w, words[w]);
    }
    return names;
}

/* A feature's place is in its property's `def`. */
static bool has_feature(const X86CpuModel *model, const Property *prop)
{
    return x86_cpu_has(model, prop->def / 32, prop->def % 32);
}

/* ---- values ---- */

static char *names_json(const uint32_t words[FEATURE_WORDS])
{
    g_autoptr(GPtrArray) names = x86_feature_names(words);
    g_autofree char *joined = NULL;

    g_ptr_array_add(names, NULL);
    joined = g_strjoinv("\", \"", (char **)names->pdata);
    return names->len == 1 ? g_strdup("[]") : g_strdup_printf("[\"%s\"]", joined);
}

/* QEMU's X86CPUFeatureWordInfo: the words that come from CPUID. */
static char *words_json(const uint32_t words[FEATURE_WORDS])
{
    static const char *const registers[] = { "EAX", "EBX", "ECX", "EDX" };
    GString *text = g_string_new("[");

    for (unsigned w = 0; w < FEATURE_WORDS; w++) {
        const FeatureWordInfo *info = &feature_words[w];

        if (info->reg == CPUID_NONE) {
            continue;
        }
        g_string_append_printf(text, "%s{\"cpuid-register\": \"%s\", \"cpuid-input-eax\": %u, ",
                               text->len > 1 ? ", " : "", registers[info->reg], info->leaf);
        if (info->leaf == 7 || info->leaf == 0xd) {
            g_string_append_printf(text, "\"cpuid-input-ecx\": %u, ", info->subleaf);
        }
        g_string_append_printf(text, "\"features\": %u}", words[w]);
    }
    return g_string_free(g_string_append_c(text, ']'), FALSE);
}

static char *bool_text(bool on)
{
    return g_strdup(on ? "true" : "false");
}

static char *get_feature(const X86CpuModel *model, const Property *prop)
{
    return bool_text(has_feature(model, prop));
}

static char *get_bool(const X86CpuModel *model, const Property *prop)
{
    return bool_text(*(const bool *)((const char *)model + prop->offset));
}

static char *get_number(const X86CpuModel *model, const Property *prop)
{
    return g_strdup_printf("%u", *(const uint32_t *)((const char *)model + prop->offset));
}

static char *get_text(const X86CpuModel *model, const Property *prop)
{
    return g_strdup((const char *)model + prop->offset);
}

static char *get_unavailable(const X86CpuModel *model, const Property *prop)
{
    return names_json(model->filtered);
}

static char *get_feature_words(const X86CpuModel *model, const Property *prop)
{
    return words_json(model->features);
}

static char *get_filtered_words(const X86CpuModel *model, const Property *prop)
{
    return words_json(model->filtered);
}

#define MODEL_PROP_TYPE(get_, type_name_, json_) \
    static char *get_##_of_cpu(const Object *obj, const Property *prop, const void *field) \
    { \
        return get_(cpu_of(obj)->model, prop); \
    } \
    static const PropType get_##_type = { .name = type_name_, .json = json_, \
                                          .print = get_##_of_cpu };

MODEL_PROP_TYPE(get_feature, "bool", PROP_JSON_BOOL)
MODEL_PROP_TYPE(get_bool, "bool", PROP_JSON_BOOL)
MODEL_PROP_TYPE(get_number, "uint32", PROP_JSON_INT)
MODEL_PROP_TYPE(get_text, "string", PROP_JSON_STRING)
MODEL_PROP_TYPE(get_unavailable, "strList", PROP_JSON_VALUE)
MODEL_PROP_TYPE(get_feature_words, "X86CPUFeatureWordInfo", PROP_JSON_VALUE)
MODEL_PROP_TYPE(get_filtered_words, "X86CPUFeatureWordInfo", PROP_JSON_VALUE)

static const struct {
    const PropType *type;
    char *(*get)(const X86CpuModel *model, const Property *prop);
} model_getters[] = {
    { &get_feature_type, get_feature }, { &get_bool_type, get_bool },
    { &get_number_type, get_number }, { &get_text_type, get_text },
    { &get_unavailable_type, get_unavailable }, { &get_feature_words_type, get_feature_words },
    { &get_filtered_words_type, get_filtered_words },
};

char *x86_cpu_model_get(const X86CpuModel *model, const Property *prop)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(model_getters); i++) {
        if (prop->type == model_getters[i].type) {
            return model_getters[i].get(model, prop);
        }
    }
    return NULL;
}

/* ---- what a CPU is in the machine ---- */

static char *get_realized(const Object *obj, const Property *prop, const void *field)
{
    return bool_text(true);
}

/* CPUs are there from the start and stay. */
static char *get_hotplug(const Object *obj, const Property *prop, const void *field)
{
    return bool_text(false);
}

static char *get_apic_id(const Object *obj, const Property *prop, const void *field)
{
    return g_strdup_printf("%u", cpu_of(obj)->apic_id);
}

static const PropType realized_type = {
    .name = "bool", .json = PROP_JSON_BOOL, .print = get_realized,
};
static const PropType hotplug_type = {
    .name = "bool", .json = PROP_JSON_BOOL, .print = get_hotplug,
};
static const PropType apic_id_type = {
    .name = "uint32", .json = PROP_JSON_INT, .print = get_apic_id,
};

static const Property cpu_facts[] = {
    { .name = "realized", .type = &realized_type, .read_only = true },
    { .name = "hotplugged", .type = &hotplug_type, .read_only = true },
    { .name = "hotpluggable", .type = &hotplug_type, .read_only = true },
    { .name = "apic-id", .type = &apic_id_type, .read_only = true },
    { .name = "unavailable-features", .type = &get_unavailable_type, .read_only = true },
    { .name = "feature-words", .type = &get_feature_words_type, .read_only = true },
    { .name = "filtered-features", .type = &get_filtered_words_type, .read_only = true },
    {}
};

/* ---- the tables ---- */

static void add_features(GArray *table)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (unsigned w = 0; w < FEATURE_WORDS; w++) {
        for (unsigned b = 0; b < 32; b++) {
            Property prop = { .name = feature_words[w].names[b], .type = &get_feature_type,
                              .def = w * 32 + b, .read_only = true };

            if (prop.name && g_hash_table_add(seen, (char *)prop.name)) {
                g_array_append_val(table, prop);
            }
        }
    }
}

static void add_settings(GArray *table)
{
    static const PropType *const types[] = {
        [MODEL_BOOL] = &get_bool_type, [MODEL_NUMBER] = &get_number_type,
        [MODEL_TEXT] = &get_text_type,
    };

    for (const ModelProperty *setting = cpu_model_properties; setting->name; setting++) {
        Property prop = { .name = setting->name, .type = types[setting->kind],
                          .offset = setting->offset, .read_only = true };

        g_array_append_val(table, prop);
    }
}

const Property *const *x86_cpu_properties(void)
{
    static const Property *tables[3];

    if (!tables[0]) {
        GArray *table = g_array_new(TRUE, TRUE, sizeof(Property));

        add_features(table);
        add_settings(table);
        tables[0] = (const Property *)g_array_free(table, FALSE);
        tables[1] = cpu_facts;
    }
    return tables;
}

bool x86_cpu_property_is_static(const Property *prop)
{
    static const char *const settings[] = {
        "family", "min-level", "min-xlevel", "model", "model-id", "stepping", "vendor", NULL
    };

    return prop->type == &get_feature_type || g_strv_contains(settings, prop->name);
}

/* ---- models ---- */

static const char *versioned_name(const char *name)
{
    for (const CpuModelAlias *alias = cpu_model_aliases; alias->name; alias++) {
        if (strcmp(alias->target, name) == 0) {
            return alias->name;
        }
    }
    return NULL;
}

void x86_cpu_definition(Vm *vm, const char *name, X86CpuDefinition *definition)
{
    g_autoptr(X86CpuModel) model = x86_cpu_model_try(vm, name, NULL, NULL);

    *definition = (X86CpuDefinition){
        .name = name, .alias_of = versioned_name(name), .is_static = strcmp(name, "base") == 0,
        .migration_safe = strcmp(name, "host") != 0 && strcmp(name, "max") != 0,
    };
    if (model) {
        model->filtered[FEAT_KVM] = 0;          /* they come and go with kernels */
        definition->unavailable = x86_feature_names(model->filtered);
    } else {
        definition->unavailable = g_ptr_array_new();
        g_ptr_array_add(definition->unavailable, (char *)"kvm");        /* "host" without it */
    }
}
