/* Expressions: values, what is left of the text behind them, and refusals. */
#include <glib.h>

#include "check_main.h"
#include "expr.h"

static X86Cpu cpu = {
    .gpr = { [R_RAX] = 0x1122334455667788, [R_RSP] = 0xffffffff82a03e98, [R_R8] = 8 },
    .rip = 0xfff0, .rflags = 0x206, .cr0 = 0x60000010,
    .seg = { [SEG_CS] = { .selector = 0xf000, .base = 0xffff0000, .limit = 0xffff } },
};

static const struct { const char *text; uint64_t value; const char *rest; } good[] = {
    { "1+2*3", 7, "" },
    { "(1+2)*3", 9, "" },
    { " 7 / 2 ", 3, "" },
    { "7%3", 1, "" },
    { "0x10", 16, "" },
    { "010", 8, "" },
    { "0xg", 0, "xg" },                     /* the number ends where C's would */
    { "1 2", 1, "2" },
    { "1.5", 1, ".5" },
    { "~0", UINT64_MAX, "" },
    { "-1", UINT64_MAX, "" },
    { "--1", 1, "" },
    { "+5", 5, "" },
    { "!0", 1, "" },
    { "5&3|8^1", 8, "" },                   /* one level, left to right, as QEMU has it */
    { "1<<4", 16, "" },
    { "1<<64", 0, "" },
    { "1 << 2 + 1", 8, "" },
    { "0x80 >> 3", 16, "" },
    { "3 < 4", 1, "" },
    { "3 >= 4", 0, "" },
    { "1 == 1 && 2 != 2 || 5", 1, "" },
    { "'a'", 97, "" },
    { "'''", 39, "" },
    { "18446744073709551615", UINT64_MAX, "" },
    { "18446744073709551615 + 1", 0, "" },
    { "2*(3+(4-1))", 12, "" },
    { "$rax", 0x1122334455667788, "" },
    { "$eax", 0x1122334455667788, "" },
    { "$sp+8", 0xffffffff82a03ea0, "" },
    { "$r8", 8, "" },
    { "$pc", 0xfffffff0, "" },              /* linear */
    { "$rip", 0xfff0, "" },
    { "$cs", 0xf000, "" },
    { "$cs.base", 0xffff0000, "" },
    { "$cs.limit", 0xffff, "" },
    { "$eflags & 0x200", 0x200, "" },
    { "$cr0", 0x60000010, "" },
};

START_TEST(value_row)
{
    g_autoptr(GError) error = NULL;
    const char *text = good[_i].text;
    uint64_t value = 0;

    ck_assert_msg(expr_eval(&cpu, &text, &value, &error), "%s: %s", good[_i].text,
                  error ? error->message : "");
    ck_assert_msg(value == good[_i].value, "%s: %#lx", good[_i].text, value);
    ck_assert_str_eq(text, good[_i].rest);
}
END_TEST

static const struct { const char *text, *message; } bad[] = {
    { "", "unexpected end of expression" },
    { "1+", "unexpected end of expression" },
    { "(1", "')' expected" },
    { "()", "invalid char ')' in expression" },
    { "abc", "invalid char 'a' in expression" },
    { "1/0", "division by zero" },
    { "1%0", "division by zero" },
    { "18446744073709551616", "number too large" },
    { "$", "unknown register" },
    { "$nosuch", "unknown register" },
    { "$ra", "unknown register" },
    { "'", "character constant expected" },
    { "'a", "missing terminating ' character" },
};

START_TEST(refusal_row)
{
    g_autoptr(GError) error = NULL;
    const char *text = bad[_i].text;
    uint64_t value;

    ck_assert(!expr_eval(&cpu, &text, &value, &error));
    ck_assert_str_eq(error->message, bad[_i].message);
}
END_TEST

START_TEST(no_cpu_no_registers)
{
    g_autoptr(GError) error = NULL;
    const char *text = "$rax";
    uint64_t value;

    ck_assert(!expr_eval(NULL, &text, &value, &error));
    ck_assert_str_eq(error->message, "unknown register");
}
END_TEST

START_TEST(depth_is_bounded)
{
    static const char nested[] = "(-~";

    for (const char *c = nested; *c != '\0'; c++) {
        g_autofree char *deep = g_strnfill(1000000, *c);
        g_autoptr(GError) error = NULL;
        const char *text = deep;
        uint64_t value;

        ck_assert(!expr_eval(&cpu, &text, &value, &error));
        ck_assert_str_eq(error->message, "expression is nested too deeply");
    }
}
END_TEST

CHECK_MAIN("expr", CASES(value_row, good), CASES(refusal_row, bad), CASE(no_cpu_no_registers),
           CASE(depth_is_bounded))
