/*
 * The user before the windows: what SDL tells of keys, mouse and windows, on its way to the main
 * thread, and what the hot-keys do with the windows.
 *
 * SDL's thread.
 */
#pragma once

#include "sdl_window.h"

typedef enum SdlGrabKeys {
    SDL_GRAB_CTRL_ALT, SDL_GRAB_SHIFT_CTRL_ALT, SDL_GRAB_RIGHT_CTRL
} SdlGrabKeys;

typedef struct SdlConfig {
    char *machine_name;                 /* in titles; NULL: none */
    bool full_screen, show_cursor;
    bool window_close;                  /* closing a window of the guest's ends the machine */
    SdlGrabKeys grab_keys;              /* held with the hot-keys */
} SdlConfig;

typedef struct SdlUser {
    SdlMail *mail;
    const SdlConfig *config;
    GPtrArray *windows;                 /* SdlWindow * */
    SdlWindow *focus, *grabbed, *over;  /* has the keyboard; keeps the mouse; is below it */
    bool absolute, running;             /* as the mail has them */
    unsigned buttons;                   /* bits of 1 << InputButton */
    uint32_t down[SDL_NUM_SCANCODES / 32];      /* keys the machine was told */
} SdlUser;

void sdl_user_init(SdlUser *user, SdlMail *mail, const SdlConfig *config);
void sdl_user_finish(SdlUser *user);                            /* closes the windows */
/* Looks at what the main thread has left.  False: it wants an end. */
bool sdl_user_update(SdlUser *user);
void sdl_user_event(SdlUser *user, const SDL_Event *event);     /* sdl_event.c */

/* ---- between the two files ---- */
SdlWindow *sdl_user_window(SdlUser *user, Uint32 id);           /* NULL: it has closed */
/* The window has mouse and keyboard until it is let go of; NULL: none has. */
void sdl_user_grab(SdlUser *user, SdlWindow *window);
void sdl_user_show_cursor(SdlUser *user);                       /* or not: as things are */
void sdl_user_look_elsewhere(SdlUser *user);                    /* the focus is lost */
