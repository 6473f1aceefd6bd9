/* The guest's end: properties every NIC has, and its client. */
#include <stdio.h>
#include <string.h>

#include "net_internal.h"
#include "rhea_error.h"

typedef struct Nic {
    NetClient client;
    NicConf *conf;                          /* in the device, which outlives this */
    const NicOps *ops;
    void *opaque;
} Nic;

/* ---- mac ---- */

static bool mac_is_zero(const uint8_t *mac)
{
    static const uint8_t zero[6];

    return memcmp(mac, zero, 6) == 0;
}

bool mac_parse(const char *text, uint8_t mac[6])
{
    unsigned byte[6];
    int end = 0;
    char sep = text[0] != '\0' && text[1] != '\0' ? text[2] : '\0';

    if (strlen(text) != 17 || (sep != ':' && sep != '-')) {
        return false;
    }
    for (unsigned i = 0; i < 17; i++) {
        if (i % 3 == 2 ? text[i] != sep : !g_ascii_isxdigit(text[i])) {
            return false;
        }
    }
    for (unsigned i = 0; i < 6; i++) {
        if (sscanf(text + 3 * i, "%2x%n", &byte[i], &end) != 1 || end != 2) {
            return false;
        }
        mac[i] = byte[i];
    }
    return true;
}

char *mac_format(const uint8_t mac[6])
{
    return g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                           mac[5]);
}

static bool prop_mac_parse(Object *obj, const Property *prop, void *field, const char *text,
                           GError **error)
{
    uint8_t mac[6];

    if (!mac_parse(text, mac)) {
        set_error(error, "Property '%s.%s' doesn't take value '%s'", obj->type_name, prop->name,
                  text);
        error_add_hint(error, "An Ethernet address is expected: 52:54:00:12:34:56");
        return false;
    }
    memcpy(field, mac, 6);
    return true;
}

static char *prop_mac_print(const Object *obj, const Property *prop, const void *field)
{
    return mac_format(field);
}

static char *prop_mac_qtree(const Object *obj, const Property *prop, const void *field)
{
    g_autofree char *text = mac_format(field);

    return g_strdup_printf("\"%s\"", text);
}

const PropType prop_mac = { "str", PROP_JSON_STRING, prop_mac_parse, prop_mac_print,
                            prop_mac_qtree, NULL };

static bool is_nic(const NetClient *client)
{
    return client->nic != NULL;
}

static bool mac_in_use(const uint8_t *mac)
{
    const GPtrArray *clients = net_clients();

    for (guint i = 0; i < clients->len; i++) {
        const NetClient *client = g_ptr_array_index(clients, i);

        if (is_nic(client) && memcmp(((const Nic *)client)->conf->mac, mac, 6) == 0) {
            return true;
        }
    }
    return false;
}

/* 52:54:00:12:34:56 and up: the first that no NIC has; with all 256 taken, a second use. */
static void mac_choose(uint8_t *mac)
{
    static const uint8_t first[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };

    memcpy(mac, first, 6);
    for (unsigned n = 1; n < 256 && mac_in_use(mac); n++) {
        mac[5] = first[5] + n;
    }
}

/* ---- netdev ---- */

static bool prop_netdev_parse(Object *obj, const Property *prop, void *field, const char *text,
                              GError **error)
{
    NetClient *client = net_client_find(text);

    if (client == NULL || is_nic(client)) {
        set_error(error, "Property '%s.%s' can't find value '%s'", obj->type_name, prop->name,
                  text);
        net_suggest_client(error, text);
        return false;
    }
    if (client->peer != NULL) {
        set_error(error, "Property '%s.%s' can't take value '%s', it's in use", obj->type_name,
                  prop->name, text);
        return false;
    }
    *(NetClient **)field = client;
    return true;
}

static char *prop_netdev_print(const Object *obj, const Property *prop, const void *field)
{
    const NetClient *client = *(NetClient *const *)field;

    return g_strdup(client != NULL ? client->name : "");
}

static char *prop_netdev_qtree(const Object *obj, const Property *prop, const void *field)
{
    g_autofree char *text = prop_netdev_print(obj, prop, field);

    return g_strdup_printf("\"%s\"", text);
}

const PropType prop_netdev = { "str", PROP_JSON_STRING, prop_netdev_parse, prop_netdev_print,
                               prop_netdev_qtree, NULL };

/* ---- what the peer can do ---- */

bool net_peer_has_header(const NetClient *nic)
{
    NetClient *peer = nic->peer;

    return peer != NULL && !peer->closed && peer->type->has_header != NULL &&
           peer->type->has_header(peer);
}

bool net_set_header_len(NetClient *nic, unsigned len)
{
    if (len > 0 && !net_peer_has_header(nic)) {
        return false;
    }
    if (net_peer_has_header(nic)) {
        if (!nic->peer->type->set_header(nic->peer, len)) {
            return false;
        }
        nic->peer->header_len = len;
    }
    nic->header_len = len;
    return true;
}

void net_peer_offloads(NetClient *nic, NetOffloads *can)
{
    *can = (NetOffloads){ 0 };
    if (net_peer_has_header(nic) && nic->peer->type->get_offloads != NULL) {
        nic->peer->type->get_offloads(nic->peer, can);
    }
}

void net_set_offloads(NetClient *nic, const NetOffloads *offloads)
{
    if (net_peer_has_header(nic) && nic->peer->type->set_offloads != NULL) {
        nic->peer->type->set_offloads(nic->peer, offloads);
    }
}

/* ---- the client ---- */

static bool nic_can_receive(NetClient *client)
{
    const Nic *nic = (const Nic *)client;

    return vm_is_running(client->nic->vm) &&
           (nic->ops->can_receive == NULL || nic->ops->can_receive(nic->opaque));
}

static ssize_t nic_receive(NetClient *client, const struct iovec *iov, unsigned niov, size_t len)
{
    const Nic *nic = (const Nic *)client;

    return nic->ops->receive(nic->opaque, iov, niov, len);
}

static void nic_link_changed(NetClient *client)
{
    const Nic *nic = (const Nic *)client;

    if (nic->ops->link_changed != NULL) {
        nic->ops->link_changed(nic->opaque, nic_link_up(client));
    }
}

static void nic_close(NetClient *client)
{
    Nic *nic = (Nic *)client;

    net_set_offloads(client, &(NetOffloads){ 0 });
    net_set_header_len(client, 0);
    nic->conf->peer = NULL;
}

static const NetClientType nic_type = {
    .name = "nic", .size = sizeof(Nic), .can_receive = nic_can_receive, .receive = nic_receive,
    .link_changed = nic_link_changed, .close = nic_close,
};

bool nic_link_up(const NetClient *nic)
{
    const NetClient *peer = nic->peer;

    return peer != NULL && !peer->closed && !peer->link_down && !nic->link_down;
}

/* "e1000.0": numbers count the NICs of a type; one that went leaves a free one. */
static char *nic_name(const Device *dev)
{
    if (dev->id != NULL) {
        return g_strdup(dev->id);
    }
    for (unsigned n = 0;; n++) {
        char *name = g_strdup_printf("%s.%u", dev->type->name, n);

        if (net_client_find(name) == NULL) {
            return name;
        }
        g_free(name);
    }
}

/* NICs take nothing while the machine stands still. */
static void on_vm_event(Vm *vm, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_RESUME) {
        const GPtrArray *clients = net_clients();

        for (guint i = 0; i < clients->len; i++) {
            if (is_nic(g_ptr_array_index(clients, i))) {
                net_flush(g_ptr_array_index(clients, i));
            }
        }
    }
}

static void subscribe_once(Vm *vm)
{
    static Vm *subscribed;

    if (subscribed != vm) {
        vm_subscribe(vm, on_vm_event, NULL);
        subscribed = vm;
    }
}

NetClient *nic_new(NicConf *conf, Device *dev, const NicOps *ops, void *opaque, GError **error)
{
    const Device *shown = dev->outside != NULL ? dev->outside : dev;
    g_autofree char *name = nic_name(shown), *mac = NULL;
    NetClient *client;

    if (conf->peer != NULL && conf->peer->peer != NULL) {
        set_error(error, "Property '%s.netdev' can't take value '%s', it's in use", dev->type->name,
                  conf->peer->name);
        return NULL;
    }
    if (mac_is_zero(conf->mac)) {
        mac_choose(conf->mac);
    }
    subscribe_once(dev->vm);
    client = net_client_new(&nic_type, shown->type->name, name);
    client->nic = dev;
    ((Nic *)client)->conf = conf;
    ((Nic *)client)->ops = ops;
    ((Nic *)client)->opaque = opaque;
    mac = mac_format(conf->mac);
    net_client_set_info(client, "model=%s,macaddr=%s", client->model, mac);
    if (conf->peer != NULL) {
        net_plug(client, conf->peer);
    }
    return client;
}

