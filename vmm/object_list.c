/* Every type -object takes, by name.  Here because this folder sees all others. */
#include "object_list.h"

#include "dump.h"
#include "iothread_object.h"
#include "mem_backend.h"
#include "rng.h"
#include "secret.h"
#include "tls_creds.h"

const ObjectType *const object_types[] = {
    &filter_dump_type,
    &iothread_object_type,
    &mem_backend_file_type,
    &mem_backend_memfd_type,
    &mem_backend_ram_type,
    &rng_builtin_type,
    &rng_random_type,
    &secret_type,
#ifdef HAVE_GNUTLS
    &tls_creds_anon_type,
    &tls_creds_psk_type,
    &tls_creds_x509_type,
#endif
    NULL
};
