/*
 * A VNC viewer: a thread that reads what it says, and encodes and sends what it asks for.
 *
 * All that libvncserver keeps for a viewer (connection, pixel format, compressors) is touched by
 * that one thread, so a viewer that does not read its socket makes nobody wait but its own thread,
 * inside a write.  The library's own threads are not used: they share state without locks (the
 * list of clients, the registered security types, the translation table while it is in use).  For
 * the same reason each viewer has a screen of its own, and login and messages are read here; the
 * library translates colors, encodes and sends.
 *
 * What the main thread and the viewer's tell each other is under `lock`, which nobody holds while
 * waiting for anything.  Keys and pointer go to the guest under the machine lock, taken by the
 * viewer's thread: it waits no longer than handing them to the main thread would take, and a viewer
 * that sends more than can be used is slowed down by that, with nothing that grows.
 */
#pragma once

#include <rfb/rfb.h>

#include "keyboard.h"
#include "pointer.h"
#include "vnc_screen.h"
#include "vnc_tiles.h"
#include "vnc_websocket.h"

/* What a viewer has yet to be told. */
enum {
    VNC_NEWS_SIZE = 1, VNC_NEWS_POINTER = 2, VNC_NEWS_LEDS = 4, VNC_NEWS_KEYS = 8
};

/* How far it came with logging in, in the words of -vnc share=. */
typedef enum VncStage {
    VNC_STAGE_LOGIN, VNC_STAGE_SHARED, VNC_STAGE_EXCLUSIVE, VNC_STAGE_ENDED
} VncStage;

typedef enum VncEncoding {
    VNC_RAW, VNC_HEXTILE, VNC_ZLIB, VNC_TIGHT, VNC_ZRLE, VNC_ENCODINGS
} VncEncoding;

struct VncViewer {
    VncScreen *screen;
    void *tag;
    bool in_browser, trusted;
    int fd;                             /* open until the viewer is freed */
    GThread *thread;

    /* machine lock */
    VncStage stage;
    Keyboard *keyboard;
    Pointer pointer;
    bool announced;                     /* initialized() was called */

    /* lock */
    GMutex lock;
    int wake;                           /* eventfd */
    bool stop;
    bool asked;                         /* it waits for an update */
    Surface *picture;                   /* what it is to show; never NULL */
    VncTiles *dirty;                    /* of that picture, not sent yet */
    unsigned news;                      /* VNC_NEWS_… */
    unsigned leds;                      /* KEYBOARD_LED_… */
    bool absolute;

    /* its thread */
    rfbScreenInfoPtr rfb;
    rfbClientPtr client;
    VncWebsocket *websocket;            /* NULL: it is not in a browser */
    Surface *shown;                     /* a reference to the picture being encoded */
    VncTiles *sending;
    GArray *rects;                      /* ConsoleRect: of the update under way */
    unsigned width, height;             /* of the picture as the viewer knows it */
    ConsoleRect area;                   /* it asked for */
    VncEncoding encoding;
    bool takes_size, takes_size_ext, takes_pointer, takes_keys, takes_leds;
    bool relative;                      /* it was told to send motion */
    unsigned size_reason, size_status;  /* of the next ExtendedDesktopSize */
    unsigned buttons;                   /* RFB's, as of its last pointer message */
    unsigned modifiers;                 /* of the hot keys */
};

/* ---- vnc_viewer.c ---- */
/* Takes fd.  The thread starts at once.  NULL: no descriptor is left. */
VncViewer *vnc_viewer_new(VncScreen *screen, int fd, bool websocket, bool trusted, void *tag,
                          Surface *picture);
void vnc_viewer_free(VncViewer *viewer);                /* its thread has ended */
/* Main thread: what changed in the picture. */
void vnc_viewer_damage(VncViewer *viewer, const VncTiles *changed);
void vnc_viewer_show(VncViewer *viewer, Surface *picture);      /* another one, all of it */
void vnc_viewer_set_leds(VncViewer *viewer, unsigned leds);
void vnc_viewer_set_absolute(VncViewer *viewer, bool absolute);

/* Its thread: all of it, or false: the connection is of no use any more. */
bool vnc_viewer_read(VncViewer *viewer, void *buf, size_t len);
bool vnc_viewer_write(VncViewer *viewer, const void *buf, size_t len);

/* ---- vnc_login.c: RFC 6143 §7.1 to §7.3 ---- */
bool vnc_viewer_login(VncViewer *viewer);

/* ---- vnc_messages.c: §7.5 ---- */
bool vnc_viewer_message(VncViewer *viewer);             /* reads one and does what it says */

/* ---- vnc_update.c: §7.6 ---- */
extern const int32_t vnc_encoding_numbers[VNC_ENCODINGS];
bool vnc_viewer_send_news(VncViewer *viewer);           /* if there are any */
bool vnc_viewer_send_update(VncViewer *viewer);         /* if it asked and something changed */

/* ---- vnc_screen.c: machine lock held, any thread ---- */
Vm *vnc_screen_vm(const VncScreen *screen);
const VncScreenConfig *vnc_screen_config(const VncScreen *screen);
bool vnc_screen_check_password(VncViewer *viewer, const uint8_t challenge[16],
                               const uint8_t response[16]);     /* lock not held */
char *vnc_screen_name(const VncScreen *screen);
/* By the share policy, once the picture is up to date; false: it may not come in. */
bool vnc_screen_admit(VncViewer *viewer, bool shared);
void vnc_screen_ended(VncViewer *viewer);               /* the thread's last word */
bool vnc_screen_wish(VncScreen *screen, unsigned width, unsigned height);
void vnc_screen_select(VncScreen *screen, unsigned index);      /* a hot key */
void vnc_screen_typed(VncScreen *screen);       /* look at the console and the lights soon */
bool vnc_screen_is_text(const VncScreen *screen);       /* what it shows has no pointer */
