/* How the readers of symbols_*.c make a SymbolTable: names are added, then the table is closed. */
#pragma once

#include "symbols.h"

typedef struct SymbolBuild SymbolBuild;

/* Of several names of one address the one with the lowest rank is shown. */
typedef enum SymbolRank { SYMBOL_RANK_BEST, SYMBOL_RANK_LOCAL, SYMBOL_RANK_LABEL } SymbolRank;

typedef struct SymbolRow {
    const char *name;           /* `len` bytes; copied */
    size_t len;
    uint64_t addr, size;        /* size 0: up to the next symbol */
    char type;
    SymbolRank rank;
} SymbolRow;

SymbolBuild *symbol_build_new(void);
void symbol_build_free(SymbolBuild *build);
/* Names with other than printable characters, or none, are passed over.  False: too many. */
bool symbol_build_add(SymbolBuild *build, const SymbolRow *row, GError **error);
/* Takes the build.  NULL: it has no names; `what` says in the error what they were looked for in. */
SymbolTable *symbol_build_finish(SymbolBuild *build, const char *what, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SymbolBuild, symbol_build_free)

/* ---- kallsyms ---- */

/* A word of the tables by which one sees that they still lie there. */
typedef struct KallsymsMark { uint64_t addr, value; } KallsymsMark;

SymbolTable *symbols_find_kallsyms(const X86Cpu *cpu, KallsymsMark *mark, GError **error);
bool kallsyms_still_there(const X86Cpu *cpu, const KallsymsMark *mark);
