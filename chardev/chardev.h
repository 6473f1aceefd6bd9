/*
 * Character devices: where a serial port's or a monitor's bytes come from and go to.
 *
 * A Chardev is the host side (a back end); a CharFrontend is what uses it (a UART, a monitor).
 * One front end per back end, except `mux`, which gives several front ends the same terminal.
 * All calls on the main thread with the machine lock held, except chardev_write(),
 * chardev_write_room() and chardev_accept_input(), which any thread may call.  Callbacks run on
 * the main thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "object.h"
#include "property.h"

typedef struct Chardev Chardev;
typedef struct CharFrontend CharFrontend;
typedef struct ChardevType ChardevType;

typedef enum CharEvent {
    CHAR_EVENT_OPENED, CHAR_EVENT_CLOSED, CHAR_EVENT_BREAK,
    CHAR_EVENT_MUX_IN, CHAR_EVENT_MUX_OUT,          /* this front end got / lost the terminal */
} CharEvent;

struct CharFrontend {
    Chardev *chr;                                   /* NULL: none, writes vanish */
    void *opaque;
    /* How many bytes the front end takes now; 0 stops reading until chardev_accept_input(). */
    int (*can_receive)(void *opaque);
    void (*receive)(void *opaque, const uint8_t *buf, size_t len);      /* len ≤ can_receive() */
    void (*event)(void *opaque, CharEvent event);
    bool is_open;
    /*
     * On a mux: attaching does not take the terminal from another front end (a monitor behind a
     * UART).
     */
    bool background;
    /*
     * On a mux: another front end is about to write while this one has the terminal (true), or has
     * written (false), so that a line being edited can step aside.  Main thread.  May be NULL.
     */
    void (*others_write)(void *opaque, bool before);
};

/*
 * Connects: the front end hears OPENED at once if the back end is. Fails if it is taken.  A
 * property that holds a chardev has attached it already; attaching again after filling in the
 * callbacks is how realize hears OPENED.
 */
bool chardev_attach(CharFrontend *fe, Chardev *chr, GError **error);
void chardev_detach(CharFrontend *fe);
/*
 * Queues all of `buf`; what the peer does not take at once waits in memory up to a limit, then
 * the oldest unsent output is dropped for guests (`chardev_write`).  Never blocks.
 */
void chardev_write(CharFrontend *fe, const void *buf, size_t len);
/*
 * Bytes that can be written without loss; fn is called when there is room again (monitor paging,
 * UART THR).
 */
size_t chardev_write_room(CharFrontend *fe);
void chardev_notify_room(CharFrontend *fe, void (*fn)(void *opaque), void *opaque);
void chardev_accept_input(CharFrontend *fe);
/*
 * Where can_receive() and receive() run: the thread of `context`'s loop, without the machine lock;
 * NULL: the main thread.  When it returns they run nowhere else any more.  False: this back end
 * cannot move (a mux, a telnet or WebSocket peer).  Stays when peers come and go.
 */
bool chardev_set_input_context(CharFrontend *fe, GMainContext *context);
bool chardev_input_can_move(const Chardev *chr);
/*
 * The oldest descriptor that came with the bytes received (SCM_RIGHTS) and nobody took, or -1.  The
 * caller owns it.  On the thread that receives.
 */
int chardev_take_fd(CharFrontend *fe);
void chardev_set_echo(CharFrontend *fe, bool echo);
void chardev_send_break(CharFrontend *fe, bool on);
/* How the guest programmed its port: a host's serial port follows; others need not know. */
typedef enum CharParity { CHAR_PARITY_NONE, CHAR_PARITY_ODD, CHAR_PARITY_EVEN } CharParity;
typedef struct CharLine {
    unsigned bits_per_s, data_bits, stop_bits;
    CharParity parity;
} CharLine;
void chardev_set_line(CharFrontend *fe, const CharLine *line);
/*
 * The registers of a host's parallel port, in their order; the status is not written.  False: the
 * back end is no port, but a stream.  Any thread with the machine lock.
 */
typedef enum CharPort { CHAR_PORT_DATA, CHAR_PORT_STATUS, CHAR_PORT_CONTROL } CharPort;
bool chardev_port_read(CharFrontend *fe, CharPort reg, uint8_t *value);
bool chardev_port_write(CharFrontend *fe, CharPort reg, uint8_t value);
/* What such a port is moved with: ioctl(), or a test's own. */
extern int (*chardev_parallel_ioctl)(int fd, unsigned long request, void *arg);

/* ---- back ends ---- */
typedef struct ChardevInfo { const char *label; char *filename; bool frontend_open; } ChardevInfo;

/*
 * From "-chardev BACKEND,id=ID,opts": `opts` is the text after -chardev.  From a legacy word of
 * -serial/-monitor/-qmp ("stdio", "mon:stdio", "unix:/x,server=on", "tcp:…", "pty", "null",
 * "none", "file:…", "vc", "chardev:ID") with a label to give it.  Known by label from then on.
 * "none" gives NULL without an error.  `with_mux`: "mon:" may stand in front; the device is a mux
 * then (chardev_is_mux()) and the caller puts a monitor on it.
 */
Chardev *chardev_new_from_opts(const char *opts, GError **error);
Chardev *chardev_new_from_legacy(const char *label, const char *word, bool with_mux,
                                 GError **error);
Chardev *chardev_find(const char *label);                   /* NULL: none */
bool chardev_remove(const char *label, GError **error);     /* refused while in use */
/* The user of the device sees a line break, as if its peer had sent one. */
bool chardev_inject_break(const char *label, GError **error);
const GPtrArray *chardev_list(void);                        /* Chardev *, newest first */
void chardev_info(Chardev *chr, ChardevInfo *info);
const char *chardev_label(const Chardev *chr);
void chardev_close_all(void);                               /* restores terminals */
/*
 * One more kind of back end, for those this folder cannot see (ui's text consoles).  Before anything
 * is parsed; kept.
 */
void chardev_add_type(const ChardevType *type);
/* Names of back ends, NULL-terminated, for -chardev help and completion. */
const char *const *chardev_backend_names(void);
/* One mux key ahead: Ctrl-a by default (-echr). */
void chardev_set_escape(uint8_t byte);
/*
 * Called for mux keys the chardev layer cannot carry out itself: 'x' quit, 'b' break handled
 * inside.
 */
void chardev_set_quit_handler(void (*fn)(void *opaque), void *opaque);
bool chardev_is_terminal(const Chardev *chr);               /* stdio on a tty, or a mux over it */
bool chardev_is_mux(const Chardev *chr);
bool chardev_has_focus(const CharFrontend *fe);     /* on a mux: has the terminal */
/* Back ends that keep their output in memory; the other two are for those only. */
bool chardev_is_ringbuf(const Chardev *chr);
size_t chardev_ringbuf_read(Chardev *chr, uint8_t *buf, size_t len);
void chardev_ringbuf_write(Chardev *chr, const uint8_t *buf, size_t len);

/* A property holding a chardev by label; the field is a CharFrontend. */
extern const PropType prop_chardev;
#define PROP_CHARDEV(s, f, ...) PROP_OF(prop_chardev, CharFrontend, s, f, __VA_ARGS__)
