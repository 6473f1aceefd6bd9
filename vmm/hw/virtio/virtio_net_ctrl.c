/* The control queue of the virtio network device, and the filter it sets (5.1.6.5). */
#include <string.h>

#include "virtio_net.h"

enum { CTRL_RX = 0, CTRL_MAC = 1, CTRL_VLAN = 2, CTRL_ANNOUNCE = 3, CTRL_GUEST_OFFLOADS = 5 };
enum { CTRL_OK = 0, CTRL_ERR = 1 };
#define COMMANDS_PER_TURN 64

/* The offloads a driver can switch are among the features. */
#define GUEST_OFFLOADS (VIRTIO_BIT(NET_F_GUEST_CSUM) | VIRTIO_BIT(NET_F_GUEST_TSO4) | \
                        VIRTIO_BIT(NET_F_GUEST_TSO6) | VIRTIO_BIT(NET_F_GUEST_ECN) | \
                        VIRTIO_BIT(NET_F_GUEST_UFO))

/* ---- the filter ---- */

void virtio_net_filter_reset(VirtioNet *net)
{
    net->filter = (NetFilterState){ .promisc = true };
    memset(net->filter.vlans, 0xff, sizeof(net->filter.vlans));
}

static bool in_table(const NetFilterState *filter, const uint8_t *dest, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        if (memcmp(filter->macs + 6 * i, dest, 6) == 0) {
            return true;
        }
    }
    return false;
}

static bool vlan_passes(const NetFilterState *filter, const uint8_t *packet, size_t len)
{
    if (len < 18 || packet[12] != 0x81 || packet[13] != 0x00) {
        return true;
    }
    unsigned id = (packet[14] << 8 | packet[15]) & 0xfff;
    return filter->vlans[id / 8] >> id % 8 & 1;
}

bool virtio_net_filter_passes(const VirtioNet *net, const uint8_t *packet, size_t len)
{
    static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    const NetFilterState *filter = &net->filter;

    if (filter->promisc) {
        return true;
    }
    if (!vlan_passes(filter, packet, len)) {
        return false;
    }
    if (memcmp(packet, broadcast, 6) == 0) {
        return !filter->nobcast;
    }
    if (packet[0] & 1) {
        return !filter->nomulti && (filter->allmulti || filter->multi_overflow ||
                                    in_table(filter, packet, filter->n_uni, filter->n_macs));
    }
    return !filter->nouni && (filter->alluni || filter->uni_overflow ||
                              memcmp(packet, net->mac, 6) == 0 ||
                              in_table(filter, packet, 0, filter->n_uni));
}

/* ---- commands ---- */

/* What is left of the command behind its class and number. */
typedef struct Input {
    const VirtElem *elem;
    size_t at;
} Input;

static bool input_take(Input *input, void *buf, size_t len)
{
    size_t got = iov_to_buf(input->elem->out, input->elem->n_out, input->at, buf, len);

    input->at += got;
    return got == len;
}

static bool set_rx(VirtioNet *net, Input *input, unsigned which)
{
    bool *const modes[] = {
        &net->filter.promisc, &net->filter.allmulti, &net->filter.alluni, &net->filter.nomulti,
        &net->filter.nouni, &net->filter.nobcast,
    };
    uint8_t on;

    if (which >= G_N_ELEMENTS(modes) || !input_take(input, &on, 1)) {
        return false;
    }
    *modes[which] = on != 0;
    return true;
}

/* One list of the table: a count and addresses. Those that do not fit set *overflow. */
static bool take_macs(NetFilterState *filter, Input *input, bool *overflow)
{
    uint32_t count;

    if (!input_take(input, &count, 4) || count > (input->elem->out_len - input->at) / 6) {
        return false;
    }
    *overflow = count > NET_MAC_ENTRIES - filter->n_macs;
    if (*overflow) {
        input->at += (size_t)count * 6;
        return true;
    }
    input_take(input, filter->macs + 6 * filter->n_macs, (size_t)count * 6);
    filter->n_macs += count;
    return true;
}

static bool set_mac_table(VirtioNet *net, Input *input)
{
    NetFilterState filter = net->filter;

    filter.n_macs = 0;
    if (!take_macs(&filter, input, &filter.uni_overflow)) {
        return false;
    }
    filter.n_uni = filter.n_macs;
    if (!take_macs(&filter, input, &filter.multi_overflow)) {
        return false;
    }
    net->filter = filter;
    return true;
}

static bool set_mac(VirtioNet *net, Input *input, unsigned which)
{
    switch (which) {
    case 0:
        return set_mac_table(net, input);
    case 1:
        return input_take(input, net->mac, 6);
    }
    return false;
}

static bool set_vlan(VirtioNet *net, Input *input, unsigned which)
{
    uint16_t id;

    if (which > 1 || !input_take(input, &id, 2) || id >= 4096) {
        return false;
    }
    if (which == 0) {
        net->filter.vlans[id / 8] |= 1u << id % 8;
    } else {
        net->filter.vlans[id / 8] &= ~(1u << id % 8);
    }
    return true;
}

static bool announced(VirtioNet *net, Input *input, unsigned which)
{
    if (which != 0 || !(net->status & NET_S_ANNOUNCE)) {
        return false;
    }
    net->status &= ~NET_S_ANNOUNCE;
    return true;
}

static bool set_offloads(VirtioNet *net, Input *input, unsigned which)
{
    uint64_t offloads;

    if (which != 0 || !input_take(input, &offloads, 8) ||
        offloads & ~(net->vdev.features & GUEST_OFFLOADS)) {
        return false;
    }
    net->guest_offloads = offloads;
    virtio_net_apply_offloads(net);
    return true;
}

/* Once, until somebody looks: a guest can do this as often as it likes. */
static void tell_filter(VirtioNet *net)
{
    g_autofree char *path = object_path(&net->vdev.dev.obj);
    VmEvent event = { .kind = VM_EVENT_RX_FILTER_CHANGED, .device = net->nic->name, .path = path };

    if (!net->filter_told) {
        net->filter_told = true;
        vm_emit(net->vdev.dev.vm, &event);
    }
}

VirtioNet *virtio_net_of(const NetClient *nic)
{
    VirtioDevice *vdev = nic->nic != NULL ? virtio_device_of(nic->nic) : NULL;
    VirtioNet *net = vdev != NULL ? DEVICE_CAST(&vdev->dev, VirtioNet) : NULL;

    if (net != NULL) {
        net->filter_told = false;
    }
    return net;
}

static const struct {
    unsigned class, feature;
    bool (*run)(VirtioNet *net, Input *input, unsigned which);
    bool filters;                           /* changes what comes through */
} commands[] = {
    { CTRL_RX, NET_F_CTRL_RX, set_rx, true },
    { CTRL_MAC, NET_F_CTRL_VQ, set_mac, true },
    { CTRL_VLAN, NET_F_CTRL_VLAN, set_vlan, true },
    { CTRL_ANNOUNCE, NET_F_GUEST_ANNOUNCE, announced },
    { CTRL_GUEST_OFFLOADS, NET_F_CTRL_GUEST_OFFLOADS, set_offloads },
};

static uint8_t run_command(VirtioNet *net, const VirtElem *elem)
{
    Input input = { .elem = elem };
    uint8_t head[2];

    if (!input_take(&input, head, sizeof(head))) {
        return CTRL_ERR;
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
        if (commands[i].class == head[0] && virtio_has(&net->vdev, commands[i].feature)) {
            bool ok = commands[i].run(net, &input, head[1]);

            if (ok && commands[i].filters) {
                tell_filter(net);
            }
            return ok ? CTRL_OK : CTRL_ERR;
        }
    }
    return CTRL_ERR;
}

void virtio_net_ctrl_handle(VirtioDevice *vdev, VirtQueue *vq)
{
    VirtioNet *net = DEVICE_CAST(&vdev->dev, VirtioNet);
    VirtElem *elem;

    for (unsigned n = 0; (elem = virtqueue_pop(vq)) != NULL; n++) {
        uint8_t status;

        if (n == COMMANDS_PER_TURN) {
            virtqueue_unpop(vq, elem);
            virtqueue_reschedule(vq);
            break;
        }
        if (elem->out_len < 2 || elem->in_len < 1) {
            virtio_error(vdev, "a control command without number or status");
            virtqueue_drop(vq, elem);
            return;
        }
        status = run_command(net, elem);
        iov_from_buf(elem->in, elem->n_in, 0, &status, 1);
        virtqueue_push(vq, elem, 1);
    }
    virtqueue_notify(vq);
}
