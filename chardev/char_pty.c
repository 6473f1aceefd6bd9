/*
 * A pseudo terminal of its own; its name is announced on standard output.
 *
 * Output is dropped while nobody has the slave side open.  That somebody opens it is learned from
 * inotify, that the last one has closed it from the master's POLLHUP.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <pty.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <termios.h>
#include <unistd.h>

#include "backend.h"

typedef struct CharPty {
    Chardev chr;
    int master, inotify_fd;
    char *name;                             /* "/dev/pts/3" */
    GSource *opened_source;
} CharPty;

static bool pty_has_peer(const CharPty *pty)
{
    struct pollfd pfd = { .fd = pty->master, .events = POLLIN };

    return poll(&pfd, 1, 0) >= 0 && !(pfd.revents & POLLHUP);
}

static void pty_connect(CharPty *pty)
{
    if (!pty->chr.open && pty_has_peer(pty)) {
        chardev_set_output(&pty->chr, pty->master);
        chardev_watch_input(&pty->chr, pty->master);
        chardev_set_open(&pty->chr, true);
    }
}

static gboolean pty_opened(gint fd, GIOCondition condition, gpointer opaque)
{
    char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));

    while (read(fd, events, sizeof(events)) > 0) {
    }
    pty_connect(opaque);
    return G_SOURCE_CONTINUE;
}

/* The last user closed the slave.  Another may have opened it since: look once more. */
static void pty_hangup(Chardev *chr)
{
    CharPty *pty = (CharPty *)chr;

    chardev_watch_input(chr, -1);
    chardev_set_output(chr, -1);
    chardev_set_open(chr, false);
    pty_connect(pty);
}

static bool pty_watch(CharPty *pty, GError **error)
{
    pty->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (pty->inotify_fd < 0 || inotify_add_watch(pty->inotify_fd, pty->name, IN_OPEN) < 0) {
        set_errno_error(error, errno, "Could not watch '%s'", pty->name);
        return false;
    }
    pty->opened_source = g_unix_fd_source_new(pty->inotify_fd, G_IO_IN);
    g_source_set_callback(pty->opened_source, G_SOURCE_FUNC(pty_opened), pty, NULL);
    g_source_attach(pty->opened_source, NULL);
    return true;
}

static bool pty_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    CharPty *pty = (CharPty *)chr;
    char name[64];
    struct termios mode;
    int slave;

    pty->inotify_fd = -1;
    if (openpty(&pty->master, &slave, name, NULL, NULL) != 0) {
        pty->master = -1;
        set_errno_error(error, errno, "Failed to create PTY");
        return false;
    }
    if (tcgetattr(slave, &mode) == 0) {
        cfmakeraw(&mode);
        tcsetattr(slave, TCSAFLUSH, &mode);
    }
    close(slave);
    fcntl(pty->master, F_SETFD, FD_CLOEXEC);
    fcntl(pty->master, F_SETFL, fcntl(pty->master, F_GETFL) | O_NONBLOCK);
    pty->name = g_strdup(name);
    if (!pty_watch(pty, error)) {
        return false;
    }
    printf("char device redirected to %s (label %s)\n", name, chr->label);
    fflush(stdout);
    return true;
}

static void pty_close(Chardev *chr)
{
    CharPty *pty = (CharPty *)chr;

    if (pty->opened_source != NULL) {
        g_source_destroy(pty->opened_source);
        g_source_unref(pty->opened_source);
    }
    chardev_watch_input(chr, -1);
    chardev_set_output(chr, -1);
    if (pty->master >= 0) {
        close(pty->master);
    }
    if (pty->inotify_fd >= 0) {
        close(pty->inotify_fd);
    }
    g_free(pty->name);
}

static char *pty_filename(Chardev *chr)
{
    return g_strdup_printf("pty:%s", ((CharPty *)chr)->name);
}

const ChardevType chardev_pty_type = {
    .name = "pty", .size = sizeof(CharPty),
    .open = pty_open, .close = pty_close, .write = chardev_fd_write, .hangup = pty_hangup,
    .filename = pty_filename,
};
