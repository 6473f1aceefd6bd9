/*
 * Hubs: every port sends on what it receives to all the others.
 *
 * A port takes packets as long as one other port can; where none can, its sender is told to wait.
 * Hubs may form a ring, so a question that comes round to the port that asked it ends there.
 */
#include "backend.h"
#include "sizes.h"

typedef struct Hub {
    unsigned id, made;                      /* ports ever made, for names */
    GPtrArray *ports;                       /* HubPort *, oldest first */
} Hub;

typedef struct HubPort {
    NetClient client;
    Hub *hub;
    bool asking, flushing;                  /* inside can_receive(), peer_ready() */
} HubPort;

static GPtrArray *hubs;                     /* Hub *, newest first as QEMU lists them */

static bool port_can_receive(NetClient *client)
{
    HubPort *self = (HubPort *)client;
    const GPtrArray *ports = self->hub->ports;
    bool others = false, can = false;

    if (self->asking) {
        return true;
    }
    self->asking = true;
    for (guint i = 0; i < ports->len && !can; i++) {
        NetClient *port = g_ptr_array_index(ports, i);

        if (port != client && port->peer != NULL) {
            others = true;
            can = net_can_send(port);
        }
    }
    self->asking = false;
    return can || !others;
}

static ssize_t port_receive(NetClient *client, const struct iovec *iov, unsigned niov, size_t len)
{
    const Hub *hub = ((HubPort *)client)->hub;

    for (guint i = 0; i < hub->ports->len; i++) {
        NetClient *port = g_ptr_array_index(hub->ports, i);

        if (port != client) {
            net_send(port, iov, niov, NULL, NULL);
        }
    }
    return len;
}

/* What waits at the other ports can come in again. */
static void port_peer_ready(NetClient *client)
{
    HubPort *self = (HubPort *)client;
    const GPtrArray *ports = self->hub->ports;

    if (self->flushing) {
        net_queue_kick();
        return;
    }
    self->flushing = true;
    for (guint i = 0; i < ports->len; i++) {
        NetClient *port = g_ptr_array_index(ports, i);

        if (port != client && port->peer != NULL && port->peer->queue->length > 0) {
            net_flush(port);
        }
    }
    self->flushing = false;
}

static void port_close(NetClient *client)
{
    Hub *hub = ((HubPort *)client)->hub;

    g_ptr_array_remove(hub->ports, client);
    if (hub->ports->len == 0) {
        g_ptr_array_remove(hubs, hub);
        g_ptr_array_unref(hub->ports);
        g_free(hub);
    }
}

static const NetClientType hubport_type = {
    .name = "hubport", .size = sizeof(HubPort), .can_receive = port_can_receive,
    .receive = port_receive, .peer_ready = port_peer_ready, .close = port_close,
};

static Hub *hub_get(unsigned id)
{
    Hub *hub;

    if (hubs == NULL) {
        hubs = g_ptr_array_new();
    }
    for (guint i = 0; i < hubs->len; i++) {
        hub = g_ptr_array_index(hubs, i);
        if (hub->id == id) {
            return hub;
        }
    }
    hub = g_new0(Hub, 1);
    hub->id = id;
    hub->ports = g_ptr_array_new();
    g_ptr_array_insert(hubs, 0, hub);
    return hub;
}

NetClient *net_hub_port_new(unsigned id, const char *name)
{
    Hub *hub = hub_get(id);
    g_autofree char *made = g_strdup_printf("hub%uport%u", id, hub->made++);
    NetClient *client = net_client_new(&hubport_type, "hub", name != NULL ? name : made);

    ((HubPort *)client)->hub = hub;
    g_ptr_array_add(hub->ports, client);
    return client;
}

bool net_hub_of(const NetClient *client, unsigned *id)
{
    if (client->type != &hubport_type) {
        client = client->peer;
    }
    if (client == NULL || client->closed || client->type != &hubport_type) {
        return false;
    }
    *id = ((const HubPort *)client)->hub->id;
    return true;
}

void net_hubs_print(GString *out)
{
    for (guint i = 0; hubs != NULL && i < hubs->len; i++) {
        const Hub *hub = g_ptr_array_index(hubs, i);

        g_string_append_printf(out, "hub %u\n", hub->id);
        for (guint n = hub->ports->len; n > 0; n--) {
            const NetClient *port = g_ptr_array_index(hub->ports, n - 1);

            g_string_append_printf(out, " \\ %s%s", port->name, port->peer != NULL ? ": " : "\n");
            if (port->peer != NULL) {
                net_client_print(port->peer, out);
            }
        }
    }
}

/* A hub needs a NIC and somebody on the host. */
void net_hubs_check(void)
{
    for (guint i = 0; hubs != NULL && i < hubs->len; i++) {
        const Hub *hub = g_ptr_array_index(hubs, i);
        bool has_nic = false, has_host = false;

        for (guint n = 0; n < hub->ports->len; n++) {
            const NetClient *peer = ((NetClient *)g_ptr_array_index(hub->ports, n))->peer;

            has_nic |= peer != NULL && peer->nic != NULL;
            has_host |= peer != NULL && peer->nic == NULL;
        }
        if (has_host && !has_nic) {
            report_warning("hub %u with no nics", hub->id);
        } else if (has_nic && !has_host) {
            report_warning("hub %u is not connected to host network", hub->id);
        }
    }
}

/* ---- -netdev hubport ---- */

static NetClient *hubport_open(Vm *vm, const char *name, KeyVal *kv, GError **error)
{
    const char *netdev = keyval_get(kv, "netdev");
    NetClient *other = NULL, *port;
    uint64_t hubid = 0;

    if (!keyval_has(kv, "hubid")) {
        set_error(error, "Parameter 'hubid' is missing");
        return NULL;
    }
    if (!keyval_get_uint(kv, "hubid", INT32_MAX, &hubid, error) || !keyval_check_known(kv, error)) {
        return NULL;
    }
    if (netdev != NULL) {
        other = net_client_find(netdev);
        if (other == NULL || other->nic != NULL) {
            set_error(error, "netdev '%s' not found", netdev);
            net_suggest_client(error, netdev);
            return NULL;
        }
        if (other->peer != NULL) {
            set_error(error, "netdev '%s' is in use by '%s'", netdev, other->peer->name);
            return NULL;
        }
    }
    port = net_hub_port_new(hubid, name);
    if (other != NULL) {
        net_plug(port, other);
    }
    return port;
}

const NetBackend net_hubport_backend = { "hubport", hubport_open };
