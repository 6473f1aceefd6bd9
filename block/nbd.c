/*
 * nbd: a disk behind the network block device protocol.
 *
 * Requests of several worker threads are under way at once.  A thread of the connection's own reads
 * the replies, straight into the buffers of whoever waits, and makes a new connection when one
 * breaks; meanwhile requests fail, or wait as long as reconnect-delay says and are sent again.
 * Simple replies only; no TLS.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "block_internal.h"
#include "nbd_internal.h"
#include "rhea_error.h"
#include "yank.h"

#define REQUEST_MAGIC   0x25609513u
#define REPLY_MAGIC     0x67446698u
#define RETRY_US        G_USEC_PER_SEC
#define MAX_ZERO        (1u << 30)

enum { CMD_READ, CMD_WRITE, CMD_DISC, CMD_FLUSH, CMD_TRIM, CMD_WRITE_ZEROES = 6 };
enum { CMD_FLAG_FUA = 1, CMD_FLAG_NO_HOLE = 2 };

/* On the stack of the thread that waits for it. */
typedef struct NbdRequest {
    uint16_t type, flags;
    uint64_t offset;
    uint32_t len;
    const struct iovec *iov;            /* READ, WRITE */
    unsigned niov;
    bool done;
    int ret;
} NbdRequest;

typedef struct Nbd {
    BlockNode node;
    /* fixed by open() */
    NbdAddress address;
    NbdExport export;
    uint64_t reconnect_delay_s;
    int cancel_fd;                      /* readable: the node closes */
    GThread *reader;                    /* NULL: not open */
    GMutex send_lock;                   /* one request at a time on the wire; taken before lock */
    /* guarded by lock */
    GMutex lock;
    GCond changed;                      /* a reply, a connection, the end */
    int fd;                             /* -1: no connection */
    YankEntry *yank;                    /* NULL: the node was given no name */
    bool closing;
    int64_t lost_us;                    /* when the connection broke */
    uint64_t next_cookie;
    GHashTable *waiting;                /* cookie → NbdRequest */
} Nbd;

#define NBD(node_) ((Nbd *)(node_))

/* ---- replies: the reader's thread ---- */

static int error_of(uint32_t code)
{
    static const struct { uint32_t code; int err; } rows[] = {
        { 1, EPERM }, { 5, EIO }, { 12, ENOMEM }, { 22, EINVAL }, { 28, ENOSPC },
        { 75, EOVERFLOW }, { 95, ENOTSUP }, { 108, ESHUTDOWN },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].code == code) {
            return -rows[i].err;
        }
    }
    return code == 0 ? 0 : -EINVAL;
}

/* The request a reply is for; it stays in `waiting` until all of the reply was read. */
static NbdRequest *find_request(Nbd *nbd, uint64_t cookie)
{
    NbdRequest *req;

    g_mutex_lock(&nbd->lock);
    req = g_hash_table_lookup(nbd->waiting, (gpointer)(uintptr_t)cookie);
    g_mutex_unlock(&nbd->lock);
    return req;
}

static void complete(Nbd *nbd, uint64_t cookie, NbdRequest *req, int ret)
{
    g_mutex_lock(&nbd->lock);
    g_hash_table_remove(nbd->waiting, (gpointer)(uintptr_t)cookie);
    req->ret = ret;
    req->done = true;
    g_cond_broadcast(&nbd->changed);
    g_mutex_unlock(&nbd->lock);
}

/* False: the connection is of no more use. */
static bool read_reply(Nbd *nbd, int fd)
{
    uint8_t head[16];
    uint64_t cookie;
    NbdRequest *req;
    int ret;

    if (nbd_read_all(fd, head, sizeof(head), NULL) < 0 || nbd_get(head, 4) != REPLY_MAGIC) {
        return false;
    }
    cookie = nbd_get(head + 8, 8);
    req = find_request(nbd, cookie);
    if (req == NULL) {
        return false;
    }
    ret = error_of(nbd_get(head + 4, 4));
    if (ret == 0 && req->type == CMD_READ) {
        for (unsigned i = 0; i < req->niov; i++) {
            if (nbd_read_all(fd, req->iov[i].iov_base, req->iov[i].iov_len, NULL) < 0) {
                return false;
            }
        }
    }
    complete(nbd, cookie, req, ret);
    return true;
}

/* Nobody sends on `fd` any more when this returns. */
static void drop_connection(Nbd *nbd, int fd)
{
    GHashTableIter iter;
    gpointer value;

    shutdown(fd, SHUT_RDWR);
    g_mutex_lock(&nbd->send_lock);
    g_mutex_lock(&nbd->lock);
    nbd->fd = -1;
    yank_set_fd(nbd->yank, -1);
    nbd->lost_us = g_get_monotonic_time();
    g_hash_table_iter_init(&iter, nbd->waiting);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        ((NbdRequest *)value)->ret = -ENOTCONN;
        ((NbdRequest *)value)->done = true;
    }
    g_hash_table_remove_all(nbd->waiting);
    g_cond_broadcast(&nbd->changed);
    g_mutex_unlock(&nbd->lock);
    g_mutex_unlock(&nbd->send_lock);
    close(fd);
}

/* The same export, able to do at least what it could. */
static int connect_again(Nbd *nbd)
{
    NbdExport export;
    int fd = nbd_connect(&nbd->address, &export, nbd->cancel_fd, NULL);
    unsigned lost = nbd->export.flags & ~export.flags & ~NBD_FLAG_READ_ONLY;

    if (fd >= 0 && (export.size != nbd->export.size || lost != 0 ||
                    (!nbd->node.read_only && (export.flags & NBD_FLAG_READ_ONLY)))) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Tries once a second; false: the node closes. */
static bool reconnect(Nbd *nbd)
{
    bool more = true;

    while (more) {
        int fd = connect_again(nbd);
        int64_t next = g_get_monotonic_time() + RETRY_US;

        g_mutex_lock(&nbd->lock);
        if (fd >= 0) {
            nbd->fd = fd;
            yank_set_fd(nbd->yank, fd);
            g_cond_broadcast(&nbd->changed);
        }
        while (fd < 0 && !nbd->closing && g_cond_wait_until(&nbd->changed, &nbd->lock, next)) {
        }
        more = !nbd->closing;
        g_mutex_unlock(&nbd->lock);
        if (fd >= 0) {
            break;
        }
    }
    return more;
}

static gpointer read_replies(gpointer opaque)
{
    Nbd *nbd = opaque;

    do {
        int fd;

        g_mutex_lock(&nbd->lock);
        fd = nbd->fd;
        g_mutex_unlock(&nbd->lock);
        while (read_reply(nbd, fd)) {
        }
        drop_connection(nbd, fd);
        g_mutex_lock(&nbd->lock);
        if (nbd->closing) {
            g_mutex_unlock(&nbd->lock);
            break;
        }
        g_mutex_unlock(&nbd->lock);
    } while (reconnect(nbd));
    return NULL;
}

/* ---- requests: any thread ---- */

static int send_request(int fd, const NbdRequest *req, uint64_t cookie)
{
    uint8_t head[28];
    int ret;

    nbd_put(head, REQUEST_MAGIC, 4);
    nbd_put(head + 4, req->flags, 2);
    nbd_put(head + 6, req->type, 2);
    nbd_put(head + 8, cookie, 8);
    nbd_put(head + 16, req->offset, 8);
    nbd_put(head + 24, req->len, 4);
    ret = nbd_write_all(fd, head, sizeof(head));
    for (unsigned i = 0; req->type == CMD_WRITE && i < req->niov && ret == 0; i++) {
        ret = nbd_write_all(fd, req->iov[i].iov_base, req->iov[i].iov_len);
    }
    return ret;
}

/* Sends and waits; -ENOTCONN: there is no connection, or it broke meanwhile. */
static int try_request(Nbd *nbd, NbdRequest *req)
{
    uint64_t cookie = 0;
    int fd;

    req->done = false;
    g_mutex_lock(&nbd->send_lock);
    g_mutex_lock(&nbd->lock);
    fd = nbd->fd;
    if (fd >= 0) {
        cookie = ++nbd->next_cookie;
        g_hash_table_insert(nbd->waiting, (gpointer)(uintptr_t)cookie, req);
    }
    g_mutex_unlock(&nbd->lock);
    if (fd >= 0 && send_request(fd, req, cookie) < 0) {
        shutdown(fd, SHUT_RDWR);                /* the reader finds out and ends all requests */
    }
    g_mutex_unlock(&nbd->send_lock);
    if (fd < 0) {
        return -ENOTCONN;
    }
    g_mutex_lock(&nbd->lock);
    while (!req->done) {
        g_cond_wait(&nbd->changed, &nbd->lock);
    }
    g_mutex_unlock(&nbd->lock);
    return req->ret;
}

/* True once there is a connection again. */
static bool wait_for_connection(Nbd *nbd)
{
    bool connected;

    g_mutex_lock(&nbd->lock);
    while (nbd->fd < 0 && !nbd->closing && nbd->reconnect_delay_s > 0) {
        int64_t end = nbd->lost_us + (int64_t)nbd->reconnect_delay_s * G_USEC_PER_SEC;

        if (!g_cond_wait_until(&nbd->changed, &nbd->lock, end)) {
            break;
        }
    }
    connected = nbd->fd >= 0 && nbd->reconnect_delay_s > 0;
    g_mutex_unlock(&nbd->lock);
    return connected;
}

static int run_request(Nbd *nbd, NbdRequest *req)
{
    int ret = try_request(nbd, req);

    while (ret == -ENOTCONN && wait_for_connection(nbd)) {
        ret = try_request(nbd, req);
    }
    return ret == -ENOTCONN ? -EIO : ret;
}

static uint32_t max_payload(const Nbd *nbd)
{
    uint32_t max = nbd->export.max_block != 0 ? MIN(nbd->export.max_block, NBD_MAX_PAYLOAD)
                                              : NBD_MAX_PAYLOAD;

    return nbd->export.min_block > 1 ? max & ~(nbd->export.min_block - 1) : max;
}

/* In pieces the server takes. */
static int transfer(Nbd *nbd, NbdRequest *req, const struct iovec *iov, unsigned niov, uint64_t len)
{
    g_autofree struct iovec *part = g_new(struct iovec, niov);
    uint64_t start = req->offset, most = max_payload(nbd);
    int ret = 0;

    req->iov = part;
    for (uint64_t done = 0; done < len && ret == 0; done += req->len) {
        req->offset = start + done;
        req->len = MIN(most, len - done);
        req->niov = block_iov_slice(part, niov, iov, niov, done, req->len);
        ret = run_request(nbd, req);
    }
    return ret;
}

static int nbd_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                     uint64_t len)
{
    NbdRequest req = { .type = CMD_READ, .offset = offset };

    return transfer(NBD(node), &req, iov, niov, len);
}

static int nbd_flush(BlockNode *node)
{
    NbdRequest req = { .type = CMD_FLUSH };

    return NBD(node)->export.flags & NBD_FLAG_SEND_FLUSH ? run_request(NBD(node), &req) : 0;
}

/* The flag for the wire; a server without it gets a flush behind the request. */
static uint16_t fua_flag(const Nbd *nbd, unsigned flags)
{
    return (flags & BLOCK_REQ_FUA) && (nbd->export.flags & NBD_FLAG_SEND_FUA) ? CMD_FLAG_FUA : 0;
}

static int flush_after(BlockNode *node, unsigned flags, int ret)
{
    return ret == 0 && (flags & BLOCK_REQ_FUA) && fua_flag(NBD(node), flags) == 0
        ? nbd_flush(node) : ret;
}

static int nbd_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                      uint64_t len, unsigned flags)
{
    NbdRequest req = { .type = CMD_WRITE, .offset = offset, .flags = fua_flag(NBD(node), flags) };

    return flush_after(node, flags, transfer(NBD(node), &req, iov, niov, len));
}

/* Requests without data may be longer than those with. */
static int without_data(Nbd *nbd, NbdRequest *req, uint64_t len)
{
    uint64_t start = req->offset;
    int ret = 0;

    for (uint64_t done = 0; done < len && ret == 0; done += req->len) {
        req->offset = start + done;
        req->len = MIN(MAX_ZERO, len - done);
        ret = run_request(nbd, req);
    }
    return ret;
}

static int nbd_zero(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    NbdRequest req = { .type = CMD_WRITE_ZEROES, .offset = offset,
                       .flags = fua_flag(NBD(node), flags) };

    if (!(NBD(node)->export.flags & NBD_FLAG_SEND_WRITE_ZEROES)) {
        return -ENOTSUP;
    }
    req.flags |= flags & BLOCK_REQ_MAY_UNMAP ? 0 : CMD_FLAG_NO_HOLE;
    return flush_after(node, flags, without_data(NBD(node), &req, len));
}

static int nbd_discard(BlockNode *node, uint64_t offset, uint64_t len)
{
    NbdRequest req = { .type = CMD_TRIM, .offset = offset };

    return NBD(node)->export.flags & NBD_FLAG_SEND_TRIM ? without_data(NBD(node), &req, len) : 0;
}

static uint64_t nbd_allocated_bytes(BlockNode *node)
{
    return UINT64_MAX;
}

/* ---- life ---- */

static bool read_options(Nbd *nbd, GError **error)
{
    const char *tls = block_node_option(&nbd->node, "tls-creds");

    if (tls != NULL) {
        set_error(error, "TLS is not supported for NBD ('tls-creds=%s')", tls);
        return false;
    }
    return nbd_address_parse(&nbd->node, &nbd->address, error) &&
           block_node_option_size(&nbd->node, "reconnect-delay", &nbd->reconnect_delay_s, error);
}

static bool check_read_only(BlockNode *node, GError **error)
{
    if (!(NBD(node)->export.flags & NBD_FLAG_READ_ONLY) || node->read_only) {
        return true;
    }
    if (!node->auto_read_only) {
        set_error(error, "request on NBD export '%s' denied: it is read-only",
                  NBD(node)->address.export);
        return false;
    }
    node->read_only = true;
    return true;
}

static bool nbd_reopen(BlockNode *node, bool read_only, GError **error)
{
    if (!read_only && (NBD(node)->export.flags & NBD_FLAG_READ_ONLY)) {
        set_error(error, "request on NBD export '%s' denied: it is read-only",
                  NBD(node)->address.export);
        return false;
    }
    return true;
}

static bool nbd_open(BlockNode *node, GError **error)
{
    Nbd *nbd = NBD(node);

    g_mutex_init(&nbd->lock);
    g_mutex_init(&nbd->send_lock);
    g_cond_init(&nbd->changed);
    nbd->waiting = g_hash_table_new(g_direct_hash, g_direct_equal);
    nbd->fd = -1;
    nbd->cancel_fd = eventfd(0, EFD_CLOEXEC);
    if (!read_options(nbd, error)) {
        return false;
    }
    nbd->fd = nbd_connect(&nbd->address, &nbd->export, nbd->cancel_fd, error);
    if (nbd->fd < 0 || !check_read_only(node, error)) {
        return false;
    }
    g_free(node->filename);
    node->filename = nbd_address_text(&nbd->address);
    node->size_bytes = nbd->export.size;
    node->request_alignment = MAX(nbd->export.min_block, 1);
    nbd->reconnect_delay_s = MIN(nbd->reconnect_delay_s, G_MAXINT32);
    if (keyval_has(node->options, "node-name")) {
        nbd->yank = yank_add(YANK_BLOCK_NODE, keyval_get(node->options, "node-name"));
        yank_set_fd(nbd->yank, nbd->fd);
    }
    nbd->reader = g_thread_new("nbd", read_replies, nbd);
    return true;
}

static void hang_up(Nbd *nbd)
{
    NbdRequest goodbye = { .type = CMD_DISC };

    eventfd_write(nbd->cancel_fd, 1);
    g_mutex_lock(&nbd->lock);
    nbd->closing = true;
    if (nbd->fd >= 0) {
        send_request(nbd->fd, &goodbye, 0);
        shutdown(nbd->fd, SHUT_RDWR);
    }
    g_cond_broadcast(&nbd->changed);
    g_mutex_unlock(&nbd->lock);
    g_thread_join(nbd->reader);
}

static void nbd_close(BlockNode *node)
{
    Nbd *nbd = NBD(node);

    if (nbd->reader != NULL) {
        hang_up(nbd);
    }
    yank_remove(nbd->yank);
    if (nbd->fd >= 0) {
        close(nbd->fd);
    }
    if (nbd->cancel_fd >= 0) {
        close(nbd->cancel_fd);
    }
    g_clear_pointer(&nbd->waiting, g_hash_table_unref);
    nbd_address_clear(&nbd->address);
    g_mutex_clear(&nbd->lock);
    g_mutex_clear(&nbd->send_lock);
    g_cond_clear(&nbd->changed);
}

static const BlockOption nbd_options[] = {
    { "path", "Unix socket of the server" },
    { "host", "host of the server" },
    { "port", "its port; 10809 unless given" },
    { "export", "name of the export" },
    { "server.type", "unix or inet, beside server.path, server.host and server.port" },
    { "reconnect-delay", "seconds requests wait for a new connection; 0: they fail" },
    { "tls-creds", "not supported" },
    {}
};

const BlockDriver block_nbd = {
    .name = "nbd", .protocol = true, .fua = true, .size = sizeof(Nbd), .options = nbd_options,
    .open = nbd_open, .close = nbd_close, .reopen = nbd_reopen,
    .pread = nbd_pread, .pwrite = nbd_pwrite,
    .zero = nbd_zero, .discard = nbd_discard, .flush = nbd_flush,
    .allocated_bytes = nbd_allocated_bytes,
};
