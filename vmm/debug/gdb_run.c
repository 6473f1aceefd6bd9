/*
 * Going on, and telling gdb when the machine stands again.
 * GDB manual, E.3 "Stop Reply Packets"; numbers of signals: include/gdb/signals.def.
 */
#include "gdb.h"

enum { SIGNAL_INT = 2, SIGNAL_QUIT = 3, SIGNAL_TRAP = 5, SIGNAL_ABRT = 6, SIGNAL_ALRM = 14,
       SIGNAL_IO = 23, SIGNAL_XCPU = 24, SIGNAL_UNKNOWN = 143 };

/* ---- stops ---- */

static unsigned stop_signal(RunState state)
{
    switch (state) {
    case RUN_STATE_PAUSED:
    case RUN_STATE_SUSPENDED:
        return SIGNAL_INT;
    case RUN_STATE_SHUTDOWN:
        return SIGNAL_QUIT;
    case RUN_STATE_DEBUG:
        return SIGNAL_TRAP;
    case RUN_STATE_INTERNAL_ERROR:
        return SIGNAL_ABRT;
    case RUN_STATE_WATCHDOG:
        return SIGNAL_ALRM;
    case RUN_STATE_IO_ERROR:
        return SIGNAL_IO;
    case RUN_STATE_FINISH_MIGRATE:
        return SIGNAL_XCPU;
    default:
        return SIGNAL_UNKNOWN;
    }
}

/* Which of gdb's points was met, where it can be told. */
static void append_reason(const GdbSession *session, const DebugStop *stop, GString *out)
{
    if (stop->owner != DEBUG_OWNER_GDB) {
        return;
    }
    if (stop->reason == DEBUG_REASON_WATCH) {
        static const char *const names[] = { [WATCH_WRITE] = "watch", [WATCH_READ] = "rwatch",
                                             [WATCH_ACCESS] = "awatch" };

        g_string_append_printf(out, "%s:%" G_GINT64_MODIFIER "x;", names[stop->at.kind],
                               stop->at.addr);
    } else if (stop->reason == DEBUG_REASON_BREAK && stop->at.kind == BREAK_SOFT) {
        g_string_append(out, session->swbreak ? "swbreak:;" : "");
    } else if (stop->reason == DEBUG_REASON_BREAK) {
        g_string_append(out, session->hwbreak ? "hwbreak:;" : "");
    }
}

void gdb_send_stop(GdbSession *session)
{
    g_autoptr(GString) text = g_string_new(NULL);
    RunState state = session->vm->run_state;
    const DebugStop *stop = state == RUN_STATE_DEBUG ? debug_last_stop(session->vm) : NULL;

    if (stop != NULL && stop->reason != DEBUG_REASON_NONE) {
        session->cpu = session->resume_cpu = stop->cpu_index;
    }
    g_string_append_printf(text, "T%02xthread:", stop_signal(state));
    gdb_append_thread(session, session->cpu, text);
    g_string_append_c(text, ';');
    if (stop != NULL) {
        append_reason(session, stop, text);
    }
    session->waiting = false;
    gdb_link_send(&session->link, text->str, text->len);
}

static void send_exit(GdbSession *session)
{
    char text[4];

    g_snprintf(text, sizeof(text), "W%02x", session->vm->exit_code & 0xff);
    session->waiting = false;
    gdb_link_send(&session->link, text, 3);
}

/* A debug stop is complete with VM_EVENT_DEBUG, behind VM_EVENT_STOP. */
void gdb_run_event(Vm *vm, const VmEvent *event, void *opaque)
{
    GdbSession *session = opaque;

    if (!session->waiting) {
        return;
    }
    switch (event->kind) {
    case VM_EVENT_STOP:
        if (vm->run_state != RUN_STATE_DEBUG && vm->run_state != RUN_STATE_SAVE_VM &&
            vm->run_state != RUN_STATE_RESTORE_VM) {
            gdb_send_stop(session);
        }
        break;
    case VM_EVENT_DEBUG:
        if (vm->run_state == RUN_STATE_DEBUG) {
            gdb_send_stop(session);
        }
        break;
    case VM_EVENT_EXIT:
        send_exit(session);
        break;
    default:
        break;
    }
}

/* A guest that sleeps (S3) does not run either; gdb gets its prompt back, the guest sleeps on. */
void gdb_session_interrupt(GdbSession *session)
{
    if (vm_is_running(session->vm)) {
        vm_stop(session->vm, RUN_STATE_PAUSED);         /* the event sends the answer */
    } else if (session->waiting) {
        gdb_send_stop(session);
    }
}

/* ---- going on ---- */

/* A machine that runs already, or sleeps, has nothing to be told: gdb waits for its stop. */
static bool resume(GdbSession *session, const DebugAction *actions, GError **error)
{
    Vm *vm = session->vm;

    return vm_is_running(vm) || vm->run_state == RUN_STATE_SUSPENDED ||
           debug_resume(vm, DEBUG_OWNER_GDB, actions, vm->cpus->len, error);
}

static GdbAnswer resume_and_wait(GdbSession *session, const DebugAction *actions)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;

    session->waiting = true;
    if (resume(session, actions, &error)) {
        return GDB_SAID;
    }
    session->waiting = false;
    text = g_strdup_printf("%s\n", error->message);
    gdb_send_console(session, text);
    return GDB_INVALID;
}

static DebugAction single(const GdbSession *session)
{
    return session->step_interrupts ? DEBUG_SINGLE_OPEN : DEBUG_SINGLE;
}

static DebugAction *all_run(const GdbSession *session)
{
    DebugAction *actions = g_new(DebugAction, session->vm->cpus->len);

    for (guint i = 0; i < session->vm->cpus->len; i++) {
        actions[i] = DEBUG_RUN;
    }
    return actions;
}

void gdb_resume_all(GdbSession *session)
{
    g_autofree DebugAction *actions = all_run(session);

    resume(session, actions, NULL);
}

/* c and s without vCont: [ADDR], the address to go on at */
static GdbAnswer resume_from(GdbSession *session, GdbCursor args, DebugAction action)
{
    g_autofree DebugAction *actions = all_run(session);
    X86Cpu *cpu = gdb_cpu(session, session->resume_cpu);
    uint64_t rip;

    if (gdb_left(&args) > 0) {
        if (!gdb_take_number(&args, &rip) || gdb_left(&args) > 0) {
            return GDB_INVALID;
        }
        cpu->rip = rip;
        vcpu_mark_dirty(cpu);
    }
    actions[session->resume_cpu] = action;
    return resume_and_wait(session, actions);
}

GdbAnswer gdb_continue(GdbSession *session, GdbCursor args)
{
    return resume_from(session, args, DEBUG_RUN);
}

GdbAnswer gdb_step(GdbSession *session, GdbCursor args)
{
    return resume_from(session, args, single(session));
}

/* C and S: "SIGNAL[;ADDR]".  A machine takes no signals; its number is checked and dropped. */
static GdbAnswer resume_with_signal(GdbSession *session, GdbCursor args, DebugAction action)
{
    uint64_t signal;

    if (!gdb_take_number(&args, &signal) || (gdb_left(&args) > 0 && !gdb_take(&args, ";"))) {
        return GDB_INVALID;
    }
    return resume_from(session, args, action);
}

GdbAnswer gdb_continue_signal(GdbSession *session, GdbCursor args)
{
    return resume_with_signal(session, args, DEBUG_RUN);
}

GdbAnswer gdb_step_signal(GdbSession *session, GdbCursor args)
{
    return resume_with_signal(session, args, single(session));
}

/* ---- vCont ---- */

/* One of vCont's actions, "c", "C05", "s" or "S05", and whom it is for. */
static bool take_action(const GdbSession *session, GdbCursor *args, DebugAction *action,
                        int *thread)
{
    static const struct { const char *name; bool signal, step; } names[] = {
        { "c", false, false }, { "C", true, false }, { "s", false, true }, { "S", true, true },
    };

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        uint64_t signal;

        if (gdb_take(args, names[i].name)) {
            *action = names[i].step ? single(session) : DEBUG_RUN;
            *thread = GDB_THREAD_ALL;
            return (!names[i].signal || gdb_take_number(args, &signal)) &&
                   (!gdb_take(args, ":") || gdb_take_thread(session, args, thread));
        }
    }
    return false;
}

/* The first action that names a thread is the thread's; threads nobody names stand. */
static bool take_actions(GdbSession *session, GdbCursor args, DebugAction *actions, bool *named)
{
    guint n = session->vm->cpus->len;

    while (gdb_take(&args, ";")) {
        DebugAction action;
        int thread;

        if (!take_action(session, &args, &action, &thread)) {
            return false;
        }
        for (guint i = 0; i < n; i++) {
            bool meant = thread == GDB_THREAD_ALL || (guint)thread == i + 1 ||
                         (thread == GDB_THREAD_ANY && i == session->resume_cpu);

            if (meant && !named[i]) {
                named[i] = true;
                actions[i] = action;
            }
        }
    }
    return gdb_left(&args) == 0;
}

GdbAnswer gdb_vcont(GdbSession *session, GdbCursor args)
{
    guint n = session->vm->cpus->len;
    g_autofree DebugAction *actions = g_new0(DebugAction, n);
    g_autofree bool *named = g_new0(bool, n);
    bool any = false;

    if (!take_actions(session, args, actions, named)) {
        return GDB_INVALID;
    }
    for (guint i = 0; i < n; i++) {
        any |= named[i];
    }
    return any ? resume_and_wait(session, actions) : GDB_INVALID;
}
