/*
 * Traffic: from one end to the other, or into the sender's queue.
 *
 * A receiver is never entered twice: while a client is inside its own receive() or net_send(), what
 * reaches it is queued and the main loop delivers it, so many packets at a time that everything
 * else on the loop keeps its turn, even where wires form a ring.
 */
#include <string.h>

#include "net_internal.h"

#define PACKETS_PER_TURN 256

typedef struct Packet {
    void (*sent)(NetClient *client, void *opaque);
    void *opaque;
    size_t len;
    uint8_t data[];
} Packet;

static GSource *kick_source;                /* NULL: nothing to deliver later */
static unsigned depth;                      /* deliveries inside one another */

static size_t iov_size(const struct iovec *iov, unsigned niov)
{
    size_t len = 0;

    for (unsigned i = 0; i < niov; i++) {
        len += iov[i].iov_len;
    }
    return len;
}

/* ---- filters ---- */

void net_filter_add(NetClient *client, NetFilter *filter)
{
    if (client->filters == NULL) {
        client->filters = g_ptr_array_new();
    }
    filter->client = client;
    g_ptr_array_add(client->filters, filter);
}

void net_filter_remove(NetFilter *filter)
{
    if (filter->client != NULL) {
        g_ptr_array_remove(filter->client->filters, filter);
        filter->client = NULL;
    }
}

void net_filters_drop(NetClient *client)
{
    for (guint i = 0; client->filters != NULL && i < client->filters->len; i++) {
        ((NetFilter *)g_ptr_array_index(client->filters, i))->client = NULL;
    }
    g_clear_pointer(&client->filters, g_ptr_array_unref);
}

static void show_filters(NetClient *client, const struct iovec *iov, unsigned niov, bool received)
{
    for (guint i = 0; client->filters != NULL && i < client->filters->len; i++) {
        NetFilter *filter = g_ptr_array_index(client->filters, i);

        filter->packet(filter, iov, niov, received);
    }
}

/* ---- delivery ---- */

static bool ready(NetClient *receiver)
{
    return !receiver->delivering &&
           (receiver->type->can_receive == NULL || receiver->type->can_receive(receiver));
}

/* A packet towards it would be thrown away. */
static bool unreachable(const NetClient *sender)
{
    const NetClient *peer = sender->peer;

    return peer == NULL || peer->closed || sender->closed || sender->link_down || peer->link_down;
}

static bool deliver(NetClient *sender, const struct iovec *iov, unsigned niov, size_t len)
{
    NetClient *receiver = sender->peer;
    bool was_sending = sender->delivering;
    ssize_t taken;

    sender->delivering = receiver->delivering = true;
    depth++;
    taken = receiver->type->receive(receiver, iov, niov, len);
    depth--;
    sender->delivering = was_sending;
    receiver->delivering = false;
    if (taken != 0) {
        sender->sent_bytes += len;
        receiver->received_bytes += len;
    }
    return taken != 0;
}

static bool queue_full(const NetClient *sender, size_t len)
{
    return sender->queue->length >= NET_QUEUE_LIMIT ||
           sender->queue_bytes + len > NET_QUEUE_BYTES;
}

static void enqueue(NetClient *sender, const struct iovec *iov, unsigned niov,
                    const Packet *model)
{
    Packet *packet = g_malloc(sizeof(Packet) + model->len);
    size_t at = 0;

    *packet = *model;
    for (unsigned i = 0; i < niov; i++) {
        if (iov[i].iov_len > 0) {
            memcpy(packet->data + at, iov[i].iov_base, iov[i].iov_len);
            at += iov[i].iov_len;
        }
    }
    sender->queue_bytes += model->len;
    g_queue_push_tail(sender->queue, packet);
}

bool net_send(NetClient *client, const struct iovec *iov, unsigned niov,
              void (*sent)(NetClient *client, void *opaque), void *opaque)
{
    size_t len = iov_size(iov, niov);

    if (len == 0 || len > NET_MAX_PACKET || unreachable(client)) {
        return true;
    }
    show_filters(client, iov, niov, false);
    show_filters(client->peer, iov, niov, true);
    if (client->queue->length == 0 && ready(client->peer) && deliver(client, iov, niov, len)) {
        return true;
    }
    if (queue_full(client, len)) {
        return true;
    }
    enqueue(client, iov, niov, &(Packet){ sent, opaque, len });
    if (depth > 0) {                        /* the peer may be busy with this very delivery */
        net_queue_kick();
    }
    return sent == NULL;
}

bool net_send_buf(NetClient *client, const void *buf, size_t len)
{
    struct iovec iov = { (void *)buf, len };

    return net_send(client, &iov, 1, NULL, NULL);
}

bool net_can_send(NetClient *client)
{
    return unreachable(client) || (client->queue->length == 0 && ready(client->peer));
}

/* ---- queues ---- */

static Packet *dequeue(NetClient *client)
{
    Packet *packet = g_queue_pop_head(client->queue);

    if (packet != NULL) {
        client->queue_bytes -= packet->len;
    }
    return packet;
}

static void packet_done(NetClient *client, Packet *packet, bool tell)
{
    if (tell && packet->sent != NULL) {
        packet->sent(client, packet->opaque);
    }
    g_free(packet);
}

/* `sent` may send, and so queue, more: only what stands there now goes. */
void net_queue_clear(NetClient *client, bool tell)
{
    for (guint n = client->queue->length; n > 0 && client->queue->length > 0; n--) {
        packet_done(client, dequeue(client), tell);
    }
}

void net_purge(NetClient *client)
{
    net_queue_clear(client, false);
}

/* Delivers up to `budget` packets; returns how many went. */
static unsigned queue_run(NetClient *client, unsigned budget)
{
    unsigned done = 0;

    while (done < budget && client->queue->length > 0) {
        bool lost = unreachable(client);
        Packet *packet;

        if (!lost && !ready(client->peer)) {
            break;
        }
        packet = dequeue(client);
        if (!lost && !deliver(client, &(struct iovec){ packet->data, packet->len }, 1,
                              packet->len)) {
            client->queue_bytes += packet->len;
            g_queue_push_head(client->queue, packet);
            break;
        }
        done++;
        packet_done(client, packet, true);
    }
    return done;
}

void net_flush(NetClient *client)
{
    NetClient *peer = client->peer;

    if (peer == NULL) {
        return;
    }
    if (client->delivering) {
        net_queue_kick();
        return;
    }
    if (queue_run(peer, PACKETS_PER_TURN) == PACKETS_PER_TURN && peer->queue->length > 0) {
        net_queue_kick();
    }
    if (!peer->closed && peer->type->peer_ready != NULL && peer->queue->length == 0) {
        peer->type->peer_ready(peer);
    }
}

static gboolean kicked(gpointer opaque)
{
    const GPtrArray *clients = net_clients();
    bool more = false;

    g_clear_pointer(&kick_source, g_source_unref);
    for (guint i = 0; i < clients->len; i++) {
        NetClient *client = g_ptr_array_index(clients, i);

        if (client->queue->length > 0) {
            more |= queue_run(client, PACKETS_PER_TURN) == PACKETS_PER_TURN;
        }
    }
    if (more) {
        net_queue_kick();
    }
    return G_SOURCE_REMOVE;
}

void net_queue_kick(void)
{
    if (kick_source == NULL) {
        kick_source = g_idle_source_new();
        g_source_set_priority(kick_source, G_PRIORITY_DEFAULT);
        g_source_set_callback(kick_source, kicked, NULL, NULL);
        g_source_attach(kick_source, NULL);
    }
}
