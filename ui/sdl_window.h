/*
 * A window: shows a screen's picture, at its own size until the user gives it another.
 *
 * SDL's thread.
 */
#pragma once

#include "sdl_lib.h"
#include "sdl_mail.h"
#include "sdl_view.h"

typedef struct SdlWindow {
    SdlScreen *screen;                  /* a reference */
    SDL_Window *window;                 /* NULL: it has not been shown yet, or cannot be */
    Surface *surface;                   /* the screen's newest; a reference */
    SDL_Surface *picture;               /* what has been taken of it; NULL: no memory */
    SdlView view;
    unsigned asked_width, asked_height; /* of the window, last */
    bool shown;
    bool full_screen;                   /* may be set before it is shown */
    bool scaled;                        /* the size is the user's, not the picture's */
} SdlWindow;

SdlWindow *sdl_window_new(SdlScreen *screen);                   /* takes over the reference */
void sdl_window_free(SdlWindow *window);
/* Brings it up to date.  False: the screen has gone. */
bool sdl_window_update(SdlWindow *window);
void sdl_window_set_title(SdlWindow *window, const char *title);
void sdl_window_redraw(SdlWindow *window);                      /* also after its size changed */
/* The user or the window manager gave it that size; returns whether that is news for the guest. */
bool sdl_window_resized(SdlWindow *window, unsigned width, unsigned height);
void sdl_window_set_full_screen(SdlWindow *window, bool on);
void sdl_window_unscale(SdlWindow *window);
void sdl_window_zoom(SdlWindow *window, bool in);
