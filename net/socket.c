/*
 * -netdev socket: another process's NIC, over TCP (listen=, connect=), UDP to one peer (udp=), a
 * multicast group (mcast=) or a socket somebody opened (fd=).
 *
 * A listener has one peer at a time and waits for the next when it leaves; a connection that is
 * lost stays lost, as with QEMU.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"
#include "passed_fd.h"
#include "socket_address.h"

typedef struct SocketOptions {
    char *fd, *listen, *connect, *mcast, *udp, *localaddr;
} SocketOptions;

typedef struct Socket {
    NetClient client;
    bool datagrams;
    DatagramLink datagram;
    FrameLink frames;
    int listen_fd, connect_fd;              /* -1: none */
    NetWatch watch;                         /* of one of them */
} Socket;

/* ---- the client ---- */

static ssize_t socket_receive(NetClient *client, const struct iovec *iov, unsigned niov, size_t len)
{
    Socket *sock = (Socket *)client;

    return sock->datagrams ? datagram_link_send(&sock->datagram, iov, niov, len)
                           : frame_link_send(&sock->frames, iov, niov, len);
}

static void socket_close(NetClient *client)
{
    Socket *sock = (Socket *)client;

    net_watch_finish(&sock->watch);
    if (sock->listen_fd >= 0) {
        close(sock->listen_fd);
    }
    if (sock->connect_fd >= 0) {
        close(sock->connect_fd);
    }
    if (sock->datagrams) {
        datagram_link_close(&sock->datagram);
    }
    frame_link_finish(&sock->frames);
}

static const NetClientType socket_type = {
    .name = "socket", .size = sizeof(Socket), .receive = socket_receive, .close = socket_close,
};

static void socket_lost(NetClient *client)
{
    Socket *sock = (Socket *)client;

    net_client_set_info(client, "%s", "");
    if (sock->listen_fd >= 0) {
        net_watch_set(&sock->watch, G_IO_IN, true);
    }
}

static Socket *socket_new(const char *name)
{
    Socket *sock = (Socket *)net_client_new(&socket_type, "socket", name);

    sock->listen_fd = sock->connect_fd = -1;
    frame_link_init(&sock->frames, &sock->client, socket_lost);
    return sock;
}

static Socket *datagram_new(const char *name, int fd, const NetAddress *to)
{
    Socket *sock = socket_new(name);

    sock->datagrams = true;
    if (to != NULL) {
        sock->datagram.to = to->addr;
        sock->datagram.to_len = to->len;
    }
    datagram_link_open(&sock->datagram, &sock->client, fd);
    return sock;
}

/* ---- listen= ---- */

static void client_arrives(void *opaque, GIOCondition condition)
{
    Socket *sock = opaque;
    NetAddress peer = { .len = sizeof(peer.addr) };
    g_autofree char *name = NULL;
    int fd = accept4(sock->listen_fd, (struct sockaddr *)&peer.addr, &peer.len,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        return;
    }
    name = net_address_format(&peer);
    net_watch_set(&sock->watch, G_IO_IN, false);
    net_client_set_info(&sock->client, "socket: connection from %s", name);
    frame_link_open(&sock->frames, fd);
}

static Socket *open_listen(const char *name, const char *text, GError **error)
{
    NetAddress address;
    int fd, on = 1;
    Socket *sock;

    if (!net_address_parse(&address, text, error)) {
        return NULL;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        set_errno_error(error, errno, "can't create stream socket");
        return NULL;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&address.addr, address.len) != 0 || listen(fd, 0) != 0) {
        set_errno_error(error, errno, "can't listen at %s", text);
        close(fd);
        return NULL;
    }
    sock = socket_new(name);
    sock->listen_fd = fd;
    net_watch_init(&sock->watch, fd, client_arrives, sock);
    net_watch_set(&sock->watch, G_IO_IN, true);
    return sock;
}

/* ---- connect= ---- */

static void connect_ends(void *opaque, GIOCondition condition)
{
    Socket *sock = opaque;
    int fd = sock->connect_fd, problem = socket_connect_result(fd);

    net_watch_finish(&sock->watch);
    sock->connect_fd = -1;
    if (problem == 0) {
        frame_link_open(&sock->frames, fd);
        return;
    }
    close(fd);
    report_warning("netdev %s: %s: %s", sock->client.name, sock->client.info,
                   g_strerror(problem));
    net_client_set_info(&sock->client, "%s", "");
}

static Socket *open_connect(const char *name, const char *text, GError **error)
{
    NetAddress address;
    g_autofree char *peer = NULL;
    Socket *sock;
    int fd;

    if (!net_address_parse(&address, text, error)) {
        return NULL;
    }
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || (connect(fd, (const struct sockaddr *)&address.addr, address.len) != 0 &&
                   errno != EINPROGRESS)) {
        set_errno_error(error, errno, "can't connect to %s", text);
        if (fd >= 0) {
            close(fd);
        }
        return NULL;
    }
    peer = net_address_format(&address);
    sock = socket_new(name);
    sock->connect_fd = fd;
    net_client_set_info(&sock->client, "socket: connect to %s", peer);
    net_watch_init(&sock->watch, fd, connect_ends, sock);
    net_watch_set(&sock->watch, G_IO_OUT, true);
    return sock;
}

/* ---- mcast=, udp= ---- */

static Socket *open_mcast(const char *name, const char *text, const char *local, GError **error)
{
    struct in_addr interface = { 0 };
    g_autofree char *shown = NULL;
    NetAddress group;
    Socket *sock;
    int fd;

    if (!net_address_parse(&group, text, error) ||
        (local != NULL && !net_address_parse_host(&interface, local, error))) {
        return NULL;
    }
    fd = datagram_socket_group(&group, interface, error);
    if (fd < 0) {
        return NULL;
    }
    shown = net_address_format(&group);
    sock = datagram_new(name, fd, &group);
    net_client_set_info(&sock->client, "socket: mcast=%s", shown);
    return sock;
}

static Socket *open_udp(const char *name, const char *text, const char *local_text, GError **error)
{
    NetAddress peer, local;
    g_autofree char *shown = NULL;
    Socket *sock;
    int fd;

    if (local_text == NULL) {
        set_error(error, "localaddr= is mandatory with udp=");
        return NULL;
    }
    if (!net_address_parse(&local, local_text, error) || !net_address_parse(&peer, text, error)) {
        return NULL;
    }
    fd = datagram_socket_bound(&local, error);
    if (fd < 0) {
        return NULL;
    }
    shown = net_address_format(&peer);
    sock = datagram_new(name, fd, &peer);
    net_client_set_info(&sock->client, "socket: udp=%s", shown);
    return sock;
}

/* ---- fd= ---- */

static Socket *open_fd(const char *name, const char *text, GError **error)
{
    int fd = net_inherited_fd(name != NULL ? name : "socket", text, error), kind = 0;
    socklen_t len = sizeof(kind);
    NetAddress own = { .len = sizeof(own.addr) };
    Socket *sock;

    if (fd < 0) {
        return NULL;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &len) != 0 ||
        (kind != SOCK_STREAM && kind != SOCK_DGRAM)) {
        set_error(error, "File descriptor %d is not a stream or datagram socket", fd);
        passed_fd_drop(text, fd);
        return NULL;
    }
    if (kind == SOCK_STREAM) {
        sock = socket_new(name);
        frame_link_open(&sock->frames, fd);
        net_client_set_info(&sock->client, "socket: fd=%d", fd);
        return sock;
    }
    sock = datagram_new(name, fd, NULL);
    getsockname(fd, (struct sockaddr *)&own.addr, &own.len);
    net_client_set_info(&sock->client, "socket: fd=%d %s", fd,
                        own.addr.ss_family == AF_UNIX ? "unix" : "inet");
    return sock;
}

/* ---- options ---- */

#define TEXT(name_) { #name_, KEY_STRING, offsetof(SocketOptions, name_) }
static const KeyField socket_fields[] = {
    TEXT(fd), TEXT(listen), TEXT(connect), TEXT(mcast), TEXT(udp), TEXT(localaddr), {}
};

static void options_clear(SocketOptions *options)
{
    for (const KeyField *field = socket_fields; field->name != NULL; field++) {
        g_free(*(char **)((char *)options + field->offset));
    }
}

static Socket *open_kind(const char *name, const SocketOptions *options, GError **error)
{
    unsigned given = !!options->fd + !!options->listen + !!options->connect + !!options->mcast +
                     !!options->udp;

    if (given != 1) {
        set_error(error, "exactly one of listen=, connect=, mcast= or udp= is required");
        return NULL;
    }
    if (options->localaddr != NULL && options->mcast == NULL && options->udp == NULL) {
        set_error(error, "localaddr= is only valid with mcast= or udp=");
        return NULL;
    }
    return options->fd != NULL        ? open_fd(name, options->fd, error)
           : options->listen != NULL  ? open_listen(name, options->listen, error)
           : options->connect != NULL ? open_connect(name, options->connect, error)
           : options->mcast != NULL   ? open_mcast(name, options->mcast, options->localaddr, error)
                                      : open_udp(name, options->udp, options->localaddr, error);
}

static NetClient *socket_open(Vm *vm, const char *name, KeyVal *kv, GError **error)
{
    SocketOptions options = { 0 };
    Socket *sock = NULL;

    if (keyval_fill(kv, socket_fields, &options, error)) {
        sock = open_kind(name, &options, error);
    }
    options_clear(&options);
    return (NetClient *)sock;
}

const NetBackend net_socket_backend = { "socket", socket_open };
