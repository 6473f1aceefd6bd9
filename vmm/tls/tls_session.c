#include "tls_session.h"

#include <arpa/inet.h>
#include <glib-unix.h>
#include <gnutls/x509.h>
#include <string.h>

#include "rhea_error.h"
#include "tls_impl.h"

struct TlsSession {
    TlsCreds *creds;
    int fd;
    char *host;                             /* whose certificate it must be; NULL: anybody's */
    gnutls_session_t tls;
    GMutex lock;                            /* tls, unsent; a leaf */
    size_t unsent;                          /* bytes of a write() whose record is on its way */
    /* a handshake on the main loop */
    void (*done)(void *opaque, const GError *error);
    void *opaque;
    GSource *source, *limit;
};

/* ---- life ---- */

static bool is_address(const char *host)
{
    unsigned char addr[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, addr) == 1 || inet_pton(AF_INET6, host, addr) == 1;
}

static gnutls_credentials_type_t credentials_type(TlsKind kind)
{
    return kind == TLS_KIND_ANON ? GNUTLS_CRD_ANON
           : kind == TLS_KIND_PSK ? GNUTLS_CRD_PSK : GNUTLS_CRD_CERTIFICATE;
}

static int session_setup(TlsSession *session)
{
    TlsCreds *creds = session->creds;
    bool server = creds->endpoint == TLS_ENDPOINT_SERVER;
    int rc = gnutls_init(&session->tls, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) |
                                        GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

    if (rc >= 0) {
        rc = gnutls_priority_set(session->tls, creds->priority);
    }
    if (rc >= 0) {
        rc = gnutls_credentials_set(session->tls, credentials_type(creds->kind), creds->keys.any);
    }
    /* RFC 6066 3: names alone, no addresses */
    if (rc >= 0 && !server && session->host != NULL && !is_address(session->host)) {
        rc = gnutls_server_name_set(session->tls, GNUTLS_NAME_DNS, session->host,
                                    strlen(session->host));
    }
    if (rc >= 0) {
        gnutls_transport_set_int(session->tls, session->fd);
        gnutls_handshake_set_timeout(session->tls, 0);
        if (server && creds->kind == TLS_KIND_X509) {
            gnutls_certificate_server_set_request(session->tls, GNUTLS_CERT_REQUEST);
        }
    }
    return rc;
}

TlsSession *tls_session_new(TlsCreds *creds, int fd, const char *host, GError **error)
{
    g_autoptr(TlsSession) session = g_new0(TlsSession, 1);
    int rc;

    session->creds = tls_creds_ref(creds);
    session->fd = fd;
    session->host = creds->endpoint == TLS_ENDPOINT_CLIENT ? g_strdup(host) : NULL;
    g_mutex_init(&session->lock);
    rc = session_setup(session);
    if (rc < 0) {
        set_error(error, "no TLS session: %s", gnutls_strerror(rc));
        return NULL;
    }
    return g_steal_pointer(&session);
}

static void stop_source(GSource **source)
{
    if (*source != NULL) {
        g_source_destroy(*source);
        g_clear_pointer(source, g_source_unref);
    }
}

void tls_session_free(TlsSession *session)
{
    if (session == NULL) {
        return;
    }
    stop_source(&session->source);
    stop_source(&session->limit);
    if (session->tls != NULL) {
        gnutls_deinit(session->tls);
    }
    g_mutex_clear(&session->lock);
    tls_creds_unref(session->creds);
    g_free(session->host);
    g_free(session);
}

/* ---- handshake ---- */

static bool check_peer(TlsSession *session, GError **error)
{
    TlsCreds *creds = session->creds;
    unsigned status = 0;
    int rc;

    if (creds->kind != TLS_KIND_X509 || !creds->verify_peer) {
        return true;
    }
    rc = gnutls_certificate_verify_peers3(session->tls, session->host, &status);
    if (rc == GNUTLS_E_NO_CERTIFICATE_FOUND) {
        set_error(error, "No certificate was found");
    } else if (rc < 0) {
        set_error(error, "Verify failed: %s", gnutls_strerror(rc));
    } else if (status & GNUTLS_CERT_UNEXPECTED_OWNER) {
        set_error(error, "Certificate does not match the hostname %s", session->host);
    } else if (status != 0) {
        set_error(error, "%s", tls_x509_problem(status));
    } else {
        return true;
    }
    return false;
}

/* The peer said what makes no difference, or GnuTLS gave way: nothing is lost, once more. */
static bool is_passing(int rc)
{
    return rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED ||
           rc == GNUTLS_E_WARNING_ALERT_RECEIVED;
}

/* The peer's own word, if it gave one, says more. */
static int session_failed(TlsSession *session, const char *what, int rc, GError **error)
{
    const char *word = rc == GNUTLS_E_FATAL_ALERT_RECEIVED
                           ? gnutls_alert_get_name(gnutls_alert_get(session->tls)) : NULL;

    set_error(error, "TLS %s failed: %s%s%s", what, gnutls_strerror(rc), word != NULL ? " " : "",
              word != NULL ? word : "");
    return TLS_FAILED;
}

int tls_session_handshake(TlsSession *session, GError **error)
{
    int rc = gnutls_handshake(session->tls);

    if (rc < 0 && is_passing(rc)) {
        return TLS_AGAIN;
    }
    if (rc < 0) {
        gnutls_alert_send_appropriate(session->tls, rc);
        return session_failed(session, "handshake", rc, error);
    }
    if (!check_peer(session, error)) {
        gnutls_alert_send(session->tls, GNUTLS_AL_FATAL, GNUTLS_A_BAD_CERTIFICATE);
        return TLS_FAILED;
    }
    return 0;
}

GIOCondition tls_session_wants(const TlsSession *session)
{
    return gnutls_record_get_direction(session->tls) == 0 ? G_IO_IN : G_IO_OUT;
}

/* done() may free the session: nothing of it is touched behind that. */
static void start_ended(TlsSession *session, const GError *error)
{
    stop_source(&session->source);
    stop_source(&session->limit);
    session->done(session->opaque, error);
}

static gboolean start_step(gint fd, GIOCondition condition, gpointer opaque);

static void start_wait(TlsSession *session)
{
    stop_source(&session->source);
    session->source = g_unix_fd_source_new(session->fd, tls_session_wants(session));
    g_source_set_callback(session->source, G_SOURCE_FUNC(start_step), session, NULL);
    g_source_attach(session->source, NULL);
}

static gboolean start_step(gint fd, GIOCondition condition, gpointer opaque)
{
    TlsSession *session = opaque;
    g_autoptr(GError) error = NULL;

    if (tls_session_handshake(session, &error) == TLS_AGAIN) {
        start_wait(session);
    } else {
        start_ended(session, error);
    }
    return G_SOURCE_REMOVE;
}

static gboolean start_late(gpointer opaque)
{
    g_autoptr(GError) error = NULL;

    set_error(&error, "TLS handshake failed: it took more than %d seconds", TLS_HANDSHAKE_LIMIT_S);
    start_ended(opaque, error);
    return G_SOURCE_REMOVE;
}

/* Both ends can write at the beginning, so that the first step comes from the loop. */
void tls_session_start(TlsSession *session, void (*done)(void *opaque, const GError *error),
                       void *opaque)
{
    session->done = done;
    session->opaque = opaque;
    session->source = g_unix_fd_source_new(session->fd, G_IO_OUT);
    g_source_set_callback(session->source, G_SOURCE_FUNC(start_step), session, NULL);
    g_source_attach(session->source, NULL);
    session->limit = g_timeout_source_new_seconds(TLS_HANDSHAKE_LIMIT_S);
    g_source_set_callback(session->limit, start_late, session, NULL);
    g_source_attach(session->limit, NULL);
}

/* ---- bytes ---- */

ssize_t tls_session_read(TlsSession *session, void *buf, size_t len, GError **error)
{
    ssize_t rc;

    g_mutex_lock(&session->lock);
    rc = gnutls_record_recv(session->tls, buf, len);
    if (rc < 0) {
        rc = is_passing(rc) ? TLS_AGAIN : session_failed(session, "read", rc, error);
    }
    g_mutex_unlock(&session->lock);
    return rc;
}

size_t tls_session_pending(TlsSession *session)
{
    size_t pending;

    g_mutex_lock(&session->lock);
    pending = gnutls_record_check_pending(session->tls);
    g_mutex_unlock(&session->lock);
    return pending;
}

/* GnuTLS keeps an unfinished record: it is finished first, whatever `buf` is now. */
ssize_t tls_session_write(TlsSession *session, const void *buf, size_t len, GError **error)
{
    ssize_t rc;

    g_mutex_lock(&session->lock);
    rc = session->unsent > 0 ? gnutls_record_send(session->tls, NULL, 0)
                             : gnutls_record_send(session->tls, buf, len);
    if (rc >= 0) {
        session->unsent = 0;
    } else if (is_passing(rc)) {
        session->unsent = session->unsent > 0 ? session->unsent : len;
        rc = TLS_AGAIN;
    } else {
        rc = session_failed(session, "write", rc, error);
    }
    g_mutex_unlock(&session->lock);
    return rc;
}

void tls_session_bye(TlsSession *session)
{
    g_mutex_lock(&session->lock);
    if (session->unsent == 0) {
        gnutls_bye(session->tls, GNUTLS_SHUT_WR);
    }
    g_mutex_unlock(&session->lock);
}

char *tls_session_peer_name(const TlsSession *session)
{
    unsigned n = 0;
    const gnutls_datum_t *chain = session->creds->kind == TLS_KIND_X509
                                      ? gnutls_certificate_get_peers(session->tls, &n) : NULL;
    gnutls_datum_t name = { 0 };
    gnutls_x509_crt_t cert;
    char *text = NULL;

    if (chain == NULL || n == 0 || gnutls_x509_crt_init(&cert) < 0) {
        return NULL;
    }
    if (gnutls_x509_crt_import(cert, &chain[0], GNUTLS_X509_FMT_DER) >= 0 &&
        gnutls_x509_crt_get_dn3(cert, &name, 0) >= 0) {
        text = g_strndup((const char *)name.data, name.size);
    }
    gnutls_free(name.data);
    gnutls_x509_crt_deinit(cert);
    return text;
}
