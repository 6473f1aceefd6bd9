/* nbd: connecting and the fixed newstyle handshake (NBD protocol, "Fixed newstyle negotiation"). */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "nbd_internal.h"
#include "rhea_error.h"

#define HANDSHAKE_SECONDS 10
#define MAX_REPLY       (64u << 10)     /* of one option: more is no sensible server */
#define MAX_REPLIES     64

#define NBD_MAGIC       UINT64_C(0x4e42444d41474943)
#define IHAVEOPT        UINT64_C(0x49484156454f5054)
#define REPLY_MAGIC     UINT64_C(0x0003e889045565a9)

enum { FLAG_FIXED_NEWSTYLE = 1, FLAG_NO_ZEROES = 2 };
enum { OPT_EXPORT_NAME = 1, OPT_GO = 7 };
enum { REP_ACK = 1, REP_INFO = 3 };
#define REP_ERROR       0x80000000u
enum { INFO_EXPORT = 0, INFO_BLOCK_SIZE = 3 };

/* ---- bytes ---- */

/* 0 when `fd` is ready for `events` in time. */
static int wait_ready(int fd, short events, const NbdPatience *patience)
{
    struct pollfd entries[] = { { .fd = fd, .events = events },
                                { .fd = patience->cancel_fd, .events = POLLIN } };
    int64_t left = patience->deadline_us - g_get_monotonic_time();
    int n;

    do {
        n = left > 0 ? poll(entries, G_N_ELEMENTS(entries), left / 1000 + 1) : 0;
    } while (n < 0 && errno == EINTR);
    return n == 0 ? -ETIMEDOUT : n < 0 ? -errno : entries[1].revents != 0 ? -ECANCELED : 0;
}

int nbd_read_all(int fd, void *buf, size_t len, const NbdPatience *patience)
{
    for (char *at = buf; len > 0;) {
        int ret = patience != NULL ? wait_ready(fd, POLLIN, patience) : 0;
        ssize_t n = ret == 0 ? recv(fd, at, len, 0) : ret;

        if (ret < 0) {
            return ret;
        }
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? -EPIPE : errno == EAGAIN ? -ETIMEDOUT : -errno;
        }
        at += n;
        len -= n;
    }
    return 0;
}

int nbd_write_all(int fd, const void *buf, size_t len)
{
    for (const char *at = buf; len > 0;) {
        ssize_t n = send(fd, at, len, MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return errno == EAGAIN ? -ETIMEDOUT : -errno;
        }
        at += n;
        len -= n;
    }
    return 0;
}

/* ---- the socket ---- */

static void set_timeout(int fd, int seconds)
{
    struct timeval time = { .tv_sec = seconds };

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof(time));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof(time));
}

static int connect_in_time(int fd, const struct sockaddr *address, socklen_t len,
                           const NbdPatience *patience)
{
    int err = connect(fd, address, len) < 0 ? errno : 0, ret;
    socklen_t err_len = sizeof(err);

    if (err == EINPROGRESS) {
        ret = wait_ready(fd, POLLOUT, patience);
        if (ret < 0) {
            return ret;
        }
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &err_len);
    }
    return -err;
}

static int connect_to(const struct sockaddr *address, socklen_t len, const NbdPatience *patience)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    int ret = fd < 0 ? -errno : connect_in_time(fd, address, len, patience);

    if (ret < 0) {
        if (fd >= 0) {
            close(fd);
        }
        errno = -ret;
        return -1;
    }
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
    set_timeout(fd, HANDSHAKE_SECONDS);
    if (address->sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    return fd;
}

static int connect_unix(const char *path, const NbdPatience *patience, GError **error)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        set_error(error, "UNIX socket path '%s' is too long", path);
        error_add_hint(error, "Path must be less than %zu bytes", sizeof(address.sun_path));
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = connect_to((struct sockaddr *)&address, sizeof(address), patience);
    if (fd < 0) {
        set_errno_error(error, errno, "Failed to connect to '%s'", path);
    }
    return fd;
}

static int connect_tcp(const NbdAddress *address, const NbdPatience *patience, GError **error)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list = NULL;
    int ret = getaddrinfo(address->host, address->port, &hints, &list), fd = -1;

    if (ret != 0) {
        set_error(error, "address resolution failed for %s:%s: %s", address->host, address->port,
                  gai_strerror(ret));
        return -1;
    }
    for (struct addrinfo *at = list; at != NULL && fd < 0; at = at->ai_next) {
        fd = connect_to(at->ai_addr, at->ai_addrlen, patience);
    }
    if (fd < 0) {
        set_errno_error(error, errno, "Failed to connect to '%s:%s'", address->host, address->port);
    }
    freeaddrinfo(list);
    return fd;
}

/* ---- agreeing ---- */

static bool failed(int ret, GError **error)
{
    if (ret < 0) {
        set_errno_error(error, -ret, "Failed to negotiate with the NBD server");
    }
    return ret < 0;
}

static bool greet(int fd, const NbdPatience *patience, bool *no_zeroes, GError **error)
{
    uint8_t hello[18], answer[4];
    uint16_t flags;

    if (failed(nbd_read_all(fd, hello, sizeof(hello), patience), error)) {
        return false;
    }
    flags = nbd_get(hello + 16, 2);
    if (nbd_get(hello, 8) != NBD_MAGIC || nbd_get(hello + 8, 8) != IHAVEOPT ||
        !(flags & FLAG_FIXED_NEWSTYLE)) {
        set_error(error, "The server does not speak the fixed newstyle NBD protocol");
        return false;
    }
    *no_zeroes = flags & FLAG_NO_ZEROES;
    nbd_put(answer, FLAG_FIXED_NEWSTYLE | (*no_zeroes ? FLAG_NO_ZEROES : 0), 4);
    return !failed(nbd_write_all(fd, answer, sizeof(answer)), error);
}

static bool send_option(int fd, uint32_t option, const void *data, uint32_t len, GError **error)
{
    g_autofree uint8_t *bytes = g_malloc(16 + len);

    nbd_put(bytes, IHAVEOPT, 8);
    nbd_put(bytes + 8, option, 4);
    nbd_put(bytes + 12, len, 4);
    memcpy(bytes + 16, data, len);
    return !failed(nbd_write_all(fd, bytes, 16 + len), error);
}

static void take_info(const uint8_t *data, uint32_t len, NbdExport *export, bool *has_export)
{
    uint16_t type = len >= 2 ? nbd_get(data, 2) : UINT16_MAX;

    if (type == INFO_EXPORT && len >= 12) {
        export->size = nbd_get(data + 2, 8);
        export->flags = nbd_get(data + 10, 2);
        *has_export = true;
    } else if (type == INFO_BLOCK_SIZE && len >= 14) {
        export->min_block = nbd_get(data + 2, 4);
        export->max_block = nbd_get(data + 10, 4);
    }
}

static bool refuse(uint32_t type, const NbdAddress *address, const uint8_t *data, uint32_t len,
                   GError **error)
{
    static const struct { uint32_t type; const char *text; } rows[] = {
        { 1, "is not known to the server as a kind of request" }, { 2, "is refused by policy" },
        { 3, "was asked for in an invalid way" }, { 4, "is not supported on its platform" },
        { 5, "needs TLS, which is not supported here" }, { 6, "does not exist" },
        { 7, "is not available while the server shuts down" },
        { 8, "needs block sizes to be negotiated" },
    };
    g_autofree char *said = g_strndup((const char *)data, len);
    const char *text = "is refused";

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if ((type & ~REP_ERROR) == rows[i].type) {
            text = rows[i].text;
        }
    }
    set_error(error, "NBD export '%s' %s", address->export, text);
    if (g_utf8_validate(said, -1, NULL) && *said != '\0') {
        error_add_hint(error, "server reported: %s", said);
    }
    return false;
}

typedef enum GoResult { GO_DONE, GO_UNKNOWN, GO_FAILED } GoResult;

/* Replies to OPT_GO until it is settled. */
static GoResult read_go(int fd, const NbdPatience *patience, const NbdAddress *address,
                        NbdExport *export, GError **error)
{
    g_autofree uint8_t *data = g_malloc(MAX_REPLY);
    bool has_export = false;

    for (unsigned i = 0; i < MAX_REPLIES; i++) {
        uint8_t head[20];
        uint32_t type, len;

        if (failed(nbd_read_all(fd, head, sizeof(head), patience), error)) {
            return GO_FAILED;
        }
        type = nbd_get(head + 12, 4);
        len = nbd_get(head + 16, 4);
        if (nbd_get(head, 8) != REPLY_MAGIC || nbd_get(head + 8, 4) != OPT_GO || len > MAX_REPLY) {
            break;
        }
        if (failed(nbd_read_all(fd, data, len, patience), error)) {
            return GO_FAILED;
        }
        if (type == REP_ACK && has_export) {
            return GO_DONE;
        }
        if (type == (REP_ERROR | 1)) {
            return GO_UNKNOWN;
        }
        if (type & REP_ERROR) {
            refuse(type, address, data, len, error);
            return GO_FAILED;
        }
        if (type != REP_INFO) {
            break;
        }
        take_info(data, len, export, &has_export);
    }
    set_error(error, "The NBD server does not keep to the protocol");
    return GO_FAILED;
}

static GoResult go(int fd, const NbdPatience *patience, const NbdAddress *address,
                   NbdExport *export, GError **error)
{
    uint32_t name_len = strlen(address->export);
    g_autofree uint8_t *data = g_malloc(name_len + 8);

    nbd_put(data, name_len, 4);
    memcpy(data + 4, address->export, name_len);
    nbd_put(data + 4 + name_len, 1, 2);
    nbd_put(data + 6 + name_len, INFO_BLOCK_SIZE, 2);
    return send_option(fd, OPT_GO, data, name_len + 8, error)
        ? read_go(fd, patience, address, export, error) : GO_FAILED;
}

/* The older way, which has no error reply: a server that has no such export hangs up. */
static bool export_name(int fd, const NbdPatience *patience, const NbdAddress *address,
                        bool no_zeroes, NbdExport *export, GError **error)
{
    uint8_t data[10 + 124];

    if (!send_option(fd, OPT_EXPORT_NAME, address->export, strlen(address->export), error) ||
        failed(nbd_read_all(fd, data, no_zeroes ? 10 : sizeof(data), patience), error)) {
        return false;
    }
    export->size = nbd_get(data, 8);
    export->flags = nbd_get(data + 8, 2);
    return true;
}

static bool check_export(const NbdExport *export, GError **error)
{
    uint32_t min = export->min_block;

    if (export->size > INT64_MAX) {
        set_error(error, "The NBD export is too large");
        return false;
    }
    if ((min & (min - 1)) != 0 || min > 65536 || (min != 0 && export->max_block < min)) {
        set_error(error, "The NBD server announces impossible block sizes");
        return false;
    }
    return true;
}

static bool negotiate(int fd, const NbdPatience *patience, const NbdAddress *address,
                      NbdExport *export, GError **error)
{
    bool no_zeroes;
    GoResult result;

    if (!greet(fd, patience, &no_zeroes, error)) {
        return false;
    }
    result = go(fd, patience, address, export, error);
    if (result == GO_FAILED ||
        (result == GO_UNKNOWN &&
         !export_name(fd, patience, address, no_zeroes, export, error))) {
        return false;
    }
    return check_export(export, error);
}

int nbd_connect(const NbdAddress *address, NbdExport *export, int cancel_fd, GError **error)
{
    NbdPatience patience = { g_get_monotonic_time() + HANDSHAKE_SECONDS * G_USEC_PER_SEC,
                             cancel_fd };
    int fd = address->path != NULL ? connect_unix(address->path, &patience, error)
                                   : connect_tcp(address, &patience, error);

    *export = (NbdExport){ 0 };
    if (fd >= 0 && !negotiate(fd, &patience, address, export, error)) {
        close(fd);
        return -1;
    }
    if (fd >= 0) {
        set_timeout(fd, 0);
    }
    return fd;
}
