/* Addresses, descriptors and lists as -netdev spells them. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend.h"
#include "passed_fd.h"
#include "sizes.h"

bool net_address_parse_host(struct in_addr *address, const char *text, GError **error)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM };
    struct addrinfo *found;

    if (*text == '\0') {
        address->s_addr = htonl(INADDR_ANY);
        return true;
    }
    if (getaddrinfo(text, NULL, &hints, &found) != 0) {
        set_error(error, "can't resolve host address '%s'", text);
        return false;
    }
    *address = ((const struct sockaddr_in *)found->ai_addr)->sin_addr;
    freeaddrinfo(found);
    return true;
}

bool net_address_parse(NetAddress *address, const char *text, GError **error)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&address->addr;
    const char *colon = strrchr(text, ':');
    g_autofree char *host = NULL;
    uint64_t port;

    if (colon == NULL) {
        set_error(error, "host address '%s' doesn't contain ':' separating host from port", text);
        return false;
    }
    if (!parse_uint(colon + 1, 65535, &port, NULL)) {
        set_error(error, "port number '%s' is invalid", colon + 1);
        return false;
    }
    host = g_strndup(text, colon - text);
    *address = (NetAddress){ .len = sizeof(*in) };
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    return net_address_parse_host(&in->sin_addr, host, error);
}

static char *format_unix(const struct sockaddr_un *un, socklen_t len)
{
    size_t head = offsetof(struct sockaddr_un, sun_path);
    bool abstract = len > head && un->sun_path[0] == '\0';

    return len <= head ? g_strdup("")
                       : g_strndup(un->sun_path + abstract, len - head - abstract);
}

char *net_address_format(const NetAddress *address)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (address->addr.ss_family == AF_UNIX) {
        return format_unix((const struct sockaddr_un *)&address->addr, address->len);
    }
    if (getnameinfo((const struct sockaddr *)&address->addr, address->len, host, sizeof(host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return g_strdup("?");
    }
    return g_strdup_printf(address->addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

int net_inherited_fd(const char *netdev, const char *text, GError **error)
{
    int fd = passed_fd_take(text, error);

    if (fd < 0) {
        error_add_hint(error, "The number of a descriptor the parent process left open, or the "
                       "name of one that a monitor was given, is expected");
        return -1;
    }
    if (fcntl(fd, F_GETFD) < 0) {
        set_errno_error(error, errno, "%s: Can't use file descriptor %d", netdev, fd);
        return -1;
    }
    return net_fd_set_nonblocking(fd, error) ? fd : -1;
}

bool net_fd_set_nonblocking(int fd, GError **error)
{
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
        fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) == 0) {
        return true;
    }
    set_errno_error(error, errno, "Can't use file descriptor %d", fd);
    return false;
}

/* "KEY", "KEY.3", "KEY.3.str": how one value of a list is spelt on the command line or in JSON. */
static bool is_item(const char *key, const char *name)
{
    size_t len = strlen(name), digits;

    if (strncmp(key, name, len) != 0) {
        return false;
    }
    if (key[len] == '\0') {
        return true;
    }
    digits = key[len] == '.' ? strspn(key + len + 1, "0123456789") : 0;
    return digits > 0 && (key[len + 1 + digits] == '\0' ||
                          g_str_equal(key + len + 1 + digits, ".str"));
}

GPtrArray *net_take_list(KeyVal *kv, const char *key)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);

    keyval_get(kv, key);
    keyval_free(keyval_take_prefix(kv, key));
    for (size_t i = 0; i < keyval_count(kv); i++) {
        if (is_item(keyval_key(kv, i), key)) {
            g_ptr_array_add(list, g_strdup(keyval_value(kv, i)));
        }
    }
    return list;
}
