/* Packets as datagrams, UDP or UNIX. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend.h"

static void link_resume(NetClient *client, void *opaque)
{
    net_watch_set(&((DatagramLink *)opaque)->watch, G_IO_IN, true);
}

static void link_read(DatagramLink *link)
{
    uint8_t buf[NET_MAX_PACKET];

    for (unsigned n = 0; n < NET_READ_BUDGET; n++) {
        ssize_t got = recv(link->fd, buf, sizeof(buf), MSG_DONTWAIT);
        struct iovec iov = { buf, got };

        if (got < 0) {
            return;                         /* nothing there; or an earlier packet's error */
        }
        if (!net_send(link->client, &iov, 1, link_resume, link)) {
            net_watch_set(&link->watch, G_IO_IN, false);
            return;
        }
    }
}

static void link_ready(void *opaque, GIOCondition condition)
{
    DatagramLink *link = opaque;

    if (condition & G_IO_OUT) {
        net_watch_set(&link->watch, G_IO_OUT, false);
        net_flush(link->client);
    }
    if (condition & ~G_IO_OUT) {
        link_read(link);
    }
}

void datagram_link_open(DatagramLink *link, NetClient *client, int fd)
{
    link->client = client;
    link->fd = fd;
    net_watch_init(&link->watch, fd, link_ready, link);
    net_watch_set(&link->watch, G_IO_IN, true);
}

void datagram_link_close(DatagramLink *link)
{
    net_watch_finish(&link->watch);
    close(link->fd);
}

ssize_t datagram_link_send(DatagramLink *link, const struct iovec *iov, unsigned niov, size_t len)
{
    struct msghdr msg = { .msg_iov = (struct iovec *)iov, .msg_iovlen = niov };
    ssize_t put;

    if (link->to_len > 0) {
        msg.msg_name = &link->to;
        msg.msg_namelen = link->to_len;
    }
    do {
        put = sendmsg(link->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (put < 0 && errno == EINTR);
    if (put < 0 && errno == EAGAIN) {
        net_watch_set(&link->watch, G_IO_OUT, true);
        return 0;
    }
    return len;                             /* nobody listens, or too long for them: lost */
}

/* ---- sockets ---- */

static int bind_socket(int family, const void *addr, socklen_t len)
{
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1, problem;

    if (fd < 0) {
        return -1;
    }
    if (family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (bind(fd, addr, len) == 0) {
        return fd;
    }
    problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

int datagram_socket_bound(const NetAddress *local, GError **error)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&local->addr;
    int fd;

    if (local->addr.ss_family == AF_UNIX && un->sun_path[0] != '\0') {
        unlink(un->sun_path);
    }
    fd = bind_socket(local->addr.ss_family, &local->addr, local->len);
    if (fd < 0) {
        int problem = errno;
        g_autofree char *name = net_address_format(local);

        set_errno_error(error, problem, "can't bind %s to socket", name);
    }
    return fd;
}

int datagram_socket_group(const NetAddress *group, struct in_addr interface, GError **error)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)&group->addr;
    struct ip_mreq member = { .imr_multiaddr = in->sin_addr, .imr_interface = interface };
    int on = 1, fd;

    if (group->addr.ss_family != AF_INET || !IN_MULTICAST(ntohl(in->sin_addr.s_addr))) {
        g_autofree char *name = net_address_format(group);

        set_error(error, "%s is not a multicast address (224.0.0.0 to 239.255.255.255)", name);
        return -1;
    }
    fd = datagram_socket_bound(group, error);
    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof(member)) != 0 ||
        setsockopt(fd, IPPROTO_IP, IP_MULTICAST_LOOP, &on, sizeof(on)) != 0 ||
        (interface.s_addr != 0 &&
         setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &interface, sizeof(interface)) != 0)) {
        set_errno_error(error, errno, "can't join the multicast group");
        close(fd);
        return -1;
    }
    return fd;
}
