/* Lines typed, what they print and what they do. */
#include <string.h>

#include "check_main.h"
#include "command.h"
#include "fake_vm.h"

#define HELP(name_) "Try \"help " name_ "\" for more information\n"

static const struct { const char *line, *text; } lines[] = {
    { "", "" },
    { "nosuch x", "unknown command: 'nosuch'\n" },
    { "stopp", "unknown command: 'stopp'\nDid you mean 'stop'?\n" },
    { "info nosuch", "unknown command: 'info nosuch'\n" },
    { "info statu", "unknown command: 'info statu'\nDid you mean 'info status'?\n" },
    { "cont", "Error: Resetting the Virtual Machine is required\n" },
    /* arguments */
    { "cpu", "unexpected end of expression\n" HELP("cpu") },
    { "cpu -1", "'cpu' has failed: integer is for 32-bit values\n" HELP("cpu") },
    { "cpu 1", "invalid CPU index\n" },
    { "s now", "stop|s: extraneous characters at the end of line: 'now'\n" HELP("s") },
    { "info registers -x", "registers: unsupported option -x\n" HELP("info registers") },
    { "info registers -a -a", "invalid char 'a' in expression\n" HELP("info registers") },
    { "memsave 0 1", "memsave: string expected\n" HELP("memsave") },
    { "memsave 0 1 \"a", "memsave: string expected\nunterminated string\n" HELP("memsave") },
    { "memsave 0 1 \"\\z\"",
      "memsave: string expected\nunsupported escape code: '\\z'\n" HELP("memsave") },
    { "logfile", "logfile: filename expected\n" HELP("logfile") },
    /* print */
    { "p 1", "0x1\n" },
    { "p/d 0x10", "16\n" },
    { "p 5", "5\n" },
    { "p /x 0", "0\n" },
    { "p /o 8", "010\n" },
    { "p /u -1", "18446744073709551615\n" },
    { "p /d -5", "-5\n" },
    { "p /c 39", "'\\''\n" },
    { "p /c 200", "'\\xc8'\n" },
    { "p /z 1", "invalid char in format: 'z'\n" HELP("p") },
    { "p 1 2", "print|p: extraneous characters at the end of line: '2'\n" HELP("p") },
    { "print $rcx", "'\\x02'\n" },
    /* memory */
    { "xp /8xb 0", "0000000000000000: 0x00 0x01 0x02 0x03 0x04 0x05 0x06 0x07\n" },
    { "xp 0x10", "0000000000000010: 0x10\n" },
    { "xp /5xw 0", "0000000000000000: 0x03020100 0x07060504 0x0b0a0908 0x0f0e0d0c\n"
                   "0000000000000010: 0x13121110\n" },
    { "xp /3dh 0", "0000000000000000:   256   770  1284\n" },
    { "xp /2ug 0", "0000000000000000:   506097522914230528  1084818905618843912\n" },
    { "xp /2ow 0", "0000000000000000:  0300400400  0701402404\n" },
    { "xp /1dg 0xf0", "00000000000000f0:  -579005069656919568\n" },
    { "xp /9cb 0x3a", "000000000000003a: ':' ';' '<' '=' '>' '?' '@' 'A'\n"
                      "0000000000000042: 'B'\n" },
    { "xp /2cw 0x41", "0000000000000041: 'A' 'B' 'C' 'D' 'E' 'F' 'G' 'H'\n" },
    { "xp /2xg 0xfff8", "000000000000fff8: Cannot access memory\n" },
    { "xp /0x 0", "" },
    { "x /2xb0", "invalid char in format: '0'\n" HELP("x") },
    { "x /-1xb 0", "invalid char in format: '-'\n" HELP("x") },
    { "x /1xw $rip", "0000000000000010: 0x13121110\n" },
    { "xp /2i 0x50", "0x00000050:  50                       pushq    %rax\n"
                     "0x00000051:  51                       pushq    %rcx\n" },
    { "gva2gpa 0x123", "gpa: 0x123\n" },
    { "gpa2hva 0x100000", "No memory is mapped at address 0x100000\n" },
    { "sum 0 0", "00000\n" },
    { "sum 0 0xffffffff", "Error: at most 256 MiB can be summed at once\n" },
    { "i /xb 0x80", "portb[0x0080] = 0xff\n" },
    { "i /h 0x12345", "portw[0x2345] = 0xffff\n" },
    { "i /w 0x80", "portl[0x0080] = 0xffffffff\n" },
    { "info status", "VM status: paused (prelaunch)\n" },
    { "info version", "7.2.22 (rhea test)\n" },
    { "info name", "" },
    { "info uuid", "1f8e6f7e-5a70-4780-89c1-464dc0e7f308\n" },
    { "info kvm", "kvm support: disabled\n" },
    { "info cpus", "* CPU #0: thread_id=100\n  CPU #1: thread_id=101\n" },
    { "info chardev", "serial0: filename=pty:/dev/pts/0\n" },
    { "ringbuf_read rb 9", "a\\\\\\u0001b\n\n" },
    { "info history", "" },
    { "help stop", "stop|s  -- pause the machine\nExample: stop\nQMP: stop\n" },
    { "set", "terminal: off\npager: off\ncolor: off\n" },
    { "set pagr", "Error: there is no setting 'pagr'\nDid you mean 'pager'?\n" },
    { "json stop {\"a\": 1} x", "Error: 'x' follows the arguments\n" },
    { "json stop {\"a\": 1}", "Error: Parameter 'a' is unexpected\n" },
    { "json query-block a=1", "Error: query-block has no argument 'a'\n" },
    { "json human-monitor-command x",
      "Error: human-monitor-command makes no sense from inside a monitor\n" },
    { "set pager on", "Error: only an interactive monitor can be set\n" },
    { "watch info status",
      "Error: there is nobody to watch: this is not an interactive monitor\n" },
    { "json info kvm", "{\n    \"enabled\": false,\n    \"present\": true\n}\n" },
    { "json ringbuf_read rb 9", "\"a\\\\\\u0001b\\n\"\n" },
    { "json info pci nosuch", "Error: pci: extraneous characters at the end of line: 'nosuch'\n" },
    { "json info qtree", "Error: no QMP command does what info qtree does\n" },
};

/* One conversation: formats stay from line to line. */
START_TEST(lines_print)
{
    Monitor mon;

    monitor_init(&mon, fake_vm());
    for (size_t i = 0; i < G_N_ELEMENTS(lines); i++) {
        monitor_run_line(&mon, lines[i].line);
        ck_assert_msg(strcmp(mon.out->str, lines[i].text) == 0, "%s: %s", lines[i].line,
                      mon.out->str);
        g_string_truncate(mon.out, 0);
    }
    monitor_finish(&mon);
}
END_TEST

static const struct { const char *line, *calls; } actions[] = {
    { "stop", "stop " },
    { "s", "stop " },
    { "nmi", "nmi " },
    { "q", "quit " },
    { "system_reset", "system_reset " },
    { "system_powerdown", "system_powerdown " },
    { "system_wakeup", "system_wakeup " },
    { "ringbuf_write rb \"a\\tb\"", "" },            /* an escape nobody knows */
    { "ringbuf_write rb \"a b\"", "ringbuf(rb,a b) " },
    { "memsave 0x10 4+4 \"a b\"", "memsave(0,0x10,8,a b) " },
    { "pmemsave 1<<4 16 file", "pmemsave(0x10,16,file) " },
    { "sendkey ctrl-alt-f1 50", "keys(ctrl-alt-f1,50) " },
    { "info mtree", "mtree " },
    { "info mtree -f", "mtree-flat " },
    { "info qom-tree /machine", "/machine " },
    { "info pic", "view " },
};

START_TEST(action_row)
{
    Monitor mon;

    monitor_init(&mon, fake_vm());
    g_string_truncate(fake_calls, 0);
    monitor_run_line(&mon, actions[_i].line);
    ck_assert_str_eq(fake_calls->str, actions[_i].calls);
    monitor_finish(&mon);
}
END_TEST

START_TEST(output_has_an_end)
{
    Monitor mon;

    monitor_init(&mon, fake_vm());
    fake_vm();
    for (int i = 0; i < 40000 && !mon.full; i++) {
        monitor_printf(&mon, "%01000d", 0);
    }
    ck_assert(mon.full);
    ck_assert_uint_lt(mon.out->len, MONITOR_OUT_LIMIT + 4096);
    ck_assert(g_str_has_suffix(mon.out->str, "]\n"));
    monitor_finish(&mon);
}
END_TEST

START_TEST(every_row_is_whole)
{
    const GPtrArray *const lists[] = { monitor_commands(), monitor_topics() };

    for (size_t l = 0; l < G_N_ELEMENTS(lists); l++) {
        for (guint i = 0; i < lists[l]->len; i++) {
            const Command *cmd = g_ptr_array_index(lists[l], i);
            unsigned args = 0;

            ck_assert_msg(cmd->run != NULL && cmd->help != NULL, "%s", cmd->name);
            for (const CmdArg *arg = cmd->args; arg != NULL && arg->name != NULL; arg++) {
                ck_assert_msg(arg->help != NULL, "%s %s", cmd->name, arg->name);
                args++;
            }
            ck_assert_uint_le(args, CMD_ARGS_MAX);
            ck_assert_ptr_eq(command_find(lists[l], cmd->name), cmd);
        }
    }
}
END_TEST

CHECK_MAIN("monitor", CASE(lines_print), CASES(action_row, actions), CASE(output_has_an_end),
           CASE(every_row_is_whole))
