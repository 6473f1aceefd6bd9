/* Packets on byte streams: any cut of the bytes, lengths nobody sends, peers that stop reading. */
#include <sys/socket.h>
#include <unistd.h>

#include "backend.h"
#include "check_main.h"
#include "net_probe.h"

/* Three packets, fed in pieces of `_i` + 1 bytes. */
START_TEST(any_cut)
{
    static const char bytes[] = "\0\0\0\3abc\0\0\0\0\0\0\0\1z";
    g_autoptr(GString) got = g_string_new(NULL);
    FrameReader reader = { 0 };
    const uint8_t *frame;
    size_t len, room;

    for (size_t at = 0; at < sizeof(bytes) - 1;) {
        size_t n = MIN((size_t)_i + 1, sizeof(bytes) - 1 - at);
        uint8_t *put = frame_reader_room(&reader, &room);

        ck_assert_uint_ge(room, n);
        memcpy(put, bytes + at, n);
        frame_reader_added(&reader, n);
        at += n;
        while (frame_reader_next(&reader, &frame, &len) == FRAME_OK) {
            g_string_append_c(got, '|');
            g_string_append_len(got, (const char *)frame, len);
        }
    }
    ck_assert_str_eq(got->str, "|abc||z");
    frame_reader_reset(&reader);
}
END_TEST

static const struct { uint32_t len; FrameResult result; } lengths[] = {
    { 0, FRAME_OK }, { 1, FRAME_NONE }, { NET_MAX_PACKET, FRAME_NONE },
    { NET_MAX_PACKET + 1, FRAME_BAD }, { 0x80000000, FRAME_BAD }, { UINT32_MAX, FRAME_BAD },
};

START_TEST(length_row)
{
    uint32_t wire = GUINT32_TO_BE(lengths[_i].len);
    FrameReader reader = { 0 };
    const uint8_t *frame;
    size_t len, room;

    memcpy(frame_reader_room(&reader, &room), &wire, 4);
    frame_reader_added(&reader, 4);
    ck_assert_int_eq(frame_reader_next(&reader, &frame, &len), lengths[_i].result);
    frame_reader_reset(&reader);
}
END_TEST

/* ---- a connection ---- */

typedef struct Wire {
    NetClient client;
    FrameLink link;
    bool lost;
} Wire;

static ssize_t wire_receive(NetClient *client, const struct iovec *iov, unsigned niov, size_t len)
{
    return frame_link_send(&((Wire *)client)->link, iov, niov, len);
}

static void wire_close(NetClient *client)
{
    frame_link_finish(&((Wire *)client)->link);
}

static void wire_lost(NetClient *client)
{
    ((Wire *)client)->lost = true;
}

static const NetClientType wire_type = {
    .name = "wire", .size = sizeof(Wire), .receive = wire_receive, .close = wire_close,
};

static Wire *wire;
static Probe *probe;
static int far;

static void connect_wire(void)
{
    int fds[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    wire = (Wire *)net_client_new(&wire_type, "wire", "wire");
    frame_link_init(&wire->link, &wire->client, wire_lost);
    frame_link_open(&wire->link, fds[0]);
    probe = probe_new("probe");
    net_plug(&wire->client, &probe->client);
    far = fds[1];
}

START_TEST(both_ways)
{
    char buf[64];

    connect_wire();
    ck_assert_int_eq(write(far, "\0\0\0\2hi\0\0\0\3you", 13), 13);
    spin();
    ck_assert_str_eq(probe->got->str, "|hi|you");
    ck_assert(probe_send(probe, "back"));
    ck_assert_int_eq(read(far, buf, sizeof(buf)), 8);
    ck_assert_mem_eq(buf, "\0\0\0\4back", 8);
}
END_TEST

/* A guest that takes nothing stops the reading; no bytes are lost. */
START_TEST(a_busy_guest_pauses_the_reading)
{
    char packet[1004] = { 0, 0, 1000 >> 8, 1000 & 255 };
    unsigned written = 0;

    connect_wire();
    probe->room = 0;
    for (unsigned quiet = 0; quiet < 100;) {
        if (write(far, packet, sizeof(packet)) == sizeof(packet)) {
            written++;
            quiet = 0;
        } else {
            quiet++;
            g_main_context_iteration(NULL, FALSE);
        }
    }
    ck_assert(wire->link.paused);
    ck_assert_uint_eq(wire->client.queue->length, 1);
    probe->room = 1u << 30;
    net_flush(&probe->client);
    spin();
    ck_assert_uint_eq(probe->packets, written);
}
END_TEST

/* A peer that does not read stops the guest, and gets every packet whole when it goes on. */
START_TEST(a_busy_peer_pauses_the_guest)
{
    g_autofree char *packet = g_malloc(60000), *buf = g_malloc(1 << 20);
    FrameReader reader = { 0 };
    const uint8_t *frame;
    unsigned got = 0;
    size_t len, room;
    ssize_t n;

    connect_wire();
    memset(packet, 'x', 60000);
    packet[59999] = '\0';
    for (unsigned i = 0; i < 50; i++) {
        net_send_buf(&probe->client, packet, 60000);
    }
    ck_assert_uint_gt(probe->client.queue->length, 0);
    do {
        uint8_t *at = frame_reader_room(&reader, &room);

        n = read(far, at, room);
        frame_reader_added(&reader, MAX(n, 0));
        while (frame_reader_next(&reader, &frame, &len) == FRAME_OK) {
            ck_assert_uint_eq(len, 60000);
            ck_assert_mem_eq(frame, packet, 60000);
            got++;
        }
        spin();
    } while (n > 0);
    ck_assert_uint_eq(got, 50);
    frame_reader_reset(&reader);
}
END_TEST

START_TEST(an_absurd_length_closes_the_connection)
{
    char byte;

    connect_wire();
    ck_assert_int_eq(write(far, "\x7f\0\0\0rest", 8), 8);
    spin();
    ck_assert(wire->lost);
    ck_assert_int_lt(wire->link.fd, 0);
    ck_assert_int_le(read(far, &byte, 1), 0);
    ck_assert(probe_send(probe, "dropped"));
    ck_assert_uint_eq(probe->packets, 0);
}
END_TEST

START_TEST(a_peer_that_leaves)
{
    connect_wire();
    ck_assert_int_eq(write(far, "\0\0\0\2hi\0\0\0\7cut", 13), 13);
    close(far);
    spin();
    ck_assert_str_eq(probe->got->str, "|hi");
    ck_assert(wire->lost);
}
END_TEST

CHECK_MAIN("frames", TIMES(any_cut, 16), CASES(length_row, lengths), CASE(both_ways),
           CASE(a_busy_guest_pauses_the_reading), CASE(a_busy_peer_pauses_the_guest),
           CASE(an_absurd_length_closes_the_connection), CASE(a_peer_that_leaves))
