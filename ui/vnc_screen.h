/*
 * What VNC viewers share: one picture of a console, encoded for each of them by libvncserver.
 *
 * The picture is a copy the main thread brings up to date when the console changes; a thread for
 * each viewer encodes from it without the machine lock, and waits for a slow viewer there.  A mode
 * of another size is another picture: a thread that is still at work reads the old one to its end.
 *
 * Functions: main thread, machine lock held, where nothing else is said.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "console.h"
#include "keymap.h"

typedef struct VncScreen VncScreen;
typedef struct VncViewer VncViewer;

typedef enum VncShare {                 /* -vnc share= */
    VNC_SHARE_ALLOW_EXCLUSIVE, VNC_SHARE_FORCE_SHARED, VNC_SHARE_IGNORE
} VncShare;

typedef struct VncScreenConfig {
    const Keymap *keymap;
    VncShare share;
    bool lossy;                         /* JPEG where a viewer asks for it */
    bool lock_key_sync;                 /* viewers are told of the keyboard's lights */
    bool need_password;                 /* VncAuth; check_password() decides */
    unsigned viewers_max;               /* -vnc connections= */
    int64_t key_delay_ns;
    bool one_console;                   /* -vnc display=: the hot keys show no other */
} VncScreenConfig;

typedef struct VncScreenOps {
    /*
     * A viewer answered the challenge (RFC 6143 §7.2.2).  Runs on the viewer's thread, lock not
     * held: it may wait, to slow a guesser down.
     */
    bool (*check_password)(void *opaque, VncViewer *viewer, const uint8_t challenge[16],
                           const uint8_t response[16]);
    void (*initialized)(void *opaque, VncViewer *viewer);       /* main thread: it sees the screen */
    void (*gone)(void *opaque, VncViewer *viewer);      /* main thread: the last call for it */
} VncScreenOps;

VncScreen *vnc_screen_new(Vm *vm, const VncScreenConfig *config, const VncScreenOps *ops,
                          void *opaque, GError **error);
/* Viewers are disconnected, each hears gone(); returns when their threads have ended. */
void vnc_screen_free(VncScreen *screen);
/* What it shows; NULL: a picture that says that there is nothing. */
void vnc_screen_set_console(VncScreen *screen, Console *console);

/*
 * Takes a connected stream socket.  `tag` is the caller's; the first bytes may be a WebSocket
 * handshake (RFC 6455) if `websocket`.  `trusted`: it has shown who it is, no password is asked.
 * NULL: the limit is reached, fd is closed.
 */
VncViewer *vnc_screen_add(VncScreen *screen, int fd, bool websocket, bool trusted, void *tag);
void *vnc_viewer_tag(const VncViewer *viewer);                  /* any thread */
void vnc_viewer_close(VncViewer *viewer);                       /* gone() follows */
unsigned vnc_screen_viewers(const VncScreen *screen);
/* The guest's pointer takes positions, or motion: viewers that can are told. */
void vnc_screen_pointer_mode(VncScreen *screen, bool absolute);
