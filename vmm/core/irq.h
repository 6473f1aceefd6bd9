/* Interrupt lines.  A line is an edge in the wiring plan: whoever owns the input makes it, whoever
 * drives it calls irq_set().  Machine lock. */
#pragma once

#include <stdbool.h>

typedef void (*IrqHandler)(void *opaque, int n, int level);

typedef struct IrqLine {
    IrqHandler set;                     /* NULL: not connected; setting it does nothing */
    void *opaque;
    int n;                              /* input number, for the handler */
} IrqLine;

static inline void irq_set(const IrqLine *line, int level)
{
    if (line->set) {
        line->set(line->opaque, line->n, level);
    }
}
