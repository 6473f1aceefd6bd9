/* Names of the guest's addresses, and who called. */
#include <inttypes.h>

#include "qmp_api.h"
#include "symbols.h"
#include "unwind.h"
#include "vm.h"

bool qmp_symbol_file(Vm *vm, const char *filename, GError **error)
{
    return vm_symbols_load(vm, filename, error);
}

QmpSymbolSource *qmp_query_symbol_source(Vm *vm, GError **error)
{
    const SymbolTable *table = vm_symbols(vm, error);
    QmpSymbolSource *info;
    Symbol text;

    if (table == NULL) {
        return NULL;
    }
    info = g_new0(QmpSymbolSource, 1);
    info->source = g_strdup(vm_symbols_source(vm));
    info->count = symbols_count(table);
    info->has_text = symbols_by_name(table, "_text", &text);
    info->text = info->has_text ? text.addr : 0;
    return info;
}

static bool look_up(const SymbolTable *table, const char *name, const uint64_t *address,
                    Symbol *symbol, GError **error)
{
    if (address != NULL) {
        if (!symbols_by_addr(table, *address, symbol)) {
            set_error(error, "no symbol lies at 0x%" PRIx64, *address);
            return false;
        }
    } else if (!symbols_by_name(table, name, symbol)) {
        set_error(error, "no symbol '%s'", name);
        error_suggest(error, symbols_nearest(table, name));
        return false;
    }
    return true;
}

QmpSymbolInfo *qmp_query_symbol(Vm *vm, const char *name, const uint64_t *address, GError **error)
{
    const SymbolTable *table;
    QmpSymbolInfo *info;
    Symbol symbol;

    if ((name == NULL) == (address == NULL)) {
        set_error(error, "give either 'name' or 'address'");
        return NULL;
    }
    table = vm_symbols(vm, error);
    if (table == NULL || !look_up(table, name, address, &symbol, error)) {
        return NULL;
    }
    info = g_new0(QmpSymbolInfo, 1);
    info->name = g_strdup(symbol.name);
    info->address = symbol.addr;
    info->size = symbol.size;
    info->type = g_strndup(&symbol.type, 1);
    info->has_offset = address != NULL;
    info->offset = info->has_offset ? *address - symbol.addr : 0;
    return info;
}

static QmpBacktraceFrame *describe_frame(Vm *vm, const UnwindFrame *frame)
{
    static const QmpBacktraceHow hows[] = {
        [UNWIND_REGISTERS] = QMP_BACKTRACE_HOW_REGISTERS, [UNWIND_ORC] = QMP_BACKTRACE_HOW_ORC,
        [UNWIND_FRAME_POINTER] = QMP_BACKTRACE_HOW_FRAME_POINTER,
        [UNWIND_GUESS] = QMP_BACKTRACE_HOW_GUESS,
    };
    const SymbolTable *table = vm_symbols(vm, NULL);
    QmpBacktraceFrame *info = g_new0(QmpBacktraceFrame, 1);
    Symbol symbol;

    info->address = frame->rip;
    if (table != NULL && symbols_by_addr(table, frame->rip, &symbol)) {
        info->symbol = g_strdup(symbol.name);
        info->has_offset = true;
        info->offset = frame->rip - symbol.addr;
    }
    info->has_stack = frame->cfa != 0;
    info->stack = frame->cfa;
    info->how = hows[frame->how];
    return info;
}

GPtrArray *qmp_query_backtrace(Vm *vm, const int64_t *cpu_index, GError **error)
{
    UnwindFrame frames[UNWIND_MAX];
    int64_t index = cpu_index != NULL ? *cpu_index : 0;
    X86Cpu *cpu = index >= 0 && index <= UINT_MAX ? vm_cpu(vm, index) : NULL;
    GPtrArray *list;
    size_t n;

    if (cpu == NULL) {
        set_error(error, "Parameter 'cpu-index' expects a CPU number");
        return NULL;
    }
    n = unwind(vm, cpu, frames, UNWIND_MAX);
    list = qmp_backtrace_frame_list_new();
    for (size_t i = 0; i < n; i++) {
        g_ptr_array_add(list, describe_frame(vm, &frames[i]));
    }
    return list;
}
