/* Descriptors that come over the monitor's socket. */
#include "command.h"
#include "passed_fd.h"

static const CmdArg name_args[] = {
    { .name = "name", .kind = ARG_WORD, .help = "what to call it", .qmp = "fdname" },
    {}
};

static bool cmd_getfd(Monitor *mon, const CmdValues *args, GError **error)
{
    int fd = mon->fe != NULL ? chardev_take_fd(mon->fe) : -1;

    if (fd < 0) {
        set_error(error, "No file descriptor supplied via SCM_RIGHTS");
        return false;
    }
    return passed_fd_name(mon, cmd_text(args, "name"), fd, error);
}

static bool cmd_closefd(Monitor *mon, const CmdValues *args, GError **error)
{
    return passed_fd_close(mon, cmd_text(args, "name"), error);
}

const Command monitor_fd_commands[] = {
    { .name = "getfd", .args = name_args, .run = cmd_getfd, .qmp = "getfd",
      .help = "keep the descriptor that came with this line under a name", .example = "getfd tap0" },
    { .name = "closefd", .args = name_args, .run = cmd_closefd, .qmp = "closefd",
      .help = "close a descriptor kept under a name", .example = "closefd tap0" },
    {}
};
