/* Sizes and numbers as people type them, and as we print them. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

/*
 * "64k", "1.5G", "0x1000", "512" in bytes.  Suffixes B K M G T P E in either case; a number
 * without a suffix counts in `default_unit` bytes (pass 1 for bytes).  False, with an error that
 * says why, for anything else, for a fraction of a byte and for what does not fit 64 bits.
 */
bool parse_size_unit(const char *text, uint64_t default_unit, uint64_t *bytes, GError **error);
bool parse_size(const char *text, uint64_t *bytes, GError **error);

/* Decimal, 0x hexadecimal or 0 octal; the whole of `text`; at most `max`. */
bool parse_uint(const char *text, uint64_t max, uint64_t *value, GError **error);
bool parse_int(const char *text, int64_t min, int64_t max, int64_t *value, GError **error);

/* on|off|yes|no|true|false|y|n */
bool parse_bool(const char *text, bool *value, GError **error);

/* "1 GiB", "512 B", "1.5 MiB": as QEMU prints sizes. New string. */
char *format_size(uint64_t bytes);
