/* "vc": a front end on one side, what is looked at and typed on the other. */
#include "text_console.h"

#include <string.h>

#include "backend.h"
#include "char_opts.h"
#include "check_main.h"
#include "font.h"
#include "vm.h"

static Vm vm;
static GString *received;
static int room;

Vm *vm_instance(void)
{
    return &vm;
}

static int can_receive(void *opaque)
{
    return room;
}

static void receive(void *opaque, const uint8_t *buf, size_t len)
{
    ck_assert_int_le(len, room);
    g_string_append_len(received, (const char *)buf, len);
}

static CharFrontend fe = { .can_receive = can_receive, .receive = receive };

static Console *setup(const char *text)
{
    static const DeviceType *const none[] = { NULL };
    GError *error = NULL;

    vm_core_init(&vm, g_main_context_default(), none);
    chardev_add_type(&chardev_vc);
    received = g_string_new(NULL);
    room = 100;
    ck_assert(chardev_new_from_opts(text, &error) != NULL);
    ck_assert(chardev_attach(&fe, chardev_find("c"), NULL));
    return console_first(&vm);
}

static void finish(void)
{
    chardev_close_all();
    ck_assert_uint_eq(console_list(&vm)->len, 0);
}

static void say(const char *text)
{
    chardev_write(&fe, text, strlen(text));
}

static void run_loop(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

static const struct { const char *opts; unsigned columns, rows, width, height; } sizes[] = {
    { "vc,id=c", 80, 24, 640, 384 },
    { "vc,id=c,cols=40,rows=10", 40, 10, 320, 160 },
    { "vc,id=c,width=803,height=600", 100, 37, 803, 600 },
    { "vc,id=c,width=803,cols=10", 10, 24, 80, 384 },
    { "vc,id=c,cols=1,rows=1", 1, 1, 8, 16 },
    { "vc,id=c,cols=1024,rows=1", 1024, 1, 8192, 16 },
};

START_TEST(size_row)
{
    Console *console = setup(sizes[_i].opts);
    ConsoleText text;

    ck_assert(console_text(console, &text));
    ck_assert_uint_eq(text.columns, sizes[_i].columns);
    ck_assert_uint_eq(text.rows, sizes[_i].rows);
    ck_assert_uint_eq(console_surface(console)->width, sizes[_i].width);
    ck_assert_uint_eq(console_surface(console)->height, sizes[_i].height);
    finish();
}
END_TEST

static const struct { const char *opts, *message; } bad_sizes[] = {
    { "vc,id=c,cols=1025", "Parameter 'cols' expects a number from 1 to 1024" },
    { "vc,id=c,rows=513", "Parameter 'rows' expects a number from 1 to 512" },
    { "vc,id=c,width=7", "Parameter 'width' expects a number from 8 to 8192" },
    { "vc,id=c,height=99999999999999", "Parameter 'height' expects a number from 16 to 8192" },
};

START_TEST(bad_size_row)
{
    g_autoptr(GError) error = NULL;

    chardev_add_type(&chardev_vc);
    ck_assert(chardev_new_from_opts(bad_sizes[_i].opts, &error) == NULL);
    ck_assert_str_eq(error->message, bad_sizes[_i].message);
    ck_assert_uint_eq(chardev_list()->len, 0);
}
END_TEST

START_TEST(it_is_a_text_console)
{
    Console *console = setup("vc,id=c");
    ChardevInfo info;

    ck_assert(console_is_text(console));
    ck_assert_ptr_null(console_device(console));
    ck_assert_str_eq(console_label(console), "c");
    chardev_info(chardev_find("c"), &info);
    ck_assert_str_eq(info.filename, "vc");
    g_free(info.filename);
    ck_assert(fe.is_open);
    finish();
}
END_TEST

START_TEST(text_is_what_was_written)
{
    Console *console = setup("vc,id=c,cols=4,rows=2");
    ConsoleText text;

    say("a\033[31m\303\251");
    ck_assert(console_text(console, &text));
    ck_assert(text.unicode);
    ck_assert_uint_eq(text.stride, 4);
    ck_assert_uint_eq(text.cells[0], 'a' | 7u << 24);
    ck_assert_uint_eq(text.cells[1], 0xe9 | 4u << 24);
    ck_assert_int_eq(text.cursor_column, 2);
    ck_assert_int_eq(text.cursor_row, 0);
    say("\033[?25l");
    console_text(console, &text);
    ck_assert_int_eq(text.cursor_column, -1);
    finish();
}
END_TEST

/* ---- what is drawn ---- */

static ConsoleRect changes[16];
static unsigned n_changes;

static void on_resized(void *opaque, Surface *surface)
{
}

static void on_changed(void *opaque, const ConsoleRect *rect)
{
    ck_assert_uint_lt(n_changes, G_N_ELEMENTS(changes));
    changes[n_changes++] = *rect;
}

static void check_glyph(Console *console, unsigned column, unsigned row, const uint8_t *glyph,
                        uint32_t front, uint32_t ground)
{
    const Surface *surface = console_surface(console);

    for (unsigned y = 0; y < FONT_HEIGHT; y++) {
        for (unsigned x = 0; x < FONT_WIDTH; x++) {
            ck_assert_uint_eq(surface->pixels[(row * FONT_HEIGHT + y) * surface->width +
                                              column * FONT_WIDTH + x],
                              glyph[y] & 0x80 >> x ? front : ground);
        }
    }
}

static void check_change(unsigned n, unsigned x, unsigned y, unsigned width, unsigned height)
{
    ck_assert_uint_eq(changes[n].x, x);
    ck_assert_uint_eq(changes[n].y, y);
    ck_assert_uint_eq(changes[n].width, width);
    ck_assert_uint_eq(changes[n].height, height);
}

START_TEST(only_what_changed_is_drawn)
{
    Console *console = setup("vc,id=c,cols=10,rows=3");
    ConsoleWatcher watcher = { .resized = on_resized, .changed = on_changed };

    console_watch(console, &watcher);
    console_refresh(console);
    n_changes = 0;
    say("\033[2;4H\033[1;33;44mA");
    console_refresh(console);
    check_glyph(console, 3, 1, font_glyph('A'), 0xffff55, 0x0000aa);
    check_glyph(console, 4, 1, font_glyph(0x2588), 0xaaaaaa, 0);          /* the cursor */
    ck_assert_uint_eq(n_changes, 2);
    check_change(0, 0, 0, 8, 16);                                       /* where it was */
    check_change(1, 24, 16, 16, 16);
    n_changes = 0;
    console_refresh(console);
    ck_assert_uint_eq(n_changes, 0);
    say("\rxyz\r\033[3C");                                              /* another row's end */
    console_refresh(console);
    ck_assert_uint_eq(n_changes, 1);
    check_change(0, 0, 16, 40, 16);
    console_invalidate(console);
    n_changes = 0;
    console_refresh(console);
    ck_assert_uint_eq(n_changes, 3);
    console_unwatch(console, &watcher);
    finish();
}
END_TEST

/* ---- what is typed ---- */

START_TEST(typed_keys_reach_the_front_end)
{
    Console *console = setup("vc,id=c");

    console_typed(console, 'l');
    console_typed(console, 's');
    console_typed(console, '\n');
    console_typed(console, CONSOLE_KEY_UP);
    say("\033[?1h");
    console_typed(console, CONSOLE_KEY_UP);
    run_loop();
    ck_assert_str_eq(received->str, "ls\r\033[A\033OA");
    finish();
}
END_TEST

START_TEST(input_waits_for_room_and_is_bounded)
{
    Console *console = setup("vc,id=c");

    room = 0;
    for (unsigned i = 0; i < 10000; i++) {
        console_typed(console, 'x');
    }
    run_loop();
    ck_assert_uint_eq(received->len, 0);
    room = 3;
    chardev_accept_input(&fe);
    run_loop();
    ck_assert_uint_eq(received->len, 4096);
    finish();
}
END_TEST

START_TEST(answers_are_input)
{
    setup("vc,id=c");
    say("ab\033[6n");
    run_loop();
    ck_assert_str_eq(received->str, "\033[1;3R");
    finish();
}
END_TEST

START_TEST(nobody_there_hears_nothing)
{
    Console *console = setup("vc,id=c");

    chardev_detach(&fe);
    console_typed(console, 'x');
    ck_assert(chardev_attach(&fe, chardev_find("c"), NULL));
    run_loop();
    ck_assert_uint_eq(received->len, 0);
    finish();
}
END_TEST

START_TEST(looking_back_ends_when_a_key_is_typed)
{
    Console *console = setup("vc,id=c,cols=4,rows=3");
    ConsoleText text;

    say("1\r\n2\r\n3\r\n4");
    console_typed(console, CONSOLE_KEY_SCROLL_UP);
    console_text(console, &text);
    ck_assert_uint_eq(text.cells[0] & 0xff, '1');
    ck_assert_int_eq(text.cursor_row, -1);
    console_typed(console, CONSOLE_KEY_SCROLL_PAGE_DOWN);
    console_text(console, &text);
    ck_assert_uint_eq(text.cells[0] & 0xff, '2');
    console_typed(console, CONSOLE_KEY_SCROLL_PAGE_UP);
    console_typed(console, 'x');
    console_text(console, &text);
    ck_assert_uint_eq(text.cells[0] & 0xff, '2');
    run_loop();
    ck_assert_str_eq(received->str, "x");
    finish();
}
END_TEST

START_TEST(it_takes_the_place_of_another)
{
    g_autoptr(CharOpts) opts = NULL;
    Console *console;

    setup("null,id=c");
    opts = char_opts_for("vc", "c", NULL);
    ck_assert(chardev_change(opts, NULL));
    console = console_first(&vm);
    ck_assert_str_eq(console_label(console), "c");
    console_typed(console, 'x');
    run_loop();
    ck_assert_str_eq(received->str, "x");
    ck_assert(chardev_change(opts, NULL));              /* and of one of its kind */
    ck_assert_uint_eq(console_list(&vm)->len, 1);
    finish();
}
END_TEST

/* ---- writers on other threads ---- */

static gpointer write_much(gpointer opaque)
{
    for (unsigned i = 0; i < 2000; i++) {
        say("line of text\033[6n\r\n");
    }
    return NULL;
}

START_TEST(a_thread_may_write_while_it_is_looked_at)
{
    Console *console = setup("vc,id=c");
    ConsoleText text;
    GThread *thread;

    thread = g_thread_new("writer", write_much, NULL);
    for (unsigned i = 0; i < 200; i++) {
        console_refresh(console);
        console_text(console, &text);
        run_loop();
    }
    g_thread_join(thread);
    run_loop();
    ck_assert_str_eq(received->str + received->len - 7, "[24;13R");
    finish();
}
END_TEST

CHECK_MAIN("text_console", CASES(size_row, sizes), CASES(bad_size_row, bad_sizes),
           CASE(it_is_a_text_console), CASE(text_is_what_was_written),
           CASE(only_what_changed_is_drawn), CASE(typed_keys_reach_the_front_end),
           CASE(input_waits_for_room_and_is_bounded), CASE(answers_are_input),
           CASE(nobody_there_hears_nothing), CASE(looking_back_ends_when_a_key_is_typed),
           CASE(it_takes_the_place_of_another), CASE(a_thread_may_write_while_it_is_looked_at))
