/* A conversation: its packets by name, its threads, how it begins and ends. */
#include <string.h>

#include "gdb.h"

char *(*gdb_run_command)(Vm *vm, const char *line, int cpu_index);

/* ---- threads ---- */

X86Cpu *gdb_cpu(const GdbSession *session, unsigned index)
{
    X86Cpu *cpu = g_ptr_array_index(session->vm->cpus, index);

    vcpu_sync(cpu);
    return cpu;
}

void gdb_append_thread(const GdbSession *session, unsigned cpu, GString *out)
{
    g_string_append_printf(out, session->multiprocess ? "p01.%02x" : "%02x", cpu + 1);
}

/* "-1" or a number that is at most `last`. */
static bool take_id(GdbCursor *cursor, uint64_t last, int *id)
{
    uint64_t number;

    if (gdb_take(cursor, "-1")) {
        *id = GDB_THREAD_ALL;
        return true;
    }
    if (!gdb_take_number(cursor, &number) || number > last) {
        return false;
    }
    *id = (int)number;
    return true;
}

/* "p1" alone means all of its threads: GDB manual, E.2, "thread-id". */
bool gdb_take_thread(const GdbSession *session, GdbCursor *cursor, int *thread)
{
    int process;

    if (gdb_take(cursor, "p")) {
        if (!take_id(cursor, 1, &process)) {
            return false;
        }
        if (!gdb_take(cursor, ".")) {
            *thread = GDB_THREAD_ALL;
            return true;
        }
    }
    return take_id(cursor, session->vm->cpus->len, thread);
}

/* H: "g" or "c", and the thread that those packets are about from now on */
static GdbAnswer set_thread(GdbSession *session, GdbCursor args)
{
    bool resume = gdb_take(&args, "c");
    int thread;

    if ((!resume && !gdb_take(&args, "g")) || !gdb_take_thread(session, &args, &thread) ||
        gdb_left(&args) > 0) {
        return GDB_INVALID;
    }
    if (thread > 0) {
        *(resume ? &session->resume_cpu : &session->cpu) = (unsigned)thread - 1;
    }
    return GDB_OK;
}

/* T: is there such a thread? */
static GdbAnswer thread_alive(GdbSession *session, GdbCursor args)
{
    int thread;

    return gdb_take_thread(session, &args, &thread) && gdb_left(&args) == 0 && thread > 0
               ? GDB_OK : GDB_INVALID;
}

/* ---- beginning and end ---- */

/* A gdb that asks why the machine stands knows of no points. */
static void begin_afresh(GdbSession *session)
{
    session->waiting = false;
    debug_remove_all(session->vm, DEBUG_OWNER_GDB);
    if (vm_is_running(session->vm)) {
        vm_stop(session->vm, RUN_STATE_PAUSED);
    }
}

static GdbAnswer why_stopped(GdbSession *session, GdbCursor args)
{
    begin_afresh(session);
    g_string_append(session->reply, "T05thread:");
    gdb_append_thread(session, session->cpu, session->reply);
    g_string_append_c(session->reply, ';');
    return GDB_REPLY;
}

/* The one process there is. */
static bool is_our_process(GdbCursor args)
{
    uint64_t pid;

    return gdb_take_number(&args, &pid) && gdb_left(&args) == 0 && pid == 1;
}

static GdbAnswer attach(GdbSession *session, GdbCursor args)
{
    if (!is_our_process(args)) {
        return GDB_INVALID;
    }
    session->cpu = session->resume_cpu = 0;
    return why_stopped(session, args);
}

/* A machine that cannot go on is left as it is: gdb may leave all the same. */
static GdbAnswer detach(GdbSession *session, GdbCursor args)
{
    if (gdb_left(&args) > 0 && !(gdb_take(&args, ";") && is_our_process(args))) {
        return GDB_INVALID;
    }
    debug_remove_all(session->vm, DEBUG_OWNER_GDB);
    gdb_resume_all(session);
    return GDB_OK;
}

static void quit(GdbSession *session)
{
    debug_remove_all(session->vm, DEBUG_OWNER_GDB);
    vm_request_shutdown(session->vm, SHUTDOWN_CAUSE_HOST_QMP_QUIT);
}

static GdbAnswer kill_process(GdbSession *session, GdbCursor args)
{
    if (!is_our_process(args)) {
        return GDB_INVALID;
    }
    quit(session);
    return GDB_OK;
}

/* k has no answer */
static GdbAnswer kill_machine(GdbSession *session, GdbCursor args)
{
    quit(session);
    return GDB_SAID;
}

/* Extended mode: nothing of it but that a gdb in it may detach and attach again. */
static GdbAnswer extended_mode(GdbSession *session, GdbCursor args)
{
    return GDB_OK;
}

static GdbAnswer vcont_actions(GdbSession *session, GdbCursor args)
{
    g_string_append(session->reply, "vCont;c;C;s;S");
    return GDB_REPLY;
}

/* ---- packets ---- */

static const GdbPacket packets[] = {
    { "!", extended_mode, .alone = true },
    { "?", why_stopped, .alone = true },
    { "g", gdb_read_all, .alone = true },
    { "G", gdb_write_all },
    { "p", gdb_read_one },
    { "P", gdb_write_one },
    { "m", gdb_read_memory },
    { "M", gdb_write_memory },
    { "X", gdb_write_memory_binary },
    { "c", gdb_continue },
    { "C", gdb_continue_signal },
    { "s", gdb_step },
    { "S", gdb_step_signal },
    { "vCont?", vcont_actions, .alone = true },
    { "vCont", gdb_vcont },
    { "vAttach;", attach },
    { "vKill;", kill_process },
    { "H", set_thread },
    { "T", thread_alive },
    { "Z", gdb_insert_point },
    { "z", gdb_remove_point },
    { "D", detach },
    { "k", kill_machine },
    {}
};

static GdbAnswer dispatch(GdbSession *session, GdbCursor text)
{
    bool query = gdb_left(&text) > 0 && (*text.at == 'q' || *text.at == 'Q');

    for (const GdbPacket *packet = query ? gdb_query_packets : packets; packet->name != NULL;
         packet++) {
        GdbCursor args = text;

        if (gdb_take(&args, packet->name) && (!packet->alone || gdb_left(&args) == 0)) {
            return packet->run(session, args);
        }
    }
    return GDB_UNKNOWN;
}

static void on_packet(void *opaque, const char *body, size_t len)
{
    static const char *const answers[] = {
        [GDB_OK] = "OK", [GDB_UNKNOWN] = "", [GDB_INVALID] = "E22", [GDB_NO_MEMORY] = "E14",
        [GDB_NO_OBJECT] = "E00",
    };
    GdbSession *session = opaque;
    GdbAnswer answer;

    g_string_truncate(session->reply, 0);
    answer = dispatch(session, (GdbCursor){ body, body + len });
    if (answer == GDB_REPLY) {
        gdb_link_send(&session->link, session->reply->str, session->reply->len);
    } else if (answer != GDB_SAID) {
        gdb_link_send(&session->link, answers[answer], strlen(answers[answer]));
    }
}

/* O: text for gdb's console, cut to what a packet holds. */
void gdb_send_console(GdbSession *session, const char *text)
{
    g_autoptr(GString) packet = g_string_new(NULL);
    size_t left = strlen(text);

    while (left > 0) {
        size_t piece = MIN(left, GDB_PACKET_MAX / 2 - 1);

        g_string_assign(packet, "O");
        gdb_append_hex(packet, text, piece);
        gdb_link_send(&session->link, packet->str, packet->len);
        text += piece;
        left -= piece;
    }
}

/* ---- life ---- */

static void on_interrupt(void *opaque)
{
    gdb_session_interrupt(opaque);
}

static void on_write(void *opaque, const void *buf, size_t len)
{
    GdbSession *session = opaque;

    session->write(session->opaque, buf, len);
}

GdbSession *gdb_session_new(Vm *vm, void (*write)(void *opaque, const void *buf, size_t len),
                            void *opaque)
{
    GdbSession *session = g_new0(GdbSession, 1);

    *session = (GdbSession){
        .vm = vm, .opaque = opaque, .write = write, .reply = g_string_new(NULL),
        .link = { .opaque = session, .packet = on_packet, .interrupt = on_interrupt,
                  .write = on_write },
    };
    gdb_link_init(&session->link);
    vm_subscribe(vm, gdb_run_event, session);
    begin_afresh(session);
    return session;
}

void gdb_session_free(GdbSession *session)
{
    if (session != NULL) {
        vm_unsubscribe(session->vm, gdb_run_event, session);
        debug_remove_all(session->vm, DEBUG_OWNER_GDB);
        gdb_link_finish(&session->link);
        g_string_free(session->reply, TRUE);
        g_free(session);
    }
}

size_t gdb_session_receive(GdbSession *session, const uint8_t *buf, size_t len)
{
    return gdb_link_receive(&session->link, buf, len);
}
