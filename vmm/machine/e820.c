#include "e820.h"

void e820_add(E820Map *map, uint64_t addr, uint64_t end, E820Type type)
{
    g_assert(map->count < E820_MAX);
    if (end > addr) {
        map->entries[map->count++] = (E820Entry){ addr, end - addr, type };
    }
}
