/* Options that attach monitors. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "chardev.h"
#include "option_row.h"
#include "passed_fd.h"
#include "rhea_error.h"
#include "sizes.h"

typedef struct MonArgs { char *chardev, *mode, *id; bool pretty; } MonArgs;
static const char *const mon_modes[] = { "readline", "control", NULL };

static const KeyField mon_fields[] = {
    { "chardev", KEY_STRING, offsetof(MonArgs, chardev), .help = "id of the character device" },
    { "mode", KEY_CHOICE, offsetof(MonArgs, mode), mon_modes,
      .help = "for people or for programs" },
    { "pretty", KEY_BOOL, offsetof(MonArgs, pretty), .help = "indent JSON replies" },
    { "id", KEY_STRING, offsetof(MonArgs, id),
      .help = "a name for the monitor; nothing refers to it" },
    {}
};

LATE_OPTION(opt_monitor, monitors, "monitor")

static bool opt_nographic(Options *options, const char *arg, GError **error)
{
    options->nographic = true;
    options->config.graphics = false;
    return true;
}

static bool opt_qmp(Options *options, const char *arg, GError **error)
{
    LateOption *late;

    option_add_late(options->monitors, "qmp", arg);
    late = g_ptr_array_index(options->monitors, options->monitors->len - 1);
    late->control = true;
    return true;
}

static bool opt_qmp_pretty(Options *options, const char *arg, GError **error)
{
    LateOption *late;

    opt_qmp(options, arg, error);
    late = g_ptr_array_index(options->monitors, options->monitors->len - 1);
    late->pretty = true;
    return true;
}

static bool opt_mon(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, "chardev", error);
    MonArgs args = { 0 };
    LateOption *late;
    bool ok = kv != NULL && keyval_fill(kv, mon_fields, &args, error);

    if (ok && keyval_get(kv, "chardev") == NULL) {
        set_error(error, "Parameter 'chardev' is missing");
        ok = false;
    }
    if (ok) {
        option_add_late(options->mons, "mon", keyval_get(kv, "chardev"));
        late = g_ptr_array_index(options->mons, options->mons->len - 1);
        late->control = g_strcmp0(args.mode, "control") == 0;
        late->pretty = args.pretty;
    }
    g_free(args.chardev);
    g_free(args.mode);
    g_free(args.id);
    return ok;
}

static bool opt_echr(Options *options, const char *arg, GError **error)
{
    uint64_t byte;

    if (!parse_uint(arg, 255, &byte, error)) {
        return false;
    }
    chardev_set_escape(byte);
    return true;
}

/* ---- -add-fd ---- */

typedef struct AddFdArgs { unsigned fd, set; char *opaque; } AddFdArgs;

static const KeyField add_fd_fields[] = {
    { "fd", KEY_UINT, offsetof(AddFdArgs, fd), .help = "a descriptor the parent process left open" },
    { "set", KEY_UINT, offsetof(AddFdArgs, set), .help = "number of the set" },
    { "opaque", KEY_STRING, offsetof(AddFdArgs, opaque), .help = "text to tell it by" },
    {}
};

/* A copy goes into the set; one of ours has FD_CLOEXEC, those of the parent cannot. */
static bool add_fd(const AddFdArgs *args, GError **error)
{
    int flags = args->fd <= INT_MAX ? fcntl(args->fd, F_GETFD) : -1;
    int64_t set = args->set;
    int copy;

    if (args->fd > INT_MAX) {
        set_error(error, "fd option is required and must be non-negative");
    } else if (args->fd <= STDERR_FILENO) {
        set_error(error, "fd cannot be a standard I/O stream");
    } else if (flags < 0 || flags & FD_CLOEXEC) {
        set_error(error, "fd is not valid or already in use");
    } else if (set > INT_MAX) {
        set_error(error, "set option is required and must be non-negative");
    } else if ((copy = fcntl(args->fd, F_DUPFD_CLOEXEC, 0)) < 0) {
        set_errno_error(error, errno, "error duplicating fd");
    } else {
        return fdset_add(&set, copy, args->opaque, error);
    }
    return false;
}

/* At once: files that other options name may be in it. */
static bool opt_add_fd(Options *options, const char *arg, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(arg, NULL, error);
    AddFdArgs args = { UINT_MAX, UINT_MAX, NULL };
    bool ok = kv != NULL && keyval_fill(kv, add_fd_fields, &args, error) && add_fd(&args, error);

    g_free(args.opaque);
    return ok;
}

const Option monitor_options[] = {
    { "monitor", "DEV", "the human monitor on this character device", opt_monitor },
    { "mon", "[chardev=]ID[,mode=readline|control][,pretty=on|off]", "a monitor on a -chardev",
      opt_mon, "mon", mon_fields },
    { "qmp", "DEV", "QMP on this character device", opt_qmp },
    { "qmp-pretty", "DEV", "QMP with indented replies", opt_qmp_pretty },
    { "nographic", NULL, "serial port and monitor share the terminal (Ctrl-a h)", opt_nographic },
    { "add-fd", "fd=FD,set=N[,opaque=TEXT]", "an open descriptor as a file called /dev/fdset/N",
      opt_add_fd, "add-fd", add_fd_fields },
    { "echr", "BYTE", "the terminal's escape key instead of 1, Ctrl-a", opt_echr },
    {}
};
