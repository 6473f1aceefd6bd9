/* The tree of objects and their properties. */
#include <string.h>

#include "candidates.h"
#include "json_text.h"
#include "qmp_api.h"

/* ---- candidates ---- */

static void complete_property(Monitor *mon, const CompleteAt *at, GPtrArray *candidates)
{
    g_autoptr(GPtrArray) list =
        at->n_words > 0 ? qmp_qom_list(mon->vm, at->words[at->n_words - 1], NULL) : NULL;

    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpObjectPropertyInfo *info = g_ptr_array_index(list, i);

        g_ptr_array_add(candidates, g_strdup(info->name));
    }
}

#define ARG_PATH(...) \
    { .name = "path", .kind = ARG_WORD, .help = "the object: /machine/peripheral/net0, or net0", \
      .separators = "/", .complete_at = candidates_path, .qmp = "path", __VA_ARGS__ }
#define ARG_PROPERTY \
    { .name = "property", .kind = ARG_WORD, .help = "the property", \
      .complete_at = complete_property, .qmp = "property" }

/* ---- qom-list ---- */

static const CmdArg list_args[] = { ARG_PATH(.optional = true), {} };

static bool cmd_qom_list(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *path = cmd_text(args, "path");
    g_autoptr(GPtrArray) list = NULL;

    if (path == NULL) {
        monitor_printf(mon, "/\n");
        return true;
    }
    list = qmp_qom_list(mon->vm, path, error);
    for (guint i = 0; list != NULL && i < list->len; i++) {
        const QmpObjectPropertyInfo *info = g_ptr_array_index(list, i);

        monitor_printf(mon, "%s (%s)\n", info->name, info->type);
    }
    return list != NULL;
}

/* ---- qom-get, qom-set ---- */

static const CmdArg get_args[] = { ARG_PATH(), ARG_PROPERTY, {} };

static bool cmd_qom_get(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GString) text = g_string_new(NULL);
    json_object *value;

    if (!qmp_qom_get(mon->vm, cmd_text(args, "path"), cmd_text(args, "property"), &value, error)) {
        return false;
    }
    json_text_append(text, value, true);
    json_object_put(value);
    monitor_printf(mon, "%s\n", text->str);
    return true;
}

static const CmdArg set_args[] = {
    { .name = "json", .kind = ARG_FLAG, .flag = 'j', .help = "the value is JSON" },
    ARG_PATH(), ARG_PROPERTY,
    { .name = "value", .kind = ARG_REST, .help = "its new value", .qmp = "value" },
    {}
};

static json_object *parse_value(const char *text, bool json, GError **error)
{
    enum json_tokener_error problem;
    json_object *value;

    if (!json) {
        return json_object_new_string(text);
    }
    value = json_tokener_parse_verbose(text, &problem);
    if (value == NULL) {
        set_error(error, "JSON parse error: %s", json_tokener_error_desc(problem));
    }
    return value;
}

static bool cmd_qom_set(Monitor *mon, const CmdValues *args, GError **error)
{
    json_object *value = parse_value(cmd_text(args, "value"), cmd_given(args, "json"), error);
    bool ok;

    if (value == NULL) {
        return false;
    }
    ok = qmp_qom_set(mon->vm, cmd_text(args, "path"), cmd_text(args, "property"), value, error);
    json_object_put(value);
    return ok;
}

const Command monitor_qom_commands[] = {
    { .name = "qom-list", .args = list_args, .run = cmd_qom_list, .qmp = "qom-list",
      .example = "qom-list /machine/peripheral", .help = "an object's properties and children" },
    { .name = "qom-get", .args = get_args, .run = cmd_qom_get, .qmp = "qom-get",
      .example = "qom-get /machine/peripheral/net0 mac", .help = "show a property" },
    { .name = "qom-set", .args = set_args, .run = cmd_qom_set, .qmp = "qom-set",
      .example = "qom-set /objects/rng0 opened off", .help = "change a property" },
    {}
};
