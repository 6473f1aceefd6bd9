/* help, info without a topic. */
#include <string.h>

#include "command.h"

static void help_all(Monitor *mon, const GPtrArray *list, const char *prefix)
{
    for (guint i = 0; i < list->len; i++) {
        command_print_help(mon, g_ptr_array_index(list, i), prefix);
    }
}

static void help_arg(Monitor *mon, const CmdArg *arg)
{
    g_autofree char *name =
        arg->kind == ARG_FLAG     ? g_strdup_printf("-%c", arg->flag)
        : arg->kind == ARG_OPTION ? g_strdup_printf("-%c %s", arg->flag, arg->name)
                                  : g_strdup(arg->name);

    monitor_printf(mon, "    %-11s %s\n", name, arg->help);
    if (arg->choices != NULL) {
        g_autofree char *words = g_strjoinv(", ", (char **)arg->choices);

        monitor_printf(mon, "    %-11s one of %s\n", "", words);
    }
}

static void help_one(Monitor *mon, const GPtrArray *list, const char *prefix, const char *name)
{
    const Command *cmd = command_find(list, name);

    if (cmd == NULL) {
        monitor_print_styled(mon, STYLE_ERROR, "unknown command: '%s%s'\n", prefix, name);
        command_suggest(mon, list, name);
        return;
    }
    command_print_help(mon, cmd, prefix);
    for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
        help_arg(mon, arg);
    }
    if (cmd->example != NULL) {
        monitor_printf(mon, "Example: %s\n", cmd->example);
    }
    if (cmd->qmp != NULL) {
        monitor_printf(mon, "QMP: %s\n", cmd->qmp);
    }
}

static void help_log_items(Monitor *mon)
{
    monitor_printf(mon, "Log items (comma separated):\n%-15s %s\n", "none", "log nothing");
    for (const LogItemInfo *item = log_items; item->name != NULL; item++) {
        monitor_printf(mon, "%-15s %s\n", item->name, item->help);
    }
}

static void add_names(const GPtrArray *list, GPtrArray *candidates)
{
    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(candidates, g_strdup(((const Command *)g_ptr_array_index(list, i))->name));
    }
}

static void complete_names(Monitor *mon, const CompleteAt *at, GPtrArray *candidates)
{
    if (at->n_words == 0) {
        add_names(monitor_commands(), candidates);
    } else if (at->n_words == 1 && g_str_equal(at->words[0], "info")) {
        add_names(monitor_topics(), candidates);
    }
}

static const CmdArg help_args[] = {
    { .name = "cmd", .kind = ARG_REST, .optional = true, .help = "a command, or info and a topic",
      .complete_at = complete_names },
    {}
};

static bool cmd_help(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *text = cmd_text(args, "cmd");
    g_auto(GStrv) words = g_strsplit_set(text != NULL ? text : "", " \t", -1);
    const char *first = words[0], *second = NULL;

    for (size_t i = 1; first != NULL && words[i] != NULL && second == NULL; i++) {
        second = words[i][0] != '\0' ? words[i] : NULL;
    }
    if (first == NULL) {
        help_all(mon, monitor_commands(), "");
    } else if (g_str_equal(first, "info") && second == NULL) {
        help_all(mon, monitor_topics(), "info ");
    } else if (g_str_equal(first, "info")) {
        help_one(mon, monitor_topics(), "info ", second);
    } else if (g_str_equal(first, "log")) {
        help_log_items(mon);
    } else {
        help_one(mon, monitor_commands(), "", first);
    }
    return true;
}

static const CmdArg info_args[] = {
    { .name = "subcommand", .kind = ARG_REST, .optional = true, .help = "a topic" },
    {}
};

/* With a topic the topic's own row is run instead. */
static bool cmd_info(Monitor *mon, const CmdValues *args, GError **error)
{
    help_all(mon, monitor_topics(), "info ");
    return true;
}

const Command monitor_help_commands[] = {
    { .name = "help", .alias = "?", .args = help_args, .run = cmd_help,
      .example = "help info block",
      .help = "list the commands, or explain one" },
    { .name = "info", .args = info_args, .run = cmd_info, .example = "info status",
      .help = "show the state of something" },
    {}
};
