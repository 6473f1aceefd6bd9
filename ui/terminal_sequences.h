/*
 * What a terminal is between two bytes, and the tables of what it understands.  For terminal.c.
 */
#pragma once

#include "terminal.h"
#include "terminal_screen.h"

typedef enum TerminalState {
    STATE_TEXT,
    STATE_ESCAPE,                           /* behind ESC */
    STATE_CSI,                              /* behind ESC [ */
    STATE_STRING, STATE_STRING_ESCAPE,      /* skipped up to BEL or ESC \ */
} TerminalState;

struct Terminal {
    TerminalScreen screen;
    TerminalAnswerFn answer;
    void *opaque;
    TerminalState state;
    /* a control sequence so far */
    char prefix;                            /* '?', '>', '=', '<', or 0 */
    char intermediate;                      /* ' ' to '/', or 0 */
    unsigned params[TERMINAL_PARAMS_MAX], n_params;
    uint16_t colons;                        /* bits: this one stands behind a colon */
    /* a character so far */
    uint32_t code_point, last_put;
    unsigned missing;                       /* bytes */
    uint8_t low, high;                      /* between which the next one is */
};

typedef void (*TerminalFn)(Terminal *t);

/* A sequence by all that is not a parameter.  Tables end with a row without `run`. */
typedef struct TerminalSequence {
    char prefix, intermediate, last;
    TerminalFn run;
} TerminalSequence;

extern const TerminalFn terminal_controls[32];      /* NULL: does nothing */
extern const TerminalSequence terminal_escapes[];   /* behind ESC */
extern const TerminalSequence terminal_sequences[]; /* behind ESC [ */
