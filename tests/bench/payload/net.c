/*
 * The user network through a virtio-net card: ARP requests to the gateway one at a time, then
 * pings of full frames with many in flight, which the network library answers by itself.
 * Virtio 1.1, 5.1 "Network Device"; RFC 826, RFC 791, RFC 792.
 */
#include "payload.h"

#define RX_QUEUE        ((uint8_t *)0x100000)
#define TX_QUEUE        ((uint8_t *)0x120000)
#define RX_BUFFERS      0x1000000u
#define TX_BUFFERS      0x2000000u

enum { HEADER = 10, SLOT = 2048, RX_DEPTH = 64, PING_DEPTH = 32, PING_BYTES = 1500 };
enum { ARP_COUNT = 20000, PING_COUNT = 100000 };

typedef struct Net { Queue rx, tx; } Net;

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };
static const uint8_t guest_ip[4] = { 10, 0, 2, 15 }, gateway_ip[4] = { 10, 0, 2, 2 };

static uint8_t *put(uint8_t *at, const void *bytes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        at[i] = ((const uint8_t *)bytes)[i];
    }
    return at + n;
}

static uint8_t *put16(uint8_t *at, unsigned value)
{
    *at++ = value >> 8;
    *at++ = value;
    return at;
}

/* RFC 1071, over an even number of bytes. */
static unsigned checksum(const uint8_t *bytes, unsigned n)
{
    uint32_t sum = 0;

    for (unsigned i = 0; i < n; i += 2) {
        sum += (unsigned)bytes[i] << 8 | bytes[i + 1];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return ~(sum + (sum >> 16)) & 0xffff;
}

static unsigned make_arp(uint8_t *frame)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, nobody[6] = { 0 };
    uint8_t *at = put(put(frame, broadcast, 6), guest_mac, 6);

    at = put16(put16(at, 0x0806), 1);
    at = put16(put16(put16(at, 0x0800), 0x0604), 1);
    at = put(put(at, guest_mac, 6), guest_ip, 4);
    at = put(put(at, nobody, 6), gateway_ip, 4);
    return at - frame;
}

static unsigned make_ping(uint8_t *frame, const uint8_t gateway_mac[6])
{
    uint8_t *ip = put16(put(put(frame, gateway_mac, 6), guest_mac, 6), 0x0800);
    uint8_t *icmp = ip + 20;

    put16(put16(put16(ip, 0x4500), PING_BYTES), 1);
    put16(put16(put16(ip + 6, 0), 0x4001), 0);
    put(put(ip + 12, guest_ip, 4), gateway_ip, 4);
    put16(ip + 10, checksum(ip, 20));
    put16(put16(icmp, 0x0800), 0);
    put16(icmp + 2, checksum(icmp, PING_BYTES - 20));
    return 14 + PING_BYTES;
}

static void send(Net *net, unsigned slot, unsigned len)
{
    net->tx.desc[slot] = (Desc){ TX_BUFFERS + slot * SLOT, HEADER + len, 0, 0 };
    queue_offer(&net->tx, slot);
}

/* A frame that came: its buffer goes back at once, the next frame into it comes much later. */
static const uint8_t *receive(Net *net)
{
    uint16_t slot = queue_take(&net->rx);

    queue_offer(&net->rx, slot);
    return (const uint8_t *)(uintptr_t)(RX_BUFFERS + slot * SLOT + HEADER);
}

static void open_net(Net *net, unsigned slot)
{
    uint16_t port = device_open(slot, 0);

    queue_open(&net->rx, port, 0, RX_QUEUE);
    queue_open(&net->tx, port, 1, TX_QUEUE);
    device_ready(port);
    for (unsigned i = 0; i < RX_DEPTH; i++) {
        net->rx.desc[i] = (Desc){ RX_BUFFERS + i * SLOT, SLOT, DESC_WRITE, 0 };
        queue_offer(&net->rx, i);
    }
    queue_kick(&net->rx);
}

/* The gateway's address is where its answers come from. */
static void round_trips(Net *net, uint8_t gateway_mac[6])
{
    unsigned len = make_arp((uint8_t *)(uintptr_t)(TX_BUFFERS + HEADER));

    mark('b');
    for (unsigned i = 0; i < ARP_COUNT; i++) {
        const uint8_t *frame;

        send(net, 0, len);
        queue_kick(&net->tx);
        queue_wait(&net->rx);
        frame = receive(net);
        if (frame[12] != 0x08 || frame[13] != 0x06 || frame[21] != 2) {
            mark('!');
        }
        put(gateway_mac, frame + 6, 6);
    }
    mark('e');
}

static void pings(Net *net, const uint8_t gateway_mac[6])
{
    unsigned begun = 0, done = 0, len = 0;

    for (unsigned slot = 0; slot < PING_DEPTH; slot++) {
        len = make_ping((uint8_t *)(uintptr_t)(TX_BUFFERS + slot * SLOT + HEADER), gateway_mac);
    }
    mark('b');
    for (; begun < PING_DEPTH; begun++) {
        send(net, begun, len);
    }
    queue_kick(&net->tx);
    while (done < PING_COUNT) {
        unsigned before = begun;

        queue_wait(&net->rx);
        while (queue_has_used(&net->rx)) {
            const uint8_t *frame = receive(net);

            if (frame[23] != 1 || frame[34] != 0) {
                mark('!');
            }
            done++;
            if (begun < PING_COUNT) {
                send(net, begun++ % PING_DEPTH, len);
            }
        }
        queue_kick(&net->rx);
        if (begun != before) {
            queue_kick(&net->tx);
        }
    }
    mark('e');
}

void payload(void)
{
    for (unsigned slot = 0; slot < 32; slot++) {
        if (pci_read(slot, 0) == DEVICE_NET) {
            Net net;
            uint8_t gateway_mac[6];

            open_net(&net, slot);
            round_trips(&net, gateway_mac);
            pings(&net, gateway_mac);
        }
    }
    mark('.');
    for (;;) {
        __asm__ volatile("pause");
    }
}
