/* Conversations: from a line to the command that carries it out, and the list of all commands. */
#include "monitor.h"

#include <stdarg.h>
#include <string.h>

#include "command.h"
#include "parse.h"

static const Command *const command_tables[] = {
    monitor_help_commands, monitor_machine_commands, monitor_memory_commands, monitor_log_commands,
    monitor_chardev_commands,
    monitor_device_commands,
    monitor_input_commands,
    monitor_block_commands,
    monitor_net_commands,
    monitor_virtio_commands,
};

static const Command *const topic_tables[] = {
    info_machine_topics, info_cpu_topics, info_device_topics,
    info_block_topics,
    info_net_topics,
    info_virtio_topics,
    info_input_topics,
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

void command_append_help(const Command *cmd, const char *prefix, GString *out)
{
    g_autofree char *name = command_full_name(cmd), *syntax = command_syntax(cmd);

    g_string_append_printf(out, "%s%s %s -- %s\n", prefix, name, syntax, cmd->help);
}

void command_suggest(const GPtrArray *list, const char *typed, GString *out)
{
    g_autofree const char **names = g_new(const char *, list->len);
    const char *near;

    for (guint i = 0; i < list->len; i++) {
        names[i] = ((const Command *)g_ptr_array_index(list, i))->name;
    }
    near = strlen(typed) > 2 ? nearest_name(typed, names, list->len) : NULL;
    if (near != NULL) {
        g_string_append_printf(out, "Did you mean '%s%s'?\n",
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
    g_string_free(mon->out, TRUE);
    mon->out = NULL;
}

void monitor_printf(Monitor *mon, const char *format, ...)
{
    va_list args;

    if (mon->full) {
        return;
    }
    va_start(args, format);
    g_string_append_vprintf(mon->out, format, args);
    va_end(args);
    if (mon->out->len > MONITOR_OUT_LIMIT) {
        mon->full = true;
        g_string_append_printf(mon->out, "\n[cut after %u MiB]\n", MONITOR_OUT_LIMIT >> 20);
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

static void run_command(Monitor *mon, const Command *cmd, const char *typed, const char *text)
{
    g_autoptr(GError) error = NULL;
    CmdValues values;

    if (!cmd_parse(mon, cmd, text, &values, &error)) {
        monitor_printf(mon, "%s\nTry \"help %s\" for more information\n", error->message, typed);
    } else if (!cmd->run(mon, &values, &error)) {
        monitor_printf(mon, "Error: %s\n", error->message);
    }
    cmd_values_clear(&values);
}

static void unknown(Monitor *mon, const GPtrArray *list, const char *prefix, const char *name)
{
    monitor_printf(mon, "unknown command: '%s%s'\n", prefix, name);
    command_suggest(list, name, mon->out);
}

static void run_info(Monitor *mon, const Command *info, const char *text)
{
    const char *rest = text;
    g_autofree char *topic = read_name(&rest), *typed = NULL;
    const Command *cmd;

    if (*topic == '\0') {
        run_command(mon, info, "info", text);
        return;
    }
    cmd = command_find(monitor_topics(), topic);
    if (cmd == NULL) {
        unknown(mon, monitor_topics(), "info ", topic);
        return;
    }
    typed = g_strconcat("info ", topic, NULL);
    run_command(mon, cmd, typed, rest);
}

void monitor_run_line(Monitor *mon, const char *line)
{
    g_autofree char *name = read_name(&line);
    const Command *cmd;

    mon->full = false;
    if (*name == '\0') {
        if (*line != '\0') {
            unknown(mon, monitor_commands(), "", "/");
        }
        return;
    }
    cmd = command_find(monitor_commands(), name);
    if (cmd == NULL) {
        unknown(mon, monitor_commands(), "", name);
    } else if (g_str_equal(name, "info")) {
        run_info(mon, cmd, line);
    } else {
        run_command(mon, cmd, name, line);
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
