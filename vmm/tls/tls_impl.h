/* What credentials are made of; for the files of vmm/tls/ only. */
#pragma once

#include <gnutls/gnutls.h>

#include "tls_creds.h"

struct TlsCreds {
    gint refs;
    TlsKind kind;
    TlsEndpoint endpoint;
    bool verify_peer;
    gnutls_priority_t priority;
    gnutls_dh_params_t dh;                  /* of dh-params.pem; NULL: the well-known ones */
    union {                                 /* by kind and endpoint; may be NULL */
        void *any;
        gnutls_anon_server_credentials_t anon_server;
        gnutls_anon_client_credentials_t anon_client;
        gnutls_psk_server_credentials_t psk_server;
        gnutls_psk_client_credentials_t psk_client;
        gnutls_certificate_credentials_t x509;
    } keys;
};

/* The object; its kind's rows say which of the properties it has. */
typedef struct TlsCredsObject {
    UserObject obj;
    char *dir, *priority, *username, *passwordid;
    int endpoint;
    bool verify_peer, sanity_check;
    TlsCreds *creds;                        /* NULL: not read yet */
} TlsCredsObject;

/* A file of the object's folder; new string. */
char *tls_file(const TlsCredsObject *self, const char *name);
bool tls_file_exists(const char *path);
bool tls_file_check(const char *path, GError **error);      /* "Unable to access credentials …" */

/* tls_x509.c: fills creds->keys.x509. */
bool tls_x509_load(const TlsCredsObject *self, TlsCreds *creds, GError **error);
/* Why a certificate is not accepted, from the GNUTLS_CERT_ bits. */
const char *tls_x509_problem(unsigned status);
