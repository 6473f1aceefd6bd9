/* Commands about the types of objects. */
#include <string.h>

#include "cpu_properties.h"
#include "options.h"
#include "property_json.h"
#include "qmp_api.h"
#include "user_object.h"
#include "vm.h"

#define MACHINE_TYPE_SUFFIX "-machine"

/* Types that only stand for others; a parent's row comes before its children's. */
static const struct { const char *name, *parent; } base_types[] = {
    { "object", NULL }, { "device", "object" }, { "sys-bus-device", "device" },
    { "isa-device", "device" }, { "pci-device", "device" }, { "cpu", "device" },
    { "x86_64-cpu", "cpu" }, { "accel", "object" }, { "machine", "object" }, { "memory-backend", "object" },
    { "rng-backend", "object" },
};

static const char *base_parent(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(base_types); i++) {
        if (g_str_equal(base_types[i].name, name)) {
            return base_types[i].parent;
        }
    }
    return NULL;
}

static bool type_is_a(const char *parent, const char *wanted)
{
    for (; parent != NULL; parent = base_parent(parent)) {
        if (g_str_equal(parent, wanted)) {
            return true;
        }
    }
    return false;
}

static const char *device_parent(const DeviceType *type)
{
    static const struct { const char *bus, *base; } bases[] = {
        { "System", "sys-bus-device" }, { "ISA", "isa-device" }, { "PCI", "pci-device" },
    };

    for (size_t i = 0; type->bus != NULL && i < G_N_ELEMENTS(bases); i++) {
        if (g_str_equal(bases[i].bus, type->bus->name)) {
            return bases[i].base;
        }
    }
    return "device";
}

static void add_type(GPtrArray *list, const char *name, const char *parent, bool abstract,
                     const char *implements)
{
    QmpObjectTypeInfo *info;

    if (implements != NULL && !g_str_equal(name, implements) && !type_is_a(parent, implements)) {
        return;
    }
    info = g_new0(QmpObjectTypeInfo, 1);
    info->name = g_strdup(name);
    info->parent = g_strdup(parent);
    info->has_abstract = info->abstract = abstract;
    g_ptr_array_add(list, info);
}

static void add_named(GPtrArray *list, const char *stem, const char *suffix, const char *parent,
                      const char *implements)
{
    g_autofree char *name = g_strconcat(stem, suffix, NULL);

    add_type(list, name, parent, false, implements);
}

GPtrArray *qmp_qom_list_types(Vm *vm, const char *implements, const bool *abstract, GError **error)
{
    GPtrArray *list = qmp_object_type_info_list_new();
    VmMachineType machine;

    for (size_t i = 0; i < G_N_ELEMENTS(base_types) && (abstract == NULL || *abstract); i++) {
        add_type(list, base_types[i].name, base_types[i].parent, true, implements);
    }
    for (const DeviceType *const *type = device_type_list(); *type != NULL; type++) {
        add_type(list, (*type)->name, device_parent(*type), false, implements);
    }
    for (const ObjectType *const *type = user_object_types(); *type != NULL; type++) {
        add_type(list, (*type)->name, (*type)->base != NULL ? (*type)->base : "object", false,
                 implements);
    }
    for (const AccelOps *const *accel = accel_list; *accel != NULL; accel++) {
        add_named(list, (*accel)->name, "-accel", "accel", implements);
    }
    for (const char *const *model = x86_cpu_model_names(); *model != NULL; model++) {
        add_named(list, *model, CPU_TYPE_SUFFIX, "x86_64-cpu", implements);
    }
    for (unsigned i = 0; vm_machine_type(i, &machine); i++) {
        add_named(list, machine.name, MACHINE_TYPE_SUFFIX, "machine", implements);
    }
    return list;
}

static json_object *default_value(const Property *prop)
{
    if (prop->def_text != NULL) {
        return property_json_value(prop->type->json, prop->def_text);
    }
    switch (prop->type->json) {
    case PROP_JSON_BOOL:
        return json_object_new_boolean(prop->def != 0);
    case PROP_JSON_INT:
        return json_object_new_int64(prop->def);
    case PROP_JSON_STRING:
    case PROP_JSON_VALUE:
        break;
    }
    if (prop->names != NULL) {
        return json_object_new_string(prop->names[prop->def]);
    }
    return NULL;
}

static QmpObjectPropertyInfo *add_prop(GPtrArray *list, const char *name, const char *type)
{
    QmpObjectPropertyInfo *info = g_new0(QmpObjectPropertyInfo, 1);

    info->name = g_strdup(name);
    info->type = g_strdup(type);
    g_ptr_array_add(list, info);
    return info;
}

static void add_props(GPtrArray *list, const Property *props)
{
    for (const Property *prop = props; prop != NULL && prop->name != NULL; prop++) {
        QmpObjectPropertyInfo *info = add_prop(list, prop->name, property_type_name(prop));

        info->description = g_strdup(prop->help);
        info->default_value = prop->read_only ? NULL : default_value(prop);
        info->has_default_value = info->default_value != NULL;
    }
}

static GPtrArray *list_type_props(const DeviceType *type)
{
    GPtrArray *list = qmp_object_property_info_list_new();

    for (const DeviceType *at = type; at != NULL; at = at->part) {
        add_props(list, at->props);
        add_props(list, at->bus != NULL ? at->bus->device_props : NULL);
    }
    return list;
}

GPtrArray *qmp_device_list_properties(Vm *vm, const char *typename, GError **error)
{
    const DeviceType *type = device_type_find(typename);

    if (type != NULL) {
        return list_type_props(type);
    }
    if (base_parent(typename) != NULL || g_str_equal(typename, "object")) {
        set_error(error, "Parameter 'typename' expects a non-abstract device type");
    } else {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found",
                    typename);
    }
    return NULL;
}

/* "max-x86_64-cpu" is the CPU type of a model. */
static bool is_cpu_type(const char *typename)
{
    g_autofree char *model = g_strdup(typename);

    if (!g_str_has_suffix(model, CPU_TYPE_SUFFIX)) {
        return false;
    }
    model[strlen(model) - strlen(CPU_TYPE_SUFFIX)] = '\0';
    return g_strv_contains(x86_cpu_model_names(), model);
}

static bool is_machine_type(const char *typename)
{
    VmMachineType machine;

    for (unsigned i = 0; vm_machine_type(i, &machine); i++) {
        g_autofree char *name = g_strconcat(machine.name, MACHINE_TYPE_SUFFIX, NULL);

        if (g_str_equal(name, typename)) {
            return true;
        }
    }
    return false;
}

/* What -machine takes, but for what is not the board's. */
static void add_machine_props(GPtrArray *list)
{
    OptionGroup group;

    for (unsigned i = 0; options_group(i, &group); i++) {
        for (const KeyField *field = group.fields; field != NULL && field->name != NULL; field++) {
            if (g_str_equal(group.name, "machine") && !g_str_equal(field->name, "type") &&
                !g_str_equal(field->name, "accel")) {
                add_prop(list, field->name, field->kind == KEY_BOOL ? "bool" : "string")
                    ->description = g_strdup(field->help);
            }
        }
    }
}

/* NULL: there is no such type. */
static GPtrArray *list_any_type(const char *typename)
{
    const DeviceType *device = device_type_find(typename);
    const ObjectType *object = user_object_type_find(typename);
    GPtrArray *list;

    if (device != NULL) {
        return list_type_props(device);
    }
    list = qmp_object_property_info_list_new();
    if (object != NULL) {
        add_props(list, object->props);
        add_props(list, object->base_props);
    } else if (is_cpu_type(typename)) {
        for (const Property *const *table = x86_cpu_properties(); *table != NULL; table++) {
            add_props(list, *table);
        }
    } else if (is_machine_type(typename)) {
        add_machine_props(list);
    } else if (base_parent(typename) == NULL && !g_str_equal(typename, "object")) {
        g_ptr_array_unref(list);
        return NULL;
    }
    return list;
}

GPtrArray *qmp_qom_list_properties(Vm *vm, const char *typename, GError **error)
{
    GPtrArray *list = list_any_type(typename);

    if (list == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Class '%s' not found",
                    typename);
        return NULL;
    }
    add_prop(list, "type", "string");
    return list;
}
