#include <stdio.h>
#include <string.h>

#include "certs.h"

/* ---- certificates that are looked at first ---- */

enum { NO_CA = 1, NO_CERT = 2, NO_KEY = 4, OTHER_KEY = 8, OTHER_CA = 16, NOT_PEM = 32, LOCKED = 64,
       NOT_CRL = 128 };

static const struct {
    unsigned ca, cert, files;
    const char *opts;                       /* behind endpoint=server */
    const char *error;                      /* NULL: it is fine */
} rows[] = {
    { CERT_CA, 0, 0, "", NULL },
    { CERT_CA, CERT_BARE, 0, "", NULL },
    { CERT_CA, 0, NO_CA, "", "ca-cert.pem: No such file" },
    { CERT_CA, 0, NO_CERT, "", "server-cert.pem: No such file" },
    { CERT_CA, 0, NO_KEY, "", "server-key.pem: No such file" },
    { CERT_CA, 0, NO_CERT | NO_KEY, ",endpoint=client", NULL },
    { CERT_CA, 0, NO_CA, ",endpoint=client", "ca-cert.pem: No such file" },
    { CERT_CA, 0, OTHER_KEY, "", "do not match" },
    { CERT_CA, 0, OTHER_CA, "", "hasn't got a known issuer" },
    { CERT_CA, 0, OTHER_CA, ",sanity-check=off", NULL },
    { CERT_CA, 0, NOT_PEM, "", "Unable to import certificate" },
    { CERT_CA, 0, NOT_PEM, ",sanity-check=off", "Cannot load CA certificate" },
    { CERT_CA, 0, NOT_CRL, "", "Cannot load CRL" },
    { CERT_CA, 0, LOCKED, "", "server-key.pem'" },
    { CERT_CA, 0, LOCKED, ",passwordid=good", NULL },
    { CERT_CA, 0, LOCKED, ",passwordid=bad", "server-key.pem'" },
    { CERT_CA, 0, LOCKED, ",passwordid=none", "No secret with id 'none'" },
    { CERT_CA | CERT_EXPIRED, 0, 0, "", "The CA certificate" },
    { CERT_CA | CERT_FUTURE, 0, 0, "", "is not yet active" },
    { CERT_CA | CERT_BARE, 0, 0, "", "is missing basic constraints for a CA" },
    { CERT_CA | CERT_NO_SIGNING, 0, 0, "", "does not permit certificate signing" },
    { 0, 0, 0, "", "basic constraints do not show a CA" },
    { CERT_CA, CERT_EXPIRED, 0, "", "The server certificate" },
    { CERT_CA, CERT_EXPIRED, 0, ",sanity-check=off", NULL },
    { CERT_CA, CERT_CA, 0, "", "basic constraints show a CA" },
    { CERT_CA, CERT_NO_SIGNING, 0, "", "does not permit digital signature" },
    { CERT_CA, CERT_OTHER_USE, 0, "", "purpose does not allow use with a TLS server" },
    { CERT_CA, 0, 0, ",priority=NORMAL:BOGUS", "from 'BOGUS' on" },
    { CERT_CA, 0, 0, ",priority=SECURE192", NULL },
};

static void make_files(unsigned ca_how, unsigned cert_how, unsigned files)
{
    Issuer ca = issuer_new("ca-cert.pem", ca_how), other;

    pair_write("server", &ca, cert_how, files & LOCKED ? "sesame" : NULL);
    pair_write("other", &ca, 0, NULL);
    if (files & OTHER_CA) {
        other = issuer_new("ca-cert.pem", CERT_CA);
        issuer_finish(&other);
    }
    if (files & NOT_PEM) {
        certs_write("ca-cert.pem", "nothing", 7);
    }
    if (files & NOT_CRL) {
        certs_write("ca-crl.pem", "nothing", 7);
    }
    issuer_finish(&ca);
}

static void remove_files(unsigned files)
{
    static const struct { unsigned bit; const char *name, *from; } changes[] = {
        { NO_CA, "ca-cert.pem", NULL }, { NO_CERT, "server-cert.pem", NULL },
        { NO_KEY, "server-key.pem", NULL }, { OTHER_KEY, "server-key.pem", "other-key.pem" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_autofree char *path = g_build_filename(certs_dir, changes[i].name, NULL);

        if (files & changes[i].bit && changes[i].from != NULL) {
            g_autofree char *from = g_build_filename(certs_dir, changes[i].from, NULL);

            ck_assert_int_eq(rename(from, path), 0);
        } else if (files & changes[i].bit) {
            ck_assert_int_eq(unlink(path), 0);
        }
    }
}

START_TEST(certificates_are_looked_at)
{
    g_autofree char *opts = g_strdup_printf("tls-creds-x509,id=t,endpoint=server%s",
                                            rows[_i].opts);
    g_autoptr(GError) error = NULL;
    UserObject *obj;

    certs_begin();
    make_files(rows[_i].ca, rows[_i].cert, rows[_i].files);
    remove_files(rows[_i].files);
    for (unsigned i = 0; i < 2; i++) {
        static const char *const secrets[] = { "secret,id=good,data=sesame",
                                               "secret,id=bad,data=barley" };
        g_autoptr(KeyVal) kv = keyval_parse(secrets[i], "qom-type", NULL);

        ck_assert_ptr_nonnull(user_object_new(NULL, kv, NULL));
    }
    obj = object_new(opts, &error);
    if (rows[_i].error == NULL) {
        ck_assert_msg(obj != NULL, "row %d: %s", _i, error != NULL ? error->message : "");
    } else {
        ck_assert_msg(obj == NULL && strstr(error->message, rows[_i].error) != NULL,
                      "row %d: %s", _i, error != NULL ? error->message : "no error");
    }
    certs_remove();
}
END_TEST

/* ---- the other kinds ---- */

static const struct { const char *opts, *error; } others[] = {
    { "tls-creds-anon,id=t,endpoint=server", NULL },
    { "tls-creds-anon,id=t", NULL },
    { "tls-creds-anon,id=t,endpoint=both", "does not accept value 'both'" },
    { "tls-creds-anon,id=t,sanity-check=off", "Invalid parameter 'sanity-check'" },
    { "tls-creds-psk,id=t,endpoint=server", NULL },
    { "tls-creds-psk,id=t", NULL },
    { "tls-creds-psk,id=t,username=alice", NULL },
    { "tls-creds-psk,id=t,username=ali", "Username ali not found" },
    { "tls-creds-psk,id=t,username=crooked", "is not accepted" },
    { "tls-creds-psk,id=t,endpoint=server,username=alice", "should not be set" },
};

START_TEST(other_kinds_read_their_files)
{
    static const char keys[] = "qemu:0123456789abcdef\nalice:fedcba9876543210\ncrooked:xyz\n";
    g_autoptr(GError) error = NULL;
    UserObject *obj;

    certs_begin();
    certs_write("keys.psk", keys, strlen(keys));
    obj = object_new(others[_i].opts, &error);
    if (others[_i].error == NULL) {
        ck_assert_msg(obj != NULL, "%s: %s", others[_i].opts, error != NULL ? error->message : "");
    } else {
        ck_assert_msg(obj == NULL && strstr(error->message, others[_i].error) != NULL, "%s: %s",
                      others[_i].opts, error != NULL ? error->message : "no error");
    }
    certs_remove();
}
END_TEST

START_TEST(parameters_of_the_users_own)
{
    g_autoptr(GError) error = NULL;

    certs_begin();
    certs_write("dh-params.pem", "nothing", 7);
    ck_assert_ptr_null(object_new("tls-creds-anon,id=t,endpoint=server", &error));
    ck_assert_ptr_nonnull(strstr(error->message, "Unable to load DH parameters"));
    ck_assert_ptr_nonnull(object_new("tls-creds-anon,id=t", NULL));
    certs_remove();
}
END_TEST

/* ---- by id ---- */

START_TEST(found_for_one_end_and_read_again)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TlsCreds) first = NULL, second = NULL;

    certs_begin();
    make_files(CERT_CA, 0, 0);
    ck_assert_ptr_null(tls_creds_find("t", TLS_ENDPOINT_SERVER, &error));
    ck_assert_str_eq(error->message, "No TLS credentials with id 't'");
    g_clear_error(&error);
    ck_assert_ptr_nonnull(object_new("tls-creds-x509,id=t,endpoint=server", NULL));
    ck_assert_ptr_null(tls_creds_find("t", TLS_ENDPOINT_CLIENT, &error));
    ck_assert_str_eq(error->message, "Expected TLS credentials for a client endpoint");
    g_clear_error(&error);
    first = tls_creds_find("t", TLS_ENDPOINT_SERVER, NULL);
    ck_assert_int_eq(tls_creds_kind(first), TLS_KIND_X509);
    remove_files(OTHER_KEY);
    ck_assert(!tls_creds_reload("t", NULL));
    second = tls_creds_find("t", TLS_ENDPOINT_SERVER, NULL);
    ck_assert_ptr_eq(first, second);
    tls_creds_unref(second);
    make_files(CERT_CA, 0, 0);
    ck_assert(tls_creds_reload("t", NULL));
    second = tls_creds_find("t", TLS_ENDPOINT_SERVER, NULL);
    ck_assert_ptr_ne(first, second);
    ck_assert(user_object_del("t", NULL));
    ck_assert_int_eq(tls_creds_kind(second), TLS_KIND_X509);
    certs_remove();
}
END_TEST

CHECK_MAIN("tls_creds", CASES(certificates_are_looked_at, rows),
           CASES(other_kinds_read_their_files, others), CASE(parameters_of_the_users_own),
           CASE(found_for_one_end_and_read_again))
