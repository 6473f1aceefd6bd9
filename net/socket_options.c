/* QMP's SocketAddress, as -netdev stream and dgram take it: "addr.type=inet,addr.host=…". */
#include <gio/gio.h>
#include <netdb.h>
#include <string.h>

#include "backend.h"
#include "socket_address.h"

static const char *const kinds[] = { "inet", "unix", "fd", NULL };

#define TEXT(name_, field_) { name_, KEY_STRING, offsetof(NetSocketOptions, field_) }
#define FLAG(name_, field_) { name_, KEY_BOOL, offsetof(NetSocketOptions, field_) }
static const KeyField inet_fields[] = {
    TEXT("type", type), TEXT("host", host), TEXT("port", port), TEXT("ipv4", ipv4),
    TEXT("ipv6", ipv6), { "to", KEY_UINT, offsetof(NetSocketOptions, last_port) },
    FLAG("keep-alive", keep_alive), FLAG("mptcp", mptcp), FLAG("numeric", numeric), {}
};
static const KeyField unix_fields[] = {
    TEXT("type", type), TEXT("path", path), FLAG("abstract", abstract), FLAG("tight", tight), {}
};
static const KeyField fd_fields[] = { TEXT("type", type), TEXT("str", str), {} };

static bool require(const char *prefix, const char *key, const char *value, GError **error)
{
    if (value == NULL) {
        set_error(error, "Parameter '%s.%s' is missing", prefix, key);
    }
    return value != NULL;
}

static bool is_switch(const char *text, const char *prefix, const char *key, GError **error)
{
    if (text == NULL || g_str_equal(text, "on") || g_str_equal(text, "off")) {
        return true;
    }
    set_error(error, "Parameter '%s.%s' expects 'on' or 'off'", prefix, key);
    return false;
}

static bool take_inet(NetSocketOptions *options, KeyVal *sub, const char *prefix, GError **error)
{
    options->kind = NET_SOCKET_INET;
    if (!keyval_fill(sub, inet_fields, options, error) ||
        !require(prefix, "host", options->host, error) ||
        !require(prefix, "port", options->port, error) ||
        !is_switch(options->ipv4, prefix, "ipv4", error) ||
        !is_switch(options->ipv6, prefix, "ipv6", error)) {
        return false;
    }
    if (options->numeric && !g_hostname_is_ip_address(options->host)) {
        set_error(error, "%s.host: '%s' is not a numeric address", prefix, options->host);
        return false;
    }
    if (options->mptcp) {
        set_error(error, "%s.mptcp=on is not supported", prefix);
    }
    return !options->mptcp;
}

bool net_socket_options_take(NetSocketOptions *options, KeyVal *kv, const char *prefix,
                             GError **error)
{
    g_autoptr(KeyVal) sub = keyval_take_prefix(kv, prefix);
    const char *type = keyval_get(sub, "type");

    *options = (NetSocketOptions){ .tight = true };
    if (keyval_count(sub) == 0) {
        return true;
    }
    if (!require(prefix, "type", type, error)) {
        return false;
    }
    if (g_str_equal(type, "inet")) {
        return take_inet(options, sub, prefix, error);
    }
    if (g_str_equal(type, "unix")) {
        options->kind = NET_SOCKET_UNIX;
        return keyval_fill(sub, unix_fields, options, error) &&
               require(prefix, "path", options->path, error);
    }
    if (g_str_equal(type, "fd")) {
        options->kind = NET_SOCKET_FD;
        return keyval_fill(sub, fd_fields, options, error) &&
               require(prefix, "str", options->str, error);
    }
    set_error(error, "Parameter 'type' does not accept value '%s'", type);
    error_suggest(error, nearest_name(type, kinds, G_N_ELEMENTS(kinds) - 1));
    return false;
}

void net_socket_options_clear(NetSocketOptions *options)
{
    char *const owned[] = { options->type, options->host, options->port, options->path,
                            options->str, options->ipv4, options->ipv6 };

    for (size_t i = 0; i < G_N_ELEMENTS(owned); i++) {
        g_free(owned[i]);
    }
    *options = (NetSocketOptions){ 0 };
}

bool net_socket_options_resolve(const NetSocketOptions *options, NetAddress *address,
                                GError **error)
{
    g_autoptr(GArray) found = g_array_new(FALSE, TRUE, sizeof(SocketAddress));
    const SocketAddress *first;
    bool ok = options->kind == NET_SOCKET_UNIX
                  ? socket_address_unix(found, options->path, options->abstract, options->tight,
                                        error)
                  : socket_address_tcp(found, options->host, options->port, options->ipv4,
                                       options->ipv6, false, error);

    if (ok) {
        first = &g_array_index(found, SocketAddress, 0);
        address->addr = first->addr;
        address->len = first->len;
    }
    return ok;
}
