/* Addresses of stream sockets. */
#include "socket_address.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "rhea_error.h"
#include "sizes.h"

bool socket_address_unix(GArray *list, const char *path, bool abstract, bool tight, GError **error)
{
    SocketAddress address = { .addr.ss_family = AF_UNIX, .len = sizeof(struct sockaddr_un) };
    struct sockaddr_un *un = (struct sockaddr_un *)&address.addr;
    size_t len = strlen(path), room = sizeof(un->sun_path) - 1;

    if (len > room) {
        set_error(error, "UNIX socket path '%s' is too long", path);
        error_add_hint(error, "Path must be less than %zu bytes", room + 1);
        return false;
    }
    memcpy(un->sun_path + abstract, path, len);
    if (abstract && tight) {
        address.len = offsetof(struct sockaddr_un, sun_path) + 1 + len;
    }
    g_array_append_val(list, address);
    return true;
}

static int wanted_family(const char *ipv4, const char *ipv6)
{
    bool v4, v6;

    if (ipv4 == NULL && ipv6 == NULL) {
        return AF_UNSPEC;
    }
    v4 = ipv4 != NULL && parse_bool(ipv4, &v4, NULL) && v4;
    v6 = ipv6 != NULL && parse_bool(ipv6, &v6, NULL) && v6;
    if (v4 == v6) {
        return AF_UNSPEC;
    }
    if (ipv4 != NULL) {
        return v4 ? AF_INET : AF_INET6;
    }
    return v6 ? AF_INET6 : AF_INET;
}

bool socket_port_check(const char *port, GError **error)
{
    if (port == NULL || *port == '\0' || port[strspn(port, "0123456789")] != '\0' ||
        g_ascii_strtoull(port, NULL, 10) <= PORT_MAX) {
        return true;                        /* a service's name is getaddrinfo()'s business */
    }
    set_error(error, "'%s' is no port: at most %d is expected", port, PORT_MAX);
    return false;
}

bool socket_address_tcp(GArray *list, const char *host, const char *port, const char *ipv4,
                        const char *ipv6, bool passive, GError **error)
{
    struct addrinfo hints = { .ai_family = wanted_family(ipv4, ipv6), .ai_socktype = SOCK_STREAM,
                              .ai_flags = passive ? AI_PASSIVE : 0 };
    const char *name = host != NULL && *host != '\0' ? host : NULL;
    struct addrinfo *found;
    int rc;

    if (!socket_port_check(port, error)) {
        return false;
    }
    rc = getaddrinfo(name, port, &hints, &found);
    if (rc != 0) {
        set_error(error, "address resolution failed for %s:%s: %s", host != NULL ? host : "", port,
                  gai_strerror(rc));
        return false;
    }
    for (struct addrinfo *ai = found; ai != NULL; ai = ai->ai_next) {
        SocketAddress address = { .len = ai->ai_addrlen };

        memcpy(&address.addr, ai->ai_addr, ai->ai_addrlen);
        g_array_append_val(list, address);
    }
    freeaddrinfo(found);
    return true;
}

static in_port_t *port_field(SocketAddress *address)
{
    if (address->addr.ss_family == AF_INET6) {
        return &((struct sockaddr_in6 *)&address->addr)->sin6_port;
    }
    return &((struct sockaddr_in *)&address->addr)->sin_port;
}

static int listen_at(const SocketAddress *address)
{
    int fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1, problem;

    if (fd < 0) {
        return -1;
    }
    if (address->addr.ss_family == AF_UNIX) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)&address->addr;

        if (un->sun_path[0] != '\0') {
            unlink(un->sun_path);
        }
    } else {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    }
    if (bind(fd, (const struct sockaddr *)&address->addr, address->len) == 0 &&
        listen(fd, 1) == 0) {
        return fd;
    }
    problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

int socket_address_listen(const SocketAddress *address, unsigned last_port, GError **error)
{
    SocketAddress at = *address;
    int fd = listen_at(&at);

    while (fd < 0 && errno == EADDRINUSE && at.addr.ss_family != AF_UNIX &&
           ntohs(*port_field(&at)) < MIN(last_port, PORT_MAX)) {
        *port_field(&at) = htons(ntohs(*port_field(&at)) + 1);
        fd = listen_at(&at);
    }
    if (fd < 0) {
        int problem = errno;
        g_autofree char *name = socket_address_format(address);

        set_errno_error(error, problem, "Failed to bind socket to %s", name);
        errno = problem;
    }
    return fd;
}

int socket_address_connect(const SocketAddress *address)
{
    int fd = socket(address->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int problem;

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address->addr, address->len) == 0) {
        return fd;
    }
    problem = errno;
    close(fd);
    errno = problem;
    return -1;
}

/* An IPv6 address stands in brackets before its port. */
static char *format_ip(const struct sockaddr *addr, socklen_t len)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (getnameinfo(addr, len, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return g_strdup("?");
    }
    return addr->sa_family == AF_INET6 ? g_strdup_printf("[%s]:%s", host, port)
                                       : g_strdup_printf("%s:%s", host, port);
}

static char *format_unix(const struct sockaddr_un *un, socklen_t len)
{
    size_t used = len > offsetof(struct sockaddr_un, sun_path)
                      ? len - offsetof(struct sockaddr_un, sun_path) : 0;

    if (used > 0 && un->sun_path[0] == '\0') {
        return g_strndup(un->sun_path + 1, used - 1);
    }
    return g_strndup(un->sun_path, used);
}

int socket_connect_result(int fd)
{
    int problem = 0;
    socklen_t len = sizeof(problem);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &problem, &len) == 0 ? problem : errno;
}

char *socket_address_format(const SocketAddress *address)
{
    if (address->addr.ss_family == AF_UNIX) {
        return format_unix((const struct sockaddr_un *)&address->addr, address->len);
    }
    return format_ip((const struct sockaddr *)&address->addr, address->len);
}

char *socket_ends_format(int fd, const char *protocol, bool server)
{
    SocketAddress local = { .len = sizeof(local.addr) }, peer = { .len = sizeof(peer.addr) };
    const char *role = server ? ",server=on" : "";
    g_autofree char *local_text = NULL, *peer_text = NULL;

    if (getsockname(fd, (struct sockaddr *)&local.addr, &local.len) != 0 ||
        getpeername(fd, (struct sockaddr *)&peer.addr, &peer.len) != 0) {
        return NULL;
    }
    local_text = socket_address_format(&local);
    peer_text = socket_address_format(&peer);
    switch (local.addr.ss_family) {
    case AF_UNIX:
        return g_strdup_printf("unix:%s%s", server ? local_text : peer_text, role);
    case AF_INET:
    case AF_INET6:
        return g_strdup_printf("%s:%s%s <-> %s", protocol, local_text, role, peer_text);
    default:
        return NULL;
    }
}
