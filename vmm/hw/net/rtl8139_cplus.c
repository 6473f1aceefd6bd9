/*
 * The RTL8139C+'s transmit ring (RTL8139C+ 6.1): descriptors, checksums and large sends of IPv4.
 * The high priority ring is not modelled: no driver uses it.
 */
#include <string.h>

#include "bytes.h"
#include "rtl8139_regs.h"
#include "vm_core.h"

/* Words of a descriptor. */
#define TXD_OWN         (1u << 31)
#define TXD_EOR         (1u << 30)
#define TXD_FS          (1u << 29)
#define TXD_LS          (1u << 28)
#define TXD_LGSEN       (1u << 27)
#define TXD_IPCS        (1u << 18)
#define TXD_UDPCS       (1u << 17)
#define TXD_TCPCS       (1u << 16)
#define TXD_MSS_SHIFT   16
#define TXD_MSS         0x7ff
#define TXD_SIZE        0xffff
#define TXD_TAGC        (1u << 17)
#define TXD_LEN         16

#define ETH_HEADER      14
#define IP_HEADER       20
#define IP_TCP          6
#define IP_UDP          17
#define TCP_HEADER      20
#define UDP_HEADER      8
#define TCP_FIN_PSH     0x09
/* Below this a segment is mostly header; a driver never asks for it, an attacker's would. */
#define MSS_MIN         32
/* More waits a while, so that no ring keeps the machine lock. */
#define WORK_PER_TURN   1024            /* frames sent and pages copied */
#define TURN_PAUSE_NS   (100 * NS_PER_US)

/* ---- IPv4 ---- */

/* Where the parts of an IPv4 packet lie, from the start of the frame. */
typedef struct Layout {
    unsigned ip, transport, payload, end;   /* payload: of TCP; else as transport */
    uint8_t protocol;
} Layout;

/* False: not a whole IPv4 packet, its sums are left alone. */
static bool layout_find(const uint8_t *data, size_t len, Layout *layout)
{
    const uint8_t *ip = data + ETH_HEADER;

    if (len < ETH_HEADER + IP_HEADER || get_be16(data + 12) != 0x0800 || ip[0] >> 4 != 4) {
        return false;
    }
    unsigned header = (ip[0] & 15) * 4, total = get_be16(ip + 2);
    if (header < IP_HEADER || total < header || ETH_HEADER + total > len) {
        return false;
    }
    *layout = (Layout){ .ip = ETH_HEADER, .transport = ETH_HEADER + header,
                        .end = ETH_HEADER + total, .protocol = ip[9] };
    layout->payload = layout->transport;
    if (layout->protocol == IP_TCP) {
        if (total < header + TCP_HEADER) {
            return false;
        }
        layout->payload += (data[layout->transport + 12] >> 4) * 4;
        return layout->payload >= layout->transport + TCP_HEADER && layout->payload <= layout->end;
    }
    return layout->protocol != IP_UDP || total >= header + UDP_HEADER;
}

static void sum_ip(uint8_t *data, const Layout *layout)
{
    uint8_t *ip = data + layout->ip;

    put_be16(ip + 10, 0);
    put_be16(ip + 10, net_checksum(ip, layout->transport - layout->ip, 0));
}

static void sum_transport(uint8_t *data, const Layout *layout)
{
    unsigned field = layout->protocol == IP_TCP ? 16 : 6, len = layout->end - layout->transport;
    uint8_t *at = data + layout->transport;
    uint32_t pseudo = net_checksum_add(data + layout->ip + 12, 8, layout->protocol + len);

    put_be16(at + field, 0);
    uint16_t sum = net_checksum(at, len, pseudo);
    put_be16(at + field, !sum && layout->protocol == IP_UDP ? 0xffff : sum);
}

static void sum_packet(Rtl8139 *nic, uint32_t word)
{
    Layout layout;

    if (!(word & (TXD_IPCS | TXD_UDPCS | TXD_TCPCS)) ||
        !layout_find(nic->packet, nic->packet_len, &layout)) {
        return;
    }
    if ((word & TXD_TCPCS && layout.protocol == IP_TCP) ||
        (word & TXD_UDPCS && layout.protocol == IP_UDP)) {
        sum_transport(nic->packet, &layout);
    }
    if (word & TXD_IPCS) {
        sum_ip(nic->packet, &layout);
    }
}

/* One segment of the packet: the headers, then `len` bytes of payload from `at` on. */
static void send_segment(Rtl8139 *nic, const Layout *whole, unsigned at, unsigned len,
                         unsigned number, const uint8_t *tag)
{
    uint8_t data[ETH_HEADER + 60 + 60 + TXD_MSS];
    unsigned headers = whole->payload;
    Layout layout = *whole;
    bool last = at + len == whole->end;

    layout.end = headers + len;
    memcpy(data, nic->packet, headers);
    memcpy(data + headers, nic->packet + at, len);
    put_be16(data + layout.ip + 2, layout.end - layout.ip);
    put_be16(data + layout.ip + 4, get_be16(data + layout.ip + 4) + number);
    put_be32(data + layout.transport + 4,
             get_be32(data + layout.transport + 4) + at - whole->payload);
    data[layout.transport + 13] &= last ? 0xff : ~TCP_FIN_PSH;
    sum_transport(data, &layout);
    sum_ip(data, &layout);
    rtl8139_send(nic, data, layout.end, tag);
}

static bool send_large(Rtl8139 *nic, uint32_t word, const uint8_t *tag)
{
    unsigned mss = word >> TXD_MSS_SHIFT & TXD_MSS, number = 0;
    Layout layout;

    if (mss < MSS_MIN || !layout_find(nic->packet, nic->packet_len, &layout) ||
        layout.protocol != IP_TCP || layout.payload == layout.end) {
        return false;
    }
    for (unsigned at = layout.payload; at < layout.end; at += mss) {
        send_segment(nic, &layout, at, MIN(mss, layout.end - at), number++, tag);
    }
    return true;
}

/* ---- descriptors ---- */

static void packet_append(Rtl8139 *nic, uint64_t addr, uint32_t len)
{
    if (!nic->packet) {
        nic->packet = g_malloc(RTL8139_PACKET_MAX);
    }
    len = MIN(len, RTL8139_PACKET_MAX - nic->packet_len);
    dma_read(&nic->pci.dma, &nic->pci.dev.obj, addr, nic->packet + nic->packet_len, len);
    nic->packet_len += len;
}

static void packet_send(Rtl8139 *nic, uint32_t word, uint32_t vlan)
{
    uint8_t tag[RTL8139_VLAN_LEN] = { 0x81, 0x00, vlan, vlan >> 8 };
    const uint8_t *inserted = vlan & TXD_TAGC ? tag : NULL;

    if (!(word & TXD_LGSEN) || !send_large(nic, word, inserted)) {
        sum_packet(nic, word & TXD_LGSEN ? 0 : word);
        rtl8139_send(nic, nic->packet, nic->packet_len, inserted);
    }
    nic->packet_len = 0;
}

/* Returns how much work it was; 0: the descriptor at hand is the driver's. */
static unsigned take_descriptor(Rtl8139 *nic)
{
    uint64_t at = ((uint64_t)nic->tx_addr[1] << 32 | nic->tx_addr[0]) +
                  (uint64_t)nic->cp_tx_desc * TXD_LEN;
    uint64_t sent = nic->tally.tx_ok;
    uint8_t desc[TXD_LEN];

    dma_read(&nic->pci.dma, &nic->pci.dev.obj, at, desc, sizeof(desc));
    uint32_t word = pci_get_long(desc), vlan = pci_get_long(desc + 4);
    if (!(word & TXD_OWN)) {
        return 0;
    }
    if (word & TXD_FS) {
        nic->packet_len = 0;
    }
    packet_append(nic, pci_get_long(desc + 8) | (uint64_t)pci_get_long(desc + 12) << 32,
                  word & TXD_SIZE);
    nic->cp_tx_desc = word & TXD_EOR ? 0 : (nic->cp_tx_desc + 1) % RTL8139_RING_MAX;
    if (word & TXD_LS) {
        packet_send(nic, word, vlan);
    }
    /* OWN falls, and the status bits say that nothing went wrong. */
    pci_set_long(desc, word & ~(TXD_OWN | 0x03f00000));
    dma_write(&nic->pci.dma, &nic->pci.dev.obj, at, desc, 4);
    return 1 + (word & TXD_SIZE) / 4096 + (nic->tally.tx_ok - sent);
}

void rtl8139_cplus_transmit(void *opaque)
{
    Rtl8139 *nic = opaque;
    unsigned taken = 0, work = 0, more = 1;

    if (nic->transmitting || !rtl8139_transmits(nic) || !(nic->cp_command & CPCR_TX)) {
        return;
    }
    nic->transmitting = true;
    while (more && taken < RTL8139_RING_MAX && work < WORK_PER_TURN) {
        more = take_descriptor(nic);
        work += more;
        taken += more ? 1 : 0;
    }
    nic->transmitting = false;
    if (more) {
        vm_timer_set(&nic->tx_timer, vm_clock_ns(nic->pci.dev.vm) + TURN_PAUSE_NS);
    }
    if (taken) {
        rtl8139_interrupt(nic, ISR_TOK | (more ? 0 : ISR_TDU));
    }
}
