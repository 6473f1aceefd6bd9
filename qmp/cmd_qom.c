/* Commands about the object tree and the types of its objects. */
#include <string.h>

#include "cpu_properties.h"
#include "property_json.h"
#include "qmp_api.h"
#include "user_object.h"
#include "vm.h"

static Object *find_object(const char *path, GError **error)
{
    bool ambiguous;
    Object *obj = object_resolve(path, &ambiguous);

    if (ambiguous) {
        set_error(error, "Path '%s' does not uniquely identify an object", path);
    } else if (obj == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", path);
    }
    return obj;
}

static QmpObjectPropertyInfo *property_info(const char *name, const char *type)
{
    QmpObjectPropertyInfo *info = g_new0(QmpObjectPropertyInfo, 1);

    info->name = g_strdup(name);
    info->type = g_strdup(type);
    return info;
}

/* ---- what every device has beside its properties ---- */

static json_object *fact_realized(const Device *dev)
{
    return json_object_new_boolean(dev->realized);
}

static json_object *fact_hotplugged(const Device *dev)
{
    return json_object_new_boolean(dev->hotplugged);
}

static json_object *fact_hotpluggable(const Device *dev)
{
    return json_object_new_boolean(!dev->type->no_hotplug);
}

static json_object *fact_parent_bus(const Device *dev)
{
    g_autofree char *path = dev->bus != NULL ? object_path(&dev->bus->obj) : NULL;

    return json_object_new_string(path != NULL ? path : "");
}

static const struct {
    const char *name, *type;
    json_object *(*get)(const Device *dev);
} device_facts[] = {
    { "realized", "bool", fact_realized },
    { "hotplugged", "bool", fact_hotplugged },
    { "hotpluggable", "bool", fact_hotpluggable },
    { "parent_bus", "link<bus>", fact_parent_bus },
};

/* The device an object is; NULL: it is none. */
static Device *device_of(Vm *vm, const Object *obj)
{
    g_autofree char *path = object_path(obj);

    return path != NULL ? device_find(vm, path) : NULL;
}

static UserObject *user_object_of(const Object *obj)
{
    UserObject *found = obj->name != NULL ? user_object_find(obj->name) : NULL;

    return found != NULL && &found->obj == obj ? found : NULL;
}

/* ---- listing ---- */

static void list_object_props(GPtrArray *list, const Object *obj)
{
    for (const Property *const *table = obj->props; table != NULL && *table != NULL; table++) {
        for (const Property *prop = *table; prop->name != NULL; prop++) {
            g_ptr_array_add(list, property_info(prop->name, property_type_name(prop)));
        }
    }
}

GPtrArray *qmp_qom_list(Vm *vm, const char *path, GError **error)
{
    const Object *obj = find_object(path, error);
    GPtrArray *list;

    if (obj == NULL) {
        return NULL;
    }
    list = qmp_object_property_info_list_new();
    g_ptr_array_add(list, property_info("type", "string"));
    for (const Object *at = obj; at != NULL; at = at->inner) {
        list_object_props(list, at);
    }
    for (size_t i = 0; device_of(vm, obj) != NULL && i < G_N_ELEMENTS(device_facts); i++) {
        g_ptr_array_add(list, property_info(device_facts[i].name, device_facts[i].type));
    }
    for (guint i = 0; obj->children != NULL && i < obj->children->len; i++) {
        const Object *child = g_ptr_array_index(obj->children, i);
        g_autofree char *type = g_strdup_printf("child<%s>", child->type_name);

        g_ptr_array_add(list, property_info(child->name, type));
    }
    return list;
}

/* ---- values ---- */

static bool get_device_fact(const Device *dev, const char *name, json_object **value)
{
    for (size_t i = 0; dev != NULL && i < G_N_ELEMENTS(device_facts); i++) {
        if (g_str_equal(device_facts[i].name, name)) {
            *value = device_facts[i].get(dev);
            return true;
        }
    }
    return false;
}

bool qmp_qom_get(Vm *vm, const char *path, const char *property, json_object **value,
                 GError **error)
{
    Object *obj = find_object(path, error), *child;
    g_autofree char *text = NULL;
    const Property *prop;

    if (obj == NULL) {
        return false;
    }
    child = object_child(obj, property);
    prop = property_find(obj, property);
    if (g_str_equal(property, "type")) {
        *value = json_object_new_string(obj->type_name);
        return true;
    }
    if (child != NULL) {
        text = object_path(child);
        *value = json_object_new_string(text);
        return true;
    }
    if (prop == NULL && get_device_fact(device_of(vm, obj), property, value)) {
        return true;
    }
    text = property_get(obj, property, error);
    if (text == NULL) {
        return false;
    }
    *value = property_json_value(prop->type->json, text);
    return true;
}

bool qmp_qom_set(Vm *vm, const char *path, const char *property, json_object *value, GError **error)
{
    Object *obj = find_object(path, error);
    g_autofree char *text = NULL;
    UserObject *user;
    Device *dev;

    if (obj == NULL) {
        return false;
    }
    text = property_json_text(property, value, error);
    if (text == NULL) {
        return false;
    }
    dev = device_of(vm, obj);
    user = user_object_of(obj);
    return dev != NULL    ? device_set(dev, property, text, error)
           : user != NULL ? user_object_set(user, property, text, error)
                          : property_set(obj, property, text, error);
}

/* ---- types ---- */

/* Types that only stand for others; a parent's row comes before its children's. */
static const struct { const char *name, *parent; } base_types[] = {
    { "object", NULL }, { "device", "object" }, { "sys-bus-device", "device" },
    { "isa-device", "device" }, { "pci-device", "device" }, { "cpu", "device" },
    { "x86_64-cpu", "cpu" }, { "machine", "object" }, { "memory-backend", "object" },
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
    for (const char *const *model = x86_cpu_model_names(); *model != NULL; model++) {
        add_named(list, *model, "-x86_64-cpu", "x86_64-cpu", implements);
    }
    for (unsigned i = 0; vm_machine_type(i, &machine); i++) {
        add_named(list, machine.name, "-machine", "machine", implements);
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

static void add_props(GPtrArray *list, const Property *props)
{
    for (const Property *prop = props; prop != NULL && prop->name != NULL; prop++) {
        QmpObjectPropertyInfo *info = property_info(prop->name, property_type_name(prop));

        info->description = g_strdup(prop->help);
        info->default_value = default_value(prop);
        info->has_default_value = info->default_value != NULL;
        g_ptr_array_add(list, info);
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

GPtrArray *qmp_qom_list_properties(Vm *vm, const char *typename, GError **error)
{
    const DeviceType *type = device_type_find(typename);
    const ObjectType *object = user_object_type_find(typename);
    GPtrArray *list;

    if (type == NULL && object == NULL && base_parent(typename) == NULL &&
        !g_str_equal(typename, "object")) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Class '%s' not found",
                    typename);
        return NULL;
    }
    list = type != NULL ? list_type_props(type) : qmp_object_property_info_list_new();
    if (object != NULL) {
        add_props(list, object->props);
        add_props(list, object->base_props);
    }
    g_ptr_array_insert(list, 0, property_info("type", "string"));
    return list;
}
