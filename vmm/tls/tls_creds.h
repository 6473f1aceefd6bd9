/*
 * Credentials for TLS: -object tls-creds-x509, tls-creds-anon, tls-creds-psk.
 *
 * An object reads its files when it is made.  What it holds is a TlsCreds, which never changes and
 * is shared by reference: connections go on with theirs when the object is deleted or its files are
 * read again.  Objects on the main thread, machine lock; ref and unref on any.
 */
#pragma once

#include "user_object.h"

typedef enum TlsKind { TLS_KIND_ANON, TLS_KIND_PSK, TLS_KIND_X509 } TlsKind;
typedef enum TlsEndpoint { TLS_ENDPOINT_CLIENT, TLS_ENDPOINT_SERVER } TlsEndpoint;

typedef struct TlsCreds TlsCreds;

#define TLS_CREDS_BASE "tls-creds"          /* what their types have in common */
extern const ObjectType tls_creds_anon_type, tls_creds_psk_type, tls_creds_x509_type;

/* What the object with that id holds, for that end of a connection; a new reference. */
TlsCreds *tls_creds_find(const char *id, TlsEndpoint endpoint, GError **error);
/* Reads the object's files again; on failure it keeps what it has.  find() gives the new ones. */
bool tls_creds_reload(const char *id, GError **error);

TlsCreds *tls_creds_ref(TlsCreds *creds);
void tls_creds_unref(TlsCreds *creds);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsCreds, tls_creds_unref)
TlsKind tls_creds_kind(const TlsCreds *creds);
