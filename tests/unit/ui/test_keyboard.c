#include <string.h>

#include "check_main.h"
#include "input_probe.h"
#include "keyboard.h"

static Console *screen;

static void no_drawing(void *opaque)
{
}

static Keyboard *viewer(const char *layout, int64_t hold_ns)
{
    static const ConsoleOps ops = { .update = no_drawing, .invalidate = no_drawing };
    Keyboard *keyboard;

    if (seen == NULL) {
        static const DeviceType type = { .name = "screen", .bus = &system_bus_type,
                                         .size = sizeof(Device), .board_only = true };

        probe_machine(INPUT_REL);
        screen = console_new(device_new(&vm, &type, NULL), 0, &ops, NULL);
    }
    keyboard = keyboard_new(&vm, keymap_find(layout, NULL), hold_ns);
    keyboard_set_console(keyboard, screen);
    return keyboard;
}

/* ---- symbols ---- */

enum {
    SHIFT_L = 0xffe1, SHIFT_R, CTRL_L, ALT_L = 0xffe9, ALT_R, LEVEL3 = 0xfe03, CAPS = 0xffe5,
    RETURN = 0xff0d, HOME = 0xff50, KP_HOME = 0xff95, KP_7 = 0xffb7, TAB_LEFT = 0xfe20,
};

/* Steps are keysyms, negative: let go of; 0 ends them. */
static const struct {
    const char *layout;
    unsigned leds;
    int steps[12];
    const char *seen;
} symbol_rows[] = {
    { "en-us", 0, { 'a', -'a' }, "a+ a-" },
    { "en-us", 0, { 'A', -'A' }, "shift+ a+ a- shift-" },
    { "en-us", 0, { SHIFT_L, 'A', -'A', -SHIFT_L }, "shift+ a+ a- shift-" },
    { "en-us", 0, { SHIFT_R, 'A', -'A', -SHIFT_R }, "shift_r+ a+ a- shift_r-" },
    { "en-us", 0, { RETURN, -RETURN }, "ret+ ret-" },
    /* the viewer holds what the symbol does not want, and the other way round */
    { "en-us", 0, { SHIFT_L, 'a', -'a', -SHIFT_L }, "shift+ shift- a+ a- shift+ shift-" },
    { "en-us", 0, { SHIFT_R, '1', -'1', -SHIFT_R }, "shift_r+ shift_r- 1+ 1- shift_r+ shift_r-" },
    { "de", 0, { SHIFT_L, '@', -'@', -SHIFT_L },
      "shift+ alt_r+ shift- q+ q- shift+ alt_r- shift-" },
    { "de", 0, { SHIFT_L, '/', -'/', -SHIFT_L }, "shift+ 7+ 7- shift-" },
    /* let go of in another order */
    { "en-us", 0, { SHIFT_L, 'A', -SHIFT_L, -'a' }, "shift+ a+ shift- a-" },
    { "en-us", 0, { 'a', 'b', -'a', -'b' }, "a+ b+ a- b-" },
    { "en-us", 0, { 'a', SHIFT_L, 'A', -'A', -SHIFT_L }, "a+ shift+ a- a+ a- shift-" },
    { "en-us", 0, { '@', -SHIFT_L, -'2' }, "shift+ 2+ 2- shift-" },
    { "en-us", 0, { 'A', 'b', -'b', -'A' }, "shift+ a+ shift- b+ b- a-" },
    { "en-us", 0, { SHIFT_L, 'a', -SHIFT_L, -'a' }, "shift+ shift- a+ a-" },
    /* repeated by the viewer: the guest's keyboard does so itself */
    { "en-us", 0, { 'a', 'a', 'a', -'a' }, "a+ a-" },
    { "en-us", 0, { -'a', -SHIFT_L }, "" },
    /* AltGr */
    { "de", 0, { LEVEL3, '@', -'@', -LEVEL3 }, "alt_r+ q+ q- alt_r-" },
    { "en-us", 0, { LEVEL3, '@', -'@', -LEVEL3 },
      "alt_r+ alt_r- shift+ 2+ 2- shift- alt_r+ alt_r-" },
    { "de", 0, { CTRL_L, ALT_R, '@', -'@', -ALT_R, -CTRL_L },
      "ctrl+ alt_r+ ctrl- q+ q- ctrl+ alt_r- ctrl-" },
    { "en-us", 0, { ALT_R, 'f', -'f', -ALT_R }, "alt_r+ f+ f- alt_r-" },
    /* commands */
    { "en-us", 0, { CTRL_L, 'c', -'c', -CTRL_L }, "ctrl+ c+ c- ctrl-" },
    { "en-us", 0, { CTRL_L, 'C', -'C', -CTRL_L }, "ctrl+ c+ c- ctrl-" },
    { "en-us", 0, { CTRL_L, SHIFT_L, 'C', -'C', -SHIFT_L, -CTRL_L },
      "ctrl+ shift+ c+ c- shift- ctrl-" },
    { "ru", 0, { CTRL_L, 'c', -'c', -CTRL_L }, "ctrl+ c+ c- ctrl-" },
    { "en-us", 0, { SHIFT_L, HOME, -HOME, -SHIFT_L }, "shift+ home+ home- shift-" },
    { "en-us", 0, { SHIFT_L, ' ', -' ', -SHIFT_L }, "shift+ spc+ spc- shift-" },
    { "en-us", 0, { TAB_LEFT, -TAB_LEFT }, "shift+ tab+ tab- shift-" },
    { "en-us", 0, { SHIFT_L, TAB_LEFT, -TAB_LEFT, -SHIFT_L }, "shift+ tab+ tab- shift-" },
    /* the guest's locks */
    { "en-us", KEYBOARD_LED_CAPS, { 'a', -'a' }, "shift+ a+ a- shift-" },
    { "en-us", KEYBOARD_LED_CAPS, { 'A', -'A' }, "a+ a-" },
    { "en-us", KEYBOARD_LED_CAPS, { '1', -'1' }, "1+ 1-" },
    { "en-us", KEYBOARD_LED_CAPS, { '!', -'!' }, "shift+ 1+ 1- shift-" },
    { "en-us", KEYBOARD_LED_CAPS, { CAPS, -CAPS, 'A', -'A' }, "caps_lock+ caps_lock- a+ a-" },
    { "en-us", KEYBOARD_LED_NUM, { KP_7, -KP_7 }, "kp_7+ kp_7-" },
    { "en-us", 0, { KP_7, -KP_7 }, "7+ 7-" },
    { "fr", 0, { KP_7, -KP_7 }, "shift+ 7+ 7- shift-" },
    { "en-us", KEYBOARD_LED_NUM, { KP_HOME, -KP_HOME }, "home+ home-" },
    { "en-us", 0, { KP_HOME, -KP_HOME }, "kp_7+ kp_7-" },
    /* composed, of another layout, unknown */
    { "de", 0, { 0xe9, -0xe9 }, "equal+ equal- e+ e-" },
    { "de", 0, { 0xca, -0xca }, "grave_accent+ grave_accent- shift+ e+ e- shift-" },
    { "en-us", 0, { 0xe9, -0xe9 }, "" },
    { "ru", 0, { 'x', -'x', 0x6d1, -0x6d1 }, "x+ x- z+ z-" },
};

START_TEST(symbol_keys)
{
    Keyboard *keyboard = viewer(symbol_rows[_i].layout, 0);

    leds = symbol_rows[_i].leds;
    for (const int *step = symbol_rows[_i].steps; *step != 0; step++) {
        keyboard_symbol(keyboard, ABS(*step), *step > 0);
    }
    ck_assert_msg(strcmp(seen->str, symbol_rows[_i].seen) == 0, "row %d: %s", _i, seen->str);
    keyboard_free(keyboard);
}
END_TEST

/* ---- several, and leaving ---- */

START_TEST(a_viewer_that_leaves_lets_go)
{
    Keyboard *keyboard = viewer("en-us", 0);

    keyboard_symbol(keyboard, 'A', true);
    keyboard_key(keyboard, key_find("ctrl"), 0, true);
    expect_seen("shift+ a+ shift- ctrl+");
    keyboard_release_all(keyboard);
    expect_seen("ctrl- a-");
    keyboard_key(keyboard, key_find("x"), 0, true);
    keyboard_set_console(keyboard, NULL);
    keyboard_key(keyboard, key_find("y"), 0, true);
    keyboard_symbol(keyboard, 'z', true);
    expect_seen("x+ x-");
    keyboard_set_console(keyboard, screen);
    keyboard_symbol(keyboard, 'A', true);
    keyboard_free(keyboard);
    expect_seen("shift+ a+ shift- a-");
}
END_TEST

START_TEST(two_viewers)
{
    Keyboard *one = viewer("en-us", 0), *two = viewer("en-us", 0);

    keyboard_symbol(one, SHIFT_L, true);
    keyboard_symbol(two, SHIFT_L, true);
    expect_seen("shift+");
    keyboard_symbol(two, SHIFT_L, false);
    expect_seen("");                                    /* the other one still holds it */
    keyboard_symbol(two, 'a', true);
    keyboard_symbol(two, 'a', false);
    expect_seen("shift- a+ a- shift+");
    keyboard_symbol(two, 'a', true);
    keyboard_symbol(one, SHIFT_L, false);
    keyboard_symbol(two, 'a', false);
    expect_seen("shift- a+ a-");
    keyboard_symbol(one, 'A', true);
    keyboard_symbol(two, 'b', true);
    expect_seen("shift+ a+ shift- b+");
    keyboard_free(one);
    keyboard_free(two);
    expect_seen("a- b-");
}
END_TEST

START_TEST(the_guest_sets_the_pace)
{
    Keyboard *keyboard = viewer("en-us", 0);

    waiting = 3;
    for (const char *at = "hi!"; *at != '\0'; at++) {
        keyboard_stroke(keyboard, *at, false, false);
    }
    expect_seen("");
    waiting = 0;
    input_drained(&probe_keyboard);
    advance_ns(0);
    expect_seen("h+");
    advance_ns(NS_PER_MS);
    expect_seen("h-");
    waiting = 1;
    advance_ns(NS_PER_SEC);
    expect_seen("");
    waiting = 0;
    input_drained(&probe_keyboard);
    for (int i = 0; i < 10; i++) {
        advance_ns(NS_PER_MS);
    }
    expect_seen("i+ i- shift+ 1+ 1- shift-");
    keyboard_stroke(keyboard, 'c', true, false);
    keyboard_stroke(keyboard, 'x', false, true);
    for (int i = 0; i < 10; i++) {
        advance_ns(NS_PER_MS);
    }
    expect_seen("ctrl+ c+ c- ctrl- alt+ x+ x- alt-");
    keyboard_free(keyboard);
}
END_TEST

START_TEST(a_guest_that_never_reads)
{
    Keyboard *keyboard = viewer("en-us", 0);

    waiting = 1;
    keyboard_symbol(keyboard, 'a', true);
    keyboard_symbol(keyboard, 'a', false);
    advance_ns(TYPIST_PATIENCE_NS);
    waiting = 0;
    input_drained(&probe_keyboard);
    advance_ns(NS_PER_SEC);
    expect_seen("");
    keyboard_symbol(keyboard, 'b', true);
    keyboard_symbol(keyboard, 'b', false);
    expect_seen("b+ b-");
    keyboard_free(keyboard);
}
END_TEST

START_TEST(keys_stay_down_for_a_while)
{
    Keyboard *keyboard = viewer("en-us", 10 * NS_PER_MS);

    keyboard_symbol(keyboard, 'a', true);
    keyboard_symbol(keyboard, 'a', false);
    expect_seen("a+");
    advance_ns(9 * NS_PER_MS);
    expect_seen("");
    advance_ns(NS_PER_MS);
    expect_seen("a-");
    keyboard_free(keyboard);
}
END_TEST

START_TEST(a_standing_machine_misses_nothing_that_goes_up)
{
    Keyboard *keyboard = viewer("en-us", 0);

    keyboard_symbol(keyboard, 'a', true);
    expect_seen("a+");
    vm_stop(&vm, RUN_STATE_PAUSED);
    keyboard_symbol(keyboard, 'a', false);
    keyboard_symbol(keyboard, 'b', true);
    keyboard_symbol(keyboard, 'b', false);
    expect_seen("");
    vm_start(&vm);
    advance_ns(0);
    expect_seen("a-");
    keyboard_symbol(keyboard, 'c', true);
    vm_stop(&vm, RUN_STATE_PAUSED);
    keyboard_free(keyboard);
    expect_seen("c+");
    vm_start(&vm);
    expect_seen("c-");
}
END_TEST

START_TEST(a_flood_is_bounded)
{
    Keyboard *keyboard = viewer("en-us", 0);

    waiting = 1;
    for (int i = 0; i < 1000 * 1000; i++) {
        keyboard_symbol(keyboard, 'a' + i % 26, i & 1);
        keyboard_key(keyboard, i % 300, 0, i & 1);
        keyboard_stroke(keyboard, i, true, true);
    }
    keyboard_release_all(keyboard);
    keyboard_free(keyboard);
}
END_TEST

START_TEST(the_guests_lights)
{
    Keyboard *keyboard = viewer("en-us", 0);

    leds = KEYBOARD_LED_NUM | KEYBOARD_LED_CAPS;
    ck_assert_uint_eq(keyboard_leds(&vm), leds);
    keyboard_free(keyboard);
}
END_TEST

/* ---- text consoles ---- */

static GString *typed;

static void note_typed(void *opaque, uint32_t code)
{
    g_string_append_printf(typed, "%s%x", typed->len > 0 ? " " : "", code);
}

static const struct { int steps[12]; const char *typed; } text_rows[] = {
    { { 'a', -'a', 'A', 0xe9, 0x6d1 }, "61 41 e9 44f" },
    { { 'a', 'a', -'a' }, "61 61" },
    { { RETURN, 0xff09, 0xff1b, 0xff08, 0xffff }, "d 9 1b 11000a 110007" },
    { { CTRL_L, 'c', 'C', ' ', '[', '1', -CTRL_L, 'c' }, "3 3 0 1b 31 63" },
    { { ALT_L, 'x', -ALT_L, 'x' }, "1b 78 78" },
    { { 0xff52, SHIFT_L, 0xff55, -SHIFT_L, 0xff55 }, "110000 11000d 110008" },
    { { CTRL_L, 0xff52, 0xff54, 0xff56, -CTRL_L }, "11000b 11000c 11000e" },
    { { KP_7, KP_HOME, 0xffbe, 0xffc9 }, "37 110004 110101 11010c" },
    { { LEVEL3, CTRL_L, '@', -CTRL_L, -LEVEL3 }, "40" },
    { { 0xffe5, 0x1008ff11, 0xfe52 }, "" },
};

static Keyboard *text_viewer(void)
{
    static const ConsoleOps ops = { .update = no_drawing, .invalidate = no_drawing,
                                    .typed = note_typed };
    Keyboard *keyboard = viewer("de", 0);

    typed = g_string_new(NULL);
    keyboard_set_console(keyboard, console_new_text(&vm, "vc0", &ops, NULL));
    return keyboard;
}

static void expect_typed(const char *what)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    ck_assert_str_eq(typed->str, what);
    g_string_truncate(typed, 0);
    expect_seen("");
}

START_TEST(text_symbols)
{
    Keyboard *keyboard = text_viewer();

    for (const int *step = text_rows[_i].steps; *step != 0; step++) {
        keyboard_symbol(keyboard, ABS(*step), *step > 0);
    }
    expect_typed(text_rows[_i].typed);
    keyboard_free(keyboard);
}
END_TEST

START_TEST(text_keys_by_their_place)
{
    Keyboard *keyboard = text_viewer();

    keyboard_key(keyboard, key_find("y"), 0, true);
    keyboard_key(keyboard, key_find("shift"), 0, true);
    keyboard_key(keyboard, key_find("y"), 0, true);
    keyboard_key(keyboard, key_find("shift"), 0, false);
    keyboard_key(keyboard, key_find("alt_r"), 0, true);
    keyboard_key(keyboard, key_find("q"), 0, true);
    keyboard_key(keyboard, key_find("alt_r"), 0, false);
    keyboard_key(keyboard, key_find("up"), 0, true);
    keyboard_key(keyboard, key_find("y"), 'y', true);
    expect_typed("7a 5a 40 110000 79");
    keyboard_stroke(keyboard, 'd', true, false);
    keyboard_stroke(keyboard, 'd', false, true);
    expect_typed("4 1b 64");
    keyboard_free(keyboard);
}
END_TEST

START_TEST(text_typed_too_late)
{
    Keyboard *keyboard = text_viewer();

    keyboard_symbol(keyboard, 'a', true);
    keyboard_set_console(keyboard, NULL);
    expect_typed("");
    keyboard_free(keyboard);
}
END_TEST

CHECK_MAIN("ui/keyboard",
    CASES(symbol_keys, symbol_rows),
    CASE(a_viewer_that_leaves_lets_go),
    CASE(two_viewers),
    CASE(the_guest_sets_the_pace),
    CASE(a_guest_that_never_reads),
    CASE(keys_stay_down_for_a_while),
    CASE(a_standing_machine_misses_nothing_that_goes_up),
    CASE(a_flood_is_bounded),
    CASE(the_guests_lights),
    CASES(text_symbols, text_rows),
    CASE(text_keys_by_their_place),
    CASE(text_typed_too_late))
