/* The list of break and watch points. */
#include <inttypes.h>

#include "command.h"
#include "qmp_api.h"

static void print_point(Monitor *mon, const QmpBreakpointInfo *info)
{
    bool watch = info->kind != QMP_BREAKPOINT_KIND_SOFT && info->kind != QMP_BREAKPOINT_KIND_HARD;
    g_autofree char *kind =
        watch ? g_strdup_printf("%s %" PRId64, qmp_breakpoint_kind_names[info->kind], info->length)
              : g_strdup(qmp_breakpoint_kind_names[info->kind]);

    monitor_printf(mon, "%-4" PRId64 " %-11s 0x%016" PRIx64 " %6" PRId64 " %s%s\n", info->id, kind,
                   info->address, info->hits, info->symbol != NULL ? info->symbol : "",
                   info->temporary ? " (temporary)" : "");
}

static bool info_breakpoints(Monitor *mon, const CmdValues *args, GError **error)
{
    g_autoptr(GPtrArray) list = qmp_query_breakpoints(mon->vm, error);

    if (list->len == 0) {
        monitor_printf(mon, "No break or watch points\n");
        return true;
    }
    monitor_printf(mon, "%-4s %-11s %-18s %6s %s\n", "Num", "Kind", "Address", "Hits", "Where");
    for (guint i = 0; i < list->len; i++) {
        print_point(mon, g_ptr_array_index(list, i));
    }
    return true;
}

const Command info_debug_topics[] = {
    { .name = "breakpoints", .run = info_breakpoints,
      .help = "break and watch points, and how often each was met",
      .example = "info breakpoints", .qmp = "query-breakpoints" },
    {}
};
