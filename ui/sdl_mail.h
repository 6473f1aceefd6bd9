/*
 * What the main thread and the thread of SDL leave for each other.
 *
 * Neither waits for the other: the main thread leaves pictures, of which the newest counts, and one
 * rectangle around all that changed since they were last taken; SDL's thread leaves what the user
 * did, moves of the pointer added up.  The lock inside is held for moments, and never while SDL or
 * the machine is called.
 */
#pragma once

#include "console.h"

typedef struct SdlMail SdlMail;

/* A console that has, or may have, a window.  References keep its memory; any thread. */
typedef struct SdlScreen {
    int refs;                           /* atomic */
    /* constant */
    SdlMail *mail;
    char *label;                        /* NULL: that of the machine is enough */
    bool is_text;                       /* keys are characters; it comes and goes as asked */
    /* the main thread's: whose screen it is; NULL: the console has gone */
    void *owner;
    /* both threads', under the lock */
    Surface *surface;                   /* a reference */
    bool resized;                       /* since it was last taken; what follows too */
    ConsoleRect dirty;                  /* no width: nothing */
    bool shown, gone;
} SdlScreen;

SdlScreen *sdl_screen_ref(SdlScreen *screen);
void sdl_screen_unref(SdlScreen *screen);

typedef enum SdlPostKind {
    SDL_POST_KEY, SDL_POST_CHARACTER, SDL_POST_POINTER, SDL_POST_WHEEL,
    SDL_POST_FOCUS,                     /* on `screen`; NULL: the user looks elsewhere */
    SDL_POST_TOGGLE,                    /* the window of a console, by number */
    SDL_POST_WISH,                      /* the user gave the window that size */
    SDL_POST_VISIBLE,                   /* whether anything of it can be seen */
    SDL_POST_CLOSE,                     /* the user closed it */
    SDL_POST_LOST,                      /* the window system has gone */
} SdlPostKind;

typedef struct SdlPost {
    SdlPostKind kind;
    SdlScreen *screen;                  /* a reference, or NULL */
    union {
        struct { unsigned key; uint32_t keysym; bool down; } key;   /* keyboard_key() */
        uint32_t character;
        struct {
            unsigned x, y, width, height;       /* in a picture of that size */
            int dx, dy;                         /* as the user's hand moved */
            unsigned buttons;
            bool grabbed;                       /* motion is the guest's */
        } pointer;
        struct { int horizontal, vertical; } wheel;
        struct { unsigned width, height; } size;
        unsigned number;                        /* from 1 */
        bool visible;
    };
} SdlPost;

/* `posted`: called on SDL's thread when there is something for sdl_mail_take_posts(). */
SdlMail *sdl_mail_new(void (*posted)(void *opaque), void *opaque);
void sdl_mail_free(SdlMail *mail);                              /* no thread uses it any more */

/* ---- main thread ---- */

/* The label is copied.  The reference is the caller's; the list has its own. */
SdlScreen *sdl_mail_add(SdlMail *mail, const char *label, bool is_text, void *owner);
void sdl_screen_resized(SdlScreen *screen, Surface *surface);
void sdl_screen_changed(SdlScreen *screen, const ConsoleRect *rect);
void sdl_screen_show(SdlScreen *screen, bool shown);
bool sdl_screen_is_shown(SdlScreen *screen);
void sdl_screen_gone(SdlScreen *screen);                        /* its window closes */
/* The guest's pointer takes positions; the machine runs. */
void sdl_mail_set_machine(SdlMail *mail, bool absolute, bool running);
void sdl_mail_quit(SdlMail *mail);
/* All that waits, in order, n of it: for g_free(); each screen is a reference. */
SdlPost *sdl_mail_take_posts(SdlMail *mail, size_t *n);

/* ---- SDL's thread ---- */

typedef struct SdlNews {
    Surface *surface;                   /* a reference; NULL: the same as before */
    ConsoleRect dirty;
    bool shown, gone;
} SdlNews;

int sdl_mail_fd(const SdlMail *mail);                           /* readable: there is news */
void sdl_mail_seen(SdlMail *mail);                              /* before looking: not any more */
void sdl_mail_machine(SdlMail *mail, bool *absolute, bool *running, bool *quit);
/* The n-th screen; a reference, NULL: there are no more. */
SdlScreen *sdl_mail_screen(SdlMail *mail, size_t n);
void sdl_screen_take(SdlScreen *screen, SdlNews *news);
void sdl_mail_remove(SdlMail *mail, SdlScreen *screen);
/* Takes over post->screen's reference. */
void sdl_mail_post(SdlMail *mail, const SdlPost *post);
