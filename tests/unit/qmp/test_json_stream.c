/* Bytes → messages: what is accepted, what is refused with which text, where the stream goes on. */
#include "json_stream.h"

#include <stdint.h>
#include <string.h>

#include "check_main.h"
#include "json_text.h"

/* Each message on its own line: its text, or '!' and the error. */
static void collect(void *opaque, json_object *value, const GError *error)
{
    GString *out = opaque;

    if (error != NULL) {
        g_string_append_printf(out, "!%s\n", error->message);
        return;
    }
    json_text_append(out, value, false);
    json_object_put(value);
    g_string_append_c(out, '\n');
}

static char *run_stream(const char *bytes, size_t len, size_t piece)
{
    GString *out = g_string_new(NULL);
    JsonStream stream;

    json_stream_init(&stream, collect, out);
    for (size_t at = 0; at < len; at += piece) {
        json_stream_feed(&stream, bytes + at, MIN(piece, len - at));
    }
    json_stream_finish(&stream);
    return g_string_free(out, FALSE);
}

#define STRAY(text_) "!JSON parse error, stray '" text_ "'\n"
#define EXPECTING_VALUE "!JSON parse error, expecting value\n"

static const struct { const char *in, *out; } rows[] = {
    { "{}", "{}\n" },
    { "{\"a\":1}{\"b\":2}", "{\"a\": 1}\n{\"b\": 2}\n" },
    { "{'a':'b'}", "{\"a\": \"b\"}\n" },
    { " \t\r\n[ ]\n", "[]\n" },
    { "[1,-2,0,-0,3.5,1e3,-1.5E-2]", "[1, -2, 0, 0, 3.5, 1000, -0.014999999999999999]\n" },
    { "[9223372036854775807,-9223372036854775808,18446744073709551615]",
      "[9223372036854775807, -9223372036854775808, 18446744073709551615]\n" },
    { "[18446744073709551616,-9223372036854775809]",
      "[1.8446744073709552e+19, -9.2233720368547758e+18]\n" },
    { "[true,false,null]", "[true, false, null]\n" },
    { "null ", "null\n" }, { "5 ", "5\n" }, { "\"x\"", "\"x\"\n" },
    /* strings */
    { "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\'\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t'\"\n" },
    { "'a\"b'", "\"a\\\"b\"\n" },
    { "\"\\u00e9\xc3\xa9\"", "\"\\u00E9\\u00E9\"\n" },
    { "\"\\ud83d\\ude00\xf0\x9f\x98\x80\"", "\"\\uD83D\\uDE00\\uD83D\\uDE00\"\n" },
    { "\"a\\u0000b\xc0\x80\"", "\"a\\u0000b\\u0000\"\n" },
    { "\"\x7f\"", "\"\\u007F\"\n" },
    { "\"\\x41\"", "!JSON parse error, invalid escape sequence in string\n" },
    { "\"\\u12\"", "!JSON parse error, \\u12\" is not a valid Unicode character\n" },
    { "\"\\u12G4\"", "!JSON parse error, \\u12G4 is not a valid Unicode character\n" },
    { "\"\\ud83d\"", "!JSON parse error, \\ud83d is not a valid Unicode character\n" },
    { "\"\\ud83d\\u0041\"", "!JSON parse error, \\ud83d is not a valid Unicode character\n" },
    { "\"\\ude00\"", "!JSON parse error, \\ude00 is not a valid Unicode character\n" },
    { "\"\\uffff\"", "!JSON parse error, \\uffff is not a valid Unicode character\n" },
    { "\"\xc3\" []", "!JSON parse error, invalid UTF-8 sequence in string\n[]\n" },
    { "\"\xc1\x80\"", "!JSON parse error, invalid UTF-8 sequence in string\n" },
    { "\"\xed\xa0\x80\"", "!JSON parse error, invalid UTF-8 sequence in string\n" },
    { "\"\xf4\x90\x80\x80\"", "!JSON parse error, invalid UTF-8 sequence in string\n" },
    { "\"\xf8\"", "!JSON parse error, invalid UTF-8 sequence in string\n" },
    { "\"\xef\xb7\x90\"", "!JSON parse error, invalid UTF-8 sequence in string\n" },
    /* bytes that start no token, and where the stream goes on */
    { "{\"a\":\"b\xff\"}[]", STRAY("\"b\xff") EXPECTING_VALUE "[]\n" },
    { "\"open\n{}", STRAY("\"open\n") "{}\n" },
    { "%p}", STRAY("%") EXPECTING_VALUE },
    { "\xff\n5 ", STRAY("\xff") "5\n" },
    { "\xff 5 \"x\"", STRAY("\xff") },
    { "01 ", STRAY("01") }, { "-}", STRAY("-}") }, { "1.}", STRAY("1.}") }, { "1e}", STRAY("1e}") },
    { "+5", STRAY("+") }, { "TRUE", STRAY("T") }, { "/**/", STRAY("/") }, { "_", STRAY("_") },
    /* well-formed tokens in the wrong place: one error for the message */
    { "{\"a\":1,}", EXPECTING_VALUE }, { "[1,]", EXPECTING_VALUE }, { "[,1]", EXPECTING_VALUE },
    { "{,}", EXPECTING_VALUE }, { "{\"a\":}", EXPECTING_VALUE }, { "}", EXPECTING_VALUE },
    { "]", EXPECTING_VALUE }, { ":", EXPECTING_VALUE }, { ",", EXPECTING_VALUE },
    { "[}", EXPECTING_VALUE }, { "{]", EXPECTING_VALUE }, { "{\"a\":[}]", EXPECTING_VALUE },
    { "{\"a\" 1}", "!JSON parse error, missing : in object pair\n" },
    { "{\"a\"}", "!JSON parse error, missing : in object pair\n" },
    { "{1:2}", "!JSON parse error, key is not a string in object\n" },
    { "{[]:2}", "!JSON parse error, key is not a string in object\n" },
    { "{\"a\":1 \"b\":2}", "!JSON parse error, expected separator in dict\n" },
    { "{\"a\":1a}", "!JSON parse error, expected separator in dict\n" },
    { "[1 2]", "!JSON parse error, expected separator in list\n" },
    { "[1:2]", "!JSON parse error, expected separator in list\n" },
    { "{a:1}", "!JSON parse error, invalid keyword 'a'\n" },
    { "tru}", "!JSON parse error, invalid keyword 'tru'\n" EXPECTING_VALUE },
    { "{\"a\":1,\"a\":2}", "!JSON parse error, duplicate key\n" },
    { "[{\"a\":{\"b\":1,\"b\":2}}]", "!JSON parse error, duplicate key\n" },
    { "[1e999]", "!JSON parse error, number '1e999' is out of range\n" },
    /* not finished */
    { "{\"a\":1", "" }, { "\"x", "" }, { "tru", "" }, { "12", "" },
};

START_TEST(stream_row)
{
    g_autofree char *whole = run_stream(rows[_i].in, strlen(rows[_i].in), SIZE_MAX / 2);
    g_autofree char *bytewise = run_stream(rows[_i].in, strlen(rows[_i].in), 1);

    ck_assert_str_eq(whole, rows[_i].out);
    ck_assert_str_eq(bytewise, rows[_i].out);
}
END_TEST

START_TEST(nul_byte)
{
    g_autofree char *out = run_stream("\0\n5 ", 4, 4);

    ck_assert_str_eq(out, STRAY("") "5\n");
}
END_TEST

static char *nested(size_t depth, size_t closing)
{
    GString *text = g_string_new(NULL);

    for (size_t i = 0; i < depth; i++) {
        g_string_append_c(text, '[');
    }
    for (size_t i = 0; i < closing; i++) {
        g_string_append_c(text, ']');
    }
    return g_string_free(text, FALSE);
}

START_TEST(deepest_nesting)
{
    g_autofree char *text = nested(JSON_STREAM_MAX_DEPTH, JSON_STREAM_MAX_DEPTH);
    g_autofree char *out = run_stream(text, strlen(text), 4096);

    ck_assert_msg(out[0] == '[', "%s", out);
}
END_TEST

START_TEST(too_deep_nesting)
{
    g_autofree char *text = nested(JSON_STREAM_MAX_DEPTH + 3, 2);
    g_autofree char *out = run_stream(text, strlen(text), 4096);

    ck_assert_str_eq(out, "!JSON nesting depth limit exceeded\n[[]]\n");
}
END_TEST

START_TEST(too_many_tokens)
{
    GString *out = g_string_new(NULL);
    JsonStream stream;

    json_stream_init(&stream, collect, out);
    json_stream_feed(&stream, "[", 1);
    for (int i = 0; i < JSON_STREAM_MAX_TOKENS / 2; i++) {
        json_stream_feed(&stream, "1,", 2);
    }
    ck_assert_str_eq(out->str, "!JSON token count limit exceeded\n");
    json_stream_finish(&stream);
    g_string_free(out, TRUE);
}
END_TEST

START_TEST(too_many_bytes)
{
    static char block[1 << 20];
    GString *out = g_string_new(NULL);
    JsonStream stream;

    memset(block, 'x', sizeof(block));
    json_stream_init(&stream, collect, out);
    json_stream_feed(&stream, "\"", 1);
    for (size_t fed = 0; fed <= JSON_STREAM_MAX_BYTES; fed += sizeof(block)) {
        json_stream_feed(&stream, block, sizeof(block));
    }
    json_stream_feed(&stream, "\n[]", 3);
    ck_assert_str_eq(out->str, "!JSON token size limit exceeded\n[]\n");
    ck_assert_uint_lt(stream.lexer.text->allocated_len, sizeof(block));
    json_stream_finish(&stream);
    g_string_free(out, TRUE);
}
END_TEST

START_TEST(reset_forgets)
{
    GString *out = g_string_new(NULL);
    JsonStream stream;

    json_stream_init(&stream, collect, out);
    json_stream_feed(&stream, "{\"a\":[\"b", 8);
    json_stream_reset(&stream);
    json_stream_feed(&stream, "[]", 2);
    ck_assert_str_eq(out->str, "[]\n");
    json_stream_finish(&stream);
    g_string_free(out, TRUE);
}
END_TEST

CHECK_MAIN("json_stream", CASES(stream_row, rows), CASE(nul_byte), CASE(deepest_nesting),
           CASE(too_deep_nesting), CASE(too_many_tokens), CASE(too_many_bytes), CASE(reset_forgets))
