/* A NIC's end: its name, address and text; packets only while the machine runs. */
#include "check_main.h"
#include "net_probe.h"

typedef struct TestNic {
    Device dev;
    NicConf conf;
    NetClient *nic;
    unsigned packets, links;
    bool up;
} TestNic;

static Vm vm;
static const DeviceType nic_type = { .name = "e1000" };

static ssize_t on_packet(void *opaque, const struct iovec *iov, unsigned niov, size_t len)
{
    ((TestNic *)opaque)->packets++;
    return len;
}

static void on_link(void *opaque, bool up)
{
    ((TestNic *)opaque)->links++;
    ((TestNic *)opaque)->up = up;
}

static const NicOps ops = { .receive = on_packet, .link_changed = on_link };

static void plug(TestNic *nic, const char *id, NetClient *peer)
{
    GError *error = NULL;

    if (vm.subscribers == NULL) {
        vm_core_init(&vm, g_main_context_default(), NULL);
    }
    nic->dev.type = &nic_type;
    nic->dev.id = id;
    nic->dev.vm = &vm;
    nic->conf.peer = peer;
    nic->nic = nic_new(&nic->conf, &nic->dev, &ops, nic, &error);
    ck_assert_msg(nic->nic != NULL, "%s", error ? error->message : "");
}

START_TEST(names_and_addresses)
{
    TestNic nics[4] = { 0 };
    g_autoptr(GString) text = g_string_new(NULL);

    nics[1].conf.mac[0] = 0x02;
    plug(&nics[0], NULL, NULL);
    plug(&nics[1], "net0", NULL);
    plug(&nics[2], NULL, NULL);
    net_print(text);
    ck_assert_str_eq(text->str,
                     "e1000.0: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:56\n"
                     "net0: index=0,type=nic,model=e1000,macaddr=02:00:00:00:00:00\n"
                     "e1000.1: index=0,type=nic,model=e1000,macaddr=52:54:00:12:34:57\n");
    net_client_free(nics[0].nic);
    plug(&nics[3], NULL, NULL);                 /* takes what became free */
    ck_assert_str_eq(nics[3].nic->name, "e1000.0");
    ck_assert_uint_eq(nics[3].conf.mac[5], 0x56);
}
END_TEST

START_TEST(packets_wait_for_the_machine)
{
    Probe *probe = probe_new("probe");
    TestNic nic = { 0 };

    plug(&nic, NULL, &probe->client);
    ck_assert(!probe_send(probe, "waits"));
    ck_assert_uint_eq(nic.packets, 0);
    vm.run_state = RUN_STATE_RUNNING;
    vm_emit(&vm, &(VmEvent){ .kind = VM_EVENT_RESUME });
    ck_assert_uint_eq(nic.packets, 1);
    ck_assert_uint_eq(probe->sent, 1);
    ck_assert(probe_send(probe, "goes"));
    ck_assert_uint_eq(nic.packets, 2);
}
END_TEST

START_TEST(its_link)
{
    Probe *probe = probe_new("probe");
    TestNic alone = { 0 }, nic = { 0 };

    plug(&alone, NULL, NULL);
    ck_assert(!nic_link_up(alone.nic));
    plug(&nic, "n", &probe->client);
    ck_assert(nic_link_up(nic.nic));
    ck_assert(net_set_link("probe", false, NULL));
    ck_assert(nic.links == 1 && !nic.up);
    ck_assert(net_set_link("n", false, NULL));
    ck_assert(net_set_link("probe", true, NULL));
    ck_assert(nic.links == 3 && !nic.up);       /* its own is still down */
    ck_assert(net_set_link("n", true, NULL));
    ck_assert(nic.links == 4 && nic.up);
    net_client_free(&probe->client);
    ck_assert(nic.links == 5 && !nic.up);
    ck_assert_str_eq(nic.conf.peer->name, "probe");
    net_client_free(nic.nic);
    ck_assert_ptr_null(nic.conf.peer);
    ck_assert_ptr_null(net_client_find("probe"));
}
END_TEST

START_TEST(a_peer_in_use)
{
    Probe *probe = probe_new("probe");
    TestNic first = { 0 }, second = { 0 };
    GError *error = NULL;

    plug(&first, NULL, &probe->client);
    second.dev = first.dev;
    second.conf.peer = &probe->client;
    ck_assert_ptr_null(nic_new(&second.conf, &second.dev, &ops, &second, &error));
    ck_assert_str_eq(error->message, "Property 'e1000.netdev' can't take value 'probe', it's in use");
    g_error_free(error);
}
END_TEST

/* No back end of a probe's kind speaks a header: none can be agreed on. */
START_TEST(no_header)
{
    Probe *probe = probe_new("probe");
    NetOffloads can = { .csum = true };
    TestNic nic = { 0 };

    plug(&nic, NULL, &probe->client);
    ck_assert(!net_peer_has_header(nic.nic));
    ck_assert(!net_set_header_len(nic.nic, 12));
    ck_assert(net_set_header_len(nic.nic, 0));
    net_peer_offloads(nic.nic, &can);
    ck_assert(!can.csum && !can.tso4);
}
END_TEST

CHECK_MAIN("nic", CASE(names_and_addresses), CASE(packets_wait_for_the_machine), CASE(its_link),
           CASE(a_peer_in_use), CASE(no_header))
