#include "json_string.h"

#include <stdint.h>
#include <string.h>

#include "rhea_error.h"

static bool is_character(uint32_t c)
{
    return c <= 0x10ffff && (c & 0xfffff800) != 0xd800 && (c < 0xfdd0 || c > 0xfdef) &&
           (c & 0xfffe) != 0xfffe;
}

static void append_character(GString *out, uint32_t c)
{
    if (c == 0) {
        g_string_append_len(out, "\xc0\x80", 2);
    } else {
        g_string_append_unichar(out, c);
    }
}

/*
 * One UTF-8 sequence (RFC 3629; c0 80 is U+0000).  Returns its length, 0 if it is malformed.
 */
static size_t utf8_read(const char *text, size_t avail, uint32_t *c)
{
    static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
    uint8_t first = text[0];
    size_t len = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;

    if (len == 0 || first >= 0xf8 || len > avail) {
        return 0;
    }
    *c = len == 1 ? first : first & (0x7f >> len);
    for (size_t i = 1; i < len; i++) {
        if (((uint8_t)text[i] & 0xc0) != 0x80) {
            return 0;
        }
        *c = *c << 6 | (text[i] & 0x3f);
    }
    if (*c < smallest[len] && !(len == 2 && *c == 0)) {
        return 0;
    }
    return is_character(*c) ? len : 0;
}

/* Four hex digits after "\u". */
static bool read_hex4(const char *text, const char *end, uint32_t *value)
{
    *value = 0;
    for (int i = 0; i < 4; i++) {
        if (text + i >= end || !g_ascii_isxdigit(text[i])) {
            return false;
        }
        *value = *value << 4 | g_ascii_xdigit_value(text[i]);
    }
    return true;
}

/* `*at` is behind "\u"; moves behind the escape, and behind a second one that completes a pair. */
static bool decode_unicode(const char **at, const char *end, GString *out, GError **error)
{
    const char *text = *at;
    uint32_t c, low;

    if (!read_hex4(text, end, &c)) {
        goto invalid;
    }
    *at += 4;
    if ((c & 0xfc00) == 0xd800 && end - *at >= 2 && (*at)[0] == '\\' && (*at)[1] == 'u' &&
        read_hex4(*at + 2, end, &low) && (low & 0xfc00) == 0xdc00) {
        c = 0x10000 + ((c & 0x3ff) << 10 | (low & 0x3ff));
        *at += 6;
    }
    if (!is_character(c)) {
        goto invalid;
    }
    append_character(out, c);
    return true;

invalid:
    /* the closing quote, at `end`, is shown where digits are missing */
    set_error(error, "JSON parse error, \\u%.*s is not a valid Unicode character",
              (int)MIN(4, end + 1 - text), text);
    return false;
}

static bool decode_escape(const char **at, const char *end, GString *out, GError **error)
{
    static const char from[] = "\"'\\/bfnrt", to[] = "\"'\\/\b\f\n\r\t";
    char letter = *(*at)++;
    const char *found = strchr(from, letter);

    if (letter == 'u') {
        return decode_unicode(at, end, out, error);
    }
    if (found == NULL) {
        set_error(error, "JSON parse error, invalid escape sequence in string");
        return false;
    }
    g_string_append_c(out, to[found - from]);
    return true;
}

bool json_string_decode(const char *token, size_t len, GString *out, GError **error)
{
    const char *at = token + 1, *end = token + len - 1;
    uint32_t c;

    while (at < end) {
        size_t n;

        if (*at == '\\') {
            at++;
            if (!decode_escape(&at, end, out, error)) {
                return false;
            }
            continue;
        }
        n = utf8_read(at, end - at, &c);
        if (n == 0) {
            set_error(error, "JSON parse error, invalid UTF-8 sequence in string");
            return false;
        }
        g_string_append_len(out, at, n);
        at += n;
    }
    return true;
}

static void encode_character(GString *out, uint32_t c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = c != 0 && c < 0x80 ? strchr(from, c) : NULL;

    if (found != NULL) {
        g_string_append_c(out, '\\');
        g_string_append_c(out, to[found - from]);
    } else if (c >= 0x20 && c < 0x7f) {
        g_string_append_c(out, c);
    } else if (c < 0x10000) {
        g_string_append_printf(out, "\\u%04X", c);
    } else {
        c -= 0x10000;
        g_string_append_printf(out, "\\u%04X\\u%04X", 0xd800 | c >> 10, 0xdc00 | (c & 0x3ff));
    }
}

void json_string_encode(const char *text, GString *out)
{
    size_t left = strlen(text);

    g_string_append_c(out, '"');
    while (left > 0) {
        uint32_t c;
        size_t n = utf8_read(text, left, &c);

        encode_character(out, n == 0 ? 0xfffd : c);
        text += MAX(n, 1);
        left -= MAX(n, 1);
    }
    g_string_append_c(out, '"');
}
