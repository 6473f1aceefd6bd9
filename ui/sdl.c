/*
 * -display sdl: a window for each console.
 *
 * The main thread's side: watches the consoles that have a window, and carries out what the user
 * did in one.
 */
#include "display.h"

#include "keyboard.h"
#include "pointer.h"
#include "rhea_error.h"
#include "sdl_lib.h"
#include "sdl_mail.h"
#include "sdl_thread.h"
#include "vm.h"

/* The wheel, over a text console. */
#define LINES_PER_CLICK 3
#define CLICKS_MAX      16              /* at once */

/* A console that has, or had, a window. */
typedef struct Sight {
    SdlScreen *screen;                  /* a reference */
    Console *console;
    ConsoleWatcher watcher;
    bool watching;
} Sight;

static struct {
    Vm *vm;                             /* NULL: there is no such display */
    SdlConfig config;
    SdlMail *mail;
    GPtrArray *sights;                  /* Sight * */
    Keyboard *keyboard;
    Pointer pointer;
    Sight *focus;                       /* NULL: the user looks elsewhere */
} self;

static void tell_machine(void)
{
    sdl_mail_set_machine(self.mail, input_is_absolute(self.vm), vm_is_running(self.vm));
}

/* ---- consoles ---- */

static void on_resized(void *opaque, Surface *surface)
{
    Sight *sight = opaque;

    sdl_screen_resized(sight->screen, surface);
    tell_machine();
}

static void on_changed(void *opaque, const ConsoleRect *rect)
{
    Sight *sight = opaque;

    sdl_screen_changed(sight->screen, rect);
    tell_machine();
}

static void set_focus(Sight *sight)
{
    self.focus = sight;
    keyboard_set_console(self.keyboard, sight != NULL ? sight->console : NULL);
    pointer_release(&self.pointer);
}

/* The console has gone. */
static void on_gone(void *opaque)
{
    Sight *sight = opaque;

    if (sight == self.focus) {
        set_focus(NULL);
    }
    sight->watching = false;
    sight->screen->owner = NULL;
    sdl_screen_gone(sight->screen);
    g_ptr_array_remove(self.sights, sight);
}

static void watch(Sight *sight, bool on)
{
    if (on && !sight->watching) {
        sight->watching = true;
        console_watch(sight->console, &sight->watcher);
    } else if (!on && sight->watching) {
        sight->watching = false;
        console_unwatch(sight->console, &sight->watcher);
    }
}

static void show(Sight *sight, bool shown)
{
    watch(sight, shown);
    sdl_screen_show(sight->screen, shown);
}

static void sight_free(gpointer data)
{
    Sight *sight = data;

    watch(sight, false);
    sdl_screen_unref(sight->screen);
    g_free(sight);
}

static Sight *sight_new(Console *console)
{
    Sight *sight = g_new0(Sight, 1);
    const char *label = console == console_first(self.vm) ? NULL : console_label(console);

    sight->console = console;
    sight->watcher = (ConsoleWatcher){ .resized = on_resized, .changed = on_changed,
                                       .gone = on_gone, .opaque = sight };
    sight->screen = sdl_mail_add(self.mail, label, console_is_text(console), sight);
    g_ptr_array_add(self.sights, sight);
    return sight;
}

static Sight *sight_of(Console *console)
{
    for (guint i = 0; i < self.sights->len; i++) {
        Sight *sight = g_ptr_array_index(self.sights, i);

        if (sight->console == console) {
            return sight;
        }
    }
    return sight_new(console);
}

/* ---- what the user did ---- */

static void on_key(Sight *sight, const SdlPost *post)
{
    keyboard_key(self.keyboard, post->key.key, post->key.keysym, post->key.down);
    console_hurry(sight->console);
}

static void on_character(Sight *sight, const SdlPost *post)
{
    uint32_t keysym = keysym_of_character(post->character);

    keyboard_symbol(self.keyboard, keysym, true);
    keyboard_symbol(self.keyboard, keysym, false);
    console_hurry(sight->console);
}

static void on_pointer(Sight *sight, const SdlPost *post)
{
    bool absolute = input_is_absolute(self.vm);

    if (console_is_text(sight->console)) {
        return;
    }
    if (absolute) {
        pointer_at(&self.pointer, post->pointer.x, post->pointer.y, post->pointer.width,
                   post->pointer.height, post->pointer.buttons);
    } else if (post->pointer.grabbed) {
        pointer_moved(&self.pointer, post->pointer.dx, post->pointer.dy, post->pointer.buttons);
    }
    console_hurry(sight->console);
}

static void on_wheel(Sight *sight, const SdlPost *post)
{
    int clicks = CLAMP(post->wheel.vertical, -CLICKS_MAX, CLICKS_MAX);
    uint32_t code = clicks > 0 ? CONSOLE_KEY_SCROLL_UP : CONSOLE_KEY_SCROLL_DOWN;

    if (!console_is_text(sight->console)) {
        pointer_wheel(&self.pointer, post->wheel.horizontal, post->wheel.vertical);
        return;
    }
    for (int i = 0; i < ABS(clicks) * LINES_PER_CLICK; i++) {
        console_typed(sight->console, code);
    }
}

static void on_focus(Sight *sight, const SdlPost *post)
{
    set_focus(sight);
}

static void on_wish(Sight *sight, const SdlPost *post)
{
    console_wish(sight->console, post->size.width, post->size.height);
}

static void on_visible(Sight *sight, const SdlPost *post)
{
    watch(sight, post->visible && sdl_screen_is_shown(sight->screen));
}

static void quit(void)
{
    self.vm->config.no_shutdown = false;        /* nobody would see what is left of it */
    vm_quit(self.vm, SHUTDOWN_CAUSE_HOST_UI);
}

static void on_close(Sight *sight, const SdlPost *post)
{
    if (console_is_text(sight->console)) {
        show(sight, false);
    } else if (self.config.window_close) {
        quit();
    }
}

/* The first console's window is always there. */
static void toggle(unsigned number)
{
    const GPtrArray *consoles = console_list(self.vm);
    Sight *sight;

    if (number > 1 && number <= consoles->len) {
        sight = sight_of(g_ptr_array_index(consoles, number - 1));
        show(sight, !sdl_screen_is_shown(sight->screen));
    }
}

static void sdl_close(void);

static void lose_windows(void)
{
    report_warning("-display sdl: the window system has gone, and the windows with it");
    if (self.config.window_close) {
        quit();
    }
    sdl_close();
}

/* Posts about a console that is there. */
static void (*const handlers[])(Sight *sight, const SdlPost *post) = {
    [SDL_POST_KEY] = on_key, [SDL_POST_CHARACTER] = on_character, [SDL_POST_POINTER] = on_pointer,
    [SDL_POST_WHEEL] = on_wheel, [SDL_POST_FOCUS] = on_focus, [SDL_POST_WISH] = on_wish,
    [SDL_POST_VISIBLE] = on_visible, [SDL_POST_CLOSE] = on_close,
};

static bool is_there(const Console *console)
{
    const GPtrArray *consoles = console_list(self.vm);

    for (guint i = 0; i < consoles->len; i++) {
        if (g_ptr_array_index(consoles, i) == console) {
            return true;
        }
    }
    return false;
}

/* Of a console that nobody watches, because its window is hidden, we do not hear that it goes. */
static Sight *sight_of_screen(SdlScreen *screen)
{
    Sight *sight = screen->owner;

    if (sight != NULL && !is_there(sight->console)) {
        on_gone(sight);
        return NULL;
    }
    return sight;
}

static void carry_out(const SdlPost *post)
{
    if (post->screen != NULL) {
        Sight *sight = sight_of_screen(post->screen);

        if (sight != NULL) {
            handlers[post->kind](sight, post);
        }
    } else if (post->kind == SDL_POST_FOCUS) {
        set_focus(NULL);
    } else if (post->kind == SDL_POST_TOGGLE) {
        toggle(post->number);
    } else if (post->kind == SDL_POST_LOST) {
        lose_windows();
    }
}

static gboolean take_posts(gpointer opaque)
{
    size_t n = 0;
    g_autofree SdlPost *posts = self.vm != NULL ? sdl_mail_take_posts(self.mail, &n) : NULL;

    for (size_t i = 0; i < n; i++) {
        if (self.vm != NULL) {                  /* else one before was the end */
            carry_out(&posts[i]);
        }
        g_clear_pointer(&posts[i].screen, sdl_screen_unref);
    }
    if (self.vm != NULL) {
        tell_machine();
    }
    return G_SOURCE_REMOVE;
}

/* SDL's thread. */
static void on_posted(void *opaque)
{
    Vm *vm = opaque;
    g_autoptr(GSource) source = g_idle_source_new();

    g_source_set_priority(source, G_PRIORITY_DEFAULT);
    g_source_set_callback(source, take_posts, NULL, NULL);
    g_source_attach(source, vm->context);
}

static void on_event(Vm *vm, const VmEvent *event, void *opaque)
{
    if (event->kind == VM_EVENT_RUN_STATE) {
        tell_machine();
    }
}

/* ---- -display sdl ---- */

typedef struct SdlArgs {
    bool full_screen, show_cursor, window_close;
    char *gl, *grab_mod;
} SdlArgs;

static const char *const gl_words[] = { "off", "on", "core", "es", NULL };
static const char *const grab_words[] = {
    [SDL_GRAB_CTRL_ALT] = "lctrl-lalt", [SDL_GRAB_SHIFT_CTRL_ALT] = "lshift-lctrl-lalt",
    [SDL_GRAB_RIGHT_CTRL] = "rctrl", NULL
};

static const KeyField fields[] = {
    { "full-screen", KEY_BOOL, offsetof(SdlArgs, full_screen),
      .help = "begins with the whole screen" },
    { "gl", KEY_CHOICE, offsetof(SdlArgs, gl), gl_words, .help = "only off" },
    { "grab-mod", KEY_CHOICE, offsetof(SdlArgs, grab_mod), grab_words,
      .help = "the keys held with the hot-keys" },
    { "show-cursor", KEY_BOOL, offsetof(SdlArgs, show_cursor),
      .help = "also where the guest draws one" },
    { "window-close", KEY_BOOL, offsetof(SdlArgs, window_close),
      .help = "closing a window ends the machine" },
    {}
};

static bool parse(const char *text, SdlConfig *config, GError **error)
{
    SdlArgs args = { .full_screen = display_full_screen(), .window_close = true };
    g_autoptr(KeyVal) kv = keyval_parse(text, NULL, error);
    bool ok = kv != NULL && keyval_fill(kv, fields, &args, error);

    if (ok && args.gl != NULL && !g_str_equal(args.gl, "off")) {
        set_error(error, "this display draws without OpenGL: only 'gl=off'");
        ok = false;
    }
    *config = (SdlConfig){ .full_screen = args.full_screen, .show_cursor = args.show_cursor,
                           .window_close = args.window_close };
    while (args.grab_mod != NULL && !g_str_equal(args.grab_mod, grab_words[config->grab_keys])) {
        config->grab_keys++;
    }
    g_free(args.gl);
    g_free(args.grab_mod);
    return ok;
}

static void show_consoles(Vm *vm)
{
    const GPtrArray *consoles = console_list(vm);

    for (guint i = 0; i < consoles->len; i++) {
        Console *console = g_ptr_array_index(consoles, i);

        if (i == 0 || !console_is_text(console)) {
            show(sight_new(console), true);
        }
    }
    if (consoles->len == 0) {
        report_warning("-display sdl: the machine has no screen to show");
    }
}

static bool sdl_open(Vm *vm, const char *opts, GError **error)
{
    const Keymap *keymap = keymap_find(display_layout(), error);

    if (self.vm != NULL) {
        set_error(error, "the machine has windows already");
        return false;
    }
    if (keymap == NULL || !parse(opts, &self.config, error) || !sdl_lib_load(error)) {
        return false;
    }
    self.vm = vm;
    self.config.machine_name = g_strdup(vm->config.name);
    self.mail = sdl_mail_new(on_posted, vm);
    self.sights = g_ptr_array_new_with_free_func(sight_free);
    self.keyboard = keyboard_new(vm, keymap, 0);
    self.pointer = (Pointer){ .vm = vm };
    tell_machine();
    show_consoles(vm);
    vm_subscribe(vm, on_event, NULL);
    if (!sdl_thread_start(self.mail, &self.config, error)) {
        sdl_close();
        return false;
    }
    return true;
}

static void sdl_close(void)
{
    Vm *vm = g_steal_pointer(&self.vm);

    if (vm == NULL) {
        return;
    }
    vm_unsubscribe(vm, on_event, NULL);
    keyboard_free(self.keyboard);
    pointer_release(&self.pointer);
    self.focus = NULL;
    for (guint i = 0; i < self.sights->len; i++) {
        Sight *sight = g_ptr_array_index(self.sights, i);

        sight->screen->owner = NULL;
    }
    g_ptr_array_unref(self.sights);
    if (sdl_thread_end()) {
        sdl_mail_free(self.mail);
        g_free(self.config.machine_name);
    }
}

const DisplayType display_sdl = {
    .name = "sdl", .help = "windows of SDL 2", .fields = fields,
    .open = sdl_open, .close = sdl_close,
};
