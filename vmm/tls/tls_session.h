/*
 * One TLS connection over a stream socket: handshake, bytes, good-bye.
 *
 * The descriptor is the caller's: it does not block, stays open as long as the session lives, and
 * nothing else reads or writes it.  No call here waits.  What a session keeps is bounded: one record
 * each way (16 KiB), and a handshake message of 128 KiB at most.
 *
 * read(), pending() and write() from any thread, all else from the thread that made it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "tls_creds.h"

/* How long a peer may take for its handshake. */
#define TLS_HANDSHAKE_LIMIT_S   10

typedef struct TlsSession TlsSession;

/* Instead of a number of bytes. */
enum {
    TLS_AGAIN = -1,             /* not now: again when the descriptor is ready as wants() says */
    TLS_FAILED = -2,            /* `error` is set; the connection is of no use any more */
};

/*
 * The end of the connection is that of the credentials.  `host`: for a client with x509, the name or
 * address its server must have a certificate for; NULL: any.  Keeps a reference of `creds`.
 */
TlsSession *tls_session_new(TlsCreds *creds, int fd, const char *host, GError **error);
void tls_session_free(TlsSession *session);             /* NULL is fine; sends nothing */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsSession, tls_session_free)

/* The next steps: 0 when it is done and the peer is who it has to be, TLS_AGAIN, TLS_FAILED. */
int tls_session_handshake(TlsSession *session, GError **error);
GIOCondition tls_session_wants(const TlsSession *session);      /* G_IO_IN or G_IO_OUT */

/*
 * The whole handshake on the main loop, within TLS_HANDSHAKE_LIMIT_S.  Calls `done` once, from the
 * loop, never from here; `error` is NULL when it went well, and done()'s to read.  done() may free
 * the session.  Freeing it before ends the handshake, and done() is not called.
 */
void tls_session_start(TlsSession *session, void (*done)(void *opaque, const GError *error),
                       void *opaque);

/* Bytes read, 0 at the end the peer announced, TLS_AGAIN, TLS_FAILED.  `len` is not 0. */
ssize_t tls_session_read(TlsSession *session, void *buf, size_t len, GError **error);
/* Bytes that read() gives without the descriptor being readable: poll() does not know of them. */
size_t tls_session_pending(TlsSession *session);
/*
 * Bytes sent, at most 16 KiB, TLS_AGAIN, TLS_FAILED.  After TLS_AGAIN the bytes of that call are
 * enciphered and part of them may be gone: the next call begins with the same ones, and may have
 * more behind them.
 */
ssize_t tls_session_write(TlsSession *session, const void *buf, size_t len, GError **error);
/* Tells the peer that nothing follows, if that can be done at once. */
void tls_session_bye(TlsSession *session);

/* The name in the peer's certificate ("CN=…,O=…", RFC 4514), or NULL; a new string. */
char *tls_session_peer_name(const TlsSession *session);
