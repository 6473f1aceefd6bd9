/*
 * What the files of the debug core share: debug.c keeps the points, debug_stop.c tells stops,
 * debug_step.c makes vCPUs go on.  Main thread, machine lock held.
 */
#pragma once

#include "debug.h"

/* A step that is being made. */
typedef struct StepState {
    bool active;
    DebugOwner owner;
    unsigned cpu_index;
    /*
     * STEP_OVER and STEP_OUT end at a point of their own, for whoever comes there with the stack
     * as it was: a recursive call, another thread or process only passes by.
     */
    bool has_point;
    BreakPoint point;
    uint64_t stack;                     /* linear stack pointer; slightly above it will do too */
    unsigned cpl;
    uint64_t cr3;                       /* CPL 3: of that process */
} StepState;

typedef struct DebugCore {
    Vm *vm;                             /* NULL: nobody debugs yet */
    GPtrArray *points;                  /* DebugPoint *, by id, gdb's first */
    unsigned last_id;
    GArray *stops;                      /* DebugStop, of the last stop; the first is the one */
    StepState step;
    bool points_changed;                /* the engine has not been told */
    bool settling;                      /* debug_settle() stops the machine */
} DebugCore;
extern DebugCore debug_core;

void debug_attach(Vm *vm);
/* Hands all points to the engine. */
bool debug_give_points(Vm *vm, GError **error);
void debug_forget_point(DebugPoint *point);     /* without telling the engine */

/* debug_stop.c */
void debug_settle(Vm *vm);
void debug_on_event(Vm *vm, const VmEvent *event, void *opaque);

/* debug_step.c */
bool debug_step_is_done(const X86Cpu *cpu);     /* the vCPU has come to the step's own point */
