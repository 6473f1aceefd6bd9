#include <string.h>

#include "check_main.h"
#include "stream_codec.h"

typedef struct Bytes { const char *data; size_t len; } Bytes;
#define B(text) { text, sizeof(text) - 1 }

/* Feeds `in`, `step` bytes at a time; false once the codec ends the connection. */
static bool feed(StreamCodec *codec, Bytes in, size_t step, StreamDecoded *out)
{
    for (size_t at = 0; at < in.len; at += step) {
        if (!codec->type->decode(codec, (const uint8_t *)in.data + at, MIN(step, in.len - at), out)) {
            return false;
        }
    }
    return true;
}

static void assert_bytes(const GByteArray *got, Bytes expected)
{
    ck_assert_uint_eq(got->len, expected.len);
    ck_assert_int_eq(memcmp(got->data != NULL ? got->data : (guint8 *)"", expected.data, expected.len),
                     0);
}

#define REQUEST \
    "GET /chat HTTP/1.1\r\nHost: example\r\nupgrade: WebSocket\r\n" \
    "Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" \
    "Sec-WebSocket-Protocol: chat, binary\r\nSec-WebSocket-Version: 13\r\n\r\n"
/* RFC 6455 1.3 has this key and its answer */
#define ACCEPTED \
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: binary\r\n\r\n"

static const struct {
    const StreamCodecType *type;
    Bytes in, payload, reply;
    unsigned breaks;
    bool stays;
} streams[] = {
    { &telnet_codec_type, B("plain"), B("plain"), B(""), 0, true },
    { &telnet_codec_type, B("a\xff\xff" "b"), B("a\xff" "b"), B(""), 0, true },
    { &telnet_codec_type, B("a\r\0b\r\n"), B("a\rb\r\n"), B(""), 0, true },
    { &telnet_codec_type, B("\xff\xf3x\xff\xf1y"), B("xy"), B(""), 1, true },
    { &telnet_codec_type, B("\xff\xfd\x01\xff\xfd\x03\xff\xfb\x00z"), B("z"), B(""), 0, true },
    { &telnet_codec_type, B("\xff\xfd\x18\xff\xfb\x1fz"), B("z"), B("\xff\xfc\x18\xff\xfe\x1f"), 0,
      true },
    { &telnet_codec_type, B("\xff\xfa\x1f\x00\xff\xff\x50\xff\xf0z"), B("z"), B(""), 0, true },
    { &websocket_codec_type, B(REQUEST), B(""), B(ACCEPTED), 0, true },
    /* RFC 6455 5.7: a masked "Hello", a fragmented one, an unmasked one */
    { &websocket_codec_type, B(REQUEST "\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), B("Hello"),
      B(ACCEPTED), 0, true },
    { &websocket_codec_type,
      B(REQUEST "\x02\x83\0\0\0\0" "Hel" "\x89\x81\0\0\0\0" "p" "\x80\x82\0\0\0\0" "lo"),
      B("Hello"), B(ACCEPTED "\x8a\x01p"), 0, true },
    { &websocket_codec_type, B(REQUEST "\x81\x05Hello"), B(""), B(ACCEPTED "\x88\x02\x03\xea"), 0,
      false },
    { &websocket_codec_type, B(REQUEST "\x82\xfe\0\x03\0\0\0\0" "abc"), B("abc"), B(ACCEPTED), 0,
      true },
    { &websocket_codec_type, B(REQUEST "\x82\x80\0\0\0\0\x82\x81\0\0\0\0" "a"), B("a"), B(ACCEPTED),
      0, true },
    { &websocket_codec_type, B(REQUEST "\x88\x82\0\0\0\0\x03\xe8"), B(""),
      B(ACCEPTED "\x88\x02\x03\xe8"), 0, false },
    { &websocket_codec_type, B(REQUEST "\x89\xfe\x01\x00\0\0\0\0"), B(""),
      B(ACCEPTED "\x88\x02\x03\xea"), 0, false },                   /* a control frame of 256 */
};

START_TEST(decode_row)
{
    static const size_t steps[] = { 1, 3, 4096 };

    for (size_t i = 0; i < G_N_ELEMENTS(steps); i++) {
        StreamCodec *codec = stream_codec_new(streams[_i].type);
        StreamDecoded out = { g_byte_array_new(), g_byte_array_new(), 0 };

        ck_assert_int_eq(feed(codec, streams[_i].in, steps[i], &out), streams[_i].stays);
        assert_bytes(out.payload, streams[_i].payload);
        assert_bytes(out.reply, streams[_i].reply);
        ck_assert_uint_eq(out.breaks, streams[_i].breaks);
        ck_assert(codec->ready);
        g_byte_array_unref(out.payload);
        g_byte_array_unref(out.reply);
        g_free(codec);
    }
}
END_TEST

static const Bytes refusals[] = {
    B("GET / HTTP/1.1\r\n\r\n"),
    B("POST / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"),
    B("GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 8\r\nSec-WebSocket-Key: x\r\n\r\n"),
    B("\r\n\r\n"),
};

START_TEST(refused_handshake_row)
{
    StreamCodec *codec = stream_codec_new(&websocket_codec_type);
    StreamDecoded out = { g_byte_array_new(), g_byte_array_new(), 0 };

    ck_assert(!feed(codec, refusals[_i], 4096, &out));
    ck_assert(!codec->ready);
    ck_assert_int_eq(memcmp(out.reply->data, "HTTP/1.1 400 ", 13), 0);
    g_byte_array_unref(out.payload);
    g_byte_array_unref(out.reply);
    g_free(codec);
}
END_TEST

START_TEST(an_endless_request_is_refused)
{
    g_autofree char *long_line = g_strnfill(10000, 'a');
    StreamCodec *codec = stream_codec_new(&websocket_codec_type);
    StreamDecoded out = { g_byte_array_new(), g_byte_array_new(), 0 };

    ck_assert(!feed(codec, (Bytes){ long_line, 10000 }, 100, &out));
    g_byte_array_unref(out.payload);
    g_byte_array_unref(out.reply);
    g_free(codec);
}
END_TEST

static const struct { const StreamCodecType *type; size_t len; Bytes head; size_t total; } encoded[] = {
    { &websocket_codec_type, 5, B("\x82\x05"), 7 },
    { &websocket_codec_type, 126, B("\x82\x7e\x00\x7e"), 130 },
    { &websocket_codec_type, 65536, B("\x82\x7f\0\0\0\0\0\x01\0\0"), 65546 },
    { &telnet_codec_type, 5, B("\xff\xff\xff\xff"), 10 },
};

START_TEST(encode_row)
{
    g_autofree char *data = g_strnfill(encoded[_i].len, '\xff');
    g_autoptr(GByteArray) out = g_byte_array_new();

    encoded[_i].type->encode((const uint8_t *)data, encoded[_i].len, out);
    ck_assert_uint_eq(out->len, encoded[_i].total);
    ck_assert_int_eq(memcmp(out->data, encoded[_i].head.data, encoded[_i].head.len), 0);
}
END_TEST

CHECK_MAIN("chardev/stream_codec", CASES(decode_row, streams), CASES(refused_handshake_row, refusals),
           CASE(an_endless_request_is_refused), CASES(encode_row, encoded))
