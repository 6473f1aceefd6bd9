/* The list of points, whoever made them. */
#include "debug.h"

/* Machine lock. */
static GPtrArray *points;               /* DebugPoint *, by id */

const GPtrArray *debug_points(Vm *vm)
{
    if (points == NULL) {
        points = g_ptr_array_new();
    }
    return points;
}
