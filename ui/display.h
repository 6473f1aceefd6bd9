/*
 * Displays: the ways to see the machine's consoles and to type into them, a row each.
 *
 * A display watches consoles (console.h), and gives the guest keys (keyboard.h) and a pointer
 * (pointer.h).  What it does that may wait for a viewer, a window system or a terminal happens on
 * threads of its own, without the machine lock: no display holds the machine up.
 *
 * Functions run on the main thread with the machine lock held.
 */
#pragma once

#include <stdbool.h>

#include "option_row.h"
#include "vm_core.h"

typedef struct DisplayType {
    const char *name;                   /* -display NAME[,KEY=VALUE…] */
    const char *help;
    const KeyField *fields;             /* NULL: none, or the first word is a value (vnc=…) */
    /*
     * `opts` is what follows the name and its comma (vnc: its equals sign), "" if nothing does.
     * The machine stands and has not run yet.
     */
    bool (*open)(Vm *vm, const char *opts, GError **error);
    void (*close)(void);                /* every open display of the type; there may be none */
} DisplayType;

extern const DisplayType display_curses, display_sdl, display_vnc;

/* Rows for options_set_displays(): -display, -vnc, -k …. */
extern const Option display_options[];
/* One of the displays asked for draws on the terminal. */
bool displays_want_terminal(const Options *options);
/*
 * After parsing: a window where there is a window system, else VNC on this host's first free port;
 * nothing if something was said of displays.
 */
void displays_default(Options *options);
/* Terminals are as they were, viewers and windows gone.  May be called twice. */
void displays_close(void);
bool display_full_screen(void);                                 /* -full-screen was given */
/* The layout of -k, for displays and `type`; "en-us" unless told. */
const char *display_layout(void);
