/*
 * The thread that has the terminal: writes pictures, reads keys.
 *
 * A terminal may take its time (a slow line, a stopped viewer).  So the thread alone writes to it,
 * without the machine lock, and there is one frame: the main thread fills it in while it has it,
 * then lends it to the thread until the terminal has taken the picture.  What changes meanwhile is
 * in the next one.
 *
 * Functions and callbacks: main thread, machine lock held.
 */
#pragma once

#include "curses_screen.h"
#include "curses_view.h"

/* A key, or a click with the pixel it is at. */
typedef struct CursesEvent {
    CursesInput input;
    unsigned x, y, width, height;       /* of the mouse: of a screen so large */
} CursesEvent;

typedef struct CursesThreadOps {
    void (*input)(const CursesEvent *event, void *opaque);
    /* The frame is back; again: the same is to be shown once more, when it is. */
    void (*ready)(bool again, void *opaque);
} CursesThreadOps;

typedef struct CursesThread CursesThread;

/* The terminal is open (curses_tty.h).  `screen` and `page` are the thread's until it has ended. */
CursesThread *curses_thread_new(GMainContext *context, CursesScreen *screen, const CodePage *page,
                                const CursesThreadOps *ops, void *opaque);
void curses_thread_free(CursesThread *thread);          /* ends it; waits for no terminal */

CursesFrame *curses_thread_frame(CursesThread *thread);     /* NULL: the thread has it */
void curses_thread_show(CursesThread *thread);              /* lends it */
void curses_thread_hold(CursesThread *thread, bool hold);   /* whether it leaves input unread */
