/* Vectors of buffers: slices, copies, zeroes. */
#include <string.h>

#include "block_internal.h"

unsigned block_iov_slice(struct iovec *out, unsigned max, const struct iovec *iov, unsigned niov,
                         uint64_t skip, uint64_t len)
{
    unsigned n = 0;

    for (unsigned i = 0; i < niov && len > 0 && n < max; i++) {
        uint64_t take;

        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        take = MIN(iov[i].iov_len - skip, len);
        out[n++] = (struct iovec){ (char *)iov[i].iov_base + skip, take };
        len -= take;
        skip = 0;
    }
    return n;
}

void block_iov_fill(const struct iovec *iov, unsigned niov, uint64_t skip, uint64_t len)
{
    for (unsigned i = 0; i < niov && len > 0; i++) {
        uint64_t take;

        if (skip >= iov[i].iov_len) {
            skip -= iov[i].iov_len;
            continue;
        }
        take = MIN(iov[i].iov_len - skip, len);
        memset((char *)iov[i].iov_base + skip, 0, take);
        len -= take;
        skip = 0;
    }
}

void block_iov_from_buf(const struct iovec *iov, unsigned niov, const void *buf, uint64_t len)
{
    const char *from = buf;

    for (unsigned i = 0; i < niov && len > 0; i++) {
        uint64_t take = MIN(iov[i].iov_len, len);

        memcpy(iov[i].iov_base, from, take);
        from += take;
        len -= take;
    }
}

void block_iov_to_buf(const struct iovec *iov, unsigned niov, void *buf, uint64_t len)
{
    char *to = buf;

    for (unsigned i = 0; i < niov && len > 0; i++) {
        uint64_t take = MIN(iov[i].iov_len, len);

        memcpy(to, iov[i].iov_base, take);
        to += take;
        len -= take;
    }
}

static bool buffer_is_zero(const char *buf, size_t len)
{
    return len == 0 || (buf[0] == 0 && memcmp(buf, buf + 1, len - 1) == 0);
}

bool block_iov_is_zero(const struct iovec *iov, unsigned niov)
{
    for (unsigned i = 0; i < niov; i++) {
        if (!buffer_is_zero(iov[i].iov_base, iov[i].iov_len)) {
            return false;
        }
    }
    return true;
}

bool block_iov_is_aligned(const struct iovec *iov, unsigned niov, uint32_t alignment)
{
    uintptr_t bits = 0;

    for (unsigned i = 0; i < niov; i++) {
        bits |= (uintptr_t)iov[i].iov_base | iov[i].iov_len;
    }
    return (bits & (alignment - 1)) == 0;
}
