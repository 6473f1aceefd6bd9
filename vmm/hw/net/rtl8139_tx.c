/* The RTL8139's transmit side of old: four buffers, each with a status and an address (6.1). */
#include <string.h>

#include "rtl8139_regs.h"
#include "vm_core.h"

/* A frame to the wire, or back in where TCR says loopback; `tag` goes behind the addresses. */
void rtl8139_send(Rtl8139 *nic, const uint8_t *data, size_t len, const uint8_t *tag)
{
    struct iovec whole = { (void *)data, len };
    struct iovec tagged[] = {
        { (void *)data, 12 }, { (void *)tag, RTL8139_VLAN_LEN }, { (void *)(data + 12), len - 12 },
    };
    bool with_tag = tag && len > 12;
    const struct iovec *iov = with_tag ? tagged : &whole;
    unsigned niov = with_tag ? 3 : 1;

    nic->tally.tx_ok++;
    if (!len) {
        return;
    }
    if ((nic->tx_config & TCR_LOOPBACK) == TCR_LOOPBACK) {
        rtl8139_receive_frame(nic, iov, niov, len + (with_tag ? RTL8139_VLAN_LEN : 0));
    } else {
        net_send(nic->nic, iov, niov, NULL, NULL);
    }
}

static void send_buffer(Rtl8139 *nic, unsigned n)
{
    uint8_t data[TSD_SIZE];
    uint32_t len = nic->tx_status[n] & TSD_SIZE;

    dma_read(&nic->pci.dma, &nic->pci.dev.obj, nic->tx_addr[n], data, len);
    rtl8139_send(nic, data, len, NULL);
    nic->tx_status[n] |= TSD_OWN | TSD_TOK;
}

/* Buffers go in turn; one that is not the chip's stops it. */
void rtl8139_transmit(Rtl8139 *nic)
{
    bool sent = false;

    /* Another device's DMA may write our registers while we send. */
    if (nic->transmitting || !rtl8139_transmits(nic)) {
        return;
    }
    nic->transmitting = true;
    for (unsigned n = 0; n < RTL8139_TX_DESCS && !(nic->tx_status[nic->tx_desc] & TSD_OWN); n++) {
        send_buffer(nic, nic->tx_desc);
        nic->tx_desc = (nic->tx_desc + 1) % RTL8139_TX_DESCS;
        sent = true;
    }
    nic->transmitting = false;
    if (sent) {
        rtl8139_interrupt(nic, ISR_TOK);
    }
}
