/* Commands about VNC servers, and `info vnc`. */
#include "cmd_vnc.h"

#include "qmp_api.h"

static void complete_servers(Monitor *mon, GPtrArray *candidates)
{
    g_autoptr(GPtrArray) list = qmp_query_vnc_servers(mon->vm, NULL);

    for (guint i = 0; i < list->len; i++) {
        g_ptr_array_add(candidates, g_strdup(((QmpVncInfo2 *)g_ptr_array_index(list, i))->id));
    }
}

#define ARG_PROTOCOL \
    { .name = "protocol", .kind = ARG_WORD, .choices = qmp_display_protocol_names, \
      .help = "vnc", .qmp = "protocol" }
#define ARG_DISPLAY \
    { .name = "display", .kind = ARG_OPTION, .flag = 'd', .optional = true, \
      .complete = complete_servers, .help = "id of the server; the first if not given", \
      .qmp = "display" }

/* A word out of a list; NULL is its first one. */
static bool read_choice(const char *text, const char *const *names, int *index, GError **error)
{
    *index = text != NULL ? qmp_enum_index(names, text) : 0;
    if (*index < 0) {
        set_error(error, "invalid parameter value: %s", text);
    }
    return *index >= 0;
}

/* ---- passwords ---- */

static const CmdArg set_password_args[] = {
    ARG_PROTOCOL,
    { .name = "password", .kind = ARG_WORD, .help = "the password; 8 characters of it count",
      .qmp = "password" },
    ARG_DISPLAY,
    { .name = "action-if-connected", .kind = ARG_WORD, .optional = true,
      .choices = qmp_set_password_action_names,
      .help = "what becomes of those who are connected: keep", .qmp = "connected" },
    {}
};

static bool cmd_set_password(Monitor *mon, const CmdValues *args, GError **error)
{
    QmpSetPasswordOptions options = {
        .password = (char *)cmd_text(args, "password"), .has_connected = true,
        .u.vnc.display = (char *)cmd_text(args, "display"),
    };
    int protocol, connected;

    if (!read_choice(cmd_text(args, "protocol"), qmp_display_protocol_names, &protocol, error) ||
        !read_choice(cmd_text(args, "action-if-connected"), qmp_set_password_action_names,
                     &connected, error)) {
        return false;
    }
    options.protocol = protocol;
    options.connected = connected;
    return qmp_set_password(mon->vm, &options, error);
}

static const char *const times[] = { "now", "never", NULL };

static const CmdArg expire_password_args[] = {
    ARG_PROTOCOL,
    { .name = "time", .kind = ARG_WORD, .choices = times,
      .help = "now, never, +SECONDS, or seconds since 1970", .qmp = "time" },
    ARG_DISPLAY,
    {}
};

static bool cmd_expire_password(Monitor *mon, const CmdValues *args, GError **error)
{
    QmpExpirePasswordOptions options = {
        .time = (char *)cmd_text(args, "time"),
        .u.vnc.display = (char *)cmd_text(args, "display"),
    };
    int protocol;

    if (!read_choice(cmd_text(args, "protocol"), qmp_display_protocol_names, &protocol, error)) {
        return false;
    }
    options.protocol = protocol;
    return qmp_expire_password(mon->vm, &options, error);
}

static bool on_answer(Monitor *mon, const char *text, GError **error)
{
    return qmp_change_vnc_password(mon->vm, text, error);
}

bool monitor_change_vnc(Monitor *mon, const char *what, const char *password, GError **error)
{
    if (!g_str_equal(what, "password") && !g_str_equal(what, "passwd")) {
        monitor_fail(mon, "Expected 'password' after 'vnc'\n");
        return true;
    }
    if (password != NULL) {
        return qmp_change_vnc_password(mon->vm, password, error);
    }
    if (!monitor_ask(mon, "Password: ", on_answer)) {
        monitor_fail(mon, "terminal does not support password prompting\n");
    }
    return true;
}

const Command monitor_vnc_commands[] = {
    { .name = "set_password", .args = set_password_args, .run = cmd_set_password,
      .params = "protocol password [-d display] [action-if-connected]",
      .help = "set the password viewers need from now on", .example = "set_password vnc secret",
      .qmp = "set_password" },
    { .name = "expire_password", .args = expire_password_args, .run = cmd_expire_password,
      .params = "protocol time [-d display]", .help = "say until when the password is good",
      .example = "expire_password vnc +60", .qmp = "expire_password" },
    {}
};

/* ---- info vnc ---- */

static void print_end(Monitor *mon, const char *what, const char *host, const char *service,
                      QmpNetworkAddressFamily family, bool websocket)
{
    monitor_printf(mon, "  %s: %s:%s (%s%s)\n", what, host, service,
                   qmp_network_address_family_names[family], websocket ? " (Websocket)" : "");
}

static void print_auth(Monitor *mon, const char *indent, QmpVncPrimaryAuth auth, bool has_sub,
                       QmpVncVencryptSubAuth sub)
{
    monitor_printf(mon, "%sAuth: %s (Sub: %s)\n", indent, qmp_vnc_primary_auth_names[auth],
                   has_sub ? qmp_vnc_vencrypt_sub_auth_names[sub] : "none");
}

static void print_server(Monitor *mon, const QmpVncInfo2 *info)
{
    monitor_print_styled(mon, STYLE_STRONG, "%s:\n", info->id);
    for (guint i = 0; i < info->server->len; i++) {
        const QmpVncServerInfo2 *server = g_ptr_array_index(info->server, i);

        print_end(mon, "Server", server->host, server->service, server->family,
                  server->websocket);
        print_auth(mon, "    ", server->auth, server->has_vencrypt, server->vencrypt);
    }
    for (guint i = 0; i < info->clients->len; i++) {
        const QmpVncClientInfo *client = g_ptr_array_index(info->clients, i);

        print_end(mon, "Client", client->host, client->service, client->family,
                  client->websocket);
        monitor_printf(mon, "    x509_dname: %s\n    sasl_username: none\n",
                       client->x509_dname != NULL ? client->x509_dname : "none");
    }
    if (info->server->len == 0) {
        print_auth(mon, "  ", info->auth, info->has_vencrypt, info->vencrypt);
    }
    if (info->display != NULL) {
        monitor_printf(mon, "  Display: %s\n", info->display);
    }
}

static bool info_vnc(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_vnc_servers(mon->vm, error);

    for (guint i = 0; list != NULL && i < list->len; i++) {
        print_server(mon, g_ptr_array_index(list, i));
    }
    if (list != NULL && list->len == 0) {
        monitor_printf(mon, "None\n");
    }
    return list != NULL;
}

const Command info_vnc_topics[] = {
    { .name = "vnc", .run = info_vnc, .help = "VNC servers and who looks", .example = "info vnc",
      .qmp = "query-vnc-servers" },
    {}
};
