/* The plain line editor: emacs keys, arrows, history, completion. */
#include <string.h>

#include "editor.h"

typedef enum EscapeState { ESC_NONE, ESC_START, ESC_CSI, ESC_SS3 } EscapeState;

typedef struct LineEditor {
    EditorHost host;
    GString *line;
    size_t cursor;
    /* what the other end shows */
    GString *shown;
    size_t shown_cursor;
    /* keys of more than one byte */
    EscapeState escape;
    unsigned escape_number;
    bool skip_newline;                      /* after CR: an LF right behind it is its twin */
    int history_at;                         /* -1: not walking through it */
} LineEditor;

/* ---- drawing ---- */

static void put(LineEditor *ed, const char *text)
{
    ed->host.write(ed->host.opaque, text, strlen(text));
}

static void move_shown(LineEditor *ed, size_t to)
{
    for (; ed->shown_cursor > to; ed->shown_cursor--) {
        put(ed, "\033[D");
    }
    for (; ed->shown_cursor < to; ed->shown_cursor++) {
        put(ed, "\033[C");
    }
}

/* The way QEMU's monitor does it, which scripts are used to: back, whole line, erase the rest. */
static void redraw(LineEditor *ed)
{
    if (!g_string_equal(ed->line, ed->shown)) {
        move_shown(ed, 0);
        put(ed, ed->line->str);
        put(ed, "\033[K");
        g_string_assign(ed->shown, ed->line->str);
        ed->shown_cursor = ed->line->len;
    }
    move_shown(ed, ed->cursor);
}

static void show_prompt(LineEditor *ed)
{
    put(ed, MONITOR_PROMPT);
    g_string_truncate(ed->shown, 0);
    ed->shown_cursor = 0;
}

static void set_line(LineEditor *ed, const char *text)
{
    g_string_assign(ed->line, text);
    ed->cursor = ed->line->len;
}

/* ---- editing ---- */

static void insert(LineEditor *ed, const char *text, size_t len)
{
    len = MIN(len, MONITOR_LINE_MAX - ed->line->len);
    g_string_insert_len(ed->line, ed->cursor, text, len);
    ed->cursor += len;
}

static void delete_back(LineEditor *ed)
{
    if (ed->cursor > 0) {
        g_string_erase(ed->line, --ed->cursor, 1);
    }
}

static void delete_here(LineEditor *ed)
{
    if (ed->cursor < ed->line->len) {
        g_string_erase(ed->line, ed->cursor, 1);
    }
}

static void delete_word(LineEditor *ed)
{
    size_t start = ed->cursor;

    while (start > 0 && g_ascii_isspace(ed->line->str[start - 1])) {
        start--;
    }
    while (start > 0 && !g_ascii_isspace(ed->line->str[start - 1])) {
        start--;
    }
    g_string_erase(ed->line, start, ed->cursor - start);
    ed->cursor = start;
}

static void delete_to_end(LineEditor *ed)
{
    g_string_truncate(ed->line, ed->cursor);
}

static void delete_to_start(LineEditor *ed)
{
    g_string_erase(ed->line, 0, ed->cursor);
    ed->cursor = 0;
}

static void go_left(LineEditor *ed)
{
    ed->cursor -= ed->cursor > 0;
}

static void go_right(LineEditor *ed)
{
    ed->cursor += ed->cursor < ed->line->len;
}

static void go_start(LineEditor *ed)
{
    ed->cursor = 0;
}

static void go_end(LineEditor *ed)
{
    ed->cursor = ed->line->len;
}

static void history_show(LineEditor *ed, int at)
{
    const GPtrArray *history = ed->host.history;

    if (at < 0) {
        return;
    }
    if ((guint)at >= history->len) {
        ed->history_at = -1;
        set_line(ed, "");
        return;
    }
    ed->history_at = at;
    set_line(ed, g_ptr_array_index(history, at));
}

static void go_up(LineEditor *ed)
{
    history_show(ed, (ed->history_at < 0 ? (int)ed->host.history->len : ed->history_at) - 1);
}

static void go_down(LineEditor *ed)
{
    if (ed->history_at >= 0) {
        history_show(ed, ed->history_at + 1);
    }
}

/* ---- completion ---- */

static void list_candidates(LineEditor *ed, const GPtrArray *words)
{
    size_t width = 10, columns;

    for (guint i = 0; i < words->len; i++) {
        width = MAX(width, strlen(g_ptr_array_index(words, i)) + 2);
    }
    columns = MAX(80 / width, 1);
    put(ed, "\r\n");
    for (guint i = 0; i < words->len; i++) {
        g_autofree char *cell = NULL;

        cell = g_strdup_printf("%-*s", (int)width, (const char *)g_ptr_array_index(words, i));
        put(ed, cell);
        if (i % columns == columns - 1 || i == words->len - 1) {
            put(ed, "\r\n");
        }
    }
    show_prompt(ed);
}

static void complete(LineEditor *ed)
{
    g_autofree char *typed = g_strndup(ed->line->str, ed->cursor), *common = NULL;
    Completion result;
    size_t have;

    ed->host.complete(ed->host.opaque, typed, &result);
    common = completion_common(&result);
    have = strlen(typed) - result.start;
    if (strlen(common) > have) {
        insert(ed, common + have, strlen(common) - have);
    }
    if (result.words->len == 1 && !result.no_space) {
        insert(ed, " ", 1);
    } else if (result.words->len > 1 && strlen(common) <= have) {
        list_candidates(ed, result.words);
    }
    completion_finish(&result);
}

/* ---- keys ---- */

static void enter(LineEditor *ed)
{
    g_autofree char *line = g_strdup(ed->line->str);

    put(ed, "\r\n");
    set_line(ed, "");
    g_string_truncate(ed->shown, 0);
    ed->shown_cursor = 0;
    ed->history_at = -1;
    ed->host.line(ed->host.opaque, line);
}

static const struct { uint8_t byte; void (*press)(LineEditor *ed); } control_keys[] = {
    { 0x01, go_start }, { 0x02, go_left }, { 0x04, delete_here }, { 0x05, go_end },
    { 0x06, go_right }, { 0x08, delete_back }, { 0x09, complete }, { 0x0b, delete_to_end },
    { 0x0e, go_down }, { 0x10, go_up }, { 0x15, delete_to_start }, { 0x17, delete_word },
    { 0x7f, delete_back },
};

/* ECMA-48 and xterm: CSI final byte, or CSI number ~. */
static const struct {
    uint8_t final;
    unsigned number;
    void (*press)(LineEditor *ed);
} csi_keys[] = {
    { 'A', 0, go_up }, { 'B', 0, go_down }, { 'C', 0, go_right }, { 'D', 0, go_left },
    { 'H', 0, go_start }, { 'F', 0, go_end },
    { '~', 1, go_start }, { '~', 3, delete_here }, { '~', 4, go_end }, { '~', 7, go_start },
    { '~', 8, go_end },
};

static void escape_byte(LineEditor *ed, uint8_t byte)
{
    if (ed->escape == ESC_START) {
        ed->escape = byte == '[' ? ESC_CSI : byte == 'O' ? ESC_SS3 : ESC_NONE;
        ed->escape_number = 0;
        return;
    }
    if (ed->escape == ESC_CSI && byte >= 0x20 && byte < 0x40) {
        if (g_ascii_isdigit(byte)) {
            ed->escape_number = MIN(ed->escape_number * 10 + byte - '0', 999);
        }
        return;
    }
    ed->escape = ESC_NONE;
    for (size_t i = 0; i < G_N_ELEMENTS(csi_keys); i++) {
        if (csi_keys[i].final == byte &&
            (byte != '~' || csi_keys[i].number == ed->escape_number)) {
            csi_keys[i].press(ed);
            return;
        }
    }
}

static void plain_byte(LineEditor *ed, uint8_t byte)
{
    for (size_t i = 0; i < G_N_ELEMENTS(control_keys); i++) {
        if (control_keys[i].byte == byte) {
            control_keys[i].press(ed);
            return;
        }
    }
    if (byte == 0x1b) {
        ed->escape = ESC_START;
    } else if (byte >= 0x20) {
        insert(ed, (const char *)&byte, 1);
    }
}

static void line_editor_byte(void *editor, uint8_t byte)
{
    LineEditor *ed = editor;
    bool twin = ed->skip_newline && byte == '\n';

    ed->skip_newline = false;
    if (ed->escape != ESC_NONE) {
        escape_byte(ed, byte);
        redraw(ed);
    } else if (byte == '\r' || (byte == '\n' && !twin)) {
        ed->skip_newline = byte == '\r';
        enter(ed);
    } else if (!twin) {
        plain_byte(ed, byte);
        redraw(ed);
    }
}

/* ---- the rest of the interface ---- */

static void *line_editor_create(const EditorHost *host)
{
    LineEditor *ed = g_new0(LineEditor, 1);

    ed->host = *host;
    ed->line = g_string_new(NULL);
    ed->shown = g_string_new(NULL);
    ed->history_at = -1;
    return ed;
}

static void line_editor_prompt(void *editor)
{
    LineEditor *ed = editor;

    set_line(ed, "");
    ed->history_at = -1;
    show_prompt(ed);
}

static void line_editor_leave(void *editor)
{
    LineEditor *ed = editor;

    set_line(ed, "");
    ed->escape = ESC_NONE;
    put(ed, "\r\n");
}

static void line_editor_hide(void *editor)
{
    put(editor, "\r\033[K");
}

static void line_editor_show(void *editor)
{
    show_prompt(editor);
    redraw(editor);
}

const EditorOps line_editor = {
    .create = line_editor_create, .prompt = line_editor_prompt, .byte = line_editor_byte,
    .leave = line_editor_leave, .hide = line_editor_hide, .show = line_editor_show,
};
