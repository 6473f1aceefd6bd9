/* The rules of -netdev user, read: pure functions. */
#pragma once

#include <glib.h>
#include <netinet/in.h>
#include <stdbool.h>

/* "[tcp|udp]:[hostaddr]:hostport-[guestaddr]:guestport"; without "-…" for removal. */
typedef struct HostForward {
    bool udp, any_host;                     /* any_host: no address given, host is 127.0.0.1 */
    struct in_addr host, guest;             /* guest 0: the first DHCP address */
    unsigned host_port, guest_port;
} HostForward;
bool host_forward_parse(HostForward *rule, const char *text, GError **error);
bool host_forward_parse_removal(HostForward *rule, const char *text, GError **error);

/* "[tcp]:server:port-dev" or "-cmd:command" */
typedef struct GuestForward {
    struct in_addr server;
    unsigned port;
    char *target;                           /* character device, or what follows "cmd:" */
    bool command;
} GuestForward;
bool guest_forward_parse(GuestForward *rule, const char *text, GError **error);

/* Addresses of the network, from the options that were given (NULL: not). */
typedef struct UserNetText {
    char *net, *host, *dhcpstart, *dns;
    char *ipv6_net, *ipv6_prefix, *ipv6_host, *ipv6_dns;
    unsigned ipv6_prefixlen;                /* 0: not given */
    bool restricted;
} UserNetText;
typedef struct UserNet {
    struct in_addr net, mask, host, dhcp, dns;
    struct in6_addr prefix6, host6, dns6;
    unsigned prefix6_len;
} UserNet;
bool user_net_parse(UserNet *net, const UserNetText *text, GError **error);
bool user_net_parse6(UserNet *net, const UserNetText *text, GError **error);
