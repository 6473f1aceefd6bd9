/*
 * Expressions of the monitor: 64-bit integers, registers, C's operators.
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
 * Evaluates the expression at *text and moves *text behind it and the spaces that follow.  `cpu`
 * may be NULL: registers are unknown then.
 */
bool expr_eval(const X86Cpu *cpu, const char **text, uint64_t *value, GError **error);

/* Names behind '$', NULL-terminated, for completion. */
const char *const *expr_register_names(void);
