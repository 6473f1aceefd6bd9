/*
 * A host's parallel port through ppdev: its front end moves the port's registers (chardev_port_*()),
 * and bytes that are written as to a stream vanish, as the port has no stream.
 *
 * Left out: the port's interrupt, EPP and ECP.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/ppdev.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "backend.h"

#define CONTROL_IN      0x20                /* the data lines are the peer's to drive */
#define CONTROL_UNUSED  0xc0                /* read as ones on a PC */

typedef struct CharParallel {
    Chardev chr;
    int fd;                                 /* -1: none */
    bool claimed;
    uint8_t direction;                      /* CONTROL_IN or 0: ppdev does not tell */
} CharParallel;

static int host_ioctl(int fd, unsigned long request, void *arg)
{
    return ioctl(fd, request, arg);
}

int (*chardev_parallel_ioctl)(int fd, unsigned long request, void *arg) = host_ioctl;

static bool parallel_port_read(Chardev *chr, CharPort reg, uint8_t *value)
{
    static const unsigned long requests[] = {
        [CHAR_PORT_DATA] = PPRDATA, [CHAR_PORT_STATUS] = PPRSTATUS,
        [CHAR_PORT_CONTROL] = PPRCONTROL,
    };
    CharParallel *port = (CharParallel *)chr;

    if (chardev_parallel_ioctl(port->fd, requests[reg], value) < 0) {
        return false;
    }
    if (reg == CHAR_PORT_CONTROL) {
        *value = (*value & ~CONTROL_IN) | port->direction | CONTROL_UNUSED;
    }
    return true;
}

static void control_write(CharParallel *port, uint8_t value)
{
    int in = (value & CONTROL_IN) != 0;

    if ((value & CONTROL_IN) != port->direction) {
        port->direction = value & CONTROL_IN;
        chardev_parallel_ioctl(port->fd, PPDATADIR, &in);
    }
    value &= ~(CONTROL_IN | CONTROL_UNUSED);
    chardev_parallel_ioctl(port->fd, PPWCONTROL, &value);
}

static void parallel_port_write(Chardev *chr, CharPort reg, uint8_t value)
{
    CharParallel *port = (CharParallel *)chr;

    if (reg == CHAR_PORT_CONTROL) {
        control_write(port, value);
    } else if (reg == CHAR_PORT_DATA) {
        chardev_parallel_ioctl(port->fd, PPWDATA, &value);
    }
}

static bool parallel_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    CharParallel *port = (CharParallel *)chr;
    const char *path = char_opts_string(opts, "path");

    port->fd = -1;
    if (path == NULL) {
        set_error(error, "chardev: parallel: no device path given");
        return false;
    }
    port->fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (port->fd < 0) {
        set_errno_error(error, errno, "Could not open '%s'", path);
        return false;
    }
    if (chardev_parallel_ioctl(port->fd, PPCLAIM, NULL) < 0) {
        set_errno_error(error, errno, "'%s' is not a parallel port", path);
        return false;
    }
    port->claimed = true;
    chardev_set_open(chr, true);
    return true;
}

static void parallel_close(Chardev *chr)
{
    CharParallel *port = (CharParallel *)chr;

    if (port->claimed) {
        chardev_parallel_ioctl(port->fd, PPRELEASE, NULL);
    }
    if (port->fd >= 0) {
        close(port->fd);
    }
}

static const CharOption parallel_options[] = {
    { "path", CHAR_OPTION_STRING, "the port's device file" },
    {}
};

const ChardevType chardev_parallel_type = {
    .name = "parallel", .options = parallel_options, .size = sizeof(CharParallel),
    .open = parallel_open, .close = parallel_close,
    .port_read = parallel_port_read, .port_write = parallel_port_write,
};
