/*
 * -netdev dgram: another process's NIC over datagrams: UDP to one peer, a multicast group, UNIX
 * sockets, or a socket somebody opened.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend.h"
#include "passed_fd.h"

typedef struct Dgram {
    NetClient client;
    DatagramLink link;
    char *unlink_path;                      /* our end's file; NULL: none */
} Dgram;

static ssize_t dgram_receive(NetClient *client, const struct iovec *iov, unsigned niov, size_t len)
{
    return datagram_link_send(&((Dgram *)client)->link, iov, niov, len);
}

static void dgram_close(NetClient *client)
{
    Dgram *dgram = (Dgram *)client;

    datagram_link_close(&dgram->link);
    if (dgram->unlink_path != NULL) {
        unlink(dgram->unlink_path);
    }
    g_free(dgram->unlink_path);
}

static const NetClientType dgram_type = {
    .name = "dgram", .size = sizeof(Dgram), .receive = dgram_receive, .close = dgram_close,
};

static Dgram *dgram_new(const char *name, int fd, const NetAddress *to)
{
    Dgram *dgram = (Dgram *)net_client_new(&dgram_type, "dgram", name);

    if (to != NULL) {
        dgram->link.to = to->addr;
        dgram->link.to_len = to->len;
    }
    datagram_link_open(&dgram->link, &dgram->client, fd);
    return dgram;
}

/* ---- the kinds ---- */

static int group_socket(const char *name, const NetAddress *group, const NetSocketOptions *local,
                        GError **error)
{
    struct in_addr interface = { 0 };

    if (local->kind == NET_SOCKET_FD) {
        return net_inherited_fd(name != NULL ? name : "dgram", local->str, error);
    }
    if (local->kind == NET_SOCKET_UNIX) {
        set_error(error, "local.type=unix cannot go with a multicast group: expected inet or fd");
        return -1;
    }
    if (local->kind == NET_SOCKET_INET && !net_address_parse_host(&interface, local->host, error)) {
        return -1;
    }
    return datagram_socket_group(group, interface, error);
}

static Dgram *open_group(const char *name, const NetAddress *group, const NetSocketOptions *local,
                         GError **error)
{
    int fd = group_socket(name, group, local, error);
    g_autofree char *shown = net_address_format(group);
    Dgram *dgram;

    if (fd < 0) {
        return NULL;
    }
    dgram = dgram_new(name, fd, group);
    net_client_set_info(&dgram->client, "mcast=%s", shown);
    return dgram;
}

static Dgram *open_fd(const char *name, const NetSocketOptions *local, GError **error)
{
    int fd = net_inherited_fd(name != NULL ? name : "dgram", local->str, error), kind = 0;
    socklen_t len = sizeof(kind);
    NetAddress own = { .len = sizeof(own.addr) };
    Dgram *dgram;

    if (fd < 0) {
        return NULL;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &len) != 0 || kind != SOCK_DGRAM) {
        set_error(error, "File descriptor %d is not a datagram socket", fd);
        passed_fd_drop(local->str, fd);
        return NULL;
    }
    dgram = dgram_new(name, fd, NULL);
    getsockname(fd, (struct sockaddr *)&own.addr, &own.len);
    net_client_set_info(&dgram->client, "fd=%d %s", fd,
                        own.addr.ss_family == AF_UNIX ? "unix" : "inet");
    return dgram;
}

static Dgram *open_pair(const char *name, const NetSocketOptions *local, const NetAddress *to,
                        GError **error)
{
    g_autofree char *near = NULL, *far = NULL;
    NetAddress from;
    Dgram *dgram;
    int fd;

    if (!net_socket_options_resolve(local, &from, error)) {
        return NULL;
    }
    if (from.addr.ss_family != to->addr.ss_family) {
        set_error(error, "local and remote addresses are of different families");
        return NULL;
    }
    fd = datagram_socket_bound(&from, error);
    if (fd < 0) {
        return NULL;
    }
    near = net_address_format(&from);
    far = net_address_format(to);
    dgram = dgram_new(name, fd, to);
    if (local->kind == NET_SOCKET_UNIX && !local->abstract) {
        dgram->unlink_path = g_strdup(local->path);
    }
    net_client_set_info(&dgram->client, "udp=%s%c%s", near,
                        local->kind == NET_SOCKET_UNIX ? ':' : '/', far);
    return dgram;
}

/* ---- options ---- */

static bool is_group(const NetAddress *address)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&address->addr;

    return address->addr.ss_family == AF_INET && IN_MULTICAST(ntohl(in->sin_addr.s_addr));
}

static Dgram *open_kind(const char *name, const NetSocketOptions *local,
                        const NetSocketOptions *remote, GError **error)
{
    NetAddress to;

    if (remote->kind == NET_SOCKET_FD) {
        set_error(error, "remote.type=fd is not valid: expected inet or unix");
        return NULL;
    }
    if (remote->kind != NET_SOCKET_NONE) {
        if (!net_socket_options_resolve(remote, &to, error)) {
            return NULL;
        }
        if (is_group(&to)) {
            return open_group(name, &to, local, error);
        }
    }
    if (local->kind == NET_SOCKET_NONE) {
        set_error(error, "dgram requires local= parameter");
    } else if (local->kind == NET_SOCKET_FD) {
        if (remote->kind == NET_SOCKET_NONE) {
            return open_fd(name, local, error);
        }
        set_error(error, "don't set remote with local.fd");
    } else if (remote->kind == NET_SOCKET_NONE) {
        set_error(error, "type=inet or type=unix requires remote parameter");
    } else {
        return open_pair(name, local, &to, error);
    }
    return NULL;
}

static NetClient *dgram_open(Vm *vm, const char *name, KeyVal *kv, GError **error)
{
    NetSocketOptions local = { 0 }, remote = { 0 };
    Dgram *dgram = NULL;

    if (net_socket_options_take(&local, kv, "local", error) &&
        net_socket_options_take(&remote, kv, "remote", error) && keyval_check_known(kv, error)) {
        dgram = open_kind(name, &local, &remote, error);
    }
    net_socket_options_clear(&local);
    net_socket_options_clear(&remote);
    return (NetClient *)dgram;
}

const NetBackend net_dgram_backend = { "dgram", dgram_open };
