/*
 * A viewer's keyboard.
 *
 * Keys and symbols wait as a typist's steps.  What a symbol needs is worked out when its step is
 * taken, from what the guest's keyboard is like at that moment: other viewers may hold Shift, and
 * Caps Lock may have been pressed in between.
 */
#include "keyboard.h"

#include <string.h>

#include "keyboard_text.h"
#include "keys.h"
#include "vm_core.h"

#define KEYS_MAX        256
#define SYMBOLS_MAX     64              /* held at once */
#define STROKE_NS       NS_PER_MS       /* a terminal's key is down and up for so long */
#define SYMBOL          0x80000000u     /* in a step: a keysym, not a key */

/* Keys that say what others mean. */
enum { MOD_SHIFT, MOD_SHIFT_R, MOD_ALTGR, MOD_CTRL, MODS };

typedef struct Symbol {
    uint32_t keysym;
    unsigned key;
} Symbol;

typedef struct SymbolList {
    Symbol list[SYMBOLS_MAX];
    unsigned n;
} SymbolList;

struct Keyboard {
    Vm *vm;
    const Keymap *map, *latin;          /* latin: for symbols the layout does not have */
    int64_t hold_ns;
    Console *console;
    bool for_guest;                     /* whatever the console */
    TextKeyboard *text;
    InputTypist *typist;
    unsigned mods[MODS], command_mods[5];       /* their keys; Ctrl, Alt and Meta */
    /* what the viewer holds */
    bool keys[KEYS_MAX];
    SymbolList symbols;
    /* what the guest was told so far, some steps later */
    SymbolList pressed;
    unsigned bent;                      /* 1 << MOD_…: not as its holders have it */
    bool altgr;                         /* a key that chooses a third level is down */
    void (*drained)(void *opaque, TypistEnd end);
    void *drained_opaque;
};

/* ---- lists ---- */

static Symbol *find_symbol(SymbolList *symbols, uint32_t keysym)
{
    for (unsigned i = 0; i < symbols->n; i++) {
        if (symbols->list[i].keysym == keysym) {
            return &symbols->list[i];
        }
    }
    return NULL;
}

static Symbol *find_symbol_key(SymbolList *symbols, unsigned key)
{
    for (unsigned i = 0; i < symbols->n; i++) {
        if (symbols->list[i].key == key) {
            return &symbols->list[i];
        }
    }
    return NULL;
}

static void remove_symbol(SymbolList *symbols, Symbol *symbol)
{
    *symbol = symbols->list[--symbols->n];
}

static bool add_symbol(SymbolList *symbols, uint32_t keysym, unsigned key)
{
    if (symbols->n == SYMBOLS_MAX) {
        return false;
    }
    symbols->list[symbols->n++] = (Symbol){ keysym, key };
    return true;
}

/* ---- what gives a symbol ---- */

/* Strokes, the last of which is the symbol's own; 0: nothing gives it. */
static size_t find_strokes(const Keyboard *keyboard, uint32_t keysym, KeyStroke *strokes)
{
    uint32_t character = keysym_character(keysym);
    size_t n;

    if (keymap_symbol(keyboard->map, keysym, &strokes[0])) {
        return 1;
    }
    n = character != 0 ? keymap_character(keyboard->map, character, strokes) : 0;
    return n > 0 ? n : keymap_symbol(keyboard->latin, keysym, &strokes[0]) ? 1 : 0;
}

/*
 * The keypad's digits need Num Lock, its arrows the opposite; another key gives the same without a
 * change of the guest's lights.
 */
static uint32_t away_from_keypad(Vm *vm, uint32_t keysym)
{
    static const uint16_t grey[] = {    /* from KP_Home on */
        0xff50, 0xff51, 0xff52, 0xff53, 0xff54, 0xff55, 0xff56, 0xff57, 0xff9d, 0xff63, 0xffff,
    };
    bool num_lock = input_leds(vm) & INPUT_LED_NUM;

    if (num_lock && keysym >= 0xff95 && keysym <= 0xff9f) {
        return grey[keysym - 0xff95];
    }
    if (!num_lock && keysym >= 0xffac && keysym <= 0xffb9 && keysym != 0xffad && keysym != 0xffaf) {
        return keysym & 0x7f;
    }
    return keysym;
}

/* Letters, digits, signs and accents, which Shift turns into others; not what Shift only joins. */
static bool is_sign(uint32_t keysym)
{
    return keysym != ' ' &&
           ((keysym >= 0xfe50 && keysym <= 0xfe8f) ||
            ((keysym < 0xff00 || keysym > 0xffff) && keysym_character(keysym) != 0));
}

/* ---- Shift and AltGr around a symbol: all of this when its step is taken ---- */

/* A key of `mods` as a symbol needs it. */
static void bend(Keyboard *keyboard, unsigned mod, bool down)
{
    unsigned key = keyboard->mods[mod];
    bool differs = down != input_is_held(keyboard->vm, key);

    if (input_is_down(keyboard->vm, key) != down) {
        input_key(keyboard->vm, key, down);
    }
    keyboard->bent = (keyboard->bent & ~(1u << mod)) | (unsigned)differs << mod;
}

/* As their holders have them. */
static void unbend(Keyboard *keyboard)
{
    for (unsigned mod = 0; mod < MODS; mod++) {
        if (keyboard->bent >> mod & 1) {
            bend(keyboard, mod, input_is_held(keyboard->vm, keyboard->mods[mod]));
        }
    }
}

static bool mod_is_held(const Keyboard *keyboard, unsigned mod)
{
    return input_is_held(keyboard->vm, keyboard->mods[mod]);
}

/* Ctrl, Alt or Meta makes commands of letters. */
static bool makes_commands(const Keyboard *keyboard)
{
    bool any = false;

    for (size_t i = 0; i < G_N_ELEMENTS(keyboard->command_mods); i++) {
        any |= input_is_down(keyboard->vm, keyboard->command_mods[i]);
    }
    return any;
}

static void bend_for_sign(Keyboard *keyboard, const KeyStroke *stroke)
{
    bool shift_l = mod_is_held(keyboard, MOD_SHIFT), shift_r = mod_is_held(keyboard, MOD_SHIFT_R);
    bool ctrl = mod_is_held(keyboard, MOD_CTRL), altgr = mod_is_held(keyboard, MOD_ALTGR);
    bool want_shift = stroke->modifiers & KEYMAP_SHIFT;
    bool want_altgr = stroke->modifiers & KEYMAP_ALTGR;
    /* Viewers on Windows send Ctrl with the right Alt key for AltGr. */
    bool false_ctrl = ctrl && altgr && (want_altgr || !stroke->letter);

    if (stroke->letter && input_leds(keyboard->vm) & INPUT_LED_CAPS) {
        want_shift = !want_shift;
    }
    if (stroke->letter && !want_altgr && makes_commands(keyboard)) {
        want_shift = shift_l || shift_r;        /* Ctrl-C with Caps Lock at the viewer's */
    }
    if (altgr && !keyboard->altgr && !false_ctrl) {
        want_altgr = true;                      /* the right Alt key as just an Alt key */
    }
    if (false_ctrl || keyboard->bent >> MOD_CTRL & 1) {
        bend(keyboard, MOD_CTRL, ctrl && !false_ctrl);
    }
    bend(keyboard, MOD_ALTGR, want_altgr);
    bend(keyboard, MOD_SHIFT_R, want_shift && shift_r);
    bend(keyboard, MOD_SHIFT, want_shift && (shift_l || !shift_r));
}

static void bend_for(Keyboard *keyboard, uint32_t keysym, const KeyStroke *stroke)
{
    if (is_sign(keysym)) {
        bend_for_sign(keyboard, stroke);
        return;
    }
    unbend(keyboard);
    if (stroke->modifiers & KEYMAP_SHIFT && !mod_is_held(keyboard, MOD_SHIFT) &&
        !mod_is_held(keyboard, MOD_SHIFT_R)) {
        bend(keyboard, MOD_SHIFT, true);
    }
}

static bool is_modifier(uint32_t keysym)
{
    return (keysym >= 0xffe1 && keysym <= 0xffee) || keysym == 0xfe03 || keysym == 0xff7e ||
           keysym == 0xff7f;
}

static void press_symbol(Keyboard *keyboard, uint32_t keysym)
{
    uint32_t wanted = away_from_keypad(keyboard->vm, keysym);
    KeyStroke strokes[KEYMAP_STROKES_MAX];
    size_t n = find_strokes(keyboard, wanted, strokes);

    if (n == 0 || !add_symbol(&keyboard->pressed, keysym, strokes[n - 1].key)) {
        return;
    }
    if (is_modifier(keysym)) {
        unbend(keyboard);
        keyboard->altgr |= keysym == 0xfe03 || keysym == 0xff7e;
    } else {
        bend_for(keyboard, wanted, &strokes[0]);
    }
    if (n == 2) {
        input_typist_hold(keyboard->typist, strokes[0].key, true);
        input_typist_hold(keyboard->typist, strokes[0].key, false);
        bend_for(keyboard, wanted, &strokes[1]);
    }
    input_typist_hold(keyboard->typist, strokes[n - 1].key, true);
}

static void release_symbol(Keyboard *keyboard, uint32_t keysym)
{
    Symbol *symbol = find_symbol(&keyboard->pressed, keysym);

    if (symbol == NULL) {
        return;
    }
    input_typist_hold(keyboard->typist, symbol->key, false);
    remove_symbol(&keyboard->pressed, symbol);
    if (keysym == 0xfe03 || keysym == 0xff7e) {
        keyboard->altgr = false;
    }
    unbend(keyboard);
}

static void take_step(void *opaque, uint32_t what, bool down)
{
    Keyboard *keyboard = opaque;

    if (!(what & SYMBOL)) {
        unbend(keyboard);
        input_typist_hold(keyboard->typist, what, down);
    } else if (down) {
        press_symbol(keyboard, what & ~SYMBOL);
    } else {
        release_symbol(keyboard, what & ~SYMBOL);
    }
}

static void typing_ended(void *opaque, TypistEnd how)
{
    Keyboard *keyboard = opaque;

    if (how != TYPIST_DONE) {                   /* what waited is lost, and all keys are up */
        unbend(keyboard);
        keyboard->pressed.n = 0;
        keyboard->altgr = false;
    }
    if (keyboard->drained != NULL) {
        keyboard->drained(keyboard->drained_opaque, how);
    }
}

static void text_delivered(void *opaque)
{
    Keyboard *keyboard = opaque;

    if (keyboard->drained != NULL) {
        keyboard->drained(keyboard->drained_opaque, TYPIST_DONE);
    }
}

static const TypistOps typist_ops = { .step = take_step, .ended = typing_ended };

/* ---- what the viewer does ---- */

static void add_step(Keyboard *keyboard, uint32_t what, bool down, int64_t least_ns)
{
    int64_t wait_ns = down ? MAX(keyboard->hold_ns, least_ns) : least_ns;

    input_typist_add(keyboard->typist, what, down, wait_ns);
}

static bool takes_keys(const Keyboard *keyboard)
{
    return (keyboard->for_guest ||
            (keyboard->console != NULL && input_reaches_guest(keyboard->vm))) &&
           input_typist_waiting(keyboard->typist) < KEYBOARD_WAITING_MAX;
}

static bool is_text(const Keyboard *keyboard)
{
    return keyboard->console != NULL && console_is_text(keyboard->console);
}

void keyboard_key(Keyboard *keyboard, unsigned key, uint32_t keysym, bool down)
{
    if (key_info(key) == NULL || key >= KEYS_MAX) {
        return;
    }
    if (is_text(keyboard)) {
        text_keyboard_key(keyboard->text, keyboard->map, key, keysym, down);
    } else if (down ? !keyboard->keys[key] && takes_keys(keyboard) : keyboard->keys[key]) {
        keyboard->keys[key] = down;
        add_step(keyboard, key, down, 0);
    }
}

static void let_go_of(Keyboard *keyboard, Symbol *symbol, int64_t least_ns)
{
    add_step(keyboard, SYMBOL | symbol->keysym, false, least_ns);
    remove_symbol(&keyboard->symbols, symbol);
}

static void hold_symbol(Keyboard *keyboard, uint32_t keysym, bool down, int64_t least_ns)
{
    KeyStroke strokes[KEYMAP_STROKES_MAX];
    size_t n = find_strokes(keyboard, keysym, strokes);
    Symbol *same = find_symbol(&keyboard->symbols, keysym), *other = same;

    if (same == NULL && n > 0) {                /* of the same key: Shift came or went meanwhile */
        other = find_symbol_key(&keyboard->symbols, strokes[n - 1].key);
    }
    if (!down) {
        if (other != NULL) {
            let_go_of(keyboard, other, least_ns);
        }
    } else if (same == NULL && n > 0 && takes_keys(keyboard)) {
        if (other != NULL) {
            let_go_of(keyboard, other, 0);
        }
        if (add_symbol(&keyboard->symbols, keysym, strokes[n - 1].key)) {
            add_step(keyboard, SYMBOL | keysym, true, least_ns);
        }
    }
}

void keyboard_symbol(Keyboard *keyboard, uint32_t keysym, bool down)
{
    if (keysym & SYMBOL) {
        return;                                 /* no keysym is that large */
    }
    if (is_text(keyboard)) {
        text_keyboard_symbol(keyboard->text, keysym, down);
    } else {
        hold_symbol(keyboard, keysym, down, 0);
    }
}

void keyboard_stroke(Keyboard *keyboard, uint32_t keysym, bool ctrl, bool alt)
{
    unsigned ctrl_key = keyboard->mods[MOD_CTRL], alt_key = key_find("alt");

    if (is_text(keyboard)) {
        text_keyboard_stroke(keyboard->text, keysym, ctrl, alt);
        return;
    }
    if (keysym & SYMBOL || !takes_keys(keyboard)) {
        return;
    }
    if (ctrl) {
        add_step(keyboard, ctrl_key, true, 0);
    }
    if (alt) {
        add_step(keyboard, alt_key, true, 0);
    }
    hold_symbol(keyboard, keysym, true, STROKE_NS);
    hold_symbol(keyboard, keysym, false, STROKE_NS);
    if (alt) {
        add_step(keyboard, alt_key, false, 0);
    }
    if (ctrl) {
        add_step(keyboard, ctrl_key, false, 0);
    }
}

void keyboard_chord(Keyboard *keyboard, const unsigned *keys, size_t n, int64_t hold_ns)
{
    for (size_t i = 0; i < n; i++) {
        add_step(keyboard, keys[i], true, i + 1 == n ? hold_ns : 0);
    }
    for (size_t i = n; i-- > 0;) {
        add_step(keyboard, keys[i], false, i == 0 ? hold_ns : 0);
    }
}

void keyboard_release_all(Keyboard *keyboard)
{
    for (unsigned key = 0; key < KEYS_MAX; key++) {
        if (keyboard->keys[key]) {
            keyboard->keys[key] = false;
            add_step(keyboard, key, false, 0);
        }
    }
    while (keyboard->symbols.n > 0) {
        let_go_of(keyboard, &keyboard->symbols.list[0], 0);
    }
    text_keyboard_release_all(keyboard->text);
}

size_t keyboard_waiting(const Keyboard *keyboard)
{
    return is_text(keyboard) ? 2 * text_keyboard_waiting(keyboard->text)
                             : input_typist_waiting(keyboard->typist);
}

void keyboard_on_drained(Keyboard *keyboard, void (*fn)(void *opaque, TypistEnd end), void *opaque)
{
    keyboard->drained = fn;
    keyboard->drained_opaque = opaque;
}

unsigned keyboard_leds(Vm *vm)
{
    G_STATIC_ASSERT((int)KEYBOARD_LED_SCROLL == INPUT_LED_SCROLL &&
                    (int)KEYBOARD_LED_NUM == INPUT_LED_NUM &&
                    (int)KEYBOARD_LED_CAPS == INPUT_LED_CAPS);
    return input_leds(vm);
}

/* ---- life ---- */

void keyboard_set_console(Keyboard *keyboard, Console *console)
{
    keyboard_release_all(keyboard);
    keyboard->console = console;
    text_keyboard_set_console(keyboard->text,
                              console != NULL && console_is_text(console) ? console : NULL);
}

void keyboard_set_guest(Keyboard *keyboard)
{
    keyboard_set_console(keyboard, NULL);
    keyboard->for_guest = true;
}

Keyboard *keyboard_new(Vm *vm, const Keymap *map, int64_t hold_ns)
{
    static const char *const mods[MODS] = { "shift", "shift_r", "alt_r", "ctrl" };
    static const char *const command_mods[] = { "ctrl", "ctrl_r", "alt", "meta_l", "meta_r" };
    Keyboard *keyboard = g_new0(Keyboard, 1);

    keyboard->vm = vm;
    keyboard->map = map;
    keyboard->latin = keymap_find("en-us", NULL);
    keyboard->hold_ns = hold_ns;
    keyboard->text = text_keyboard_new(vm, text_delivered, keyboard);
    keyboard->typist = input_typist_new(vm, &typist_ops, keyboard);
    for (unsigned i = 0; i < MODS; i++) {
        keyboard->mods[i] = key_find(mods[i]);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(command_mods); i++) {
        keyboard->command_mods[i] = key_find(command_mods[i]);
    }
    return keyboard;
}

void keyboard_free(Keyboard *keyboard)
{
    if (keyboard != NULL) {
        unbend(keyboard);
        input_typist_free(keyboard->typist);
        text_keyboard_free(keyboard->text);
        g_free(keyboard);
    }
}
