/*
 * -nic and -net.
 *
 * -nic makes a NIC and the back end behind it in one.  -net puts NICs and back ends on hub 0, or
 * with `vlan`, which QEMU had until 3.0, on the hub of that number.  NICs are wishes until the
 * board stands.
 */
#include "backend.h"
#include "sizes.h"

static GPtrArray *wishes;                   /* NicWish * */

static void wish_free(gpointer data)
{
    NicWish *wish = data;

    g_free(wish->model);
    g_free(wish->netdev);
    g_free(wish->mac);
    g_free(wish->addr);
    g_free(wish->vectors);
    g_free(wish);
}

static NicWish *wish_new(bool from_net)
{
    NicWish *wish = g_new0(NicWish, 1);

    if (wishes == NULL) {
        wishes = g_ptr_array_new_with_free_func(wish_free);
    }
    wish->from_net = from_net;
    g_ptr_array_add(wishes, wish);
    return wish;
}

static bool check_mac(const char *text, GError **error)
{
    uint8_t mac[6];

    if (text == NULL) {
        return true;
    }
    if (!mac_parse(text, mac)) {
        set_error(error, "invalid syntax for ethernet address");
        error_add_hint(error, "An Ethernet address is expected: 52:54:00:12:34:56");
        return false;
    }
    if (mac[0] & 1) {
        set_error(error, "NIC cannot have multicast MAC address");
        return false;
    }
    return true;
}

static const char *get_type(KeyVal *kv, GError **error)
{
    const char *type = keyval_get(kv, "type");

    if (type == NULL) {
        set_error(error, "Parameter 'type' is missing");
    }
    return type;
}

/* Also with what -net called names once. */
static NetClient *open_backend(Vm *vm, const char *type, const char *id, KeyVal *kv, GError **error)
{
    const NetBackend *backend = net_backend_find(type, error);

    if (backend == NULL || (id != NULL && !object_check_id(id, error))) {
        return NULL;
    }
    if (id != NULL && net_client_find(id) != NULL) {
        set_error(error, "Duplicate ID '%s'", id);
        return NULL;
    }
    return backend->open(vm, id, kv, error);
}

/* ---- -nic ---- */

static bool add_nic(Vm *vm, KeyVal *kv, GError **error)
{
    const char *type = get_type(kv, error), *mac = keyval_get(kv, "mac");
    const char *model = keyval_get(kv, "model");
    NetClient *client;
    NicWish *wish;

    if (type == NULL || !check_mac(mac, error)) {
        return false;
    }
    if (g_str_equal(type, "none")) {
        return keyval_check_known(kv, error);
    }
    client = open_backend(vm, type, keyval_get(kv, "id"), kv, error);
    if (client == NULL) {
        return false;
    }
    wish = wish_new(false);
    wish->model = g_strdup(model);
    wish->mac = g_strdup(mac);
    wish->netdev = g_strdup(client->name);
    return true;
}

/* ---- -net ---- */

static bool add_net_nic(KeyVal *kv, unsigned hub, GError **error)
{
    const char *netdev = keyval_get(kv, "netdev"), *mac = keyval_get(kv, "macaddr");
    const char *model = keyval_get(kv, "model"), *addr = keyval_get(kv, "addr");
    const char *vectors = keyval_get(kv, "vectors");
    NicWish *wish;

    if (!check_mac(mac, error) || !keyval_check_known(kv, error)) {
        return false;
    }
    wish = wish_new(true);
    wish->model = g_strdup(model);
    wish->mac = g_strdup(mac);
    wish->addr = g_strdup(addr);
    wish->vectors = g_strdup(vectors);
    wish->netdev = g_strdup(netdev != NULL ? netdev : net_hub_port_new(hub, NULL)->name);
    return true;
}

/* vlan= and name= are gone from QEMU's -net; what they meant has other names now. */
static bool read_old_names(KeyVal *kv, const char **id, unsigned *hub, GError **error)
{
    const char *name = keyval_get(kv, "name");
    uint64_t number = 0;

    *id = keyval_get(kv, "id");
    if (!keyval_get_uint(kv, "vlan", INT32_MAX, &number, error)) {
        return false;
    }
    if (keyval_has(kv, "vlan") || name != NULL) {
        report_warning("-net: 'vlan' and 'name' are gone: use -netdev with an id, and -device or "
                       "-nic");
    }
    *id = *id != NULL ? *id : name;
    *hub = number;
    return true;
}

static bool add_net(Vm *vm, KeyVal *kv, GError **error)
{
    const char *type = get_type(kv, error), *id;
    NetClient *client;
    unsigned hub;

    if (type == NULL || !read_old_names(kv, &id, &hub, error)) {
        return false;
    }
    if (g_str_equal(type, "none")) {
        return keyval_check_known(kv, error);
    }
    if (g_str_equal(type, "nic")) {
        return add_net_nic(kv, hub, error);
    }
    if (g_str_equal(type, "hubport")) {
        set_error(error, "every -net stands on a hub already: use -netdev hubport");
        return false;
    }
    client = open_backend(vm, type, id, kv, error);
    if (client == NULL) {
        return false;
    }
    net_plug(net_hub_port_new(hub, NULL), client);
    return true;
}

bool net_add_legacy(Vm *vm, KeyVal *kv, bool is_nic, GError **error)
{
    return is_nic ? add_nic(vm, kv, error) : add_net(vm, kv, error);
}

void net_add_default(Vm *vm)
{
    static const char *const types[] = { "nic", "user" };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        g_autoptr(KeyVal) kv = keyval_new();
        g_autoptr(GError) why = NULL;

        keyval_add(kv, "type", types[i]);
        if (!net_add_legacy(vm, kv, false, &why)) {
            report_warning("no network for the default NIC: %s", why->message);
        }
    }
}

static bool make_each(Vm *vm, bool from_net, NetMakeNicFn make, GError **error)
{
    for (guint i = 0; wishes != NULL && i < wishes->len; i++) {
        const NicWish *wish = g_ptr_array_index(wishes, i);

        if (wish->from_net != from_net) {
            continue;
        }
        if (net_client_find(wish->netdev) == NULL) {
            set_error(error, "netdev '%s' not found", wish->netdev);
            net_suggest_client(error, wish->netdev);
            return false;
        }
        if (!make(vm, wish, error)) {
            return false;
        }
    }
    return true;
}

bool net_legacy_devices(Vm *vm, NetMakeNicFn make, GError **error)
{
    bool ok = make_each(vm, false, make, error) && make_each(vm, true, make, error);

    g_clear_pointer(&wishes, g_ptr_array_unref);
    return ok;
}
