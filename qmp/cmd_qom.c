/* Commands about the object tree. */
#include <string.h>

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
