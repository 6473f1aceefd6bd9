/* -netdev and its doors: the list of back ends, making and deleting them, `info network`. */
#include <string.h>

#include "backend.h"

static const NetBackend *const backends[] = {
    &net_socket_backend, &net_stream_backend, &net_dgram_backend, &net_hubport_backend,
    &net_tap_backend,
#ifdef HAVE_SLIRP
    &net_user_backend,
#endif
};

static const char *const backend_names[] = {
    "socket", "stream", "dgram", "hubport", "tap",
#ifdef HAVE_SLIRP
    "user",
#endif
    NULL
};
G_STATIC_ASSERT(G_N_ELEMENTS(backend_names) == G_N_ELEMENTS(backends) + 1);

/* Asked for often enough to deserve more than "unknown". */
static const struct { const char *name, *why; } absent[] = {
    { "bridge", "its helper program is not supported: make a tap interface in the bridge and use "
                "'tap' with ifname= or fd=" },
#ifndef HAVE_SLIRP
    { "user", "this program was built without libslirp" },
#endif
};

const char *const *netdev_type_names(void)
{
    return backend_names;
}

const NetBackend *net_backend_find(const char *name, GError **error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(backends); i++) {
        if (g_str_equal(backends[i]->name, name)) {
            return backends[i];
        }
    }
    set_error(error, "Parameter 'type' does not accept value '%s'", name);
    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++) {
        if (g_str_equal(absent[i].name, name)) {
            error_add_hint(error, "There is no '%s' back end: %s.", name, absent[i].why);
            return NULL;
        }
    }
    error_suggest(error, nearest_name(name, backend_names, G_N_ELEMENTS(backends)));
    return NULL;
}

char *netdev_help_text(void)
{
    g_autofree char *list = g_strjoinv("\n", (char **)backend_names);

    return g_strdup_printf("Available netdev backend types:\n%s\n", list);
}

bool netdev_add(Vm *vm, KeyVal *kv, GError **error)
{
    const char *id = keyval_get(kv, "id"), *type = keyval_get(kv, "type");
    const NetBackend *backend;
    NetClient *client;

    if (id == NULL || type == NULL) {
        set_error(error, "Parameter '%s' is missing", id == NULL ? "id" : "type");
        return false;
    }
    if (!object_check_id(id, error)) {
        return false;
    }
    backend = net_backend_find(type, error);
    if (backend == NULL) {
        return false;
    }
    client = net_client_find(id);
    if (client != NULL && client->nic == NULL) {
        set_error(error, "Duplicate ID '%s' for netdev", id);
        return false;
    }
    client = backend->open(vm, id, kv, error);
    if (client == NULL) {
        return false;
    }
    client->is_netdev = true;
    return true;
}

bool netdev_del(const char *id, GError **error)
{
    const GPtrArray *list = net_clients();

    for (guint i = 0; i < list->len; i++) {
        NetClient *client = g_ptr_array_index(list, i);

        if (client->is_netdev && g_str_equal(client->name, id)) {
            net_client_free(client);
            return true;
        }
    }
    g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", id);
    net_suggest_client(error, id);
    return false;
}

/* ---- info network ---- */

void net_client_print(const NetClient *client, GString *out)
{
    g_string_append_printf(out, "%s: index=0,type=%s,%s\n", client->name, client->type->name,
                           client->info);
}

void net_print(GString *out)
{
    const GPtrArray *list = net_clients();
    unsigned hub;

    net_hubs_print(out);
    for (guint i = 0; i < list->len; i++) {
        const NetClient *client = g_ptr_array_index(list, i);

        if (net_hub_of(client, &hub) || (client->peer != NULL && client->nic == NULL)) {
            continue;
        }
        net_client_print(client, out);
        if (client->peer != NULL) {
            g_string_append(out, " \\ ");
            net_client_print(client->peer, out);
        }
    }
}

void net_check_peers(void)
{
    const GPtrArray *list = net_clients();

    net_hubs_check();
    for (guint i = 0; i < list->len; i++) {
        const NetClient *client = g_ptr_array_index(list, i);

        if (client->peer == NULL) {
            report_warning("%s %s has no peer", client->nic != NULL ? "nic" : "netdev",
                           client->name);
        }
    }
}
