/*
 * -netdev stream: another process's NIC over a stream socket, TCP or UNIX, as server or client, or
 * over a socket somebody opened.
 *
 * A server has one peer at a time and waits for the next when it leaves; a client that loses its
 * peer stays alone, as with QEMU 7.2.  Both tell of it in events.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"
#include "passed_fd.h"
#include "socket_address.h"

typedef struct Stream {
    NetClient client;
    Vm *vm;
    FrameLink frames;
    NetSocketOptions address;
    bool server;
    int listen_fd, connect_fd;              /* -1: none */
    NetWatch watch;                         /* of one of them */
    GArray *addresses;                      /* SocketAddress, tried in turn by a client */
    guint next;
    char *unlink_path;                      /* the listening socket's file, ours to remove */
} Stream;

/* ---- the client ---- */

static ssize_t stream_receive(NetClient *client, const struct iovec *iov, unsigned niov, size_t len)
{
    return frame_link_send(&((Stream *)client)->frames, iov, niov, len);
}

static void stream_close(NetClient *client)
{
    Stream *stream = (Stream *)client;

    net_watch_finish(&stream->watch);
    if (stream->listen_fd >= 0) {
        close(stream->listen_fd);
    }
    if (stream->connect_fd >= 0) {
        close(stream->connect_fd);
    }
    if (stream->unlink_path != NULL) {
        unlink(stream->unlink_path);
    }
    frame_link_finish(&stream->frames);
    g_free(stream->unlink_path);
    g_array_unref(stream->addresses);
    net_socket_options_clear(&stream->address);
}

static const NetClientType stream_type = {
    .name = "stream", .size = sizeof(Stream), .receive = stream_receive, .close = stream_close,
};

/* ---- connected ---- */

static void tell_connected(Stream *stream, const NetAddress *peer)
{
    char host[NI_MAXHOST] = "", port[NI_MAXSERV] = "";
    VmEventAddress address = { .type = stream->address.type };
    VmEvent event = { .kind = VM_EVENT_NETDEV_STREAM_CONNECTED, .device = stream->client.name,
                      .address = &address };

    switch (stream->address.kind) {
    case NET_SOCKET_INET:
        getnameinfo((const struct sockaddr *)&peer->addr, peer->len, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
        address.host = host;
        address.port = port;
        address.ipv6 = peer->addr.ss_family == AF_INET6;
        break;
    case NET_SOCKET_UNIX:
        address.path = stream->address.path;
        break;
    default:
        address.str = stream->address.str;
        break;
    }
    vm_emit(stream->vm, &event);
}

static void stream_connected(Stream *stream, int fd)
{
    NetAddress peer = { .len = sizeof(peer.addr) };
    g_autofree char *shown = NULL;
    int on = 1;

    getpeername(fd, (struct sockaddr *)&peer.addr, &peer.len);
    shown = net_address_format(&peer);
    switch (stream->address.kind) {
    case NET_SOCKET_INET:
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (stream->address.keep_alive) {
            setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        }
        net_client_set_info(&stream->client, "tcp:%s", shown);
        break;
    case NET_SOCKET_UNIX:
        net_client_set_info(&stream->client, "unix:%s", stream->address.path);
        break;
    default:
        net_client_set_info(&stream->client, "fd:%s", stream->address.str);
        break;
    }
    frame_link_open(&stream->frames, fd);
    tell_connected(stream, &peer);
}

static void stream_lost(NetClient *client)
{
    Stream *stream = (Stream *)client;

    net_client_set_info(client, "%s", "");
    vm_emit(stream->vm, &(VmEvent){ .kind = VM_EVENT_NETDEV_STREAM_DISCONNECTED,
                                    .device = client->name });
    if (stream->listen_fd >= 0) {
        net_watch_set(&stream->watch, G_IO_IN, true);
    }
}

/* ---- server ---- */

static void peer_arrives(void *opaque, GIOCondition condition)
{
    Stream *stream = opaque;
    int fd = accept4(stream->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd >= 0) {
        net_watch_set(&stream->watch, G_IO_IN, false);
        stream_connected(stream, fd);
    }
}

static void stream_listen(Stream *stream, int fd)
{
    stream->listen_fd = fd;
    net_watch_init(&stream->watch, fd, peer_arrives, stream);
    net_watch_set(&stream->watch, G_IO_IN, true);
}

static bool open_server(Stream *stream, GError **error)
{
    int fd = socket_address_listen(&g_array_index(stream->addresses, SocketAddress, 0),
                                   stream->address.last_port, error);

    if (fd < 0) {
        return false;
    }
    if (stream->address.kind == NET_SOCKET_UNIX && !stream->address.abstract) {
        stream->unlink_path = g_strdup(stream->address.path);
    }
    if (!net_fd_set_nonblocking(fd, error)) {
        close(fd);
        return false;
    }
    stream_listen(stream, fd);
    return true;
}

/* ---- client ---- */

static void connect_ends(void *opaque, GIOCondition condition);

/* Tries one address after the other; 0: under way or connected, else the last one's errno. */
static int stream_connect(Stream *stream)
{
    int problem = EADDRNOTAVAIL;

    while (stream->next < stream->addresses->len) {
        const SocketAddress *at = &g_array_index(stream->addresses, SocketAddress, stream->next++);
        int fd = socket(at->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0) {
            problem = errno;
            continue;
        }
        if (connect(fd, (const struct sockaddr *)&at->addr, at->len) == 0) {
            stream_connected(stream, fd);
            return 0;
        }
        if (errno == EINPROGRESS) {
            stream->connect_fd = fd;
            net_watch_init(&stream->watch, fd, connect_ends, stream);
            net_watch_set(&stream->watch, G_IO_OUT, true);
            return 0;
        }
        problem = errno;
        close(fd);
    }
    return problem;
}

static void connect_ends(void *opaque, GIOCondition condition)
{
    Stream *stream = opaque;
    int fd = stream->connect_fd, problem = socket_connect_result(fd);

    net_watch_finish(&stream->watch);
    stream->connect_fd = -1;
    if (problem == 0) {
        stream_connected(stream, fd);
        return;
    }
    close(fd);
    if (stream->next < stream->addresses->len) {
        problem = stream_connect(stream);
    }
    if (problem != 0) {
        report_warning("netdev %s: can't connect: %s", stream->client.name, g_strerror(problem));
    }
}

static bool open_client(Stream *stream, GError **error)
{
    int problem = stream_connect(stream);

    if (problem != 0) {
        set_errno_error(error, problem, "can't connect to %s",
                        stream->address.kind == NET_SOCKET_UNIX ? stream->address.path
                                                                : stream->address.host);
    }
    return problem == 0;
}

/* ---- fd ---- */

static bool open_fd(Stream *stream, GError **error)
{
    int fd = net_inherited_fd(stream->client.name, stream->address.str, error);
    int kind = 0, listening = 0;
    socklen_t len = sizeof(kind);

    if (fd < 0) {
        return false;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &len) != 0 || kind != SOCK_STREAM) {
        set_error(error, "File descriptor %d is not a stream socket", fd);
        passed_fd_drop(stream->address.str, fd);
        return false;
    }
    len = sizeof(listening);
    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
    if (stream->server != (listening != 0)) {
        set_error(error, "File descriptor %d is %sa listening socket, server=%s expects one that "
                  "is%s", fd, listening ? "" : "not ", stream->server ? "on" : "off",
                  stream->server ? "" : " not");
        passed_fd_drop(stream->address.str, fd);
        return false;
    }
    if (listening) {
        stream_listen(stream, fd);
    } else {
        stream_connected(stream, fd);
    }
    return true;
}

/* ---- options ---- */

static bool find_addresses(Stream *stream, GError **error)
{
    const NetSocketOptions *at = &stream->address;

    if (at->kind == NET_SOCKET_UNIX) {
        return socket_address_unix(stream->addresses, at->path, at->abstract, at->tight, error);
    }
    return socket_address_tcp(stream->addresses, at->host, at->port, at->ipv4, at->ipv6,
                              stream->server, error);
}

static bool stream_start(Stream *stream, GError **error)
{
    if (stream->address.kind == NET_SOCKET_FD) {
        return open_fd(stream, error);
    }
    return find_addresses(stream, error) &&
           (stream->server ? open_server(stream, error) : open_client(stream, error));
}

static NetClient *stream_open(Vm *vm, const char *name, KeyVal *kv, GError **error)
{
    NetSocketOptions address = { 0 };
    bool server = false, ok;
    NetClient *client;
    Stream *stream;

    ok = keyval_get_bool(kv, "server", &server, error) &&
         net_socket_options_take(&address, kv, "addr", error) && keyval_check_known(kv, error);
    if (ok && address.kind == NET_SOCKET_NONE) {
        set_error(error, "Parameter 'addr' is missing");
        ok = false;
    }
    if (!ok) {
        net_socket_options_clear(&address);
        return NULL;
    }
    client = net_client_new(&stream_type, "stream", name);
    stream = (Stream *)client;
    stream->vm = vm;
    stream->server = server;
    stream->address = address;
    stream->listen_fd = stream->connect_fd = -1;
    stream->addresses = g_array_new(FALSE, TRUE, sizeof(SocketAddress));
    frame_link_init(&stream->frames, client, stream_lost);
    if (!stream_start(stream, error)) {
        net_client_free(client);
        return NULL;
    }
    return client;
}

const NetBackend net_stream_backend = { "stream", stream_open };
