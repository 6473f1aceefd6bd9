/*
 * The RTL8139C+'s receive side: filters, the ring of bytes (RTL8139C 6.2) and the ring of
 * descriptors (RTL8139C+ 6.2).
 *
 * A frame reaches the guest without the CRC that ended it on the wire: those four bytes are zero.
 */
#include <string.h>

#include "rtl8139_regs.h"
#include "vm_core.h"

#define FRAME_MIN       60              /* without CRC; the wire has none shorter */
#define FRAME_USUAL     1518            /* with a tag */
#define FRAME_MAX       4118            /* what a driver may set the MTU to, 4096, with a tag */
#define PACKET_HEADER   4               /* status and length in front of a frame */

/* Status in the header of a frame in the ring of bytes. */
#define RX_ROK          0x0001
#define RX_BAR          0x2000
#define RX_PAM          0x4000
#define RX_MAR          0x8000

/* Descriptor words of the C+ ring. */
#define RXD_OWN         (1u << 31)
#define RXD_EOR         (1u << 30)
#define RXD_FS          (1u << 29)
#define RXD_LS          (1u << 28)
#define RXD_MAR         (1u << 26)
#define RXD_PAM         (1u << 25)
#define RXD_BAR         (1u << 24)
#define RXD_BOVF        (1u << 23)
#define RXD_RES         (1u << 20)
#define RXD_SIZE        0x1fff
#define RXD_TAVA        (1u << 16)
#define RXD_LEN         16

typedef enum Match {
    MATCH_NONE, MATCH_ALL, MATCH_BROADCAST, MATCH_MULTICAST, MATCH_PHYSICAL
} Match;

/* ---- filters ---- */

static Match filter(const Rtl8139 *nic, const uint8_t *dest)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    uint32_t config = nic->rx_config;

    if (!memcmp(dest, broadcast, 6)) {
        return config & RCR_AB ? MATCH_BROADCAST : config & RCR_AAP ? MATCH_ALL : MATCH_NONE;
    }
    if (dest[0] & 1) {
        unsigned hash = net_crc32_be(dest, 6) >> 26;
        bool wanted = config & RCR_AM && nic->mult[hash / 8] >> hash % 8 & 1;

        return wanted ? MATCH_MULTICAST : config & RCR_AAP ? MATCH_ALL : MATCH_NONE;
    }
    if (config & RCR_APM && !memcmp(dest, nic->phys, 6)) {
        return MATCH_PHYSICAL;
    }
    return config & RCR_AAP ? MATCH_ALL : MATCH_NONE;
}

static void count_frame(Rtl8139 *nic, Match match)
{
    nic->tally.rx_ok++;
    nic->tally.rx_ok_phy += match == MATCH_PHYSICAL;
    nic->tally.rx_ok_brd += match == MATCH_BROADCAST;
    nic->tally.rx_ok_mul += match == MATCH_MULTICAST;
}

static void miss_frame(Rtl8139 *nic, uint16_t cause)
{
    nic->rx_missed = (nic->rx_missed + 1) & 0xffffff;
    nic->tally.missed++;
    rtl8139_interrupt(nic, cause);
}

/* ---- the ring of bytes ---- */

/* A power of two: 8 KiB shifted by RCR.RBLEN. */
void rtl8139_set_rx_config(Rtl8139 *nic, uint32_t value)
{
    nic->rx_config = value;
    nic->rx_buf_size = 8192u << (value >> 11 & 3);
    nic->rx_buf_ptr %= nic->rx_buf_size;
    nic->rx_buf_addr %= nic->rx_buf_size;
}

bool rtl8139_rx_is_empty(const Rtl8139 *nic)
{
    return nic->rx_buf_ptr % nic->rx_buf_size == nic->rx_buf_addr % nic->rx_buf_size;
}

/* A full ring would look like an empty one, so it never gets quite full. */
static uint32_t bytes_free(const Rtl8139 *nic)
{
    uint32_t used = (nic->rx_buf_addr - nic->rx_buf_ptr) & (nic->rx_buf_size - 1);

    return used + 4 < nic->rx_buf_size ? nic->rx_buf_size - used - 4 : 0;
}

static uint32_t bytes_needed(size_t len)
{
    return (PACKET_HEADER + len + RTL8139_CRC_LEN + 3) & ~3u;
}

static void bytes_store(Rtl8139 *nic, const void *data, size_t len)
{
    uint32_t first = nic->rx_buf_size - nic->rx_buf_addr;

    /* RCR, WRAP: the rest goes on behind the ring; not with the largest one. */
    if (len <= first || (nic->rx_config & RCR_WRAP && nic->rx_buf_size < 65536)) {
        first = len;
    }
    dma_write(&nic->pci.dma, &nic->pci.dev.obj, (uint64_t)nic->rx_buf + nic->rx_buf_addr, data,
              first);
    if (len > first) {
        dma_write(&nic->pci.dma, &nic->pci.dev.obj, nic->rx_buf, (const uint8_t *)data + first,
                  len - first);
    }
}

static void store_in_bytes(Rtl8139 *nic, const uint8_t *data, size_t len, Match match)
{
    static const uint16_t status[] = {
        [MATCH_ALL] = 0, [MATCH_BROADCAST] = RX_BAR, [MATCH_MULTICAST] = RX_MAR,
        [MATCH_PHYSICAL] = RX_PAM,
    };
    uint8_t copy[PACKET_HEADER + FRAME_MAX + RTL8139_CRC_LEN + 3] = { 0 };
    uint32_t needed = bytes_needed(len);

    if (needed > bytes_free(nic)) {
        miss_frame(nic, ISR_RXOVW);
        return;
    }
    pci_set_word(copy, RX_ROK | status[match]);
    pci_set_word(copy + 2, len + RTL8139_CRC_LEN);
    memcpy(copy + PACKET_HEADER, data, len);
    bytes_store(nic, copy, needed);
    nic->rx_buf_addr = (nic->rx_buf_addr + needed) % nic->rx_buf_size;
    count_frame(nic, match);
    rtl8139_interrupt(nic, ISR_ROK);
}

/* ---- the ring of descriptors ---- */

static bool is_tagged(const Rtl8139 *nic, const uint8_t *data)
{
    return nic->cp_command & CPCR_RX_VLAN && data[12] == 0x81 && data[13] == 0x00;
}

/* Frame, then CRC, as far as there is room. */
static void store_buffer(Rtl8139 *nic, uint64_t addr, uint32_t room, const uint8_t *data,
                         size_t len, bool tagged)
{
    static const uint8_t crc[RTL8139_CRC_LEN];
    struct iovec pieces[] = {
        { (void *)data, 12 },
        { (void *)(data + 12 + (tagged ? RTL8139_VLAN_LEN : 0)),
          len - 12 - (tagged ? RTL8139_VLAN_LEN : 0) },
        { (void *)crc, sizeof(crc) },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(pieces) && room > 0; i++) {
        uint32_t n = MIN(room, pieces[i].iov_len);

        dma_write(&nic->pci.dma, &nic->pci.dev.obj, addr, pieces[i].iov_base, n);
        addr += n;
        room -= n;
    }
}

static void store_in_ring(Rtl8139 *nic, const uint8_t *data, size_t len, Match match)
{
    static const uint32_t status[] = {
        [MATCH_ALL] = 0, [MATCH_BROADCAST] = RXD_BAR, [MATCH_MULTICAST] = RXD_MAR,
        [MATCH_PHYSICAL] = RXD_PAM,
    };
    uint64_t at = ((uint64_t)nic->rx_ring[1] << 32 | nic->rx_ring[0]) +
                  (uint64_t)nic->cp_rx_desc * RXD_LEN;
    uint8_t desc[RXD_LEN];
    bool tagged = is_tagged(nic, data);
    size_t total = len + RTL8139_CRC_LEN - (tagged ? RTL8139_VLAN_LEN : 0);

    dma_read(&nic->pci.dma, &nic->pci.dev.obj, at, desc, sizeof(desc));
    uint32_t word = pci_get_long(desc), room = word & RXD_SIZE;
    if (!(word & RXD_OWN)) {
        miss_frame(nic, ISR_RXOVW);
        return;
    }
    store_buffer(nic, pci_get_long(desc + 8) | (uint64_t)pci_get_long(desc + 12) << 32, room, data,
                 len, tagged);
    /* The tag lies there as on the wire. */
    pci_set_long(desc + 4, tagged ? RXD_TAVA | pci_get_word(data + 14) : 0);
    pci_set_long(desc, (word & RXD_EOR) | RXD_FS | RXD_LS | status[match] | MIN(total, room) |
                 (total > room ? RXD_RES | RXD_BOVF : 0));
    /* The word with OWN goes last. */
    dma_write(&nic->pci.dma, &nic->pci.dev.obj, at + 4, desc + 4, 4);
    dma_write(&nic->pci.dma, &nic->pci.dev.obj, at, desc, 4);
    nic->cp_rx_desc = word & RXD_EOR ? 0 : (nic->cp_rx_desc + 1) % RTL8139_RING_MAX;
    if (total > room) {
        nic->tally.rx_err++;
        rtl8139_interrupt(nic, ISR_RER);
    } else {
        count_frame(nic, match);
        rtl8139_interrupt(nic, ISR_ROK);
    }
}

/* ---- frames ---- */

void rtl8139_receive_frame(Rtl8139 *nic, const struct iovec *iov, unsigned niov, size_t len)
{
    uint8_t data[FRAME_MAX] = { 0 };
    size_t at = 0;

    if (!rtl8139_receives(nic)) {
        return;
    }
    if (len > sizeof(data)) {
        nic->tally.rx_err++;
        return;
    }
    for (unsigned i = 0; i < niov; at += iov[i].iov_len, i++) {
        memcpy(data + at, iov[i].iov_base, iov[i].iov_len);
    }
    len = MAX(len, FRAME_MIN);
    Match match = filter(nic, data);
    if (match == MATCH_NONE) {
        return;
    }
    if (nic->cp_command & CPCR_RX) {
        store_in_ring(nic, data, len, match);
    } else {
        store_in_bytes(nic, data, len, match);
    }
}

bool rtl8139_can_receive(void *opaque)
{
    const Rtl8139 *nic = opaque;

    /* A chip that is off hears nothing: what comes then is lost, as on the wire. */
    if (!rtl8139_receives(nic) || nic->cp_command & CPCR_RX) {
        return true;
    }
    return rtl8139_rx_is_empty(nic) || bytes_free(nic) >= bytes_needed(FRAME_USUAL);
}

ssize_t rtl8139_receive(void *opaque, const struct iovec *iov, unsigned niov, size_t len)
{
    rtl8139_receive_frame(opaque, iov, niov, len);
    return len;
}
