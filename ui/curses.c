/*
 * -display curses: the machine's screens in the terminal.
 *
 *   curses_cells.c   text and pictures as cells       curses_screen.c  cells as a terminal's bytes
 *   curses_view.c    what of a screen is seen         curses_tty.c     its modes, and giving it back
 *   curses_keys.c    a terminal's bytes as keys       curses_thread.c  the thread that has it
 *   curses_status.c  the status line                  here: which screen, and where keys go
 */
#include "display.h"

#include <glib-unix.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "curses_status.h"
#include "curses_thread.h"
#include "curses_tty.h"
#include "keyboard.h"
#include "keysyms.h"
#include "pointer.h"
#include "tty_owner.h"
#include "vm.h"

enum { STATUS_SECONDS = 1 };
/* Steps of a keyboard, of its KEYBOARD_WAITING_MAX; keys that wait here before no more are read. */
enum { KEYS_AT_ONCE = KEYBOARD_WAITING_MAX / 2, KEYS_WAITING = 16384 };

typedef struct Curses {
    Vm *vm;
    CodePage page;
    CursesScreen *screen;
    CursesThread *thread;
    Keyboard *keyboard;
    Pointer pointer;
    GArray *keys;                       /* CursesInput, not pressed yet */

    Console *console;                   /* NULL: the machine has none */
    ConsoleWatcher watcher;
    CursesMeter meter;
    GSource *status_timer, *winch, *publish;

    /* what the next frame has to tell */
    bool dirty, other;
    bool all;                           /* the whole picture: the copy is not like it */
    ConsoleRect changed;
} Curses;

static Curses *curses;                  /* NULL: not open */

/* ---- frames ---- */

static bool copy_text(CursesFrame *frame, Console *console)
{
    ConsoleText *text = &frame->text;
    size_t needed;

    if (!console_text(console, text) || text->columns == 0 || text->rows == 0) {
        return false;
    }
    needed = (size_t)text->columns * text->rows;
    if (frame->n_cells < needed) {
        frame->cells = g_renew(uint32_t, frame->cells, needed);
        frame->n_cells = needed;
    }
    for (unsigned y = 0; y < text->rows; y++) {
        memcpy(frame->cells + (size_t)y * text->columns, text->cells + (size_t)y * text->stride,
               text->columns * sizeof(uint32_t));
    }
    text->cells = frame->cells;
    text->stride = text->columns;
    return true;
}

static void copy_picture(CursesFrame *frame, const Surface *surface, ConsoleRect changed, bool all)
{
    Surface *copy = frame->picture;

    if (copy == NULL || copy->width != surface->width || copy->height != surface->height) {
        g_clear_pointer(&frame->picture, surface_unref);
        frame->picture = copy = surface_new(surface->width, surface->height);
        all = true;
    }
    if (all) {
        changed = (ConsoleRect){ 0, 0, surface->width, surface->height };
    }
    for (unsigned y = changed.y; y < changed.y + changed.height; y++) {
        size_t at = (size_t)y * surface->width + changed.x;

        memcpy(copy->pixels + at, surface->pixels + at, changed.width * sizeof(uint32_t));
    }
    frame->changed = changed;
}

static int console_index(const Curses *self)
{
    guint index;

    return self->console != NULL &&
           g_ptr_array_find((GPtrArray *)console_list(self->vm), self->console, &index)
           ? (int)index : -1;
}

static void fill_frame(Curses *self, CursesFrame *frame)
{
    frame->other = self->other;
    frame->is_text = self->console != NULL && copy_text(frame, self->console);
    frame->changed = (ConsoleRect){ 0 };
    if (!frame->is_text && self->console != NULL) {
        copy_picture(frame, console_surface(self->console), self->changed, self->all);
    } else if (self->console == NULL) {
        g_clear_pointer(&frame->picture, surface_unref);
    }
    self->all = frame->is_text;                 /* nothing was copied */
    self->changed = (ConsoleRect){ 0 };
    self->other = self->dirty = false;
    g_free(frame->status);
    frame->status = curses_status_text(self->vm, &self->meter, console_index(self));
}

static void publish(Curses *self)
{
    CursesFrame *frame = self->dirty ? curses_thread_frame(self->thread) : NULL;

    if (frame != NULL) {
        fill_frame(self, frame);
        curses_thread_show(self->thread);
    }
}

static gboolean on_publish(gpointer opaque)
{
    Curses *self = opaque;

    g_clear_pointer(&self->publish, g_source_unref);
    publish(self);
    return G_SOURCE_REMOVE;
}

/* Soon, once for all that changes until then. */
static void publish_later(Curses *self)
{
    self->dirty = true;
    if (self->publish == NULL) {
        self->publish = g_idle_source_new();
        g_source_set_priority(self->publish, G_PRIORITY_DEFAULT);
        g_source_set_callback(self->publish, on_publish, self, NULL);
        g_source_attach(self->publish, self->vm->context);
    }
}

/* ---- watching ---- */

static void on_resized(void *opaque, Surface *surface)
{
    Curses *self = opaque;

    self->all = true;
    self->changed = (ConsoleRect){ 0 };
    publish_later(self);
}

static void on_changed(void *opaque, const ConsoleRect *rect)
{
    Curses *self = opaque;
    ConsoleRect *all = &self->changed;

    if (all->width == 0) {
        *all = *rect;
    } else {
        unsigned right = MAX(all->x + all->width, rect->x + rect->width);
        unsigned bottom = MAX(all->y + all->height, rect->y + rect->height);

        all->x = MIN(all->x, rect->x);
        all->y = MIN(all->y, rect->y);
        all->width = right - all->x;
        all->height = bottom - all->y;
    }
    publish_later(self);
}

static void show_console(Curses *self, Console *console)
{
    if (self->console != NULL) {
        console_unwatch(self->console, &self->watcher);
    }
    pointer_release(&self->pointer);
    self->console = console;
    keyboard_set_console(self->keyboard, console);
    self->other = self->all = true;
    self->changed = (ConsoleRect){ 0 };
    if (console != NULL) {
        console_watch(console, &self->watcher);
    }
    publish_later(self);
}

/* The console is in the list still; the next one takes its place at the next reading. */
static void on_gone(void *opaque)
{
    Curses *self = opaque;

    self->console = NULL;
    pointer_release(&self->pointer);
    keyboard_set_console(self->keyboard, NULL);
    self->other = self->all = true;
    publish_later(self);
}

static gboolean on_second(gpointer opaque)
{
    Curses *self = opaque;

    if (self->console == NULL && console_first(self->vm) != NULL) {
        show_console(self, console_first(self->vm));
    }
    curses_meter_read(&self->meter, self->vm);
    self->dirty = true;
    publish(self);
    return G_SOURCE_CONTINUE;
}

static gboolean on_winch(gpointer opaque)
{
    publish_later(opaque);
    return G_SOURCE_CONTINUE;
}

static void on_vm_event(Vm *vm, const VmEvent *event, void *opaque)
{
    publish_later(opaque);                      /* the run state may be another */
}

/* ---- input ---- */

static void press(Curses *self, const CursesInput *input)
{
    if (input->shift) {
        keyboard_symbol(self->keyboard, KEYSYM_SHIFT_L, true);
    }
    keyboard_stroke(self->keyboard, input->keysym, input->ctrl, input->alt);
    if (input->shift) {
        keyboard_symbol(self->keyboard, KEYSYM_SHIFT_L, false);
    }
}

/* A paste may be longer than the guest's keyboard takes at once. */
static void press_waiting(Curses *self)
{
    guint n = 0;

    while (n < self->keys->len && keyboard_waiting(self->keyboard) < KEYS_AT_ONCE) {
        press(self, &g_array_index(self->keys, CursesInput, n++));
    }
    g_array_remove_range(self->keys, 0, n);
    curses_thread_hold(self->thread, self->keys->len > KEYS_WAITING);
}

/* Keys that wait belong to what was looked at until now. */
static void forget_keys(Curses *self)
{
    g_array_set_size(self->keys, 0);
    curses_thread_hold(self->thread, false);
}

static void on_drained(void *opaque, TypistEnd end)
{
    Curses *self = opaque;

    if (end != TYPIST_DONE) {
        forget_keys(self);
    }
    press_waiting(self);
}

static void switch_console(Curses *self, unsigned digit)
{
    const GPtrArray *consoles = console_list(self->vm);
    Console *console = digit >= 1 && digit <= consoles->len
                       ? g_ptr_array_index(consoles, digit - 1) : NULL;

    if (console != NULL && console != self->console) {
        forget_keys(self);
        show_console(self, console);
    }
}

static void move_pointer(Curses *self, const CursesEvent *event)
{
    const CursesInput *input = &event->input;

    if (self->console != NULL && !console_is_text(self->console)) {
        pointer_at(&self->pointer, event->x, event->y, event->width, event->height,
                   input->buttons);
        if (input->wheel != 0 || input->wheel_across != 0) {
            pointer_wheel(&self->pointer, input->wheel_across, input->wheel);
        }
    }
}

static void on_input(const CursesEvent *event, void *opaque)
{
    Curses *self = opaque;

    switch (event->input.kind) {
    case CURSES_INPUT_KEY:
        g_array_append_val(self->keys, event->input);
        press_waiting(self);
        break;
    case CURSES_INPUT_DIGIT:
        switch_console(self, event->input.digit);
        break;
    case CURSES_INPUT_MOUSE:
        move_pointer(self, event);
        break;
    }
    if (self->console != NULL) {
        console_hurry(self->console);
    }
}

static void on_ready(bool again, void *opaque)
{
    Curses *self = opaque;

    self->dirty |= again;
    publish(self);
}

static const CursesThreadOps thread_ops = { on_input, on_ready };

/* ---- opening and closing ---- */

typedef struct CursesOptions { char *charset; } CursesOptions;

static const KeyField curses_fields[] = {
    { "charset", KEY_STRING, offsetof(CursesOptions, charset),
      .help = "what the guest writes its text in (CP437)" },
    {}
};

/* The locale's, without making it the process's own: the rest of the program writes plain C. */
static char *terminal_charset(void)
{
    locale_t locale = newlocale(LC_CTYPE_MASK, "", (locale_t)0);
    char *name = g_strdup(locale != (locale_t)0 ? nl_langinfo_l(CODESET, locale) : "ASCII");

    if (locale != (locale_t)0) {
        freelocale(locale);
    }
    return name;
}

static CursesScreen *open_screen(GError **error)
{
    g_autofree char *charset = terminal_charset();
    const char *term = getenv("TERM"), *color = getenv("COLORTERM");
    bool true_color = g_strcmp0(color, "truecolor") == 0 || g_strcmp0(color, "24bit") == 0;

    return curses_screen_new(term != NULL ? term : "unknown", charset, true_color, error);
}

static bool open_terminal(Curses *self, GError **error)
{
    if (!curses_tty_check(error) || !tty_claim("the curses display", error)) {
        return false;
    }
    self->screen = open_screen(error);
    if (self->screen == NULL ||
        !curses_tty_open(curses_screen_enter(self->screen), curses_screen_leave(self->screen),
                         error)) {
        curses_screen_free(self->screen);
        tty_release();
        return false;
    }
    return true;
}

static GSource *attach(Curses *self, GSource *source, GSourceFunc fn)
{
    g_source_set_callback(source, fn, self, NULL);
    g_source_attach(source, self->vm->context);
    return source;
}

static void start(Curses *self, const Keymap *map)
{
    self->watcher = (ConsoleWatcher){ on_resized, on_changed, on_gone, self };
    self->keyboard = keyboard_new(self->vm, map, 0);
    keyboard_on_drained(self->keyboard, on_drained, self);
    self->keys = g_array_new(FALSE, FALSE, sizeof(CursesInput));
    self->pointer = (Pointer){ .vm = self->vm };
    self->thread = curses_thread_new(self->vm->context, self->screen, &self->page, &thread_ops,
                                     self);
    self->status_timer = attach(self, g_timeout_source_new_seconds(STATUS_SECONDS), on_second);
    self->winch = attach(self, g_unix_signal_source_new(SIGWINCH), on_winch);
    vm_subscribe(self->vm, on_vm_event, self);
    curses_meter_read(&self->meter, self->vm);
    show_console(self, console_first(self->vm));
}

static bool curses_open(Vm *vm, const char *opts, GError **error)
{
    g_autoptr(KeyVal) kv = keyval_parse(opts, NULL, error);
    const Keymap *map = keymap_find(display_layout(), error);
    CursesOptions options = { 0 };
    g_autofree Curses *self = g_new0(Curses, 1);
    bool ok;

    self->vm = vm;
    ok = kv != NULL && map != NULL && keyval_fill(kv, curses_fields, &options, error) &&
         code_page_load(&self->page, options.charset != NULL ? options.charset : "CP437", error) &&
         open_terminal(self, error);
    g_free(options.charset);
    if (ok) {
        curses = g_steal_pointer(&self);
        start(curses, map);
    }
    return ok;
}

static void destroy_source(GSource **source)
{
    if (*source != NULL) {
        g_source_destroy(*source);
        g_clear_pointer(source, g_source_unref);
    }
}

static void curses_close(void)
{
    Curses *self = g_steal_pointer(&curses);

    if (self == NULL) {
        return;
    }
    vm_unsubscribe(self->vm, on_vm_event, self);
    if (self->console != NULL) {
        console_unwatch(self->console, &self->watcher);
    }
    keyboard_free(self->keyboard);
    curses_thread_free(self->thread);
    destroy_source(&self->status_timer);
    destroy_source(&self->winch);
    destroy_source(&self->publish);
    curses_tty_close();
    tty_release();
    curses_screen_free(self->screen);
    g_array_unref(self->keys);
    g_free(self);
}

const DisplayType display_curses = {
    .name = "curses", .help = "in the terminal: text as text, graphics as half blocks",
    .fields = curses_fields, .open = curses_open, .close = curses_close,
};
