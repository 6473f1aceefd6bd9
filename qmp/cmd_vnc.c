/* VNC servers: who looks, passwords, addresses. */
#include "vnc.h"

#include "passed_fd.h"
#include "qmp_api.h"
#include "sizes.h"
#include "vm.h"
#include "vm_events.h"

/* ---- what is known ---- */

static QmpNetworkAddressFamily family(const VncAddress *address)
{
    int index = qmp_enum_index(qmp_network_address_family_names, address->family);

    return index >= 0 ? (QmpNetworkAddressFamily)index : QMP_NETWORK_ADDRESS_FAMILY_UNKNOWN;
}

/* The members every end of a connection has. */
#define ADDRESS_MEMBERS(address_) \
    .host = (char *)(address_)->host, .service = (char *)(address_)->service, \
    .family = family(address_), .websocket = (address_)->websocket

/* "vencrypt+x509+vnc"; new string. */
static char *auth_text(const VncServerInfo *info)
{
    g_autofree char *sub = g_strdup(info->sub_auth);

    return sub == NULL ? g_strdup(info->auth)
                       : g_strdup_printf("%s+%s", info->auth, g_strdelimit(sub, "-", '+'));
}

static GPtrArray *list_clients(const GPtrArray *peers)
{
    GPtrArray *list = qmp_vnc_client_info_list_new();

    for (guint i = peers->len; i > 0; i--) {
        const VncPeer *peer = g_ptr_array_index(peers, i - 1);
        QmpVncClientInfo *client = g_new0(QmpVncClientInfo, 1);

        *client = (QmpVncClientInfo){ ADDRESS_MEMBERS(&peer->address) };
        client->host = g_strdup(client->host);
        client->service = g_strdup(client->service);
        client->x509_dname = g_strdup(peer->x509_dname);
        g_ptr_array_add(list, client);
    }
    return list;
}

/* The address people think of: not that for browsers. */
static const VncAddress *main_address(const GArray *addresses)
{
    for (guint i = 0; i < addresses->len; i++) {
        const VncAddress *address = &g_array_index(addresses, VncAddress, i);

        if (!address->websocket) {
            return address;
        }
    }
    return NULL;
}

QmpVncInfo *qmp_query_vnc(Vm *vm, GError **error)
{
    QmpVncInfo *result = g_new0(QmpVncInfo, 1);
    VncServer *server = vnc_first();
    const VncAddress *address;
    VncServerInfo info;

    if (server == NULL) {
        return result;
    }
    vnc_info(server, &info);
    result->enabled = true;
    result->auth = auth_text(&info);
    result->clients = list_clients(info.peers);
    address = main_address(info.addresses);
    if (address != NULL) {
        result->host = g_strdup(address->host);
        result->service = g_strdup(address->service);
        result->has_family = true;
        result->family = family(address);
    }
    return result;
}

static void read_auth(const char *auth, const char *sub_auth, QmpVncPrimaryAuth *primary,
                      bool *has_vencrypt, QmpVncVencryptSubAuth *vencrypt)
{
    *primary = qmp_enum_index(qmp_vnc_primary_auth_names, auth);
    *has_vencrypt = sub_auth != NULL;
    if (sub_auth != NULL) {
        *vencrypt = qmp_enum_index(qmp_vnc_vencrypt_sub_auth_names, sub_auth);
    }
}

static void list_addresses(GPtrArray *list, const VncServerInfo *info, bool websocket)
{
    for (guint i = info->addresses->len; i > 0; i--) {
        const VncAddress *address = &g_array_index(info->addresses, VncAddress, i - 1);
        QmpVncServerInfo2 *row;

        if (address->websocket != websocket) {
            continue;
        }
        row = g_new0(QmpVncServerInfo2, 1);
        *row = (QmpVncServerInfo2){ ADDRESS_MEMBERS(address) };
        row->host = g_strdup(row->host);
        row->service = g_strdup(row->service);
        read_auth(websocket ? info->websocket_auth : info->auth,
                  websocket ? NULL : info->sub_auth, &row->auth, &row->has_vencrypt,
                  &row->vencrypt);
        g_ptr_array_add(list, row);
    }
}

/* The newest comes first and WebSockets before the rest, as in QEMU. */
GPtrArray *qmp_query_vnc_servers(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_vnc_info2_list_new();

    for (guint i = vnc_servers()->len; i > 0; i--) {
        QmpVncInfo2 *row = g_new0(QmpVncInfo2, 1);
        VncServerInfo info;

        vnc_info(g_ptr_array_index(vnc_servers(), i - 1), &info);
        row->id = g_strdup(info.id);
        row->server = qmp_vnc_server_info2_list_new();
        list_addresses(row->server, &info, true);
        list_addresses(row->server, &info, false);
        row->clients = list_clients(info.peers);
        read_auth(info.auth, info.sub_auth, &row->auth, &row->has_vencrypt, &row->vencrypt);
        row->display = g_strdup(info.display);
        g_ptr_array_add(list, row);
    }
    return list;
}

static void on_vnc_event(VncEvent event, const VncServer *server, const VncAddress *at,
                         const VncPeer *peer)
{
    QmpVncClientInfo client = { ADDRESS_MEMBERS(&peer->address),
                                .x509_dname = (char *)peer->x509_dname };
    QmpVncBasicInfo basic = { ADDRESS_MEMBERS(&peer->address) };
    g_autofree char *auth = NULL;
    QmpVncServerInfo end;
    VncServerInfo info;

    vnc_info(server, &info);
    auth = auth_text(&info);
    end = (QmpVncServerInfo){ ADDRESS_MEMBERS(at), .auth = auth };
    switch (event) {
    case VNC_EVENT_CONNECTED:
        qmp_event_vnc_connected(&end, &basic);
        break;
    case VNC_EVENT_INITIALIZED:
        qmp_event_vnc_initialized(&end, &client);
        break;
    case VNC_EVENT_DISCONNECTED:
        qmp_event_vnc_disconnected(&end, &client);
        break;
    }
}

void qmp_vnc_events_start(void)
{
    vnc_set_listener(on_vnc_event);
}

/* ---- passwords ---- */

/* By id, or the first one. */
static VncServer *find_server(const char *id, const char *what, GError **error)
{
    VncServer *server = id != NULL ? vnc_find(id) : vnc_first();
    g_autoptr(GPtrArray) names = NULL;
    VncServerInfo info;

    if (server != NULL) {
        return server;
    }
    set_error(error, "%s", what);
    if (vnc_servers()->len == 0) {
        error_add_hint(error, "There is no VNC server: -vnc makes one.");
        return NULL;
    }
    names = g_ptr_array_new();
    for (guint i = 0; i < vnc_servers()->len; i++) {
        vnc_info(g_ptr_array_index(vnc_servers(), i), &info);
        g_ptr_array_add(names, (char *)info.id);
    }
    error_add_hint(error, "There is no VNC server '%s'.", id);
    error_suggest(error, nearest_name(id, (const char *const *)names->pdata, names->len));
    return NULL;
}

bool qmp_set_password(Vm *vm, const QmpSetPasswordOptions *args, GError **error)
{
    VncServer *server;

    if (args->has_connected && args->connected != QMP_SET_PASSWORD_ACTION_KEEP) {
        set_error(error, "Invalid parameter 'connected'");
        error_add_hint(error, "VNC's viewers stay connected: 'keep' is all there is.");
        return false;
    }
    server = find_server(args->u.vnc.display, "Could not set password", error);
    return server != NULL && vnc_set_password(server, args->password, error);
}

bool qmp_change_vnc_password(Vm *vm, const char *password, GError **error)
{
    VncServer *server = find_server(NULL, "Could not set password", error);

    return server != NULL && vnc_set_password(server, password, error);
}

/* "now", "never", "+N", "N". */
static bool read_time(const char *text, int64_t *when, GError **error)
{
    int64_t now = g_get_real_time() / G_USEC_PER_SEC;
    uint64_t number;

    if (g_str_equal(text, "now") || g_str_equal(text, "never")) {
        *when = g_str_equal(text, "now") ? 0 : G_MAXINT64;
        return true;
    }
    if (!parse_uint(text + (*text == '+'), G_MAXINT64 - now, &number, NULL)) {
        set_error(error, "Parameter 'time' does not accept value '%s'", text);
        error_add_hint(error, "now, never, +SECONDS or seconds since 1970 are expected");
        return false;
    }
    *when = *text == '+' ? now + (int64_t)number : (int64_t)number;
    return true;
}

bool qmp_expire_password(Vm *vm, const QmpExpirePasswordOptions *args, GError **error)
{
    VncServer *server =
        find_server(args->u.vnc.display, "Could not set password expire time", error);
    int64_t when;

    if (server == NULL || !read_time(args->time, &when, error)) {
        return false;
    }
    vnc_expire_password(server, when);
    return true;
}

/* ---- changes ---- */

bool qmp_display_reload(Vm *vm, const QmpDisplayReloadOptions *args, GError **error)
{
    VncServer *server;

    if (!args->u.vnc.has_tls_certs || !args->u.vnc.tls_certs) {
        return true;
    }
    server = find_server(NULL, "Can not find vnc display", error);
    return server != NULL && vnc_reload_tls(server, error);
}

static const char *on_off(bool given, bool on)
{
    return !given ? NULL : on ? "on" : "off";
}

/* Strings stay the address's. */
static bool read_place(const QmpSocketAddress *address, VncPlace *place, GError **error)
{
    const QmpInetSocketAddress *inet = &address->u.inet;
    uint64_t port;

    switch (address->type) {
    case QMP_SOCKET_ADDRESS_TYPE_UNIX:
        *place = (VncPlace){ .path = address->u.unix_.path };
        return true;
    case QMP_SOCKET_ADDRESS_TYPE_INET:
        if (!parse_uint(inet->port, 65535, &port, error)) {
            g_prefix_error(error, "port '%s': ", inet->port);
            return false;
        }
        *place = (VncPlace){ .host = inet->host, .port = port,
                             .last_port = inet->has_to ? inet->to : port,
                             .ipv4 = on_off(inet->has_ipv4, inet->ipv4),
                             .ipv6 = on_off(inet->has_ipv6, inet->ipv6) };
        return true;
    default:
        set_error(error, "a VNC server listens at addresses of type 'inet' and 'unix'");
        return false;
    }
}

bool qmp_display_update(Vm *vm, const QmpDisplayUpdateOptions *args, GError **error)
{
    const GPtrArray *addresses = args->u.vnc.addresses;
    g_autofree VncPlace *places = NULL;
    VncServer *server;

    if (addresses == NULL) {
        return true;
    }
    server = find_server(NULL, "Can not find vnc display", error);
    places = g_new0(VncPlace, addresses->len);
    for (guint i = 0; server != NULL && i < addresses->len; i++) {
        if (!read_place(g_ptr_array_index(addresses, i), &places[i], error)) {
            return false;
        }
    }
    return server != NULL && vnc_set_places(server, places, addresses->len, error);
}

bool qmp_add_client(Vm *vm, const char *protocol, const char *fdname, const bool *skipauth,
                    const bool *tls, GError **error)
{
    VncServer *server;
    int fd;

    if (!g_str_equal(protocol, "vnc")) {
        set_error(error, "protocol '%s' is invalid", protocol);
        error_add_hint(error, "There is 'vnc' alone.");
        return false;
    }
    server = find_server(NULL, "Can not find vnc display", error);
    if (server == NULL) {
        return false;
    }
    if (g_ascii_isdigit(*fdname)) {
        set_error(error, "File descriptor named '%s' has not been found", fdname);
        return false;
    }
    fd = passed_fd_take(fdname, error);
    return fd >= 0 && vnc_add_client(server, fd, skipauth != NULL && *skipauth, error);
}
