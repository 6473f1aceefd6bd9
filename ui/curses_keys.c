/* From a terminal's bytes to keys. */
#include "curses_keys.h"

#include <string.h>

#include "input.h"
#include "keymap.h"
#include "keysyms.h"

#define ESC 0x1b
enum { SEQUENCE_MS = 150 };             /* a sequence that stops half way was cut on the line */

static void emit(const CursesDecoder *decoder, CursesInput input)
{
    decoder->fn(&input, decoder->opaque);
}

/* xterm: the modifier parameter is 1 plus shift 1, alt 2, control 4, meta 8. */
static void emit_key(const CursesDecoder *decoder, uint32_t keysym, unsigned modifiers)
{
    emit(decoder, (CursesInput){
        .kind = CURSES_INPUT_KEY, .keysym = keysym, .shift = modifiers & 1,
        .alt = (modifiers & (2 | 8)) != 0, .ctrl = (modifiers & 4) != 0,
    });
}

/* ---- characters ---- */

static void emit_character(const CursesDecoder *decoder, uint32_t code, bool alt)
{
    CursesInput input = { .kind = CURSES_INPUT_KEY, .alt = alt };

    if (alt && code >= '0' && code <= '9') {
        input.kind = CURSES_INPUT_DIGIT;
        input.digit = code - '0';
    } else if (code == 0x7f || (code == 8 && decoder->erase_is_8)) {
        input.keysym = KEYSYM_BACKSPACE;
    } else if (code == '\t') {
        input.keysym = KEYSYM_TAB;
    } else if (code == '\r') {
        input.keysym = KEYSYM_RETURN;
    } else if (code < 0x20) {
        input.ctrl = true;
        input.keysym = code == 0 ? ' ' : code <= 26 ? code + 'a' - 1 : code + '@';
    } else if (code < 0x80 || code >= 0xa0) {
        input.keysym = keysym_of_character(code);
    } else {
        return;
    }
    emit(decoder, input);
}

/* Length of the character that begins at `bytes`: 0: more is needed, -1: it is none. */
static int character(const CursesDecoder *decoder, const uint8_t *bytes, unsigned n, uint32_t *code)
{
    gunichar c;

    if (!decoder->utf8 || bytes[0] < 0x80) {
        *code = bytes[0];
        return 1;
    }
    c = g_utf8_get_char_validated((const char *)bytes, n);
    if (c == (gunichar)-2) {
        return bytes[n - 1] != '\0' ? 0 : -1;           /* it takes a NUL for an end to come */
    }
    *code = c;
    return c == (gunichar)-1 ? -1 : g_utf8_skip[bytes[0]];
}

/* ---- control sequences ---- */

#define PARAMETERS 4

typedef struct Sequence {
    unsigned value[PARAMETERS];         /* 0: left out */
    char final;
    bool is_private;                    /* '<' in front: the mouse */
} Sequence;

static const uint16_t tilde_keys[] = {
    [1] = KEYSYM_HOME, [2] = KEYSYM_INSERT, [3] = KEYSYM_DELETE, [4] = KEYSYM_END,
    [5] = KEYSYM_PAGE_UP, [6] = KEYSYM_PAGE_DOWN, [7] = KEYSYM_HOME, [8] = KEYSYM_END,
    [11] = KEYSYM_F(1), [12] = KEYSYM_F(2), [13] = KEYSYM_F(3), [14] = KEYSYM_F(4),
    [15] = KEYSYM_F(5), [17] = KEYSYM_F(6), [18] = KEYSYM_F(7), [19] = KEYSYM_F(8),
    [20] = KEYSYM_F(9), [21] = KEYSYM_F(10), [23] = KEYSYM_F(11), [24] = KEYSYM_F(12),
};

static const struct { char final; uint16_t keysym; } letter_keys[] = {
    { 'A', KEYSYM_UP }, { 'B', KEYSYM_DOWN }, { 'C', KEYSYM_RIGHT }, { 'D', KEYSYM_LEFT },
    { 'F', KEYSYM_END }, { 'H', KEYSYM_HOME }, { 'M', KEYSYM_RETURN },
    { 'P', KEYSYM_F(1) }, { 'Q', KEYSYM_F(2) }, { 'R', KEYSYM_F(3) }, { 'S', KEYSYM_F(4) },
};

static uint32_t letter_key(char final)
{
    for (size_t i = 0; i < G_N_ELEMENTS(letter_keys); i++) {
        if (letter_keys[i].final == final) {
            return letter_keys[i].keysym;
        }
    }
    return 0;
}

static void emit_mouse(CursesDecoder *decoder, unsigned what, unsigned x, unsigned y, bool release)
{
    static const uint8_t buttons[] = { 1u << INPUT_BUTTON_LEFT, 1u << INPUT_BUTTON_MIDDLE,
                                       1u << INPUT_BUTTON_RIGHT, 0 };
    CursesInput input = { .kind = CURSES_INPUT_MOUSE, .column = x - 1, .row = y - 1 };
    unsigned button = what & 3;

    if (x == 0 || y == 0 || what & 128) {
        return;                                 /* 128: buttons 8 to 11 */
    }
    if (what & 64) {
        *(button < 2 ? &input.wheel : &input.wheel_across) =
            button == 0 || button == 3 ? 1 : -1;
    } else if (button == 3) {
        decoder->buttons = 0;
    } else if (release) {
        decoder->buttons &= ~buttons[button];
    } else {
        decoder->buttons |= buttons[button];
    }
    input.buttons = decoder->buttons;
    emit(decoder, input);
}

static void emit_sequence(CursesDecoder *decoder, const Sequence *seq)
{
    unsigned modifiers = seq->value[1] > 0 ? seq->value[1] - 1 : 0;
    uint32_t keysym = 0;

    if (seq->is_private) {
        if (seq->final == 'M' || seq->final == 'm') {
            emit_mouse(decoder, seq->value[0], seq->value[1], seq->value[2], seq->final == 'm');
        }
        return;
    }
    if (seq->final == 'Z') {
        keysym = KEYSYM_TAB;
        modifiers |= 1;
    } else if (seq->final == '~' && seq->value[0] < G_N_ELEMENTS(tilde_keys)) {
        keysym = tilde_keys[seq->value[0]];
    } else if (seq->final != '~') {
        keysym = letter_key(seq->final);
    }
    if (keysym != 0) {
        emit_key(decoder, keysym, modifiers);
    }
}

/* Parameters between Esc [ and the final byte; what has none of this form means nothing here. */
static bool read_sequence(const uint8_t *bytes, unsigned n, Sequence *seq)
{
    unsigned param = 0;

    *seq = (Sequence){ .final = bytes[n - 1], .is_private = n > 1 && bytes[0] == '<' };
    for (unsigned i = seq->is_private; i + 1 < n; i++) {
        if (bytes[i] == ';') {
            param++;
        } else if (!g_ascii_isdigit(bytes[i])) {
            return false;
        } else if (param < PARAMETERS) {
            seq->value[param] = MIN(seq->value[param] * 10 + bytes[i] - '0', 99999);
        }
    }
    return true;
}

/* What Esc [ begins: its length, or 0. */
static unsigned take_control(CursesDecoder *decoder)
{
    const uint8_t *bytes = decoder->held;
    unsigned n = decoder->n_held;
    Sequence seq;

    if (n < 3) {
        return 0;
    }
    if (bytes[2] == '[') {                      /* Linux: Esc [ [ A to E are F1 to F5 */
        if (n == 4 && bytes[3] >= 'A' && bytes[3] <= 'E') {
            emit_key(decoder, KEYSYM_F(1) + bytes[3] - 'A', 0);
        }
        return n < 4 ? 0 : 4;
    }
    if (bytes[2] == 'M') {                      /* the mouse as X10 has it: three bytes, plus 32 */
        if (n == 6 && bytes[3] >= 32) {
            emit_mouse(decoder, bytes[3] - 32, bytes[4] - 32, bytes[5] - 32, false);
        }
        return n < 6 ? 0 : 6;
    }
    if (bytes[n - 1] >= 0x40 && bytes[n - 1] <= 0x7e) {
        if (read_sequence(bytes + 2, n - 2, &seq)) {
            emit_sequence(decoder, &seq);
        }
        return n;
    }
    if (n == sizeof(decoder->held)) {
        decoder->swallow = 1;
        return n;
    }
    return 0;
}

/* ---- what Esc begins ---- */

/* Of the terminal's description: its length, 0: it may still become one, -1: it is none. */
static int take_described(CursesDecoder *decoder)
{
    const CursesSequence *seq = decoder->sequences;
    bool prefix = false;

    for (; seq != NULL && seq->bytes != NULL; seq++) {
        size_t len = strlen(seq->bytes);

        if (len >= decoder->n_held && memcmp(seq->bytes, decoder->held, decoder->n_held) == 0) {
            if (len == decoder->n_held) {
                emit_key(decoder, seq->keysym, 0);
                return len;
            }
            prefix = true;
        }
    }
    return prefix ? 0 : -1;
}

/* Esc and more in one burst. */
static unsigned take_escape(CursesDecoder *decoder)
{
    const uint8_t *bytes = decoder->held;
    int len = take_described(decoder);
    uint32_t code;

    if (len >= 0) {
        return len;
    }
    if (bytes[1] == '[') {
        return take_control(decoder);
    }
    if (bytes[1] == 'O') {
        if (decoder->n_held < 3) {
            return 0;
        }
        if (bytes[2] >= 'j' && bytes[2] <= 'y') {       /* the keypad: VT100's application mode */
            emit_character(decoder, bytes[2] - 0x40, false);
        } else {
            emit_sequence(decoder, &(Sequence){ .final = bytes[2] });
        }
        return 3;
    }
    if (bytes[1] == ESC) {
        emit_key(decoder, KEYSYM_ESCAPE, 0);
        return 1;
    }
    len = character(decoder, bytes + 1, decoder->n_held - 1, &code);
    if (len > 0) {
        emit_character(decoder, code, true);
    }
    return len < 0 ? 2 : len == 0 ? 0 : len + 1;
}

/* What stands at the beginning of what is held: its length, 0 if more is needed. */
static unsigned take(CursesDecoder *decoder)
{
    uint32_t code;
    int len;

    if (decoder->held[0] == ESC) {
        return decoder->n_held < 2 ? 0 : take_escape(decoder);
    }
    len = character(decoder, decoder->held, decoder->n_held, &code);
    if (len > 0) {
        emit_character(decoder, code, false);
    }
    return len < 0 ? 1 : len;
}

static void drop(CursesDecoder *decoder, unsigned n)
{
    decoder->n_held -= n;
    memmove(decoder->held, decoder->held + n, decoder->n_held);
}

static void settle(CursesDecoder *decoder)
{
    unsigned n;

    while (decoder->n_held > 0 && (n = take(decoder)) > 0) {
        drop(decoder, n);
    }
}

/* Esc was pressed by itself, and now this. */
static bool take_after_escape(CursesDecoder *decoder, uint8_t byte)
{
    decoder->n_held = 0;
    if (g_ascii_isdigit(byte)) {
        emit_character(decoder, byte, true);
        return true;
    }
    emit_key(decoder, KEYSYM_ESCAPE, 0);
    return false;
}

void curses_decode(CursesDecoder *decoder, const uint8_t *bytes, size_t n, int64_t now_ms)
{
    for (size_t i = 0; i < n; i++) {
        if (decoder->swallow) {
            decoder->swallow = bytes[i] < 0x40 || bytes[i] > 0x7e;
            continue;
        }
        if (decoder->n_held == 1 && decoder->held[0] == ESC &&
            now_ms - decoder->held_ms > CURSES_BURST_MS && take_after_escape(decoder, bytes[i])) {
            continue;
        }
        if (decoder->n_held == 0 || (decoder->n_held == 1 && decoder->held[0] == ESC)) {
            decoder->held_ms = now_ms;
        }
        decoder->held[decoder->n_held++] = bytes[i];
        settle(decoder);
    }
}

static int64_t patience_ms(const CursesDecoder *decoder)
{
    return decoder->n_held == 1 && decoder->held[0] == ESC ? CURSES_ESC_MS : SEQUENCE_MS;
}

int curses_decode_wait(const CursesDecoder *decoder, int64_t now_ms)
{
    int64_t left = decoder->held_ms + patience_ms(decoder) - now_ms;

    return decoder->n_held == 0 ? -1 : (int)CLAMP(left, 0, CURSES_ESC_MS);
}

void curses_decode_timeout(CursesDecoder *decoder, int64_t now_ms)
{
    if (decoder->n_held == 0 || now_ms - decoder->held_ms < patience_ms(decoder)) {
        return;
    }
    if (decoder->n_held == 1 && decoder->held[0] == ESC) {
        emit_key(decoder, KEYSYM_ESCAPE, 0);
    } else if (decoder->n_held == 2 && decoder->held[0] == ESC) {
        emit_character(decoder, decoder->held[1], true);        /* Alt-[ and Alt-O */
    }
    decoder->n_held = 0;
}
