/*
 * Packets on a byte stream, and rules of the user network.  Reaches: net/frames.c (reader),
 * net/user_rules.c.
 */
#include <string.h>

#include "backend.h"
#include "user_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte says in which pieces the rest arrives. */
static void read_frames(const uint8_t *data, size_t size)
{
    FrameReader reader = { 0 };
    FrameResult result = FRAME_NONE;
    const uint8_t *frame;
    size_t step = data[0] + 1, len, room;
    volatile unsigned sum = 0;              /* what is promised can be read */

    for (size_t at = 1; at < size && result != FRAME_BAD;) {
        uint8_t *to = frame_reader_room(&reader, &room);
        size_t n = MIN(step, size - at);

        g_assert(room >= n);
        memcpy(to, data + at, n);
        frame_reader_added(&reader, n);
        at += n;
        while ((result = frame_reader_next(&reader, &frame, &len)) == FRAME_OK) {
            g_assert(len <= NET_MAX_PACKET);
            sum = sum + (len > 0 ? frame[0] + frame[len - 1] : 0);
        }
    }
    frame_reader_reset(&reader);
}

static void read_rules(const uint8_t *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);
    UserNetText net_text = { .net = text, .ipv6_net = text };
    GuestForward guest;
    HostForward host;
    UserNet net = { 0 };

    host_forward_parse(&host, text, NULL);
    host_forward_parse_removal(&host, text, NULL);
    if (guest_forward_parse(&guest, text, NULL)) {
        g_free(guest.target);
    }
    user_net_parse(&net, &net_text, NULL);
    user_net_parse6(&net, &net_text, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > 0) {
        read_frames(data, size);
        read_rules(data, size);
    }
    return 0;
}
