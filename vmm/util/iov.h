/* Buffers in pieces: copying to and from an array of struct iovec. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

size_t iov_size(const struct iovec *iov, unsigned niov);
/* Copies from `offset` on, at most `len` bytes and as many as there are; returns how many. */
size_t iov_to_buf(const struct iovec *iov, unsigned niov, size_t offset, void *buf, size_t len);
size_t iov_from_buf(const struct iovec *iov, unsigned niov, size_t offset, const void *buf,
                    size_t len);
size_t iov_memset(const struct iovec *iov, unsigned niov, size_t offset, int byte, size_t len);
/*
 * The pieces of [offset, offset + len) in `out`, which has room for `max`; the number of pieces, 0
 * if the range is longer than the buffer or has more.  The pieces are shared, not copied.
 */
unsigned iov_slice(struct iovec *out, unsigned max, const struct iovec *iov, unsigned niov,
                   size_t offset, size_t len);
/* Takes `len` bytes off an array's front or back; how many came off. */
size_t iov_drop_front(struct iovec **iov, unsigned *niov, size_t len);
size_t iov_drop_back(struct iovec *iov, unsigned *niov, size_t len);
