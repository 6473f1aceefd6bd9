/*
 * One conversation with gdb, for the gdb_*.c files: what gdb has chosen, and a table of packets.
 * GDB manual, appendix E.
 *
 * A packet's handler takes the text behind the packet's name as a cursor and says how to answer;
 * each packet gets exactly one answer, a resumed machine's when it stops.  Main thread, machine
 * lock held.  All that comes in is hostile: a cursor never leaves the packet, numbers are checked
 * where they are used.
 */
#pragma once

#include "debug.h"
#include "gdb_link.h"

typedef struct GdbSession {
    Vm *vm;
    GdbLink link;
    void *opaque;                       /* of write() */
    void (*write)(void *opaque, const void *buf, size_t len);
    GString *reply;                     /* what the handler that runs wants to say */
    unsigned cpu, resume_cpu;           /* Hg and Hc: what g, m, … and c, s are about */
    unsigned listed;                    /* qsThreadInfo: the next vCPU */
    bool multiprocess, swbreak, hwbreak;        /* qSupported: what gdb understands */
    bool step_interrupts;               /* Qqemu.sstep without NOIRQ: steps may enter handlers */
    bool physical;                      /* Qqemu.PhyMemMode: m and M take physical addresses */
    bool waiting;                       /* gdb has let the machine run and waits for it to stop */
} GdbSession;

/* A client has come: the machine stops.  write() must not fail and may queue. */
GdbSession *gdb_session_new(Vm *vm, void (*write)(void *opaque, const void *buf, size_t len),
                            void *opaque);
/* Its points go; the machine stays as it is.  Not from inside gdb_session_receive(). */
void gdb_session_free(GdbSession *session);
/* Takes bytes up to the first that is answered; returns how many. */
size_t gdb_session_receive(GdbSession *session, const uint8_t *buf, size_t len);
void gdb_session_interrupt(GdbSession *session);        /* Ctrl-C, a line's break */

extern char *(*gdb_run_command)(Vm *vm, const char *line, int cpu_index);   /* NULL: nobody can */

/* ---- handlers ---- */
typedef enum GdbAnswer {
    GDB_REPLY,                          /* session->reply */
    GDB_OK,
    GDB_UNKNOWN,                        /* no such packet: an empty answer */
    GDB_INVALID,                        /* malformed or impossible: E22 */
    GDB_NO_MEMORY,                      /* nothing at that address: E14 */
    GDB_NO_OBJECT,                      /* qXfer of what is not there: E00 */
    GDB_SAID,                           /* already, or when the machine stops */
} GdbAnswer;

typedef struct GdbCursor { const char *at, *end; } GdbCursor;

typedef struct GdbPacket {
    const char *name;                   /* what it begins with; NULL ends a table */
    GdbAnswer (*run)(GdbSession *session, GdbCursor args);
    bool alone;                         /* nothing may follow the name */
} GdbPacket;

extern const GdbPacket gdb_query_packets[];     /* q…, Q… */

/* gdb_cursor.c: take something and move behind it; false: not there, and nothing moved. */
bool gdb_take(GdbCursor *cursor, const char *text);
bool gdb_take_number(GdbCursor *cursor, uint64_t *value);       /* hex */
/* "ADDR,LENGTH" */
bool gdb_take_range(GdbCursor *cursor, uint64_t *addr, uint64_t *len);
bool gdb_take_bytes(GdbCursor *cursor, uint8_t *out, size_t len);       /* two hex digits each */
static inline size_t gdb_left(const GdbCursor *cursor) { return cursor->end - cursor->at; }

/* Thread n is vCPU n - 1; the one process is 1. */
enum { GDB_THREAD_ALL = -1, GDB_THREAD_ANY = 0 };
/* "p1.2", "2", "-1"; *thread is GDB_THREAD_*, or a vCPU that exists plus one. */
bool gdb_take_thread(const GdbSession *session, GdbCursor *cursor, int *thread);
void gdb_append_thread(const GdbSession *session, unsigned cpu, GString *out);
X86Cpu *gdb_cpu(const GdbSession *session, unsigned index);     /* state as of now */
void gdb_send_console(GdbSession *session, const char *text);   /* shown by gdb as it is */

/* gdb_regs.c */
GdbAnswer gdb_read_all(GdbSession *session, GdbCursor args);
GdbAnswer gdb_write_all(GdbSession *session, GdbCursor args);
GdbAnswer gdb_read_one(GdbSession *session, GdbCursor args);
GdbAnswer gdb_write_one(GdbSession *session, GdbCursor args);

/* gdb_mem.c */
GdbAnswer gdb_read_memory(GdbSession *session, GdbCursor args);
GdbAnswer gdb_write_memory(GdbSession *session, GdbCursor args);
GdbAnswer gdb_write_memory_binary(GdbSession *session, GdbCursor args);

/* gdb_points.c */
GdbAnswer gdb_insert_point(GdbSession *session, GdbCursor args);
GdbAnswer gdb_remove_point(GdbSession *session, GdbCursor args);

/* gdb_run.c */
GdbAnswer gdb_continue(GdbSession *session, GdbCursor args);
GdbAnswer gdb_continue_signal(GdbSession *session, GdbCursor args);
GdbAnswer gdb_step(GdbSession *session, GdbCursor args);
GdbAnswer gdb_step_signal(GdbSession *session, GdbCursor args);
GdbAnswer gdb_vcont(GdbSession *session, GdbCursor args);
void gdb_resume_all(GdbSession *session);
void gdb_run_event(Vm *vm, const VmEvent *event, void *session);        /* VmEventFn */
void gdb_send_stop(GdbSession *session);                /* why the machine stands */
