/*
 * VNC servers: who may connect, from where, and what is known of those who did.
 *
 * Main thread, machine lock held.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Vm Vm;
typedef struct VncServer VncServer;

/* One more server, from the text after -vnc; "none" is no server and no error. */
bool vnc_open(Vm *vm, const char *text, GError **error);
void vnc_close_all(void);
const GPtrArray *vnc_servers(void);                             /* VncServer *, in order */
VncServer *vnc_find(const char *id);                            /* NULL: none */
VncServer *vnc_first(void);                                     /* "default", else the first */

/* ---- passwords: of 8 characters at most, as RFB has them ---- */
bool vnc_set_password(VncServer *server, const char *password, GError **error);     /* NULL: none */
/* From then on no password is right; G_MAXINT64: never.  Seconds since 1970. */
void vnc_expire_password(VncServer *server, int64_t when);

/* ---- what is known ---- */
typedef struct VncAddress {
    const char *host, *service, *family;        /* "127.0.0.1", "5900", "ipv4"; unix: path, "", "unix" */
    bool websocket;
} VncAddress;

typedef struct VncPeer {                        /* a connected viewer */
    VncAddress address;
    const char *x509_dname;                     /* NULL: none */
} VncPeer;

typedef struct VncServerInfo {
    const char *id, *auth, *sub_auth;           /* "none", "vnc", "vencrypt+x509+vnc" taken apart */
    const char *display;                        /* device shown, NULL: the first */
    const GArray *addresses;                    /* VncAddress */
    const GPtrArray *peers;                     /* VncPeer *, oldest first */
} VncServerInfo;
void vnc_info(const VncServer *server, VncServerInfo *info);    /* borrowed until anything changes */

/* Who hears VNC_CONNECTED, VNC_INITIALIZED and VNC_DISCONNECTED: QMP. */
typedef enum VncEvent { VNC_EVENT_CONNECTED, VNC_EVENT_INITIALIZED, VNC_EVENT_DISCONNECTED } VncEvent;
void vnc_set_listener(void (*fn)(VncEvent event, const VncServer *server, const VncAddress *at,
                                 const VncPeer *peer));
