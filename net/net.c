/* The ends of wires: their list, who is plugged into whom, links. */
#include "net.h"

#include <stdarg.h>
#include <string.h>

#include "net_internal.h"
#include "rhea_error.h"

static GPtrArray *all;                      /* NetClient *, oldest first */

static GPtrArray *client_list(void)
{
    if (all == NULL) {
        all = g_ptr_array_new();
    }
    return all;
}

const GPtrArray *net_clients(void)
{
    return client_list();
}

NetClient *net_client_find(const char *name)
{
    const GPtrArray *list = client_list();

    for (guint i = 0; i < list->len; i++) {
        NetClient *client = g_ptr_array_index(list, i);

        if (!client->closed && g_str_equal(client->name, name)) {
            return client;
        }
    }
    return NULL;
}

/* QEMU's form of a name for who was given none: "#net" and three digits. */
static char *make_name(void)
{
    for (unsigned n = 0;; n++) {
        char *name = g_strdup_printf("#net%03u", n);

        if (net_client_find(name) == NULL) {
            return name;
        }
        g_free(name);
    }
}

NetClient *net_client_new(const NetClientType *type, const char *model, const char *name)
{
    NetClient *client = g_malloc0(type->size);

    client->type = type;
    client->model = g_strdup(model);
    client->name = name != NULL ? g_strdup(name) : make_name();
    client->info = g_strdup("");
    client->queue = g_queue_new();
    g_ptr_array_add(client_list(), client);
    return client;
}

void net_client_set_info(NetClient *client, const char *format, ...)
{
    va_list args;

    g_free(client->info);
    va_start(args, format);
    client->info = g_strdup_vprintf(format, args);
    va_end(args);
}

/* ---- plugging ---- */

static void tell_link(NetClient *client)
{
    if (client != NULL && !client->closed && client->type->link_changed != NULL) {
        client->type->link_changed(client);
    }
}

void net_plug(NetClient *a, NetClient *b)
{
    g_assert(a->peer == NULL && b->peer == NULL && a != b);
    a->peer = b;
    b->peer = a;
}

/* What is left of a client, when nobody has a pointer to it any more. */
static void release(NetClient *client)
{
    g_ptr_array_remove(client_list(), client);
    net_queue_clear(client, false);
    g_queue_free(client->queue);
    g_free(client->name);
    g_free(client->model);
    g_free(client->info);
    g_free(client);
}

static void client_close(NetClient *client)
{
    net_filters_drop(client);
    if (client->type->close != NULL) {
        client->type->close(client);
    }
    net_queue_clear(client, false);
    client->closed = true;
    client->is_netdev = false;
}

/*
 * A back end whose NIC stays leaves its shell there: the NIC's `netdev` property goes on naming it,
 * and `info network` shows it, as QEMU does.
 */
void net_client_free(NetClient *client)
{
    NetClient *peer;

    if (client == NULL) {
        return;
    }
    peer = client->peer;
    if (!client->closed) {
        client_close(client);
    }
    if (peer == NULL) {
        release(client);
        return;
    }
    net_queue_clear(peer, true);
    if (client->nic == NULL && peer->nic != NULL) {
        tell_link(peer);
        return;
    }
    client->peer = peer->peer = NULL;
    release(client);
    if (peer->closed) {
        release(peer);
    } else {
        tell_link(peer);
    }
}

void net_close_all(void)
{
    const GPtrArray *list = client_list();

    for (guint i = 0; i < list->len; i++) {
        NetClient *client = g_ptr_array_index(list, i);

        if (client->nic == NULL && !client->closed) {
            client_close(client);
        }
    }
}

/* ---- links ---- */

bool net_set_link(const char *name, bool up, GError **error)
{
    NetClient *client = net_client_find(name);

    if (client == NULL) {
        g_set_error(error, RHEA_ERROR, RHEA_ERROR_DEVICE_NOT_FOUND, "Device '%s' not found", name);
        net_suggest_client(error, name);
        return false;
    }
    if (client->link_down == !up) {
        return true;
    }
    client->link_down = !up;
    tell_link(client);
    tell_link(client->peer);
    net_queue_kick();
    return true;
}

void net_suggest_client(GError **error, const char *name)
{
    const GPtrArray *list = client_list();
    g_autofree const char **names = g_new(const char *, list->len + 1);
    size_t n = 0;

    for (guint i = 0; i < list->len; i++) {
        const NetClient *client = g_ptr_array_index(list, i);

        if (!client->closed) {
            names[n++] = client->name;
        }
    }
    error_suggest(error, nearest_name(name, names, n));
}
