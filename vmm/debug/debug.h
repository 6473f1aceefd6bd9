/*
 * The debugger inside: break points, watch points and steps, whoever asks for them.
 *
 * The monitor's `break`, QMP's and gdb's live in one list here and reach the engine together, so
 * that one door's points survive what another does.  Main thread, machine lock held; the machine
 * may be running, the functions pause it for a moment where the engine wants that.
 *
 * A debug stop ends in RUN_STATE_DEBUG and VM_EVENT_DEBUG; debug_last_stop() says what happened.
 * Whoever made the point or the step decides by its owner whether the stop is its own.
 */
#pragma once

#include "accel.h"

typedef enum DebugOwner { DEBUG_OWNER_MONITOR, DEBUG_OWNER_GDB } DebugOwner;

typedef struct DebugPoint {
    unsigned id;                /* 1, 2, … of the monitor's and QMP's; 0: gdb's, told by address */
    DebugOwner owner;
    BreakPoint at;              /* addr: linear */
    char *label;                /* what the user typed ("do_sys_openat2"), or NULL; owned */
    uint64_t hits;
    bool temporary;             /* goes when it is met */
} DebugPoint;

/*
 * Adds a point.  Twice the same kind, address and length of one owner: one point.  The engine's
 * limit (four hardware points on kvm) or an address without memory is an error and changes nothing.
 * *id (may be NULL) gets its number.
 */
bool debug_add(Vm *vm, DebugOwner owner, const BreakPoint *at, const char *label, bool temporary,
               unsigned *id, GError **error);
bool debug_remove(Vm *vm, DebugOwner owner, const BreakPoint *at, GError **error);
bool debug_remove_id(Vm *vm, unsigned id, GError **error);
void debug_remove_all(Vm *vm, DebugOwner owner);
const GPtrArray *debug_points(Vm *vm);          /* DebugPoint *, by id; borrowed until changed */

/* ---- going on ---- */
typedef enum DebugStep {
    DEBUG_STEP_INSN,            /* one instruction */
    DEBUG_STEP_OVER,            /* the same, a call with all it does counts as one */
    DEBUG_STEP_OUT,             /* until the function that is running has returned */
} DebugStep;

/*
 * Goes on with every vCPU until `cpu` has stepped or something else stops the machine.  The machine
 * must be stopped in a state that can go on.  Interrupts stay out of a DEBUG_STEP_INSN.
 * STEP_OUT needs to know where the function returns to (unwind.h); an error if nobody can tell.
 */
bool debug_step(Vm *vm, DebugOwner owner, X86Cpu *cpu, DebugStep step, GError **error);

/*
 * What gdb's vCont asks for: an action for each vCPU by index, n = vm->cpus->len.  A vCPU left with
 * DEBUG_HOLD stands while the others run.  A vCPU that stands on a point it has been stopped for
 * goes on past it.  cont of the monitor is DEBUG_RUN for all.
 */
typedef enum DebugAction {
    DEBUG_HOLD, DEBUG_RUN,
    DEBUG_SINGLE,               /* one instruction; interrupts stay out of it */
    DEBUG_SINGLE_OPEN,          /* the same, or the first one of the handler of an interrupt */
} DebugAction;
bool debug_resume(Vm *vm, DebugOwner owner, const DebugAction *actions, size_t n, GError **error);
/*
 * Lets a machine that goes on come to its next stop, at most `timeout_ms` long; false: it still
 * runs.  The main loop stands meanwhile, so this is for single instructions.
 */
bool debug_wait(Vm *vm, unsigned timeout_ms);

/* ---- the last stop ---- */
typedef enum DebugReason {
    DEBUG_REASON_NONE,          /* no debug stop since the machine last went on */
    DEBUG_REASON_BREAK, DEBUG_REASON_WATCH, DEBUG_REASON_STEP,
    DEBUG_REASON_STEP_LOST,     /* stopped by something else before the step was done */
} DebugReason;

typedef struct DebugStop {
    DebugReason reason;
    DebugOwner owner;           /* of the point or the step */
    unsigned cpu_index;
    uint64_t rip;
    unsigned point_id;          /* BREAK, WATCH: DebugPoint.id, also of one that is gone now */
    BreakPoint at;              /* BREAK, WATCH */
} DebugStop;
const DebugStop *debug_last_stop(Vm *vm);       /* gdb's, if it is one of several */
/*
 * Everything the last stop was for, n of them: vCPUs may meet points at the same moment, and a
 * place may have points of several owners.  Beside the last stop none is gdb's: those come up again
 * when the machine goes on.
 */
const DebugStop *debug_stops(Vm *vm, size_t *n);

void debug_finish(Vm *vm);      /* takes all points from the engine; at the machine's end */
