/* The memory balloon. */
#include "command.h"
#include "qmp_api.h"

static const CmdArg balloon_args[] = {
    { .name = "value", .kind = ARG_MIB, .help = "memory the guest is to have",
      .qmp = "value" },
    {}
};

static bool cmd_balloon(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_balloon(mon->vm, cmd_number(args, "value", 0), error);
}

const Command monitor_virtio_commands[] = {
    { .name = "balloon", .args = balloon_args, .params = "target", .run = cmd_balloon,
      .help = "ask the guest to get along with so much memory (in MiB)",
      .example = "balloon 1024", .qmp = "balloon" },
    {}
};
