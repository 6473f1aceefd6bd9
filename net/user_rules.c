#include "user_rules.h"

#include <arpa/inet.h>
#include <string.h>

#include "rhea_error.h"
#include "sizes.h"

/* ---- forwarding ---- */

/* The piece up to `sep`, and *text behind it; NULL: no such separator. */
static char *take_piece(const char **text, char sep)
{
    const char *end = strchr(*text, sep);
    char *piece;

    if (end == NULL) {
        return NULL;
    }
    piece = g_strndup(*text, end - *text);
    *text = end + 1;
    return piece;
}

static bool parse_protocol(const char *word, bool *udp)
{
    *udp = g_str_equal(word, "udp");
    return *udp || *word == '\0' || g_str_equal(word, "tcp");
}

static bool parse_port(const char *text, unsigned min, unsigned *port)
{
    uint64_t value;

    if (!parse_uint(text, 65535, &value, NULL) || value < min) {
        return false;
    }
    *port = value;
    return true;
}

/* Protocol and address of the host; what is wrong, or NULL. */
static const char *parse_host_side(HostForward *rule, const char **text)
{
    g_autofree char *protocol = take_piece(text, ':'), *host = NULL;

    if (protocol == NULL) {
        return "No : separators";
    }
    if (!parse_protocol(protocol, &rule->udp)) {
        return "Bad protocol name";
    }
    host = take_piece(text, ':');
    if (host == NULL) {
        return "Missing : separator";
    }
    rule->any_host = *host == '\0';
    rule->host.s_addr = htonl(INADDR_LOOPBACK);
    return rule->any_host || inet_pton(AF_INET, host, &rule->host) == 1 ? NULL : "Bad host address";
}

static const char *parse_guest_side(HostForward *rule, const char *text)
{
    g_autofree char *guest = take_piece(&text, ':');

    if (guest == NULL) {
        return "Missing guest address";
    }
    if (*guest != '\0' && inet_pton(AF_INET, guest, &rule->guest) != 1) {
        return "Bad guest address";
    }
    return parse_port(text, 1, &rule->guest_port) ? NULL : "Bad guest port";
}

static const char *parse_rule(HostForward *rule, const char *text)
{
    const char *why = parse_host_side(rule, &text);
    g_autofree char *port = NULL;

    if (why != NULL) {
        return why;
    }
    port = take_piece(&text, '-');
    if (port == NULL) {
        return "Bad host port separator";
    }
    return parse_port(port, 0, &rule->host_port) ? parse_guest_side(rule, text) : "Bad host port";
}

bool host_forward_parse(HostForward *rule, const char *text, GError **error)
{
    const char *why;

    *rule = (HostForward){ 0 };
    why = parse_rule(rule, text);
    if (why != NULL) {
        set_error(error, "Invalid host forwarding rule '%s' (%s)", text, why);
        error_add_hint(error, "Expected: [tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport");
    }
    return why == NULL;
}

bool host_forward_parse_removal(HostForward *rule, const char *text, GError **error)
{
    const char *rest = text;

    *rule = (HostForward){ 0 };
    if (parse_host_side(rule, &rest) == NULL && parse_port(rest, 0, &rule->host_port)) {
        return true;
    }
    set_error(error, "invalid format");
    return false;
}

bool guest_forward_parse(GuestForward *rule, const char *text, GError **error)
{
    const char *rest = text;
    g_autofree char *protocol = take_piece(&rest, ':'), *server = NULL, *port = NULL;

    *rule = (GuestForward){ 0 };
    server = protocol != NULL ? take_piece(&rest, ':') : NULL;
    port = server != NULL ? take_piece(&rest, '-') : NULL;
    if (port == NULL || (*protocol != '\0' && !g_str_equal(protocol, "tcp")) ||
        inet_pton(AF_INET, server, &rule->server) != 1 || !parse_port(port, 1, &rule->port) ||
        *rest == '\0') {
        set_error(error, "Invalid guest forwarding rule '%s'", text);
        error_add_hint(error, "Expected: [tcp]:server:port-dev or [tcp]:server:port-cmd:command");
        return false;
    }
    rule->command = g_str_has_prefix(rest, "cmd:");
    rule->target = g_strdup(rest + (rule->command ? 4 : 0));
    return true;
}

/* ---- IPv4 ---- */

/* Without a mask the class of the address tells it (RFC 791, 3.2). */
static uint32_t class_mask(uint32_t addr)
{
    return addr >> 31 == 0 ? 0xff000000 : addr >> 30 == 2 ? 0xffff0000 : 0xffffff00;
}

static bool parse_net(UserNet *net, const char *text, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    uint64_t bits;

    if (parts[0] == NULL || inet_aton(parts[0], &net->net) == 0) {      /* "" has no parts */
        set_error(error, "Failed to parse netmask");
        return false;
    }
    if (parts[1] == NULL) {
        net->mask.s_addr = htonl(class_mask(ntohl(net->net.s_addr)));
    } else if (parse_uint(parts[1], UINT32_MAX, &bits, NULL)) {
        if (bits < 4 || bits > 32) {
            set_error(error, "Invalid netmask provided (must be in range 4-32)");
            return false;
        }
        net->mask.s_addr = htonl((uint32_t)(UINT64_C(0xffffffff) << (32 - bits)));
    } else if (inet_pton(AF_INET, parts[1], &net->mask) != 1) {
        set_error(error, "Failed to parse netmask");
        return false;
    }
    net->net.s_addr &= net->mask.s_addr;
    return true;
}

static bool parse_addr(struct in_addr *addr, const char *text, const char *what, GError **error)
{
    if (text == NULL || inet_pton(AF_INET, text, addr) == 1) {
        return true;
    }
    set_error(error, "Failed to parse %s", what);
    return false;
}

static bool inside(const UserNet *net, struct in_addr addr)
{
    return (addr.s_addr & net->mask.s_addr) == net->net.s_addr;
}

/* The network's own hosts have the numbers 2.2, 2.3 and 2.15, as far as the mask leaves room. */
static struct in_addr own_host(const UserNet *net, uint32_t number)
{
    return (struct in_addr){ net->net.s_addr | (htonl(number) & ~net->mask.s_addr) };
}

bool user_net_parse(UserNet *net, const UserNetText *text, GError **error)
{
    if (!parse_net(net, text->net != NULL ? text->net : "10.0.2.0/24", error)) {
        return false;
    }
    net->host = own_host(net, 0x0202);
    net->dns = own_host(net, 0x0203);
    net->dhcp = own_host(net, 0x020f);
    if (!parse_addr(&net->host, text->host, "host", error) ||
        !parse_addr(&net->dns, text->dns, "DNS", error) ||
        !parse_addr(&net->dhcp, text->dhcpstart, "DHCP start address", error)) {
        return false;
    }
    if (!inside(net, net->host)) {
        set_error(error, "Host doesn't belong to network");
    } else if (net->dns.s_addr == net->host.s_addr) {
        set_error(error, "DNS must be different from host");
    } else if (text->restricted && !inside(net, net->dns)) {
        set_error(error, "DNS doesn't belong to network");
    } else if (!inside(net, net->dhcp)) {
        set_error(error, "DHCP doesn't belong to network");
    } else if (net->dhcp.s_addr == net->host.s_addr || net->dhcp.s_addr == net->dns.s_addr) {
        set_error(error, "DHCP must be different from host and DNS");
    } else {
        return true;
    }
    return false;
}

/* ---- IPv6 ---- */

static bool parse_prefix(UserNet *net, const UserNetText *text, GError **error)
{
    const char *given = text->ipv6_net != NULL ? text->ipv6_net : text->ipv6_prefix;
    g_auto(GStrv) parts = g_strsplit(given != NULL ? given : "fec0::", "/", 2);
    uint64_t bits = text->ipv6_prefixlen > 0 ? text->ipv6_prefixlen : 64;

    if (parts[0] == NULL || inet_pton(AF_INET6, parts[0], &net->prefix6) != 1) {
        set_error(error, "Failed to parse IPv6 prefix");
        return false;
    }
    if (parts[1] != NULL && !parse_uint(parts[1], UINT32_MAX, &bits, NULL)) {
        set_error(error, "Failed to parse IPv6 prefix length");
        return false;
    }
    if (bits > 126) {
        set_error(error, "Invalid IPv6 prefix provided (IPv6 prefix length must be between 0 and "
                  "126)");
        return false;
    }
    net->prefix6_len = bits;
    return true;
}

static bool inside6(const UserNet *net, const struct in6_addr *addr)
{
    for (unsigned bit = 0; bit < net->prefix6_len; bit++) {
        uint8_t mask = 0x80 >> bit % 8;

        if ((addr->s6_addr[bit / 8] ^ net->prefix6.s6_addr[bit / 8]) & mask) {
            return false;
        }
    }
    return true;
}

static bool parse_addr6(const UserNet *net, struct in6_addr *addr, const char *text, uint8_t number,
                        const char *what, GError **error)
{
    *addr = net->prefix6;
    addr->s6_addr[15] |= number;
    if (text != NULL && inet_pton(AF_INET6, text, addr) != 1) {
        set_error(error, "Failed to parse IPv6 %s", what);
        return false;
    }
    if (!inside6(net, addr)) {
        set_error(error, "IPv6 %s doesn't belong to network", what);
        return false;
    }
    return true;
}

bool user_net_parse6(UserNet *net, const UserNetText *text, GError **error)
{
    return parse_prefix(net, text, error) &&
           parse_addr6(net, &net->host6, text->ipv6_host, 2, "host", error) &&
           parse_addr6(net, &net->dns6, text->ipv6_dns, 3, "DNS", error);
}
