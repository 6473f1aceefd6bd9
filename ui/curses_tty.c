/* Taking the terminal and giving it back. */
#include "curses_tty.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "rhea_error.h"

enum { KEPT_MAX = 64 * 1024, PATIENCE_MS = 500 };

/* Read by signal handlers: written before `taken` is set. */
static struct {
    volatile sig_atomic_t taken;            /* the terminal is ours */
    int stopped;                            /* atomic: it was given back meanwhile */
    struct termios saved, raw;
    int in, out, wake;
    const char *enter, *leave;
    size_t enter_len, leave_len;
    int errors, stderr_saved;               /* the pipe standard error goes to; -1: it does not */
    char kept[KEPT_MAX];
    volatile size_t n_kept;
} tty = { .in = -1, .out = -1, .wake = -1, .errors = -1, .stderr_saved = -1 };

/* ---- async-signal-safe ---- */

void curses_tty_ring(void)
{
    uint64_t one = 1;
    ssize_t n = write(tty.wake, &one, sizeof(one));

    (void)n;                                        /* full: it rings already */
}

/* A terminal that takes nothing for a while gets no more. */
static void write_patiently(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        struct pollfd wait = { .fd = fd, .events = POLLOUT };
        ssize_t n = poll(&wait, 1, PATIENCE_MS) > 0 ? write(fd, bytes, len) : -1;

        if (n <= 0) {
            return;
        }
        bytes += n;
        len -= n;
    }
}

static void take_screen(void)
{
    tcsetattr(STDIN_FILENO, TCSANOW, &tty.raw);
    write_patiently(tty.out, tty.enter, tty.enter_len);
}

static void leave_screen(void)
{
    write_patiently(tty.out, tty.leave, tty.leave_len);
    tcflush(STDIN_FILENO, TCIFLUSH);                /* a mouse that moved until now */
    tcsetattr(STDIN_FILENO, TCSANOW, &tty.saved);
}

/* The latest stays. */
static void keep(const char *bytes, size_t n)
{
    size_t lost = tty.n_kept + n > KEPT_MAX ? tty.n_kept + n - KEPT_MAX : 0;

    memmove(tty.kept, tty.kept + lost, tty.n_kept - lost);
    memcpy(tty.kept + tty.n_kept - lost, bytes, n);
    tty.n_kept += n - lost;
}

static bool keep_waiting(void)
{
    char bytes[4096];
    ssize_t n = read(tty.errors, bytes, sizeof(bytes));

    if (n > 0) {
        keep(bytes, n);
    }
    return n > 0;
}

static void give_back(void)
{
    int saved = tty.stderr_saved;

    if (!tty.taken) {
        return;
    }
    tty.taken = 0;
    leave_screen();
    if (saved >= 0) {
        dup2(saved, STDERR_FILENO);
        while (keep_waiting()) {
        }
        write_patiently(STDERR_FILENO, tty.kept, tty.n_kept);
        tty.n_kept = 0;
    }
}

static void on_fatal_signal(int signum)
{
    give_back();
    signal(signum, SIG_DFL);
    raise(signum);
}

static void on_stop(int signum)
{
    int saved_errno = errno;

    if (tty.taken) {
        leave_screen();
    }
    raise(SIGSTOP);
    errno = saved_errno;
}

/* A process in the background must not touch the terminal (SIGTTOU). */
static void on_continue(int signum)
{
    int saved_errno = errno;

    if (tty.taken && tcgetpgrp(STDIN_FILENO) == getpgrp()) {
        take_screen();
        __atomic_store_n(&tty.stopped, 1, __ATOMIC_RELAXED);
        curses_tty_ring();
    }
    errno = saved_errno;
}

/* ---- opening ---- */

/* Only where nobody else listens already. */
static void handle_signals(void)
{
    static const int fatal[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGSEGV, SIGBUS, SIGILL,
                                 SIGFPE };
    struct sigaction now, action = { .sa_handler = on_fatal_signal };
    static bool done;

    if (done) {
        return;
    }
    done = true;
    for (size_t i = 0; i < G_N_ELEMENTS(fatal); i++) {
        if (sigaction(fatal[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL) {
            sigaction(fatal[i], &action, NULL);
        }
    }
    action.sa_flags = SA_RESTART;
    action.sa_handler = on_continue;
    sigaction(SIGCONT, &action, NULL);
    action.sa_handler = on_stop;
    sigaction(SIGTSTP, &action, NULL);
    atexit(give_back);
}

bool curses_tty_check(GError **error)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)) {
        set_error(error, "We need a terminal output: standard input and output must be a terminal");
        return false;
    }
    return true;
}

/* Every key as it is typed, Ctrl-C, Ctrl-Z and Ctrl-S too: they are the guest's (termios(3)). */
static void make_raw(struct termios *mode)
{
    mode->c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON | IXOFF);
    mode->c_oflag &= ~OPOST;
    mode->c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | ISIG);
    mode->c_cflag = (mode->c_cflag & ~(CSIZE | PARENB)) | CS8;
    mode->c_cc[VMIN] = 1;
    mode->c_cc[VTIME] = 0;
}

/*
 * The same terminal opened again: O_NONBLOCK belongs to the open file, which the user's shell
 * shares.  If that is not allowed, the shared one, of which poll() knows enough.
 */
static int open_again(int fd, int flags)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    int copy = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    return copy >= 0 ? copy : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Standard error goes to a pipe while it would spoil the picture. */
static void divert_errors(void)
{
    int fds[2];

    if (!isatty(STDERR_FILENO) || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
        return;
    }
    tty.stderr_saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (tty.stderr_saved < 0 || dup2(fds[1], STDERR_FILENO) < 0) {
        close(fds[0]);
        tty.stderr_saved = -1;
    } else {
        tty.errors = fds[0];
    }
    close(fds[1]);
}

bool curses_tty_open(const char *enter, const char *leave, GError **error)
{
    if (tcgetattr(STDIN_FILENO, &tty.saved) != 0) {
        set_errno_error(error, errno, "cannot read the terminal's modes");
        return false;
    }
    tty.raw = tty.saved;
    make_raw(&tty.raw);
    tty.in = open_again(STDIN_FILENO, O_RDONLY);
    tty.out = open_again(STDOUT_FILENO, O_WRONLY);
    tty.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (tty.in < 0 || tty.out < 0 || tty.wake < 0) {
        set_errno_error(error, errno, "cannot open the terminal");
        curses_tty_close();
        return false;
    }
    tty.enter = enter;
    tty.leave = leave;
    tty.enter_len = strlen(enter);
    tty.leave_len = strlen(leave);
    fflush(stdout);
    divert_errors();
    handle_signals();
    tty.taken = 1;
    take_screen();
    return true;
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

void curses_tty_close(void)
{
    give_back();
    close_fd(&tty.in);
    close_fd(&tty.out);
    close_fd(&tty.wake);
    close_fd(&tty.errors);
    close_fd(&tty.stderr_saved);
}

/* ---- the thread that draws ---- */

int curses_tty_input(void)
{
    return tty.in;
}

int curses_tty_output(void)
{
    return tty.out;
}

int curses_tty_errors(void)
{
    return tty.errors;
}

int curses_tty_wake(void)
{
    return tty.wake;
}

bool curses_tty_was_stopped(void)
{
    return __atomic_exchange_n(&tty.stopped, 0, __ATOMIC_RELAXED);
}

char *curses_tty_keep_errors(void)
{
    const char *end, *start;

    while (keep_waiting()) {
    }
    end = memrchr(tty.kept, '\n', tty.n_kept);
    if (end == NULL) {
        return NULL;
    }
    start = memrchr(tty.kept, '\n', end - tty.kept);
    start = start != NULL ? start + 1 : tty.kept;
    return g_utf8_make_valid(start, end - start);
}

void curses_tty_size(unsigned *columns, unsigned *rows, CellShape *shape)
{
    struct winsize size = { 0 };

    ioctl(tty.out, TIOCGWINSZ, &size);
    *columns = size.ws_col > 0 ? size.ws_col : 80;
    *rows = size.ws_row > 0 ? size.ws_row : 24;
    *shape = (CellShape){ 1, 2 };
    if (size.ws_xpixel >= *columns && size.ws_ypixel >= *rows) {
        *shape = (CellShape){ size.ws_xpixel / *columns, size.ws_ypixel / *rows };
    }
}
