#include "json_stream.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "json_string.h"
#include "rhea_error.h"

enum {
    EXPECT_VALUE, EXPECT_VALUE_OR_END, EXPECT_KEY, EXPECT_KEY_OR_END, EXPECT_COLON,
    EXPECT_SEPARATOR,
};

static void forget(JsonStream *stream)
{
    if (stream->text->allocated_len > 64 * 1024) {      /* a huge message does not stay in memory */
        g_string_free(stream->text, TRUE);
        stream->text = g_string_new(NULL);
    }
    g_string_truncate(stream->text, 0);
    g_byte_array_set_size(stream->open, 0);
    g_clear_error(&stream->error);
    stream->braces = stream->brackets = 0;
    stream->n_tokens = stream->n_keys = 0;
    stream->n_bytes = 0;
    stream->expect = EXPECT_VALUE;
}

/* ---- grammar: each token against what may come; what it adds to the text ---- */

static bool in_object(const JsonStream *stream)
{
    return stream->open->len > 0 && stream->open->data[stream->open->len - 1] == '{';
}

static void value_done(JsonStream *stream)
{
    stream->expect = EXPECT_SEPARATOR;
}

static void take_open(JsonStream *stream, JsonToken token)
{
    uint8_t bracket = token;

    g_string_append_c(stream->text, bracket);
    g_byte_array_append(stream->open, &bracket, 1);
    stream->expect = token == '{' ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
}

static void take_close(JsonStream *stream, JsonToken token)
{
    g_string_append_c(stream->text, token);
    g_byte_array_set_size(stream->open, stream->open->len - 1);
    value_done(stream);
}

static bool take_string(JsonStream *stream, const char *text, size_t len)
{
    g_autoptr(GString) plain = g_string_new(NULL);

    if (!json_string_decode(text, len, plain, &stream->error)) {
        return false;
    }
    g_string_append_c(stream->text, '"');
    for (size_t i = 0; i < plain->len; i++) {
        uint8_t c = plain->str[i];

        if (c < 0x20) {
            g_string_append_printf(stream->text, "\\u%04x", c);
            continue;
        }
        if (c == '"' || c == '\\') {
            g_string_append_c(stream->text, '\\');
        }
        g_string_append_c(stream->text, c);
    }
    g_string_append_c(stream->text, '"');
    return true;
}

static bool fits_64_bits(const char *text)
{
    errno = 0;
    if (text[0] == '-') {
        g_ascii_strtoll(text, NULL, 10);
    } else {
        g_ascii_strtoull(text, NULL, 10);
    }
    return errno == 0;
}

/* An integer that no 64-bit type holds becomes a floating-point number, as QMP has it. */
static bool take_number(JsonStream *stream, JsonToken token, const char *text)
{
    bool integer = token == JSON_TOKEN_INTEGER && fits_64_bits(text);

    if (!integer && !isfinite(g_ascii_strtod(text, NULL))) {
        set_error(&stream->error, "JSON parse error, number '%.40s' is out of range", text);
        return false;
    }
    g_string_append(stream->text, integer && g_str_equal(text, "-0") ? "0" : text);
    if (token == JSON_TOKEN_INTEGER && !integer) {
        g_string_append(stream->text, "e0");
    }
    return true;
}

static bool take_keyword(JsonStream *stream, const char *text)
{
    static const char *const keywords[] = { "true", "false", "null", NULL };

    if (!g_strv_contains(keywords, text)) {
        set_error(&stream->error, "JSON parse error, invalid keyword '%s'", text);
        return false;
    }
    g_string_append(stream->text, text);
    return true;
}

static bool take_scalar(JsonStream *stream, JsonToken token, const char *text, size_t len)
{
    switch (token) {
    case JSON_TOKEN_STRING:
        return take_string(stream, text, len);
    case JSON_TOKEN_INTEGER:
    case JSON_TOKEN_FLOAT:
        return take_number(stream, token, text);
    case JSON_TOKEN_KEYWORD:
        return take_keyword(stream, text);
    default:
        set_error(&stream->error, "JSON parse error, expecting value");
        return false;
    }
}

static void expect_value(JsonStream *stream, JsonToken token, const char *text, size_t len)
{
    if (stream->expect == EXPECT_VALUE_OR_END && token == JSON_TOKEN_RBRACKET) {
        take_close(stream, token);
    } else if (token == JSON_TOKEN_LBRACE || token == JSON_TOKEN_LBRACKET) {
        take_open(stream, token);
    } else if (take_scalar(stream, token, text, len)) {
        value_done(stream);
    }
}

static void expect_key(JsonStream *stream, JsonToken token, const char *text, size_t len)
{
    if (stream->expect == EXPECT_KEY_OR_END && token == JSON_TOKEN_RBRACE) {
        take_close(stream, token);
    } else if (token == JSON_TOKEN_LBRACE || token == JSON_TOKEN_LBRACKET) {
        set_error(&stream->error, "JSON parse error, key is not a string in object");
    } else if (take_scalar(stream, token, text, len)) {
        stream->n_keys++;
        stream->expect = EXPECT_COLON;
        if (token != JSON_TOKEN_STRING) {
            set_error(&stream->error, "JSON parse error, key is not a string in object");
        }
    }
}

static void expect_separator(JsonStream *stream, JsonToken token)
{
    bool object = in_object(stream);

    if (token == (object ? JSON_TOKEN_RBRACE : JSON_TOKEN_RBRACKET)) {
        take_close(stream, token);
    } else if (token == JSON_TOKEN_COMMA) {
        g_string_append_c(stream->text, ',');
        stream->expect = object ? EXPECT_KEY : EXPECT_VALUE;
    } else {
        set_error(&stream->error, "JSON parse error, expected separator in %s",
                  object ? "dict" : "list");
    }
}

static void check_token(JsonStream *stream, JsonToken token, const char *text, size_t len)
{
    switch (stream->expect) {
    case EXPECT_VALUE:
    case EXPECT_VALUE_OR_END:
        expect_value(stream, token, text, len);
        break;
    case EXPECT_KEY:
    case EXPECT_KEY_OR_END:
        expect_key(stream, token, text, len);
        break;
    case EXPECT_COLON:
        if (token == JSON_TOKEN_COLON) {
            g_string_append_c(stream->text, ':');
            stream->expect = EXPECT_VALUE;
        } else {
            set_error(&stream->error, "JSON parse error, missing : in object pair");
        }
        break;
    case EXPECT_SEPARATOR:
        expect_separator(stream, token);
        break;
    }
}

/* ---- messages ---- */

static unsigned count_keys(json_object *value)
{
    unsigned n = 0;

    if (json_object_is_type(value, json_type_array)) {
        for (size_t i = 0; i < json_object_array_length(value); i++) {
            n += count_keys(json_object_array_get_idx(value, i));
        }
    } else if (json_object_is_type(value, json_type_object)) {
        json_object_object_foreach(value, key, member) {
            (void)key;
            n += 1 + count_keys(member);
        }
    }
    return n;
}

/* json-c lets the last of several equal keys win; fewer members than keys shows it. */
static json_object *parse_text(JsonStream *stream)
{
    struct json_tokener *tokener = json_tokener_new_ex(JSON_STREAM_MAX_DEPTH + 1);
    json_object *value;

    g_string_append_c(stream->text, '\n');              /* ends a number */
    value = json_tokener_parse_ex(tokener, stream->text->str, stream->text->len);
    if (json_tokener_get_error(tokener) != json_tokener_success) {
        set_error(&stream->error, "JSON parse error, %s",
                  json_tokener_error_desc(json_tokener_get_error(tokener)));
    } else if (count_keys(value) != stream->n_keys) {
        set_error(&stream->error, "JSON parse error, duplicate key");
    }
    json_tokener_free(tokener);
    return value;
}

static void deliver(JsonStream *stream)
{
    json_object *value = stream->error == NULL ? parse_text(stream) : NULL;
    g_autoptr(GError) error = g_steal_pointer(&stream->error);

    forget(stream);
    if (error != NULL) {
        json_object_put(value);
        value = NULL;
    }
    stream->message(stream->opaque, value, error);
}

static void refuse(JsonStream *stream, const char *format, const char *text)
{
    g_clear_error(&stream->error);
    g_set_error(&stream->error, RHEA_ERROR, RHEA_ERROR_GENERIC, format, text);
    deliver(stream);
}

static void count_token(JsonStream *stream, JsonToken token, size_t len)
{
    stream->braces += (token == JSON_TOKEN_LBRACE) - (token == JSON_TOKEN_RBRACE);
    stream->brackets += (token == JSON_TOKEN_LBRACKET) - (token == JSON_TOKEN_RBRACKET);
    stream->n_tokens++;
    stream->n_bytes += len;
}

static void on_token(void *opaque, JsonToken token, const char *text, size_t len)
{
    JsonStream *stream = opaque;

    count_token(stream, token, len);
    if (stream->n_bytes > JSON_STREAM_MAX_BYTES) {
        refuse(stream, "JSON token size limit exceeded%s", "");
    } else if (token == JSON_TOKEN_STRAY) {
        refuse(stream, "JSON parse error, stray '%s'", text);
    } else if (stream->n_tokens > JSON_STREAM_MAX_TOKENS) {
        refuse(stream, "JSON token count limit exceeded%s", "");
    } else if (stream->braces + stream->brackets > JSON_STREAM_MAX_DEPTH) {
        refuse(stream, "JSON nesting depth limit exceeded%s", "");
    } else {
        if (stream->error == NULL) {
            check_token(stream, token, text, len);
        }
        if (stream->braces < 0 || stream->brackets < 0 ||
            (stream->braces == 0 && stream->brackets == 0)) {
            deliver(stream);
        }
    }
}

void json_stream_init(JsonStream *stream, JsonMessageFn message, void *opaque)
{
    *stream = (JsonStream){ .message = message, .opaque = opaque, .text = g_string_new(NULL),
                            .open = g_byte_array_new() };
    json_lexer_init(&stream->lexer, on_token, stream);
}

void json_stream_finish(JsonStream *stream)
{
    json_lexer_finish(&stream->lexer);
    g_string_free(stream->text, TRUE);
    g_byte_array_free(stream->open, TRUE);
    g_clear_error(&stream->error);
}

void json_stream_reset(JsonStream *stream)
{
    json_lexer_reset(&stream->lexer);
    forget(stream);
}

void json_stream_feed(JsonStream *stream, const char *bytes, size_t len)
{
    json_lexer_feed(&stream->lexer, bytes, len);
}
