/* help, info without a topic. */
#include <string.h>

#include "command.h"

static void help_all(const GPtrArray *list, const char *prefix, GString *out)
{
    for (guint i = 0; i < list->len; i++) {
        command_append_help(g_ptr_array_index(list, i), prefix, out);
    }
}

static void help_one(Monitor *mon, const GPtrArray *list, const char *prefix, const char *name)
{
    const Command *cmd = command_find(list, name);

    if (cmd == NULL) {
        monitor_printf(mon, "unknown command: '%s%s'\n", prefix, name);
        command_suggest(list, name, mon->out);
        return;
    }
    command_append_help(cmd, prefix, mon->out);
    for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
        if (arg->kind == ARG_FLAG) {
            monitor_printf(mon, "    -%-10c %s\n", arg->flag, arg->help);
        } else {
            monitor_printf(mon, "    %-11s %s\n", arg->name, arg->help);
        }
    }
}

static void help_log_items(Monitor *mon)
{
    monitor_printf(mon, "Log items (comma separated):\n%-15s %s\n", "none", "log nothing");
    for (const LogItemInfo *item = log_items; item->name != NULL; item++) {
        monitor_printf(mon, "%-15s %s\n", item->name, item->help);
    }
}

static void complete_commands(Monitor *mon, GPtrArray *candidates)
{
    const GPtrArray *list = monitor_commands();

    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(candidates, g_strdup(((const Command *)g_ptr_array_index(list, i))->name));
    }
}

static const CmdArg help_args[] = {
    { .name = "cmd", .kind = ARG_REST, .optional = true, .help = "a command, or info and a topic",
      .complete = complete_commands },
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
        help_all(monitor_commands(), "", mon->out);
    } else if (g_str_equal(first, "info") && second == NULL) {
        help_all(monitor_topics(), "info ", mon->out);
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
    help_all(monitor_topics(), "info ", mon->out);
    return true;
}

const Command monitor_help_commands[] = {
    { .name = "help", .alias = "?", .args = help_args, .run = cmd_help,
      .help = "list the commands, or explain one" },
    { .name = "info", .args = info_args, .run = cmd_info, .help = "show the state of something" },
    {}
};
