/* What SDL tells, and the hot-keys. */
#include "sdl_keys.h"
#include "sdl_user.h"

#include "input.h"
#include "keys.h"

#define CONSOLE_KEYS    9                       /* Ctrl-Alt-1 to Ctrl-Alt-9 */

static void post_to(SdlUser *user, SdlWindow *window, SdlPost post)
{
    post.screen = sdl_screen_ref(window->screen);
    sdl_mail_post(user->mail, &post);
}

/* ---- hot-keys ---- */

static void toggle_full_screen(SdlUser *user, SdlWindow *window)
{
    sdl_window_set_full_screen(window, !window->full_screen);
    sdl_user_grab(user, window->full_screen ? window : NULL);
}

static void toggle_grab(SdlUser *user, SdlWindow *window)
{
    sdl_user_grab(user, user->grabbed == NULL ? window : NULL);
}

static void unscale(SdlUser *user, SdlWindow *window)
{
    sdl_window_unscale(window);
}

static void enlarge(SdlUser *user, SdlWindow *window)
{
    sdl_window_zoom(window, true);
}

static void shrink(SdlUser *user, SdlWindow *window)
{
    sdl_window_zoom(window, false);
}

static const struct {
    SDL_Scancode scancode;
    void (*run)(SdlUser *user, SdlWindow *window);
} hot_keys[] = {
    { SDL_SCANCODE_F, toggle_full_screen }, { SDL_SCANCODE_G, toggle_grab },
    { SDL_SCANCODE_U, unscale },
    { SDL_SCANCODE_EQUALS, enlarge }, { SDL_SCANCODE_KP_PLUS, enlarge },
    { SDL_SCANCODE_MINUS, shrink }, { SDL_SCANCODE_KP_MINUS, shrink },
};
static const Uint16 hot_modifiers[] = {
    [SDL_GRAB_CTRL_ALT] = KMOD_LCTRL | KMOD_LALT,
    [SDL_GRAB_SHIFT_CTRL_ALT] = KMOD_LSHIFT | KMOD_LCTRL | KMOD_LALT,
    [SDL_GRAB_RIGHT_CTRL] = KMOD_RCTRL,
};

/* True: the key is ours, not the guest's. */
static bool run_hot_key(SdlUser *user, SdlWindow *window, const SDL_KeyboardEvent *event)
{
    Uint16 needed = hot_modifiers[user->config->grab_keys];
    SDL_Scancode code = event->keysym.scancode;

    if ((event->keysym.mod & needed) != needed) {
        return false;
    }
    if (code >= SDL_SCANCODE_1 && code < SDL_SCANCODE_1 + CONSOLE_KEYS) {
        if (!event->repeat) {
            sdl_mail_post(user->mail, &(SdlPost){ .kind = SDL_POST_TOGGLE,
                                                  .number = code - SDL_SCANCODE_1 + 1 });
        }
        return true;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(hot_keys); i++) {
        if (hot_keys[i].scancode == code) {
            if (!event->repeat) {
                hot_keys[i].run(user, window);
            }
            return true;
        }
    }
    return false;
}

/* ---- keys ---- */

static bool is_modifier(SDL_Scancode code)
{
    return code >= SDL_SCANCODE_LCTRL && code <= SDL_SCANCODE_RGUI;
}

static void on_key(SdlUser *user, SdlWindow *window, const SDL_Event *event)
{
    const SDL_Keysym *sym = &event->key.keysym;
    bool down = event->type == SDL_KEYDOWN;
    uint32_t bit = 1u << (sym->scancode % 32), *word = &user->down[sym->scancode / 32];
    uint32_t keysym = window->screen->is_text ? sdl_keysym(*sym) : 0;
    unsigned key = sdl_key(sym->scancode);

    if (down && run_hot_key(user, window, &event->key)) {
        return;
    }
    if (down && window->screen->is_text && keysym == 0 && !is_modifier(sym->scancode)) {
        return;                                 /* its characters come as text */
    }
    if (key == KEY_INVALID || (!down && !(*word & bit))) {
        return;                                 /* its going down was a hot-key, or elsewhere */
    }
    *word = down ? *word | bit : *word & ~bit;
    post_to(user, window, (SdlPost){ .kind = SDL_POST_KEY, .key = { key, keysym, down } });
}

static void on_text(SdlUser *user, SdlWindow *window, const SDL_Event *event)
{
    const char *end = memchr(event->text.text, '\0', sizeof(event->text.text));

    if (!window->screen->is_text || !g_utf8_validate(event->text.text, -1, &end)) {
        return;
    }
    for (const char *text = event->text.text; *text != '\0'; text = g_utf8_next_char(text)) {
        post_to(user, window, (SdlPost){ .kind = SDL_POST_CHARACTER,
                                         .character = g_utf8_get_char(text) });
    }
}

/* ---- mouse ---- */

static void post_pointer(SdlUser *user, SdlWindow *window, int x, int y, int dx, int dy)
{
    const SdlView *view = &window->view;
    SdlPost post = { .kind = SDL_POST_POINTER, .pointer = {
        .width = view->picture_width, .height = view->picture_height, .dx = dx, .dy = dy,
        .buttons = user->buttons, .grabbed = user->grabbed == window && !user->absolute } };

    if (view->picture_width > 0) {
        sdl_view_point(view, x, y, &post.pointer.x, &post.pointer.y);
        post_to(user, window, post);
    }
}

static void on_motion(SdlUser *user, SdlWindow *window, const SDL_Event *event)
{
    post_pointer(user, window, event->motion.x, event->motion.y, event->motion.xrel,
                 event->motion.yrel);
}

static const uint8_t buttons[] = {
    [SDL_BUTTON_LEFT] = INPUT_BUTTON_LEFT, [SDL_BUTTON_MIDDLE] = INPUT_BUTTON_MIDDLE,
    [SDL_BUTTON_RIGHT] = INPUT_BUTTON_RIGHT, [SDL_BUTTON_X1] = INPUT_BUTTON_SIDE,
    [SDL_BUTTON_X2] = INPUT_BUTTON_EXTRA,
};

static void on_button(SdlUser *user, SdlWindow *window, const SDL_Event *event)
{
    const SDL_MouseButtonEvent *press = &event->button;
    bool down = event->type == SDL_MOUSEBUTTONDOWN;
    unsigned bit;

    if (press->button == 0 || press->button >= G_N_ELEMENTS(buttons)) {
        return;
    }
    if (down && press->button == SDL_BUTTON_LEFT && !user->absolute && user->grabbed == NULL &&
        !window->screen->is_text) {
        sdl_user_grab(user, window);            /* this click is not the guest's */
        return;
    }
    bit = 1u << buttons[press->button];
    user->buttons = down ? user->buttons | bit : user->buttons & ~bit;
    post_pointer(user, window, press->x, press->y, 0, 0);
}

static void on_wheel(SdlUser *user, SdlWindow *window, const SDL_Event *event)
{
    int sign = event->wheel.direction == SDL_MOUSEWHEEL_FLIPPED ? -1 : 1;

    post_to(user, window, (SdlPost){ .kind = SDL_POST_WHEEL, .wheel = {
        event->wheel.x * sign, event->wheel.y * sign } });
}

/* ---- windows ---- */

static void on_focus(SdlUser *user, SdlWindow *window)
{
    user->focus = window;
    if (window->screen->is_text) {
        sdl.StartTextInput();
    } else {
        sdl.StopTextInput();                    /* no input method between the guest and its keys */
    }
    post_to(user, window, (SdlPost){ .kind = SDL_POST_FOCUS });
}

static void post_visible(SdlUser *user, SdlWindow *window, bool visible)
{
    post_to(user, window, (SdlPost){ .kind = SDL_POST_VISIBLE, .visible = visible });
}

static void on_resized(SdlUser *user, SdlWindow *window, int width, int height)
{
    if (width > 0 && height > 0 && sdl_window_resized(window, width, height)) {
        post_to(user, window, (SdlPost){ .kind = SDL_POST_WISH, .size = { width, height } });
    }
}

static void on_window(SdlUser *user, SdlWindow *window, const SDL_Event *event)
{
    switch (event->window.event) {
    case SDL_WINDOWEVENT_EXPOSED:
    case SDL_WINDOWEVENT_SIZE_CHANGED:
        sdl_window_redraw(window);
        break;
    case SDL_WINDOWEVENT_RESIZED:
        on_resized(user, window, event->window.data1, event->window.data2);
        break;
    case SDL_WINDOWEVENT_FOCUS_GAINED:
        on_focus(user, window);
        break;
    case SDL_WINDOWEVENT_FOCUS_LOST:
        if (user->focus == window) {
            sdl_user_look_elsewhere(user);
        }
        break;
    case SDL_WINDOWEVENT_ENTER:
    case SDL_WINDOWEVENT_LEAVE:
        user->over = event->window.event == SDL_WINDOWEVENT_ENTER ? window : NULL;
        sdl_user_show_cursor(user);
        break;
    case SDL_WINDOWEVENT_CLOSE:
        post_to(user, window, (SdlPost){ .kind = SDL_POST_CLOSE });
        break;
    case SDL_WINDOWEVENT_MINIMIZED:
    case SDL_WINDOWEVENT_HIDDEN:
        post_visible(user, window, false);
        break;
    case SDL_WINDOWEVENT_RESTORED:
    case SDL_WINDOWEVENT_SHOWN:
        post_visible(user, window, true);
        break;
    }
}

static const struct {
    Uint32 type;
    void (*run)(SdlUser *user, SdlWindow *window, const SDL_Event *event);
} handlers[] = {
    { SDL_WINDOWEVENT, on_window }, { SDL_KEYDOWN, on_key }, { SDL_KEYUP, on_key },
    { SDL_TEXTINPUT, on_text }, { SDL_MOUSEMOTION, on_motion },
    { SDL_MOUSEBUTTONDOWN, on_button }, { SDL_MOUSEBUTTONUP, on_button },
    { SDL_MOUSEWHEEL, on_wheel },
};

void sdl_user_event(SdlUser *user, const SDL_Event *event)
{
    SdlWindow *window;

    if (event->type == SDL_QUIT) {
        sdl_mail_post(user->mail, &(SdlPost){ .kind = SDL_POST_LOST });
        return;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(handlers); i++) {
        if (handlers[i].type == event->type) {
            window = sdl_user_window(user, event->window.windowID);     /* all have it there */
            if (window != NULL) {
                handlers[i].run(user, window, event);
            }
            return;
        }
    }
}
