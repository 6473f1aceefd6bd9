/* Certificates from the files of a folder, looked at before they are used (RFC 5280). */
#include <string.h>
#include <time.h>

#include <gnutls/x509.h>

#include "rhea_error.h"
#include "secret.h"
#include "tls_impl.h"

/* A file's certificates. */
typedef struct CertList {
    const char *path;
    gnutls_x509_crt_t *certs;
    unsigned n;
} CertList;

typedef enum CertRole { ROLE_CA, ROLE_CLIENT, ROLE_SERVER } CertRole;

static const struct {
    const char *name;
    unsigned usage;                         /* what a key must be allowed to do */
    const char *usage_text;
    const char *purpose;                    /* NULL: any */
} roles[] = {
    [ROLE_CA] = { "CA", GNUTLS_KEY_KEY_CERT_SIGN, "certificate signing", NULL },
    [ROLE_CLIENT] = { "client", GNUTLS_KEY_DIGITAL_SIGNATURE, "digital signature",
                      GNUTLS_KP_TLS_WWW_CLIENT },
    [ROLE_SERVER] = { "server", GNUTLS_KEY_DIGITAL_SIGNATURE, "digital signature",
                      GNUTLS_KP_TLS_WWW_SERVER },
};

const char *tls_x509_problem(unsigned status)
{
    static const struct { unsigned bit; const char *text; } problems[] = {
        { GNUTLS_CERT_REVOKED, "The certificate has been revoked" },
        { GNUTLS_CERT_SIGNER_NOT_FOUND, "The certificate hasn't got a known issuer" },
        { GNUTLS_CERT_SIGNER_NOT_CA, "The certificate's issuer is not a CA" },
        { GNUTLS_CERT_SIGNATURE_FAILURE, "The certificate's signature is not its issuer's" },
        { GNUTLS_CERT_INSECURE_ALGORITHM, "The certificate uses an insecure algorithm" },
        { GNUTLS_CERT_EXPIRED, "The certificate has expired" },
        { GNUTLS_CERT_NOT_ACTIVATED, "The certificate is not yet active" },
        { GNUTLS_CERT_UNEXPECTED_OWNER, "The certificate is another host's" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(problems); i++) {
        if (status & problems[i].bit) {
            return problems[i].text;
        }
    }
    return "The certificate is not trusted";
}

/* ---- one certificate ---- */

static bool check_times(gnutls_x509_crt_t cert, const char *path, CertRole role, GError **error)
{
    time_t now = time(NULL);

    if (gnutls_x509_crt_get_expiration_time(cert) < now) {
        set_error(error, "The %s certificate %s has expired", roles[role].name, path);
    } else if (gnutls_x509_crt_get_activation_time(cert) > now) {
        set_error(error, "The %s certificate %s is not yet active", roles[role].name, path);
    } else {
        return true;
    }
    return false;
}

/* RFC 5280 4.2.1.9: a CA says that it is one. */
static bool check_constraints(gnutls_x509_crt_t cert, const char *path, CertRole role,
                              GError **error)
{
    int is_ca = gnutls_x509_crt_get_basic_constraints(cert, NULL, NULL, NULL);

    if (role == ROLE_CA && is_ca == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
        set_error(error, "The certificate %s is missing basic constraints for a CA", path);
    } else if (role == ROLE_CA && is_ca <= 0) {
        set_error(error, "The certificate %s basic constraints do not show a CA", path);
    } else if (role != ROLE_CA && is_ca > 0) {
        set_error(error, "The certificate %s basic constraints show a CA, but we need one for a "
                  "%s", path, roles[role].name);
    } else {
        return true;
    }
    return false;
}

/* RFC 5280 4.2.1.3.  As with purposes, a list that is not critical is advice. */
static bool check_usage(gnutls_x509_crt_t cert, const char *path, CertRole role, GError **error)
{
    unsigned usage = 0, critical = 0;

    if (gnutls_x509_crt_get_key_usage(cert, &usage, &critical) < 0 || critical == 0 ||
        (usage & roles[role].usage) != 0) {
        return true;
    }
    set_error(error, "Certificate %s usage does not permit %s", path, roles[role].usage_text);
    return false;
}

/* RFC 5280 4.2.1.12 */
static bool check_purpose(gnutls_x509_crt_t cert, const char *path, CertRole role, GError **error)
{
    bool must = false;

    for (unsigned i = 0; roles[role].purpose != NULL; i++) {
        char oid[128];
        size_t len = sizeof(oid);
        unsigned critical = 0;
        int rc = gnutls_x509_crt_get_key_purpose_oid(cert, i, oid, &len, &critical);

        if (rc < 0) {
            break;
        }
        if (g_str_equal(oid, roles[role].purpose) || g_str_equal(oid, GNUTLS_KP_ANY)) {
            return true;
        }
        must = must || critical != 0;
    }
    if (must) {
        set_error(error, "Certificate %s purpose does not allow use with a TLS %s", path,
                  roles[role].name);
    }
    return !must;
}

static bool check_cert(gnutls_x509_crt_t cert, const char *path, CertRole role, GError **error)
{
    return check_times(cert, path, role, error) && check_constraints(cert, path, role, error) &&
           check_usage(cert, path, role, error) && check_purpose(cert, path, role, error);
}

/* ---- the files together ---- */

static bool list_load(CertList *list, const char *path, GError **error)
{
    gnutls_datum_t text = { 0 };
    int rc = gnutls_load_file(path, &text);

    list->path = path;
    if (rc >= 0) {
        rc = gnutls_x509_crt_list_import2(&list->certs, &list->n, &text, GNUTLS_X509_FMT_PEM, 0);
        gnutls_free(text.data);
    }
    if (rc < 0) {
        set_error(error, "Unable to import certificate %s: %s", path, gnutls_strerror(rc));
    }
    return rc >= 0;
}

static void list_finish(CertList *list)
{
    for (unsigned i = 0; i < list->n; i++) {
        gnutls_x509_crt_deinit(list->certs[i]);
    }
    gnutls_free(list->certs);
}

static bool check_signed(const CertList *own, const CertList *ca, GError **error)
{
    unsigned status = 0;
    int rc = gnutls_x509_crt_list_verify(own->certs, own->n, ca->certs, ca->n, NULL, 0, 0,
                                         &status);

    if (rc >= 0 && status == 0) {
        return true;
    }
    set_error(error, "Our own certificate %s failed validation against %s: %s", own->path,
              ca->path, rc < 0 ? gnutls_strerror(rc) : tls_x509_problem(status));
    return false;
}

/* `cert_path` NULL: a client that shows none. */
static bool check_files(const char *ca_path, const char *cert_path, CertRole role, GError **error)
{
    CertList ca = { 0 }, own = { 0 };
    bool ok = list_load(&ca, ca_path, error) &&
              (cert_path == NULL || list_load(&own, cert_path, error));

    for (unsigned i = 0; ok && i < ca.n; i++) {
        ok = check_cert(ca.certs[i], ca_path, ROLE_CA, error);
    }
    if (ok && own.n > 0) {
        ok = check_cert(own.certs[0], cert_path, role, error) && check_signed(&own, &ca, error);
    }
    list_finish(&ca);
    list_finish(&own);
    return ok;
}

/* ---- loading ---- */

/* *text: the password of the private key, NULL if it has none. */
static bool key_password(const TlsCredsObject *self, char **text, GError **error)
{
    g_autoptr(GBytes) bytes = NULL;

    *text = NULL;
    if (self->passwordid == NULL) {
        return true;
    }
    bytes = secret_lookup(self->passwordid, error);
    if (bytes != NULL) {
        *text = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    }
    return bytes != NULL;
}

static bool load_pair(const TlsCredsObject *self, gnutls_certificate_credentials_t x509,
                      const char *cert_path, const char *key_path, GError **error)
{
    char *password;
    int rc;

    if (!key_password(self, &password, error)) {
        return false;
    }
    rc = gnutls_certificate_set_x509_key_file2(x509, cert_path, key_path, GNUTLS_X509_FMT_PEM,
                                               password, 0);
    if (rc < 0) {
        set_error(error, "Cannot load certificate '%s' & key '%s': %s", cert_path, key_path,
                  gnutls_strerror(rc));
    }
    if (password != NULL) {
        explicit_bzero(password, strlen(password));
        g_free(password);
    }
    return rc >= 0;
}

static bool load_trust(gnutls_certificate_credentials_t x509, const char *ca_path,
                       const char *crl_path, GError **error)
{
    int rc = gnutls_certificate_set_x509_trust_file(x509, ca_path, GNUTLS_X509_FMT_PEM);

    if (rc <= 0) {
        set_error(error, "Cannot load CA certificate '%s': %s", ca_path,
                  gnutls_strerror(rc < 0 ? rc : GNUTLS_E_NO_CERTIFICATE_FOUND));
        return false;
    }
    if (!tls_file_exists(crl_path)) {
        return true;
    }
    rc = gnutls_certificate_set_x509_crl_file(x509, crl_path, GNUTLS_X509_FMT_PEM);
    if (rc < 0) {
        set_error(error, "Cannot load CRL '%s': %s", crl_path, gnutls_strerror(rc));
    }
    return rc >= 0;
}

static void set_dh(TlsCreds *creds)
{
    if (creds->dh != NULL) {
        gnutls_certificate_set_dh_params(creds->keys.x509, creds->dh);
    } else {
        gnutls_certificate_set_known_dh_params(creds->keys.x509, GNUTLS_SEC_PARAM_MEDIUM);
    }
}

/* A server needs certificate and key; a client shows its own if it has both. */
bool tls_x509_load(const TlsCredsObject *self, TlsCreds *creds, GError **error)
{
    bool server = creds->endpoint == TLS_ENDPOINT_SERVER, has_pair;
    g_autofree char *ca = NULL, *crl = NULL, *cert = NULL, *key = NULL;

    if (self->dir == NULL) {
        set_error(error, "Missing 'dir' property value");
        return false;
    }
    ca = tls_file(self, "ca-cert.pem");
    crl = tls_file(self, "ca-crl.pem");
    cert = tls_file(self, server ? "server-cert.pem" : "client-cert.pem");
    key = tls_file(self, server ? "server-key.pem" : "client-key.pem");
    has_pair = server || (tls_file_exists(cert) && tls_file_exists(key));
    if (!tls_file_check(ca, error) ||
        (has_pair && (!tls_file_check(cert, error) || !tls_file_check(key, error)))) {
        return false;
    }
    if (self->sanity_check && !check_files(ca, has_pair ? cert : NULL,
                                           server ? ROLE_SERVER : ROLE_CLIENT, error)) {
        return false;
    }
    gnutls_certificate_allocate_credentials(&creds->keys.x509);
    if (server) {
        set_dh(creds);
    }
    return load_trust(creds->keys.x509, ca, crl, error) &&
           (!has_pair || load_pair(self, creds->keys.x509, cert, key, error));
}
