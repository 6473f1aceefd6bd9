/*
 * Connections to other machines, each of which can be cut from outside: what waits for a peer that
 * does not answer then sees an error.  Any thread, no other lock needed.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum YankType { YANK_BLOCK_NODE, YANK_CHARDEV } YankType;       /* QMP's order */

typedef struct YankKey { YankType type; const char *name; } YankKey;

/* Something that has connections; its name is copied. The other three do nothing for NULL. */
typedef struct YankEntry YankEntry;
YankEntry *yank_add(YankType type, const char *name);
void yank_remove(YankEntry *entry);
void yank_rename(YankEntry *entry, const char *name);
/* The one it has now; -1: none any more, told before the descriptor is closed. */
void yank_set_fd(YankEntry *entry, int fd);

/* Cuts the connections of all of them; one that is not there is an error, and nothing is done. */
bool yank_cut(const YankKey *keys, size_t n, GError **error);
void yank_foreach(void (*fn)(const YankKey *key, void *opaque), void *opaque);
