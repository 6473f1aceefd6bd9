/* info topics about the network. */
#include "command.h"
#include "net.h"

static bool info_network(Monitor *mon, const CmdValues *args, GError **error)
{
    net_print(mon->out);
    return true;
}

static bool info_usernet(Monitor *mon, const CmdValues *args, GError **error)
{
    net_print_user(mon->out);
    return true;
}

const Command info_net_topics[] = {
    { .name = "network", .run = info_network, .help = "NICs, network back ends and hubs",
      .example = "info network" },
    { .name = "usernet", .run = info_usernet, .help = "connections of user networks",
      .example = "info usernet" },
    {}
};
