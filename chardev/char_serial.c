/*
 * A serial port of the host (or any terminal device), in raw mode.  Speed, parity and bits follow
 * what the guest programs its own port to; breaks go both ways.
 *
 * Left out: the modem lines, which the guest sees as ready.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "backend.h"

typedef struct CharSerial {
    Chardev chr;
    int fd;
    struct termios before;                  /* put back on closing */
    bool changed;
} CharSerial;

static const struct { unsigned bits_per_s; speed_t speed; } speeds[] = {
    { 50, B50 }, { 75, B75 }, { 110, B110 }, { 134, B134 }, { 150, B150 }, { 200, B200 },
    { 300, B300 }, { 600, B600 }, { 1200, B1200 }, { 1800, B1800 }, { 2400, B2400 },
    { 4800, B4800 }, { 9600, B9600 }, { 19200, B19200 }, { 38400, B38400 }, { 57600, B57600 },
    { 115200, B115200 },
};

/* The nearest the host has: guests name theirs through a divisor that seldom comes out even. */
static speed_t nearest_speed(unsigned bits_per_s)
{
    size_t best = 0;

    for (size_t i = 1; i < G_N_ELEMENTS(speeds); i++) {
        if (ABS((int)speeds[i].bits_per_s - (int)bits_per_s) <
            ABS((int)speeds[best].bits_per_s - (int)bits_per_s)) {
            best = i;
        }
    }
    return speeds[best].speed;
}

static void serial_set_line(Chardev *chr, const CharLine *line)
{
    static const tcflag_t bits[] = { CS5, CS6, CS7, CS8 };
    CharSerial *serial = (CharSerial *)chr;
    struct termios mode;

    if (tcgetattr(serial->fd, &mode) != 0) {
        return;
    }
    cfsetspeed(&mode, nearest_speed(MIN(line->bits_per_s, 10 * 115200)));
    mode.c_cflag &= ~(CSIZE | PARENB | PARODD | CSTOPB);
    mode.c_cflag |= bits[CLAMP(line->data_bits, 5, 8) - 5];
    mode.c_cflag |= line->parity == CHAR_PARITY_NONE ? 0 : PARENB;
    mode.c_cflag |= line->parity == CHAR_PARITY_ODD ? PARODD : 0;
    mode.c_cflag |= line->stop_bits > 1 ? CSTOPB : 0;
    tcsetattr(serial->fd, TCSANOW, &mode);
}

static void serial_send_break(Chardev *chr, bool on)
{
    ioctl(((CharSerial *)chr)->fd, on ? TIOCSBRK : TIOCCBRK);
}

static bool serial_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    CharSerial *serial = (CharSerial *)chr;
    const char *path = char_opts_string(opts, "path");
    struct termios mode;

    serial->fd = -1;
    if (path == NULL) {
        set_error(error, "chardev: serial: no device path given");
        return false;
    }
    serial->fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (serial->fd < 0) {
        set_errno_error(error, errno, "Could not open '%s'", path);
        return false;
    }
    if (tcgetattr(serial->fd, &serial->before) != 0) {
        set_errno_error(error, errno, "'%s' is not a serial port", path);
        return false;
    }
    mode = serial->before;
    cfmakeraw(&mode);
    mode.c_cflag |= CLOCAL | CREAD;
    cfsetspeed(&mode, B115200);
    tcsetattr(serial->fd, TCSANOW, &mode);
    serial->changed = true;
    chardev_set_output(chr, serial->fd);
    chardev_watch_input(chr, serial->fd);
    chardev_set_open(chr, true);
    return true;
}

static void serial_close(Chardev *chr)
{
    CharSerial *serial = (CharSerial *)chr;

    if (serial->changed) {
        chardev_drain(chr);
        tcsetattr(serial->fd, TCSANOW, &serial->before);
    }
    chardev_watch_input(chr, -1);
    chardev_set_output(chr, -1);
    if (serial->fd >= 0) {
        close(serial->fd);
    }
}

static const CharOption serial_options[] = {
    { "path", CHAR_OPTION_STRING, "the port's device file" },
    {}
};

const ChardevType chardev_serial_type = {
    .name = "serial", .options = serial_options, .size = sizeof(CharSerial),
    .open = serial_open, .close = serial_close, .write = chardev_fd_write,
    .send_break = serial_send_break, .set_line = serial_set_line,
};
