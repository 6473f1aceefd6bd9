/* Z and z: break and watch points.  GDB manual, E.2 "Packets". */
#include "gdb.h"

/* Digits of Z0 … Z4. */
static const int kinds[] = { BREAK_SOFT, BREAK_HARD, WATCH_WRITE, WATCH_READ, WATCH_ACCESS };

/* "TYPE,ADDR,KIND": an x86 break point's kind is always 1, a watch point's its length. */
static GdbAnswer take_point(GdbCursor *args, BreakPoint *at)
{
    uint64_t type, len;

    if (!gdb_take_number(args, &type) || !gdb_take(args, ",") ||
        !gdb_take_range(args, &at->addr, &len) || gdb_left(args) > 0) {
        return GDB_INVALID;
    }
    if (type >= G_N_ELEMENTS(kinds)) {
        return GDB_UNKNOWN;
    }
    at->kind = kinds[type];
    at->len = at->kind == BREAK_SOFT || at->kind == BREAK_HARD ? 1 : len;
    return GDB_OK;
}

static bool is_there(const GdbSession *session, const BreakPoint *at)
{
    const GPtrArray *points = debug_points(session->vm);

    for (guint i = 0; i < points->len; i++) {
        const DebugPoint *point = g_ptr_array_index(points, i);

        if (point->owner == DEBUG_OWNER_GDB && point->at.kind == at->kind &&
            point->at.addr == at->addr && point->at.len == at->len) {
            return true;
        }
    }
    return false;
}

GdbAnswer gdb_insert_point(GdbSession *session, GdbCursor args)
{
    BreakPoint at;
    GdbAnswer answer = take_point(&args, &at);

    if (answer != GDB_OK) {
        return answer;
    }
    return debug_add(session->vm, DEBUG_OWNER_GDB, &at, NULL, false, NULL, NULL) ? GDB_OK
                                                                                 : GDB_INVALID;
}

/* What is not there need not be removed: both packets can be sent twice. */
GdbAnswer gdb_remove_point(GdbSession *session, GdbCursor args)
{
    BreakPoint at;
    GdbAnswer answer = take_point(&args, &at);

    if (answer != GDB_OK || !is_there(session, &at)) {
        return answer;
    }
    return debug_remove(session->vm, DEBUG_OWNER_GDB, &at, NULL) ? GDB_OK : GDB_INVALID;
}
