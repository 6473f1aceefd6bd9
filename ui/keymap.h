/*
 * Keyboard layouts: which keys of the guest's keyboard give a character or a symbol.
 *
 * The guest decides what a key means; whoever only knows symbols (a VNC viewer without extended
 * key events, a terminal, the `type` command) must press the keys that mean them in the layout
 * the guest has loaded.  -k names that layout as QEMU does ("en-us", "de-ch", "fr").
 *
 * Symbols are X keysyms (X.org, keysymdef.h): Latin-1 and 0x01000000 + code point for characters,
 * 0xffxx for function keys.  Tables are constant: any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Keymap Keymap;

enum { KEYMAP_SHIFT = 1, KEYMAP_ALTGR = 2 };    /* levels: bits of KeyStroke.modifiers */

typedef struct KeyStroke {
    unsigned key;                       /* of keys.h */
    unsigned modifiers;                 /* KEYMAP_… held while it is pressed */
    bool letter;                        /* Caps Lock turns KEYMAP_SHIFT around */
} KeyStroke;

/* NULL: no such layout, the error names the nearest. */
const Keymap *keymap_find(const char *name, GError **error);
const char *const *keymap_names(void);                          /* NULL-terminated, sorted */
/* The stroke that gives the symbol; false: no single key does. */
bool keymap_symbol(const Keymap *map, uint32_t keysym, KeyStroke *stroke);
/* The symbol a key gives with those modifiers; 0: none that is known. */
uint32_t keymap_keysym(const Keymap *map, unsigned key, unsigned modifiers);
/*
 * The strokes that give the character, a dead key and its letter at most; 0: it cannot be typed in
 * this layout.  Line feed is Return, tab and backspace are theirs.
 */
#define KEYMAP_STROKES_MAX 2
size_t keymap_character(const Keymap *map, uint32_t code_point, KeyStroke *strokes);

uint32_t keysym_of_character(uint32_t code_point);
uint32_t keysym_character(uint32_t keysym);                     /* 0: it is none */
