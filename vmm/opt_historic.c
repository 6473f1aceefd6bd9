/*
 * Spellings of long ago that people's scripts still hold: each is carried out in today's form, with
 * a line that names it.
 */
#include <stdio.h>
#include <string.h>

#include "option_row.h"
#include "rhea_error.h"
#include "vm.h"

void option_tell_today(const char *old, const char *now)
{
    report_warning("%s is an old spelling: write %s", old, now);
}

static bool opt_no_hpet(Options *options, const char *arg, GError **error)
{
    option_tell_today("-no-hpet", "-machine hpet=off");
    options->config.hpet = false;
    return true;
}

static bool opt_no_acpi(Options *options, const char *arg, GError **error)
{
    option_tell_today("-no-acpi", "-machine acpi=off");
    options->config.acpi = false;
    return true;
}

static bool opt_realtime(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);
    bool lock = options->config.mem_lock;
    g_autofree char *now = NULL;

    if (kv == NULL || !keyval_get_bool(kv, "mlock", &lock, error) ||
        !keyval_check_known(kv, error)) {
        return false;
    }
    now = g_strdup_printf("-overcommit mem-lock=%s", lock ? "on" : "off");
    option_tell_today("-realtime", now);
    options->config.mem_lock = lock;
    return true;
}

static bool opt_balloon(Options *options, const char *arg, GError **error)
{
    g_autofree char *device = NULL, *now = NULL;

    if (g_str_equal(arg, "none")) {
        option_tell_today("-balloon none", "nothing: there is no balloon without -device virtio-balloon");
        return true;
    }
    if (!g_str_equal(arg, "virtio") && !g_str_has_prefix(arg, "virtio,")) {
        set_error(error, "expected 'virtio' or 'none'");
        return false;
    }
    device = g_strdup_printf("virtio-balloon%s", arg + strlen("virtio"));
    now = g_strdup_printf("-device %s", device);
    option_tell_today("-balloon", now);
    options_later(options, OPTION_STAGE_DEVICE, "balloon", device, option_make_device);
    return true;
}

/* ---- displays ---- */

static bool opt_sdl(Options *options, const char *arg, GError **error)
{
    option_tell_today("-sdl", "-display sdl");
    return options_apply(options, "display", "sdl", error);
}

static bool opt_curses(Options *options, const char *arg, GError **error)
{
    option_tell_today("-curses", "-display curses");
    return options_apply(options, "display", "curses", error);
}

/* What was said beside -sdl is a part of it now. */
static bool fail_with_sdl(const char *part, GError **error)
{
    set_error(error, "write -display sdl,%s", part);
    return false;
}

static bool opt_alt_grab(Options *options, const char *arg, GError **error)
{
    return fail_with_sdl("grab-mod=lshift-lctrl-lalt", error);
}

static bool opt_ctrl_grab(Options *options, const char *arg, GError **error)
{
    return fail_with_sdl("grab-mod=rctrl", error);
}

static bool opt_no_quit(Options *options, const char *arg, GError **error)
{
    return fail_with_sdl("window-close=off", error);
}

const Option historic_options[] = {
    { "no-hpet", NULL, "-machine hpet=off", opt_no_hpet },
    { "no-acpi", NULL, "-machine acpi=off", opt_no_acpi },
    { "realtime", "mlock=on|off", "-overcommit mem-lock=on|off", opt_realtime },
    { "balloon", "virtio|none", "-device virtio-balloon", opt_balloon },
    { "curses", NULL, "-display curses", opt_curses },
    { "sdl", NULL, "-display sdl", opt_sdl },
    { "alt-grab", NULL, "refused: -display sdl,grab-mod=lshift-lctrl-lalt", opt_alt_grab },
    { "ctrl-grab", NULL, "refused: -display sdl,grab-mod=rctrl", opt_ctrl_grab },
    { "no-quit", NULL, "refused: -display sdl,window-close=off", opt_no_quit },
    {}
};
