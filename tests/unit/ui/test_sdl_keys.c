#include <glib.h>

#include "check_main.h"
#include "keys.h"
#include "sdl_keys.h"

static const struct { SDL_Scancode scancode; const char *name; } keys[] = {
    { SDL_SCANCODE_A, "a" }, { SDL_SCANCODE_Z, "z" }, { SDL_SCANCODE_1, "1" },
    { SDL_SCANCODE_0, "0" }, { SDL_SCANCODE_RETURN, "ret" }, { SDL_SCANCODE_ESCAPE, "esc" },
    { SDL_SCANCODE_SPACE, "spc" }, { SDL_SCANCODE_F1, "f1" }, { SDL_SCANCODE_F12, "f12" },
    { SDL_SCANCODE_PRINTSCREEN, "print" }, { SDL_SCANCODE_PAUSE, "pause" },
    { SDL_SCANCODE_SCROLLLOCK, "scroll_lock" }, { SDL_SCANCODE_UP, "up" },
    { SDL_SCANCODE_KP_ENTER, "kp_enter" }, { SDL_SCANCODE_KP_MULTIPLY, "kp_multiply" },
    { SDL_SCANCODE_NONUSBACKSLASH, "less" }, { SDL_SCANCODE_NONUSHASH, "backslash" },
    { SDL_SCANCODE_APPLICATION, "compose" }, { SDL_SCANCODE_LCTRL, "ctrl" },
    { SDL_SCANCODE_RALT, "alt_r" }, { SDL_SCANCODE_RGUI, "meta_r" },
    { SDL_SCANCODE_INTERNATIONAL1, "ro" }, { SDL_SCANCODE_LANG1, "lang1" },
    { SDL_SCANCODE_VOLUMEUP, "volumeup" }, { SDL_SCANCODE_AUDIOPLAY, "audioplay" },
    { SDL_SCANCODE_SLEEP, "sleep" },
};

START_TEST(key_row)
{
    const KeyInfo *info = key_info(sdl_key(keys[_i].scancode));

    ck_assert_ptr_nonnull(info);
    ck_assert_str_eq(info->name, keys[_i].name);
}
END_TEST

START_TEST(other_scancodes_are_no_keys)
{
    ck_assert_uint_eq(sdl_key(SDL_SCANCODE_UNKNOWN), KEY_INVALID);
    ck_assert_uint_eq(sdl_key(SDL_SCANCODE_F24), KEY_INVALID);
    ck_assert_uint_eq(sdl_key(SDL_NUM_SCANCODES), KEY_INVALID);
}
END_TEST

static const struct { SDL_Keycode sym; Uint16 mod; uint32_t keysym; } keysyms[] = {
    { SDLK_a, 0, 0 }, { SDLK_a, KMOD_LSHIFT, 0 }, { SDLK_c, KMOD_LCTRL, 'c' },
    { SDLK_RETURN, 0, 0xff0d }, { SDLK_KP_ENTER, 0, 0xff0d }, { SDLK_BACKSPACE, 0, 0xff08 },
    { SDLK_TAB, KMOD_LSHIFT, 0xff09 }, { SDLK_UP, 0, 0xff52 }, { SDLK_PAGEUP, KMOD_LSHIFT, 0xff55 },
    { SDLK_KP_8, 0, 0xff52 }, { SDLK_KP_8, KMOD_NUM, 0 }, { SDLK_KP_PERIOD, 0, 0xffff },
    { SDLK_F1, 0, 0xffbe }, { SDLK_F12, 0, 0xffc9 }, { SDLK_LSHIFT, KMOD_LSHIFT, 0 },
    { SDLK_LCTRL, KMOD_LCTRL, 0 },
};

START_TEST(keysym_row)
{
    SDL_Keysym key = { .sym = keysyms[_i].sym, .mod = keysyms[_i].mod };

    ck_assert_uint_eq(sdl_keysym(key), keysyms[_i].keysym);
}
END_TEST

CHECK_MAIN("sdl_keys", CASES(key_row, keys), CASE(other_scancodes_are_no_keys),
           CASES(keysym_row, keysyms))
