/* Where GnuTLS is missing: there are no credentials, and so no session ever begins. */
#include "rhea_error.h"
#include "tls_session.h"

TlsCreds *tls_creds_find(const char *id, TlsEndpoint endpoint, GError **error)
{
    set_error(error, "No TLS credentials with id '%s': this program was built without GnuTLS", id);
    return NULL;
}

bool tls_creds_reload(const char *id, GError **error)
{
    return tls_creds_find(id, TLS_ENDPOINT_SERVER, error) != NULL;
}

TlsCreds *tls_creds_ref(TlsCreds *creds)
{
    return creds;
}

void tls_creds_unref(TlsCreds *creds)
{
}

TlsKind tls_creds_kind(const TlsCreds *creds)
{
    g_assert_not_reached();
}

TlsSession *tls_session_new(TlsCreds *creds, int fd, const char *host, GError **error)
{
    g_assert_not_reached();
}

void tls_session_free(TlsSession *session)
{
}

int tls_session_handshake(TlsSession *session, GError **error)
{
    g_assert_not_reached();
}

GIOCondition tls_session_wants(const TlsSession *session)
{
    g_assert_not_reached();
}

void tls_session_start(TlsSession *session, void (*done)(void *opaque, const GError *error),
                       void *opaque)
{
    g_assert_not_reached();
}

ssize_t tls_session_read(TlsSession *session, void *buf, size_t len, GError **error)
{
    g_assert_not_reached();
}

size_t tls_session_pending(TlsSession *session)
{
    g_assert_not_reached();
}

ssize_t tls_session_write(TlsSession *session, const void *buf, size_t len, GError **error)
{
    g_assert_not_reached();
}

void tls_session_bye(TlsSession *session)
{
}

char *tls_session_peer_name(const TlsSession *session)
{
    g_assert_not_reached();
}
