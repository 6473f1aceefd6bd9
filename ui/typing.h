/*
 * Typing without a viewer: texts and key combinations, one after another, at the pace the guest
 * reads them.
 *
 * What is asked for waits behind what was asked for before, up to a limit, and while the machine
 * stands.  A reset of the machine, or a guest that reads no keys, ends all of it.
 *
 * Main thread, machine lock held.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Vm Vm;

#define TYPING_TEXT_MAX (64 * 1024)     /* characters of one text */

/* The guest has read all of it, or `error` says why not.  Never from within typing_text(). */
typedef void (*TypedFn)(void *opaque, const GError *error);

/*
 * Types `text`, UTF-8, as someone would in front of a guest that has `layout` loaded.  False, and
 * nothing is typed: a character is none of the layout's, which the error names, or too much waits.
 * done may be NULL.
 */
bool typing_text(Vm *vm, const char *text, const char *layout, TypedFn done, void *opaque,
                 GError **error);
/*
 * Presses the keys ("ctrl-alt-delete") one after another, holds them for hold_ms (0: 100) and lets
 * go in reverse.
 */
bool typing_keys(Vm *vm, const char *keys, unsigned hold_ms, GError **error);
