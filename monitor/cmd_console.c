/* What a monitor does for whoever sits at it: watching a command, pages, colors. */
#include "command.h"
#include "complete.h"

/* ---- watch ---- */

#define WATCH_DEFAULT_S     2
#define WATCH_MIN_MS        100
#define WATCH_MAX_S         86400

static const CmdArg watch_args[] = {
    { .name = "s", .kind = ARG_OPTION, .flag = 'n', .help = "seconds between two pictures (2)" },
    { .name = "cmd", .kind = ARG_LINE, .help = "the command to repeat" },
    {}
};

static bool parse_period(const char *text, unsigned *ms, GError **error)
{
    double seconds = WATCH_DEFAULT_S;
    char *end;

    if (text != NULL) {
        seconds = g_ascii_strtod(text, &end);
        if (end == text || *end != '\0' || !(seconds * 1000 >= WATCH_MIN_MS) ||
            seconds > WATCH_MAX_S) {
            set_error(error, "'%s' is no time between %g and %d seconds", text,
                      WATCH_MIN_MS / 1000.0, WATCH_MAX_S);
            return false;
        }
    }
    *ms = seconds * 1000;
    return true;
}

static bool can_watch(const Monitor *mon, GError **error)
{
    if (!mon->interactive) {
        set_error(error, "there is nobody to watch: this is not an interactive monitor");
    } else if (!mon->settings.terminal) {
        set_error(error, "watch needs a terminal");
        error_add_hint(error, "If this monitor is one, tell it: set terminal on");
    } else {
        return true;
    }
    return false;
}

static bool cmd_watch(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *line = cmd_text(args, "cmd"), *rest;
    g_autofree char *name = NULL;
    const Command *cmd = command_of_line(line, &rest, &name);
    unsigned ms;

    if (!can_watch(mon, error) || !parse_period(cmd_text(args, "s"), &ms, error)) {
        return false;
    }
    if (cmd == NULL) {
        monitor_run_line(mon, line);                /* says what it thinks of the name */
        return true;
    }
    if (cmd->run == cmd_watch) {
        set_error(error, "watching watch shows nothing");
        return false;
    }
    mon->watch = g_strdup(line);
    mon->watch_ms = ms;
    return true;
}

/* ---- set ---- */

static bool *field_of(Monitor *mon, unsigned i)
{
    bool *const fields[] = {
        &mon->settings.terminal, &mon->settings.pager, &mon->settings.color,
    };

    return fields[i];
}

static const char *const setting_names[] = { "terminal", "pager", "color", NULL };

static const CmdArg set_args[] = {
    { .name = "setting", .kind = ARG_WORD, .optional = true, .choices = setting_names,
      .help = "what to change; without it all are shown" },
    { .name = "value", .kind = ARG_BOOL, .optional = true,
      .help = "without it the value is shown" },
    {}
};

static int setting_index(const char *name)
{
    for (int i = 0; setting_names[i] != NULL; i++) {
        if (g_str_equal(setting_names[i], name)) {
            return i;
        }
    }
    return -1;
}

static void show_setting(Monitor *mon, unsigned i)
{
    monitor_printf(mon, "%s: %s\n", setting_names[i], *field_of(mon, i) ? "on" : "off");
}

static bool change_setting(Monitor *mon, bool *field, bool on, GError **error)
{
    const char *no_color = g_getenv("NO_COLOR");

    if (!mon->interactive) {
        set_error(error, "only an interactive monitor can be set");
        return false;
    }
    if (on && field != &mon->settings.terminal && !mon->settings.terminal) {
        set_error(error, "that needs a terminal");
        error_add_hint(error, "If this monitor is one, tell it: set terminal on");
        return false;
    }
    if (on && field == &mon->settings.color && no_color != NULL && *no_color != '\0') {
        set_error(error, "the environment variable NO_COLOR forbids colors");
        return false;
    }
    *field = on;
    if (!mon->settings.terminal) {
        mon->settings = (MonitorSettings){ .terminal = false };
    }
    return true;
}

static bool cmd_set(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *name = cmd_text(args, "setting");
    int index = name != NULL ? setting_index(name) : 0;

    if (index < 0) {
        set_error(error, "there is no setting '%s'", name);
        return false;
    }
    if (cmd_given(args, "value")) {
        return change_setting(mon, field_of(mon, index), cmd_number(args, "value", 0), error);
    }
    for (int i = 0; setting_names[i] != NULL; i++) {
        if (name == NULL || i == index) {
            show_setting(mon, i);
        }
    }
    return true;
}

const Command monitor_console_commands[] = {
    { .name = "watch", .args = watch_args, .run = cmd_watch,
      .example = "watch -n 0.5 info registers",
      .help = "repeat a command until a key is pressed, changes marked" },
    { .name = "set", .args = set_args, .run = cmd_set, .params = "[setting [on|off]]",
      .example = "set pager off", .help = "change how this monitor shows things" },
    {}
};
