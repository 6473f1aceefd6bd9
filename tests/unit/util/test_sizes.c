#include <glib.h>

#include "check_main.h"
#include "sizes.h"

static const struct { const char *text; bool ok; uint64_t bytes; } sizes[] = {
    { "512", true, 512 },
    { "64k", true, 64 * 1024 },
    { "64K", true, 64 * 1024 },
    { "1.5G", true, 1610612736 },
    { "0.5k", true, 512 },
    { "0x1000", true, 4096 },
    { "15E", true, UINT64_C(15) << 60 },
    { "16E", false, 0 },                    /* does not fit in 64 bits */
    { "0.5", false, 0 },                    /* half a byte */
    { "", false, 0 },
    { "k", false, 0 },
    { "-1", false, 0 },
    { "1kk", false, 0 },
    { "1.", false, 0 },
    { "0x", false, 0 },
    { "99999999999999999999", false, 0 },
};

START_TEST(parse_size_row)
{
    g_autoptr(GError) error = NULL;
    uint64_t bytes = 0;

    ck_assert_int_eq(parse_size(sizes[_i].text, &bytes, &error), sizes[_i].ok);
    ck_assert_int_eq(error == NULL, sizes[_i].ok);
    if (sizes[_i].ok) {
        ck_assert_uint_eq(bytes, sizes[_i].bytes);
    }
}
END_TEST

START_TEST(unit_applies_without_suffix_only)
{
    uint64_t bytes;

    ck_assert(parse_size_unit("128", MIB, &bytes, NULL));
    ck_assert_uint_eq(bytes, 128 * MIB);
    ck_assert(parse_size_unit("2k", MIB, &bytes, NULL));
    ck_assert_uint_eq(bytes, 2048);
    ck_assert(parse_size_unit("0.5", MIB, &bytes, NULL));
    ck_assert_uint_eq(bytes, MIB / 2);
}
END_TEST

static const struct { const char *text; int64_t min, max; bool ok; int64_t value; } ints[] = {
    { "-5", -10, 10, true, -5 },
    { "0x10", 0, 100, true, 16 },
    { "010", 0, 100, true, 8 },
    { "11", -10, 10, false, 0 },
    { "-11", -10, 10, false, 0 },
    { "5x", 0, 10, false, 0 },
    { "", 0, 10, false, 0 },
};

START_TEST(parse_int_row)
{
    int64_t value = 0;

    ck_assert_int_eq(parse_int(ints[_i].text, ints[_i].min, ints[_i].max, &value, NULL),
                     ints[_i].ok);
    if (ints[_i].ok) {
        ck_assert_int_eq(value, ints[_i].value);
    }
}
END_TEST

static const struct { uint64_t bytes; const char *text; } formats[] = {
    { 0, "0 B" }, { 512, "512 B" }, { 2048, "2 KiB" }, { 1610612736, "1.5 GiB" },
    { UINT64_C(2) << 30, "2 GiB" }, { 1000, "0.977 KiB" },
};

START_TEST(format_size_row)
{
    g_autofree char *text = format_size(formats[_i].bytes);

    ck_assert_str_eq(text, formats[_i].text);
}
END_TEST

CHECK_MAIN("sizes", CASES(parse_size_row, sizes), CASE(unit_applies_without_suffix_only),
           CASES(parse_int_row, ints), CASES(format_size_row, formats))
