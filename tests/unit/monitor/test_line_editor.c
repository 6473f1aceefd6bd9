/* The plain line editor: bytes typed, bytes sent back, lines handed on; completion of lines. */
#include <string.h>

#include "check_main.h"
#include "editor.h"
#include "fake_vm.h"

typedef struct Host {
    EditorHost host;
    GString *shown, *lines;             /* lines: each with '|' behind it */
    Monitor mon;
} Host;

static void host_write(void *opaque, const char *text, size_t len)
{
    g_string_append_len(((Host *)opaque)->shown, text, len);
}

static void host_line(void *opaque, const char *line)
{
    Host *host = opaque;

    g_string_append_printf(host->lines, "%s|", line);
    g_ptr_array_add(host->host.history, g_strdup(line));
}

static void host_complete(void *opaque, const char *line, Completion *result)
{
    complete_line(&((Host *)opaque)->mon, line, result);
}

static void *host_init(Host *host)
{
    *host = (Host){ .shown = g_string_new(NULL), .lines = g_string_new(NULL) };
    monitor_init(&host->mon, fake_vm());
    host->host = (EditorHost){ .opaque = host, .write = host_write, .line = host_line,
                               .complete = host_complete,
                               .history = g_ptr_array_new_with_free_func(g_free) };
    return line_editor.create(&host->host);
}

static void type(void *editor, const char *text)
{
    for (; *text != '\0'; text++) {
        line_editor.byte(editor, *text);
    }
}

static const struct { const char *typed, *lines; } edits[] = {
    { "abc\n", "abc|" },
    { "abc\r\n", "abc|" },                      /* one end of line, not two */
    { "a\rb\nc\r", "a|b|c|" },
    { "\n\n", "||" },
    { "abc\177\177d\n", "ad|" },
    { "\177\177a\n", "a|" },
    { "bc\001a\n", "abc|" },
    { "ac\033[Db\n", "abc|" },
    { "ac\002b\005d\n", "abcd|" },
    { "abc\001\004\n", "bc|" },
    { "abc\033[D\033[3~\n", "ab|" },
    { "abc\033[H\033OCx\n", "axbc|" },
    { "one two\027three\n", "one three|" },
    { "one two \027\027x\n", "x|" },
    { "abc\025d\n", "d|" },
    { "abc\002\002\013\n", "a|" },
    { "one\ntwo\n\033[A\033[A\n", "one|two|one|" },
    { "one\n\033[A!\n", "one|one!|" },
    { "one\n\033[A\033[Bx\n", "one|x|" },
    { "\033[Aa\n", "a|" },                      /* no history */
    { "\033[99;5Za\n", "a|" },                  /* a key nobody knows */
    { "\003\007a\n", "a|" },
    { "inf\tstat\t\n", "info status |" },
    { "x/8\t\n", "x/8|" },
};

START_TEST(edit_row)
{
    Host host;
    void *editor = host_init(&host);

    line_editor.prompt(editor);
    type(editor, edits[_i].typed);
    ck_assert_str_eq(host.lines->str, edits[_i].lines);
}
END_TEST

START_TEST(redraws_as_scripts_expect)
{
    Host host;
    void *editor = host_init(&host);

    line_editor.prompt(editor);
    type(editor, "p 1\n");
    ck_assert_str_eq(host.shown->str,
                     "(qemu) p\033[K\033[Dp \033[K\033[D\033[Dp 1\033[K\r\n");
}
END_TEST

START_TEST(a_line_has_an_end)
{
    g_autofree char *text = g_strnfill(2 * MONITOR_LINE_MAX, 'x');
    Host host;
    void *editor = host_init(&host);

    line_editor.prompt(editor);
    type(editor, text);
    type(editor, "\n");
    ck_assert_uint_eq(host.lines->len, MONITOR_LINE_MAX + 1);
}
END_TEST

START_TEST(steps_aside_and_comes_back)
{
    Host host;
    void *editor = host_init(&host);

    line_editor.prompt(editor);
    type(editor, "ab\002");
    g_string_truncate(host.shown, 0);
    line_editor.hide(editor);
    line_editor.show(editor);
    ck_assert_str_eq(host.shown->str, "\r\033[K(qemu) ab\033[K\033[D");
}
END_TEST

static const struct { const char *line, *words; size_t start; } completions[] = {
    { "sto", "stop", 0 },
    { "system_", "system_powerdown system_reset system_wakeup", 0 },
    { "info r", "ramblock registers roms", 5 },
    { "help info rom", "roms", 10 },
    { "help sto", "stop", 5 },
    { "help stop st", "", 10 },
    { "info mtree -", "-f", 11 },
    { "cpu ", "0", 4 },
    { "p $cs.", "$cs.base $cs.limit", 2 },
    { "x/8i $ri", "$rip", 5 },
    { "log no", "none", 4 },
    { "log in", "in_asm int", 4 },
    { "log int,in_", "in_asm", 8 },
    { "sendkey c", "ctrl", 8 },
    { "sendkey ctrl-a", "a alt", 13 },
    { "x $rsp+$rd", "$rdi $rdx", 7 },
    { "info registers -", "-a", 15 },
    { "nosuch a", "", 7 },
    { "info nosuch a", "", 12 },
    { "stop a", "", 5 },
};

START_TEST(completion_row)
{
    g_autofree char *joined = NULL;
    Completion result;
    Monitor mon;

    monitor_init(&mon, fake_vm());
    complete_line(&mon, completions[_i].line, &result);
    ck_assert_uint_eq(result.start, completions[_i].start);
    g_ptr_array_add(result.words, NULL);
    joined = g_strjoinv(" ", (char **)result.words->pdata);
    ck_assert_str_eq(joined, completions[_i].words);
    completion_finish(&result);
    monitor_finish(&mon);
}
END_TEST

CHECK_MAIN("line_editor", CASES(edit_row, edits), CASE(redraws_as_scripts_expect),
           CASE(a_line_has_an_end), CASE(steps_aside_and_comes_back),
           CASES(completion_row, completions))
