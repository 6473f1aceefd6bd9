/* Symbols in what is typed and in what is shown. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check_main.h"
#include "command.h"
#include "complete.h"
#include "fake_vm.h"
#include "symbols.h"

#define MAP \
    "0010 T start\n" \
    "0040 t push_all.isra.0\n" \
    "0100 D counter\n" \
    "0108 d counter_max\n"

/* A conversation about a machine whose symbols are MAP's. */
static void begin(Monitor *mon)
{
    int fd = memfd_create("map", MFD_CLOEXEC);
    g_autofree char *file = g_strdup_printf("/proc/self/fd/%d", fd);

    monitor_init(mon, fake_vm());
    ck_assert_int_eq(write(fd, MAP, strlen(MAP)), strlen(MAP));
    ck_assert(vm_symbols_load(mon->vm, file, NULL));
    close(fd);
}

static const struct { const char *line, *text; } lines[] = {
    { "p counter", "0x100\n" },
    { "p counter_max - counter + 1", "0x9\n" },
    { "p push_all.isra.0*2", "0x80\n" },
    { "p (start)", "0x10\n" },
    { "x /1xw counter", "0000000000000100 <counter>: 0x03020100\n" },
    { "x /3xg counter+4", "0000000000000104 <counter+0x4>: 0x0b0a090807060504 0x131211100f0e0d0c\n"
                          "0000000000000114 <counter_max+0xc>: 0x1b1a191817161514\n" },
    { "x /1xw 0", "0000000000000000: 0x03020100\n" },
    { "x /1i 0x50",
      "0x00000050 <push_all.isra.0+0x10>:  50                       pushq    %rax\n" },
    { "x /1i 0x74", "0x00000074 <push_all.isra.0+0x34>:  74 75                    je       0xeb"
                    " <push_all.isra.0+0xab>\n" },
    { "xp /1i 0x74", "0x00000074:  74 75                    je       0xeb\n" },
    { "xp /1xw counter", "0000000000000100: 0x03020100\n" },
    { "info symbol counter+3", "0x103 is counter+0x3 (8 bytes, D)\n" },
    { "info symbol 1", "Error: no symbol lies at 0x1\n" },
    { "info backtrace", "#0  0x0000000000000010 start\n" },
    { "info backtrace 7", "Error: Parameter 'cpu-index' expects a CPU number\n" },
    { "symbol-file /nonexistent",
      "Error: cannot open '/nonexistent': No such file or directory\n" },
};

START_TEST(line_row)
{
    Monitor mon;

    begin(&mon);
    monitor_run_line(&mon, lines[_i].line);
    ck_assert_str_eq(mon.out->str, lines[_i].text);
    monitor_finish(&mon);
}
END_TEST

START_TEST(wrong_name_meets_the_nearest)
{
    Monitor mon;

    begin(&mon);
    monitor_run_line(&mon, "p countre");
    ck_assert_ptr_nonnull(strstr(mon.out->str, "no symbol 'countre' in /proc/self/fd/"));
    ck_assert_ptr_nonnull(strstr(mon.out->str, "\nDid you mean 'counter'?\n"));
    monitor_finish(&mon);
}
END_TEST

START_TEST(registers_say_where)
{
    Monitor mon;

    begin(&mon);
    monitor_run_line(&mon, "info registers");
    ck_assert_ptr_nonnull(strstr(mon.out->str, "RIP=0000000000000010 RFL="));
    ck_assert_ptr_nonnull(strstr(mon.out->str, " <start>\nES ="));
    monitor_finish(&mon);
}
END_TEST

START_TEST(source_is_told)
{
    Monitor mon;

    begin(&mon);
    monitor_run_line(&mon, "info symbols");
    ck_assert_ptr_nonnull(strstr(mon.out->str, ": 4 symbols\n"));
    g_string_truncate(mon.out, 0);
    monitor_run_line(&mon, "symbol-file");
    ck_assert_ptr_nonnull(strstr(mon.out->str, "Error: no symbols: no kallsyms"));
    g_string_truncate(mon.out, 0);
    monitor_run_line(&mon, "p counter");
    ck_assert_ptr_nonnull(strstr(mon.out->str, "invalid char 'c' in expression\n"));
    monitor_finish(&mon);
}
END_TEST

static const struct { const char *line, *words; } completions[] = {
    { "x /4xw cou", "counter counter_max" },
    { "x 8+star", "start" },
    { "print $cs.b", "$cs.base" },
    { "x zzz", "" },
    { "memsave push", "push_all.isra.0" },
};

START_TEST(completion_row)
{
    g_autofree char *joined = NULL;
    Completion result;
    Monitor mon;

    begin(&mon);
    complete_line(&mon, completions[_i].line, &result);
    g_ptr_array_add(result.words, NULL);
    joined = g_strjoinv(" ", (char **)result.words->pdata);
    ck_assert_str_eq(joined, completions[_i].words);
    completion_finish(&result);
    monitor_finish(&mon);
}
END_TEST

CHECK_MAIN("symbols", CASES(line_row, lines), CASE(wrong_name_meets_the_nearest),
           CASE(registers_say_where), CASE(source_is_told), CASES(completion_row, completions))
