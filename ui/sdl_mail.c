#include "sdl_mail.h"

#include <sys/eventfd.h>
#include <unistd.h>

#define POSTS_MAX   4096        /* waiting; beyond, what may be lost is */

struct SdlMail {
    void (*posted)(void *opaque);
    void *opaque;
    int fd;
    GMutex lock;
    /* under the lock */
    GPtrArray *screens;                 /* SdlScreen *, references */
    GArray *posts;                      /* SdlPost */
    bool absolute, running, quit;
};

/* ---- screens ---- */

SdlScreen *sdl_screen_ref(SdlScreen *screen)
{
    g_atomic_int_inc(&screen->refs);
    return screen;
}

void sdl_screen_unref(SdlScreen *screen)
{
    if (g_atomic_int_dec_and_test(&screen->refs)) {
        g_clear_pointer(&screen->surface, surface_unref);
        g_free(screen->label);
        g_free(screen);
    }
}

static void unref_screen(gpointer data)
{
    sdl_screen_unref(data);
}

/* ---- the whole ---- */

SdlMail *sdl_mail_new(void (*posted)(void *opaque), void *opaque)
{
    SdlMail *mail = g_new0(SdlMail, 1);

    mail->posted = posted;
    mail->opaque = opaque;
    mail->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g_assert(mail->fd >= 0);
    g_mutex_init(&mail->lock);
    mail->screens = g_ptr_array_new_with_free_func(unref_screen);
    mail->posts = g_array_new(false, false, sizeof(SdlPost));
    return mail;
}

static void drop_posts(SdlPost *posts, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_clear_pointer(&posts[i].screen, sdl_screen_unref);
    }
}

void sdl_mail_free(SdlMail *mail)
{
    size_t n;
    g_autofree SdlPost *posts = sdl_mail_take_posts(mail, &n);

    drop_posts(posts, n);
    g_array_unref(mail->posts);
    g_ptr_array_unref(mail->screens);
    g_mutex_clear(&mail->lock);
    close(mail->fd);
    g_free(mail);
}

static void ring(SdlMail *mail)
{
    eventfd_write(mail->fd, 1);
}

/* ---- main thread ---- */

SdlScreen *sdl_mail_add(SdlMail *mail, const char *label, bool is_text, void *owner)
{
    SdlScreen *screen = g_new0(SdlScreen, 1);

    screen->refs = 1;
    screen->mail = mail;
    screen->label = g_strdup(label);
    screen->is_text = is_text;
    screen->owner = owner;
    g_mutex_lock(&mail->lock);
    g_ptr_array_add(mail->screens, sdl_screen_ref(screen));
    g_mutex_unlock(&mail->lock);
    return screen;
}

void sdl_screen_resized(SdlScreen *screen, Surface *surface)
{
    Surface *old;

    g_mutex_lock(&screen->mail->lock);
    old = screen->surface;
    screen->surface = surface_ref(surface);
    screen->resized = true;
    screen->dirty = (ConsoleRect){ 0, 0, surface->width, surface->height };
    g_mutex_unlock(&screen->mail->lock);
    g_clear_pointer(&old, surface_unref);
    ring(screen->mail);
}

static void rect_add(ConsoleRect *all, const ConsoleRect *rect)
{
    unsigned right = MAX(all->x + all->width, rect->x + rect->width);
    unsigned bottom = MAX(all->y + all->height, rect->y + rect->height);

    if (all->width == 0) {
        *all = *rect;
        return;
    }
    all->x = MIN(all->x, rect->x);
    all->y = MIN(all->y, rect->y);
    all->width = right - all->x;
    all->height = bottom - all->y;
}

void sdl_screen_changed(SdlScreen *screen, const ConsoleRect *rect)
{
    bool first;

    g_mutex_lock(&screen->mail->lock);
    first = screen->dirty.width == 0;
    rect_add(&screen->dirty, rect);
    g_mutex_unlock(&screen->mail->lock);
    if (first) {
        ring(screen->mail);
    }
}

void sdl_screen_show(SdlScreen *screen, bool shown)
{
    g_mutex_lock(&screen->mail->lock);
    screen->shown = shown;
    g_mutex_unlock(&screen->mail->lock);
    ring(screen->mail);
}

bool sdl_screen_is_shown(SdlScreen *screen)
{
    bool shown;

    g_mutex_lock(&screen->mail->lock);
    shown = screen->shown;
    g_mutex_unlock(&screen->mail->lock);
    return shown;
}

void sdl_screen_gone(SdlScreen *screen)
{
    g_mutex_lock(&screen->mail->lock);
    screen->gone = true;
    g_mutex_unlock(&screen->mail->lock);
    ring(screen->mail);
}

void sdl_mail_set_machine(SdlMail *mail, bool absolute, bool running)
{
    bool news;

    g_mutex_lock(&mail->lock);
    news = mail->absolute != absolute || mail->running != running;
    mail->absolute = absolute;
    mail->running = running;
    g_mutex_unlock(&mail->lock);
    if (news) {
        ring(mail);
    }
}

void sdl_mail_quit(SdlMail *mail)
{
    g_mutex_lock(&mail->lock);
    mail->quit = true;
    g_mutex_unlock(&mail->lock);
    ring(mail);
}

SdlPost *sdl_mail_take_posts(SdlMail *mail, size_t *n)
{
    SdlPost *posts;

    g_mutex_lock(&mail->lock);
    posts = g_array_steal(mail->posts, n);
    g_mutex_unlock(&mail->lock);
    return posts;
}

/* ---- SDL's thread ---- */

int sdl_mail_fd(const SdlMail *mail)
{
    return mail->fd;
}

void sdl_mail_seen(SdlMail *mail)
{
    eventfd_t count;

    (void)!eventfd_read(mail->fd, &count);
}

void sdl_mail_machine(SdlMail *mail, bool *absolute, bool *running, bool *quit)
{
    g_mutex_lock(&mail->lock);
    *absolute = mail->absolute;
    *running = mail->running;
    *quit = mail->quit;
    g_mutex_unlock(&mail->lock);
}

SdlScreen *sdl_mail_screen(SdlMail *mail, size_t n)
{
    SdlScreen *screen = NULL;

    g_mutex_lock(&mail->lock);
    if (n < mail->screens->len) {
        screen = sdl_screen_ref(g_ptr_array_index(mail->screens, n));
    }
    g_mutex_unlock(&mail->lock);
    return screen;
}

void sdl_screen_take(SdlScreen *screen, SdlNews *news)
{
    g_mutex_lock(&screen->mail->lock);
    *news = (SdlNews){ .dirty = screen->dirty, .shown = screen->shown, .gone = screen->gone };
    if (screen->resized) {
        news->surface = surface_ref(screen->surface);
    }
    screen->resized = false;
    screen->dirty.width = 0;
    g_mutex_unlock(&screen->mail->lock);
}

void sdl_mail_remove(SdlMail *mail, SdlScreen *screen)
{
    g_mutex_lock(&mail->lock);
    g_ptr_array_remove(mail->screens, screen);
    g_mutex_unlock(&mail->lock);
}

/* A move is added to the one before it, if that waits still and nothing else differs. */
static bool add_move(GArray *posts, const SdlPost *post)
{
    SdlPost *last = posts->len > 0 ? &g_array_index(posts, SdlPost, posts->len - 1) : NULL;

    if (last == NULL || post->kind != SDL_POST_POINTER || last->kind != SDL_POST_POINTER ||
        last->screen != post->screen || last->pointer.buttons != post->pointer.buttons ||
        last->pointer.grabbed != post->pointer.grabbed) {
        return false;
    }
    last->pointer.x = post->pointer.x;
    last->pointer.y = post->pointer.y;
    last->pointer.width = post->pointer.width;
    last->pointer.height = post->pointer.height;
    last->pointer.dx += post->pointer.dx;
    last->pointer.dy += post->pointer.dy;
    return true;
}

/* What ends something must come through: a key that goes up went down before, so they are few. */
static bool may_be_lost(const SdlPost *post)
{
    return (post->kind == SDL_POST_KEY && post->key.down) || post->kind == SDL_POST_CHARACTER ||
           post->kind == SDL_POST_WHEEL || post->kind == SDL_POST_TOGGLE ||
           post->kind == SDL_POST_WISH;
}

void sdl_mail_post(SdlMail *mail, const SdlPost *post)
{
    bool kept = false, first;

    g_mutex_lock(&mail->lock);
    first = mail->posts->len == 0;
    if (!add_move(mail->posts, post) && (mail->posts->len < POSTS_MAX || !may_be_lost(post))) {
        g_array_append_val(mail->posts, *post);
        kept = true;
    }
    g_mutex_unlock(&mail->lock);
    if (!kept && post->screen != NULL) {
        sdl_screen_unref(post->screen);
    }
    if (kept && first) {
        mail->posted(mail->opaque);
    }
}
