/* Folders of certificates and keys, made for one test and gone with it. */
#pragma once

#include <gnutls/x509.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check_main.h"
#include "secret.h"
#include "tls_creds.h"

/* What is wrong with a certificate; 0: nothing. */
enum { CERT_CA = 1, CERT_EXPIRED = 2, CERT_FUTURE = 4, CERT_BARE = 8, CERT_NO_SIGNING = 16,
       CERT_OTHER_USE = 32 };

typedef struct Issuer { gnutls_x509_crt_t cert; gnutls_x509_privkey_t key; } Issuer;

static char *certs_dir;

static inline void certs_remove(void)
{
    const char *name;
    GDir *dir = g_dir_open(certs_dir, 0, NULL);

    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(certs_dir, name, NULL);

        unlink(path);
    }
    g_dir_close(dir);
    rmdir(certs_dir);
}

static inline void certs_begin(void)
{
    static const ObjectType *const types[] = {
        &secret_type, &tls_creds_anon_type, &tls_creds_psk_type, &tls_creds_x509_type, NULL
    };

    user_object_types_set(types);
    certs_dir = g_dir_make_tmp("rhea-tls-XXXXXX", NULL);
    ck_assert_ptr_nonnull(certs_dir);
}

static inline void certs_write(const char *name, const char *text, size_t len)
{
    g_autofree char *path = g_build_filename(certs_dir, name, NULL);

    ck_assert(g_file_set_contents(path, text, len, NULL));
}

static inline gnutls_x509_privkey_t key_new(void)
{
    gnutls_x509_privkey_t key;

    gnutls_x509_privkey_init(&key);
    ck_assert_int_ge(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                                  GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1),
                                                  0), 0);
    return key;
}

static inline gnutls_x509_crt_t cert_new(const char *name, gnutls_x509_privkey_t key, unsigned how)
{
    time_t now = time(NULL), day = 86400;
    static unsigned char serial;
    gnutls_x509_crt_t cert;

    serial++;
    gnutls_x509_crt_init(&cert);
    gnutls_x509_crt_set_version(cert, 3);
    gnutls_x509_crt_set_serial(cert, &serial, 1);
    gnutls_x509_crt_set_key(cert, key);
    gnutls_x509_crt_set_dn_by_oid(cert, GNUTLS_OID_X520_COMMON_NAME, 0, name, strlen(name));
    gnutls_x509_crt_set_activation_time(cert, how & CERT_FUTURE ? now + day : now - 2 * day);
    gnutls_x509_crt_set_expiration_time(cert, how & CERT_EXPIRED ? now - day : now + 2 * day);
    if (!(how & CERT_BARE)) {
        gnutls_x509_crt_set_basic_constraints(cert, (how & CERT_CA) != 0, -1);
        gnutls_x509_crt_set_key_usage(cert, how & CERT_NO_SIGNING ? GNUTLS_KEY_DATA_ENCIPHERMENT
                                            : GNUTLS_KEY_DIGITAL_SIGNATURE |
                                              GNUTLS_KEY_KEY_CERT_SIGN);
    }
    if (how & CERT_OTHER_USE) {
        gnutls_x509_crt_set_key_purpose_oid(cert, GNUTLS_KP_TIME_STAMPING, 1);
    }
    return cert;
}

static inline void cert_write(const char *file, gnutls_x509_crt_t cert)
{
    gnutls_datum_t pem;

    gnutls_x509_crt_export2(cert, GNUTLS_X509_FMT_PEM, &pem);
    certs_write(file, (char *)pem.data, pem.size);
    gnutls_free(pem.data);
}

static inline void issuer_finish(Issuer *issuer)
{
    gnutls_x509_crt_deinit(issuer->cert);
    gnutls_x509_privkey_deinit(issuer->key);
}

static inline Issuer issuer_new(const char *file, unsigned how)
{
    static unsigned n;
    g_autofree char *name = g_strdup_printf("CA %u", n++);
    Issuer issuer = { .key = key_new() };

    issuer.cert = cert_new(name, issuer.key, how);
    gnutls_x509_crt_sign2(issuer.cert, issuer.cert, issuer.key, GNUTLS_DIG_SHA256, 0);
    cert_write(file, issuer.cert);
    return issuer;
}

/* "<who>-cert.pem" and "<who>-key.pem", for localhost and 127.0.0.1. */
static inline void pair_write(const char *who, const Issuer *issuer, unsigned how,
                              const char *password)
{
    static const unsigned char address[] = { 127, 0, 0, 1 };
    g_autofree char *cert_file = g_strconcat(who, "-cert.pem", NULL);
    g_autofree char *key_file = g_strconcat(who, "-key.pem", NULL);
    gnutls_x509_privkey_t key = key_new();
    gnutls_x509_crt_t cert = cert_new(who, key, how);
    gnutls_datum_t pem;

    gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_DNSNAME, "localhost", 9, 0);
    gnutls_x509_crt_set_subject_alt_name(cert, GNUTLS_SAN_IPADDRESS, address, sizeof(address),
                                         GNUTLS_FSAN_APPEND);
    gnutls_x509_crt_sign2(cert, issuer->cert, issuer->key, GNUTLS_DIG_SHA256, 0);
    cert_write(cert_file, cert);
    gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, password,
                                      password != NULL ? GNUTLS_PKCS_PBES2_AES_256
                                                       : GNUTLS_PKCS_PLAIN, &pem);
    certs_write(key_file, (char *)pem.data, pem.size);
    gnutls_free(pem.data);
    gnutls_x509_crt_deinit(cert);
    gnutls_x509_privkey_deinit(key);
}

/* As -object has it, with the folder behind. */
static inline UserObject *object_new(const char *opts, GError **error)
{
    g_autofree char *text = g_strdup_printf("%s,dir=%s", opts, certs_dir);
    g_autoptr(KeyVal) kv = keyval_parse(text, "qom-type", error);

    ck_assert_ptr_nonnull(kv);
    return user_object_new(NULL, kv, error);
}
