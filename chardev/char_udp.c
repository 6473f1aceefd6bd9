/* Datagrams to one address; each write is one datagram, input is the bytes of those that arrive. */
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"
#include "socket_address.h"

typedef struct CharUdp {
    Chardev chr;
    uint8_t buf[65536];                     /* the datagram being handed on */
    size_t len, done;
} CharUdp;

static struct addrinfo *udp_resolve(const char *host, const char *port, int family, int flags,
                                    GError **error)
{
    struct addrinfo hints = { .ai_family = family, .ai_socktype = SOCK_DGRAM, .ai_flags = flags };
    struct addrinfo *list;
    int rc = getaddrinfo(host, port, &hints, &list);

    if (rc != 0) {
        set_error(error, "address resolution failed for %s:%s: %s", host != NULL ? host : "", port,
                  gai_strerror(rc));
        return NULL;
    }
    return list;
}

static int udp_socket(const struct addrinfo *local, const struct addrinfo *peer, GError **error)
{
    int fd = socket(peer->ai_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd < 0) {
        set_errno_error(error, errno, "Failed to create socket");
        return -1;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, local->ai_addr, local->ai_addrlen) != 0) {
        set_errno_error(error, errno, "Failed to bind socket");
    } else if (connect(fd, peer->ai_addr, peer->ai_addrlen) != 0) {
        set_errno_error(error, errno, "Failed to connect socket");
    } else {
        return fd;
    }
    close(fd);
    return -1;
}

static bool udp_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    const char *host = char_opts_string(opts, "host"), *port = char_opts_string(opts, "port");
    const char *local_host = char_opts_string(opts, "localaddr");
    const char *local_port = char_opts_string(opts, "localport");
    int family = char_opts_bool(opts, "ipv6", false) ? AF_INET6
               : char_opts_bool(opts, "ipv4", false) ? AF_INET : AF_UNSPEC;
    struct addrinfo *peer, *local;
    int fd = -1;

    if (port == NULL || *port == '\0') {
        set_error(error, "chardev: udp: remote port not specified");
        return false;
    }
    if (!socket_port_check(port, error) || !socket_port_check(local_port, error)) {
        return false;
    }
    peer = udp_resolve(host != NULL ? host : "localhost", port, family, 0, error);
    if (peer == NULL) {
        return false;
    }
    local = udp_resolve(local_host, local_port != NULL ? local_port : "0", peer->ai_family,
                        AI_PASSIVE, error);
    if (local != NULL) {
        fd = udp_socket(local, peer, error);
        freeaddrinfo(local);
    }
    freeaddrinfo(peer);
    if (fd < 0) {
        return false;
    }
    chr->out_fd = fd;
    chardev_watch_input(chr, fd);
    chr->open = true;
    return true;
}

static size_t udp_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    size_t piece = MIN(len, 65507);         /* largest UDP payload over IPv4: RFC 768, RFC 791 */
    ssize_t put = send(chr->out_fd, buf, piece, MSG_NOSIGNAL);

    return put < 0 && errno == EAGAIN ? 0 : piece;
}

static bool udp_pending(Chardev *chr)
{
    CharUdp *udp = (CharUdp *)chr;

    return udp->done < udp->len && chardev_can_deliver(chr) > 0;
}

static void udp_input(Chardev *chr)
{
    CharUdp *udp = (CharUdp *)chr;
    size_t room;

    if (udp->done == udp->len) {
        ssize_t got = recv(chr->in_fd, udp->buf, sizeof(udp->buf), 0);

        udp->done = 0;
        udp->len = got > 0 ? got : 0;
    }
    room = MIN(chardev_can_deliver(chr), udp->len - udp->done);
    if (room > 0) {
        udp->done += room;
        chardev_deliver(chr, udp->buf + udp->done - room, room);
    }
}

static const CharOption udp_options[] = {
    { "host", CHAR_OPTION_STRING, "where datagrams go (localhost)" },
    { "port", CHAR_OPTION_STRING, "its port" },
    { "localaddr", CHAR_OPTION_STRING, "address to receive at" },
    { "localport", CHAR_OPTION_STRING, "port to receive at" },
    { "ipv4", CHAR_OPTION_BOOL, "use IPv4" },
    { "ipv6", CHAR_OPTION_BOOL, "use IPv6" },
    {}
};

const ChardevType chardev_udp_type = {
    .name = "udp", .options = udp_options, .size = sizeof(CharUdp),
    .open = udp_open, .close = chardev_close_fds, .write = udp_write, .input = udp_input,
    .pending = udp_pending,
};
