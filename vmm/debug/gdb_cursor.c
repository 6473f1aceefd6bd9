/* Reading the parts of a packet. */
#include <string.h>

#include "gdb.h"

bool gdb_take(GdbCursor *cursor, const char *text)
{
    size_t len = strlen(text);

    if (gdb_left(cursor) < len || memcmp(cursor->at, text, len) != 0) {
        return false;
    }
    cursor->at += len;
    return true;
}

bool gdb_take_number(GdbCursor *cursor, uint64_t *value)
{
    const char *at = cursor->at;
    uint64_t number = 0;
    int digit;

    for (; at < cursor->end && (digit = g_ascii_xdigit_value(*at)) >= 0; at++) {
        if (number >> 60 != 0) {
            return false;
        }
        number = number << 4 | (unsigned)digit;
    }
    if (at == cursor->at) {
        return false;
    }
    cursor->at = at;
    *value = number;
    return true;
}

bool gdb_take_range(GdbCursor *cursor, uint64_t *addr, uint64_t *len)
{
    GdbCursor ahead = *cursor;

    if (!gdb_take_number(&ahead, addr) || !gdb_take(&ahead, ",") || !gdb_take_number(&ahead, len)) {
        return false;
    }
    *cursor = ahead;
    return true;
}

bool gdb_take_bytes(GdbCursor *cursor, uint8_t *out, size_t len)
{
    if (gdb_left(cursor) / 2 < len) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        int high = g_ascii_xdigit_value(cursor->at[2 * i]);
        int low = g_ascii_xdigit_value(cursor->at[2 * i + 1]);

        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    cursor->at += 2 * len;
    return true;
}
