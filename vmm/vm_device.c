/* -device and device_add: one operation for the command line, HMP and QMP; and their help texts. */
#include <string.h>

#include "vm.h"

/* ---- help ---- */

static void print_type(GString *out, const DeviceType *type)
{
    g_string_append_printf(out, "name \"%s\"", type->name);
    if (type->bus != NULL) {
        g_string_append_printf(out, ", bus %s", type->bus->name);
    }
    if (type->alias != NULL) {
        g_string_append_printf(out, ", alias \"%s\"", type->alias);
    }
    if (type->help != NULL) {
        g_string_append_printf(out, ", desc \"%s\"", type->help);
    }
    if (type->board_only) {
        g_string_append(out, ", no-user");
    }
    g_string_append_c(out, '\n');
}

static const struct { const char *category, *title; } categories[] = {
    { "bridge", "Controller/Bridge/Hub" }, { "usb", "USB" }, { "storage", "Storage" },
    { "network", "Network" }, { "input", "Input" }, { "display", "Display" }, { "sound", "Sound" },
    { "misc", "Misc" }, { "cpu", "CPU" }, { "watchdog", "Watchdog" }, { NULL, "Uncategorized" },
};

static int by_name(const void *a, const void *b)
{
    return g_strcmp0((*(const DeviceType *const *)a)->name, (*(const DeviceType *const *)b)->name);
}

static void list_category(GString *out, const char *category, const char *title, bool all)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new();

    for (const DeviceType *const *type = device_type_list(); *type != NULL; type++) {
        if ((all || !(*type)->board_only) && g_strcmp0((*type)->category, category) == 0) {
            g_ptr_array_add(found, (void *)*type);
        }
    }
    if (found->len == 0) {
        return;
    }
    g_ptr_array_sort(found, by_name);
    g_string_append_printf(out, "%s%s devices:\n", out->len > 0 ? "\n" : "", title);
    for (guint i = 0; i < found->len; i++) {
        print_type(out, g_ptr_array_index(found, i));
    }
}

char *vm_device_types_text(bool all)
{
    GString *out = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(categories); i++) {
        list_category(out, categories[i].category, categories[i].title, all);
    }
    return g_string_free(out, FALSE);
}

/* A default as JSON shows it; NULL: there is none to show. */
static char *default_text(const Property *prop)
{
    const char *const *names = prop->type == &prop_on_off_auto ? on_off_auto_names : prop->names;

    if (prop->type->json == PROP_JSON_BOOL) {
        return g_strdup(prop->def != 0 ? "true" : "false");
    }
    if (prop->type->json == PROP_JSON_INT && prop->type != &prop_bootindex) {
        return g_strdup_printf("%" G_GINT64_FORMAT, prop->def);
    }
    if (prop->def_text != NULL) {
        return g_strdup_printf("\"%s\"", prop->def_text);
    }
    return names != NULL ? g_strdup_printf("\"%s\"", names[prop->def]) : NULL;
}

static void add_lines(GPtrArray *lines, const Property *props)
{
    for (const Property *prop = props; prop != NULL && prop->name != NULL; prop++) {
        g_autofree char *left = g_strdup_printf("  %s=<%s>", prop->name,
                                                property_type_name(prop));
        g_autofree char *def = default_text(prop);
        GString *line = g_string_new(NULL);

        if (prop->help != NULL || def != NULL) {
            g_string_printf(line, "%-24s - %s", left, prop->help != NULL ? prop->help : "");
        } else {
            g_string_append(line, left);
        }
        if (def != NULL) {
            g_string_append_printf(line, " (default: %s)", def);
        }
        g_ptr_array_add(lines, g_string_free(line, FALSE));
    }
}

static int by_text(const void *a, const void *b)
{
    return g_strcmp0(*(const char *const *)a, *(const char *const *)b);
}

/* Properties of the type, its bus, and the type inside it, in order of name. */
static char *help_for_type(const DeviceType *type)
{
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    GString *out = g_string_new(NULL);

    g_string_append_printf(out, "%s options:\n", type->name);
    for (const DeviceType *at = type; at != NULL; at = at->part) {
        add_lines(lines, at->props);
        add_lines(lines, at->bus->device_props);
    }
    g_ptr_array_sort(lines, by_text);
    for (guint i = 0; i < lines->len; i++) {
        g_string_append_printf(out, "%s\n", (const char *)g_ptr_array_index(lines, i));
    }
    return g_string_free(out, FALSE);
}

static const DeviceType *find_user_type(const char *name, GError **error)
{
    const DeviceType *type = device_type_find(name);
    const char *near;

    if (type != NULL && !type->board_only) {
        return type;
    }
    set_error(error, "'%s' is not a valid device model name", name);
    near = device_type_nearest(name);
    error_suggest(error, near);
    return NULL;
}

bool vm_device_help(const char *opts, char **text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(opts, "driver", error);
    const DeviceType *type;
    const char *driver;

    *text = NULL;
    if (kv == NULL) {
        return false;
    }
    driver = keyval_get(kv, "driver");
    if (driver != NULL && (g_str_equal(driver, "help") || g_str_equal(driver, "?"))) {
        *text = vm_device_types_text(false);
        return true;
    }
    if (driver == NULL || (!keyval_has(kv, "help") && !keyval_has(kv, "?"))) {
        return true;
    }
    type = find_user_type(driver, error);
    if (type == NULL) {
        return false;
    }
    *text = help_for_type(type);
    return true;
}

/* ---- adding ---- */

static bool check_id(Vm *vm, const char *id, GError **error)
{
    if (id == NULL) {
        return true;
    }
    if (!object_check_id(id, error)) {
        return false;
    }
    if (device_find(vm, id) != NULL) {
        set_error(error, "Duplicate device ID '%s'", id);
        return false;
    }
    return true;
}

static bool set_props(Device *dev, KeyVal *kv, GError **error)
{
    static const char *const handled[] = { "driver", "id", "bus", NULL };

    for (size_t i = 0; i < keyval_count(kv); i++) {
        if (!g_strv_contains(handled, keyval_key(kv, i)) &&
            !device_set(dev, keyval_key(kv, i), keyval_value(kv, i), error)) {
            return false;
        }
    }
    return true;
}

static bool find_bus(Vm *vm, const char *name, Bus **bus, GError **error)
{
    *bus = NULL;
    if (name == NULL) {
        return true;
    }
    *bus = bus_find_path(vm, name, error);
    return *bus != NULL;
}

Device *vm_device_add(Vm *vm, KeyVal *kv, GError **error)
{
    const char *driver = keyval_get(kv, "driver"), *id = keyval_get(kv, "id");
    const DeviceType *type;
    Device *dev;
    Bus *bus;

    if (driver == NULL) {
        set_error(error, "Parameter 'driver' is missing");
        return NULL;
    }
    type = find_user_type(driver, error);
    if (type == NULL || !check_id(vm, id, error) ||
        !find_bus(vm, keyval_get(kv, "bus"), &bus, error)) {
        return NULL;
    }
    dev = device_new(vm, type, id);
    dev->by_user = true;
    if (!set_props(dev, kv, error)) {
        device_free(dev);
        return NULL;
    }
    return device_realize(dev, bus, error) ? dev : NULL;
}

bool vm_device_del(Vm *vm, const char *id_or_path, GError **error)
{
    Device *dev = device_find(vm, id_or_path);

    if (dev == NULL && *id_or_path == '/' && object_resolve(id_or_path, NULL) != NULL) {
        set_error(error, "%s is not a hotpluggable device", id_or_path);
        return false;
    }
    if (dev == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found",
                    id_or_path);
        return false;
    }
    return device_unplug(dev, error);
}
