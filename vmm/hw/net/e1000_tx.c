/*
 * The 82540EM's transmit side: the ring of transmit descriptors (3.3, 3.4), checksums and TCP
 * segmentation (3.5, 3.6).
 *
 * A turn takes a bounded amount of work; what is left waits for a timer, so that no ring keeps the
 * machine lock.  Frames are copied once: the guest cannot change one after it was checked.
 */
#include <string.h>

#include "bytes.h"
#include "e1000_regs.h"
#include "vm_core.h"

/* Descriptor commands; DTYP tells the two extended kinds apart (3.3.5). */
#define CMD_EOP         0x01
#define CMD_IC          0x04            /* legacy: insert a checksum */
#define CMD_TSE         0x04            /* extended: segment */
#define CMD_RS          0x08
#define CMD_RPS         0x10
#define CMD_DEXT        0x20
#define CMD_VLE         0x40
#define DTYP_CONTEXT    0
#define DTYP_DATA       1
#define TUCMD_TCP       0x01
#define TUCMD_IP        0x02
#define TUCMD_TSE       0x04
#define POPTS_IXSM      0x01
#define POPTS_TXSM      0x02
#define TXD_DD          0x01

#define TCP_SEQ         4
#define TCP_FLAGS       13
#define TCP_FIN_PSH     0x09
#define TCP_HEADER      20
#define UDP_HEADER      8

#define DESCRIPTORS_PER_TURN    512
#define WORK_PER_TURN           1024    /* frames sent and pages copied */
#define TURN_PAUSE_NS           (50 * NS_PER_US)
/* Below this a segment is mostly header; a driver never asks for it, an attacker's would. */
#define MSS_MIN         32

typedef struct TxDesc {
    uint8_t bytes[E1000_DESC_SIZE];
    uint8_t command;                    /* bits 31:24 of the third word, of all kinds */
} TxDesc;

/* ---- frames ---- */

/* 3.3.6: the sum of [start, end] goes to `at`; end 0: to the end of the packet. */
static void insert_checksum(TxPacket *tx, unsigned start, unsigned at, unsigned end)
{
    unsigned stop = end && end < tx->size ? end + 1 : tx->size;

    if (start < stop && at + 2 <= tx->size) {
        put_be16(tx->data + at, net_checksum(tx->data + start, stop - start, 0));
    }
}

static void send_frame(E1000 *nic, const uint8_t *tag)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    TxPacket *tx = &nic->tx;
    size_t len = tx->size + (tag ? E1000_VLAN_LEN : 0);
    struct iovec iov[] = {
        { tx->data, 12 }, { (void *)tag, E1000_VLAN_LEN }, { tx->data + 12, tx->size - 12 },
    };
    struct iovec plain = { tx->data, tx->size };
    bool tagged = tag != NULL;
    bool loopback = nic->phy[PHY_CTRL] & PHY_CTRL_LOOPBACK || *e1000_reg(nic, RCTL) & RCTL_LBM_MAC;

    if (loopback) {
        e1000_receive_frame(nic, tagged ? iov : &plain, tagged ? 3 : 1, len);
    } else {
        net_send(nic->nic, tagged ? iov : &plain, tagged ? 3 : 1, NULL, NULL);
    }
    e1000_count(nic, TPT, 1);
    e1000_count(nic, GPTC, 1);
    e1000_count64(nic, TOTL, len + E1000_FCS_LEN);
    e1000_count64(nic, GOTCL, len + E1000_FCS_LEN);
    e1000_count_size(nic, PTC64, len + E1000_FCS_LEN);
    if (!memcmp(tx->data, broadcast, sizeof(broadcast))) {
        e1000_count(nic, BPTC, 1);
    } else if (tx->data[0] & 1) {
        e1000_count(nic, MPTC, 1);
    }
}

/* Lengths, identification, sequence number and flags of the segment in data (3.5.7). */
static void fix_headers(TxPacket *tx, bool last)
{
    const TxContext *tso = &tx->tso;
    uint8_t *ip = tx->data + tso->ipcss, *transport = tx->data + tso->tucss;
    unsigned payload_len = tx->size - tso->tucss;

    if (tso->ip) {
        put_be16(ip + 2, tx->size - tso->ipcss);
        put_be16(ip + 4, get_be16(ip + 4) + tx->tso_frames);
    } else {
        put_be16(ip + 4, tx->size - tso->ipcss - 40);
    }
    if (tso->tcp) {
        put_be32(transport + TCP_SEQ, get_be32(transport + TCP_SEQ) +
                 (uint32_t)tx->tso_frames * tso->mss);
        transport[TCP_FLAGS] &= last ? 0xff : ~TCP_FIN_PSH;
    } else {
        put_be16(transport + 4, payload_len);
    }
    /* The driver left the pseudo header's sum without a length where the checksum goes. */
    if (tx->sum_needed & POPTS_TXSM) {
        uint8_t *field = tx->data + tso->tucso;

        put_be16(field, ~net_checksum_finish(get_be16(field) + payload_len));
    }
}

/* Sends what is in data: a packet, or one segment of a packet. */
static void send_data(E1000 *nic, const uint8_t *tag, bool last)
{
    TxPacket *tx = &nic->tx;
    const TxContext *context = tx->is_tso ? &tx->tso : &tx->checksum;

    if (tx->is_tso) {
        fix_headers(tx, last);
        tx->tso_frames++;
        e1000_count(nic, TSCTC, last ? 1 : 0);
    }
    if (tx->sum_needed & POPTS_TXSM) {
        insert_checksum(tx, context->tucss, context->tucso, context->tucse);
    }
    if (tx->sum_needed & POPTS_IXSM) {
        insert_checksum(tx, context->ipcss, context->ipcso, context->ipcse);
    }
    if (tx->size > 12) {
        send_frame(nic, tag);
    }
}

/* ---- data of a packet ---- */

/* Offsets a driver gave must lie in the header it gave. */
static bool tso_is_sane(const TxContext *tso)
{
    unsigned transport = tso->tucss + (tso->tcp ? TCP_HEADER : UDP_HEADER);
    unsigned ip = tso->ipcss + (tso->ip ? 20 : 40);

    return tso->mss >= MSS_MIN && tso->hdr_len + tso->mss <= UINT16_MAX && tso->hdr_len > 14 &&
           ip <= tso->hdr_len && transport <= tso->hdr_len && tso->tucso + 2 <= tso->hdr_len &&
           tso->ipcss < tso->tucss;
}

static void append(E1000 *nic, uint64_t addr, uint32_t len)
{
    TxPacket *tx = &nic->tx;

    dma_read(&nic->pci.dma, &nic->pci.dev.obj, addr, tx->data + tx->size, len);
    tx->size += len;
}

/* Header and a full payload make a frame as soon as more is to come. */
static unsigned append_segmented(E1000 *nic, uint64_t addr, uint32_t len, const uint8_t *tag)
{
    TxPacket *tx = &nic->tx;
    uint32_t full = tx->tso.hdr_len + tx->tso.mss;
    unsigned frames = 0;

    while (len > 0) {
        if (tx->size >= full) {
            send_data(nic, tag, false);
            memcpy(tx->data, tx->header, tx->tso.hdr_len);
            tx->size = tx->tso.hdr_len;
            frames++;
        }
        uint32_t goal = tx->size < tx->tso.hdr_len ? tx->tso.hdr_len : full;
        uint32_t n = MIN(len, goal - tx->size);

        append(nic, addr, n);
        addr += n;
        len -= n;
        if (tx->size == tx->tso.hdr_len) {
            memcpy(tx->header, tx->data, tx->tso.hdr_len);
        }
    }
    return frames;
}

static void packet_end(TxPacket *tx)
{
    tx->size = 0;
    tx->tso_frames = 0;
    tx->sum_needed = 0;
    tx->is_tso = tx->options_known = false;
}

/* ---- descriptors ---- */

static void take_context(TxPacket *tx, const TxDesc *desc)
{
    const uint8_t *b = desc->bytes;
    TxContext context = {
        .ipcss = b[0], .ipcso = b[1], .ipcse = pci_get_word(b + 2),
        .tucss = b[4], .tucso = b[5], .tucse = pci_get_word(b + 6),
        .paylen = pci_get_long(b + 8) & 0xfffff, .hdr_len = b[13], .mss = pci_get_word(b + 14),
        .ip = !!(desc->command & TUCMD_IP), .tcp = !!(desc->command & TUCMD_TCP),
    };

    if (desc->command & TUCMD_TSE) {
        tx->tso = context;
        tx->tso_frames = 0;
        /* A segment under way was laid out by the old one. */
        if (tx->is_tso) {
            packet_end(tx);
        }
    } else {
        tx->checksum = context;
    }
}

static void first_of_packet(TxPacket *tx, const TxDesc *desc)
{
    if (tx->options_known) {
        return;
    }
    tx->options_known = true;
    if (desc->command & CMD_DEXT) {
        tx->sum_needed = desc->bytes[13] & (POPTS_IXSM | POPTS_TXSM);
        tx->is_tso = desc->command & CMD_TSE && tso_is_sane(&tx->tso);
    }
}

/* Returns how much work it was: frames sent and pages copied. */
static unsigned take_data(E1000 *nic, const TxDesc *desc)
{
    TxPacket *tx = &nic->tx;
    bool extended = desc->command & CMD_DEXT;
    uint64_t addr = pci_get_long(desc->bytes) | (uint64_t)pci_get_long(desc->bytes + 4) << 32;
    uint32_t len = pci_get_long(desc->bytes + 8) & (extended ? 0xfffff : 0xffff);
    uint16_t special = pci_get_word(desc->bytes + 14);
    uint8_t tag[E1000_VLAN_LEN];
    /* 3.3.7: a tag is inserted for VLE while CTRL.VME is set. */
    bool tagged = desc->command & CMD_VLE && *e1000_reg(nic, CTRL) & CTRL_VME;
    unsigned work = len / 4096;

    first_of_packet(tx, desc);
    put_be16(tag, *e1000_reg(nic, VET));
    put_be16(tag + 2, special);
    if (tx->is_tso) {
        work += append_segmented(nic, addr, len, tagged ? tag : NULL);
    } else {
        append(nic, addr, MIN(len, UINT16_MAX - tx->size));
    }
    if (!(desc->command & CMD_EOP)) {
        return work;
    }
    if (!extended && desc->command & CMD_IC) {
        insert_checksum(tx, desc->bytes[13], desc->bytes[10], 0);
    }
    if (!tx->is_tso || tx->size >= tx->tso.hdr_len) {
        send_data(nic, tagged ? tag : NULL, true);
    }
    packet_end(tx);
    return work + 1;
}

/* 3.3.3.2: the status tells that the descriptor is done with. Returns the cause of an interrupt. */
static uint32_t write_back(E1000 *nic, const TxDesc *desc, uint64_t addr)
{
    uint8_t status = desc->bytes[12] | TXD_DD;

    if (!(desc->command & (CMD_RS | CMD_RPS))) {
        return 0;
    }
    dma_write(&nic->pci.dma, &nic->pci.dev.obj, addr + 12, &status, 1);
    return ICR_TXDW;
}

static unsigned take_descriptor(E1000 *nic, uint32_t *causes)
{
    uint64_t addr = (uint64_t)*e1000_reg(nic, TDBAH) << 32 | (*e1000_reg(nic, TDBAL) & ~15u);
    TxDesc desc;
    unsigned work = 0;

    addr += (uint64_t)*e1000_reg(nic, TDH) * E1000_DESC_SIZE;
    dma_read(&nic->pci.dma, &nic->pci.dev.obj, addr, desc.bytes, sizeof(desc.bytes));
    desc.command = desc.bytes[11];
    if (desc.command & CMD_DEXT && desc.bytes[10] >> 4 == DTYP_CONTEXT) {
        take_context(&nic->tx, &desc);
    } else if (!(desc.command & CMD_DEXT) || desc.bytes[10] >> 4 == DTYP_DATA) {
        work = take_data(nic, &desc);
    }
    *causes |= write_back(nic, &desc, addr);
    return work;
}

/* Descriptors that wait; a head or tail outside of the ring stops the chip. */
static uint32_t waiting(E1000 *nic)
{
    uint32_t entries = *e1000_reg(nic, TDLEN) / E1000_DESC_SIZE;
    uint32_t head = *e1000_reg(nic, TDH), tail = *e1000_reg(nic, TDT);

    if (!(*e1000_reg(nic, TCTL) & TCTL_EN) || head >= entries || tail >= entries) {
        return 0;
    }
    return head <= tail ? tail - head : entries - head + tail;
}

void e1000_transmit(void *opaque)
{
    E1000 *nic = opaque;
    unsigned budget = MIN(waiting(nic), DESCRIPTORS_PER_TURN), work = 0;
    uint32_t causes = 0;

    /* Another device's DMA may write our tail while we send. */
    if (nic->transmitting || !budget) {
        return;
    }
    nic->transmitting = true;
    while (budget-- > 0 && work < WORK_PER_TURN && waiting(nic)) {
        work += take_descriptor(nic, &causes);
        uint32_t entries = MAX(*e1000_reg(nic, TDLEN) / E1000_DESC_SIZE, 1);
        *e1000_reg(nic, TDH) = (*e1000_reg(nic, TDH) + 1) % entries;
    }
    nic->transmitting = false;
    if (waiting(nic)) {
        vm_timer_set(&nic->tx_timer, vm_clock_ns(nic->pci.dev.vm) + TURN_PAUSE_NS);
    } else {
        causes |= ICR_TXQE;
    }
    e1000_interrupt(nic, causes);
}
