/*
 * Build-time program: writes keymap_tables.h's tables, from the keyboard layouts that libxkbcommon
 * compiles out of the system's XKB database.
 *
 * It holds Shift and the right Alt key down in turn, with Caps Lock off and on, and notes what each
 * key of the letter block gives.  Of several ways to a symbol the one with fewest keys is kept.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xkbcommon/xkbcommon.h>

enum { SHIFT = 1, ALTGR = 2, CAPS = 4 };

#define XKB_FROM_EVDEV  8               /* an XKB code is Linux's plus that */
#define FIRST_FUNCTION  0xff00          /* keysyms from here on are no characters */
#define ROWS_MAX        1024
#define SET1_102ND      0x56

typedef struct Row {
    xkb_keysym_t keysym;
    unsigned set1, modifiers;
    bool letter;
} Row;

/* Keys by Linux's code, and their code in set 1. */
static const struct { unsigned from, to, set1; } ranges[] = {
    { 2, 13, 0x02 }, { 16, 27, 0x10 }, { 30, 41, 0x1e }, { 43, 53, 0x2b }, { 57, 57, 0x39 },
    { 86, 86, 0x56 }, { 89, 89, 0x73 }, { 124, 124, 0x7d },
};

static const struct { unsigned bit, evdev; } modifier_keys[] = {
    { SHIFT, 42 }, { ALTGR, 100 }, { CAPS, 58 },
};

static xkb_keysym_t keysym_with(struct xkb_keymap *keymap, unsigned evdev, unsigned modifiers)
{
    struct xkb_state *state = xkb_state_new(keymap);
    xkb_keysym_t keysym;

    for (size_t i = 0; i < sizeof(modifier_keys) / sizeof(modifier_keys[0]); i++) {
        if (modifiers & modifier_keys[i].bit) {
            xkb_state_update_key(state, modifier_keys[i].evdev + XKB_FROM_EVDEV, XKB_KEY_DOWN);
        }
    }
    keysym = xkb_state_key_get_one_sym(state, evdev + XKB_FROM_EVDEV);
    xkb_state_unref(state);
    return keysym;
}

/* One name for each symbol: its character, if it is one. */
static xkb_keysym_t canonical(xkb_keysym_t keysym)
{
    uint32_t character = keysym < FIRST_FUNCTION ? xkb_keysym_to_utf32(keysym) : 0;

    return character == 0 ? keysym : character < 0x100 ? character : 0x01000000 | character;
}

static bool is_wanted(xkb_keysym_t keysym)
{
    return keysym != XKB_KEY_NoSymbol &&
           (keysym < FIRST_FUNCTION || (keysym & 0xff000000) == 0x01000000);
}

/* The key beside the left Shift is missing on many keyboards: Shift with another is better. */
static unsigned weight(const Row *row)
{
    return (row->modifiers & SHIFT ? 2 : 0) + (row->modifiers & ALTGR ? 4 : 0) +
           (row->set1 == SET1_102ND ? 3 : 0);
}

static void add_row(Row *rows, size_t *n, const Row *row)
{
    for (size_t i = 0; i < *n; i++) {
        if (rows[i].keysym == row->keysym) {
            if (weight(row) < weight(&rows[i])) {
                rows[i] = *row;
            }
            return;
        }
    }
    if (*n == ROWS_MAX) {
        fprintf(stderr, "keymap_generate: a layout has more than %d symbols\n", ROWS_MAX);
        exit(1);
    }
    rows[(*n)++] = *row;
}

static void add_key(struct xkb_keymap *keymap, unsigned evdev, unsigned set1, Row *rows, size_t *n)
{
    for (unsigned modifiers = 0; modifiers <= (SHIFT | ALTGR); modifiers++) {
        xkb_keysym_t plain = keysym_with(keymap, evdev, modifiers);
        xkb_keysym_t caps = keysym_with(keymap, evdev, modifiers | CAPS);
        xkb_keysym_t other = keysym_with(keymap, evdev, (modifiers ^ SHIFT) | CAPS);
        Row row = { canonical(plain), set1, modifiers, caps != plain && other == plain };

        if (is_wanted(plain)) {
            add_row(rows, n, &row);
        }
    }
}

static int by_keysym(const void *a, const void *b)
{
    xkb_keysym_t left = ((const Row *)a)->keysym, right = ((const Row *)b)->keysym;

    return left < right ? -1 : left > right;
}

static void write_layout(FILE *out, struct xkb_context *context, const char *identifier,
                         const char *layout, const char *variant)
{
    const struct xkb_rule_names names = {
        .rules = "evdev", .model = "pc105", .layout = layout, .variant = variant,
    };
    struct xkb_keymap *keymap = xkb_keymap_new_from_names(context, &names,
                                                          XKB_KEYMAP_COMPILE_NO_FLAGS);
    static Row rows[ROWS_MAX];
    size_t n = 0;

    if (keymap == NULL) {
        fprintf(stderr, "keymap_generate: no layout '%s(%s)'; is xkb-data installed?\n", layout,
                variant);
        exit(1);
    }
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
        for (unsigned evdev = ranges[i].from; evdev <= ranges[i].to; evdev++) {
            add_key(keymap, evdev, ranges[i].set1 + evdev - ranges[i].from, rows, &n);
        }
    }
    xkb_keymap_unref(keymap);
    qsort(rows, n, sizeof(rows[0]), by_keysym);
    fprintf(out, "static const KeymapRow rows_%s[] = {\n", identifier);
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "    { 0x%x, 0x%02x, %u, %s },\n", (unsigned)rows[i].keysym, rows[i].set1,
                rows[i].modifiers, rows[i].letter ? "true" : "false");
    }
    fprintf(out, "};\n");
}

static void write_legacy(FILE *out)
{
    fprintf(out, "const LegacyKeysym keymap_legacy[] = {\n");
    for (xkb_keysym_t keysym = 0x100; keysym < 0x5000; keysym++) {
        uint32_t character = xkb_keysym_to_utf32(keysym);

        if (character >= 0x20 && character <= UINT16_MAX) {
            fprintf(out, "    { 0x%x, 0x%x },\n", (unsigned)keysym, (unsigned)character);
        }
    }
    fprintf(out, "};\nconst size_t keymap_legacy_n = G_N_ELEMENTS(keymap_legacy);\n");
}

int main(int argc, char **argv)
{
    struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_ENVIRONMENT_NAMES);
    FILE *out = argc == 2 ? fopen(argv[1], "w") : NULL;

    if (context == NULL || out == NULL) {
        fprintf(stderr, "usage: keymap_generate FILE\n");
        return 1;
    }
    xkb_context_set_log_level(context, XKB_LOG_LEVEL_CRITICAL);
    fprintf(out, "#include \"keymap_tables.h\"\n\n");
#define LAYOUT(name, identifier, layout, variant) \
    write_layout(out, context, #identifier, layout, variant);
#include "keymap_layouts.h"
#undef LAYOUT
    fprintf(out, "const Keymap keymap_tables[] = {\n");
#define LAYOUT(name, identifier, layout, variant) \
    fprintf(out, "    { \"%s\", rows_%s, G_N_ELEMENTS(rows_%s) },\n", name, #identifier, \
            #identifier);
#include "keymap_layouts.h"
#undef LAYOUT
    fprintf(out, "};\nconst size_t keymap_tables_n = G_N_ELEMENTS(keymap_tables);\n");
    write_legacy(out);
    xkb_context_unref(context);
    return fclose(out) == 0 ? 0 : 1;
}
