/* SDL's thread: from SDL_Init() to SDL_Quit() nobody else calls SDL. */
#pragma once

#include "sdl_user.h"

/* Starts it and waits until it has a window system, at least; NULL: there is none. */
bool sdl_thread_start(SdlMail *mail, const SdlConfig *config, GError **error);
/*
 * Ends it.  False: it waits for a window system that does not answer; it goes with the process, and
 * keeps mail and config until then.
 */
bool sdl_thread_end(void);
