/* Hubs: everybody but the sender hears; back pressure; loops. */
#include "backend.h"
#include "check_main.h"
#include "net_probe.h"

static Probe *ends[3];

static void hub_of_three(void)
{
    static const char *const names[] = { "x", "y", "z" };

    for (unsigned i = 0; i < 3; i++) {
        ends[i] = probe_new(names[i]);
        net_plug(net_hub_port_new(0, NULL), &ends[i]->client);
    }
}

START_TEST(everybody_else_hears)
{
    hub_of_three();
    ck_assert(probe_send(ends[1], "hello"));
    ck_assert_str_eq(ends[0]->got->str, "|hello");
    ck_assert_str_eq(ends[1]->got->str, "");
    ck_assert_str_eq(ends[2]->got->str, "|hello");
}
END_TEST

START_TEST(all_busy_holds_the_sender)
{
    hub_of_three();
    ends[0]->room = ends[2]->room = 0;
    ck_assert(!net_can_send(&ends[1]->client));
    ck_assert(!probe_send(ends[1], "later"));
    ends[2]->room = 10;
    net_flush(&ends[2]->client);
    ck_assert_str_eq(ends[2]->got->str, "|later");
    ck_assert_uint_eq(ends[1]->sent, 1);
    ck_assert_str_eq(ends[0]->got->str, "");
    ends[0]->room = 10;                         /* it had a copy of its own waiting */
    net_flush(&ends[0]->client);
    ck_assert_str_eq(ends[0]->got->str, "|later");
}
END_TEST

START_TEST(nobody_there)
{
    Probe *only = probe_new("only");

    net_plug(net_hub_port_new(7, NULL), &only->client);
    ck_assert(probe_send(only, "x"));
    ck_assert(net_can_send(&only->client));
}
END_TEST

/* Two hubs joined twice are a ring: it must not take the loop. */
START_TEST(a_ring_leaves_the_loop_alive)
{
    Probe *only = probe_new("only");

    net_plug(net_hub_port_new(0, NULL), net_hub_port_new(1, NULL));
    net_plug(net_hub_port_new(0, NULL), net_hub_port_new(1, NULL));
    net_plug(net_hub_port_new(0, NULL), &only->client);
    probe_send(only, "round");
    for (unsigned i = 0; i < 10; i++) {
        g_main_context_iteration(NULL, FALSE);
    }
    ck_assert_uint_gt(only->packets, 0);
}
END_TEST

START_TEST(listing)
{
    g_autoptr(GString) text = g_string_new(NULL);

    hub_of_three();
    net_client_set_info(&ends[0]->client, "a=1");
    net_client_free(&ends[1]->client);
    net_print(text);
    ck_assert_str_eq(text->str,
                     "hub 0\n"
                     " \\ hub0port2: z: index=0,type=probe,\n"
                     " \\ hub0port1\n"
                     " \\ hub0port0: x: index=0,type=probe,a=1\n");
}
END_TEST

CHECK_MAIN("hub", CASE(everybody_else_hears), CASE(all_busy_holds_the_sender), CASE(nobody_there),
           CASE(a_ring_leaves_the_loop_alive), CASE(listing))
