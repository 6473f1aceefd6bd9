#include <string.h>

#include "check_main.h"
#include "keymap.h"
#include "keys.h"

/* "shift-altgr-q": as sendkey would type it. */
static char *stroke_text(const KeyStroke *stroke)
{
    return g_strdup_printf("%s%s%s", stroke->modifiers & KEYMAP_SHIFT ? "shift-" : "",
                           stroke->modifiers & KEYMAP_ALTGR ? "altgr-" : "",
                           key_info(stroke->key)->name);
}

static const struct { const char *layout; uint32_t character; const char *strokes; }
characters[] = {
    { "en-us", 'a',    "a" },                  { "en-us", 'A',    "shift-a" },
    { "en-us", '@',    "shift-2" },            { "en-us", '<',    "shift-comma" },
    { "en-us", '|',    "shift-backslash" },    { "en-us", ' ',    "spc" },
    { "en-us", '\n',   "ret" },                { "en-us", '\r',   "ret" },
    { "en-us", '\t',   "tab" },                { "en-us", '\b',   "backspace" },
    { "en-us", 0x1b,   "esc" },                { "en-us", 0xe9,   "" },
    { "en-us", 0,      "" },                   { "en-us", 0x03,   "" },
    { "en-us", 0x1f600, "" },                  { "en-us", 0x7fffffff, "" },
    { "en-gb", '"',    "shift-2" },            { "en-gb", 0xa3,   "shift-3" },
    { "en-gb", '#',    "backslash" },          { "en-gb", '\\',   "less" },
    { "de",    'z',    "y" },                  { "de",    'Y',    "shift-z" },
    { "de",    0xe4,   "apostrophe" },         { "de",    '@',    "altgr-q" },
    { "de",    0x20ac, "altgr-e" },            { "de",    '{',    "altgr-7" },
    { "de",    '^',    "grave_accent spc" },   { "de",    0xe9,   "equal e" },
    { "de",    0xca,   "grave_accent shift-e" }, { "de",  '`',    "shift-equal spc" },
    { "de-ch", 0xe9,   "shift-semicolon" },    { "fr-ch", 0xe9,   "semicolon" },
    { "fr",    'a',    "q" },                  { "fr",    '1',    "shift-1" },
    { "fr",    '.',    "shift-comma" },        { "fr",    0xea,   "bracket_left e" },
    { "bepo",  'b',    "q" },                  { "bepo",  'n',    "semicolon" },
    { "es",    0xf1,   "semicolon" },          { "pt-br", '/',    "ro" },
    { "ja",    '\\',   "ro" },                 { "ja",    '@',    "bracket_left" },
    { "ru",    0x44f,  "z" },                  { "ru",    'a',    "" },
    { "ar",    0x634,  "a" },                  { "th",    0x0e01, "d" },
    { "tr",    0x131,  "i" },                  { "tr",    'i',    "apostrophe" },
    { "cz",    0x11b,  "2" },                  { "pl",    0x105,  "altgr-a" },
    { "sv",    0xe5,   "bracket_left" },       { "no",    0xf8,   "semicolon" },
    { "mk",    0x45f,  "x" },                  { "hu",    0x151,  "bracket_left" },
};

START_TEST(character_strokes)
{
    const Keymap *map = keymap_find(characters[_i].layout, NULL);
    g_autoptr(GString) got = g_string_new(NULL);
    KeyStroke strokes[KEYMAP_STROKES_MAX];
    size_t n = keymap_character(map, characters[_i].character, strokes);

    for (size_t i = 0; i < n; i++) {
        g_autofree char *text = stroke_text(&strokes[i]);

        g_string_append_printf(got, "%s%s", i > 0 ? " " : "", text);
    }
    ck_assert_msg(strcmp(got->str, characters[_i].strokes) == 0, "%s U+%04x: '%s'",
                  characters[_i].layout, characters[_i].character, got->str);
}
END_TEST

static const struct { const char *layout; uint32_t keysym; const char *stroke; bool letter; }
symbols[] = {
    { "en-us", 0xffbe,     "f1",           false },
    { "en-us", 0xfe20,     "shift-tab",    false },
    { "en-us", 0xff8d,     "kp_enter",     false },
    { "en-us", 0xffea,     "alt_r",        false },
    { "en-us", 'a',        "a",            true },
    { "en-us", 'A',        "shift-a",      true },
    { "en-us", '1',        "1",            false },
    { "de",    0xfe52,     "grave_accent", false },     /* dead_circumflex */
    { "de",    0x20ac,     "altgr-e",      false },     /* EuroSign, as it was before Unicode */
    { "de",    0x010020ac, "altgr-e",      false },
    { "ru",    0x6d1,      "z",            true },      /* Cyrillic_ya */
    { "ru",    0x0100044f, "z",            true },
    { "pl",    0x1b1,      "altgr-a",      true },      /* aogonek */
    { "ja",    0xff2a,     "grave_accent", false },     /* Zenkaku_Hankaku */
};

START_TEST(symbol_stroke)
{
    KeyStroke stroke;
    g_autofree char *text = NULL;

    ck_assert(keymap_symbol(keymap_find(symbols[_i].layout, NULL), symbols[_i].keysym, &stroke));
    text = stroke_text(&stroke);
    ck_assert_str_eq(text, symbols[_i].stroke);
    ck_assert_int_eq(stroke.letter, symbols[_i].letter);
}
END_TEST

START_TEST(symbols_nothing_gives)
{
    static const uint32_t keysyms[] = {
        0, 0x01110000, 0x1008ff11, 0xffffffff, 0xfe01, 0x8000, 0x7f, 0x1f, 0xe9,
    };
    KeyStroke stroke;

    for (size_t i = 0; i < G_N_ELEMENTS(keysyms); i++) {
        ck_assert_msg(!keymap_symbol(keymap_find("en-us", NULL), keysyms[i], &stroke), "%x",
                      keysyms[i]);
    }
}
END_TEST

/* Every row leads to a key, and back to its symbol; names are sorted and known. */
START_TEST(every_layout)
{
    const char *const *names = keymap_names();

    for (size_t i = 0; names[i] != NULL; i++) {
        const Keymap *map = keymap_find(names[i], NULL);
        unsigned ascii = 0;

        ck_assert_ptr_nonnull(map);
        ck_assert(i == 0 || strcmp(names[i - 1], names[i]) < 0);
        for (uint32_t character = 0x20; character <= 0xffff; character++) {
            KeyStroke strokes[KEYMAP_STROKES_MAX];
            size_t n = keymap_character(map, character, strokes);

            for (size_t j = 0; j < n; j++) {
                ck_assert_ptr_nonnull(key_info(strokes[j].key));
            }
            if (n == 1) {
                ck_assert_uint_eq(keymap_keysym(map, strokes[0].key, strokes[0].modifiers),
                                  keysym_of_character(character));
            }
            ascii += n > 0 && character < 0x7f;
        }
        ck_assert_msg(ascii == 95 || strstr("ar mk ru th", names[i]) != NULL, "%s: %u", names[i],
                      ascii);
    }
}
END_TEST

START_TEST(unknown_layout)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(keymap_find("en-su", &error));
    ck_assert(g_str_has_prefix(error->message, "could not read keymap file: 'en-su'"));
    ck_assert_ptr_nonnull(strstr(error->message, "'en-us'"));
}
END_TEST

static const struct { uint32_t keysym, character; } keysyms[] = {
    { 'a', 'a' }, { 0xe9, 0xe9 }, { 0x1a1, 0x104 }, { 0x20ac, 0x20ac }, { 0x6c1, 0x430 },
    { 0x0100044f, 0x44f }, { 0x0101f600, 0x1f600 }, { 0xffb7, '7' }, { 0xffab, '+' },
    { 0xff80, ' ' }, { 0xff0d, 0 }, { 0xffe1, 0 }, { 0xfe52, 0 }, { 0x7f, 0 }, { 0x01200000, 0 },
};

START_TEST(keysym_to_character)
{
    ck_assert_uint_eq(keysym_character(keysyms[_i].keysym), keysyms[_i].character);
}
END_TEST

CHECK_MAIN("ui/keymap",
    CASES(character_strokes, characters),
    CASES(symbol_stroke, symbols),
    CASE(symbols_nothing_gives),
    CASE(every_layout),
    CASE(unknown_layout),
    CASES(keysym_to_character, keysyms))
