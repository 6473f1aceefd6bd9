#include <string.h>

#include "check_main.h"
#include "curses_view.h"
#include "keysyms.h"

enum { COLUMNS = 80, ROWS = 25 };

static uint32_t cells[COLUMNS * ROWS];          /* "A" in row 0, "B" in row 1 … */
static CodePage page;
static CursesView view;

static CursesFrame text_frame(int cursor_row)
{
    CursesFrame frame = { .is_text = true, .status = g_strdup("running") };

    for (unsigned i = 0; i < COLUMNS * ROWS; i++) {
        cells[i] = ('A' + i / COLUMNS) | 0x0700;
    }
    frame.text = (ConsoleText){ .columns = COLUMNS, .rows = ROWS, .stride = COLUMNS,
                                .cells = cells, .cursor_column = 0, .cursor_row = cursor_row };
    return frame;
}

static void draw(CursesFrame *frame, unsigned columns, unsigned rows)
{
    curses_view_draw(&view, frame, columns, rows, (CellShape){ 1, 2 });
}

static char shown(unsigned column, unsigned row)
{
    return view.sheet.cells[row * view.sheet.columns + column].code;
}

static char *status_line(void)
{
    GString *line = g_string_new("");

    for (unsigned i = 0; i < view.sheet.columns; i++) {
        g_string_append_unichar(line, view.sheet.cells[(view.sheet.rows - 1) * view.sheet.columns
                                                       + i].code);
    }
    return g_string_free(line, FALSE);
}

static void setup(void)
{
    code_page_load(&page, "CP437", NULL);
    view = (CursesView){ .page = &page, .blocks = true };
}

static bool key(uint32_t keysym, bool alt)
{
    return curses_view_key(&view, &(CursesInput){ .kind = CURSES_INPUT_KEY, .keysym = keysym,
                                                  .alt = alt });
}

START_TEST(text_stands_in_the_middle)
{
    CursesFrame frame = text_frame(0);
    g_autofree char *line = NULL;
    unsigned x, y;

    setup();
    draw(&frame, 100, 30);
    ck_assert_int_eq(shown(9, 2), ' ');
    ck_assert_int_eq(shown(10, 2), 'A');
    ck_assert_int_eq(shown(89, 26), 'Y');
    line = status_line();
    ck_assert_ptr_nonnull(strstr(line, " running "));
    ck_assert_ptr_nonnull(strstr(line, "Alt-0: hide this line"));
    ck_assert(!key(KEYSYM_PAGE_DOWN, true));                    /* nothing to move */
    ck_assert(!curses_view_locate(&view, 9, 2, &x, &y));
    ck_assert(curses_view_locate(&view, 10, 2, &x, &y));
    ck_assert(x == 4 && y == 8);
    ck_assert(curses_view_locate(&view, 89, 26, &x, &y));
    ck_assert(x == 79 * 8 + 4 && y == 24 * 16 + 8);
    ck_assert(!curses_view_locate(&view, 89, 27, &x, &y));
    curses_view_finish(&view);
    g_free(frame.status);
}
END_TEST

START_TEST(a_small_terminal_follows_the_cursor_until_told_otherwise)
{
    CursesFrame frame = text_frame(24);

    setup();
    draw(&frame, 80, 11);
    ck_assert_int_eq(shown(0, 0), 'P');
    ck_assert_int_eq(shown(0, 9), 'Y');
    ck_assert(!key(KEYSYM_PAGE_UP, false));                     /* the guest's */
    ck_assert(key(KEYSYM_PAGE_UP, true));
    draw(&frame, 80, 11);
    ck_assert_int_eq(shown(0, 0), 'K');
    draw(&frame, 80, 11);                                       /* stays */
    ck_assert_int_eq(shown(0, 0), 'K');
    frame.text.cursor_row = 23;
    draw(&frame, 80, 11);
    ck_assert_int_eq(shown(0, 9), 'X');
    for (unsigned i = 0; i < 9; i++) {
        ck_assert(key(KEYSYM_PAGE_DOWN, true));
    }
    draw(&frame, 80, 11);
    ck_assert_int_eq(shown(0, 9), 'Y');
    curses_view_finish(&view);
    g_free(frame.status);
}
END_TEST

START_TEST(the_status_line_hides)
{
    CursesFrame frame = text_frame(0);
    CursesInput zero = { .kind = CURSES_INPUT_DIGIT, .digit = 0 };

    setup();
    draw(&frame, 80, 25);
    ck_assert_int_eq(shown(0, 24), ' ');
    ck_assert(curses_view_key(&view, &zero));
    draw(&frame, 80, 25);
    ck_assert_int_eq(shown(0, 24), 'Y');
    ck_assert(curses_view_key(&view, &zero));
    draw(&frame, 80, 25);
    ck_assert_int_eq(shown(0, 24), ' ');
    curses_view_finish(&view);
    g_free(frame.status);
}
END_TEST

static const struct { unsigned columns, rows; } terminals[] = {
    { 1, 1 }, { 2, 2 }, { 1, 50 }, { 200, 1 }, { 3, 3 }, { 1000, 1000 }, { 100000, 5 },
};

START_TEST(any_terminal)
{
    CursesFrame frame = text_frame(24);

    setup();
    view.notice = g_strdup("rhea: a notice that is somewhat longer than the terminal is wide");
    draw(&frame, terminals[_i].columns, terminals[_i].rows);
    frame.is_text = false;
    frame.picture = surface_new(641, 479);
    draw(&frame, terminals[_i].columns, terminals[_i].rows);
    curses_view_finish(&view);
    surface_unref(frame.picture);
    g_free(frame.status);
}
END_TEST

START_TEST(pictures_are_clicked_where_they_are_seen)
{
    CursesFrame frame = { .picture = surface_new(640, 480), .status = g_strdup("") };
    unsigned x, y;

    setup();
    frame.picture->pixels[0] = 0xffffff;
    draw(&frame, 80, 25);                                       /* 64 × 24 cells, 8 columns in */
    ck_assert_uint_eq(view.place.left, 8);
    ck_assert(curses_view_locate(&view, 8, 0, &x, &y));
    ck_assert(x == 5 && y == 10);
    ck_assert(curses_view_locate(&view, 71, 23, &x, &y));
    ck_assert(x == 635 && y == 470);
    ck_assert(!curses_view_locate(&view, 72, 23, &x, &y));
    curses_view_finish(&view);
    surface_unref(frame.picture);
    g_free(frame.status);
}
END_TEST

CHECK_MAIN("curses_view", CASE(text_stands_in_the_middle),
           CASE(a_small_terminal_follows_the_cursor_until_told_otherwise),
           CASE(the_status_line_hides), CASES(any_terminal, terminals),
           CASE(pictures_are_clicked_where_they_are_seen))
