#include "tls_creds.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "rhea_error.h"
#include "tls_impl.h"

/* ---- files ---- */

char *tls_file(const TlsCredsObject *self, const char *name)
{
    return g_strdup_printf("%s/%s", self->dir, name);
}

bool tls_file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

bool tls_file_check(const char *path, GError **error)
{
    if (access(path, R_OK) == 0) {
        return true;
    }
    set_errno_error(error, errno, "Unable to access credentials %s", path);
    return false;
}

/* Diffie-Hellman parameters of the user's own.  Without the file there are those of RFC 7919. */
static bool load_dh(const TlsCredsObject *self, TlsCreds *creds, GError **error)
{
    g_autofree char *path = NULL;
    gnutls_datum_t text = { 0 };
    int rc;

    if (self->dir == NULL || self->endpoint != TLS_ENDPOINT_SERVER) {
        return true;
    }
    path = tls_file(self, "dh-params.pem");
    if (!tls_file_exists(path)) {
        return true;
    }
    rc = gnutls_load_file(path, &text);
    if (rc == 0) {
        gnutls_dh_params_init(&creds->dh);
        rc = gnutls_dh_params_import_pkcs3(creds->dh, &text, GNUTLS_X509_FMT_PEM);
        gnutls_free(text.data);
    }
    if (rc < 0) {
        set_error(error, "Unable to load DH parameters from %s: %s", path, gnutls_strerror(rc));
    }
    return rc >= 0;
}

/* ---- anonymous: enciphered, but nobody knows to whom ---- */

static bool anon_load(const TlsCredsObject *self, TlsCreds *creds, GError **error)
{
    if (creds->endpoint == TLS_ENDPOINT_CLIENT) {
        gnutls_anon_allocate_client_credentials(&creds->keys.anon_client);
        return true;
    }
    gnutls_anon_allocate_server_credentials(&creds->keys.anon_server);
    if (creds->dh != NULL) {
        gnutls_anon_set_server_dh_params(creds->keys.anon_server, creds->dh);
    } else {
        gnutls_anon_set_server_known_dh_params(creds->keys.anon_server, GNUTLS_SEC_PARAM_MEDIUM);
    }
    return true;
}

static void anon_free(TlsCreds *creds)
{
    if (creds->endpoint == TLS_ENDPOINT_CLIENT) {
        gnutls_anon_free_client_credentials(creds->keys.anon_client);
    } else {
        gnutls_anon_free_server_credentials(creds->keys.anon_server);
    }
}

/* ---- pre-shared keys: keys.psk has lines USER:HEX ---- */

/* The key of a user, as hexadecimal text. */
static char *psk_lookup(const char *path, const char *user, GError **error)
{
    g_autofree char *text = NULL, *found = NULL;
    g_autoptr(GError) why = NULL;
    size_t name_len = strlen(user);
    gsize len;

    if (!g_file_get_contents(path, &text, &len, &why)) {
        set_error(error, "Unable to read %s: %s", path, why->message);
        return NULL;
    }
    for (char *rest = text, *line; found == NULL && (line = strsep(&rest, "\r\n")) != NULL;) {
        if (strncmp(line, user, name_len) == 0 && line[name_len] == ':') {
            found = g_strdup(line + name_len + 1);
        }
    }
    explicit_bzero(text, len);
    if (found == NULL) {
        set_error(error, "Username %s not found in PSK file %s", user, path);
    }
    return g_steal_pointer(&found);
}

static bool psk_load_client(const TlsCredsObject *self, TlsCreds *creds, const char *path,
                            GError **error)
{
    const char *user = self->username != NULL ? self->username : "qemu";
    char *hex = psk_lookup(path, user, error);
    gnutls_datum_t key = { (unsigned char *)hex, hex != NULL ? strlen(hex) : 0 };
    int rc;

    if (hex == NULL) {
        return false;
    }
    gnutls_psk_allocate_client_credentials(&creds->keys.psk_client);
    rc = gnutls_psk_set_client_credentials(creds->keys.psk_client, user, &key,
                                           GNUTLS_PSK_KEY_HEX);
    if (rc < 0) {
        set_error(error, "%s: the key of %s is not accepted: %s", path, user,
                  gnutls_strerror(rc));
    }
    explicit_bzero(hex, key.size);
    g_free(hex);
    return rc >= 0;
}

/* GnuTLS reads a server's file at each handshake, wherever the process stands by then. */
static bool psk_load(const TlsCredsObject *self, TlsCreds *creds, GError **error)
{
    g_autofree char *path = NULL, *absolute = NULL;

    if (self->dir == NULL) {
        set_error(error, "Missing 'dir' property value");
        return false;
    }
    if (creds->endpoint == TLS_ENDPOINT_SERVER && self->username != NULL) {
        set_error(error, "username should not be set when endpoint=server");
        return false;
    }
    path = tls_file(self, "keys.psk");
    if (!tls_file_check(path, error)) {
        return false;
    }
    if (creds->endpoint == TLS_ENDPOINT_CLIENT) {
        return psk_load_client(self, creds, path, error);
    }
    gnutls_psk_allocate_server_credentials(&creds->keys.psk_server);
    absolute = g_canonicalize_filename(path, NULL);
    gnutls_psk_set_server_credentials_file(creds->keys.psk_server, absolute);
    if (creds->dh != NULL) {
        gnutls_psk_set_server_dh_params(creds->keys.psk_server, creds->dh);
    } else {
        gnutls_psk_set_server_known_dh_params(creds->keys.psk_server, GNUTLS_SEC_PARAM_MEDIUM);
    }
    return true;
}

static void psk_free(TlsCreds *creds)
{
    if (creds->endpoint == TLS_ENDPOINT_CLIENT) {
        gnutls_psk_free_client_credentials(creds->keys.psk_client);
    } else {
        gnutls_psk_free_server_credentials(creds->keys.psk_server);
    }
}

static void x509_free(TlsCreds *creds)
{
    gnutls_certificate_free_credentials(creds->keys.x509);
}

/* ---- credentials ---- */

/* `suites`: what GnuTLS's priorities leave out unless asked for. */
static const struct {
    const char *suites;
    bool (*load)(const TlsCredsObject *self, TlsCreds *creds, GError **error);
    void (*free)(TlsCreds *creds);
} kinds[] = {
    [TLS_KIND_ANON] = { ":+ANON-DH", anon_load, anon_free },
    [TLS_KIND_PSK] = { ":+ECDHE-PSK:+DHE-PSK:+PSK", psk_load, psk_free },
    [TLS_KIND_X509] = { "", tls_x509_load, x509_free },
};

static bool load_priority(const TlsCredsObject *self, TlsCreds *creds, GError **error)
{
    const char *asked = self->priority != NULL ? self->priority : "NORMAL", *at = NULL;
    g_autofree char *text = g_strconcat(asked, kinds[creds->kind].suites, NULL);
    int rc = gnutls_priority_init(&creds->priority, text, &at);

    if (rc < 0) {
        set_error(error, "Unable to set TLS session priority %s: %s", asked, gnutls_strerror(rc));
        if (at != NULL && at >= text && (size_t)(at - text) < strlen(asked)) {
            error_add_hint(error, "It is not understood from '%s' on.", asked + (at - text));
        }
    }
    return rc >= 0;
}

static TlsKind object_kind(const UserObject *obj)
{
    return obj->type == &tls_creds_anon_type ? TLS_KIND_ANON
           : obj->type == &tls_creds_psk_type ? TLS_KIND_PSK : TLS_KIND_X509;
}

static TlsCreds *creds_load(const TlsCredsObject *self, GError **error)
{
    g_autoptr(TlsCreds) creds = g_new0(TlsCreds, 1);

    creds->refs = 1;
    creds->kind = object_kind(&self->obj);
    creds->endpoint = self->endpoint;
    creds->verify_peer = self->verify_peer;
    if (!load_priority(self, creds, error) || !load_dh(self, creds, error) ||
        !kinds[creds->kind].load(self, creds, error)) {
        return NULL;
    }
    return g_steal_pointer(&creds);
}

TlsCreds *tls_creds_ref(TlsCreds *creds)
{
    g_atomic_int_inc(&creds->refs);
    return creds;
}

void tls_creds_unref(TlsCreds *creds)
{
    if (creds == NULL || !g_atomic_int_dec_and_test(&creds->refs)) {
        return;
    }
    if (creds->keys.any != NULL) {
        kinds[creds->kind].free(creds);
    }
    if (creds->dh != NULL) {
        gnutls_dh_params_deinit(creds->dh);
    }
    if (creds->priority != NULL) {
        gnutls_priority_deinit(creds->priority);
    }
    g_free(creds);
}

TlsKind tls_creds_kind(const TlsCreds *creds)
{
    return creds->kind;
}

/* ---- objects ---- */

static bool creds_complete(UserObject *obj, GError **error)
{
    TlsCredsObject *self = OBJECT_CAST(obj, TlsCredsObject);

    self->creds = creds_load(self, error);
    return self->creds != NULL;
}

static void creds_finish(UserObject *obj)
{
    g_clear_pointer(&OBJECT_CAST(obj, TlsCredsObject)->creds, tls_creds_unref);
}

static TlsCredsObject *object_find(const char *id, GError **error)
{
    UserObject *obj = user_object_find(id);

    if (obj == NULL) {
        set_error(error, "No TLS credentials with id '%s'", id);
        return NULL;
    }
    if (g_strcmp0(obj->type->base, TLS_CREDS_BASE) != 0) {
        set_error(error, "Object with id '%s' is not TLS credentials", id);
        return NULL;
    }
    return OBJECT_CAST(obj, TlsCredsObject);
}

TlsCreds *tls_creds_find(const char *id, TlsEndpoint endpoint, GError **error)
{
    TlsCredsObject *self = object_find(id, error);

    if (self == NULL) {
        return NULL;
    }
    if (self->creds->endpoint != endpoint) {
        set_error(error, "Expected TLS credentials for a %s endpoint",
                  endpoint == TLS_ENDPOINT_SERVER ? "server" : "client");
        return NULL;
    }
    return tls_creds_ref(self->creds);
}

bool tls_creds_reload(const char *id, GError **error)
{
    TlsCredsObject *self = object_find(id, error);
    TlsCreds *creds = self != NULL ? creds_load(self, error) : NULL;

    if (creds == NULL) {
        return false;
    }
    tls_creds_unref(self->creds);
    self->creds = creds;
    return true;
}

static const char *const endpoint_names[] = { "client", "server", NULL };

#define COMMON_PROPS \
    PROP_STRING(TlsCredsObject, dir, .name = "dir", .help = "folder of the files"), \
    PROP_ENUM(TlsCredsObject, endpoint, .name = "endpoint", .names = endpoint_names, \
              .help = "which end of a connection it is for"), \
    PROP_STRING(TlsCredsObject, priority, .name = "priority", \
                .help = "ciphers and versions, as GnuTLS writes them"), \
    PROP_BOOL(TlsCredsObject, verify_peer, .name = "verify-peer", .def = true, \
              .help = "the peer must prove who it is")

static const Property anon_props[] = { COMMON_PROPS, {} };

static const Property psk_props[] = {
    COMMON_PROPS,
    PROP_STRING(TlsCredsObject, username, .name = "username",
                .help = "client: whose key of keys.psk is used; qemu if not given"),
    {}
};

static const Property x509_props[] = {
    COMMON_PROPS,
    PROP_STRING(TlsCredsObject, passwordid, .name = "passwordid",
                .help = "secret the private key is enciphered with"),
    PROP_BOOL(TlsCredsObject, sanity_check, .name = "sanity-check", .def = true,
              .help = "look at the certificates before they are used"),
    {}
};

const ObjectType tls_creds_anon_type = {
    .name = "tls-creds-anon", .base = TLS_CREDS_BASE,
    .help = "TLS without proof of who the peer is", .size = sizeof(TlsCredsObject),
    .props = anon_props, .complete = creds_complete, .finish = creds_finish,
};

const ObjectType tls_creds_psk_type = {
    .name = "tls-creds-psk", .base = TLS_CREDS_BASE, .help = "TLS with keys both sides know",
    .size = sizeof(TlsCredsObject), .props = psk_props, .complete = creds_complete,
    .finish = creds_finish,
};

const ObjectType tls_creds_x509_type = {
    .name = "tls-creds-x509", .base = TLS_CREDS_BASE, .help = "TLS with certificates",
    .size = sizeof(TlsCredsObject), .props = x509_props, .complete = creds_complete,
    .finish = creds_finish,
};
