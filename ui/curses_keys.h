/*
 * What a terminal sends, as keys, clicks and wishes.
 *
 * Terminals send characters; other keys are sequences that begin with Esc, told from the Esc key by
 * what follows within CURSES_BURST_MS.  A held-back Esc waits CURSES_ESC_MS for a digit by hand.
 * ECMA-48 for control sequences, xterm's ctlseqs for modifiers and the mouse; sequences of the
 * terminal's own description come first.
 *
 * Pure: bytes and times come from the caller.  Whatever bytes come, memory stays as it is.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { CURSES_BURST_MS = 30, CURSES_ESC_MS = 500 };

typedef enum CursesInputKind {
    CURSES_INPUT_KEY,
    CURSES_INPUT_DIGIT,                 /* Alt-0 … Alt-9, or Esc and the digit */
    CURSES_INPUT_MOUSE,
} CursesInputKind;

typedef struct CursesInput {
    CursesInputKind kind;
    uint32_t keysym;
    bool ctrl, alt, shift;              /* shift: with keys that are no characters */
    unsigned digit;
    unsigned column, row;               /* the mouse's cell, from 0 */
    unsigned buttons;                   /* bits of 1 << InputButton: left, middle, right */
    int wheel, wheel_across;            /* clicks; up and right are positive */
} CursesInput;

/* A sequence of the terminal's description, Esc first. */
typedef struct CursesSequence {
    const char *bytes;
    uint32_t keysym;
} CursesSequence;

typedef void (*CursesInputFn)(const CursesInput *input, void *opaque);

typedef struct CursesDecoder {
    /* the owner's */
    const CursesSequence *sequences;    /* ends with NULL bytes; may be NULL */
    bool utf8;                          /* else each byte is a character of Latin-1 */
    bool erase_is_8;                    /* the backspace key sends 08 */
    CursesInputFn fn;
    void *opaque;
    /* its own */
    uint8_t held[64];                   /* of a sequence or a character that is not complete */
    unsigned n_held;
    int64_t held_ms;                    /* when the first of them came */
    unsigned buttons;
    unsigned swallow;                   /* what it skips: a sequence too long to mean anything */
} CursesDecoder;

void curses_decode(CursesDecoder *decoder, const uint8_t *bytes, size_t n, int64_t now_ms);
/* Milliseconds until curses_decode_timeout() should be called; -1: nothing is held. */
int curses_decode_wait(const CursesDecoder *decoder, int64_t now_ms);
void curses_decode_timeout(CursesDecoder *decoder, int64_t now_ms);
