/* The terminal: bytes in, screen and answers out. */
#include "terminal.h"

#include <glib.h>
#include <string.h>

#include "check_main.h"
#include "console.h"

enum { COLUMNS = 10, ROWS = 4 };

static Terminal *terminal;
static GString *answers;

static void add_answer(void *opaque, const char *text, size_t len)
{
    g_string_append_len(answers, text, len);
}

static void setup(void)
{
    answers = g_string_new(NULL);
    terminal = terminal_new(COLUMNS, ROWS, add_answer, NULL);
}

static void feed(const char *bytes)
{
    terminal_write(terminal, (const uint8_t *)bytes, strlen(bytes));
}

/* Rows with a bar between them, without the spaces at their ends. */
static char *screen_text(void)
{
    GString *text = g_string_new(NULL);
    uint32_t cells[COLUMNS * ROWS];

    terminal_view(terminal, cells);
    for (unsigned row = 0; row < ROWS; row++) {
        size_t end = text->len;

        for (unsigned column = 0; column < COLUMNS; column++) {
            gunichar code = cells[row * COLUMNS + column] & 0x1fffff;

            g_string_append_unichar(text, code);
            end = code != ' ' ? text->len : end;
        }
        g_string_truncate(text, end);
        g_string_append_c(text, '|');
    }
    while (text->len > 0 && text->str[text->len - 1] == '|') {
        g_string_truncate(text, text->len - 1);
    }
    return g_string_free(text, FALSE);
}

static void check_screen(const char *expected)
{
    g_autofree char *text = screen_text();

    ck_assert_str_eq(text, expected);
}

static void check_cursor(int column, int row)
{
    unsigned at_column, at_row;

    ck_assert(terminal_cursor(terminal, &at_column, &at_row));
    ck_assert_int_eq(at_column, column);
    ck_assert_int_eq(at_row, row);
}

#define FILL        "\033[Ha\033[2Hb\033[3Hc\033[4Hd"      /* a letter on each row */
#define CSI         "\033["

static const struct { const char *bytes, *screen; int column, row; } streams[] = {
    { "hello", "hello", 5, 0 },
    { "a\r\nb", "a|b", 1, 1 },
    { "a\nb", "a| b", 2, 1 },
    { "ab\bc", "ac", 2, 0 },
    { "a\tb", "a       b", 9, 0 },
    { "a\t\t\tb", "a        b", 9, 0 },
    { "\a\1\177x", "x", 1, 0 },
    /* wrapping waits for the next character */
    { "0123456789", "0123456789", 9, 0 },
    { "0123456789x", "0123456789|x", 1, 1 },
    { "0123456789\r\nx", "0123456789|x", 1, 1 },
    { "0123456789\bx", "01234567x9", 9, 0 },
    { CSI "?7l0123456789xy", "012345678y", 9, 0 },
    { "a\r\nb\r\nc\r\nd\r\ne", "b|c|d|e", 1, 3 },
    /* UTF-8 */
    { "\303\251\342\202\254", "é€", 2, 0 },
    { "\360\220\200\200", "\360\220\200\200", 1, 0 },
    { "\377x", "\357\277\275x", 2, 0 },
    { "\303x", "\357\277\275x", 2, 0 },
    { "\342\202x", "\357\277\275x", 2, 0 },
    { "\300\200", "\357\277\275\357\277\275", 2, 0 },
    { "\355\240\200", "\357\277\275\357\277\275\357\277\275", 3, 0 },
    { "\364\220x", "\357\277\275\357\277\275x", 3, 0 },
    { "\342\r\nx", "\357\277\275|x", 1, 1 },
    { "\344\270\255x", "\357\277\275 x", 3, 0 },           /* wide: a box and a space */
    { "e\314\201x", "ex", 2, 0 },                          /* combining: none */
    { "\302\233" "31mx", "31mx", 4, 0 },                   /* C1: no sequence */
    /* the cursor */
    { CSI "2;3Hx", "|  x", 3, 1 }, { CSI "3x" CSI "Hy", "y", 1, 0 },
    { CSI "99;99Hx", "|||         x", 9, 3 }, { CSI "fx", "x", 1, 0 },
    { CSI "5CA" CSI "2DB", "    BA", 5, 0 }, { CSI "2BA" CSI "AB", "| B|A", 2, 1 },
    { CSI "99CA" CSI "99DB", "B        A", 1, 0 }, { CSI "0CA", " A", 2, 0 },
    { CSI "3dA" CSI "2GB", "||AB", 2, 2 }, { CSI "3`A", "  A", 3, 0 },
    { CSI "2EA" CSI "FB", "|B|A", 1, 1 }, { CSI "3aA" CSI "1eB", "   A|    B", 5, 1 },
    { CSI "IA" CSI "ZB", "        B", 9, 0 },
    { "ab\0337\r\ncd\0338e", "abe|cd", 3, 0 }, { "ab" CSI "s\r\n" CSI "ue", "abe", 3, 0 },
    { "\033D1\033E2\033M3", "|13|2", 2, 1 },
    { CSI "2;3H\033H\r\t", "", 2, 1 }, { "\t" CSI "g\r\tx", "         x", 9, 0 },
    { CSI "3g\tx", "         x", 9, 0 },
    /* erasing */
    { "abcdef" CSI "3D" CSI "K", "abc", 3, 0 }, { "abcdef" CSI "3D" CSI "1K", "    ef", 3, 0 },
    { "abcdef" CSI "2K", "", 6, 0 }, { "abcdef\r" CSI "2X", "  cdef", 0, 0 },
    { "abcdef\r" CSI "99X", "", 0, 0 }, { "0123456789" CSI "K", "012345678", 9, 0 },
    { FILL CSI "2H" CSI "J", "a", 0, 1 }, { FILL CSI "2H" CSI "1J", "||c|d", 0, 1 },
    { FILL CSI "2J", "", 1, 3 }, { FILL CSI "9J", "a|b|c|d", 1, 3 },
    /* inserting and deleting */
    { "abcd\r" CSI "2@", "  abcd", 0, 0 }, { "abcd\r" CSI "2P", "cd", 0, 0 },
    { "abcd\r" CSI "99@", "", 0, 0 }, { "abcd\r" CSI "99P", "", 0, 0 },
    { "abcd\r" CSI "4hxy" CSI "4lz", "xyzbcd", 3, 0 },
    { FILL CSI "2H" CSI "L", "a||b|c", 0, 1 }, { FILL CSI "2H" CSI "M", "a|c|d", 0, 1 },
    { FILL CSI "2H" CSI "99L", "a", 0, 1 }, { FILL CSI "2H" CSI "99M", "a", 0, 1 },
    { FILL CSI "S", "b|c|d", 1, 3 }, { FILL CSI "2T", "||a|b", 1, 3 },
    { "ab" CSI "3b", "abbbb", 5, 0 }, { CSI "3b", "", 0, 0 },
    { "x" CSI "9999b", "xxxxxxxxxx|xxxxxxxxxx|xxxxxxxxxx|x", 1, 3 },
    /* margins */
    { FILL CSI "2;3r" CSI "3H\n", "a|c||d", 0, 2 },
    { FILL CSI "2;3r" CSI "2H\033M", "a||b|d", 0, 1 },
    { FILL CSI "2;3r" CSI "4H\n", "a|b|c|d", 0, 3 }, { FILL CSI "2;3rx", "x|b|c|d", 1, 0 },
    { FILL CSI "3;2r", "a|b|c|d", 1, 3 }, { FILL CSI "2;3r" CSI "S", "a|c||d", 0, 0 },
    { FILL CSI "2;3r" CSI "?6h" CSI "9Hx", "a|b|x|d", 1, 2 },
    { FILL CSI "2;3r" CSI "2H" CSI "9A" "x", "a|x|c|d", 1, 1 },
    { FILL CSI "2;3r" CSI "4H" CSI "L", "a|b|c|d", 0, 3 },
    /* sets of characters */
    { "\033(0lqk\033(B" "q", "┌─┐q", 4, 0 }, { "\033)0q\016q\017q", "q─q", 3, 0 },
    /* the alternate screen */
    { "ab" CSI "?1049hx", "  x", 3, 0 }, { "ab" CSI "?1049h\r\nx" CSI "?1049lc", "abc", 3, 0 },
    { "ab" CSI "?47h" CSI "?47l", "ab", 2, 0 },
    { "ab" CSI "?1047hxy" CSI "?1047l" CSI "?1047h", "", 4, 0 },
    /* resets */
    { "ab\033c", "", 0, 0 }, { FILL CSI "2;3r" CSI "!p" CSI "4H\n", "b|c|d", 0, 3 },
    { "\033#8", "EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE|EEEEEEEEEE", 0, 0 },
    /* strings and what is not known: skipped */
    { "\033]0;title\a" "x", "x", 1, 0 }, { "\033]0;title\033\\x", "x", 1, 0 },
    { "\033Pq#0;2;0;0;0\033\\x", "x", 1, 0 }, { "\033]0;ti\033[2Cx", "  x", 3, 0 },
    { "\033]0;ti\030x", "x", 1, 0 }, { CSI "?2004hx", "x", 1, 0 }, { CSI "1 qx", "x", 1, 0 },
    { CSI ">4;2mx", "x", 1, 0 }, { "\033=x\033>", "x", 1, 0 }, { "\033%Gx", "x", 1, 0 },
    { CSI "3\0302Cx", "2Cx", 3, 0 }, { CSI "\0332Cx", "Cx", 2, 0 },
    { CSI "2\r\nCx", "|  x", 3, 1 },                       /* controls work inside a sequence */
    { CSI "2\303\251", "é", 1, 0 },
    { CSI "1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18Hx", " x", 2, 0 },
    { CSI "99999999999999999999Cx", "         x", 9, 0 }, { CSI "-1Cx", "x", 1, 0 },
    { CSI "2?Cx", "x", 1, 0 },
};

START_TEST(stream_row)
{
    setup();
    feed(streams[_i].bytes);
    check_screen(streams[_i].screen);
    check_cursor(streams[_i].column, streams[_i].row);
    terminal_free(terminal);
}
END_TEST

/* The same, byte by byte with the rest of a sequence still to come, leaves the same. */
START_TEST(stream_in_pieces_row)
{
    setup();
    for (const char *p = streams[_i].bytes; *p != '\0'; p++) {
        terminal_write(terminal, (const uint8_t *)p, 1);
    }
    check_screen(streams[_i].screen);
    terminal_free(terminal);
}
END_TEST

/* What follows a sequence: an x with this attribute. */
static const struct { const char *bytes; unsigned attribute; } pens[] = {
    { "", 0x07 }, { CSI "31m", 0x04 }, { CSI "34m", 0x01 }, { CSI "33m", 0x06 },
    { CSI "1;31m", 0x0c }, { CSI "1;31;22m", 0x04 }, { CSI "91m", 0x0c }, { CSI "44m", 0x17 },
    { CSI "104m", 0x97 }, { CSI "31;44;39m", 0x17 }, { CSI "31;44;49m", 0x04 },
    { CSI "7m", 0x70 }, { CSI "7;27m", 0x07 }, { CSI "31;7m", 0x40 }, { CSI "8m", 0x00 },
    { CSI "4m", 0x03 }, { CSI "4;31m", 0x04 }, { CSI "4;24m", 0x07 },
    { CSI "1;4;7;31m" CSI "m", 0x07 },
    { CSI "38;5;9m", 0x0c }, { CSI "38;5;196m", 0x04 }, { CSI "48;5;21m", 0x17 },
    { CSI "38;5;255m", 0x0f }, { CSI "38;5;9999m", 0x0f }, { CSI "38;5;232m", 0x00 },
    { CSI "38;2;255;255;80m", 0x0e }, { CSI "38:2:255:255:80m", 0x0e },
    { CSI "38:2::255:255:80m", 0x0e }, { CSI "38;2;999;0;0;44m", 0x14 },
    { CSI "38m", 0x07 }, { CSI "38;5m", 0x00 }, { CSI "38;7;1m", 0x07 }, { CSI "4:3m", 0x03 },
    { CSI ";31m", 0x04 }, { CSI "31;m", 0x07 },
    { CSI "1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;31m", 0xcc },
};

START_TEST(pen_row)
{
    uint32_t cells[COLUMNS * ROWS];

    setup();
    feed(pens[_i].bytes);
    feed("x");
    terminal_view(terminal, cells);
    ck_assert_uint_eq(cells[0], 'x' | pens[_i].attribute << 24);
    terminal_free(terminal);
}
END_TEST

START_TEST(erased_cells_have_the_background)
{
    uint32_t cells[COLUMNS * ROWS];

    setup();
    feed(CSI "31;44m" CSI "J");
    terminal_view(terminal, cells);
    ck_assert_uint_eq(cells[COLUMNS * ROWS - 1], ' ' | 0x17u << 24);
    terminal_free(terminal);
}
END_TEST

static const struct { const char *bytes, *answer; } questions[] = {
    { CSI "5n", CSI "0n" }, { CSI "2;3H" CSI "6n", CSI "2;3R" },
    { CSI "2;3r" CSI "?6h" CSI "6n", CSI "1;1R" }, { CSI "c", CSI "?6c" }, { CSI "0c", CSI "?6c" },
    { "\033Z", CSI "?6c" }, { CSI ">c", CSI ">0;0;0c" }, { CSI "7n", "" }, { CSI "1c", "" },
};

START_TEST(question_row)
{
    setup();
    feed(questions[_i].bytes);
    ck_assert_str_eq(answers->str, questions[_i].answer);
    terminal_free(terminal);
}
END_TEST

static const struct { const char *mode; uint32_t code; const char *bytes; } keys[] = {
    { "", 'a', "a" }, { "", 0xe9, "\303\251" }, { "", '\r', "\r" }, { "", '\n', "\r" },
    { "", 3, "\3" }, { "", CONSOLE_KEY_UP, CSI "A" }, { CSI "?1h", CONSOLE_KEY_UP, "\033OA" },
    { CSI "?1h" CSI "?1l", CONSOLE_KEY_HOME, CSI "H" }, { "", CONSOLE_KEY_DELETE, CSI "3~" },
    { "", CONSOLE_KEY_BACKSPACE, "\177" }, { "", CONSOLE_KEY_F1, "\033OP" },
    { "", CONSOLE_KEY_F1 + 11, CSI "24~" }, { "", CONSOLE_KEY_SCROLL_UP, "" },
    { "", 0xd800, "" }, { "", UINT32_MAX, "" },
};

START_TEST(key_row)
{
    char bytes[TERMINAL_KEY_MAX + 1] = { 0 };

    setup();
    feed(keys[_i].mode);
    ck_assert_uint_eq(terminal_key(terminal, keys[_i].code, bytes), strlen(keys[_i].bytes));
    ck_assert_str_eq(bytes, keys[_i].bytes);
    terminal_free(terminal);
}
END_TEST

START_TEST(rows_that_scrolled_away_are_kept)
{
    unsigned column, row;

    setup();
    feed("1\r\n2\r\n3\r\n4\r\n5\r\n6");
    check_screen("3|4|5|6");
    terminal_look_back(terminal, 1);
    check_screen("2|3|4|5");
    ck_assert(!terminal_cursor(terminal, &column, &row));
    feed("\r\n7");                                      /* the view stays */
    check_screen("2|3|4|5");
    terminal_look_back(terminal, 1000);
    check_screen("1|2|3|4");
    terminal_look_back(terminal, -1000);
    check_screen("4|5|6|7");
    check_cursor(1, 3);
    feed(CSI "3J");
    terminal_look_back(terminal, 1);
    check_screen("4|5|6|7");
    terminal_free(terminal);
}
END_TEST

START_TEST(no_more_rows_are_kept_than_that)
{
    setup();
    for (unsigned i = 0; i < TERMINAL_KEPT_ROWS + 100; i++) {
        g_autofree char *line = g_strdup_printf("%u\r\n", i);

        feed(line);
    }
    terminal_look_back(terminal, INT_MAX);
    check_screen("97|98|99|100");
    feed("\r\n");                                       /* the oldest goes, and the view moves on */
    check_screen("98|99|100|101");
    terminal_free(terminal);
}
END_TEST

START_TEST(cursor_can_be_hidden)
{
    unsigned column, row;

    setup();
    feed(CSI "?25l");
    ck_assert(!terminal_cursor(terminal, &column, &row));
    feed(CSI "?25h");
    ck_assert(terminal_cursor(terminal, &column, &row));
    terminal_free(terminal);
}
END_TEST

CHECK_MAIN("terminal", CASES(stream_row, streams), CASES(stream_in_pieces_row, streams),
           CASES(pen_row, pens), CASE(erased_cells_have_the_background),
           CASES(question_row, questions), CASES(key_row, keys),
           CASE(rows_that_scrolled_away_are_kept), CASE(no_more_rows_are_kept_than_that),
           CASE(cursor_can_be_hidden))
