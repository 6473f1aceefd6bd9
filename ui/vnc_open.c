/* VNC servers from their options: authentication, the screen, sockets. */
#include <stdio.h>
#include <string.h>

#include "display.h"
#include "rhea_error.h"
#include "secret.h"
#include "sizes.h"
#include "tls_creds.h"
#include "vnc_server.h"

static const char *sub_auth_name(TlsKind kind, bool password)
{
    if (kind == TLS_KIND_X509) {
        return password ? "x509-vnc" : "x509-none";
    }
    return password ? "tls-vnc" : "tls-none";
}

static bool open_auth(VncServer *server, GError **error)
{
    const VncOptions *options = &server->options;
    g_autoptr(TlsCreds) creds = NULL;
    g_autoptr(GBytes) secret = NULL;
    g_autofree char *password = NULL;

    server->auth = vnc_auth_new(options->id);
    server->need_password = options->password || options->password_secret != NULL;
    if (options->tls_creds != NULL) {
        creds = tls_creds_find(options->tls_creds, TLS_ENDPOINT_SERVER, error);
        if (creds == NULL) {
            return false;
        }
        if (tls_creds_kind(creds) == TLS_KIND_PSK) {
            set_error(error, "tls-creds '%s' has pre-shared keys: VNC has no security type for "
                      "them, only for x509 and anon", options->tls_creds);
            return false;
        }
        server->sub_auth = sub_auth_name(tls_creds_kind(creds), server->need_password);
    }
    if (options->password_secret != NULL) {
        secret = secret_lookup(options->password_secret, error);
        if (secret == NULL) {
            return false;
        }
        password = g_strndup(g_bytes_get_data(secret, NULL), g_bytes_get_size(secret));
        vnc_auth_set_password(server->auth, password);
        explicit_bzero(password, strlen(password));
    }
    return true;
}

static bool find_console(const VncServer *server, Console **console, GError **error)
{
    const VncOptions *options = &server->options;
    Device *dev;

    *console = console_first(server->vm);
    if (options->display == NULL) {
        return true;
    }
    dev = device_find(server->vm, options->display);
    if (dev == NULL) {
        set_error(error, "Device '%s' not found", options->display);
        return false;
    }
    *console = console_of(server->vm, dev, options->head);
    if (*console == NULL) {
        set_error(error, "Device %s (head %u) is not bound to a QemuConsole", options->display,
                  options->head);
        error_add_hint(error, "It has no such screen.");
    }
    return *console != NULL;
}

static bool open_screen(VncServer *server, GError **error)
{
    const VncOptions *options = &server->options;
    VncScreenConfig config = {
        .keymap = keymap_find(display_layout(), error), .share = options->share_policy,
        .lossy = options->lossy, .lock_key_sync = options->lock_key_sync,
        .need_password = server->need_password,
        .viewers_max = options->connections,
        .key_delay_ns = options->key_delay_ms * INT64_C(1000000),
        .one_console = options->display != NULL,
    };
    Console *console;

    if (config.keymap == NULL || !find_console(server, &console, error)) {
        return false;
    }
    server->screen = vnc_screen_new(server->vm, &config, &vnc_screen_ops, server, error);
    if (server->screen == NULL) {
        return false;
    }
    vnc_screen_set_console(server->screen, console);
    return true;
}

/* websocket=on: beside the display; PORT: there, at the display's host; HOST:PORT. */
static bool websocket_place(const VncServer *server, VncPlace *place, const VncPlace *display,
                            GError **error)
{
    const VncOptions *options = &server->options;
    g_autofree char *text = NULL;
    bool on;

    if (strchr(options->websocket, ':') != NULL) {
        return vnc_place_parse(place, options->websocket, 0, 0, error);
    }
    if (display->path != NULL) {
        set_error(error, "websocket=%s: a UNIX socket has no display number; HOST:PORT is "
                  "expected", options->websocket);
        return false;
    }
    if (parse_bool(options->websocket, &on, NULL)) {
        text = g_strdup_printf("%s:%u", display->host, display->port - VNC_DISPLAY_PORT);
        return vnc_place_parse(place, text, VNC_WEBSOCKET_PORT, options->to, error);
    }
    text = g_strdup_printf("%s:%s", display->host, options->websocket);
    return vnc_place_parse(place, text, 0, 0, error);
}

/* What people should know of where it can be reached. */
static void tell_reach(const VncServer *server, const VncPlace *place)
{
    const VncListener *first = g_ptr_array_index(server->listeners, 0);
    const VncOptions *options = &server->options;

    if (place->host != NULL && *place->host == '\0') {
        report_note("-vnc %s listens on %s only; -vnc 0.0.0.0%s listens on every address",
                    options->vnc, first->address.host, options->vnc);
    }
    for (guint i = 0; i < server->listeners->len; i++) {
        const VncListener *listener = g_ptr_array_index(server->listeners, i);

        if (!listener->loopback && !server->need_password && server->sub_auth == NULL) {
            report_warning("-vnc %s: whoever reaches %s:%s sees the machine and types into it, "
                           "without a password", options->vnc, listener->address.host,
                           listener->address.service);
            return;
        }
    }
}

static void tell_port(const VncServer *server)
{
    const VncListener *first = g_ptr_array_index(server->listeners, 0);
    bool bracket = g_str_equal(first->address.family, "ipv6");

    fprintf(stderr, "VNC server running on %s%s%s:%s\n", bracket ? "[" : "", first->address.host,
            bracket ? "]" : "", first->address.service);
}

static bool open_listeners(VncServer *server, const VncPlace *place, GError **error)
{
    const VncOptions *options = &server->options;
    VncPlace websocket = { .ipv4 = place->ipv4, .ipv6 = place->ipv6, .websocket = true };
    bool off, ok;

    if (!vnc_listen(server->listeners, place, vnc_on_accepted, server, error)) {
        return false;
    }
    ok = options->websocket == NULL ||
         (parse_bool(options->websocket, &off, NULL) && !off) ||
         (websocket_place(server, &websocket, place, error) &&
          vnc_listen(server->listeners, &websocket, vnc_on_accepted, server, error));
    vnc_place_finish(&websocket);
    if (ok) {
        tell_reach(server, place);
    }
    if (ok && options->to != 0) {
        tell_port(server);
    }
    return ok;
}

static bool connect_out(VncServer *server, const VncPlace *place, GError **error)
{
    int fd = vnc_connect(place, error);

    return fd >= 0 && vnc_add_client(server, fd, false, error);
}

static bool open_sockets(VncServer *server, GError **error)
{
    const VncOptions *options = &server->options;
    VncPlace place = { .ipv4 = options->ipv4_text, .ipv6 = options->ipv6_text };
    bool ok = vnc_place_parse(&place, options->vnc, options->reverse ? 0 : VNC_DISPLAY_PORT,
                              options->to, error) &&
              (options->reverse ? connect_out(server, &place, error)
                                : open_listeners(server, &place, error));

    vnc_place_finish(&place);
    return ok;
}

bool vnc_server_open(VncServer *server, GError **error)
{
    return open_auth(server, error) && open_screen(server, error) && open_sockets(server, error);
}

/* ---- changes ---- */

/* Those that are for WebSockets, or the others, move to another list. */
static void take_listeners(VncServer *server, bool websocket, GPtrArray *taken)
{
    for (guint i = 0; i < server->listeners->len;) {
        VncListener *listener = g_ptr_array_index(server->listeners, i);

        if (listener->address.websocket == websocket) {
            g_ptr_array_add(taken, g_ptr_array_steal_index(server->listeners, i));
        } else {
            i++;
        }
    }
}

/* The listener of that very place, out of those there were; NULL: none. */
static VncListener *take_same(GPtrArray *old, const VncPlace *place)
{
    g_autofree char *port = g_strdup_printf("%u", place->port);

    for (guint i = 0; i < old->len; i++) {
        VncListener *listener = g_ptr_array_index(old, i);

        if (place->path != NULL ? g_strcmp0(listener->unlink_path, place->path) == 0
                                : g_str_equal(listener->address.host, place->host) &&
                                      g_str_equal(listener->address.service, port)) {
            return g_ptr_array_steal_index(old, i);
        }
    }
    return NULL;
}

bool vnc_set_places(VncServer *server, const VncPlace *places, size_t n, GError **error)
{
    g_autoptr(GPtrArray) old =
        g_ptr_array_new_with_free_func((GDestroyNotify)vnc_listener_free);
    g_autoptr(GPtrArray) kept = g_ptr_array_new(), fresh =
        g_ptr_array_new_with_free_func((GDestroyNotify)vnc_listener_free);
    bool ok = true;

    take_listeners(server, false, old);
    for (size_t i = 0; i < n && ok; i++) {
        VncListener *same = take_same(old, &places[i]);

        if (same != NULL) {
            g_ptr_array_add(kept, same);
        } else {
            ok = vnc_listen(fresh, &places[i], vnc_on_accepted, server, error);
        }
    }
    g_ptr_array_extend_and_steal(kept, ok ? g_steal_pointer(&fresh) : g_steal_pointer(&old));
    take_listeners(server, true, kept);
    g_ptr_array_extend_and_steal(server->listeners, g_steal_pointer(&kept));
    return ok;
}

bool vnc_reload_tls(VncServer *server, GError **error)
{
    if (server->options.tls_creds == NULL) {
        set_error(error, "vnc tls is not enabled");
        error_add_hint(error, "VNC server '%s' has no tls-creds=.", server->options.id);
        return false;
    }
    return tls_creds_reload(server->options.tls_creds, error);
}
