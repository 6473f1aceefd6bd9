/*
 * Keys typed at a text console: characters, Ctrl as control characters, Alt as an Esc before them,
 * and console.h's codes for the rest.
 *
 * Machine lock, any thread; the console hears of them on the main one.  A part of keyboard.h.
 */
#pragma once

#include "console.h"
#include "keymap.h"

typedef struct TextKeyboard TextKeyboard;

/* delivered: what waited has been typed; main thread. */
TextKeyboard *text_keyboard_new(Vm *vm, void (*delivered)(void *opaque), void *opaque);
size_t text_keyboard_waiting(const TextKeyboard *text);         /* characters */
void text_keyboard_free(TextKeyboard *text);
void text_keyboard_set_console(TextKeyboard *text, Console *console);   /* NULL: nowhere */
/* keysym 0: as the layout has it. */
void text_keyboard_key(TextKeyboard *text, const Keymap *map, unsigned key, uint32_t keysym,
                       bool down);
void text_keyboard_symbol(TextKeyboard *text, uint32_t keysym, bool down);
void text_keyboard_stroke(TextKeyboard *text, uint32_t keysym, bool ctrl, bool alt);
void text_keyboard_release_all(TextKeyboard *text);     /* Shift, Ctrl and Alt are up */
