/* What the files of the nbd driver share: the connection and its making. */
#pragma once

#include "block_driver.h"

/* Transmission flags of an export (NBD protocol, "Transmission flags") */
enum { NBD_FLAG_READ_ONLY = 2, NBD_FLAG_SEND_FLUSH = 4, NBD_FLAG_SEND_FUA = 8,
       NBD_FLAG_SEND_TRIM = 32, NBD_FLAG_SEND_WRITE_ZEROES = 64 };

#define NBD_MAX_PAYLOAD (32u << 20)     /* of one request, where the server says nothing */
#define NBD_MAX_NAME    4096u           /* of an export: the protocol's limit for strings */

typedef struct NbdAddress {
    char *path;                         /* a Unix socket, or */
    char *host, *port;
    char *export;                       /* "": the server's default */
} NbdAddress;

typedef struct NbdExport {
    uint64_t size;
    uint16_t flags;
    uint32_t min_block, max_block;      /* 0: not said */
} NbdExport;

void nbd_address_clear(NbdAddress *address);
/* From the node's file name or its options path, host, port, export, server.*. */
bool nbd_address_parse(BlockNode *node, NbdAddress *address, GError **error);
/* "nbd://host:port/export", "nbd+unix:///export?socket=path". New string. */
char *nbd_address_text(const NbdAddress *address);

/*
 * Connects and agrees on the export: a blocking descriptor, or -1.  Waits seconds, not for ever,
 * and no longer than until `cancel_fd` is readable.
 */
int nbd_connect(const NbdAddress *address, NbdExport *export, int cancel_fd, GError **error);

/* How long to wait for the other side. */
typedef struct NbdPatience {
    int64_t deadline_us;                /* monotonic */
    int cancel_fd;
} NbdPatience;

/* All of it, or -errno; -EPIPE when the other side is gone.  `patience` NULL: for ever. */
int nbd_read_all(int fd, void *buf, size_t len, const NbdPatience *patience);
int nbd_write_all(int fd, const void *buf, size_t len);

static inline void nbd_put(uint8_t *at, uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0; value >>= 8) {
        at[i] = value;
    }
}

static inline uint64_t nbd_get(const uint8_t *at, unsigned bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < bytes; i++) {
        value = value << 8 | at[i];
    }
    return value;
}
