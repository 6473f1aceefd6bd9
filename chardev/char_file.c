/* Output into a file, input from another (or none). */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "backend.h"
#include "passed_fd.h"

static bool file_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    const char *path = char_opts_string(opts, "path");
    const char *in_path = char_opts_string(opts, "input-path");
    int how = char_opts_bool(opts, "append", false) ? O_APPEND : O_TRUNC;

    if (path == NULL) {
        set_error(error, "chardev: file: no filename given");
        return false;
    }
    /* O_NONBLOCK: the path may be a FIFO or a device. */
    chr->out_fd = passed_fd_open(path, O_WRONLY | O_CREAT | O_NOCTTY | O_NONBLOCK | how, 0666);
    if (chr->out_fd < 0) {
        set_errno_error(error, errno, "Could not open '%s'", path);
        return false;
    }
    if (in_path != NULL) {
        int fd = passed_fd_open(in_path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);

        if (fd < 0) {
            set_errno_error(error, errno, "Could not open '%s'", in_path);
            return false;
        }
        chardev_watch_input(chr, fd);
    }
    chr->open = true;
    return true;
}

static void file_hangup(Chardev *chr)
{
    int fd = chr->in_fd;

    chardev_watch_input(chr, -1);
    passed_fd_release(fd);
}

static const CharOption file_options[] = {
    { "path", CHAR_OPTION_STRING, "file to write" },
    { "append", CHAR_OPTION_BOOL, "keep what the file holds already" },
    { "input-path", CHAR_OPTION_STRING, "file to read input from" },
    {}
};

const ChardevType chardev_file_type = {
    .name = "file", .options = file_options, .size = sizeof(Chardev),
    .open = file_open, .close = chardev_close_fds, .write = chardev_fd_write, .hangup = file_hangup,
};
