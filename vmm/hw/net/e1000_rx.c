/*
 * The 82540EM's receive side (3.2): filters, VLAN tags, the ring of receive descriptors.
 *
 * A frame reaches the guest without the checksum that ended it on the wire: where the chip would
 * store those four bytes (SECRC clear) they are zero.
 */
#include <string.h>

#include "bytes.h"
#include "e1000_regs.h"
#include "vm_core.h"

/* The receive descriptor (3.2.3): address, length, checksum, status, errors, special. */
enum { DESC_LENGTH = 8, DESC_STATUS = 12, DESC_SPECIAL = 14 };
#define RXD_DD          0x01
#define RXD_EOP         0x02
#define RXD_IXSM        0x04            /* no checksum was checked */
#define RXD_VP          0x08

#define FRAME_MIN       60              /* without FCS; the wire has none shorter */
#define FRAME_MAX       1522            /* with FCS, without LPE */
#define FRAME_MAX_LONG  16384
#define ETH_HEADER      14
#define RAH_AV          (1u << 31)

/* A frame as it goes to the guest. */
typedef struct RxFrame {
    struct iovec pieces[3];             /* around a tag that was taken out; the FCS last */
    unsigned npieces;
    size_t len;
    uint16_t special;
    uint8_t status;
} RxFrame;

/* ---- the ring ---- */

uint32_t e1000_rx_buffer_size(const E1000 *nic)
{
    uint32_t rctl = nic->mac[RCTL / 4];
    unsigned shift = rctl >> 16 & 3;

    /* 13.4.22, BSIZE: with BSEX the value 0 is reserved. */
    return rctl & RCTL_BSEX && shift ? 32768u >> shift : 2048u >> shift;
}

static uint32_t ring_entries(const E1000 *nic)
{
    return nic->mac[RDLEN / 4] / E1000_DESC_SIZE;
}

/* Descriptors the chip owns. A head or tail outside of the ring gives it none. */
static uint32_t ring_available(const E1000 *nic)
{
    uint32_t entries = ring_entries(nic), head = nic->mac[RDH / 4], tail = nic->mac[RDT / 4];

    if (head >= entries || tail >= entries) {
        return 0;
    }
    return head <= tail ? tail - head : entries - head + tail;
}

static uint64_t ring_address(const E1000 *nic)
{
    uint64_t base = (uint64_t)nic->mac[RDBAH / 4] << 32 | (nic->mac[RDBAL / 4] & ~15u);

    return base + (uint64_t)nic->mac[RDH / 4] * E1000_DESC_SIZE;
}

/* Writes bytes [at, at + len) of the frame. */
static void frame_store(E1000 *nic, const RxFrame *frame, size_t at, uint64_t addr, size_t len)
{
    for (unsigned i = 0; i < frame->npieces && len > 0; i++) {
        const struct iovec *piece = &frame->pieces[i];

        if (at >= piece->iov_len) {
            at -= piece->iov_len;
            continue;
        }
        size_t n = MIN(len, piece->iov_len - at);
        dma_write(&nic->pci.dma, &nic->pci.dev.obj, addr, (uint8_t *)piece->iov_base + at, n);
        at = 0;
        addr += n;
        len -= n;
    }
}

/* Fills the descriptor at the head; returns how much of the frame is stored now. */
static size_t ring_fill(E1000 *nic, const RxFrame *frame, size_t stored)
{
    uint8_t desc[E1000_DESC_SIZE];
    uint64_t at = ring_address(nic);
    uint8_t status = frame->status | RXD_DD;

    dma_read(&nic->pci.dma, &nic->pci.dev.obj, at, desc, sizeof(desc));
    uint64_t buffer = pci_get_long(desc) | (uint64_t)pci_get_long(desc + 4) << 32;
    memset(desc + DESC_LENGTH, 0, sizeof(desc) - DESC_LENGTH);
    /* A null descriptor takes nothing (3.2.7.1.2). */
    if (buffer) {
        size_t n = MIN(frame->len - stored, e1000_rx_buffer_size(nic));

        frame_store(nic, frame, stored, buffer, n);
        stored += n;
        pci_set_word(desc + DESC_LENGTH, n);
        status |= stored == frame->len ? RXD_EOP : 0;
    }
    pci_set_word(desc + DESC_SPECIAL, frame->special);
    /* The status goes last: a driver that polls it may look at once. */
    dma_write(&nic->pci.dma, &nic->pci.dev.obj, at + DESC_LENGTH, desc + DESC_LENGTH,
              sizeof(desc) - DESC_LENGTH);
    dma_write(&nic->pci.dma, &nic->pci.dev.obj, at + DESC_STATUS, &status, 1);
    *e1000_reg(nic, RDH) = (*e1000_reg(nic, RDH) + 1) % ring_entries(nic);
    return stored;
}

static void ring_store(E1000 *nic, const RxFrame *frame)
{
    uint32_t buffer = e1000_rx_buffer_size(nic), available = ring_available(nic);
    uint32_t causes = ICR_RXT0;
    size_t stored = 0;

    if ((uint64_t)available * buffer < frame->len) {
        e1000_count(nic, MPC, 1);
        e1000_count(nic, RNBC, 1);
        e1000_interrupt(nic, ICR_RXO);
        return;
    }
    /* A DMA write never gets back into these registers, so the ring stays as it was measured. */
    while (available-- > 0 && stored < frame->len) {
        stored = ring_fill(nic, frame, stored);
    }
    /* 13.4.22, RDMTS: few free descriptors are left. */
    if (ring_available(nic) <= ring_entries(nic) >> ((*e1000_reg(nic, RCTL) >> 8 & 3) + 1)) {
        causes |= ICR_RXDMT0;
    }
    e1000_interrupt(nic, causes);
}

/* ---- filters (3.2.1, 13.5) ---- */

static bool exact_match(const E1000 *nic, const uint8_t *dest)
{
    for (unsigned i = 0; i < E1000_RA_ENTRIES; i++) {
        uint32_t low = nic->mac[RA / 4 + 2 * i], high = nic->mac[RA / 4 + 2 * i + 1];

        if (high & RAH_AV && pci_get_long(dest) == low &&
            pci_get_word(dest + 4) == (high & 0xffff)) {
            return true;
        }
    }
    return false;
}

/* 13.5.1: twelve bits of the address, from where RCTL.MO says, index the table. */
static bool multicast_match(const E1000 *nic, const uint8_t *dest)
{
    static const uint8_t shifts[] = { 4, 3, 2, 0 };
    unsigned hash = pci_get_word(dest + 4) >> shifts[nic->mac[RCTL / 4] >> 12 & 3] & 0xfff;

    return nic->mac[MTA / 4 + hash / 32] >> hash % 32 & 1;
}

static bool is_vlan(const E1000 *nic, const uint8_t *data, size_t len)
{
    return len >= ETH_HEADER + E1000_VLAN_LEN && get_be16(data + 12) == (uint16_t)nic->mac[VET / 4];
}

static bool vlan_match(const E1000 *nic, const uint8_t *data)
{
    unsigned id = get_be16(data + ETH_HEADER) & 0xfff;

    return nic->mac[VFTA / 4 + id / 32] >> id % 32 & 1;
}

static bool filters_pass(E1000 *nic, const uint8_t *data, size_t len)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    uint32_t rctl = *e1000_reg(nic, RCTL);
    bool multicast = data[0] & 1;

    if (rctl & RCTL_VFE && is_vlan(nic, data, len) && !vlan_match(nic, data)) {
        return false;
    }
    if (rctl & (multicast ? RCTL_MPE : RCTL_UPE)) {
        return true;
    }
    if (rctl & RCTL_BAM && !memcmp(data, broadcast, sizeof(broadcast))) {
        return true;
    }
    return exact_match(nic, data) || (multicast && multicast_match(nic, data));
}

/* ---- frames ---- */

static void count_frame(E1000 *nic, const uint8_t *data, size_t len)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

    e1000_count(nic, TPR, 1);
    e1000_count(nic, GPRC, 1);
    e1000_count64(nic, TORL, len + E1000_FCS_LEN);
    e1000_count64(nic, GORCL, len + E1000_FCS_LEN);
    e1000_count_size(nic, PRC64, len + E1000_FCS_LEN);
    if (!memcmp(data, broadcast, sizeof(broadcast))) {
        e1000_count(nic, BPRC, 1);
    } else if (data[0] & 1) {
        e1000_count(nic, MPRC, 1);
    }
}

static void frame_add(RxFrame *frame, const void *data, size_t len)
{
    frame->pieces[frame->npieces++] = (struct iovec){ (void *)data, len };
    frame->len += len;
}

static void rx_frame(E1000 *nic, const uint8_t *data, size_t len)
{
    static const uint8_t fcs[E1000_FCS_LEN];
    RxFrame frame = { .status = RXD_IXSM };
    bool long_ok = *e1000_reg(nic, RCTL) & (RCTL_LPE | RCTL_SBP);

    if (len + E1000_FCS_LEN > (long_ok ? FRAME_MAX_LONG : FRAME_MAX)) {
        e1000_count(nic, ROC, 1);
        return;
    }
    if (!filters_pass(nic, data, len)) {
        return;
    }
    count_frame(nic, data, len);
    if (*e1000_reg(nic, CTRL) & CTRL_VME && is_vlan(nic, data, len)) {
        frame.special = get_be16(data + ETH_HEADER);
        frame.status |= RXD_VP;
        frame_add(&frame, data, 12);
        data += 12 + E1000_VLAN_LEN;
        len -= 12 + E1000_VLAN_LEN;
    }
    frame_add(&frame, data, len);
    if (!(*e1000_reg(nic, RCTL) & RCTL_SECRC)) {
        frame_add(&frame, fcs, sizeof(fcs));
    }
    ring_store(nic, &frame);
}

static size_t gather(uint8_t *buf, size_t size, const struct iovec *iov, unsigned niov)
{
    size_t len = 0;

    for (unsigned i = 0; i < niov; i++) {
        size_t n = MIN(iov[i].iov_len, size - len);

        memcpy(buf + len, iov[i].iov_base, n);
        len += n;
    }
    return len;
}

void e1000_receive_frame(E1000 *nic, const struct iovec *iov, unsigned niov, size_t len)
{
    uint8_t buf[FRAME_MAX_LONG];

    if (!(*e1000_reg(nic, RCTL) & RCTL_EN)) {
        return;
    }
    if (len > sizeof(buf)) {
        e1000_count(nic, ROC, 1);
    } else if (niov == 1 && len >= FRAME_MIN) {
        rx_frame(nic, iov[0].iov_base, len);
    } else {
        len = gather(buf, sizeof(buf), iov, niov);
        memset(buf + len, 0, len < FRAME_MIN ? FRAME_MIN - len : 0);
        rx_frame(nic, buf, MAX(len, FRAME_MIN));
    }
}

bool e1000_can_receive(void *opaque)
{
    E1000 *nic = opaque;
    uint16_t command = pci_get_word(nic->pci.config + PCI_COMMAND);

    return *e1000_reg(nic, STATUS) & STATUS_LU && *e1000_reg(nic, RCTL) & RCTL_EN &&
           command & PCI_COMMAND_MASTER && ring_available(nic) > 0;
}

ssize_t e1000_receive(void *opaque, const struct iovec *iov, unsigned niov, size_t len)
{
    E1000 *nic = opaque;

    if (!e1000_can_receive(nic)) {
        return 0;
    }
    e1000_receive_frame(nic, iov, niov, len);
    return len;
}
