/*
 * Names of the guest's addresses: from an ELF file, a System.map, or the kallsyms tables a Linux
 * guest keeps in its own memory.
 *
 * A SymbolTable is immutable once made; any thread may read it.  All that is read (file or guest
 * memory) is hostile: sizes are checked, a table never holds more than SYMBOLS_MAX names.
 * ELF: System V ABI, chapter 4 "Symbol Table".  System.map: `nm` order, "address type name".
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vm_core.h"
#include "x86_cpu.h"

enum { SYMBOLS_MAX = 1 << 20 };

typedef struct SymbolTable SymbolTable;

typedef struct Symbol {
    const char *name;           /* borrowed from the table */
    uint64_t addr, size;        /* size: up to the next symbol where the source has none */
    char type;                  /* nm's letter: 't', 'T', 'd', 'D', 'b', … */
} Symbol;

SymbolTable *symbols_from_elf(const char *file, GError **error);
SymbolTable *symbols_from_system_map(const char *file, GError **error);
SymbolTable *symbols_from_file(const char *file, GError **error);   /* told by its first bytes */
/* Finds a 64-bit Linux kernel's kallsyms in memory as `cpu` sees it.  vCPU standing. */
SymbolTable *symbols_from_kallsyms(X86Cpu *cpu, GError **error);
void symbols_free(SymbolTable *table);
size_t symbols_count(const SymbolTable *table);
/*
 * Addresses move by `delta` (KASLR): what a table says of itself plus delta is where it is.  Before
 * the table is shared.  A kernel's names below its half of the address space stay: they are offsets
 * in per-CPU areas, which symbols_by_name() knows and symbols_by_addr() does not.
 */
void symbols_relocate(SymbolTable *table, int64_t delta);

/* The symbol with the greatest address not above `addr`; false: none near. */
bool symbols_by_addr(const SymbolTable *table, uint64_t addr, Symbol *symbol);
bool symbols_by_name(const SymbolTable *table, const char *name, Symbol *symbol);
/* Calls fn for names that begin with `prefix`, in order of name, until it returns false. */
void symbols_each(const SymbolTable *table, const char *prefix,
                  bool (*fn)(const Symbol *symbol, void *opaque), void *opaque);
/* The name most like `typed`, for an error's hint; NULL: none is near. */
const char *symbols_nearest(const SymbolTable *table, const char *typed);

/* ---- the machine's table (main thread, machine lock held) ---- */
/*
 * What the machine's symbols are: a file given by the user or the -kernel ELF, else kallsyms, read
 * when first asked for and again after a reset; and those of Linux's modules.  Borrowed until asked
 * again: a guest may load a module meanwhile.  NULL: none; *error (may be NULL) says why.
 */
const SymbolTable *vm_symbols(Vm *vm, GError **error);
/*
 * An ELF or a System.map (told by its first bytes); the guest's KASLR offset is found and applied
 * where kallsyms can be read, and a kernel's file is left aside while another kernel runs.  NULL
 * file: back to what the machine has by itself.
 */
bool vm_symbols_load(Vm *vm, const char *file, GError **error);
/* Of what vm_symbols() had last: "kallsyms", a file's name, or NULL. */
const char *vm_symbols_source(Vm *vm);

/* "do_sys_openat2+0x1c", "" if nobody knows; `out` is appended to.  Returns whether it knew. */
bool vm_symbol_print(Vm *vm, uint64_t addr, GString *out);
