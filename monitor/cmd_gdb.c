/* gdb's door. */
#include "command.h"
#include "gdbstub.h"

static const char *const device_choices[] = { "none", GDBSTUB_DEFAULT, NULL };

static const CmdArg gdbserver_args[] = {
    { .name = "device", .kind = ARG_WORD, .optional = true, .choices = device_choices,
      .help = "where to wait for gdb, as -gdb takes it; none: nowhere" },
    {}
};

static bool cmd_gdbserver(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *device = cmd_text(args, "device");

    device = device != NULL ? device : GDBSTUB_DEFAULT;
    if (!gdbstub_start(mon->vm, device, error)) {
        return false;
    }
    if (g_str_equal(device, "none")) {
        monitor_printf(mon, "Disabled gdbserver\n");
    } else {
        monitor_printf(mon, "Waiting for gdb connection on device '%s'\n", device);
    }
    return true;
}

const Command monitor_gdb_commands[] = {
    { .name = "gdbserver", .args = gdbserver_args, .run = cmd_gdbserver,
      .example = "gdbserver tcp::1234", .help = "wait for gdb on a character device" },
    {}
};
