/*
 * What a character device's back end is made of; for the files of chardev/, and for back ends that
 * stand elsewhere and are handed in by chardev_add_type().
 *
 * A back end is a ChardevType row: its options and a few functions.  The common part (this
 * struct, chardev.c, char_io.c) owns the label, the front end, the queue of unsent output, the
 * input source and the log file, so that a back end only knows its descriptors.
 *
 * Threads: everything on the main thread with the machine lock held, except the fields marked
 * "write_lock" and the types' write functions, which any thread may reach through chardev_write().
 */
#pragma once

#include "char_opts.h"
#include "chardev.h"
#include "rhea_error.h"
#include "yank.h"

/* Unsent output a back end keeps for a slow peer. */
#define CHAR_OUT_LIMIT  (1024 * 1024)

struct ChardevType {
    const char *name;                       /* what -chardev takes */
    const CharOption *options;              /* ends with a NULL name; may be NULL */
    size_t size;                            /* of its struct, Chardev first */
    bool (*open)(Chardev *chr, const CharOpts *opts, GError **error);
    void (*close)(Chardev *chr);            /* also after an open that failed half way */
    /*
     * Any thread, write_lock held: takes what it can without waiting.  What it does not take is
     * queued and offered again when out_fd can be written.  NULL: output vanishes.
     */
    size_t (*write)(Chardev *chr, const uint8_t *buf, size_t len);
    /*
     * What goes to the peer for bytes of the front end, into `out`; false: the bytes as they are.
     * Any thread, write_lock held.  A message that finds no room is dropped whole.
     */
    bool (*encode)(Chardev *chr, const uint8_t *buf, size_t len, GByteArray *out);
    /*
     * Instead of write(), for a back end that must know which front end writes (mux). No lock
     * held.
     */
    void (*write_from)(Chardev *chr, CharFrontend *fe, const uint8_t *buf, size_t len);
    size_t (*write_room)(Chardev *chr);     /* NULL: what the common queue has left */
    /* Input: the descriptor's end of file or error. */
    void (*hangup)(Chardev *chr);
    void (*input)(Chardev *chr);            /* in_fd is readable; NULL: read() and deliver */
    bool (*input_can_move)(const Chardev *chr); /* input() works on any thread; NULL: it does not */
    int (*take_fd)(Chardev *chr);           /* chardev_take_fd(); NULL: there are never any */
    bool (*pending)(Chardev *chr);          /* input() has bytes to hand on without reading */
    /* Bytes that come now are the protocol's, whatever the front end takes: one at a time. */
    bool (*handshaking)(const Chardev *chr);
    /* More than one front end (mux). NULL: the common rule, one. */
    bool (*attach)(Chardev *chr, CharFrontend *fe, GError **error);
    void (*detach)(Chardev *chr, CharFrontend *fe);
    void (*set_echo)(Chardev *chr, bool echo);
    void (*send_break)(Chardev *chr, bool on);
    void (*set_line)(Chardev *chr, const CharLine *line);
    /* Registers of a parallel port; NULL: it is none. */
    bool (*port_read)(Chardev *chr, CharPort reg, uint8_t *value);
    void (*port_write)(Chardev *chr, CharPort reg, uint8_t value);
    char *(*filename)(Chardev *chr);        /* NULL: the type's name */
    bool (*is_terminal)(const Chardev *chr);
    void (*renamed)(Chardev *chr);          /* it took the place of another; NULL: no matter */
};

struct Chardev {
    const ChardevType *type;
    char *label;
    CharFrontend *fe;                       /* NULL: not in use */
    bool open;                              /* there is a peer */
    int log_fd;                             /* logfile=, or -1 */
    YankEntry *yank;                        /* NULL: it never has a connection */
    /* input: main thread */
    int in_fd;
    GSource *in_source;
    GMainContext *in_context;               /* whose loop reads; NULL: the main thread's */
    /* output: write_lock */
    GMutex write_lock;
    int out_fd;                             /* -1: write() takes everything or nothing */
    GByteArray *out;                        /* unsent bytes from out_head on */
    size_t out_head;
    GSource *out_source;
    void (*room_fn)(void *opaque);
    void *room_opaque;
};

extern const ChardevType chardev_null_type, chardev_stdio_type, chardev_file_type,
    chardev_pipe_type, chardev_pty_type, chardev_socket_type, chardev_udp_type,
    chardev_ringbuf_type, chardev_memory_type, chardev_mux_type, chardev_serial_type,
    chardev_parallel_type;

/* ---- chardev.c ---- */
Chardev *chardev_new(const ChardevType *type, const CharOpts *opts, GError **error);
void chardev_set_open(Chardev *chr, bool open);     /* the peer came or left: tells the front end */
size_t chardev_can_deliver(Chardev *chr);           /* bytes the front end takes now */
void chardev_deliver(Chardev *chr, const uint8_t *buf, size_t len);
void chardev_deliver_event(Chardev *chr, CharEvent event);
Chardev *chardev_mux_base(const Chardev *chr);
bool chardev_mux_in_use(const Chardev *chr);
bool chardev_mux_over(Chardev *mux, Chardev *base, GError **error);

/* ---- char_io.c ---- */
/* Watches fd for input while the front end takes some; -1 stops watching. */
#define CHAR_PENDING_ONLY   (-2)            /* no descriptor, only the type's pending() */
void chardev_watch_input(Chardev *chr, int fd);
/* The descriptor is at its end: hangup(), on the main thread. From input(). */
void chardev_input_ended(Chardev *chr);
/* Where queued output goes; -1: nowhere, and what is queued is dropped. */
void chardev_set_output(Chardev *chr, int fd);
void chardev_io_write(Chardev *chr, const uint8_t *buf, size_t len);
/* Past log and encode(): the protocol's own bytes. */
void chardev_io_write_raw(Chardev *chr, const uint8_t *buf, size_t len);
size_t chardev_io_room(Chardev *chr);
/* close() for types whose descriptors are in_fd and out_fd. */
void chardev_close_fds(Chardev *chr);
void chardev_io_finish(Chardev *chr);
/* write() for types whose output is a plain descriptor. */
size_t chardev_fd_write(Chardev *chr, const uint8_t *buf, size_t len);
/* Before closing: gives the peer a short while to take what is queued. */
void chardev_drain(Chardev *chr);
/*
 * A descriptor on the same terminal or pipe as `fd` that never blocks and whose flags are nobody
 * else's; -1 where the file cannot be opened again.
 */
int chardev_reopen_nonblocking(int fd, int flags);
