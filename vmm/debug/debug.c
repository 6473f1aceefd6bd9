/* The points of all owners in one list, which the engine gets as a whole. */
#include "debug_core.h"

#include <string.h>

#include "rhea_error.h"

/* What a client may pile up. */
#define POINTS_MAX      1024
#define WATCH_LEN_MAX   4096

DebugCore debug_core;

void debug_attach(Vm *vm)
{
    DebugCore *core = &debug_core;

    if (core->vm == NULL) {
        core->vm = vm;
        core->points = g_ptr_array_new();
        core->stops = g_array_new(FALSE, TRUE, sizeof(DebugStop));
        vm->debug_settle = debug_settle;
        vm_subscribe(vm, debug_on_event, NULL);
    }
}

static void point_free(gpointer data)
{
    DebugPoint *point = data;

    g_free(point->label);
    g_free(point);
}

void debug_finish(Vm *vm)
{
    DebugCore *core = &debug_core;

    if (core->vm == NULL) {
        return;
    }
    if (core->points->len > 0) {
        vm->accel->set_breakpoints(vm, NULL, 0, NULL);
    }
    vm->debug_settle = NULL;
    vm_unsubscribe(vm, debug_on_event, NULL);
    g_ptr_array_set_free_func(core->points, point_free);
    g_ptr_array_unref(core->points);
    g_array_unref(core->stops);
    memset(core, 0, sizeof(*core));
}

/* ---- the engine's list ---- */

static bool same_place(const BreakPoint *a, const BreakPoint *b)
{
    return a->kind == b->kind && a->addr == b->addr && a->len == b->len;
}

/* Two owners' points of one kind and place need the hardware once. */
static void add_place(GArray *list, const BreakPoint *at)
{
    for (guint i = 0; i < list->len; i++) {
        if (same_place(&g_array_index(list, BreakPoint, i), at)) {
            return;
        }
    }
    g_array_append_val(list, *at);
}

bool debug_give_points(Vm *vm, GError **error)
{
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(BreakPoint));
    bool running = vm_is_running(vm), ok;

    for (guint i = 0; i < debug_core.points->len; i++) {
        add_place(list, &((DebugPoint *)g_ptr_array_index(debug_core.points, i))->at);
    }
    if (debug_core.step.has_point) {
        add_place(list, &debug_core.step.point);
    }
    if (running) {
        vm->cpus_pause(vm);
    }
    ok = vm->accel->set_breakpoints(vm, (const BreakPoint *)list->data, list->len, error);
    if (running && !vm->quitting) {                     /* at the end they go on standing */
        vm->cpus_resume(vm);
    }
    return ok;
}

/* ---- the list ---- */

const GPtrArray *debug_points(Vm *vm)
{
    debug_attach(vm);
    return debug_core.points;
}

static DebugPoint *find(DebugOwner owner, const BreakPoint *at)
{
    for (guint i = 0; i < debug_core.points->len; i++) {
        DebugPoint *point = g_ptr_array_index(debug_core.points, i);

        if (point->owner == owner && same_place(&point->at, at)) {
            return point;
        }
    }
    return NULL;
}

void debug_forget_point(DebugPoint *point)
{
    g_ptr_array_remove(debug_core.points, point);       /* keeps the order */
    point_free(point);
}

static bool check_place(Vm *vm, BreakPoint *at, GError **error)
{
    if (vm->cpus->len == 0 || vm->accel == NULL) {
        set_error(error, "this machine has no CPU to stop");
        return false;
    }
    if (at->kind == BREAK_SOFT || at->kind == BREAK_HARD) {
        at->len = 1;
    }
    if (at->len == 0 || at->len > WATCH_LEN_MAX || at->addr + at->len - 1 < at->addr) {
        set_error(error, "a watch point covers 1 to %d bytes", WATCH_LEN_MAX);
        return false;
    }
    if (debug_core.points->len >= POINTS_MAX) {
        set_error(error, "there are %d points already", POINTS_MAX);
        return false;
    }
    return true;
}

bool debug_add(Vm *vm, DebugOwner owner, const BreakPoint *at, const char *label, bool temporary,
               unsigned *id, GError **error)
{
    DebugPoint *point;
    BreakPoint place = *at;

    debug_attach(vm);
    if (!check_place(vm, &place, error)) {
        return false;
    }
    point = find(owner, &place);
    if (point != NULL) {
        point->temporary &= temporary;
    } else {
        point = g_new0(DebugPoint, 1);
        *point = (DebugPoint){ .owner = owner, .at = place, .temporary = temporary };
        g_ptr_array_insert(debug_core.points, owner == DEBUG_OWNER_GDB ? 0 : -1, point);
        if (!debug_give_points(vm, error)) {
            debug_forget_point(point);
            return false;
        }
        point->label = g_strdup(label);
        point->id = owner == DEBUG_OWNER_GDB ? 0 : ++debug_core.last_id;
    }
    if (id != NULL) {
        *id = point->id;
    }
    return true;
}

static bool take_away(Vm *vm, DebugPoint *point, GError **error)
{
    debug_forget_point(point);
    return debug_give_points(vm, error);
}

bool debug_remove(Vm *vm, DebugOwner owner, const BreakPoint *at, GError **error)
{
    BreakPoint place = *at;
    DebugPoint *point;

    debug_attach(vm);
    if (place.kind == BREAK_SOFT || place.kind == BREAK_HARD) {
        place.len = 1;
    }
    point = find(owner, &place);
    if (point == NULL) {
        set_error(error, "there is no such point at 0x%" G_GINT64_MODIFIER "x", at->addr);
        return false;
    }
    return take_away(vm, point, error);
}

bool debug_remove_id(Vm *vm, unsigned id, GError **error)
{
    debug_attach(vm);
    for (guint i = 0; i < debug_core.points->len; i++) {
        DebugPoint *point = g_ptr_array_index(debug_core.points, i);

        if (point->id == id && id != 0) {
            return take_away(vm, point, error);
        }
    }
    set_error(error, "there is no point %u", id);
    return false;
}

void debug_remove_all(Vm *vm, DebugOwner owner)
{
    bool any = false;

    debug_attach(vm);
    for (guint i = debug_core.points->len; i-- > 0;) {
        DebugPoint *point = g_ptr_array_index(debug_core.points, i);

        if (point->owner == owner) {
            debug_forget_point(point);
            any = true;
        }
    }
    if (any) {
        debug_give_points(vm, NULL);
    }
}
