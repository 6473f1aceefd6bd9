#include "user_object.h"

#include <string.h>

#include "rhea_error.h"
#include "vm_core.h"

/* ---- types ---- */

static const ObjectType *const *type_list;

void user_object_types_set(const ObjectType *const *list)
{
    type_list = list;
}

const ObjectType *const *user_object_types(void)
{
    static const ObjectType *const none[] = { NULL };

    return type_list != NULL ? type_list : none;
}

const ObjectType *user_object_type_find(const char *name)
{
    for (const ObjectType *const *type = user_object_types(); *type != NULL; type++) {
        if (g_str_equal((*type)->name, name)) {
            return *type;
        }
    }
    return NULL;
}

static const ObjectType *find_type(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const ObjectType *found;

    if (name == NULL) {
        set_error(error, "Parameter 'qom-type' is missing");
        return NULL;
    }
    found = user_object_type_find(name);
    if (found != NULL) {
        return found;
    }
    for (const ObjectType *const *type = user_object_types(); *type != NULL; type++) {
        g_ptr_array_add(names, (char *)(*type)->name);
    }
    set_error(error, "Parameter 'qom-type' does not accept value '%s'", name);
    error_suggest(error, nearest_name(name, (const char *const *)names->pdata, names->len));
    return NULL;
}

/* ---- finding ---- */

static Object *objects_container(void)
{
    return object_container("/objects");
}

static GPtrArray *placed;                       /* what stands at /objects, in order of making */

UserObject *user_object_find(const char *id)
{
    for (guint i = 0; placed != NULL && i < placed->len; i++) {
        UserObject *obj = g_ptr_array_index(placed, i);

        if (g_str_equal(obj->id, id)) {
            return obj;
        }
    }
    return NULL;
}

static bool object_is_a(const UserObject *obj, const char *base)
{
    return g_strcmp0(obj->type->base, base) == 0 || g_str_equal(obj->type->name, base);
}

void user_objects_foreach(const char *base, void (*fn)(UserObject *obj, void *opaque),
                          void *opaque)
{
    for (guint i = 0; placed != NULL && i < placed->len; i++) {
        UserObject *obj = g_ptr_array_index(placed, i);

        if (base == NULL || object_is_a(obj, base)) {
            fn(obj, opaque);
        }
    }
}

static void place(UserObject *obj)
{
    if (placed == NULL) {
        placed = g_ptr_array_new();
    }
    g_ptr_array_add(placed, obj);
    object_add_child(objects_container(), obj->id, &obj->obj);
}

/* ---- life ---- */

static UserObject *object_alloc(Vm *vm, const ObjectType *type, const char *id)
{
    UserObject *obj = g_malloc0(type->size);
    unsigned n = 0;

    object_init(&obj->obj, type->name);
    obj->type = type;
    obj->vm = vm;
    obj->id = g_strdup(id);
    if (type->props != NULL) {
        obj->prop_tables[n++] = type->props;
    }
    if (type->base_props != NULL) {
        obj->prop_tables[n++] = type->base_props;
    }
    obj->obj.props = obj->prop_tables;
    properties_set_defaults(&obj->obj);
    return obj;
}

void user_object_free(UserObject *obj)
{
    if (obj == NULL) {
        return;
    }
    g_assert(obj->users == 0);
    if (placed != NULL) {
        g_ptr_array_remove(placed, obj);
    }
    if (obj->type->finish != NULL) {
        obj->type->finish(obj);
    }
    properties_release(&obj->obj);
    object_finish(&obj->obj);
    g_free(obj->id);
    g_free(obj);
}

static bool set_props(UserObject *obj, KeyVal *kv, GError **error)
{
    for (size_t i = 0; i < keyval_count(kv); i++) {
        const char *key = keyval_key(kv, i);
        const Property *near;

        if (g_str_equal(key, "qom-type") || g_str_equal(key, "id")) {
            continue;
        }
        if (property_find(&obj->obj, key) == NULL) {
            set_error(error, "Invalid parameter '%s'", key);
            near = property_nearest(&obj->obj, key);
            error_suggest(error, near != NULL ? near->name : NULL);
            return false;
        }
        if (!property_set(&obj->obj, key, keyval_value(kv, i), error)) {
            return false;
        }
    }
    return true;
}

UserObject *user_object_new_typed(Vm *vm, const ObjectType *type, const char *id, KeyVal *kv,
                                  GError **error)
{
    UserObject *obj = object_alloc(vm, type, id);

    if ((kv != NULL && !set_props(obj, kv, error)) ||
        (type->complete != NULL && !type->complete(obj, error))) {
        user_object_free(obj);
        return NULL;
    }
    obj->complete = true;
    if (id != NULL) {
        place(obj);
    }
    return obj;
}

UserObject *user_object_new(Vm *vm, KeyVal *kv, GError **error)
{
    const ObjectType *type = find_type(keyval_get(kv, "qom-type"), error);
    const char *id = keyval_get(kv, "id");

    if (type == NULL) {
        return NULL;
    }
    if (id == NULL) {
        set_error(error, "Parameter 'id' is missing");
        return NULL;
    }
    if (!object_check_id(id, error)) {
        return NULL;
    }
    if (object_child(objects_container(), id) != NULL) {
        set_error(error, "attempt to add duplicate property '%s' to object (type 'container')", id);
        return NULL;
    }
    return user_object_new_typed(vm, type, id, kv, error);
}

bool user_object_set(UserObject *obj, const char *name, const char *text, GError **error)
{
    const Property *prop = property_find(&obj->obj, name);

    if (prop != NULL && obj->complete && !prop->live) {
        set_error(error, "Property '%s.%s' cannot be changed once the object is made",
                  obj->type->name, name);
        return false;
    }
    return property_set(&obj->obj, name, text, error);
}

bool user_object_del(const char *id, GError **error)
{
    UserObject *obj = user_object_find(id);

    if (obj == NULL) {
        set_error(error, "object '%s' not found", id);
        return false;
    }
    if (obj->users > 0 ||
        (obj->type->can_be_deleted != NULL && !obj->type->can_be_deleted(obj))) {
        set_error(error, "object '%s' is in use, can not be deleted", id);
        return false;
    }
    user_object_free(obj);
    return true;
}

/* ---- links ---- */

static bool prop_link_parse(Object *obj, const Property *prop, void *field, const char *text,
                            GError **error)
{
    static const char dir[] = "/objects/";
    const char *id = g_str_has_prefix(text, dir) ? text + strlen(dir) : text;
    UserObject **link = field, *target = NULL;

    if (*text != '\0') {
        target = user_object_find(id);
        if (target == NULL) {
            g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found",
                        text);
            return false;
        }
        if (!object_is_a(target, prop->link)) {
            set_error(error, "Invalid parameter type for '%s', expected: %s", prop->name,
                      prop->link);
            return false;
        }
        target->users++;
    }
    if (*link != NULL) {
        (*link)->users--;
    }
    *link = target;
    return true;
}

static char *prop_link_print(const Object *obj, const Property *prop, const void *field)
{
    const UserObject *target = *(UserObject *const *)field;

    return target != NULL ? object_path(&target->obj) : g_strdup("");
}

static void prop_link_release(Object *obj, const Property *prop, void *field)
{
    UserObject **link = field;

    if (*link != NULL) {
        (*link)->users--;
        *link = NULL;
    }
}

const PropType prop_link = { "link", PROP_JSON_STRING, prop_link_parse, prop_link_print, NULL,
                             prop_link_release };

/* ---- help ---- */

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void append_sorted(GString *out, GPtrArray *lines)
{
    g_ptr_array_sort(lines, by_text);
    for (guint i = 0; i < lines->len; i++) {
        g_string_append_printf(out, "%s\n", (const char *)g_ptr_array_index(lines, i));
    }
}

static void list_props(GPtrArray *lines, const Property *props)
{
    for (const Property *prop = props; prop != NULL && prop->name != NULL; prop++) {
        g_autofree char *left = g_strdup_printf("  %s=<%s>", prop->name,
                                                property_type_name(prop));

        g_ptr_array_add(lines, prop->help != NULL
                                   ? g_strdup_printf("%-24s - %s", left, prop->help)
                                   : g_strdup(left));
    }
}

static char *help_for_type(const ObjectType *type)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    GString *out = g_string_new(NULL);

    list_props(lines, type->props);
    list_props(lines, type->base_props);
    if (lines->len == 0) {
        g_string_append_printf(out, "There are no options for %s.\n", type->name);
    } else {
        g_string_append_printf(out, "%s options:\n", type->name);
    }
    append_sorted(out, lines);
    return g_string_free(out, FALSE);
}

static char *list_types(void)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    GString *out = g_string_new("List of user creatable objects:\n");

    for (const ObjectType *const *type = user_object_types(); *type != NULL; type++) {
        g_ptr_array_add(lines, g_strdup_printf("  %s", (*type)->name));
    }
    append_sorted(out, lines);
    return g_string_free(out, FALSE);
}

bool user_object_help(const char *opts, char **text, GError **error)
{
    g_autoptr(KeyVal) kv = NULL;
    const ObjectType *type;
    const char *name;

    *text = NULL;
    if (*opts == '{') {
        return true;
    }
    kv = keyval_parse(opts, "qom-type", error);
    if (kv == NULL) {
        return false;
    }
    name = keyval_get(kv, "qom-type");
    if (name != NULL && (g_str_equal(name, "help") || g_str_equal(name, "?"))) {
        *text = list_types();
        return true;
    }
    if (!keyval_has(kv, "help") && !keyval_has(kv, "?")) {
        return true;
    }
    type = find_type(name, error);
    if (type == NULL) {
        return false;
    }
    *text = help_for_type(type);
    return true;
}
