/* Keys typed at a text console. */
#include "keyboard_text.h"

#include <string.h>

#include "keys.h"
#include "vm_core.h"

#define CODES_MAX   4096                /* typed on other threads and not taken yet */
#define ESC         0x1b

enum { HELD_SHIFT = 1, HELD_CTRL = 2, HELD_ALT = 4, HELD_ALTGR = 8 };

struct TextKeyboard {
    Vm *vm;
    Console *console;
    unsigned held;                      /* HELD_… */
    GArray *codes;                      /* uint32_t, for the main thread */
    GSource *source;                    /* NULL: none wait */
    void (*delivered)(void *opaque);
    void *opaque;
};

/* ---- the way to the main thread ---- */

static gboolean deliver(gpointer opaque)
{
    TextKeyboard *text = opaque;
    g_autoptr(GArray) codes = text->codes;

    text->codes = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_clear_pointer(&text->source, g_source_unref);
    for (guint i = 0; i < codes->len && text->console != NULL; i++) {
        console_typed(text->console, g_array_index(codes, uint32_t, i));
    }
    text->delivered(text->opaque);
    return G_SOURCE_REMOVE;
}

static void forget(TextKeyboard *text)
{
    g_array_set_size(text->codes, 0);
    if (text->source != NULL) {
        g_source_destroy(text->source);
        g_clear_pointer(&text->source, g_source_unref);
    }
}

static void type_code(TextKeyboard *text, uint32_t code)
{
    if (text->console == NULL || text->codes->len >= CODES_MAX) {
        return;
    }
    g_array_append_val(text->codes, code);
    if (text->source == NULL) {
        text->source = g_idle_source_new();
        g_source_set_priority(text->source, G_PRIORITY_DEFAULT);
        g_source_set_callback(text->source, deliver, text, NULL);
        g_source_attach(text->source, text->vm->context);
    }
}

/* ---- codes ---- */

static const struct { uint16_t keysym; uint32_t code; } functions[] = {
    { 0xff08, CONSOLE_KEY_BACKSPACE }, { 0xff09, '\t' }, { 0xfe20, '\t' }, { 0xff0d, '\r' },
    { 0xff1b, ESC }, { 0xff50, CONSOLE_KEY_HOME }, { 0xff51, CONSOLE_KEY_LEFT },
    { 0xff52, CONSOLE_KEY_UP }, { 0xff53, CONSOLE_KEY_RIGHT }, { 0xff54, CONSOLE_KEY_DOWN },
    { 0xff55, CONSOLE_KEY_PAGE_UP }, { 0xff56, CONSOLE_KEY_PAGE_DOWN }, { 0xff57, CONSOLE_KEY_END },
    { 0xff63, CONSOLE_KEY_INSERT }, { 0xff8d, '\r' }, { 0xff95, CONSOLE_KEY_HOME },
    { 0xff96, CONSOLE_KEY_LEFT }, { 0xff97, CONSOLE_KEY_UP }, { 0xff98, CONSOLE_KEY_RIGHT },
    { 0xff99, CONSOLE_KEY_DOWN }, { 0xff9a, CONSOLE_KEY_PAGE_UP },
    { 0xff9b, CONSOLE_KEY_PAGE_DOWN }, { 0xff9c, CONSOLE_KEY_END }, { 0xff9e, CONSOLE_KEY_INSERT },
    { 0xff9f, CONSOLE_KEY_DELETE }, { 0xffff, CONSOLE_KEY_DELETE },
};

/* Keys that look at what has scrolled away. */
static const struct { uint32_t code; unsigned held; uint32_t scroll; } scrolling[] = {
    { CONSOLE_KEY_UP, HELD_CTRL, CONSOLE_KEY_SCROLL_UP },
    { CONSOLE_KEY_DOWN, HELD_CTRL, CONSOLE_KEY_SCROLL_DOWN },
    { CONSOLE_KEY_PAGE_UP, HELD_CTRL | HELD_SHIFT, CONSOLE_KEY_SCROLL_PAGE_UP },
    { CONSOLE_KEY_PAGE_DOWN, HELD_CTRL | HELD_SHIFT, CONSOLE_KEY_SCROLL_PAGE_DOWN },
};

/* 0: none. */
static uint32_t code_of_keysym(uint32_t keysym)
{
    if (keysym >= 0xffbe && keysym <= 0xffc9) {
        return CONSOLE_KEY_F1 + keysym - 0xffbe;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(functions); i++) {
        if (functions[i].keysym == keysym) {
            return functions[i].code;
        }
    }
    return keysym_character(keysym);
}

static uint32_t scrolled(uint32_t code, unsigned held)
{
    for (size_t i = 0; i < G_N_ELEMENTS(scrolling); i++) {
        if (scrolling[i].code == code && scrolling[i].held & held) {
            return scrolling[i].scroll;
        }
    }
    return code;
}

/* ASCII's control characters: Ctrl takes the upper bits of @ to _ and of small letters away. */
static bool make_control(uint32_t *code)
{
    if (*code == ' ' || (*code >= '@' && *code <= '_') || (*code >= 'a' && *code <= 'z')) {
        *code &= 0x1f;
        return true;
    }
    if (*code == '?') {
        *code = 0x7f;
        return true;
    }
    return false;
}

static void type_keysym(TextKeyboard *text, uint32_t keysym, unsigned held)
{
    uint32_t code = scrolled(code_of_keysym(keysym), held);

    if (code == 0) {
        return;
    }
    if (held & HELD_CTRL && !(held & HELD_ALTGR)) {
        make_control(&code);
    }
    if (held & HELD_ALT) {
        type_code(text, ESC);
    }
    type_code(text, code);
}

/* ---- Shift and its like ---- */

static unsigned held_by(unsigned key)
{
    static const struct { const char *key; unsigned held; } mods[] = {
        { "shift", HELD_SHIFT }, { "shift_r", HELD_SHIFT }, { "ctrl", HELD_CTRL },
        { "ctrl_r", HELD_CTRL }, { "alt", HELD_ALT }, { "alt_r", HELD_ALTGR },
    };
    const KeyInfo *info = key_info(key);

    for (size_t i = 0; info != NULL && i < G_N_ELEMENTS(mods); i++) {
        if (strcmp(mods[i].key, info->name) == 0) {
            return mods[i].held;
        }
    }
    return 0;
}

static void type_or_hold(TextKeyboard *text, unsigned key, uint32_t keysym, bool down)
{
    unsigned held = held_by(key);

    if (held != 0) {
        text->held = down ? text->held | held : text->held & ~held;
    } else if (down) {
        type_keysym(text, keysym, text->held);
    }
}

void text_keyboard_key(TextKeyboard *text, const Keymap *map, unsigned key, uint32_t keysym,
                       bool down)
{
    if (keysym == 0) {
        keysym = keymap_keysym(map, key, (text->held & HELD_SHIFT ? KEYMAP_SHIFT : 0) |
                                         (text->held & HELD_ALTGR ? KEYMAP_ALTGR : 0));
    }
    type_or_hold(text, key, keysym, down);
}

void text_keyboard_symbol(TextKeyboard *text, uint32_t keysym, bool down)
{
    KeyStroke stroke = { KEY_INVALID };

    if (keysym >= 0xfe00 && keysym <= 0xffff) {         /* all modifiers are there */
        keymap_symbol(keymap_find("en-us", NULL), keysym, &stroke);
    }
    type_or_hold(text, stroke.key, keysym, down);
}

void text_keyboard_stroke(TextKeyboard *text, uint32_t keysym, bool ctrl, bool alt)
{
    type_keysym(text, keysym, text->held | (ctrl ? HELD_CTRL : 0) | (alt ? HELD_ALT : 0));
}

size_t text_keyboard_waiting(const TextKeyboard *text)
{
    return text->codes->len;
}

void text_keyboard_release_all(TextKeyboard *text)
{
    text->held = 0;
}

/* ---- life ---- */

TextKeyboard *text_keyboard_new(Vm *vm, void (*delivered)(void *opaque), void *opaque)
{
    TextKeyboard *text = g_new0(TextKeyboard, 1);

    text->vm = vm;
    text->delivered = delivered;
    text->opaque = opaque;
    text->codes = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    return text;
}

void text_keyboard_set_console(TextKeyboard *text, Console *console)
{
    forget(text);
    text->console = console;
}

void text_keyboard_free(TextKeyboard *text)
{
    forget(text);
    g_array_unref(text->codes);
    g_free(text);
}
