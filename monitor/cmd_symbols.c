/* Names of the guest's addresses, and who called. */
#include <inttypes.h>

#include "candidates.h"
#include "complete_expr.h"
#include "qmp_api.h"

/* ---- where names come from ---- */

static bool info_symbols(Monitor *mon, const CmdValues *args, GError **error)
{
    QmpSymbolSource *info = qmp_query_symbol_source(mon->vm, error);

    if (info == NULL) {
        return false;
    }
    monitor_printf(mon, "%s: %" PRId64 " symbols", info->source, info->count);
    if (info->has_text) {
        monitor_printf(mon, ", kernel at 0x%" PRIx64, info->text);
    }
    monitor_printf(mon, "\n");
    qmp_symbol_source_free(info);
    return true;
}

static const CmdArg symbol_file_args[] = {
    { .name = "file", .kind = ARG_FILE, .optional = true, .qmp = "filename",
      .help = "an ELF file or a System.map; back to the guest's own without one" },
    {}
};

static bool cmd_symbol_file(Monitor *mon, const CmdValues *args, GError **error)
{
    return qmp_symbol_file(mon->vm, cmd_text(args, "file"), error) &&
           info_symbols(mon, args, error);
}

/* ---- one name ---- */

static const CmdArg symbol_args[] = {
    { ARG_EXPR("addr", ARG_INT64, "address"), .qmp = "address" },
    {}
};

static bool info_symbol(Monitor *mon, const CmdValues *args, GError **error)
{
    uint64_t addr = cmd_number(args, "addr", 0);
    QmpSymbolInfo *info = qmp_query_symbol(mon->vm, NULL, &addr, error);

    if (info == NULL) {
        return false;
    }
    monitor_printf(mon, "0x%" PRIx64 " is %s", addr, info->name);
    if (info->offset != 0) {
        monitor_printf(mon, "+0x%" PRIx64, info->offset);
    }
    monitor_printf(mon, " (%" PRId64 " bytes, %s)\n", info->size, info->type);
    qmp_symbol_info_free(info);
    return true;
}

/* ---- who called ---- */

static const CmdArg backtrace_args[] = {
    { .name = "cpu", .kind = ARG_INT32, .optional = true, .qmp = "cpu-index",
      .help = "of this CPU; the current one without it", .complete = candidates_cpus },
    {}
};

/* "#1  0xffffffff81234567 do_sys_openat2+0x1c"; a guess has a question mark. */
static void print_frame(Monitor *mon, unsigned n, const QmpBacktraceFrame *frame)
{
    bool guess = frame->how == QMP_BACKTRACE_HOW_GUESS;

    monitor_printf(mon, "#%-3u0x%016" PRIx64 "%s", n, frame->address, guess ? " ?" : "");
    if (frame->symbol != NULL) {
        monitor_printf(mon, " %s", frame->symbol);
    }
    if (frame->has_offset && frame->offset != 0) {
        monitor_printf(mon, "+0x%" PRIx64, frame->offset);
    }
    monitor_printf(mon, "\n");
}

static bool info_backtrace(Monitor *mon, const CmdValues *args, GError **error)
{
    int64_t index = cmd_number(args, "cpu", mon->cpu_index);
    g_autoptr(GPtrArray) frames = qmp_query_backtrace(mon->vm, &index, error);

    for (guint i = 0; frames != NULL && i < frames->len; i++) {
        print_frame(mon, i, g_ptr_array_index(frames, i));
    }
    return frames != NULL;
}

const Command monitor_symbol_commands[] = {
    { .name = "symbol-file", .args = symbol_file_args, .run = cmd_symbol_file,
      .help = "take names of addresses from a file",
      .example = "symbol-file /boot/System.map-6.1.0-13-amd64", .qmp = "symbol-file" },
    {}
};

const Command info_symbol_topics[] = {
    { .name = "backtrace", .args = backtrace_args, .run = info_backtrace,
      .help = "who called: the frames below a CPU's registers; '?' marks guesses",
      .example = "info backtrace 1", .qmp = "query-backtrace" },
    { .name = "symbol", .args = symbol_args, .run = info_symbol,
      .help = "the name of what lies at an address", .example = "info symbol $rip",
      .qmp = "query-symbol" },
    { .name = "symbols", .run = info_symbols, .help = "where names of addresses come from",
      .example = "info symbols", .qmp = "query-symbol-source" },
    {}
};
