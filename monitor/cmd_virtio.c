/* The memory balloon. */
#include <inttypes.h>

#include "command.h"
#include "qmp_api.h"

static const CmdArg balloon_args[] = {
    { .name = "value", .kind = ARG_SIZE, .unit = MIB, .help = "memory the guest is to have" },
    {}
};

static bool cmd_balloon(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_balloon(mon->vm, cmd_number(args, "value", 0), error);
}

const Command monitor_virtio_commands[] = {
    { .name = "balloon", .args = balloon_args, .params = "target", .run = cmd_balloon,
      .help = "ask the guest to get along with so much memory (in MiB)" },
    {}
};

static bool info_balloon(Monitor *mon, const CmdValues *args, GError **error)
{
    uint64_t bytes;

    if (!vm_balloon_actual(mon->vm, &bytes, error)) {
        return false;
    }
    monitor_printf(mon, "balloon: actual=%" PRIu64 "\n", bytes >> 20);
    return true;
}

const Command info_virtio_topics[] = {
    { .name = "balloon", .run = info_balloon, .help = "memory the balloon leaves the guest" },
    {}
};
