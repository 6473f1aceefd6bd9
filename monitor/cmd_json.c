/* json: what a command's QMP twin replies. */
#include <inttypes.h>
#include <string.h>

#include "command.h"
#include "json_text.h"
#include "parse.h"
#include "qmp_api.h"
#include "qmp_dispatch.h"

/* ---- arguments ---- */

static const QmpMember *find_member(const QmpCommand *qmp, const char *name, size_t len)
{
    const QmpMember *member = qmp->args != NULL ? qmp->args->members : NULL;

    for (; member != NULL && member->name != NULL; member++) {
        if (strlen(member->name) == len && strncmp(member->name, name, len) == 0) {
            return member;
        }
    }
    return NULL;
}

static json_object *value_from_text(const QmpMember *member, const char *text, GError **error)
{
    bool flag;
    int64_t number;
    uint64_t size;

    switch (member->type->kind) {
    case QMP_BOOL:
        flag = g_str_equal(text, "true") || g_str_equal(text, "on");
        return flag || g_str_equal(text, "false") || g_str_equal(text, "off")
                   ? json_object_new_boolean(flag) : json_object_new_string(text);
    case QMP_INT:
        return parse_int(text, INT64_MIN, INT64_MAX, &number, error)
                   ? json_object_new_int64(number) : NULL;
    case QMP_UINT:
        return parse_size(text, &size, error) ? json_object_new_uint64(size) : NULL;
    case QMP_NUMBER:
        return json_object_new_double(g_ascii_strtod(text, NULL));
    case QMP_ENUM:
    case QMP_STRING:
    case QMP_ANY:
    case QMP_ALTERNATE:
        return json_object_new_string(text);
    default:
        set_error(error, "write '%s' as JSON: {\"%s\": ...}", member->name, member->name);
        return NULL;
    }
}

static bool add_argument(json_object *arguments, const QmpMember *member, const char *text,
                         GError **error)
{
    json_object *value = value_from_text(member, text, error);

    if (value != NULL) {
        json_object_object_add(arguments, member->name, value);
    }
    return value != NULL;
}

/* One argument of a command of this monitor, as text. */
static char *value_text(const CmdArg *arg, const QmpMember *member, uint64_t number,
                        const char *text)
{
    if (arg->kind == ARG_FLAG || arg->kind == ARG_BOOL) {
        return g_strdup(number != 0 ? "true" : "false");
    }
    if (text != NULL) {
        return g_strdup(text);
    }
    return g_strdup_printf(member->type->kind == QMP_INT ? "%" PRId64 : "%" PRIu64, number);
}

static json_object *arguments_of_command(const Command *cmd, const QmpCommand *qmp,
                                         const CmdValues *values, GError **error)
{
    json_object *arguments = json_object_new_object();

    for (unsigned i = 0; i < values->count; i++) {
        const CmdArg *arg = values->row[i].arg;
        const QmpMember *member =
            arg->qmp != NULL ? find_member(qmp, arg->qmp, strlen(arg->qmp)) : NULL;
        g_autofree char *text = NULL;

        if (member == NULL) {
            set_error(error, "QMP's %s has nothing for '%s' of %s", qmp->name, arg->name,
                      cmd->name);
            error_add_hint(error, "Its own arguments can be given: json %s {\"name\": value, ...}",
                           qmp->name);
            json_object_put(arguments);
            return NULL;
        }
        text = value_text(arg, member, values->row[i].number, values->row[i].text);
        if (!add_argument(arguments, member, text, error)) {
            json_object_put(arguments);
            return NULL;
        }
    }
    return arguments;
}

/* {"name": value, ...} */
static json_object *arguments_of_json(const char *text, GError **error)
{
    struct json_tokener *tokener = json_tokener_new();
    json_object *object = json_tokener_parse_ex(tokener, text, strlen(text) + 1);
    const char *rest = text + json_tokener_get_parse_end(tokener);

    if (object == NULL || !json_object_is_type(object, json_type_object)) {
        set_error(error, "arguments in JSON: %s",
                  json_tokener_error_desc(json_tokener_get_error(tokener)));
        g_clear_pointer(&object, json_object_put);
    } else if (rest[strspn(rest, " \t")] != '\0') {
        set_error(error, "'%s' follows the arguments", rest);
        g_clear_pointer(&object, json_object_put);
    }
    json_tokener_free(tokener);
    return object;
}

static void suggest_member(const QmpCommand *qmp, const char *typed, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    const QmpMember *member = qmp->args != NULL ? qmp->args->members : NULL;

    for (; member != NULL && member->name != NULL; member++) {
        g_ptr_array_add(names, (gpointer)member->name);
    }
    error_suggest(error, nearest_name(typed, (const char *const *)names->pdata, names->len));
}

static bool add_word(json_object *arguments, const QmpCommand *qmp, char *word, GError **error)
{
    char *equals = strchr(word, '=');
    const QmpMember *member = NULL;

    if (equals == NULL) {
        set_error(error, "'%s' is no NAME=VALUE", word);
        return false;
    }
    member = find_member(qmp, word, equals - word);
    *equals = '\0';
    if (member == NULL) {
        set_error(error, "%s has no argument '%s'", qmp->name, word);
        suggest_member(qmp, word, error);
        return false;
    }
    return add_argument(arguments, member, equals + 1, error);
}

/* NAME=VALUE … */
static json_object *arguments_of_words(const QmpCommand *qmp, const char *text, GError **error)
{
    json_object *arguments = json_object_new_object();
    g_autoptr(GError) why = NULL;
    char *word;

    while (why == NULL && (word = parse_word(&text, &why)) != NULL) {
        add_word(arguments, qmp, word, &why);
        g_free(word);
    }
    if (why != NULL) {
        g_propagate_error(error, g_steal_pointer(&why));
        g_clear_pointer(&arguments, json_object_put);
    }
    return arguments;
}

/* ---- replies ---- */

/* A line of indented JSON: spaces, perhaps a name, and a value or a bracket. */
static void print_line(Monitor *mon, const char *line)
{
    size_t indent = strspn(line, " ");
    const char *colon = line[indent] == '"' ? strstr(line, "\": ") : NULL;
    const char *value = colon != NULL ? colon + 3 : line + indent;

    if (colon != NULL) {
        monitor_printf(mon, "%.*s", (int)indent, line);
        monitor_print_styled(mon, STYLE_KEY, "%.*s", (int)(colon + 1 - line - indent),
                             line + indent);
        monitor_printf(mon, ": ");
    } else {
        monitor_printf(mon, "%.*s", (int)indent, line);
    }
    if (*value == '"') {
        monitor_print_styled(mon, STYLE_VALUE, "%s\n", value);
    } else {
        monitor_printf(mon, "%s\n", value);
    }
}

static void print_json(Monitor *mon, json_object *value)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_auto(GStrv) lines = NULL;

    json_text_append(text, value, true);
    if (!mon->settings.color) {
        monitor_printf(mon, "%s\n", text->str);
        return;
    }
    lines = g_strsplit(text->str, "\n", -1);
    for (size_t i = 0; lines[i] != NULL; i++) {
        print_line(mon, lines[i]);
    }
}

/* Takes `arguments`. */
static bool run_qmp(Monitor *mon, const QmpCommand *qmp, json_object *arguments, GError **error)
{
    QmpSession session = { .vm = mon->vm, .commands = qmp_commands, .negotiated = true };
    json_object *request = json_object_new_object(), *reply, *value;
    bool ok;

    json_object_object_add(request, "execute", json_object_new_string(qmp->name));
    json_object_object_add(request, "arguments", arguments);
    reply = qmp_dispatch(&session, request);
    ok = json_object_object_get_ex(reply, "return", &value);
    if (ok) {
        print_json(mon, value);
    } else {
        value = json_object_object_get(json_object_object_get(reply, "error"), "desc");
        set_error(error, "%s", json_object_get_string(value));
    }
    json_object_put(reply);
    json_object_put(request);
    return ok;
}

/* ---- the command ---- */

static bool run_twin(Monitor *mon, const Command *cmd, const QmpCommand *qmp, const char *text,
                     GError **error)
{
    json_object *arguments = NULL;
    CmdValues values;

    if (cmd_parse(mon, cmd, text, &values, error)) {
        arguments = arguments_of_command(cmd, qmp, &values, error);
    }
    cmd_values_clear(&values);
    return arguments != NULL && run_qmp(mon, qmp, arguments, error);
}

static bool run_by_name(Monitor *mon, const QmpCommand *qmp, const char *text, GError **error)
{
    json_object *arguments;

    text += strspn(text, " \t");
    arguments = *text == '{' ? arguments_of_json(text, error)
                             : arguments_of_words(qmp, text, error);
    return arguments != NULL && run_qmp(mon, qmp, arguments, error);
}

static const char *const unavailable[] = { "human-monitor-command", "qmp_capabilities" };

static bool is_available(const QmpCommand *qmp)
{
    for (size_t i = 0; i < G_N_ELEMENTS(unavailable); i++) {
        if (g_str_equal(unavailable[i], qmp->name)) {
            return false;
        }
    }
    return true;
}

static void complete_qmp(Monitor *mon, const CompleteAt *at, GPtrArray *candidates)
{
    for (const QmpCommand *qmp = qmp_commands; at->n_words == 0 && qmp->name != NULL; qmp++) {
        if (is_available(qmp)) {
            g_ptr_array_add(candidates, g_strdup(qmp->name));
        }
    }
}

static const CmdArg json_args[] = {
    { .name = "cmd", .kind = ARG_LINE, .complete_at = complete_qmp,
      .help = "a command of this monitor, or QMP's with NAME=VALUE or a JSON object behind it" },
    {}
};

static bool cmd_json(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *line = cmd_text(args, "cmd"), *rest;
    g_autofree char *name = NULL;
    const Command *cmd = command_of_line(line, &rest, &name);
    const char *twin = cmd != NULL ? cmd->qmp : name;
    const QmpCommand *qmp = twin != NULL ? qmp_command_find(qmp_commands, twin) : NULL;

    if (qmp != NULL && !is_available(qmp)) {
        set_error(error, "%s makes no sense from inside a monitor", qmp->name);
        return false;
    }
    if (qmp != NULL && (cmd == NULL || (g_str_equal(name, twin) && strchr(rest, '{') != NULL))) {
        return run_by_name(mon, qmp, rest, error);
    }
    if (qmp != NULL) {
        return run_twin(mon, cmd, qmp, rest, error);
    }
    if (cmd != NULL) {
        set_error(error, "no QMP command does what %s does", name);
        return false;
    }
    monitor_run_line(mon, line);                    /* says what it thinks of the name */
    return true;
}

const Command monitor_json_commands[] = {
    { .name = "json", .args = json_args, .run = cmd_json, .example = "json info block",
      .help = "do it through QMP and show the reply as JSON" },
    {}
};
