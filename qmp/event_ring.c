#include "event_ring.h"

static json_object *ring[EVENT_RING_SIZE];
static uint64_t end;                                    /* atomic */
static void (*watcher)(void);

void event_ring_add(json_object *event)
{
    json_object **slot = &ring[end % EVENT_RING_SIZE];

    json_object_put(*slot);
    *slot = json_object_get(event);
    __atomic_store_n(&end, end + 1, __ATOMIC_RELAXED);
    if (watcher != NULL) {
        watcher();
    }
}

uint64_t event_ring_end(void)
{
    return __atomic_load_n(&end, __ATOMIC_RELAXED);
}

uint64_t event_ring_start(void)
{
    return end > EVENT_RING_SIZE ? end - EVENT_RING_SIZE : 0;
}

json_object *event_ring_at(uint64_t position)
{
    return position >= event_ring_start() && position < end ? ring[position % EVENT_RING_SIZE]
                                                            : NULL;
}

void event_ring_watch(void (*fn)(void))
{
    watcher = fn;
}
