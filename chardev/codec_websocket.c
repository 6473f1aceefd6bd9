/*
 * WebSocket, RFC 6455, the server's side: the opening handshake, then frames.  Text, binary and
 * continuation frames are one stream of bytes; pings are answered, a close is answered and ends it.
 */
#include <string.h>

#include "stream_codec.h"

#define REQUEST_MAX     4096            /* bytes of the opening request */
#define CONTROL_MAX     125             /* 5.5: payload of a control frame */
#define HEADER_MAX      14              /* 5.2: two bytes, length of eight, mask of four */

enum { OPCODE_CONTINUATION = 0, OPCODE_TEXT = 1, OPCODE_BINARY = 2, OPCODE_CLOSE = 8,
       OPCODE_PING = 9, OPCODE_PONG = 10 };
#define FRAME_FINAL     0x80
#define FRAME_RESERVED  0x70
#define FRAME_OPCODE    0x0f
#define FRAME_MASKED    0x80

typedef struct WebsocketCodec {
    StreamCodec codec;
    /* the handshake */
    char request[REQUEST_MAX + 1];
    size_t request_len;
    /* the frame under way: its header as far as it came, then what is left of its payload */
    uint8_t header[HEADER_MAX];
    unsigned header_len;
    uint64_t left;
    unsigned mask_at;
    uint8_t control[CONTROL_MAX];
    unsigned control_len;
} WebsocketCodec;

static void append_text(GByteArray *out, const char *text)
{
    g_byte_array_append(out, (const uint8_t *)text, strlen(text));
}

/* ---- opening handshake: 4.2 ---- */

/* The value of a header field, stripped; NULL: absent. */
static char *request_field(const char *request, const char *name)
{
    g_auto(GStrv) lines = g_strsplit(request, "\r\n", -1);

    for (char **line = lines + 1; lines[0] != NULL && *line != NULL; line++) {
        char *colon = strchr(*line, ':');

        if (colon != NULL && (size_t)(colon - *line) == strlen(name) &&
            g_ascii_strncasecmp(*line, name, strlen(name)) == 0) {
            return g_strdup(g_strstrip(colon + 1));
        }
    }
    return NULL;
}

/* Is `word` one of a field's values between commas? */
static bool field_has(const char *request, const char *name, const char *word)
{
    g_autofree char *value = request_field(request, name);
    g_auto(GStrv) words = g_strsplit(value != NULL ? value : "", ",", -1);

    for (char **one = words; *one != NULL; one++) {
        if (g_ascii_strcasecmp(g_strstrip(*one), word) == 0) {
            return true;
        }
    }
    return false;
}

/* 4.2.2: SHA-1 of the key and a fixed GUID, in base64. */
static char *accept_key(const char *key)
{
    g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA1);
    uint8_t digest[20];
    gsize len = sizeof(digest);

    g_checksum_update(sum, (const guchar *)key, strlen(key));
    g_checksum_update(sum, (const guchar *)"258EAFA5-E914-47DA-95CA-C5AB0DC85B11", -1);
    g_checksum_get_digest(sum, digest, &len);
    return g_base64_encode(digest, len);
}

static bool refuse(GByteArray *reply, const char *why)
{
    g_autofree char *text =
        g_strdup_printf("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"
                        "Sec-WebSocket-Version: 13\r\nContent-Type: text/plain\r\n"
                        "Content-Length: %zu\r\n\r\n%s\n", strlen(why) + 1, why);

    append_text(reply, text);
    return false;
}

static bool answer(WebsocketCodec *ws, GByteArray *reply)
{
    g_autofree char *key = request_field(ws->request, "Sec-WebSocket-Key");
    g_autofree char *version = request_field(ws->request, "Sec-WebSocket-Version");
    g_autofree char *accept = NULL;

    if (!g_str_has_prefix(ws->request, "GET ") ||
        !field_has(ws->request, "Upgrade", "websocket") ||
        !field_has(ws->request, "Connection", "upgrade")) {
        return refuse(reply, "this port speaks WebSocket only");
    }
    if (key == NULL || g_strcmp0(version, "13") != 0) {
        return refuse(reply, "expected version 13 and a key");
    }
    accept = accept_key(key);
    append_text(reply, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                "Connection: Upgrade\r\nSec-WebSocket-Accept: ");
    append_text(reply, accept);
    if (field_has(ws->request, "Sec-WebSocket-Protocol", "binary")) {
        append_text(reply, "\r\nSec-WebSocket-Protocol: binary");
    }
    append_text(reply, "\r\n\r\n");
    ws->codec.ready = true;
    return true;
}

/* Takes bytes up to the request's empty line; *used says how many. */
static bool take_request(WebsocketCodec *ws, const uint8_t *in, size_t len, size_t *used,
                         GByteArray *reply)
{
    for (*used = 0; *used < len;) {
        if (ws->request_len == REQUEST_MAX) {
            return refuse(reply, "the request is too long");
        }
        ws->request[ws->request_len++] = in[(*used)++];
        ws->request[ws->request_len] = '\0';
        if (ws->request_len >= 4 &&
            memcmp(ws->request + ws->request_len - 4, "\r\n\r\n", 4) == 0) {
            return answer(ws, reply);
        }
    }
    return true;
}

/* ---- frames: 5.2 ---- */

static unsigned header_size(const WebsocketCodec *ws)
{
    unsigned code = ws->header[1] & 0x7f;

    return ws->header_len < 2 ? 2 : 2 + (code == 126 ? 2 : code == 127 ? 8 : 0) + 4;
}

static uint64_t payload_size(const WebsocketCodec *ws)
{
    unsigned code = ws->header[1] & 0x7f, bytes = code == 126 ? 2 : code == 127 ? 8 : 0;
    uint64_t size = bytes == 0 ? code : 0;

    for (unsigned i = 0; i < bytes; i++) {
        size = size << 8 | ws->header[2 + i];
    }
    return size;
}

static bool is_control(const WebsocketCodec *ws)
{
    return (ws->header[0] & 8) != 0;
}

/* 5.1: a client masks; 5.5: a control frame is short and whole. */
static bool header_ok(const WebsocketCodec *ws)
{
    unsigned opcode = ws->header[0] & FRAME_OPCODE;

    return (ws->header[0] & FRAME_RESERVED) == 0 && (ws->header[1] & FRAME_MASKED) != 0 &&
           (opcode <= OPCODE_BINARY || (opcode >= OPCODE_CLOSE && opcode <= OPCODE_PONG)) &&
           (!is_control(ws) || ((ws->header[0] & FRAME_FINAL) != 0 &&
                                (ws->header[1] & 0x7f) <= CONTROL_MAX));
}

static void put_frame(GByteArray *out, unsigned opcode, const uint8_t *payload, size_t len)
{
    uint8_t header[10] = { FRAME_FINAL | opcode };
    unsigned size = 2;

    if (len < 126) {
        header[1] = len;
    } else if (len <= UINT16_MAX) {
        header[1] = 126;
        header[2] = len >> 8;
        header[3] = len;
        size = 4;
    } else {
        header[1] = 127;
        for (unsigned i = 0; i < 8; i++) {
            header[2 + i] = (uint64_t)len >> (56 - 8 * i);
        }
        size = 10;
    }
    g_byte_array_append(out, header, size);
    g_byte_array_append(out, payload, len);
}

/* A frame is complete. False: it was the peer's good-bye. */
static bool end_frame(WebsocketCodec *ws, GByteArray *reply)
{
    unsigned opcode = ws->header[0] & FRAME_OPCODE;

    if (opcode == OPCODE_PING) {
        put_frame(reply, OPCODE_PONG, ws->control, ws->control_len);
    } else if (opcode == OPCODE_CLOSE) {
        put_frame(reply, OPCODE_CLOSE, ws->control, MIN(ws->control_len, 2));
    }
    ws->header_len = 0;
    return opcode != OPCODE_CLOSE;
}

static bool begin_payload(WebsocketCodec *ws, GByteArray *reply)
{
    if (!header_ok(ws)) {
        static const uint8_t protocol_error[] = { 1002 >> 8, 1002 & 0xff };

        put_frame(reply, OPCODE_CLOSE, protocol_error, sizeof(protocol_error));
        return false;
    }
    ws->left = payload_size(ws);
    ws->mask_at = 0;
    ws->control_len = 0;
    return ws->left > 0 || end_frame(ws, reply);
}

static bool take_byte(WebsocketCodec *ws, uint8_t byte, StreamDecoded *out)
{
    if (ws->header_len < header_size(ws)) {
        ws->header[ws->header_len++] = byte;
        return ws->header_len < header_size(ws) || begin_payload(ws, out->reply);
    }
    byte ^= ws->header[header_size(ws) - 4 + ws->mask_at++ % 4];
    if (is_control(ws)) {
        ws->control[ws->control_len++] = byte;
    } else {
        g_byte_array_append(out->payload, &byte, 1);
    }
    return --ws->left > 0 || end_frame(ws, out->reply);
}

static bool websocket_decode(StreamCodec *codec, const uint8_t *in, size_t len, StreamDecoded *out)
{
    WebsocketCodec *ws = (WebsocketCodec *)codec;
    size_t at = 0;

    if (!codec->ready && !take_request(ws, in, len, &at, out->reply)) {
        return false;
    }
    for (; at < len; at++) {
        if (!take_byte(ws, in[at], out)) {
            return false;
        }
    }
    return true;
}

static void websocket_encode(const uint8_t *in, size_t len, GByteArray *out)
{
    put_frame(out, OPCODE_BINARY, in, len);
}

const StreamCodecType websocket_codec_type = {
    .name = "websocket", .size = sizeof(WebsocketCodec),
    .decode = websocket_decode, .encode = websocket_encode,
};
