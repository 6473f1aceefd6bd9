/* Options about running: how it starts and ends, logs, help. */
#include <stdio.h>

#include "gdbstub.h"
#include "option_row.h"
#include "vm.h"
#include "vm_log.h"
#include "watchdog.h"

typedef struct ActionArgs { char *reboot, *shutdown, *panic, *watchdog; } ActionArgs;
static const char *const reboot_actions[] = { "reset", "shutdown", NULL };
static const char *const shutdown_actions[] = { "poweroff", "pause", NULL };
static const char *const panic_actions[] = { "pause", "shutdown", "exit-failure", "none", NULL };

static const KeyField action_fields[] = {
    { "reboot", KEY_CHOICE, offsetof(ActionArgs, reboot), reboot_actions },
    { "shutdown", KEY_CHOICE, offsetof(ActionArgs, shutdown), shutdown_actions },
    { "panic", KEY_CHOICE, offsetof(ActionArgs, panic), panic_actions },
    { "watchdog", KEY_CHOICE, offsetof(ActionArgs, watchdog), watchdog_actions },
    {}
};

static bool list_log_items(Options *options)
{
    printf("Log items (comma separated):\n");
    for (const LogItemInfo *item = log_items; item->name != NULL; item++) {
        printf("%-15s %s\n", item->name, item->help);
    }
    options->done = true;
    return true;
}

STRING_OPTION(opt_pidfile, pidfile)
STRING_OPTION(opt_D, log_file)
SWITCH_OPTION(opt_S, config.start_stopped, true)
SWITCH_OPTION(opt_no_reboot, config.no_reboot, true)
SWITCH_OPTION(opt_no_shutdown, config.no_shutdown, true)
SWITCH_OPTION(opt_daemonize, daemonize, true)

static bool opt_action(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);
    ActionArgs args = { 0 };
    bool ok = kv != NULL && keyval_fill(kv, action_fields, &args, error);

    if (args.reboot != NULL) {
        options->config.no_reboot = g_str_equal(args.reboot, "shutdown");
    }
    if (args.shutdown != NULL) {
        options->config.no_shutdown = g_str_equal(args.shutdown, "pause");
    }
    if (args.panic != NULL) {
        option_replace(&options->config.panic_action, args.panic);
    }
    if (args.watchdog != NULL) {
        option_replace(&options->config.watchdog_action, args.watchdog);
    }
    g_free(args.reboot);
    g_free(args.shutdown);
    g_free(args.panic);
    g_free(args.watchdog);
    return ok;
}

typedef struct MsgArgs { bool timestamp; } MsgArgs;

static const KeyField msg_fields[] = {
    { "timestamp", KEY_BOOL, offsetof(MsgArgs, timestamp), .help = "when it was said" },
    {}
};

static bool opt_msg(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);
    MsgArgs args = { 0 };
    bool ok = kv != NULL && keyval_fill(kv, msg_fields, &args, error);

    report_set_timestamps(args.timestamp);
    return ok;
}

/* -watchdog-action X is -action watchdog=X. */
static bool opt_watchdog_action(Options *options, const char *arg, GError **error)
{
    g_autofree char *action = g_strdup_printf("watchdog=%s", arg);

    return opt_action(options, action, error);
}

static bool opt_d(Options *options, const char *arg, GError **error)
{
    if (option_wants_help(arg)) {
        return list_log_items(options);
    }
    option_replace(&options->log_items, arg);
    return true;
}

static bool opt_help(Options *options, const char *arg, GError **error)
{
    g_autofree char *text = options_help();

    fputs(text, stdout);
    options->done = true;
    return true;
}

static bool opt_version(Options *options, const char *arg, GError **error)
{
    printf("QEMU emulator version %d.%d.%d (rhea " RHEA_VERSION ")\n", QEMU_VERSION_MAJOR,
           QEMU_VERSION_MINOR, QEMU_VERSION_MICRO);
    options->done = true;
    return true;
}

STAGED_OPTION(opt_gdb, OPTION_STAGE_DEBUG, "gdb", gdbstub_start)

static bool opt_s(Options *options, const char *arg, GError **error)
{
    return opt_gdb(options, GDBSTUB_DEFAULT, error);
}

const Option run_options[] = {
    { "S", NULL, "do not start the CPUs ('c' in the monitor does)", opt_S },
    { "gdb", "DEV", "wait for gdb on this character device ('tcp::1234', 'unix:FILE,server=on')",
      opt_gdb },
    { "s", NULL, "the same as -gdb " GDBSTUB_DEFAULT, opt_s },
    { "no-reboot", NULL, "leave instead of rebooting", opt_no_reboot },
    { "no-shutdown", NULL, "stop instead of leaving when the guest powers off", opt_no_shutdown },
    { "action",
      "[reboot=reset|shutdown][,shutdown=poweroff|pause][,panic=pause|shutdown|exit-failure|none]"
      "[,watchdog=reset|shutdown|poweroff|inject-nmi|pause|debug|none]",
      "what to do when the guest does that", opt_action, "action", action_fields },
    { "watchdog-action", "reset|shutdown|poweroff|inject-nmi|pause|debug|none",
      "what to do when the guest's watchdog runs out", opt_watchdog_action },
    { "msg", "timestamp=on|off", "how messages on standard error begin", opt_msg, "msg",
      msg_fields },
    { "pidfile", "FILE", "write the process id here", opt_pidfile },
    { "daemonize", NULL, "go to the background once the machine stands", opt_daemonize },
    { "d", "ITEM[,ITEM]…", "log these ('help' lists them)", opt_d },
    { "D", "FILE", "log here instead of standard error", opt_D },
    { "version", NULL, "print the version", opt_version },
    { "help", NULL, "print this", opt_help },
    { "h", NULL, "the same", opt_help },
    {}
};
