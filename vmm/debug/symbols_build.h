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
/* All of another table's names. */
bool symbol_build_add_table(SymbolBuild *build, const SymbolTable *table, GError **error);
/* Takes the build.  NULL: it has no names; the error says that `what` has none. */
SymbolTable *symbol_build_finish(SymbolBuild *build, const char *what, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SymbolBuild, symbol_build_free)

/* ---- kallsyms ---- */

/* A word of the tables by which one sees that they still lie there. */
typedef struct KallsymsMark { uint64_t addr, value; } KallsymsMark;

SymbolTable *symbols_find_kallsyms(const X86Cpu *cpu, KallsymsMark *mark, GError **error);

/* What translates a kernel's addresses: the parts of an X86Cpu that x86_translate() looks at. */
typedef struct KernelView { X86Cpu cpu; } KernelView;

/* A look at the kernel through `cpu`'s page tables.  False: the tables are not there any more. */
bool kernel_view(const X86Cpu *cpu, const KallsymsMark *mark, KernelView *view);
/* Bytes of the kernel's.  What is not mapped reads as 0: Linux takes out what it has needed. */
void kernel_read(const KernelView *view, uint64_t addr, void *buf, size_t len);

/* ---- modules ---- */

/* A module's ORC tables. */
typedef struct ModuleOrc {
    uint64_t first, last;       /* addresses they speak of */
    uint64_t ips, entries;
    uint32_t count;
} ModuleOrc;

/* Addresses of Linux's struct modules (uint64_t), from the list whose head is at `head`. */
void modules_list(const KernelView *view, uint64_t head, GArray *modules);
/* Names and ORC tables of those that have some. */
bool modules_read(const KernelView *view, const GArray *modules, SymbolBuild *build, GArray *orcs,
                  GError **error);
/* The ORC tables for an address in a module's code; NULL: none.  vm_symbols.c */
const ModuleOrc *vm_module_orc(uint64_t addr);
