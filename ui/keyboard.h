/*
 * A viewer's keyboard: what it presses, on the way to the guest or to a text console.
 *
 * Each viewer has one, so that keys it holds down are let go of when it leaves, and so that the
 * shift keys a symbol needs are not mixed up with those another viewer holds.  The console is the
 * one the viewer looks at: keys go to the guest from an adapter's console, as characters to a text
 * console.
 *
 * Any thread, machine lock held.
 */
#pragma once

#include "console.h"
#include "input.h"
#include "keymap.h"

typedef struct Keyboard Keyboard;

/* hold_ns: least time a key stays down (-vnc key-delay-ms); 0: as the viewer does it. */
Keyboard *keyboard_new(Vm *vm, const Keymap *map, int64_t hold_ns);
void keyboard_free(Keyboard *keyboard);                         /* lets go of everything */
void keyboard_set_console(Keyboard *keyboard, Console *console);    /* lets go; NULL: nowhere */
/* Keys go to the guest whatever screens there are, and wait while it stands: nobody looks. */
void keyboard_set_guest(Keyboard *keyboard);

/*
 * Key of keys.h at its place, whatever it means; keysym as the viewer sees it, 0 if it does not
 * say (a text console needs it).
 */
void keyboard_key(Keyboard *keyboard, unsigned key, uint32_t keysym, bool down);
/* A symbol: presses what gives it in the layout, with the shift keys it needs just then. */
void keyboard_symbol(Keyboard *keyboard, uint32_t keysym, bool down);
/* A symbol pressed and let go: terminals know no more.  ctrl, alt: with those keys held. */
void keyboard_stroke(Keyboard *keyboard, uint32_t keysym, bool ctrl, bool alt);
/* Keys pressed in order, held together, let go of in reverse and not pressed again for as long. */
void keyboard_chord(Keyboard *keyboard, const unsigned *keys, size_t n, int64_t hold_ns);
void keyboard_release_all(Keyboard *keyboard);
/*
 * What waits until the guest has read the keys before it; what comes when too much does is lost.
 * Whoever has more to type than that goes on when `fn` says that nothing waits any more, or why
 * what waited did not reach the guest; it is called on the main loop and may free the keyboard.
 */
enum { KEYBOARD_WAITING_MAX = 8192 };
size_t keyboard_waiting(const Keyboard *keyboard);
void keyboard_on_drained(Keyboard *keyboard, void (*fn)(void *opaque, TypistEnd end),
                         void *opaque);
/* The guest's lights, KEYBOARD_LED_…: what its keyboard was told last. */
enum { KEYBOARD_LED_SCROLL = 1, KEYBOARD_LED_NUM = 2, KEYBOARD_LED_CAPS = 4 };
unsigned keyboard_leds(Vm *vm);
