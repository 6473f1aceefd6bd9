/* SDL's keys as keys.h and text consoles have them.  Pure functions. */
#pragma once

#include <SDL.h>
#include <stdbool.h>
#include <stdint.h>

unsigned sdl_key(SDL_Scancode scancode);                        /* of keys.h; KEY_INVALID: none */
/*
 * What a text console is to hear with the key: the keysym of one that is no character, or the
 * letter that is held with a control key; 0: its characters come as text.
 */
uint32_t sdl_keysym(SDL_Keysym key);
