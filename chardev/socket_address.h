/* Addresses of stream sockets: from options, and as people read them.  Main thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/socket.h>

typedef struct SocketAddress {
    struct sockaddr_storage addr;
    socklen_t len;
} SocketAddress;

/* A number above is refused, where getaddrinfo() would take its lower 16 bits. */
enum { PORT_MAX = 65535 };
bool socket_port_check(const char *port, GError **error);

/* Both append to an array of SocketAddress. */
bool socket_address_unix(GArray *list, const char *path, bool abstract, bool tight, GError **error);
/* ipv4 and ipv6 are "on", "off" or NULL as the user said. `passive`: for listening. */
bool socket_address_tcp(GArray *list, const char *host, const char *port, const char *ipv4,
                        const char *ipv6, bool passive, GError **error);

/* A listening descriptor, or -1 and errno.  A port in use moves on up to `last_port`. */
int socket_address_listen(const SocketAddress *address, unsigned last_port, GError **error);
/* Waits for the connection; -1 and errno on failure. */
int socket_address_connect(const SocketAddress *address);
/* How a connect() that did not wait ended: 0 or its errno. */
int socket_connect_result(int fd);

char *socket_address_format(const SocketAddress *address);      /* "127.0.0.1:80", "/run/x" */
/*
 * "PROTOCOL:LOCAL,server=on <-> PEER", "unix:PATH,server=on"; NULL for another kind of socket.
 * `protocol`: "tcp", "telnet".
 */
char *socket_ends_format(int fd, const char *protocol, bool server);
