#include "sizes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rhea_error.h"

static const char suffixes[] = "BKMGTPE";

static bool fail_size(const char *text, GError **error)
{
    set_error(error, "'%s' is not a size: expected a number with an optional suffix "
              "B, K, M, G, T, P or E", text);
    return false;
}

/* "0x…" sizes are plain byte counts, as suffix letters could be hex digits. */
static bool parse_hex_size(const char *text, uint64_t *bytes, GError **error)
{
    char *end;

    errno = 0;
    *bytes = g_ascii_strtoull(text, &end, 16);
    if (*end != '\0' || end == text + 2 || errno != 0) {
        return fail_size(text, error);
    }
    return true;
}

/* "1.5": units and millionths of a unit, so that no rounding creeps in. */
static bool parse_decimal(const char *text, uint64_t *whole, uint64_t *fraction, uint64_t *scale,
                          const char **end)
{
    char *stop;

    if (!g_ascii_isdigit(*text)) {
        return false;
    }
    errno = 0;
    *whole = g_ascii_strtoull(text, &stop, 10);
    *fraction = 0;
    *scale = 1;
    if (errno != 0) {
        return false;
    }
    if (*stop == '.') {
        stop++;
        if (!g_ascii_isdigit(*stop)) {
            return false;
        }
        for (; g_ascii_isdigit(*stop); stop++) {
            if (*scale < 1000000000) {
                *fraction = *fraction * 10 + (*stop - '0');
                *scale *= 10;
            }
        }
    }
    *end = stop;
    return true;
}

bool parse_size_unit(const char *text, uint64_t default_unit, uint64_t *bytes, GError **error)
{
    uint64_t whole, fraction, scale, unit = default_unit;
    unsigned __int128 total, part;
    const char *end;

    if (g_ascii_strncasecmp(text, "0x", 2) == 0) {
        return parse_hex_size(text, bytes, error);
    }
    if (!parse_decimal(text, &whole, &fraction, &scale, &end)) {
        return fail_size(text, error);
    }
    if (*end != '\0') {
        const char *suffix = strchr(suffixes, g_ascii_toupper(*end));

        if (suffix == NULL || end[1] != '\0') {
            return fail_size(text, error);
        }
        unit = UINT64_C(1) << (10 * (suffix - suffixes));
    }
    part = (unsigned __int128)fraction * unit;
    if (unit == 1 && fraction != 0) {
        set_error(error, "'%s' is not a whole number of bytes", text);
        return false;
    }
    total = (unsigned __int128)whole * unit + part / scale;
    if (total > UINT64_MAX) {
        set_error(error, "size '%s' does not fit in 64 bits", text);
        return false;
    }
    *bytes = total;
    return true;
}

bool parse_size(const char *text, uint64_t *bytes, GError **error)
{
    return parse_size_unit(text, 1, bytes, error);
}

bool parse_uint(const char *text, uint64_t max, uint64_t *value, GError **error)
{
    char *end;

    errno = 0;
    *value = g_ascii_strtoull(text, &end, 0);
    if (!g_ascii_isdigit(*text) || *end != '\0') {
        set_error(error, "'%s' is not a number", text);
        return false;
    }
    if (errno != 0 || *value > max) {
        set_error(error, "'%s' is out of range: at most %" G_GUINT64_FORMAT, text, max);
        return false;
    }
    return true;
}

bool parse_int(const char *text, int64_t min, int64_t max, int64_t *value, GError **error)
{
    const char *digits = text + (*text == '-' || *text == '+');
    char *end;

    errno = 0;
    *value = g_ascii_strtoll(text, &end, 0);
    if (!g_ascii_isdigit(*digits) || *end != '\0') {
        set_error(error, "'%s' is not a number", text);
        return false;
    }
    if (errno != 0 || *value < min || *value > max) {
        set_error(error, "'%s' is out of range: %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT, text,
                  min, max);
        return false;
    }
    return true;
}

bool parse_bool(const char *text, bool *value, GError **error)
{
    static const char *const yes[] = { "on", "yes", "true", "y", NULL };
    static const char *const no[] = { "off", "no", "false", "n", NULL };

    if (g_strv_contains(yes, text)) {
        *value = true;
    } else if (g_strv_contains(no, text)) {
        *value = false;
    } else {
        set_error(error, "'%s' is neither 'on' nor 'off'", text);
        return false;
    }
    return true;
}

char *format_size(uint64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double value = bytes;
    unsigned n = 0;

    while (value >= 1000 && n + 1 < G_N_ELEMENTS(units)) {  /* QEMU: three digits at most */
        value /= 1024;
        n++;
    }
    return g_strdup_printf("%0.3g %s", value, units[n]);
}
