/*
 * VNC servers: who may connect, from where, and what is known of those who did.
 *
 * Main thread, machine lock held.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "keyval.h"

typedef struct Vm Vm;
typedef struct VncServer VncServer;

extern const KeyField vnc_fields[];                             /* keys of -vnc */
/* One more server, from the text after -vnc; "none" is no server and no error. */
bool vnc_open(Vm *vm, const char *text, GError **error);
void vnc_close_all(void);
/* Where to listen, or to connect to: a port, not a display. */
typedef struct VncPlace {
    char *path;                             /* a UNIX socket, or NULL: */
    char *host;                             /* "": loopback */
    unsigned port, last_port;               /* the first free one of these */
    const char *ipv4, *ipv6;                /* "on", "off", NULL: not said */
    bool websocket;
} VncPlace;

/*
 * The server listens there and no longer where it did; on failure it stays where it is.  Viewers
 * stay, and so do its WebSockets.
 */
bool vnc_set_places(VncServer *server, const VncPlace *places, size_t n, GError **error);
/* Takes a connected socket; `trusted`: no password is asked, nor TLS. */
bool vnc_add_client(VncServer *server, int fd, bool trusted, GError **error);
bool vnc_reload_tls(VncServer *server, GError **error);         /* reads its files again */
const GPtrArray *vnc_servers(void);                             /* VncServer *, in order */
VncServer *vnc_find(const char *id);                            /* NULL: none */
VncServer *vnc_first(void);                                     /* "default", else the first */

/* ---- passwords: of 8 characters at most, as RFB has them ---- */
bool vnc_set_password(VncServer *server, const char *password, GError **error);     /* NULL: none */
/* From then on no password is right; G_MAXINT64: never.  Seconds since 1970. */
void vnc_expire_password(VncServer *server, int64_t when);

/* ---- what is known ---- */
typedef struct VncAddress {
    const char *host, *service, *family;        /* "127.0.0.1", "5900", "ipv4"; "", path, "unix" */
    bool websocket;
} VncAddress;

typedef struct VncPeer {                        /* a connected viewer */
    VncAddress address;
    const char *x509_dname;                     /* NULL: none */
} VncPeer;

typedef struct VncServerInfo {
    const char *id, *auth;                      /* "none", "vnc", "vencrypt" */
    const char *sub_auth;                       /* of "vencrypt": "x509-vnc"; else NULL */
    const char *websocket_auth;                 /* in browsers TLS is below: "none", "vnc" */
    const char *display;                        /* device shown, NULL: the first */
    const GArray *addresses;                    /* VncAddress */
    const GPtrArray *peers;                     /* VncPeer *, oldest first */
} VncServerInfo;
/* Borrowed until anything changes. */
void vnc_info(const VncServer *server, VncServerInfo *info);

/* Who hears VNC_CONNECTED, VNC_INITIALIZED and VNC_DISCONNECTED: QMP. */
typedef enum VncEvent {
    VNC_EVENT_CONNECTED, VNC_EVENT_INITIALIZED, VNC_EVENT_DISCONNECTED
} VncEvent;
void vnc_set_listener(void (*fn)(VncEvent event, const VncServer *server, const VncAddress *at,
                                 const VncPeer *peer));
