/* Running, stopping and prodding the machine. */
#include "candidates.h"
#include "qmp_api.h"

static bool cmd_stop(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_stop(mon->vm, error);
}

static bool cmd_cont(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_cont(mon->vm, error);
}

static bool cmd_quit(Monitor *mon, const CmdValues *args, GError **error)
{
    mon->leaving = true;
    return qmp_quit(mon->vm, error);
}

static bool cmd_system_reset(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_system_reset(mon->vm, error);
}

static bool cmd_system_powerdown(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_system_powerdown(mon->vm, error);
}

static bool cmd_system_wakeup(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_system_wakeup(mon->vm, error);
}

static bool cmd_nmi(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_inject_nmi(mon->vm, error);
}

/* ---- cpu ---- */

static const CmdArg cpu_args[] = {
    { .name = "index", .kind = ARG_INT32, .help = "number of the CPU",
      .complete = candidates_cpus },
    {}
};

static bool cmd_cpu(Monitor *mon, const CmdValues *args, GError **error)
{
    uint64_t index = cmd_number(args, "index", 0);

    if (index >= mon->vm->cpus->len) {
        monitor_fail(mon, "invalid CPU index\n");
    } else {
        mon->cpu_index = index;
    }
    return true;
}

/* ---- boot_set, sendkey ---- */

static const CmdArg boot_args[] = {
    { .name = "bootdevice", .kind = ARG_WORD,
      .help = "drives in order: a floppy, c disk, d CD, n net" },
    {}
};

/* Drive letters are a to p, each once. */
static bool order_ok(Monitor *mon, const char *order)
{
    uint32_t seen = 0;

    for (const char *c = order; *c != '\0'; c++) {
        if (*c < 'a' || *c > 'p') {
            monitor_fail(mon, "Invalid boot device '%c'\n", *c);
            return false;
        }
        if (seen & 1u << (*c - 'a')) {
            monitor_fail(mon, "Boot device '%c' was given twice\n", *c);
            return false;
        }
        seen |= 1u << (*c - 'a');
    }
    return true;
}

static bool cmd_boot_set(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *order = cmd_text(args, "bootdevice");
    g_autoptr(GError) why = NULL;

    if (!order_ok(mon, order)) {
        return true;
    }
    if (vm_cmd_boot_set(mon->vm, order, &why)) {
        monitor_printf(mon, "boot device list now set to %s\n", order);
    } else {
        monitor_fail(mon, "%s\n", why->message);
    }
    return true;
}

/* ---- watchdog_action ---- */

static const CmdArg watchdog_args[] = {
    { .name = "action", .kind = ARG_WORD, .help = "what follows when the watchdog runs out",
      .choices = qmp_watchdog_action_names, .qmp = "action" },
    {}
};

static bool cmd_watchdog_action(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *action = cmd_text(args, "action");
    int index = qmp_enum_index(qmp_watchdog_action_names, action);

    if (index < 0) {
        set_error(error, "invalid parameter value: %s", action);
        return false;
    }
    return qmp_watchdog_set_action(mon->vm, index, error);
}

const Command monitor_machine_commands[] = {
    { .name = "stop", .alias = "s", .run = cmd_stop, .help = "pause the machine",
      .example = "stop", .qmp = "stop" },
    { .name = "cont", .alias = "c", .run = cmd_cont, .help = "let the machine go on",
      .example = "cont", .qmp = "cont" },
    { .name = "quit", .alias = "q", .run = cmd_quit, .help = "end the machine and the program",
      .example = "quit", .qmp = "quit" },
    { .name = "system_reset", .run = cmd_system_reset, .help = "press the reset button",
      .example = "system_reset", .qmp = "system_reset" },
    { .name = "system_powerdown", .run = cmd_system_powerdown, .help = "press the power button",
      .example = "system_powerdown", .qmp = "system_powerdown" },
    { .name = "system_wakeup", .run = cmd_system_wakeup, .help = "wake a suspended guest",
      .example = "system_wakeup", .qmp = "system_wakeup" },
    { .name = "nmi", .run = cmd_nmi, .help = "send a non-maskable interrupt to every CPU",
      .example = "nmi", .qmp = "inject-nmi" },
    { .name = "cpu", .args = cpu_args, .run = cmd_cpu, .example = "cpu 1",
      .help = "choose the CPU other commands look at" },
    { .name = "boot_set", .args = boot_args, .run = cmd_boot_set, .example = "boot_set dc",
      .help = "change the order of boot devices" },
    { .name = "watchdog_action", .args = watchdog_args, .run = cmd_watchdog_action,
      .params = "[reset|shutdown|poweroff|pause|debug|none]", .example = "watchdog_action pause",
      .help = "choose what a watchdog that ran out does", .qmp = "watchdog-set-action" },
    {}
};
