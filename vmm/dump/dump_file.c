#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "dump_parts.h"
#include "rhea_error.h"
#include "sizes.h"

/* How soon a wait for the other end of a pipe sees that the dump is given up. */
#define WAIT_MS 100
#define PIECE   (128 * KIB)

static bool cancelled(const DumpFile *file, GError **error)
{
    if (!__atomic_load_n(file->cancel, __ATOMIC_RELAXED)) {
        return false;
    }
    set_error(error, "dump: given up, the process ends");
    return true;
}

bool dump_file_write(DumpFile *file, const void *buf, size_t len, GError **error)
{
    const uint8_t *bytes = buf;

    while (len > 0) {
        ssize_t put = write(file->fd, bytes, MIN(len, PIECE));

        if (cancelled(file, error)) {
            return false;
        }
        if (put > 0) {
            bytes += put;
            len -= put;
        } else if (put < 0 && errno == EAGAIN) {
            poll(&(struct pollfd){ .fd = file->fd, .events = POLLOUT }, 1, WAIT_MS);
        } else if (put == 0 || errno != EINTR) {
            set_errno_error(error, errno, "dump: failed to save memory");
            return false;
        }
    }
    return true;
}

bool dump_write_ranges(Dump *dump, GError **error)
{
    for (guint i = 0; i < dump->ranges->len; i++) {
        const DumpRange *range = &g_array_index(dump->ranges, DumpRange, i);

        for (uint64_t at = 0; at < range->len; at += PIECE) {
            size_t len = MIN(range->len - at, PIECE);

            if (!dump_file_write(&dump->file, range->host + at, len, error)) {
                return false;
            }
            __atomic_fetch_add(&dump->completed, len, __ATOMIC_RELAXED);
        }
    }
    return true;
}
