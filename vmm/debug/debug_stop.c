/*
 * From what engines met to stops that somebody is told.
 *
 * Several vCPUs may meet points at the same moment.  The monitor hears of all of them at once.  gdb
 * hears of one stop at a time, so that the others' vCPUs keep what they met and it comes up again
 * when the machine goes on.
 */
#include "debug_core.h"

static bool is_watch(const BreakPoint *at)
{
    return at->kind != BREAK_SOFT && at->kind != BREAK_HARD;
}

static DebugStop *add_stop(const X86Cpu *cpu, DebugReason reason, DebugOwner owner)
{
    DebugStop stop = { .reason = reason, .owner = owner, .cpu_index = cpu->index,
                       .rip = x86_linear_rip(cpu) };

    g_array_append_val(debug_core.stops, stop);
    return &g_array_index(debug_core.stops, DebugStop, debug_core.stops->len - 1);
}

/* Points of that place; how many of them are `owner`'s. */
static unsigned add_points_met(const X86Cpu *cpu, bool watch, uint64_t addr, DebugOwner owner)
{
    unsigned n = 0;

    for (guint i = 0; i < debug_core.points->len; i++) {
        const DebugPoint *point = g_ptr_array_index(debug_core.points, i);
        DebugStop *stop;

        if (is_watch(&point->at) != watch || point->at.addr != addr) {
            continue;
        }
        stop = add_stop(cpu, watch ? DEBUG_REASON_WATCH : DEBUG_REASON_BREAK, point->owner);
        stop->point_id = point->id;
        stop->at = point->at;
        n += point->owner == owner;
    }
    return n;
}

/* A step that ends at a point of its owner has met that point. */
static void add_stops_of(X86Cpu *cpu)
{
    StepState *step = &debug_core.step;

    vcpu_sync(cpu);
    switch (cpu->debug_hit) {
    case DEBUG_NONE:
        break;
    case DEBUG_WATCH:
        add_points_met(cpu, true, cpu->debug_addr, step->owner);
        break;
    case DEBUG_STEP:
        if (cpu->single_step && add_points_met(cpu, false, x86_linear_rip(cpu), step->owner) == 0) {
            add_stop(cpu, DEBUG_REASON_STEP, step->owner);
        }
        break;
    case DEBUG_BREAK:
        if (add_points_met(cpu, false, cpu->debug_addr, step->owner) == 0 &&
            debug_step_is_done(cpu)) {
            add_stop(cpu, DEBUG_REASON_STEP, step->owner);
        }
        break;
    }
}

/* ---- who hears of it ---- */

/* gdb's first stop goes first, if it has any: it is the one gdb is told. */
static void choose_first(void)
{
    GArray *stops = debug_core.stops;

    for (guint i = 0; i < stops->len; i++) {
        DebugStop stop = g_array_index(stops, DebugStop, i);

        if (stop.owner == DEBUG_OWNER_GDB) {
            g_array_remove_index(stops, i);
            g_array_prepend_val(stops, stop);
            return;
        }
    }
}

/* Is this vCPU's news told now?  Points of gdb beside the first stop have to wait. */
static bool is_told(const X86Cpu *cpu)
{
    const GArray *stops = debug_core.stops;
    bool waits = false;

    for (guint i = 0; i < stops->len; i++) {
        const DebugStop *stop = &g_array_index(stops, DebugStop, i);

        if (stop->cpu_index != cpu->index) {
            continue;
        }
        if (i == 0 || stop->owner != DEBUG_OWNER_GDB || stop->reason == DEBUG_REASON_STEP) {
            return true;
        }
        waits = true;
    }
    return !waits;
}

static void tell(X86Cpu *cpu)
{
    cpu->debug_told = is_told(cpu);
    if (cpu->debug_told && cpu->debug_hit != DEBUG_WATCH) {
        cpu->debug_pass = true;
        cpu->debug_pass_addr = x86_linear_rip(cpu);
    }
}

static void drop_untold(Vm *vm)
{
    for (guint i = debug_core.stops->len; i-- > 0;) {
        const DebugStop *stop = &g_array_index(debug_core.stops, DebugStop, i);
        const X86Cpu *cpu = g_ptr_array_index(vm->cpus, stop->cpu_index);

        if (!cpu->debug_told) {
            g_array_remove_index(debug_core.stops, i);
        }
    }
}

static bool point_was_met(const DebugPoint *point)
{
    for (guint i = 0; i < debug_core.stops->len; i++) {
        const DebugStop *stop = &g_array_index(debug_core.stops, DebugStop, i);

        if (stop->reason != DEBUG_REASON_STEP && stop->owner == point->owner &&
            stop->at.kind == point->at.kind && stop->at.addr == point->at.addr &&
            stop->at.len == point->at.len) {
            return true;
        }
    }
    return false;
}

static void count_hits(void)
{
    for (guint i = debug_core.points->len; i-- > 0;) {
        DebugPoint *point = g_ptr_array_index(debug_core.points, i);

        if (point_was_met(point)) {
            point->hits++;
            if (point->temporary) {
                debug_forget_point(point);
                debug_core.points_changed = true;
            }
        }
    }
}

/* ---- a vCPU met something ---- */

static void collect(Vm *vm)
{
    g_array_set_size(debug_core.stops, 0);
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        if (cpu->debug_hit != DEBUG_NONE && !cpu->debug_told) {
            add_stops_of(cpu);
        }
    }
    choose_first();
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        if (cpu->debug_hit != DEBUG_NONE && !cpu->debug_told) {
            tell(cpu);
        }
    }
    drop_untold(vm);
    count_hits();
}

/* The machine stands: a step is over, done or not, and the next start is everybody's again. */
static void end_step(Vm *vm)
{
    debug_core.points_changed |= debug_core.step.has_point;
    debug_core.step = (StepState){ 0 };
    for (guint i = 0; i < vm->cpus->len; i++) {
        X86Cpu *cpu = g_ptr_array_index(vm->cpus, i);

        cpu->single_step = cpu->step_interrupts = cpu->debug_hold = false;
    }
    if (debug_core.points_changed) {
        debug_core.points_changed = false;
        debug_give_points(vm, NULL);
    }
}

/*
 * While the machine is stopped in another state, what was met waits: vcpus_resume() brings it up
 * again.
 */
void debug_settle(Vm *vm)
{
    bool running = vm_is_running(vm);

    if (!running && !run_state_can_follow(vm->run_state, RUN_STATE_DEBUG)) {
        return;
    }
    if (running) {
        vm->cpus_pause(vm);
    }
    collect(vm);
    if (debug_core.stops->len > 0) {
        debug_core.settling = true;
        vm_stop(vm, RUN_STATE_DEBUG);
        debug_core.settling = false;
        end_step(vm);
        vm_emit(vm, &(VmEvent){ .kind = VM_EVENT_DEBUG,
                                .cpu_index = debug_last_stop(vm)->cpu_index });
    } else if (running) {
        vm->cpus_resume(vm);
    }
}

void debug_on_event(Vm *vm, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_RESUME) {
        g_array_set_size(debug_core.stops, 0);
    } else if (event->kind == VM_EVENT_STOP && !debug_core.settling) {
        if (debug_core.step.active) {
            X86Cpu *cpu = vm->cpus->pdata[debug_core.step.cpu_index];

            vcpu_sync(cpu);
            add_stop(cpu, DEBUG_REASON_STEP_LOST, debug_core.step.owner);
        }
        end_step(vm);
    }
}

const DebugStop *debug_last_stop(Vm *vm)
{
    static const DebugStop none;

    debug_attach(vm);
    return debug_core.stops->len > 0 ? &g_array_index(debug_core.stops, DebugStop, 0) : &none;
}

const DebugStop *debug_stops(Vm *vm, size_t *n)
{
    debug_attach(vm);
    *n = debug_core.stops->len;
    return (const DebugStop *)debug_core.stops->data;
}
