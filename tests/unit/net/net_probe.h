/* An end of a wire for tests: remembers what it got, takes as many packets as it has room for. */
#pragma once

#include <check.h>
#include <string.h>

#include "net.h"

typedef struct Probe {
    NetClient client;
    GString *got;                           /* packets, each behind a '|' */
    unsigned packets, room;
    unsigned sent;                          /* calls of probe_sent() */
    unsigned link_changes;
    const char *reply;                      /* sent from within receive(), once */
    unsigned replies_seen_in_receive;
    bool in_receive;
} Probe;

static inline bool probe_can_receive(NetClient *client)
{
    return ((Probe *)client)->room > 0;
}

static inline ssize_t probe_receive(NetClient *client, const struct iovec *iov, unsigned niov,
                                    size_t len)
{
    Probe *probe = (Probe *)client;
    size_t total = 0;

    ck_assert(!probe->in_receive);
    probe->in_receive = true;
    g_string_append_c(probe->got, '|');
    for (unsigned i = 0; i < niov; i++) {
        g_string_append_len(probe->got, iov[i].iov_base, iov[i].iov_len);
        total += iov[i].iov_len;
    }
    ck_assert_uint_eq(total, len);
    probe->packets++;
    probe->room--;
    if (probe->reply != NULL) {
        const char *reply = probe->reply;

        probe->reply = NULL;
        net_send_buf(client, reply, strlen(reply));
    }
    probe->in_receive = false;
    return len;
}

static inline void probe_link_changed(NetClient *client)
{
    ((Probe *)client)->link_changes++;
}

static inline void probe_close(NetClient *client)
{
    g_string_free(((Probe *)client)->got, TRUE);
}

static const NetClientType probe_type = {
    .name = "probe", .size = sizeof(Probe), .can_receive = probe_can_receive,
    .receive = probe_receive, .link_changed = probe_link_changed, .close = probe_close,
};

static inline Probe *probe_new(const char *name)
{
    Probe *probe = (Probe *)net_client_new(&probe_type, "probe", name);

    probe->got = g_string_new(NULL);
    probe->room = 1u << 30;
    return probe;
}

static inline void probe_sent(NetClient *client, void *opaque)
{
    ((Probe *)client)->sent++;
    ck_assert_ptr_eq(opaque, client);
}

/* True: gone. */
static inline bool probe_send(Probe *probe, const char *text)
{
    struct iovec iov = { (char *)text, strlen(text) };

    return net_send(&probe->client, &iov, 1, probe_sent, probe);
}

static inline void spin(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}
