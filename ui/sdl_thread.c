#include "sdl_thread.h"

#include <pthread.h>
#include <SDL_syswm.h>
#include <poll.h>

#include "rhea_error.h"

#define X_LIB           "libX11.so.6"
#define WAYLAND_LIB     "libwayland-client.so.0"

#define START_SECONDS   10
#define END_SECONDS     2
/* SDL puts some events off and looks at its clock when it is called: soon after others. */
#define BUSY_US         (1 * G_USEC_PER_SEC)
#define BUSY_MS         50
#define IDLE_MS         1000
#define BLIND_MS        10              /* where it cannot be known when SDL has events */

typedef enum ThreadState { STARTING, UP, FAILED, ENDED } ThreadState;       /* in this order */

static struct {
    GThread *thread;
    SdlMail *mail;
    const SdlConfig *config;
    GMutex lock;
    GCond changed;
    ThreadState state;                  /* under the lock */
    char *failure;                      /* FAILED: why; set before it is */
} self;

static void set_state(ThreadState state)
{
    g_mutex_lock(&self.lock);
    self.state = state;
    g_cond_broadcast(&self.changed);
    g_mutex_unlock(&self.lock);
}

/* ---- the window system ---- */

/*
 * Xlib ends the process when its connection breaks; only the thread need end, wherever in SDL it
 * is.  What it leaves behind nobody touches any more.
 */
static int on_x_connection_lost(Display *display)
{
    sdl_mail_post(self.mail, &(SdlPost){ .kind = SDL_POST_LOST });
    set_state(ENDED);
    pthread_exit(NULL);             /* declared so that compilers know that it does not come back */
}

/* Xlib would end the process over a request that came too late for its window. */
static int on_x_error(Display *display, XErrorEvent *event)
{
    return 0;
}

static void watch_x(void)
{
    __typeof__(XSetIOErrorHandler) *set_io = sdl_lib_function(X_LIB, "XSetIOErrorHandler");
    __typeof__(XSetErrorHandler) *set = sdl_lib_function(X_LIB, "XSetErrorHandler");

    if (set_io != NULL && set != NULL) {
        set_io(on_x_connection_lost);
        set(on_x_error);
    }
}

static bool is_driver(const char *name)
{
    const char *driver = sdl.GetCurrentVideoDriver();

    return driver != NULL && g_str_equal(driver, name);
}

/* The descriptor events come on; -1: it is not known. */
static int connection_of(SDL_Window *window)
{
    __typeof__(SDL_GetWindowWMInfo) *get_info = sdl_lib_function(SDL_LIB, "SDL_GetWindowWMInfo");
    int (*wayland_fd)(struct wl_display *display);
    SDL_SysWMinfo info;

    SDL_VERSION(&info.version);
    if (get_info == NULL || !get_info(window, &info)) {
        return -1;
    }
    if (info.subsystem == SDL_SYSWM_X11) {
        return ConnectionNumber(info.info.x11.display);
    }
    wayland_fd = sdl_lib_function(WAYLAND_LIB, "wl_display_get_fd");
    return info.subsystem == SDL_SYSWM_WAYLAND && wayland_fd != NULL
           ? wayland_fd(info.info.wl.display) : -1;
}

static const struct { const char *name, *value; } hints[] = {
    { SDL_HINT_VIDEODRIVER, "x11,wayland" },    /* others only if the user's environment says so */
    { SDL_HINT_NO_SIGNAL_HANDLERS, "1" },
    { SDL_HINT_APP_NAME, "Rhea" },
    { SDL_HINT_QUIT_ON_LAST_WINDOW_CLOSE, "0" },
    { SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1" },
    { SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0" },
    { SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0" },
    { SDL_HINT_FRAMEBUFFER_ACCELERATION, "0" },
    { SDL_HINT_GRAB_KEYBOARD, "1" },            /* the window manager's keys are the guest's then */
    { SDL_HINT_ALLOW_ALT_TAB_WHILE_GRABBED, "0" },
};

static bool start(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(hints); i++) {
        sdl.SetHint(hints[i].name, hints[i].value);
    }
    if (sdl.Init(SDL_INIT_VIDEO) < 0) {
        self.failure = g_strdup(sdl.GetError());
        set_state(FAILED);
        return false;
    }
    watch_x();
    set_state(UP);
    return true;
}

/* ---- the loop ---- */

static bool handle_events(SdlUser *user)
{
    SDL_Event event;
    bool any = false;

    while (sdl.PollEvent(&event)) {
        sdl_user_event(user, &event);
        any = true;
    }
    return any;
}

/* A second without windows is nobody's loss: their events come when there are some. */
static int patience_ms(bool has_window, int connection, gint64 busy_until)
{
    if (has_window && connection < 0 && !is_driver("dummy") && !is_driver("offscreen")) {
        return BLIND_MS;
    }
    return g_get_monotonic_time() < busy_until ? BUSY_MS : IDLE_MS;
}

static SDL_Window *any_window(const SdlUser *user)
{
    for (guint i = 0; i < user->windows->len; i++) {
        const SdlWindow *window = g_ptr_array_index(user->windows, i);

        if (window->window != NULL) {
            return window->window;
        }
    }
    return NULL;
}

static void run(SdlUser *user)
{
    gint64 busy_until = 0;
    int connection = -1;

    for (;;) {
        struct pollfd fds[] = { { sdl_mail_fd(self.mail), POLLIN, 0 }, { connection, POLLIN, 0 } };
        SDL_Window *window = any_window(user);
        bool any;

        if (connection < 0 && window != NULL) {
            connection = fds[1].fd = connection_of(window);
        }
        /* Drawing reads events too: nothing is waited for until SDL says that it has none left. */
        any = handle_events(user);
        if (any) {
            busy_until = g_get_monotonic_time() + BUSY_US;
        }
        poll(fds, G_N_ELEMENTS(fds),
             any ? 0 : patience_ms(window != NULL, connection, busy_until));
        if (fds[0].revents != 0) {
            sdl_mail_seen(self.mail);
            if (!sdl_user_update(user)) {
                return;
            }
        }
    }
}

static gpointer thread_main(gpointer opaque)
{
    SdlUser user;

    if (start()) {
        sdl_user_init(&user, self.mail, self.config);
        run(&user);
        sdl_user_finish(&user);
        sdl.Quit();
        set_state(ENDED);
    }
    return NULL;
}

/* ---- main thread ---- */

/* Waits for a state behind that one.  False: it is not there after so many seconds. */
static bool wait_beyond(ThreadState state, unsigned seconds)
{
    gint64 end = g_get_monotonic_time() + seconds * G_USEC_PER_SEC;
    bool beyond;

    g_mutex_lock(&self.lock);
    while (self.state <= state && g_cond_wait_until(&self.changed, &self.lock, end)) {
    }
    beyond = self.state > state;
    g_mutex_unlock(&self.lock);
    return beyond;
}

bool sdl_thread_start(SdlMail *mail, const SdlConfig *config, GError **error)
{
    self.mail = mail;
    self.config = config;
    self.state = STARTING;
    self.thread = g_thread_new("sdl", thread_main, NULL);
    if (!wait_beyond(STARTING, START_SECONDS)) {
        set_error(error, "the window system does not answer");
        return false;
    }
    if (self.failure != NULL) {
        set_error(error, "cannot open a window: %s", self.failure);
        error_add_hint(error, "Neither $DISPLAY nor $WAYLAND_DISPLAY leads to a window system.");
        g_clear_pointer(&self.failure, g_free);
        return false;
    }
    return true;
}

bool sdl_thread_end(void)
{
    if (self.thread == NULL) {
        return true;
    }
    sdl_mail_quit(self.mail);
    if (!wait_beyond(UP, END_SECONDS)) {
        return false;
    }
    g_thread_join(g_steal_pointer(&self.thread));
    return true;
}
