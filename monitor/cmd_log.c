/* The debug log. */
#include <errno.h>
#include <string.h>

#include "command.h"

static void complete_items(Monitor *mon, GPtrArray *candidates)
{
    g_ptr_array_add(candidates, g_strdup("none"));
    for (const LogItemInfo *item = log_items; item->name != NULL; item++) {
        g_ptr_array_add(candidates, g_strdup(item->name));
    }
}

static const CmdArg log_args[] = {
    { .name = "items", .kind = ARG_WORD, .help = "what to log, separated by commas",
      .separators = ",", .complete = complete_items },
    {}
};

static bool cmd_log(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (!log_set_items(cmd_text(args, "items"), &why)) {
        monitor_run_line(mon, "help log");
        if (!g_str_equal(cmd_text(args, "items"), "help")) {
            monitor_printf(mon, "%s\n", why->message);
        }
    }
    return true;
}

static const CmdArg logfile_args[] = {
    { .name = "filename", .kind = ARG_FILE, .help = "where the log goes" },
    {}
};

static bool cmd_logfile(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GError) why = NULL;

    if (!log_set_file(cmd_text(args, "filename"), &why)) {
        monitor_fail(mon, "%s\n", why->message);
    }
    return true;
}

const Command monitor_log_commands[] = {
    { .name = "log", .args = log_args, .params = "item1[,...]", .run = cmd_log,
      .help = "choose what is logged", .example = "log guest_errors,unimp" },
    { .name = "logfile", .args = logfile_args, .run = cmd_logfile, .help = "log into a file",
      .example = "logfile /tmp/guest.log" },
    {}
};
