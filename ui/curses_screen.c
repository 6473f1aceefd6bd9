/* Sheets as bytes for a terminal: only cells that differ, colours only where they change. */
#include "curses_screen.h"

#include <iconv.h>
#include <string.h>

#include <curses.h>
#include <term.h>
#undef columns                          /* capabilities are asked for by name here */

#include "keysyms.h"
#include "rhea_error.h"

#define COLOR_UNKNOWN   UINT32_MAX
#define GAP_REWRITE     4       /* so many cells that are as they were cost less than to move */

enum { KEYS_MAX = 32 };

struct CursesScreen {
    char *term;
    CursesColors colors;
    bool utf8;
    iconv_t converter;                  /* from UTF-32 to what the terminal reads; -1: utf8 */
    char *enter, *leave;
    char *fg[256], *bg[256];            /* of colours by number, as far as there are */
    CursesSequence keys[KEYS_MAX];
    bool erase_is_8;
    char line_drawing[128];             /* VT100's letter → the terminal's own; 0: none */
    bool drawing_works;
    bool scrolls_at_corner;             /* once the last column of the last row is written */
    /* what the terminal shows */
    CursesSheet shown;
    bool valid;
    /* and how it would write the next character */
    unsigned column, row;
    uint32_t fg_now, bg_now;
    bool blink_now, bold_now, drawing_now, cursor_now;
};

/* A string of the description, NULL: it has none. */
static const char *capability(const char *name)
{
    const char *text = tigetstr((char *)name);

    return text == (char *)-1 ? NULL : text;
}

/* Appends without the delays "$<5>" that only printing terminals needed. */
static void put(GByteArray *out, const char *text)
{
    while (text != NULL && *text != '\0') {
        const char *delay = strstr(text, "$<"), *end = delay != NULL ? strchr(delay, '>') : NULL;
        size_t len = end != NULL ? (size_t)(delay - text) : strlen(text);

        g_byte_array_append(out, (const uint8_t *)text, len);
        text = end != NULL ? end + 1 : NULL;
    }
}

static void put_capability(GByteArray *out, const char *name)
{
    put(out, capability(name));
}

static char *as_string(GByteArray *bytes)
{
    g_byte_array_append(bytes, (const uint8_t *)"", 1);
    return (char *)g_byte_array_free(bytes, FALSE);
}

/* ---- what the terminal can do ---- */

static bool has_true_color(void)
{
    return tigetflag((char *)"RGB") > 0 || tigetnum((char *)"RGB") > 0 ||
           capability("RGB") != NULL || tigetflag((char *)"Tc") > 0;
}

static char *color_string(const char *name, int n)
{
    const char *format = capability(name);
    GByteArray *out = g_byte_array_new();

    put(out, format != NULL ? tiparm(format, n) : NULL);
    return as_string(out);
}

static void learn_colors(CursesScreen *screen, bool true_color)
{
    int colors = tigetnum((char *)"colors");

    if (true_color || has_true_color()) {           /* such terminals take ECMA-48's for the 16 */
        screen->colors = CURSES_TRUE;
        for (int i = 0; i < 16; i++) {
            screen->fg[i] = g_strdup_printf("\033[%dm", i < 8 ? 30 + i : 82 + i);
            screen->bg[i] = g_strdup_printf("\033[%dm", i < 8 ? 40 + i : 92 + i);
        }
        return;
    }
    screen->colors = colors >= 256 ? CURSES_256 : colors >= 16 ? CURSES_16 : CURSES_8;
    for (int i = 0; i < MIN(colors, 256); i++) {
        screen->fg[i] = color_string("setaf", i);
        screen->bg[i] = color_string("setab", i);
    }
}

static const struct { const char *name; uint32_t keysym; } key_names[] = {
    { "kcuu1", KEYSYM_UP }, { "kcud1", KEYSYM_DOWN }, { "kcub1", KEYSYM_LEFT },
    { "kcuf1", KEYSYM_RIGHT }, { "khome", KEYSYM_HOME }, { "kend", KEYSYM_END },
    { "kich1", KEYSYM_INSERT }, { "kdch1", KEYSYM_DELETE }, { "kpp", KEYSYM_PAGE_UP },
    { "knp", KEYSYM_PAGE_DOWN }, { "kf1", KEYSYM_F(1) }, { "kf2", KEYSYM_F(2) },
    { "kf3", KEYSYM_F(3) }, { "kf4", KEYSYM_F(4) }, { "kf5", KEYSYM_F(5) },
    { "kf6", KEYSYM_F(6) }, { "kf7", KEYSYM_F(7) }, { "kf8", KEYSYM_F(8) },
    { "kf9", KEYSYM_F(9) }, { "kf10", KEYSYM_F(10) }, { "kf11", KEYSYM_F(11) },
    { "kf12", KEYSYM_F(12) },
};
G_STATIC_ASSERT(G_N_ELEMENTS(key_names) < KEYS_MAX);

static void learn_keys(CursesScreen *screen)
{
    size_t n = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(key_names); i++) {
        const char *bytes = capability(key_names[i].name);

        if (bytes != NULL && bytes[0] == '\033' && strlen(bytes) > 1 && strlen(bytes) < 16) {
            screen->keys[n++] = (CursesSequence){ g_strdup(bytes), key_names[i].keysym };
        }
    }
    screen->erase_is_8 = g_strcmp0(capability("kbs"), "\b") == 0;
}

/* terminfo(5), "Line Graphics": pairs of VT100's letter and the terminal's. */
static void learn_line_drawing(CursesScreen *screen)
{
    const char *pairs = capability("acsc");

    for (; pairs != NULL && pairs[0] != '\0' && pairs[1] != '\0'; pairs += 2) {
        screen->line_drawing[pairs[0] & 0x7f] = pairs[1];
    }
    screen->drawing_works = capability("smacs") != NULL && capability("rmacs") != NULL;
}

/* xterm's ctlseqs: every motion (1003), cells as decimal numbers (1006). */
#define MOUSE_ON    "\033[?1003h\033[?1006h"
#define MOUSE_OFF   "\033[?1006l\033[?1003l"

static void learn_ways(CursesScreen *screen)
{
    GByteArray *enter = g_byte_array_new(), *leave = g_byte_array_new();
    bool mouse = capability("kmous") != NULL;

    put_capability(enter, "smcup");
    put_capability(enter, "smkx");
    put_capability(enter, "enacs");
    put(enter, mouse ? MOUSE_ON : NULL);
    put(leave, mouse ? MOUSE_OFF : NULL);
    put_capability(leave, "rmacs");
    put_capability(leave, "sgr0");
    put_capability(leave, "op");
    put_capability(leave, "clear");
    put_capability(leave, "cnorm");
    put_capability(leave, "rmkx");
    put_capability(leave, "rmcup");
    screen->enter = as_string(enter);
    screen->leave = as_string(leave);
}

static bool load_description(const char *term, GError **error)
{
    int result;

    if (setupterm((char *)term, 1, &result) != OK) {
        set_error(error, result == 0 ? "the terminal type '%s' (TERM) is not known or too simple"
                                     : "cannot find a description of the terminal '%s' (TERM)",
                  term);
        return false;
    }
    if (capability("cup") == NULL || capability("clear") == NULL) {
        set_error(error, "the terminal '%s' (TERM) cannot move its cursor", term);
        del_curterm(cur_term);
        return false;
    }
    return true;
}

CursesScreen *curses_screen_new(const char *term, const char *charset, bool true_color,
                                GError **error)
{
    CursesScreen *screen;

    if (!load_description(term, error)) {
        return NULL;
    }
    screen = g_new0(CursesScreen, 1);
    screen->term = g_strdup(term);
    screen->utf8 = g_ascii_strcasecmp(charset, "UTF-8") == 0;
    screen->converter = screen->utf8 ? (iconv_t)-1 : iconv_open(charset, "UTF-32LE");
    screen->scrolls_at_corner = tigetflag((char *)"am") > 0 && tigetflag((char *)"xenl") <= 0;
    learn_colors(screen, true_color);
    learn_keys(screen);
    learn_line_drawing(screen);
    learn_ways(screen);
    return screen;
}

void curses_screen_free(CursesScreen *screen)
{
    if (screen == NULL) {
        return;
    }
    del_curterm(cur_term);
    if (screen->converter != (iconv_t)-1) {
        iconv_close(screen->converter);
    }
    for (size_t i = 0; i < 256; i++) {
        g_free(screen->fg[i]);
        g_free(screen->bg[i]);
    }
    for (size_t i = 0; i < KEYS_MAX; i++) {
        g_free((char *)screen->keys[i].bytes);
    }
    curses_sheet_finish(&screen->shown);
    g_free(screen->term);
    g_free(screen->enter);
    g_free(screen->leave);
    g_free(screen);
}

const char *curses_screen_enter(const CursesScreen *screen)
{
    return screen->enter;
}

const char *curses_screen_leave(const CursesScreen *screen)
{
    return screen->leave;
}

const CursesSequence *curses_screen_keys(const CursesScreen *screen)
{
    return screen->keys;
}

bool curses_screen_erase_is_8(const CursesScreen *screen)
{
    return screen->erase_is_8;
}

bool curses_screen_is_utf8(const CursesScreen *screen)
{
    return screen->utf8;
}

CursesColors curses_screen_colors(const CursesScreen *screen)
{
    return screen->colors;
}

void curses_screen_forget(CursesScreen *screen)
{
    screen->valid = false;
}

/* ---- characters ---- */

/* What VT100's line drawing and ASCII have for lines, blocks and arrows. */
static const struct { uint16_t code; char letter, plain; } drawings[] = {
    { 0x2500, 'q', '-' }, { 0x2502, 'x', '|' }, { 0x250c, 'l', '+' }, { 0x2510, 'k', '+' },
    { 0x2514, 'm', '+' }, { 0x2518, 'j', '+' }, { 0x251c, 't', '+' }, { 0x2524, 'u', '+' },
    { 0x252c, 'w', '+' }, { 0x2534, 'v', '+' }, { 0x253c, 'n', '+' }, { 0x2592, 'a', '#' },
    { 0x2591, 'a', ':' }, { 0x2593, 'a', '#' }, { 0x2588, '0', '#' }, { 0x2022, '~', 'o' },
    { 0x25c6, '`', '+' }, { 0x2191, '-', '^' }, { 0x2193, '.', 'v' }, { 0x2190, ',', '<' },
    { 0x2192, '+', '>' }, { 0x25b2, 0, '^' }, { 0x25bc, 0, 'v' }, { 0x25ba, 0, '>' },
    { 0x25c4, 0, '<' }, { 0x2580, 0, '"' }, { 0x2584, 0, '_' }, { 0x258c, 0, '|' },
    { 0x2590, 0, '|' },
};
/* Double lines, from U+2550 on, as single ones. */
static const char double_lines[] = "qxlllkkkmmmjjjtttuuuwwwvvvnnn";

/* False: there is nothing like it. */
static bool find_drawing(uint32_t code, char *letter, char *plain)
{
    if (code >= 0x2550 && code < 0x2550 + sizeof(double_lines) - 1) {
        *letter = double_lines[code - 0x2550];
        *plain = *letter == 'q' ? '=' : *letter == 'x' ? '|' : '+';
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(drawings); i++) {
        if (drawings[i].code == code) {
            *letter = drawings[i].letter;
            *plain = drawings[i].plain;
            return true;
        }
    }
    return false;
}

static void set_drawing(CursesScreen *screen, bool on, GByteArray *out)
{
    if (screen->drawing_now != on) {
        put_capability(out, on ? "smacs" : "rmacs");
        screen->drawing_now = on;
    }
}

/* In a character set that is not Unicode: as it is, as line drawing, or the nearest of ASCII. */
static void put_elsewhere(CursesScreen *screen, uint32_t code, GByteArray *out)
{
    uint8_t bytes[8], byte = '?';
    char *from = (char *)&code, *to = (char *)bytes, letter = 0, plain = '?';
    size_t in = 4, room = sizeof(bytes);

    if (screen->converter != (iconv_t)-1 &&
        iconv(screen->converter, &from, &in, &to, &room) != (size_t)-1) {
        set_drawing(screen, false, out);
        g_byte_array_append(out, bytes, sizeof(bytes) - room);
        return;
    }
    if (find_drawing(code, &letter, &plain)) {
        letter = screen->drawing_works ? screen->line_drawing[(uint8_t)letter] : 0;
        byte = letter != 0 ? letter : plain;
    }
    set_drawing(screen, letter != 0, out);
    g_byte_array_append(out, &byte, 1);
}

static void put_character(CursesScreen *screen, uint32_t code, GByteArray *out)
{
    char bytes[6];
    uint8_t byte = code;

    if (code < 0x80) {
        set_drawing(screen, false, out);
        g_byte_array_append(out, &byte, 1);
    } else if (screen->utf8) {
        g_byte_array_append(out, (uint8_t *)bytes, g_unichar_to_utf8(code, bytes));
    } else {
        put_elsewhere(screen, code, out);
    }
}

/* ---- colours ---- */

/* As a number the terminal has, unless it has true colour and this is one. */
static uint32_t reduce(const CursesScreen *screen, uint32_t color)
{
    if (!(color & CURSES_INDEXED)) {
        switch (screen->colors) {
        case CURSES_TRUE:
            return color;
        case CURSES_256:
            return CURSES_COLOR(curses_color_256(color));
        default:
            color = CURSES_COLOR(curses_color_16(color));
        }
    }
    return color;
}

static void put_color(CursesScreen *screen, uint32_t color, bool background, GByteArray *out)
{
    char text[32];

    if (color & CURSES_INDEXED) {
        unsigned n = color & 0xff;

        n = screen->colors == CURSES_8 ? n & 7 : n;
        put(out, background ? screen->bg[n] : screen->fg[n]);
    } else {
        g_snprintf(text, sizeof(text), "\033[%d;2;%u;%u;%um", background ? 48 : 38, color >> 16,
                   color >> 8 & 0xff, color & 0xff);
        put(out, text);
    }
}

/* Attributes go off all at once only; with eight colours, bold is the bright one. */
static void set_look(CursesScreen *screen, const CursesCell *cell, GByteArray *out)
{
    uint32_t fg = reduce(screen, cell->fg), bg = reduce(screen, cell->bg);
    bool bold = screen->colors == CURSES_8 && fg & 8;

    if ((screen->blink_now && !cell->blink) || (screen->bold_now && !bold)) {
        put_capability(out, "sgr0");
        screen->blink_now = screen->bold_now = screen->drawing_now = false;
        screen->fg_now = screen->bg_now = COLOR_UNKNOWN;
    }
    if (cell->blink && !screen->blink_now) {
        put_capability(out, "blink");
        screen->blink_now = true;
    }
    if (bold && !screen->bold_now) {
        put_capability(out, "bold");
        screen->bold_now = true;
    }
    if (fg != screen->fg_now && cell->code != ' ') {
        put_color(screen, fg, false, out);
        screen->fg_now = fg;
    }
    if (bg != screen->bg_now) {
        put_color(screen, bg, true, out);
        screen->bg_now = bg;
    }
}

/* ---- drawing ---- */

static void move_to(CursesScreen *screen, unsigned column, unsigned row, GByteArray *out)
{
    if (screen->column != column || screen->row != row) {
        put(out, tiparm(capability("cup"), (int)row, (int)column));
        screen->column = column;
        screen->row = row;
    }
}

static void put_cell(CursesScreen *screen, const CursesCell *cell, GByteArray *out)
{
    set_look(screen, cell, out);
    put_character(screen, cell->code, out);
    screen->column++;
    if (screen->column == screen->shown.columns) {      /* where it stands now differs */
        screen->column = screen->row = UINT_MAX;
    }
}

static bool same_cell(const CursesCell *a, const CursesCell *b)
{
    return a->code == b->code && a->bg == b->bg && a->blink == b->blink &&
           (a->fg == b->fg || a->code == ' ');
}

static void draw_row(CursesScreen *screen, const CursesSheet *sheet, unsigned row, GByteArray *out)
{
    const CursesCell *want = sheet->cells + (size_t)row * sheet->columns;
    CursesCell *have = screen->shown.cells + (size_t)row * sheet->columns;
    bool corner = row + 1 == sheet->rows && screen->scrolls_at_corner;

    for (unsigned column = 0; column < sheet->columns - corner; column++) {
        if (screen->valid && same_cell(&want[column], &have[column])) {
            continue;
        }
        if (screen->row == row && column > screen->column &&
            column - screen->column <= GAP_REWRITE) {
            while (screen->column < column) {
                put_cell(screen, &want[screen->column], out);
            }
        }
        move_to(screen, column, row, out);
        put_cell(screen, &want[column], out);
        have[column] = want[column];
    }
}

static void start_over(CursesScreen *screen, const CursesSheet *sheet, GByteArray *out)
{
    curses_sheet_resize(&screen->shown, sheet->columns, sheet->rows);
    put_capability(out, "rmacs");
    put_capability(out, "sgr0");
    put_capability(out, "civis");
    put_color(screen, CURSES_COLOR(0), true, out);
    put_capability(out, "clear");
    screen->fg_now = screen->bg_now = COLOR_UNKNOWN;
    screen->blink_now = screen->bold_now = screen->drawing_now = screen->cursor_now = false;
    screen->column = screen->row = UINT_MAX;
}

static void show_cursor(CursesScreen *screen, const CursesSheet *sheet, GByteArray *out)
{
    bool shown = sheet->cursor_column >= 0 && sheet->cursor_row >= 0;

    if (shown) {
        move_to(screen, sheet->cursor_column, sheet->cursor_row, out);
    }
    if (shown != screen->cursor_now) {
        put_capability(out, shown ? "cnorm" : "civis");
        screen->cursor_now = shown;
    }
}

void curses_screen_draw(CursesScreen *screen, const CursesSheet *sheet, GByteArray *out)
{
    if (screen->shown.columns != sheet->columns || screen->shown.rows != sheet->rows) {
        screen->valid = false;
    }
    if (!screen->valid) {
        start_over(screen, sheet, out);
    }
    for (unsigned row = 0; row < sheet->rows; row++) {
        draw_row(screen, sheet, row, out);
    }
    screen->valid = true;
    show_cursor(screen, sheet, out);
}
