/*
 * Packets of gdb's remote serial protocol: bytes in, checked packets out, and back.
 * GDB manual, E.1 "Overview" and E.11 "Packet Acknowledgment".
 *
 * Knows no machine.  A link keeps one packet that is coming in, of at most GDB_PACKET_MAX bytes,
 * and the packets its peer has not acknowledged yet.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { GDB_PACKET_MAX = 0x4000 };

typedef enum GdbLinkState { GDB_LINK_IDLE, GDB_LINK_BODY, GDB_LINK_SUM_HIGH, GDB_LINK_SUM_LOW }
    GdbLinkState;

typedef struct GdbLink {
    /* set by the owner */
    void *opaque;
    void (*packet)(void *opaque, const char *body, size_t len); /* a NUL follows; may be within */
    void (*interrupt)(void *opaque);                    /* Ctrl-C */
    void (*write)(void *opaque, const void *buf, size_t len);
    bool no_ack;                        /* QStartNoAckMode */
    /* the link's own */
    GdbLinkState state;
    GString *body;
    bool escaped, too_long;
    uint8_t sum;
    int sum_sent;                       /* -1: not two hex digits */
    GQueue unacked;                     /* GString *, framed; the first one is with the peer */
} GdbLink;

void gdb_link_init(GdbLink *link);      /* after the owner's fields */
void gdb_link_finish(GdbLink *link);
/*
 * Takes bytes up to the first that made it call back or write, and returns how many those were, so
 * that its owner can see to the output before it goes on.  A packet that comes while others wait
 * for their acknowledgment takes their place: the peer has given them up.
 */
size_t gdb_link_receive(GdbLink *link, const uint8_t *buf, size_t len);
void gdb_link_send(GdbLink *link, const char *body, size_t len);

/* Text as hex digits, and bytes that mean something to the protocol behind an escape. */
void gdb_append_hex(GString *out, const void *data, size_t len);
void gdb_append_escaped(GString *out, const void *data, size_t len);
