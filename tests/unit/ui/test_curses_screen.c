/* Bytes for real descriptions of terminals, without a terminal. */
#include <string.h>

#include "check_main.h"
#include "curses_screen.h"

static GByteArray *out;

static CursesScreen *open_screen(const char *term, const char *charset, bool true_color)
{
    g_autoptr(GError) error = NULL;
    CursesScreen *screen = curses_screen_new(term, charset, true_color, &error);

    ck_assert_msg(screen != NULL, "%s", error != NULL ? error->message : "");
    out = g_byte_array_new();
    return screen;
}

static const char *drawn(CursesScreen *screen, const CursesSheet *sheet)
{
    g_byte_array_set_size(out, 0);
    curses_screen_draw(screen, sheet, out);
    g_byte_array_append(out, (const uint8_t *)"", 1);
    return (const char *)out->data;
}

static void close_screen(CursesScreen *screen)
{
    curses_screen_free(screen);
    g_byte_array_unref(out);
}

#define I(n) CURSES_COLOR(n)

/* One cell that changes on an empty screen. */
static const struct {
    const char *term, *charset;
    bool true_color;
    CursesCell cell;
    const char *bytes;
} looks[] = {
    { "xterm-256color", "UTF-8", false, { 'x', I(9), I(4) }, "\033[1;1H\033[91m\033[44mx" },
    { "xterm-256color", "UTF-8", false, { 'x', I(7), I(12) }, "\033[1;1H\033[37m\033[104mx" },
    { "xterm-256color", "UTF-8", false, { 'x', I(7), I(0), true }, "\033[1;1H\033[5m\033[37mx" },
    { "xterm-256color", "UTF-8", false, { 0x2580, 0xff0000, 0x0000ff },
      "\033[1;1H\033[38;5;196m\033[48;5;21m▀" },
    { "xterm-256color", "UTF-8", true, { 0x2580, 0x123456, 0x0000ff },
      "\033[1;1H\033[38;2;18;52;86m\033[48;2;0;0;255m▀" },
    { "xterm-256color", "UTF-8", true, { 'x', I(9), I(12) }, "\033[1;1H\033[91m\033[104mx" },
    { "linux", "UTF-8", false, { 'x', I(9), I(4) }, "\033[1;1H\033[1m\033[31m\033[44mx" },
    { "linux", "UTF-8", false, { 0x2580, 0xff5555, 0x0000aa },
      "\033[1;1H\033[1m\033[31m\033[44m▀" },
    { "xterm", "ISO-8859-1", false, { 0xe9, I(7), I(0) }, "\033[1;1H\033[37m\xe9" },
    { "xterm", "ISO-8859-1", false, { 0x2554, I(7), I(0) }, "\033[1;1H\033[37m\033(0l" },
    { "xterm", "ANSI_X3.4-1968", false, { 0x2502, I(7), I(0) }, "\033[1;1H\033[37m\033(0x" },
    { "xterm", "ANSI_X3.4-1968", false, { 0x25ba, I(7), I(0) }, "\033[1;1H\033[37m>" },
    { "xterm", "ANSI_X3.4-1968", false, { 0x263a, I(7), I(0) }, "\033[1;1H\033[37m?" },
};

START_TEST(look_row)
{
    CursesScreen *screen = open_screen(looks[_i].term, looks[_i].charset, looks[_i].true_color);
    CursesSheet sheet = { 0 };

    curses_sheet_resize(&sheet, 8, 2);
    ck_assert(strstr(drawn(screen, &sheet), "\033[H\033[2J") != NULL || looks[_i].term[0] == 'l');
    sheet.cells[0] = looks[_i].cell;
    ck_assert_str_eq(drawn(screen, &sheet), looks[_i].bytes);
    ck_assert_str_eq(drawn(screen, &sheet), "");
    curses_sheet_finish(&sheet);
    close_screen(screen);
}
END_TEST

static void write_row(CursesSheet *sheet, const char *text)
{
    curses_sheet_write(sheet, 0, 0, text, I(7), I(0));
}

/* Only what changed, and near changes in one go. */
static const struct { const char *before, *after, *bytes; } changes[] = {
    { "abcdefgh", "abXdefgh", "\033[1;3H\033[37mX" },
    { "abcdefgh", "XbcXefgh", "\033[1;1H\033[37mXbcX" },
    { "abcdefgh", "XbcdefgX", "\033[1;1H\033[37mX\033[1;8HX" },
    { "abcdefgh", "abcdefgh", "" },
};

START_TEST(change_row)
{
    CursesScreen *screen = open_screen("xterm-256color", "UTF-8", false);
    CursesSheet sheet = { 0 };

    curses_sheet_resize(&sheet, 10, 2);
    write_row(&sheet, changes[_i].before);
    drawn(screen, &sheet);
    sheet.cells[10].bg = I(1);                  /* another colour was the last */
    sheet.cells[10].code = sheet.cells[11].code = 'y';
    sheet.cells[11].fg = I(1);
    drawn(screen, &sheet);
    sheet.cells[10].bg = I(0);
    write_row(&sheet, changes[_i].after);
    ck_assert_ptr_nonnull(strstr(drawn(screen, &sheet), changes[_i].bytes));
    curses_sheet_finish(&sheet);
    close_screen(screen);
}
END_TEST

START_TEST(cursor_comes_and_goes)
{
    CursesScreen *screen = open_screen("xterm-256color", "UTF-8", false);
    CursesSheet sheet = { 0 };

    curses_sheet_resize(&sheet, 10, 4);
    drawn(screen, &sheet);
    sheet.cursor_column = 4;
    sheet.cursor_row = 2;
    ck_assert_str_eq(drawn(screen, &sheet), "\033[3;5H\033[?12l\033[?25h");
    sheet.cells[0].code = 'x';                  /* it goes back to where it is seen */
    ck_assert(g_str_has_suffix(drawn(screen, &sheet), "x\033[3;5H"));
    sheet.cursor_column = sheet.cursor_row = -1;
    ck_assert_str_eq(drawn(screen, &sheet), "\033[?25l");
    curses_sheet_finish(&sheet);
    close_screen(screen);
}
END_TEST

START_TEST(forgetting_draws_all)
{
    CursesScreen *screen = open_screen("xterm-256color", "UTF-8", false);
    CursesSheet sheet = { 0 };

    curses_sheet_resize(&sheet, 10, 2);
    write_row(&sheet, "hello");
    drawn(screen, &sheet);
    curses_screen_forget(screen);
    ck_assert_ptr_nonnull(strstr(drawn(screen, &sheet), "hello"));
    curses_sheet_resize(&sheet, 12, 3);
    write_row(&sheet, "larger");
    ck_assert_ptr_nonnull(strstr(drawn(screen, &sheet), "larger"));
    curses_sheet_finish(&sheet);
    close_screen(screen);
}
END_TEST

static const struct { const char *term; CursesColors colors; bool mouse; } terminals[] = {
    { "xterm-256color", CURSES_256, true }, { "linux", CURSES_8, true },
    { "tmux-256color", CURSES_256, true }, { "vt100", CURSES_8, false },
};

START_TEST(terminal_row)
{
    CursesScreen *screen = open_screen(terminals[_i].term, "UTF-8", false);

    ck_assert_int_eq(curses_screen_colors(screen), terminals[_i].colors);
    ck_assert_int_eq(strstr(curses_screen_enter(screen), "\033[?1003h") != NULL,
                     terminals[_i].mouse);
    ck_assert_int_eq(strstr(curses_screen_leave(screen), "\033[?1003l") != NULL,
                     terminals[_i].mouse);
    ck_assert_ptr_null(strstr(curses_screen_enter(screen), "$<"));
    close_screen(screen);
}
END_TEST

/* It would scroll: the last cell of the last row stays empty where the terminal has no "xenl". */
START_TEST(the_corner_of_a_terminal_that_scrolls)
{
    static const char *const terms[] = { "ansi", "xterm-256color" };
    CursesScreen *screen = open_screen(terms[_i], "UTF-8", false);
    CursesSheet sheet = { 0 };
    const char *bytes;

    curses_sheet_resize(&sheet, 4, 2);
    curses_sheet_write(&sheet, 0, 1, "abcd", I(7), I(0));
    bytes = drawn(screen, &sheet);
    ck_assert_ptr_nonnull(strstr(bytes, "abc"));
    ck_assert_int_eq(strstr(bytes, "abcd") != NULL, _i == 1);
    curses_sheet_finish(&sheet);
    close_screen(screen);
}
END_TEST

static const struct { const char *term, *why; } useless[] = {
    { "no-such-terminal", "'no-such-terminal'" }, { "dumb", "'dumb'" },
};

START_TEST(useless_row)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(curses_screen_new(useless[_i].term, "UTF-8", false, &error));
    ck_assert_ptr_nonnull(strstr(error->message, useless[_i].why));
}
END_TEST

CHECK_MAIN("curses_screen", CASES(look_row, looks), CASES(change_row, changes),
           CASE(cursor_comes_and_goes), CASE(forgetting_draws_all), CASES(terminal_row, terminals),
           TIMES(the_corner_of_a_terminal_that_scrolls, 2),
           CASES(useless_row, useless))
