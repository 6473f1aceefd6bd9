/* Conversations with gdb about a machine that nobody runs. */
#include <string.h>

#include "../cpu/bare_cpu.h"
#include "check_main.h"
#include "gdb.h"

static BareCpu *bare;
static X86Cpu *second;
static GdbSession *session;
static GString *said;                   /* bodies of the packets that came, "-" for an empty one */
static size_t points;

static bool note_points(Vm *vm, const BreakPoint *list, size_t n, GError **error)
{
    points = n;
    return true;
}

static const AccelOps fake_accel = { .name = "fake", .set_breakpoints = note_points };

static void note_write(void *opaque, const void *buf, size_t len)
{
    const char *text = buf;

    if (len >= 4 && text[0] == '$') {
        g_string_append(said, said->len > 0 ? "|" : "");
        g_string_append_printf(said, "%.*s", len > 4 ? (int)len - 4 : 1, len > 4 ? text + 1 : "-");
    }
}

static void setup(void)
{
    bare = bare_cpu_new("qemu64,check=off", 2, 1, 0);
    second = x86_cpu_new(&bare->vm, 1, 1, bare->model);
    second->mp_state = MP_WAIT_FOR_SIPI;
    bare->vm.accel = &fake_accel;
    said = g_string_new(NULL);
    session = gdb_session_new(&bare->vm, note_write, NULL);
    session->link.no_ack = true;
}

static void teardown(void)
{
    gdb_session_free(session);
    debug_finish(&bare->vm);
    x86_cpu_free(second);
    bare_cpu_free(bare);
    g_string_free(said, TRUE);
}

/* Sends packets, parted by '|'; returns the answers in the same form. */
static const char *ask_bytes(const char *packets, size_t len)
{
    const char *end = packets + len;

    g_string_truncate(said, 0);
    while (packets <= end) {
        const char *bar = memchr(packets, '|', end - packets);
        size_t piece = (bar != NULL ? bar : end) - packets;
        g_autoptr(GString) text = g_string_new("$");
        uint8_t sum = 0;

        g_string_append_len(text, packets, piece);
        for (size_t i = 0; i < piece; i++) {
            sum += (uint8_t)packets[i];
        }
        g_string_append_printf(text, "#%02x", sum);
        ck_assert_uint_eq(gdb_session_receive(session, (uint8_t *)text->str, text->len),
                          text->len);
        packets += piece + 1;
    }
    return said->str;
}

static const char *ask(const char *packets)
{
    return ask_bytes(packets, strlen(packets));
}

static const struct { const char *packets, *answers; } rows[] = {
    /* threads */
    { "?", "T05thread:01;" },
    { "qSupported:multiprocess+|?", "PacketSize=4000;qXfer:features:read+;vContSupported+;"
      "QStartNoAckMode+;swbreak+;hwbreak+;multiprocess+|T05thread:p01.01;" },
    { "qfThreadInfo|qsThreadInfo|qsThreadInfo", "m01|m02|l" },
    { "qC|Hg2|qC", "QC01|OK|QC02" },
    { "Hg0|Hg-1|Hgp1.2|Hgp0.0|Hc-1|qC", "OK|OK|OK|OK|OK|QC02" },
    { "Hg3|Hgp2.1|Hx1|H|Hg|Hg1x", "E22|E22|E22|E22|E22|E22" },
    { "T1|T2|T3|Tp1.1|T|T-1", "OK|OK|E22|OK|E22|E22" },
    { "qThreadExtraInfo,2", "4350552331205b68616c746564205d" },
    { "qThreadExtraInfo,3|qThreadExtraInfo,0", "E22|E22" },
    /* registers */
    { "p10|P10=0000000000000000|p10", "f0ff000000000000|OK|0000000000000000" },
    { "p|pzz|p80|pffffffff|pfffffffffffffffff", "E22|E22|E14|E14|E22" },
    { "P10|P10=|P10=00|P10=000000000000000000|P10=000000000000000g|P80=00",
      "E22|E22|E22|E22|E22|E22" },
    { "G00|G0|Gxx|G", "E22|E22|E22|OK" },
    /* memory: 1 MiB of RAM at 0 */
    { "M10,3:616263|m10,4|m11,1", "OK|61626300|62" },
    { "X20,2:\xff}\x03|m20,2|X20,2:a", "OK|ff23|E22" },
    { "X20,0:", "OK" },
    { "m10,0|m|m10|m10,|m,4|m10,4x|m10,2001", "-|E22|E22|E22|E22|E22|E22" },
    { "M10,2:61|M10,1:6162|M10,1:6x|M10,1|M100000,1:00", "E22|E22|E22|E22|E14" },
    { "mfffff,2|m100000,1|mffffffffffffffff,2", "00|E14|E14" },     /* what is there of it */
    { "mffffffffffffffff0,1", "E22" },
    { "qqemu.PhyMemMode|Qqemu.PhyMemMode:1|qqemu.PhyMemMode|Qqemu.PhyMemMode:",
      "0|OK|1|E22" },
    /* steps */
    { "qqemu.sstepbits|qqemu.sstep|Qqemu.sstep=1|qqemu.sstep|Qqemu.sstep=0x3|qqemu.sstep",
      "ENABLE=1,NOIRQ=2|0x3|OK|0x1|OK|0x3" },
    { "Qqemu.sstep=0|Qqemu.sstep=2|Qqemu.sstep=5|Qqemu.sstep=|Qqemu.sstep=3x",
      "E22|E22|E22|E22|E22" },
    /* points */
    { "Z0,10,1|Z0,10,1|z0,10,1|z0,10,1", "OK|OK|OK|OK" },
    { "Z1,10,1|Z2,10,4|Z3,10,8|Z4,10,1|z2,10,4", "OK|OK|OK|OK|OK" },
    { "Z2,10,0|Z2,ffffffffffffffff,2|Z2,10,1001", "E22|E22|E22" },
    { "Z5,10,1|z5,10,1|Z|Z0|Z0,10|Z0,10,1;X1,0", "-|-|E22|E22|E22|E22" },
    /* description */
    { "qXfer:features:read:target.xml:0,5", "m<?xml" },
    { "qXfer:features:read:64bit-core.xml:ffff,5|qXfer:features:read:x:0,5", "E00|E00" },
    { "qXfer:features:read:target.xml|qXfer:features:read:target.xml:0", "E22|E22" },
    { "qXfer:threads:read::0,100", "-" },
    /* the rest */
    { "vMustReplyEmpty|foo||qCRC:0,1|qfThreadInfox|QFoo", "-|-|-|-|-|-" },
    { "qAttached|qAttached:1|qSymbol::|!", "1|1|OK|OK" },
    { "vCont?", "vCont;c;C;s;S" },
    { "vCont|vCont;|vCont;t|vCont;c:9|vCont;C|vCont;c:p1.1x", "E22|E22|E22|E22|E22|E22" },
    { "C|Cx|czz|s10x|C05;", "E22|E22|E22|E22" },
    { "vAttach;1|vAttach;2|vAttach;", "T05thread:01;|E22|E22" },
    { "vKill;2|D;2|D1", "E22|E22|E22" },
    { "qRcmd,6869", "-" },                               /* no monitor was given */
};

START_TEST(row)
{
    setup();
    ck_assert_str_eq(ask(rows[_i].packets), rows[_i].answers);
    teardown();
}
END_TEST

static char *echo(Vm *vm, const char *line, int cpu_index)
{
    return g_strdup_printf("%s on %d\n", line, cpu_index);
}

START_TEST(monitor_commands)
{
    setup();
    gdb_run_command = echo;
    ck_assert_str_eq(ask("Hg2|qRcmd,6869|qRcmd,|qRcmd,6|qRcmd,zz"),
                     "OK|O6869206f6e20310a|OK|E22|E22|E22");
    teardown();
}
END_TEST

/* A resumed machine answers once, when it stands. */
static const struct { RunState state; const char *stop; } stops[] = {
    { RUN_STATE_PAUSED, "T02thread:01;" },
    { RUN_STATE_SHUTDOWN, "T03thread:01;" },
    { RUN_STATE_INTERNAL_ERROR, "T06thread:01;" },
    { RUN_STATE_WATCHDOG, "T0ethread:01;" },
    { RUN_STATE_IO_ERROR, "T17thread:01;" },
    { RUN_STATE_GUEST_PANICKED, "T8fthread:01;" },
    { RUN_STATE_SAVE_VM, "" },
};

START_TEST(stop_row)
{
    setup();
    ck_assert_str_eq(ask("c"), "");
    ck_assert(vm_is_running(&bare->vm));
    vm_stop(&bare->vm, stops[_i].state);
    ck_assert_str_eq(said->str, stops[_i].stop);
    teardown();
}
END_TEST

START_TEST(interrupt)
{
    setup();
    gdb_session_interrupt(session);                     /* nothing runs: nothing to say */
    ck_assert_str_eq(said->str, "");
    ask("vCont;c");
    gdb_session_interrupt(session);
    ck_assert_str_eq(said->str, "T02thread:01;");
    ck_assert_int_eq(bare->vm.run_state, RUN_STATE_PAUSED);
    teardown();
}
END_TEST

/* It sleeps on, but gdb gets its prompt. */
START_TEST(interrupt_of_a_sleeping_guest)
{
    setup();
    ask("c");
    vm_set_run_state(&bare->vm, RUN_STATE_SUSPENDED);
    gdb_session_interrupt(session);
    ck_assert_str_eq(said->str, "T02thread:01;");
    ck_assert_str_eq(ask("c"), "");
    ck_assert_int_eq(bare->vm.run_state, RUN_STATE_SUSPENDED);
    teardown();
}
END_TEST

START_TEST(resuming_what_cannot_go_on)
{
    setup();
    ask("c");
    vm_stop(&bare->vm, RUN_STATE_SHUTDOWN);
    ck_assert_ptr_nonnull(strstr(ask("c"), "|E22"));
    ck_assert_str_eq(ask("D"), "OK");
    teardown();
}
END_TEST

/* A vCPU's action is the first that names it; who is not named stands. */
static const struct { const char *packet; bool single[2], hold[2]; } resumes[] = {
    { "vCont;c", { false, false }, { false, false } },
    { "vCont;s:1;c", { true, false }, { false, false } },
    { "vCont;s:1", { true, false }, { false, true } },
    { "vCont;S05:2;C00:1", { false, true }, { false, false } },
    { "vCont;c:-1;s:1", { false, false }, { false, false } },
    { "s", { true, false }, { false, false } },
    { "S05", { true, false }, { false, false } },
};

START_TEST(resume_row)
{
    X86Cpu *cpus[2];

    setup();
    ask(resumes[_i].packet);
    for (unsigned i = 0; i < 2; i++) {
        cpus[i] = g_ptr_array_index(bare->vm.cpus, i);
        ck_assert_int_eq(cpus[i]->single_step, resumes[_i].single[i]);
        ck_assert_int_eq(cpus[i]->debug_hold, resumes[_i].hold[i]);
    }
    vm_stop(&bare->vm, RUN_STATE_PAUSED);
    teardown();
}
END_TEST

START_TEST(points_leave_with_gdb)
{
    static const BreakPoint monitors = { BREAK_HARD, 0x50, 1 };

    setup();
    ck_assert(debug_add(&bare->vm, DEBUG_OWNER_MONITOR, &monitors, NULL, false, NULL, NULL));
    ask("Z0,10,1|Z2,20,4");
    ck_assert_uint_eq(points, 3);
    ask("?");                                           /* so do those of a gdb before this one */
    ck_assert_uint_eq(points, 1);
    ask("Z0,10,1|D");
    ck_assert_uint_eq(points, 1);
    ck_assert(vm_is_running(&bare->vm));
    vm_stop(&bare->vm, RUN_STATE_PAUSED);
    teardown();
}
END_TEST

START_TEST(a_client_stops_the_machine)
{
    setup();
    gdb_session_free(session);
    vm_start(&bare->vm);
    session = gdb_session_new(&bare->vm, note_write, NULL);
    ck_assert_int_eq(bare->vm.run_state, RUN_STATE_PAUSED);
    ck_assert_str_eq(said->str, "");
    teardown();
}
END_TEST

START_TEST(the_end)
{
    setup();
    ask("c");
    bare->vm.exit_code = 33;
    vm_emit(&bare->vm, &(VmEvent){ .kind = VM_EVENT_EXIT });
    ck_assert_str_eq(said->str, "W21");
    vm_stop(&bare->vm, RUN_STATE_PAUSED);
    teardown();
}
END_TEST

CHECK_MAIN("gdb", CASES(row, rows), CASE(monitor_commands), CASES(stop_row, stops),
           CASE(interrupt), CASE(interrupt_of_a_sleeping_guest), CASE(resuming_what_cannot_go_on),
           CASES(resume_row, resumes), CASE(points_leave_with_gdb),
           CASE(a_client_stops_the_machine), CASE(the_end))
