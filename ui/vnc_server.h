/*
 * The inside of a VNC server, for the vnc*.c files that make it up.
 *
 * Main thread, machine lock held.
 */
#pragma once

#include "vnc.h"
#include "vnc_auth.h"
#include "vnc_listen.h"
#include "vnc_options.h"
#include "vnc_screen.h"

enum { VNC_DISPLAY_PORT = 5900, VNC_WEBSOCKET_PORT = 5700 };    /* of display 0 */

struct VncServer {
    Vm *vm;
    VncOptions options;
    const char *sub_auth;                   /* VeNCrypt's, or NULL */
    bool need_password;
    VncAuth *auth;
    VncScreen *screen;
    GPtrArray *listeners;                   /* VncListener * */
    GPtrArray *connections;                 /* VncConnection *, oldest first */
    GArray *addresses;                      /* vnc_info()'s */
    GPtrArray *peers;
};

extern const VncScreenOps vnc_screen_ops;   /* opaque: the server */

/* A viewer came in, at the server's address `at`; takes fd. False: it was sent away. */
bool vnc_add_viewer(VncServer *server, int fd, const VncAddress *at, bool trusted);
void vnc_on_accepted(void *server, VncListener *listener, int fd);      /* of a VncListener */

/* Everything from its options but its id, which is set: vnc_open.c.  On failure it is half made. */
bool vnc_server_open(VncServer *server, GError **error);
