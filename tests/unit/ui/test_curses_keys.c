#include <stdio.h>
#include <string.h>

#include "check_main.h"
#include "curses_keys.h"
#include "keysyms.h"

/* What came out, as text: "C-a", "A-x", "S-Up", "D1", "M 3,4 1", "W+1". */
static GString *seen;

static void append(const CursesInput *input, void *opaque)
{
    if (seen->len > 0) {
        g_string_append_c(seen, ' ');
    }
    switch (input->kind) {
    case CURSES_INPUT_DIGIT:
        g_string_append_printf(seen, "D%u", input->digit);
        break;
    case CURSES_INPUT_MOUSE:
        g_string_append_printf(seen, "M%u,%u,%x,%+d,%+d", input->column, input->row,
                               input->buttons, input->wheel, input->wheel_across);
        break;
    case CURSES_INPUT_KEY:
        g_string_append_printf(seen, "%s%s%s%x", input->ctrl ? "C-" : "", input->alt ? "A-" : "",
                               input->shift ? "S-" : "", input->keysym);
        break;
    }
}

static const CursesSequence described[] = {
    { "\033[7~", KEYSYM_PAGE_DOWN },            /* not what most mean by it */
    { "\033Ox", KEYSYM_F(1) },
    {}
};

static CursesDecoder fresh(void)
{
    if (seen != NULL) {
        g_string_free(seen, TRUE);
    }
    seen = g_string_new("");
    return (CursesDecoder){ .utf8 = true, .fn = append, .sequences = described };
}

static const struct { const char *bytes, *keys; } bursts[] = {
    { "aB~", "61 42 7e" },
    { "\r\t\x7f", "ff0d ff09 ff08" },
    { "\x01\x1a\x1c\x1f", "C-61 C-7a C-5c C-5f" },
    { "\n", "C-6a" },
    { "\xc3\xa9\xe2\x82\xac", "e9 10020ac" },                   /* é, € */
    { "a\xff\xfe" "b", "61 62" },
    { "\xc3" "a", "61" },                                       /* cut off: begins anew */
    { "\033a\033\xc3\xa9", "A-61 A-e9" },
    { "\033\r\033\x7f\033\x01", "A-ff0d A-ff08 C-A-61" },
    { "\0331\0339\0330", "D1 D9 D0" },
    { "\033[A\033OB\033[1;5C\033[1;2D\033[1;3H\033[1;8F",
      "ff52 ff54 C-ff53 S-ff51 A-ff50 C-A-S-ff57" },
    { "\033[2~\033[3;5~\033[5~\033[6;2~", "ff63 C-ffff ff55 S-ff56" },
    { "\033OP\033[11~\033[[A\033[[E\033[24~\033[15;2~", "ffbe ffbe ffbe ffc2 ffc9 S-ffc2" },
    { "\033[7~\033Ox", "ff56 ffbe" },                           /* as described */
    { "\033Op\033Oj\033OM", "30 2a ff0d" },                     /* keypad */
    { "\033[Z", "S-ff09" },
    { "\033[99~\033[?1;2c\033[Ix", "78" },                      /* no keys */
    { "\033[0~\033[4294967297~\033[1;2;3;4;5;6;7~", "S-ff50" },
    { "\033[<0;4;5M\033[<32;5;5M\033[<0;5;5m", "M3,4,1,+0,+0 M4,4,1,+0,+0 M4,4,0,+0,+0" },
    { "\033[<2;1;1M\033[<35;2;1M", "M0,0,4,+0,+0 M1,0,0,+0,+0" },
    { "\033[<64;1;1M\033[<65;1;1M\033[<67;1;1M", "M0,0,0,+1,+0 M0,0,0,-1,+0 M0,0,0,+0,+1" },
    { "\033[<0;0;5M\033[<0;5M\033[<M", "" },
    { "\033[M !!\033[M#!!", "M0,0,1,+0,+0 M0,0,0,+0,+0" },      /* as X10 has it */
    { "\033[M\x1f!!a", "61" },
    { "\033\033[A", "ff1b ff52" },
};

START_TEST(keys_of_a_burst)
{
    CursesDecoder decoder = fresh();

    curses_decode(&decoder, (const uint8_t *)bursts[_i].bytes, strlen(bursts[_i].bytes), 0);
    ck_assert_str_eq(seen->str, bursts[_i].keys);
    ck_assert_int_eq(curses_decode_wait(&decoder, 0), -1);
    /* and so byte by byte, as a slow line has it */
    decoder = fresh();
    for (const char *c = bursts[_i].bytes; *c != '\0'; c++) {
        curses_decode(&decoder, (const uint8_t *)c, 1, 5);
    }
    ck_assert_str_eq(seen->str, bursts[_i].keys);
}
END_TEST

/* Bytes at a time: "ms:bytes" steps, then the time when nothing more came. */
static const struct {
    struct { int ms; const char *bytes; } steps[4];
    int end_ms;
    const char *keys;
} timed[] = {
    { { { 0, "\033" } }, 499, "" },                             /* a digit may come */
    { { { 0, "\033" } }, 500, "ff1b" },
    { { { 0, "\033" }, { 400, "1" } }, 400, "D1" },             /* by hand */
    { { { 0, "\033" }, { 400, "a" } }, 400, "ff1b 61" },        /* not Alt-a */
    { { { 0, "\033" }, { 30, "a" } }, 30, "A-61" },             /* cut by the line */
    { { { 0, "\033" }, { 200, "\033" } }, 400, "ff1b" },
    { { { 0, "\033" }, { 200, "\033[A" } }, 200, "ff1b ff52" },
    { { { 0, "\033" }, { 10, "[" }, { 20, "A" } }, 20, "ff52" },
    { { { 0, "\033[" } }, 150, "A-5b" },
    { { { 0, "\033O" } }, 150, "A-4f" },
    { { { 0, "\033[1;" } }, 150, "" },
    { { { 0, "\033[1;" }, { 160, "x" } }, 160, "78" },
    { { { 0, "\xc3" } }, 150, "" },
};

START_TEST(keys_by_time)
{
    CursesDecoder decoder = fresh();

    for (unsigned i = 0; i < 4 && timed[_i].steps[i].bytes != NULL; i++) {
        const char *bytes = timed[_i].steps[i].bytes;

        curses_decode_timeout(&decoder, timed[_i].steps[i].ms);
        curses_decode(&decoder, (const uint8_t *)bytes, strlen(bytes), timed[_i].steps[i].ms);
    }
    curses_decode_timeout(&decoder, timed[_i].end_ms);
    ck_assert_str_eq(seen->str, timed[_i].keys);
}
END_TEST

START_TEST(a_wait_ends_when_the_escape_is_due)
{
    CursesDecoder decoder = fresh();

    curses_decode(&decoder, (const uint8_t *)"\033", 1, 1000);
    ck_assert_int_eq(curses_decode_wait(&decoder, 1000), CURSES_ESC_MS);
    ck_assert_int_eq(curses_decode_wait(&decoder, 1499), 1);
    ck_assert_int_eq(curses_decode_wait(&decoder, 5000), 0);
}
END_TEST

START_TEST(endless_sequences_are_skipped)
{
    CursesDecoder decoder = fresh();
    g_autofree char *digits = g_strnfill(100000, '1');

    curses_decode(&decoder, (const uint8_t *)"\033[", 2, 0);
    curses_decode(&decoder, (const uint8_t *)digits, strlen(digits), 0);
    curses_decode(&decoder, (const uint8_t *)"Aa", 2, 0);
    ck_assert_str_eq(seen->str, "61");
}
END_TEST

START_TEST(noise_is_taken)
{
    CursesDecoder decoder = fresh();
    uint32_t state = _i + 1;

    for (unsigned i = 0; i < 200000; i++) {
        uint8_t byte;

        state = state * 1664525 + 1013904223;
        byte = state >> 24;
        byte = state & 0x100000 ? "\033[<;M~O1Am"[byte % 11] : byte;
        curses_decode(&decoder, &byte, 1, i);
        ck_assert_uint_lt(decoder.n_held, sizeof(decoder.held));
    }
}
END_TEST

START_TEST(a_terminal_without_utf8)
{
    CursesDecoder decoder = fresh();

    decoder.utf8 = false;
    decoder.erase_is_8 = true;
    curses_decode(&decoder, (const uint8_t *)"\xe9\x08", 2, 0);
    ck_assert_str_eq(seen->str, "e9 ff08");
}
END_TEST

CHECK_MAIN("curses_keys", CASES(keys_of_a_burst, bursts), CASES(keys_by_time, timed),
           CASE(a_wait_ends_when_the_escape_is_due), CASE(endless_sequences_are_skipped),
           TIMES(noise_is_taken, 4), CASE(a_terminal_without_utf8))
