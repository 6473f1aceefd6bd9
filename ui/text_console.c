/*
 * The terminal belongs to whoever holds write_lock: front ends write into it on any thread.  The
 * main thread copies what it shows from time to time, and draws from the copy.
 */
#include "text_console.h"

#include <string.h>

#include "backend.h"
#include "font.h"
#include "terminal.h"
#include "vm.h"

#define DEFAULT_COLUMNS     80
#define DEFAULT_ROWS        24
#define INPUT_MAX           4096        /* typed and not taken yet; more is dropped */
#define PAGE_STEP_OVERLAP   2           /* rows a page has in common with the last one */

/* In cells as drawn, beside ConsoleText's bits. */
#define CELL_CURSOR         (1u << 23)
#define CELL_NEVER          UINT32_MAX

typedef struct TextConsole {
    Chardev chr;
    unsigned columns, rows;
    /* write_lock */
    Terminal *terminal;
    GByteArray *input;
    bool changed;                       /* since the last copy */
    GSource *waker;                     /* will tell the console that there is something to see */
    bool woken;                         /* it has, and the console has not looked yet */
    /* main thread */
    Console *console;
    uint32_t *cells, *drawn;
    int cursor_column, cursor_row;
} TextConsole;

/* ---- what is there to see ---- */

/* False: nothing new since the last call. */
static bool copy_terminal(TextConsole *vc)
{
    unsigned column, row;
    bool changed;

    g_mutex_lock(&vc->chr.write_lock);
    changed = vc->changed;
    if (changed) {
        terminal_view(vc->terminal, vc->cells);
        vc->cursor_column = vc->cursor_row = -1;
        if (terminal_cursor(vc->terminal, &column, &row)) {
            vc->cursor_column = column;
            vc->cursor_row = row;
        }
    }
    vc->changed = vc->woken = false;
    g_mutex_unlock(&vc->chr.write_lock);
    return changed;
}

static bool vc_text(void *opaque, ConsoleText *text)
{
    TextConsole *vc = opaque;

    copy_terminal(vc);
    *text = (ConsoleText){ .columns = vc->columns, .rows = vc->rows, .stride = vc->columns,
                           .unicode = true, .cells = vc->cells,
                           .cursor_column = vc->cursor_column, .cursor_row = vc->cursor_row };
    return true;
}

/* A VGA's colors as its BIOS sets them. */
static const uint32_t colors[16] = {
    0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
    0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff,
};

static void draw_cell(TextConsole *vc, unsigned column, unsigned row, uint32_t cell)
{
    Surface *surface = console_surface(vc->console);
    uint32_t *to = surface->pixels + (size_t)row * FONT_HEIGHT * surface->width +
                   column * FONT_WIDTH;

    font_draw(to, surface->width, cell & 0x1fffff, colors[cell >> 24 & 0xf], colors[cell >> 28],
              cell & CELL_CURSOR);
}

static uint32_t cell_to_draw(const TextConsole *vc, unsigned column, unsigned row)
{
    bool here = (int)column == vc->cursor_column && (int)row == vc->cursor_row;

    return vc->cells[row * vc->columns + column] | (here ? CELL_CURSOR : 0);
}

/* Draws a row's cells that differ from what was drawn, and tells of the stretch they are in. */
static void draw_row(TextConsole *vc, unsigned row)
{
    uint32_t *drawn = vc->drawn + row * vc->columns;
    unsigned first = vc->columns, end = 0;

    for (unsigned column = 0; column < vc->columns; column++) {
        uint32_t cell = cell_to_draw(vc, column, row);

        if (drawn[column] != cell) {
            drawn[column] = cell;
            draw_cell(vc, column, row, cell);
            first = MIN(first, column);
            end = column + 1;
        }
    }
    if (first < end) {
        console_changed(vc->console, first * FONT_WIDTH, row * FONT_HEIGHT,
                        (end - first) * FONT_WIDTH, FONT_HEIGHT);
    }
}

static void vc_update(void *opaque)
{
    TextConsole *vc = opaque;

    if (copy_terminal(vc) || vc->drawn[0] == CELL_NEVER) {
        for (unsigned row = 0; row < vc->rows; row++) {
            draw_row(vc, row);
        }
    }
}

static void vc_invalidate(void *opaque)
{
    TextConsole *vc = opaque;

    memset(vc->drawn, 0xff, sizeof(*vc->drawn) * vc->columns * vc->rows);
}

/* ---- output: any thread, write_lock held ---- */

static gboolean wake_console(gpointer opaque)
{
    TextConsole *vc = opaque;

    g_mutex_lock(&vc->chr.write_lock);
    g_clear_pointer(&vc->waker, g_source_unref);
    g_mutex_unlock(&vc->chr.write_lock);
    console_hurry(vc->console);
    return G_SOURCE_REMOVE;
}

static size_t vc_write(Chardev *chr, const uint8_t *buf, size_t len)
{
    TextConsole *vc = (TextConsole *)chr;

    terminal_write(vc->terminal, buf, len);
    vc->changed = true;
    if (!vc->woken) {
        vc->woken = true;
        vc->waker = g_idle_source_new();
        g_source_set_priority(vc->waker, G_PRIORITY_DEFAULT);
        g_source_set_callback(vc->waker, wake_console, vc, NULL);
        g_source_attach(vc->waker, vm_instance()->context);
    }
    return len;
}

/* ---- input ---- */

/* write_lock held: all of it or nothing. */
static void queue_input(TextConsole *vc, const char *bytes, size_t len)
{
    if (vc->chr.fe != NULL && vc->input->len + len <= INPUT_MAX) {
        g_byte_array_append(vc->input, (const guint8 *)bytes, len);
        g_main_context_wakeup(vc->chr.in_context);
    }
}

static void vc_answer(void *opaque, const char *text, size_t len)
{
    queue_input(opaque, text, len);
}

static int rows_to_scroll(const TextConsole *vc, uint32_t code)
{
    int page = vc->rows > PAGE_STEP_OVERLAP ? vc->rows - PAGE_STEP_OVERLAP : 1;

    switch (code) {
    case CONSOLE_KEY_SCROLL_UP:
        return 1;
    case CONSOLE_KEY_SCROLL_DOWN:
        return -1;
    case CONSOLE_KEY_SCROLL_PAGE_UP:
        return page;
    case CONSOLE_KEY_SCROLL_PAGE_DOWN:
        return -page;
    }
    return 0;
}

/* Who types wants to see it: the view goes back to where it is written. */
static void vc_typed(void *opaque, uint32_t code)
{
    TextConsole *vc = opaque;
    int rows = rows_to_scroll(vc, code);
    char bytes[TERMINAL_KEY_MAX];

    g_mutex_lock(&vc->chr.write_lock);
    terminal_look_back(vc->terminal, rows != 0 ? rows : -TERMINAL_KEPT_ROWS);
    vc->changed = true;
    queue_input(vc, bytes, terminal_key(vc->terminal, code, bytes));
    g_mutex_unlock(&vc->chr.write_lock);
    console_hurry(vc->console);
}

static bool vc_pending(Chardev *chr)
{
    TextConsole *vc = (TextConsole *)chr;
    bool any;

    g_mutex_lock(&chr->write_lock);
    any = vc->input->len > 0;
    g_mutex_unlock(&chr->write_lock);
    return any && chardev_can_deliver(chr) > 0;
}

static void vc_input(Chardev *chr)
{
    TextConsole *vc = (TextConsole *)chr;
    uint8_t bytes[INPUT_MAX];
    size_t len = chardev_can_deliver(chr);

    g_mutex_lock(&chr->write_lock);
    len = MIN(len, vc->input->len);
    memcpy(bytes, vc->input->data, len);
    g_byte_array_remove_range(vc->input, 0, len);
    g_mutex_unlock(&chr->write_lock);
    if (len > 0) {
        chardev_deliver(chr, bytes, len);
    }
}

/* ---- life ---- */

static const ConsoleOps vc_ops = {
    .update = vc_update, .invalidate = vc_invalidate, .text = vc_text, .typed = vc_typed,
};

/* In cells ("cols") or in pixels ("width"); cells win. */
static bool read_size(const CharOpts *opts, const char *cells, const char *pixels, unsigned dots,
                      unsigned def, unsigned max, unsigned *n, unsigned *n_pixels, GError **error)
{
    uint64_t size = char_opts_number(opts, pixels, 0), count = char_opts_number(opts, cells, 0);
    const char *given = count != 0 ? cells : pixels;
    uint64_t unit = count != 0 ? 1 : dots;

    if (count == 0) {
        count = size != 0 ? size / dots : def;
    }
    if (count == 0 || count > max) {
        set_error(error, "Parameter '%s' expects a number from %" G_GUINT64_FORMAT " to %"
                  G_GUINT64_FORMAT, given, unit, max * unit);
        return false;
    }
    *n = count;
    *n_pixels = given == pixels && size != 0 ? MIN(size, (uint64_t)max * dots) : count * dots;
    return true;
}

static bool vc_open(Chardev *chr, const CharOpts *opts, GError **error)
{
    TextConsole *vc = (TextConsole *)chr;
    unsigned width, height;

    if (!read_size(opts, "cols", "width", FONT_WIDTH, DEFAULT_COLUMNS, TERMINAL_COLUMNS_MAX,
                   &vc->columns, &width, error) ||
        !read_size(opts, "rows", "height", FONT_HEIGHT, DEFAULT_ROWS, TERMINAL_ROWS_MAX,
                   &vc->rows, &height, error)) {
        return false;
    }
    vc->terminal = terminal_new(vc->columns, vc->rows, vc_answer, vc);
    vc->input = g_byte_array_new();
    vc->cells = g_new(uint32_t, vc->columns * vc->rows);
    vc->drawn = g_new(uint32_t, vc->columns * vc->rows);
    vc->changed = true;
    vc_invalidate(vc);
    vc->console = console_new_text(vm_instance(), chr->label, &vc_ops, vc);
    console_resize(vc->console, width, height);
    chr->open = true;
    chardev_watch_input(chr, CHAR_PENDING_ONLY);
    return true;
}

static void vc_renamed(Chardev *chr)
{
    console_set_label(((TextConsole *)chr)->console, chr->label);
}

static void vc_close(Chardev *chr)
{
    TextConsole *vc = (TextConsole *)chr;

    chardev_watch_input(chr, -1);
    if (vc->waker != NULL) {
        g_source_destroy(vc->waker);
        g_source_unref(vc->waker);
    }
    if (vc->console != NULL) {
        console_free(vc->console);
        g_byte_array_unref(vc->input);
    }
    terminal_free(vc->terminal);
    g_free(vc->cells);
    g_free(vc->drawn);
}

static const CharOption vc_options[] = {
    { "width", CHAR_OPTION_NUMBER, "in pixels" },
    { "height", CHAR_OPTION_NUMBER, "in pixels" },
    { "cols", CHAR_OPTION_NUMBER, "in characters of 8 pixels" },
    { "rows", CHAR_OPTION_NUMBER, "in characters of 16 pixels" },
    {}
};

const ChardevType chardev_vc = {
    .name = "vc", .options = vc_options, .size = sizeof(TextConsole),
    .open = vc_open, .close = vc_close, .write = vc_write, .input = vc_input,
    .pending = vc_pending, .renamed = vc_renamed,
};
