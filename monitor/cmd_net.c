/* Network back ends, links and forwarded ports. */
#include "candidates.h"
#include "net.h"
#include "qmp_api.h"

/* ---- back ends ---- */

static const CmdArg netdev_add_args[] = {
    { .name = "netdev", .kind = ARG_WORD, .optional = true, .separators = OPTION_SEPARATORS,
      .help = "type, id and options; 'help' lists types", .complete_at = candidates_netdev_text },
    {}
};

static bool cmd_netdev_add(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *text = cmd_text(args, "netdev") != NULL ? cmd_text(args, "netdev") : "";
    g_autoptr(KeyVal) kv = NULL;

    if (g_str_equal(text, "help") || g_str_equal(text, "?")) {
        g_autofree char *list = netdev_help_text();

        monitor_printf(mon, "%s", list);
        return true;
    }
    kv = keyval_parse_either(text, "type", error);
    return kv != NULL && netdev_add(mon->vm, kv, error);
}

static const CmdArg netdev_del_args[] = {
    { .name = "id", .kind = ARG_WORD, .help = "id of the back end", .complete = candidates_netdevs,
      .qmp = "id" },
    {}
};

static bool cmd_netdev_del(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_netdev_del(mon->vm, cmd_text(args, "id"), error);
}

static const CmdArg set_link_args[] = {
    { .name = "name", .kind = ARG_WORD, .help = "a NIC or a back end",
      .complete = candidates_net_clients, .qmp = "name" },
    { .name = "up", .kind = ARG_BOOL, .help = "on: the link is there", .qmp = "up" },
    {}
};

static bool cmd_set_link(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_set_link(mon->vm, cmd_text(args, "name"), cmd_number(args, "up", 0), error);
}

/* ---- forwarded ports ---- */

/* One word: the rule; two: the back end before it. */
static const CmdArg hostfwd_args[] = {
    { .name = "arg1", .kind = ARG_WORD, .help = "id of a user network, or the rule",
      .complete = candidates_netdevs },
    { .name = "arg2", .kind = ARG_WORD, .optional = true, .help = "the rule" },
    {}
};

static void split_rule(const CmdValues *args, const char **netdev, const char **rule)
{
    *rule = cmd_text(args, "arg2");
    *netdev = *rule != NULL ? cmd_text(args, "arg1") : NULL;
    *rule = *rule != NULL ? *rule : cmd_text(args, "arg1");
}

/* What a rule did or why it did not stands alone on its line, as scripts that read it expect. */
static bool cmd_hostfwd_add(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GError) why = NULL;
    const char *netdev, *rule;

    split_rule(args, &netdev, &rule);
    if (!net_hostfwd_add(netdev, rule, &why)) {
        monitor_fail(mon, "%s\n", why->message);
    }
    return true;
}

static bool cmd_hostfwd_remove(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GError) why = NULL;
    const char *netdev, *rule;

    split_rule(args, &netdev, &rule);
    if (net_hostfwd_remove(netdev, rule, &why)) {
        monitor_printf(mon, "host forwarding rule for %s removed\n", rule);
    } else {
        monitor_fail(mon, "%s\n", why->message);
    }
    return true;
}

const Command monitor_net_commands[] = {
    { .name = "hostfwd_add", .args = hostfwd_args, .run = cmd_hostfwd_add,
      .params = "[netdev_id] [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport",
      .help = "lead a port of the host to the guest; without hostaddr only from this host",
      .example = "hostfwd_add net0 tcp::2222-:22" },
    { .name = "hostfwd_remove", .args = hostfwd_args, .run = cmd_hostfwd_remove,
      .params = "[netdev_id] [tcp|udp]:[hostaddr]:hostport",
      .help = "take a forwarded port back", .example = "hostfwd_remove net0 tcp::2222" },
    { .name = "netdev_add", .args = netdev_add_args, .params = "type,id=str[,prop=value][,...]",
      .run = cmd_netdev_add, .help = "add a network back end, like -netdev",
      .example = "netdev_add user,id=net1", .qmp = "netdev_add" },
    { .name = "netdev_del", .args = netdev_del_args, .run = cmd_netdev_del,
      .help = "delete a network back end", .example = "netdev_del net1", .qmp = "netdev_del" },
    { .name = "set_link", .args = set_link_args, .params = "name on|off", .run = cmd_set_link,
      .help = "plug or unplug a cable", .example = "set_link net0 off", .qmp = "set_link" },
    {}
};
