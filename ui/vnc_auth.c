/* Passwords of VNC servers.  See vnc_auth.h. */
#include "vnc_auth.h"

#include <arpa/inet.h>
#include <nettle/des.h>
#include <string.h>

#include "rhea_error.h"

#define FIRST_DELAY_US      (G_USEC_PER_SEC / 4)    /* after the first wrong answer; doubles */
#define DELAY_MAX_US        (8 * G_USEC_PER_SEC)
#define FORGET_US           (5 * 60 * G_USEC_PER_SEC)

enum { GUESSERS_MAX = 64, WAITING_MAX = 4 };        /* addresses; answers of one of them */

/* An address that gave wrong answers. */
typedef struct Guesser {
    char *host;                             /* NULL: a free row */
    unsigned failures, waiting;
    gint64 failed_us, until_us;             /* the last time; no answer is looked at before this */
} Guesser;

struct VncAuth {
    int refs;                               /* atomic */
    char *server;
    GMutex lock;                            /* all below */
    GCond changed;
    bool closed, has_password;
    char password[VNC_PASSWORD_MAX + 1];
    int64_t expires;                        /* seconds since 1970 */
    Guesser guessers[GUESSERS_MAX];
};

/* ---- the password ---- */

VncAuth *vnc_auth_new(const char *server)
{
    VncAuth *auth = g_new0(VncAuth, 1);

    auth->refs = 1;
    auth->server = g_strdup(server);
    auth->expires = G_MAXINT64;
    g_mutex_init(&auth->lock);
    g_cond_init(&auth->changed);
    return auth;
}

VncAuth *vnc_auth_ref(VncAuth *auth)
{
    g_atomic_int_inc(&auth->refs);
    return auth;
}

void vnc_auth_unref(VncAuth *auth)
{
    if (auth == NULL || !g_atomic_int_dec_and_test(&auth->refs)) {
        return;
    }
    for (size_t i = 0; i < GUESSERS_MAX; i++) {
        g_free(auth->guessers[i].host);
    }
    g_mutex_clear(&auth->lock);
    g_cond_clear(&auth->changed);
    explicit_bzero(auth->password, sizeof(auth->password));
    g_free(auth->server);
    g_free(auth);
}

void vnc_auth_set_password(VncAuth *auth, const char *password)
{
    g_mutex_lock(&auth->lock);
    auth->has_password = password != NULL;
    memset(auth->password, 0, sizeof(auth->password));
    if (password != NULL) {
        strncpy(auth->password, password, VNC_PASSWORD_MAX);
    }
    g_mutex_unlock(&auth->lock);
}

void vnc_auth_expire(VncAuth *auth, int64_t when)
{
    g_mutex_lock(&auth->lock);
    auth->expires = when;
    g_mutex_unlock(&auth->lock);
}

void vnc_auth_close(VncAuth *auth)
{
    g_mutex_lock(&auth->lock);
    auth->closed = true;
    g_cond_broadcast(&auth->changed);
    g_mutex_unlock(&auth->lock);
}

/* ---- answers ---- */

/* DES takes the bits of each byte of the key from the other end than everybody else's. */
static uint8_t mirror(uint8_t byte)
{
    uint8_t mirrored = 0;

    for (unsigned bit = 0; bit < 8; bit++) {
        mirrored |= (byte >> bit & 1) << (7 - bit);
    }
    return mirrored;
}

void vnc_auth_response(const char *password, const uint8_t challenge[VNC_CHALLENGE_SIZE],
                       uint8_t response[VNC_CHALLENGE_SIZE])
{
    size_t len = strnlen(password, DES_KEY_SIZE);
    uint8_t key[DES_KEY_SIZE] = { 0 };
    struct des_ctx des;

    for (size_t i = 0; i < len; i++) {
        key[i] = mirror(password[i]);
    }
    des_set_key(&des, key);                 /* says whether it is a weak one, and sets it */
    des_encrypt(&des, VNC_CHALLENGE_SIZE, response, challenge);
    explicit_bzero(key, sizeof(key));
    explicit_bzero(&des, sizeof(des));
}

/* In a time that does not depend on where they differ. */
static bool same_answer(const uint8_t *a, const uint8_t *b)
{
    volatile uint8_t difference = 0;

    for (size_t i = 0; i < VNC_CHALLENGE_SIZE; i++) {
        difference |= a[i] ^ b[i];
    }
    return difference == 0;
}

/* NULL: it is right; else what is wrong. */
static const char *judge(const VncAuth *auth, const uint8_t *challenge, const uint8_t *response)
{
    uint8_t right[VNC_CHALLENGE_SIZE];

    if (!auth->has_password) {
        return "no password has been set";
    }
    if (g_get_real_time() / G_USEC_PER_SEC >= auth->expires) {
        return "the password has expired";
    }
    vnc_auth_response(auth->password, challenge, right);
    return same_answer(right, response) ? NULL : "wrong password";
}

/* ---- guessers ---- */

static void guesser_forget(Guesser *guesser)
{
    g_free(guesser->host);
    *guesser = (Guesser){};
}

static Guesser *guesser_find(VncAuth *auth, const char *host)
{
    for (size_t i = 0; i < GUESSERS_MAX; i++) {
        Guesser *guesser = &auth->guessers[i];

        if (guesser->host != NULL && guesser->waiting == 0 &&
            g_get_monotonic_time() - guesser->failed_us > FORGET_US) {
            guesser_forget(guesser);
        }
        if (g_strcmp0(guesser->host, host) == 0) {
            return guesser;
        }
    }
    return NULL;
}

/* A row for one more: a free one, or that of whoever has been quiet longest. */
static Guesser *guesser_new(VncAuth *auth, const char *host)
{
    Guesser *oldest = NULL;

    for (size_t i = 0; i < GUESSERS_MAX; i++) {
        Guesser *guesser = &auth->guessers[i];

        if (guesser->waiting == 0 && (oldest == NULL || guesser->failed_us < oldest->failed_us)) {
            oldest = guesser;               /* a free row's time is 0 */
        }
    }
    if (oldest != NULL) {
        guesser_forget(oldest);
        oldest->host = g_strdup(host);
    }
    return oldest;
}

static void guesser_failed(VncAuth *auth, const char *host)
{
    Guesser *guesser = guesser_find(auth, host);

    if (guesser == NULL) {
        guesser = guesser_new(auth, host);
    }
    if (guesser != NULL) {
        gint64 delay_us = FIRST_DELAY_US << MIN(guesser->failures, 10);

        guesser->failures++;
        guesser->failed_us = g_get_monotonic_time();
        guesser->until_us = guesser->failed_us + MIN(delay_us, DELAY_MAX_US);
    }
}

/* Until the host may answer.  False: the server closes, or too many answers of the host wait. */
static bool wait_turn(VncAuth *auth, const char *host)
{
    Guesser *guesser = guesser_find(auth, host);
    bool turn = true;

    if (guesser == NULL || guesser->until_us <= g_get_monotonic_time()) {
        return !auth->closed;
    }
    if (guesser->waiting == WAITING_MAX) {
        return false;
    }
    guesser->waiting++;                     /* the row stays where it is */
    while (!auth->closed && guesser->until_us > g_get_monotonic_time()) {
        g_cond_wait_until(&auth->changed, &auth->lock, guesser->until_us);
    }
    turn = !auth->closed;
    guesser->waiting--;
    return turn;
}

/* Whom an address stands for: of IPv6 its network, as everybody has 2^64 addresses.  New string. */
static char *guesser_name(const char *host)
{
    struct in6_addr addr;
    char text[INET6_ADDRSTRLEN];

    if (inet_pton(AF_INET6, host, &addr) != 1 || IN6_IS_ADDR_V4MAPPED(&addr)) {
        return g_strdup(host);
    }
    memset(&addr.s6_addr[8], 0, 8);
    return g_strdup(inet_ntop(AF_INET6, &addr, text, sizeof(text)));
}

bool vnc_auth_check(VncAuth *auth, const char *host, const char *service,
                    const uint8_t challenge[VNC_CHALLENGE_SIZE],
                    const uint8_t response[VNC_CHALLENGE_SIZE])
{
    g_autofree char *name = guesser_name(host);
    const char *wrong;
    Guesser *guesser;

    g_mutex_lock(&auth->lock);
    if (!wait_turn(auth, name)) {
        g_mutex_unlock(&auth->lock);
        return false;
    }
    wrong = judge(auth, challenge, response);
    guesser = guesser_find(auth, name);
    if (wrong != NULL) {
        guesser_failed(auth, name);
    } else if (guesser != NULL && guesser->waiting == 0) {
        guesser_forget(guesser);
    }
    g_mutex_unlock(&auth->lock);
    if (wrong != NULL) {
        report_warning("VNC server '%s': a viewer at %s%s%s was refused: %s", auth->server,
                       *host != '\0' ? host : "a UNIX socket", *service != '\0' ? ":" : "",
                       service, wrong);
    }
    return wrong == NULL;
}
