/*
 * Line editors: from bytes typed to whole lines.
 *
 * `readline_editor` is GNU readline, for the terminal the program was started on; there is one at
 * most. `line_editor` is our own, for sockets and pseudo terminals: every change is redrawn with
 * the few escape sequences any client understands.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "complete.h"

#define MONITOR_PROMPT      "(qemu) "
#define MONITOR_LINE_MAX    4095            /* bytes; what is typed beyond is dropped */

/* The monitor an editor works for. */
typedef struct EditorHost {
    void *opaque;
    void (*write)(void *opaque, const char *text, size_t len);
    void (*line)(void *opaque, const char *line);       /* enter was pressed */
    void (*complete)(void *opaque, const char *line, Completion *result);
    GPtrArray *history;                     /* char *, oldest first; the host adds to it */
} EditorHost;

typedef struct EditorOps {
    void *(*create)(const EditorHost *host);
    void (*prompt)(void *editor);           /* shows the prompt and takes a new line */
    void (*byte)(void *editor, uint8_t byte);
    void (*leave)(void *editor);            /* gives up the line being edited */
    void (*hide)(void *editor);             /* somebody else writes: steps aside */
    void (*show)(void *editor);
} EditorOps;

extern const EditorOps line_editor, readline_editor;
bool readline_available(void);              /* nobody has it yet */
