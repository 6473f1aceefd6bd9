/* Conversations: from a line to the command that carries it out, and the list of all commands. */
#include "monitor.h"

#include <stdarg.h>
#include <string.h>

#include "command.h"
#include "parse.h"
#include "suggest.h"

static const Command *const command_tables[] = {
    monitor_help_commands, monitor_machine_commands, monitor_memory_commands, monitor_log_commands,
    monitor_chardev_commands,
    monitor_console_commands,
    monitor_device_commands,
    monitor_json_commands,
    monitor_qom_commands,
    monitor_input_commands,
    monitor_ui_commands,
    monitor_vnc_commands,
    monitor_block_commands,
    monitor_net_commands,
    monitor_symbol_commands,
    monitor_virtio_commands,
    monitor_dump_commands, monitor_fd_commands,
    monitor_gdb_commands,
    monitor_debug_commands,
};

static const Command *const topic_tables[] = {
    info_machine_topics, info_cpu_topics, info_device_topics,
    info_block_topics,
    info_net_topics,
    info_debug_topics,
    info_symbol_topics,
    info_virtio_topics,
    info_dump_topics,
    info_input_topics,
    info_vnc_topics,
};

/* ---- the list of all ---- */

static gint compare_names(gconstpointer a, gconstpointer b)
{
    return strcmp((*(const Command *const *)a)->name, (*(const Command *const *)b)->name);
}

static GPtrArray *join(const Command *const *tables, size_t n)
{
    GPtrArray *list = g_ptr_array_new();

    for (size_t i = 0; i < n; i++) {
        for (const Command *cmd = tables[i]; cmd->name != NULL; cmd++) {
            g_ptr_array_add(list, (gpointer)cmd);
        }
    }
    g_ptr_array_sort(list, compare_names);
    return list;
}

const GPtrArray *monitor_commands(void)
{
    static GPtrArray *list;

    if (list == NULL) {
        list = join(command_tables, G_N_ELEMENTS(command_tables));
    }
    return list;
}

const GPtrArray *monitor_topics(void)
{
    static GPtrArray *list;

    if (list == NULL) {
        list = join(topic_tables, G_N_ELEMENTS(topic_tables));
    }
    return list;
}

const Command *command_find(const GPtrArray *list, const char *name)
{
    for (guint i = 0; i < list->len; i++) {
        const Command *cmd = g_ptr_array_index(list, i);

        if (g_str_equal(cmd->name, name) || g_strcmp0(cmd->alias, name) == 0) {
            return cmd;
        }
    }
    return NULL;
}

char *command_full_name(const Command *cmd)
{
    return g_strjoin("|", cmd->name, cmd->alias, NULL);
}

static void append_arg_syntax(const CmdArg *arg, GString *out)
{
    const char *space = out->len > 0 ? " " : "";

    switch (arg->kind) {
    case ARG_FLAG:
        g_string_append_printf(out, "%s[-%c]", space, arg->flag);
        break;
    case ARG_OPTION:
        g_string_append_printf(out, "%s[-%c %s]", space, arg->flag, arg->name);
        break;
    case ARG_FORMAT:
        g_string_append_printf(out, "%s/fmt", space);
        break;
    case ARG_DOT_INT32:
        g_string_append_printf(out, "[.%s]", arg->name);
        break;
    default:
        g_string_append_printf(out, arg->optional ? "%s[%s]" : "%s%s", space, arg->name);
        break;
    }
}

char *command_syntax(const Command *cmd)
{
    GString *text = g_string_new(cmd->params);

    for (const CmdArg *arg = cmd->args; !cmd->params && arg && arg->name; arg++) {
        append_arg_syntax(arg, text);
    }
    return g_string_free(text, FALSE);
}

void command_print_help(Monitor *mon, const Command *cmd, const char *prefix)
{
    g_autofree char *name = command_full_name(cmd), *syntax = command_syntax(cmd);

    monitor_print_styled(mon, STYLE_STRONG, "%s%s", prefix, name);
    monitor_printf(mon, " %s -- %s\n", syntax, cmd->help);
}

void command_suggest(Monitor *mon, const GPtrArray *list, const char *typed)
{
    g_autofree const char **names = g_new(const char *, list->len);
    const char *near;

    for (guint i = 0; i < list->len; i++) {
        names[i] = ((const Command *)g_ptr_array_index(list, i))->name;
    }
    near = strlen(typed) > 2 ? nearest_name(typed, names, list->len) : NULL;
    if (near != NULL) {
        monitor_print_styled(mon, STYLE_HINT, "Did you mean '%s%s'?\n",
                             list == monitor_topics() ? "info " : "", near);
    }
}

/* ---- conversations ---- */

void monitor_init(Monitor *mon, Vm *vm)
{
    *mon = (Monitor){ .vm = vm, .format = 'x', .format_size = 4, .out = g_string_new(NULL) };
}

void monitor_finish(Monitor *mon)
{
    g_clear_pointer(&mon->watch, g_free);
    g_string_free(mon->out, TRUE);
    mon->out = NULL;
}

static void print_va(Monitor *mon, const char *format, va_list args)
{
    if (mon->full) {
        return;
    }
    g_string_append_vprintf(mon->out, format, args);
    if (mon->out->len > MONITOR_OUT_LIMIT) {
        mon->full = true;
        g_string_append_printf(mon->out, "\n[cut after %u MiB]\n", MONITOR_OUT_LIMIT >> 20);
    }
}

void monitor_printf(Monitor *mon, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_va(mon, format, args);
    va_end(args);
}

void monitor_fail(Monitor *mon, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_va(mon, format, args);
    va_end(args);
    mon->failed = true;
}

/* ECMA-48, SGR: 1 bold, 31 red, 32 green, 33 yellow, 36 cyan. */
static const unsigned style_codes[] = {
    [STYLE_STRONG] = 1, [STYLE_KEY] = 36, [STYLE_VALUE] = 32, [STYLE_ERROR] = 31, [STYLE_HINT] = 33,
};

void monitor_print_styled(Monitor *mon, MonitorStyle style, const char *format, ...)
{
    g_autofree char *text = NULL;
    size_t len;
    va_list args;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    len = strlen(text);
    len -= len > 0 && text[len - 1] == '\n';
    if (mon->settings.color && len > 0) {
        monitor_printf(mon, "\033[%um%.*s\033[0m%s", style_codes[style], (int)len, text,
                       text + len);
    } else {
        monitor_printf(mon, "%s", text);
    }
}

X86Cpu *monitor_cpu(Monitor *mon)
{
    return vm_cpu(mon->vm, mon->cpu_index);
}

/* The command's name ends at a space or where a format begins: "x/8i". */
static char *read_name(const char **text)
{
    const char *start;

    while (g_ascii_isspace(**text)) {
        ++*text;
    }
    start = *text;
    while (**text != '\0' && **text != '/' && !g_ascii_isspace(**text)) {
        ++*text;
    }
    return g_strndup(start, *text - start);
}

static void print_error(Monitor *mon, const char *prefix, const char *message)
{
    size_t first = strcspn(message, "\n");

    monitor_print_styled(mon, STYLE_ERROR, "%s%.*s\n", prefix, (int)first, message);
    if (message[first] != '\0') {
        monitor_print_styled(mon, STYLE_HINT, "%s\n", message + first + 1);
    }
}

static void run_command(Monitor *mon, const Command *cmd, const char *typed, const char *text)
{
    g_autoptr(GError) error = NULL;
    size_t before = mon->out->len;
    CmdValues values;

    mon->failed = false;
    if (!cmd_parse(mon, cmd, text, &values, &error)) {
        print_error(mon, "", error->message);
        monitor_print_styled(mon, STYLE_HINT, "Try \"help %s\" for more information\n", typed);
    } else {
        if (!cmd->run(mon, &values, &error)) {
            print_error(mon, "Error: ", error->message);
            mon->failed = true;
        }
        before = MIN(before, mon->out->len);
        if (mon->failed && strstr(mon->out->str + before, "Did you mean") == NULL) {
            suggest_value(mon, &values);
        }
    }
    cmd_values_clear(&values);
}

static void unknown(Monitor *mon, const GPtrArray *list, const char *prefix, const char *name)
{
    monitor_print_styled(mon, STYLE_ERROR, "unknown command: '%s%s'\n", prefix, name);
    command_suggest(mon, list, name);
}

const Command *command_of_line(const char *line, const char **rest, char **name)
{
    g_autofree char *first = read_name(&line), *topic = NULL;
    const Command *cmd = command_find(monitor_commands(), first);

    *rest = line;
    if (cmd != NULL && g_str_equal(cmd->name, "info")) {
        topic = read_name(&line);
        if (*topic != '\0') {
            *rest = line;
            *name = g_strconcat("info ", topic, NULL);
            return command_find(monitor_topics(), topic);
        }
    }
    *name = g_steal_pointer(&first);
    return cmd;
}

void monitor_run_line(Monitor *mon, const char *line)
{
    g_autofree char *name = NULL;
    const char *rest;
    const Command *cmd = command_of_line(line, &rest, &name);

    mon->full = false;
    if (cmd != NULL) {
        run_command(mon, cmd, name, rest);
    } else if (g_str_has_prefix(name, "info ")) {
        unknown(mon, monitor_topics(), "info ", name + strlen("info "));
    } else if (*name != '\0' || *rest != '\0') {
        unknown(mon, monitor_commands(), "", *name != '\0' ? name : "/");
    }
}

bool monitor_ask(Monitor *mon, const char *question,
                 bool (*answer)(Monitor *mon, const char *text, GError **error))
{
    if (mon->interactive) {
        mon->question = question;
        mon->answer = answer;
    }
    return mon->interactive;
}

void monitor_run_answer(Monitor *mon, const char *text)
{
    bool (*answer)(Monitor *mon, const char *text, GError **error) = mon->answer;
    g_autoptr(GError) error = NULL;

    mon->question = NULL;
    mon->answer = NULL;
    if (text != NULL && !answer(mon, text, &error)) {
        print_error(mon, "Error: ", error->message);
    }
}

GString *monitor_take_text(Monitor *mon, const char *line_end)
{
    GString *out = mon->out, *text = g_string_sized_new(out->len + 1);
    const char *p = out->str, *end;

    while ((end = memchr(p, '\n', out->str + out->len - p)) != NULL) {
        g_string_append_len(text, p, end - p);
        g_string_append(text, line_end);
        p = end + 1;
    }
    g_string_append_len(text, p, out->str + out->len - p);
    g_string_free(out, TRUE);
    mon->out = g_string_new(NULL);
    return text;
}

/* Formats stay from call to call, as on an interactive monitor; the CPU does not. */
char *hmp_run(Vm *vm, const char *line, int cpu_index)
{
    static Monitor mon;

    if (mon.out == NULL) {
        monitor_init(&mon, vm);
    }
    mon.vm = vm;
    mon.cpu_index = cpu_index >= 0 ? cpu_index : 0;
    monitor_run_line(&mon, line);
    return g_string_free(monitor_take_text(&mon, "\r\n"), FALSE);
}
