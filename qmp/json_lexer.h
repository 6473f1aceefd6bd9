/*
 * Bytes of a QMP connection → JSON tokens (RFC 8259), one byte at a time.
 *
 * QMP's own additions: strings may be in single quotes, a backslash may stand before a single
 * quote, and after a byte that starts no token the lexer skips to the next line or to one of
 * {}[],: and goes on.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define JSON_TOKEN_MAX_BYTES (64 << 20)

typedef enum JsonToken {
    JSON_TOKEN_LBRACE = '{', JSON_TOKEN_RBRACE = '}', JSON_TOKEN_LBRACKET = '[',
    JSON_TOKEN_RBRACKET = ']', JSON_TOKEN_COMMA = ',', JSON_TOKEN_COLON = ':',
    JSON_TOKEN_INTEGER = 256, JSON_TOKEN_FLOAT, JSON_TOKEN_STRING, JSON_TOKEN_KEYWORD,
    JSON_TOKEN_STRAY,                   /* bytes that start no token; one error, then skipping */
} JsonToken;

/* `text` is the token as it came (strings with their quotes), ended by a 0 byte. */
typedef void (*JsonTokenFn)(void *opaque, JsonToken token, const char *text, size_t len);

typedef struct JsonLexer {
    JsonTokenFn token;
    void *opaque;
    unsigned state;
    GString *text;                      /* of the token so far */
} JsonLexer;

void json_lexer_init(JsonLexer *lexer, JsonTokenFn token, void *opaque);
void json_lexer_finish(JsonLexer *lexer);
void json_lexer_reset(JsonLexer *lexer);                /* forgets a token that has begun */
void json_lexer_feed(JsonLexer *lexer, const char *bytes, size_t len);
