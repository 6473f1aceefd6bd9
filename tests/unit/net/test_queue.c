/* Packets between two ends: delivery, queueing, back pressure, links, ends that go. */
#include "check_main.h"
#include "net_probe.h"

static Probe *a, *b;

static void pair(void)
{
    a = probe_new("a");
    b = probe_new("b");
    net_plug(&a->client, &b->client);
}

START_TEST(delivers_at_once)
{
    struct iovec iov[] = { { (char *)"he", 2 }, { NULL, 0 }, { (char *)"llo", 3 } };

    pair();
    ck_assert(net_send(&a->client, iov, 3, NULL, NULL));
    ck_assert_str_eq(b->got->str, "|hello");
}
END_TEST

START_TEST(alone_packets_vanish)
{
    Probe *lonely = probe_new("lonely");

    ck_assert(probe_send(lonely, "x"));
    ck_assert(net_can_send(&lonely->client));
    ck_assert_uint_eq(lonely->client.queue->length, 0);
}
END_TEST

START_TEST(a_busy_peer_makes_a_queue)
{
    pair();
    b->room = 1;
    ck_assert(probe_send(a, "1"));
    ck_assert(!net_can_send(&a->client));
    ck_assert(!probe_send(a, "2"));
    ck_assert(!probe_send(a, "3"));
    ck_assert_str_eq(b->got->str, "|1");
    b->room = 1;
    net_flush(&b->client);
    ck_assert_str_eq(b->got->str, "|1|2");
    ck_assert_uint_eq(a->sent, 1);
    b->room = 5;
    ck_assert(!probe_send(a, "4"));             /* behind 3, which still waits */
    net_flush(&b->client);
    ck_assert_str_eq(b->got->str, "|1|2|3|4");
    ck_assert_uint_eq(a->sent, 3);
    ck_assert(net_can_send(&a->client));
}
END_TEST

START_TEST(the_queue_is_bounded)
{
    static char big[NET_MAX_PACKET];
    size_t in_bytes = NET_QUEUE_BYTES / sizeof(big);

    pair();
    b->room = 0;
    for (unsigned i = 0; i < NET_QUEUE_LIMIT; i++) {
        ck_assert(!probe_send(a, "x"));
    }
    ck_assert(probe_send(a, "dropped"));
    ck_assert_uint_eq(a->client.queue->length, NET_QUEUE_LIMIT);
    net_purge(&a->client);
    ck_assert_uint_eq(a->client.queue->length, 0);
    ck_assert_uint_eq(a->client.queue_bytes, 0);
    for (unsigned i = 0; i < in_bytes + 10; i++) {
        net_send_buf(&a->client, big, sizeof(big));
    }
    ck_assert_uint_eq(a->client.queue->length, in_bytes);
    ck_assert_uint_le(a->client.queue_bytes, NET_QUEUE_BYTES);
    ck_assert_uint_eq(a->sent, 0);
}
END_TEST

START_TEST(packets_too_long_are_dropped)
{
    g_autofree char *big = g_malloc0(NET_MAX_PACKET + 1);

    pair();
    net_send_buf(&a->client, big, NET_MAX_PACKET + 1);
    net_send_buf(&a->client, big, 0);
    ck_assert_uint_eq(b->packets, 0);
    net_send_buf(&a->client, big, NET_MAX_PACKET);
    ck_assert_uint_eq(b->packets, 1);
}
END_TEST

/* What comes back while a packet is on its way waits for the main loop. */
START_TEST(nobody_is_entered_twice)
{
    pair();
    b->reply = "pong";
    ck_assert(probe_send(a, "ping"));
    ck_assert_str_eq(b->got->str, "|ping");
    ck_assert_uint_eq(a->packets, 0);
    spin();
    ck_assert_str_eq(a->got->str, "|pong");
}
END_TEST

/* Two ends that answer each other for ever keep the loop busy, not stuck. */
static gboolean leave(gpointer opaque)
{
    *(bool *)opaque = true;
    return G_SOURCE_REMOVE;
}

START_TEST(a_storm_leaves_the_loop_alive)
{
    bool left = false;

    pair();
    g_idle_add_full(G_PRIORITY_DEFAULT, leave, &left, NULL);
    a->reply = b->reply = "again";
    probe_send(a, "go");
    for (unsigned i = 0; i < 1000 && !left; i++) {
        a->reply = b->reply = "again";
        g_main_context_iteration(NULL, FALSE);
    }
    ck_assert(left);
}
END_TEST

START_TEST(links)
{
    GError *error = NULL;

    pair();
    b->room = 0;
    probe_send(a, "waits");
    ck_assert(net_set_link("b", false, NULL));
    ck_assert_uint_eq(a->link_changes, 1);
    ck_assert_uint_eq(b->link_changes, 1);
    spin();                                     /* what waited is lost, and its sender told */
    ck_assert_uint_eq(a->sent, 1);
    ck_assert(probe_send(a, "lost"));
    b->room = 10;
    ck_assert(net_set_link("b", false, NULL));  /* nothing new */
    ck_assert_uint_eq(a->link_changes, 1);
    ck_assert(net_set_link("b", true, NULL));
    probe_send(a, "there");
    ck_assert_str_eq(b->got->str, "|there");
    ck_assert(net_set_link("a", false, NULL));
    probe_send(a, "lost");
    ck_assert_uint_eq(b->packets, 1);
    ck_assert(!net_set_link("c", true, &error));
    ck_assert(g_str_has_prefix(error->message, "Device 'c' not found"));
    g_error_free(error);
}
END_TEST

START_TEST(an_end_that_goes_is_unplugged)
{
    pair();
    b->room = 0;
    probe_send(a, "waits");
    net_client_free(&b->client);
    ck_assert_ptr_null(a->client.peer);
    ck_assert_uint_eq(a->sent, 1);
    ck_assert_uint_eq(a->link_changes, 1);
    ck_assert_uint_eq(a->client.queue->length, 0);
    ck_assert_ptr_null(net_client_find("b"));
    net_client_free(&a->client);
    ck_assert_uint_eq(net_clients()->len, 0);
}
END_TEST

/* A back end under a NIC leaves its name there until the NIC goes. */
START_TEST(a_nic_keeps_the_shell_of_its_back_end)
{
    Device nic = { 0 };
    g_autoptr(GString) text = g_string_new(NULL);

    pair();
    a->client.nic = &nic;
    net_client_set_info(&b->client, "x=1");
    net_client_free(&b->client);
    ck_assert_ptr_nonnull(a->client.peer);
    ck_assert(!nic_link_up(&a->client));
    ck_assert_ptr_null(net_client_find("b"));
    ck_assert(probe_send(a, "lost"));
    net_print(text);
    ck_assert_str_eq(text->str, "a: index=0,type=probe,\n \\ b: index=0,type=probe,x=1\n");
    net_client_free(&a->client);
    ck_assert_uint_eq(net_clients()->len, 0);
}
END_TEST

static const struct { const char *text; bool ok; uint8_t mac[6]; } macs[] = {
    { "52:54:00:12:34:56", true, { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 } },
    { "FA-16-3e-d1-2D-99", true, { 0xfa, 0x16, 0x3e, 0xd1, 0x2d, 0x99 } },
    { "52:54:00:12:34", false, { 0 } },
    { "52:54:00:12:34:5", false, { 0 } },
    { "52:54:00:12:34:56:", false, { 0 } },
    { "52:54-00:12:34:56", false, { 0 } },
    { "52:54:00:12:34:5g", false, { 0 } },
    { "52.54.00.12.34.56", false, { 0 } },
    { "zz", false, { 0 } },
    { "", false, { 0 } },
};

START_TEST(mac_row)
{
    uint8_t mac[6] = { 0 };

    ck_assert_int_eq(mac_parse(macs[_i].text, mac), macs[_i].ok);
    if (macs[_i].ok) {
        ck_assert_mem_eq(mac, macs[_i].mac, 6);
    }
}
END_TEST

CHECK_MAIN("queue", CASE(delivers_at_once), CASE(alone_packets_vanish),
           CASE(a_busy_peer_makes_a_queue), CASE(the_queue_is_bounded),
           CASE(packets_too_long_are_dropped), CASE(nobody_is_entered_twice),
           CASE(a_storm_leaves_the_loop_alive), CASE(links), CASE(an_end_that_goes_is_unplugged),
           CASE(a_nic_keeps_the_shell_of_its_back_end), CASES(mac_row, macs))
