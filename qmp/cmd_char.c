/* Commands about character devices. */
#include <string.h>

#include "char_opts.h"
#include "qmp_api.h"
#include "vm.h"

GPtrArray *qmp_query_chardev(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_chardev_info_list_new();
    const GPtrArray *devices = chardev_list();

    for (guint i = 0; i < devices->len; i++) {
        QmpChardevInfo *entry = g_new0(QmpChardevInfo, 1);
        ChardevInfo info = { 0 };

        chardev_info(g_ptr_array_index(devices, i), &info);
        entry->label = g_strdup(info.label);
        entry->filename = info.filename;                /* ours now */
        entry->frontend_open = info.frontend_open;
        g_ptr_array_add(list, entry);
    }
    return list;
}

GPtrArray *qmp_query_chardev_backends(Vm *vm, GError **error)
{
    GPtrArray *list = qmp_chardev_backend_info_list_new();

    for (const char *const *name = chardev_backend_names(); *name != NULL; name++) {
        QmpChardevBackendInfo *entry = g_new0(QmpChardevBackendInfo, 1);

        entry->name = g_strdup(*name);
        g_ptr_array_add(list, entry);
    }
    return list;
}

/* ---- from the typed description to the options -chardev fills in ---- */

/* Options on their way; the first mistake stays in `error` and ends it. */
typedef struct Fill {
    CharOpts *opts;
    GError **error;
    bool ok;
} Fill;

static void put(Fill *fill, const char *name, const char *value)
{
    if (fill->ok && value != NULL) {
        fill->ok = char_opts_set(fill->opts, name, value, fill->error);
    }
}

static void put_bool(Fill *fill, const char *name, bool given, bool value)
{
    put(fill, name, !given ? NULL : value ? "on" : "off");
}

static void put_number(Fill *fill, const char *name, bool given, int64_t value)
{
    g_autofree char *text = g_strdup_printf("%" G_GINT64_FORMAT, value);

    put(fill, name, given ? text : NULL);
}

static void put_inet(Fill *fill, const QmpInetSocketAddress *inet)
{
    put(fill, "host", inet->host);
    put(fill, "port", inet->port);
    put_number(fill, "to", inet->has_to, inet->to);
    put_bool(fill, "ipv4", inet->has_ipv4, inet->ipv4);
    put_bool(fill, "ipv6", inet->has_ipv6, inet->ipv6);
}

static void put_address(Fill *fill, const QmpSocketAddressLegacy *addr)
{
    const QmpUnixSocketAddress *path;

    switch (addr->type) {
    case QMP_SOCKET_ADDRESS_TYPE_INET:
        put_inet(fill, addr->u.inet.data);
        break;
    case QMP_SOCKET_ADDRESS_TYPE_UNIX:
        path = addr->u.unix_.data;
        put(fill, "path", path->path);
        put_bool(fill, "abstract", path->has_abstract, path->abstract);
        put_bool(fill, "tight", path->has_tight, path->tight);
        break;
    case QMP_SOCKET_ADDRESS_TYPE_FD:
        put(fill, "fd", addr->u.fd.data->str);
        break;
    }
}

/* The protocol's defaults differ from the command line's: a server, and no waiting. */
static void put_socket(Fill *fill, const QmpChardevSocket *data)
{
    bool server = !data->has_server || data->server;

    put_address(fill, data->addr);
    put_bool(fill, "server", true, server);
    put_bool(fill, "wait", server || data->has_wait, data->has_wait && data->wait);
    put_bool(fill, "nodelay", data->has_nodelay, data->nodelay);
    put_bool(fill, "telnet", data->has_telnet, data->telnet);
    put_bool(fill, "websocket", data->has_websocket, data->websocket);
    put_number(fill, "reconnect", data->has_reconnect, data->reconnect);
    put(fill, "tls-creds", data->tls_creds);
}

static void put_udp(Fill *fill, const QmpChardevUdp *data)
{
    if (data->remote->type != QMP_SOCKET_ADDRESS_TYPE_INET ||
        (data->local != NULL && data->local->type != QMP_SOCKET_ADDRESS_TYPE_INET)) {
        set_error(fill->error, "chardev: udp: addresses of type 'inet' are expected");
        fill->ok = false;
        return;
    }
    put_inet(fill, data->remote->u.inet.data);
    if (data->local != NULL) {
        put(fill, "localaddr", data->local->u.inet.data->host);
        put(fill, "localport", data->local->u.inet.data->port);
    }
}

static void put_vc(Fill *fill, const QmpChardevVC *data)
{
    put_number(fill, "width", data->has_width, data->width);
    put_number(fill, "height", data->has_height, data->height);
    put_number(fill, "cols", data->has_cols, data->cols);
    put_number(fill, "rows", data->has_rows, data->rows);
}

static void put_log(Fill *fill, const char *logfile, bool has_append, bool append)
{
    put(fill, "logfile", logfile);
    put_bool(fill, "logappend", has_append, append);
}
#define PUT_LOG(fill_, data_) \
    put_log(fill_, (data_)->logfile, (data_)->has_logappend, (data_)->logappend)

static void put_backend(Fill *fill, const QmpChardevBackend *backend)
{
    switch (backend->type) {
    case QMP_CHARDEV_BACKEND_KIND_FILE:
        put(fill, "path", backend->u.file.data->out);
        put(fill, "input-path", backend->u.file.data->in);
        put_bool(fill, "append", backend->u.file.data->has_append, backend->u.file.data->append);
        PUT_LOG(fill, backend->u.file.data);
        break;
    case QMP_CHARDEV_BACKEND_KIND_SERIAL:
    case QMP_CHARDEV_BACKEND_KIND_PARALLEL:
    case QMP_CHARDEV_BACKEND_KIND_PIPE:
        put(fill, "path", backend->u.pipe.data->device);
        PUT_LOG(fill, backend->u.pipe.data);
        break;
    case QMP_CHARDEV_BACKEND_KIND_SOCKET:
        put_socket(fill, backend->u.socket.data);
        PUT_LOG(fill, backend->u.socket.data);
        break;
    case QMP_CHARDEV_BACKEND_KIND_UDP:
        put_udp(fill, backend->u.udp.data);
        PUT_LOG(fill, backend->u.udp.data);
        break;
    case QMP_CHARDEV_BACKEND_KIND_STDIO:
        put_bool(fill, "signal", backend->u.stdio.data->has_signal,
                 backend->u.stdio.data->signal);
        PUT_LOG(fill, backend->u.stdio.data);
        break;
    case QMP_CHARDEV_BACKEND_KIND_RINGBUF:
    case QMP_CHARDEV_BACKEND_KIND_MEMORY:
        put_number(fill, "size", backend->u.ringbuf.data->has_size,
                   backend->u.ringbuf.data->size);
        PUT_LOG(fill, backend->u.ringbuf.data);
        break;
    case QMP_CHARDEV_BACKEND_KIND_VC:
        put_vc(fill, backend->u.vc.data);
        PUT_LOG(fill, backend->u.vc.data);
        break;
    case QMP_CHARDEV_BACKEND_KIND_PTY:
    case QMP_CHARDEV_BACKEND_KIND_NULL:
        PUT_LOG(fill, backend->u.null.data);
        break;
    }
}

static CharOpts *opts_from_backend(const char *id, const QmpChardevBackend *backend,
                                   GError **error)
{
    g_autoptr(CharOpts) opts =
        char_opts_for(qmp_chardev_backend_kind_names[backend->type], id, error);
    Fill fill = { opts, error, true };

    if (opts == NULL) {
        return NULL;
    }
    put_backend(&fill, backend);
    return fill.ok ? g_steal_pointer(&opts) : NULL;
}

static QmpChardevReturn *made(const char *id)
{
    QmpChardevReturn *result = g_new0(QmpChardevReturn, 1);
    ChardevInfo info = { 0 };

    chardev_info(chardev_find(id), &info);
    if (g_str_has_prefix(info.filename, "pty:")) {
        result->pty = g_strdup(info.filename + strlen("pty:"));
    }
    g_free(info.filename);
    return result;
}

QmpChardevReturn *qmp_chardev_add(Vm *vm, const char *id, const QmpChardevBackend *backend,
                                  GError **error)
{
    g_autoptr(CharOpts) opts = opts_from_backend(id, backend, error);

    return opts != NULL && chardev_open_opts(opts, error) != NULL ? made(id) : NULL;
}

QmpChardevReturn *qmp_chardev_change(Vm *vm, const char *id, const QmpChardevBackend *backend,
                                     GError **error)
{
    g_autoptr(CharOpts) opts = opts_from_backend(id, backend, error);

    return opts != NULL && chardev_change(opts, error) ? made(id) : NULL;
}

bool qmp_chardev_send_break(Vm *vm, const char *id, GError **error)
{
    return chardev_inject_break(id, error);
}

bool qmp_chardev_remove(Vm *vm, const char *id, GError **error)
{
    return chardev_remove(id, error);
}

/* ---- ring buffers ---- */

#define RINGBUF_READ_MAX (16 << 20)     /* who wants more asks again */

static Chardev *find_ringbuf(const char *label, GError **error)
{
    Chardev *chr = chardev_find(label);

    if (chr == NULL) {
        set_error(error, "Device '%s' not found", label);
        return NULL;
    }
    if (!chardev_is_ringbuf(chr)) {
        set_error(error, "%s is not a ringbuf device", label);
        return NULL;
    }
    return chr;
}

char *qmp_ringbuf_read(Vm *vm, const char *device, int64_t size, const QmpDataFormat *format,
                       GError **error)
{
    Chardev *chr = find_ringbuf(device, error);
    g_autofree uint8_t *data = NULL;
    size_t got;

    if (chr == NULL) {
        return NULL;
    }
    if (size <= 0) {
        set_error(error, "size must be greater than zero");
        return NULL;
    }
    size = MIN(size, RINGBUF_READ_MAX);
    data = g_malloc0(size + 1);
    got = chardev_ringbuf_read(chr, data, size);
    if (format != NULL && *format == QMP_DATA_FORMAT_BASE64) {
        return g_base64_encode(data, got);
    }
    return (char *)g_steal_pointer(&data);
}

static guchar *decode_base64(const char *text, gsize *len, GError **error)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789+/=";

    if (text[strspn(text, alphabet)] != '\0') {
        set_error(error, "Base64 data contains invalid characters");
        return NULL;
    }
    return g_base64_decode(text, len);
}

bool qmp_ringbuf_write(Vm *vm, const char *device, const char *data, const QmpDataFormat *format,
                       GError **error)
{
    Chardev *chr = find_ringbuf(device, error);
    g_autofree guchar *decoded = NULL;
    gsize len = strlen(data);

    if (chr == NULL) {
        return false;
    }
    if (format != NULL && *format == QMP_DATA_FORMAT_BASE64) {
        decoded = decode_base64(data, &len, error);
        if (decoded == NULL) {
            return false;
        }
    }
    chardev_ringbuf_write(chr, decoded != NULL ? decoded : (const guchar *)data, len);
    return true;
}
