/* The tables of keymap.c, which keymap_generate.c writes at build time.  Constant. */
#pragma once

#include "keymap.h"

typedef struct KeymapRow {
    uint32_t keysym;                    /* as keymap.h has them: no legacy ones */
    uint8_t set1;                       /* the key's code in set 1 */
    uint8_t modifiers;                  /* KEYMAP_… */
    bool letter;                        /* Caps Lock turns KEYMAP_SHIFT around */
} KeymapRow;

struct Keymap {
    const char *name;
    const KeymapRow *rows;              /* by keysym */
    size_t n;
};

extern const Keymap keymap_tables[];            /* by name */
extern const size_t keymap_tables_n;

/* Keysyms of the character sets before Unicode, by keysym. */
typedef struct LegacyKeysym { uint16_t keysym, character; } LegacyKeysym;
extern const LegacyKeysym keymap_legacy[];
extern const size_t keymap_legacy_n;
