/* Keyboard layouts: looks into the tables keymap_generate.c made. */
#include "keymap.h"

#include <stdlib.h>
#include <string.h>

#include "keymap_tables.h"
#include "keys.h"
#include "rhea_error.h"

#define UNICODE_FLAG        0x01000000u
#define FUNCTION_FIRST      0xff00u

/* What the layouts have in common: keys that mean the same on all of them. */
static const struct { uint16_t keysym; const char *key; uint8_t modifiers; } functions[] = {
    { 0xfe03, "alt_r", 0 },             /* ISO_Level3_Shift */
    { 0xfe20, "tab", KEYMAP_SHIFT },    /* ISO_Left_Tab */
    { 0xff08, "backspace", 0 }, { 0xff09, "tab", 0 }, { 0xff0d, "ret", 0 }, { 0xff13, "pause", 0 },
    { 0xff14, "scroll_lock", 0 }, { 0xff15, "sysrq", 0 }, { 0xff1b, "esc", 0 },
    { 0xff20, "compose", 0 },           /* Multi_key */
    { 0xff22, "muhenkan", 0 }, { 0xff23, "henkan", 0 }, { 0xff27, "katakanahiragana", 0 },
    { 0xff2a, "grave_accent", 0 },      /* Zenkaku_Hankaku */
    { 0xff30, "caps_lock", 0 },         /* Eisu_toggle */
    { 0xff31, "lang1", 0 }, { 0xff34, "lang2", 0 },     /* Hangul, Hangul_Hanja */
    { 0xff50, "home", 0 }, { 0xff51, "left", 0 }, { 0xff52, "up", 0 }, { 0xff53, "right", 0 },
    { 0xff54, "down", 0 }, { 0xff55, "pgup", 0 }, { 0xff56, "pgdn", 0 }, { 0xff57, "end", 0 },
    { 0xff61, "print", 0 }, { 0xff63, "insert", 0 }, { 0xff65, "undo", 0 },
    { 0xff67, "compose", 0 },           /* Menu */
    { 0xff68, "find", 0 }, { 0xff69, "stop", 0 }, { 0xff6a, "help", 0 }, { 0xff6b, "pause", 0 },
    { 0xff7e, "alt_r", 0 },             /* Mode_switch */
    { 0xff7f, "num_lock", 0 },
    { 0xff8d, "kp_enter", 0 }, { 0xff95, "kp_7", 0 }, { 0xff96, "kp_4", 0 }, { 0xff97, "kp_8", 0 },
    { 0xff98, "kp_6", 0 }, { 0xff99, "kp_2", 0 }, { 0xff9a, "kp_9", 0 }, { 0xff9b, "kp_3", 0 },
    { 0xff9c, "kp_1", 0 }, { 0xff9d, "kp_5", 0 }, { 0xff9e, "kp_0", 0 },
    { 0xff9f, "kp_decimal", 0 },
    { 0xffaa, "kp_multiply", 0 }, { 0xffab, "kp_add", 0 }, { 0xffac, "kp_decimal", 0 },
    { 0xffad, "kp_subtract", 0 }, { 0xffae, "kp_decimal", 0 }, { 0xffaf, "kp_divide", 0 },
    { 0xffb0, "kp_0", 0 }, { 0xffb1, "kp_1", 0 }, { 0xffb2, "kp_2", 0 }, { 0xffb3, "kp_3", 0 },
    { 0xffb4, "kp_4", 0 }, { 0xffb5, "kp_5", 0 }, { 0xffb6, "kp_6", 0 }, { 0xffb7, "kp_7", 0 },
    { 0xffb8, "kp_8", 0 }, { 0xffb9, "kp_9", 0 }, { 0xffbd, "kp_equals", 0 },
    { 0xffbe, "f1", 0 }, { 0xffbf, "f2", 0 }, { 0xffc0, "f3", 0 }, { 0xffc1, "f4", 0 },
    { 0xffc2, "f5", 0 }, { 0xffc3, "f6", 0 }, { 0xffc4, "f7", 0 }, { 0xffc5, "f8", 0 },
    { 0xffc6, "f9", 0 }, { 0xffc7, "f10", 0 }, { 0xffc8, "f11", 0 }, { 0xffc9, "f12", 0 },
    { 0xffe1, "shift", 0 }, { 0xffe2, "shift_r", 0 }, { 0xffe3, "ctrl", 0 },
    { 0xffe4, "ctrl_r", 0 },
    { 0xffe5, "caps_lock", 0 }, { 0xffe7, "meta_l", 0 }, { 0xffe8, "meta_r", 0 },
    { 0xffe9, "alt", 0 }, { 0xffea, "alt_r", 0 },
    { 0xffeb, "meta_l", 0 }, { 0xffec, "meta_r", 0 },   /* Super */
    { 0xffff, "delete", 0 },
};

/*
 * Dead keys by the mark they put on a letter (Unicode's combining characters), and the mark alone
 * that such a key and the space bar give everywhere; 0: guests disagree.
 */
static const struct { uint16_t combining, keysym; char alone; } dead_keys[] = {
    { 0x300, 0xfe50, '`' }, { 0x301, 0xfe51, 0 }, { 0x302, 0xfe52, '^' }, { 0x303, 0xfe53, '~' },
    { 0x304, 0xfe54, 0 }, { 0x306, 0xfe55, 0 }, { 0x307, 0xfe56, 0 }, { 0x308, 0xfe57, 0 },
    { 0x30a, 0xfe58, 0 }, { 0x30b, 0xfe59, 0 }, { 0x30c, 0xfe5a, 0 }, { 0x327, 0xfe5b, 0 },
    { 0x328, 0xfe5c, 0 }, { 0x323, 0xfe60, 0 }, { 0x309, 0xfe61, 0 }, { 0x31b, 0xfe62, 0 },
};

/* ---- finding ---- */

const char *const *keymap_names(void)
{
    static const char *const names[] = {
#define LAYOUT(name, identifier, layout, variant) name,
#include "keymap_layouts.h"
#undef LAYOUT
        NULL
    };

    return names;
}

const Keymap *keymap_find(const char *name, GError **error)
{
    for (size_t i = 0; i < keymap_tables_n; i++) {
        if (strcmp(keymap_tables[i].name, name) == 0) {
            return &keymap_tables[i];
        }
    }
    set_error(error, "could not read keymap file: '%s'", name);
    error_suggest(error, nearest_name(name, keymap_names(), keymap_tables_n));
    return NULL;
}

/* ---- symbols and characters ---- */

uint32_t keysym_of_character(uint32_t code_point)
{
    switch (code_point) {
    case '\b':
    case '\t':
    case 0x1b:
        return FUNCTION_FIRST | code_point;
    case '\r':
    case '\n':
        return FUNCTION_FIRST | '\r';
    default:
        return code_point < 0x20 || code_point == 0x7f ? 0
               : code_point < 0x100 ? code_point : UNICODE_FLAG | code_point;
    }
}

static int compare_legacy(const void *key, const void *row)
{
    return (int)*(const uint32_t *)key - ((const LegacyKeysym *)row)->keysym;
}

uint32_t keysym_character(uint32_t keysym)
{
    const LegacyKeysym *legacy;

    if (keysym >> 24 == UNICODE_FLAG >> 24) {
        return (keysym & 0xffffff) <= 0x10ffff ? keysym & 0xffffff : 0;
    }
    if (keysym < 0x100) {
        return (keysym >= 0x20 && keysym < 0x7f) || keysym >= 0xa0 ? keysym : 0;
    }
    if (keysym == 0xff80 || (keysym >= 0xffaa && keysym <= 0xffb9) || keysym == 0xffbd) {
        return keysym == 0xff80 ? ' ' : keysym & 0x7f;          /* the keypad's */
    }
    legacy = keysym < FUNCTION_FIRST ? bsearch(&keysym, keymap_legacy, keymap_legacy_n,
                                               sizeof(keymap_legacy[0]), compare_legacy) : NULL;
    return legacy != NULL ? legacy->character : 0;
}

static int compare_row(const void *key, const void *row)
{
    uint32_t left = *(const uint32_t *)key, right = ((const KeymapRow *)row)->keysym;

    return left < right ? -1 : left > right;
}

static bool find_function(uint32_t keysym, KeyStroke *stroke)
{
    for (size_t i = 0; i < G_N_ELEMENTS(functions); i++) {
        if (functions[i].keysym == keysym) {
            *stroke = (KeyStroke){ key_find(functions[i].key), functions[i].modifiers, false };
            return true;
        }
    }
    return false;
}

bool keymap_symbol(const Keymap *map, uint32_t keysym, KeyStroke *stroke)
{
    uint32_t character = keysym < FUNCTION_FIRST || keysym >= UNICODE_FLAG
                             ? keysym_character(keysym) : 0;
    const KeymapRow *row;

    if (character != 0) {
        keysym = keysym_of_character(character);        /* legacy names too */
    }
    row = bsearch(&keysym, map->rows, map->n, sizeof(KeymapRow), compare_row);
    if (row == NULL) {
        return find_function(keysym, stroke);
    }
    *stroke = (KeyStroke){ key_from_set1(row->set1), row->modifiers, row->letter };
    return true;
}

uint32_t keymap_keysym(const Keymap *map, unsigned key, unsigned modifiers)
{
    const KeyInfo *info = key_info(key);

    for (size_t i = 0; info != NULL && i < map->n; i++) {
        if (map->rows[i].set1 == info->set1 && map->rows[i].modifiers == modifiers) {
            return map->rows[i].keysym;
        }
    }
    for (size_t i = 0; info != NULL && i < G_N_ELEMENTS(functions); i++) {
        if (strcmp(functions[i].key, info->name) == 0) {
            return functions[i].keysym;
        }
    }
    return 0;
}

/* ---- dead keys ---- */

static bool find_dead(const Keymap *map, uint32_t combining, KeyStroke *stroke)
{
    for (size_t i = 0; i < G_N_ELEMENTS(dead_keys); i++) {
        if (dead_keys[i].combining == combining) {
            return keymap_symbol(map, dead_keys[i].keysym, stroke);
        }
    }
    return false;
}

/* The mark alone: the dead key, and the space bar. */
static bool find_mark(const Keymap *map, uint32_t character, KeyStroke *strokes)
{
    for (size_t i = 0; i < G_N_ELEMENTS(dead_keys); i++) {
        if (dead_keys[i].alone == (char)character && character < 0x80 && character != 0) {
            return keymap_symbol(map, dead_keys[i].keysym, &strokes[0]) &&
                   keymap_symbol(map, ' ', &strokes[1]);
        }
    }
    return false;
}

size_t keymap_character(const Keymap *map, uint32_t code_point, KeyStroke *strokes)
{
    uint32_t keysym = keysym_of_character(code_point);
    gunichar letter, mark;

    if (keysym == 0) {
        return 0;
    }
    if (keymap_symbol(map, keysym, &strokes[0])) {
        return 1;
    }
    if (find_mark(map, code_point, strokes)) {
        return 2;
    }
    return g_unichar_decompose(code_point, &letter, &mark) && mark != 0 &&
           find_dead(map, mark, &strokes[0]) &&
           keymap_symbol(map, keysym_of_character(letter), &strokes[1]) ? 2 : 0;
}
