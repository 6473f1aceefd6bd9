#include "check_main.h"
#include "nic_board.h"
#include "virtio_board.h"
#include "virtio_devices.h"
#include "virtio_net.h"

enum { RX = 0, TX = 1, CTRL = 2 };
#define BIT(n_) VIRTIO_BIT(NET_F_##n_)
#define CTRL_BITS (BIT(CTRL_VQ) | BIT(CTRL_RX) | BIT(CTRL_VLAN) | BIT(CTRL_MAC_ADDR) | BIT(STATUS))

/* ---- a wire that speaks the header ---- */

static unsigned wire_header;
static NetOffloads wire_offloads;

static bool wire_has_header(NetClient *client)
{
    return true;
}

static bool wire_set_header(NetClient *client, unsigned len)
{
    wire_header = len;
    return true;
}

static void wire_get_offloads(NetClient *client, NetOffloads *can)
{
    *can = (NetOffloads){ .csum = true, .tso4 = true, .tso6 = true, .ecn = true };
}

static void wire_set_offloads(NetClient *client, const NetOffloads *offloads)
{
    wire_offloads = *offloads;
}

static const NetClientType header_wire_type = {
    .name = "wire", .size = sizeof(Wire), .can_receive = wire_can_receive,
    .receive = wire_receive, .has_header = wire_has_header, .set_header = wire_set_header,
    .get_offloads = wire_get_offloads, .set_offloads = wire_set_offloads,
};

/* ---- the board ---- */

static void board(const NetClientType *type, const char *props)
{
    g_autofree char *all = g_strdup_printf("romfile=,netdev=n0,mac=52:54:00:12:34:56%s%s",
                                           *props ? "," : "", props);

    bare_setup();
    wire_new(type);
    vio_board(&virtio_net_pci_type, all);
}

static void setup(uint64_t features)
{
    board(&wire_type, "");
    vio_start(features, 3);
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static VirtioNet *net(void)
{
    return (VirtioNet *)vio_device();
}

/* Header and frame in one buffer, made available as element `i`. */
static void send_one(unsigned i, const uint8_t *frame, size_t len)
{
    static const uint8_t header[12];

    poke(BUFFER(i), header, sizeof(header));
    poke(BUFFER(i) + 12, frame, len);
    desc(TX, i, BUFFER(i), 12 + len, 0, 0);
    offer(TX, i);
}

static void give_buffers(unsigned count, unsigned size)
{
    for (unsigned i = 0; i < count; i++) {
        desc(RX, i, BUFFER(16 + i), size, D_WRITE, 0);
        offer(RX, i);
    }
    kick(RX);
}

/* ---- features and configuration ---- */

START_TEST(features_follow_the_peer)
{
    board(&wire_type, "");
    ck_assert_uint_eq(vio_offered() & 0xffffff, 0xbf8064);
    ck_assert_uint_eq(rd(VIO_DEVICE, 4), 0x12005452);
    ck_assert_uint_eq(rd(VIO_DEVICE + 4, 2), 0x5634);
    ck_assert_uint_eq(rd(VIO_DEVICE + 6, 2), 1);
    ck_assert_uint_eq(vio_device()->config_len, 8);
}
END_TEST

START_TEST(features_of_a_peer_with_header)
{
    board(&header_wire_type, "host_mtu=1400,speed=1000,duplex=full");
    ck_assert_uint_eq(vio_offered() & 0xffffff, 0xbfbbef);          /* all but UFO */
    ck_assert_uint_eq(vio_offered() >> 63, 1);
    ck_assert_uint_eq(rd(VIO_DEVICE + 8, 2), 1);
    ck_assert_uint_eq(rd(VIO_DEVICE + 10, 2), 1400);
    ck_assert_uint_eq(rd(VIO_DEVICE + 12, 4), 1000);
    ck_assert_uint_eq(rd(VIO_DEVICE + 16, 1), 1);
}
END_TEST

static const struct { const char *prop, *value, *error; } refused[] = {
    { "duplex", "both", "'duplex' must be 'half' or 'full'" },
    { "speed", "-2", "'speed' must be between 0 and INT_MAX" },
    { "rx_queue_size", "100",
      "Invalid rx_queue_size (= 100), must be a power of 2 between 256 and 1024." },
    { "tx_queue_size", "2048",
      "Invalid tx_queue_size (= 2048), must be a power of 2 between 256 and 1024" },
    { "mq", "on", "mq=on: one pair of queues is modelled; leave mq=off" },
};

START_TEST(refused_row)
{
    g_autoptr(GError) error = NULL;
    Device *dev;

    bare_setup();
    wire_new(&wire_type);
    dev = device_new(&vm, &virtio_net_pci_type, NULL);
    ck_assert(device_set(dev, refused[_i].prop, refused[_i].value, NULL));
    ck_assert(device_set(dev, "netdev", "n0", NULL));
    ck_assert(!device_realize(dev, (Bus *)bare_bus, &error));
    ck_assert_str_eq(error->message, refused[_i].error);
    ck_assert_ptr_null(wire->peer);
}
END_TEST

/* ---- transmit ---- */

START_TEST(packets_go_out)
{
    uint8_t frame[100];
    const uint8_t *sent;
    size_t len;

    setup(0);
    make_frame(frame, nic_mac, sizeof(frame));
    send_one(0, frame, 100);
    send_one(1, frame, 60);
    kick(TX);
    wait_used(TX, 2);
    ck_assert_uint_eq(frames->len, 2);
    sent = frame_at(0, &len);
    ck_assert_uint_eq(len, 100);
    ck_assert_int_eq(memcmp(sent, frame, 100), 0);
    frame_at(1, &len);
    ck_assert_uint_eq(len, 60);
    ck_assert_uint_eq(used_len(TX, 0), 0);
    ck_assert_uint_eq(msi_last, 0x42);
}
END_TEST

START_TEST(header_and_packet_may_be_cut_anywhere)
{
    uint8_t frame[100];
    size_t len;

    setup(0);
    make_frame(frame, nic_mac, sizeof(frame));
    poke(BUFFER(0) + 12, frame, 100);
    desc(TX, 0, BUFFER(0), 5, D_NEXT, 1);
    desc(TX, 1, BUFFER(0) + 5, 20, D_NEXT, 2);
    desc(TX, 2, BUFFER(0) + 25, 87, 0, 0);
    offer(TX, 0);
    kick(TX);
    wait_used(TX, 1);
    ck_assert_int_eq(memcmp(frame_at(0, &len), frame, 100), 0);
    ck_assert_uint_eq(len, 100);
}
END_TEST

START_TEST(a_busy_peer_is_waited_for)
{
    uint8_t frame[60];
    size_t len;

    setup(0);
    make_frame(frame, nic_mac, sizeof(frame));
    wire_busy = true;
    for (unsigned i = 0; i < 6; i++) {
        frame[20] = i;
        send_one(i, frame, sizeof(frame));
    }
    kick(TX);
    ck_assert_uint_eq(frames->len, 0);
    ck_assert_uint_eq(used_index(TX), 1);               /* one waits, the others stay */
    wire_busy = false;
    net_flush(wire);
    wait_used(TX, 6);
    ck_assert_uint_eq(frames->len, 6);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(frame_at(i, &len)[20], i);
    }
}
END_TEST

START_TEST(a_reset_forgets_what_waits)
{
    uint8_t frame[60];

    setup(0);
    make_frame(frame, nic_mac, sizeof(frame));
    wire_busy = true;
    send_one(0, frame, sizeof(frame));
    kick(TX);
    wr(VIO_COMMON + 0x14, 0, 1);
    wire_busy = false;
    net_flush(wire);
    ck_assert_uint_eq(frames->len, 0);
    ck_assert(!net()->tx_waiting);
    vio_start(0, 3);
    send_one(0, frame, sizeof(frame));
    kick(TX);
    wait_used(TX, 1);
    ck_assert_uint_eq(frames->len, 1);
}
END_TEST

START_TEST(a_timer_may_collect_packets)
{
    uint8_t frame[60];

    board(&wire_type, "tx=timer");
    vio_start(0, 3);
    make_frame(frame, nic_mac, sizeof(frame));
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    vm_clock_set_manual(&vm, NS_PER_SEC);
    send_one(0, frame, sizeof(frame));
    kick(TX);
    ck_assert_uint_eq(frames->len, 0);
    vm_clock_set_manual(&vm, NS_PER_SEC + 150 * NS_PER_US);
    ck_assert_uint_eq(frames->len, 1);
}
END_TEST

/* ---- receive ---- */

static const struct { uint64_t features; unsigned size, len, n, lens[4]; } received[] = {
    { 0, 2048, 100, 1, { 112 } },
    { 0, 112, 100, 1, { 112 } },
    { 0, 111, 100, 0 },
    { BIT(MRG_RXBUF), 2048, 1514, 1, { 1526 } },
    { BIT(MRG_RXBUF), 256, 600, 3, { 256, 256, 100 } },
    { BIT(MRG_RXBUF), 12, 20, 3, { 12, 12, 8 } },
    { BIT(MRG_RXBUF), 100, 1000, 0 },                   /* not even all eight */
};

START_TEST(received_row)
{
    unsigned at = 0;
    uint8_t frame[1514];

    setup(received[_i].features);
    give_buffers(8, received[_i].size);
    make_frame(frame, nic_mac, sizeof(frame));
    from_wire(frame, received[_i].len);
    ck_assert_uint_eq(used_index(RX), received[_i].n);
    for (unsigned i = 0; i < received[_i].n; i++) {
        unsigned header = i == 0 ? 12 : 0, n = received[_i].lens[i] - header;
        uint8_t got[2048];

        ck_assert_uint_eq(used_len(RX, i), received[_i].lens[i]);
        mem_read(&vm.memory, BUFFER(16 + i) + header, got, n);
        ck_assert_int_eq(memcmp(got, frame + at, n), 0);
        at += n;
    }
    if (received[_i].n > 0) {
        ck_assert_uint_eq(rd(BUFFER(16), 8), 0);
        ck_assert_uint_eq(rd(BUFFER(16) + 10, 2), received[_i].n);
        ck_assert_uint_eq(at, received[_i].len);
        ck_assert_uint_eq(msi_last, 0x41);
    }
}
END_TEST

START_TEST(packets_wait_for_buffers)
{
    uint8_t frame[60];

    setup(VIRTIO_BIT(VIRTIO_F_EVENT_IDX));
    make_frame(frame, nic_mac, sizeof(frame));
    give_buffers(2, 2048);
    for (unsigned i = 0; i < 5; i++) {
        frame[20] = i;
        from_wire(frame, sizeof(frame));
    }
    ck_assert_uint_eq(used_index(RX), 2);
    for (unsigned i = 2; i < 8; i++) {
        desc(RX, i, BUFFER(16 + i), 2048, D_WRITE, 0);
        offer(RX, i);
    }
    kick(RX);
    wait_used(RX, 5);
    ck_assert_uint_eq(peek(BUFFER(20) + 12 + 20, 1), 4);
}
END_TEST

/* ---- the header ---- */

START_TEST(the_header_passes_both_ways)
{
    NetHeader header = { .flags = 1, .gso_type = 1, .hdr_len = 54, .gso_size = 1460,
                         .csum_start = 34, .csum_offset = 16 };
    uint8_t packet[112] = { 0 };
    const uint8_t *sent;
    size_t len;

    board(&header_wire_type, "");
    vio_start(BIT(CSUM) | BIT(GUEST_CSUM) | BIT(GUEST_TSO4) | BIT(CTRL_VQ) |
              BIT(CTRL_GUEST_OFFLOADS), 3);
    ck_assert_uint_eq(wire_header, 12);
    ck_assert(wire_offloads.csum && wire_offloads.tso4 && !wire_offloads.tso6);
    send_one(0, packet, 100);
    poke(BUFFER(0), &header, 10);
    kick(TX);
    wait_used(TX, 1);
    sent = frame_at(0, &len);
    ck_assert_uint_eq(len, 112);
    ck_assert_int_eq(memcmp(sent, &header, 10), 0);
    give_buffers(4, 2048);
    memcpy(packet, &header, sizeof(header));
    make_frame(packet + 12, nic_mac, 100);
    from_wire(packet, sizeof(packet));
    ck_assert_uint_eq(used_len(RX, 0), 112);
    ck_assert_uint_eq(rd(BUFFER(16), 8), 0x002205b400360101);
    wr(VIO_COMMON + 0x14, 0, 1);
    ck_assert_uint_eq(wire_header, 0);
    ck_assert(!wire_offloads.csum);
}
END_TEST

START_TEST(a_driver_without_checksums_has_an_empty_header)
{
    uint8_t packet[100];
    size_t len;

    board(&header_wire_type, "");
    vio_start(0, 3);
    make_frame(packet, nic_mac, sizeof(packet));
    send_one(0, packet, 100);
    poke(BUFFER(0), "\xff\xff\xff\xff\xff\xff\xff\xff", 8);
    kick(TX);
    wait_used(TX, 1);
    ck_assert_uint_eq(frame_at(0, &len)[0], 0);
    ck_assert_uint_eq(len, 112);
}
END_TEST

/* ---- control ---- */

/* Runs one command; its acknowledgement. */
static unsigned control(const void *command, size_t len)
{
    uint16_t before = used_index(CTRL);

    poke(BUFFER(8), command, len);
    poke(BUFFER(9), "\x55", 1);
    desc(CTRL, 0, BUFFER(8), len, D_NEXT, 1);
    desc(CTRL, 1, BUFFER(9), 1, D_WRITE, 0);
    offer(CTRL, 0);
    kick(CTRL);
    wait_used(CTRL, before + 1);
    return peek(BUFFER(9), 1);
}
#define COMMAND(text_) control(text_, sizeof(text_) - 1)

static const struct {
    const char *command;
    unsigned len;
    unsigned status;
    uint8_t frame[18];
    bool passes;
} commands[] = {
    { "\0\0\1", 3, 0, { 0x02, 9, 9, 9, 9, 9 }, true },
    { "\0\0\0", 3, 0, { 0x02, 9, 9, 9, 9, 9 }, false },
    { "\0\0\0", 3, 0, { 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, true },
    { "\0\0\0", 3, 0, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, true },
    { "\0\1\1", 3, 0, { 0x01, 0, 0x5e, 0, 0, 1 }, true },
    { "\0\2\1", 3, 0, { 0x02, 9, 9, 9, 9, 9 }, true },
    { "\0\5\1", 3, 0, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, false },
    { "\0\6\1", 3, 1, { 0 } },
    { "\0\0", 2, 1, { 0 } },
    { "\1\0\1\0\0\0\2\1\1\1\1\1\1\0\0\0\1\0\x5e\0\0\1", 22, 0, { 2, 1, 1, 1, 1, 1 }, true },
    { "\1\0\1\0\0\0\2\1\1\1\1\1\1\0\0\0\1\0\x5e\0\0\1", 22, 0, { 1, 0, 0x5e, 0, 0, 1 }, true },
    { "\1\0\1\0\0\0\2\1\1\1\1\1\1\0\0\0\1\0\x5e\0\0\1", 22, 0, { 1, 0, 0x5e, 0, 0, 2 }, false },
    { "\1\0\1\0\0\0\2\1\1\1\1\1\1\0\0\0\1\0\x5e\0\0", 21, 1, { 0 } },
    { "\1\0\xff\xff\xff\xff\2\1\1\1\1\1", 12, 1, { 0 } },
    { "\1\1\2\7\7\7\7\7", 8, 0, { 2, 7, 7, 7, 7, 7 }, true },
    { "\1\1\2\7\7\7\7", 7, 1, { 0 } },
    { "\2\0\5\0", 4, 0, { 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 5 },
      true },
    { "\2\0\5\0", 4, 0, { 0x52, 0x54, 0, 0x12, 0x34, 0x56, 0, 0, 0, 0, 0, 0, 0x81, 0, 0, 6 },
      false },
    { "\2\0\0\x10", 4, 1, { 0 } },
    { "\3\0", 2, 1, { 0 } },
    { "\4\0\1\0", 4, 1, { 0 } },
    { "\5\0\0\0\0\0\0\0\0\0", 10, 1, { 0 } },
};

START_TEST(command_row)
{
    uint8_t frame[60] = { 0 };

    setup(CTRL_BITS);
    if (_i > 0) {                                       /* not promiscuous */
        ck_assert_uint_eq(COMMAND("\0\0\0"), 0);
    }
    ck_assert_uint_eq(control(commands[_i].command, commands[_i].len), commands[_i].status);
    if (commands[_i].status == 0) {
        give_buffers(4, 2048);
        memcpy(frame, commands[_i].frame, sizeof(commands[_i].frame));
        from_wire(frame, sizeof(frame));
        ck_assert_uint_eq(used_index(RX), commands[_i].passes);
    }
}
END_TEST

static unsigned filter_changes;

static void count_filter_changes(Vm *machine, const VmEvent *event, void *opaque)
{
    filter_changes += event->kind == VM_EVENT_RX_FILTER_CHANGED;
}

START_TEST(a_change_of_the_filter_is_told_until_somebody_looks)
{
    const NetFilterState *filter;
    VirtioNet *net;

    setup(CTRL_BITS);
    filter_changes = 0;
    vm_subscribe(&vm, count_filter_changes, NULL);
    COMMAND("\0\0\0");
    COMMAND("\2\0\5\0");
    COMMAND("\0\6\1");                                  /* no such command */
    ck_assert_uint_eq(filter_changes, 1);
    net = virtio_net_of(DEVICE_CAST(virtio_device_of(vio), VirtioNet)->nic);
    filter = &net->filter;
    ck_assert(!filter->promisc && filter->vlans[0] == 1 << 5);
    COMMAND("\0\1\1");
    COMMAND("\0\1\0");
    ck_assert_uint_eq(filter_changes, 2);
    ck_assert_ptr_null(virtio_net_of(wire));
}
END_TEST

START_TEST(too_many_addresses_let_all_pass)
{
    g_autofree uint8_t *command = g_malloc0(2 + 4 + 6 * 100 + 4);
    uint8_t frame[60];

    setup(CTRL_BITS);
    ck_assert_uint_eq(COMMAND("\0\0\0"), 0);
    command[0] = 1;
    command[2] = 100;
    ck_assert_uint_eq(control(command, 2 + 4 + 600 + 4), 0);
    give_buffers(4, 2048);
    make_frame(frame, (const uint8_t *)"\2\3\4\5\6\7", sizeof(frame));
    from_wire(frame, sizeof(frame));
    ck_assert_uint_eq(used_index(RX), 1);
}
END_TEST

/* ---- link ---- */

START_TEST(the_link_is_in_the_status)
{
    setup(BIT(STATUS));
    msi_count = 0;
    ck_assert(net_set_link(net()->nic->name, false, NULL));
    ck_assert_uint_eq(rd(VIO_DEVICE + 6, 2), 0);
    ck_assert_uint_eq(msi_count, 1);
    ck_assert_uint_eq(msi_last, 0x40);
    ck_assert(net_set_link(net()->nic->name, true, NULL));
    ck_assert_uint_eq(rd(VIO_DEVICE + 6, 2), 1);
}
END_TEST

/* ---- a hostile driver ---- */

START_TEST(a_packet_without_header_stops_the_device)
{
    setup(0);
    desc(TX, 0, BUFFER(0), 11, 0, 0);
    offer(TX, 0);
    kick(TX);
    ck_assert_uint_eq(vio_status() & 64, 64);
    ck_assert_uint_eq(frames->len, 0);
}
END_TEST

START_TEST(buffers_too_small_for_a_header_stop_the_device)
{
    uint8_t frame[60];

    setup(BIT(MRG_RXBUF));
    give_buffers(8, 11);
    make_frame(frame, nic_mac, sizeof(frame));
    from_wire(frame, sizeof(frame));
    ck_assert_uint_eq(vio_status() & 64, 64);
    from_wire(frame, sizeof(frame));
}
END_TEST

static const struct { uint32_t len; uint16_t flags; uint32_t in; } bad_commands[] = {
    { 1, D_NEXT, 1 }, { 0, D_NEXT, 1 }, { 3, 0, 1 }, { 3, D_NEXT, 0 },
};

START_TEST(bad_command_row)
{
    setup(CTRL_BITS);
    desc(CTRL, 0, BUFFER(8), bad_commands[_i].len, bad_commands[_i].flags, 1);
    desc(CTRL, 1, BUFFER(9), bad_commands[_i].in, D_WRITE, 0);
    offer(CTRL, 0);
    kick(CTRL);
    ck_assert_uint_eq(vio_status() & 64, 64);
}
END_TEST

START_TEST(huge_packets_are_dropped)
{
    setup(0);
    for (unsigned i = 0; i < 8; i++) {
        desc(TX, i, 0, 0x800000, i < 7 ? D_NEXT : 0, i + 1);
    }
    offer(TX, 0);
    kick(TX);
    wait_used(TX, 1);
    ck_assert_uint_eq(frames->len, 0);
}
END_TEST

/* ---- saved state ---- */

START_TEST(state_goes_round)
{
    g_autoptr(GByteArray) saved = g_byte_array_new(), again = g_byte_array_new();
    const StateDesc *state = virtio_net_device_type.state;
    uint8_t frame[60];
    size_t pos = 0;

    setup(CTRL_BITS);
    COMMAND("\0\0\0");
    COMMAND("\1\0\1\0\0\0\2\1\1\1\1\1\0\0\0\0");
    COMMAND("\2\0\5\0");
    give_buffers(4, 2048);
    state_save(state, net(), saved);
    wr(VIO_COMMON + 0x14, 0, 1);
    ck_assert(state_load(state, net(), state->version, saved->data, saved->len, &pos, NULL));
    ck_assert_uint_eq(pos, saved->len);
    state_save(state, net(), again);
    ck_assert_uint_eq(again->len, saved->len);
    ck_assert_int_eq(memcmp(again->data, saved->data, saved->len), 0);
    make_frame(frame, (const uint8_t *)"\2\1\1\1\1\2", sizeof(frame));
    from_wire(frame, sizeof(frame));
    ck_assert_uint_eq(used_index(RX), 0);
    frame[5] = 1;
    from_wire(frame, sizeof(frame));
    ck_assert_uint_eq(used_index(RX), 1);
    memcpy(frame + 12, "\x81\0\0\6", 4);
    from_wire(frame, sizeof(frame));
    ck_assert_uint_eq(used_index(RX), 1);
}
END_TEST

START_TEST(damaged_states_are_refused_or_harmless)
{
    const StateDesc *state = virtio_net_device_type.state;
    g_autoptr(GByteArray) saved = g_byte_array_new();

    setup(CTRL_BITS);
    state_save(state, net(), saved);
    for (guint i = 0; i < MIN(saved->len, 1200); i++) {
        size_t pos = 0;

        saved->data[i] ^= 0xff;
        if (!state_load(state, net(), state->version, saved->data, saved->len, &pos, NULL)) {
            devices_reset(&vm);
        }
        saved->data[i] ^= 0xff;
        ck_assert_uint_le(net()->filter.n_macs, NET_MAC_ENTRIES);
    }
}
END_TEST

START_TEST(a_nic_comes_and_goes)
{
    uint8_t frame[60];

    setup(0);
    make_frame(frame, nic_mac, sizeof(frame));
    wire_busy = true;
    send_one(0, frame, sizeof(frame));
    kick(TX);
    give_buffers(4, 2048);
    device_free(vio);
    ck_assert_uint_eq(cfg_in(VIO_DEVFN, 0, 4), 0xffffffff);
    wire_busy = false;
    net_flush(wire);
    from_wire(frame, sizeof(frame));
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}
END_TEST

CHECK_MAIN("hw/virtio_net",
           CASE(features_follow_the_peer), CASE(features_of_a_peer_with_header),
           CASES(refused_row, refused), CASE(packets_go_out),
           CASE(header_and_packet_may_be_cut_anywhere), CASE(a_busy_peer_is_waited_for),
           CASE(a_reset_forgets_what_waits), CASE(a_timer_may_collect_packets),
           CASES(received_row, received), CASE(packets_wait_for_buffers),
           CASE(the_header_passes_both_ways),
           CASE(a_driver_without_checksums_has_an_empty_header), CASES(command_row, commands),
           CASE(a_change_of_the_filter_is_told_until_somebody_looks),
           CASE(too_many_addresses_let_all_pass), CASE(the_link_is_in_the_status),
           CASE(a_packet_without_header_stops_the_device),
           CASE(buffers_too_small_for_a_header_stop_the_device),
           CASES(bad_command_row, bad_commands), CASE(huge_packets_are_dropped),
           CASE(state_goes_round), CASE(damaged_states_are_refused_or_harmless),
           CASE(a_nic_comes_and_goes))
