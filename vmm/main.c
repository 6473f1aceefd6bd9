/* Program entry: reads the options, builds the machine, attaches the monitors, runs. */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "display.h"
#include "gdbstub.h"
#include "lock.h"
#include "monitor.h"
#include "net.h"
#include "options.h"
#include "qmp.h"
#include "text_console.h"
#include "vm.h"

static char *pidfile_path;

static int fail(GError *error)
{
    displays_close();
    net_close_all();
    chardev_close_all();                      /* terminals first, so that the message is readable */
    report_error(error);
    g_error_free(error);
    return 1;
}

static gboolean on_signal(gpointer opaque)
{
    vm_request_shutdown(opaque, SHUTDOWN_CAUSE_HOST_SIGNAL);
    return G_SOURCE_CONTINUE;
}

static void watch_signals(Vm *vm)
{
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);               /* a limit on file sizes is an error of the disk */
    g_unix_signal_add(SIGINT, on_signal, vm);
    g_unix_signal_add(SIGTERM, on_signal, vm);
    g_unix_signal_add(SIGHUP, on_signal, vm);
}

static void on_terminal_quit(void *opaque)
{
    vm_request_shutdown(opaque, SHUTDOWN_CAUSE_HOST_SIGNAL);
}

static bool attach_monitors(const GPtrArray *specs, GError **error)
{
    for (guint i = 0; i < specs->len; i++) {
        const MonitorSpec *spec = g_ptr_array_index(specs, i);

        if (!(spec->control ? qmp_monitor_new(spec->chardev, spec->pretty, error)
                            : hmp_monitor_new(spec->chardev, error))) {
            return false;
        }
    }
    return true;
}

/* ---- -pidfile, -daemonize ---- */

static bool write_pidfile(const char *path, GError **error)
{
    g_autofree char *text = g_strdup_printf("%d\n", (int)getpid());
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0 || fcntl(fd, F_OFD_SETLK, &lock) < 0 || ftruncate(fd, 0) < 0 ||
        write(fd, text, strlen(text)) < 0) {
        set_errno_error(error, errno, "cannot create PID file '%s'", path);
        return false;
    }
    pidfile_path = g_strdup(path);                  /* fd stays open: the lock says we live */
    return true;
}

static void remove_pidfile(void)
{
    if (pidfile_path != NULL) {
        unlink(pidfile_path);
    }
}

/*
 * The parent waits until the child reports that the machine stands, then leaves with 0; with 1 if
 * the child died first.  Returns the descriptor to report on.
 */
static int daemonize(void)
{
    int pipe_fds[2];
    char byte;
    pid_t pid;

    if (pipe2(pipe_fds, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        fprintf(stderr, "rhea: cannot go to the background: %s\n", g_strerror(errno));
        exit(1);
    }
    if (pid > 0) {
        close(pipe_fds[1]);
        _exit(read(pipe_fds[0], &byte, 1) == 1 ? 0 : 1);
    }
    close(pipe_fds[0]);
    setsid();
    return pipe_fds[1];
}

static void daemon_ready(int ready_fd)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (chdir("/") < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0 ||
        write(ready_fd, "", 1) != 1) {
        exit(1);
    }
    close(ready_fd);
    close(null);
}

int main(int argc, char **argv)
{
    g_autoptr(Options) options = options_new();
    g_autoptr(GPtrArray) monitors = NULL;
    g_autofree char *program = g_path_get_basename(argv[0]);
    Vm *vm = vm_instance();
    GError *error = NULL;
    int ready_fd = -1;

    report_set_program(program);
    options_set_displays(display_options);
    chardev_add_type(&chardev_vc);
    if (!options_parse(options, argc, argv, &error)) {
        return fail(error);
    }
    if (options->done) {
        return 0;
    }
    displays_default(options);
    if (options->daemonize) {
        if (options_share_terminal(options)) {
            set_error(&error, "-nographic cannot be used with -daemonize");
            return fail(error);
        }
        if (displays_want_terminal(options)) {
            set_error(&error, "curses display cannot be used with -daemonize");
            return fail(error);
        }
        ready_fd = daemonize();
    }
    if (options->pidfile != NULL && !write_pidfile(options->pidfile, &error)) {
        return fail(error);
    }
    atexit(remove_pidfile);
    machine_lock();
    watch_signals(vm);
    chardev_set_quit_handler(on_terminal_quit, vm);
    qmp_set_human_monitor(hmp_run);
    gdbstub_set_command(hmp_run);
    if (!vm_create(vm, options, &monitors, &error) || !attach_monitors(monitors, &error)) {
        return fail(error);
    }
    if (vm->config.process_name != NULL) {
        prctl(PR_SET_NAME, vm->config.process_name);
    }
    if (ready_fd >= 0) {
        daemon_ready(ready_fd);
    }
    vm_run(vm);
    displays_close();
    vm_destroy(vm);
    return vm->exit_code;
}
