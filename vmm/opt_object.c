/* -object, and -readconfig, which is options in a file. */
#include <stdio.h>
#include <string.h>

#include "option_row.h"
#include "rhea_error.h"
#include "user_object.h"
#include "vm.h"

#define CONFIG_MAX (1024 * 1024)

/* ---- -object ---- */

static bool make_object(Vm *vm, const char *text, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse_either(text, "qom-type", error);
    const char *id;

    if (kv == NULL) {
        return false;
    }
    id = keyval_get(kv, "id");
    if (g_strcmp0(id, "pc.ram") == 0 && g_strcmp0(id, vm->config.mem_backend) != 0) {
        set_error(error, "object name 'pc.ram' is reserved for the machine's memory");
        return false;
    }
    if (id != NULL && user_object_find(id) != NULL) {
        set_error(error, "Duplicate ID '%s' for object", id);
        return false;
    }
    return user_object_new(vm, kv, error) != NULL;
}

/* Most objects are what back ends refer to; some refer to back ends and come after them. */
static OptionStage object_stage(const char *text)
{
    g_autoptr(KeyVal) kv = keyval_parse_either(text, "qom-type", NULL);
    const char *name = kv != NULL ? keyval_get(kv, "qom-type") : NULL;
    const ObjectType *type = name != NULL ? user_object_type_find(name) : NULL;

    return type != NULL && type->after_backends ? OPTION_STAGE_DEVICE : OPTION_STAGE_OBJECT;
}

bool opt_object(Options *options, const char *arg, GError **error)
{
    g_autofree char *text = NULL;

    if (!user_object_help(arg, &text, error)) {
        return false;
    }
    if (text != NULL) {
        fputs(text, stdout);
        options->done = true;
        return true;
    }
    options_later(options, object_stage(arg), "object", arg, make_object);
    return true;
}

/* ---- -readconfig: groups of lines  key = "value"  below  [group "id"] ---- */

typedef struct ConfigGroup {
    const char *option;                 /* of the command line; NULL: no group begun */
    GString *text;                      /* what would follow it there */
    char *global[3];                    /* [global]: driver, property, value */
} ConfigGroup;

static const char *const global_keys[] = { "driver", "property", "value" };

/* The option a group stands for.  NULL: there is no such group. */
static const char *group_option(const char *name, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    OptionGroup group;

    for (unsigned i = 0; options_group(i, &group); i++) {
        if (g_str_equal(group.name, name)) {
            return group.option;
        }
        g_ptr_array_add(names, (char *)group.name);
    }
    set_error(error, "There is no option group '%s'", name);
    error_suggest(error, nearest_name(name, (const char *const *)names->pdata, names->len));
    return NULL;
}

static void add_pair(GString *text, const char *key, const char *value)
{
    g_auto(GStrv) pieces = g_strsplit(value, ",", -1);
    g_autofree char *escaped = g_strjoinv(",,", pieces);

    g_string_append_printf(text, "%s%s=%s", text->len > 0 ? "," : "", key, escaped);
}

/* The group's lines are complete: they are an option now. */
static bool group_end(Options *options, ConfigGroup *group, GError **error)
{
    bool ok = true;

    if (group->option == NULL) {
        return true;
    }
    if (g_str_equal(group->option, "global")) {
        for (size_t i = 0; ok && i < G_N_ELEMENTS(global_keys); i++) {
            ok = group->global[i] != NULL;
            if (!ok) {
                set_error(error, "Parameter '%s' is missing", global_keys[i]);
            }
        }
        if (ok) {
            g_string_printf(group->text, "%s.%s=%s", group->global[0], group->global[1],
                            group->global[2]);
        }
    }
    ok = ok && options_apply(options, group->option, group->text->str, error);
    group->option = NULL;
    g_string_truncate(group->text, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(group->global); i++) {
        g_clear_pointer(&group->global[i], g_free);
    }
    return ok;
}

static bool group_begin(ConfigGroup *group, const char *line, GError **error)
{
    char name[64], id[64];
    int fields = sscanf(line, " [ %63[^] \"] \"%63[^\"]\" ]", name, id);

    if (fields < 1 || strchr(line, ']') == NULL) {
        set_error(error, "parse error: expected [GROUP] or [GROUP \"ID\"]");
        return false;
    }
    group->option = group_option(name, error);
    if (group->option == NULL) {
        return false;
    }
    if (fields == 2) {
        add_pair(group->text, "id", id);
    }
    return true;
}

static bool set_global_key(ConfigGroup *group, const char *key, const char *value, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(global_keys); i++) {
        if (g_str_equal(global_keys[i], key)) {
            g_free(group->global[i]);
            group->global[i] = g_strdup(value);
            return true;
        }
    }
    set_error(error, "Invalid parameter '%s'", key);
    return false;
}

static bool group_line(ConfigGroup *group, const char *line, GError **error)
{
    g_autofree char *key = g_malloc(strlen(line) + 1), *value = g_malloc(strlen(line) + 1);
    int end = 0;

    *value = '\0';
    if (sscanf(line, " %[^ \t=] = \"%[^\"]\" %n", key, value, &end) < 2) {
        sscanf(line, " %[^ \t=] = \"\" %n", key, &end);
    }
    if (end == 0 || line[end] != '\0') {
        set_error(error, "parse error: expected KEY = \"VALUE\"");
        return false;
    }
    if (group->option == NULL) {
        set_error(error, "no group defined");
        return false;
    }
    if (g_str_equal(group->option, "global")) {
        return set_global_key(group, key, value, error);
    }
    add_pair(group->text, key, value);
    return true;
}

static bool config_line(Options *options, ConfigGroup *group, const char *line, GError **error)
{
    const char *start = line + strspn(line, " \t\r");

    if (*start == '\0' || *start == '#') {
        return true;
    }
    if (*start == '[') {
        return group_end(options, group, error) && group_begin(group, start, error);
    }
    return group_line(group, start, error);
}

static char *read_config(const char *path, GError **error)
{
    g_autoptr(GMappedFile) map = NULL;
    g_autoptr(GError) why = NULL;

    map = g_mapped_file_new(path, FALSE, &why);
    if (map == NULL) {
        set_error(error, "Could not open '%s': %s", path,
                  g_error_matches(why, G_FILE_ERROR, G_FILE_ERROR_NOENT)
                      ? "No such file or directory" : why->message);
        return NULL;
    }
    if (g_mapped_file_get_length(map) > CONFIG_MAX) {
        set_error(error, "'%s' is too large: at most 1 MiB is expected", path);
        return NULL;
    }
    return g_strndup(g_mapped_file_get_contents(map), g_mapped_file_get_length(map));
}

bool opt_readconfig(Options *options, const char *arg, GError **error)
{
    g_autofree char *text = read_config(arg, error);
    g_auto(GStrv) lines = NULL;
    ConfigGroup group = { .text = g_string_new(NULL) };
    bool ok = text != NULL;
    guint n = 0;

    lines = g_strsplit(ok ? text : "", "\n", -1);
    for (; ok && lines[n] != NULL; n++) {
        ok = config_line(options, &group, lines[n], error);
    }
    ok = ok && group_end(options, &group, error);
    if (!ok && text != NULL) {
        g_prefix_error(error, "%s:%u: ", arg, n);
    }
    g_string_free(group.text, TRUE);
    for (size_t i = 0; i < G_N_ELEMENTS(group.global); i++) {
        g_free(group.global[i]);
    }
    return ok;
}
