/* The guest's memory into a file, and how far that is. */
#include <string.h>

#include "command.h"
#include "guest_dump.h"
#include "qmp_api.h"

/* How often a terminal is told, and how long a file may take nothing before the monitor goes on. */
#define PROGRESS_MS 500
#define STALLED_MS  5000

static const CmdArg dump_args[] = {
    { .name = "paging", .kind = ARG_FLAG, .flag = 'p', .optional = true, .qmp = "paging",
      .help = "tell virtual addresses too" },
    { .name = "detach", .kind = ARG_FLAG, .flag = 'd', .optional = true, .qmp = "detach",
      .help = "do not wait for the end" },
    { .name = "filename", .kind = ARG_FILE, .help = "file to write" },
    { .name = "begin", .kind = ARG_INT64, .optional = true, .qmp = "begin",
      .help = "first physical address" },
    { .name = "length", .kind = ARG_INT64, .optional = true, .qmp = "length", .help = "bytes" },
    {}
};

static double percent(const GuestDumpState *state)
{
    return state->total == 0 ? 0 : 100.0 * state->completed / state->total;
}

/* Whole lines: a mux keeps others back.  The monitor's own text comes when the command is done. */
static void show_progress(Monitor *mon, const char *format, double value)
{
    char text[64];

    if (mon->fe != NULL) {
        g_snprintf(text, sizeof(text), format, value);
        chardev_write(mon->fe, text, strlen(text));
    }
}

/* False: the file takes nothing; the dump goes on without the monitor. */
static bool wait_for_end(Monitor *mon)
{
    GuestDumpState state;
    uint64_t before = 0;
    unsigned stalled_ms = 0;

    while (!guest_dump_wait(PROGRESS_MS)) {
        guest_dump_query(&state);
        stalled_ms = state.completed == before ? stalled_ms + PROGRESS_MS : 0;
        before = state.completed;
        if (stalled_ms >= STALLED_MS) {
            return false;
        }
        show_progress(mon, "dumped %.0f %%\r\n", percent(&state));
    }
    return true;
}

static void keep_error(void *opaque, const GError *error)
{
    GError **slot = opaque;

    *slot = error != NULL ? g_error_copy(error) : NULL;
}

static bool dump_and_wait(Monitor *mon, const char *target, const GuestDumpOptions *options,
                          GError **error)
{
    GError *failure = NULL;

    if (!guest_dump_start(mon->vm, target, options, keep_error, &failure, error)) {
        return false;
    }
    if (!wait_for_end(mon)) {
        guest_dump_forget();
        monitor_printf(mon, "The file takes no more just now: the dump goes on, see info dump\n");
    }
    if (failure != NULL) {
        g_propagate_error(error, failure);
        return false;
    }
    return true;
}

static bool cmd_dump_guest_memory(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autofree char *target = g_strconcat("file:", cmd_text(args, "filename"), NULL);
    GuestDumpOptions options = {
        .paging = cmd_given(args, "paging"), .limited = cmd_given(args, "begin"),
        .begin = cmd_number(args, "begin", 0), .length = cmd_number(args, "length", 0),
    };

    if (options.limited && !cmd_given(args, "length")) {
        set_error(error, "Parameter 'length' is missing");
        return false;
    }
    return cmd_given(args, "detach")
               ? guest_dump_start(mon->vm, target, &options, NULL, NULL, error)
               : dump_and_wait(mon, target, &options, error);
}

const Command monitor_dump_commands[] = {
    { .name = "dump-guest-memory", .args = dump_args, .run = cmd_dump_guest_memory,
      .qmp = "dump-guest-memory", .help = "write the guest's memory to a file debuggers open",
      .example = "dump-guest-memory -p /tmp/guest.core" },
    {}
};

/* ---- info dump ---- */

static bool info_dump(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(QmpDumpQueryResult) result = qmp_query_dump(mon->vm, error);

    monitor_printf(mon, "Status: %s\n", qmp_dump_status_names[result->status]);
    if (result->status == QMP_DUMP_STATUS_ACTIVE) {
        GuestDumpState state = { .completed = result->completed, .total = result->total };

        monitor_printf(mon, "Finished: %.2f %%\n", percent(&state));
    }
    return true;
}

const Command info_dump_topics[] = {
    { .name = "dump", .run = info_dump, .example = "info dump", .qmp = "query-dump",
      .help = "how far writing the guest's memory to a file is" },
    {}
};
