#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "certs.h"
#include "tls_session.h"

/* Both ends of a connection. */
typedef struct Ends {
    int fds[2];
    TlsSession *server, *client;
} Ends;

static TlsSession *end_new(const char *opts, TlsEndpoint endpoint, int fd, const char *host)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(TlsCreds) creds = NULL;
    TlsSession *session;

    if (object_new(opts, &error) == NULL) {
        ck_abort_msg("%s: %s", opts, error->message);
    }
    creds = tls_creds_find(endpoint == TLS_ENDPOINT_SERVER ? "s" : "c", endpoint, NULL);
    ck_assert_ptr_nonnull(creds);
    session = tls_session_new(creds, fd, host, &error);
    ck_assert_ptr_nonnull(session);
    return session;
}

static void ends_init(Ends *ends, const char *server, const char *client, const char *host)
{
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends->fds), 0);
    ends->server = end_new(server, TLS_ENDPOINT_SERVER, ends->fds[0], NULL);
    ends->client = end_new(client, TLS_ENDPOINT_CLIENT, ends->fds[1], host);
}

static void ends_finish(Ends *ends)
{
    tls_session_free(ends->server);
    tls_session_free(ends->client);
    close(ends->fds[0]);
    close(ends->fds[1]);
}

/* How the handshake of each end came out. */
static void handshake(Ends *ends, int results[2], GError *errors[2])
{
    TlsSession *const sessions[] = { ends->server, ends->client };

    results[0] = results[1] = TLS_AGAIN;
    for (unsigned round = 0; round < 100; round++) {
        for (unsigned i = 0; i < 2; i++) {
            if (results[i] == TLS_AGAIN) {
                results[i] = tls_session_handshake(sessions[i], &errors[i]);
                if (results[i] == TLS_FAILED) {
                    shutdown(ends->fds[i], SHUT_RDWR);
                }
            }
        }
    }
    ck_assert_int_ne(results[0], TLS_AGAIN);
    ck_assert_int_ne(results[1], TLS_AGAIN);
}

/* ---- who gets in ---- */

static const char psk_server[] = "qemu:0123456789abcdef\nalice:fedcba9876543210\n";

static const struct {
    const char *server, *client, *host;
    unsigned server_cert;
    const char *server_error, *client_error;        /* NULL: it is satisfied */
} meetings[] = {
    { "anon", "anon", NULL, 0, NULL, NULL },
    { "psk", "psk", NULL, 0, NULL, NULL },
    { "psk", "psk,username=alice", NULL, 0, NULL, NULL },
    { "psk", "psk,username=mallory", NULL, 0, "", "" },         /* her key is another one */
    { "anon", "psk", NULL, 0, "", "" },
    { "x509", "x509", "localhost", 0, NULL, NULL },
    { "x509", "x509", "127.0.0.1", 0, NULL, NULL },
    { "x509", "x509", NULL, 0, NULL, NULL },
    { "x509", "x509", "127.0.0.2", 0, NULL, "does not match the hostname 127.0.0.2" },
    { "x509", "x509", "example.org", 0, NULL, "does not match the hostname example.org" },
    { "x509", "x509,verify-peer=off", "example.org", 0, NULL, NULL },
    { "x509", "anon", NULL, 0, "", "" },
    { "x509,sanity-check=off", "x509", "localhost", CERT_EXPIRED, NULL, "has expired" },
    { "x509,sanity-check=off", "x509", "localhost", CERT_FUTURE, NULL, "is not yet active" },
    { "x509,priority=NORMAL:-VERS-ALL:+VERS-TLS1.2", "x509", "localhost", 0, NULL, NULL },
    { "x509,priority=NORMAL:-VERS-ALL:+VERS-TLS1.2",
      "x509,priority=NORMAL:-VERS-ALL:+VERS-TLS1.3", "localhost", 0, "", "" },
};

static void check_end(int result, const GError *error, const char *expected)
{
    if (expected == NULL) {
        ck_assert_msg(result == 0, "row: %s", error != NULL ? error->message : "");
    } else {
        ck_assert_int_eq(result, TLS_FAILED);
        ck_assert_msg(strstr(error->message, expected) != NULL, "%s", error->message);
    }
}

START_TEST(peers_meet)
{
    g_autofree char *server = g_strdup_printf("tls-creds-%s,id=s,endpoint=server",
                                              meetings[_i].server);
    g_autofree char *client = g_strdup_printf("tls-creds-%s,id=c,endpoint=client",
                                              meetings[_i].client);
    Issuer ca;
    GError *errors[2] = { NULL, NULL };
    int results[2];
    Ends ends;

    certs_begin();
    ca = issuer_new("ca-cert.pem", CERT_CA);
    pair_write("server", &ca, meetings[_i].server_cert, NULL);
    pair_write("client", &ca, 0, NULL);
    certs_write("keys.psk", psk_server, strlen(psk_server));
    if (strstr(client, "mallory") != NULL) {
        static const char keys[] = "mallory:00112233\n";

        certs_write("keys.psk", keys, strlen(keys));
    }
    ends_init(&ends, server, client, meetings[_i].host);
    certs_write("keys.psk", psk_server, strlen(psk_server));
    handshake(&ends, results, errors);
    check_end(results[1], errors[1], meetings[_i].client_error);
    /* with TLS 1.3 the server is done before the client has judged it */
    if (meetings[_i].server_error != NULL || meetings[_i].client_error == NULL) {
        check_end(results[0], errors[0], meetings[_i].server_error);
    }
    g_clear_error(&errors[0]);
    g_clear_error(&errors[1]);
    ends_finish(&ends);
    issuer_finish(&ca);
    certs_remove();
}
END_TEST

/* What a server says of its clients. */
static const struct { bool pair, other_ca, verify; const char *error; } clients[] = {
    { true, false, true, NULL },
    { false, false, true, "No certificate was found" },
    { false, false, false, NULL },
    { true, true, true, "No certificate was found" },   /* it shows none that is of no use */
    { true, true, false, NULL },
};

START_TEST(a_server_asks_for_a_certificate)
{
    GError *errors[2] = { NULL, NULL };
    int results[2];
    Issuer ca, other;
    Ends ends;

    certs_begin();
    ca = issuer_new("ca-cert.pem", CERT_CA);
    other = issuer_new("other-ca.pem", CERT_CA);
    pair_write("server", &ca, 0, NULL);
    if (clients[_i].pair) {
        pair_write("client", clients[_i].other_ca ? &other : &ca, 0, NULL);
    }
    ends_init(&ends, clients[_i].verify ? "tls-creds-x509,id=s,endpoint=server"
                                        : "tls-creds-x509,id=s,endpoint=server,verify-peer=off",
              "tls-creds-x509,id=c,sanity-check=off", "localhost");
    handshake(&ends, results, errors);
    check_end(results[0], errors[0], clients[_i].error);
    if (clients[_i].error == NULL) {
        g_autofree char *name = tls_session_peer_name(ends.server);
        g_autofree char *server = tls_session_peer_name(ends.client);

        ck_assert_str_eq(server, "CN=server");
        if (clients[_i].pair && !clients[_i].other_ca) {
            ck_assert_str_eq(name, "CN=client");
        }
    }
    g_clear_error(&errors[0]);
    g_clear_error(&errors[1]);
    ends_finish(&ends);
    issuer_finish(&ca);
    issuer_finish(&other);
    certs_remove();
}
END_TEST

/* ---- bytes ---- */

static void meet(Ends *ends)
{
    GError *errors[2] = { NULL, NULL };
    int results[2];

    certs_begin();
    ends_init(ends, "tls-creds-anon,id=s,endpoint=server", "tls-creds-anon,id=c", NULL);
    handshake(ends, results, errors);
    ck_assert_int_eq(results[0], 0);
    ck_assert_int_eq(results[1], 0);
    certs_remove();
}

static uint8_t pattern(size_t at)
{
    return at * 7 + (at >> 8);
}

/* As much as is taken without waiting, from `sent` on; what was not taken is offered again. */
static size_t write_all(TlsSession *session, size_t sent, size_t total)
{
    uint8_t buf[20000];

    while (sent < total) {
        size_t len = MIN(sizeof(buf), total - sent);
        ssize_t put;

        for (size_t i = 0; i < len; i++) {
            buf[i] = pattern(sent + i);
        }
        put = tls_session_write(session, buf, len, NULL);
        if (put == TLS_AGAIN) {
            ck_assert_int_eq(tls_session_wants(session), G_IO_OUT);
            break;
        }
        ck_assert_int_gt(put, 0);
        sent += put;
    }
    return sent;
}

static size_t read_all(TlsSession *session, size_t got, size_t piece)
{
    uint8_t buf[4096];

    for (;;) {
        ssize_t n = tls_session_read(session, buf, piece, NULL);

        if (n == TLS_AGAIN) {
            ck_assert_uint_eq(tls_session_pending(session), 0);
            return got;
        }
        ck_assert_int_gt(n, 0);
        for (ssize_t i = 0; i < n; i++) {
            ck_assert_uint_eq(buf[i], pattern(got + i));
        }
        got += n;
    }
}

static const size_t pieces[] = { 1, 100, 4096 };

START_TEST(bytes_arrive_in_order_through_a_full_socket)
{
    size_t total = pieces[_i] == 1 ? 100000 : 2000000, sent = 0, got = 0, waits = 0;
    Ends ends;

    meet(&ends);
    while (got < total) {
        sent = write_all(ends.server, sent, total);
        waits += sent < total;
        got = read_all(ends.client, got, pieces[_i]);
    }
    ck_assert_uint_eq(got, total);
    ck_assert(pieces[_i] == 1 || waits > 0);
    ends_finish(&ends);
}
END_TEST

START_TEST(part_of_a_record_is_pending)
{
    uint8_t byte;
    Ends ends;

    meet(&ends);
    ck_assert_int_eq(tls_session_read(ends.client, &byte, 1, NULL), TLS_AGAIN);
    ck_assert_int_eq(tls_session_write(ends.server, "abc", 3, NULL), 3);
    ck_assert_uint_eq(tls_session_pending(ends.client), 0);
    ck_assert_int_eq(tls_session_read(ends.client, &byte, 1, NULL), 1);
    ck_assert_uint_eq(tls_session_pending(ends.client), 2);
    ends_finish(&ends);
}
END_TEST

START_TEST(an_end_is_announced_or_a_failure)
{
    g_autoptr(GError) error = NULL;
    uint8_t byte;
    Ends ends;

    meet(&ends);
    tls_session_bye(ends.server);
    ck_assert_int_eq(tls_session_read(ends.client, &byte, 1, NULL), 0);
    shutdown(ends.fds[1], SHUT_RDWR);
    ck_assert_int_eq(tls_session_read(ends.server, &byte, 1, &error), TLS_FAILED);
    ck_assert_ptr_nonnull(strstr(error->message, "TLS read failed"));
    ck_assert_int_eq(tls_session_write(ends.server, "x", 1, NULL), TLS_FAILED);
    ends_finish(&ends);
}
END_TEST

START_TEST(bytes_changed_on_the_way_are_a_failure)
{
    uint8_t record[1024];
    ssize_t len;
    Ends ends;

    meet(&ends);
    ck_assert_int_eq(tls_session_write(ends.server, "abc", 3, NULL), 3);
    len = recv(ends.fds[1], record, sizeof(record), 0);
    ck_assert_int_gt(len, 20);
    record[len - 1] ^= 1;
    ck_assert_int_eq(send(ends.fds[0], record, len, 0), len);
    ck_assert_int_eq(tls_session_read(ends.client, record, sizeof(record), NULL), TLS_FAILED);
    ends_finish(&ends);
}
END_TEST

/* ---- on the main loop ---- */

typedef struct Outcome { unsigned calls; char *error; } Outcome;

static void note(void *opaque, const GError *error)
{
    Outcome *outcome = opaque;

    outcome->calls++;
    outcome->error = error != NULL ? g_strdup(error->message) : NULL;
}

START_TEST(both_ends_on_the_loop)
{
    Outcome outcomes[2] = { { 0 } };
    Ends ends;

    certs_begin();
    ends_init(&ends, "tls-creds-anon,id=s,endpoint=server", "tls-creds-anon,id=c", NULL);
    tls_session_start(ends.server, note, &outcomes[0]);
    tls_session_start(ends.client, note, &outcomes[1]);
    ck_assert_uint_eq(outcomes[0].calls + outcomes[1].calls, 0);
    while (outcomes[0].calls + outcomes[1].calls < 2) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_ptr_null(outcomes[0].error);
    ck_assert_ptr_null(outcomes[1].error);
    ends_finish(&ends);
    ck_assert(!g_main_context_iteration(NULL, FALSE));
    certs_remove();
}
END_TEST

/* What comes instead of a client's hello; NULL: nothing at all. */
static const char *const strangers[] = { "GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\xff\xff garbage",
                                         "\x15\x03\x01\x00\x02\x02\x28", "" };

START_TEST(a_stranger_is_turned_away)
{
    Outcome outcome = { 0 };
    Ends ends;

    certs_begin();
    ends_init(&ends, "tls-creds-anon,id=s,endpoint=server", "tls-creds-anon,id=c", NULL);
    tls_session_start(ends.server, note, &outcome);
    ck_assert_int_ge(send(ends.fds[1], strangers[_i], strlen(strangers[_i]), 0), 0);
    shutdown(ends.fds[1], SHUT_WR);
    while (outcome.calls == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_ptr_nonnull(strstr(outcome.error, "TLS handshake failed"));
    g_free(outcome.error);
    ends_finish(&ends);
    certs_remove();
}
END_TEST

START_TEST(who_says_nothing_is_turned_away)
{
    Outcome outcome = { 0 };
    gint64 began = g_get_monotonic_time();
    Ends ends;

    certs_begin();
    ends_init(&ends, "tls-creds-anon,id=s,endpoint=server", "tls-creds-anon,id=c", NULL);
    tls_session_start(ends.server, note, &outcome);
    while (outcome.calls == 0) {
        g_main_context_iteration(NULL, TRUE);
    }
    ck_assert_ptr_nonnull(strstr(outcome.error, "more than 10 seconds"));
    ck_assert_int_ge(g_get_monotonic_time() - began, (TLS_HANDSHAKE_LIMIT_S - 2) * G_USEC_PER_SEC);
    g_free(outcome.error);
    ends_finish(&ends);
    certs_remove();
}
END_TEST

START_TEST(freed_before_the_handshake_ends)
{
    Outcome outcome = { 0 };
    Ends ends;

    certs_begin();
    ends_init(&ends, "tls-creds-anon,id=s,endpoint=server", "tls-creds-anon,id=c", NULL);
    tls_session_start(ends.server, note, &outcome);
    ends_finish(&ends);
    ck_assert(!g_main_context_iteration(NULL, FALSE));
    ck_assert_uint_eq(outcome.calls, 0);
    certs_remove();
}
END_TEST

CHECK_MAIN("tls_session", CASES(peers_meet, meetings), CASES(a_server_asks_for_a_certificate, clients),
           CASES(bytes_arrive_in_order_through_a_full_socket, pieces),
           CASE(part_of_a_record_is_pending), CASE(an_end_is_announced_or_a_failure),
           CASE(bytes_changed_on_the_way_are_a_failure), CASE(both_ends_on_the_loop),
           CASES(a_stranger_is_turned_away, strangers), CASE(who_says_nothing_is_turned_away),
           CASE(freed_before_the_handshake_ends))
