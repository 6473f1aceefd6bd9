/*
 * Options of network back ends, none of which opens anything outside the process: hub ports and
 * refusals.  Reaches: net/netdev.c, net/hub.c, net/legacy.c, net/socket_options.c, net/options.c.
 */
#include <string.h>

#include "net.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Types whose options touch the host's network are tried with what they refuse only. */
static bool stays_inside(const char *text)
{
    static const char *const outside[] = { "tap", "socket", "stream", "dgram", "user", "fd" };

    for (size_t i = 0; i < G_N_ELEMENTS(outside); i++) {
        if (strstr(text, outside[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static bool no_nic(Vm *vm, const NicWish *wish, GError **error)
{
    return true;
}

static void add(Vm *vm, const char *text)
{
    g_autoptr(KeyVal) netdev = keyval_parse_either(text, "type", NULL);
    g_autoptr(KeyVal) legacy = keyval_parse(text, "type", NULL);

    if (netdev != NULL) {
        netdev_add(vm, netdev, NULL);
    }
    if (legacy != NULL) {
        net_add_legacy(vm, legacy, strlen(text) & 1, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    g_auto(GStrv) lines = g_strsplit(text, "\n", 16);
    g_autoptr(GString) out = g_string_new(NULL);
    static Vm vm;

    if (!stays_inside(text)) {
        return 0;
    }
    for (char **line = lines; *line != NULL; line++) {
        add(&vm, *line);
    }
    net_legacy_devices(&vm, no_nic, NULL);
    net_print(out);
    while (net_clients()->len > 0) {
        net_send_buf(g_ptr_array_index(net_clients(), 0), data, size);
        g_main_context_iteration(NULL, FALSE);
        net_client_free(g_ptr_array_index(net_clients(), 0));
    }
    return 0;
}
