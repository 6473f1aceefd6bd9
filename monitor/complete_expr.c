/* Candidates inside an expression. */
#include "complete_expr.h"

#include "expr.h"
#include "symbols.h"

/* So many names are listed; who wants others types another letter. */
#define SYMBOLS_LISTED 500

static bool add_symbol(const Symbol *symbol, void *opaque)
{
    GPtrArray *candidates = opaque;

    g_ptr_array_add(candidates, g_strdup(symbol->name));
    return candidates->len < SYMBOLS_LISTED;
}

void complete_expr(Monitor *mon, const CompleteAt *at, GPtrArray *candidates)
{
    const SymbolTable *table;

    for (const char *const *name = expr_register_names(); *name != NULL; name++) {
        g_ptr_array_add(candidates, g_strconcat("$", *name, NULL));
    }
    table = expr_name_starts(at->word[0]) ? vm_symbols(mon->vm, NULL) : NULL;
    if (table != NULL) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        symbols_each(table, at->word, add_symbol, names);
        g_ptr_array_extend_and_steal(candidates, g_steal_pointer(&names));
    }
}
