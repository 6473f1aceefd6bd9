/*
 * Screens: what a display adapter shows, and those who look.
 *
 * An adapter registers a Console and draws into its Surface when update() asks it to, which happens
 * only while somebody looks.  A watcher (a VNC server, a window, a terminal) hears of new surfaces
 * and of changed rectangles; whoever wants one picture calls console_refresh() and reads it.
 *
 * A text console (a chardev's terminal, "vc") is a Console without a Device that takes keys itself.
 *
 * While a console has watchers it is refreshed by itself: every CONSOLE_FAST_MS while things change,
 * less and less often, down to CONSOLE_SLOW_MS, while nothing does.
 *
 * Main thread, machine lock held.  A Surface never changes its size and is freed with its last
 * reference: a thread that encodes may keep one; it reads a picture that is being drawn into, and
 * what changed since is in the next rectangle.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "clock.h"

enum { CONSOLE_FAST_MS = 30, CONSOLE_SLOW_MS = 1000 };
enum { CONSOLE_WIDTH_MAX = 16384, CONSOLE_HEIGHT_MAX = 16384 };

typedef struct Device Device;
typedef struct Console Console;

typedef struct Surface {
    int refs;                           /* atomic */
    unsigned width, height;             /* pixels */
    uint32_t pixels[];                  /* 0x00RRGGBB, line after line */
} Surface;

Surface *surface_new(unsigned width, unsigned height);          /* black */
Surface *surface_ref(Surface *surface);                         /* any thread */
void surface_unref(Surface *surface);                           /* any thread */

typedef struct ConsoleRect { unsigned x, y, width, height; } ConsoleRect;

/*
 * A screen of characters.  An adapter's cells are as its memory holds them: code | attribute << 8,
 * in the guest's code page (437), the upper half is the adapter's.  A text console's are
 * code point | attribute << 24.  Attributes are VGA's: background in bits 4 to 6, bit 7 blinks on an
 * adapter and is a bright background on a text console.
 */
typedef struct ConsoleText {
    unsigned columns, rows, stride;     /* stride: cells from a row to the next */
    bool unicode;                       /* a text console's cells */
    const uint32_t *cells;
    int cursor_column, cursor_row;      /* -1: none is shown */
} ConsoleText;

typedef struct ConsoleOps {
    void (*update)(void *opaque);       /* brings the surface up to date: resize, changed */
    void (*invalidate)(void *opaque);   /* the next update draws everything */
    /* False: it shows graphics.  The cells stay good until the adapter is called again. */
    bool (*text)(void *opaque, ConsoleText *text);
    /* What a viewer would like, for the guest to see (EDID); NULL: the adapter cannot tell it. */
    void (*wish)(void *opaque, unsigned width, unsigned height);
    /* A text console: a character or CONSOLE_KEY_… was typed.  NULL: an adapter. */
    void (*typed)(void *opaque, uint32_t code);
} ConsoleOps;

/* What is typed into a text console beside characters (Unicode code points). */
enum {
    CONSOLE_KEY_UP = 0x110000, CONSOLE_KEY_DOWN, CONSOLE_KEY_LEFT, CONSOLE_KEY_RIGHT,
    CONSOLE_KEY_HOME, CONSOLE_KEY_END, CONSOLE_KEY_INSERT, CONSOLE_KEY_DELETE,
    CONSOLE_KEY_PAGE_UP, CONSOLE_KEY_PAGE_DOWN, CONSOLE_KEY_BACKSPACE,
    CONSOLE_KEY_SCROLL_UP, CONSOLE_KEY_SCROLL_DOWN,         /* through what has scrolled away */
    CONSOLE_KEY_SCROLL_PAGE_UP, CONSOLE_KEY_SCROLL_PAGE_DOWN,
    CONSOLE_KEY_F1 = 0x110101           /* to F12 */
};

/* ---- adapters ---- */
/* The console of `device`'s output `head`, black at first. */
Console *console_new(Device *device, unsigned head, const ConsoleOps *ops, void *opaque);
/* A text console; label is copied.  It stands behind the adapters' in the list. */
Console *console_new_text(Vm *vm, const char *label, const ConsoleOps *ops, void *opaque);
void console_set_label(Console *console, const char *label);    /* of a text console; copied */
void console_free(Console *console);
/* A new surface; no size larger than the limits above.  Nothing if the size is the same. */
void console_resize(Console *console, unsigned width, unsigned height);
/* The adapter has drawn there; cut to the surface. */
void console_changed(Console *console, unsigned x, unsigned y, unsigned width, unsigned height);

/* ---- everybody ---- */
Console *console_first(Vm *vm);                                 /* NULL: the machine has none */
Console *console_of(Vm *vm, const Device *device, unsigned head);       /* NULL: none */
const GPtrArray *console_list(Vm *vm);                              /* Console *, in order */
Device *console_device(const Console *console);                 /* NULL: a text console */
const char *console_label(const Console *console);      /* "vc0"; an adapter's: its id or type */
bool console_is_text(const Console *console);           /* keys are its own, not the guest's */
void console_typed(Console *console, uint32_t code);    /* into a text console */
unsigned console_head(const Console *console);
Surface *console_surface(Console *console);                     /* borrowed */
void console_refresh(Console *console);
void console_invalidate(Console *console);
bool console_text(Console *console, ConsoleText *text);
bool console_wish(Console *console, unsigned width, unsigned height);   /* false: it cannot tell */

/* ---- watchers ---- */
typedef struct ConsoleWatcher {
    void (*resized)(void *opaque, Surface *surface);
    void (*changed)(void *opaque, const ConsoleRect *rect);
    void (*gone)(void *opaque);         /* the adapter was unplugged; it watches nothing now */
    void *opaque;
} ConsoleWatcher;

/* The watcher's memory is the caller's.  It hears of the whole surface first. */
void console_watch(Console *console, ConsoleWatcher *watcher);
void console_unwatch(Console *console, ConsoleWatcher *watcher);
void console_hurry(Console *console);   /* somebody types: look often for a while */
