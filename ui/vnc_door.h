/*
 * TLS in front of a VNC server's screen: what a viewer has to do before it may speak RFB.
 *
 * For viewers of RFB: version and security type VeNCrypt (registered with IANA as type 19), TLS,
 * and the password if there is one.  For those in a browser: TLS alone, the WebSocket and all else
 * is the screen's.  After that bytes go through to the screen's socket, on a thread per viewer; it
 * keeps a buffer each way, and reads no more than it could pass on.  The thread ends by itself, a
 * while after its door is freed at most.
 *
 * Main thread.
 */
#pragma once

#include "tls_creds.h"
#include "vnc.h"
#include "vnc_auth.h"

typedef struct VncDoor VncDoor;

typedef struct VncDoorConfig {
    TlsCreds *creds;
    VncAuth *auth;                          /* NULL: no password is asked */
    const VncAddress *peer;
    bool websocket;
} VncDoorConfig;

/* Takes fd; *inner is the socket for the screen.  NULL: an error, fd is closed. */
VncDoor *vnc_door_new(int fd, const VncDoorConfig *config, int *inner, GError **error);
char *vnc_door_peer_name(VncDoor *door);    /* of its certificate, a new string; NULL: none */
void vnc_door_free(VncDoor *door);          /* the viewer is gone; NULL is fine */
/* Until the threads of freed doors have ended: at once, if nobody can wait for a password. */
void vnc_doors_wait(void);
