/* nbd: how a server and an export are named. */
#include <string.h>

#include "nbd_internal.h"
#include "rhea_error.h"

#define DEFAULT_PORT "10809"

void nbd_address_clear(NbdAddress *address)
{
    g_free(address->path);
    g_free(address->host);
    g_free(address->port);
    g_free(address->export);
    *address = (NbdAddress){ 0 };
}

/* "host:port", "[v6]:port" or "host". */
static bool parse_host(const char *text, size_t len, NbdAddress *address, GError **error)
{
    g_autofree char *whole = g_strndup(text, len);
    char *colon = strrchr(whole, ':'), *close = strchr(whole, ']');

    if (*whole == '[') {
        if (close == NULL || (close[1] != '\0' && close[1] != ':')) {
            set_error(error, "Invalid NBD address '%s'", whole);
            return false;
        }
        colon = close[1] == ':' ? close + 1 : NULL;
        *close = '\0';
        address->host = g_strdup(whole + 1);
    } else {
        address->host = g_strndup(whole, colon != NULL ? (size_t)(colon - whole) : len);
    }
    address->port = g_strdup(colon != NULL && colon[1] != '\0' ? colon + 1 : DEFAULT_PORT);
    if (*address->host == '\0') {
        set_error(error, "Invalid NBD address '%s': no host", text);
        return false;
    }
    return true;
}

/* nbd://host[:port]/[export] and nbd+unix:///[export]?socket=path; `rest` is behind "//". */
static bool parse_uri(const char *rest, bool is_unix, NbdAddress *address, GError **error)
{
    const char *query = strchr(rest, '?'), *slash = strchr(rest, '/');
    size_t end = query != NULL ? (size_t)(query - rest) : strlen(rest);
    size_t host = slash != NULL && (size_t)(slash - rest) < end ? (size_t)(slash - rest) : end;
    g_autofree char *export = g_strndup(rest + MIN(host + 1, end), end - MIN(host + 1, end));

    address->export = g_uri_unescape_string(export, NULL);
    if (address->export == NULL) {
        set_error(error, "Invalid NBD address: bad escape in the export's name");
        return false;
    }
    if (!is_unix) {
        return parse_host(rest, host, address, error);
    }
    if (query == NULL || !g_str_has_prefix(query, "?socket=") || host != 0) {
        set_error(error, "Invalid NBD address: nbd+unix:// needs '?socket=PATH' and no host");
        return false;
    }
    address->path = g_uri_unescape_string(query + strlen("?socket="), NULL);
    return true;
}

/* The old form: nbd:unix:PATH[:exportname=NAME], nbd:HOST:PORT[:exportname=NAME]. */
static bool parse_plain(const char *rest, NbdAddress *address, GError **error)
{
    const char *name = strstr(rest, ":exportname=");
    size_t len = name != NULL ? (size_t)(name - rest) : strlen(rest);

    address->export = g_strdup(name != NULL ? name + strlen(":exportname=") : "");
    if (g_str_has_prefix(rest, "unix:")) {
        address->path = g_strndup(rest + 5, len - 5);
        return true;
    }
    return parse_host(rest, len, address, error);
}

static bool parse_filename(const char *filename, NbdAddress *address, GError **error)
{
    static const struct { const char *prefix; bool is_unix; } schemes[] = {
        { "nbd+unix://", true }, { "nbd+tcp://", false }, { "nbd://", false },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(schemes); i++) {
        if (g_str_has_prefix(filename, schemes[i].prefix)) {
            return parse_uri(filename + strlen(schemes[i].prefix), schemes[i].is_unix, address,
                             error);
        }
    }
    if (g_str_has_prefix(filename, "nbd:")) {
        return parse_plain(filename + 4, address, error);
    }
    set_error(error, "'%s' is no NBD address: expected nbd://HOST[:PORT]/[EXPORT] or "
              "nbd+unix:///[EXPORT]?socket=PATH", filename);
    return false;
}

static const char *option(BlockNode *node, const char *name, const char *server_name)
{
    const char *value = block_node_option(node, name);

    return value != NULL ? value : block_node_option(node, server_name);
}

static bool parse_options(BlockNode *node, NbdAddress *address, GError **error)
{
    const char *path = option(node, "path", "server.path");
    const char *host = option(node, "host", "server.host");
    const char *port = option(node, "port", "server.port");
    const char *export = block_node_option(node, "export");
    const char *type = block_node_option(node, "server.type");

    if (type != NULL && !g_str_equal(type, "unix") && !g_str_equal(type, "inet")) {
        set_error(error, "Parameter 'server.type' does not accept value '%s'", type);
        error_add_hint(error, "Expected 'unix' or 'inet'.");
        return false;
    }
    if ((path != NULL) == (host != NULL)) {
        set_error(error, path != NULL ? "path and host may not be used at the same time"
                                      : "NBD server address missing");
        return false;
    }
    address->path = g_strdup(path);
    address->host = g_strdup(host);
    address->port = g_strdup(port != NULL ? port : DEFAULT_PORT);
    address->export = g_strdup(export != NULL ? export : "");
    return true;
}

bool nbd_address_parse(BlockNode *node, NbdAddress *address, GError **error)
{
    bool ok = node->filename != NULL ? parse_filename(node->filename, address, error)
                                     : parse_options(node, address, error);

    if (ok && node->filename != NULL && block_node_option(node, "export") != NULL) {
        g_free(address->export);
        address->export = g_strdup(block_node_option(node, "export"));
    }
    if (ok && strlen(address->export) > NBD_MAX_NAME) {
        set_error(error, "Export name too long: at most %u bytes", NBD_MAX_NAME);
        return false;
    }
    return ok;
}

char *nbd_address_text(const NbdAddress *address)
{
    const char *slash = *address->export != '\0' ? "/" : "";

    if (address->path != NULL) {
        return g_strdup_printf("nbd+unix://%s%s?socket=%s", slash, address->export, address->path);
    }
    return g_strdup_printf(strchr(address->host, ':') != NULL ? "nbd://[%s]:%s%s%s"
                                                              : "nbd://%s:%s%s%s",
                           address->host, address->port, slash, address->export);
}
