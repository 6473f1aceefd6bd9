/* Break points, watch points and steps of the monitors. */
#include "debug.h"
#include "qmp_api.h"
#include "symbols.h"
#include "vm.h"
#include "vm_events.h"

/* In the order of the schema. */
static const int kinds[] = {
    [QMP_BREAKPOINT_KIND_SOFT] = BREAK_SOFT, [QMP_BREAKPOINT_KIND_HARD] = BREAK_HARD,
    [QMP_BREAKPOINT_KIND_WRITE] = WATCH_WRITE, [QMP_BREAKPOINT_KIND_READ] = WATCH_READ,
    [QMP_BREAKPOINT_KIND_ACCESS] = WATCH_ACCESS,
};

static QmpBreakpointKind kind_of(const BreakPoint *at)
{
    QmpBreakpointKind kind = QMP_BREAKPOINT_KIND_SOFT;

    while (kinds[kind] != (int)at->kind) {
        kind++;
    }
    return kind;
}

/* New string, or NULL. */
static char *symbol_at(Vm *vm, uint64_t addr)
{
    g_autoptr(GString) text = g_string_new(NULL);

    return vm_symbol_print(vm, addr, text) ? g_strdup(text->str) : NULL;
}

/* ---- points ---- */

static bool find_place(Vm *vm, const uint64_t *address, const char *name, uint64_t *addr,
                       GError **error)
{
    const SymbolTable *table;
    Symbol symbol;

    if ((address == NULL) == (name == NULL)) {
        set_error(error, "give either 'address' or 'symbol'");
        return false;
    }
    if (address != NULL) {
        *addr = *address;
        return true;
    }
    table = vm_symbols(vm, error);
    if (table == NULL) {
        return false;
    }
    if (!symbols_by_name(table, name, &symbol)) {
        set_error(error, "no symbol '%s'", name);
        error_suggest(error, symbols_nearest(table, name));
        return false;
    }
    *addr = symbol.addr;
    return true;
}

/* What a debug register can watch: the variable that begins there, or as much as is aligned. */
static uint64_t usual_length(Vm *vm, uint64_t addr)
{
    const SymbolTable *table = vm_symbols(vm, NULL);
    uint64_t len = 8;
    Symbol symbol;

    if (table != NULL && symbols_by_addr(table, addr, &symbol) && symbol.addr == addr &&
        symbol.size > 0 && symbol.size < len) {
        len = UINT64_C(1) << (63 - __builtin_clzll(symbol.size));
    }
    while (addr & (len - 1)) {
        len /= 2;
    }
    return len;
}

QmpBreakpointId *qmp_breakpoint_add(Vm *vm, const QmpBreakpointAddArgs *args, GError **error)
{
    BreakPoint at = { .kind = kinds[args->has_kind ? args->kind : QMP_BREAKPOINT_KIND_SOFT] };
    QmpBreakpointId *reply;
    unsigned id;

    if (!find_place(vm, args->has_address ? &args->address : NULL, args->symbol, &at.addr,
                    error)) {
        return NULL;
    }
    at.len = args->has_length ? (uint64_t)args->length : usual_length(vm, at.addr);
    if (!debug_add(vm, DEBUG_OWNER_MONITOR, &at, args->symbol, args->temporary, &id, error)) {
        return NULL;
    }
    reply = g_new0(QmpBreakpointId, 1);
    reply->id = id;
    return reply;
}

bool qmp_breakpoint_remove(Vm *vm, const int64_t *id, GError **error)
{
    if (id == NULL) {
        debug_remove_all(vm, DEBUG_OWNER_MONITOR);
        return true;
    }
    return debug_remove_id(vm, *id > 0 && *id <= UINT_MAX ? *id : 0, error);
}

static QmpBreakpointInfo *describe_point(Vm *vm, const DebugPoint *point)
{
    QmpBreakpointInfo *info = g_new0(QmpBreakpointInfo, 1);

    info->id = point->id;
    info->kind = kind_of(&point->at);
    info->address = point->at.addr;
    info->symbol = point->label != NULL ? g_strdup(point->label) : symbol_at(vm, point->at.addr);
    info->length = point->at.len;
    info->temporary = point->temporary;
    info->hits = point->hits;
    return info;
}

GPtrArray *qmp_query_breakpoints(Vm *vm, GError **error)
{
    const GPtrArray *points = debug_points(vm);
    GPtrArray *list = qmp_breakpoint_info_list_new();

    for (guint i = 0; i < points->len; i++) {
        const DebugPoint *point = g_ptr_array_index(points, i);

        if (point->owner == DEBUG_OWNER_MONITOR) {
            g_ptr_array_add(list, describe_point(vm, point));
        }
    }
    return list;
}

/* ---- steps ---- */

bool qmp_cpu_step(Vm *vm, const int64_t *cpu_index, const QmpCpuStepMode *mode, GError **error)
{
    static const DebugStep steps[] = {
        [QMP_CPU_STEP_MODE_INSN] = DEBUG_STEP_INSN, [QMP_CPU_STEP_MODE_OVER] = DEBUG_STEP_OVER,
        [QMP_CPU_STEP_MODE_OUT] = DEBUG_STEP_OUT,
    };
    int64_t index = cpu_index != NULL ? *cpu_index : 0;
    X86Cpu *cpu = index >= 0 && index <= UINT_MAX ? vm_cpu(vm, index) : NULL;

    if (cpu == NULL) {
        set_error(error, "Parameter 'cpu-index' expects a CPU number");
        return false;
    }
    return debug_step(vm, DEBUG_OWNER_MONITOR, cpu,
                      steps[mode != NULL ? *mode : QMP_CPU_STEP_MODE_INSN], error);
}

/* ---- stops ---- */

static void tell_stop(Vm *vm, const DebugStop *stop)
{
    static const QmpBreakpointReason reasons[] = {
        [DEBUG_REASON_BREAK] = QMP_BREAKPOINT_REASON_BREAKPOINT,
        [DEBUG_REASON_WATCH] = QMP_BREAKPOINT_REASON_WATCHPOINT,
        [DEBUG_REASON_STEP] = QMP_BREAKPOINT_REASON_STEP,
    };
    g_autofree char *symbol = symbol_at(vm, stop->rip);
    bool at_point = stop->reason != DEBUG_REASON_STEP;
    int64_t id = stop->point_id;
    QmpBreakpointKind kind = kind_of(&stop->at);

    qmp_event_breakpoint(reasons[stop->reason], stop->cpu_index, stop->rip, symbol,
                         at_point ? &id : NULL, at_point ? &kind : NULL,
                         stop->reason == DEBUG_REASON_WATCH ? &stop->at.addr : NULL);
}

void qmp_debug_event(Vm *vm)
{
    size_t n;
    const DebugStop *stops = debug_stops(vm, &n);

    for (size_t i = 0; i < n; i++) {
        if (stops[i].owner == DEBUG_OWNER_MONITOR) {
            tell_stop(vm, &stops[i]);
        }
    }
}
