/*
 * Expressions of the monitor: 64-bit integers, registers ($rip), the guest's symbols
 * (do_sys_openat2), C's operators.
 *
 * From tightest: unary + - ~ !, then * / %, then & | ^ (one level, left to right, as QEMU has
 * it), then + -, then << >>, then comparisons, then &&, then ||.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "x86_cpu.h"

/*
 * Evaluates the expression at *text and moves *text behind it and the spaces that follow.  Names
 * are looked up in the symbols of the CPU's machine.  `cpu` may be NULL: registers and symbols are
 * unknown then, and so are symbols of a CPU without a machine.  Main thread, machine lock.
 */
bool expr_eval(const X86Cpu *cpu, const char **text, uint64_t *value, GError **error);

/* Names behind '$', NULL-terminated, for completion. */
const char *const *expr_register_names(void);

/* What names are made of: C's identifiers, and the dots compilers add ("foo.isra.0"). */
bool expr_name_starts(char c);
bool expr_name_goes_on(char c);
