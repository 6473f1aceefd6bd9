/* From bytes to control sequences and characters, and from keys to bytes. */
#include "terminal.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "console.h"
#include "terminal_sequences.h"

#define NUMBER_MAX      9999
#define REPLACEMENT     0xfffd
#define MATCHES_NONE    0x7f            /* a prefix or intermediate no row has */

/* ---- sequences, byte by byte ---- */

/* The end of a sequence; one that is not known does nothing. */
static void finish_sequence(Terminal *t, const TerminalSequence *row, char last)
{
    t->state = STATE_TEXT;
    for (; row->run != NULL; row++) {
        if (row->prefix == t->prefix && row->intermediate == t->intermediate &&
            row->last == last) {
            row->run(t);
            return;
        }
    }
}

static void take_intermediate(Terminal *t, char byte)
{
    t->intermediate = t->intermediate == 0 ? byte : MATCHES_NONE;
}

static void escape_byte(Terminal *t, uint8_t byte)
{
    if (byte < 0x30) {
        take_intermediate(t, byte);
    } else {
        finish_sequence(t, terminal_escapes, byte);
    }
}

/* Parameters beyond the last there is room for count nowhere. */
static void param_byte(Terminal *t, uint8_t byte)
{
    unsigned at = MAX(t->n_params, 1) - 1;

    t->n_params = at + 1;
    if (byte == ';' || byte == ':') {
        t->n_params++;
        if (byte == ':' && at + 1 < TERMINAL_PARAMS_MAX) {
            t->colons |= 1u << (at + 1);
        }
        t->n_params = MIN(t->n_params, TERMINAL_PARAMS_MAX + 1);
    } else if (at < TERMINAL_PARAMS_MAX) {
        t->params[at] = MIN(t->params[at] * 10 + byte - '0', NUMBER_MAX);
    }
}

static void csi_byte(Terminal *t, uint8_t byte)
{
    if (byte < 0x30) {
        take_intermediate(t, byte);
    } else if (byte <= ';') {
        param_byte(t, byte);
    } else if (byte < 0x40) {
        t->prefix = t->prefix == 0 && t->n_params == 0 ? byte : MATCHES_NONE;
    } else {
        t->n_params = MIN(t->n_params, TERMINAL_PARAMS_MAX);
        finish_sequence(t, terminal_sequences, byte);
    }
}

static void string_byte(Terminal *t, uint8_t byte)
{
    if (byte == 0x07 || byte == 0x18 || byte == 0x1a) {
        t->state = STATE_TEXT;
    } else if (byte == 0x1b) {
        t->state = STATE_STRING_ESCAPE;
    }
}

/* Behind the ESC: a backslash ends the string, anything else is the sequence it seems to be. */
static void string_escape_byte(Terminal *t, uint8_t byte)
{
    terminal_controls[0x1b](t);
    if (byte == '\\') {
        t->state = STATE_TEXT;
    } else {
        escape_byte(t, byte);
    }
}

/* ---- characters ---- */

/* DEC special graphics: 60 to 7e. */
static const uint16_t line_characters[] = {
    u'◆', u'▒', u'␉', u'␌', u'␍', u'␊', u'°', u'±', u'␤', u'␋', u'┘', u'┐', u'┌', u'└', u'┼', u'⎺',
    u'⎻', u'─', u'⎼', u'⎽', u'├', u'┤', u'┴', u'┬', u'│', u'≤', u'≥', u'π', u'≠', u'£', u'·',
};

static void put(Terminal *t, uint32_t code_point)
{
    const TerminalCursor *cursor = &t->screen.cursor;

    if (code_point >= 0x60 && code_point < 0x60 + G_N_ELEMENTS(line_characters) &&
        cursor->charsets[cursor->charset] == CHARSET_LINES) {
        code_point = line_characters[code_point - 0x60];
    }
    if ((code_point >= 0x80 && code_point < 0xa0) || g_unichar_iszerowidth(code_point)) {
        return;
    }
    if (g_unichar_iswide(code_point)) {
        screen_put(&t->screen, REPLACEMENT);
        code_point = ' ';
    }
    screen_put(&t->screen, code_point);
    t->last_put = code_point;
}

/* Bytes that are no character are shown as they end, as one U+FFFD (Unicode 3.9, table 3-7). */
static void lead_byte(Terminal *t, uint8_t byte)
{
    t->low = byte == 0xe0 ? 0xa0 : byte == 0xf0 ? 0x90 : 0x80;
    t->high = byte == 0xed ? 0x9f : byte == 0xf4 ? 0x8f : 0xbf;
    if (byte < 0x80) {
        put(t, byte);
    } else if (byte >= 0xc2 && byte <= 0xdf) {
        t->missing = 1;
        t->code_point = byte & 0x1f;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        t->missing = 2;
        t->code_point = byte & 0x0f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        t->missing = 3;
        t->code_point = byte & 0x07;
    } else {
        put(t, REPLACEMENT);
    }
}

static void end_character(Terminal *t)
{
    if (t->missing > 0) {
        t->missing = 0;
        put(t, REPLACEMENT);
    }
}

static void text_byte(Terminal *t, uint8_t byte)
{
    if (t->missing > 0 && byte >= t->low && byte <= t->high) {
        t->code_point = t->code_point << 6 | (byte & 0x3f);
        t->low = 0x80;
        t->high = 0xbf;
        if (--t->missing == 0) {
            put(t, t->code_point);
        }
    } else {
        end_character(t);
        lead_byte(t, byte);
    }
}

/* ---- the stream ---- */

static void (*const state_byte[])(Terminal *t, uint8_t byte) = {
    [STATE_TEXT] = text_byte, [STATE_ESCAPE] = escape_byte, [STATE_CSI] = csi_byte,
    [STATE_STRING] = string_byte, [STATE_STRING_ESCAPE] = string_escape_byte,
};

/* Controls do their work in the middle of a sequence, too; bytes with the high bit end it. */
static void take(Terminal *t, uint8_t byte)
{
    bool in_string = t->state == STATE_STRING || t->state == STATE_STRING_ESCAPE;

    if (in_string) {
        state_byte[t->state](t, byte);
    } else if (byte < 0x20) {
        end_character(t);
        if (terminal_controls[byte] != NULL) {
            terminal_controls[byte](t);
        }
    } else if (byte != 0x7f) {
        if (byte >= 0x80) {
            t->state = STATE_TEXT;
        }
        state_byte[t->state](t, byte);
    }
}

void terminal_write(Terminal *t, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        take(t, bytes[i]);
    }
}

/* ---- keys ---- */

static const struct { uint32_t code; const char *bytes; bool cursor; } keys[] = {
    { CONSOLE_KEY_UP, "A", true }, { CONSOLE_KEY_DOWN, "B", true },
    { CONSOLE_KEY_RIGHT, "C", true }, { CONSOLE_KEY_LEFT, "D", true },
    { CONSOLE_KEY_HOME, "H", true }, { CONSOLE_KEY_END, "F", true },
    { CONSOLE_KEY_INSERT, "\033[2~" }, { CONSOLE_KEY_DELETE, "\033[3~" },
    { CONSOLE_KEY_PAGE_UP, "\033[5~" }, { CONSOLE_KEY_PAGE_DOWN, "\033[6~" },
    { CONSOLE_KEY_BACKSPACE, "\177" },
    { CONSOLE_KEY_F1, "\033OP" }, { CONSOLE_KEY_F1 + 1, "\033OQ" },
    { CONSOLE_KEY_F1 + 2, "\033OR" }, { CONSOLE_KEY_F1 + 3, "\033OS" },
    { CONSOLE_KEY_F1 + 4, "\033[15~" }, { CONSOLE_KEY_F1 + 5, "\033[17~" },
    { CONSOLE_KEY_F1 + 6, "\033[18~" }, { CONSOLE_KEY_F1 + 7, "\033[19~" },
    { CONSOLE_KEY_F1 + 8, "\033[20~" }, { CONSOLE_KEY_F1 + 9, "\033[21~" },
    { CONSOLE_KEY_F1 + 10, "\033[23~" }, { CONSOLE_KEY_F1 + 11, "\033[24~" },
};

size_t terminal_key(const Terminal *t, uint32_t code, char bytes[TERMINAL_KEY_MAX])
{
    if (code == '\n') {
        code = '\r';
    }
    if (g_unichar_validate(code)) {
        return g_unichar_to_utf8(code, bytes);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        if (keys[i].code == code) {
            return snprintf(bytes, TERMINAL_KEY_MAX, "%s%s", !keys[i].cursor ? ""
                            : t->screen.cursor_keys ? "\033O" : "\033[", keys[i].bytes);
        }
    }
    return 0;
}

/* ---- what is seen ---- */

void terminal_look_back(Terminal *t, int rows)
{
    int64_t back = (int64_t)t->screen.back + rows;

    t->screen.back = CLAMP(back, 0, (int64_t)t->screen.now->kept);
}

void terminal_view(const Terminal *t, uint32_t *cells)
{
    size_t columns = t->screen.columns;

    for (unsigned row = 0; row < t->screen.rows; row++) {
        memcpy(cells + row * columns, screen_row(&t->screen, row), columns * sizeof(*cells));
    }
}

bool terminal_cursor(const Terminal *t, unsigned *column, unsigned *row)
{
    *column = t->screen.cursor.column;
    *row = t->screen.cursor.row + t->screen.back;
    return t->screen.cursor_shown && *row < t->screen.rows;
}

/* ---- life ---- */

Terminal *terminal_new(unsigned columns, unsigned rows, TerminalAnswerFn answer, void *opaque)
{
    Terminal *t = g_new0(Terminal, 1);

    screen_init(&t->screen, columns, rows);
    t->answer = answer;
    t->opaque = opaque;
    return t;
}

void terminal_free(Terminal *t)
{
    if (t != NULL) {
        screen_finish(&t->screen);
        g_free(t);
    }
}
