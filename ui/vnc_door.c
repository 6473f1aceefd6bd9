/*
 * TLS in front of a VNC server's screen.  See vnc_door.h.
 *
 * VeNCrypt as the community's description of RFB has it (rfbproto, "VeNCrypt"): version 0.2,
 * sub-types with TLS and with or without RFB's password.  Towards the screen the door is a viewer
 * of version 3.8 that needs no password.
 */
#include "vnc_door.h"

#include <errno.h>
#include <glib-unix.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bytes.h"
#include "rhea_error.h"
#include "tls_session.h"
#include "vnc_listen.h"

#define RFB_VERSION         "RFB 003.008\n"
#define RFB_VERSION_SIZE    12

enum { SECURITY_NONE = 1, SECURITY_VENCRYPT = 19 };
enum { VENCRYPT_TLS_NONE = 257, VENCRYPT_TLS_VNC, VENCRYPT_X509_NONE = 260, VENCRYPT_X509_VNC };
enum { PATIENCE_S = 120 };                  /* for the password: somebody has to type it */

/* Bytes on their way in one direction. */
typedef struct Flow {
    uint8_t bytes[16384];
    size_t from, to;
} Flow;

struct VncDoor {
    int refs;                               /* the server's and the thread's; atomic */
    int outer, inner;                       /* the viewer's socket, and to the screen's */
    VncAuth *auth;                          /* a reference, or NULL */
    VncAddress peer;
    bool websocket;
    TlsCreds *creds;
    GMutex lock;                            /* peer_name */
    char *peer_name;
    /* the thread's */
    TlsSession *tls;
    unsigned minor;                         /* the viewer's version is 3.minor */
    gint64 deadline_us;
    Flow up, down;                          /* to the viewer, to the screen */
};

static GMutex doors_lock;                   /* doors; a leaf */
static GCond doors_changed;
static unsigned doors;                      /* threads that have not ended */

static void count_doors(int change)
{
    g_mutex_lock(&doors_lock);
    doors += change;
    g_cond_broadcast(&doors_changed);
    g_mutex_unlock(&doors_lock);
}

void vnc_doors_wait(void)
{
    g_mutex_lock(&doors_lock);
    while (doors > 0) {
        g_cond_wait(&doors_changed, &doors_lock);
    }
    g_mutex_unlock(&doors_lock);
}

static void door_unref(VncDoor *door)
{
    if (!g_atomic_int_dec_and_test(&door->refs)) {
        return;
    }
    close(door->outer);
    close(door->inner);
    vnc_auth_unref(door->auth);
    vnc_address_clear(&door->peer);
    tls_creds_unref(door->creds);
    g_mutex_clear(&door->lock);
    g_free(door->peer_name);
    g_free(door);
}

/* ---- bytes, one after another ---- */

/* False: it is too late. */
static bool wait_for(const VncDoor *door, int fd, short events)
{
    gint64 left_us = door->deadline_us - g_get_monotonic_time();
    struct pollfd poll_fd = { .fd = fd, .events = events };

    return left_us > 0 && (poll(&poll_fd, 1, left_us / 1000 + 1) > 0 || errno == EINTR);
}

/* Moves all of them within the deadline; false: the connection is of no use any more. */
static bool plain_io(const VncDoor *door, int fd, void *buf, size_t len, bool out)
{
    for (uint8_t *p = buf; len > 0;) {
        ssize_t n = out ? send(fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT)
                        : recv(fd, p, len, MSG_DONTWAIT);

        if (n > 0) {
            p += n;
            len -= n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR) ||
                   !wait_for(door, fd, out ? POLLOUT : POLLIN)) {
            return false;
        }
    }
    return true;
}

static bool tls_io(const VncDoor *door, void *buf, size_t len, bool out)
{
    for (uint8_t *p = buf; len > 0;) {
        ssize_t n = out ? tls_session_write(door->tls, p, len, NULL)
                        : tls_session_read(door->tls, p, len, NULL);

        if (n > 0) {
            p += n;
            len -= n;
        } else if (n != TLS_AGAIN || !wait_for(door, door->outer, out ? POLLOUT : POLLIN)) {
            return false;
        }
    }
    return true;
}

/* To and from the viewer, through TLS once that is there. */
static bool viewer_read(const VncDoor *door, void *buf, size_t len)
{
    return door->tls != NULL ? tls_io(door, buf, len, false)
                             : plain_io(door, door->outer, buf, len, false);
}

static bool viewer_write(const VncDoor *door, const void *buf, size_t len)
{
    return door->tls != NULL ? tls_io(door, (void *)buf, len, true)
                             : plain_io(door, door->outer, (void *)buf, len, true);
}

/* ---- what the viewer has to do ---- */

/* A SecurityResult, or 3.3's security type 0; version 3.7 has no place for the reason. */
static bool refuse(const VncDoor *door, unsigned code, const char *reason)
{
    uint8_t head[8];

    put_be32(head, code);
    put_be32(head + 4, strlen(reason));
    if (door->minor == 7) {
        viewer_write(door, head, 4);
    } else if (viewer_write(door, head, sizeof(head))) {
        viewer_write(door, reason, strlen(reason));
    }
    return false;
}

static bool exchange_versions(VncDoor *door)
{
    char text[RFB_VERSION_SIZE + 1] = "";
    unsigned major;

    if (!viewer_write(door, RFB_VERSION, RFB_VERSION_SIZE) ||
        !viewer_read(door, text, RFB_VERSION_SIZE) ||
        sscanf(text, "RFB %3u.%3u\n", &major, &door->minor) != 2) {
        return false;
    }
    if (major != 3 || door->minor < 7) {
        door->minor = 3;
        return refuse(door, 0, "this server takes TLS alone, which needs RFB 3.7 or later");
    }
    return true;
}

static bool choose_security(const VncDoor *door)
{
    const uint8_t offer[] = { 1, SECURITY_VENCRYPT };
    uint8_t choice;

    if (!viewer_write(door, offer, sizeof(offer)) || !viewer_read(door, &choice, 1)) {
        return false;
    }
    return choice == SECURITY_VENCRYPT ||
           refuse(door, 1, "this server takes the security type VeNCrypt alone");
}

static unsigned sub_type(const VncDoor *door)
{
    if (tls_creds_kind(door->creds) == TLS_KIND_X509) {
        return door->auth != NULL ? VENCRYPT_X509_VNC : VENCRYPT_X509_NONE;
    }
    return door->auth != NULL ? VENCRYPT_TLS_VNC : VENCRYPT_TLS_NONE;
}

static bool choose_sub_type(const VncDoor *door)
{
    const uint8_t version[] = { 0, 2 };
    uint8_t offer[6] = { 0, 1 }, answer[4], accepted = 1;   /* the version is fine, one sub-type */

    put_be32(offer + 2, sub_type(door));
    if (!viewer_write(door, version, sizeof(version)) || !viewer_read(door, answer, 2)) {
        return false;
    }
    if (memcmp(answer, version, sizeof(version)) != 0) {
        viewer_write(door, &accepted, 1);                   /* anything but 0: it is not */
        return false;
    }
    if (!viewer_write(door, offer, sizeof(offer)) || !viewer_read(door, answer, 4)) {
        return false;
    }
    accepted = get_be32(answer) == sub_type(door);
    return viewer_write(door, &accepted, 1) && accepted;
}

static bool start_tls(VncDoor *door, GError **error)
{
    g_autoptr(TlsSession) tls = tls_session_new(door->creds, door->outer, NULL, error);
    int rc = TLS_AGAIN;

    door->deadline_us = g_get_monotonic_time() + TLS_HANDSHAKE_LIMIT_S * G_USEC_PER_SEC;
    while (tls != NULL && (rc = tls_session_handshake(tls, error)) == TLS_AGAIN) {
        if (!wait_for(door, door->outer, tls_session_wants(tls) == G_IO_IN ? POLLIN : POLLOUT)) {
            set_error(error, "the TLS handshake took too long");
            return false;
        }
    }
    if (tls == NULL || rc != 0) {
        return false;
    }
    g_mutex_lock(&door->lock);
    door->peer_name = tls_session_peer_name(tls);
    g_mutex_unlock(&door->lock);
    door->tls = g_steal_pointer(&tls);
    door->deadline_us = g_get_monotonic_time() + PATIENCE_S * G_USEC_PER_SEC;
    return true;
}

static bool ask_password(const VncDoor *door)
{
    uint8_t challenge[VNC_CHALLENGE_SIZE], response[VNC_CHALLENGE_SIZE];

    if (getrandom(challenge, sizeof(challenge), 0) != sizeof(challenge) ||
        !viewer_write(door, challenge, sizeof(challenge)) ||
        !viewer_read(door, response, sizeof(response))) {
        return false;
    }
    return vnc_auth_check(door->auth, door->peer.host, door->peer.service, challenge, response) ||
           refuse(door, 1, "Authentication failed");
}

/* The screen's own handshake; what it says is what our own library says. */
static bool enter_screen(const VncDoor *door)
{
    uint8_t choice = SECURITY_NONE, types[256], result[4];
    char version[RFB_VERSION_SIZE] = RFB_VERSION;

    return plain_io(door, door->inner, types, RFB_VERSION_SIZE, false) &&
           plain_io(door, door->inner, version, RFB_VERSION_SIZE, true) &&
           plain_io(door, door->inner, types, 1, false) &&
           plain_io(door, door->inner, types + 1, types[0], false) &&
           memchr(types + 1, SECURITY_NONE, types[0]) != NULL &&
           plain_io(door, door->inner, &choice, 1, true) &&
           plain_io(door, door->inner, result, 4, false) && get_be32(result) == 0;
}

static bool pass(VncDoor *door, GError **error)
{
    static const uint8_t accepted[4];       /* SecurityResult: 0 */

    door->deadline_us = g_get_monotonic_time() + TLS_HANDSHAKE_LIMIT_S * G_USEC_PER_SEC;
    if (door->websocket) {
        return start_tls(door, error);
    }
    return exchange_versions(door) && choose_security(door) && choose_sub_type(door) &&
           start_tls(door, error) && (door->auth == NULL || ask_password(door)) &&
           enter_screen(door) && viewer_write(door, accepted, sizeof(accepted));
}

/* ---- what goes through ---- */

static bool flow_is_empty(const Flow *flow)
{
    return flow->from == flow->to;
}

/* Takes in what there is, if the last lot is gone.  False: the end. */
static bool flow_take(VncDoor *door, Flow *flow, bool *moved)
{
    bool up = flow == &door->up;
    ssize_t n;

    if (!flow_is_empty(flow)) {
        return true;
    }
    n = up ? recv(door->inner, flow->bytes, sizeof(flow->bytes), MSG_DONTWAIT)
           : tls_session_read(door->tls, flow->bytes, sizeof(flow->bytes), NULL);
    if (n <= 0) {
        return up ? n < 0 && (errno == EAGAIN || errno == EINTR) : n == TLS_AGAIN;
    }
    flow->from = 0;
    flow->to = n;
    *moved = true;
    return true;
}

static bool flow_give(VncDoor *door, Flow *flow, bool *moved)
{
    bool up = flow == &door->up;
    size_t len = flow->to - flow->from;
    ssize_t n;

    if (len == 0) {
        return true;
    }
    n = up ? tls_session_write(door->tls, flow->bytes + flow->from, len, NULL)
           : send(door->inner, flow->bytes + flow->from, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n <= 0) {
        return up ? n == TLS_AGAIN : n < 0 && (errno == EAGAIN || errno == EINTR);
    }
    flow->from += n;
    *moved = true;
    return true;
}

/* Until something can move.  False: an end is gone, and nothing is left to read from it. */
static bool wait_to_move(const VncDoor *door)
{
    struct pollfd fds[] = {
        { .fd = door->outer, .events = (flow_is_empty(&door->down) ? POLLIN : 0) |
                                       (flow_is_empty(&door->up) ? 0 : POLLOUT) },
        { .fd = door->inner, .events = (flow_is_empty(&door->up) ? POLLIN : 0) |
                                       (flow_is_empty(&door->down) ? 0 : POLLOUT) },
    };

    if (poll(fds, G_N_ELEMENTS(fds), -1) < 0) {
        return errno == EINTR;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
        if ((fds[i].revents & (POLLHUP | POLLERR)) != 0 && (fds[i].revents & POLLIN) == 0) {
            return false;
        }
    }
    return true;
}

static void relay(VncDoor *door)
{
    bool moved;

    do {
        moved = false;
        if (!flow_take(door, &door->up, &moved) || !flow_give(door, &door->up, &moved) ||
            !flow_take(door, &door->down, &moved) || !flow_give(door, &door->down, &moved)) {
            return;
        }
    } while (moved || wait_to_move(door));
}

static gpointer door_thread(gpointer opaque)
{
    VncDoor *door = opaque;
    GError *error = NULL;

    if (pass(door, &error)) {
        relay(door);
        tls_session_bye(door->tls);
    } else if (error != NULL) {
        report_warning("VNC: a viewer at %s:%s was refused: %s", door->peer.host,
                       door->peer.service, error->message);
    }
    tls_session_free(door->tls);
    shutdown(door->outer, SHUT_RDWR);
    shutdown(door->inner, SHUT_RDWR);       /* the screen finds out */
    door_unref(door);
    g_clear_error(&error);
    count_doors(-1);
    return NULL;
}

/* ---- life ---- */

VncDoor *vnc_door_new(int fd, const VncDoorConfig *config, int *inner, GError **error)
{
    VncDoor *door;
    GThread *thread;
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        set_errno_error(error, errno, "no socket to the screen");
        close(fd);
        return NULL;
    }
    g_unix_set_fd_nonblocking(fd, TRUE, NULL);
    door = g_new0(VncDoor, 1);
    door->refs = 2;
    door->outer = fd;
    door->inner = pair[0];
    door->auth = config->auth != NULL ? vnc_auth_ref(config->auth) : NULL;
    door->creds = tls_creds_ref(config->creds);
    door->websocket = config->websocket;
    vnc_address_copy(&door->peer, config->peer);
    g_mutex_init(&door->lock);
    count_doors(1);
    thread = g_thread_try_new("vnc-tls", door_thread, door, error);
    if (thread == NULL) {
        count_doors(-1);
        close(pair[1]);
        door->refs = 1;
        door_unref(door);
        return NULL;
    }
    g_thread_unref(thread);
    *inner = pair[1];
    return door;
}

char *vnc_door_peer_name(VncDoor *door)
{
    char *name;

    g_mutex_lock(&door->lock);
    name = g_strdup(door->peer_name);
    g_mutex_unlock(&door->lock);
    return name;
}

void vnc_door_free(VncDoor *door)
{
    if (door != NULL) {
        shutdown(door->outer, SHUT_RDWR);
        shutdown(door->inner, SHUT_RDWR);
        door_unref(door);
    }
}
