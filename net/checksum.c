/* Internet checksums (RFC 1071) and the CRC-32 of Ethernet (IEEE 802.3, 3.2.9). */
#include <string.h>

#include "net.h"

/* Sums 16-bit words in network order; an odd last byte counts as the high half of a word. */
uint32_t net_checksum_add(const void *buf, size_t len, uint32_t sum)
{
    const uint8_t *p = buf;
    uint64_t wide = sum, native = 0;
    uint32_t word;

    /* In host order, 32 bits at a time: the sum as a whole is swapped at the end (RFC 1071, 2). */
    for (; len >= 4; p += 4, len -= 4) {
        memcpy(&word, p, 4);
        native += word;
    }
    if (len >= 2) {
        native += (uint32_t)(p[0] | p[1] << 8);
        p += 2;
        len -= 2;
    }
    if (len > 0) {
        native += p[0];
    }
    while (native >> 16 != 0) {
        native = (native & 0xffff) + (native >> 16);
    }
    wide += GUINT16_SWAP_LE_BE((uint16_t)native);
    return (wide & 0xffffffff) + (wide >> 32);
}

uint16_t net_checksum_finish(uint32_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return ~sum;
}

uint16_t net_checksum(const void *buf, size_t len, uint32_t sum)
{
    return net_checksum_finish(net_checksum_add(buf, len, sum));
}

#define CRC32_BE    0x04c11db7u
#define CRC32_LE    0xedb88320u             /* the same polynomial, bits reversed */

/* Six bytes at a time, when a guest sends to a group: a table would not pay. */
uint32_t net_crc32_be(const uint8_t *buf, size_t len)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            bool carry = (crc >> 31) ^ (buf[i] >> bit & 1);

            crc = crc << 1 ^ (carry ? CRC32_BE : 0);
        }
    }
    return crc;
}

uint32_t net_crc32_le(const uint8_t *buf, size_t len)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < len; i++) {
        crc ^= buf[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? CRC32_LE : 0);
        }
    }
    return crc;
}
