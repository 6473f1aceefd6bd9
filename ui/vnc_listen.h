/*
 * Sockets of VNC servers: where they listen, and addresses as people read them.
 *
 * Main thread, machine lock held.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vnc.h"

/*
 * HOST:DISPLAY, unix:PATH; port_base is added to the display's number, and to last_display
 * (0: there is but one).
 */
bool vnc_place_parse(VncPlace *place, const char *text, unsigned port_base, unsigned last_display,
                     GError **error);
void vnc_place_finish(VncPlace *place);
char *vnc_place_format(const VncPlace *place);

typedef struct VncListener {
    VncAddress address;                     /* strings are its own */
    bool loopback;                          /* nobody else reaches it */
    int fd;
    guint source;
    char *unlink_path;
    void (*accepted)(void *opaque, struct VncListener *listener, int fd);
    void *opaque;
} VncListener;

/* Listens at every address the place means; appends to a list of VncListener *. */
bool vnc_listen(GPtrArray *listeners, const VncPlace *place,
                void (*accepted)(void *opaque, VncListener *listener, int fd), void *opaque,
                GError **error);
void vnc_listener_free(VncListener *listener);
/* A connected socket, or -1. */
int vnc_connect(const VncPlace *place, GError **error);

/* Strings are new: vnc_address_clear(). */
void vnc_address_of(VncAddress *address, int fd, bool peer);
void vnc_address_copy(VncAddress *to, const VncAddress *from);
void vnc_address_clear(VncAddress *address);
