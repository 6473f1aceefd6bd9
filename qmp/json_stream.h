/*
 * A stream of JSON values without separators, cut into messages.
 *
 * A message ends where its brackets balance.  A malformed one is swallowed up to there and reported
 * once; the stream goes on behind it.  Text that is handed to json-c is well-formed already.
 */
#pragma once

#include <json.h>

#include "json_lexer.h"

#define JSON_STREAM_MAX_BYTES   (64 << 20)
#define JSON_STREAM_MAX_TOKENS  (2 << 20)
#define JSON_STREAM_MAX_DEPTH   1024

/*
 * `value` (NULL: JSON's null) is the callee's, who may hand it to another thread: nobody else has a
 * reference.  `error` is borrowed; with one there is no value.
 */
typedef void (*JsonMessageFn)(void *opaque, json_object *value, const GError *error);

typedef struct JsonStream {
    JsonMessageFn message;
    void *opaque;
    JsonLexer lexer;
    GString *text;                      /* the message so far, as strict JSON */
    GByteArray *open;                   /* '{' or '[' of each open container */
    int braces, brackets;               /* opened less closed, mismatches included */
    unsigned n_tokens, n_keys;
    size_t n_bytes;
    unsigned expect;
    GError *error;                      /* the first mistake of this message */
} JsonStream;

void json_stream_init(JsonStream *stream, JsonMessageFn message, void *opaque);
void json_stream_finish(JsonStream *stream);
void json_stream_reset(JsonStream *stream);             /* forgets a message that has begun */
void json_stream_feed(JsonStream *stream, const char *bytes, size_t len);
