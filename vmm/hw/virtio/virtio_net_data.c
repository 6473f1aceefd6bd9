/*
 * Packets of the virtio network device (5.1.6).
 *
 * Packets go out of guest memory without a copy, except for the header: that is read once, so that
 * what was looked at is what the host sees.
 */
#include <string.h>

#include "virtio_net.h"

#define ETH_HEADER  14

static bool has_offload(const VirtioNet *net)
{
    return virtio_has(&net->vdev, NET_F_CSUM);
}

/* ---- transmit ---- */

static void tx_sent(NetClient *client, void *opaque)
{
    VirtioNet *net = opaque;

    net->tx_waiting = false;
    virtqueue_reschedule(net->txq);
}

/* Returns false if the peer has to be waited for. The element is left to the caller. */
static bool tx_packet(VirtioNet *net, const VirtElem *elem)
{
    struct iovec iov[VIRTQUEUE_MAX_SIZE + 1];
    struct iovec *pieces = iov + 1;
    unsigned n = elem->n_out, peer_header = net->nic->header_len;
    NetHeader header = { 0 };

    memcpy(pieces, elem->out, n * sizeof(*pieces));
    iov_to_buf(elem->out, elem->n_out, 0, &header, net->header_len);
    iov_drop_front(&pieces, &n, net->header_len);
    if (peer_header > 0) {
        if (!has_offload(net)) {
            memset(&header, 0, sizeof(header));
        }
        header.num_buffers = 0;
        /* The dropped header left at least one place. */
        *--pieces = (struct iovec){ &header, peer_header };
        n++;
    }
    return net_send(net->nic, pieces, n, tx_sent, net);
}

/* Returns whether there may be more to send. */
static bool tx_one(VirtioNet *net)
{
    VirtElem *elem = virtqueue_pop(net->txq);

    if (elem == NULL) {
        return false;
    }
    if (elem->out_len < net->header_len) {
        virtio_error(&net->vdev, "a packet of %zu bytes has no header", elem->out_len);
        virtqueue_drop(net->txq, elem);
        return false;
    }
    /* The peer keeps a copy of what it cannot take at once: the buffers can go back. */
    net->tx_waiting = true;
    if (tx_packet(net, elem)) {
        net->tx_waiting = false;
    }
    virtqueue_fill(net->txq, elem, 0);
    return !net->tx_waiting;
}

/*
 * A driver that has just sent is likely to send again: it need not tell while the queue is looked at
 * once more after everything else that was due.  Only a look that finds nothing asks to be told.
 */
static void tx_flush(VirtioNet *net)
{
    unsigned burst = MAX(net->tx_burst, 1);     /* a driver may not keep us here for ever */
    unsigned sent = 0;

    virtqueue_set_notification(net->txq, false);
    while (sent < burst && tx_one(net)) {
        sent++;
    }
    if (sent == 0 && !net->tx_waiting) {
        virtqueue_set_notification(net->txq, true);
        if (virtqueue_empty(net->txq)) {
            return;
        }
    }
    virtqueue_flush(net->txq);
    virtqueue_notify(net->txq);
    if (!net->tx_waiting) {
        virtqueue_reschedule(net->txq);
    }
}

void virtio_net_tx_timer(void *opaque)
{
    VirtioNet *net = opaque;

    if (!net->tx_waiting && net->vdev.running) {
        tx_flush(net);
    }
}

void virtio_net_tx_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);

    if (net->tx_waiting) {
        return;
    }
    if (net->tx != NULL && g_str_equal(net->tx, "timer") && !vm_timer_is_set(&net->tx_timer)) {
        virtqueue_set_notification(vq, false);
        vm_timer_set(&net->tx_timer, vm_clock_ns(vdev->dev.vm) + net->tx_timer_ns);
        return;
    }
    vm_timer_set(&net->tx_timer, VM_TIMER_OFF);
    tx_flush(net);
}

/* ---- receive ---- */

/* A packet on its way in: the peer's pieces without its header, and ours. */
typedef struct RxPacket {
    const struct iovec *iov;
    unsigned niov;
    size_t skip, len;                       /* of the peer's header; of the packet */
    NetHeader header;
} RxPacket;

/* Takes as many elements as the packet fills; 0: there are not enough, all are back. */
static unsigned rx_take(VirtioNet *net, VirtElem **elems, size_t total)
{
    bool mergeable = virtio_has(&net->vdev, NET_F_MRG_RXBUF);
    unsigned n = 0;
    size_t room = 0;

    while (room < total && n < (mergeable ? VIRTQUEUE_MAX_SIZE : 1)) {
        elems[n] = virtqueue_pop(net->rx);
        if (elems[n] == NULL) {
            break;
        }
        room += elems[n++]->in_len;
    }
    if (room >= total) {
        return n;
    }
    while (n > 0) {
        virtqueue_unpop(net->rx, elems[--n]);
    }
    return 0;
}

/* Bytes [at, at + len) of header and packet, to `offset` of the element's buffers. */
static void rx_copy(const RxPacket *packet, size_t at, const VirtElem *elem, size_t offset,
                    size_t len)
{
    for (unsigned i = 0; i < elem->n_in && len > 0; i++) {
        const struct iovec *piece = &elem->in[i];

        if (offset >= piece->iov_len) {
            offset -= piece->iov_len;
            continue;
        }
        size_t n = MIN(len, piece->iov_len - offset);
        iov_to_buf(packet->iov, packet->niov, packet->skip + at, (char *)piece->iov_base + offset,
                   n);
        at += n;
        len -= n;
        offset = 0;
    }
}

static void rx_store(VirtioNet *net, RxPacket *packet, VirtElem **elems, unsigned n)
{
    size_t done = 0;

    packet->header.num_buffers = n;
    for (unsigned i = 0; i < n; i++) {
        size_t header = i == 0 ? net->header_len : 0;
        size_t len = MIN(elems[i]->in_len - MIN(header, elems[i]->in_len), packet->len - done);

        if (header > 0) {
            iov_from_buf(elems[i]->in, elems[i]->n_in, 0, &packet->header, header);
        }
        rx_copy(packet, done, elems[i], header, len);
        done += len;
        virtqueue_fill(net->rx, elems[i], header + len);
    }
    virtqueue_flush(net->rx);
    virtqueue_notify(net->rx);
}

/* 5.1.6.4: the header must fit the first buffer, a packet without merging all of it. */
static bool rx_fits(VirtioNet *net, VirtElem **elems, unsigned n)
{
    if (elems[0]->in_len >= net->header_len) {
        return true;
    }
    while (n > 0) {
        virtqueue_unpop(net->rx, elems[--n]);
    }
    virtio_error(&net->vdev, "a receive buffer has no room for the header");
    return false;
}

/* What the host says of the packet, as far as the driver agreed to hear it. */
static void rx_read_header(VirtioNet *net, RxPacket *packet)
{
    if (packet->skip > 0 && virtio_has(&net->vdev, NET_F_GUEST_CSUM)) {
        iov_to_buf(packet->iov, packet->niov, 0, &packet->header, NET_HEADER_SHORT);
    }
}

static bool rx_filtered(const VirtioNet *net, const RxPacket *packet)
{
    uint8_t start[ETH_HEADER + 4];
    size_t n = iov_to_buf(packet->iov, packet->niov, packet->skip, start, sizeof(start));

    return n >= ETH_HEADER && virtio_net_filter_passes(net, start, n);
}

static ssize_t rx_receive(void *opaque, const struct iovec *iov, unsigned niov, size_t len)
{
    VirtioNet *net = opaque;
    RxPacket packet = { .iov = iov, .niov = niov, .skip = net->nic->header_len };
    VirtElem *elems[VIRTQUEUE_MAX_SIZE];
    unsigned n;

    /* Nobody listens: lost, as on a wire. */
    if (!virtqueue_ready(net->rx) || len <= packet.skip || !(net->status & NET_S_LINK_UP)) {
        return len;
    }
    packet.len = len - packet.skip;
    if (!rx_filtered(net, &packet)) {
        return len;
    }
    n = rx_take(net, elems, net->header_len + packet.len);
    if (n == 0) {
        /* From now on the driver tells of buffers; some may have come meanwhile. */
        virtqueue_set_notification(net->rx, true);
        n = rx_take(net, elems, net->header_len + packet.len);
        net->starved = n == 0;
        if (n == 0) {
            return virtqueue_ready(net->rx) ? 0 : (ssize_t)len;
        }
    }
    virtqueue_set_notification(net->rx, false);
    if (rx_fits(net, elems, n)) {
        rx_read_header(net, &packet);
        rx_store(net, &packet, elems, n);
    }
    return len;
}

void virtio_net_rx_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);

    virtqueue_set_notification(vq, false);
    net->starved = false;
    net_flush(net->nic);
}

static bool rx_can_receive(void *opaque)
{
    VirtioNet *net = opaque;

    return !net->starved;
}

static void link_changed(void *opaque, bool up)
{
    VirtioNet *net = opaque;
    uint16_t status = up ? net->status | NET_S_LINK_UP : net->status & ~NET_S_LINK_UP;

    if (status != net->status) {
        net->status = status;
        virtio_config_changed(&net->vdev);
    }
}

const NicOps virtio_net_nic_ops = {
    .can_receive = rx_can_receive, .receive = rx_receive, .link_changed = link_changed,
};
