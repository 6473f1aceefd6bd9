/* Commands about CPU models. */
#include "cpu_properties.h"
#include "property_json.h"
#include "qmp_api.h"
#include "vm.h"

static GPtrArray *copy_names(const GPtrArray *names)
{
    GPtrArray *copy = g_ptr_array_new_with_free_func(g_free);

    for (guint i = 0; i < names->len; i++) {
        g_ptr_array_add(copy, g_strdup(g_ptr_array_index(names, i)));
    }
    return copy;
}

GPtrArray *qmp_query_cpu_definitions(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_cpu_definition_info_list_new();

    for (const char *const *name = x86_cpu_model_names(); *name != NULL; name++) {
        QmpCpuDefinitionInfo *info = g_new0(QmpCpuDefinitionInfo, 1);
        X86CpuDefinition definition;

        x86_cpu_definition(vm, *name, &definition);
        info->name = g_strdup(*name);
        info->has_migration_safe = true;
        info->migration_safe = definition.migration_safe;
        info->static_ = definition.is_static;
        info->unavailable_features = copy_names(definition.unavailable);
        info->typename = g_strconcat(*name, CPU_TYPE_SUFFIX, NULL);
        info->alias_of = g_strdup(definition.alias_of);
        g_ptr_array_add(list, info);
        g_ptr_array_unref(definition.unavailable);
    }
    return list;
}

static bool model_exists(const char *name, GError **error)
{
    bool known = g_strv_contains(x86_cpu_model_names(), name);

    if (!known) {
        set_error(error, "CPU model '%s' not found", name);
    }
    return known;
}

/* {"avx": false} → "avx=off".  NULL: error. */
static char **read_edits(json_object *props, GError **error)
{
    g_autoptr(GPtrArray) edits = g_ptr_array_new_with_free_func(g_free);

    if (props != NULL && !json_object_is_type(props, json_type_object)) {
        set_error(error, "Invalid parameter type for 'model.props', expected: object");
        return NULL;
    }
    if (props != NULL) {
        json_object_object_foreach(props, name, value) {
            g_autofree char *text = property_json_text(name, value, error);

            if (text == NULL) {
                return NULL;
            }
            g_ptr_array_add(edits, g_strdup_printf("%s=%s", name, text));
        }
    }
    g_ptr_array_add(edits, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&edits), FALSE);
}

static json_object *describe_model(const X86CpuModel *model, bool all)
{
    json_object *props = json_object_new_object();

    for (const Property *const *table = x86_cpu_properties(); *table != NULL; table++) {
        for (const Property *prop = *table; prop->name != NULL; prop++) {
            g_autofree char *text = x86_cpu_model_get(model, prop);

            if (text != NULL && prop->type->json != PROP_JSON_VALUE &&
                (all || x86_cpu_property_is_static(prop))) {
                json_object_object_add(props, prop->name,
                                       property_json_value(prop->type->json, text));
            }
        }
    }
    return props;
}

QmpCpuModelExpansionInfo *qmp_query_cpu_model_expansion(Vm *vm, QmpCpuModelExpansionType type,
                                                        const QmpCpuModelInfo *model,
                                                        GError **error)
{
    g_auto(GStrv) edits = read_edits(model->props, error);
    g_autoptr(X86CpuModel) cpu = NULL;
    QmpCpuModelExpansionInfo *info;
    bool full = type == QMP_CPU_MODEL_EXPANSION_TYPE_FULL;

    if (edits == NULL || !model_exists(model->name, error)) {
        return NULL;
    }
    cpu = x86_cpu_model_try(vm, model->name, edits, error);
    if (cpu == NULL) {
        return NULL;
    }
    info = g_new0(QmpCpuModelExpansionInfo, 1);
    info->model = g_new0(QmpCpuModelInfo, 1);
    info->model->name = g_strdup(full ? model->name : "base");
    info->model->has_props = true;
    info->model->props = describe_model(cpu, full);
    return info;
}
