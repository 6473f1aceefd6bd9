/* The user network from the guest's side: ARP, DHCP, forwarded ports both ways. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chardev.h"
#include "check_main.h"
#include "net_probe.h"

static Vm vm;
static Probe *nic;

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

static void start(const char *options)
{
    g_autofree char *text = g_strconcat("user,id=u", options, NULL);
    g_autoptr(KeyVal) kv = keyval_parse(text, "type", NULL);
    GError *error = NULL;

    vm_core_init(&vm, g_main_context_default(), NULL);
    ck_assert_msg(netdev_add(&vm, kv, &error), "%s", error ? error->message : "");
    nic = probe_new("nic");
    net_plug(net_client_find("u"), &nic->client);
}

/* Runs the loop until a packet that holds these bytes at that place has come; the place of it. */
static const uint8_t *wait_for(size_t at, const void *bytes, size_t len)
{
    for (size_t from = 0;;) {
        while (from + 1 + at + len <= nic->got->len) {
            if (nic->got->str[from] == '|' &&
                memcmp(nic->got->str + from + 1 + at, bytes, len) == 0) {
                return (const uint8_t *)nic->got->str + from + 1;
            }
            from++;
        }
        g_main_context_iteration(NULL, TRUE);
    }
}

/* ---- frames ---- */

static size_t ethernet(uint8_t *frame, const uint8_t *to, uint16_t type)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, guest_mac, 6);
    frame[12] = type >> 8;
    frame[13] = type;
    return 14;
}

/* RFC 826 */
static void send_arp(uint16_t op, const uint8_t *to, const char *own_ip, const char *ip)
{
    uint8_t frame[60] = { 0 };
    uint8_t head[8] = { 0, 1, 8, 0, 6, 4, 0, op };
    in_addr_t own = inet_addr(own_ip), other = inet_addr(ip);
    size_t at = ethernet(frame, to, 0x0806);

    memcpy(frame + at, head, 8);
    memcpy(frame + at + 8, guest_mac, 6);
    memcpy(frame + at + 14, &own, 4);
    memcpy(frame + at + 24, &other, 4);
    net_send_buf(&nic->client, frame, sizeof(frame));
}

static const uint8_t everybody[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

START_TEST(arp)
{
    /* Reply, from a MAC address that tells its IPv4 address. */
    static const uint8_t reply[] = { 0, 2, 0x52, 0x55, 10, 0, 2, 2, 10, 0, 2, 2 };

    start("");
    send_arp(1, everybody, "10.0.2.15", "10.0.2.2");
    ck_assert_str_eq(nic->got->str, "");            /* not before the sender is done */
    wait_for(20, reply, sizeof(reply));
}
END_TEST

/* RFC 2131: a DISCOVER, whose OFFER carries what the options said. */
START_TEST(dhcp)
{
    static const uint8_t bootp_reply[] = { 2, 1, 6, 0, 1, 2, 3, 4 };
    static const uint8_t cookie[] = { 0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255 };
    uint8_t frame[14 + 20 + 8 + 240 + 60] = { 0 };
    size_t len = sizeof(frame) - 14;
    const uint8_t *offer;
    in_addr_t given;
    size_t at;

    start(",net=192.168.5.0/24,dhcpstart=192.168.5.20,hostname=vmhost");
    at = ethernet(frame, everybody, 0x0800);
    frame[at] = 0x45;
    frame[at + 2] = len >> 8;
    frame[at + 3] = len;
    frame[at + 8] = 64;
    frame[at + 9] = IPPROTO_UDP;
    memset(frame + at + 16, 0xff, 4);
    at += 20;
    frame[at + 1] = 68;
    frame[at + 3] = 67;
    frame[at + 4] = (len - 20) >> 8;
    frame[at + 5] = len - 20;
    at += 8;
    memcpy(frame + at, (uint8_t[]){ 1, 1, 6, 0, 1, 2, 3, 4 }, 8);
    memcpy(frame + at + 28, guest_mac, 6);
    memcpy(frame + at + 236, cookie, sizeof(cookie));
    at = 14;
    {
        uint16_t sum = net_checksum(frame + at, 20, 0);

        frame[at + 10] = sum >> 8;
        frame[at + 11] = sum;
    }
    net_send_buf(&nic->client, frame, sizeof(frame));
    offer = wait_for(42, bootp_reply, sizeof(bootp_reply));
    memcpy(&given, offer + 42 + 16, 4);
    ck_assert_uint_eq(given, inet_addr("192.168.5.20"));
    ck_assert_ptr_nonnull(memmem(offer + 42, 400, "vmhost", 6));
}
END_TEST

static unsigned free_port(void)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, len), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    close(fd);
    return ntohs(at.sin_port);
}

static bool can_connect(unsigned port)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                              .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0;

    close(fd);
    return ok;
}

/* A caller makes slirp look for the guest. */
START_TEST(a_forwarded_port)
{
    static const uint8_t who_has[] = { 0, 1, 0x52, 0x55, 10, 0, 2, 2, 10, 0, 2, 2, 0, 0, 0, 0, 0, 0,
                                       10, 0, 2, 15 };
    unsigned port = free_port();
    g_autofree char *rule = g_strdup_printf("tcp::%u-:22", port);
    g_autofree char *removal = g_strdup_printf("tcp::%u", port);
    g_autoptr(GString) text = g_string_new(NULL);
    GError *error = NULL;

    start("");
    ck_assert(!can_connect(port));
    ck_assert(net_hostfwd_add(NULL, rule, NULL));
    ck_assert(!net_hostfwd_add("u", rule, &error));
    g_clear_error(&error);
    ck_assert(can_connect(port));
    wait_for(20, who_has, sizeof(who_has));
    net_print_user(text);
    ck_assert_ptr_nonnull(strstr(text->str, "TCP[HOST_FORWARD]"));
    ck_assert(net_hostfwd_remove("u", removal, NULL));
    ck_assert(!net_hostfwd_remove("u", removal, NULL));
    ck_assert(!can_connect(port));
}
END_TEST

/* Its end takes everything with it: listeners, character devices. */
START_TEST(an_end_leaves_nothing)
{
    unsigned port = free_port();
    g_autofree char *options = g_strdup_printf(
        ",hostfwd=tcp:127.0.0.1:%u-:22,guestfwd=tcp:10.0.2.100:7-null,"
        "guestfwd=tcp:10.0.2.101:8-cmd:cat", port);

    start(options);
    ck_assert(can_connect(port));
    ck_assert_ptr_nonnull(chardev_find("guestfwd.tcp.7"));
    send_arp(1, everybody, "10.0.2.15", "10.0.2.2");
    ck_assert(netdev_del("u", NULL));
    ck_assert(!can_connect(port));
    ck_assert_ptr_null(chardev_find("guestfwd.tcp.7"));
    ck_assert_ptr_null(nic->client.peer);
    spin();
    net_client_free(&nic->client);
    ck_assert_uint_eq(net_clients()->len, 0);
}
END_TEST

/* Anything a guest may put on the wire. */
START_TEST(noise)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(_i);
    uint8_t frame[2000];

    start(",restrict=on");
    for (unsigned n = 0; n < 200; n++) {
        size_t len = g_rand_int_range(rand, 1, sizeof(frame));
        bool ip6 = n & 1;

        for (size_t i = 0; i < len; i++) {
            frame[i] = g_rand_int(rand);
        }
        if (len > 60) {
            ethernet(frame, everybody, ip6 ? 0x86dd : 0x0800);
            frame[14] = ip6 ? 0x60 : 0x45;
        }
        net_send_buf(&nic->client, frame, len);
    }
    spin();
    ck_assert(netdev_del("u", NULL));
}
END_TEST

CHECK_MAIN("user", CASE(arp), CASE(dhcp), CASE(a_forwarded_port), CASE(an_end_leaves_nothing),
           TIMES(noise, 8))
