/* Viewers coming, staying and going. */
#include <stdio.h>

#include "check_main.h"
#include "vnc_board.h"

/* ---- login ---- */

static const struct {
    const char *version;
    unsigned minor;                     /* what is spoken from then on; 0: refused */
    bool password, right, trusted;
} logins[] = {
    { "RFB 003.008\n", 8, false, false, false },
    { "RFB 003.007\n", 7, false, false, false },
    { "RFB 003.003\n", 3, false, false, false },
    { "RFB 003.005\n", 3, false, false, false },
    { "RFB 003.889\n", 3, false, false, false },
    { "RFB 004.001\n", 0, false, false, false },
    { "GET / HTTP/1", 0, false, false, false },
    { "RFB 003.008\n", 8, true, true, false },
    { "RFB 003.007\n", 7, true, true, false },
    { "RFB 003.003\n", 3, true, true, false },
    { "RFB 003.008\n", 8, true, false, false },
    { "RFB 003.007\n", 7, true, false, false },
    { "RFB 003.003\n", 3, true, false, false },
    { "RFB 003.008\n", 8, true, false, true },
};

static void answer_challenge(RfbClient *client, bool right)
{
    uint8_t challenge[16];

    rfb_read(client, challenge, sizeof(challenge));
    for (unsigned i = 0; i < sizeof(challenge); i++) {
        challenge[i] += right ? 1 : 2;
    }
    rfb_write(client, challenge, sizeof(challenge));
}

static void check_refusal(RfbClient *client, unsigned minor)
{
    char reason[64] = "";
    uint8_t more;

    ck_assert_uint_eq(rfb_read32(client), 1);
    if (minor >= 8) {
        uint32_t len = rfb_read32(client);

        ck_assert_uint_lt(len, sizeof(reason));
        rfb_read(client, reason, len);
        ck_assert_str_eq(reason, "Authentication failed");
    }
    ck_assert(!rfb_try_read(client, &more, 1));
}

START_TEST(login_row)
{
    bool asks = logins[_i].password && !logins[_i].trusted;
    unsigned minor = logins[_i].minor;
    RfbClient *client;
    uint8_t more;

    setup(64, 32, &(VncScreenConfig){ .need_password = logins[_i].password });
    client = rfb_client_new(board_socket(false, logins[_i].trusted));
    rfb_version(client, logins[_i].version);
    if (minor == 0) {
        ck_assert(!rfb_try_read(client, &more, 1));
    } else {
        if (minor == 3) {
            ck_assert_uint_eq(rfb_read32(client), asks ? 2 : 1);
        } else {
            rfb_security(client, asks ? 2 : 1);
        }
        if (asks) {
            answer_challenge(client, logins[_i].right);
        }
        if (asks && !logins[_i].right) {
            check_refusal(client, minor);
        } else {
            ck_assert(!(asks || minor == 8) || rfb_read32(client) == 0);
            rfb_init(client, true);
            ck_assert_uint_eq(client->width, 64);
            ck_assert_uint_eq(vnc_initialized, 1);
        }
    }
    ck_assert(vnc_initialized == 1 || vnc_screen_viewers(vnc) <= 1);
    rfb_client_free(client);
    AWAIT(vnc_screen_viewers(vnc) == 0);
    ck_assert_uint_eq(vnc_gone, 1);
    board_done();
}
END_TEST

static const struct { uint8_t bytes[4]; unsigned len; } rubbish[] = {
    { { 1 }, 1 }, { { 7 }, 1 }, { { 8, 2, 0, 0 }, 4 }, { { 250, 0, 1, 2 }, 4 },
    { { 255, 1, 0, 0 }, 4 },
    { { 252 }, 1 }, { { 15, 2, 0, 0 }, 4 },
};

START_TEST(rubbish_row)
{
    RfbClient *client;
    uint8_t more;

    setup(320, 200, NULL);
    client = board_viewer();
    rfb_write(client, rubbish[_i].bytes, rubbish[_i].len);
    ck_assert(!rfb_try_read(client, &more, 1));
    rfb_client_free(client);
    board_done();
}
END_TEST

/* ---- several viewers ---- */

static const struct {
    VncShare share;
    bool first, second;                 /* shared? */
    bool first_stays, second_comes;
} shares[] = {
    { VNC_SHARE_ALLOW_EXCLUSIVE, true, true, true, true },
    { VNC_SHARE_ALLOW_EXCLUSIVE, true, false, false, true },
    { VNC_SHARE_ALLOW_EXCLUSIVE, false, true, true, false },
    { VNC_SHARE_ALLOW_EXCLUSIVE, false, false, false, true },
    { VNC_SHARE_FORCE_SHARED, true, true, true, true },
    { VNC_SHARE_FORCE_SHARED, true, false, true, false },
    { VNC_SHARE_IGNORE, false, false, true, true },
    { VNC_SHARE_IGNORE, true, false, true, true },
};

/* Whether the server answers; false: it hung up. */
static bool answers(RfbClient *client)
{
    uint8_t byte;
    bool ok;

    if (send(client->fd, (uint8_t[]){ 3, 0, 0, 0, 0, 0, 0, 1, 0, 1 }, 10, MSG_NOSIGNAL) != 10) {
        return false;
    }
    ok = rfb_try_read(client, &byte, 1);
    return ok;
}

START_TEST(share_row)
{
    RfbClient *first, *second;
    uint8_t flag = shares[_i].second, init[24];

    setup(64, 64, &(VncScreenConfig){ .share = shares[_i].share });
    first = rfb_connect(board_socket(false, false), shares[_i].first);
    second = rfb_client_new(board_socket(false, false));
    rfb_version(second, "RFB 003.008\n");
    rfb_security(second, 1);
    ck_assert_uint_eq(rfb_read32(second), 0);
    rfb_write(second, &flag, 1);
    ck_assert_int_eq(rfb_try_read(second, init, sizeof(init)), shares[_i].second_comes);
    ck_assert_int_eq(answers(first), shares[_i].first_stays);
    rfb_client_free(first);
    rfb_client_free(second);
    AWAIT(vnc_screen_viewers(vnc) == 0);
    ck_assert_uint_eq(vnc_gone, 2);
    board_done();
}
END_TEST

START_TEST(one_more_than_the_limit)
{
    RfbClient *in, *idle;
    uint8_t more, version[12];
    int pair[2];

    setup(64, 64, &(VncScreenConfig){ .viewers_max = 2 });
    in = board_viewer();
    idle = rfb_client_new(board_socket(false, false));      /* never logs in: it makes way */
    rfb_read(idle, version, 12);
    rfb_client_free(board_viewer());
    ck_assert(!rfb_try_read(idle, &more, 1));
    AWAIT(vnc_screen_viewers(vnc) == 1);
    rfb_client_free(idle);
    idle = board_viewer();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    ck_assert_ptr_null(vnc_screen_add(vnc, pair[0], false, false, NULL));
    ck_assert_int_eq(read(pair[1], &more, 1), 0);
    close(pair[1]);
    ck_assert(answers(in));
    rfb_client_free(in);
    rfb_client_free(idle);
    board_done();
}
END_TEST

static const int32_t encodings[] = { RFB_RAW, RFB_HEXTILE, RFB_ZLIB, RFB_TIGHT, RFB_ZRLE };

static size_t memory_kb(void)
{
    g_autofree char *text = NULL;
    unsigned long total, resident;

    g_file_get_contents("/proc/self/statm", &text, NULL, NULL);
    ck_assert_int_eq(sscanf(text, "%lu %lu", &total, &resident), 2);
    return resident * sysconf(_SC_PAGESIZE) / 1024;
}

static bool is_near(size_t now_kb, size_t before_kb)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)       /* they keep what is freed */
    return true;
#else
    return now_kb < before_kb + 16 * 1024;
#endif
}

/*
 * A viewer that asks for everything and reads nothing: another sees every picture, the memory does
 * not grow, and when it reads again it ends with the screen as it is then.
 */
START_TEST(viewer_that_stops)
{
    RfbClient *asleep, *awake;
    size_t before = 0;

    setup(400, 300, NULL);
    asleep = board_viewer();
    awake = board_viewer();
    RFB_SET_ENCODINGS(asleep, encodings[_i], RFB_SIZE);
    RFB_SET_ENCODINGS(awake, RFB_HEXTILE, RFB_SIZE);
    rfb_ask(asleep, false);
    rfb_ask(awake, false);
    rfb_await_pixels(awake);
    for (unsigned i = 0; i < 40; i++) {
        screen->width = 400 + i % 3;
        console_refresh(screen->console);
        fake_draw(screen, NOISE, i);
        rfb_ask(asleep, false);
        await_picture(awake);
        if (i == 20) {
            before = memory_kb();
        }
    }
    ck_assert(is_near(memory_kb(), before));
    while (!same_picture(asleep)) {
        rfb_ask(asleep, true);
        rfb_update(asleep);
    }
    rfb_client_free(asleep);
    rfb_client_free(awake);
    board_done();
}
END_TEST

/* The server ends while a viewer's thread waits in a write. */
START_TEST(end_with_a_stopped_viewer)
{
    RfbClient *client;

    setup(1600, 1200, NULL);
    fake_draw(screen, NOISE, 0);
    client = board_viewer();
    rfb_ask(client, false);
    rfb_read8(client);                          /* it writes */
    vnc_screen_free(vnc);
    ck_assert_uint_eq(vnc_gone, 1);
    rfb_client_free(client);
    machine_unlock();
}
END_TEST

START_TEST(end_while_logging_in)
{
    int fds[3];

    setup(64, 64, &(VncScreenConfig){ .need_password = true });
    for (unsigned i = 0; i < 3; i++) {
        fds[i] = board_socket(i == 2, false);
    }
    vnc_screen_free(vnc);
    ck_assert_uint_eq(vnc_gone, 3);
    for (unsigned i = 0; i < 3; i++) {
        close(fds[i]);
    }
    machine_unlock();
}
END_TEST

/* ---- browsers ---- */

static void ws_send(RfbClient *client, const void *payload, unsigned len)
{
    uint8_t frame[64] = { 0x82, 0x80 | len, 1, 2, 3, 4 };

    for (unsigned i = 0; i < len; i++) {
        frame[6 + i] = ((const uint8_t *)payload)[i] ^ frame[2 + i % 4];
    }
    rfb_write(client, frame, 6 + len);
}

/* A frame of exactly that many bytes, or several. */
static void ws_read(RfbClient *client, uint8_t *payload, unsigned len)
{
    static unsigned left;                       /* of the frame under way */

    for (unsigned at = 0; at < len; left--, at++) {
        if (left == 0) {
            ck_assert_uint_eq(rfb_read8(client), 0x82);
            left = rfb_read8(client);
            ck_assert_uint_lt(left, 126);
        }
        rfb_read(client, payload + at, 1);
    }
}

START_TEST(viewer_in_a_browser)
{
    static const char request[] = "GET /websockify HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                                  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                  "Sec-WebSocket-Protocol: binary\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    uint8_t line[4] = { 0 }, version[12], bytes[24];
    RfbClient *client;

    setup(200, 100, NULL);
    client = rfb_client_new(board_socket(true, false));
    rfb_write(client, request, strlen(request));
    while (memcmp(line, "\r\n\r\n", 4) != 0) {
        memmove(line, line + 1, 3);
        line[3] = rfb_read8(client);
    }
    ws_read(client, version, 12);
    ck_assert_mem_eq(version, "RFB 003.008\n", 12);
    ws_send(client, version, 12);
    ws_read(client, bytes, 2);
    ws_send(client, "\1", 1);
    ws_read(client, bytes, 4);
    ws_send(client, "\1", 1);
    ws_read(client, bytes, sizeof(bytes));
    ck_assert_uint_eq(get_be16(bytes), 200);
    ck_assert_uint_eq(get_be16(bytes + 2), 100);
    rfb_client_free(client);
    AWAIT(vnc_screen_viewers(vnc) == 0);
    board_done();
}
END_TEST

CHECK_MAIN("vnc_viewer", CASES(login_row, logins), CASES(rubbish_row, rubbish),
           CASES(share_row, shares), CASE(one_more_than_the_limit),
           CASES(viewer_that_stops, encodings), CASE(end_with_a_stopped_viewer),
           CASE(end_while_logging_in), CASE(viewer_in_a_browser))
