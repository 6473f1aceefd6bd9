/* The memory balloon. */
#include <inttypes.h>

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

static bool info_balloon(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpBalloonInfo) info = qmp_query_balloon(mon->vm, error);

    if (info != NULL) {
        monitor_printf(mon, "balloon: actual=%" PRId64 "\n", info->actual >> 20);
    }
    return info != NULL;
}

const Command info_virtio_topics[] = {
    { .name = "balloon", .run = info_balloon, .help = "memory the balloon leaves the guest",
      .example = "info balloon", .qmp = "query-balloon" },
    {}
};
