/*
 * file and host_device: images in files, and block devices of the host.
 *
 * Guests' requests usually take the fast way (the context's io_uring on our descriptor); what is
 * here serves formats' own accesses, tools, and where io_uring is not to be had.
 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "passed_fd.h"
#include "rhea_error.h"
#include "sizes.h"

#define MAX_ALIGNMENT 4096

/* ---- O_DIRECT: what the file system wants, found by asking it ---- */

static bool reads_at(int fd, char *buf, size_t len)
{
    ssize_t got;

    do {
        got = pread(fd, buf, len, 0);
    } while (got < 0 && errno == EINTR);
    return got >= 0 || errno != EINVAL;
}

static uint32_t smallest_working(int fd, char *buf, bool memory)
{
    for (uint32_t size = BLOCK_SECTOR_SIZE; size < MAX_ALIGNMENT; size *= 2) {
        if (memory ? reads_at(fd, buf + size, MAX_ALIGNMENT) : reads_at(fd, buf, size)) {
            return size;
        }
    }
    return MAX_ALIGNMENT;
}

static bool probe_alignment(BlockNode *node, GError **error)
{
    char *buf;

    if (!node->direct) {
        return true;
    }
    if (node->size_bytes == 0) {                /* nothing to try on */
        node->request_alignment = node->memory_alignment = MAX_ALIGNMENT;
        return true;
    }
    if (posix_memalign((void **)&buf, MAX_ALIGNMENT, 2 * MAX_ALIGNMENT) != 0) {
        set_error(error, "out of memory");
        return false;
    }
    node->request_alignment = smallest_working(FILE_NODE(node)->fd, buf, false);
    node->memory_alignment = smallest_working(FILE_NODE(node)->fd, buf, true);
    free(buf);
    return true;
}

/* ---- life ---- */

static bool is_device(const struct stat *st)
{
    return S_ISBLK(st->st_mode) || S_ISCHR(st->st_mode);
}

static bool check_kind(BlockNode *node, const struct stat *st, GError **error)
{
    bool device = g_str_equal(node->driver->name, "host_device");

    if (device ? is_device(st) : S_ISREG(st->st_mode)) {
        return true;
    }
    set_error(error, device ? "'%s' driver requires '%s' to be either a character or block device"
                            : "'%s' driver requires '%s' to be a regular file",
              node->driver->name, node->filename);
    return false;
}

/* Tries writable first where that was asked for; auto-read-only takes what it gets. */
static int open_fd(BlockNode *node)
{
    int flags = node->direct ? O_DIRECT : 0;
    int fd = passed_fd_open(node->filename, flags | (node->read_only ? O_RDONLY : O_RDWR), 0);

    if (fd < 0 && node->auto_read_only && !node->read_only &&
        (errno == EACCES || errno == EROFS || errno == EPERM)) {
        fd = passed_fd_open(node->filename, flags | O_RDONLY, 0);
        node->read_only = fd >= 0;
    }
    return fd;
}

static bool file_size(int fd, const struct stat *st, uint64_t *size, GError **error)
{
    off_t end = S_ISREG(st->st_mode) ? st->st_size : lseek(fd, 0, SEEK_END);

    if (end < 0) {
        set_errno_error(error, errno, "Could not get the size");
        return false;
    }
    *size = end;
    return true;
}

static bool file_open(BlockNode *node, GError **error)
{
    FileNode *file = FILE_NODE(node);
    struct stat st;

    file->fd = -1;
    if (node->filename == NULL) {
        set_error(error, "Parameter 'filename' is missing");
        return false;
    }
    if (!file_lock_parse(file, error)) {
        return false;
    }
    file->fd = open_fd(node);
    if (file->fd < 0 && errno == EINVAL && node->direct) {
        set_error(error, "Could not open '%s': filesystem does not support O_DIRECT",
                  node->filename);
        return false;
    }
    if (file->fd < 0 && errno == EISDIR) {
        set_error(error, "'%s' driver requires '%s' to be a regular file", node->driver->name,
                  node->filename);
        return false;
    }
    if (file->fd < 0 || fstat(file->fd, &st) < 0) {
        set_errno_error(error, errno, "Could not open '%s'", node->filename);
        return false;
    }
    return check_kind(node, &st, error) && file_size(file->fd, &st, &node->size_bytes, error) &&
           probe_alignment(node, error);
}

static void file_close(BlockNode *node)
{
    if (FILE_NODE(node)->fd >= 0) {
        passed_fd_release(FILE_NODE(node)->fd);
    }
}

/* A descriptor that can write takes the place of one that cannot, locks and all. */
static bool file_reopen(BlockNode *node, bool read_only, GError **error)
{
    FileNode *file = FILE_NODE(node);
    int flags = fcntl(file->fd, F_GETFL);
    g_autofree char *own = g_strdup_printf("/proc/self/fd/%d", file->fd);
    const char *path = passed_fd_is_set(node->filename) ? node->filename : own;
    int fd;

    if (read_only || (flags & O_ACCMODE) == O_RDWR) {
        return true;
    }
    fd = passed_fd_open(path, O_RDWR | (node->direct ? O_DIRECT : 0), 0);
    if (fd < 0) {
        set_errno_error(error, errno, "Could not reopen '%s' for writing", node->filename);
        return false;
    }
    if (!file_lock_move(file, fd, error)) {
        passed_fd_release(fd);
        return false;
    }
    passed_fd_release(file->fd);
    file->fd = fd;
    return true;
}

/* ---- access ---- */

static int file_fd(BlockNode *node)
{
    return FILE_NODE(node)->fd;
}

static int file_pread(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                      uint64_t len)
{
    struct iovec part[64];
    uint64_t done = 0;

    while (done < len) {
        unsigned n = block_iov_slice(part, G_N_ELEMENTS(part), iov, niov, done, len - done);
        ssize_t got = preadv(FILE_NODE(node)->fd, part, n, offset + done);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -errno;
        }
        if (got == 0) {                                 /* the file ends early */
            block_iov_fill(iov, niov, done, len - done);
            return 0;
        }
        done += got;
    }
    return 0;
}

static void grow(BlockNode *node, uint64_t end)
{
    uint64_t size = block_node_size(node);

    while (size < end && !__atomic_compare_exchange_n(&node->size_bytes, &size, end, true,
                                                      __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        continue;
    }
}

static int file_flush(BlockNode *node)
{
    return fdatasync(FILE_NODE(node)->fd) < 0 ? -errno : 0;
}

static int file_pwrite(BlockNode *node, uint64_t offset, const struct iovec *iov, unsigned niov,
                       uint64_t len, unsigned flags)
{
    struct iovec part[64];
    uint64_t done = 0;

    while (done < len) {
        unsigned n = block_iov_slice(part, G_N_ELEMENTS(part), iov, niov, done, len - done);
        ssize_t put = pwritev(FILE_NODE(node)->fd, part, n, offset + done);

        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            return put < 0 ? -errno : -ENOSPC;
        }
        done += put;
    }
    grow(node, offset + len);
    return (flags & BLOCK_REQ_FUA) ? block_node_flush(node) : 0;
}

/* 0, -ENOTSUP (then and for ever after, by *never), or another error. */
static int allocate(BlockNode *node, int mode, uint64_t offset, uint64_t len, bool *never)
{
    int ret;

    if (__atomic_load_n(never, __ATOMIC_RELAXED)) {
        return -ENOTSUP;
    }
    do {
        ret = fallocate(FILE_NODE(node)->fd, mode, offset, len) < 0 ? -errno : 0;
    } while (ret == -EINTR);
    if (ret == -EOPNOTSUPP || ret == -ENOSYS || ret == -ENODEV) {
        __atomic_store_n(never, true, __ATOMIC_RELAXED);
        return -ENOTSUP;
    }
    return ret == -EINVAL ? -ENOTSUP : ret;
}

static int file_zero(BlockNode *node, uint64_t offset, uint64_t len, unsigned flags)
{
    FileNode *file = FILE_NODE(node);
    int ret = -ENOTSUP;

    if ((flags & BLOCK_REQ_MAY_UNMAP) && offset + len <= block_node_size(node)) {
        ret = allocate(node, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len,
                       &file->no_punch_hole);
    }
    if (ret == -ENOTSUP) {
        ret = allocate(node, FALLOC_FL_ZERO_RANGE, offset, len, &file->no_zero_range);
    }
    if (ret < 0) {
        return ret;
    }
    grow(node, offset + len);
    return (flags & BLOCK_REQ_FUA) ? block_node_flush(node) : 0;
}

static int file_discard(BlockNode *node, uint64_t offset, uint64_t len)
{
    BlockDiscardStats *stats = &node->discards;
    int ret = allocate(node, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len,
                       &FILE_NODE(node)->no_punch_hole);

    __atomic_fetch_add(ret < 0 ? &stats->failed : &stats->ok, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&stats->bytes, ret < 0 ? 0 : len, __ATOMIC_RELAXED);
    return ret;
}

/* ---- holes ---- */

static int file_status(BlockNode *node, uint64_t offset, uint64_t len, BlockStatus *status)
{
    int fd = FILE_NODE(node)->fd;
    off_t data = lseek(fd, offset, SEEK_DATA), hole;

    status->offset = offset;
    status->file = node;
    status->flags = BLOCK_STATUS_OFFSET | BLOCK_STATUS_ALLOCATED | BLOCK_STATUS_DATA;
    status->len = len;
    if (data < 0 && errno == ENXIO) {                   /* a hole up to the end */
        status->flags ^= BLOCK_STATUS_DATA | BLOCK_STATUS_ZERO;
    } else if (data > (off_t)offset) {
        status->flags ^= BLOCK_STATUS_DATA | BLOCK_STATUS_ZERO;
        status->len = MIN(len, (uint64_t)data - offset);
    } else if (data == (off_t)offset) {
        hole = lseek(fd, offset, SEEK_HOLE);
        if (hole > (off_t)offset) {
            status->len = MIN(len, (uint64_t)hole - offset);
        }
    }
    return 0;
}

static uint64_t file_allocated_bytes(BlockNode *node)
{
    struct stat st;

    return fstat(FILE_NODE(node)->fd, &st) < 0 ? UINT64_MAX : (uint64_t)st.st_blocks * 512;
}

/* ---- size ---- */

static bool write_all_zeroes(int fd, uint64_t from, uint64_t to, GError **error)
{
    g_autofree char *zeroes = g_malloc0(64 * KIB);

    for (uint64_t at = from; at < to;) {
        ssize_t put = pwrite(fd, zeroes, MIN(64 * KIB, to - at), at);

        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put <= 0) {
            set_errno_error(error, put < 0 ? errno : ENOSPC, "Could not write zeros for "
                            "preallocation");
            return false;
        }
        at += put;
    }
    if (fsync(fd) < 0) {
        set_errno_error(error, errno, "Could not flush file to disk");
        return false;
    }
    return true;
}

static bool preallocate(int fd, uint64_t from, uint64_t to, BlockPrealloc prealloc, GError **error)
{
    int ret;

    switch (prealloc) {
    case BLOCK_PREALLOC_OFF:
        return true;
    case BLOCK_PREALLOC_FALLOC:
        ret = from < to ? posix_fallocate(fd, from, to - from) : 0;
        if (ret != 0) {
            set_errno_error(error, ret, "Could not preallocate data for the new file");
        }
        return ret == 0;
    case BLOCK_PREALLOC_FULL:
        return write_all_zeroes(fd, from, to, error);
    case BLOCK_PREALLOC_METADATA:
        break;
    }
    set_error(error, "Unsupported preallocation mode 'metadata'");
    return false;
}

static bool set_length(int fd, uint64_t old, uint64_t size, BlockPrealloc prealloc, GError **error)
{
    if (size < old && prealloc != BLOCK_PREALLOC_OFF) {
        set_error(error, "Preallocation can't be used for shrinking files");
        return false;
    }
    if (ftruncate(fd, size) < 0) {
        set_errno_error(error, errno, "Failed to resize file");
        return false;
    }
    if (!preallocate(fd, old, size, prealloc, error)) {
        if (ftruncate(fd, old) < 0) {
            error_add_hint(error, "The file kept its new length.");
        }
        return false;
    }
    return true;
}

static bool file_truncate(BlockNode *node, uint64_t size, BlockPrealloc prealloc, GError **error)
{
    int fd = FILE_NODE(node)->fd, flags = fcntl(fd, F_GETFL);
    bool ok;

    if (prealloc == BLOCK_PREALLOC_FULL && node->direct) {
        fcntl(fd, F_SETFL, flags & ~O_DIRECT);          /* the tail need not be aligned */
    }
    ok = set_length(fd, block_node_size(node), size, prealloc, error);
    if (prealloc == BLOCK_PREALLOC_FULL && node->direct) {
        fcntl(fd, F_SETFL, flags);
    }
    if (ok) {
        __atomic_store_n(&node->size_bytes, size, __ATOMIC_RELAXED);
    }
    return ok;
}

static bool device_truncate(BlockNode *node, uint64_t size, BlockPrealloc prealloc, GError **error)
{
    off_t now = lseek(FILE_NODE(node)->fd, 0, SEEK_END);

    if (now < 0 || (uint64_t)now != size || prealloc != BLOCK_PREALLOC_OFF) {
        set_error(error, "Cannot resize device files");
        return false;
    }
    return true;
}

/* ---- create ---- */

static bool parse_prealloc(KeyVal *opts, BlockPrealloc *prealloc, GError **error)
{
    const char *text = opts != NULL ? keyval_get(opts, "preallocation") : NULL;

    for (int i = 0; text != NULL; i++) {
        if (block_prealloc_names[i] == NULL) {
            set_error(error, "Parameter 'preallocation' does not accept value '%s'", text);
            error_suggest(error, nearest_name(text, block_prealloc_names, 4));
            return false;
        }
        if (g_str_equal(block_prealloc_names[i], text)) {
            *prealloc = i;
            return true;
        }
    }
    return true;
}

/* Best effort, as file systems without copy on write have no such flag. */
static void set_nocow(int fd)
{
    int flags;

    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
        flags |= FS_NOCOW_FL;
        ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
}

static bool fill_new(const char *filename, int fd, uint64_t size, BlockPrealloc prealloc,
                     GError **error)
{
    if (ftruncate(fd, 0) < 0) {
        set_errno_error(error, errno, "Could not truncate '%s'", filename);
        return false;
    }
    return set_length(fd, 0, size, prealloc, error);
}

static bool file_create(const char *filename, uint64_t size, KeyVal *opts, GError **error)
{
    BlockPrealloc prealloc = BLOCK_PREALLOC_OFF;
    bool nocow = false, ok;
    int fd;

    if (g_str_has_prefix(filename, "file:")) {
        filename += strlen("file:");
    }
    if (!parse_prealloc(opts, &prealloc, error) ||
        (opts != NULL && (!keyval_get_bool(opts, "nocow", &nocow, error) ||
                          !keyval_check_known(opts, error)))) {
        return false;
    }
    /* Not O_TRUNC: whoever has a lock on the image keeps what is in it. */
    fd = open(filename, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        set_errno_error(error, errno, "Could not create '%s'", filename);
        return false;
    }
    if (nocow) {
        set_nocow(fd);
    }
    ok = file_lock_new(filename, fd, error) && fill_new(filename, fd, size, prealloc, error);
    if (close(fd) < 0 && ok) {
        set_errno_error(error, errno, "Could not write '%s'", filename);
        return false;
    }
    return ok;
}

/* ---- drivers ---- */

static const BlockOption file_options[] = {
    { "filename", "path of the image" },
    { "locking", "auto, on or off: tell other processes what is being done to the image" },
    {}
};

static const BlockOption file_create_options[] = {
    { "preallocation", "off, falloc (reserve the blocks) or full (write them)" },
    { "nocow", "on: no copy on write, on file systems that do it" },
    {}
};

const BlockDriver block_file = {
    .name = "file", .protocol = true, .growable = true, .fua = true, .size = sizeof(FileNode),
    .options = file_options, .create_options = file_create_options,
    .open = file_open, .close = file_close, .set_perm = file_lock_set, .reopen = file_reopen,
    .fd = file_fd,
    .pread = file_pread, .pwrite = file_pwrite, .zero = file_zero, .discard = file_discard,
    .flush = file_flush, .status = file_status, .truncate = file_truncate,
    .allocated_bytes = file_allocated_bytes, .create = file_create,
};

const BlockDriver block_host_device = {
    .name = "host_device", .protocol = true, .fua = true, .size = sizeof(FileNode),
    .options = file_options,
    .open = file_open, .close = file_close, .set_perm = file_lock_set, .reopen = file_reopen,
    .fd = file_fd,
    .pread = file_pread, .pwrite = file_pwrite, .zero = file_zero, .discard = file_discard,
    .flush = file_flush, .truncate = device_truncate, .allocated_bytes = file_allocated_bytes,
};
