#include <glib.h>
#include <poll.h>

#include "check_main.h"
#include "sdl_mail.h"

static unsigned posted;

static void on_posted(void *opaque)
{
    posted++;
}

static SdlMail *new_mail(void)
{
    posted = 0;
    return sdl_mail_new(on_posted, NULL);
}

static bool has_news(SdlMail *mail)
{
    struct pollfd fd = { sdl_mail_fd(mail), POLLIN, 0 };

    return poll(&fd, 1, 0) == 1;
}

/* ---- to SDL's thread ---- */

static const struct { ConsoleRect changed[3], all; } rects[] = {
    { { { 5, 6, 7, 8 } }, { 5, 6, 7, 8 } },
    { { { 10, 10, 5, 5 }, { 0, 0, 1, 1 } }, { 0, 0, 15, 15 } },
    { { { 1, 2, 3, 4 }, { 2, 3, 1, 1 }, { 3, 1, 4, 2 } }, { 1, 1, 6, 5 } },
};

START_TEST(rectangles_become_one)
{
    SdlMail *mail = new_mail();
    SdlScreen *screen = sdl_mail_add(mail, NULL, false, NULL);
    SdlNews news;

    for (unsigned i = 0; i < 3 && rects[_i].changed[i].width > 0; i++) {
        sdl_screen_changed(screen, &rects[_i].changed[i]);
    }
    ck_assert(has_news(mail));
    sdl_mail_seen(mail);
    ck_assert(!has_news(mail));
    sdl_screen_take(screen, &news);
    ck_assert_ptr_null(news.surface);
    ck_assert_mem_eq(&news.dirty, &rects[_i].all, sizeof(news.dirty));
    sdl_screen_take(screen, &news);
    ck_assert_uint_eq(news.dirty.width, 0);
    sdl_screen_unref(screen);
    sdl_mail_free(mail);
}
END_TEST

START_TEST(the_newest_surface_counts)
{
    SdlMail *mail = new_mail();
    SdlScreen *screen = sdl_mail_add(mail, "vc0", true, NULL);
    Surface *surfaces[] = { surface_new(10, 10), surface_new(20, 30) };
    SdlNews news;

    sdl_screen_resized(screen, surfaces[0]);
    sdl_screen_changed(screen, &(ConsoleRect){ 0, 0, 10, 10 });
    sdl_screen_resized(screen, surfaces[1]);
    ck_assert_int_eq(surfaces[0]->refs, 1);
    sdl_screen_take(screen, &news);
    ck_assert_ptr_eq(news.surface, surfaces[1]);
    ck_assert_mem_eq(&news.dirty, (&(ConsoleRect){ 0, 0, 20, 30 }), sizeof(news.dirty));
    surface_unref(news.surface);
    sdl_screen_take(screen, &news);
    ck_assert_ptr_null(news.surface);
    sdl_screen_unref(screen);
    sdl_mail_free(mail);
    ck_assert_int_eq(surfaces[1]->refs, 1);
    surface_unref(surfaces[0]);
    surface_unref(surfaces[1]);
}
END_TEST

START_TEST(screens_come_and_go)
{
    SdlMail *mail = new_mail();
    SdlScreen *first = sdl_mail_add(mail, NULL, false, NULL), *screen;
    SdlNews news;

    screen = sdl_mail_screen(mail, 0);
    ck_assert_ptr_eq(screen, first);
    ck_assert_ptr_null(sdl_mail_screen(mail, 1));
    sdl_screen_show(first, true);
    sdl_screen_gone(first);
    sdl_screen_unref(first);
    sdl_screen_take(screen, &news);
    ck_assert(news.shown && news.gone);
    sdl_mail_remove(mail, screen);
    ck_assert_ptr_null(sdl_mail_screen(mail, 0));
    ck_assert_int_eq(screen->refs, 1);
    sdl_screen_unref(screen);
    sdl_mail_free(mail);
}
END_TEST

START_TEST(only_what_differs_is_news)
{
    SdlMail *mail = new_mail();
    bool absolute, running, quit;

    sdl_mail_set_machine(mail, false, false);
    ck_assert(!has_news(mail));
    sdl_mail_set_machine(mail, false, true);
    ck_assert(has_news(mail));
    sdl_mail_machine(mail, &absolute, &running, &quit);
    ck_assert(!absolute && running && !quit);
    sdl_mail_quit(mail);
    sdl_mail_machine(mail, &absolute, &running, &quit);
    ck_assert(quit);
    sdl_mail_free(mail);
}
END_TEST

/* ---- to the main thread ---- */

static void post_move(SdlMail *mail, SdlScreen *screen, int dx, unsigned buttons)
{
    sdl_mail_post(mail, &(SdlPost){ .kind = SDL_POST_POINTER, .screen = sdl_screen_ref(screen),
        .pointer = { .x = 100 + dx, .dx = dx, .dy = 1, .buttons = buttons } });
}

static size_t drop_posts(SdlMail *mail)
{
    size_t n;
    g_autofree SdlPost *posts = sdl_mail_take_posts(mail, &n);

    for (size_t i = 0; i < n; i++) {
        g_clear_pointer(&posts[i].screen, sdl_screen_unref);
    }
    return n;
}

START_TEST(moves_add_up)
{
    SdlMail *mail = new_mail();
    SdlScreen *screen = sdl_mail_add(mail, NULL, false, NULL);
    size_t n;
    g_autofree SdlPost *posts = NULL;

    post_move(mail, screen, 5, 0);
    post_move(mail, screen, -2, 0);
    post_move(mail, screen, 1, 1);              /* a button went down */
    post_move(mail, screen, 4, 1);
    ck_assert_uint_eq(posted, 1);
    posts = sdl_mail_take_posts(mail, &n);
    ck_assert_uint_eq(n, 2);
    ck_assert_int_eq(posts[0].pointer.dx, 3);
    ck_assert_int_eq(posts[0].pointer.dy, 2);
    ck_assert_uint_eq(posts[0].pointer.x, 98);
    ck_assert_int_eq(posts[1].pointer.dx, 5);
    ck_assert_int_eq(screen->refs, 4);
    sdl_screen_unref(posts[0].screen);
    sdl_screen_unref(posts[1].screen);
    post_move(mail, screen, 1, 1);
    ck_assert_uint_eq(posted, 2);
    sdl_mail_free(mail);
    ck_assert_int_eq(screen->refs, 1);
    sdl_screen_unref(screen);
}
END_TEST

START_TEST(what_waits_is_bounded_and_keys_come_up)
{
    SdlMail *mail = new_mail();
    SdlPost key = { .kind = SDL_POST_KEY, .key = { .key = 1, .down = true } };
    SdlPost character = { .kind = SDL_POST_CHARACTER, .character = 'a' };
    size_t full;

    for (unsigned i = 0; i < 100000; i++) {
        sdl_mail_post(mail, &key);
        sdl_mail_post(mail, &character);
    }
    full = drop_posts(mail);
    ck_assert_uint_lt(full, 10000);
    for (unsigned i = 0; i < full; i++) {
        sdl_mail_post(mail, &key);
    }
    sdl_mail_post(mail, &(SdlPost){ .kind = SDL_POST_KEY, .key = { .key = 1, .down = false } });
    sdl_mail_post(mail, &(SdlPost){ .kind = SDL_POST_FOCUS });
    sdl_mail_post(mail, &character);
    ck_assert_uint_eq(drop_posts(mail), full + 2);
    sdl_mail_free(mail);
}
END_TEST

/* ---- both at once: for the thread sanitizer ---- */

#define FRAMES 2000

static gpointer look(gpointer opaque)
{
    SdlMail *mail = opaque;
    bool absolute, running, quit = false;

    while (!quit) {
        SdlScreen *screen = sdl_mail_screen(mail, 0);
        SdlNews news;

        sdl_mail_seen(mail);
        sdl_mail_machine(mail, &absolute, &running, &quit);
        sdl_screen_take(screen, &news);
        g_clear_pointer(&news.surface, surface_unref);
        post_move(mail, screen, 1, running);
        sdl_screen_unref(screen);
    }
    return NULL;
}

START_TEST(two_threads)
{
    SdlMail *mail = new_mail();
    SdlScreen *screen = sdl_mail_add(mail, NULL, false, NULL);
    GThread *thread = g_thread_new("look", look, mail);

    for (unsigned i = 0; i < FRAMES; i++) {
        Surface *surface = surface_new(4 + i % 3, 4);

        sdl_screen_resized(screen, surface);
        surface_unref(surface);
        sdl_screen_changed(screen, &(ConsoleRect){ 0, 0, 4, 4 });
        sdl_mail_set_machine(mail, i & 1, i & 2);
        drop_posts(mail);
    }
    sdl_mail_quit(mail);
    g_thread_join(thread);
    sdl_screen_unref(screen);
    sdl_mail_free(mail);
}
END_TEST

CHECK_MAIN("sdl_mail", CASES(rectangles_become_one, rects), CASE(the_newest_surface_counts),
           CASE(screens_come_and_go), CASE(only_what_differs_is_news), CASE(moves_add_up),
           CASE(what_waits_is_bounded_and_keys_come_up), CASE(two_threads))
