/*
 * m, M and X: guest memory by linear addresses, or by physical ones after Qqemu.PhyMemMode:1.
 *
 * Debug access: writes reach ROM, devices are never asked.  What a range does not cover ends a read
 * early, as the protocol allows; a write either has memory all the way or changes nothing behind
 * the first page that has none.
 */
#include "gdb.h"
#include "pagewalk.h"

enum { READ_MAX = GDB_PACKET_MAX / 2 };

typedef bool (*AccessFn)(GdbSession *session, uint64_t addr, void *buf, size_t len);

static bool read_piece(GdbSession *session, uint64_t addr, void *buf, size_t len)
{
    if (session->physical) {
        return mem_read_debug(&session->vm->memory, addr, buf, len) == MEM_OK;
    }
    return x86_read_linear(gdb_cpu(session, session->cpu), addr, buf, len);
}

static bool write_piece(GdbSession *session, uint64_t addr, void *buf, size_t len)
{
    if (session->physical) {
        return mem_write_debug(&session->vm->memory, addr, buf, len) == MEM_OK;
    }
    return x86_write_linear(gdb_cpu(session, session->cpu), addr, buf, len);
}

/* Page by page; returns how many bytes it came.  An address that overflows goes on at 0. */
static size_t access_pages(GdbSession *session, AccessFn fn, uint64_t addr, uint8_t *buf,
                           size_t len)
{
    size_t done = 0;

    while (done < len) {
        size_t piece = MIN(len - done, PAGE_SIZE_4K - (addr & (PAGE_SIZE_4K - 1)));

        if (!fn(session, addr, buf + done, piece)) {
            break;
        }
        addr += piece;
        done += piece;
    }
    return done;
}

GdbAnswer gdb_read_memory(GdbSession *session, GdbCursor args)
{
    uint8_t buf[READ_MAX];
    uint64_t addr, len;
    size_t got;

    if (!gdb_take_range(&args, &addr, &len) || gdb_left(&args) > 0 || len > READ_MAX) {
        return GDB_INVALID;
    }
    got = access_pages(session, read_piece, addr, buf, len);
    gdb_append_hex(session->reply, buf, got);
    return got > 0 || len == 0 ? GDB_REPLY : GDB_NO_MEMORY;
}

static GdbAnswer write_bytes(GdbSession *session, uint64_t addr, uint8_t *buf, size_t len)
{
    return access_pages(session, write_piece, addr, buf, len) == len ? GDB_OK : GDB_NO_MEMORY;
}

GdbAnswer gdb_write_memory(GdbSession *session, GdbCursor args)
{
    uint8_t buf[READ_MAX];
    uint64_t addr, len;

    if (!gdb_take_range(&args, &addr, &len) || !gdb_take(&args, ":") || len > READ_MAX ||
        gdb_left(&args) != 2 * len || !gdb_take_bytes(&args, buf, len)) {
        return GDB_INVALID;
    }
    return write_bytes(session, addr, buf, len);
}

GdbAnswer gdb_write_memory_binary(GdbSession *session, GdbCursor args)
{
    uint64_t addr, len;

    if (!gdb_take_range(&args, &addr, &len) || !gdb_take(&args, ":") || gdb_left(&args) != len) {
        return GDB_INVALID;
    }
    return write_bytes(session, addr, (uint8_t *)args.at, len);
}
