#include "sdl_user.h"

/* ---- titles ---- */

static const char *const grab_hints[] = {
    [SDL_GRAB_CTRL_ALT] = " - Press Ctrl-Alt-G to exit grab",
    [SDL_GRAB_SHIFT_CTRL_ALT] = " - Press Ctrl-Alt-Shift-G to exit grab",
    [SDL_GRAB_RIGHT_CTRL] = " - Press Right-Ctrl-G to exit grab",
};

static void set_title(const SdlUser *user, SdlWindow *window)
{
    g_autoptr(GString) title = g_string_new("Rhea");

    if (user->config->machine_name != NULL) {
        g_string_append_printf(title, " (%s)", user->config->machine_name);
    }
    if (window->screen->label != NULL) {
        g_string_append_printf(title, " %s", window->screen->label);
    }
    if (!user->running) {
        g_string_append(title, " [Stopped]");
    } else if (window == user->grabbed) {
        g_string_append(title, grab_hints[user->config->grab_keys]);
    }
    sdl_window_set_title(window, title->str);
}

static void set_titles(const SdlUser *user)
{
    for (guint i = 0; i < user->windows->len; i++) {
        set_title(user, g_ptr_array_index(user->windows, i));
    }
}

/* ---- mouse ---- */

void sdl_user_show_cursor(SdlUser *user)
{
    bool guest_has_one = user->over != NULL && !user->over->screen->is_text && user->absolute &&
                         user->running;

    sdl.ShowCursor(guest_has_one && !user->config->show_cursor ? SDL_DISABLE : SDL_ENABLE);
}

static bool is_adapter(const SdlWindow *window)
{
    return window != NULL && !window->screen->is_text;
}

void sdl_user_grab(SdlUser *user, SdlWindow *window)
{
    SdlWindow *old = user->grabbed;

    if (old != NULL && old != window) {
        sdl.SetWindowGrab(old->window, SDL_FALSE);
    }
    user->grabbed = window;
    if (window != NULL) {
        sdl.SetWindowGrab(window->window, SDL_TRUE);
    }
    sdl.SetRelativeMouseMode(is_adapter(window) && !user->absolute);
    set_titles(user);
}

/* The guest's pointer takes positions now, or motion now. */
static void pointer_mode_changed(SdlUser *user)
{
    sdl_user_grab(user, user->grabbed != NULL && user->grabbed->full_screen ? user->grabbed : NULL);
    sdl_user_show_cursor(user);
}

void sdl_user_look_elsewhere(SdlUser *user)
{
    if (user->grabbed != NULL && !user->grabbed->full_screen) {
        sdl_user_grab(user, NULL);
    }
    user->focus = NULL;
    user->buttons = 0;
    memset(user->down, 0, sizeof(user->down));
    sdl_mail_post(user->mail, &(SdlPost){ .kind = SDL_POST_FOCUS });
}

/* ---- windows ---- */

SdlWindow *sdl_user_window(SdlUser *user, Uint32 id)
{
    for (guint i = 0; i < user->windows->len; i++) {
        SdlWindow *window = g_ptr_array_index(user->windows, i);

        if (window->window != NULL && sdl.GetWindowID(window->window) == id) {
            return window;
        }
    }
    return NULL;
}

static SdlWindow *window_of(SdlUser *user, SdlScreen *screen)
{
    SdlWindow *window;

    for (guint i = 0; i < user->windows->len; i++) {
        window = g_ptr_array_index(user->windows, i);
        if (window->screen == screen) {
            return window;
        }
    }
    window = sdl_window_new(sdl_screen_ref(screen));
    window->full_screen = user->config->full_screen && is_adapter(window) && user->windows->len == 0;
    g_ptr_array_add(user->windows, window);
    return window;
}

static void close_window(SdlUser *user, SdlWindow *window)
{
    if (window == user->focus) {
        sdl_user_look_elsewhere(user);
    }
    if (window == user->grabbed) {
        sdl_user_grab(user, NULL);
    }
    if (window == user->over) {
        user->over = NULL;
    }
    sdl_mail_remove(user->mail, window->screen);
    g_ptr_array_remove(user->windows, window);
}

static void first_shown(SdlUser *user, SdlWindow *window)
{
    set_title(user, window);
    if (window->full_screen) {
        sdl_user_grab(user, window);
    }
}

static bool update_window(SdlUser *user, SdlWindow *window)
{
    bool had_window = window->window != NULL, was_shown = window->shown;

    if (!sdl_window_update(window)) {
        close_window(user, window);
        return false;
    }
    if (!had_window && window->window != NULL) {
        first_shown(user, window);
    }
    if (was_shown && !window->shown && window == user->grabbed) {
        sdl_user_grab(user, NULL);
    }
    return true;
}

bool sdl_user_update(SdlUser *user)
{
    bool absolute, running, quit;
    SdlScreen *screen;
    size_t n = 0;

    sdl_mail_machine(user->mail, &absolute, &running, &quit);
    if (quit) {
        return false;
    }
    while ((screen = sdl_mail_screen(user->mail, n)) != NULL) {
        n += update_window(user, window_of(user, screen));
        sdl_screen_unref(screen);
    }
    if (running != user->running) {
        user->running = running;
        set_titles(user);
        sdl_user_show_cursor(user);
    }
    if (absolute != user->absolute) {
        user->absolute = absolute;
        pointer_mode_changed(user);
    }
    return true;
}

/* ---- life ---- */

static void free_window(gpointer window)
{
    sdl_window_free(window);
}

void sdl_user_init(SdlUser *user, SdlMail *mail, const SdlConfig *config)
{
    *user = (SdlUser){ .mail = mail, .config = config,
                       .windows = g_ptr_array_new_with_free_func(free_window) };
}

void sdl_user_finish(SdlUser *user)
{
    g_ptr_array_unref(user->windows);
}
