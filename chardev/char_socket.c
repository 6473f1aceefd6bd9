/*
 * A stream socket, TCP or UNIX: a server that takes one client at a time, or a client that may come
 * back after losing its peer.  The bytes go as they are, or as telnet or WebSocket has them; TCP's
 * may go through TLS below that.
 *
 * Left out: tls-authz, tn3270, and the client's side of WebSocket; asking for them is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend.h"
#include "passed_fd.h"
#include "socket_address.h"
#include "stream_codec.h"
#include "tls_session.h"

/* Descriptors that one piece of input can bring; the kernel closes what finds no room. */
enum { FDS_MAX = 16 };

typedef struct CharSocket {
    Chardev chr;
    /* configuration */
    bool server, nodelay;
    unsigned reconnect_s;                   /* 0: never again */
    char *text;                             /* the address for people: "unix:/x,server=on" */
    char *unlink_path;                      /* the listening socket's file, ours to remove */
    GArray *addresses;                      /* SocketAddress, tried in turn */
    const StreamCodecType *codec_type;      /* NULL: plain bytes */
    TlsCreds *tls_creds;                    /* NULL: no TLS */
    char *tls_host;                         /* client: whom the server's certificate must name */
    /* where it stands: at most one of the sources is there */
    int listen_fd, fd;                      /* -1: none */
    guint address;                          /* the one being tried */
    GSource *source;                        /* a client arrives, a connect ends, try again */
    StreamCodec *codec;                     /* of this connection; changed under write_lock */
    TlsSession *tls;                        /* of this connection; gone only without out_fd */
    bool tls_warned;                        /* the last handshake failed, and that was said */
    int fds[FDS_MAX];                       /* came with the bytes, oldest first; where input() runs */
    unsigned n_fds;
} CharSocket;

static void socket_listen(CharSocket *sock);
static void socket_connect(CharSocket *sock);
static void socket_lost(CharSocket *sock);

static void stop_source(CharSocket *sock)
{
    if (sock->source != NULL) {
        g_source_destroy(sock->source);
        g_clear_pointer(&sock->source, g_source_unref);
    }
}

static void start_source(CharSocket *sock, GSource *source, GSourceFunc fn)
{
    stop_source(sock);
    sock->source = source;
    g_source_set_callback(source, fn, sock, NULL);
    g_source_attach(source, NULL);
}

/* ---- connected ---- */

static void set_codec(CharSocket *sock, StreamCodec *codec)
{
    g_mutex_lock(&sock->chr.write_lock);
    g_free(sock->codec);
    sock->codec = codec;
    g_mutex_unlock(&sock->chr.write_lock);
}

/* A codec without a greeting waits for the peer; until it is ready nobody is there. */
static void start_codec(CharSocket *sock)
{
    g_autoptr(GByteArray) greeting = g_byte_array_new();

    if (sock->codec_type == NULL) {
        return;
    }
    set_codec(sock, stream_codec_new(sock->codec_type));
    if (sock->codec_type->greet != NULL) {
        if (sock->server) {
            sock->codec_type->greet(greeting);
            chardev_io_write_raw(&sock->chr, greeting->data, greeting->len);
        }
        sock->codec->ready = true;
    }
}

static void socket_ready(CharSocket *sock)
{
    chardev_set_output(&sock->chr, sock->fd);
    chardev_watch_input(&sock->chr, sock->fd);
    start_codec(sock);
    chardev_set_open(&sock->chr, sock->codec == NULL || sock->codec->ready);
}

/* A peer that fails again and again is worth one line. */
static void tls_failed(CharSocket *sock, const GError *error)
{
    if (!sock->tls_warned) {
        report_warning("chardev '%s': %s: %s", sock->chr.label, sock->text, error->message);
    }
    sock->tls_warned = true;
    socket_lost(sock);
}

static void tls_done(void *opaque, const GError *error)
{
    CharSocket *sock = opaque;

    if (error != NULL) {
        tls_failed(sock, error);
        return;
    }
    sock->tls_warned = false;
    socket_ready(sock);
}

static void start_tls(CharSocket *sock)
{
    g_autoptr(GError) error = NULL;

    sock->tls = tls_session_new(sock->tls_creds, sock->fd, sock->tls_host, &error);
    if (sock->tls == NULL) {
        tls_failed(sock, error);
        return;
    }
    tls_session_start(sock->tls, tls_done, sock);
}

static void socket_connected(CharSocket *sock, int fd)
{
    int on = 1;

    stop_source(sock);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    if (sock->nodelay) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    sock->fd = fd;
    yank_set_fd(sock->chr.yank, fd);
    if (sock->tls_creds != NULL) {
        start_tls(sock);
    } else {
        socket_ready(sock);
    }
}

/* ---- descriptors of the peer (unix(7), SCM_RIGHTS) ---- */

static void drop_fds(CharSocket *sock)
{
    for (unsigned i = 0; i < sock->n_fds; i++) {
        close(sock->fds[i]);
    }
    sock->n_fds = 0;
}

/* New ones replace those that nobody took: they belong to bytes that are done with. */
static void keep_fds(CharSocket *sock, struct msghdr *msg)
{
    for (struct cmsghdr *head = CMSG_FIRSTHDR(msg); head != NULL; head = CMSG_NXTHDR(msg, head)) {
        if (head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS) {
            drop_fds(sock);
            sock->n_fds = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            memcpy(sock->fds, CMSG_DATA(head), sock->n_fds * sizeof(int));
        }
    }
}

/* As recv() and send() have it: -1 and errno. */
static ssize_t tls_result(ssize_t rc)
{
    if (rc < 0) {
        errno = rc == TLS_AGAIN ? EAGAIN : EPROTO;
        return -1;
    }
    return rc;
}

static ssize_t receive_with_fds(CharSocket *sock, uint8_t *buf, size_t room)
{
    char control[CMSG_SPACE(FDS_MAX * sizeof(int))] __attribute__((aligned(8)));
    struct iovec piece = { buf, room };
    struct msghdr msg = { .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control,
                          .msg_controllen = sizeof(control) };
    ssize_t got = recvmsg(sock->chr.in_fd, &msg, MSG_CMSG_CLOEXEC);

    if (got >= 0 && msg.msg_controllen > 0) {
        keep_fds(sock, &msg);
    }
    return got;
}

static ssize_t socket_read(CharSocket *sock, uint8_t *buf, size_t room)
{
    return sock->tls != NULL ? tls_result(tls_session_read(sock->tls, buf, room, NULL))
                             : receive_with_fds(sock, buf, room);
}

static bool socket_pending(Chardev *chr)
{
    CharSocket *sock = (CharSocket *)chr;

    return sock->tls != NULL && chr->in_fd >= 0 && chardev_can_deliver(chr) > 0 &&
           tls_session_pending(sock->tls) > 0;
}

static int socket_take_fd(Chardev *chr)
{
    CharSocket *sock = (CharSocket *)chr;
    int fd;

    if (sock->n_fds == 0) {
        return -1;
    }
    fd = sock->fds[0];
    memmove(sock->fds, sock->fds + 1, --sock->n_fds * sizeof(int));
    return fd;
}

static void socket_disconnect(CharSocket *sock)
{
    bool ready = sock->chr.out_fd >= 0;

    chardev_watch_input(&sock->chr, -1);
    chardev_set_output(&sock->chr, -1);
    if (sock->tls != NULL && ready) {
        tls_session_bye(sock->tls);
    }
    g_clear_pointer(&sock->tls, tls_session_free);
    drop_fds(sock);
    yank_set_fd(sock->chr.yank, -1);
    if (sock->fd >= 0) {
        close(sock->fd);
        sock->fd = -1;
    }
    set_codec(sock, NULL);
}

static gboolean reconnect_due(gpointer opaque)
{
    socket_connect(opaque);
    return G_SOURCE_REMOVE;
}

static void socket_lost(CharSocket *sock)
{
    socket_disconnect(sock);
    chardev_set_open(&sock->chr, false);
    if (sock->server && sock->listen_fd >= 0) {
        socket_listen(sock);
    } else if (sock->reconnect_s > 0) {
        start_source(sock, g_timeout_source_new_seconds(sock->reconnect_s), reconnect_due);
    }
}

static void socket_hangup(Chardev *chr)
{
    socket_lost((CharSocket *)chr);
}

static ssize_t send_some(CharSocket *sock, const uint8_t *buf, size_t len)
{
    return sock->tls != NULL ? tls_result(tls_session_write(sock->tls, buf, len, NULL))
                             : send(sock->fd, buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static size_t socket_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    size_t done = 0;

    if (chr->out_fd < 0) {
        return len;
    }
    while (done < len) {
        ssize_t put = send_some((CharSocket *)chr, buf + done, len - done);

        if (put >= 0) {
            done += MIN((size_t)put, len - done);
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            return len;                     /* the input side will see the end */
        }
    }
    return done;
}

/* ---- through a codec ---- */

static bool socket_encode(Chardev *chr, const uint8_t *buf, size_t len, GByteArray *out)
{
    CharSocket *sock = (CharSocket *)chr;

    if (sock->codec == NULL) {
        return false;
    }
    if (sock->codec->ready) {
        sock->codec->type->encode(buf, len, out);
    }
    return true;
}

/* Hands on what the bytes held; the peer gets its reply first. */
static void deliver_decoded(CharSocket *sock, const StreamDecoded *decoded)
{
    if (decoded->reply->len > 0) {
        chardev_io_write_raw(&sock->chr, decoded->reply->data, decoded->reply->len);
    }
    if (sock->codec->ready) {
        chardev_set_open(&sock->chr, true);
    }
    for (unsigned i = 0; i < decoded->breaks; i++) {
        chardev_deliver_event(&sock->chr, CHAR_EVENT_BREAK);
    }
    if (decoded->payload->len > 0) {
        chardev_deliver(&sock->chr, decoded->payload->data, decoded->payload->len);
    }
}

static bool socket_handshaking(const Chardev *chr)
{
    const CharSocket *sock = (const CharSocket *)chr;

    return sock->codec != NULL && !sock->codec->ready;
}

static void socket_input(Chardev *chr)
{
    CharSocket *sock = (CharSocket *)chr;
    uint8_t buf[4096];
    size_t room = MIN(chardev_can_deliver(chr), sizeof(buf));
    StreamDecoded decoded = { 0 };
    ssize_t got;
    bool ok;

    if (room == 0) {
        return;
    }
    got = socket_read(sock, buf, room);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            chardev_input_ended(chr);
        }
        return;
    }
    if (sock->codec == NULL) {
        chardev_deliver(chr, buf, got);
        return;
    }
    decoded.payload = g_byte_array_new();
    decoded.reply = g_byte_array_new();
    ok = sock->codec->type->decode(sock->codec, buf, got, &decoded);
    deliver_decoded(sock, &decoded);
    g_byte_array_unref(decoded.payload);
    g_byte_array_unref(decoded.reply);
    if (!ok) {
        chardev_drain(chr);
        socket_lost(sock);
    }
}

/* ---- server ---- */

static gboolean client_arrives(gint listen_fd, GIOCondition condition, gpointer opaque)
{
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

    if (fd >= 0) {
        socket_connected(opaque, fd);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static void socket_listen(CharSocket *sock)
{
    start_source(sock, g_unix_fd_source_new(sock->listen_fd, G_IO_IN),
                 G_SOURCE_FUNC(client_arrives));
}

/* wait=on: the machine is not built before somebody is there. */
static bool wait_for_client(CharSocket *sock, GError **error)
{
    struct pollfd pfd = { .fd = sock->listen_fd, .events = POLLIN };
    int fd;

    g_printerr("rhea: waiting for a connection to %s\n", sock->text);
    if (poll(&pfd, 1, -1) < 0 || (fd = accept4(sock->listen_fd, NULL, NULL, SOCK_CLOEXEC)) < 0) {
        set_errno_error(error, errno, "%s: no connection", sock->text);
        return false;
    }
    socket_connected(sock, fd);
    return true;
}

static bool socket_serve(CharSocket *sock, bool wait, GError **error)
{
    fcntl(sock->listen_fd, F_SETFL, fcntl(sock->listen_fd, F_GETFL) | O_NONBLOCK);
    fcntl(sock->listen_fd, F_SETFD, FD_CLOEXEC);
    if (wait) {
        return wait_for_client(sock, error);
    }
    socket_listen(sock);
    return true;
}

static bool open_server(CharSocket *sock, const CharOpts *opts, GError **error)
{
    const SocketAddress *address = &g_array_index(sock->addresses, SocketAddress, 0);
    uint64_t last_port = char_opts_number(opts, "to", 0);

    if (last_port > PORT_MAX) {
        set_error(error, "'to=%s' is no port: at most %d is expected",
                  char_opts_string(opts, "to"), PORT_MAX);
        return false;
    }
    sock->listen_fd = socket_address_listen(address, last_port, error);
    if (sock->listen_fd < 0) {
        return false;
    }
    if (address->addr.ss_family == AF_UNIX && !char_opts_bool(opts, "abstract", false)) {
        sock->unlink_path = g_strdup(char_opts_string(opts, "path"));
    }
    return socket_serve(sock, char_opts_bool(opts, "wait", true), error);
}

/* ---- client ---- */

static void connect_failed(CharSocket *sock)
{
    close(sock->fd);
    sock->fd = -1;
    if (++sock->address < sock->addresses->len) {
        socket_connect(sock);
        return;
    }
    start_source(sock, g_timeout_source_new_seconds(sock->reconnect_s), reconnect_due);
}

static gboolean connect_ends(gint fd, GIOCondition condition, gpointer opaque)
{
    CharSocket *sock = opaque;

    if (socket_connect_result(fd) == 0) {
        socket_connected(sock, fd);
    } else {
        connect_failed(sock);
    }
    return G_SOURCE_REMOVE;
}

/* Never waits; a failure tries the next address, then again in reconnect_s seconds. */
static void socket_connect(CharSocket *sock)
{
    const SocketAddress *address;

    if (sock->address >= sock->addresses->len) {
        sock->address = 0;
    }
    address = &g_array_index(sock->addresses, SocketAddress, sock->address);
    sock->fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (sock->fd < 0) {
        start_source(sock, g_timeout_source_new_seconds(sock->reconnect_s), reconnect_due);
    } else if (connect(sock->fd, (const struct sockaddr *)&address->addr, address->len) == 0) {
        socket_connected(sock, sock->fd);
    } else if (errno == EINPROGRESS) {
        start_source(sock, g_unix_fd_source_new(sock->fd, G_IO_OUT), G_SOURCE_FUNC(connect_ends));
    } else {
        connect_failed(sock);
    }
}

/* Without reconnect the peer has to be there now. */
static bool connect_now(CharSocket *sock, GError **error)
{
    int fd = -1, problem = 0;

    for (guint i = 0; i < sock->addresses->len && fd < 0; i++) {
        fd = socket_address_connect(&g_array_index(sock->addresses, SocketAddress, i));
        problem = errno;
    }
    if (fd < 0) {
        g_autofree char *name = NULL;

        name = socket_address_format(&g_array_index(sock->addresses, SocketAddress, 0));
        set_errno_error(error, problem, "Failed to connect to '%s'", name);
        return false;
    }
    socket_connected(sock, fd);
    return true;
}

static bool open_client(CharSocket *sock, GError **error)
{
    if (sock->reconnect_s == 0) {
        return connect_now(sock, error);
    }
    socket_connect(sock);
    return true;
}

/* ---- options ---- */

/* telnet=on or websocket=on; both or an unknown one is an error. */
static bool choose_codec(CharSocket *sock, const CharOpts *opts, GError **error)
{
    static const StreamCodecType *const codecs[] = { &telnet_codec_type, &websocket_codec_type };

    for (size_t i = 0; i < G_N_ELEMENTS(codecs); i++) {
        if (char_opts_bool(opts, codecs[i]->name, false)) {
            if (sock->codec_type != NULL) {
                set_error(error, "chardev: socket: 'telnet' and 'websocket' exclude each other");
                return false;
            }
            sock->codec_type = codecs[i];
        }
    }
    if (sock->codec_type == &websocket_codec_type && !sock->server) {
        set_error(error, "chardev: socket: 'websocket' is for servers: expected server=on");
        return false;
    }
    return true;
}

/* tls-creds=: for TCP alone, whose peers may be anywhere. */
static bool choose_tls(CharSocket *sock, const CharOpts *opts, GError **error)
{
    const char *id = char_opts_string(opts, "tls-creds"), *host = char_opts_string(opts, "host");

    if (id == NULL) {
        return true;
    }
    sock->tls_creds = tls_creds_find(id, sock->server ? TLS_ENDPOINT_SERVER : TLS_ENDPOINT_CLIENT,
                                     error);
    if (sock->tls_creds == NULL) {
        return false;
    }
    if (char_opts_string(opts, "path") != NULL) {
        set_error(error, "'tls_creds' option is incompatible with 'unix' address type");
        return false;
    }
    if (!sock->server && char_opts_string(opts, "fd") != NULL) {
        set_error(error, "'tls_creds' option is incompatible with 'fd' address type as client");
        return false;
    }
    sock->tls_host = g_strdup(host != NULL && *host != '\0' ? host : "localhost");
    return true;
}

static bool options_agree(const CharOpts *opts, GError **error)
{
    bool server = char_opts_bool(opts, "server", false);
    unsigned given = (char_opts_string(opts, "path") != NULL) +
                     (char_opts_string(opts, "fd") != NULL) +
                     (char_opts_string(opts, "host") != NULL ||
                      char_opts_string(opts, "port") != NULL);

    if (char_opts_bool(opts, "tn3270", false)) {
        set_error(error, "chardev: socket: tn3270 is not supported");
    } else if (char_opts_string(opts, "tls-authz") != NULL) {
        set_error(error, "chardev: socket: tls-authz is not supported: there are no authz "
                  "objects");
    } else if (given != 1) {
        set_error(error, "chardev: socket: exactly one of 'path', 'fd' or 'host' and 'port' is "
                  "needed");
    } else if (server && char_opts_number(opts, "reconnect", 0) > 0) {
        set_error(error, "'reconnect' option is incompatible with socket in server listen mode");
    } else if (!server && char_opts_string(opts, "wait") != NULL) {
        set_error(error, "'wait' option is incompatible with socket in client connect mode");
    } else if (char_opts_string(opts, "host") != NULL && char_opts_string(opts, "port") == NULL) {
        set_error(error, "chardev: socket: no port given");
    } else {
        return true;
    }
    return false;
}

/* A stream socket, listening for a server and connected for a client. */
static bool check_inherited(const CharSocket *sock, int fd, const char *text, GError **error)
{
    int kind = 0, listening = 0;
    socklen_t len = sizeof(kind);

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &len) != 0 || kind != SOCK_STREAM) {
        set_error(error, "File descriptor '%s' is not a stream socket", text);
        return false;
    }
    len = sizeof(listening);
    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len);
    if (sock->server != (listening != 0)) {
        set_error(error, "File descriptor '%s' is %sa listening socket", text,
                  listening ? "" : "not ");
        return false;
    }
    return true;
}

/* fd=: a socket somebody opened for us. */
static bool open_inherited(CharSocket *sock, const CharOpts *opts, GError **error)
{
    const char *text = char_opts_string(opts, "fd");
    int fd = passed_fd_take(text, error);

    if (fd < 0) {
        return false;
    }
    if (!check_inherited(sock, fd, text, error)) {
        passed_fd_drop(text, fd);
        return false;
    }
    sock->text = g_strdup_printf("fd:%s%s", text, sock->server ? ",server=on" : "");
    if (!sock->server) {
        socket_connected(sock, fd);
        return true;
    }
    sock->listen_fd = fd;
    return socket_serve(sock, char_opts_bool(opts, "wait", true), error);
}

static const char *protocol_name(const CharSocket *sock)
{
    return sock->codec_type != NULL ? sock->codec_type->name : "tcp";
}

static bool find_addresses(CharSocket *sock, const CharOpts *opts, GError **error)
{
    const char *path = char_opts_string(opts, "path"), *host = char_opts_string(opts, "host");
    const char *port = char_opts_string(opts, "port");
    bool abstract = char_opts_bool(opts, "abstract", false);
    bool tight = char_opts_bool(opts, "tight", true);

    if (path != NULL) {
        sock->text = g_strdup_printf("unix:%s%s%s%s", path, abstract ? ",abstract=on" : "",
                                     abstract && tight ? ",tight=on" : "",
                                     sock->server ? ",server=on" : "");
        return socket_address_unix(sock->addresses, path, abstract, tight, error);
    }
    sock->text = g_strdup_printf("%s:%s:%s%s", protocol_name(sock), host != NULL ? host : "", port,
                                 sock->server ? ",server=on" : "");
    return socket_address_tcp(sock->addresses, host, port, char_opts_string(opts, "ipv4"),
                              char_opts_string(opts, "ipv6"), sock->server, error);
}

static bool socket_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    CharSocket *sock = (CharSocket *)chr;

    sock->listen_fd = sock->fd = -1;
    sock->server = char_opts_bool(opts, "server", false);
    sock->nodelay = !char_opts_bool(opts, "delay", true) || char_opts_bool(opts, "nodelay", false);
    sock->reconnect_s = MIN(char_opts_number(opts, "reconnect", 0), 86400);
    sock->addresses = g_array_new(FALSE, TRUE, sizeof(SocketAddress));
    chr->yank = yank_add(YANK_CHARDEV, chr->label);
    if (!options_agree(opts, error) || !choose_codec(sock, opts, error) ||
        !choose_tls(sock, opts, error)) {
        return false;
    }
    if (char_opts_string(opts, "fd") != NULL) {
        return open_inherited(sock, opts, error);
    }
    if (!find_addresses(sock, opts, error)) {
        return false;
    }
    return sock->server ? open_server(sock, opts, error) : open_client(sock, error);
}

static void socket_close(Chardev *chr)
{
    CharSocket *sock = (CharSocket *)chr;

    stop_source(sock);
    if (sock->fd >= 0) {
        chardev_drain(chr);
    }
    socket_disconnect(sock);
    if (sock->listen_fd >= 0) {
        close(sock->listen_fd);
    }
    if (sock->unlink_path != NULL) {
        unlink(sock->unlink_path);
    }
    yank_remove(chr->yank);
    g_free(sock->unlink_path);
    g_free(sock->text);
    tls_creds_unref(sock->tls_creds);
    g_free(sock->tls_host);
    g_array_unref(sock->addresses);
}

static bool socket_input_can_move(const Chardev *chr)
{
    return ((const CharSocket *)chr)->codec_type == NULL;
}

static char *socket_filename(Chardev *chr)
{
    CharSocket *sock = (CharSocket *)chr;
    g_autofree char *ends = NULL;

    if (!chr->open) {
        return g_strconcat("disconnected:", sock->text, NULL);
    }
    ends = socket_ends_format(sock->fd, protocol_name(sock), sock->server);
    return ends != NULL ? g_steal_pointer(&ends) : g_strdup(sock->text);
}

static const CharOption socket_options[] = {
    { "path", CHAR_OPTION_STRING, "UNIX socket" },
    { "abstract", CHAR_OPTION_BOOL, "the path is a name in the abstract namespace" },
    { "tight", CHAR_OPTION_BOOL, "an abstract name is not padded to the full length" },
    { "host", CHAR_OPTION_STRING, "TCP host, or address to listen at" },
    { "port", CHAR_OPTION_STRING, "TCP port, a number or a service name" },
    { "to", CHAR_OPTION_NUMBER, "server: last port to try when the first is in use" },
    { "ipv4", CHAR_OPTION_BOOL, "use IPv4" },
    { "ipv6", CHAR_OPTION_BOOL, "use IPv6" },
    { "fd", CHAR_OPTION_STRING, "a socket inherited from the parent process" },
    { "server", CHAR_OPTION_BOOL, "listen instead of connecting" },
    { "wait", CHAR_OPTION_BOOL, "server: start only when a client is there" },
    { "reconnect", CHAR_OPTION_NUMBER, "client: seconds until the next try after losing the peer" },
    { "nodelay", CHAR_OPTION_BOOL, "send small pieces at once (TCP_NODELAY)" },
    { "delay", CHAR_OPTION_BOOL, "the opposite of nodelay" },
    { "telnet", CHAR_OPTION_BOOL, "speak the telnet protocol" },
    { "websocket", CHAR_OPTION_BOOL, "server: speak the WebSocket protocol" },
    { "tn3270", CHAR_OPTION_BOOL, "not supported" },
    { "tls-creds", CHAR_OPTION_STRING, "TCP: speak TLS with these credentials" },
    { "tls-authz", CHAR_OPTION_STRING, "not supported" },
    {}
};

const ChardevType chardev_socket_type = {
    .name = "socket", .options = socket_options, .size = sizeof(CharSocket),
    .open = socket_open, .close = socket_close, .write = socket_write, .encode = socket_encode,
    .input = socket_input, .input_can_move = socket_input_can_move, .take_fd = socket_take_fd,
    .pending = socket_pending, .handshaking = socket_handshaking, .hangup = socket_hangup,
    .filename = socket_filename,
};
