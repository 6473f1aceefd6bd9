#include "iov.h"

#include <glib.h>
#include <string.h>

size_t iov_size(const struct iovec *iov, unsigned niov)
{
    size_t size = 0;

    for (unsigned i = 0; i < niov; i++) {
        size += iov[i].iov_len;
    }
    return size;
}

typedef enum IovCopy { IOV_READ, IOV_WRITE, IOV_FILL } IovCopy;

static size_t iov_walk(const struct iovec *iov, unsigned niov, size_t offset, void *buf, size_t len,
                       IovCopy kind)
{
    size_t done = 0;

    for (unsigned i = 0; i < niov && done < len; i++) {
        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        char *piece = (char *)iov[i].iov_base + offset;
        size_t n = MIN(iov[i].iov_len - offset, len - done);

        switch (kind) {
        case IOV_READ:  memcpy((char *)buf + done, piece, n); break;
        case IOV_WRITE: memcpy(piece, (const char *)buf + done, n); break;
        case IOV_FILL:  memset(piece, *(const uint8_t *)buf, n); break;
        }
        done += n;
        offset = 0;
    }
    return done;
}

size_t iov_to_buf(const struct iovec *iov, unsigned niov, size_t offset, void *buf, size_t len)
{
    return iov_walk(iov, niov, offset, buf, len, IOV_READ);
}

size_t iov_from_buf(const struct iovec *iov, unsigned niov, size_t offset, const void *buf,
                    size_t len)
{
    return iov_walk(iov, niov, offset, (void *)buf, len, IOV_WRITE);
}

size_t iov_memset(const struct iovec *iov, unsigned niov, size_t offset, int byte, size_t len)
{
    uint8_t value = byte;

    return iov_walk(iov, niov, offset, &value, len, IOV_FILL);
}

unsigned iov_slice(struct iovec *out, unsigned max, const struct iovec *iov, unsigned niov,
                   size_t offset, size_t len)
{
    unsigned count = 0;

    for (unsigned i = 0; i < niov && len > 0; i++) {
        if (offset >= iov[i].iov_len) {
            offset -= iov[i].iov_len;
            continue;
        }
        if (count == max) {
            return 0;
        }
        size_t n = MIN(iov[i].iov_len - offset, len);

        out[count++] = (struct iovec){ (char *)iov[i].iov_base + offset, n };
        len -= n;
        offset = 0;
    }
    return len == 0 ? count : 0;
}

size_t iov_drop_front(struct iovec **iov, unsigned *niov, size_t len)
{
    size_t done = 0;

    while (*niov > 0 && done < len) {
        size_t n = MIN((*iov)->iov_len, len - done);

        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
        done += n;
        if ((*iov)->iov_len == 0) {
            (*iov)++;
            (*niov)--;
        }
    }
    return done;
}

size_t iov_drop_back(struct iovec *iov, unsigned *niov, size_t len)
{
    size_t done = 0;

    while (*niov > 0 && done < len) {
        struct iovec *last = &iov[*niov - 1];
        size_t n = MIN(last->iov_len, len - done);

        last->iov_len -= n;
        done += n;
        if (last->iov_len == 0) {
            (*niov)--;
        }
    }
    return done;
}
