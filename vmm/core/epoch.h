/*
 * Epoch reclamation: readers never lock, writers free later.
 *
 * A reader brackets its use of a published pointer with epoch_enter()/epoch_leave() (cheap: one
 * store each; they nest).  A writer publishes the new object, then hands the old one to
 * epoch_retire(); it is freed once every reader that could have seen it has left.  Reclamation
 * runs in epoch_retire() itself, so retired memory is bounded by what is in use.  Threads register
 * themselves at first use.
 */
#pragma once

#include <glib.h>

void epoch_enter(void);
void epoch_leave(void);

/* Machine lock held.  `free_func(object)` runs now or in a later epoch_retire(). */
void epoch_retire(void *object, GDestroyNotify free_func);
