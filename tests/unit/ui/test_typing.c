#include <string.h>

#include "check_main.h"
#include "input_probe.h"
#include "typing.h"

static unsigned ended;
static char *failure;

static void on_typed(void *opaque, const GError *error)
{
    ended++;
    failure = error != NULL ? g_strdup(error->message) : NULL;
}

static void pass_ms(int ms)
{
    for (int i = 0; i < ms; i++) {
        advance_ns(NS_PER_MS);
    }
}

/* ---- texts ---- */

static const struct { const char *layout, *text, *seen; } texts[] = {
    { "en-us", "aB1!", "a+ a- shift+ b+ b- shift- 1+ 1- shift+ 1+ 1- shift-" },
    { "en-us", "a\n\t\b", "a+ a- ret+ ret- tab+ tab- backspace+ backspace-" },
    { "de", "zé@", "y+ y- equal+ equal- e+ e- alt_r+ q+ q- alt_r-" },
    { "fr", "a1", "q+ q- shift+ 1+ 1- shift-" },
};

START_TEST(text_keys)
{
    probe_machine(INPUT_REL);
    ck_assert(typing_text(&vm, texts[_i].text, texts[_i].layout, on_typed, NULL, NULL));
    ck_assert_uint_eq(ended, 0);
    pass_ms(20);
    expect_seen(texts[_i].seen);
    ck_assert_uint_eq(ended, 1);
    ck_assert_ptr_null(failure);
}
END_TEST

static const struct { const char *layout, *text, *error; } bad_texts[] = {
    { "en-us", "abc\xc3\xa9", "layout 'en-us' has no keys for 'é' (U+00E9), character 4 of the text" },
    { "en-us", "\x03", "layout 'en-us' has no keys for ' ' (U+0003), character 1 of the text" },
    { "ru", "ls", "layout 'ru' has no keys for 'l' (U+006C), character 1 of the text" },
    { "xx", "ls", "could not read keymap file: 'xx'" },
    { "en-us", "",   "there is no text to type" },
    { "en-us", "\xff", "the text is not UTF-8" },
};

START_TEST(text_refused)
{
    g_autoptr(GError) error = NULL;

    probe_machine(INPUT_REL);
    ck_assert(!typing_text(&vm, bad_texts[_i].text, bad_texts[_i].layout, on_typed, NULL, &error));
    ck_assert_msg(g_str_has_prefix(error->message, bad_texts[_i].error), "%s", error->message);
    pass_ms(20);
    expect_seen("");
    ck_assert_uint_eq(ended, 0);
}
END_TEST

START_TEST(too_much_text)
{
    g_autofree char *text = g_strnfill(TYPING_TEXT_MAX + 1, 'a');
    unsigned n = 0;

    probe_machine(INPUT_REL);
    ck_assert(!typing_text(&vm, text, "en-us", NULL, NULL, NULL));
    text[TYPING_TEXT_MAX] = '\0';
    while (typing_text(&vm, text, "en-us", NULL, NULL, NULL)) {
        n++;
    }
    ck_assert_uint_eq(n, 4);
}
END_TEST

/* A long text goes through, read key by key. */
START_TEST(a_long_text)
{
    g_autofree char *text = g_strnfill(4096, 'a');

    probe_machine(INPUT_REL);
    ck_assert(typing_text(&vm, text, "en-us", on_typed, NULL, NULL));
    pass_ms(2 * 4096 + 200);
    ck_assert_uint_eq(ended, 1);
    ck_assert_uint_eq(seen->len, 4096 * strlen("a+ a- ") - 1);
}
END_TEST

START_TEST(one_after_another)
{
    probe_machine(INPUT_REL);
    ck_assert(typing_text(&vm, "a", "en-us", on_typed, NULL, NULL));
    ck_assert(typing_keys(&vm, "ctrl-c", 5, NULL));
    ck_assert(typing_text(&vm, "b", "en-us", on_typed, NULL, NULL));
    pass_ms(3);
    expect_seen("a+ a- ctrl+ c+");
    pass_ms(5);
    expect_seen("c- ctrl-");
    pass_ms(20);
    expect_seen("b+ b-");
    ck_assert_uint_eq(ended, 2);
}
END_TEST

START_TEST(a_reset_ends_it)
{
    probe_machine(INPUT_REL);
    ck_assert(typing_text(&vm, "Aa", "en-us", on_typed, NULL, NULL));
    ck_assert(typing_text(&vm, "b", "en-us", on_typed, NULL, NULL));
    expect_seen("shift+ a+");
    vm_reset(&vm, SHUTDOWN_CAUSE_HOST_QMP_SYSTEM_RESET);
    ck_assert_uint_eq(ended, 2);
    ck_assert_str_eq(failure, "the machine was reset before everything was typed");
    pass_ms(20);
    expect_seen("a- shift-");
    ck_assert(typing_text(&vm, "c", "en-us", on_typed, NULL, NULL));
    pass_ms(20);
    expect_seen("c+ c-");
}
END_TEST

START_TEST(a_guest_that_never_reads)
{
    probe_machine(INPUT_REL);
    waiting = 1;
    ck_assert(typing_text(&vm, "ab", "en-us", on_typed, NULL, NULL));
    advance_ns(TYPIST_PATIENCE_NS);
    ck_assert_uint_eq(ended, 1);
    ck_assert_str_eq(failure, "the guest has not read a key for 10 seconds");
    expect_seen("");
}
END_TEST

START_TEST(a_standing_machine)
{
    probe_machine(INPUT_REL);
    vm_stop(&vm, RUN_STATE_PAUSED);
    ck_assert(typing_text(&vm, "ab", "en-us", on_typed, NULL, NULL));
    expect_seen("");
    vm_start(&vm);
    pass_ms(20);
    expect_seen("a+ a- b+ b-");
    ck_assert_uint_eq(ended, 1);
}
END_TEST

/* ---- keys ---- */

START_TEST(keys_are_pressed_held_and_let_go)
{
    probe_machine(INPUT_REL);
    ck_assert(typing_keys(&vm, "ctrl-alt-delete", 50, NULL));
    ck_assert(typing_keys(&vm, "0x1e", 0, NULL));
    expect_seen("ctrl+ alt+ delete+");
    advance_ns(50 * NS_PER_MS);
    expect_seen("delete- alt- ctrl-");
    advance_ns(50 * NS_PER_MS);
    expect_seen("a+");
    advance_ns(100 * NS_PER_MS);
    expect_seen("a-");
}
END_TEST

static const struct { const char *keys, *error; } bad_keys[] = {
    { "nosuch",          "invalid parameter: nosuch" },
    { "ctrl-alt-nosuch", "invalid parameter: nosuch" },
    { "0x",              "invalid parameter: 0x" },
    { "a--b",            "invalid parameter: " },
    { "delet",           "invalid parameter: delet" },
    { "",                "no keys were named" },
};

START_TEST(keys_refused)
{
    g_autoptr(GError) error = NULL;

    probe_machine(INPUT_REL);
    ck_assert(!typing_keys(&vm, bad_keys[_i].keys, 0, &error));
    ck_assert_msg(g_str_has_prefix(error->message, bad_keys[_i].error), "%s", error->message);
}
END_TEST

START_TEST(keys_do_not_pile_up)
{
    bool ok = true;

    probe_machine(INPUT_REL);
    for (int i = 0; i < 10000 && ok; i++) {
        ok = typing_keys(&vm, "a-b-c", 1000, NULL);
    }
    ck_assert(!ok);
}
END_TEST

CHECK_MAIN("ui/typing",
    CASES(text_keys, texts),
    CASES(text_refused, bad_texts),
    CASE(too_much_text),
    CASE(a_long_text),
    CASE(one_after_another),
    CASE(a_reset_ends_it),
    CASE(a_guest_that_never_reads),
    CASE(a_standing_machine),
    CASE(keys_are_pressed_held_and_let_go),
    CASES(keys_refused, bad_keys),
    CASE(keys_do_not_pile_up))
