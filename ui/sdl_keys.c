#include "sdl_keys.h"

#include <glib.h>

#include "keys.h"
#include "keysyms.h"

/* Scan codes are usages of a USB keyboard, page 7, up to here; then follow those of media keys. */
#define USAGE_MAX 0xff

static const struct { SDL_Scancode scancode; const char *key; } media_keys[] = {
    { SDL_SCANCODE_AUDIONEXT, "audionext" }, { SDL_SCANCODE_AUDIOPREV, "audioprev" },
    { SDL_SCANCODE_AUDIOSTOP, "audiostop" }, { SDL_SCANCODE_AUDIOPLAY, "audioplay" },
    { SDL_SCANCODE_AUDIOMUTE, "audiomute" }, { SDL_SCANCODE_MEDIASELECT, "mediaselect" },
    { SDL_SCANCODE_MAIL, "mail" }, { SDL_SCANCODE_CALCULATOR, "calculator" },
    { SDL_SCANCODE_COMPUTER, "computer" }, { SDL_SCANCODE_AC_HOME, "ac_home" },
    { SDL_SCANCODE_AC_BACK, "ac_back" }, { SDL_SCANCODE_AC_FORWARD, "ac_forward" },
    { SDL_SCANCODE_AC_REFRESH, "ac_refresh" }, { SDL_SCANCODE_AC_BOOKMARKS, "ac_bookmarks" },
    { SDL_SCANCODE_SLEEP, "sleep" },
};

unsigned sdl_key(SDL_Scancode scancode)
{
    if (scancode == SDL_SCANCODE_NONUSHASH) {
        return key_find("backslash");           /* the same key of another keyboard */
    }
    if (scancode <= USAGE_MAX) {
        return key_from_hid(scancode);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(media_keys); i++) {
        if (media_keys[i].scancode == scancode) {
            return key_find(media_keys[i].key);
        }
    }
    return KEY_INVALID;
}

static const struct { SDL_Keycode keycode, keypad; uint32_t keysym; } editing[] = {
    { SDLK_HOME, SDLK_KP_7, KEYSYM_HOME }, { SDLK_LEFT, SDLK_KP_4, KEYSYM_LEFT },
    { SDLK_UP, SDLK_KP_8, KEYSYM_UP }, { SDLK_RIGHT, SDLK_KP_6, KEYSYM_RIGHT },
    { SDLK_DOWN, SDLK_KP_2, KEYSYM_DOWN }, { SDLK_PAGEUP, SDLK_KP_9, KEYSYM_PAGE_UP },
    { SDLK_PAGEDOWN, SDLK_KP_3, KEYSYM_PAGE_DOWN }, { SDLK_END, SDLK_KP_1, KEYSYM_END },
    { SDLK_INSERT, SDLK_KP_0, KEYSYM_INSERT }, { SDLK_DELETE, SDLK_KP_PERIOD, KEYSYM_DELETE },
};
static const struct { SDL_Keycode keycode; uint32_t keysym; } plain[] = {
    { SDLK_BACKSPACE, KEYSYM_BACKSPACE }, { SDLK_TAB, KEYSYM_TAB }, { SDLK_RETURN, KEYSYM_RETURN },
    { SDLK_KP_ENTER, KEYSYM_RETURN }, { SDLK_ESCAPE, KEYSYM_ESCAPE },
};

uint32_t sdl_keysym(SDL_Keysym key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(plain); i++) {
        if (key.sym == plain[i].keycode) {
            return plain[i].keysym;
        }
    }
    for (size_t i = 0; i < G_N_ELEMENTS(editing); i++) {
        if (key.sym == editing[i].keycode ||
            (key.sym == editing[i].keypad && !(key.mod & KMOD_NUM))) {
            return editing[i].keysym;
        }
    }
    if (key.sym >= SDLK_F1 && key.sym <= SDLK_F12) {
        return KEYSYM_F(1 + key.sym - SDLK_F1);
    }
    return key.mod & KMOD_CTRL && key.sym >= ' ' && key.sym <= '~' ? key.sym : 0;
}
