/* Break points, watch points and steps. */
#include <inttypes.h>

#include "complete_expr.h"
#include "debug.h"
#include "disas.h"
#include "pagewalk.h"
#include "qmp_api.h"
#include "symbols.h"

/* How long the main loop waits for a step to end, and for all of several together. */
#define STEP_WAIT_MS    200
#define STEPS_WAIT_MS   1000

/* ---- what a stop was for ---- */

static void append_place(Vm *vm, uint64_t addr, GString *out)
{
    g_string_append_printf(out, "0x%" PRIx64 " ", addr);
    if (vm_symbol_print(vm, addr, out)) {
        g_string_append_c(out, ' ');
    }
}

static void append_insn(const X86Cpu *cpu, uint64_t rip, GString *out)
{
    uint8_t code[15];
    size_t avail = sizeof(code);
    char text[128];

    while (avail > 0 && !x86_read_linear(cpu, rip, code, avail)) {
        avail--;
    }
    if (x86_disassemble(x86_code_bits(cpu), rip, code, avail, text, sizeof(text)) > 0) {
        g_string_append_printf(out, " %s", text);
    }
    g_string_append_c(out, '\n');
}

/* "Breakpoint 1, CPU 0 at 0xffffffff81234567 do_sys_openat2:  pushq    %r15" */
static void append_stop(Vm *vm, const DebugStop *stop, GString *out)
{
    if (stop->reason == DEBUG_REASON_BREAK) {
        g_string_append_printf(out, "Breakpoint %u, ", stop->point_id);
    } else if (stop->reason == DEBUG_REASON_WATCH) {
        g_string_append_printf(out, "Watchpoint %u (", stop->point_id);
        append_place(vm, stop->at.addr, out);
        g_string_truncate(out, out->len - 1);
        g_string_append(out, "), ");
    }
    g_string_append_printf(out, "CPU %u at ", stop->cpu_index);
    append_place(vm, stop->rip, out);
    g_string_overwrite(out, out->len - 1, ":");
    append_insn(vm_cpu(vm, stop->cpu_index), stop->rip, out);
}

/* A line for each stop that is the monitor's; new string. */
static char *stops_text(Vm *vm)
{
    GString *out = g_string_new(NULL);
    size_t n;
    const DebugStop *stops = debug_stops(vm, &n);

    for (size_t i = 0; i < n; i++) {
        if (stops[i].owner == DEBUG_OWNER_MONITOR && stops[i].reason != DEBUG_REASON_STEP_LOST) {
            append_stop(vm, &stops[i], out);
        }
    }
    return g_string_free(out, FALSE);
}

/* A command waits for a step: the stop is its own to print. */
static bool stepping;

void monitor_debug_event(Vm *vm, const VmEvent *event, void *opaque)
{
    g_autofree char *text = NULL;

    if (event->kind != VM_EVENT_DEBUG || stepping) {
        return;
    }
    text = stops_text(vm);
    if (*text != '\0') {
        monitor_async_cpu(debug_last_stop(vm)->cpu_index);
        monitor_async_print("%s", text);
    }
}

/* ---- break, watchpoint, delete ---- */

static bool add_point(Monitor *mon, const QmpBreakpointAddArgs *args, const char *what,
                      GError **error)
{
    g_autoptr(QmpBreakpointId) reply = qmp_breakpoint_add(mon->vm, args, error);
    g_autoptr(GString) place = g_string_new(NULL);

    if (reply == NULL) {
        return false;
    }
    append_place(mon->vm, args->address, place);
    monitor_printf(mon, "%s %" PRId64 " at %.*s\n", what, reply->id, (int)place->len - 1,
                   place->str);
    return true;
}

static const CmdArg break_args[] = {
    { .name = "hard", .kind = ARG_FLAG, .flag = 'h', .optional = true,
      .help = "by a debug register (kvm has four): needs no memory there yet" },
    { ARG_EXPR("addr", ARG_INT64, "the instruction's address"), .qmp = "address" },
    {}
};

static bool cmd_break(Monitor *mon, const CmdValues *args, GError **error)
{
    QmpBreakpointAddArgs point = {
        .has_address = true, .address = cmd_number(args, "addr", 0), .has_kind = true,
        .kind = cmd_given(args, "hard") ? QMP_BREAKPOINT_KIND_HARD : QMP_BREAKPOINT_KIND_SOFT,
    };

    return add_point(mon, &point, "Breakpoint", error);
}

static const CmdArg watchpoint_args[] = {
    { .name = "read", .kind = ARG_FLAG, .flag = 'r', .optional = true,
      .help = "reads instead of writes (not with kvm)" },
    { .name = "access", .kind = ARG_FLAG, .flag = 'a', .optional = true,
      .help = "reads and writes" },
    { ARG_EXPR("addr", ARG_INT64, "what to watch"), .qmp = "address" },
    { ARG_EXPR("len", ARG_INT32, "bytes to watch"), .optional = true, .qmp = "length" },
    {}
};

static bool cmd_watchpoint(Monitor *mon, const CmdValues *args, GError **error)
{
    QmpBreakpointAddArgs point = {
        .has_address = true, .address = cmd_number(args, "addr", 0), .has_kind = true,
        .kind = cmd_given(args, "access") ? QMP_BREAKPOINT_KIND_ACCESS
                : cmd_given(args, "read") ? QMP_BREAKPOINT_KIND_READ
                                          : QMP_BREAKPOINT_KIND_WRITE,
        .has_length = cmd_given(args, "len"), .length = cmd_number(args, "len", 0),
    };

    return add_point(mon, &point, "Watchpoint", error);
}

static void complete_points(Monitor *mon, GPtrArray *candidates)
{
    g_autoptr(GPtrArray) list = qmp_query_breakpoints(mon->vm, NULL);

    g_ptr_array_add(candidates, g_strdup("all"));
    for (guint i = 0; i < list->len; i++) {
        const QmpBreakpointInfo *info = g_ptr_array_index(list, i);

        g_ptr_array_add(candidates, g_strdup_printf("%" PRId64, info->id));
    }
}

static const CmdArg delete_args[] = {
    { .name = "id", .kind = ARG_WORD, .optional = true, .complete = complete_points, .qmp = "id",
      .help = "number of a break or watch point; \"all\" or nothing: all of them" },
    {}
};

static bool cmd_delete(Monitor *mon, const CmdValues *args, GError **error)
{
    const char *word = cmd_text(args, "id");
    int64_t id;
    char *end;

    if (word == NULL || g_str_equal(word, "all")) {
        return qmp_breakpoint_remove(mon->vm, NULL, error);
    }
    id = g_ascii_strtoll(word, &end, 10);
    if (*end != '\0' || end == word) {
        set_error(error, "'%s' is neither a point's number nor \"all\"", word);
        return false;
    }
    return qmp_breakpoint_remove(mon->vm, &id, error);
}

/* ---- step, next, finish ---- */

/*
 * One step of the monitor's CPU; *stood: the machine stands again, so that another may follow.  A
 * step that takes long goes on, and monitor_debug_event() tells of its end.
 */
static bool make_step(Monitor *mon, QmpCpuStepMode mode, bool *stood, GError **error)
{
    int64_t index = mon->cpu_index;
    bool ok;

    stepping = true;
    ok = qmp_cpu_step(mon->vm, &index, &mode, error);
    *stood = ok && debug_wait(mon->vm, STEP_WAIT_MS);
    stepping = false;
    return ok;
}

static bool step_and_print(Monitor *mon, QmpCpuStepMode mode, uint64_t count, GError **error)
{
    gint64 end_us = g_get_monotonic_time() + STEPS_WAIT_MS * G_GINT64_CONSTANT(1000);
    g_autofree char *text = NULL;
    bool stood = true;
    uint64_t done = 0;

    while (done < count && stood) {
        if (!make_step(mon, mode, &stood, error)) {
            return false;
        }
        done++;
        if (stood && debug_last_stop(mon->vm)->reason != DEBUG_REASON_STEP) {
            break;
        }
        if (done < count && g_get_monotonic_time() >= end_us) {
            monitor_printf(mon, "%" PRIu64 " of %" PRIu64 " steps in a second:\n", done, count);
            break;
        }
    }
    if (!stood) {
        monitor_printf(mon, "The machine runs; the end of the step will be told.\n");
        return true;
    }
    text = stops_text(mon->vm);
    monitor_printf(mon, "%s", text);
    return true;
}

static const CmdArg step_args[] = {
    { ARG_EXPR("count", ARG_INT32, "this many instructions; 1 without it"), .optional = true },
    {}
};

static bool cmd_step(Monitor *mon, const CmdValues *args, GError **error)
{
    return step_and_print(mon, QMP_CPU_STEP_MODE_INSN, cmd_number(args, "count", 1), error);
}

static bool cmd_next(Monitor *mon, const CmdValues *args, GError **error)
{
    return step_and_print(mon, QMP_CPU_STEP_MODE_OVER, 1, error);
}

static bool cmd_finish(Monitor *mon, const CmdValues *args, GError **error)
{
    return step_and_print(mon, QMP_CPU_STEP_MODE_OUT, 1, error);
}

const Command monitor_debug_commands[] = {
    { .name = "break", .args = break_args, .run = cmd_break,
      .help = "stop when a CPU comes to an instruction", .example = "break do_sys_openat2",
      .qmp = "breakpoint-add" },
    { .name = "delete", .args = delete_args, .run = cmd_delete,
      .help = "remove a break or watch point, or all of them", .example = "delete 2",
      .qmp = "breakpoint-remove" },
    { .name = "finish", .run = cmd_finish,
      .help = "go on until the running function has returned", .example = "finish",
      .qmp = "cpu-step" },
    { .name = "next", .run = cmd_next,
      .help = "execute one instruction; a call with all it does counts as one",
      .example = "next", .qmp = "cpu-step" },
    { .name = "step", .args = step_args, .run = cmd_step,
      .help = "execute one instruction of the current CPU, or several", .example = "step 3",
      .qmp = "cpu-step" },
    { .name = "watchpoint", .args = watchpoint_args, .run = cmd_watchpoint,
      .help = "stop when a CPU has written to memory", .example = "watchpoint jiffies 8",
      .qmp = "breakpoint-add" },
    {}
};
