#include "vnc_screen.h"

#include <string.h>
#include <unistd.h>

#include "font.h"
#include "vm_core.h"
#include "vnc_viewer.h"

/* The guest answers a lock key a little later; then the viewers are told of the light. */
#define LEDS_DELAY_MS   100

struct VncScreen {
    Vm *vm;
    VncScreenConfig config;
    const VncScreenOps *ops;
    void *opaque;

    Console *console;                   /* NULL: none */
    ConsoleWatcher watcher;
    bool watching;
    Surface *blank;                     /* what is shown without a console */
    Surface *source;                    /* a reference to what is shown */
    Surface *picture;                   /* what viewers have of it */
    VncTiles *touched;                  /* tiles to compare */
    VncTiles *changed;                  /* scratch */
    bool absolute;

    GPtrArray *viewers;                 /* VncViewer *, oldest first */
    GCond moved_on;                     /* a viewer: it was announced, or its thread has ended */
    int select;                         /* index of the console a hot key asked for; -1: none */
    bool typed;                         /* a viewer did, or moved the pointer */
    bool leaving;
    GSource *flush, *attend, *leds_timer; /* NULL: not scheduled */
};

/* ---- main loop ---- */

static void schedule(VncScreen *screen, GSource **slot, unsigned delay_ms, GSourceFunc fn)
{
    if (*slot == NULL) {
        *slot = delay_ms > 0 ? g_timeout_source_new(delay_ms) : g_idle_source_new();
        g_source_set_priority(*slot, G_PRIORITY_DEFAULT);
        g_source_set_callback(*slot, fn, screen, NULL);
        g_source_attach(*slot, screen->vm->context);
    }
}

static void unschedule(GSource **slot)
{
    if (*slot != NULL) {
        g_source_destroy(*slot);
        g_clear_pointer(slot, g_source_unref);
    }
}

static VncViewer *viewer_at(const VncScreen *screen, guint i)
{
    return g_ptr_array_index(screen->viewers, i);
}

/* ---- lights, and the kind of pointer ---- */

static void update_input(VncScreen *screen)
{
    unsigned leds = keyboard_leds(screen->vm);
    bool absolute = input_is_absolute(screen->vm);

    if (screen->absolute != absolute) {
        vnc_screen_pointer_mode(screen, absolute);
    }
    for (guint i = 0; i < screen->viewers->len; i++) {
        vnc_viewer_set_leds(viewer_at(screen, i), leds);
    }
}

static gboolean on_leds_timer(gpointer opaque)
{
    VncScreen *screen = opaque;

    unschedule(&screen->leds_timer);
    update_input(screen);
    return G_SOURCE_REMOVE;
}

/* ---- picture ---- */

/* Compares what was drawn with what viewers have, once for each turn of the main loop. */
static gboolean on_flush(gpointer opaque)
{
    VncScreen *screen = opaque;
    ConsoleRect rect;

    unschedule(&screen->flush);
    vnc_tiles_clear(screen->changed);
    while (vnc_tiles_take(screen->touched, &rect)) {
        vnc_tiles_copy(screen->changed, screen->picture, screen->source, &rect);
    }
    for (guint i = 0; i < screen->viewers->len; i++) {
        vnc_viewer_damage(viewer_at(screen, i), screen->changed);
    }
    update_input(screen);
    return G_SOURCE_REMOVE;
}

static void touch(VncScreen *screen, const ConsoleRect *rect)
{
    vnc_tiles_add(screen->touched, rect);
    schedule(screen, &screen->flush, 0, on_flush);
}

/* Another surface: it is the viewers' picture at once if its size is theirs. */
static void set_source(VncScreen *screen, Surface *source)
{
    surface_ref(source);
    if (screen->source != NULL) {
        surface_unref(screen->source);
    }
    screen->source = source;
    if (screen->picture == NULL || screen->picture->width != source->width ||
        screen->picture->height != source->height) {
        if (screen->picture != NULL) {
            surface_unref(screen->picture);
        }
        g_free(screen->touched);
        g_free(screen->changed);
        screen->picture = surface_new(source->width, source->height);
        screen->touched = vnc_tiles_new(source->width, source->height);
        screen->changed = vnc_tiles_new(source->width, source->height);
        memcpy(screen->picture->pixels, source->pixels,
               (size_t)source->width * source->height * sizeof(uint32_t));
        for (guint i = 0; i < screen->viewers->len; i++) {
            vnc_viewer_show(viewer_at(screen, i), screen->picture);
        }
    }
    touch(screen, &(ConsoleRect){ 0, 0, source->width, source->height });
}

static Surface *blank_surface(void)
{
    static const char text[] = "The machine has no screen";
    Surface *surface = surface_new(640, 480);
    uint32_t *at = surface->pixels + (480 - FONT_HEIGHT) / 2 * 640 +
                   (640 - FONT_WIDTH * strlen(text)) / 2;

    for (const char *letter = text; *letter != '\0'; letter++, at += FONT_WIDTH) {
        font_draw(at, 640, (uint8_t)*letter, 0xaaaaaa, 0, false);
    }
    return surface;
}

/* ---- console ---- */

static void on_resized(void *opaque, Surface *surface)
{
    set_source(opaque, surface);
}

static void on_changed(void *opaque, const ConsoleRect *rect)
{
    touch(opaque, rect);
}

static void on_gone(void *opaque)
{
    VncScreen *screen = opaque;
    Console *gone = screen->console, *next = NULL;
    const GPtrArray *all = console_list(screen->vm);

    for (guint i = 0; i < all->len && next == NULL; i++) {
        next = g_ptr_array_index(all, i) != gone ? g_ptr_array_index(all, i) : NULL;
    }
    screen->watching = false;
    vnc_screen_set_console(screen, next);
}

static void unwatch(VncScreen *screen)
{
    if (screen->watching) {
        screen->watching = false;
        console_unwatch(screen->console, &screen->watcher);
    }
}

/* A console that nobody looked at may have gone, or the first may have come. */
static void check_console(VncScreen *screen)
{
    if (!screen->watching &&
        !g_ptr_array_find((GPtrArray *)console_list(screen->vm), screen->console, NULL)) {
        vnc_screen_set_console(screen, console_first(screen->vm));
    }
}

/* The console is looked at as long as somebody sees it. */
static void update_watch(VncScreen *screen)
{
    bool seen = false;

    for (guint i = 0; i < screen->viewers->len; i++) {
        seen |= viewer_at(screen, i)->announced;
    }
    if (screen->console == NULL || !seen) {
        unwatch(screen);
    } else if (!screen->watching) {
        screen->watching = true;
        console_watch(screen->console, &screen->watcher);
    }
}

void vnc_screen_set_console(VncScreen *screen, Console *console)
{
    unwatch(screen);
    screen->console = console;
    for (guint i = 0; i < screen->viewers->len; i++) {
        if (viewer_at(screen, i)->announced) {          /* others get theirs when they are */
            keyboard_set_console(viewer_at(screen, i)->keyboard, console);
        }
    }
    set_source(screen, console != NULL ? console_surface(console) : screen->blank);
    update_watch(screen);
}

/* ---- for a viewer's thread ---- */

Vm *vnc_screen_vm(const VncScreen *screen)
{
    return screen->vm;
}

const VncScreenConfig *vnc_screen_config(const VncScreen *screen)
{
    return &screen->config;
}

bool vnc_screen_check_password(VncViewer *viewer, const uint8_t challenge[16],
                               const uint8_t response[16])
{
    VncScreen *screen = viewer->screen;

    return screen->ops->check_password(screen->opaque, viewer, challenge, response);
}

char *vnc_screen_name(const VncScreen *screen)
{
    const char *name = screen->vm->config.name;

    return name != NULL ? g_strdup_printf("Rhea (%s)", name) : g_strdup("Rhea");
}

bool vnc_screen_wish(VncScreen *screen, unsigned width, unsigned height)
{
    return screen->console != NULL && console_wish(screen->console, width, height);
}

static gboolean on_attend(gpointer opaque);

static void attend_soon(VncScreen *screen)
{
    schedule(screen, &screen->attend, 0, on_attend);
}

/* One that wants the screen for itself turns the others out. */
static bool may_share(VncScreen *screen, bool shared)
{
    for (guint i = 0; i < screen->viewers->len; i++) {
        VncViewer *other = viewer_at(screen, i);

        if (shared && other->stage == VNC_STAGE_EXCLUSIVE) {
            return false;
        }
        if (!shared && (other->stage == VNC_STAGE_SHARED || other->stage == VNC_STAGE_EXCLUSIVE)) {
            vnc_viewer_close(other);
        }
    }
    return true;
}

bool vnc_screen_admit(VncViewer *viewer, bool shared)
{
    VncScreen *screen = viewer->screen;

    if (screen->config.share == VNC_SHARE_FORCE_SHARED && !shared) {
        return false;
    }
    shared |= screen->config.share == VNC_SHARE_IGNORE;
    if (!may_share(screen, shared)) {
        return false;
    }
    viewer->stage = shared ? VNC_STAGE_SHARED : VNC_STAGE_EXCLUSIVE;
    attend_soon(screen);
    while (!viewer->announced && !screen->leaving) {
        machine_lock_wait(&screen->moved_on);
    }
    return viewer->announced;
}

void vnc_screen_select(VncScreen *screen, unsigned index)
{
    if (!screen->config.one_console) {
        screen->select = index;
        attend_soon(screen);
    }
}

void vnc_screen_typed(VncScreen *screen)
{
    screen->typed = true;
    attend_soon(screen);
}

bool vnc_screen_is_text(const VncScreen *screen)
{
    return screen->console != NULL && console_is_text(screen->console);
}

void vnc_screen_ended(VncViewer *viewer)
{
    VncScreen *screen = viewer->screen;

    machine_lock();
    viewer->stage = VNC_STAGE_ENDED;
    g_cond_broadcast(&screen->moved_on);
    attend_soon(screen);
    machine_unlock();
}

/* ---- what viewers' threads leave to the main one ---- */

static void reap_viewer(VncScreen *screen, VncViewer *viewer)
{
    g_ptr_array_remove(screen->viewers, viewer);
    screen->ops->gone(screen->opaque, viewer);
    vnc_viewer_free(viewer);
}

/* The picture is brought up to date before the viewer gets its first. */
static void announce(VncScreen *screen, VncViewer *viewer)
{
    check_console(screen);
    if (screen->console != NULL) {
        console_refresh(screen->console);
        set_source(screen, console_surface(screen->console));
    }
    on_flush(screen);
    keyboard_set_console(viewer->keyboard, screen->console);
    viewer->announced = true;
    screen->ops->initialized(screen->opaque, viewer);
    g_cond_broadcast(&screen->moved_on);
}

static void attend_viewers(VncScreen *screen)
{
    for (guint i = screen->viewers->len; i-- > 0;) {
        VncViewer *viewer = viewer_at(screen, i);

        if (viewer->stage == VNC_STAGE_ENDED) {
            reap_viewer(screen, viewer);
        } else if (viewer->stage != VNC_STAGE_LOGIN && !viewer->announced) {
            announce(screen, viewer);
        }
    }
}

static gboolean on_attend(gpointer opaque)
{
    VncScreen *screen = opaque;
    const GPtrArray *all = console_list(screen->vm);

    unschedule(&screen->attend);
    attend_viewers(screen);
    if (screen->select >= 0 && (guint)screen->select < all->len) {
        vnc_screen_set_console(screen, g_ptr_array_index(all, screen->select));
    }
    screen->select = -1;
    update_watch(screen);
    if (screen->typed && screen->watching) {
        console_hurry(screen->console);
        schedule(screen, &screen->leds_timer, LEDS_DELAY_MS, on_leds_timer);
    }
    screen->typed = false;
    return G_SOURCE_REMOVE;
}

/* ---- viewers ---- */

/* Room for one more: one that has not logged in yet makes way, the oldest first. */
static bool make_room(VncScreen *screen)
{
    if (screen->viewers->len < screen->config.viewers_max) {
        return true;
    }
    for (guint i = 0; i < screen->viewers->len; i++) {
        VncViewer *viewer = viewer_at(screen, i);

        if (viewer->stage == VNC_STAGE_LOGIN) {
            vnc_viewer_close(viewer);
            return screen->viewers->len < 2 * screen->config.viewers_max;
        }
    }
    return false;
}

VncViewer *vnc_screen_add(VncScreen *screen, int fd, bool websocket, bool trusted, void *tag)
{
    VncViewer *viewer;

    if (!make_room(screen)) {
        close(fd);
        return NULL;
    }
    viewer = vnc_viewer_new(screen, fd, websocket, trusted, tag, screen->picture);
    if (viewer != NULL) {
        vnc_viewer_set_absolute(viewer, screen->absolute);
        g_ptr_array_add(screen->viewers, viewer);
    }
    return viewer;
}

unsigned vnc_screen_viewers(const VncScreen *screen)
{
    return screen->viewers->len;
}

void vnc_screen_pointer_mode(VncScreen *screen, bool absolute)
{
    screen->absolute = absolute;
    for (guint i = 0; i < screen->viewers->len; i++) {
        vnc_viewer_set_absolute(viewer_at(screen, i), absolute);
    }
}

/* ---- life ---- */

VncScreen *vnc_screen_new(Vm *vm, const VncScreenConfig *config, const VncScreenOps *ops,
                          void *opaque, GError **error)
{
    VncScreen *screen = g_new(VncScreen, 1);

    *screen = (VncScreen){
        .vm = vm, .config = *config, .ops = ops, .opaque = opaque, .select = -1,
        .watcher = { .resized = on_resized, .changed = on_changed, .gone = on_gone,
                     .opaque = screen },
        .blank = blank_surface(), .viewers = g_ptr_array_new(), .absolute = input_is_absolute(vm),
    };
    g_cond_init(&screen->moved_on);
    vnc_screen_set_console(screen, console_first(vm));
    return screen;
}

void vnc_screen_free(VncScreen *screen)
{
    screen->leaving = true;
    g_cond_broadcast(&screen->moved_on);
    for (guint i = 0; i < screen->viewers->len; i++) {
        vnc_viewer_close(viewer_at(screen, i));
    }
    while (screen->viewers->len > 0) {
        VncViewer *viewer = viewer_at(screen, 0);

        while (viewer->stage != VNC_STAGE_ENDED) {
            machine_lock_wait(&screen->moved_on);
        }
        reap_viewer(screen, viewer);
    }
    unwatch(screen);
    unschedule(&screen->flush);
    unschedule(&screen->attend);
    unschedule(&screen->leds_timer);
    surface_unref(screen->blank);
    surface_unref(screen->source);
    surface_unref(screen->picture);
    g_free(screen->touched);
    g_free(screen->changed);
    g_ptr_array_unref(screen->viewers);
    g_cond_clear(&screen->moved_on);
    g_free(screen);
}
