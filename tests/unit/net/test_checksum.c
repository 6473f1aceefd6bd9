/* Checksums with known answers. */
#include <string.h>

#include "check_main.h"
#include "net.h"

static const struct { const char *bytes; size_t len; uint32_t start; uint16_t sum; } sums[] = {
    { "", 0, 0, 0xffff },
    { "\x00\x01\xf2\x03\xf4\xf5\xf6\xf7", 8, 0, 0x220d },           /* RFC 1071, 3 */
    { "\x00\x01\xf2", 3, 0, 0x0dfe },                               /* odd: as f2 00 */
    { "\xff\xff\xff\xff", 4, 0, 0x0000 },
    { "\x00\x01", 2, 0xfffe, 0x0000 },                              /* goes on from a sum */
    { "\x45\x00\x00\x73\x00\x00\x40\x00\x40\x11\x00\x00\xc0\xa8\x00\x01\xc0\xa8\x00\xc7", 20, 0,
      0xb861 },                                                     /* an IPv4 header */
};

START_TEST(sum_row)
{
    ck_assert_uint_eq(net_checksum(sums[_i].bytes, sums[_i].len, sums[_i].start), sums[_i].sum);
}
END_TEST

/* In pieces, at any even cut. */
START_TEST(sums_add_up)
{
    uint8_t bytes[101];
    uint16_t whole;

    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = i * 37 + 11;
    }
    whole = net_checksum(bytes, sizeof(bytes), 0);
    for (unsigned cut = 0; cut <= 100; cut += 2) {
        uint32_t sum = net_checksum_add(bytes, cut, 0);

        ck_assert_uint_eq(net_checksum(bytes + cut, sizeof(bytes) - cut, sum), whole);
    }
}
END_TEST

START_TEST(crc)
{
    static const uint8_t check[] = "123456789", group[6] = { 0x01, 0x00, 0x5e, 0x00, 0x00, 0x01 };

    /* The little-endian one without its last inversion is CRC-32's check value. */
    ck_assert_uint_eq(net_crc32_le(check, 9) ^ 0xffffffff, 0xcbf43926);
    for (unsigned bit = 0; bit < 32; bit++) {       /* each is the other read backwards */
        ck_assert_uint_eq(net_crc32_be(group, 6) >> bit & 1,
                          net_crc32_le(group, 6) >> (31 - bit) & 1);
    }
}
END_TEST

CHECK_MAIN("checksum", CASES(sum_row, sums), CASE(sums_add_up), CASE(crc))
