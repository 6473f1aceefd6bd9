/* Forwarding rules and addresses of the user network. */
#include <arpa/inet.h>
#include <string.h>

#include "check_main.h"
#include "user_rules.h"

#define ERR(rule_, why_) "Invalid host forwarding rule '" rule_ "' (" why_ ")"

static const struct {
    const char *text, *error;               /* NULL: fine */
    bool udp, any;
    const char *host, *guest;
    unsigned host_port, guest_port;
} rules[] = {
    { "tcp:127.0.0.1:15555-10.0.2.15:22", NULL, false, false, "127.0.0.1", "10.0.2.15", 15555, 22 },
    { "tcp::5555-:22", NULL, false, true, "127.0.0.1", "0.0.0.0", 5555, 22 },
    { "::5555-:22", NULL, false, true, "127.0.0.1", "0.0.0.0", 5555, 22 },
    { "udp:0.0.0.0:53-:53", NULL, true, false, "0.0.0.0", "0.0.0.0", 53, 53 },
    { "tcp::0-:22", NULL, false, true, "127.0.0.1", "0.0.0.0", 0, 22 },
    { "foo", ERR("foo", "No : separators") },
    { "sctp::1-:1", ERR("sctp::1-:1", "Bad protocol name") },
    { "tcp:1-", ERR("tcp:1-", "Missing : separator") },
    { "tcp:x:5555-:22", ERR("tcp:x:5555-:22", "Bad host address") },
    { "tcp::5555", ERR("tcp::5555", "Bad host port separator") },
    { "tcp:127.0.0.1:99999-:22", ERR("tcp:127.0.0.1:99999-:22", "Bad host port") },
    { "tcp::-:22", ERR("tcp::-:22", "Bad host port") },
    { "tcp::5-22", ERR("tcp::5-22", "Missing guest address") },
    { "tcp::5-x:22", ERR("tcp::5-x:22", "Bad guest address") },
    { "tcp::5-:0", ERR("tcp::5-:0", "Bad guest port") },
    { "tcp::5-:22x", ERR("tcp::5-:22x", "Bad guest port") },
    { "", ERR("", "No : separators") },
};

START_TEST(host_rule_row)
{
    HostForward rule;
    GError *error = NULL;
    bool ok = host_forward_parse(&rule, rules[_i].text, &error);

    ck_assert_int_eq(ok, rules[_i].error == NULL);
    if (!ok) {
        g_auto(GStrv) lines = g_strsplit(error->message, "\n", 2);

        ck_assert_str_eq(lines[0], rules[_i].error);
        g_error_free(error);
        return;
    }
    ck_assert_int_eq(rule.udp, rules[_i].udp);
    ck_assert_int_eq(rule.any_host, rules[_i].any);
    ck_assert_uint_eq(rule.host.s_addr, inet_addr(rules[_i].host));
    ck_assert_uint_eq(rule.guest.s_addr, inet_addr(rules[_i].guest));
    ck_assert_uint_eq(rule.host_port, rules[_i].host_port);
    ck_assert_uint_eq(rule.guest_port, rules[_i].guest_port);
}
END_TEST

static const struct { const char *text; bool ok, udp; unsigned port; } removals[] = {
    { "tcp:127.0.0.1:15555", true, false, 15555 }, { "udp::53", true, true, 53 },
    { "::7", true, false, 7 }, { "foo", false }, { "tcp:1", false }, { "tcp::x", false },
    { "tcp::5-:6", false },
};

START_TEST(removal_row)
{
    HostForward rule;

    ck_assert_int_eq(host_forward_parse_removal(&rule, removals[_i].text, NULL), removals[_i].ok);
    if (removals[_i].ok) {
        ck_assert_int_eq(rule.udp, removals[_i].udp);
        ck_assert_uint_eq(rule.host_port, removals[_i].port);
    }
}
END_TEST

static const struct { const char *text; bool ok, command; unsigned port; const char *target; }
guest_rules[] = {
    { "tcp:10.0.2.100:80-cmd:cat -n", true, true, 80, "cat -n" },
    { ":10.0.2.100:7-tcp:127.0.0.1:9", true, false, 7, "tcp:127.0.0.1:9" },
    { "udp:10.0.2.100:80-x", false }, { "foo", false }, { "tcp:10.0.2.100:80", false },
    { "tcp:10.0.2.100:80-", false }, { "tcp:10.0.2.100:0-x", false }, { "tcp::80-x", false },
};

START_TEST(guest_rule_row)
{
    GuestForward rule;

    ck_assert_int_eq(guest_forward_parse(&rule, guest_rules[_i].text, NULL), guest_rules[_i].ok);
    if (guest_rules[_i].ok) {
        ck_assert_int_eq(rule.command, guest_rules[_i].command);
        ck_assert_uint_eq(rule.port, guest_rules[_i].port);
        ck_assert_str_eq(rule.target, guest_rules[_i].target);
    }
    g_free(rule.target);
}
END_TEST

static const struct {
    const char *net, *host, *dhcp, *dns, *error;
    const char *shown[4];                   /* net, host, DHCP, DNS */
} nets[] = {
    { .shown = { "10.0.2.0", "10.0.2.2", "10.0.2.15", "10.0.2.3" } },
    { "192.168.5.0/24", .shown = { "192.168.5.0", "192.168.5.2", "192.168.5.15", "192.168.5.3" } },
    { "10.0.2.0", .shown = { "10.0.0.0", "10.0.2.2", "10.0.2.15", "10.0.2.3" } },
    { "172.16.9.0", .shown = { "172.16.0.0", "172.16.2.2", "172.16.2.15", "172.16.2.3" } },
    { "10.0.2.0/8", "10.0.2.2", "10.0.2.16", "10.0.2.3",
      .shown = { "10.0.0.0", "10.0.2.2", "10.0.2.16", "10.0.2.3" } },
    { "10.0.2.0/255.255.255.0", NULL, NULL, "1.2.3.4",
      .shown = { "10.0.2.0", "10.0.2.2", "10.0.2.15", "1.2.3.4" } },
    { "foo", .error = "Failed to parse netmask" },
    { "", .error = "Failed to parse netmask" },
    { "/24", .error = "Failed to parse netmask" },
    { "10.0.2.0/33", .error = "Invalid netmask provided (must be in range 4-32)" },
    { "10.0.2.0/x", .error = "Failed to parse netmask" },
    { "10.0.2.0/30", .error = "DHCP must be different from host and DNS" },
    { "10.0.2.0/255.255.0.255", .error = "DNS must be different from host" },
    { NULL, "10.0.3.2", .error = "Host doesn't belong to network" },
    { NULL, "x", .error = "Failed to parse host" },
    { NULL, NULL, "10.0.2.2", .error = "DHCP must be different from host and DNS" },
    { NULL, NULL, "10.0.3.2", .error = "DHCP doesn't belong to network" },
    { NULL, NULL, "x", .error = "Failed to parse DHCP start address" },
};

START_TEST(net_row)
{
    UserNetText text = { .net = (char *)nets[_i].net, .host = (char *)nets[_i].host,
                         .dhcpstart = (char *)nets[_i].dhcp, .dns = (char *)nets[_i].dns };
    UserNet net = { 0 };
    GError *error = NULL;
    bool ok = user_net_parse(&net, &text, &error);

    if (nets[_i].error != NULL) {
        ck_assert(!ok);
        ck_assert_str_eq(error->message, nets[_i].error);
        g_error_free(error);
        return;
    }
    ck_assert(ok);
    ck_assert_uint_eq(net.net.s_addr, inet_addr(nets[_i].shown[0]));
    ck_assert_uint_eq(net.host.s_addr, inet_addr(nets[_i].shown[1]));
    ck_assert_uint_eq(net.dhcp.s_addr, inet_addr(nets[_i].shown[2]));
    ck_assert_uint_eq(net.dns.s_addr, inet_addr(nets[_i].shown[3]));
}
END_TEST

static const struct { const char *net, *host, *error, *shown_host; unsigned len; } nets6[] = {
    { NULL, NULL, NULL, "fec0::2", 64 },
    { "fd00:1::/48", NULL, NULL, "fd00:1::2", 48 },
    { "fd00::/64", "fd00::99", NULL, "fd00::99", 64 },
    { "zz/64", .error = "Failed to parse IPv6 prefix" },
    { "", .error = "Failed to parse IPv6 prefix" },
    { "fec0::/300", .error = "Invalid IPv6 prefix provided (IPv6 prefix length must be between 0 "
                             "and 126)" },
    { NULL, "fd00::1", .error = "IPv6 host doesn't belong to network" },
    { NULL, "x", .error = "Failed to parse IPv6 host" },
};

START_TEST(net6_row)
{
    UserNetText text = { .ipv6_net = (char *)nets6[_i].net, .ipv6_host = (char *)nets6[_i].host };
    UserNet net = { 0 };
    GError *error = NULL;
    char shown[INET6_ADDRSTRLEN];

    if (!user_net_parse6(&net, &text, &error)) {
        ck_assert_str_eq(error->message, nets6[_i].error);
        g_error_free(error);
        return;
    }
    ck_assert_ptr_null(nets6[_i].error);
    ck_assert_str_eq(inet_ntop(AF_INET6, &net.host6, shown, sizeof(shown)), nets6[_i].shown_host);
    ck_assert_uint_eq(net.prefix6_len, nets6[_i].len);
}
END_TEST

CHECK_MAIN("user_rules", CASES(host_rule_row, rules), CASES(removal_row, removals),
           CASES(guest_rule_row, guest_rules), CASES(net_row, nets), CASES(net6_row, nets6))
