/*
 * The terminal (or whatever standard input and output are).
 *
 * A terminal is put in raw mode and comes back as it was at every way out: close, exit(), a fatal
 * signal, and while the process is stopped.  Output processing stays on, so a bare newline still
 * returns the cursor.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "backend.h"
#include "tty_owner.h"

static Chardev *stdio_user;

/* Read by signal handlers: written before `changed` is set. */
static struct {
    volatile sig_atomic_t changed;          /* the terminal is in raw mode */
    volatile sig_atomic_t out_nonblocking;  /* standard output's own flags were changed */
    struct termios saved, raw;
} tty;

/* Async-signal-safe. */
static void stdio_restore(void)
{
    if (tty.changed) {
        tcsetattr(STDIN_FILENO, TCSANOW, &tty.saved);
    }
    if (tty.out_nonblocking) {
        fcntl(STDOUT_FILENO, F_SETFL, fcntl(STDOUT_FILENO, F_GETFL) & ~O_NONBLOCK);
    }
}

static void on_fatal_signal(int signum)
{
    stdio_restore();
    signal(signum, SIG_DFL);
    raise(signum);
}

/* Back from a stop; a process in the background must not touch the terminal (SIGTTOU). */
static void on_continue(int signum)
{
    int saved_errno = errno;

    if (tty.changed && tcgetpgrp(STDIN_FILENO) == getpgrp()) {
        tcsetattr(STDIN_FILENO, TCSANOW, &tty.raw);
    }
    errno = saved_errno;
}

/* Only where nobody else listens already. */
static void handle_signals(void)
{
    static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGSEGV, SIGBUS, SIGILL,
                                 SIGFPE };
    struct sigaction now, action = { .sa_handler = on_fatal_signal };

    for (size_t i = 0; i < G_N_ELEMENTS(fatal); i++) {
        if (sigaction(fatal[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
            sigaction(fatal[i], &action, NULL);
        }
    }
    action.sa_handler = on_continue;
    action.sa_flags = SA_RESTART;
    sigaction(SIGCONT, &action, NULL);
    atexit(stdio_restore);
}

/* termios(3): input bytes as typed, one at a time, no echo; output processing left alone. */
static void make_raw(struct termios *mode, bool signals)
{
    mode->c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    mode->c_oflag |= OPOST;
    mode->c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN);
    mode->c_cflag = (mode->c_cflag & ~(CSIZE | PARENB)) | CS8;
    mode->c_cc[VMIN] = 1;
    mode->c_cc[VTIME] = 0;
    if (!signals) {
        mode->c_lflag &= ~ISIG;
    }
}

static void set_terminal(bool signals)
{
    static bool handled;

    if (tcgetattr(STDIN_FILENO, &tty.saved) != 0) {
        return;
    }
    tty.raw = tty.saved;
    make_raw(&tty.raw, signals);
    if (!handled) {
        handled = true;
        handle_signals();
    }
    tty.changed = 1;
    tcsetattr(STDIN_FILENO, TCSANOW, &tty.raw);
}

/*
 * A descriptor that never blocks: the same terminal or FIFO opened again, since O_NONBLOCK
 * belongs to the open file that the user's shell shares.  Regular files never block.
 */
static int private_fd(int fd, int flags)
{
    struct stat st;
    int copy = -1;

    if (fstat(fd, &st) == 0 && (S_ISCHR(st.st_mode) || S_ISFIFO(st.st_mode))) {
        copy = chardev_reopen_nonblocking(fd, flags);
    }
    if (copy >= 0) {
        return copy;
    }
    if (flags == O_WRONLY && !S_ISREG(st.st_mode)) {
        int now = fcntl(fd, F_GETFL);

        if (now >= 0 && !(now & O_NONBLOCK)) {
            tty.out_nonblocking = 1;
            fcntl(fd, F_SETFL, now | O_NONBLOCK);
        }
    }
    return fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

static bool stdio_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    int in_fd;

    if (stdio_user != NULL) {
        set_error(error, "cannot use stdio by multiple character devices");
        return false;
    }
    if (!tty_claim("the stdio character device", error)) {
        error_add_hint(error, "-nographic and -serial stdio put it there; a display needs another "
                       "place for them, '-serial null' or a socket.");
        return false;
    }
    in_fd = private_fd(STDIN_FILENO, O_RDONLY);
    chr->out_fd = private_fd(STDOUT_FILENO, O_WRONLY);
    stdio_user = chr;
    signal(SIGPIPE, SIG_IGN);
    if (in_fd >= 0) {
        chardev_watch_input(chr, in_fd);
    }
    if (isatty(STDIN_FILENO)) {
        set_terminal(char_opts_bool(opts, "signal", true));
    }
    chr->open = true;
    return true;
}

static void stdio_close(Chardev *chr)
{
    if (stdio_user != chr) {
        return;
    }
    stdio_user = NULL;
    tty_release();
    chardev_drain(chr);
    chardev_close_fds(chr);
    stdio_restore();
    tty.changed = tty.out_nonblocking = 0;
}

/* Standard input ended; output goes on. */
static void stdio_hangup(Chardev *chr)
{
    int fd = chr->in_fd;

    chardev_watch_input(chr, -1);
    close(fd);
    chardev_set_open(chr, false);
}

static void stdio_set_echo(Chardev *chr, bool echo)
{
    if (tty.changed) {
        tty.raw.c_lflag = echo ? tty.raw.c_lflag | ECHO : tty.raw.c_lflag & ~ECHO;
        tcsetattr(STDIN_FILENO, TCSANOW, &tty.raw);
    }
}

static bool stdio_is_terminal(const Chardev *chr)
{
    return tty.changed && isatty(STDOUT_FILENO);
}

static const CharOption stdio_options[] = {
    { "signal", CHAR_OPTION_BOOL, "Ctrl-C and friends end the program (on) or are input (off)" },
    {}
};

const ChardevType chardev_stdio_type = {
    .name = "stdio", .options = stdio_options, .size = sizeof(Chardev),
    .open = stdio_open, .close = stdio_close, .write = chardev_fd_write, .hangup = stdio_hangup,
    .set_echo = stdio_set_echo, .is_terminal = stdio_is_terminal,
};
