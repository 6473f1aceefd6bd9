/*
 * What stands between a stream socket's bytes and its front end's: telnet and WebSocket.
 *
 * A codec belongs to one connection.  Nothing it keeps grows with what the peer sends.  decode()
 * runs on the main thread; encode() has no state and runs on any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct StreamCodec StreamCodec;

/* What came out of some bytes of the peer; the caller owns the arrays. */
typedef struct StreamDecoded {
    GByteArray *payload;                /* for the front end; never more than went in */
    GByteArray *reply;                  /* for the peer, before anything else */
    unsigned breaks;                    /* times the peer sent a line break */
} StreamDecoded;

typedef struct StreamCodecType {
    const char *name;                   /* "telnet": the option that asks for it */
    size_t size;
    void (*greet)(GByteArray *out);     /* what a server says first; NULL: it waits for the peer */
    /* False: the peer broke the protocol or said good-bye; send the reply and hang up. */
    bool (*decode)(StreamCodec *codec, const uint8_t *in, size_t len, StreamDecoded *out);
    void (*encode)(const uint8_t *in, size_t len, GByteArray *out);
} StreamCodecType;

struct StreamCodec {
    const StreamCodecType *type;
    bool ready;                         /* payload may flow */
};

extern const StreamCodecType telnet_codec_type;         /* RFC 854, 855, 856, 857, 858 */
extern const StreamCodecType websocket_codec_type;      /* RFC 6455, server side */

static inline StreamCodec *stream_codec_new(const StreamCodecType *type)
{
    StreamCodec *codec = g_malloc0(type->size);

    codec->type = type;
    return codec;
}
