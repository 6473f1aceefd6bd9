#include "json_lexer.h"

#include <stdint.h>
#include <string.h>

enum {
    AT_START, IN_STRING, IN_STRING_ESCAPE, IN_APOSTROPHES, IN_APOSTROPHES_ESCAPE, AFTER_MINUS,
    AFTER_ZERO, IN_INTEGER, AFTER_POINT, IN_FRACTION, AFTER_E, AFTER_E_SIGN, IN_EXPONENT,
    IN_KEYWORD, SKIPPING,
    N_STATES,
    TAKE = 64,                          /* the byte belongs to the token, which ends: TAKE + kind */
    STOP = 80,                          /* the token ended before this byte: STOP + kind */
    STRAY = 96,                         /* no token can go on with this byte */
};
enum { KIND_INTEGER, KIND_FLOAT, KIND_STRING, KIND_KEYWORD };

/* Where one state goes on one class of bytes; what no row names is `otherwise`. */
typedef struct Edge { const char *bytes; uint8_t next; } Edge;
typedef struct State { uint8_t otherwise; Edge edges[5]; } State;

#define DIGITS1 "123456789"
#define DIGITS  "0" DIGITS1
#define LETTERS "abcdefghijklmnopqrstuvwxyz"

static const State states[N_STATES] = {
    [AT_START] = { STRAY, { { "\"", IN_STRING }, { "'", IN_APOSTROPHES }, { "-", AFTER_MINUS },
                            { "0", AFTER_ZERO }, { DIGITS1, IN_INTEGER } } },
    [IN_STRING] = { IN_STRING, { { "\\", IN_STRING_ESCAPE }, { "\"", TAKE + KIND_STRING } } },
    [IN_STRING_ESCAPE] = { IN_STRING },
    [IN_APOSTROPHES] = { IN_APOSTROPHES, { { "\\", IN_APOSTROPHES_ESCAPE },
                                           { "'", TAKE + KIND_STRING } } },
    [IN_APOSTROPHES_ESCAPE] = { IN_APOSTROPHES },
    [AFTER_MINUS] = { STRAY, { { "0", AFTER_ZERO }, { DIGITS1, IN_INTEGER } } },
    [AFTER_ZERO] = { STOP + KIND_INTEGER, { { DIGITS, STRAY }, { ".", AFTER_POINT },
                                            { "eE", AFTER_E } } },
    [IN_INTEGER] = { STOP + KIND_INTEGER, { { DIGITS, IN_INTEGER }, { ".", AFTER_POINT },
                                            { "eE", AFTER_E } } },
    [AFTER_POINT] = { STRAY, { { DIGITS, IN_FRACTION } } },
    [IN_FRACTION] = { STOP + KIND_FLOAT, { { DIGITS, IN_FRACTION }, { "eE", AFTER_E } } },
    [AFTER_E] = { STRAY, { { "+-", AFTER_E_SIGN }, { DIGITS, IN_EXPONENT } } },
    [AFTER_E_SIGN] = { STRAY, { { DIGITS, IN_EXPONENT } } },
    [IN_EXPONENT] = { STOP + KIND_FLOAT, { { DIGITS, IN_EXPONENT } } },
    [IN_KEYWORD] = { STOP + KIND_KEYWORD, { { LETTERS, IN_KEYWORD } } },
};

static const JsonToken kinds[] = {
    [KIND_INTEGER] = JSON_TOKEN_INTEGER, [KIND_FLOAT] = JSON_TOKEN_FLOAT,
    [KIND_STRING] = JSON_TOKEN_STRING, [KIND_KEYWORD] = JSON_TOKEN_KEYWORD,
};

static bool byte_in(uint8_t byte, const char *set)
{
    return byte != 0 && strchr(set, byte) != NULL;
}

/* No string holds a raw control character, and 0xfe and 0xff are in no UTF-8 text. */
static bool byte_breaks_string(uint8_t byte)
{
    return byte < 0x20 || byte >= 0xfe;
}

static unsigned next_state(unsigned state, uint8_t byte)
{
    const State *row = &states[state];

    if (state >= IN_STRING && state <= IN_APOSTROPHES_ESCAPE && byte_breaks_string(byte)) {
        return STRAY;
    }
    if (state == AT_START && byte_in(byte, LETTERS)) {
        return IN_KEYWORD;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(row->edges) && row->edges[i].bytes != NULL; i++) {
        if (byte_in(byte, row->edges[i].bytes)) {
            return row->edges[i].next;
        }
    }
    return row->otherwise;
}

static void emit(JsonLexer *lexer, JsonToken token, unsigned state)
{
    lexer->state = state;
    lexer->token(lexer->opaque, token, lexer->text->str, lexer->text->len);
    if (lexer->text->allocated_len > 64 * 1024) {       /* one huge token does not stay in memory */
        g_string_free(lexer->text, TRUE);
        lexer->text = g_string_new(NULL);
    }
    g_string_truncate(lexer->text, 0);
}

/* Bytes between tokens. True: `byte` was dealt with. */
static bool feed_between(JsonLexer *lexer, uint8_t byte)
{
    if (byte_in(byte, "{}[],:")) {
        g_string_append_c(lexer->text, byte);
        emit(lexer, byte, AT_START);
        return true;
    }
    if (lexer->state == SKIPPING) {
        lexer->state = byte == '\n' ? AT_START : SKIPPING;
        return true;
    }
    return byte_in(byte, " \t\r\n");
}

static void feed_byte(JsonLexer *lexer, uint8_t byte)
{
    unsigned next;

    if ((lexer->state == AT_START || lexer->state == SKIPPING) && feed_between(lexer, byte)) {
        return;
    }
    next = next_state(lexer->state, byte);
    if (next >= STOP && next < STRAY) {
        emit(lexer, kinds[next - STOP], AT_START);
        feed_byte(lexer, byte);                         /* once: AT_START never stops at a byte */
        return;
    }
    g_string_append_c(lexer->text, byte);
    if (next == STRAY || lexer->text->len > JSON_TOKEN_MAX_BYTES) {
        emit(lexer, JSON_TOKEN_STRAY, SKIPPING);
    } else if (next >= TAKE) {
        emit(lexer, kinds[next - TAKE], AT_START);
    } else {
        lexer->state = next;
    }
}

void json_lexer_feed(JsonLexer *lexer, const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        feed_byte(lexer, bytes[i]);
    }
}

void json_lexer_init(JsonLexer *lexer, JsonTokenFn token, void *opaque)
{
    *lexer = (JsonLexer){ .token = token, .opaque = opaque, .text = g_string_new(NULL) };
}

void json_lexer_finish(JsonLexer *lexer)
{
    g_string_free(lexer->text, TRUE);
}

void json_lexer_reset(JsonLexer *lexer)
{
    lexer->state = AT_START;
    g_string_truncate(lexer->text, 0);
}
