/* q and Q: what gdb asks and sets.  GDB manual, E.4 "General Query Packets". */
#include <string.h>

#include "gdb.h"
#include "gdb_regs.h"

/* ---- what both sides can do ---- */

static bool has_word(GdbCursor list, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = list.at; at < list.end;) {
        const char *next = memchr(at, ';', list.end - at);
        size_t piece = (next != NULL ? next : list.end) - at;

        if (piece == len && memcmp(at, word, len) == 0) {
            return true;
        }
        at += piece + 1;
    }
    return false;
}

static GdbAnswer query_supported(GdbSession *session, GdbCursor args)
{
    session->multiprocess = has_word(args, "multiprocess+");
    session->swbreak = has_word(args, "swbreak+");
    session->hwbreak = has_word(args, "hwbreak+");
    g_string_append_printf(session->reply,
                           "PacketSize=%x;qXfer:features:read+;vContSupported+;"
                           "QStartNoAckMode+;swbreak+;hwbreak+%s",
                           GDB_PACKET_MAX, session->multiprocess ? ";multiprocess+" : "");
    return GDB_REPLY;
}

/* This packet's own answer is the last one that is acknowledged. */
static GdbAnswer start_no_ack(GdbSession *session, GdbCursor args)
{
    gdb_link_send(&session->link, "OK", 2);
    session->link.no_ack = true;
    return GDB_SAID;
}

static GdbAnswer query_symbol(GdbSession *session, GdbCursor args)
{
    return GDB_OK;                                      /* there is no symbol we would ask for */
}

/* "ANNEX:OFFSET,LENGTH" */
static GdbAnswer query_features(GdbSession *session, GdbCursor args)
{
    const char *colon = memchr(args.at, ':', gdb_left(&args));
    g_autofree char *annex = NULL, *xml = NULL;
    uint64_t offset, len;
    size_t left;

    if (colon == NULL) {
        return GDB_INVALID;
    }
    annex = g_strndup(args.at, colon - args.at);
    args.at = colon + 1;
    if (!gdb_take_range(&args, &offset, &len) || gdb_left(&args) > 0) {
        return GDB_INVALID;
    }
    xml = gdb_target_xml(g_ptr_array_index(session->vm->cpus, 0), annex);
    if (xml == NULL || offset > strlen(xml)) {
        return GDB_NO_OBJECT;
    }
    left = strlen(xml) - offset;
    len = MIN(len, GDB_PACKET_MAX / 2);                 /* each byte may need an escape */
    g_string_append_c(session->reply, left > len ? 'm' : 'l');
    gdb_append_escaped(session->reply, xml + offset, MIN(left, len));
    return GDB_REPLY;
}

/* ---- threads ---- */

static GdbAnswer query_current(GdbSession *session, GdbCursor args)
{
    g_string_append(session->reply, "QC");
    gdb_append_thread(session, session->cpu, session->reply);
    return GDB_REPLY;
}

static GdbAnswer query_next_thread(GdbSession *session, GdbCursor args)
{
    if (session->listed >= session->vm->cpus->len) {
        g_string_append_c(session->reply, 'l');
        return GDB_REPLY;
    }
    g_string_append_c(session->reply, 'm');
    gdb_append_thread(session, session->listed++, session->reply);
    return GDB_REPLY;
}

static GdbAnswer query_first_thread(GdbSession *session, GdbCursor args)
{
    session->listed = 0;
    return query_next_thread(session, args);
}

/* What `info threads` shows behind a thread's number. */
static GdbAnswer query_thread_text(GdbSession *session, GdbCursor args)
{
    g_autofree char *text = NULL;
    const X86Cpu *cpu;
    int thread;

    if (!gdb_take_thread(session, &args, &thread) || gdb_left(&args) > 0 || thread <= 0) {
        return GDB_INVALID;
    }
    cpu = gdb_cpu(session, (unsigned)thread - 1);
    text = g_strdup_printf("CPU#%u [%s]", cpu->index,
                           cpu->halted || cpu->mp_state != MP_RUNNABLE ? "halted " : "running");
    gdb_append_hex(session->reply, text, strlen(text));
    return GDB_REPLY;
}

static GdbAnswer query_attached(GdbSession *session, GdbCursor args)
{
    g_string_append_c(session->reply, '1');             /* detaching leaves it running */
    return GDB_REPLY;
}

/* ---- the monitor ---- */

/* Text goes ahead of the answer in as many packets as it needs. */
static GdbAnswer run_command(GdbSession *session, GdbCursor args)
{
    size_t len = gdb_left(&args) / 2;
    g_autofree char *line = g_malloc0(len + 1), *text = NULL;

    if (gdb_run_command == NULL) {
        return GDB_UNKNOWN;
    }
    if (len == 0 || gdb_left(&args) % 2 != 0 || !gdb_take_bytes(&args, (uint8_t *)line, len)) {
        return GDB_INVALID;
    }
    text = gdb_run_command(session->vm, line, (int)session->cpu);
    gdb_send_console(session, text);
    return GDB_OK;
}

/* ---- QEMU's own ---- */

static GdbAnswer query_qemu_supported(GdbSession *session, GdbCursor args)
{
    g_string_append(session->reply, "sstepbits;sstep;PhyMemMode");
    return GDB_REPLY;
}

/* How a step is made: ENABLE cannot go, NOIRQ keeps interrupts out of it. */
enum { STEP_ENABLE = 1, STEP_NOIRQ = 2 };

static GdbAnswer query_step_bits(GdbSession *session, GdbCursor args)
{
    g_string_append_printf(session->reply, "ENABLE=%x,NOIRQ=%x", STEP_ENABLE, STEP_NOIRQ);
    return GDB_REPLY;
}

static GdbAnswer query_step(GdbSession *session, GdbCursor args)
{
    g_string_append_printf(session->reply, "0x%x",
                           STEP_ENABLE | (session->step_interrupts ? 0 : STEP_NOIRQ));
    return GDB_REPLY;
}

static GdbAnswer set_step(GdbSession *session, GdbCursor args)
{
    uint64_t bits;

    gdb_take(&args, "0x");                              /* as people type it */
    if (!gdb_take_number(&args, &bits) || gdb_left(&args) > 0 ||
        (bits | STEP_NOIRQ) != (STEP_ENABLE | STEP_NOIRQ)) {
        return GDB_INVALID;
    }
    session->step_interrupts = !(bits & STEP_NOIRQ);
    return GDB_OK;
}

static GdbAnswer query_physical(GdbSession *session, GdbCursor args)
{
    g_string_append_c(session->reply, session->physical ? '1' : '0');
    return GDB_REPLY;
}

static GdbAnswer set_physical(GdbSession *session, GdbCursor args)
{
    uint64_t on;

    if (!gdb_take_number(&args, &on) || gdb_left(&args) > 0) {
        return GDB_INVALID;
    }
    session->physical = on != 0;
    return GDB_OK;
}

const GdbPacket gdb_query_packets[] = {
    { "qSupported", query_supported, .alone = true },
    { "qSupported:", query_supported },
    { "QStartNoAckMode", start_no_ack, .alone = true },
    { "qXfer:features:read:", query_features },
    { "qC", query_current, .alone = true },
    { "qfThreadInfo", query_first_thread, .alone = true },
    { "qsThreadInfo", query_next_thread, .alone = true },
    { "qThreadExtraInfo,", query_thread_text },
    { "qAttached", query_attached, .alone = true },
    { "qAttached:", query_attached },
    { "qSymbol:", query_symbol },
    { "qRcmd,", run_command },
    { "qqemu.Supported", query_qemu_supported, .alone = true },
    { "qqemu.sstepbits", query_step_bits, .alone = true },
    { "qqemu.sstep", query_step, .alone = true },
    { "Qqemu.sstep=", set_step },
    { "qqemu.PhyMemMode", query_physical, .alone = true },
    { "Qqemu.PhyMemMode:", set_physical },
    {}
};
