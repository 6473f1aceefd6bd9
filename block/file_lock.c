/*
 * Image locks between processes, the ones QEMU takes: a shared OFD lock on byte 100 + n of the file
 * says "I use permission n", one on byte 200 + n "I do not share permission n".  Who takes a lock
 * then looks whether somebody holds the opposite one.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "file.h"
#include "rhea_error.h"

#define LOCK_PERM_BASE      100
#define LOCK_UNSHARED_BASE  200
#define N_PERMS             4

static const char *const lock_names[N_PERMS] = {
    "consistent read", "write", "write unchanged", "resize"
};

bool file_lock_parse(FileNode *file, GError **error)
{
    const char *text = block_node_option(&file->node, "locking");

    if (text == NULL || g_str_equal(text, "auto")) {
        file->locking = FILE_LOCKING_AUTO;
    } else if (g_str_equal(text, "on")) {
        file->locking = FILE_LOCKING_ON;
    } else if (g_str_equal(text, "off")) {
        file->locking = FILE_LOCKING_OFF;
    } else {
        set_error(error, "Parameter 'locking' does not accept value '%s'", text);
        error_add_hint(error, "Expected 'auto', 'on' or 'off'.");
        return false;
    }
    return true;
}

static int lock_byte(int fd, int command, short type, off_t byte)
{
    struct flock lock = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

    if (fcntl(fd, command, &lock) < 0) {
        return -errno;
    }
    return command == F_OFD_GETLK && lock.l_type != F_UNLCK ? -EAGAIN : 0;
}

/* Takes what is wanted and not had, or lets go of what is had and not wanted. */
static int change_bytes(int fd, off_t base, unsigned from, unsigned to, short type)
{
    unsigned changed = type == F_UNLCK ? from & ~to : to & ~from;

    for (unsigned i = 0; i < N_PERMS; i++) {
        int ret = changed & (1 << i) ? lock_byte(fd, F_OFD_SETLK, type, base + i) : 0;

        if (ret < 0) {
            return ret;
        }
    }
    return 0;
}

/* Does anybody else hold one of these bytes?  The bit, or -1. */
static int find_holder(int fd, off_t base, unsigned bits)
{
    for (unsigned i = 0; i < N_PERMS; i++) {
        if ((bits & (1 << i)) && lock_byte(fd, F_OFD_GETLK, F_WRLCK, base + i) < 0) {
            return i;
        }
    }
    return -1;
}

static bool check_others(int fd, const char *filename, unsigned perm, unsigned unshared,
                         GError **error)
{
    int used = find_holder(fd, LOCK_UNSHARED_BASE, perm);
    int refused = used < 0 ? find_holder(fd, LOCK_PERM_BASE, unshared) : -1;

    if (used < 0 && refused < 0) {
        return true;
    }
    if (used >= 0) {
        set_error(error, "Failed to get \"%s\" lock", lock_names[used]);
    } else {
        set_error(error, "Failed to get shared \"%s\" lock", lock_names[refused]);
    }
    error_add_hint(error, "Is another process using the image [%s]?", filename);
    return false;
}

bool file_lock_set(BlockNode *node, unsigned perm, unsigned shared, GError **error)
{
    FileNode *file = FILE_NODE(node);
    unsigned unshared = ~shared & BLOCK_PERM_ALL;
    int ret;

    if (file->fd < 0 || file->locking == FILE_LOCKING_OFF || node->force_share) {
        return true;
    }
    ret = change_bytes(file->fd, LOCK_PERM_BASE, file->locked_perm, perm, F_RDLCK);
    if (ret == 0) {
        ret = change_bytes(file->fd, LOCK_UNSHARED_BASE, file->locked_unshared, unshared, F_RDLCK);
    }
    if (ret < 0 && file->locking == FILE_LOCKING_AUTO) {
        file->locking = FILE_LOCKING_OFF;               /* this file system has none */
        return true;
    }
    if (ret < 0 || !check_others(file->fd, node->filename, perm, unshared, error)) {
        change_bytes(file->fd, LOCK_PERM_BASE, perm, file->locked_perm, F_UNLCK);
        change_bytes(file->fd, LOCK_UNSHARED_BASE, unshared, file->locked_unshared, F_UNLCK);
        if (ret < 0) {
            set_errno_error(error, -ret, "Failed to lock '%s'", node->filename);
        }
        return false;
    }
    change_bytes(file->fd, LOCK_PERM_BASE, file->locked_perm, perm, F_UNLCK);
    change_bytes(file->fd, LOCK_UNSHARED_BASE, file->locked_unshared, unshared, F_UNLCK);
    file->locked_perm = perm;
    file->locked_unshared = unshared;
    return true;
}

bool file_lock_move(FileNode *file, int fd, GError **error)
{
    int ret = change_bytes(fd, LOCK_PERM_BASE, 0, file->locked_perm, F_RDLCK);

    if (ret == 0) {
        ret = change_bytes(fd, LOCK_UNSHARED_BASE, 0, file->locked_unshared, F_RDLCK);
    }
    if (ret < 0) {
        set_errno_error(error, -ret, "Failed to lock '%s'", file->node.filename);
    }
    return ret == 0;
}

bool file_lock_new(const char *filename, int fd, GError **error)
{
    unsigned change = BLOCK_PERM_WRITE | BLOCK_PERM_RESIZE;

    return check_others(fd, filename, change, change, error);
}
