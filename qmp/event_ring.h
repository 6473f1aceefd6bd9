/*
 * The last events that were sent, each with its position: the first of the process has 0.  Main
 * thread, machine lock, but event_ring_end(), which any thread may call.
 */
#pragma once

#include <glib.h>
#include <json.h>

enum { EVENT_RING_SIZE = 1024 };

void event_ring_add(json_object *event);
uint64_t event_ring_end(void);                          /* what the next event will have */
uint64_t event_ring_start(void);                        /* of the oldest that is kept */
json_object *event_ring_at(uint64_t position);          /* borrowed; NULL: not kept, not yet there */

/* Called behind each event_ring_add(). */
void event_ring_watch(void (*fn)(void));
