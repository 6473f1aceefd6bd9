/* Sockets of VNC servers.  See vnc_listen.h. */
#include "vnc_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rhea_error.h"
#include "sizes.h"
#include "socket_address.h"

enum { BACKLOG = 64, PAUSE_MS = 500 };      /* connections that wait; without descriptors */

/* ---- addresses ---- */

static void unix_address(VncAddress *address, const struct sockaddr_storage *addr, socklen_t len)
{
    SocketAddress at = { .addr = *addr, .len = len };

    address->host = g_strdup("");
    address->service = socket_address_format(&at);
    address->family = g_strdup("unix");
}

void vnc_address_of(VncAddress *address, int fd, bool peer)
{
    struct sockaddr_storage addr = {};
    socklen_t len = sizeof(addr);
    char host[NI_MAXHOST] = "?", service[NI_MAXSERV] = "?";

    *address = (VncAddress){};
    if ((peer ? getpeername : getsockname)(fd, (struct sockaddr *)&addr, &len) != 0) {
        len = 0;
    } else if (addr.ss_family == AF_UNIX) {
        unix_address(address, &addr, len);
        return;
    } else {
        getnameinfo((struct sockaddr *)&addr, len, host, sizeof(host), service, sizeof(service),
                    NI_NUMERICHOST | NI_NUMERICSERV);
    }
    address->host = g_strdup(host);
    address->service = g_strdup(service);
    address->family = g_strdup(addr.ss_family == AF_INET    ? "ipv4"
                               : addr.ss_family == AF_INET6 ? "ipv6" : "unknown");
}

void vnc_address_copy(VncAddress *to, const VncAddress *from)
{
    *to = (VncAddress){ .host = g_strdup(from->host), .service = g_strdup(from->service),
                        .family = g_strdup(from->family), .websocket = from->websocket };
}

void vnc_address_clear(VncAddress *address)
{
    g_free((char *)address->host);
    g_free((char *)address->service);
    g_free((char *)address->family);
    *address = (VncAddress){};
}

static bool is_loopback(int fd)
{
    struct sockaddr_storage addr = {};
    socklen_t len = sizeof(addr);

    if (getsockname(fd, (struct sockaddr *)&addr, &len) != 0) {
        return false;
    }
    switch (addr.ss_family) {
    case AF_INET:
        return ntohl(((struct sockaddr_in *)&addr)->sin_addr.s_addr) >> 24 == 127;
    case AF_INET6:
        return IN6_IS_ADDR_LOOPBACK(&((struct sockaddr_in6 *)&addr)->sin6_addr);
    default:
        return true;
    }
}

/* ---- places ---- */

static bool parse_port(const char *text, unsigned base, unsigned *port, GError **error)
{
    uint64_t number;
    char *end;

    number = g_ascii_strtoull(text, &end, 10);
    if (!g_ascii_isdigit(*text) || *end != '\0') {
        set_error(error, "can't convert to a number: %s", text);
        return false;
    }
    if (number > 65535 - base) {
        set_error(error, "port %s out of range", text);
        if (base != 0) {
            error_add_hint(error, "It is a display number: port %u is display 0, and %u the last "
                           "one.", base, 65535 - base);
        }
        return false;
    }
    *port = base + number;
    return true;
}

bool vnc_place_parse(VncPlace *place, const char *text, unsigned port_base, unsigned last_display,
                     GError **error)
{
    const char *colon = strrchr(text, ':');
    size_t host_len;

    if (g_str_has_prefix(text, "unix:")) {
        place->path = g_strdup(text + strlen("unix:"));
        if (*place->path == '\0') {
            set_error(error, "a path is missing behind 'unix:'");
        }
        return *place->path != '\0';
    }
    if (colon == NULL) {
        set_error(error, "no vnc port specified");
        error_add_hint(error, "HOST:DISPLAY, :DISPLAY, unix:PATH or none is expected");
        return false;
    }
    if (!parse_port(colon + 1, port_base, &place->port, error)) {
        return false;
    }
    place->last_port = MAX(place->port, MIN(port_base + last_display, 65535u));
    host_len = colon - text;
    if (host_len >= 2 && text[0] == '[' && colon[-1] == ']') {
        text++;
        host_len -= 2;
    }
    place->host = g_strndup(text, host_len);
    return true;
}

void vnc_place_finish(VncPlace *place)
{
    g_clear_pointer(&place->path, g_free);
    g_clear_pointer(&place->host, g_free);
}

/* Which loopback "" is. */
static const char *place_host(const VncPlace *place)
{
    bool v4 = g_strcmp0(place->ipv4, "on") == 0;

    if (*place->host != '\0') {
        return place->host;
    }
    return g_strcmp0(place->ipv4, "off") == 0 || (!v4 && g_strcmp0(place->ipv6, "on") == 0)
               ? "::1" : "127.0.0.1";
}

char *vnc_place_format(const VncPlace *place)
{
    const char *host = place->path == NULL ? place_host(place) : NULL;
    bool bracket = host != NULL && strchr(host, ':') != NULL;

    return place->path != NULL ? g_strdup(place->path)
                               : g_strdup_printf("%s%s%s:%u", bracket ? "[" : "", host,
                                                 bracket ? "]" : "", place->port);
}

/* SocketAddress of the place at that port; NULL: an error. */
static GArray *resolve(const VncPlace *place, unsigned port, bool passive, GError **error)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(SocketAddress));
    g_autofree char *service = g_strdup_printf("%u", port);

    if (place->path != NULL ? !socket_address_unix(list, place->path, false, true, error)
                            : !socket_address_tcp(list, place_host(place), service, place->ipv4,
                                                  place->ipv6, passive, error)) {
        g_array_unref(list);
        return NULL;
    }
    return list;
}

/* ---- listening ---- */

static gboolean on_connection(gint fd, GIOCondition condition, gpointer opaque);

static void listener_watch(VncListener *listener)
{
    listener->source = g_unix_fd_add(listener->fd, G_IO_IN, on_connection, listener);
}

static gboolean on_pause_over(gpointer opaque)
{
    listener_watch(opaque);
    return G_SOURCE_REMOVE;
}

/* Without a descriptor to spare the connection stays where it is, and is asked for later. */
static gboolean on_connection(gint fd, GIOCondition condition, gpointer opaque)
{
    VncListener *listener = opaque;
    int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

    if (peer >= 0) {
        listener->accepted(listener->opaque, listener, peer);
        return G_SOURCE_CONTINUE;
    }
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) {
        return G_SOURCE_CONTINUE;
    }
    listener->source = g_timeout_add(PAUSE_MS, on_pause_over, listener);
    return G_SOURCE_REMOVE;
}

void vnc_listener_free(VncListener *listener)
{
    if (listener->source != 0) {
        g_source_remove(listener->source);
    }
    close(listener->fd);
    if (listener->unlink_path != NULL) {
        unlink(listener->unlink_path);
    }
    g_free(listener->unlink_path);
    vnc_address_clear(&listener->address);
    g_free(listener);
}

static VncListener *listener_new(const VncPlace *place, int fd)
{
    VncListener *listener = g_new0(VncListener, 1);

    listen(fd, BACKLOG);
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    listener->fd = fd;
    listener->unlink_path = g_strdup(place->path);
    listener->loopback = is_loopback(fd);
    vnc_address_of(&listener->address, fd, false);
    listener->address.websocket = place->websocket;
    return listener;
}

/*
 * Listens at all addresses the place has with that port.  An address this host does not have is no
 * matter as long as there is another.  NULL and *in_use: the next port may be free.
 */
static GPtrArray *listen_port(const VncPlace *place, unsigned port, bool *in_use, GError **error)
{
    g_autoptr(GPtrArray) list =
        g_ptr_array_new_with_free_func((GDestroyNotify)vnc_listener_free);
    g_autoptr(GArray) addresses = resolve(place, port, true, error);
    g_autoptr(GError) why = NULL;

    *in_use = false;
    for (guint i = 0; addresses != NULL && i < addresses->len; i++) {
        const SocketAddress *address = &g_array_index(addresses, SocketAddress, i);
        int fd;

        g_clear_error(&why);
        fd = socket_address_listen(address, port, &why);
        if (fd >= 0) {
            g_ptr_array_add(list, listener_new(place, fd));
        } else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) {
            *in_use = errno == EADDRINUSE;
            g_propagate_error(error, g_steal_pointer(&why));
            return NULL;
        }
    }
    if (list->len > 0) {
        return g_steal_pointer(&list);
    }
    if (why != NULL) {
        g_propagate_error(error, g_steal_pointer(&why));
    }
    return NULL;
}

bool vnc_listen(GPtrArray *listeners, const VncPlace *place,
                void (*accepted)(void *opaque, VncListener *listener, int fd), void *opaque,
                GError **error)
{
    g_autoptr(GPtrArray) list = NULL;
    g_autoptr(GError) why = NULL;
    unsigned port = place->port;
    bool in_use = true;

    while (list == NULL && in_use && port <= MAX(place->last_port, place->port)) {
        g_clear_error(&why);
        list = listen_port(place, port++, &in_use, &why);
    }
    if (list == NULL) {
        if (in_use && place->last_port > place->port) {
            error_add_hint(&why, "So are the others, up to %u.", place->last_port);
        }
        g_propagate_error(error, g_steal_pointer(&why));
        return false;
    }
    for (guint i = 0; i < list->len; i++) {
        VncListener *listener = g_ptr_array_index(list, i);

        listener->accepted = accepted;
        listener->opaque = opaque;
        listener_watch(listener);
    }
    g_ptr_array_extend_and_steal(listeners, g_steal_pointer(&list));
    return true;
}

int vnc_connect(const VncPlace *place, GError **error)
{
    g_autoptr(GArray) addresses = resolve(place, place->port, false, error);
    g_autofree char *name = vnc_place_format(place);
    int problem = 0;

    for (guint i = 0; addresses != NULL && i < addresses->len; i++) {
        int fd = socket_address_connect(&g_array_index(addresses, SocketAddress, i));

        if (fd >= 0) {
            return fd;
        }
        problem = errno;
    }
    if (addresses != NULL) {
        set_errno_error(error, problem, "Failed to connect to '%s'", name);
    }
    return -1;
}
