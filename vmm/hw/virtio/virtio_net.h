/*
 * The virtio network device's struct and what its files share: virtio_net.c (features,
 * configuration space, life), virtio_net_data.c (packets), virtio_net_ctrl.c (the control queue and
 * the receive filter it sets).
 */
#pragma once

#include "net.h"
#include "virtio.h"

/* Feature bits: 5.1.3. */
enum {
    NET_F_CSUM = 0, NET_F_GUEST_CSUM = 1, NET_F_CTRL_GUEST_OFFLOADS = 2, NET_F_MTU = 3,
    NET_F_MAC = 5, NET_F_GSO = 6, NET_F_GUEST_TSO4 = 7, NET_F_GUEST_TSO6 = 8, NET_F_GUEST_ECN = 9,
    NET_F_GUEST_UFO = 10, NET_F_HOST_TSO4 = 11, NET_F_HOST_TSO6 = 12, NET_F_HOST_ECN = 13,
    NET_F_HOST_UFO = 14, NET_F_MRG_RXBUF = 15, NET_F_STATUS = 16, NET_F_CTRL_VQ = 17,
    NET_F_CTRL_RX = 18, NET_F_CTRL_VLAN = 19, NET_F_CTRL_RX_EXTRA = 20, NET_F_GUEST_ANNOUNCE = 21,
    NET_F_CTRL_MAC_ADDR = 23, NET_F_SPEED_DUPLEX = 63,
};

/* The header in front of every packet (5.1.6); the last field where it has one. */
typedef struct NetHeader {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset;
    uint16_t num_buffers;
} NetHeader;
enum { NET_HEADER_SHORT = 10, NET_HEADER_LONG = 12 };

#define NET_S_LINK_UP   1
#define NET_S_ANNOUNCE  2

#define NET_MAC_ENTRIES 64
#define NET_VLAN_BYTES  (4096 / 8)

/* What the driver lets through (5.1.6.5). */
typedef struct NetFilterState {
    bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
    bool uni_overflow, multi_overflow;      /* the driver named more than fit: all pass */
    uint32_t n_macs, n_uni;                 /* unicast first */
    uint8_t macs[NET_MAC_ENTRIES * 6];
    uint8_t vlans[NET_VLAN_BYTES];
} NetFilterState;

typedef struct VirtioNet {
    VirtioDevice vdev;
    /* configuration */
    NicConf conf;
    bool csum, guest_csum, gso, guest_tso4, guest_tso6, guest_ecn, guest_ufo, guest_announce;
    bool host_tso4, host_tso6, host_ecn, host_ufo, mrg_rxbuf, status_feature, ctrl_vq, ctrl_rx;
    bool ctrl_vlan, ctrl_rx_extra, ctrl_mac_addr, ctrl_guest_offloads;
    bool mq, rss, hash, guest_rsc_ext, failover, mtu_bypass_backend;
    uint32_t rsc_interval, tx_timer_ns;
    int32_t tx_burst;
    char *tx, *duplex;
    uint16_t rx_queue_size, tx_queue_size, host_mtu;
    int32_t speed;
    /* wiring */
    NetClient *nic;
    VirtQueue *rx, *txq, *ctrl;
    VmTimer tx_timer;                       /* tx=timer: packets wait for company */
    bool tx_waiting;                        /* for the peer to take what was sent last */
    unsigned header_len;                    /* of the driver's header */
    bool starved;                           /* no buffer was left for a packet */
    bool filter_told;                       /* of a change of the filter nobody has asked about */
    /* guest-visible state */
    uint8_t mac[6];
    uint16_t status;
    uint64_t guest_offloads;                /* of the features, those switched on */
    NetFilterState filter;
    /* the saved form: what follows from elsewhere */
    uint32_t saved_tx_waiting, saved_mergeable, saved_has_header;
    uint8_t saved_has_ufo;
    bool restoring;                         /* the state was loaded, the features are about to be */
} VirtioNet;

/* virtio_net.c */
void virtio_net_apply_offloads(VirtioNet *net);

/* virtio_net_data.c */
extern const NicOps virtio_net_nic_ops;
void virtio_net_rx_handle(VirtioDevice *vdev, VirtQueue *vq);
void virtio_net_tx_handle(VirtioDevice *vdev, VirtQueue *vq);
void virtio_net_tx_timer(void *opaque);

/* virtio_net_ctrl.c */
void virtio_net_ctrl_handle(VirtioDevice *vdev, VirtQueue *vq);
void virtio_net_filter_reset(VirtioNet *net);
/*
 * The device behind a NIC, for who wants to see its filter and address; the next change of them is
 * told again.  NULL: another kind of NIC.
 */
VirtioNet *virtio_net_of(const NetClient *nic);
/* `packet` holds at least 14 bytes. */
bool virtio_net_filter_passes(const VirtioNet *net, const uint8_t *packet, size_t len);
