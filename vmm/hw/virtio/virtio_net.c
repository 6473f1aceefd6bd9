/*
 * Virtio network device: VIRTIO 1.2, 5.1.  One pair of queues and a control queue, on the main
 * loop.  Checksums and segmentation are the host's where the peer speaks the same header.
 *
 * Not modelled: several pairs of queues, receive side scaling, hash reports, coalescing of received
 * segments, standby for another device.
 */
#include "virtio_net.h"

#include <limits.h>
#include <string.h>

#include "rhea_error.h"
#include "virtio_devices.h"
#include "virtio_pci.h"

#define NET_QUEUE_MIN       256
#define NET_TX_QUEUE_MAX    256             /* larger ones are a matter of other back ends */
#define NET_CTRL_QUEUE      64
#define NET_SPEED_UNKNOWN   UINT32_MAX
#define NET_DUPLEX_UNKNOWN  0xff

/* ---- features ---- */

/* Configuration space (5.1.4): it ends behind the last field a feature needs. */
enum {
    NET_MAC = 0, NET_STATUS = 6, NET_MAX_PAIRS = 8, NET_MTU = 10, NET_SPEED = 12, NET_DUPLEX = 16,
    NET_CONFIG_SIZE = 17,
};

static bool has_speed(const VirtioNet *net)
{
    return net->speed >= 0 || net->duplex != NULL;
}

static uint32_t config_len(const VirtioNet *net)
{
    return has_speed(net) ? NET_CONFIG_SIZE : net->host_mtu ? NET_SPEED :
           net->status_feature ? NET_MAX_PAIRS : NET_STATUS;
}

static uint64_t net_features(VirtioDevice *vdev)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);
    bool header = net_peer_has_header(net->nic);
    NetOffloads peer;

    net_peer_offloads(net->nic, &peer);
    const struct { bool on; unsigned bit; } rows[] = {
        { true, NET_F_MAC },
        { net->csum && header && peer.csum, NET_F_CSUM },
        { net->guest_csum && header && peer.csum, NET_F_GUEST_CSUM },
        { net->ctrl_guest_offloads, NET_F_CTRL_GUEST_OFFLOADS },
        { net->host_mtu != 0, NET_F_MTU },
        { net->gso, NET_F_GSO },
        { net->guest_tso4 && header && peer.tso4, NET_F_GUEST_TSO4 },
        { net->guest_tso6 && header && peer.tso6, NET_F_GUEST_TSO6 },
        { net->guest_ecn && header && peer.ecn, NET_F_GUEST_ECN },
        { net->guest_ufo && header && peer.ufo, NET_F_GUEST_UFO },
        { net->host_tso4 && header && peer.tso4, NET_F_HOST_TSO4 },
        { net->host_tso6 && header && peer.tso6, NET_F_HOST_TSO6 },
        { net->host_ecn && header && peer.ecn, NET_F_HOST_ECN },
        { net->host_ufo && header && peer.ufo, NET_F_HOST_UFO },
        { net->mrg_rxbuf, NET_F_MRG_RXBUF },
        { net->status_feature, NET_F_STATUS },
        { net->ctrl_vq, NET_F_CTRL_VQ },
        { net->ctrl_rx, NET_F_CTRL_RX },
        { net->ctrl_vlan, NET_F_CTRL_VLAN },
        { net->ctrl_rx_extra, NET_F_CTRL_RX_EXTRA },
        { net->guest_announce, NET_F_GUEST_ANNOUNCE },
        { net->ctrl_mac_addr, NET_F_CTRL_MAC_ADDR },
        { has_speed(net), NET_F_SPEED_DUPLEX },
    };
    uint64_t features = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        features |= rows[i].on ? VIRTIO_BIT(rows[i].bit) : 0;
    }
    return features;
}

/* ---- configuration space ---- */

static void put16(uint8_t *config, unsigned offset, uint16_t value)
{
    memcpy(config + offset, &value, 2);
}

static uint8_t duplex_value(const VirtioNet *net)
{
    return net->duplex == NULL ? NET_DUPLEX_UNKNOWN : g_str_equal(net->duplex, "full");
}

static void net_config_get(VirtioDevice *vdev, uint8_t *config)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);
    uint8_t whole[NET_CONFIG_SIZE] = { 0 };
    uint32_t speed = net->speed >= 0 ? net->speed : NET_SPEED_UNKNOWN;

    memcpy(whole + NET_MAC, net->mac, 6);
    put16(whole, NET_STATUS, net->status);
    put16(whole, NET_MAX_PAIRS, 1);
    put16(whole, NET_MTU, net->host_mtu);
    memcpy(whole + NET_SPEED, &speed, 4);
    whole[NET_DUPLEX] = duplex_value(net);
    memcpy(config, whole, vdev->config_len);
}

/* 5.1.4.1: old drivers write the address here. */
static void net_config_set(VirtioDevice *vdev, const uint8_t *config)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);

    if (!virtio_has(vdev, VIRTIO_F_VERSION_1) && !virtio_has(vdev, NET_F_CTRL_MAC_ADDR)) {
        memcpy(net->mac, config + NET_MAC, 6);
    }
}

/* ---- starting and stopping ---- */

void virtio_net_apply_offloads(VirtioNet *net)
{
    uint64_t on = net->guest_offloads & net->vdev.features;
    NetOffloads offloads = {
        .csum = on & VIRTIO_BIT(NET_F_GUEST_CSUM), .tso4 = on & VIRTIO_BIT(NET_F_GUEST_TSO4),
        .tso6 = on & VIRTIO_BIT(NET_F_GUEST_TSO6), .ecn = on & VIRTIO_BIT(NET_F_GUEST_ECN),
        .ufo = on & VIRTIO_BIT(NET_F_GUEST_UFO),
    };

    net_set_offloads(net->nic, &offloads);
}

static void net_features_set(VirtioDevice *vdev)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);
    bool is_long = virtio_has(vdev, NET_F_MRG_RXBUF) || virtio_has(vdev, VIRTIO_F_VERSION_1);

    net->header_len = is_long ? NET_HEADER_LONG : NET_HEADER_SHORT;
    if (!net->restoring) {
        memset(net->filter.vlans, virtio_has(vdev, NET_F_CTRL_VLAN) ? 0 : 0xff,
               sizeof(net->filter.vlans));
    }
    if (!net->restoring || !virtio_has(vdev, NET_F_CTRL_GUEST_OFFLOADS)) {
        net->guest_offloads = vdev->features;
    }
    net->restoring = false;
}

/* A peer whose header cannot be as long as the driver's gets packets without one. */
static void net_start(VirtioDevice *vdev)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);

    if (net_peer_has_header(net->nic)) {
        net_set_header_len(net->nic, net->header_len);
    }
    virtio_net_apply_offloads(net);
    net->starved = net->tx_waiting = false;
    net_flush(net->nic);
}

static void net_forget_tx(VirtioNet *net)
{
    net_purge(net->nic);
    vm_timer_set(&net->tx_timer, VM_TIMER_OFF);
    net->tx_waiting = false;
}

static void net_stop(VirtioDevice *vdev)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);

    net_forget_tx(net);
    net->starved = false;
    net_set_offloads(net->nic, &(NetOffloads){ 0 });
    net_set_header_len(net->nic, 0);
}

static void net_queue_stop(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);

    if (vq == net->txq) {
        net_forget_tx(net);
    } else if (vq == net->rx) {
        net->starved = false;
    }
}

static void net_reset(VirtioDevice *vdev)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);

    memcpy(net->mac, net->conf.mac, 6);
    net->status = nic_link_up(net->nic) ? NET_S_LINK_UP : 0;
    virtio_net_filter_reset(net);
}

/* ---- state ---- */

static bool has_guest_offloads(const void *opaque, int version)
{
    return virtio_has(opaque, NET_F_CTRL_GUEST_OFFLOADS);
}

static void net_saving(void *opaque)
{
    VirtioNet *net = opaque;
    NetOffloads peer;

    net_peer_offloads(net->nic, &peer);
    net->saved_tx_waiting = net->tx_waiting;
    net->saved_mergeable = virtio_has(&net->vdev, NET_F_MRG_RXBUF);
    net->saved_has_header = net_peer_has_header(net->nic);
    net->saved_has_ufo = peer.ufo;
}

static bool net_loaded(void *opaque, GError **error)
{
    VirtioNet *net = opaque;
    NetFilterState *filter = &net->filter;

    if (net->saved_has_header && !net_peer_has_header(net->nic)) {
        set_error(error, "the saved state is of a back end with vnet_hdr=on");
        return false;
    }
    filter->n_uni = 0;
    while (filter->n_uni < filter->n_macs && !(filter->macs[6 * filter->n_uni] & 1)) {
        filter->n_uni++;
    }
    net->restoring = true;
    return true;
}

static const StateField own_fields[] = {
    STATE_BYTES(VirtioNet, mac), STATE_UINT32(VirtioNet, saved_tx_waiting),
    STATE_UINT32(VirtioNet, saved_mergeable), STATE_UINT16(VirtioNet, status),
    STATE_BOOL(VirtioNet, filter.promisc), STATE_BOOL(VirtioNet, filter.allmulti),
    STATE_UINT32(VirtioNet, filter.n_macs, .range = { 0, NET_MAC_ENTRIES }),
    { .name = "filter.macs", .kind = STATE_KIND_BYTES, .offset = offsetof(VirtioNet, filter.macs),
      .size = 6, .count = NET_MAC_ENTRIES, .has_count = true,
      .count_offset = offsetof(VirtioNet, filter.n_macs) },
    STATE_BYTES(VirtioNet, filter.vlans), STATE_UINT32(VirtioNet, saved_has_header),
    STATE_BOOL(VirtioNet, filter.multi_overflow), STATE_BOOL(VirtioNet, filter.uni_overflow),
    STATE_BOOL(VirtioNet, filter.alluni), STATE_BOOL(VirtioNet, filter.nomulti),
    STATE_BOOL(VirtioNet, filter.nouni), STATE_BOOL(VirtioNet, filter.nobcast),
    STATE_UINT8(VirtioNet, saved_has_ufo),
    STATE_UINT64(VirtioNet, guest_offloads, .exists = has_guest_offloads),
    {}
};
static const StateDesc own_state = {
    .name = "virtio-net-device", .version = 11, .fields = own_fields, .saving = net_saving,
    .loaded = net_loaded,
};
static const StateField net_fields[] = { VIRTIO_STATE_FIELD, {} };
static const StateDesc net_state = { .name = "virtio-net", .version = 11, .fields = net_fields };

/* ---- properties ---- */

static const Property net_props[] = {
    PROP_BOOL(VirtioNet, csum, .name = "csum", .def = true,
              .help = "the host fills in checksums of sent packets"),
    PROP_BOOL(VirtioNet, guest_csum, .name = "guest_csum", .def = true,
              .help = "the guest takes packets with a partial checksum"),
    PROP_BOOL(VirtioNet, gso, .name = "gso", .def = true, .help = "old drivers: segmentation"),
    PROP_BOOL(VirtioNet, guest_tso4, .name = "guest_tso4", .def = true,
              .help = "the guest takes large TCP packets over IPv4"),
    PROP_BOOL(VirtioNet, guest_tso6, .name = "guest_tso6", .def = true,
              .help = "the guest takes large TCP packets over IPv6"),
    PROP_BOOL(VirtioNet, guest_ecn, .name = "guest_ecn", .def = true,
              .help = "the guest takes large TCP packets with congestion marks"),
    PROP_BOOL(VirtioNet, guest_ufo, .name = "guest_ufo", .def = true,
              .help = "the guest takes large UDP packets"),
    PROP_BOOL(VirtioNet, guest_announce, .name = "guest_announce", .def = true,
              .help = "the guest can be asked to announce itself"),
    PROP_BOOL(VirtioNet, host_tso4, .name = "host_tso4", .def = true,
              .help = "the host takes large TCP packets over IPv4"),
    PROP_BOOL(VirtioNet, host_tso6, .name = "host_tso6", .def = true,
              .help = "the host takes large TCP packets over IPv6"),
    PROP_BOOL(VirtioNet, host_ecn, .name = "host_ecn", .def = true,
              .help = "the host takes large TCP packets with congestion marks"),
    PROP_BOOL(VirtioNet, host_ufo, .name = "host_ufo", .def = true,
              .help = "the host takes large UDP packets"),
    PROP_BOOL(VirtioNet, mrg_rxbuf, .name = "mrg_rxbuf", .def = true,
              .help = "a received packet may fill several buffers"),
    PROP_BOOL(VirtioNet, status_feature, .name = "status", .def = true,
              .help = "the guest sees the link's state"),
    PROP_BOOL(VirtioNet, ctrl_vq, .name = "ctrl_vq", .def = true, .help = "a control queue"),
    PROP_BOOL(VirtioNet, ctrl_rx, .name = "ctrl_rx", .def = true,
              .help = "the guest sets the receive mode"),
    PROP_BOOL(VirtioNet, ctrl_vlan, .name = "ctrl_vlan", .def = true,
              .help = "the guest sets the VLAN filter"),
    PROP_BOOL(VirtioNet, ctrl_rx_extra, .name = "ctrl_rx_extra", .def = true,
              .help = "more receive modes"),
    PROP_BOOL(VirtioNet, ctrl_mac_addr, .name = "ctrl_mac_addr", .def = true,
              .help = "the guest sets its address by command"),
    PROP_BOOL(VirtioNet, ctrl_guest_offloads, .name = "ctrl_guest_offloads", .def = true,
              .help = "the guest can switch what it takes"),
    PROP_BOOL(VirtioNet, mq, .name = "mq", .help = "several pairs of queues (only off)"),
    PROP_BOOL(VirtioNet, rss, .name = "rss", .help = "receive side scaling (only off)"),
    PROP_BOOL(VirtioNet, hash, .name = "hash", .help = "hash reports (only off)"),
    PROP_BOOL(VirtioNet, guest_rsc_ext, .name = "guest_rsc_ext",
              .help = "coalescing of received segments (only off)"),
    PROP_UINT32(VirtioNet, rsc_interval, .name = "rsc_interval", .def = 300000,
                .help = "for how long segments are coalesced, ns"),
    NIC_PROPS(VirtioNet, conf),
    PROP_UINT32(VirtioNet, tx_timer_ns, .name = "x-txtimer", .def = 150000,
                .help = "tx=timer: for how long packets wait, ns"),
    PROP_INT32(VirtioNet, tx_burst, .name = "x-txburst", .def = 256,
               .help = "packets sent in one go"),
    PROP_STRING(VirtioNet, tx, .name = "tx", .help = "\"bh\": send at once; \"timer\": wait"),
    PROP_UINT16(VirtioNet, rx_queue_size, .name = "rx_queue_size", .def = 256,
                .help = "entries of the receive queue, a power of two"),
    PROP_UINT16(VirtioNet, tx_queue_size, .name = "tx_queue_size", .def = 256,
                .help = "entries of the transmit queue, a power of two"),
    PROP_UINT16(VirtioNet, host_mtu, .name = "host_mtu", .help = "tell the guest this MTU"),
    PROP_BOOL(VirtioNet, mtu_bypass_backend, .name = "x-mtu-bypass-backend", .def = true,
              .help = "host_mtu needs nothing of the back end"),
    PROP_INT32(VirtioNet, speed, .name = "speed", .def = -1,
               .help = "tell the guest this speed, Mbit/s"),
    PROP_STRING(VirtioNet, duplex, .name = "duplex", .help = "tell the guest: half, full"),
    PROP_BOOL(VirtioNet, failover, .name = "failover",
              .help = "standby for another device (only off)"),
    PROP_BOOTINDEX(VirtioNet, conf.bootindex),
    {}
};

/* ---- life ---- */

static bool check_absent(const VirtioNet *net, GError **error)
{
    const struct { bool on; const char *name, *what; } rows[] = {
        { net->mq, "mq", "one pair of queues is modelled" },
        { net->rss, "rss", "receive side scaling is not modelled" },
        { net->hash, "hash", "hash reports are not modelled" },
        { net->guest_rsc_ext, "guest_rsc_ext", "received segments are not coalesced" },
        { net->failover, "failover", "standby for another device is not modelled" },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].on) {
            set_error(error, "%s=on: %s; leave %s=off", rows[i].name, rows[i].what, rows[i].name);
            return false;
        }
    }
    return true;
}

static bool check_queue(const char *name, uint16_t size, const char *end, GError **error)
{
    if (size < NET_QUEUE_MIN || size > VIRTQUEUE_MAX_SIZE || size & (size - 1)) {
        set_error(error, "Invalid %s (= %u), must be a power of 2 between %d and %d%s", name, size,
                  NET_QUEUE_MIN, VIRTQUEUE_MAX_SIZE, end);
        return false;
    }
    return true;
}

static bool net_check(VirtioNet *net, GError **error)
{
    if (net->duplex != NULL && !g_str_equal(net->duplex, "half") &&
        !g_str_equal(net->duplex, "full")) {
        set_error(error, "'duplex' must be 'half' or 'full'");
        return false;
    }
    if (net->speed < -1) {
        set_error(error, "'speed' must be between 0 and INT_MAX");
        return false;
    }
    if (net->tx != NULL && !g_str_equal(net->tx, "bh") && !g_str_equal(net->tx, "timer")) {
        report_warning("virtio-net: Unknown option tx=%s, valid options: \"timer\" \"bh\"",
                       net->tx);
        report_warning("Defaulting to \"bh\"");
    }
    return check_absent(net, error) &&
           check_queue("rx_queue_size", net->rx_queue_size, ".", error) &&
           check_queue("tx_queue_size", net->tx_queue_size, "", error);
}

static bool net_realize(Device *dev, GError **error)
{
    VirtioNet *net = DEVICE_CAST(dev, VirtioNet);

    if (!net_check(net, error)) {
        return false;
    }
    net->nic = nic_new(&net->conf, dev, &virtio_net_nic_ops, net, error);
    if (net->nic == NULL) {
        return false;
    }
    net->tx_queue_size = MIN(net->tx_queue_size, NET_TX_QUEUE_MAX);
    vm_timer_init(&net->tx_timer, dev->vm, virtio_net_tx_timer, net);
    virtio_init(&net->vdev, config_len(net));
    net->rx = virtio_add_queue(&net->vdev, net->rx_queue_size, virtio_net_rx_handle,
                               sizeof(VirtElem));
    net->txq = virtio_add_queue(&net->vdev, net->tx_queue_size, virtio_net_tx_handle,
                                sizeof(VirtElem));
    net->ctrl = virtio_add_queue(&net->vdev, NET_CTRL_QUEUE, virtio_net_ctrl_handle,
                                 sizeof(VirtElem));
    return true;
}

static void net_unrealize(Device *dev)
{
    VirtioNet *net = DEVICE_CAST(dev, VirtioNet);

    if (net->nic == NULL) {
        return;
    }
    virtio_finish(&net->vdev);
    vm_timer_finish(&net->tx_timer);
    net_client_free(net->nic);
}

static const VirtioClass net_class = {
    .device_id = VIRTIO_ID_NET, .name = "virtio-net", .features = net_features,
    .features_set = net_features_set, .config_get = net_config_get, .config_set = net_config_set,
    .start = net_start, .stop = net_stop, .reset = net_reset, .queue_stop = net_queue_stop,
    .state = &own_state,
};

static const char *net_boot_suffix(const Device *dev)
{
    return "/ethernet-phy@0";
}

const DeviceType virtio_net_device_type = {
    .name = "virtio-net-device", .category = "network", .bus = &virtio_bus_type,
    .bus_class = &net_class, .size = sizeof(VirtioNet), .props = net_props, .state = &net_state,
    .boot_suffix = net_boot_suffix, .realize = net_realize, .unrealize = net_unrealize,
};

#define NET_PCI_PROPS \
    VIRTIO_PCI_PROP_IOEVENTFD, VIRTIO_PCI_PROP_VECTORS(VIRTIO_PCI_VECTORS_AUTO), \
    VIRTIO_PCI_PROPS_LAST
VIRTIO_PCI_TYPES(virtio_net_pci, "virtio-net", "network", virtio_net_device_type, NET_PCI_PROPS,
                 .class_id = 0x0200, .romfile = "efi-virtio.rom")
