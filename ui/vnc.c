/* VNC servers: who is let in, and what is told of them.  See vnc.h. */
#include "vnc.h"

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "display.h"
#include "rhea_error.h"
#include "vnc_door.h"
#include "vnc_server.h"

typedef struct VncConnection {
    VncServer *server;
    VncAddress at;                          /* where it came in; strings are its own */
    VncPeer peer;                           /* they too */
    VncDoor *door;                          /* NULL: no TLS */
    VncViewer *viewer;
} VncConnection;

static GPtrArray *servers;                  /* VncServer *, in order; NULL: none yet */
static void (*listener_fn)(VncEvent event, const VncServer *server, const VncAddress *at,
                           const VncPeer *peer);

/* ---- lookups ---- */

const GPtrArray *vnc_servers(void)
{
    if (servers == NULL) {
        servers = g_ptr_array_new();
    }
    return servers;
}

VncServer *vnc_find(const char *id)
{
    for (guint i = 0; i < vnc_servers()->len; i++) {
        VncServer *server = g_ptr_array_index(servers, i);

        if (g_str_equal(server->options.id, id)) {
            return server;
        }
    }
    return NULL;
}

VncServer *vnc_first(void)
{
    VncServer *server = vnc_find("default");

    return server != NULL || servers->len == 0 ? server : g_ptr_array_index(servers, 0);
}

void vnc_info(const VncServer *server, VncServerInfo *info)
{
    g_array_set_size(server->addresses, 0);
    for (guint i = 0; i < server->listeners->len; i++) {
        const VncListener *listener = g_ptr_array_index(server->listeners, i);

        g_array_append_val(server->addresses, listener->address);
    }
    g_ptr_array_set_size(server->peers, 0);
    for (guint i = 0; i < server->connections->len; i++) {
        VncConnection *conn = g_ptr_array_index(server->connections, i);

        g_ptr_array_add(server->peers, &conn->peer);
    }
    *info = (VncServerInfo){
        .id = server->options.id, .display = server->options.display,
        .auth = server->sub_auth != NULL ? "vencrypt" : server->need_password ? "vnc" : "none",
        .sub_auth = server->sub_auth,
        .websocket_auth = server->need_password ? "vnc" : "none",
        .addresses = server->addresses, .peers = server->peers,
    };
}

void vnc_set_listener(void (*fn)(VncEvent event, const VncServer *server, const VncAddress *at,
                                 const VncPeer *peer))
{
    listener_fn = fn;
}

static void tell(VncEvent event, const VncConnection *conn)
{
    if (listener_fn != NULL) {
        listener_fn(event, conn->server, &conn->at, &conn->peer);
    }
}

/* ---- passwords ---- */

bool vnc_set_password(VncServer *server, const char *password, GError **error)
{
    if (!server->need_password) {
        set_error(error, "Could not set password");
        error_add_hint(error, "VNC server '%s' asks for none: start it with password=on.",
                       server->options.id);
        return false;
    }
    vnc_auth_set_password(server->auth, password);
    return true;
}

void vnc_expire_password(VncServer *server, int64_t when)
{
    vnc_auth_expire(server->auth, when);
}

/* ---- viewers ---- */

static bool on_password(void *opaque, VncViewer *viewer, const uint8_t challenge[16],
                        const uint8_t response[16])
{
    VncServer *server = opaque;
    const VncConnection *conn = vnc_viewer_tag(viewer);

    return vnc_auth_check(server->auth, conn->peer.address.host, conn->peer.address.service,
                          challenge, response);
}

static void on_initialized(void *opaque, VncViewer *viewer)
{
    VncConnection *conn = vnc_viewer_tag(viewer);

    if (conn->door != NULL) {
        conn->peer.x509_dname = vnc_door_peer_name(conn->door);
    }
    tell(VNC_EVENT_INITIALIZED, conn);
}

static void connection_free(VncConnection *conn)
{
    vnc_door_free(conn->door);
    vnc_address_clear(&conn->at);
    vnc_address_clear(&conn->peer.address);
    g_free((char *)conn->peer.x509_dname);
    g_free(conn);
}

static void on_gone(void *opaque, VncViewer *viewer)
{
    VncServer *server = opaque;
    VncConnection *conn = vnc_viewer_tag(viewer);

    tell(VNC_EVENT_DISCONNECTED, conn);
    g_ptr_array_remove(server->connections, conn);
    connection_free(conn);
}

const VncScreenOps vnc_screen_ops = {
    .check_password = on_password, .initialized = on_initialized, .gone = on_gone,
};

/* With TLS the screen gets a socket of the door's.  -1: the viewer is sent away. */
static int open_door(VncConnection *conn, int fd)
{
    VncServer *server = conn->server;
    g_autoptr(GError) error = NULL;
    g_autoptr(TlsCreds) creds =
        tls_creds_find(server->options.tls_creds, TLS_ENDPOINT_SERVER, &error);
    VncDoorConfig config = { .creds = creds, .peer = &conn->peer.address,
                             .auth = server->need_password ? server->auth : NULL,
                             .websocket = conn->at.websocket };
    int inner = -1;

    if (creds == NULL) {
        close(fd);
    } else {
        conn->door = vnc_door_new(fd, &config, &inner, &error);
    }
    if (conn->door == NULL) {
        report_warning("VNC server '%s': a viewer at %s:%s was sent away: %s", server->options.id,
                       conn->peer.address.host, conn->peer.address.service, error->message);
    }
    return inner;
}

bool vnc_add_viewer(VncServer *server, int fd, const VncAddress *at, bool trusted)
{
    VncConnection *conn = g_new0(VncConnection, 1);

    conn->server = server;
    vnc_address_copy(&conn->at, at);
    vnc_address_of(&conn->peer.address, fd, true);
    conn->peer.address.websocket = at->websocket;
    if (server->options.tls_creds != NULL && !trusted) {
        fd = open_door(conn, fd);
        trusted = !at->websocket;           /* the door has asked */
    }
    if (fd >= 0) {
        conn->viewer = vnc_screen_add(server->screen, fd, at->websocket, trusted, conn);
    }
    if (conn->viewer == NULL) {
        connection_free(conn);
        return false;
    }
    g_ptr_array_add(server->connections, conn);
    tell(VNC_EVENT_CONNECTED, conn);
    return true;
}

void vnc_on_accepted(void *server, VncListener *listener, int fd)
{
    vnc_add_viewer(server, fd, &listener->address, false);
}

bool vnc_add_client(VncServer *server, int fd, bool trusted, GError **error)
{
    int type = 0;
    socklen_t len = sizeof(type);
    VncAddress at;
    bool ok;

    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0 || type != SOCK_STREAM) {
        set_error(error, "the descriptor is no stream socket");
        close(fd);
        return false;
    }
    vnc_address_of(&at, fd, false);
    ok = vnc_add_viewer(server, fd, &at, trusted);
    vnc_address_clear(&at);
    if (!ok) {
        set_error(error, "VNC server '%s' takes no more than %u viewers", server->options.id,
                  server->options.connections);
    }
    return ok;
}

/* ---- servers ---- */

static void server_free(VncServer *server)
{
    g_ptr_array_set_size(server->listeners, 0);
    if (server->auth != NULL) {
        vnc_auth_close(server->auth);
    }
    if (server->screen != NULL) {
        vnc_screen_free(server->screen);    /* viewers leave, and that is told */
    }
    g_ptr_array_unref(server->listeners);
    g_ptr_array_unref(server->connections);
    g_array_unref(server->addresses);
    g_ptr_array_unref(server->peers);
    vnc_auth_unref(server->auth);
    vnc_options_finish(&server->options);
    g_free(server);
}

static bool name_server(VncServer *server, GError **error)
{
    char **id = &server->options.id;

    if (*id != NULL && vnc_find(*id) != NULL) {
        set_error(error, "Duplicate ID '%s' for vnc", *id);
        return false;
    }
    if (*id == NULL) {
        *id = g_strdup("default");
    }
    for (unsigned i = 2; vnc_find(*id) != NULL; i++) {
        g_free(*id);
        *id = g_strdup_printf("vnc%u", i);
    }
    return true;
}

bool vnc_open(Vm *vm, const char *text, GError **error)
{
    VncServer *server = g_new0(VncServer, 1);
    bool wanted, ok;

    server->vm = vm;
    server->listeners = g_ptr_array_new_with_free_func((GDestroyNotify)vnc_listener_free);
    server->connections = g_ptr_array_new();
    server->addresses = g_array_new(FALSE, FALSE, sizeof(VncAddress));
    server->peers = g_ptr_array_new();
    ok = vnc_options_parse(&server->options, text, error);
    wanted = ok && vnc_options_wanted(&server->options);
    ok = ok && (!wanted || (name_server(server, error) && vnc_server_open(server, error)));
    if (!ok || !wanted) {
        server_free(server);
        return ok;
    }
    g_ptr_array_add((GPtrArray *)vnc_servers(), server);
    return true;
}

void vnc_close_all(void)
{
    while (vnc_servers()->len > 0) {
        server_free(g_ptr_array_steal_index(servers, servers->len - 1));
    }
    vnc_doors_wait();
}

/* ---- the display ---- */

static bool open_display(Vm *vm, const char *opts, GError **error)
{
    if (*opts == '\0') {
        set_error(error, "VNC requires a display argument vnc=<display>");
        return false;
    }
    return vnc_open(vm, opts, error);
}

const DisplayType display_vnc = {
    .name = "vnc", .help = "a VNC server, with the options of -vnc",
    .open = open_display, .close = vnc_close_all,
};
