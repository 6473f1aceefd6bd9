/* Network back ends and links. */
#include "net.h"
#include "qmp_api.h"
#include "qmp_dispatch.h"
#include "virtio_net.h"
#include "vm.h"

/* Checked against the schema by now: the back end reads its options as from everywhere else. */
bool qmp_netdev_add(Vm *vm, const QmpNetdev *args, GError **error)
{
    const QmpCommand *command = qmp_command_find(qmp_commands, "netdev_add");
    json_object *json = qmp_value_to_json(command->args, &args);
    g_autoptr(KeyVal) kv = keyval_from_json(json, error);

    json_object_put(json);
    return kv != NULL && netdev_add(vm, kv, error);
}

bool qmp_netdev_del(Vm *vm, const char *id, GError **error)
{
    return netdev_del(id, error);
}

bool qmp_set_link(Vm *vm, const char *name, bool up, GError **error)
{
    return net_set_link(name, up, error);
}

/* ---- receive filters ---- */

static char *mac_text(const uint8_t mac[6])
{
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                           mac[5]);
}

static GPtrArray *mac_list(const NetFilterState *filter, unsigned first, unsigned end)
{
    GPtrArray *list = g_ptr_array_new_with_free_func(g_free);

    for (unsigned i = first; i < end; i++) {
        g_ptr_array_add(list, mac_text(filter->macs + 6 * i));
    }
    return list;
}

/* The highest first, as QEMU lists them. */
static GArray *vlan_list(const NetFilterState *filter)
{
    GArray *list = g_array_new(FALSE, FALSE, sizeof(int64_t));

    for (int64_t id = 8 * NET_VLAN_BYTES - 1; id >= 0; id--) {
        if (filter->vlans[id / 8] >> id % 8 & 1) {
            g_array_append_val(list, id);
        }
    }
    return list;
}

static QmpRxState rx_state(bool none, bool all)
{
    return none ? QMP_RX_STATE_NONE : all ? QMP_RX_STATE_ALL : QMP_RX_STATE_NORMAL;
}

static QmpRxFilterInfo *describe_filter(const NetClient *nic, const VirtioNet *net)
{
    QmpRxFilterInfo *info = g_new0(QmpRxFilterInfo, 1);
    const NetFilterState *filter = &net->filter;

    info->name = g_strdup(nic->name);
    info->promiscuous = filter->promisc;
    info->unicast = rx_state(filter->nouni, filter->alluni);
    info->multicast = rx_state(filter->nomulti, filter->allmulti);
    info->vlan = rx_state(false, !virtio_has(&net->vdev, NET_F_CTRL_VLAN));
    info->broadcast_allowed = !filter->nobcast;
    info->unicast_overflow = filter->uni_overflow;
    info->multicast_overflow = filter->multi_overflow;
    info->main_mac = mac_text(net->mac);
    info->vlan_table = vlan_list(filter);
    info->unicast_table = mac_list(filter, 0, filter->n_uni);
    info->multicast_table = mac_list(filter, filter->n_uni, filter->n_macs);
    return info;
}

/* Why there is no answer for that name. */
static void refuse_client(const char *name, GError **error)
{
    const NetClient *client = net_client_find(name);

    if (client == NULL) {
        set_error(error, "invalid net client name: %s", name);
    } else if (client->nic == NULL) {
        set_error(error, "net client(%s) isn't a NIC", name);
    } else {
        set_error(error, "net client(%s) doesn't support rx-filter querying", name);
    }
}

GPtrArray *qmp_query_rx_filter(Vm *vm, const char *name, GError **error)
{
    GPtrArray *list = qmp_rx_filter_info_list_new();
    const GPtrArray *clients = net_clients();

    for (guint i = 0; i < clients->len; i++) {
        const NetClient *client = g_ptr_array_index(clients, i);
        VirtioNet *net = name == NULL || g_str_equal(client->name, name) ? virtio_net_of(client)
                                                                         : NULL;

        if (net != NULL) {
            g_ptr_array_add(list, describe_filter(client, net));
        }
    }
    if (name != NULL && list->len == 0) {
        refuse_client(name, error);
        g_ptr_array_unref(list);
        return NULL;
    }
    return list;
}
