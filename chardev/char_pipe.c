/* A pair of FIFOs, PATH.in and PATH.out, or one two-way FIFO or device at PATH. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "backend.h"

/*
 * O_RDWR: opening a FIFO for reading alone would end with each writer, for writing alone would
 * need a reader first (fifo(7)).
 */
static int pipe_open_one(const char *path, const char *suffix)
{
    g_autofree char *full = g_strconcat(path, suffix, NULL);

    return open(full, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool pipe_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    const char *path = char_opts_string(opts, "path");
    int in_fd, out_fd;

    if (path == NULL) {
        set_error(error, "chardev: pipe: no device path given");
        return false;
    }
    in_fd = pipe_open_one(path, ".in");
    out_fd = pipe_open_one(path, ".out");
    if (in_fd < 0 || out_fd < 0) {
        if (in_fd >= 0) {
            close(in_fd);
        }
        if (out_fd >= 0) {
            close(out_fd);
        }
        in_fd = out_fd = pipe_open_one(path, "");
    }
    if (in_fd < 0) {
        set_errno_error(error, errno, "Could not open '%s'", path);
        return false;
    }
    chr->out_fd = out_fd;
    chardev_watch_input(chr, in_fd);
    chr->open = true;
    return true;
}

static const CharOption pipe_options[] = {
    { "path", CHAR_OPTION_STRING, "FIFO, or what PATH.in and PATH.out start with" },
    {}
};

const ChardevType chardev_pipe_type = {
    .name = "pipe", .options = pipe_options, .size = sizeof(Chardev),
    .open = pipe_open, .close = chardev_close_fds, .write = chardev_fd_write,
};
