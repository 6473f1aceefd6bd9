/* Screens: surfaces, watchers and when adapters draw. */
#include "console.h"

#include "vm_core.h"

#define QUIET_UPDATES   32      /* without a change before the next one is put off further */

struct Console {
    Vm *vm;
    Device *device;
    unsigned head;
    char *label;                        /* of a text console */
    const ConsoleOps *ops;
    void *opaque;
    Surface *surface;
    GPtrArray *watchers;                /* ConsoleWatcher *; a hole is one that left meanwhile */
    unsigned telling;                   /* depth of calls to watchers */
    GSource *timer;                     /* NULL: nobody watches */
    unsigned interval_ms, quiet;
    bool has_changed;                   /* in the update under way */
};

/* ---- surfaces ---- */

Surface *surface_new(unsigned width, unsigned height)
{
    Surface *surface = g_malloc0(sizeof(*surface) + (size_t)width * height * 4);

    surface->refs = 1;
    surface->width = width;
    surface->height = height;
    return surface;
}

Surface *surface_ref(Surface *surface)
{
    g_atomic_int_inc(&surface->refs);
    return surface;
}

void surface_unref(Surface *surface)
{
    if (g_atomic_int_dec_and_test(&surface->refs)) {
        g_free(surface);
    }
}

/* ---- who hears what ---- */

typedef void (*TellFn)(ConsoleWatcher *watcher, const void *what);

/* A watcher may leave while it is told; the list keeps its shape until the outermost call is over. */
static void tell(Console *console, TellFn fn, const void *what)
{
    console->telling++;
    for (guint i = 0; i < console->watchers->len; i++) {
        ConsoleWatcher *watcher = g_ptr_array_index(console->watchers, i);

        if (watcher != NULL) {
            fn(watcher, what);
        }
    }
    if (--console->telling == 0) {
        while (g_ptr_array_remove(console->watchers, NULL)) {
        }
    }
}

static void tell_resized(ConsoleWatcher *watcher, const void *what)
{
    watcher->resized(watcher->opaque, (Surface *)what);
}

static void tell_changed(ConsoleWatcher *watcher, const void *what)
{
    watcher->changed(watcher->opaque, what);
}

static void tell_gone(ConsoleWatcher *watcher, const void *what)
{
    if (watcher->gone != NULL) {
        watcher->gone(watcher->opaque);
    }
}

/* ---- when ---- */

static gboolean on_timer(gpointer opaque);

static void timer_stop(Console *console)
{
    if (console->timer != NULL) {
        g_source_destroy(console->timer);
        g_clear_pointer(&console->timer, g_source_unref);
    }
}

static void timer_start(Console *console, unsigned interval_ms)
{
    timer_stop(console);
    console->interval_ms = interval_ms;
    console->timer = g_timeout_source_new(interval_ms);
    g_source_set_callback(console->timer, on_timer, console, NULL);
    g_source_attach(console->timer, console->vm->context);
}

void console_refresh(Console *console)
{
    console->has_changed = false;
    console->ops->update(console->opaque);
}

static gboolean on_timer(gpointer opaque)
{
    Console *console = opaque;
    unsigned interval = console->interval_ms;

    console_refresh(console);
    if (console->timer == NULL) {
        return G_SOURCE_REMOVE;                 /* the last watcher has left */
    }
    console->quiet = console->has_changed ? 0 : console->quiet + 1;
    if (console->has_changed) {
        interval = CONSOLE_FAST_MS;
    } else if (console->quiet >= QUIET_UPDATES) {
        interval = MIN(interval * 2, CONSOLE_SLOW_MS);
        console->quiet = QUIET_UPDATES / 2;
    }
    if (interval == console->interval_ms) {
        return G_SOURCE_CONTINUE;
    }
    timer_start(console, interval);
    return G_SOURCE_REMOVE;
}

void console_hurry(Console *console)
{
    console->quiet = 0;
    if (console->timer != NULL && console->interval_ms > CONSOLE_FAST_MS) {
        timer_start(console, CONSOLE_FAST_MS);
    }
}

void console_watch(Console *console, ConsoleWatcher *watcher)
{
    ConsoleRect all = { 0, 0, console->surface->width, console->surface->height };

    g_ptr_array_add(console->watchers, watcher);
    watcher->resized(watcher->opaque, console->surface);
    watcher->changed(watcher->opaque, &all);
    if (console->timer == NULL) {
        console->ops->invalidate(console->opaque);      /* what it drew last may be old */
        timer_start(console, CONSOLE_FAST_MS);
    }
    console_hurry(console);
}

void console_unwatch(Console *console, ConsoleWatcher *watcher)
{
    bool any = false;

    for (guint i = 0; i < console->watchers->len; i++) {
        if (g_ptr_array_index(console->watchers, i) == watcher) {
            console->watchers->pdata[i] = NULL;
        }
        any |= g_ptr_array_index(console->watchers, i) != NULL;
    }
    if (console->telling == 0) {
        while (g_ptr_array_remove(console->watchers, NULL)) {
        }
    }
    if (!any) {
        timer_stop(console);
    }
}

/* ---- adapters ---- */

static Console *console_make(Vm *vm, const ConsoleOps *ops, void *opaque)
{
    Console *console = g_new0(Console, 1);

    *console = (Console){ .vm = vm, .ops = ops, .opaque = opaque,
                          .surface = surface_new(640, 480), .watchers = g_ptr_array_new() };
    return console;
}

Console *console_new(Device *device, unsigned head, const ConsoleOps *ops, void *opaque)
{
    Console *console = console_make(device->vm, ops, opaque);
    GPtrArray *all = device->vm->consoles;
    guint at = 0;

    console->device = device;
    console->head = head;
    while (at < all->len && console_device(g_ptr_array_index(all, at)) != NULL) {
        at++;
    }
    g_ptr_array_insert(all, at, console);
    return console;
}

Console *console_new_text(Vm *vm, const char *label, const ConsoleOps *ops, void *opaque)
{
    Console *console = console_make(vm, ops, opaque);

    console->label = g_strdup(label);
    g_ptr_array_add(vm->consoles, console);
    return console;
}

void console_set_label(Console *console, const char *label)
{
    g_free(console->label);
    console->label = g_strdup(label);
}

void console_free(Console *console)
{
    tell(console, tell_gone, NULL);
    timer_stop(console);
    g_ptr_array_remove(console->vm->consoles, console);
    g_ptr_array_unref(console->watchers);
    surface_unref(console->surface);
    g_free(console->label);
    g_free(console);
}

void console_resize(Console *console, unsigned width, unsigned height)
{
    width = CLAMP(width, 1, CONSOLE_WIDTH_MAX);
    height = CLAMP(height, 1, CONSOLE_HEIGHT_MAX);
    if (width != console->surface->width || height != console->surface->height) {
        surface_unref(console->surface);
        console->surface = surface_new(width, height);
        console->has_changed = true;
        tell(console, tell_resized, console->surface);
    }
}

void console_changed(Console *console, unsigned x, unsigned y, unsigned width, unsigned height)
{
    const Surface *surface = console->surface;
    ConsoleRect rect = { x, y, 0, 0 };

    if (x < surface->width && y < surface->height && width > 0 && height > 0) {
        rect.width = MIN(width, surface->width - x);
        rect.height = MIN(height, surface->height - y);
        console->has_changed = true;
        tell(console, tell_changed, &rect);
    }
}

/* ---- everybody ---- */

const GPtrArray *console_list(Vm *vm)
{
    return vm->consoles;
}

Console *console_first(Vm *vm)
{
    return vm->consoles->len > 0 ? g_ptr_array_index(vm->consoles, 0) : NULL;
}

Console *console_of(Vm *vm, const Device *device, unsigned head)
{
    for (guint i = 0; i < vm->consoles->len; i++) {
        Console *console = g_ptr_array_index(vm->consoles, i);

        if (console->device == device && console->head == head) {
            return console;
        }
    }
    return NULL;
}

Device *console_device(const Console *console)
{
    return console->device;
}

const char *console_label(const Console *console)
{
    const Device *device = console->device;

    return device == NULL ? console->label
                          : device->id != NULL ? device->id : device->type->name;
}

bool console_is_text(const Console *console)
{
    return console->ops->typed != NULL;
}

void console_typed(Console *console, uint32_t code)
{
    console->ops->typed(console->opaque, code);
}

unsigned console_head(const Console *console)
{
    return console->head;
}

Surface *console_surface(Console *console)
{
    return console->surface;
}

void console_invalidate(Console *console)
{
    console->ops->invalidate(console->opaque);
}

bool console_text(Console *console, ConsoleText *text)
{
    return console->ops->text != NULL && console->ops->text(console->opaque, text);
}

bool console_wish(Console *console, unsigned width, unsigned height)
{
    if (console->ops->wish == NULL) {
        return false;
    }
    console->ops->wish(console->opaque, width, height);
    return true;
}
